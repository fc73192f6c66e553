"""The price table: every price is dated and sourced, hardware is found by its driver's name, users add their own."""

from datetime import date

import pytest

from harness.compare.cost.prices import load_prices
from harness.errors import HarnessError


def test_every_price_says_where_and_when_it_was_read():
    table = load_prices()
    assert len({price.name for price in table.prices}) == len(table.prices)
    for price in table.prices:
        assert price.source.startswith("https://"), price.name
        assert date(2020, 1, 1) <= price.as_of <= date(2026, 11, 22), price.name
        assert price.seller, price.name
    kinds = {price.kind for price in table.prices}
    assert kinds == {"gpu", "cpu", "machine", "tokens", "storage", "label", "work"}


@pytest.mark.parametrize(
    ("driver", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb-aws"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA A10G", "a10g-aws"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("NVIDIA L40", None),
        ("AMD Instinct MI300X", None),
    ],
)
def test_a_gpu_is_found_by_what_its_driver_calls_it(driver, name):
    price = load_prices().gpu(driver)
    assert (price.name if price else None) == name


def test_an_endpoint_is_priced_by_tokens_read_and_written():
    table = load_prices()
    assert table.tokens("openai:gpt-4o-mini", "in").usd < table.tokens("openai:gpt-4o-mini", "out").usd
    assert table.tokens("openai:gpt-5-mini-2025-08-07", "in").usd == 0.25


@pytest.mark.parametrize(
    "model",
    ["openai:gpt-5", "openai:gpt-5-mini-high", "gpt-5-mini", "./gpt-5-mini", "openrouter:openai/gpt-5-mini", "smollm2"],
)
def test_a_price_is_of_one_model_and_of_no_other_whose_name_holds_its_name(model):
    assert load_prices().tokens(model, "in") is None


def test_a_users_file_replaces_what_it_names_and_adds_what_is_new(tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text(
        '[[price]]\nname = "vcpu"\nusd = 0.01\n'
        '[[price]]\nname = "ours"\nkind = "gpu"\nusd = 2\nunit = "GPU-hour"\nsource = "contract"\nas_of = 2026-01-01\n'
    )
    table = load_prices(file)
    assert table.price("vcpu").usd == 0.01
    assert table.price("vcpu").source == str(file)
    assert table.hardware("ours").usd == 2
    assert table.price("label") == load_prices().price("label")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[price]]\nname = 'new'\nusd = 1\n", "price 'new' in"),
        ("[[price]]\nname = 'vcpu'\nusd = -1\n", "usd"),
        ("[[price]]\nname = 'vcpu'\nusb = 1\n", "usb"),
        ("[price]\nname = 'vcpu'\n", "[[price]]"),
        ("nonsense", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path, text, message):
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(HarnessError, match=r".") as caught:
        load_prices(file)
    assert message in str(caught.value)


def test_unknown_hardware_names_the_nearest():
    with pytest.raises(HarnessError, match="did you mean 'rtx4090'"):
        load_prices().hardware("rtx4091")
