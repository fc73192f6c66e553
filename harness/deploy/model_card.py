"""Model card of a deployed system: identity, measured scores, loading, check, and what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata

from harness.records.record import Completed


def card(  # noqa: PLR0913 - the parts of a card
    record: Completed,
    *,
    adapter: bool,
    samples: int,
    reproduced: int,
    scores: Sequence[str],
    chat: bool = False,
    restricted: Sequence[str] = (),
) -> str:
    """Write the card as Markdown with the front matter that model hubs read.

    Args:
        record: of the trial that was deployed.
        adapter: the weights are an adapter for the base model.
        samples: stored answers that were compared.
        reproduced: those that the written model gives again.
        scores: the measured figures, a line each.
        chat: prompts are turns of the tokenizer's chat template.
        restricted: what of the files only some people may read, a phrase each.
    """
    trial, model = record.trial, record.model
    matter = [f"base_model: {model.name}", f"library_name: {'peft' if adapter else 'transformers'}"]
    matter += [f"license: {model.licence}"] if model.licence else []
    sections = [
        "---\n" + "\n".join(matter) + "\n---",
        f"# {trial.strategy} on {trial.suite}/{trial.task}",
        f"{model.name} ({_hash(model.hash)}), customised by `{trial.strategy}` with seed {trial.seed}. "
        + (f"Note: {model.note}." if model.note else ""),
        "## Measured\n\n" + ("\n".join(f"- {line}" for line in scores) or "No figures were given."),
        _load_section(record, adapter=adapter, chat=chat),
        *([_readers_section(restricted)] if restricted else []),
        _check_section(record, samples, reproduced),
        _origin_section(record),
    ]
    return "\n\n".join(part.strip() for part in sections) + "\n"


def _load_section(record: Completed, *, adapter: bool, chat: bool) -> str:
    if adapter:
        code = (
            "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'tokenizer = AutoTokenizer.from_pretrained("model")\n'
            f'base = AutoModelForCausalLM.from_pretrained("{record.model.name}")\n'
            'model = PeftModel.from_pretrained(base, "model")'
        )
        command = f"vllm serve {record.model.name} --enable-lora --lora-modules tuned=./model"
    else:
        code = (
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'tokenizer = AutoTokenizer.from_pretrained("model")\nmodel = AutoModelForCausalLM.from_pretrained("model")'
        )
        command = "vllm serve ./model"
    how = (
        "Questions were asked in chat turns (`tokenizer.apply_chat_template`): the instruction of `prompt.json` as "
        "system turn, its exemplars as earlier turns, and the question, behind its passages, as the last user turn. "
        if chat
        else "`prompt.jinja` lays a question out as it was measured, with the instruction, labels and exemplars of "
        "`prompt.json`; do not add special tokens. "
    )
    explanation = (
        f"{how}Where the system retrieves, `index/` has the passages and the index that they are found with. With "
        "`owners.npy`, entry n of which is the passage of vector n, a passage has several vectors: the nearest counts."
    )
    return f"## Load\n\n```python\n{code}\n```\n\n```sh\n{command}\n```\n\n{explanation}"


def _readers_section(restricted: Sequence[str]) -> str:
    return (
        f"## Who may read it\n\nNot for everybody: {', '.join(restricted)}. `readers` names who may see a passage or "
        "an exemplar (of an exemplar, each list must hold the asker): leave out what the asker may not read before "
        "passages are ranked and before the prompt is laid out, and keep these files from everybody else. What weights "
        "have learned they may tell anybody who asks them. `samples.jsonl` has unrestricted items only."
    )


def _check_section(record: Completed, samples: int, reproduced: int) -> str:
    how = ", greedily and to the end of the line" if record.tasks[0].kind == "qa" else ""
    caveat = (
        ""
        if reproduced == samples
        else " Merging or rounding has changed the others: measure it before you rely on it."
    )
    return (
        f"## Checked\n\n{reproduced} of {samples} stored answers were given again by what lies in `model/`.{caveat} "
        f"`samples.jsonl` has the exact prompts and answers, so that a server can be checked by them too{how}."
    )


def _origin_section(record: Completed) -> str:
    environment = record.environment
    versions = ", ".join(f"{name} {version}" for name, version in environment.packages.items())
    return (
        f"## Made with\n\nadaptbench {metadata.version('adaptbench')}; trial `{record.trial.key[:16]}` of "
        f"{record.started_at}, commit {environment.git_commit or 'unknown'}, on {environment.processor}; {versions}. "
        "Data: "
        f"`{record.tasks[0].data_hash[:16]}`.\n\n## Not known\n\nHow it does on other data than the task's test split, "
        "and whether training data can be drawn from it, unless the figures above say so."
    )


def _hash(value: str | None) -> str:
    return f"weights `{value[:16]}`" if value else "weights of unknown hash"
