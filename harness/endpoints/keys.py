"""Keys of endpoints: read from the environment only, and taken out of every text that is stored or shown."""

from __future__ import annotations

import os

from harness.endpoints.providers import Destination, key_variables
from harness.errors import HarnessError

MASK = "[key]"
"""Stands where a key was."""
_SHORTEST = 6
"""Characters below which a key is no secret: servers of one's own take anything, such as ``x``."""


def read_key(destination: Destination) -> str | None:
    """Return the key of an endpoint, without the spaces around it; None: it wants none.

    Raises:
        HarnessError: its variable is not set, or holds what no header can.
    """
    variable = destination.key_env
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise HarnessError(f"{destination.name!r} needs a key: set the environment variable {variable}.")
    if not (key.isascii() and key.isprintable()):
        raise HarnessError(f"the environment variable {variable} holds characters that no key has: set it anew.")
    return key


def without_keys(text: str) -> str:
    """Return a text with the values of all key variables replaced by `MASK`."""
    try:
        variables = key_variables()
    except HarnessError:  # the user's file is wrong, which is said where it is needed
        return text
    keys = {os.environ.get(variable, "").strip() for variable in variables}
    for key in sorted(keys, key=len, reverse=True):
        if len(key) >= _SHORTEST:
            text = text.replace(key, MASK)
    return text
