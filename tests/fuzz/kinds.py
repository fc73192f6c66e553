"""Kinds of damaged input: a folder of sound files, which of them is damaged, and the command that reads it."""

import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.records.record import SCHEMA_VERSION
from harness.store.baselines import set_baseline
from harness.store.results_store import Store, select_newest
from tests.data.document_files import write_docx, write_html, write_markdown, write_pdf, write_pptx
from tests.fuzz.mutations import NASTY, mutate, mutate_json, mutate_zip

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
OLD = Path(__file__).parents[1] / "store" / "records" / "v1"
TRIAL = "quickstart/sentiment/smollm2-135m-instruct"


class Given(NamedTuple):
    """Folders of a sound suite and of a model."""

    suite: Path
    model: Path


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        build: writes the sound files into a folder that is there; it gets `Given` too.
        file: that is damaged, below that folder; empty: a word of the command line is, `CONTENT`.
        arguments: of the command, where COPY, SUITE, MODEL, FILE and CONTENT stand for folders, file and word.
        content: of the damaged word.
    """

    build: Callable[..., None]
    file: str
    arguments: tuple[str, ...]
    content: bytes = b""


def copy_suite(folder, given):
    shutil.copytree(given.suite, folder, dirs_exist_ok=True)
    (folder / "fresh.csv").write_text("text,mood\nA fresh film was fine.,good\nA fresh play was dull.,bad\n")
    (folder / "t.jinja").write_text("{% for e in exemplars %}{{ e.question }} {% endfor %}{{ question }}\n")
    (folder / "run.toml").write_text(
        f'suite = "{given.suite}"\nmodels = ["{given.model}"]\nstrategies = ["zero_shot", "lora(rank=4)"]\nseeds = 2\n'
        "requests = 4\nmax_minutes = 5\nlimits = { test = 4 }\n"
    )


def copy_model(folder, given):
    shutil.copytree(given.model, folder, dirs_exist_ok=True)


def write_tables(folder, given):
    import pandas as pd

    table = pd.DataFrame({"text": [f"message {i} of ours" for i in range(40)], "label": ["good", "bad"] * 20})
    table.to_parquet(folder / "rows.parquet")
    table.to_json(folder / "rows.jsonl", orient="records", lines=True)
    table.to_json(folder / "rows.json", orient="records")
    table.to_csv(folder / "rows.csv", index=False)
    table.to_csv(folder / "rows.tsv", index=False, sep="\t")
    table.to_excel(folder / "rows.xlsx", index=False)
    (folder / "task.yaml").write_text(
        'task: moods\ndataset_path: org/moods\noutput_type: multiple_choice\ndescription: "Say it.\\n\\n"\n'
        'doc_to_text: "Text: {{text}}\\nMood:"\ndoc_to_target: "{{label}}"\ndoc_to_choice: ["good", "bad"]\n'
    )


def write_pages(folder, given):
    write_tables(folder, given)
    sections = [("Rooms", ["Room 1 is blue.", "Room 2 is red."]), ("Hours", ["It opens at nine."])]
    (folder / "pages").mkdir()
    for suffix, write in DOCUMENTS.items():
        write(folder / "pages" / f"page.{suffix}", sections)


def new_store(folder, given):
    """Write two trials and a baseline as this version does, with the digests of their rows."""
    store, reference = Store(folder), select_newest(Store(REFERENCE).load("quickstart")).trials
    for strategy in ("lora", "zero_shot"):
        stored = next(s for s in reference if (s.record.trial.task, s.record.trial.strategy) == ("sentiment", strategy))
        store.write(stored.record.model_copy(update={"schema_version": SCHEMA_VERSION}), stored.rows())
    set_baseline(store, "old", store.load("quickstart"))
    (folder / "prices.toml").write_text('[[price]]\nname = "ours"\nkind = "cpu"\nusd = 2.5\nunit = "vCPU-hour"\n')


def old_store(folder, given):
    shutil.copytree(OLD, folder, dirs_exist_ok=True)


def files_of_flags(folder, given):
    """Write what flags name: a word of the command line is damaged."""
    (folder.parent / "fresh.csv").write_text("text,mood\nA fresh film was fine.,good\nA fresh play was dull.,bad\n")


DOCUMENTS = {"md": write_markdown, "html": write_html, "pdf": write_pdf, "docx": write_docx, "pptx": write_pptx}
TABLES = ("csv", "tsv", "json", "jsonl", "parquet", "xlsx")
INIT = ("init", "mine", "--data", "FILE", "--input", "text", "--reference", "label", "--folder", "COPY")
WITH_PAGES = ("init", "mine", "--data", "COPY/rows.csv", "--input", "text", "--reference", "label", "--folder", "COPY")
PLAN = ("plan", "SUITE", "--model", "MODEL")
STORED = ("quickstart", "--results", "COPY")
COMMANDS = {
    "report": ("report", *STORED),
    "report as JSON": ("report", *STORED, "--format", "json"),
    "decide": ("decide", *STORED),
    "export": ("export", *STORED, "--to", "csv", "--out", "COPY/out"),
    "compare": ("compare", "lora", "zero_shot", "--suite", *STORED),
    "gate": ("gate", *STORED, "--baseline", "old"),
}
FLAGS = {
    "--strategy": b"rag(k=1,retriever=bm25)+lora(rank=4)",
    "--model": b"smollm2-135m-instruct",
    "--task": b"moods",
    "--seeds": b"3",
    "--seed": b"1",
    "--limit": b"test=4",
    "--train-sizes": b"4,8",
    "--budget": b"tokens=2000",
    "--requests": b"4",
    "--arrival-rate": b"2.5",
    "--latency-target": b"0.5",
    "--max-minutes": b"5",
    "--max-usd": b"2.5",
    "--max-trial-memory": b"1.5",
    "--volume": b"100000",
    "--months": b"12",
    "--update-every": b"7d",
    "--split": b"moods.fresh=fresh.csv",
}


def _kinds():
    for name in ("suite.toml", "moods.csv", "facts.csv", "doors.csv", "quiz.csv"):
        yield f"plan: {name}", Kind(copy_suite, name, ("plan", "COPY", "--model", "MODEL"))
    yield "plan: fresh items", Kind(copy_suite, "fresh.csv", (*PLAN, "--split", "moods.fresh=FILE"))
    yield "plan: template", Kind(copy_suite, "t.jinja", (*PLAN, "--strategy", "prompt(template='FILE')"))
    yield "plan: settings", Kind(copy_suite, "run.toml", ("plan", "--config", "FILE"))
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        yield f"plan: {name}", Kind(copy_model, name, ("plan", "SUITE", "--model", "COPY"))
    yield "fits: config.json", Kind(copy_model, "config.json", ("fits", "COPY", "--strategy", "lora"))
    for suffix in TABLES:
        yield f"init: {suffix}", Kind(write_tables, f"rows.{suffix}", INIT)
    for suffix in DOCUMENTS:
        yield f"init: {suffix}", Kind(write_pages, f"pages/page.{suffix}", (*WITH_PAGES, "--corpus", "COPY/pages"))
    task = ("init", "mine", "--lm-eval", "FILE", "--data", "COPY/rows.csv", "--folder", "COPY")
    yield "init: lm-eval", Kind(write_tables, "task.yaml", task)
    yield from _kinds_of_stores()
    for flag, content in FLAGS.items():
        yield f"plan {flag}", Kind(files_of_flags, "", (*PLAN, f"{flag}=CONTENT"), content)


def _kinds_of_stores():
    for command, arguments in COMMANDS.items():
        for name in ("record.json", "examples.parquet"):
            yield f"{command}: {name}", Kind(new_store, f"{TRIAL}/*lora*/{name}", arguments)
    yield "report: SHA256SUMS", Kind(new_store, f"{TRIAL}/*lora*/SHA256SUMS", COMMANDS["report"])
    yield "report: prices", Kind(new_store, "prices.toml", (*COMMANDS["report"], "--prices", "FILE"))
    for name in ("record.json", "examples.parquet"):
        yield f"report: {name} of version 1", Kind(old_store, f"quickstart/*/*/*/{name}", COMMANDS["report"])
    for name in ("baseline.json", "*lora*/record.json", "*lora*/examples.parquet"):
        yield f"gate: the baseline's {name}", Kind(new_store, f"baselines/old/{name}", COMMANDS["gate"])
        yield f"history: the baseline's {name}", Kind(new_store, f"baselines/old/{name}", ("history", *STORED))


KINDS = dict(_kinds())


def sound_folder(name, folder, given):
    """Write the sound files of a kind into a new folder."""
    folder.mkdir()
    KINDS[name].build(folder, given)
    return folder


def damaged(name, source, copy, seed, given):
    """Damage one file of a copy of the sound folder, or one word; return the command's arguments and the content."""
    kind, rng = KINDS[name], random.Random(f"{name}{seed}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    if kind.file:
        path = next(copy.glob(kind.file))
        content = _changed(path, rng)
        path.write_bytes(content)
    else:
        content = mutate(kind.content, rng)[:2_000] if seed else rng.choice(NASTY)
    return command(name, copy, given, content), content


def command(name, folder, given, content=None):
    """Return the arguments of a kind's command on a folder."""
    kind = KINDS[name]
    word = (kind.content if content is None else content).replace(b"\0", b"").decode("utf-8", "surrogateescape")
    path = next(folder.glob(kind.file)) if kind.file else folder
    texts = {
        "COPY": str(folder),
        "SUITE": str(given.suite),
        "MODEL": str(given.model),
        "FILE": str(path),
        "CONTENT": word,
    }
    return [re.sub("|".join(texts), lambda match: texts[match[0]], argument) for argument in kind.arguments]


def _changed(path, rng):
    content = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.5:
        return mutate_json(content, rng)
    if path.suffix in (".xlsx", ".docx", ".pptx") and rng.random() < 0.7:
        return mutate_zip(content, rng)
    return mutate(content, rng)
