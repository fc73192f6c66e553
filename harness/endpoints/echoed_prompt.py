"""Log-probabilities of a text, as a server that echoes prompts brings them; nothing is taken for what it is not.

An empty sum is 0, so a server that ignores ``echo`` would give every choice the same score: here it is an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from harness.endpoints.wire import Reply
from harness.errors import HarnessError

TOLERANCE = 0.05
"""Nats by which two measurements of one token may differ; a proposal, not measured on batched bfloat16."""
_LEAST, _TOKENS = 2, 3
"""Tokens behind a text that are read again: at least, at most."""


class EchoError(HarnessError):
    """A reply holds no log-probabilities of the prompt that can be believed."""


class UntestableError(EchoError):
    """What a server writes behind a text are no words, so that they cannot be read again: the text tests nothing."""


@dataclass(frozen=True)
class EchoedPrompt:
    """A text in the server's tokens.

    Attributes:
        tokens: they make up the text.
        logprobs: of each behind those before it, nats; None: the first of all has none.
        alternatives: the likeliest tokens in the place of each; empty where the server lists none.
        opening: a token in front that the text does not have, such as the mark of its beginning.
    """

    tokens: tuple[str, ...]
    logprobs: tuple[float | None, ...]
    alternatives: tuple[dict[str, float], ...]
    opening: str = ""

    @property
    def total(self) -> float:
        """Log-probability of the text behind its first token, nats."""
        return sum(logprob for logprob in self.logprobs if logprob is not None)

    def behind(self, position: int) -> tuple[float, bool]:
        """Return the log-probability of what stands behind a position of the text, nats.

        Args:
            position: in characters.

        Returns:
            It, and whether a token stands on both sides: then it is counted whole.

        Raises:
            EchoError: nothing stands there.
        """
        ends = list(accumulate(map(len, self.tokens)))
        first = next((index for index, end in enumerate(ends) if end > position), None)
        if first is None:
            raise EchoError("no token stands behind the prompt")
        logprobs = self.logprobs[first:]
        if any(logprob is None for logprob in logprobs):
            raise EchoError("the text has no token before its answer")
        straddles = ends[first] - len(self.tokens[first]) < position
        return sum(logprob for logprob in logprobs if logprob is not None), straddles

    def place(self, position: int) -> int | None:
        """Return the place of the token that begins at a position of the text; None: none does."""
        starts = [0, *accumulate(map(len, self.tokens))]
        return starts.index(position) if position in starts[:-1] else None


def read_echo(reply: Reply, text: str) -> EchoedPrompt:
    """Read the prompt's part of a reply; what was written behind it is left out.

    Raises:
        EchoError: the tokens are not those of the text, or a number is missing or impossible.
    """
    tokens, logprobs = list(reply.tokens), list(reply.logprobs)
    if not tokens or len(tokens) != len(logprobs):
        raise EchoError("the reply has no log-probabilities of the prompt")
    if len(tokens) > 1 and tokens[0] == tokens[1] and not text.startswith(tokens[0]):
        raise EchoError(f"the text begins with {tokens[0]!r} twice")
    skipped = 0 if tokens[0] and text.startswith(tokens[0]) else 1
    ends = list(accumulate(map(len, tokens[skipped:])))
    last = next((index for index, end in enumerate(ends, 1) if end == len(text)), None)
    if last is None or "".join(tokens[skipped : skipped + last]) != text:
        raise EchoError("the tokens of the reply do not make up the prompt")
    inner = slice(skipped, skipped + last)
    if logprobs[0] is not None:
        raise EchoError("the first token has a log-probability, though nothing stands before it")
    numbers = logprobs[1 : skipped + last]
    if any(number is None or not math.isfinite(number) or number > 1e-6 for number in numbers):
        raise EchoError("a log-probability is missing, infinite or above 0")
    if len(numbers) >= _LEAST and len(set(numbers)) == 1:
        raise EchoError("all tokens have one log-probability")
    if not reply.estimated and reply.prompt_tokens != skipped + last:
        raise EchoError(f"the reply counts {reply.prompt_tokens} tokens of the prompt and lists {skipped + last}")
    alternatives = reply.alternatives[inner] if len(reply.alternatives) == len(tokens) else ({},) * last
    opening = tokens[0] if skipped else ""
    return EchoedPrompt(tuple(tokens[inner]), tuple(logprobs[inner]), alternatives, opening)


def self_test(text: str, continued: Callable[[str], Reply], echoed: Callable[[str], EchoedPrompt]) -> EchoedPrompt:
    """Hold a server's echoed log-probabilities against what it writes: identities that hold for any model.

    The likeliest next token a and its log-probability come from writing one token behind the text. Behind the echoed
    text, a must have that log-probability, and each listed alternative its own, below a's; the shared beginning must
    have the same ones whichever text was asked before.

    Args:
        text: any prompt.
        continued: writes one token behind a text, with its log-probability and alternatives.
        echoed: scores a text.

    Returns:
        The text, scored.

    Raises:
        EchoError: an identity does not hold.
        UntestableError: this text cannot show it.
    """
    reply = continued(text)
    if len(reply.tokens) != 1 or not reply.alternatives:
        raise EchoError("the server lists no log-probabilities of what it writes")
    written, logprob, listed = reply.tokens[0], reply.logprobs[0], reply.alternatives[0]
    if logprob is None or logprob < max(listed.values()) - TOLERANCE:
        raise EchoError("what the server writes is not the likeliest of the tokens that it lists")
    candidates = {**listed, written: logprob}
    readable = sorted(filter(_plain, candidates), key=lambda token: -candidates[token])[:_TOKENS]
    if len(readable) < _LEAST:
        raise UntestableError("too few of the tokens that the server lists are words")
    expected = {token: candidates[token] for token in readable}
    rounds = [*expected, *reversed(expected)]
    beginnings: list[tuple[float | None, ...]] = []
    for token in rounds:
        echo = echoed(text + token)
        if echo.tokens[-1] != token:  # it merges with the text: another token than the one that was listed
            continue
        last = echo.logprobs[-1]
        if last is None or abs(last - expected[token]) > TOLERANCE:
            raise EchoError(f"{token!r} has {last} nats when it is read, and {expected[token]:.3f} when it is written")
        beginnings.append(echo.logprobs[:-1])
    if not beginnings or len({len(beginning) for beginning in beginnings}) > 1:
        raise UntestableError("the tokens that the server lists merge with the text")
    columns = [[number for number in column if number is not None] for column in zip(*beginnings, strict=True)]
    if any(max(column) - min(column) > TOLERANCE for column in columns if column):
        raise EchoError("one text has other log-probabilities when it is read again")
    return echoed(text)


def _plain(token: str) -> bool:
    """Tell whether a token is text that can be sent: no mark of an end, and no half of a character."""
    return bool(token.strip()) and not token.startswith(("<", "bytes:")) and "\ufffd" not in token
