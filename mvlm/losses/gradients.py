"""Closed forms of the gradients, equations (9)-(15), and of those that the paper leaves out.

A loss sees embeddings through cosines alone, so its gradient is first one by cosines, `G_ij = dL/ds_ij`, and then, for
raw rows v_i that need not have unit length,

    dL/dv_i = sum_j G_ij ds_ij/dv_i,    ds_ij/dv_i = (t_j/|t_j| - s_ij v_i/|v_i|) / |v_i|

This is orthogonal to v_i: no step along it changes a length to first order, and a row twice as long turns by a quarter
of the angle. The paper gives dL_i2t/dv and dL_t2i/dt; the loss (3) also needs dL_t2i/dv and dL_i2t/dt.

The functions mirror those of `mvlm.losses` in name, arguments and readings. They hold every matrix whole and use no
automatic differentiation: they are there to be read, and to be compared. Letters in shapes as there; the rows are those
of one process. Bad input raises ValueError, as there.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mvlm.losses.equations import Learnt, positive_pairs
from mvlm.losses.readings import DEFAULT, TEXT, Reading
from mvlm.losses.rows import integers, number, same_samples, unit_rows


class Gradient(NamedTuple):
    """By images `(B, D)` or views `(B, V, D)`, by text `(B, D)`, temperature `()` and, in 4E, the query `(D,)`."""

    visual: Tensor
    text: Tensor
    temperature: Tensor
    query: Tensor | None = None


class Halves(NamedTuple):
    """Gradients of the contrastive loss (3), of (1) and of (2)."""

    loss: Gradient
    image_to_text: Gradient
    text_to_image: Gradient


class PairGradient(NamedTuple):
    """By views `(B, V, D)`, and by scale, bias and temperature `()`; the last is 0 for a reading without one."""

    views: Tensor
    scale: Tensor
    bias: Tensor
    temperature: Tensor


def by_cosines(
    image: Tensor, text: Tensor, *, temperature: Tensor | float, groups: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """dL/ds_ij `(B, B)` of (1) and of (2).

    With `p_ij = softmax_j(s_ij/tau)`, `q_ij = softmax_i(s_ij/tau)` and targets y, the identity in the plain form:
    `(p - y) / (B tau)` and `(q - y) / (B tau)`. No entry exceeds 1/(B tau), so that gradients are bounded by the
    temperature, and a small one lets them grow.
    """
    image, text = unit_rows("image", image, 2), unit_rows("text", text, 2)
    tau = number("temperature", temperature, image, positive=True)
    logits = image @ text.T / tau
    ids = torch.arange(len(image), device=image.device) if groups is None else integers("groups", groups, image)
    targets = (ids[:, None] == ids).to(image)
    targets = targets / targets.sum(1)  # symmetric: the rows of a group have equally many positives
    return tuple((logits.softmax(axis) - targets) / (len(image) * tau) for axis in (1, 0))


def through_cosines(by_cosine: Tensor, rows: Tensor, others: Tensor) -> Tensor:
    """From `G_ij` `(N, M)` to the gradient `(N, D)` by rows `(N, D)`, whose cosines are with others `(M, D)`."""
    return _turned(by_cosine @ _unit(others), rows)


def contrastive(image: Tensor, text: Tensor, *, temperature: Tensor | float, groups: Tensor | None = None) -> Halves:
    """Gradients of `losses.contrastive`; (9)-(15) are `image_to_text.visual` and `text_to_image.text`.

    The loss depends on s/tau alone, hence `dL/dtau = -1/tau sum_ij s_ij dL/ds_ij`.
    """
    halves = by_cosines(image, text, temperature=temperature, groups=groups)
    cosines = _unit(image) @ _unit(text).T

    def gradient(g: Tensor) -> Gradient:
        by_text = through_cosines(g.T, text, image)
        return Gradient(through_cosines(g, image, text), by_text, -(cosines * g).sum() / temperature)

    return Halves(gradient(sum(halves) / 2), *map(gradient, halves))


def multiview(
    views: Tensor,
    text: Tensor,
    *,
    temperature: Tensor | float,
    groups: Tensor | None = None,
    reading: str = DEFAULT.multiview,
    query: Tensor | None = None,
) -> Gradient:
    """Gradient of `losses.multiview`: that by the mean m of the unit views, shared among the views by their weights."""
    same_samples(views, text)
    unit, batch = unit_rows("views", views, 3), len(views)
    nothing = views.new_zeros(())
    if reading == "4C":
        weight = -1 / (batch * views.shape[1])
        towards = _turned(weight * _unit(text)[:, None].expand_as(views), views)
        return Gradient(towards, _turned(weight * unit.sum(1), text), nothing)
    weights = torch.full_like(unit[..., :1], 1 / views.shape[1])  # (B, V, 1)
    if reading == "4E":
        weights = (unit @ query)[..., None].softmax(1)
    mean = (weights * unit).sum(1)
    if reading == "4A":
        by_cosine = -torch.eye(batch).to(unit) / batch
        by_mean, by_text = through_cosines(by_cosine, mean, text), through_cosines(by_cosine, text, mean)
        by_temperature = nothing
    else:
        by_mean, by_text, by_temperature, _ = contrastive(mean, text, temperature=temperature, groups=groups).loss
    by_unit = weights * by_mean[:, None]  # (B, V, D)
    by_query = None
    if reading == "4E":
        products = (by_mean[:, None] * unit).sum(2, keepdim=True)
        by_product = weights * (products - (weights * products).sum(1, keepdim=True))  # of the softmax
        by_unit, by_query = by_unit + by_product * query, (by_product * unit).sum((0, 1))
    if reading == "4D":  # the pairs: every view moves towards the sum of the others
        by_unit = by_unit - (unit.sum(1, keepdim=True) - unit) / batch
    return Gradient(_turned(by_unit, views), by_text, by_temperature, by_query)


def positive_loss(
    views: Tensor,
    *,
    reading: str = DEFAULT.positive,
    scale: Tensor | float = 1.0,
    bias: Tensor | float = 0.0,
    temperature: Tensor | float = 1.0,
) -> PairGradient:
    """Gradient of `losses.positive_loss`; for 6A `dL/ds = -scale/|P| sigma(-x)`, which no pair brings to 0."""
    unit = unit_rows("views", views, 3)
    first, second = torch.tensor(positive_pairs(views.shape[1])).T
    cosines = unit @ unit.mT  # (B, V, V)
    pairs = torch.zeros_like(cosines, dtype=torch.bool)
    pairs[:, first, second] = True
    by_cosine, *others = _of_sigmoid(cosines, pairs, 1, reading[1], scale, bias, temperature)
    return PairGradient(_turned((by_cosine + by_cosine.mT) @ unit, views), *others)


def negative_loss(
    views: Tensor,
    *,
    labels: Tensor,
    subjects: Tensor | None = None,
    reading: str = DEFAULT.negative,
    scale: Tensor | float = 1.0,
    bias: Tensor | float = 0.0,
    temperature: Tensor | float = 1.0,
) -> PairGradient:
    """Gradient of `losses.negative_loss`; for 8A `dL/ds = scale/|N| sigma(x)`."""
    unit = unit_rows("views", views, 3).flatten(0, 1)
    pairs = labels[:, None] != labels
    if subjects is not None:
        pairs = pairs & (subjects[:, None] != subjects)
    pairs = pairs.repeat_interleave(views.shape[1], 0).repeat_interleave(views.shape[1], 1)  # (B*V, B*V)
    by_cosine, *others = _of_sigmoid(unit @ unit.T, pairs, -1, reading[1], scale, bias, temperature)
    by_unit = (by_cosine + by_cosine.T) @ unit
    return PairGradient(_turned(by_unit.unflatten(0, views.shape[:2]), views), *others)


def objective(
    views: Tensor,
    text: Tensor,
    *,
    temperature: Tensor | float,
    labels: Tensor,
    reading: Reading = TEXT,
    learnt: Learnt | None = None,
    subjects: Tensor | None = None,
) -> Gradient:
    """Gradient of the total of `losses.objective` with every part in use."""
    count = views.shape[1]
    equations, weights = reading.equations, reading.weights
    scale, bias, query = learnt or Learnt(reading.line.scale, reading.line.bias)
    groups, of_views = (None, None) if reading.plain else (labels, labels.repeat_interleave(count))
    rows = views.flatten(0, 1), text.repeat_interleave(count, 0)
    aligned = contrastive(*rows, temperature=temperature, groups=of_views).loss
    options = {"reading": equations.multiview, "query": query, "groups": groups}
    of_mean = multiview(views, text, temperature=temperature, **options)
    options = {"scale": scale, "bias": bias, "temperature": temperature}
    positive = positive_loss(views, reading=equations.positive, **options)
    negative = negative_loss(views, labels=labels, subjects=subjects, reading=equations.negative, **options)

    def total(*parts: Tensor) -> Tensor:
        return sum(weight * part for weight, part in zip(weights, parts, strict=False))

    return Gradient(
        total(aligned.visual.view_as(views), of_mean.visual, positive.views, negative.views),
        total(aligned.text.unflatten(0, (-1, count)).sum(1), of_mean.text),
        total(aligned.temperature, of_mean.temperature, positive.temperature, negative.temperature),
        None if of_mean.query is None else weights.multiview * of_mean.query,
    )


def _of_sigmoid(
    cosines: Tensor, pairs: Tensor, sign: int, letter: str, scale: object, bias: object, temperature: object
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of (6), with sign 1, or (8), with sign -1, by cosines (..., N, M), scale, bias and temperature.

    (8) is (6) with `1 - sigma(x) = sigma(-x)`, so that both are losses of y = sign * x over the pairs of a mask.
    """
    scale, bias = number("scale", scale, cosines), number("bias", bias, cosines)
    tau = number("temperature", temperature, cosines, positive=True) if letter == "B" else torch.ones_like(scale)
    x = (scale * cosines + bias) / tau
    own, rest = (sign * x).sigmoid() * pairs, (-sign * x).sigmoid() * pairs
    if letter in "AB":
        by_y = -rest / pairs.sum().clamp(min=1)
    elif letter == "C":
        by_y = -own * rest / pairs.sum().clamp(min=1)
    else:
        by_y = -own * rest / own.sum().clamp(min=torch.finfo(own.dtype).tiny)
    by_line = sign * by_y / tau  # by scale * s + bias
    by_temperature = -(by_line * x).sum() if letter == "B" else torch.zeros_like(tau)
    return scale * by_line, (by_line * cosines).sum(), by_line.sum(), by_temperature


def _unit(x: Tensor) -> Tensor:
    return unit_rows("rows", x, x.ndim)


def _turned(pulled: Tensor, rows: Tensor) -> Tensor:
    """The part of a gradient by unit rows that turns the raw rows: orthogonal to them, over their lengths."""
    unit = _unit(rows)
    return (pulled - (pulled * unit).sum(-1, keepdim=True) * unit) / (rows * unit).sum(-1, keepdim=True)
