"""Equations (1)-(8) of MultiviewVLM and their sum: pure functions of embeddings.

Shapes: B samples of the batch, V views, D embedding, W ranks. The paper's s(a, b) is the cosine, so rows need no unit
length. Sums, cosines and logarithms are taken in float32 (float64 for float64 input), under autocast too.

On many ranks each rank passes its own B rows, and `gather`, which returns the rows of all ranks as (W*B, ...) and whose
backward sums over the ranks (`mvlm.distributed.gather`). The mean of the ranks' losses, and of their gradients as DDP
takes it, is then exactly that of one process with W*B rows, for the temperature too. Batches are of equal size.

Every function raises ValueError, printing what came, for wrong shapes, for rows without a direction (zero or not
finite) and for a temperature that is not positive.
"""

from collections.abc import Callable, Collection
from itertools import combinations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Gather = Callable[[Tensor], Tensor]
READINGS = ("4A", "4B", "4C", "4D")
PARTS = ("contrastive", "pairs", "multiview")


class Contrastive(NamedTuple):
    """The contrastive loss (3) and its two halves (1) and (2), each ()."""

    loss: Tensor
    image_to_text: Tensor
    text_to_image: Tensor


class Terms(NamedTuple):
    """The objective and its summands, each (); a summand that is not in use is 0."""

    total: Tensor
    contrastive: Tensor
    multiview: Tensor
    positive: Tensor
    negative: Tensor


def identity(x: Tensor) -> Tensor:
    """The gather of one process: its rows are all rows."""
    return x


def contrastive(
    image: Tensor,
    text: Tensor,
    *,
    temperature: Tensor | float,
    groups: Tensor | None = None,
    gather: Gather = identity,
) -> Contrastive:
    """Contrastive loss between images and their texts, equations (1)-(3).

    (1) `L_i2t = -1/B sum_i log( exp(s(v_i, t_i)/tau) / sum_j exp(s(v_i, t_j)/tau) )`, (2) the same with image and text
    exchanged, (3) the mean of both. This is CLIP's loss.

    Where a text repeats in the batch, that form counts an image's own text as its negative. With `groups`, the rows of
    an equal group are positives of each other, and the target is shared evenly among them (as in UniCL):
    `L_i2t = -1/B sum_i 1/|P(i)| sum_{j in P(i)} log(...)`. With all groups different the two are the same. When the
    embeddings collapse to one point per class, both forms are at best log(B/C) for C balanced classes; nothing is lower
    in the second form, while the first is lower for embeddings that tell the samples of a class apart.

    Args:
        image: `(B, D)` image embeddings.
        text: `(B, D)` embedding of the text of each image.
        temperature: `()` tau > 0.
        groups: `(B,)` integers, or None for the paper's plain form.
        gather: rows of all ranks.
    """
    image, text = _rows("image", image, 2), _rows("text", text, 2)
    if image.shape != text.shape:
        raise ValueError(f"image and text must have equal shapes (B, D), got {_shape(image)} and {_shape(text)}")
    tau = _positive(temperature)
    if groups is None:
        positives = None
    else:
        groups = _integers("groups", groups, image)
        positives = groups[:, None] == gather(groups)[None, :]  # (B, W*B)

    def half(a: Tensor, b: Tensor) -> Tensor:
        logits = _dots(a, gather(b)) / tau  # (B, W*B)
        if positives is None:
            own = (a * b).sum(1) / tau  # (B,)
        else:
            own = (logits * positives).sum(1) / positives.sum(1)
        return (logits.logsumexp(1) - own).mean()

    image_to_text, text_to_image = half(image, text), half(text, image)
    return Contrastive((image_to_text + text_to_image) / 2, image_to_text, text_to_image)


def multiview(
    views: Tensor,
    text: Tensor,
    *,
    temperature: Tensor | float,
    groups: Tensor | None = None,
    reading: str = "4B",
    gather: Gather = identity,
) -> Tensor:
    """Multiview consistency, equation (4): the aggregated views of a sample align with its text.

    The text leaves the form of (4) open. With the normalised views `v_k` and their mean `m = 1/V sum_k v_k`:

    - 4A: `1 - s(m, t)`. Rewards views that disagree: at equal s(v_k, t), the more they spread, the smaller it is.
    - 4B: the contrastive loss (1)-(3) on (m, t). The default: II-C calls the loss "contrastive-style".
    - 4C: `1/V sum_k (1 - s(v_k, t))`. No aggregation.
    - 4D: 4B plus `sum_{a<b} (1 - s(v_a, v_b))`, the only one that asks the views to agree.

    4A, 4C and the pairs of 4D are means over the batch; `temperature`, `groups` and `gather` matter for 4B and 4D.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample.
        text: `(B, D)` embedding of the text of each sample.
        temperature, groups, gather: as in `contrastive`.
        reading: one of `READINGS`.
    """
    if reading not in READINGS:
        raise ValueError(f"unknown reading {reading!r} of equation (4), expected one of {', '.join(READINGS)}")
    views, text = _rows("views", views, 3), _rows("text", text, 2)
    _same_samples(views, text)
    if reading == "4C":
        return 1 - (views * text[:, None]).sum(2).mean()
    mean = _rows("mean of the views", views.mean(1), 2)  # (B, D)
    if reading == "4A":
        return 1 - (mean * text).sum(1).mean()
    loss = contrastive(mean, text, temperature=temperature, groups=groups, gather=gather).loss
    if reading == "4D":
        a, b = _pair_rows(views)
        loss = loss + (1 - (a * b).sum(2)).sum(1).mean()
    return loss


def positive_pairs(count: int) -> list[tuple[int, int]]:
    """Equation (5): every pair of different views of one sample, as indices; three pairs for three views."""
    return list(combinations(range(count), 2))


def positive_loss(views: Tensor, *, scale: Tensor | float = 1.0, bias: Tensor | float = 0.0) -> Tensor:
    """Loss of the positive pairs, equation (6): `-1/|P| sum_P log sigma(scale * s(a, b) + bias)`.

    P holds the pairs of `positive_pairs` for every sample. Scale 1 and bias 0 is the paper's form, whose floor is
    log(1 + 1/e) = 0.3133. No pair crosses samples, so that many ranks need no gather here.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample, V >= 2.
        scale, bias: `()` each.
    """
    a, b = _pair_rows(_rows("views", views, 3))
    return -F.logsigmoid(scale * (a * b).sum(2) + bias).mean()


def negative_loss(
    views: Tensor,
    *,
    labels: Tensor,
    subjects: Tensor | None = None,
    scale: Tensor | float = 1.0,
    bias: Tensor | float = 0.0,
    gather: Gather = identity,
) -> Tensor:
    """Loss of the negative pairs, equation (8): `-1/|N| sum_N log(1 - sigma(scale * s(a, b) + bias))`.

    N (7) pairs any view of one sample with any view of another whose label differs. The text allows both to show the
    same subject; with `subjects`, only pairs of different subjects count (the reading of the paper's figure). A batch
    without such a pair has the loss 0. Floor and value at s = 0 are those of (6). (6) and (8) together are SigLIP over
    views, with means where SigLIP sums.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample.
        labels: `(B,)` integers, the emotion or pseudo-label of each sample.
        subjects: `(B,)` integers, or None.
        scale, bias: `()` each.
        gather: rows of all ranks.
    """
    views = _rows("views", views, 3)
    batch, count, _ = views.shape

    def differs(ids: Tensor) -> tuple[Tensor, Tensor]:
        every = gather(ids)  # (W*B,)
        return ids[:, None] != every[None, :], every[:, None] != every[None, :]  # (B, W*B), (W*B, W*B)

    own, all_ranks = differs(_integers("labels", labels, views))
    if subjects is not None:
        own_subjects, all_subjects = differs(_integers("subjects", subjects, views))
        own, all_ranks = own & own_subjects, all_ranks & all_subjects
    others = gather(views).flatten(0, 1)  # (W*B*V, D)
    loss = -F.logsigmoid(-(scale * _dots(views.flatten(0, 1), others) + bias))  # (B*V, W*B*V)
    loss = loss.unflatten(1, (-1, count)).unflatten(0, (batch, count)).sum((1, 3))  # (B, W*B): over pairs of views
    # Ranks may hold different numbers of pairs: each divides by the mean of those, and the mean of the ranks is |N|'s.
    pairs = all_ranks.sum() * count**2 / (len(all_ranks) / batch)
    return (loss * own).sum() / pairs.clamp(min=1)


def objective(
    views: Tensor,
    text: Tensor,
    *,
    temperature: Tensor | float,
    labels: Tensor,
    use: Collection[str] = PARTS,
    reading: str = "4B",
    plain: bool = False,
    subjects: Tensor | None = None,
    scale: Tensor | float = 1.0,
    bias: Tensor | float = 0.0,
    gather: Gather = identity,
) -> Terms:
    """The training objective: the unweighted sum of the parts in use.

    "contrastive" is (1)-(3) of every view with the text of its sample, on B*V rows; "pairs" is (6) + (8); "multiview"
    is (4). The paper never writes the total; its ablation adds the parts in this order.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample.
        text: `(B, D)` embedding of a prompt of each sample's label.
        temperature: `()` tau > 0.
        labels: `(B,)` integers; samples of one label are each other's positives in (1)-(4), others negatives in (8).
        use: some of `PARTS`.
        reading: of equation (4), see `multiview`.
        plain: the paper's own (1)-(3), where only a row's own text is its positive.
        subjects: `(B,)` integers, see `negative_loss`.
        scale, bias: of (6) and (8).
        gather: rows of all ranks.
    """
    unknown = sorted(set(use) - set(PARTS))
    if unknown or not use:
        raise ValueError(f"use must name some of {', '.join(PARTS)}, got {sorted(use)}")
    _expect_shape("views", views, 3)
    _expect_shape("text", text, 2)
    _same_samples(views, text)
    labels = _integers("labels", labels, views)
    count = views.shape[1]
    aligned = of_views = positive = negative = views.new_zeros((), dtype=_precision(views))
    if "contrastive" in use:
        aligned = contrastive(
            views.flatten(0, 1),  # (B*V, D)
            text.repeat_interleave(count, 0),
            temperature=temperature,
            groups=None if plain else labels.repeat_interleave(count),
            gather=gather,
        ).loss
    if "multiview" in use:
        groups = None if plain else labels
        of_views = multiview(views, text, temperature=temperature, groups=groups, reading=reading, gather=gather)
    if "pairs" in use:
        positive = positive_loss(views, scale=scale, bias=bias)
        negative = negative_loss(views, labels=labels, subjects=subjects, scale=scale, bias=bias, gather=gather)
    return Terms(aligned + of_views + positive + negative, aligned, of_views, positive, negative)


def _pair_rows(views: Tensor) -> tuple[Tensor, Tensor]:
    """Both members of every positive pair, `(B, pairs, D)` each."""
    if views.shape[1] < 2:
        raise ValueError(f"positive pairs need at least two views, got views of shape {_shape(views)}")
    first, second = zip(*positive_pairs(views.shape[1]), strict=True)
    return views[:, list(first)], views[:, list(second)]


def _dots(a: Tensor, b: Tensor) -> Tensor:
    with torch.autocast(a.device.type, enabled=False):  # autocast would round the cosines to half precision
        return a @ b.T


def _precision(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


def _rows(name: str, x: Tensor, dimensions: int) -> Tensor:
    """`x` with unit rows, at least in float32."""
    _expect_shape(name, x, dimensions)
    x = x.to(_precision(x))
    # Divide by the largest entry first: squares of small or large rows would leave float32.
    largest = x.detach().abs().amax(-1, keepdim=True)
    usable = (largest > 0) & largest.isfinite()
    if not usable.all():
        where = tuple(int(i) for i in (~usable[..., 0]).nonzero()[0])
        raise ValueError(f"{name} {_shape(x)}: the row at {where} is zero or not finite, so it has no direction")
    x = x / largest
    return x / x.norm(dim=-1, keepdim=True)


def _expect_shape(name: str, x: Tensor, dimensions: int) -> None:
    expected = {2: "(B, D)", 3: "(B, V, D)"}[dimensions]
    if x.ndim != dimensions or 0 in x.shape or not x.is_floating_point():
        raise ValueError(f"{name} must be floating point of shape {expected}, got {x.dtype} of shape {_shape(x)}")


def _same_samples(views: Tensor, text: Tensor) -> None:
    if (views.shape[0], views.shape[2]) != tuple(text.shape):
        raise ValueError(f"views (B, V, D) and text (B, D) must agree, got {_shape(views)} and {_shape(text)}")


def _integers(name: str, ids: Tensor, rows: Tensor) -> Tensor:
    ids = torch.as_tensor(ids, device=rows.device)
    if tuple(ids.shape) != (rows.shape[0],) or ids.is_floating_point():
        raise ValueError(f"{name} must be ({rows.shape[0]},) integers, got {ids.dtype} of shape {_shape(ids)}")
    return ids


def _positive(temperature: Tensor | float) -> Tensor | float:
    value = torch.as_tensor(temperature).detach()
    if value.numel() != 1 or not 0 < value < float("inf"):
        raise ValueError(f"temperature must be one positive finite number, got {temperature}")
    return temperature


def _shape(x: Tensor) -> tuple[int, ...]:
    return tuple(x.shape)
