"""The loss of Barlow Twins."""

from torch import Tensor

from mvlm.losses.rows import dots, number, shape_of, unit_rows
from mvlm.losses.siblings.pairs import over_pairs, several

REDUNDANCY = 5e-3  # weight of what lies off the diagonal, as Barlow Twins has it
EPSILON = 1e-5  # added to a variance, as batch normalisation does


def barlow_twins(views: Tensor, *, redundancy: float = REDUNDANCY) -> Tensor:
    """Barlow Twins (Zbontar et al. 2021, arXiv 2103.03230): dimensions agree across views and not with each other.

    `sum_i (1 - C_ii)^2 + redundancy * sum_{i != j} C_ij^2`, where `C (D, D)` is the correlation over the batch of the
    dimensions of one view with those of the other. A batch gives C a rank below B: with B <= D no embedding reaches 0.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample, B and V >= 2. Their lengths count.
        redundancy: weight >= 0.
    """
    views = several(views)
    weight = number("redundancy", redundancy, views)
    if len(views) < 2 or weight < 0:
        raise ValueError(f"expected two samples or more and redundancy >= 0, got {shape_of(views)} and {redundancy}")
    unit_rows("views", views, 3)
    centred = views - views.mean(0)
    z = centred / (centred.square().mean(0) + EPSILON).sqrt()  # (B, V, D)

    def of_two(a: Tensor, b: Tensor) -> Tensor:
        c = dots(a.T, b.T) / len(a)
        on = c.diagonal()
        return (1 - on).square().sum() + weight * (c.square().sum() - on.square().sum())

    return over_pairs(of_two, z)
