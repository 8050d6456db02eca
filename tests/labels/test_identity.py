"""Relabelling against loops, at its limits, and on faces whose people, classes and noise were planted."""

import math

import numpy as np
import pytest

from mvlm.labels import identity
from mvlm.labels.identity import (
    Discriminant,
    balanced_within,
    centred_on_few,
    centred_on_subjects,
    discriminant_for_few,
    moved_by_balance,
    own_scans,
    relabel,
)
from mvlm.labels.naming import Prompts

C, D, TAU = 4, 24, 0.07


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


class Faces:
    """People of `scans` scans a class: a class effect, a larger effect of the person, and noise along few directions.

    Prompts lie beside the classes' directions, far off, and shifted as texts are from images.
    """

    def __init__(self, people=20, scans=2, seed=0, classes=C):
        rng = np.random.default_rng(seed)
        effect = rng.normal(size=(C, D))
        directions = np.linalg.qr(rng.normal(size=(D, D)))[0] * np.geomspace(6, 0.3, D)
        self.truth = np.tile(np.repeat(np.arange(classes), scans), people)
        self.subjects = np.repeat([f"F{n:03d}" for n in range(people)], classes * scans)
        person = np.repeat(3.5 * rng.normal(size=(people, D)), classes * scans, axis=0)
        noise = 0.6 * rng.normal(size=(len(person), D)) @ directions.T
        self.rows = unit(5 + effect[self.truth] + person + noise)
        text = effect + 2 * rng.normal(size=(3, C, D)) - 4
        self.prompts = Prompts(unit(text.reshape(-1, D)), np.tile(np.arange(C), 3), TAU)

    def right(self, labels):
        return (labels == self.truth).mean()


@pytest.fixture(scope="module")
def faces():
    return Faces()


def softmax(logits):
    odds = [math.exp(x - max(logits)) for x in logits]
    return [x / sum(odds) for x in odds]


def test_the_mean_of_each_subject_is_removed_by_loops(faces):
    rows, subjects = faces.rows[:24], faces.subjects[[*range(23), 50]]  # of the last subject, one scan
    found = centred_on_subjects(rows, subjects)
    for i in range(24):
        own = [rows[j] for j in range(24) if subjects[j] == subjects[i]]
        left = rows[i] - (sum(own) / len(own) if len(own) > 1 else sum(rows) / 24)
        np.testing.assert_allclose(found[i], left / math.sqrt(sum(left**2)), atol=1e-12)
    views = np.stack([rows, rows[::-1], rows**2], axis=1)  # each view is centred by itself
    of_views = centred_on_subjects(views, subjects)
    for v in range(3):
        np.testing.assert_array_equal(of_views[:, v], centred_on_subjects(views[:, v], subjects))
    away = np.ones(D)
    np.testing.assert_allclose(centred_on_subjects(rows[:1], subjects[:1], away)[0], unit(rows[0] - away))


def test_few_own_scans_are_shrunk_by_loops(faces):
    rows, mean = faces.rows[:16], faces.rows.mean(0)
    for count in (1, 2, 4):
        beside = own_scans(faces.subjects[:16], count, seed=0)
        found = centred_on_few(rows, beside, mean)
        for i in range(16):
            assert beside[i, 0] == i and len(set(beside[i])) == count
            assert {faces.subjects[j] for j in beside[i]} == {faces.subjects[i]}
            own = sum(rows[j] for j in beside[i]) / count
            left = rows[i] - mean - (count - 1) / count * (own - mean)
            np.testing.assert_allclose(found[i], unit(left), atol=1e-12)
    alone = centred_on_few(rows, np.arange(16)[:, None], mean)  # knows nothing of who is shown
    np.testing.assert_allclose(alone, unit(rows - mean))
    many = np.concatenate([np.zeros((16, 8), int) + np.arange(8), np.arange(8, 16) * np.ones((16, 1), int)], 1)
    many = np.tile(many, 200)
    np.testing.assert_allclose(centred_on_few(rows, many, mean), centred_on_subjects(rows, ["A"] * 16), atol=1e-2)
    with pytest.raises(ValueError, match="subject F001: expected 9 scans or more, found 8"):
        own_scans(["F000"] * 9 + ["F001"] * 8, 9, seed=0)


@pytest.mark.parametrize("exponent", [0.8, 1.0])
def test_balance_inside_subjects_by_loops(exponent):
    rng = np.random.default_rng(1)
    p = rng.random((14, 3)) ** 4 + 1e-4
    p /= p.sum(1, keepdims=True)
    subjects = np.array(["a", "b"] * 6 + ["b", "c"])
    expected = np.empty_like(p)
    for subject in "abc":
        own = [i for i in range(14) if subjects[i] == subject]
        u = [1.0] * 3
        for _ in range(50):
            q = [[p[i, c] * u[c] / sum(p[i, k] * u[k] for k in range(3)) for c in range(3)] for i in own]
            share = [sum(row[c] for row in q) * 3 / len(own) for c in range(3)]
            u = [(u[c] / share[c]) ** exponent for c in range(3)]
        expected[own] = q if len(own) > 1 else p[own]
    found = balanced_within(p, subjects, exponent)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found.sum(1), 1)
    of_b = found[subjects == "b"].mean(0) * 3
    if exponent == 1:
        np.testing.assert_allclose(of_b, 1, atol=1e-4)
    else:  # between the shares that the probabilities give and equal ones
        before = p[subjects == "b"].mean(0) * 3
        assert 0.01 < np.abs(of_b - 1).max() < np.abs(before - 1).max()
    np.testing.assert_array_equal(balanced_within(p, subjects, 0.0), p)


def test_what_is_balanced_or_impossible_stays_so():
    single = np.array([[0.2, 0.5, 0.3], [0.1, 0.8, 0.1]])  # one scan each: nothing to share
    np.testing.assert_allclose(balanced_within(single, np.array(["a", "b"]), 1.0), single)
    even = np.full((6, 3), 1 / 3)
    np.testing.assert_allclose(balanced_within(even, np.zeros(6), 1.0), even)
    one = np.tile([1.0, 0.0], (4, 1))
    np.testing.assert_array_equal(balanced_within(one, np.zeros(4), 1.0), one)
    far = np.array([[1 - 1e-200, 1e-200], [1 - 1e-250, 1e-250]])  # nearly impossible is possible
    assert balanced_within(far, np.zeros(2), 1.0).argmax(1).tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"expected rows \(N, ..., D\) and subjects \(N,\), got \(4, 2\) and \(3,\)"):
        balanced_within(one, np.zeros(3), 1.0)


def test_the_discriminant_by_loops():
    rng = np.random.default_rng(2)
    rows, labels = rng.normal(size=(40, 5)) * [3, 1, 1, 1, 0.2], np.arange(40) % 3
    rows[:, 4] += 0.3 * labels
    means = [sum(rows[labels == c]) / (labels == c).sum() for c in range(3)]
    about = [rows[i] - means[labels[i]] for i in range(40)]
    outer = [np.outer(x, x) for x in about]
    pooled = sum(outer) / 40
    centre = np.trace(pooled) / 5 * np.eye(5)
    apart = ((pooled - centre) ** 2).sum()
    noise = min(sum(((x - pooled) ** 2).sum() for x in outer) / 40**2, apart)  # Ledoit and Wolf (2004)
    covariance = (1 - noise / apart) * pooled + noise / apart * centre
    found = Discriminant.fit(rows, labels, 3)
    for x, posterior in zip(rows, found.posterior(rows), strict=True):
        distance = [(x - mean) @ np.linalg.inv(covariance) @ (x - mean) for mean in means]
        np.testing.assert_allclose(posterior, softmax([-d / 2 for d in distance]), atol=1e-10)
    assert (found.predict(rows) == labels).mean() > 0.6  # along the direction that varies least
    few = Discriminant.fit(rows[labels < 2], labels[labels < 2], 3)
    assert set(few.predict(rows)) == {0, 1} and (few.posterior(rows)[:, 2] == 0).all()
    with pytest.raises(ValueError, match="2 samples of 3 classes: no class has two different ones"):
        Discriminant.fit(rows[:2], labels[:2], 3)
    with pytest.raises(ValueError, match=r"labels \(N,\) of 2 classes"):
        Discriminant.fit(rows, labels, 2)


@pytest.mark.parametrize("degree", identity.EXPONENTS)
def test_relabelling_by_loops(faces, degree):
    n = 40
    rows, subjects = faces.rows[:n], faces.subjects[:n]
    x = centred_on_subjects(rows, subjects)
    text, classes = faces.prompts.text, faces.prompts.classes
    prototypes = [unit(np.mean([text[i] for i in range(12) if classes[i] == c], axis=0)) for c in range(C)]
    wanted = [unit(t - sum(prototypes) / C) for t in prototypes]
    p = np.array([softmax([row @ t / TAU for t in wanted]) for row in x])
    labels, rounds = None, 0
    while True:
        new = balanced_within(p, subjects, identity.EXPONENTS[degree]).argmax(1).tolist()
        if new == labels:
            break
        labels, rounds = new, rounds + 1
        p = Discriminant.fit(x, np.array(labels), C).posterior(x)
    found = relabel(rows, subjects, faces.prompts, degree=degree)
    assert found.labels.tolist() == labels and found.rounds == rounds < identity.ROUNDS
    np.testing.assert_allclose(found.posterior, p, atol=1e-10)


def test_without_the_person_prompts_suffice_and_without_the_right_persons_nothing_does(faces):
    """Whoever knows the subjects labels nearly all right; with other subjects the gain is gone."""
    centred = unit(faces.rows - faces.rows.mean(0))
    prototypes = faces.prompts.prototypes()
    prototypes = prototypes - prototypes.mean(0)
    plain = faces.right((centred @ prototypes.T).argmax(1))
    without = faces.right((centred_on_subjects(faces.rows, faces.subjects) @ prototypes.T).argmax(1))
    who, spread, shares = (
        faces.right(relabel(faces.rows, faces.subjects, faces.prompts, degree=degree).labels)
        for degree in ("who", "spread", "shares")
    )
    assert plain + 0.2 < without < 0.85 and min(who, spread, shares) > 0.95
    rng = np.random.default_rng(3)
    for degree in identity.EXPONENTS:
        wrong = relabel(faces.rows, rng.permutation(faces.subjects), faces.prompts, degree=degree)
        assert faces.right(wrong.labels) < plain + 0.05


def test_strangers_are_read_by_what_they_bring():
    faces = Faces(30)
    train, test = slice(0, 160), slice(160, 240)
    subjects, mean = faces.subjects[train], faces.rows[train].mean(0)
    found = relabel(faces.rows[train], subjects, faces.prompts, degree="shares")
    of_all = found.discriminant.predict(centred_on_subjects(faces.rows[test], faces.subjects[test], mean))
    few = discriminant_for_few(faces.rows[train], subjects, found.labels, C)
    right = []
    for count in (1, 2, 4, 8):
        beside = own_scans(faces.subjects[test], count, seed=0)
        said = few.predict(centred_on_few(faces.rows[test], beside, mean))
        right.append((said == faces.truth[test]).mean())
    assert 0.4 < right[0] < right[2] < right[3] and (of_all == faces.truth[test]).mean() > 0.95


def test_no_stranger_changes_what_another_one_is_told(faces):
    rows, subjects, mean = faces.rows.copy(), faces.subjects, np.full(D, 0.1)
    found = centred_on_subjects(rows, subjects, mean)
    beside = own_scans(subjects, 3, seed=1)
    few = centred_on_few(rows, beside, mean)
    changed = subjects == "F003"
    rows[changed] = unit(np.random.default_rng(0).normal(size=(changed.sum(), D)))
    np.testing.assert_array_equal(centred_on_subjects(rows, subjects, mean)[~changed], found[~changed])
    np.testing.assert_array_equal(centred_on_few(rows, beside, mean)[~changed], few[~changed])
    fewer = np.flatnonzero(subjects != "F003")  # nor who stands beside whom
    np.testing.assert_array_equal(fewer[own_scans(subjects[fewer], 3, seed=1)], beside[fewer])


def test_the_same_bytes_twice(faces):
    one, two = (relabel(faces.rows, faces.subjects, faces.prompts, degree="spread") for _ in range(2))
    assert [x.tobytes() for x in (one.labels, one.posterior, *one.discriminant)] == [
        x.tobytes() for x in (two.labels, two.posterior, *two.discriminant)
    ]
    renamed = relabel(faces.rows, np.char.add("x", faces.subjects), faces.prompts, degree="spread")
    np.testing.assert_array_equal(one.labels, renamed.labels)  # a name is nothing but a name


def test_limits(faces):
    one = relabel(faces.rows[:8], faces.subjects[:8], faces.prompts, degree="shares")  # one subject
    assert np.bincount(one.labels).tolist() == [2] * C
    lone = relabel(faces.rows, np.arange(len(faces.rows)), faces.prompts, degree="who")  # one scan each
    whole = relabel(faces.rows, np.zeros(len(faces.rows)), faces.prompts, degree="who")
    np.testing.assert_array_equal(lone.labels, whole.labels)  # as if all were one person
    single = Prompts(faces.prompts.text[:1], np.array([0]), TAU)  # one class
    found = relabel(faces.rows, faces.subjects, single, degree="shares")
    assert not found.labels.any() and (found.posterior == 1).all() and found.rounds == 1
    with pytest.raises(ValueError, match="rows without their subject .* has no direction"):
        relabel(faces.rows[[0] * 6], ["a", "a", "b", "b", "c", "c"], faces.prompts, degree="who")
    with pytest.raises(KeyError, match="whom"):
        relabel(faces.rows, faces.subjects, faces.prompts, degree="whom")


def test_prompts_that_say_nothing_give_all_to_the_first_class(faces):
    wide = np.concatenate([faces.rows, np.zeros_like(faces.rows)], 1)  # texts lie where no image varies
    text = np.concatenate([np.zeros_like(faces.prompts.text), faces.prompts.text], 1)
    for degree in identity.EXPONENTS:
        found = relabel(wide, faces.subjects, Prompts(text, faces.prompts.classes, TAU), degree=degree)
        assert not found.labels.any() and (found.posterior[:, 0] == 1).all() and found.rounds == 1


def test_a_class_without_samples_is_never_predicted():
    faces = Faces(classes=3)  # nobody shows the fourth
    of_class = [unit((faces.rows[faces.truth == c] - faces.rows.mean(0)).mean(0)) for c in range(3)]
    text = np.zeros((4, 2 * D))
    text[:3, :D], text[3, D] = of_class, 1  # whose prompt lies where no image varies
    wide = np.concatenate([faces.rows, np.zeros_like(faces.rows)], 1)
    found = relabel(wide, faces.subjects, Prompts(text, np.arange(4), TAU), degree="who")
    assert faces.right(found.labels) > 0.95 and not found.posterior[:, 3].any()
    assert np.isneginf(found.discriminant.biases).tolist() == [False] * 3 + [True]
    assert np.isfinite(found.posterior).all() and np.isfinite(found.discriminant.weights).all()


def test_balance_moves_more_where_shares_are_not_equal(faces):
    def moved(faces):
        labels = relabel(faces.rows, faces.subjects, faces.prompts, degree="shares").labels
        return moved_by_balance(faces.rows, faces.subjects, labels, C)

    assert moved(faces) < 0.1 < moved(Faces(classes=2))
    with pytest.raises(ValueError, match="one subject"):
        moved_by_balance(faces.rows[:8], faces.subjects[:8], faces.truth[:8], C)


def test_two_copies_of_one_scan_are_no_expression(faces):
    """As two batches encode them: apart by the rounding of float32, which has no direction that means anything."""
    rows = faces.rows[:8].astype(np.float32)
    copies = np.concatenate([rows, np.nextafter(rows[:1], np.float32(2))])
    subjects = np.array(["a", *"bbbbccc", "a"])
    found, mean = centred_on_subjects(copies, subjects), copies.mean(0, dtype=np.float64)
    assert 0 < np.abs(copies[8] - copies[0]).max() < 1e-6
    np.testing.assert_allclose(found[[0, 8]], unit(copies[[0, 8]] - mean), atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_without_numbers_is_refused(faces, value):
    rows = faces.rows.copy()
    rows[9, 0] = value
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="row at .* is zero or not finite"):
        relabel(rows, faces.subjects, faces.prompts, degree="shares")
