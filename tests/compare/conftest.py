"""Fixtures for decisions."""

import pytest

from tests.compare.decision_builders import suite


@pytest.fixture(scope="module")
def stored():
    return suite()
