"""Losses of sibling methods: loops written from each equation, exact gradients, and how they meet the paper's."""

import math
from itertools import combinations

import pytest
import torch
from torch.autograd import gradcheck

from mvlm import losses
from mvlm.losses import siblings

BATCH, VIEWS, WIDTH, CLASSES = 6, 3, 5, 3
TAU = 0.2


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


V, T = draw(BATCH, VIEWS, WIDTH), draw(CLASSES, WIDTH, seed=1)
TARGETS = draw(BATCH, CLASSES, seed=2).abs()
SCALE, BIAS = torch.tensor(3.0, dtype=torch.float64), torch.tensor(-1.0, dtype=torch.float64)
LOSSES = {
    "nt-xent": lambda views: siblings.nt_xent(views, temperature=TAU),
    "barlow-twins": siblings.barlow_twins,
    "siglip": lambda views: siblings.siglip(views, scale=SCALE, bias=BIAS),
}


def cosine(a, b):
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(float(x) ** 2 for x in a)) / math.sqrt(sum(float(x) ** 2 for x in b))


def over_pairs(of_two, views=V):
    values = [of_two(views[:, a], views[:, b]) for a, b in combinations(range(views.shape[1]), 2)]
    return sum(values) / len(values)


def loop_nt_xent(a, b):
    both, total = [*a, *b], 0.0
    for i, row in enumerate(both):
        partner = (i + len(a)) % len(both)
        below = sum(math.exp(cosine(row, other) / TAU) for k, other in enumerate(both) if k != i)
        total -= math.log(math.exp(cosine(row, both[partner]) / TAU) / below)
    return total / len(both)


def loop_barlow_twins(a, b):
    def standard(rows, k):
        column = [float(row[k]) for row in rows]
        mean = sum(column) / len(column)
        variance = sum((x - mean) ** 2 for x in column) / len(column)
        return [(x - mean) / math.sqrt(variance + 1e-5) for x in column]

    total = 0.0
    for i in range(WIDTH):
        for j in range(WIDTH):
            c = sum(x * y for x, y in zip(standard(a, i), standard(b, j), strict=True)) / len(a)
            total += (1 - c) ** 2 if i == j else 5e-3 * c**2
    return total


def loop_siglip(a, b):
    total = 0.0
    for i, row in enumerate(a):
        for j, other in enumerate(b):
            x = float(SCALE) * cosine(row, other) + float(BIAS)
            total -= math.log(1 / (1 + math.exp(-x if i == j else x)))
    return total / len(a)


LOOPS = {"nt-xent": loop_nt_xent, "barlow-twins": loop_barlow_twins, "siglip": loop_siglip}


def test_every_loss_that_a_recipe_can_name_is_tested():
    assert set(siblings.LOSSES) == set(LOSSES) == set(LOOPS)


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_is_the_loop_of_its_equation(name):
    assert LOSSES[name](V).item() == pytest.approx(over_pairs(LOOPS[name]), abs=1e-12)
    assert LOSSES[name](V[:, :2]).item() == pytest.approx(LOOPS[name](V[:, 0], V[:, 1]), abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_exact(name):
    assert gradcheck(LOSSES[name], V.clone().requires_grad_())


def test_gradients_of_scale_bias_and_temperature_are_exact():
    line = SCALE.clone().requires_grad_(), BIAS.clone().requires_grad_()
    assert gradcheck(lambda scale, bias: siblings.siglip(V, scale=scale, bias=bias), line)
    tau = torch.tensor(TAU, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda tau: siblings.nt_xent(V, temperature=tau), (tau,))


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_is_summed_in_single(name):
    half = V.to(torch.bfloat16)
    assert LOSSES[name](half).dtype == torch.float32
    assert LOSSES[name](half).item() == pytest.approx(LOSSES[name](half.double()).item(), rel=1e-5)


def test_siglip_at_one_and_zero_is_6_and_8_between_two_views():
    """Sums over 1 + (B - 1) pairs for means, and (8) without its pairs of one view with itself."""
    two, ids = V[:, :2], torch.arange(BATCH)
    found = siblings.siglip(two, scale=1.0, bias=0.0)
    positive = losses.positive_loss(two)
    a, b = torch.nn.functional.normalize(two, dim=-1).unbind(1)
    apart = [losses.negative_loss(x[:, None], labels=ids) for x in (a, b)]  # of each view with itself
    every = losses.negative_loss(two, labels=ids)
    negative = (4 * every - apart[0] - apart[1]) / 2
    assert found.item() == pytest.approx((positive + (BATCH - 1) * negative).item(), abs=1e-12)


def test_barlow_twins_is_nothing_where_views_agree_and_dimensions_do_not_repeat():
    """The columns of a Hadamard matrix but the first: of mean 0, of length 1, orthogonal."""
    two = torch.tensor([[1.0, 1], [1, -1]], dtype=torch.float64)
    rows = torch.kron(torch.kron(two, two), two)[:, 1:6]
    assert siblings.barlow_twins(rows[:, None].repeat(1, 2, 1)).item() == pytest.approx(0, abs=1e-8)
    assert siblings.barlow_twins(torch.stack([rows, -rows], 1)).item() == pytest.approx(4 * 5, abs=1e-3)


def test_soft_targets_are_the_loop_of_their_equation():
    rows = [[math.exp(cosine(v, t) / TAU) for t in T] for v in V[:, 0]]
    total = 0.0
    for i in range(BATCH):
        for c in range(CLASSES):
            of_texts, of_images = sum(rows[i]), sum(row[c] for row in rows)
            total -= float(TARGETS[i, c]) * (math.log(rows[i][c] / of_texts) + math.log(rows[i][c] / of_images))
    found = siblings.soft_contrastive(V[:, 0], T, targets=TARGETS, temperature=TAU)
    assert found.item() == pytest.approx(total / (2 * float(TARGETS.sum())), abs=1e-12)


def test_hard_targets_of_a_balanced_batch_are_the_multi_positive_form():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    hard = torch.eye(CLASSES, dtype=torch.float64)[labels]
    soft = siblings.soft_contrastive(V[:, 0], T, targets=hard, temperature=TAU)
    expected = losses.contrastive(V[:, 0], T[labels], temperature=TAU, groups=labels).loss
    assert soft.item() == pytest.approx(expected.item() - math.log(2) / 2, abs=1e-12)


def test_an_image_without_weight_draws_nothing_and_scale_does_not_matter():
    weighted = TARGETS.clone()
    weighted[2] = 0
    image = V[:, 0].clone().requires_grad_()
    loss = siblings.soft_contrastive(image, T, targets=weighted, temperature=TAU)
    again = siblings.soft_contrastive(image, T, targets=7 * weighted, temperature=TAU)
    assert loss.item() == pytest.approx(again.item(), abs=1e-12)
    assert gradcheck(
        lambda image, text, tau: siblings.soft_contrastive(image, text, targets=weighted, temperature=tau),
        (image, T.clone().requires_grad_(), torch.tensor(TAU, dtype=torch.float64, requires_grad=True)),
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: siblings.nt_xent(V[:, 0]), r"views must be floating point of shape \(B, V, D\), got .*\(6, 5\)"),
        (lambda: siblings.siglip(V[:, :1], scale=1.0, bias=0.0), r"two views or more, got views of shape \(6, 1, 5\)"),
        (lambda: siblings.barlow_twins(V[:1]), r"two samples or more .*\(1, 3, 5\)"),
        (lambda: siblings.barlow_twins(V, redundancy=-1.0), r"redundancy >= 0, got \(6, 3, 5\) and -1"),
        (lambda: siblings.barlow_twins(V * torch.nan), r"views \(6, 3, 5\): the row at \(0, 0\) is zero or not finite"),
        (lambda: siblings.nt_xent(V * 0), r"views \(6, 3, 5\): the row at \(0, 0\) is zero or not finite"),
        (lambda: siblings.nt_xent(V, temperature=0.0), "temperature must be one positive finite number, got 0.0"),
        (lambda: siblings.siglip(V, scale=math.inf, bias=0.0), "scale must be one finite number, got inf"),
        (
            lambda: siblings.soft_contrastive(V[:, 0], T, targets=TARGETS.T, temperature=1.0),
            r"got \(6, 5\), \(3, 5\) and \(3, 6\)",
        ),
        (
            lambda: siblings.soft_contrastive(V[:, 0], T, targets=TARGETS - 9, temperature=1.0),
            "none negative, not all 0",
        ),
        (lambda: siblings.soft_contrastive(V[:, 0], T, targets=0 * TARGETS, temperature=1.0), "got 0.0 to 0.0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
