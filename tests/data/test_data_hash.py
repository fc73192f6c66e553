"""The data hash covers every item that is trained on or asked, and all that a retriever can find."""

import pytest

from harness.data.prepare import prepare
from harness.data.suite import load_suite

TOML = """name = "mine"
version = 1
[[tasks]]
name = "t"
kind = "qa"
train = "train.csv"
validation = "validation.csv"
test = "test.csv"
corpus = "texts.csv"
id = "id"
input = "q"
reference = "a"
rejected = "bad"
cluster = "group"
evidence = "page"
user = "who"
template = "brief"
"""
HEAD = "id,q,a,bad,group,page,who\n"
FILES = {
    "train.csv": HEAD + "1,what opens?,key,lock,g1,p1,ann\n2,what closes?,bolt,latch,g2,p2,bo\n",
    "validation.csv": HEAD + "3,what rings?,bell,drum,g3,p1,ann\n",
    "test.csv": HEAD + "4,what floats?,boat,stone,g4,p2,bo\n5,what burns?,wood,water,g5,p1,ann\n",
    "texts.csv": "id,title,text,readers\np1,Doors,a door and a key,ann\np2,Water,a boat on the lake,\n",
    "templates/brief.jinja": "{{ input }}",
    "suite.toml": TOML,
}
CHANGES = {
    "id of a training item": ("train.csv", "\n1,", "\n9,"),
    "question of a training item": ("train.csv", "what opens?", "what locks?"),
    "answer of a training item": ("train.csv", ",key,", ",wedge,"),
    "question of a validation item": ("validation.csv", "what rings?", "what sounds?"),
    "id of a test item": ("test.csv", "\n4,", "\n8,"),
    "question of a test item": ("test.csv", "what floats?", "what sinks?"),
    "answer of a test item": ("test.csv", ",boat,", ",raft,"),
    "rejected answer of a test item": ("test.csv", ",stone,", ",rock,"),
    "cluster of a test item": ("test.csv", ",g4,", ",g5,"),
    "evidence of a test item": ("test.csv", ",g4,p2,", ",g4,p1,"),
    "user of a test item": ("test.csv", ",p2,bo", ",p2,ann"),
    "text of a passage": ("texts.csv", "on the lake", "on the sea"),
    "title of a passage": ("texts.csv", ",Water,", ",Lakes,"),
    "readers of a passage": ("texts.csv", "key,ann", "key,bo"),
    "id of a passage": ("texts.csv", "p2,Water,a boat on the lake,", "p2,Water,a boat on the lake,\np3,New,text,"),
    "template": ("templates/brief.jinja", "{{ input }}", "{{ input }}:"),
    "reward": ("suite.toml", 'template = "brief"\n', 'template = "brief"\nreward = "token_f1"\n'),
    "planted secrets": ("suite.toml", 'template = "brief"\n', 'template = "brief"\ncanaries = 1\n'),
    "training items that are kept": (
        "suite.toml",
        'template = "brief"\n',
        'template = "brief"\npreparation = { reduce = 1 }\n',
    ),
}


def data_hash(folder, **changed):
    for name, content in (FILES | changed).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return prepare(load_suite(folder), "t").info.data_hash


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_is_learned_asked_or_found_changes_the_hash(tmp_path, change):
    file, before, after = CHANGES[change]
    assert FILES[file].count(before) == 1
    assert data_hash(tmp_path / "a") != data_hash(tmp_path / "b", **{file: FILES[file].replace(before, after)})


def test_choices_and_labels_change_the_hash(tmp_path):
    def hashed(folder, kind, rows):
        folder.mkdir()
        (folder / "rows.csv").write_text(rows)
        (folder / "suite.toml").write_text(
            f'name = "mine"\nversion = 1\n[[tasks]]\nname = "t"\nrole = "probe"\ndata = "rows.csv"\n{kind}\n'
            '[[tasks]]\nname = "other"\nkind = "qa"\ndata = "rows.csv"\ninput = "q"\nreference = "a"\n'
        )
        return prepare(load_suite(folder), "t").info.data_hash

    columns = 'input = "q"\nreference = "a"\n'
    choices = f'kind = "multiple_choice"\nchoices = ["a", "b"]\n{columns}'
    rows = "q,a,b\nwho?,x,y\nhow?,z,w\n"
    assert hashed(tmp_path / "1", choices, rows) != hashed(tmp_path / "2", choices, rows.replace("w\n", "v\n"))
    labels = 'kind = "classification"\nlabels = {{ x = "yes", z = "{}" }}\n' + columns
    assert hashed(tmp_path / "3", labels.format("no"), rows) != hashed(tmp_path / "4", labels.format("maybe"), rows)
