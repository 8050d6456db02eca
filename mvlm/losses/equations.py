"""Equations (1)-(8) of MultiviewVLM and their sum: pure functions of embeddings.

Shapes: B samples of the batch, V views, D embedding, W ranks. The paper's s(a, b) is the cosine, so rows need no unit
length. Sums, cosines and logarithms are taken in float32 (float64 for float64 input), under autocast too.

Where the text leaves an equation open, each way to read it is a *reading* with a name
(`mvlm.losses.readings.READINGS`). The defaults (`TEXT`) are chosen by the text, never by accuracy. Memory grows with B,
not with its square: matrices of pairs are summed in chunks (`mvlm.losses.chunks`).

On many ranks each rank passes its own B rows, and `gather`, which returns the rows of all ranks as (W*B, ...) and whose
backward sums over the ranks (`mvlm.ranks.gather.gather`). The mean of the ranks' losses, and of their gradients as DDP
takes it, is then exactly that of one process with W*B rows, for the temperature too. Batches are of equal size.

Every function raises ValueError, printing what came, for wrong shapes, for rows without a direction (zero or not
finite), for a temperature that is not positive and for an unknown reading.
"""

import math
from collections.abc import Callable, Collection
from functools import partial
from itertools import combinations
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mvlm.losses.chunks import sum_over_rows
from mvlm.losses.readings import DEFAULT, PARTS, READINGS, TEXT, Reading
from mvlm.losses.rows import dots, expect_shape, integers, number, precision, same_samples, shape_of, unit_rows

Gather = Callable[[Tensor], Tensor]


class Contrastive(NamedTuple):
    """The contrastive loss (3) and its two halves (1) and (2), each ()."""

    loss: Tensor
    image_to_text: Tensor
    text_to_image: Tensor


class Learnt(NamedTuple):
    """What a reading learns beside the model: scale and bias () of (6) and (8), and the query (D,) of 4E."""

    scale: Tensor | float
    bias: Tensor | float
    query: Tensor | None = None


class Terms(NamedTuple):
    """The objective and its summands before they are weighted, each (); a summand that is not in use is 0."""

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
    image, text = unit_rows("image", image, 2), unit_rows("text", text, 2)
    if image.shape != text.shape:
        raise ValueError(f"image and text must have equal shapes (B, D), got {shape_of(image)} and {shape_of(text)}")
    return _contrastive(image[:, None], text, temperature, groups, gather)


def multiview(
    views: Tensor,
    text: Tensor,
    *,
    temperature: Tensor | float,
    groups: Tensor | None = None,
    reading: str = DEFAULT.multiview,
    query: Tensor | None = None,
    gather: Gather = identity,
) -> Tensor:
    """Multiview consistency, equation (4): the aggregated views of a sample align with its text.

    The text leaves the form of (4) open. With the normalised views `v_k` and their mean `m = 1/V sum_k v_k`:

    - 4A: `1 - s(m, t)`. Rewards views that disagree: at equal s(v_k, t), the more they spread, the smaller it is.
    - 4B: the contrastive loss (1)-(3) on (m, t). The default: II-C calls the loss "contrastive-style".
    - 4C: `1/V sum_k (1 - s(v_k, t))`. No aggregation.
    - 4D: 4B plus `sum_{a<b} (1 - s(v_a, v_b))`, the only one that asks the views to agree.
    - 4E: 4B with `m = sum_k w_k v_k`, weights `w = softmax_k(v_k . query)` of a learnt query; 4B where it is zero.

    4A, 4C and the pairs of 4D are means over the batch; the others use `temperature`, `groups` and `gather`.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample.
        text: `(B, D)` embedding of the text of each sample.
        temperature, groups, gather: as in `contrastive`.
        reading: one of `READINGS.multiview`.
        query: `(D,)`, for 4E alone.
    """
    views, text = unit_rows("views", views, 3), unit_rows("text", text, 2)
    same_samples(views, text)
    return _multiview(views, text, temperature, groups, reading, query, gather)


def positive_pairs(count: int) -> list[tuple[int, int]]:
    """Equation (5): every pair of different views of one sample, as indices; three pairs for three views."""
    return list(combinations(range(count), 2))


def positive_loss(
    views: Tensor,
    *,
    reading: str = DEFAULT.positive,
    scale: Tensor | float = 1.0,
    bias: Tensor | float = 0.0,
    temperature: Tensor | float | None = None,
    gather: Gather = identity,
) -> Tensor:
    """Loss of the positive pairs, equation (6), over the pairs P of `positive_pairs` of every sample.

    With `x = scale * s(a, b) + bias`, and s itself at the defaults of scale and bias:

    - 6A: `-1/|P| sum_P log sigma(x)`. The default; at scale 1 its floor is log(1 + 1/e) = 0.3133.
    - 6B: the same with `x / tau`.
    - 6C: `1/|P| sum_P (1 - sigma(x))`.
    - 6D: `-log( 1/|P| sum_P sigma(x) )`.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample, V >= 2.
        reading: one of `READINGS.positive`.
        scale, bias: `()` each.
        temperature: `()` tau > 0, for 6B alone.
        gather: rows of all ranks; no pair crosses samples, so that only the logarithm of 6D needs it.
    """
    return _positive(unit_rows("views", views, 3), reading, scale, bias, temperature, gather)


def negative_loss(
    views: Tensor,
    *,
    labels: Tensor,
    subjects: Tensor | None = None,
    reading: str = DEFAULT.negative,
    scale: Tensor | float = 1.0,
    bias: Tensor | float = 0.0,
    temperature: Tensor | float | None = None,
    gather: Gather = identity,
) -> Tensor:
    """Loss of the negative pairs, equation (8), over the pairs N of (7).

    N pairs any view of one sample with any view of another whose label differs. The text allows both to show the same
    subject; with `subjects`, only pairs of different subjects count (the reading of the paper's figure). A batch
    without such a pair has the loss 0. With `x = scale * s(a, b) + bias`:

    - 8A: `-1/|N| sum_N log(1 - sigma(x))`. The default. With 6A, SigLIP over views, with means where SigLIP sums.
    - 8B: the same with `x / tau`.
    - 8C: `1/|N| sum_N sigma(x)`.
    - 8D: `-log( 1/|N| sum_N (1 - sigma(x)) )`.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample.
        labels: `(B,)` integers, the emotion or pseudo-label of each sample.
        subjects: `(B,)` integers, or None.
        reading: one of `READINGS.negative`.
        scale, bias: `()` each.
        temperature: `()` tau > 0, for 8B alone.
        gather: rows of all ranks.
    """
    return _negative(unit_rows("views", views, 3), labels, subjects, reading, scale, bias, temperature, gather)


def objective(
    views: Tensor,
    text: Tensor,
    *,
    temperature: Tensor | float,
    labels: Tensor,
    use: Collection[str] = PARTS,
    reading: Reading = TEXT,
    learnt: Learnt | None = None,
    subjects: Tensor | None = None,
    gather: Gather = identity,
) -> Terms:
    """The training objective: the weighted sum of the parts in use.

    "contrastive" is (1)-(3) of every view with the text of its sample, on B*V rows; "pairs" is (6) + (8); "multiview"
    is (4). The paper never writes the total; its ablation adds the parts in this order. Readings of the total are
    the weights, and `use` without "multiview" where (4) is taken for a rule of inference.

    Args:
        views: `(B, V, D)` embeddings of the views of each sample.
        text: `(B, D)` embedding of a prompt of each sample's label.
        temperature: `()` tau > 0.
        labels: `(B,)` integers; samples of one label are each other's positives in (1)-(4), others negatives in (8).
        use: some of `PARTS`.
        reading: how the equations are read. A reading whose negatives show another subject needs `subjects`.
        learnt: scale, bias and query as they stand; None for the line of the reading, and no query.
        subjects: `(B,)` integers, used where they are given, see `negative_loss`.
        gather: rows of all ranks.
    """
    unknown = sorted(set(use) - set(PARTS))
    if unknown or not use:
        raise ValueError(f"use must name some of {', '.join(PARTS)}, got {sorted(use)}")
    for name, weight in reading.weights._asdict().items():
        if not math.isfinite(weight):
            raise ValueError(f"the weight of {name} must be finite, got {weight}")
    if reading.other_subjects and subjects is None and "pairs" in use:
        raise ValueError("negatives that show another subject need subjects, got None")
    expect_shape("views", views, 3)
    expect_shape("text", text, 2)
    same_samples(views, text)
    labels = integers("labels", labels, views)
    groups, equations = None if reading.plain else labels, reading.equations
    scale, bias, query = learnt or Learnt(reading.line.scale, reading.line.bias)
    aligned = of_views = positive = negative = views.new_zeros((), dtype=precision(views))
    views = unit_rows("views", views, 3)
    text = text if set(use) == {"pairs"} else unit_rows("text", text, 2)
    if "contrastive" in use:
        aligned = _contrastive(views, text, temperature, groups, gather).loss
    if "multiview" in use:
        of_views = _multiview(views, text, temperature, groups, equations.multiview, query, gather)
    if "pairs" in use:
        line = scale, bias, temperature, gather
        positive = _positive(views, equations.positive, *line)
        negative = _negative(views, labels, subjects, equations.negative, *line)
    parts = (aligned, of_views, positive, negative)
    return Terms((torch.stack(parts) * aligned.new_tensor(reading.weights)).sum(), *parts)


def _multiview(
    views: Tensor, text: Tensor, temperature: Tensor | float, groups: Tensor | None, reading: str,
    query: Tensor | None, gather: Gather,
) -> Tensor:  # fmt: skip
    """(4) of unit rows."""
    _expect_reading("(4)", reading, READINGS.multiview)
    if reading == "4C":
        return 1 - (views * text[:, None]).sum(2).mean()
    mean = views.mean(1)
    if reading == "4E":
        came = None if query is None else shape_of(query)
        if came != (views.shape[2],):
            raise ValueError(f"reading 4E needs a query of shape ({views.shape[2]},), got {came}")
        mean = (views * (views * query.to(views)).sum(2, keepdim=True).softmax(1)).sum(1)
    mean = unit_rows("mean of the views", mean, 2)  # (B, D)
    if reading == "4A":
        return 1 - (mean * text).sum(1).mean()
    loss = _contrastive(mean[:, None], text, temperature, groups, gather).loss
    if reading == "4D":
        a, b = _pair_rows(views)
        loss = loss + (1 - (a * b).sum(2)).sum(1).mean()
    return loss


def _positive(
    views: Tensor, reading: str, scale: Tensor | float, bias: Tensor | float, temperature: Tensor | float | None,
    gather: Gather,
) -> Tensor:  # fmt: skip
    """(6) of unit rows."""
    _expect_reading("(6)", reading, READINGS.positive)
    a, b = _pair_rows(views)
    scale, bias = _line(views, reading == "6B", scale, bias, temperature)
    x = scale * (a * b).sum(2) + bias
    if reading == "6C":
        return x.neg().sigmoid().mean()
    if reading == "6D":
        return -gather(x.sigmoid().mean()[None]).mean().log()
    return -F.logsigmoid(x).mean()


def _negative(
    views: Tensor, labels: Tensor, subjects: Tensor | None, reading: str, scale: Tensor | float, bias: Tensor | float,
    temperature: Tensor | float | None, gather: Gather,
) -> Tensor:  # fmt: skip
    """(8) of unit rows."""
    _expect_reading("(8)", reading, READINGS.negative)
    ids = [integers("labels", labels, views)]
    if subjects is not None:
        ids.append(integers("subjects", subjects, views))
    scale, bias = _line(views, reading == "8B", scale, bias, temperature)
    batch, count, _ = views.shape
    ids = torch.stack(ids, 1)  # (B, 1 or 2)
    every = gather(ids)  # (W*B, 1 or 2)

    def over_pairs(views: Tensor, ids: Tensor, others: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        x = dots(-scale * views.flatten(0, 1), others, -bias)  # 1 - sigma(x) = sigma(-x)
        value = x.neg().sigmoid() if reading == "8C" else x.sigmoid() if reading == "8D" else F.logsigmoid(x)
        negative = (ids[:, None] != every).all(2)  # (rows, W*B), the same for every pair of views
        return (value.view(len(views), count, count, -1) * negative[:, None, None]).sum()

    others = gather(views).transpose(0, 1).flatten(0, 1)  # (V*W*B, D)
    total = sum_over_rows(over_pairs, (views, ids), others, scale, bias, width=count * len(others))
    # Ranks may hold different numbers of pairs: each divides by their mean, so that the mean of the ranks is |N|'s.
    pairs = _count_negatives(every) * count**2 / (len(every) / batch)
    mean = total / max(pairs, 1)
    if reading == "8C" or not pairs:
        return mean
    return -gather(mean[None]).mean().log() if reading == "8D" else -mean


def _contrastive(
    views: Tensor, text: Tensor, temperature: Tensor | float, groups: Tensor | None, gather: Gather
) -> Contrastive:
    """(1)-(3) on B*V rows of unit length: each view (B, V, D) with the text (B, D) of its sample.

    A text stands V times among them: equal columns, which add log V to each logarithm of (1), and equal rows, with one
    mean in (2). So B*V x W*B cosines do for B*V x W*B*V.
    """
    tau = number("temperature", temperature, views, positive=True)
    count = views.shape[1]
    # Divided on the side of the views, so that no gradient by a fixed text is taken.
    rows, all_rows, all_text = views.flatten(0, 1) / tau, gather(views).flatten(0, 1) / tau, gather(text)
    if groups is None:
        own = (views * text[:, None]).sum(2).mean() / tau
        image_to_text = sum_over_rows(_log_sums, (rows,), all_text, width=len(all_text)) / len(rows) - own
        text_to_image = sum_over_rows(_log_sums, (text,), all_rows, width=len(all_rows)) / len(text) - own
    else:
        ids = integers("groups", groups, views)
        every = gather(ids)
        of_rows, of_all_rows = ids.repeat_interleave(count), every.repeat_interleave(count)
        likelihood = partial(sum_over_rows, _log_likelihood)
        image_to_text = likelihood((rows, of_rows), all_text, every, width=len(all_text)) / -len(rows)
        text_to_image = likelihood((text, ids), all_rows, of_all_rows, width=len(all_rows)) / -len(text)
    image_to_text = image_to_text + math.log(count)
    return Contrastive((image_to_text + text_to_image) / 2, image_to_text, text_to_image)


def _log_sums(rows: Tensor, others: Tensor) -> Tensor:
    """Sum over rows (N, D) of the logarithm under the fraction of (1) and (2), over the others (M, D)."""
    return dots(rows, others).logsumexp(1).sum()


def _log_likelihood(rows: Tensor, ids: Tensor, others: Tensor, every: Tensor) -> Tensor:
    """Sum over rows (N, D) of the mean logarithm in (1) or (2), over the others (M, D) of equal id: (N,) and (M,)."""
    logits = dots(rows, others)
    targets = (ids[:, None] == every).to(logits)
    targets /= targets.sum(1, keepdim=True)
    return (logits.log_softmax(1) * targets).sum()


def _count_negatives(ids: Tensor) -> int:
    """Ordered pairs of rows (N, 1 or 2) that differ in every column, without a matrix of pairs."""

    def equal(rows: Tensor, dim: int | None = None) -> int:
        return int(rows.unique(return_counts=True, dim=dim)[1].square().sum())

    same = sum(equal(column) for column in ids.T)
    return len(ids) ** 2 - same + (equal(ids, dim=0) if ids.shape[1] == 2 else 0)


def _line(
    like: Tensor, tempered: bool, scale: Tensor | float, bias: Tensor | float, temperature: Tensor | float | None
) -> tuple[Tensor, Tensor]:
    """Scale and bias () of the cosine inside a sigmoid, both divided by tau where a reading asks for it."""
    scale, bias = number("scale", scale, like), number("bias", bias, like)
    if not tempered:
        return scale, bias
    if temperature is None:
        raise ValueError("readings 6B and 8B need a temperature, got None")
    tau = number("temperature", temperature, like, positive=True)
    return scale / tau, bias / tau


def _expect_reading(equation: str, reading: str, known: tuple[str, ...]) -> None:
    if reading not in known:
        raise ValueError(f"unknown reading {reading!r} of equation {equation}, expected one of {', '.join(known)}")


def _pair_rows(views: Tensor) -> tuple[Tensor, Tensor]:
    """Both members of every positive pair, `(B, pairs, D)` each."""
    if views.shape[1] < 2:
        raise ValueError(f"positive pairs need at least two views, got views of shape {shape_of(views)}")
    first, second = torch.tensor(positive_pairs(views.shape[1]), device=views.device).T
    return views.index_select(1, first), views.index_select(1, second)
