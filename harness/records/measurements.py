"""Stored measurements of a trial: phases, requests, parts of memory, forecasts and self-tests."""

from __future__ import annotations

from math import log
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.api import Form

Phase = Literal[
    "load", "form", "search", "index", "adapt", "calibrate", "predict", "serve", "check", "probe", "seen", "score"
]


class StoredModel(BaseModel):
    """Base of everything stored: immutable, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(StoredModel):
    """One measured phase. Bytes are peaks of this process within the phase; None: not measurable here.

    Attributes:
        phase: ``form`` compares forms of prompts (`PromptForm`); ``search`` tries parameters on the validation split;
            ``calibrate`` measures what a system's labels score whatever is asked (`LabelCalibration`); ``serve`` asks
            items as requests, one by one; ``check`` asks some again in other ways, or measures what is known of a
            corpus; ``seen`` asks items of the training split again.
        step: the step that the phase belongs to, where it is one step's.
        wall_s: seconds by the monotonic clock.
        host_start_bytes: resident memory when the phase began.
        tokens_in: real tokens read (padding excluded): prompts, or training tokens seen.
        tokens_out: tokens generated.
        prefill_s: seconds of `wall_s` in which the model read prompts; decode_s: in which it wrote tokens.
        decode_tokens: those of `tokens_out` that were written in `decode_s`, and the marks that ended answers: an
            answer's first token comes of reading.
        energy_j: joules of processor, memory and GPU, by codecarbon where it is installed.
        reused: measured when the artifact was made by an earlier trial, and charged to this one too.
    """

    phase: Phase
    step: str | None = None
    wall_s: float
    host_start_bytes: int | None = None
    host_peak_bytes: int | None = None
    gpu_allocated_peak_bytes: int | None = None
    gpu_reserved_peak_bytes: int | None = None
    gpu_device_peak_bytes: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    prefill_s: float | None = None
    decode_s: float | None = None
    decode_tokens: int | None = None
    energy_j: float | None = None
    reused: bool = False


class PromptForm(StoredModel):
    """The form that a model is asked a task in, chosen on validation items for all strategies of the model.

    Attributes:
        metric: that decided, of the model without examples, passages or training; scores: of each form, None where it
            is undefined there.
        items: that were asked in each form.
    """

    form: Form
    metric: str
    items: int
    scores: dict[Form, float | None]


class LabelCalibration(StoredModel):
    """How the scores of a task's fixed labels are read (`harness.predict.label_calibration`); labels in their order.

    Attributes:
        source: what the prior was measured on: ``validation`` inputs, or ``content-free`` questions; inputs: how many.
        prior: each label's mean log-probability among the labels, nats.
        shares: each label's share that is expected, in (0, 1); share_labels: training labels that it was counted from.
        strength: the part of the prior over the share that is taken off, in [0, 1], fitted to the validation labels.
        default: whether the stored answers are read with it; else by the raw scores.
    """

    source: Literal["validation", "content-free"]
    inputs: int
    prior: tuple[float, ...]
    shares: tuple[float, ...]
    share_labels: int = 0
    strength: float = 1.0
    default: bool = True

    @property
    def shift(self) -> tuple[float, ...]:
        """What is taken off each label's log-likelihood: its prior less the logarithm of its share, in part; nats."""
        return tuple(self.strength * (prior - log(share)) for prior, share in zip(self.prior, self.shares, strict=True))


class Request(StoredModel):
    """One question asked as a user would ask it, from the question's text to the parsed answer, retrieval included.

    Attributes:
        id: of the item; several requests may ask the same one.
        arrived_s: when it came, seconds after the first one could have; None where each waits for the one before.
        wall_s: from its arrival (waiting included), or from the call, to the answer.
        first_token_s: the same to the first token of the answer; None where choices were scored.
        prefill_s, decode_s, decode_tokens: as in `Span`; of several answered together, this one's share.
        service_s: of the request that was answered, without waiting and earlier tries; tries: requests for it. None
            where the model is not asked over a line, or was asked several times for one answer.
        agrees: whether the answer is the one that the same item got in a batch; None where it was not in one.
    """

    id: str
    arrived_s: float | None = None
    wall_s: float
    first_token_s: float | None = None
    tokens_in: int | None
    tokens_out: int | None
    prefill_s: float | None = None
    decode_s: float | None = None
    decode_tokens: int | None = None
    service_s: float | None = None
    tries: int | None = None
    agrees: bool | None = None


class Serving(StoredModel):
    """How fast a system answers requests; those that warmed it up are not among them.

    Attributes:
        arrival_rate: requests a second that came whether or not the system was ready (open loop, Poisson); None: one
            at a time, each after the one before (closed loop).
        latency_target_s: within which a request was to be answered; None: none was named.
        warm_up: requests asked before, and thrown away.
        concurrency: requests that could be under way at once, where each was sent when it was due; None: otherwise.
        prefix_tokens: of each prompt, read once before the first request and kept: not read again for any; 0: none.
    """

    arrival_rate: float | None = None
    latency_target_s: float | None = None
    warm_up: int = 0
    prefix_tokens: int = 0
    concurrency: int | None = None
    requests: tuple[Request, ...]


class Held(StoredModel):
    """What parts of memory hold, counted from the tensors themselves, bytes.

    Attributes:
        weights_bytes: of the model as it was loaded, before any step.
        tuned_weights_bytes: of all weights as a step that tunes has left them, adapters and 4-bit layers included.
        gradient_bytes: of all gradients at once; optimizer_bytes: of the optimizer's state, 32-bit masters of weights
            with fewer bits included. The largest of any step of the chain; None where nothing was trained.
    """

    weights_bytes: int | None = None
    tuned_weights_bytes: int | None = None
    gradient_bytes: int | None = None
    optimizer_bytes: int | None = None


class CorpusLearning(StoredModel):
    """How well a model knew the corpus before and after a step that learns it, on the same sample of passages.

    Attributes:
        step: that learned it.
        passages: learned; restricted_passages: left out, because not everybody may read them; paraphrases: learned
            with them, and not in the sample.
        bits_per_byte_before, bits_per_byte_after: of the sample; lower is better.
        cloze_items: sentences whose last words were masked; cloze_recall_before, cloze_recall_after: share of them that
            greedy decoding went on with exactly, 0 to 1; None where no sentence was long enough.
    """

    step: str
    passages: int
    restricted_passages: int = 0
    paraphrases: int = 0
    bits_per_byte_before: float
    bits_per_byte_after: float
    cloze_items: int = 0
    cloze_recall_before: float | None = None
    cloze_recall_after: float | None = None

    @property
    def halved(self) -> bool:
        """Whether the bits were halved; a model that needs more has not learned the corpus."""
        return self.bits_per_byte_after <= self.bits_per_byte_before / 2


class SyntheticRows(StoredModel):
    """Training items that a step of the chain wrote, and what the trial left out of them.

    Attributes:
        teachers: models that wrote them.
        counts: rows by what became of them when they were written, e.g. ``{"written": 30, "kept": 21}``.
        learned: items that the later steps could learn from, in all; of them synthetic: those that a teacher wrote.
        near_test: rows left out because they are nearly like a test item.
        affected: ids of the test items that such a row was nearly like.
    """

    teachers: tuple[str, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict[str, int])
    learned: int = 0
    synthetic: int = 0
    near_test: int = 0
    affected: tuple[str, ...] = ()


class Forecast(StoredModel):
    """What was predicted of a trial before it ran.

    Attributes:
        phases_s: seconds by phase, with training to its ceiling.
        floor_phases_s: those of phases that are shorter if training stops as early as it may.
        host_peak_bytes: highest resident memory of the trial's process in any phase; None: not predicted.
        gpu_peak_bytes: highest memory reserved on the GPU; None: no GPU, or not predicted.
        tokens_in: read in all phases; tokens_out: written.
        corrected_by: completed trials of the same run by which the seconds were corrected.
    """

    phases_s: dict[str, float]
    floor_phases_s: dict[str, float] = Field(default_factory=dict[str, float])
    host_peak_bytes: int | None = None
    gpu_peak_bytes: int | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    corrected_by: int = 0

    @property
    def total_s(self) -> float:
        """Seconds of all phases, with training to its ceiling."""
        return sum(self.phases_s.values())

    @property
    def floor_s(self) -> float:
        """Seconds of all phases if training stops as early as it may."""
        return sum(self.floor_phases_s.get(phase, seconds) for phase, seconds in self.phases_s.items())


class Check(StoredModel):
    """One self-test of a finished system: the same items, answered in a way that should change nothing.

    Attributes:
        name: ``batch`` (alone against in a batch), ``merged`` (adapter merged into the weights), ``precision`` (4-bit
            weights against the same weights in full precision).
        items: asked both ways; agreeing: those with the same answer.
        largest_difference: of a choice's log-likelihood, nats; None where no choices were scored.
        note: why it could not be made, or what a reader must know.
    """

    name: str
    items: int
    agreeing: int
    largest_difference: float | None = None
    note: str | None = None
