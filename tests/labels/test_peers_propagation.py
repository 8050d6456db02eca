"""ZLaP and ReCLIP's propagation against loops and dense solves, and at the limits where their solutions are known."""

import numpy as np
import pytest

from mvlm.labels.peers import propagation
from mvlm.labels.refined import posterior
from tests.labels.crowd import crowd, near, softmax, unit

SMALL = {"people": 3, "classes": 4, "width": 6, "shift": 1.0}


def naive_solution(weights, texts, spread):
    degrees = weights.sum(1)
    scaled = np.zeros(weights.shape)
    for i, j in np.argwhere(weights > 0):
        scaled[i, j] = weights[i, j] / np.sqrt(degrees[i] * degrees[j])
    return np.linalg.solve(np.eye(len(weights)) - spread * scaled, np.eye(len(weights))[:, -texts:])


def naive_zlap(rows, texts, subjects=None):
    samples, count = len(rows), len(texts)
    edges = np.zeros((samples + count,) * 2)
    for i, row in enumerate(rows):
        own = None if subjects is None else subjects[i]
        for j in near(rows, row, 5, subjects=subjects, own=own, leave=i):
            edges[i, j] = max(row @ rows[j], 0)
        for k in near(texts, row, 5):
            edges[i, samples + k] = max(row @ texts[k], 0) ** 5
    return naive_solution(edges + edges.T, count, 0.3)


def naive_reclip(rows, texts, subjects=None):
    """In the wide space: projection by a matrix (D, D)."""
    directions = np.linalg.svd(texts.T)[0][:, 1 : len(texts)]
    projected = [unit(directions @ (directions.T @ node)) for node in [*rows, *texts]]
    owners = None if subjects is None else [*subjects, *(f"text {k}" for k in range(len(texts)))]
    edges = np.zeros((len(projected),) * 2)
    for i, node in enumerate(projected):
        for j in near(projected, node, 20, subjects=owners, own=owners and owners[i], leave=i):
            edges[i, j] = (1 + node @ projected[j]) / 2
    solution = naive_solution((edges + edges.T) / 2, len(texts), 0.99)
    return solution, np.array(projected), directions


def distribution(scores):
    return scores / scores.sum(1, keepdims=True)


@pytest.mark.parametrize("who", ["nobody", "known"])
def test_zlap_in_loops_gives_the_same(who):
    rows, texts, _, subjects = crowd(**SMALL, identity=2.0)
    subjects = subjects if who == "known" else None
    solution = naive_zlap(rows, texts, subjects)
    np.testing.assert_allclose(
        propagation.zlap(rows, texts, subjects=subjects), distribution(solution[: len(rows)]), rtol=1e-7
    )
    new = crowd(1, **SMALL).rows[:6]
    scores = []
    for row in new:
        images = sum(max(row @ rows[j], 0) * solution[j] for j in near(rows, row, 5))
        scores.append(images + sum(max(row @ text, 0) ** 5 * solution[len(rows) + k] for k, text in enumerate(texts)))
    found = propagation.zlap_inductive(rows, new, texts, subjects=subjects)
    np.testing.assert_allclose(found, distribution(np.array(scores)), rtol=1e-7)


def test_zlap_links_to_the_nearest_texts_where_there_are_more_than_neighbours():
    rows, texts, *_ = crowd(people=2, classes=7, width=6, shift=1.0)
    found = propagation.zlap(rows, texts)
    np.testing.assert_allclose(found, distribution(naive_zlap(rows, texts)[: len(rows)]), rtol=1e-7)


@pytest.mark.parametrize("who", ["nobody", "known"])
def test_reclip_in_loops_gives_the_same(who):
    rows, texts, _, subjects = crowd(**SMALL)
    subjects = np.array(["ann", "bob", "cy"])[subjects] if who == "known" else None
    solution, projected, directions = naive_reclip(rows, texts, subjects)
    expected = distribution(solution[: len(rows)])
    np.testing.assert_allclose(propagation.reclip(rows, texts, subjects=subjects), expected, rtol=1e-7)
    new, own = crowd(1, **SMALL).rows[:6], expected.argmax(1)
    means = [
        unit(projected[: len(rows)][own == k].mean(0)) if (own == k).any() else projected[len(rows) + k]
        for k in range(4)
    ]
    judged = [softmax([100 * unit(directions @ (directions.T @ row)) @ mean for mean in means]) for row in new]
    found = propagation.reclip_inductive(rows, new, texts, subjects=subjects)
    np.testing.assert_allclose(found, judged, rtol=1e-6, atol=1e-12)


def test_without_image_neighbours_zlap_is_a_walk_between_images_and_texts():
    """F = (I - a^2 B B^T)^-1 a B at the images, for B the scaled edges of images to texts."""
    rows, texts, *_ = crowd(**SMALL)
    edges = np.maximum(rows @ texts.T, 0) ** 5
    scaled = edges / np.sqrt(edges.sum(1, keepdims=True) * edges.sum(0))
    walk = np.linalg.solve(np.eye(len(rows)) - 0.3**2 * scaled @ scaled.T, 0.3 * scaled)
    found = propagation.zlap(rows, texts, subjects=np.zeros(len(rows)))
    np.testing.assert_allclose(found, distribution(walk), rtol=1e-7)


def test_a_short_spread_leaves_the_edges_to_the_texts(monkeypatch):
    monkeypatch.setattr(propagation, "ZLAP_SPREAD", 1e-6)
    rows, texts, *_ = crowd(**SMALL)
    edges = np.maximum(rows @ texts.T, 0) ** 5
    expected = distribution(edges / np.sqrt(edges.sum(0)))
    np.testing.assert_allclose(propagation.zlap(rows, texts), expected, atol=1e-4)


def test_equal_similarities_are_uniform():
    rows, texts = np.tile(np.ones(5), (8, 1)), np.eye(5)[:4]
    np.testing.assert_allclose(propagation.zlap(rows, texts), 1 / 4)
    np.testing.assert_allclose(propagation.zlap_inductive(rows, rows[:2], texts), 1 / 4)


def test_what_no_text_reaches_keeps_its_zero_shot_probabilities():
    rows = np.concatenate([np.eye(4)[:2].repeat(6, 0), -np.eye(4)[[0]].repeat(6, 0) - 0.1 * np.eye(4)[1]])
    texts = np.eye(4)[:2]
    found = propagation.zlap(rows, texts)
    np.testing.assert_array_equal(found[12:], posterior(unit(rows[12:]), texts, temperature=0.01))
    assert found[:12].argmax(1).tolist() == [0] * 6 + [1] * 6


def test_the_projection_takes_what_all_texts_share():
    rows, texts, *_ = crowd(shift=0.0)
    common = np.random.default_rng(2).normal(size=64)
    projected, _ = propagation._projected(rows + common, texts + 50 * common)
    again, _ = propagation._projected(rows, texts + 50 * common)
    np.testing.assert_allclose(projected @ projected.T, again @ again.T, atol=0.05)
    assert projected.shape == (480, 5)
    centred, _ = propagation._projected(rows, texts - texts.mean(0))  # five directions are left, the first goes
    assert centred.shape == (480, 4)
    with pytest.raises(ValueError, match=r"prototypes \(2, 3\) span one direction only"):
        propagation.reclip(np.eye(3), np.array([[1.0, 0, 0], [-2, 0, 0]]))
    with pytest.raises(ValueError, match=r"projected rows \(3, 1\): the row at \(0,\)"):
        propagation.reclip(np.eye(3)[[2, 1, 1]], np.eye(3)[:2])
