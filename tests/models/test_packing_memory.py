"""Whether rows are shared is tried once for a model, and again when anything that it depends on is another."""

import pytest

from harness.decoding import packing_probe
from harness.models.packing_memory import supports_packing
from tests import architectures


@pytest.fixture
def probes(monkeypatch):
    """List the models that are probed."""
    probed, probe = [], packing_probe.supports_packing
    monkeypatch.setattr(packing_probe, "supports_packing", lambda module: probed.append(module) or probe(module))
    return probed


@pytest.mark.parametrize(("name", "packs"), [("gemma3", True), ("mpt", False)])
def test_a_model_is_probed_once(probes, tmp_path, name, packs):
    module = architectures.build(name)
    assert [supports_packing(module, "weights", tmp_path) for _ in range(3)] == [packs] * 3
    assert len(probes) == 1


def test_other_weights_windows_and_damaged_files_are_probed(probes, tmp_path):
    module = architectures.build("mistral")
    assert supports_packing(module, "weights", tmp_path)
    assert supports_packing(module, "other weights", tmp_path)
    module.config.sliding_window = 16
    assert supports_packing(module, "weights", tmp_path)
    assert len(probes) == 3
    for file in (tmp_path / "packing").iterdir():
        file.write_text("{")
    assert supports_packing(module, "weights", tmp_path)
    assert len(probes) == 4


def test_a_first_pass_is_made_all_the_same(probes, tmp_path):
    module = architectures.build("llama")
    supports_packing(module, "weights", tmp_path)
    passes = []
    module.register_forward_hook(lambda *_: passes.append(1))
    supports_packing(module, "weights", tmp_path)
    assert passes
