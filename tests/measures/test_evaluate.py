"""Protocols of evaluation against loops and explicit references, and what they may not see."""

from itertools import permutations

import numpy as np
import pytest

from mvlm.labels.clusters import cluster
from mvlm.measures import evaluate

CLASSES = 4


def draw(seed=0, subjects=20, noise=1.0, width=8):
    """Samples of subjects with an own offset each; the last five subjects are the test."""
    rng = np.random.default_rng(seed)
    y = np.tile(np.arange(CLASSES), 2 * subjects)
    subject = np.repeat(np.arange(subjects), 2 * CLASSES)
    x = rng.normal(size=(CLASSES, width))[y] + 0.5 * rng.normal(size=(subjects, width))[subject]
    x = x + noise * rng.normal(size=x.shape)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    test = subject >= subjects - 5
    return x[~test], y[~test], subject[~test], x[test], y[test]


def test_zero_shot_takes_the_nearest_prototype():
    rng = np.random.default_rng(0)
    x, text = rng.normal(size=(30, 5)), rng.normal(size=(CLASSES, 5))
    cosines = [[a @ b / np.sqrt(a @ a) / np.sqrt(b @ b) for b in text] for a in x]
    np.testing.assert_array_equal(evaluate.zero_shot(x, text), np.argmax(cosines, 1))


@pytest.mark.parametrize("k", [1, 5, 20, 120])
def test_knn_is_the_weighted_vote(k):
    train_x, train_y, _, test_x, _ = draw(noise=2.0)
    expected = []
    for x in test_x:
        cosine = [float(x @ other) for other in train_x]
        votes = dict.fromkeys(range(CLASSES), 0.0)
        nearest = sorted(zip(cosine, train_y.tolist(), strict=True), key=lambda near: -near[0])[:k]
        for closeness, label in nearest:
            votes[label] += np.exp(closeness / 0.07)
        expected.append(max(votes, key=votes.get))
    np.testing.assert_array_equal(evaluate.knn(train_x, train_y, test_x, k=k), expected)


def test_the_probe_is_a_grid_search_over_folds_of_subjects():
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Half of a subject's samples show its favourite class, so that to recognise a subject is to guess the class.
    rng = np.random.default_rng(33)
    subject = np.repeat(np.arange(24), 10)
    y = np.where(rng.random(240) < 0.5, subject % CLASSES, rng.integers(CLASSES, size=240))
    x = rng.normal(size=(CLASSES, 40))[y] + 3 * rng.normal(size=(24, 40))[subject] + 2 * rng.normal(size=(240, 40))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    test = subject >= 16

    def reference(folds, strengths=evaluate.STRENGTHS):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8, max_iter=5000))
        search = GridSearchCV(pipeline, {"logisticregression__C": list(strengths)}, cv=folds)
        return search.fit(x[~test], y[~test], groups=subject[~test]).predict(x[test])

    got = evaluate.linear_probe(x[~test], y[~test], subject[~test], x[test])
    np.testing.assert_array_equal(got, reference(GroupKFold(evaluate.INNER_FOLDS)))
    within = list(KFold(evaluate.INNER_FOLDS, shuffle=True, random_state=0).split(x[~test]))
    assert (got != reference(within)).any()  # which wants a weaker penalty
    assert all((got != reference(GroupKFold(evaluate.INNER_FOLDS), [c])).any() for c in evaluate.STRENGTHS if c != 0.1)


def test_predictions_do_not_depend_on_the_other_test_samples():
    train_x, train_y, subject, test_x, _ = draw()
    for predict in (
        lambda x: evaluate.knn(train_x, train_y, x),
        lambda x: evaluate.linear_probe(train_x, train_y, subject, x),
        lambda x: evaluate.zero_shot(x, train_x[:CLASSES]),
    ):
        np.testing.assert_array_equal(predict(test_x)[:3], predict(test_x[:3]))


def test_hungarian_names_are_the_best_of_all_permutations():
    rng = np.random.default_rng(2)
    for _ in range(20):
        assignment, labels = rng.integers(CLASSES, size=(2, 30))
        assignment[0] = labels[0] = CLASSES - 1
        best = max(((np.array(names)[assignment] == labels).sum()) for names in permutations(range(CLASSES)))
        names = evaluate.hungarian_names(assignment, labels)
        assert sorted(names) == list(range(CLASSES))
        assert (names[assignment] == labels).sum() == best


def test_naming_counts_clusters_named_as_by_labels():
    assignment, labels = np.array([0, 0, 1, 1, 2, 2]), np.array([2, 2, 0, 0, 1, 1])
    assert evaluate.naming(np.array([2, 0, 1]), assignment, labels) == 1
    assert evaluate.naming(np.array([0, 2, 1]), assignment, labels) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match=r"3 clusters, got \(2,\)"):
        evaluate.naming(np.array([0, 1]), assignment, labels)


def quality(train_x, train_y, test_x, test_y):
    found = evaluate.cluster_quality(cluster(train_x, CLASSES, seed=0), train_y, test_x, test_y)
    return (found.predicted == test_y).mean(), found.nmi, found.ari


def test_cluster_quality_of_separate_and_of_shuffled_classes():
    train_x, train_y, _, test_x, test_y = draw(noise=0.05, width=32)
    assert quality(train_x, train_y, test_x, test_y) == (1.0, 1.0, 1.0)
    rng = np.random.default_rng(3)
    shuffled = [
        quality(train_x, rng.permutation(train_y), test_x, rng.permutation(test_y)) for _ in range(60)
    ]
    accuracy, nmi, ari = np.mean(shuffled, 0)
    # Named on the training samples, nonsense scores chance; named on these 40 test samples it would score about 0.36.
    assert accuracy == pytest.approx(1 / CLASSES, abs=0.03)
    assert nmi < 0.12 and abs(ari) < 0.03


def test_quality_names_clusters_by_training_labels():
    """Swapping two classes in the test labels alone must cost accuracy, but not NMI and ARI."""
    train_x, train_y, _, test_x, test_y = draw(noise=0.05, width=32)
    swapped = np.array([1, 0, 2, 3])[test_y]
    assert quality(train_x, train_y, test_x, swapped) == (0.5, 1.0, 1.0)


X, Y, S, _, _ = draw()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate.zero_shot(X, X[:, :3]), r"\(120, 8\) and \(120, 3\)"),
        (lambda: evaluate.zero_shot(X * 0, X), r"embeddings \(120, 8\): the row at \(0,\)"),
        (lambda: evaluate.knn(X, Y, X, k=121), "120 training samples, got 121"),
        (lambda: evaluate.knn(X, Y[:3], X), r"train_y .*\(120,\).*\(3,\)"),
        (lambda: evaluate.knn(X, Y.astype(str), X), "train_y .*<U"),
        (lambda: evaluate.linear_probe(X, Y, S[:3], X), r"train_subjects .*\(120,\), got \(3,\)"),
        (lambda: evaluate.linear_probe(X, Y, S * 0, X), "3 training subjects or more, got 1"),
        (lambda: evaluate.cluster_quality(cluster(X, CLASSES, seed=0), Y, X, Y[:2]), "test_y"),
        (lambda: evaluate.hungarian_names(Y, Y[:2]), r"\(120,\) and \(2,\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
