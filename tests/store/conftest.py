"""Fixtures for the store."""

import pytest

from harness.store.results_store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")
