"""Weights served in 4 bits: what an earlier step tuned is merged, rounded and asked again (Dettmers et al. 2023)."""

from typing import ClassVar, Literal

from pydantic import Field

from harness.api import Architecture, Context, Footprint, Needs, Step, System, TaskData
from harness.api.architecture import NF4_BITS


class Quantise(Step):
    """Round the weights for serving, after tuning as in `lora+quantise`: what is served is what is measured.

    The linear layers but the output head are held in NF4 with double quantisation; nothing is trained. An adapter is
    merged first, where it can be.
    """

    bits: Literal[4] = Field(4, description="of a weight")

    needs: ClassVar[Needs] = Needs(model=frozenset({"train"}))
    changes_weights: ClassVar[bool] = True
    keeps_artifact: ClassVar[bool] = True
    paper: ClassVar[str] = "Dettmers et al. 2023, arXiv:2305.14314, section 3 (NF4, double quantisation)"

    def footprint(self, shape: Architecture) -> Footprint:
        """Hold the blocks' matrices in fewer bits."""
        del shape
        return Footprint(weight_bits=NF4_BITS)

    def adapt(self, system: System, task: TaskData, context: Context) -> System:
        """Merge an adapter, then quantise layer by layer."""
        from harness.decoding.prefix_sharing import causal_lm
        from harness.models import quantised
        from harness.models.local_model import require_local
        from harness.training import weight_formats

        del task, context
        model = weight_formats.merge_in_full_precision(require_local(system.model))
        quantised.quantise(causal_lm(model.module))
        module = model.module.eval().requires_grad_(False)
        return system.replace(model=model.with_module(module, base_changed=True))
