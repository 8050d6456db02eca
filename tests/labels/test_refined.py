"""Refined pseudo-labels against loops, and on samples whose classes are known because they were planted."""

import numpy as np
import pytest

from mvlm.labels import refined
from mvlm.labels.clusters import UNUSED, Clusters, cluster_from

TAU = 0.1


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.fixture
def planted():
    """60 samples around three directions, twelve prompts around the same, each side shifted by its own vector."""
    rng = np.random.default_rng(0)
    directions = unit(rng.normal(size=(3, 16)))
    labels = rng.permutation(np.arange(60) % 3)
    rows = unit(directions[labels] + 0.15 * rng.normal(size=(60, 16)) + 2 * unit(rng.normal(size=16)))
    classes = np.repeat(np.arange(3), 4)
    text = directions[classes] + 0.15 * rng.normal(size=(12, 16)) + 2 * unit(rng.normal(size=16))
    return rows, labels, text, classes


def probabilities(samples=20, count=4, seed=1):
    found = np.random.default_rng(seed).random((samples, count)) ** 3 + 1e-3
    return found / found.sum(1, keepdims=True)


def test_a_classifier_of_texts_tells_images_apart_across_the_shift(planted):
    rows, labels, text, classes = planted
    found = refined.text_classifier(rows, text, classes)
    np.testing.assert_allclose(found.sum(1), 1)
    np.testing.assert_array_equal(found.argmax(1), labels)


def test_every_class_keeps_the_same_number_of_its_surest_samples():
    found = probabilities()
    kept = refined.most_confident(found)
    claims = {c: sorted(range(20), key=lambda i: -found[i, c])[:2] for c in range(4)}  # half of 20 / 4, rounded
    expected = []
    for i in range(20):
        claiming = [c for c in claims if i in claims[c]]
        expected.append(max(claiming, key=lambda c: found[i, c]) if claiming else UNUSED)
    assert kept.tolist() == expected
    one_sided = np.tile([0.9, 0.1], (8, 1)) + np.linspace(0, 0.05, 8)[:, None] * [1, -1]
    assert refined.most_confident(one_sided).tolist() == [1, 1, -1, -1, -1, -1, 0, 0]


def test_balance_is_reached_by_scaling_rows_and_columns():
    found = probabilities()
    balanced = refined.balanced(found)
    np.testing.assert_allclose(balanced.sum(1), 1)
    np.testing.assert_allclose(balanced.sum(0), 5, rtol=1e-8)
    log_scale = np.log(balanced / found)  # a number of the row plus one of the column
    np.testing.assert_allclose(log_scale - log_scale[:1] - log_scale[:, :1] + log_scale[0, 0], 0, atol=1e-8)
    np.testing.assert_allclose(refined.balanced(np.full((6, 3), 1 / 3)), 1 / 3)


def test_consensus_agrees_where_clusters_do_and_is_split_where_they_do_not(planted):
    rows, labels, text, classes = planted
    votes = refined.consensus(rows, text, classes, seed=0)
    np.testing.assert_allclose(votes.sum(1), 1)
    np.testing.assert_array_equal(votes.argmax(1), labels)
    assert votes.max(1).mean() > 0.95
    np.testing.assert_array_equal(votes, refined.consensus(rows, text, classes, seed=0))
    noise = unit(np.random.default_rng(3).normal(size=(60, 16)))
    assert refined.consensus(noise, text, classes, seed=0).max(1).mean() < 0.9


def test_clusters_that_start_at_the_prompts_need_no_name(planted):
    rows, labels, text, classes = planted
    np.testing.assert_array_equal(refined.seeded(rows, text, classes).assignment, labels)
    with pytest.raises(ValueError, match=r"centres \(C, D\), got \(60, 16\), \(3, 4\)"):
        cluster_from(rows, np.ones((3, 4)))
    with pytest.raises(ValueError, match="between 1 and 2 clusters"):
        cluster_from(np.eye(16)[[0, 0, 1]], rows[:3])


def test_smoothing_is_the_mean_over_a_sample_and_its_neighbours(planted, monkeypatch):
    monkeypatch.setattr(refined, "NEIGHBOURS", 4)
    rows, *_ = planted
    found = probabilities(60, 3)
    for i, smooth in enumerate(refined.smoothed(rows, found)):
        near = sorted((j for j in range(60) if j != i), key=lambda j: -rows[i] @ rows[j])[:4]
        np.testing.assert_allclose(smooth, found[[i, *near]].mean(0))
    few = refined.smoothed(rows[:3], found[:3])  # fewer than are asked for: all of them
    np.testing.assert_allclose(few, np.tile(found[:3].mean(0), (3, 1)))


def test_a_label_is_trusted_as_far_as_its_class_stands_apart(planted):
    rows, labels, *_ = planted
    wrong = labels.copy()
    wrong[:4] = (labels[:4] + 1) % 3
    trust = refined.trust(rows, wrong, temperature=TAU)
    assert ((trust > 0) & (trust <= 1)).all() and trust[:4].max() < 0.5 < np.median(trust[4:])
    x = rows - rows.mean(0)
    means = np.stack([unit(unit(x)[wrong == c].mean(0)) for c in range(3)])
    odds = np.exp(unit(x) @ means.T / TAU)
    np.testing.assert_allclose(trust, odds[np.arange(60), wrong] / odds.sum(1))
    gap = np.where(wrong == 1, 2, wrong)  # a class that no sample has
    assert refined.trust(rows, gap, temperature=TAU).shape == (60,)


def test_probabilities_of_clusters_stand_under_their_names():
    rng = np.random.default_rng(5)
    rows = unit(rng.normal(size=(30, 6)))
    centres = unit(rng.normal(size=(3, 6)))
    clusters, names = Clusters((rows @ centres.T).argmax(1), centres, 0.0), np.array([2, 0, 1])
    found = refined.of_clusters(rows, clusters, names, temperature=TAU)
    mean = rows.mean(0)
    cosines = unit(rows - mean) @ unit(centres - mean).T
    for cluster, name in enumerate(names):
        np.testing.assert_allclose(found[:, name], np.exp(cosines[:, cluster] / TAU) / np.exp(cosines / TAU).sum(1))


def test_a_product_is_high_only_where_both_are():
    a, b = np.array([[0.5, 0.4, 0.1]]), np.array([[0.1, 0.8, 0.1]])
    np.testing.assert_allclose(refined.product(a, b), [[0.05 / 0.38, 0.32 / 0.38, 0.01 / 0.38]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: refined.most_confident(np.ones((4, 2))), r"rows that sum to 1, got shape \(4, 2\)"),
        (lambda: refined.product(np.ones(3) / 3, np.ones(3) / 3), r"probabilities \(N, C\).*got shape \(3,\)"),
        (lambda: refined.balanced(np.eye(3)), "positive probability"),
        (lambda: refined.smoothed(np.eye(2), np.array([[2.0, -1], [0, 1]])), "probabilities"),
    ],
)
def test_what_is_no_probability_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
