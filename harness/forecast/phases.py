"""What a trial's phases take, as it adds up."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.measure.allocator import CODES_KEPT


@dataclass
class Phases:
    """Seconds, tokens and bytes as they add up; other models stay until the trial ends, and the newest code.

    Attributes:
        code_bytes: of the code for one product; products: for which some was made.
        ending: up to how many sequences were decoded together, so that code is there for any number of them.
        learned: how many different lengths were trained on: a later step of the chain meets much the same ones.
    """

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    sent: float = 0.0
    written: float = 0.0
    host_bytes: float = 0.0
    code_bytes: float = 0.0
    products: float = 0.0
    others_bytes: float = 0.0
    ending: float = 0.0
    learned: float = 0.0

    def add(self, phase: str, seconds: float, sent: float = 0.0, written: float = 0.0) -> None:
        """Add to a phase, and to the tokens of all."""
        self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds
        self.sent, self.written = self.sent + sent, self.written + written

    def reach(self, held_bytes: float) -> None:
        """Say that so much is held at once, besides what stays: generated code and other models."""
        code = min(self.products, CODES_KEPT) * self.code_bytes
        self.host_bytes = max(self.host_bytes, held_bytes + code + self.others_bytes)
