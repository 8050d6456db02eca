"""The optimum of the probe's objective against scikit-learn's, run to a far tighter tolerance than a study needs."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mvlm.measures import logistic

STRENGTHS = (0.001, 0.1, 10.0)


def draw(classes, width, samples=90, seed=0):
    """Standardised features that go together, as those of embeddings do, and classes that they half tell."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(samples) % classes)
    x = rng.normal(size=(classes, width))[y] + rng.normal(size=(samples, width))
    x = x @ rng.normal(size=(width, width)) * np.geomspace(1, 0.01, width) @ rng.normal(size=(width, width))
    return (x - x.mean(0)) / x.std(0), y


@pytest.mark.parametrize(("classes", "width"), [(6, 20), (3, 4), (2, 20), (8, 120)])
def test_weights_are_the_optimum_of_scikit_learn(classes, width):
    x, y = draw(classes, width)
    for strength, found in zip(STRENGTHS, logistic.weights(x, y, STRENGTHS, 1e-7), strict=True):
        model = LogisticRegression(C=strength, tol=1e-9, max_iter=100_000).fit(x, y)
        odds = np.exp(x @ found[:, :-1].T + found[:, -1])
        np.testing.assert_allclose(odds / odds.sum(1, keepdims=True), model.predict_proba(x), atol=2e-5)


def test_the_usual_tolerance_gives_the_predictions_of_the_optimum():
    """Of samples that were not fitted, too."""
    x, y = draw(6, 40, samples=600)
    usual, tight = (logistic.weights(x[:300], y[:300], STRENGTHS, *tolerance) for tolerance in ((), (1e-8,)))
    logits = [np.einsum("nd,scd->snc", x, w[:, :, :-1]) + w[:, None, :, -1] for w in (usual, tight)]
    agreed = (logits[0].argmax(2) == logits[1].argmax(2)).mean(1)
    assert (agreed >= 0.995).all() and agreed.mean() > 0.998
    assert not np.array_equal(*logits)


def test_features_that_never_change_or_repeat_others_are_no_obstacle():
    x, y = draw(3, 4)
    doubled = np.concatenate([x, x, np.zeros((len(x), 1))], 1)
    found = logistic.weights(doubled, y, (0.5,), 1e-7)[0]
    once = logistic.weights(x, y, (1.0,), 1e-7)[0]  # half the weight on each of two costs half
    np.testing.assert_allclose(found[:, :4] + found[:, 4:8], once[:, :4], atol=1e-4)
    np.testing.assert_array_equal(found[:, 8], 0)
