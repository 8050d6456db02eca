"""Equations (1)-(8): loops written from each equation, closed forms, other people's code, half precision."""

import math
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck

from mvlm import losses
from mvlm.losses import chunks
from mvlm.losses.readings import Line

BATCH, VIEWS, WIDTH = 6, 3, 5
LABELS = torch.tensor([0, 1, 2, 0, 1, 0])
SUBJECTS = torch.tensor([4, 4, 5, 5, 6, 7])
TAU = 0.2


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


V, T = draw(BATCH, VIEWS, WIDTH), draw(BATCH, WIDTH, seed=1)
QUERY = draw(WIDTH, seed=3)
PLAIN = losses.Reading(plain=True)


@pytest.fixture(params=[chunks.ENTRIES, 40], ids=["whole", "chunks"])
def cut(request, monkeypatch):
    """A test that asks for this runs twice: all rows at once, and one or two rows at a time."""
    monkeypatch.setattr(chunks, "ENTRIES", request.param)


@pytest.fixture
def views():
    return V.clone()


@pytest.fixture
def text():
    return T.clone()


def cosine(a, b):
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(float(x) ** 2 for x in a)) / math.sqrt(sum(float(x) ** 2 for x in b))


def sigma(x):
    return 1 / (1 + math.exp(-x))


def loop_1(rows, others, groups):
    """(1), multi-positive: the mean over the positives of minus the logarithm."""
    total = 0.0
    for i, row in enumerate(rows):
        below = sum(math.exp(cosine(row, other) / TAU) for other in others)
        positives = [j for j in range(len(others)) if groups[j] == groups[i]]
        total -= sum(math.log(math.exp(cosine(row, others[j]) / TAU) / below) for j in positives) / len(positives)
    return total / len(rows)


def loop_mean(views):
    """Mean of the normalised views."""
    normed = [[[float(x) / math.sqrt(sum(float(y) ** 2 for y in v)) for x in v] for v in sample] for sample in views]
    return [[sum(column) / len(sample) for column in zip(*sample, strict=True)] for sample in normed]


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("groups", [None, LABELS, LABELS * 10 - 7], ids=["plain", "shared", "any integers"])
def test_contrastive_is_the_loop_of_1_to_3(views, text, groups):
    image = views[:, 0]
    got = losses.contrastive(image, text, temperature=TAU, groups=groups)
    ids = list(range(BATCH)) if groups is None else groups.tolist()
    one, two = loop_1(image, text, ids), loop_1(text, image, ids)
    assert got.image_to_text.item() == pytest.approx(one, abs=1e-12)
    assert got.text_to_image.item() == pytest.approx(two, abs=1e-12)
    assert got.loss.item() == pytest.approx((one + two) / 2, abs=1e-12)


def test_multiview_is_the_loop_of_each_reading(views, text):
    mean, ids = loop_mean(views), LABELS.tolist()
    per_view = [cosine(v, t) for sample, t in zip(views, text, strict=True) for v in sample]
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = {
        "4A": sum(1 - cosine(m, t) for m, t in zip(mean, text, strict=True)) / BATCH,
        "4B": (loop_1(mean, text, ids) + loop_1(text, mean, ids)) / 2,
        "4C": sum(1 - s for s in per_view) / len(per_view),
    }
    expected["4D"] = expected["4B"] + sum(1 - cosine(v[a], v[b]) for v in views for a, b in pairs) / BATCH
    pooled = loop_pooled(views)
    expected["4E"] = (loop_1(pooled, text, ids) + loop_1(text, pooled, ids)) / 2
    assert set(expected) == set(losses.READINGS.multiview)
    options = {"temperature": TAU, "groups": LABELS}
    for reading, value in expected.items():
        got = losses.multiview(views, text, reading=reading, query=QUERY, **options)
        assert got.item() == pytest.approx(value, abs=1e-12), reading
    assert losses.multiview(views, text, **options).item() == pytest.approx(expected["4B"])
    pooled = losses.multiview(views, text, reading="4E", query=0 * QUERY, **options)
    assert pooled.item() == pytest.approx(expected["4B"], abs=1e-12)  # no query, no preference


# What each reading sums over its pairs, and what it makes of the mean. (8) is (6) with 1 - sigma for sigma.
PAIR_READINGS = {
    "A": (lambda p: -math.log(p), lambda mean: mean),
    "B": (lambda p: -math.log(p), lambda mean: mean),
    "C": (lambda p: 1 - p, lambda mean: mean),
    "D": (lambda p: p, lambda mean: -math.log(mean)),
}


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("letter", PAIR_READINGS)
@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (10.0, -10.0)])
def test_pairs_are_the_loops_of_each_reading_of_6_and_8(views, scale, bias, letter):
    tau = TAU if letter == "B" else 1
    each, of_mean = PAIR_READINGS[letter]
    options = {"scale": scale, "bias": bias, "temperature": TAU}
    positive = [
        each(sigma((scale * cosine(sample[a], sample[b]) + bias) / tau))
        for sample in views
        for a, b in losses.positive_pairs(VIEWS)
    ]
    got = losses.positive_loss(views, reading=f"6{letter}", **options)
    assert got.item() == pytest.approx(of_mean(sum(positive) / len(positive)))
    for subjects in (None, SUBJECTS):
        negative = [
            each(1 - sigma((scale * cosine(views[i, k], views[j, m]) + bias) / tau))
            for i in range(BATCH)
            for j in range(i)
            for k in range(VIEWS)
            for m in range(VIEWS)
            if LABELS[i] != LABELS[j] and (subjects is None or subjects[i] != subjects[j])
        ]
        got = losses.negative_loss(views, labels=LABELS, subjects=subjects, reading=f"8{letter}", **options)
        assert got.item() == pytest.approx(of_mean(sum(negative) / len(negative)), abs=1e-12)


def test_the_defaults_are_those_of_the_text(views, text):
    assert losses.Readings() == ("4B", "6A", "8A") and set(losses.Weights()) == {1.0}
    for default, known in zip(losses.Readings(), losses.READINGS, strict=True):
        assert default in known
    options = {"temperature": TAU, "labels": LABELS}
    others = losses.Reading(losses.Readings("4D", "6C", "8D"), line=Line(scale=2.0))
    terms = losses.objective(views, text, reading=others, **options)
    assert terms.multiview == losses.multiview(views, text, temperature=TAU, groups=LABELS, reading="4D")
    assert terms.positive == losses.positive_loss(views, scale=2.0, reading="6C")
    assert terms.negative == losses.negative_loss(views, labels=LABELS, scale=2.0, reading="8D")
    weights = losses.Weights(contrastive=0.5, multiview=2.0, positive=0.0, negative=-3.0)
    weighed = losses.objective(views, text, reading=others._replace(weights=weights), **options)
    assert weighed[1:] == terms[1:]
    expected = sum(weight * part for weight, part in zip(weights, terms[1:], strict=True))
    torch.testing.assert_close(weighed.total, expected, rtol=0, atol=1e-12)


def test_what_is_learnt_takes_the_place_of_the_readings_line(views, text):
    options = {"temperature": TAU, "labels": LABELS, "subjects": SUBJECTS}
    reading = losses.Reading(losses.Readings(multiview="4E"), other_subjects=True, line=Line(7.0, 7.0, learnt=True))
    learnt = losses.Learnt(torch.tensor(2.0), torch.tensor(-1.0), QUERY)
    terms = losses.objective(views, text, reading=reading, learnt=learnt, **options)
    assert terms.multiview == losses.multiview(views, text, temperature=TAU, groups=LABELS, reading="4E", query=QUERY)
    line = {"scale": 2.0, "bias": -1.0}
    assert terms.positive == losses.positive_loss(views, **line)
    assert terms.negative == losses.negative_loss(views, labels=LABELS, subjects=SUBJECTS, **line)


def loop_pooled(views):
    """Sum of the normalised views, weighed by the softmax of their products with the query."""
    pooled = []
    for sample in views:
        unit = [v / v.norm() for v in sample]
        weights = [math.exp(float(v @ QUERY)) for v in unit]
        pooled.append(sum(w / sum(weights) * v for w, v in zip(weights, unit, strict=True)))
    return pooled


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_positive_pairs_are_all_pairs_once(count):
    pairs = losses.positive_pairs(count)
    assert len(set(pairs)) == len(pairs) == count * (count - 1) // 2
    assert all(0 <= a < b < count for a, b in pairs)


def test_objective_is_the_sum_of_its_parts(views, text):
    flat, repeated = views.reshape(-1, WIDTH), text.repeat_interleave(VIEWS, 0)
    labels = LABELS.repeat_interleave(VIEWS)
    expected = {
        "contrastive": losses.contrastive(flat, repeated, temperature=TAU, groups=labels).loss,
        "multiview": losses.multiview(views, text, temperature=TAU, groups=LABELS),
        "positive": losses.positive_loss(views),
        "negative": losses.negative_loss(views, labels=LABELS),
    }
    terms = losses.objective(views, text, temperature=TAU, labels=LABELS)
    for name, value in expected.items():
        torch.testing.assert_close(getattr(terms, name), value, rtol=0, atol=1e-12)
    torch.testing.assert_close(terms.total, sum(expected.values()), rtol=0, atol=1e-12)
    for use, names in (("contrastive",), ["contrastive"]), (("pairs",), ["positive", "negative"]):
        some = losses.objective(views, text, temperature=TAU, labels=LABELS, use=use)
        torch.testing.assert_close(some.total, sum(expected[name] for name in names), rtol=0, atol=1e-12)
        assert all(getattr(some, name) == 0 for name in set(expected) - set(names))
    plain = losses.objective(views, text, temperature=TAU, labels=LABELS, reading=PLAIN)
    torch.testing.assert_close(plain.contrastive, losses.contrastive(flat, repeated, temperature=TAU).loss)
    torch.testing.assert_close(plain.multiview, losses.multiview(views, text, temperature=TAU))


def of_4(reading, views, text, tau):
    return losses.multiview(views, text, temperature=tau, groups=LABELS, reading=reading)


def of_6(reading, views, _text, tau):
    return losses.positive_loss(views, reading=reading, scale=2 * tau, bias=tau, temperature=tau.exp())


def of_8(reading, views, _text, tau):
    options = {"scale": 2 * tau, "bias": tau, "temperature": tau.exp()}
    return losses.negative_loss(views, labels=LABELS, subjects=SUBJECTS, reading=reading, **options)


GRADIENTS = {
    "plain": lambda v, t, tau: losses.contrastive(v[:, 0], t, temperature=tau),
    "shared": lambda v, t, tau: losses.contrastive(v[:, 0], t, temperature=tau, groups=LABELS),
    "4E": lambda v, t, tau: losses.multiview(v, t, temperature=tau, groups=LABELS, reading="4E", query=tau * QUERY),
    **{reading: partial(of_4, reading) for reading in ("4A", "4B", "4C", "4D")},
    **{reading: partial(of_6, reading) for reading in losses.READINGS.positive},
    **{reading: partial(of_8, reading) for reading in losses.READINGS.negative},
    "objective": lambda v, t, tau: losses.objective(v, t, temperature=tau, labels=LABELS).total,
    "no text": lambda v, _, tau: losses.objective(v, T, temperature=tau, labels=LABELS, reading=PLAIN).total,
}


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("function", GRADIENTS.values(), ids=GRADIENTS)
def test_gradients_are_those_of_finite_differences(views, text, function):
    tau = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert gradcheck(function, (views.requires_grad_(), text.requires_grad_(), tau))


def test_every_reading_has_its_gradient_checked():
    assert {reading for of_one in losses.READINGS for reading in of_one} <= set(GRADIENTS)


def test_floors():
    # (6) and (8): softplus(-1) at best, log 2 for orthogonal embeddings.
    same = torch.ones(2, 3, 4)
    apart = torch.stack([same[0], -same[0]])
    labels = torch.tensor([0, 1])
    assert losses.positive_loss(same).item() == pytest.approx(0.31326, abs=1e-5)
    assert losses.negative_loss(apart, labels=labels).item() == pytest.approx(0.31326, abs=1e-5)
    assert losses.negative_loss(same, labels=labels).item() == pytest.approx(1.31326, abs=1e-5)
    assert losses.positive_loss(torch.eye(3)[None]).item() == pytest.approx(math.log(2))
    # (3): one point per class costs log(B/C), though nothing is left to separate ...
    for batch in (12, 24, 48):
        classes = torch.arange(batch) % 6
        simplex = torch.eye(6, dtype=torch.float64)[classes].requires_grad_()
        for groups in (None, classes):
            loss = losses.contrastive(simplex, simplex.detach(), temperature=0.01, groups=groups).loss
            assert loss.item() == pytest.approx(math.log(batch / 6))
    # ... and one point for all costs log B.
    ones = torch.ones(5, 4)
    assert losses.contrastive(ones, ones, temperature=0.07).loss.item() == pytest.approx(math.log(5))


def test_only_the_plain_form_pulls_a_class_apart():
    """At class collapse, moving a text towards its own image lowers the plain form, never the multi-positive one."""
    classes = torch.tensor([0, 0, 1, 1])
    collapsed = torch.eye(3, dtype=torch.float64)[classes]
    moved = collapsed.clone()
    moved[[0, 2], 2] = 0.1
    moved[[1, 3], 2] = -0.1

    def change(groups):
        before, after = (losses.contrastive(x, x, temperature=0.05, groups=groups).loss for x in (collapsed, moved))
        return float(after - before)

    assert change(None) < -0.1
    assert change(classes) > 0


def test_reading_4a_rewards_views_that_disagree():
    """Views on a cone around the text: each at cosine 0.6 to it, yet their mean points at it exactly."""
    turns = torch.arange(3) * 2 * math.pi / 3
    cone = torch.stack([0.8 * turns.cos(), 0.8 * turns.sin(), torch.full((3,), 0.6)], 1)[None]  # (1, 3, 3)
    agreeing = cone[:, :1].expand(1, 3, 3)
    text = torch.tensor([[0.0, 0.0, 1.0]])

    def loss(views, reading):
        return losses.multiview(views, text, temperature=1.0, reading=reading).item()

    assert loss(agreeing, "4A") == pytest.approx(0.4, abs=1e-6)
    assert loss(cone, "4A") == pytest.approx(0.0, abs=1e-6)
    assert loss(cone, "4C") == pytest.approx(loss(agreeing, "4C"), abs=1e-6)
    assert loss(cone, "4D") - loss(cone, "4B") == pytest.approx(3 * (1 - 0.04), abs=1e-6)
    assert loss(agreeing, "4D") == pytest.approx(loss(agreeing, "4B"), abs=1e-6)


def test_order_of_views_and_samples_and_lengths_of_rows_do_not_matter(views, text):
    def total(v, t, labels, reading):
        of_4 = losses.Reading(losses.Readings(multiview=reading))
        learnt = losses.Learnt(1.0, 0.0, QUERY)
        return losses.objective(v, t, temperature=TAU, labels=labels, reading=of_4, learnt=learnt).total

    order = torch.tensor([3, 1, 5, 0, 2, 4])
    lengths = draw(BATCH, VIEWS, 1, seed=2).exp() * 1e6
    for reading in losses.READINGS.multiview:
        expected = total(views, text, LABELS, reading)
        for v, t, labels in (
            (views[:, [2, 0, 1]], text, LABELS),
            (views[order], text[order], LABELS[order]),
            (views * lengths, text / 1e9, LABELS),
        ):
            torch.testing.assert_close(total(v, t, labels, reading), expected, rtol=0, atol=1e-12)


def test_contrastive_equals_open_clip(views, text):
    from open_clip.loss import ClipLoss

    image = torch.nn.functional.normalize(views[:, 0], dim=1)
    text = torch.nn.functional.normalize(text, dim=1)
    theirs = ClipLoss()(image, text, logit_scale=torch.tensor(1 / TAU))
    torch.testing.assert_close(losses.contrastive(image, text, temperature=TAU).loss, theirs, rtol=0, atol=1e-12)


def test_pairs_are_siglip_over_views(views):
    """The sum over P and N is SigLIP with t = 1, b = 0 on every two views, where samples are their own classes.

    SigLIP on views a and b sums over all ordered samples and divides by B; with a = b its diagonal holds s = 1.
    """
    from open_clip.loss import SigLipLoss

    siglip = SigLipLoss()
    unit = torch.nn.functional.normalize(views, dim=2)
    scale, bias = torch.tensor(1.0), torch.tensor(0.0)
    theirs = sum(
        BATCH * siglip(unit[:, a], unit[:, b], scale, bias) for a in range(VIEWS) for b in range(VIEWS)
    ) - VIEWS * BATCH * math.log1p(math.exp(-1))
    positives = BATCH * VIEWS * (VIEWS - 1)  # ordered, as theirs
    negatives = BATCH * (BATCH - 1) * VIEWS**2
    ours = positives * losses.positive_loss(views)
    ours = ours + negatives * losses.negative_loss(views, labels=torch.arange(BATCH))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("reading", losses.READINGS.negative)
def test_a_batch_without_negatives_costs_nothing(views, reading):
    views.requires_grad_()
    options = {"reading": reading, "temperature": TAU}
    for labels, subjects in ((torch.zeros(BATCH), None), (torch.arange(BATCH), torch.zeros(BATCH))):
        subjects = None if subjects is None else subjects.long()
        loss = losses.negative_loss(views, labels=labels.long(), subjects=subjects, **options)
        (grad,) = torch.autograd.grad(loss, views)
        assert loss == 0 and not grad.any()


def test_each_part_moves_only_what_it_may(views, text):
    inputs = [views.requires_grad_(), text.requires_grad_(), torch.tensor(TAU, requires_grad=True)]
    for use, moved in ((("pairs",), [True, False, False]), (("contrastive",), [True, True, True])):
        total = losses.objective(*inputs[:2], temperature=inputs[2], labels=LABELS, use=use).total
        grads = torch.autograd.grad(total, inputs, allow_unused=True)
        assert [grad is not None and bool(grad.any()) for grad in grads] == moved


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_is_computed_in_float32(views, text, dtype, autocast):
    views, text = views.to(dtype), text.to(dtype)
    for reading in losses.READINGS.multiview:
        arguments = {"temperature": 0.01, "labels": LABELS, "learnt": losses.Learnt(100.0, 0.0, QUERY.to(dtype))}
        arguments["reading"] = losses.Reading(losses.Readings(multiview=reading))
        exact = losses.objective(views.double(), text.double(), **arguments).total
        half = views.clone().requires_grad_()
        with torch.autocast("cpu", dtype=dtype, enabled=autocast):
            terms = losses.objective(half, text, **arguments)
        terms.total.backward()
        assert terms.total.dtype == torch.float32
        torch.testing.assert_close(terms.total.double(), exact, rtol=1e-5, atol=0)
        assert half.grad.isfinite().all() and half.grad.any()
