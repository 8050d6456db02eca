"""The layers of an image tower whose outputs are maps of a picture: of mvlm-tiny, open_clip and timm."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from mvlm.model import MultiviewVLM, Tower


class Layer(NamedTuple):
    """The layer whose output is weighed, and how to read it.

    Attributes:
        module: a part of the image tower.
        maps: turns its output for n images into (n, K, g, g), rows of pixels first.
    """

    module: nn.Module
    maps: Callable[[Tensor], Tensor]


def layers_of(model: MultiviewVLM) -> list[Layer]:
    """The layers of a model's image tower that Grad-CAM can read, from the first to the last.

    Raises:
        ValueError: a tower of another kind.
    """
    visual = model.clip.visual
    trunk = getattr(visual, "trunk", visual)  # timm's towers are wrapped
    if isinstance(trunk, Tower):
        return [Layer(block, _as_maps) for block in trunk.features]
    if hasattr(getattr(trunk, "transformer", None), "resblocks"):  # open_clip's vision transformers
        blocks = trunk.transformer.resblocks
        return [Layer(block.ln_1, _token_reader(1, getattr(block.attn, "batch_first", True))) for block in blocks]
    if hasattr(trunk, "layer4") and hasattr(trunk, "attnpool"):  # open_clip's ResNets
        return [Layer(getattr(trunk, f"layer{number}"), _as_maps) for number in (1, 2, 3, 4)]
    if hasattr(trunk, "blocks") and hasattr(trunk, "num_prefix_tokens"):  # timm's vision transformers
        return [Layer(block.norm1, _token_reader(trunk.num_prefix_tokens, True)) for block in trunk.blocks]
    if getattr(trunk, "feature_info", None):  # timm's convolutional towers, and windowed transformers
        maps = _channels_first if getattr(trunk, "output_fmt", "NCHW") == "NHWC" else _as_maps
        return [Layer(trunk.get_submodule(stage["module"]), maps) for stage in trunk.feature_info]
    raise ValueError(f"MODEL={model.name}: no maps are known of a tower of type {type(trunk).__name__}")


def _as_maps(output: Tensor) -> Tensor:
    return output


def _channels_first(output: Tensor) -> Tensor:
    return output.permute(0, 3, 1, 2)


def _token_reader(prefix: int, batch_first: bool) -> Callable[[Tensor], Tensor]:
    """Reads tokens (n, prefix + g * g, K), or with the first two axes exchanged, without class and register tokens."""

    def maps(output: Tensor) -> Tensor:
        tokens = output if batch_first else output.transpose(0, 1)
        places = tokens.shape[1] - prefix
        side = round(places**0.5)
        if side**2 != places:
            raise ValueError(f"expected the tokens of a square picture after {prefix} others, got {places}")
        return tokens[:, prefix:].transpose(1, 2).unflatten(2, (side, side))

    return maps
