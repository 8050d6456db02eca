"""Pseudo-labels by clustering with multiview aggregation (II-F): aggregate the views, cluster, name the clusters.

The paper names no algorithm, number of clusters, initialisation or rule of assignment. Ours: spherical k-means, one
cluster per emotion, and one emotion per cluster by the joint match of all prompts. No true label enters.

Shapes: N samples, V views, D embedding, C clusters and classes, P prompts.
"""

from typing import NamedTuple

import numpy as np

ITERATIONS = 300
UNUSED = -1  # class of a sample that has none


class Labels(NamedTuple):
    """What a sample is trained as."""

    classes: np.ndarray  # (N, V) class of each view, or UNUSED along a sample that is left out
    targets: np.ndarray | None = None  # (N, C) how far a sample belongs to each class, where classes alone do not say


class Clusters(NamedTuple):
    """Result of `cluster`."""

    assignment: np.ndarray  # (N,) cluster of each sample
    centres: np.ndarray  # (C, D) unit rows
    inertia: float  # sum over the samples of 1 - cosine to the own centre


def aggregate(views: np.ndarray) -> np.ndarray:
    """Normalised mean of the normalised views of each sample: (N, V, D) -> (N, D) unit rows.

    Raises ValueError for another shape and for rows without a direction (zero or not finite).
    """
    views = np.asarray(views)
    if views.ndim != 3:
        raise ValueError(f"views must have the shape (N, V, D), got {views.shape}")
    return unit_rows("mean of the views", unit_rows("views", views).mean(1))


def cluster(embeddings: np.ndarray, count: int, *, seed: int, restarts: int = 20) -> Clusters:
    """Spherical k-means of (N, D) embeddings, of which only the direction counts, into `count` clusters.

    Every restart begins with k-means++ on 1 - cosine; the one with the least inertia is returned. An emptied cluster
    takes the sample that fits its own centre worst, so that no cluster is empty. The same seed gives the same result.

    Raises ValueError for a wrong shape, rows without a direction, or fewer different rows than clusters.
    """
    x = _different_rows(embeddings, count)
    rng = np.random.default_rng(seed)
    return _lloyd(x, np.stack([_spread(x, count, rng) for _ in range(restarts)]))


def cluster_from(embeddings: np.ndarray, centres: np.ndarray) -> Clusters:
    """Spherical k-means of (N, D) embeddings that starts at these centres (C, D); cluster c grows from centre c.

    Raises ValueError as `cluster` does, and for centres of another width.
    """
    if np.ndim(centres) != 2 or np.shape(centres)[1:] != np.shape(embeddings)[1:]:
        raise ValueError(f"expected embeddings (N, D), centres (C, D), got {np.shape(embeddings)}, {np.shape(centres)}")
    return _lloyd(_different_rows(embeddings, len(centres)), unit_rows("centres", centres)[None])


def class_means(rows: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(C, D) unit rows: the direction of the mean of the rows (N, D) of each class (N,), 0..C-1, none without a row."""
    return unit_rows("class means", membership(classes) @ rows)


def unit_rows(name: str, x: np.ndarray) -> np.ndarray:
    """The rows (last axis) of `x` at unit length, float64; ValueError for a row that is zero or not finite."""
    x = np.asarray(x, dtype=np.float64)
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    usable = (length > 0) & np.isfinite(length)
    if not usable.all():
        where = tuple(int(i) for i in np.argwhere(~usable[..., 0])[0])
        raise ValueError(f"{name} {x.shape}: the row at {where} is zero or not finite, so it has no direction")
    return x / length


def membership(classes: np.ndarray) -> np.ndarray:
    """(C, P) weights that average the rows of each class 0..C-1 of (P,)."""
    return (classes == np.arange(classes.max() + 1)[:, None]) / np.bincount(classes)[:, None]


def _different_rows(embeddings: np.ndarray, count: int) -> np.ndarray:
    """Unit rows (N, D) of embeddings, of which enough are different for `count` clusters."""
    embeddings = np.asarray(embeddings)
    if embeddings.ndim != 2:
        raise ValueError(f"embeddings must have the shape (N, D), got {embeddings.shape}")
    x = unit_rows("embeddings", embeddings)
    different = len(np.unique(x, axis=0))
    if not 1 <= count <= different:
        raise ValueError(f"expected between 1 and {different} clusters (the different rows of {x.shape}), got {count}")
    return x


def _spread(x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++: each further centre is a sample, drawn in proportion to 1 - cosine to its nearest centre so far."""
    chosen = [int(rng.integers(len(x)))]
    distance = np.full(len(x), np.inf)
    for _ in range(count - 1):
        # 1 - cosine as half a squared distance: exactly 0 for a copy, never for another row.
        away = x - x[chosen[-1]]
        distance = np.minimum(distance, np.einsum("nd,nd->n", away, away) / 2)
        chosen.append(int(rng.choice(len(x), p=distance / distance.sum())))
    return x[chosen]


def _lloyd(x: np.ndarray, starts: np.ndarray) -> Clusters:
    """Assign and average by turns until no sample moves, from R starts (R, C, D) side by side; the least inertia."""
    count, samples = starts.shape[1], len(x)
    centres, assignment = starts.copy(), np.full((len(starts), samples), UNUSED)
    moving, numbers = np.arange(len(starts)), np.arange(count)[:, None]
    for _ in range(ITERATIONS):
        cosine = (centres[moving].reshape(-1, x.shape[1]) @ x.T).reshape(-1, count, samples)
        nearest = cosine.argmax(1)  # (R, N), of the starts that still move
        own = nearest[:, None] == numbers  # (R, C, N)
        for r in np.flatnonzero(~own.any(2).all(1)):
            _fill_empty(nearest[r], cosine[r].max(0), count)
            own[r] = nearest[r] == numbers
        moved = (nearest != assignment[moving]).any(1)
        moving, nearest, own = moving[moved], nearest[moved], own[moved]
        if not len(moving):
            break
        assignment[moving] = nearest
        sums = (own.reshape(-1, samples).astype(float) @ x).reshape(-1, *starts.shape[1:])
        length = np.linalg.norm(sums, axis=2, keepdims=True)
        # Samples that cancel out have no mean direction: their centre stays.
        centres[moving] = np.where(length > 1e-12, sums / np.maximum(length, 1e-12), centres[moving])
    inertia = [(1 - (x * own[of]).sum(1)).sum() for own, of in zip(centres, assignment, strict=True)]
    best = int(np.argmin(inertia))
    return Clusters(assignment[best], centres[best], float(inertia[best]))


def _fill_empty(assignment: np.ndarray, own: np.ndarray, count: int) -> None:
    """Give each empty cluster, in place, the worst fitting sample of a cluster that keeps another one."""
    sizes = np.bincount(assignment, minlength=count)
    for empty in np.flatnonzero(sizes == 0):
        candidates = np.flatnonzero(sizes[assignment] > 1)
        worst = candidates[own[candidates].argmin()]
        sizes[assignment[worst]] -= 1
        assignment[worst] = empty
        sizes[empty] = 1
