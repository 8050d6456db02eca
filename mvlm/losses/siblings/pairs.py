"""A loss of two views, over all pairs of the views of a sample."""

from collections.abc import Callable

import torch
from torch import Tensor

from mvlm.losses.equations import positive_pairs
from mvlm.losses.rows import expect_shape, precision, shape_of


def several(views: Tensor) -> Tensor:
    """Views `(B, V, D)` of V >= 2 in the precision of the loss."""
    expect_shape("views", views, 3)
    if views.shape[1] < 2:
        raise ValueError(f"expected two views or more, got views of shape {shape_of(views)}")
    return views.to(precision(views))


def over_pairs(of_two: Callable[[Tensor, Tensor], Tensor], views: Tensor) -> Tensor:
    """Mean of a loss of two views, `(B, D)` each, over all pairs."""
    pairs = positive_pairs(views.shape[1])
    return torch.stack([of_two(views[:, a], views[:, b]) for a, b in pairs]).mean()
