"""The text of a new suite.toml and of its data sheet."""

import json
from dataclasses import dataclass, field

from harness.api import Kind
from harness.data.prepare import PreparedTask

MOST_TRAIN = 400


@dataclass(frozen=True)
class Draft:
    """The settings of a new suite.toml.

    Attributes:
        files: table by key of the task: ``data``, or ``train``, ``test`` and maybe ``validation``.
        columns: column by key of the task: ``input`` and, as used, ``reference``, ``id``, ``cluster``, ``evidence``,
            ``user`` and ``choices``.
        groups: columns that divide the items into slices.
        separator: between the labels of a cell; empty: none.
        reference_as: how the answers name a choice, ``letter`` or ``index``; None: by its text.
        offers: key and column of a line that is written as a comment.
        source: where the table comes from, for the data sheet.
        synthetic_by: the model that wrote the items; empty: none did.
    """

    name: str
    kind: Kind
    files: dict[str, str]
    columns: dict[str, str]
    corpus: str | None = None
    instruction: str = ""
    groups: tuple[str, ...] = ()
    separator: str = ""
    reference_as: str | None = None
    offers: dict[str, str] = field(default_factory=dict[str, str])
    source: str = ""
    synthetic_by: str = ""

    def toml(self, sizes: dict[str, int]) -> str:
        """Return the text of suite.toml.

        Args:
            sizes: of the splits; empty: the defaults.
        """
        majority = ["majority"] if self.kind in ("classification", "multi_label", "multiple_choice") else []
        retrieval = ["rag(k=1)", "few_shot(k=4)+rag(k=1)", "rag(k=1)+lora"] if self.corpus else []
        strategies = ["zero_shot", *majority, "few_shot", "lora", *retrieval]
        offers = {"cluster": "COLUMN", **({"evidence": "COLUMN"} if self.corpus else {}), **self.offers}
        lines = [
            f"name = {quote(self.name)}",
            "version = 1  # raise it when the data change so that scores can't be compared",
            'description = ""',
            'licence = ""  # of the data',
            f"strategies = [{', '.join(map(quote, strategies))}]",
            "# max_bad_rows = 0.01  # share of rows that may be left out because they can't be used",
            "",
            "[[tasks]]",
            f"name = {quote(self.name)}",
            f"kind = {quote(self.kind)}",
            *(f"{key} = {quote(name)}" for key, name in {**self.files, **self.columns}.items()),
            *([f"reference_as = {quote(self.reference_as)}"] if self.reference_as else []),
            *([f"corpus = {quote(self.corpus)}"] if self.corpus else []),
            *([f"separator = {quote(self.separator)}"] if self.separator else []),
            *([f"synthetic_by = {quote(self.synthetic_by)}"] if self.synthetic_by else []),
            *([f"groups = [{', '.join(map(quote, self.groups))}]"] if self.groups else []),
            *([f"instruction = {quote(self.instruction)}"] if self.instruction else []),
            *(f"# {key} = {quote(name)}  # {_MEANING[key]}" for key, name in offers.items() if key not in self.columns),
        ]
        if sizes:
            lines.append(f"sizes = {{ {', '.join(f'{split} = {size}' for split, size in sizes.items())} }}")
        return "\n".join(lines) + "\n"


_MEANING = {
    "cluster": "rows that belong together (one customer, one document): kept in one split",
    "evidence": "passage or file that holds the answer: gives recall@k",
}


def sizes_of(prepared: PreparedTask, files: dict[str, str]) -> dict[str, int]:
    """Return the sizes to write: those of the default split, with at most `MOST_TRAIN` training items."""
    splits = [name for name in ("train", "validation", "test") if name == "train" or name not in files]
    sizes = {name: prepared.info.sizes[name] for name in splits}
    if any(example.query.history for example in prepared.task_data.train):  # its items are turns, sizes are of rows
        return {name: size for name, size in sizes.items() if name != "train"}
    return sizes | {"train": min(sizes["train"], MOST_TRAIN)}


def quote(text: str) -> str:
    """Return a TOML basic string: JSON's escapes, and those of the few characters that TOML forbids besides."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def data_sheet(draft: Draft, prepared: PreparedTask, digests: dict[str, str]) -> str:
    """Return the data sheet of a new suite.

    Args:
        draft: its settings.
        prepared: its task.
        digests: sha256 of each table.
    """
    info, example = prepared.info, (prepared.task_data.train or prepared.test)[0]
    chance = "nothing is chosen, so there is none" if info.chance is None else f"{info.chance:.3g}"
    majority = "" if prepared.majority is None else f"; always the commonest label: {prepared.majority:.3g}"
    sizes = "\n".join(f"| {name} | {size} |" for name, size in info.sizes.items())
    quoted = "\n".join(f"> {line}" for line in _short(example.query.input).splitlines())
    asked = f"`{draft.columns['input']}` is asked"
    if "reference" in draft.columns:
        asked += f", `{draft.columns['reference']}` is right"
    tables = ", ".join(f"`{name}`" for name in digests)
    source = draft.source or f"{tables}, given to `harness init`; say here where it comes from and how it was made"
    revisions = "; ".join(f"`{name}`, sha256 `{digest}`" for name, digest in digests.items())
    notes = "\n".join(f"- {note}" for note in info.warnings) or "None."
    return f"""# {draft.name}

One task of kind {draft.kind}: {asked}.

- **Source:** {source}
- **Revision:** {revisions}
- **Licence:** not stated yet
- **Chance level:** {chance}{majority}
- **Known contamination:** not examined: whether the models have seen these data in pre-training is unknown

| split | items |
| --- | --- |
{sizes}

## An example (training split)

{quoted}

Answer: {_short(example.references[0])}

## What was noticed in the data

{notes}
"""


def _short(text: str) -> str:
    return text if len(text) <= 600 else f"{text[:600]} …"
