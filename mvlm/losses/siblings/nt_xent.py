"""The loss of SimCLR."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mvlm.losses.rows import dots, number, unit_rows
from mvlm.losses.siblings.pairs import over_pairs, several

TEMPERATURE = 0.1  # SimCLR's on ImageNet; on its smaller images it took 0.5


def nt_xent(views: Tensor, *, temperature: Tensor | float = TEMPERATURE) -> Tensor:
    """NT-Xent of SimCLR (Chen et al. 2020, arXiv 2002.05709): a view finds the other one of its sample.

    `l(i, j) = -log( exp(s(z_i, z_j)/tau) / sum_{k != i} exp(s(z_i, z_k)/tau) )`, k over both views of all samples, is
    averaged over the 2B anchors i, each with its partner j.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample, V >= 2.
        temperature: `()` tau > 0.
    """
    views = several(views)
    tau = number("temperature", temperature, views, positive=True)
    batch = len(views)
    partner = torch.arange(2 * batch, device=views.device).roll(batch)

    def of_two(a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat([a, b])  # (2B, D)
        own = torch.eye(2 * batch, dtype=torch.bool, device=views.device)
        return F.cross_entropy(dots(both / tau, both).masked_fill(own, -torch.inf), partner)

    return over_pairs(of_two, unit_rows("views", views, 3))
