"""OTTER against brute force and a linear programme, EM-Dirichlet against loops; limits of both."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from scipy.special import gammaln, psi

from mvlm.labels.peers import assignment, dirichlet
from mvlm.labels.refined import posterior
from tests.labels.crowd import crowd, softmax

THREE = {"people": 4, "classes": 3, "width": 16, "shift": 2.0}
STEPS = 30  # of majorisation


def likelihoods(rows, texts):
    return np.array([np.log(softmax([100 * row @ text for text in texts])) for row in rows])


@pytest.mark.parametrize("shares", [[1 / 3, 1 / 3, 1 / 3], [0.5, 0.4, 0.1], [0.62, 0.0, 0.38], [0.0, 1.0, 0.0]])
@pytest.mark.parametrize("seed", range(3))
def test_no_assignment_with_these_shares_is_likelier(shares, seed):
    rows, texts, *_ = crowd(seed, people=1, classes=3, width=4, shift=1.0, noise=2.0)
    rows = np.concatenate([rows, rows[:1]])  # seven samples: no share but 0 and 1 is whole
    value, due = likelihoods(rows, texts), 7 * np.array(shares)
    best = max(
        (
            classes
            for classes in product(range(3), repeat=7)
            if all(np.floor(d) <= classes.count(k) <= np.ceil(d) for k, d in enumerate(due))
        ),
        key=lambda classes: sum(value[i, k] for i, k in enumerate(classes)),
    )
    found = assignment.otter(rows, texts, shares)
    np.testing.assert_array_equal(found.sum(1), 1)
    chosen = found.argmax(1)
    assert value[np.arange(7), chosen].sum() == pytest.approx(sum(value[i, k] for i, k in enumerate(best)))
    assert (np.abs(found.sum(0) - due) < 1).all()


def test_whole_shares_give_the_optimal_transport():
    rows, texts, *_ = crowd(people=5)
    value = likelihoods(rows, texts)
    samples, count = value.shape
    of_rows, of_classes = np.kron(np.eye(samples), np.ones(count)), np.kron(np.ones(samples), np.eye(count))
    sums = np.concatenate([np.ones(samples), np.full(count, samples / count)])
    least = linprog(-value.ravel(), A_eq=np.concatenate([of_rows, of_classes]), b_eq=sums).fun
    found = assignment.otter(rows, texts, np.full(count, 1 / count))
    np.testing.assert_array_equal(found.sum(0), samples / count)
    assert -(found * value).sum() == pytest.approx(least)


def test_shares_that_zero_shot_has_already_change_nothing_and_prices_change_no_plan(monkeypatch):
    rows, texts, *_ = crowd()
    zero_shot = posterior(rows, texts, temperature=0.01).argmax(1)
    shares = np.bincount(zero_shot, minlength=6) / len(rows)
    np.testing.assert_array_equal(assignment.otter(rows, texts, shares).argmax(1), zero_shot)
    uneven = np.array([0.3, 0.22, 0.18, 0.15, 0.101, 0.049])
    plan = assignment.otter(rows, texts, uneven)
    monkeypatch.setattr(assignment, "ROUNDS", 0)
    np.testing.assert_array_equal(assignment.otter(rows, texts, uneven), plan)


def test_equal_similarities_are_shared_out():
    found = assignment.otter(np.ones((9, 4)), np.eye(4)[:3], np.full(3, 1 / 3))
    assert found.sum(0).tolist() == [3, 3, 3]


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.5, 0.6, -0.1], [0.5, 0.5, 0.5], [np.nan, 0.5, 0.5]])
def test_what_are_no_shares_is_refused(shares):
    with pytest.raises(ValueError, match="a share of each of 3 classes, of sum 1"):
        assignment.otter(np.eye(3), np.eye(3), shares)


def naive_likeliest(parameters, mean_logs):
    """By majorisation, a number at a time."""
    for _ in range(STEPS):
        total, after = sum(parameters), []
        for a, mean_log in zip(parameters, mean_logs, strict=True):
            curvature = 2 * (psi(a + 1) * a - gammaln(a + 1)) / a**2
            linear = psi(a + 1) - curvature * a - psi(total) - mean_log
            after.append((-linear + np.sqrt(linear**2 + 4 * curvature)) / (2 * curvature))
        parameters = after
    return parameters


def naive_em(rows, texts, weight):
    samples, count = len(rows), len(texts)
    z = np.array([softmax([30 * row @ text for text in texts]) for row in rows])
    u, alpha = z, [[1.0] * count] * count
    for _ in range(20):
        shares, after = u.mean(0), []
        for k in range(count):
            mean_logs = [sum(u[i, k] * np.log(z[i, j]) for i in range(samples)) / u[:, k].sum() for j in range(count)]
            after.append(naive_likeliest(alpha[k], mean_logs))
        alpha = after
        density = [
            [gammaln(sum(a)) - sum(gammaln(a)) + sum((a[j] - 1) * np.log(z[i, j]) for j in range(count)) for a in alpha]
            for i in range(samples)
        ]
        u = np.array([softmax(np.array(row) + weight * np.log(shares)) for row in density])
    mean = [[(u[:, k] * z[:, c]).sum() / u[:, k].sum() for c in range(count)] for k in range(count)]
    clusters = max(permutations(range(count)), key=lambda of: sum(mean[k][c] for c, k in enumerate(of)))
    return u[:, clusters], np.array(alpha)[list(clusters)], shares[list(clusters)]


@pytest.mark.parametrize("present", [None, 2])
def test_em_dirichlet_in_loops_gives_the_same(present, monkeypatch):
    monkeypatch.setattr(dirichlet, "CLOSE", 0.0)  # all of the steps, for both
    monkeypatch.setattr(dirichlet, "MAJORISATIONS", STEPS)
    rows, texts, *_ = crowd(**THREE)
    weight = 3 / (present or 3)
    expected, alpha, shares = naive_em(rows, texts, weight)
    found = dirichlet.em_dirichlet(rows, texts, present=present)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)
    new = crowd(1, **THREE).rows[:5]
    judged = []
    for row in new:
        z = softmax([30 * row @ text for text in texts])
        density = [gammaln(sum(a)) - sum(gammaln(a)) + sum((a - 1) * np.log(z)) for a in alpha]
        judged.append(softmax(np.array(density) + weight * np.log(shares)))
    found = dirichlet.em_dirichlet_inductive(rows, new, texts, present=present)
    np.testing.assert_allclose(found, judged, rtol=1e-5, atol=1e-9)


def test_the_likeliest_dirichlet_is_found_and_every_step_to_it_is_likelier():
    rng = np.random.default_rng(0)
    true = np.array([[4.0, 1.0, 0.3], [2.0, 2.0, 9.0], [0.5, 0.5, 0.5]])
    mean_logs = np.stack([np.log(rng.dirichlet(a, 400)).mean(0) for a in true])

    def value(a):
        return (gammaln(a.sum(-1)) - gammaln(a).sum(-1) + ((a - 1) * mean_logs).sum(-1)).sum()

    found = dirichlet._likeliest(np.ones((3, 3)), mean_logs)
    np.testing.assert_allclose(psi(found) - psi(found.sum(1, keepdims=True)), mean_logs, atol=1e-4)
    best = minimize(lambda x: -value(np.exp(x).reshape(3, 3)), np.zeros(9)).x
    np.testing.assert_allclose(found, np.exp(best).reshape(3, 3), rtol=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dirichlet, "MAJORISATIONS", 1)
        now, values = np.ones((3, 3)), []
        for _ in range(60):
            values.append(value(now))
            now = dirichlet._likeliest(now, mean_logs)
    assert (np.diff(values) >= 0).all() and values[-1] > values[0] + 0.1


def test_clusters_take_the_names_of_their_mean_features():
    rng = np.random.default_rng(1)
    for _ in range(10):
        u, z = rng.dirichlet(np.ones(4), 12), rng.dirichlet(np.ones(4), 12)
        best = max(
            permutations(range(4)), key=lambda of: sum(u[:, k] @ z[:, c] / u[:, k].sum() for c, k in enumerate(of))
        )
        assert tuple(dirichlet._named(np.log(u), np.log(z))) == best


def test_equal_similarities_are_uniform_and_fewer_present_classes_leave_fewer():
    np.testing.assert_allclose(dirichlet.em_dirichlet(np.ones((9, 4)), np.eye(4)[:3]), 1 / 3)
    rows, texts, classes, _ = crowd(people=10)
    sizes = [
        np.bincount(dirichlet.em_dirichlet(rows[classes < 2], texts, present=k).argmax(1), minlength=6) for k in (6, 1)
    ]
    assert (sizes[1] > 0).sum() < (sizes[0] > 0).sum()
    with pytest.raises(ValueError, match="between 1 and 6 present classes, got 7"):
        dirichlet.em_dirichlet(rows, texts, present=7)
