"""Keys of endpoints: read from the environment only, and taken out of every text that is stored or shown."""

from __future__ import annotations

import os

from harness.endpoints.providers import Destination, key_variables
from harness.errors import HarnessError

MASK = "[key]"
"""Stands where a key was."""
_further: set[str] = set()
"""Variables that steps name, besides those of the tables."""
_SHORTEST = 6
"""Characters below which a key is no secret: servers of one's own take anything, such as ``x``."""


def read_key(destination: Destination) -> str | None:
    """Return the key of an endpoint, without the spaces around it; None: it wants none.

    Raises:
        HarnessError: its variable is not set, or holds what no header can.
    """
    return None if destination.key_env is None else read_variable(destination.key_env, destination.name)


def read_variable(variable: str, subject: str) -> str:
    """Return the key in an environment variable, which is hidden in texts from now on.

    Args:
        variable: its name.
        subject: what needs the key, for the message.

    Raises:
        HarnessError: the variable is not set, or holds what no header can.
    """
    _further.add(variable)
    key = os.environ.get(variable, "").strip()
    if not key:
        raise HarnessError(f"{subject!r} needs a key: set the environment variable {variable}.")
    if not (key.isascii() and key.isprintable()):
        raise HarnessError(f"the environment variable {variable} holds characters that no key has: set it anew.")
    return key


def without_keys(text: str) -> str:
    """Return a text with the values of all key variables replaced by `MASK`."""
    try:
        variables = {*key_variables(), *_further}
    except HarnessError:  # the user's file is wrong, which is said where it is needed
        variables = _further
    keys = {os.environ.get(variable, "").strip() for variable in variables}
    for key in sorted(keys, key=len, reverse=True):
        if len(key) >= _SHORTEST:
            text = text.replace(key, MASK)
    return text
