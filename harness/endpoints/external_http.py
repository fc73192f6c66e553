"""A system elsewhere behind an address: each question is the body of one POST, each answer the body of its reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import httpx2

from harness.endpoints import pacing
from harness.endpoints.external_questions import Deliver, ExternalFaultError, as_line
from harness.endpoints.external_wire import (
    AnswerFaults,
    ExternalReply,
    MalformedAnswerError,
    id_of,
    read_answer,
    read_object,
)
from harness.endpoints.keys import without_keys
from harness.endpoints.providers import is_loopback
from harness.endpoints.wire import FatalFault, Fault, TransientFault, check_status

_CONNECT_S = 10.0


class ExternalService:
    """Asks one address and no other: redirects are not followed."""

    def __init__(self, url: str, key: str | None, timeout_s: float, concurrency: int) -> None:
        """Open no connection yet.

        Args:
            url: of the POST.
            key: sent as ``Authorization: Bearer``; None: none is.
            timeout_s: that an answer may take.
            concurrency: most questions at once.
        """
        self._url = url
        self._latest = ""
        self._pace = pacing.Pace(concurrency)
        self._client = httpx2.Client(
            headers={"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})},
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
            follow_redirects=False,
            trust_env=not is_loopback(urlsplit(url).hostname or ""),
            limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        )

    def ask(self, questions: Sequence[Mapping[str, Any]], deliver: Deliver) -> None:
        """Ask questions, several at once; what the line or the server mends is asked again.

        Raises:
            ExternalFaultError: not every question has one good answer; the ids are named.
        """
        stopped, faults, reasons = Event(), AnswerFaults(), list[str]()

        def answer(question: Mapping[str, Any]) -> None:
            name = str(question["id"])
            try:
                deliver(name, self._ask(question, name, faults, stopped))
            except Fault as fault:
                reasons.append(self._latest or str(fault))
                stopped.set()
                faults.missing.append(name)
            except MalformedAnswerError as error:
                faults.malformed.append(f"{name} ({error})")

        with ThreadPoolExecutor(max_workers=min(self._pace.most, len(questions))) as pool:
            for _ in pool.map(answer, questions):
                pass
        if faults:
            raise ExternalFaultError("; ".join([*reasons[:1], str(faults)]))

    def _ask(self, question: Mapping[str, Any], name: str, faults: AnswerFaults, stopped: Event) -> ExternalReply:
        attempt = 0
        while True:
            if stopped.is_set():
                raise FatalFault("stopped after another question failed")
            attempt += 1
            try:
                with self._pace.turn():
                    text, service_s = self._post(question)
            except TransientFault as fault:
                self._latest = str(fault)
                self._pace.note_fault(fault)
                if attempt >= (2 if fault.once else pacing.TRIES):
                    raise
                stopped.wait(pacing.wait_s(attempt, fault))
                continue
            self._pace.note_reply()
            content = read_object(text)
            if (other := id_of(content)) not in (None, name):
                faults.extra.append(str(other))
                raise MalformedAnswerError(f"answered with the id {other!r}")
            return read_answer(content).model_copy(update={"service_s": service_s, "tries": attempt})

    def _post(self, question: Mapping[str, Any]) -> tuple[str, float]:
        """Send one request, once; return the reply's text and its seconds."""
        sent_at = perf_counter()
        try:
            response = self._client.post(self._url, content=as_line(question))
            text = response.text
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise TransientFault(_describe(error)) from None
        except httpx2.TimeoutException as error:
            raise TransientFault(_describe(error), once=True, billed=True) from None
        except httpx2.TransportError as error:
            raise TransientFault(_describe(error), billed=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise FatalFault(_describe(error)) from None
        check_status(response.status_code, response.headers, text, {})
        return text, perf_counter() - sent_at


def _describe(error: Exception) -> str:
    return " ".join(without_keys(f"{type(error).__name__}: {error}").split())
