"""Opens a model that a command asks outside a run: a judge, or a teacher that writes questions."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from harness.api import Model
from harness.errors import HarnessError


@contextmanager
def asked_model(reference: str, prices: Path | None, max_usd: str | None, root: Path, key: str) -> Generator[Model]:
    """Open a model; what it is asked over HTTP is kept in a journal, so that an interrupted command goes on.

    Args:
        reference: a name, a folder or PROVIDER:MODEL.
        prices: TOML with prices of tokens; None: the built-in ones.
        max_usd: most that an API may cost; ``none``: any.
        root: folder that the journal's folder is made in.
        key: name of the journal.

    Raises:
        HarnessError: the limit is no number, the model has no price and no limit was waived, or it cannot be had.
    """
    from harness.cli.endpoint_runs import EndpointOptions, settings_for
    from harness.compare.cost.prices import load_prices
    from harness.data import cache
    from harness.endpoints import session
    from harness.models import registry

    if max_usd not in (None, "none"):
        try:
            float(max_usd or "")
        except ValueError:
            raise HarnessError(f"--max-usd {max_usd!r} is no number of US dollars.") from None
    settings = settings_for(reference, EndpointOptions(load_prices(prices), max_usd), root)
    session.begin(settings, key)
    try:
        named = registry.identify(reference)
        registry.fetch(named.reference, by=named.backend)
        registry.prepare(named.reference, cache.root(), by=named.backend)
        yield registry.open_model(named.reference, cache.root(), by=named.backend)
    finally:
        session.begin(None)
        if settings:
            for file in Path(settings.folder).glob(f"{settings.ledger}*"):
                file.unlink(missing_ok=True)
