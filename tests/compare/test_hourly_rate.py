"""Price of an hour of a machine: by its cores, by ``--hardware``, unknown for a GPU that nobody named."""

import pytest

from harness.compare.cost.hourly_rate import hourly_rate
from harness.compare.cost.pricing import make_economics
from harness.records.record import Environment

MACHINE = Environment(
    python="3.11", packages={}, platform="Linux", processor="x86-64", cores=4, threads=4, memory_bytes=1
)


def test_an_hour_costs_as_much_as_its_cores():
    economics = make_economics()
    price = economics.prices.price("vcpu")
    rate = hourly_rate(MACHINE, economics)
    assert rate.usd == pytest.approx(4 * price.usd)
    assert rate.explanation.startswith(f"4 vcpu of {price.usd:g} USD an hour each (")


def test_a_gpu_has_a_price_only_by_name():
    machine = MACHINE.model_copy(update={"gpu": "NVIDIA H100"})
    assert hourly_rate(machine, make_economics()) is None
    gpu = next(price for price in make_economics().prices.prices if price.kind == "gpu")
    assert hourly_rate(machine, make_economics(hardware=gpu.name)).usd == gpu.usd
