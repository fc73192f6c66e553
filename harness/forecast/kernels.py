"""Memory and time of generated matrix code: oneDNN keeps machine code for each product of new sizes.

The processor's matrix library generates code when it first meets a product's sizes, and keeps the newest (its guide,
"Primitive Cache"; https://oneapi-src.github.io/oneDNN/dev_guide_primitive_cache.html); `harness.measure.allocator`
sets how many. Passes are as long as their texts, so each new length takes memory until that limit. On the reference
machine memory grew evenly with the number of lengths, by 0.7 MiB a product (2.8 MiB a length in inference, 17 in
training with updates on every matrix), and not at all when lengths returned.
"""

from __future__ import annotations

import math

from harness.api.architecture import Architecture, Footprint


def count_products(shape: Architecture, footprint: Footprint, *, backward: bool = False) -> int:
    """Count the products of different sizes in a pass of one length.

    Matrices of equal sizes share one. The backward pass adds one for the gradient of the input, and one for that of
    the weights where they take one; a low-rank update is two products, shared by matrices of equal inputs or outputs.

    Args:
        shape: of the model.
        footprint: of the step that trains, or of what was done to the model.
        backward: whether there is a backward pass.
    """
    base = len({(linear.inputs, linear.outputs) for linear in shape.linears})
    low_rank = len({linear.inputs for linear in shape.linears}) + len({linear.outputs for linear in shape.linears})
    added = math.ceil(low_rank * min(1.0, footprint.modules_per_block / len(shape.linears)))
    if not backward:
        return base + added
    return base * (2 + (1 if footprint.trained_block_share else 0)) + 3 * added


def expected_distinct(draws: float, window: float) -> float:
    """Return the expected number of distinct lengths among `draws` from a uniform distribution over `window` lengths.

    The mean number of occupied cells of the classical occupancy problem (Feller 1968, volume 1, section IV.2).
    """
    window = max(window, 1.0)
    return window * -math.expm1(draws * math.log1p(-1 / window)) if window > 1 else min(draws, 1.0)
