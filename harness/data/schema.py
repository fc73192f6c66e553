"""The settings of a suite.toml, checked once when it is read."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.api import Form, Kind
from harness.data.bad_rows import MAX_BAD_ROWS
from harness.data.options import Canaries, Preparation

DEFAULT_METRICS: dict[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1"),
    "multi_label": ("multilabel_micro_f1", "multilabel_macro_f1", "exact_set"),
    "multiple_choice": ("accuracy",),
    "qa": ("token_f1", "exact_match"),
    "generation": ("token_f1",),
    "preference": ("accuracy",),
    "language_modelling": ("bits_per_byte", "word_perplexity"),
}
DEFAULT_MAX_NEW_TOKENS: dict[Kind, int] = {"qa": 24, "generation": 128, "multi_label": 64}
CANARY_KINDS: tuple[Kind, ...] = ("qa", "generation", "multiple_choice")
"""Kinds whose answers are texts: a classification learns labels only, and no secret is a label."""
NO_REFERENCE: tuple[Kind, ...] = ("language_modelling", "qa", "generation")
"""Kinds that may name no column with the answer."""
LABELLED: tuple[Kind, ...] = ("classification", "multi_label")
"""Kinds whose answers are from one set of labels."""
PARAPHRASES = 3
"""Most other instructions of a task: every system is asked with each."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sizes(_Strict):
    """Number of items of each split; None: all of its file, or a default share of one file.

    `train` without a value takes all that the other two leave.
    """

    train: int | None = Field(None, ge=0)
    validation: int | None = Field(None, ge=0)
    test: int | None = Field(None, ge=1)


class TaskConfig(_Strict):
    """One task of a suite.

    Attributes:
        role: a ``target`` is what systems are adapted to; a ``probe`` is only asked, never trained on.
        source: a pinned archive; then `rows` and `passages` name functions of the suite's prepare.py.
        data: one file to be split; or else `train`, `validation` and `test`, used as they are given.
        split: column that says ``train``, ``validation`` or ``test``, where `data` or `source` is divided already.
        input: column of what is asked; of the text itself, for language modelling. A column may be a path into its
            cells, such as ``answers.text``, or hold conversations (lists of turns with role and content, or from and
            value): then the user's last turn is asked, behind those before it.
        reference: column of the right answer; language modelling has none, and that of a conversation (qa, generation)
            may be left out: it is the assistant's last turn.
        id: column with a unique name for each row; by default file and line.
        choices: multiple choice: one column that holds a list, or several columns.
        reference_as: multiple choice: whether `reference` holds the right choice's text, its letter or its
            index from 0.
        labels: classification, multi-label: value in the file → label that the model sees, in their order.
        separator: multi-label: what stands between the labels of a cell; lists need none.
        rejected: column of a worse answer (`reference` is the better one): what a preference task asks to be told
            apart; for questions and generation it only feeds preference training, and may be empty.
        cluster: column; rows with one value are kept in one split, and are not independent.
        groups: columns that divide the items into slices (language, product): each metric is told of each slice too.
        evidence: column with the ids of the passages (or the corpus files) that hold the answer.
        user: column of who asks: passages that name their `readers` are found for those only.
        form: ``chat``, ``plain`` (labelled lines, which small models often follow better), ``bare`` (the text and
            nothing else; the input may be empty then) or ``auto``.
        template: name of a file in the suite's folder ``templates`` that lays the prompt out, without ``.jinja``.
        reward: metric of a single item that reinforcement learning may take as its reward.
        question_label: what stands before the input in the plain form; answer_label: before the answer.
        corpus: a folder of .txt and .md files, or a CSV, JSONL or Parquet file with id, text and (maybe) title
            and readers (who may see it: a list, or names with commas between; empty: everybody).
        preparation: changes of the training split alone: cleaning, anonymising, reducing, augmenting.
        canaries: made-up secrets planted in the training split (a number), and in the corpus; asked for afterwards.
        paraphrases: up to three other instructions; some test items are asked with each, to see how much the wording
            decides. No score of the task depends on them.
        synthetic_by: the model that wrote the items, where one did: no decision rests on training rows of its own too.
        strategies: what `harness run` compares on this task unless told; none: what the suite names.
    """

    name: Name
    kind: Kind
    role: Literal["target", "probe"] = "target"
    source: str | None = None
    rows: str | None = None
    passages: str | None = None
    data: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    split: str | None = None
    input: str
    reference: str = ""
    id: str | None = None
    choices: str | tuple[str, ...] | None = None
    reference_as: Literal["text", "letter", "index"] = "text"
    labels: dict[str, str] = {}
    separator: str = ""
    rejected: str | None = None
    cluster: str | None = None
    groups: tuple[str, ...] = ()
    evidence: str | None = None
    user: str | None = None
    corpus: str | None = None
    instruction: str = ""
    form: Form = "auto"
    question_label: str = "Question"
    answer_label: str = "Answer"
    template: Name | None = None
    metrics: tuple[str, ...] = ()
    reward: str = ""
    max_new_tokens: int | None = Field(None, ge=1)
    sizes: Sizes = Field(default_factory=lambda: Sizes.model_validate({}))
    split_seed: int = 0
    preparation: Preparation = Field(default_factory=lambda: Preparation.model_validate({}))
    canaries: Canaries = Field(default_factory=lambda: Canaries.model_validate({}))
    paraphrases: tuple[str, ...] = ()
    synthetic_by: str | None = None
    strategies: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> "TaskConfig":
        for wrong, text in (
            *self._data_problems(),
            *self._column_problems(),
            *self._training_problems(),
            *self._wording_problems(),
        ):
            if wrong:
                raise ValueError(text)
        return self

    def _data_problems(self) -> tuple[tuple[bool, str], ...]:
        files = bool(self.train or self.validation or self.test)
        probe = self.role == "probe"
        return (
            (
                [bool(self.source), bool(self.data), files].count(True) != 1,
                "give one of 'data' (one file, to be split), 'train' and 'test' (files used as they are) or 'source'",
            ),
            (files and not self.test, "'test' is missing: name the test file, or give one file as 'data' to split it"),
            (
                files and not probe and not self.train,
                "'train' is missing: name the training file, or set role = \"probe\" for a task that is only asked",
            ),
            (
                probe and bool(self.train or self.validation or self.sizes.train or self.sizes.validation),
                "a probe is never trained on: remove its training and validation data",
            ),
            (
                bool(self.source) != bool(self.rows) or bool(self.passages and not self.source),
                "'source' needs 'rows' (a function of prepare.py), and 'rows' and 'passages' need 'source'",
            ),
            (
                bool(self.split) and not (self.data or self.source),
                "'split' divides the rows of 'data' or 'source'; 'train' and 'test' are divided already",
            ),
            (bool(self.corpus and self.passages), "'corpus' and 'passages' are two corpora: keep one"),
            (
                bool(self.evidence) and not (self.corpus or self.passages),
                "'evidence' names passages, but there is no 'corpus'",
            ),
        )

    def _column_problems(self) -> tuple[tuple[bool, str], ...]:
        pairs: tuple[Kind, ...] = ("preference", "qa", "generation")
        return (
            (not self.reference and self.kind not in NO_REFERENCE, "key 'reference' is missing"),
            (
                (self.kind == "multiple_choice") != bool(self.choices),
                "'choices' (one column with a list, or several columns) belongs to kind \"multiple_choice\"",
            ),
            (
                self.kind != "multiple_choice" and self.reference_as != "text",
                "'reference_as' belongs to kind \"multiple_choice\"",
            ),
            (
                bool(self.labels) and self.kind not in LABELLED,
                '\'labels\' belongs to the kinds "classification" and "multi_label"',
            ),
            (bool(self.separator) and self.kind != "multi_label", "'separator' belongs to kind \"multi_label\""),
            (len(set(self.labels.values())) != len(self.labels), "two values of 'labels' are the same label"),
            (
                (self.kind == "preference" and not self.rejected) or (self.kind not in pairs and bool(self.rejected)),
                "'rejected' (the worse answer) belongs to kind \"preference\" (and, to train on, to qa and generation)",
            ),
        )

    def _training_problems(self) -> tuple[tuple[bool, str], ...]:
        return (
            (
                self.role == "probe" and self.preparation != Preparation.model_validate({}),
                "a probe has no training items to prepare: remove 'preparation'",
            ),
            (
                self.kind != "classification" and bool(self.preparation.augment),
                "'augment' keeps a label though words change: it belongs to kind \"classification\"",
            ),
            (
                bool(self.canaries.count) and (self.role == "probe" or self.kind not in CANARY_KINDS),
                f"'canaries' are answers that can be learned word for word: targets of kind {', '.join(CANARY_KINDS)}",
            ),
            (
                bool(self.canaries.passages) and not (self.corpus or self.passages),
                "'canaries' with 'passages' need a 'corpus' to stand in",
            ),
        )

    def _wording_problems(self) -> tuple[tuple[bool, str], ...]:
        instructions = [text.strip().casefold() for text in (self.instruction, *self.paraphrases)]
        return (
            (
                bool(self.paraphrases) and self.kind == "multi_label",
                "'paraphrases' would leave out how a set of labels is written: remove them",
            ),
            (len(self.paraphrases) > PARAPHRASES, f"'paraphrases' are at most {PARAPHRASES} instructions: keep fewer"),
            (
                bool(self.paraphrases) and (self.role == "probe" or not instructions[0]),
                "'paraphrases' are other words for the 'instruction' of a target: give one, or remove them",
            ),
            (
                bool(self.paraphrases) and (not all(instructions) or len(set(instructions)) < len(instructions)),
                "one of 'paraphrases' is empty, or the same as another or as the 'instruction': each must differ",
            ),
        )

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """The suite's metrics, or the defaults of the kind."""
        return self.metrics or DEFAULT_METRICS[self.kind]

    @property
    def new_tokens(self) -> int:
        """Where generation stops at the latest."""
        return self.max_new_tokens or DEFAULT_MAX_NEW_TOKENS.get(self.kind, 32)


class SuiteConfig(_Strict):
    """A suite.toml.

    Attributes:
        strategies: what `harness run` compares unless told, on tasks that name none.
        passage_words: about how long the passages are that corpus files are cut into.
        max_bad_rows: share of a table's rows that may be left out because they cannot be used (at least one row), and
            of items that may be too long for the model; 0: none.
    """

    name: Name
    version: int = Field(ge=1)
    description: str = ""
    licence: str = ""
    strategies: tuple[str, ...] = ("zero_shot", "few_shot", "lora")
    passage_words: int = Field(120, ge=20, le=2000)
    max_bad_rows: float = Field(MAX_BAD_ROWS, ge=0, le=1)
    tasks: tuple[TaskConfig, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> "SuiteConfig":
        names = [task.name for task in self.tasks]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise ValueError(f"two tasks are called {twice!r}")
        if not any(task.role == "target" for task in self.tasks):
            raise ValueError("every task is a probe: at least one must be a target")
        return self
