"""TransCLIP and StatA against loops, and at the limits where their solutions are known."""

import numpy as np
import pytest

from mvlm.labels.peers import mixtures
from mvlm.labels.refined import posterior
from tests.labels.crowd import crowd, near, softmax, unit

SMALL = {"people": 3, "classes": 4, "width": 6, "shift": 1.0}


def naive_graph(rows, subjects):
    weights = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        own = None if subjects is None else subjects[i]
        for j in near(rows, row, 3, subjects=subjects, own=own, leave=i):
            weights[i, j] = row @ rows[j]
    return weights


def naive_z(rows, y, means, variances, weights, z, logs):
    """Ten in all: l, then five updates of z, each of all samples at once."""
    samples, count = y.shape
    density = np.zeros((samples, count))
    for i in range(samples):
        for k in range(count):
            for d in range(rows.shape[1]):
                density[i, k] -= (rows[i, d] - means[k][d]) ** 2 / variances[k][d] / 2
                density[i, k] -= np.log(variances[k][d]) / 2 if logs else 0
    for _ in range(5):
        smooth = [sum((weights[i, j] + weights[j, i]) * z[j] for j in range(samples)) for i in range(samples)]
        z = np.array([softmax(np.log(y[i]) + (density[i] + 50 / (2 * 3) * smooth[i]) / 50) for i in range(samples)])
    return z


def naive_transclip(rows, texts, subjects=None):
    samples, count = len(rows), len(texts)
    y = np.array([softmax([100 * row @ text for text in texts]) for row in rows])
    weights, z, means = naive_graph(rows, subjects), y, []
    for k in range(count):
        surest = sorted(range(samples), key=lambda i: -y[i, k])[:8]
        means.append(unit(sum(y[i, k] * rows[i] for i in surest)))
    variances = [np.full(rows.shape[1], 1 / rows.shape[1])] * count
    for _ in range(10):
        z = naive_z(rows, y, means, variances, weights, z, logs=False)
        means = [unit(sum(z[i, k] * rows[i] for i in range(samples)) / z[:, k].sum()) for k in range(count)]
        squares = sum(z[i, k] * (rows[i] - means[k]) ** 2 for i in range(samples) for k in range(count))
        variances = [squares / z.sum()] * count
    return naive_z(rows, y, means, variances, weights, z, logs=False), means, variances


def naive_stata(rows, texts, subjects=None):
    samples, count = len(rows), len(texts)
    y = np.array([softmax([100 * row @ text for text in texts]) for row in rows])
    first = sum(y[i, k] * (rows[i] - texts[k]) ** 2 for i in range(samples) for k in range(count)) / samples
    weights, z, means, variances = naive_graph(rows, subjects), y, list(texts), [first] * count
    for _ in range(10):
        z = naive_z(rows, y, means, variances, weights, z, logs=True)
        means, variances = [], []
        for k in range(count):
            n = sum(int(np.argmax(z[i])) == k for i in range(samples))
            beta, total = n / (1 + n), z[:, k].sum()
            mean = unit(beta * sum(z[i, k] * rows[i] for i in range(samples)) / total + (1 - beta) * texts[k])
            own = sum(z[i, k] * (rows[i] - mean) ** 2 for i in range(samples)) / total
            means.append(mean)
            variances.append(beta * own + (1 - beta) * (first + (texts[k] - mean) ** 2))
    return naive_z(rows, y, means, variances, weights, z, logs=True), means, variances


@pytest.mark.parametrize("who", ["nobody", "known"])
@pytest.mark.parametrize(
    ("peer", "inductive", "naive"),
    [
        (mixtures.transclip, mixtures.transclip_inductive, naive_transclip),
        (mixtures.stata, mixtures.stata_inductive, naive_stata),
    ],
)
def test_the_equations_in_loops_give_the_same(peer, inductive, naive, who):
    rows, texts, _, subjects = crowd(**SMALL)
    subjects = subjects if who == "known" else None
    expected, means, variances = naive(rows, texts, subjects)
    np.testing.assert_allclose(peer(rows, texts, subjects=subjects), expected, rtol=1e-7, atol=1e-12)
    new = crowd(1, **SMALL).rows[:5]
    logs = peer is mixtures.stata
    judged = []
    for row in new:
        y = np.log(softmax([100 * row @ text for text in texts]))
        squares = [
            sum((row - mean) ** 2 / var + logs * np.log(var)) for mean, var in zip(means, variances, strict=True)
        ]
        judged.append(softmax(y - np.array(squares) / 100))
    np.testing.assert_allclose(inductive(rows, new, texts, subjects=subjects), judged, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("peer", [mixtures.transclip, mixtures.stata])
def test_without_density_and_neighbours_zero_shot_is_unchanged(peer, monkeypatch):
    rows, texts, *_ = crowd(**SMALL)
    monkeypatch.setattr(mixtures, "SOFTNESS", np.inf)
    zero_shot = posterior(rows, texts, temperature=0.01)
    alone = np.zeros(len(rows))  # all are one person, so that nobody has a neighbour
    np.testing.assert_allclose(peer(rows, texts, subjects=alone), zero_shot, rtol=1e-9, atol=1e-15)
    assert np.abs(peer(rows, texts) - zero_shot).max() > 1e-3


def test_transclip_without_texts_and_neighbours_is_k_means_with_a_scale_for_each_dimension(monkeypatch):
    monkeypatch.setattr(mixtures, "TEXT", 0.0)
    monkeypatch.setattr(mixtures, "SOFTNESS", 1e-6)  # hard assignments
    rows, texts, *_ = crowd(**SMALL)
    y = posterior(rows, texts, temperature=0.01)
    surest = [np.argsort(-y[:, k])[:8] for k in range(4)]
    means = np.stack([unit(y[best, k] @ rows[best]) for k, best in enumerate(surest)])
    scale = np.full(6, 1 / 6)
    for _ in range(10):
        own = (((rows[:, None] - means) ** 2) / scale).sum(2).argmin(1)
        means = np.stack([unit(rows[own == k].mean(0)) for k in range(4)])
        scale = ((rows - means[own]) ** 2).mean(0)
    found = mixtures.transclip(rows, texts, subjects=np.zeros(len(rows)))
    np.testing.assert_array_equal(found.argmax(1), (((rows[:, None] - means) ** 2) / scale).sum(2).argmin(1))
    np.testing.assert_allclose(found.max(1), 1)


def test_stata_of_endless_trust_in_texts_keeps_its_first_gaussians(monkeypatch):
    monkeypatch.setattr(mixtures, "ANCHOR", np.inf)
    rows, texts, *_ = crowd(**SMALL)
    y = posterior(rows, texts, temperature=0.01)
    variance = np.einsum("ik,ikd->d", y, (rows[:, None] - texts) ** 2) / len(rows)
    odds = y * np.exp(-((rows[:, None] - texts) ** 2 / variance).sum(2) / 100)
    found = mixtures.stata(rows, texts, subjects=np.zeros(len(rows)))
    np.testing.assert_allclose(found, odds / odds.sum(1, keepdims=True), rtol=1e-9)


def test_a_class_that_nobody_shows_stays_at_its_text_in_stata_alone():
    rows, texts, classes, _ = crowd(identity=0.3, noise=0.3, shift=1.0, texts=0.1)
    rows = rows[classes < 2]
    y = posterior(rows, texts, temperature=0.01)
    assert set(y.argmax(1)) <= {0, 1}
    gaussians, log_z = mixtures._stata(rows, texts, None, 0.01)
    assert set(log_z.argmax(1)) <= {0, 1}
    np.testing.assert_allclose(gaussians.means[2:], texts[2:], atol=1e-12)
    wandered, _ = mixtures._transclip(rows, texts, None, 0.01)
    assert ((wandered.means * texts).sum(1)[2:] < 0.9).all()


def test_equal_similarities_are_uniform_but_that_stata_counts_them_for_the_first_class():
    rows, texts = np.ones((9, 4)), np.eye(4)[:3]
    np.testing.assert_allclose(mixtures.transclip(rows, texts), 1 / 3)
    found = mixtures.stata(rows, texts)
    np.testing.assert_allclose(found[:, 1], found[:, 2])
    assert (found[:, 0] > found[:, 1]).all()


def test_a_dimension_in_which_no_row_differs_says_nothing():
    rows, texts, *_ = crowd(**SMALL)
    flat_rows, flat_texts = (np.pad(x, ((0, 0), (0, 1))) for x in (rows, texts))
    for peer in (mixtures.transclip, mixtures.stata):
        np.testing.assert_allclose(peer(flat_rows, flat_texts), peer(rows, texts), rtol=1e-6, atol=1e-9)
