"""Losses that stand beside the paper's: what sibling methods minimise over the views of a sample, and soft targets.

Shapes: B samples of the batch, V views, D embedding, C classes. With V views a loss of two is taken for every pair of
views and averaged over the pairs, which is the loss itself for two. Sums and logarithms are taken in float32 (float64
for float64 input), under autocast too.

Every function raises ValueError, printing what came, for wrong shapes, for rows without a direction (zero or not
finite) and for numbers out of range.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mvlm.losses.equations import positive_pairs
from mvlm.losses.rows import dots, expect_shape, number, precision, shape_of, unit_rows

TEMPERATURE = 0.1  # SimCLR's on ImageNet; on its smaller images it took 0.5
REDUNDANCY = 5e-3  # weight of what lies off the diagonal, as Barlow Twins has it
EPSILON = 1e-5  # added to a variance, as batch normalisation does


def nt_xent(views: Tensor, *, temperature: Tensor | float = TEMPERATURE) -> Tensor:
    """NT-Xent of SimCLR (Chen et al. 2020, arXiv 2002.05709): a view finds the other one of its sample.

    `l(i, j) = -log( exp(s(z_i, z_j)/tau) / sum_{k != i} exp(s(z_i, z_k)/tau) )`, k over both views of all samples, is
    averaged over the 2B anchors i, each with its partner j.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample, V >= 2.
        temperature: `()` tau > 0.
    """
    views = _several(views)
    tau = number("temperature", temperature, views, positive=True)
    batch = len(views)
    partner = torch.arange(2 * batch, device=views.device).roll(batch)

    def of_two(a: Tensor, b: Tensor) -> Tensor:
        both = torch.cat([a, b])  # (2B, D)
        own = torch.eye(2 * batch, dtype=torch.bool, device=views.device)
        return F.cross_entropy(dots(both / tau, both).masked_fill(own, -torch.inf), partner)

    return _over_pairs(of_two, unit_rows("views", views, 3))


def barlow_twins(views: Tensor, *, redundancy: float = REDUNDANCY) -> Tensor:
    """Barlow Twins (Zbontar et al. 2021, arXiv 2103.03230): dimensions agree across views and not with each other.

    `sum_i (1 - C_ii)^2 + redundancy * sum_{i != j} C_ij^2`, where `C (D, D)` is the correlation over the batch of the
    dimensions of one view with those of the other. A batch gives C a rank below B: with B <= D no embedding reaches 0.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample, B and V >= 2. Their lengths count.
        redundancy: weight >= 0.
    """
    views = _several(views)
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

    return _over_pairs(of_two, z)


def siglip(views: Tensor, *, scale: Tensor | float, bias: Tensor | float) -> Tensor:
    """SigLIP (Zhai et al. 2023, arXiv 2303.15343) between views in place of image and text.

    `-1/B sum_ij log sigma( z_ij (scale * s(a_i, b_j) + bias) )` with z = 1 for views of one sample, else -1. It starts
    at scale 10 and bias -10, both learnt. Equations (6) and (8) are this at scale 1 and bias 0, with means for sums,
    with negatives of the same view too, and with labels to say who is whose negative.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample, V >= 2.
        scale, bias: `()` each.
    """
    views = _several(views)
    scale, bias = number("scale", scale, views), number("bias", bias, views)
    sign = 2 * torch.eye(len(views), dtype=views.dtype, device=views.device) - 1

    def of_two(a: Tensor, b: Tensor) -> Tensor:
        return -F.logsigmoid(sign * dots(scale * a, b, bias)).sum() / len(a)

    return _over_pairs(of_two, unit_rows("views", views, 3))


# Losses of views (B, V, D) alone, by the names that recipes use; those that have a line take its scale and bias.
LOSSES: dict[str, Callable[[Tensor, Tensor | float, Tensor | float], Tensor]] = {
    "nt-xent": lambda views, _scale, _bias: nt_xent(views),
    "barlow-twins": lambda views, _scale, _bias: barlow_twins(views),
    "siglip": lambda views, scale, bias: siglip(views, scale=scale, bias=bias),
}


def soft_contrastive(image: Tensor, text: Tensor, *, targets: Tensor, temperature: Tensor | float) -> Tensor:
    """Equations (1)-(3) with soft, weighted targets: images against one text of each class.

    `-1/(2M) sum_ic T_ic ( log softmax_c(s(v_i, t_c)/tau) + log softmax_i(s(v_i, t_c)/tau) )`, M the sum of the targets
    T. Row i of T says how far image i belongs to each class; its sum is the image's weight. With targets of one class
    each, and n images in every class, this is the multi-positive form of `mvlm.losses.contrastive` less log(n)/2: there
    each text stands n times among the columns.

    Args:
        image: `(B, D)` image embeddings.
        text: `(C, D)` embedding of one text of each class.
        targets: `(B, C)`, none negative, not all 0.
        temperature: `()` tau > 0.
    """
    image, text = unit_rows("image", image, 2), unit_rows("text", text, 2)
    if image.shape[1] != text.shape[1] or tuple(targets.shape) != (len(image), len(text)):
        raise ValueError(
            "image (B, D), text (C, D) and targets (B, C) must agree, got "
            f"{shape_of(image)}, {shape_of(text)} and {shape_of(targets)}"
        )
    targets = targets.to(image)
    mass = targets.sum()
    if not (targets.isfinite().all() and (targets >= 0).all() and mass > 0):
        raise ValueError(f"targets must be finite, none negative, not all 0, got {targets.min()} to {targets.max()}")
    logits = dots(image / number("temperature", temperature, image, positive=True), text)
    return -(targets * (logits.log_softmax(1) + logits.log_softmax(0))).sum() / (2 * mass)


def _several(views: Tensor) -> Tensor:
    """Views `(B, V, D)` of V >= 2 in the precision of the loss."""
    expect_shape("views", views, 3)
    if views.shape[1] < 2:
        raise ValueError(f"expected two views or more, got views of shape {shape_of(views)}")
    return views.to(precision(views))


def _over_pairs(of_two, views: Tensor) -> Tensor:
    """Mean of a loss of two views, `(B, D)` each, over all pairs."""
    pairs = positive_pairs(views.shape[1])
    return torch.stack([of_two(views[:, a], views[:, b]) for a, b in pairs]).mean()
