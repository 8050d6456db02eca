"""How much of embeddings is a nuisance, such as who is shown, and how it lies to what is wanted, such as the emotion.

Shapes: N samples, D embedding, G groups of samples, C classes, K directions.
"""

from typing import NamedTuple

import numpy as np

from mvlm.labels.clusters import membership
from mvlm.labels.peers.neighbours import cosines_to_others


class Shares(NamedTuple):
    """Shares of the variance of rows: of the subjects' means, of the classes' means, and what neither says."""

    subject: float
    emotion: float
    rest: float


class Neighbours(NamedTuple):
    """How often the nearest sample that is no other scan of the same is of each kind; the three sum to 1."""

    same_subject: float  # with another emotion
    same_emotion: float  # of another subject
    neither: float


class Spread(NamedTuple):
    """Variance along the principal axes of what differs inside classes, largest first."""

    within: np.ndarray  # (D,) inside classes
    between: np.ndarray  # (D,) of the classes' means, along the same axes


def variance_shares(rows: np.ndarray, subjects: np.ndarray, emotions: np.ndarray) -> Shares:
    """Two-way decomposition of the variance of rows (N, D) about their mean, by subject (N,) and emotion (N,).

    `sum_g n_g |m_g - m|^2 / sum_i |x_i - m|^2` over the groups g of either kind. The means of few differ by chance too:
    G subjects shuffled inside C emotions keep (G - 1) / (N - C) of what the emotions leave, on average.

    Raises ValueError for rows that are all alike, and where not every subject shows the emotions in equal proportions:
    the shares would overlap.
    """
    (known, who), (shown, what) = _places(rows, subjects), _places(rows, emotions)
    together = np.zeros((len(known), len(shown)))
    np.add.at(together, (who, what), 1)
    if not np.array_equal(together * len(rows), np.outer(together.sum(1), together.sum(0))):
        raise ValueError("subjects show the emotions in different proportions: their shares of the variance overlap")
    whole = np.var(rows, axis=0, dtype=np.float64).sum()
    if not whole > 0:
        raise ValueError(f"{np.shape(rows)} rows are all alike: there is no variance to share")
    of = [between(rows, place) / whole for place in (who, what)]
    return Shares(*map(float, of), float(1 - sum(of)))


def means_of(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(N, D) for each row the mean of the rows (N, D) of its group (N,)."""
    _, place = _places(rows, groups)
    return (membership(place) @ np.asarray(rows, dtype=np.float64))[place]


def between(rows: np.ndarray, groups: np.ndarray) -> float:
    """Variance of the means of groups (N,) of rows (N, D), summed over dimensions, each sample weighing alike."""
    return float(means_of(rows, groups).var(axis=0).sum())


def nearest_kinds(rows: np.ndarray, subjects: np.ndarray, emotions: np.ndarray) -> Neighbours:
    """Of what kind the nearest neighbour by cosine is, among unit rows (N, D) with subjects (N,) and emotions (N,).

    Scans of the same subject with the same emotion are left out: they are nearly copies, and tell neither.
    """
    (known, who), (shown, what) = _places(rows, subjects), _places(rows, emotions)
    if len(known) * len(shown) < 2:
        raise ValueError("one subject with one emotion: there is no other neighbour")
    nearest = cosines_to_others(rows, who * len(shown) + what).argmax(1)
    same = [float((place[nearest] == place).mean()) for place in (who, what)]
    return Neighbours(*same, 1 - sum(same))


def spread(rows: np.ndarray, classes: np.ndarray) -> Spread:
    """Variance of rows (N, D) inside and between classes (N,), along the principal axes of that inside them."""
    means = means_of(rows, classes)
    about = rows - means
    variance, axes = np.linalg.eigh(about.T @ about / len(rows))
    return Spread(np.maximum(variance[::-1], 0), (means @ axes).var(axis=0)[::-1])


def effective_dimensions(variances: np.ndarray) -> float:
    """`(sum v)^2 / sum v^2` of variances along axes: D if all are alike, 1 if only one is there."""
    return float(np.sum(variances) ** 2 / np.square(variances).sum())


def directions_of(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(K, D) orthonormal directions in which the means of groups (N,) of rows (N, D) differ, the most first."""
    _, place = _places(rows, groups)
    means = membership(place) @ rows
    _, size, axes = np.linalg.svd(means - means.mean(0), full_matrices=False)
    return axes[size > size.max(initial=0) * 1e-9]


def projected_out(rows: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Rows (N, D) without their parts along orthonormal directions (K, D)."""
    return rows - rows @ directions.T @ directions


def _places(rows: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The groups, and the place of each row's (N,) among them."""
    if np.ndim(rows) != 2 or np.shape(groups) != np.shape(rows)[:1]:
        raise ValueError(f"expected rows (N, D) and their groups (N,), got {np.shape(rows)} and {np.shape(groups)}")
    return np.unique(groups, return_inverse=True)
