"""A model behind an address: it generates, and scores once the server has shown that it can.

Each question is answered, or the trial is incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from time import monotonic
from typing import Any

from harness.api import Answer, ModelInfo, ProgressCallback, Prompt, Sampling, ScoresChoices, Task
from harness.endpoints import constrained_answers, pacing
from harness.endpoints.endpoint_account import EndpointAccount
from harness.endpoints.http_client import HttpClient
from harness.endpoints.parameters import Parameters
from harness.endpoints.providers import Destination
from harness.endpoints.scoring import Ask, ScoringEndpoint, verified_limit
from harness.endpoints.session import TIMED, Session, current
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
_MOST_THREADS = 256


@dataclass
class _Round:
    """Questions that are asked together: once one has no answer, no more are sent."""

    session: Session
    stopped: Event = field(default_factory=Event)
    failures: list[Exception] = field(default_factory=list[Exception])


class Endpoint:
    """Implements `harness.api.Model` over HTTP; threads may ask at once.

    Attributes:
        concurrent_requests: that may be under way at once.
    """

    def __init__(self, destination: Destination, open_tokenizer: Callable[[str], Any] | None = None) -> None:
        """Prepare the client.

        Args:
            destination: what is asked.
            open_tokenizer: by the name that the destination gives, for chat prompts to be scored.

        Raises:
            HarnessError: the key is not in the environment.
        """
        self.destination = destination
        self.concurrent_requests = destination.concurrency
        self._open_tokenizer = open_tokenizer
        self._client = HttpClient(destination)
        self._pace = pacing.Pace(destination.concurrency)
        self._parameters = Parameters(destination)
        self._account = EndpointAccount(destination)
        self._probes: dict[str, str] = {}
        self._way: str | None = None
        self._scorer: ScoringEndpoint | None = None
        self._probing = Lock()

    @property
    def info(self) -> ModelInfo:
        """What a record says of the model, as far as replies have told."""
        destination = self.destination
        return ModelInfo(
            name=destination.name,
            identity=destination.identity,
            context_tokens=destination.context_tokens,
            endpoint=self._account.info(self._parameters.sent, self._parameters.dropped, self._probes),
        )

    def scorer(self, task: Task) -> ScoresChoices | None:
        """Return what scores the choices of a task, once its log-probabilities have passed a self-test; None: nothing.

        The text before a choice must be known to the byte: the task's form is plain or bare, or ``endpoints.toml``
        names the tokenizer whose chat template the server applies.
        """
        if task.form not in ("plain", "bare") and not (self.destination.tokenizer and self._open_tokenizer):
            return None
        with self._probing:
            if "scores" not in self._probes:
                limit, self._probes["scores"] = verified_limit(self._probe)
                if limit is not None:
                    name, opener = self.destination.tokenizer, self._open_tokenizer
                    self._scorer = ScoringEndpoint(self, limit, opener(name) if name and opener else None)
        return self._scorer

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

        An answer that is to be one of some options is constrained to them, where the server was seen to do so.

        Raises:
            HarnessError: a fault that no repetition mended, or the limit of money: what was answered is in the journal.
        """
        ways = [self._way_of(prompt) for prompt in prompts]
        questions = [
            make_question(prompt, *_limits(prompt, way, max_new_tokens, sampling))
            for prompt, way in zip(prompts, ways, strict=True)
        ]
        session = current()
        keys = [self._key(session, question) for question in questions]

        def answer(index: int, around: _Round) -> Answer:
            return self._answer_fitting(around, prompts[index], ways[index], questions[index], keys[index])

        answers = self._in_parallel(len(prompts), session, answer, progress)
        return [_cut_line(text) if one_line else text for text in answers]

    def ask_each(
        self, prompts: Sequence[Prompt], answer: Callable[[int, Ask], Answer], progress: ProgressCallback | None
    ) -> list[Answer]:
        """Answer each prompt by its place, several at once; a question is keyed by its text, so that order is free.

        Raises:
            HarnessError: as `generate`.
        """
        session = current()

        def answer_one(index: int, around: _Round) -> Answer:
            def ask(question: EndpointQuestion, keep: bool) -> Reply:
                key = self._key(session, question, index) if keep else None
                return self._replayed(around, key) or self._ask(around, question, key)

            return self._counted(answer(index, ask))

        return self._in_parallel(len(prompts), session, answer_one, progress)

    def _in_parallel(
        self,
        count: int,
        session: Session,
        answer: Callable[[int, _Round], Answer],
        progress: ProgressCallback | None,
    ) -> list[Answer]:
        """Answer so many prompts by their place; once one has no answer, those under way are waited for."""
        if not count:
            return []
        around = _Round(session)

        def guarded(index: int) -> Answer:
            try:
                return answer(index, around)
            except Exception as error:
                around.failures.append(error)
                around.stopped.set()
                raise

        with ThreadPoolExecutor(max_workers=min(self.destination.concurrency, count, _MOST_THREADS)) as pool:
            futures = [pool.submit(guarded, index) for index in range(count)]
            for done, _ in enumerate(as_completed(futures), 1):
                if progress and not around.failures:
                    progress(done, count)
        if around.failures:
            error = around.failures[0]
            if not isinstance(error, HarnessError | Fault):
                raise error
            answered = sum(future.exception() is None for future in futures)
            raise HarnessError(
                f"incomplete: {answered} of {count} questions of this phase are answered, then "
                f"{self.destination.host} gave no more ({str(error).rstrip('.')}). Run again to ask only the others."
            ) from None
        return [future.result() for future in futures]

    def _key(self, session: Session, question: EndpointQuestion, place: int | None = None) -> str | None:
        parts = [self.destination.identity, question.key_parts]
        return session.question_key(parts if place is None else [*parts, place])

    def _way_of(self, prompt: Prompt) -> str | None:
        """Return how a prompt's answer is constrained to its options; None: it is not."""
        if not prompt.options or prompt.task.written or prompt.thinking or prompt.task.form in ("plain", "bare"):
            return None
        with self._probing:
            if "constraint" not in self._probes:
                probes = current().probed(self.destination.identity, self._probe_constraint)
                self._way, self._probes["constraint"] = probes["way"] or None, probes["constraint"]
        return self._way

    def _probe_constraint(self) -> dict[str, str]:
        way, account = constrained_answers.verified_way(lambda question: self._probe(question).text)
        return {"way": way or "", "constraint": account}

    def _probe(self, question: EndpointQuestion) -> Reply:
        """Ask what is no question of the trial: it is not kept, and what is refused stays with it."""
        return self._ask(_Round(current()), question, None)

    def _replayed(self, around: _Round, key: str | None) -> Reply | None:
        """Return the reply of an earlier sitting."""
        reply = around.session.journal.reply(key) if around.session.journal and key else None
        if reply is not None:
            self._account.note_replay(reply)
        return reply

    def _answer_fitting(
        self, around: _Round, prompt: Prompt, way: str | None, question: EndpointQuestion, key: str | None
    ) -> Answer:
        """Return the answer of an earlier sitting, or ask; passages that do not fit are left out, worst first."""
        reply, dropped = self._replayed(around, key), 0
        while reply is None:
            try:
                reply = self._ask(around, question, key)
            except RefusedFault:
                reply = Reply(text="", outcome="refused")
            except TooLongFault:
                if prompt.passages:
                    dropped += 1
                    prompt = replace(prompt, passages=prompt.passages[:-1])
                    question = make_question(prompt, question.max_new_tokens, question.sampling, question.required)
                else:
                    reply = Reply(text="", outcome="too_long")
        return self._counted(
            Answer(
                question.text,
                constrained_answers.read_choice(way, reply.text) if way else reply.text,
                prompt_tokens=reply.prompt_tokens,
                output_tokens=reply.output_tokens,
                dropped_passages=dropped,
                first_token_at=reply.first_token_at,
                service_s=reply.service_s,
                tries=reply.tries,
                outcome=reply.outcome,
                constrained=way is not None,
            )
        )

    def _counted(self, answer: Answer) -> Answer:
        if answer.outcome is not None:
            self._account.note_outcome(answer.outcome)
        return answer

    def _ask(self, around: _Round, question: EndpointQuestion, key: str | None) -> Reply:
        """Ask until there is a reply.

        Raises:
            Fault: there is none, and there will be none.
        """
        attempt, began_s = 0, monotonic()
        timed = around.session.phase in TIMED
        while True:
            if around.stopped.is_set():
                raise FatalFault("stopped after another question failed")
            attempt += 1
            try:
                with self._pace.turn(unpaced=timed):
                    reply = self._send(around.session, question, key, stream=timed and "echo" not in question.required)
            except ParameterFault as fault:
                self._parameters.adapt(fault, question)
                continue
            except TransientFault as fault:
                self._pace.note_fault(fault)
                wait_s = pacing.wait_s(attempt, fault)
                late = monotonic() - began_s + wait_s > _MOST_S
                if late or attempt >= (2 if fault.once else pacing.TRIES):
                    raise
                self._account.note_retry()
                around.stopped.wait(wait_s)
                continue
            self._pace.note_reply()
            if reply.outcome == "cut" and reply.reasoned and not reply.text.strip() and self._parameters.add_room():
                continue
            if around.session.journal and key:
                around.session.journal.write_reply(key, reply, self._account.price(around.session, reply))
            return reply.model_copy(update={"tries": attempt})

    def _send(self, session: Session, question: EndpointQuestion, key: str | None, *, stream: bool) -> Reply:
        """Send one request, with its cost reserved before and settled after."""
        body = self._parameters.body(question, stream=stream)
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


def _limits(
    prompt: Prompt, way: str | None, max_new_tokens: int, sampling: Sampling | None
) -> tuple[int, Sampling | None, dict[str, Any]]:
    """Return an answer's length, sampling and constraint; a constrained one has room for any of its choices."""
    if way is None:
        return max_new_tokens, sampling, {}
    return (
        max(max_new_tokens, constrained_answers.room(way, prompt.options)),
        sampling,
        constrained_answers.constrain(way, prompt),
    )


def _cut_line(answer: Answer) -> Answer:
    """Keep the first line that is not empty, and all of a text that begins with a thought."""
    lead = answer.output[: len(answer.output) - len(answer.output.lstrip())]
    text = answer.output[len(lead) :]
    if "<think>" in text or "</think>" in text:
        return answer
    return replace(answer, output=lead + text.partition("\n")[0])
