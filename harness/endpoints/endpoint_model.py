"""A model behind an address: it generates, and nothing else. Each question is answered, or the trial is incomplete."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from threading import Event
from time import monotonic

from harness.api import Answer, ModelInfo, ProgressCallback, Prompt, Sampling
from harness.endpoints import pacing
from harness.endpoints.endpoint_account import EndpointAccount
from harness.endpoints.http_client import HttpClient
from harness.endpoints.parameters import Parameters
from harness.endpoints.providers import Destination
from harness.endpoints.session import Session, current
from harness.endpoints.turns import EndpointQuestion, make_question
from harness.endpoints.wire import (
    CHAT,
    COMPLETIONS,
    FatalFault,
    Fault,
    ParameterFault,
    RefusedFault,
    Reply,
    TooLongFault,
    TransientFault,
)
from harness.errors import HarnessError

_MOST_S = 900.0
"""Time after which a question is not tried again."""


class Endpoint:
    """Implements `harness.api.Model` over HTTP."""

    def __init__(self, destination: Destination) -> None:
        """Prepare the client.

        Raises:
            HarnessError: the key is not in the environment.
        """
        self.destination = destination
        self._client = HttpClient(destination)
        self._pace = pacing.Pace(destination.concurrency)
        self._parameters = Parameters(destination)
        self._account = EndpointAccount(destination)
        self._stopped = Event()
        self._failures: list[Exception] = []

    @property
    def info(self) -> ModelInfo:
        """What a record says of the model, as far as replies have told."""
        destination = self.destination
        return ModelInfo(
            name=destination.name,
            identity=destination.identity,
            context_tokens=destination.context_tokens,
            endpoint=self._account.info(self._parameters.sent, self._parameters.dropped),
        )

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        one_line: bool,
        sampling: Sampling | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[Answer]:
        """Ask all prompts, several at once; a line's end is looked for here, as few servers keep to it.

        Raises:
            HarnessError: a fault that no repetition mended, or the limit of money: what was answered is in the journal.
        """
        if not prompts:
            return []
        session = current()
        questions = [make_question(prompt, max_new_tokens, sampling) for prompt in prompts]
        keys = [session.question_key([self.destination.identity, question.key_parts]) for question in questions]
        self._stopped.clear()
        self._failures.clear()
        with ThreadPoolExecutor(max_workers=min(self.destination.concurrency, len(prompts))) as pool:
            futures = [
                pool.submit(self._answer, session, prompt, question, key)
                for prompt, question, key in zip(prompts, questions, keys, strict=True)
            ]
            for count, _ in enumerate(as_completed(futures), 1):
                if progress and not self._failures:
                    progress(count, len(futures))
        if self._failures:
            error = self._failures[0]
            if not isinstance(error, HarnessError | Fault):
                raise error
            answered = sum(future.exception() is None for future in futures)
            raise HarnessError(
                f"incomplete: {answered} of {len(futures)} questions of this phase are answered, then "
                f"{self.destination.host} gave no more ({str(error).rstrip('.')}). Run again to ask only the others."
            ) from None
        return [_cut_line(future.result()) if one_line else future.result() for future in futures]

    def _answer(self, session: Session, prompt: Prompt, question: EndpointQuestion, key: str | None) -> Answer:
        """Return a question's answer; once one has none, those under way are waited for, and no more are sent."""
        try:
            return self._answer_fitting(session, prompt, question, key)
        except Exception as error:
            self._failures.append(error)
            self._stopped.set()
            raise

    def _answer_fitting(self, session: Session, prompt: Prompt, question: EndpointQuestion, key: str | None) -> Answer:
        """Return the answer of an earlier sitting, or ask; passages that do not fit are left out, worst first."""
        reply = session.journal.reply(key) if session.journal and key else None
        dropped = 0
        if reply is not None:
            self._account.note_replay(reply)
        while reply is None:
            try:
                reply = self._ask(session, question, key)
            except RefusedFault:
                reply = Reply(text="", outcome="refused")
            except TooLongFault:
                if prompt.passages:
                    dropped += 1
                    prompt = replace(prompt, passages=prompt.passages[:-1])
                    question = make_question(prompt, question.max_new_tokens, question.sampling)
                else:
                    reply = Reply(text="", outcome="too_long")
        self._account.note_outcome(reply.outcome)
        return Answer(
            question.text,
            reply.text,
            prompt_tokens=reply.prompt_tokens,
            output_tokens=reply.output_tokens,
            dropped_passages=dropped,
            outcome=reply.outcome,
        )

    def _ask(self, session: Session, question: EndpointQuestion, key: str | None) -> Reply:
        """Ask until there is a reply.

        Raises:
            Fault: there is none, and there will be none.
        """
        attempt, began_s = 0, monotonic()
        while True:
            if self._stopped.is_set():
                raise FatalFault("stopped after another question failed")
            attempt += 1
            try:
                with self._pace.turn():
                    reply = self._send(session, question, key)
            except ParameterFault as fault:
                self._parameters.adapt(fault)
                continue
            except TransientFault as fault:
                self._pace.note_fault(fault)
                wait_s = pacing.wait_s(attempt, fault)
                late = monotonic() - began_s + wait_s > _MOST_S
                if late or attempt >= (2 if fault.once else pacing.TRIES):
                    raise
                self._account.note_retry()
                self._stopped.wait(wait_s)
                continue
            self._pace.note_reply()
            if reply.outcome == "cut" and reply.reasoned and not reply.text.strip() and self._parameters.add_room():
                continue
            if session.journal and key:
                session.journal.write_reply(key, reply, self._account.price(session, reply))
            return reply

    def _send(self, session: Session, question: EndpointQuestion, key: str | None) -> Reply:
        """Send one request, with its cost reserved before and settled after."""
        body = self._parameters.body(question)
        most_usd = self._account.most_usd(session, question, self._parameters.limit(question))
        session.ledger.reserve(most_usd)
        usd = most_usd
        try:
            if session.journal and key:
                session.journal.write_sent(key, most_usd)
            reply = self._client.post(CHAT if question.turns else COMPLETIONS, body, question.text)
            usd = self._account.note_reply(session, reply, most_usd)
        except Fault as fault:
            usd = most_usd if isinstance(fault, TransientFault) and fault.billed else 0.0
            if session.journal and key:
                session.journal.write_fault(key)
            raise
        finally:
            session.ledger.settle(most_usd, usd)
            self._account.note_spending(usd)
        return reply


def _cut_line(answer: Answer) -> Answer:
    """Keep the first line that is not empty, and all of a text that begins with a thought."""
    lead = answer.output[: len(answer.output) - len(answer.output.lstrip())]
    text = answer.output[len(lead) :]
    if "<think>" in text or "</think>" in text:
        return answer
    return replace(answer, output=lead + text.partition("\n")[0])
