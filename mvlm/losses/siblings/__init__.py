"""Losses that stand beside the paper's: what sibling methods minimise over the views of a sample, and soft targets.

Shapes: B samples of the batch, V views, D embedding, C classes. With V views a loss of two is taken for every pair of
views and averaged over the pairs, which is the loss itself for two. Sums and logarithms are taken in float32 (float64
for float64 input), under autocast too.

Every function raises ValueError, printing what came, for wrong shapes, for rows without a direction (zero or not
finite) and for numbers out of range.
"""

from collections.abc import Callable

from torch import Tensor

from mvlm.losses.siblings.barlow_twins import barlow_twins
from mvlm.losses.siblings.nt_xent import nt_xent
from mvlm.losses.siblings.siglip import siglip
from mvlm.losses.siblings.soft import soft_contrastive

__all__ = ["LOSSES", "barlow_twins", "nt_xent", "siglip", "soft_contrastive"]

# Losses of views (B, V, D) alone, by the names that recipes use; those that have a line take its scale and bias.
LOSSES: dict[str, Callable[[Tensor, Tensor | float, Tensor | float], Tensor]] = {
    "nt-xent": lambda views, _scale, _bias: nt_xent(views),
    "barlow-twins": lambda views, _scale, _bias: barlow_twins(views),
    "siglip": lambda views, scale, bias: siglip(views, scale=scale, bias=bias),
}
