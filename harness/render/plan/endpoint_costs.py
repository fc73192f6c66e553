"""What models that are asked over HTTP will be asked and cost, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.text import Text

from harness.compare.prose.numbers import usd
from harness.forecast.endpoint_questions import EndpointForecast


def endpoint_lines(forecasts: Mapping[str, EndpointForecast], max_usd: float | None) -> Iterator[Text]:
    """Write a line for each model, and where the run stops.

    Args:
        forecasts: by the model's reference.
        max_usd: limit of the run; None: there is none.
    """
    for name, forecast in forecasts.items():
        phases = ", ".join(f"{count:,} {phase}" for phase, count in forecast.questions.items())
        low, high = forecast.read_tokens
        tokens = (
            f"{low:,.0f} to {high:,.0f} tokens read, {forecast.tokens_out:,.0f} to {forecast.most_out:,.0f} written"
        )
        yield Text(f"\n{name}: {forecast.questions.total():,} questions ({phases}), {tokens}{_money(forecast)}.")
    if forecasts:
        yield Text(
            "Tokens are estimated from bytes. A model that thinks before it answers may write up to 2,048 more an "
            "answer; a question may be billed again where the line drops.",
            style="dim",
        )
    if any(forecast.price for forecast in forecasts.values()):
        limit = "without a limit (--max-usd none)" if max_usd is None else f"until {max_usd:g} USD (--max-usd)"
        yield Text(f"The run asks {limit}; what does not fit is left for the next run.")


def _money(forecast: EndpointForecast) -> str:
    """Write the range, and the most of all."""
    if forecast.usd is None:
        return "; no price"
    low, high, most = map(usd, forecast.usd)
    return f"; {low} to {high} USD, at most {most}"
