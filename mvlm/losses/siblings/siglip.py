"""The loss of SigLIP, between views."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mvlm.losses.rows import dots, number, unit_rows
from mvlm.losses.siblings.pairs import over_pairs, several


def siglip(views: Tensor, *, scale: Tensor | float, bias: Tensor | float) -> Tensor:
    """SigLIP (Zhai et al. 2023, arXiv 2303.15343) between views in place of image and text.

    `-1/B sum_ij log sigma( z_ij (scale * s(a_i, b_j) + bias) )` with z = 1 for views of one sample, else -1. It starts
    at scale 10 and bias -10, both learnt. Equations (6) and (8) are this at scale 1 and bias 0, with means for sums,
    with negatives of the same view too, and with labels to say who is whose negative.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample, V >= 2.
        scale, bias: `()` each.
    """
    views = several(views)
    scale, bias = number("scale", scale, views), number("bias", bias, views)
    sign = 2 * torch.eye(len(views), dtype=views.dtype, device=views.device) - 1

    def of_two(a: Tensor, b: Tensor) -> Tensor:
        return -F.logsigmoid(sign * dots(scale * a, b, bias)).sum() / len(a)

    return over_pairs(of_two, unit_rows("views", views, 3))
