"""A span measures its own memory, seconds, tokens and joules; real allocations, and a double of the GPU."""

import sys
import time

import numpy as np
import pytest
from nvml_double import Nvml

from harness.measure import meter as meter_module
from harness.measure.meter import Meter

MIB = 1 << 20
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak can be set back on Linux only")


@linux
def test_the_peak_is_what_was_allocated():
    meter = Meter()
    with meter.span("adapt"):
        block = np.ones(200 * MIB, dtype=np.uint8)
        del block
    (span,) = meter.spans
    assert span.host_peak_bytes - span.host_start_bytes == pytest.approx(200 * MIB, abs=16 * MIB)


@linux
def test_a_second_span_does_not_see_the_peak_of_the_first():
    meter = Meter()
    with meter.span("adapt"):
        block = bytearray(300 * MIB)
        del block
    with meter.span("predict"):
        small = bytearray(20 * MIB)
        del small
    first, second = meter.spans
    assert first.host_peak_bytes - second.host_peak_bytes > 250 * MIB
    assert second.host_peak_bytes - second.host_start_bytes == pytest.approx(20 * MIB, abs=8 * MIB)


@linux
def test_earlier_memory_counts_into_the_start():
    block = bytearray(100 * MIB)
    meter = Meter()
    with meter.span("predict"):
        pass
    (span,) = meter.spans
    assert span.host_peak_bytes >= span.host_start_bytes - MIB
    assert span.host_start_bytes > len(block)


def test_freed_memory_is_returned_before_each_phase_but_scoring(monkeypatch):
    trims = []
    monkeypatch.setattr(meter_module.allocator, "trim", lambda: trims.append(True))
    meter = Meter()
    for phase, times in (("load", 1), ("adapt", 2), ("predict", 3), ("score", 3)):
        with meter.span(phase):
            pass
        assert len(trims) == times


def test_seconds_are_those_of_the_block():
    meter = Meter()
    with meter.span("load", step="lora"):
        time.sleep(0.05)
    (span,) = meter.spans
    assert (span.phase, span.step) == ("load", "lora")
    assert 0.05 <= span.wall_s < 1.0


def test_tokens_add_up_and_one_never_counted_stays_unknown():
    meter = Meter()
    with meter.span("predict"):
        meter.count_tokens(tokens_in=5)
        meter.count_tokens(tokens_in=7, tokens_out=0)
    with meter.span("score"):
        pass
    assert [(span.tokens_in, span.tokens_out) for span in meter.spans] == [(12, 0), (None, None)]


def test_tokens_outside_a_span_are_a_mistake():
    with pytest.raises(RuntimeError, match="outside a span"):
        Meter().count_tokens(tokens_in=1)


def test_spans_do_not_nest_and_the_outer_one_is_not_spoilt_for_the_next():
    meter = Meter()
    message = "'predict' began inside span 'adapt'"
    with pytest.raises(RuntimeError, match=message), meter.span("adapt"), meter.span("predict"):
        pass
    with meter.span("score"):
        pass
    assert [span.phase for span in meter.spans] == ["score"]


def test_gpu_figures_are_unknown_without_a_gpu():
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_available():
        pytest.skip("there is a GPU")
    meter = Meter()
    with meter.span("predict"):
        pass
    (span,) = meter.spans
    assert (span.gpu_allocated_peak_bytes, span.gpu_reserved_peak_bytes, span.gpu_device_peak_bytes) == (None,) * 3


class Device:
    """CUDA devices as torch shows them, the first with 1000 bytes of which some are used, and an allocator's cache."""

    def __init__(self, others=()):
        self.used, self.allocated, self.peak, self.synchronised = 100, 0, 0, 0
        self.reserved = self.reserved_peak = 0
        self.others = others

    def device_count(self):
        return 1 + len(self.others)

    def empty_cache(self):
        self.reserved = self.allocated

    def is_available(self):
        return True

    def synchronize(self, index=0):
        self.synchronised += not index

    def reset_peak_memory_stats(self, index):
        if not index:
            self.peak, self.reserved_peak = self.allocated, self.reserved

    def max_memory_allocated(self, index):
        return self.others[index - 1] if index else self.peak

    def max_memory_reserved(self, index):
        return self.others[index - 1] if index else self.reserved_peak + 8

    def mem_get_info(self):
        return 1000 - self.used, 1000

    def allocate(self, size):
        self.allocated += size
        self.used += size
        self.peak = max(self.peak, self.allocated)
        self.reserved = max(self.reserved, self.allocated)
        self.reserved_peak = max(self.reserved_peak, self.reserved)


def test_gpu_figures_are_those_of_the_span(monkeypatch):
    device = Device()
    monkeypatch.setitem(sys.modules, "torch", type("torch", (), {"cuda": device}))
    meter = Meter(nvml=Nvml(devices=0))
    for size in (500, 50):
        with meter.span("predict"):
            device.allocate(size)
            time.sleep(0.15)  # the device is sampled every 50 ms
            device.allocate(-size)
    first, second = meter.spans
    assert (first.gpu_allocated_peak_bytes, second.gpu_allocated_peak_bytes) == (500, 50)
    assert (first.gpu_reserved_peak_bytes, second.gpu_reserved_peak_bytes) == (508, 58)
    assert (first.gpu_device_peak_bytes, second.gpu_device_peak_bytes) == (600, 150)
    assert device.synchronised == 4


def test_memory_of_several_gpus_adds_up(monkeypatch):
    device = Device(others=(40, 0))
    monkeypatch.setitem(sys.modules, "torch", type("torch", (), {"cuda": device}))
    meter = Meter(nvml=Nvml(devices=0))
    with meter.span("predict"):
        device.allocate(500)
    assert meter.spans[0].gpu_allocated_peak_bytes == 540
    assert meter.spans[0].gpu_reserved_peak_bytes == 548


def test_memory_of_the_whole_gpu_is_read_from_nvml_where_it_is_installed(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    device, nvml = Device(), Nvml(used=70)
    monkeypatch.setitem(sys.modules, "torch", type("torch", (), {"cuda": device}))
    meter = Meter(nvml=nvml)
    with meter.span("predict"):
        nvml.used = 900
        time.sleep(0.15)
        nvml.used = 80
    with meter.span("score"):
        nvml.used = "unknown"
        time.sleep(0.15)
    assert [span.gpu_device_peak_bytes for span in meter.spans] == [900, 100]


@linux
def test_each_of_several_spans_has_the_peak_of_its_own_allocations():
    meter, sizes = Meter(), (40, 160, 10, 90)
    for size in sizes:
        with meter.span("predict"):
            block = np.ones(size * MIB, dtype=np.uint8)
            del block
    peaks = [(span.host_peak_bytes - span.host_start_bytes) / MIB for span in meter.spans]
    assert peaks == pytest.approx(sizes, abs=8)


class Joules:
    """Returns 3 joules for the first interval, 6 for the second, and so on."""

    source = "counted"

    def __init__(self):
        self.started = self.ended = 0

    def start(self):
        assert self.started == self.ended
        self.started += 1

    def stop(self):
        self.ended += 1
        return 3.0 * self.ended


def test_joules_belong_to_their_span_and_one_that_raises_spoils_no_other(monkeypatch):
    monkeypatch.setattr("harness.measure.meter.EnergyMeter", Joules)
    meter = Meter(energy=True)
    with meter.span("adapt"):
        pass
    with pytest.raises(ZeroDivisionError), meter.span("predict"):
        1 / 0  # noqa: B018 - it is to raise
    with meter.span("score"):
        pass
    assert [(span.phase, span.energy_j) for span in meter.spans] == [("adapt", 3.0), ("score", 9.0)]
    assert meter.energy_source == "counted"


def test_without_being_asked_there_are_no_joules():
    meter = Meter()
    with meter.span("adapt"):
        pass
    assert (meter.spans[0].energy_j, meter.energy_source) == (None, None)
