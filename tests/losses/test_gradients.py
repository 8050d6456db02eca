"""Closed forms against automatic differentiation, and the paper's claims about them."""

import math

import pytest
import torch

from mvlm import losses
from mvlm.losses import gradients
from mvlm.losses.readings import Line

BATCH, VIEWS, WIDTH = 6, 3, 5
LABELS = torch.tensor([0, 1, 2, 0, 1, 0])
SUBJECTS = torch.tensor([4, 4, 5, 5, 6, 7])
TOLERANCE = 1e-10


def draw(*shape, seed=0):
    """Raw rows, of lengths that differ by orders of magnitude."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return (x * torch.randn(*shape[:-1], 1, generator=generator, dtype=torch.float64).exp()).requires_grad_()


def learnt(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def assert_equal(closed, loss, inputs):
    """Each closed form against autograd's; where autograd sees no dependence, the closed form must be 0."""
    automatic = torch.autograd.grad(loss, inputs, retain_graph=True, materialize_grads=True)
    for got, expected in zip(closed, automatic, strict=True):
        assert got.shape == expected.shape and float((got - expected).detach().abs().max()) <= TOLERANCE


@pytest.mark.parametrize("tau", [0.01, 0.07, 1.0, 50.0])
@pytest.mark.parametrize("groups", [None, LABELS])
def test_contrastive(groups, tau):
    image, text, tau = draw(BATCH, WIDTH), draw(BATCH, WIDTH, seed=1), learnt(tau)
    closed = gradients.contrastive(image, text, temperature=tau, groups=groups)
    terms = losses.contrastive(image, text, temperature=tau, groups=groups)
    for name in terms._fields:
        assert_equal(getattr(closed, name)[:3], getattr(terms, name), (image, text, tau))


@pytest.mark.parametrize("reading", losses.READINGS.multiview)
@pytest.mark.parametrize("groups", [None, LABELS])
def test_multiview(groups, reading):
    views, text, tau, query = draw(BATCH, VIEWS, WIDTH), draw(BATCH, WIDTH, seed=1), learnt(0.2), draw(WIDTH, seed=2)
    arguments = {"temperature": tau, "groups": groups, "reading": reading, "query": query}
    closed = gradients.multiview(views, text, **arguments)
    inputs = (views, text, tau, query) if reading == "4E" else (views, text, tau)
    assert_equal(closed[: len(inputs)], losses.multiview(views, text, **arguments), inputs)


@pytest.mark.parametrize("letter", "ABCD")
@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (10.0, -10.0)])
def test_pairs(letter, scale, bias):
    views, scale, bias, tau = draw(BATCH, VIEWS, WIDTH), learnt(scale), learnt(bias), learnt(0.4)
    inputs = {"scale": scale, "bias": bias, "temperature": tau}
    closed = gradients.positive_loss(views, reading=f"6{letter}", **inputs)
    assert_equal(closed, losses.positive_loss(views, reading=f"6{letter}", **inputs), (views, *inputs.values()))
    for subjects in (None, SUBJECTS):
        inputs |= {"labels": LABELS, "subjects": subjects, "reading": f"8{letter}"}
        closed = gradients.negative_loss(views, **inputs)
        assert_equal(closed, losses.negative_loss(views, **inputs), (views, scale, bias, tau))
    inputs["labels"] = torch.zeros_like(LABELS)  # no negatives at all
    assert not any(x.any() for x in gradients.negative_loss(views, **inputs))


@pytest.mark.parametrize("readings", [losses.Readings(), losses.Readings("4E", "6B", "8D")])
@pytest.mark.parametrize("plain", [False, True])
def test_objective(readings, plain):
    views, text, tau, query = draw(BATCH, VIEWS, WIDTH), draw(BATCH, WIDTH, seed=1), learnt(0.2), draw(WIDTH, seed=2)
    arguments = {"labels": LABELS, "subjects": SUBJECTS, "temperature": tau, "learnt": losses.Learnt(2.0, 0.5, query)}
    arguments["reading"] = losses.Reading(readings, losses.Weights(0.5, 2.0, -1.0, 3.0), plain)
    closed = gradients.objective(views, text, **arguments)
    total = losses.objective(views, text, **arguments).total
    inputs = (views, text, tau, query) if readings.multiview == "4E" else (views, text, tau)
    assert_equal(closed[: len(inputs)], total, inputs)
    arguments |= {"learnt": None, "reading": losses.Reading(line=Line(2.0, 0.5))}
    assert_equal(
        gradients.objective(views, text, **arguments)[:3],
        losses.objective(views, text, **arguments).total,
        (views, text, tau),
    )


def test_half_of_the_gradient_is_not_in_the_paper():
    """(3) needs both halves by each side; what the paper derives leaves a large part of the gradient out."""
    image, text = draw(BATCH, WIDTH), draw(BATCH, WIDTH, seed=1)
    closed = gradients.contrastive(image, text, temperature=0.07)
    whole, of_paper = closed.loss.visual, closed.image_to_text.visual / 2
    torch.testing.assert_close(whole, of_paper + closed.text_to_image.visual / 2)
    assert ((whole - of_paper).norm() / whole.norm()).item() > 0.25


def test_gradients_turn_rows_and_shrink_with_their_length():
    image, text = draw(BATCH, WIDTH), draw(BATCH, WIDTH, seed=1)
    gradient = gradients.contrastive(image, text, temperature=0.07).loss.visual
    assert (gradient * image).sum(1).abs().max().item() < 1e-12
    longer = gradients.contrastive(4 * image, text, temperature=0.07).loss.visual
    torch.testing.assert_close(longer, gradient / 4)


def test_a_small_temperature_lets_gradients_grow():
    """No gradient by a cosine exceeds 1/(B tau), and wrong neighbours reach it: the bound rises as tau falls."""
    image = draw(BATCH, WIDTH)
    wrong = image.roll(1, 0)  # every image is nearest to the text of another one
    for tau in (1.0, 0.07, 0.01):
        bound = 1 / (BATCH * tau)
        largest = max(half.detach().abs().max().item() for half in gradients.by_cosines(image, wrong, temperature=tau))
        assert largest <= bound + 1e-12
    assert largest == pytest.approx(bound, rel=1e-6)


def test_a_perfect_pair_is_pushed_all_the_same():
    """6A at s = 1, 0, -1: dL/ds is bounded, but never 0; 6C is all but constant."""
    sides = {1.0: (1.0, 0.0), 0.0: (0.0, 1.0), -1.0: (-1.0, 0.0)}
    slopes = {}
    for reading in ("6A", "6C"):
        for cosine, side in sides.items():
            views = torch.tensor([[(1.0, 0.0), side]], dtype=torch.float64)
            # With x = scale * s + bias, dL/dbias is dL/ds at scale 1.
            slopes[reading, cosine] = -gradients.positive_loss(views, reading=reading).bias.item()
    expected = [1 / (1 + math.e), 0.5, 1 / (1 + 1 / math.e), 0.1966, 0.25, 0.1966]
    assert list(slopes.values()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v, t: gradients.contrastive(v[:, 0], t, temperature=-1.0), "temperature .*-1.0"),
        (lambda v, t: gradients.contrastive(v[:, 0] * 0, t, temperature=1.0), r"row at \(0,\) is zero"),
        (lambda v, t: gradients.multiview(v, t[:4], temperature=1.0), r"\(6, 3, 5\) and \(4, 5\)"),
        (lambda v, _: gradients.positive_loss(v, scale=math.inf), "scale .*inf"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(draw(BATCH, VIEWS, WIDTH), draw(BATCH, WIDTH))
