"""Write training questions from the corpus: a teacher reads each passage and asks about it (Yang et al. 2024)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.api import Architecture, Context, Footprint, Needs, Provision, Step, System, TaskData
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.training.synthetic_rows import WrittenRows

FILE = "rows.jsonl"


class Synthesise(Step):
    """A teacher writes questions with answers from the passages, and the later steps learn them.

    Tuning on the task's own questions teaches how to answer, not what the passages say; questions on all passages
    teach both. Changes nothing by itself: ``synthesise+lora`` trains on them.
    """

    per_passage: int = Field(2, ge=0, description="questions asked for, a passage")
    paraphrases: int = Field(0, ge=0, description="of each passage, for a step that learns the corpus")
    teacher: str = Field("self", description="who writes: the model itself, or a model's name, folder or hub id")
    add: bool = Field(True, description="learn them with the training split; false: in its place")
    shots: int = Field(3, ge=0, description="training examples with their passages shown to the teacher")
    temperature: float = Field(0.0, ge=0, description="of what is written; 0: the likeliest tokens")
    max_new_tokens: int = Field(48, ge=1, description="of a question with its answer, at most")
    passages: int | None = Field(None, ge=1, description="passages read, drawn at random; none: all")
    restricted: bool = Field(False, description="ask about passages too that not everybody may read")

    needs: ClassVar[Needs] = Needs(task=frozenset({"corpus"}))
    provides: ClassVar[frozenset[Provision]] = frozenset({"train"})
    keeps_artifact: ClassVar[bool] = True
    random: ClassVar[bool] = True
    paper: ClassVar[str] = (
        "Yang et al. 2024, arXiv:2409.07431; questions: Mecklenburg et al. 2024, arXiv:2404.00213; why paraphrases: "
        "Allen-Zhu and Li 2023, arXiv:2309.14316"
    )

    def sources(self) -> tuple[str, ...]:
        """Name the teacher, unless it is the model itself."""
        return () if self.teacher == "self" else (self.teacher,)

    def requirements(self) -> Needs:
        """Need a model that generates, where it is its own teacher."""
        return Needs(self.needs.task, frozenset({"generate"})) if self.teacher == "self" else self.needs

    def objection(self, task: TaskData, later: Sequence[Step]) -> str | None:
        """Object to answers from a list, and to a corpus that has nothing for everybody to read."""
        del later
        if task.task.kind not in ("qa", "generation"):
            return f"it writes questions with free answers, and task {task.task.name!r} is of kind {task.task.kind}"
        if not self.restricted and all(passage.readers for passage in task.corpus):
            return f"no passage of task {task.task.name!r} is for everybody to read: 'restricted=true' asks about all"
        return None

    def footprint(self, shape: Architecture) -> Footprint:
        """Write so many rows a passage."""
        del shape
        return Footprint(
            written_questions=self.per_passage,
            written_tokens=self.max_new_tokens,
            written_passages=self.passages,
            paraphrases=self.paraphrases,
            demonstrations=self.shots,
            replaces_training=not self.add,
        )

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Have the teacher write, and hand the rows on."""
        from harness.training.synthetic_rows import WritingSettings, write_rows

        teacher = system.model if self.teacher == "self" else context.open_model(self.teacher)
        settings = WritingSettings(
            per_passage=self.per_passage,
            paraphrases=self.paraphrases,
            shots=self.shots,
            temperature=self.temperature,
            max_new_tokens=self.max_new_tokens,
            most_passages=self.passages,
            restricted=self.restricted,
        )
        rows = write_rows(teacher, task, settings, context.seed, context.progress)
        if not self.add and not rows.examples:
            what = ", ".join(f"{name}: {count}" for name, count in rows.counts.items())
            raise HarnessError(f"{teacher.info.name!r} wrote no usable question ({what}): name another teacher.")
        context.count_tokens(rows.tokens)
        context.count_rows(rows.counts)
        return self._hand_on(system, task, rows)

    def save(self, system: System, folder: Path) -> None:
        """Write the rows as JSON lines."""
        from harness.training.synthetic_rows import WrittenRows, save_rows

        assert system.material is not None  # noqa: S101 - this step made it
        examples = tuple(example for example in system.material.train if example.teacher)
        save_rows(WrittenRows(examples, system.material.paraphrases), folder / FILE)

    def load(self, system: System, task: TaskData, context: Context, folder: Path) -> System:
        """Read the rows."""
        from harness.training.synthetic_rows import load_rows

        del context
        return self._hand_on(system, task, load_rows(folder / FILE))

    def _hand_on(self, system: System, task: TaskData, rows: "WrittenRows") -> System:
        """Return the system with the material that later steps learn from."""
        known = {example.query.id for example in task.train}  # of a step like this one before
        written = tuple(example for example in rows.examples if example.query.id not in known)
        train = (*task.train, *written) if self.add else written
        return system.replace(material=replace(task, train=train, paraphrases=rows.paraphrases))
