"""Running totals of a trial's forecast: seconds by phase, tokens, peak memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.measure.allocator import PRIMITIVE_CACHE_CAPACITY


@dataclass
class PhaseTotals:
    """Seconds, tokens and bytes as phases are added; other models and the newest generated code stay until the end.

    Attributes:
        product_code_bytes: of the code for one product; products: for which code was generated.
        decode_batch_sizes: distinct numbers of sequences that were decoded together; each needs code of its own.
        training_lengths: distinct lengths that were trained on; later steps of the chain meet much the same ones.
        saved_s: seconds of a phase that are saved if training stops as early as it may.
        other_models_bytes: weights of embedders and rerankers; kept_prefix_bytes: keys and values of a kept prefix.
    """

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    saved_s: dict[str, float] = field(default_factory=dict[str, float])
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    host_peak_bytes: float = 0.0
    product_code_bytes: float = 0.0
    products: float = 0.0
    other_models_bytes: float = 0.0
    kept_prefix_bytes: float = 0.0
    decode_batch_sizes: float = 0.0
    training_lengths: float = 0.0

    def add(self, phase: str, seconds: float, input_tokens: float = 0.0, output_tokens: float = 0.0) -> None:
        """Add seconds to a phase, and tokens to the totals."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens

    def add_saving(self, phase: str, seconds: float) -> None:
        """Add seconds that may be saved to those of a phase."""
        self.saved_s[phase] = self.saved_s.get(phase, 0.0) + seconds

    def raise_peak(self, allocated_bytes: float) -> None:
        """Raise the peak to what is allocated now, besides what stays: generated code and other models."""
        code_bytes = min(self.products, PRIMITIVE_CACHE_CAPACITY) * self.product_code_bytes
        self.host_peak_bytes = max(
            self.host_peak_bytes, allocated_bytes + code_bytes + self.other_models_bytes + self.kept_prefix_bytes
        )
