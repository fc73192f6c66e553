"""What tests of several parts share: tiny models, made once a session. Nothing heavy is imported until one is asked."""

import pytest


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory):
    """A cache folder for hashes and artifacts of tiny models."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory):
    """Give the folder of a tiny model by its kind and the options of `tiny.save_model`; each is made once."""
    import torch

    from tests import tiny

    torch.set_num_threads(1)  # more threads cost such small products more than they bring
    made = {}

    def folder(kind="llama", **options):
        key = (kind, *sorted(options.items()))
        if key not in made:
            made[key] = tiny.save_model(tmp_path_factory.mktemp(kind), kind, **options)
        return made[key]

    return folder


@pytest.fixture
def open_tiny(tiny_folders, tiny_cache):
    """Load a tiny model anew, in float32: training changes it in place."""
    from tests import tiny

    return lambda kind="llama", **options: tiny.open_tiny(tiny_folders(kind, **options), tiny_cache)


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory):
    """The folder of a tiny embedding model."""
    from tests import tiny

    return tiny.save_embedder(tmp_path_factory.mktemp("embedder") / "model")
