"""Accuracy of frozen embeddings, named by protocol: zero-shot, kNN, linear probe, and quality and naming of clusters.

Whatever is fitted is fitted on the training subjects; no function sees a label of the samples it predicts, except to
score them. Labels are classes 0..C-1. Shapes: N training samples, M test samples, D embedding, C classes.
"""

from typing import NamedTuple

import numpy as np

from mvlm.labels.clusters import Clusters, unit_rows
from mvlm.measures import logistic

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)  # inverse of the probe's L2 penalty, on standardised features
INNER_FOLDS = 3


class ClusterQuality(NamedTuple):
    """How well clusters of the training samples fit the classes of the test samples, whatever they are called."""

    predicted: np.ndarray  # (M,) class of each test sample
    nmi: float  # normalised mutual information of clusters and classes of the test samples
    ari: float  # adjusted Rand index of the same


def zero_shot(embeddings: np.ndarray, text: np.ndarray) -> np.ndarray:
    """(M,) the class whose prototype is nearest in cosine, of (M, D) embeddings and (C, D) text prototypes."""
    embeddings, text = unit_rows("embeddings", embeddings), unit_rows("text", text)
    _same_width(embeddings, text)
    return (embeddings @ text.T).argmax(1)


def knn(
    train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, *, k: int = 20, temperature: float = 0.07
) -> np.ndarray:
    """(M,) the class with most weight among the k nearest training samples, weighed by exp(cosine / temperature).

    The defaults are the customary ones for frozen features (as in DINO); nothing is tuned.
    """
    train_x, train_y, test_x = _checked(train_x, train_y, test_x)
    if not 1 <= k <= len(train_x):
        raise ValueError(f"k must lie between 1 and the {len(train_x)} training samples, got {k}")
    cosine = test_x @ train_x.T  # (M, N)
    nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
    near = np.take_along_axis(cosine, nearest, 1)
    weight = np.exp((near - near.max(1, keepdims=True)) / temperature)
    one_hot = np.eye(train_y.max() + 1)[train_y[nearest]]  # (M, k, C)
    return (weight[:, :, None] * one_hot).sum(1).argmax(1)


def linear_probe(
    train_x: np.ndarray,
    train_y: np.ndarray,
    train_subjects: np.ndarray,
    test_x: np.ndarray,
    *,
    strengths: tuple[float, ...] = STRENGTHS,
) -> np.ndarray:
    """(M,) prediction of an L2-regularised logistic regression on standardised features.

    The penalty is the best of `strengths` by accuracy over `INNER_FOLDS` inner folds of the training subjects (N,), no
    subject on both sides; of equal ones the stronger penalty.
    """
    from sklearn.model_selection import GroupKFold

    train_x, train_y, test_x = _checked(train_x, train_y, test_x)
    subjects = np.asarray(train_subjects)
    if subjects.shape != train_y.shape:
        raise ValueError(f"train_subjects must have the shape {train_y.shape}, got {subjects.shape}")
    if len(np.unique(subjects)) < INNER_FOLDS:
        raise ValueError(f"the probe needs {INNER_FOLDS} training subjects or more, got {len(np.unique(subjects))}")
    right = np.zeros(len(strengths))
    for fit, check in GroupKFold(INNER_FOLDS).split(train_x, train_y, subjects):
        right += (_probe(train_x[fit], train_y[fit], train_x[check], strengths) == train_y[check]).sum(1)
    return _probe(train_x, train_y, test_x, (strengths[right.argmax()],))[0]


def fixed_probe(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, *, strength: float) -> np.ndarray:
    """(M,) prediction of a logistic regression on standardised features, its inverse L2 penalty given.

    For questions that leave no inner folds to choose it by. Of a single class in training, that class.
    """
    train_x, train_y, test_x = _checked(train_x, train_y, test_x)
    if len(np.unique(train_y)) == 1:
        return np.full(len(test_x), train_y[0])
    return _probe(train_x, train_y, test_x, (strength,))[0]


def cluster_quality(clusters: Clusters, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray) -> ClusterQuality:
    """Clusters of the training samples applied to unit rows (M, D) of the test samples.

    For the predictions, true *training* labels name the clusters (`hungarian_names`): this measures how well the
    classes fall apart, not what an unsupervised method reaches. Naming on the test samples would flatter: random
    assignment of 60 samples to six classes would score 0.31.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    test_y = _labels("test_y", test_y, test_x)
    own = (test_x @ clusters.centres.T).argmax(1)
    return ClusterQuality(
        hungarian_names(clusters.assignment, train_y)[own],
        float(normalized_mutual_info_score(test_y, own)),
        float(adjusted_rand_score(test_y, own)),
    )


def hungarian_names(assignment: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(C,) the class of each cluster, one to one, that agrees with most of the true labels (N,) of its samples (N,)."""
    from scipy.optimize import linear_sum_assignment

    assignment, labels = np.asarray(assignment), np.asarray(labels)
    if assignment.shape != labels.shape or assignment.ndim != 1 or not assignment.size:
        raise ValueError(f"assignment and labels must both be (N,), got {assignment.shape} and {labels.shape}")
    count = max(assignment.max(), labels.max()) + 1
    together = np.zeros((count, count))
    np.add.at(together, (assignment, labels), 1)
    return linear_sum_assignment(together, maximize=True)[1]


def naming(names: np.ndarray, assignment: np.ndarray, labels: np.ndarray) -> float:
    """Share of clusters whose name (C,), given without labels, is the one that the true labels give them."""
    expected = hungarian_names(assignment, labels)
    if np.shape(names) != expected.shape:
        raise ValueError(f"expected a name for each of the {len(expected)} clusters, got {np.shape(names)}")
    return float((np.asarray(names) == expected).mean())


def _probe(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, strengths: tuple[float, ...]) -> np.ndarray:
    """(len(strengths), M) predictions; each fit starts from the last one's solution."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(train_x)
    classes, own = np.unique(train_y, return_inverse=True)
    fitted = logistic.weights(scaler.transform(train_x), own, strengths)  # (S, C, D + 1)
    logits = scaler.transform(test_x) @ fitted[:, :, :-1].swapaxes(1, 2) + fitted[:, None, :, -1]  # (S, M, C)
    return classes[logits.argmax(2)]


def _checked(train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    train_x, test_x = unit_rows("train_x", train_x), unit_rows("test_x", test_x)
    _same_width(train_x, test_x)
    return train_x, _labels("train_y", train_y, train_x), test_x


def _same_width(a: np.ndarray, b: np.ndarray) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"expected rows of one width, (N, D) and (M, D), got {a.shape} and {b.shape}")


def _labels(name: str, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != rows.shape[:1] or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise ValueError(f"{name} must be {rows.shape[:1]} classes 0..C-1, got {labels.dtype} of shape {labels.shape}")
    return labels
