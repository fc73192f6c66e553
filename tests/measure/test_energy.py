"""Joules by codecarbon: of each interval alone, offline and silent; without it, an error that says what to install."""

import socket
import time

import pytest

from harness.errors import HarnessError
from harness.measure import energy


@pytest.fixture(scope="module")
def quiet_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cwd")


@pytest.fixture(scope="module")
def meter(quiet_folder):
    """A real meter, made where any use of the network fails the test."""
    pytest.importorskip("codecarbon", reason="pip install -e '.[energy]'")

    def refuse(*arguments, **options):
        raise AssertionError(f"the network was asked: {arguments}")

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(quiet_folder)
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield energy.EnergyMeter()


def joules(meter, seconds):
    meter.start()
    time.sleep(seconds)
    return meter.stop()


def test_a_longer_interval_takes_more_joules_and_each_is_counted_alone(meter):
    first, long, last = joules(meter, 0.1), joules(meter, 0.5), joules(meter, 0.1)
    assert 0 < first < long
    assert last < long


def test_the_source_says_what_was_measured_and_what_estimated(meter):
    assert meter.source.startswith("codecarbon, whole machine: processor ")
    assert "estimated" in meter.source or "counters" in meter.source


def test_nothing_is_printed_or_written(meter, quiet_folder, capfd):
    joules(meter, 0.01)
    assert capfd.readouterr() == ("", "")
    assert list(quiet_folder.iterdir()) == []


def device(name, **attributes):
    return type(name, (), attributes)()


@pytest.mark.parametrize(
    ("hardware", "source"),
    [
        (
            [device("RAM"), device("CPU", _mode="cpu_load")],
            "processor estimated from its model and load, memory estimated from its size",
        ),
        (
            [device("RAM"), device("CPU", _mode="intel_rapl"), device("GPU")],
            "processor by its own counters, GPU by its own counter, memory estimated from its size",
        ),
    ],
)
def test_counters_and_estimates_are_told_apart(hardware, source):
    assert energy._source(hardware) == f"codecarbon, whole machine: {source}"


def test_without_codecarbon_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(energy, "find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=r"adaptbench\[energy\]"):
        energy.EnergyMeter()
