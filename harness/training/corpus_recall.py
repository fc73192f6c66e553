"""How well a model knows a corpus: bits a byte, and the share of masked words that it writes exactly."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.api import Context, CorpusFigures, Passage
from harness.decoding import batched_decode
from harness.decoding.finite import require_finite
from harness.decoding.timing import PassTimer
from harness.metrics.words import CHARACTER
from harness.models.local_model import LocalModel
from harness.training.corpus_samples import build_passage_samples, encode_text, passage_texts, start_tokens
from harness.training.losses import mean_loss

SAMPLE_PASSAGES = 128
"""Passages in the sample, drawn by a seed that no option changes, so that all trials of a corpus share it."""
SAMPLE_CLOZE = 64
MASKED_WORDS, FEWEST_WORDS = 2, 6
"""Words masked at the end of a sentence, and of the shortest sentence that is used."""
MASKED_CHARACTERS, FEWEST_CHARACTERS = 4, 12
"""The same in scripts without spaces between words."""
_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|[\u3002\uff01\uff1f]|$)", re.DOTALL)
_LAST_WORDS = re.compile(rf"\S+(?:\s+\S+){{{MASKED_WORDS - 1}}}\Z")
_END_MARKS = " \t\r\n.!?,;:\u3002\uff01\uff1f…\"')]}»”\u2019"


@dataclass(frozen=True)
class Cloze:
    """A passage up to the last words of one of its sentences, and these words."""

    context: str
    masked: str


def measure(model: LocalModel, passages: Sequence[Passage], row_tokens: int, context: Context) -> CorpusFigures:
    """Measure how well a model knows passages, on a fixed sample of them.

    Bits a byte are those of Gao et al. 2020 (arXiv:2101.00027, section 3.1), of the text without an end. Cloze recall
    is the share of passages that go on, from the beginning to the last two words of a sentence, with exactly these
    words, greedily decoded: whether the corpus is memorised, as extraction attacks tell it (Carlini et al. 2023,
    arXiv:2202.07646, section 3.1).

    Args:
        model: in whatever state of training.
        passages: that are learned, at least one.
        row_tokens: of one forward pass.
        context: takes progress and the number of tokens read.

    Raises:
        HarnessError: the model gives no numbers.
    """
    sample = random.Random(0).sample(list(passages), min(SAMPLE_PASSAGES, len(passages)))
    model.module.eval()
    samples = build_passage_samples(model, sample, row_tokens, ends=False)
    context.count_tokens(sum(part.tokens for part in samples))
    loss = mean_loss(model.module, samples, row_tokens, packs=model.supports_packing)
    require_finite([loss], "the passages of the corpus")
    texts = passage_texts(sample)
    learned_tokens, text_bytes = sum(len(part.completion) for part in samples), sum(len(t.encode()) for t in texts)
    items = [cloze for text in texts if (cloze := make_cloze(text))][:SAMPLE_CLOZE]
    return CorpusFigures(
        bits_per_byte=loss * learned_tokens / math.log(2) / text_bytes,
        cloze_recall=_count_recalled(model, items, row_tokens, context) / len(items) if items else None,
        cloze_items=len(items),
        passages=len(passages),
    )


def make_cloze(text: str) -> Cloze | None:
    """Mask the last words of one of a text's sentences; None where none is long enough.

    Example:
        ``make_cloze("Door 7: It opens with key 5 and no other.")`` masks ``no other``.
    """
    spans = [span for match in _SENTENCE.finditer(text) if (span := _mask(text, match))]
    if not spans:
        return None
    start, end = random.Random(text).choice(spans)
    return Cloze(text[:start].rstrip(), text[start:end])


def _mask(text: str, sentence: re.Match[str]) -> tuple[int, int] | None:
    """Return where the last words of a sentence begin and end in its text; None where it is too short."""
    content = sentence.group().rstrip(_END_MARKS)
    end = sentence.start() + len(content)
    if len(content.split()) >= FEWEST_WORDS:
        words = _LAST_WORDS.search(text, sentence.start(), end)
        return (words.start(), end) if words else None
    if len(CHARACTER.findall(content)) >= FEWEST_CHARACTERS:
        return end - MASKED_CHARACTERS, end
    return None


def _count_recalled(model: LocalModel, items: Sequence[Cloze], row_tokens: int, context: Context) -> int:
    """Count the items that greedy decoding goes on with exactly as the corpus does."""
    start = start_tokens(model)
    new_tokens = 2 + max(len(encode_text(model, f" {item.masked}")) for item in items)
    room = min(row_tokens, model.info.context_tokens or row_tokens) - len(start) - new_tokens
    prompts = [start + encode_text(model, item.context)[-max(1, room) :] for item in items]
    limits = model.decode_limits(new_tokens)
    decode = batched_decode.decode_batched if model.supports_packing else batched_decode.decode_one_by_one
    timer = PassTimer(len(prompts), model.module.device, context.progress)
    outputs = decode(model.module, prompts, limits, None, timer)
    context.count_tokens(sum(map(len, (*prompts, *outputs))))
    texts = [model.tokenizer.decode(tokens, skip_special_tokens=True) for tokens in outputs]
    return sum(_goes_on_with(text, item.masked) for text, item in zip(texts, items, strict=True))


def _goes_on_with(text: str, masked: str) -> bool:
    """Tell whether a text begins with the masked words, as whole words where the script has any."""
    text = text.lstrip()
    following = text[len(masked) : len(masked) + 1]
    return text.startswith(masked) and (not following.isalnum() or CHARACTER.match(following) is not None)
