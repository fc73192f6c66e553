"""Log-likelihoods of choices from a server that echoes prompts; made only once the server has passed a self-test."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Protocol

from harness.api import Answer, ModelInfo, ProgressCallback, Prompt, Sampling, Task
from harness.endpoints.echoed_prompt import EchoedPrompt, EchoError, UntestableError, read_echo, self_test
from harness.endpoints.turns import EndpointQuestion
from harness.endpoints.wire import FatalFault, Fault, Reply, TooLongFault
from harness.errors import HarnessError
from harness.prompts import chat_template, layout

_ALTERNATIVES = 5
"""Listed in the place of each token: what OpenAI's and vLLM's servers allow without a setting."""
_LIMITS = (0, 1)
"""Tokens to write behind an echoed prompt: none, or where that is refused one, which is left out."""
_TEXTS = (
    "The opposite of hot is cold. The opposite of day is",
    "Paris is the capital of France. Berlin is the capital of",
    "One, two, three, four,",
)
"""Asked until one shows whether scores can be believed."""
_LINE_END = "\n"

Ask = Callable[[EndpointQuestion, bool], Reply]
"""Asks a question; whether its answer is one of the trial's, which the journal keeps."""


class Asker(Protocol):
    """What scores are asked of."""

    @property
    def info(self) -> ModelInfo:
        """What a record says of the model."""
        ...

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        one_line: bool,
        sampling: Sampling | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[Answer]:
        """Continue each prompt."""
        ...

    def ask_each(
        self, prompts: Sequence[Prompt], answer: Callable[[int, Ask], Answer], progress: ProgressCallback | None
    ) -> list[Answer]:
        """Answer each prompt by its place, several at once."""
        ...


class ScoringEndpoint:
    """Implements `harness.api.ScoresChoices`; each choice is one echoed request."""

    def __init__(self, endpoint: Asker, limit: int, tokenizer: Any = None) -> None:
        """Take an endpoint that has passed `verified_limit`.

        Args:
            endpoint: is asked.
            limit: of tokens written behind an echoed prompt.
            tokenizer: of the model, by which chat prompts are laid out; None: only plain ones can be.
        """
        self._endpoint, self._limit, self._tokenizer = endpoint, limit, tokenizer
        self._checked = False

    @property
    def info(self) -> ModelInfo:
        """What a record says of the model."""
        return self._endpoint.info

    def generate(
        self,
        prompts: Sequence[Prompt],
        *,
        max_new_tokens: int,
        one_line: bool,
        sampling: Sampling | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[Answer]:
        """Continue each prompt, as the endpoint does."""
        return self._endpoint.generate(
            prompts, max_new_tokens=max_new_tokens, one_line=one_line, sampling=sampling, progress=progress
        )

    def score_choices(
        self, prompts: Sequence[Prompt], choices: Sequence[Sequence[str]], *, progress: ProgressCallback | None = None
    ) -> list[Answer]:
        """Give the log-likelihood of every choice of every prompt, its end included unless the task is open-ended.

        The first prompt of the trial is put to the self-test too: servers are restarted between trials.

        Raises:
            HarnessError: a fault that no repetition mended, or scores that cannot be believed.
        """

        def answer(index: int, ask: Ask) -> Answer:
            if index == 0 and not self._checked:
                self._check(self._context(prompts[0]), ask)
            return self._score(prompts[index], choices[index], ask)

        return self._endpoint.ask_each(prompts, answer, progress)

    def _check(self, context: str, ask: Ask) -> None:
        try:
            verify(context, lambda question: ask(question, False), self._limit)
        except (TooLongFault, UntestableError):
            return
        except EchoError as error:
            raise FatalFault(
                f"the scores of its echoed prompts passed the self-test and fail it on the first item ({error}); "
                "--answers written asks without scores"
            ) from None
        self._checked = True

    def _score(self, prompt: Prompt, choices: Sequence[str], ask: Ask) -> Answer:
        """Score the choices of one prompt; passages that do not fit with all of them are left out, worst first."""
        dropped = 0
        while True:
            context = self._context(prompt)
            try:
                replies = [ask(self._question(prompt, context, choice), True) for choice in choices]
            except TooLongFault:
                if not prompt.passages:
                    return Answer(context, "", outcome="too_long", dropped_passages=dropped)
                prompt = replace(prompt, passages=prompt.passages[:-1])
                dropped += 1
                continue
            break
        texts = [self._answer_text(prompt, choice) for choice in choices]
        try:
            scores = self._scores(prompt, context, texts, replies)
        except EchoError as error:
            raise FatalFault(f"a score cannot be believed ({error}); --answers written asks without scores") from None
        return Answer(
            context,
            "",
            scores,
            prompt_tokens=sum(reply.prompt_tokens for reply in replies),
            output_tokens=sum(reply.output_tokens for reply in replies),
            dropped_passages=dropped,
            outcome="answered",
        )

    def _scores(
        self, prompt: Prompt, context: str, texts: Sequence[str], replies: Sequence[Reply]
    ) -> tuple[float, ...]:
        """Return the choices' scores; where a token stands on both sides of a boundary, those of the whole texts."""
        end = self._end(prompt.task)
        echoes = [read_echo(reply, context + text + end) for text, reply in zip(texts, replies, strict=True)]
        parts = [echo.behind(len(context)) for echo in echoes]
        whole = any(straddles for _, straddles in parts)
        scores = [echo.total if whole else score for echo, (score, _) in zip(echoes, parts, strict=True)]
        if not end:
            return tuple(scores)
        ends = [_any_end(echo, len(context + text), end) for echo, text in zip(echoes, texts, strict=True)]
        return tuple(score + gain for score, gain in zip(scores, ends, strict=True))

    def _question(self, prompt: Prompt, context: str, choice: str) -> EndpointQuestion:
        return _echo_question(context + self._answer_text(prompt, choice) + self._end(prompt.task), self._limit)

    def _context(self, prompt: Prompt) -> str:
        """Return the text before an answer; the server puts the mark of a text's beginning itself."""
        if prompt.task.form in ("plain", "bare"):
            return layout.plain_text(prompt)
        text = layout.render_text(prompt, self._tokenizer)
        return text.removeprefix(self._tokenizer.bos_token or "")

    def _answer_text(self, prompt: Prompt, choice: str) -> str:
        return layout.answer_text(prompt, choice, self._tokenizer)

    def _end(self, task: Task) -> str:
        """Return what ends an answer, so that one label that begins another is not always the likelier."""
        if task.open_ended:
            return ""
        if task.form in ("plain", "bare") or layout.is_plain(task.form, self._tokenizer):
            return _LINE_END
        end = chat_template.end_of_turn_id(self._tokenizer)
        return _LINE_END if end is None else self._tokenizer.decode([end])


def verified_limit(ask: Callable[[EndpointQuestion], Reply]) -> tuple[int | None, str]:
    """Put a server's echoed log-probabilities to the self-test.

    Returns:
        How many tokens it must be let write behind an echoed prompt, None if its scores cannot be believed; and why.
    """
    reason = ""
    for text, limit in product(_TEXTS, _LIMITS):
        try:
            verify(text, ask, limit)
        except UntestableError as error:
            reason = str(error)
        except (Fault, HarnessError) as error:
            reason = str(error)
            if limit == _LIMITS[-1]:
                break
        else:
            return limit, "verified"
    return None, reason


def verify(text: str, ask: Callable[[EndpointQuestion], Reply], limit: int) -> EchoedPrompt:
    """Put one text to the self-test (`echoed_prompt.self_test`).

    Raises:
        EchoError: the scores cannot be believed.
        Fault: the server refuses the question.
    """

    def continued(prompt: str) -> Reply:
        return ask(EndpointQuestion((), prompt, 1, required={"logprobs": _ALTERNATIVES, "max_tokens": 1}))

    def echoed(prompt: str) -> EchoedPrompt:
        return read_echo(ask(_echo_question(prompt, limit)), prompt)

    return self_test(text, continued, echoed)


def _echo_question(text: str, limit: int) -> EndpointQuestion:
    return EndpointQuestion((), text, limit, required={"echo": True, "logprobs": _ALTERNATIVES, "max_tokens": limit})


def _any_end(echo: EchoedPrompt, position: int, end: str) -> float:
    """Return what is added to a score whose answer may end in any way: by the end sent, or another that is listed."""
    place = echo.place(position)
    logprob = None if place is None else echo.logprobs[place]
    if place is None or logprob is None:
        return 0.0
    listed = echo.alternatives[place]
    others = [
        number
        for token, number in listed.items()
        if token != echo.tokens[place] and (token == end or token.lstrip(" ").startswith(_LINE_END))
    ]
    return math.log1p(sum(math.exp(number - logprob) for number in others))
