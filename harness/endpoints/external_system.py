"""A whole system elsewhere, asked queries: it lays out its prompts and finds its passages itself.

Each query is answered, or the trial is incomplete.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from harness.api import Answer, EndpointInfo, ModelInfo, Passage, ProgressCallback, Prompt, Query, Sampling
from harness.endpoints.external_answers import AnswerFile
from harness.endpoints.external_http import ExternalService
from harness.endpoints.external_process import ExternalProcess
from harness.endpoints.external_questions import ExternalFaultError, Transport
from harness.endpoints.external_wire import EXTERNAL, ExternalReply, question_of
from harness.endpoints.keys import read_variable
from harness.endpoints.providers import is_loopback
from harness.endpoints.session import current
from harness.errors import HarnessError


@dataclass(frozen=True)
class ExternalTarget:
    """What is asked, and how; one of the first four is given.

    Attributes:
        command: run without a shell.
        url: of the POST.
        python: ``module:function``; source: its file.
        answers: file of answers that are there already.
        digest: sha256 of the source or of the answers.
        key_env: variable with the key that is sent to the address.
        timeout_s: longest wait for an answer; concurrency: most questions to the address at once.
    """

    command: str = ""
    url: str = ""
    python: str = ""
    answers: str = ""
    source: Path | None = None
    digest: str = ""
    key_env: str | None = None
    timeout_s: float = 60.0
    concurrency: int = 4

    @property
    def text(self) -> str:
        """The command, address, function or file."""
        return self.command or self.url or self.python or self.answers

    @property
    def host(self) -> str:
        """Host of the address; empty: none is asked."""
        return urlsplit(self.url).hostname or ""

    def transport(self) -> Transport:
        """Return the way to put questions to it.

        Raises:
            HarnessError: the key is not in the environment.
        """
        if self.url:
            key = read_variable(self.key_env, self.url) if self.key_env else None
            return ExternalService(self.url, key, self.timeout_s, self.concurrency)
        if self.answers:
            return AnswerFile(Path(self.answers))
        host = ["-P", "-m", "harness.endpoints.external_host", str(self.source), self.python]
        return ExternalProcess([sys.executable, *host] if self.python else shlex.split(self.command), self.timeout_s)


class ExternalSystem:
    """Implements `harness.api.AnswersQueries`; nothing is known of tokens, memory or cost that it does not tell.

    Attributes:
        measured: whether its seconds mean anything: answers of a file were made before.
    """

    def __init__(self, target: ExternalTarget, corpus: Mapping[str, Passage]) -> None:
        """Ask nothing yet.

        Args:
            target: what is asked.
            corpus: passages of the task by id, for those that answers name.
        """
        self.target = target
        self.measured = not target.answers
        self._corpus = corpus
        self._transport = target.transport()
        self._names: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._usd: float | None = 0.0
        self._lock = Lock()

    @property
    def info(self) -> ModelInfo:
        """What a record says of it."""
        target = self.target
        parts = json.dumps([target.text, target.digest])
        answered = self._counts["requests"] + self._counts["replayed"]
        return ModelInfo(
            name=EXTERNAL,
            identity=f"external:{hashlib.sha256(parts.encode()).hexdigest()}",
            note="a whole system elsewhere",
            endpoint=EndpointInfo(
                host=target.host,
                away=bool(target.host) and not is_loopback(target.host),
                model=target.text,
                requests=self._counts["requests"],
                replayed=self._counts["replayed"],
                retries=self._counts["retries"],
                outcomes={"answered": answered} if answered else {},
                usd=self._usd if answered else None,
            ),
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
        """Refuse: whoever has a prompt wants a model.

        Raises:
            HarnessError: always.
        """
        del prompts, max_new_tokens, one_line, sampling, progress
        raise HarnessError("an external system answers queries, no prompts: give it as a strategy of its own.")

    def answer(
        self, queries: Sequence[Query], choices: Sequence[Sequence[str]], *, progress: ProgressCallback | None = None
    ) -> list[Answer]:
        """Ask what no earlier sitting was answered.

        Args:
            queries: of one task.
            choices: of each, of which its answer is to be one; empty: any text.
            progress: of the phase.

        Raises:
            HarnessError: a question has no good answer; the others' are in the journal.
        """
        session = current()
        replies: dict[int, ExternalReply] = {}
        questions: list[dict[str, Any]] = []
        asked: dict[str, tuple[int, str | None]] = {}
        for index, (query, options) in enumerate(zip(queries, choices, strict=True)):
            question = question_of(query, options, query.id)
            key = session.question_key([self.info.identity, question])
            reply = session.journal.reply_as(ExternalReply, key) if session.journal and key else None
            if reply is not None:
                self._note(reply, "replayed")
                replies[index] = reply
            else:
                name = self._name(query.id)
                questions.append(question | {"id": name})
                asked[name] = index, key

        def deliver(name: str, reply: ExternalReply) -> None:
            index, key = asked[name]
            if session.journal and key and self.measured:
                session.journal.write_reply(key, reply, reply.usd)
            self._note(reply, "requests")
            replies[index] = reply
            if progress:
                progress(len(replies), len(queries))

        try:
            if questions:
                self._transport.ask(questions, deliver)
        except ExternalFaultError as error:
            raise HarnessError(
                f"incomplete: {len(replies)} of {len(queries)} questions of this phase are answered "
                f"({str(error).rstrip('.')}). Run again to ask only the others."
            ) from None
        return [self._answer(query, replies[index]) for index, query in enumerate(queries)]

    def _name(self, query_id: str) -> str:
        """Return an id for the wire: a question that is asked again, as to time it, has another one."""
        with self._lock:
            self._names[query_id] += 1
            count = self._names[query_id] if self.measured else 1
        return query_id if count == 1 else f"{query_id}#{count}"

    def _note(self, reply: ExternalReply, count: str) -> None:
        with self._lock:
            self._counts[count] += 1
            self._counts["retries"] += (reply.tries or 1) - 1
            self._usd = None if reply.usd is None or self._usd is None else self._usd + reply.usd

    def _answer(self, query: Query, reply: ExternalReply) -> Answer:
        passages = tuple(
            self._corpus.get(str(passage.id), Passage(str(passage.id), passage.text, passage.title))
            for passage in reply.passages
        )
        counted = reply.tokens_in is not None and reply.tokens_out is not None
        return Answer(
            query.text,
            reply.text,
            prompt_tokens=reply.tokens_in or 0,
            output_tokens=reply.tokens_out or 0,
            service_s=reply.service_s,
            tries=reply.tries,
            outcome=reply.outcome,
            passages=passages,
            counted=counted,
        )
