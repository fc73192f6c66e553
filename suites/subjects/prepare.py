"""Reshapes MMLU into {id, question (its last words), subject, split}: which of 57 subjects is a question about?"""

from collections.abc import Iterator
from typing import Any

from ..sources import HUB, Read, arrow, last_words, unique_rows

SUBJECTS = """
abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry
college_computer_science college_mathematics college_medicine college_physics computer_security conceptual_physics
econometrics electrical_engineering elementary_mathematics formal_logic global_facts high_school_biology
high_school_chemistry high_school_computer_science high_school_european_history high_school_geography
high_school_government_and_politics high_school_macroeconomics high_school_mathematics high_school_microeconomics
high_school_physics high_school_psychology high_school_statistics high_school_us_history high_school_world_history
human_aging human_sexuality international_law jurisprudence logical_fallacies machine_learning management marketing
medical_genetics miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory
professional_accounting professional_law professional_medicine professional_psychology public_relations
security_studies sociology us_foreign_policy virology world_religions
""".split()  # noqa: SIM905 - one a line would fill a page
PARTS = {"dev": "train", "validation": "train", "test": "test"}
"""Where MMLU's own parts go: its test questions are those that are tested on."""
LONGEST = 60
"""Words of a question that are kept, from its end: before them stand texts that several questions share."""


def questions(read: Read) -> Iterator[dict[str, Any]]:
    """Yield every question whose end is like no other's, without its answers.

    "Which of the following is true?" is asked in many subjects: nobody could tell which.
    """
    return unique_rows(_all(read), "question")


def _all(read: Read) -> Iterator[dict[str, Any]]:
    for subject in SUBJECTS:
        for part, split in PARTS.items():
            for number, row in enumerate(arrow(read(HUB.format(f"hails/mmlu_no_train/{subject}/{part}"))), 1):
                yield {
                    "id": f"{subject}-{part}-{number}",
                    "question": last_words(row["question"], LONGEST),
                    "subject": subject.replace("_", " "),
                    "split": split,
                }
