"""One request to one endpoint: its key goes to its own host only, and redirects are not followed."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import httpx2

from harness.endpoints.event_stream import read_stream
from harness.endpoints.keys import read_key, without_keys
from harness.endpoints.providers import Destination, is_loopback
from harness.endpoints.wire import FatalFault, Reply, TransientFault, check_status, read_reply

_CONNECT_S = 10.0


class HttpClient:
    """Sends bodies to an endpoint; threads may send at once."""

    def __init__(self, destination: Destination) -> None:
        """Read the key, and open no connection yet.

        Raises:
            HarnessError: the key is not in the environment.
        """
        key = read_key(destination)
        headers = {} if key is None else {"api-key": key} if destination.auth == "api-key" else _bearer(key)
        connections = destination.concurrency
        self._base_url = destination.base_url
        self._client = httpx2.Client(
            headers=headers,
            timeout=httpx2.Timeout(destination.timeout_s, connect=_CONNECT_S),
            follow_redirects=False,
            trust_env=not is_loopback(destination.host),
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    def post(self, path: str, body: Mapping[str, Any], asked: str) -> Reply:
        """Send one request, once; a body with ``stream`` is read as it comes.

        Args:
            path: below the base URL.
            body: of the request, as JSON.
            asked: the prompt as text, for an estimate where the reply counts no tokens.

        Raises:
            Fault: the reply holds no answer.
        """
        sent_at = perf_counter()
        try:
            with self._client.stream("POST", self._base_url + path, json=body) as response:
                streams = response.headers.get("content-type", "").startswith("text/event-stream")
                if streams and response.status_code < 300:
                    text, first_token_at = read_stream(response.iter_lines())
                else:
                    response.read()
                    text, first_token_at = response.text, None
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise TransientFault(_describe(error)) from None
        except httpx2.TimeoutException as error:
            raise TransientFault(_describe(error), once=True, billed=True) from None
        except httpx2.TransportError as error:
            raise TransientFault(_describe(error), billed=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise FatalFault(_describe(error)) from None
        check_status(response.status_code, response.headers, text, body)
        timing = {"first_token_at": first_token_at, "service_s": perf_counter() - sent_at}
        return read_reply(text, asked).model_copy(update=timing)


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _describe(error: Exception) -> str:
    """Say what went wrong in one line, without keys; no traceback of the request is kept."""
    return " ".join(without_keys(f"{type(error).__name__}: {error}").split())
