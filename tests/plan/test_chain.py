"""The text of a chain: what it accepts, what it refuses and how, and that it is written back the same."""

import re
from typing import ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from harness.api import Step
from harness.errors import HarnessError, unknown
from harness.plan import chain


class Lora(Step):
    rank: int = Field(16, ge=1)
    learning_rate: float = 2e-4
    targets: tuple[str, ...] = ("q_proj",)
    note: str | None = "x"
    start: Literal["zero", "random"] = "zero"
    bias: bool = False

    changes_weights: ClassVar[bool] = True


class Rag(Step):
    k: int = 3
    kept: ClassVar[int] = 5


class Bare(Step):
    pass


class Must(Step):
    layers: int


STEPS = {"lora": Lora, "rag": Rag, "bare": Bare, "must": Must}


def find(name: str) -> type[Step]:
    if name not in STEPS:
        raise unknown("strategy", name, STEPS)
    return STEPS[name]


def test_a_chain_is_read_left_to_right():
    links = chain.build("rag(k=1) + lora(rank=8)", find)
    assert [(link.name, link.step) for link in links] == [("rag", Rag(k=1)), ("lora", Lora(rank=8))]


@pytest.mark.parametrize(
    ("text", "tasks"), [("lora", ()), ("lora(task=a)", ("a",)), ("lora(task=[a,b-c])", ("a", "b-c"))]
)
def test_a_step_that_tunes_may_name_its_tasks(text, tasks):
    (link,) = chain.build(text.replace("b-c", "'b-c'"), find)
    assert link.tasks == tasks
    assert chain.build(chain.canonical([link]), find) == chain.restore(chain.resolved([link]), find) == (link,)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("-2", -2),
        ("1e-4", 1e-4),
        ("true", True),
        ("False", False),
        ("none", None),
        ("all", "all"),
        ("'a+b(c)'", "a+b(c)"),
        ('"8"', "8"),
        ("[a,'b c',1]", ["a", "b c", 1]),
    ],
)
def test_values_keep_their_type(text, value):
    (call,) = chain.parse(f"x(p={text})")
    assert call.parameters == {"p": value}
    assert type(call.parameters["p"]) is type(value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("lora+", "column"),
        ("lora(rank=8", "column"),
        ("lora(8)", "at column 6"),
        ("rag+lora(rank=8,rank=9)", "'rank' twice at column 17"),
        ("rag-lora", "other than '+' at column 1"),
        ("lora(note=a-b)", "needs quotes"),
        ("lora(note=f(x))", "needs quotes"),
        ("ü+lora(8)", "at column 8"),
        ("(lambda: 1)", "expects the name of a step"),
        ("lora(**x)", "expects the name of a parameter"),
        ("+".join(["lora"] * 20_000), "cannot be read"),
        ("a\0b", "cannot be read"),
        ("lorra", "did you mean 'lora'"),
        ("rag+lorra", "column 5"),
        ("lora(rnk=8)", "unknown parameter 'rnk' in lora: did you mean 'rank'?"),
        ("rag(task=all)", "rag takes no 'task'"),
        ("lora(task=[all,a])", "names no tasks"),
        ("lora(task=[a,a])", "names no tasks"),
        ("bare(k=1)", "'bare' takes no parameters"),
        ("lora(rank=0)", "rank=0: Input should be greater than or equal to 1"),
        ("lora(rank=8.0)", "rank=8.0: Input should be a valid integer"),
        ("lora(rank='8')", "rank='8': Input should be a valid integer"),
        ("lora(bias=1)", "bias=1: Input should be a valid boolean"),
        ("lora(start=middle)", "start='middle': Input should be 'zero' or 'random'"),
        ("must", "layers"),
    ],
)
def test_a_wrong_chain_is_one_clear_line(text, said):
    with pytest.raises(HarnessError, match=re.escape(said)) as caught:
        chain.build(text, find)
    assert "\n" not in str(caught.value)


def test_canonical_text_writes_only_what_differs_in_the_order_of_the_fields():
    links = chain.build("lora( learning_rate=1e-3, rank=8, bias=false ) + rag(k=3)", find)
    assert chain.canonical(links) == "lora(rank=8,learning_rate=0.001)+rag"


def test_a_required_parameter_is_always_written():
    assert chain.canonical(chain.build("must(layers=2)", find)) == "must(layers=2)"


def test_resolved_steps_name_every_parameter_and_can_be_made_again():
    links = chain.build("lora(rank=4)+must(layers=1)", find)
    steps = chain.resolved(links)
    assert steps[0]["step"] == "lora"
    assert steps[0]["learning_rate"] == 2e-4
    assert chain.restore(steps, find) == links


text = st.one_of(st.text(max_size=8), st.sampled_from(["true", "none", "8", "a b", "lambda", "it's", "inf", "\n"]))
loras = st.builds(
    Lora,
    rank=st.integers(1, 10**9),
    learning_rate=st.floats(allow_nan=False),
    targets=st.lists(text, max_size=3).map(tuple),
    note=st.none() | text,
    start=st.sampled_from(["zero", "random"]),
    bias=st.booleans(),
).map(lambda step: chain.Link("lora", step))
rags = st.builds(Rag, k=st.integers()).map(lambda step: chain.Link("rag", step))
chains = st.lists(loras | rags | st.just(chain.Link("bare", Bare())), min_size=1, max_size=4).map(tuple)


@settings(max_examples=150, deadline=None)
@given(chains)
def test_what_is_written_is_read_back_as_the_same_chain(links):
    written = chain.canonical(links)
    assert chain.build(written, find) == links
    assert chain.canonical(chain.build(written, find)) == written


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="lora(rg,k=18.-+'\"[]{}\\ \n\0é", max_size=24))
def test_any_text_is_a_chain_or_a_clear_error(given_text):
    try:
        chain.build(given_text, find)
    except HarnessError as error:
        assert str(error)  # noqa: PT017 - both outcomes are fine, an exception of another kind is not
