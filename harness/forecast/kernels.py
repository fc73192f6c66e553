"""What a processor's matrix library makes for each new size of a pass, and keeps: machine code, by product.

oneDNN generates code for a product of given sizes when it first meets them, and keeps the newest (its guide, "Primitive
Cache"; https://oneapi-src.github.io/oneDNN/dev_guide_primitive_cache.html); `harness.measure.allocator` says how
many. Passes are as long as their texts, so each length that has not been there before takes memory until then. On the
reference machine it was found to grow evenly with the number of lengths, by 0.7 MiB a product (2.8 MiB a length of
reading, 17 of training with updates on every matrix), and not at all when lengths return.
"""

from __future__ import annotations

import math

from harness.api.architecture import Architecture, Footprint


def products(shape: Architecture, footprint: Footprint, *, learning: bool = False) -> int:
    """Count the products of different sizes that a pass of one length makes.

    Matrices of equal sizes share one. On the way back there is one for the gradient of the input, and one for that of
    the weights where they take one; an update of low rank is two products, those with equal inputs or outputs alike.

    Args:
        shape: of the model.
        footprint: of the step that learns, or of what was done to the model.
        learning: whether there is a way back.
    """
    own = len({(one.inputs, one.outputs) for one in shape.linears})
    pairs = len({one.inputs for one in shape.linears}) + len({one.outputs for one in shape.linears})
    small = math.ceil(pairs * min(1.0, footprint.modules / len(shape.linears)))
    if not learning:
        return own + small
    return own * (2 + (1 if footprint.own else 0)) + 3 * small


def different(drawn: float, window: float) -> float:
    """Expect how many different lengths there are among some that fall evenly on a window of so many.

    The mean number of occupied cells of the classical occupancy problem (Feller 1968, volume 1, section IV.2).
    """
    window = max(window, 1.0)
    return window * -math.expm1(drawn * math.log1p(-1 / window)) if window > 1 else min(drawn, 1.0)
