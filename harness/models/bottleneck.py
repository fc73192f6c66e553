"""Bottleneck adapters: a narrow block behind a frozen sublayer (Houlsby et al. 2019, arXiv:1902.00751, figure 2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from harness.decoding.prefix_sharing import causal_lm
from harness.errors import HarnessError
from harness.models.blocks import ATTENTION, FEED_FORWARD, decoder_blocks, sublayer

FILE = "bottleneck.safetensors"
_NAME = "bottleneck"


@dataclass(frozen=True)
class BottleneckShape:
    """Width, activation and position of the adapters.

    Attributes:
        width: of the hidden layer, at least 1.
        after: sublayers that get an adapter: both (Houlsby), or the feed-forward only (Pfeiffer et al. 2021).
    """

    width: int
    activation: Literal["gelu", "relu"] = "gelu"
    after: Literal["both", "feed_forward"] = "both"


class Bottleneck(nn.Module):
    """``h + up(activation(down(h)))``; `up` is initialised to zero, so an untrained adapter is the identity."""

    def __init__(self, size: int, shape: BottleneckShape, like: Tensor) -> None:
        super().__init__()
        self.down = nn.Linear(size, shape.width, device=like.device, dtype=like.dtype)
        self.up = nn.Linear(shape.width, size, device=like.device, dtype=like.dtype)
        self.activation = nn.GELU() if shape.activation == "gelu" else nn.ReLU()
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the input of the skip connection: [..., size]."""
        return hidden + self.up(self.activation(self.down(hidden)))


def attach(module: Any, shape: BottleneckShape) -> None:
    """Put trainable adapters behind the sublayers of every block and freeze all other weights.

    Raises:
        HarnessError: a block has no attention or feed-forward sublayer of a known name.
    """
    model = causal_lm(module)
    kinds = (FEED_FORWARD,) if shape.after == "feed_forward" else (ATTENTION, FEED_FORWARD)
    sublayers = [sublayer(block, names) for block in decoder_blocks(model) for names in kinds]
    if None in sublayers:
        raise HarnessError(
            f"the blocks of {type(model).__name__} have no attention and feed-forward part that an adapter could "
            "stand behind: choose lora."
        )
    model.requires_grad_(False)
    size = model.config.get_text_config().hidden_size
    for layer in sublayers:
        layer.add_module(_NAME, Bottleneck(size, shape, model.get_input_embeddings().weight))
        layer.bottleneck_hook = layer.register_forward_hook(_apply_adapter)
    model.bottleneck_shape = shape


def attached_shape(module: Any) -> BottleneckShape | None:
    """Return the shape of a model's adapters; None if it has none."""
    return getattr(causal_lm(module), "bottleneck_shape", None)


def remove(module: Any) -> None:
    """Remove the adapters."""
    model = causal_lm(module)
    for layer in [layer for layer in model.modules() if hasattr(layer, "bottleneck_hook")]:
        layer.bottleneck_hook.remove()
        del layer.bottleneck_hook
        delattr(layer, _NAME)
    del model.bottleneck_shape


def is_bottleneck_weight(name: str) -> bool:
    """Tell whether a parameter of this name is an adapter's."""
    return f".{_NAME}." in name


def save(module: Any, folder: Path) -> None:
    """Write the adapters' weights and their shape."""
    shape = attached_shape(module)
    assert shape  # noqa: S101 - called only where there are adapters
    weights = {
        name: weight.detach().contiguous()
        for name, weight in causal_lm(module).named_parameters()
        if is_bottleneck_weight(name)
    }
    save_file(weights, folder / FILE, {"format": "pt"} | {key: str(value) for key, value in asdict(shape).items()})


def load(module: Any, folder: Path) -> None:
    """Attach the adapters that `save` wrote.

    Raises:
        HarnessError: the file lacks some of their weights.
    """
    with safe_open(folder / FILE, framework="pt") as stream:  # type: ignore[no-untyped-call]
        metadata: dict[str, str] = stream.metadata()
        weights: dict[str, Tensor] = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 - no dict
    activation = cast("Literal['gelu', 'relu']", metadata["activation"])
    attach(module, BottleneckShape(int(metadata["width"]), activation, cast("Any", metadata["after"])))
    parameters = {name: weight for name, weight in causal_lm(module).named_parameters() if is_bottleneck_weight(name)}
    if parameters.keys() != weights.keys():
        raise HarnessError(f"the adapters in {folder} are not those of this model: run 'harness clean'.")
    with torch.no_grad():
        for name, weight in parameters.items():
            weight.copy_(weights[name])


def _apply_adapter(layer: Any, _inputs: Any, output: Any) -> Any:
    """Pass a sublayer's output through its adapter; some sublayers also return attention weights."""
    if isinstance(output, tuple):
        return (layer.bottleneck(output[0]), *cast("tuple[Any, ...]", output)[1:])
    return layer.bottleneck(output)
