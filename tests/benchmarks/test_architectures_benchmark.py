"""Every causal architecture of transformers that has a tiny configuration here, as docs/architectures.md lists it."""

import pytest

from tests import architectures


@pytest.mark.parametrize("name", architectures.NAMES)
def test_the_page_says_what_an_architecture_does(benchmark, name):
    row = benchmark.pedantic(architectures.row, (name,), rounds=1)
    assert row in architectures.PAGE.read_text(encoding="utf-8").splitlines()
