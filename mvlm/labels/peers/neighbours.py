"""Graphs of nearest neighbours by cosine, optionally of other subjects alone.

Where the person shows more than the expression, most of the nearest samples are the same person with another
expression, and a graph spreads labels along persons. The published methods know no subjects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def neighbour_graph(rows: np.ndarray, count: int, subjects: np.ndarray | None = None) -> csr_array:
    """(N, N) cosines of each unit row (N, D) to its `count` nearest others, row by row; see `cosines_to_others`.

    O(N^2 D). A row with fewer others left than `count` keeps those there are.

    Raises ValueError for no more samples than neighbours.
    """
    if len(rows) <= count:
        raise ValueError(f"expected more than {count} samples, each with {count} neighbours, got {len(rows)}")
    return strongest(cosines_to_others(rows, subjects), count)


def cosines_to_others(rows: np.ndarray, subjects: np.ndarray | None = None) -> np.ndarray:
    """(N, N) cosines of unit rows, -inf to a sample itself and, with `subjects` (N,), to all samples of its subject."""
    cosine = rows @ rows.T
    own = np.arange(len(rows)) if subjects is None else np.asarray(subjects)
    if own.shape != rows.shape[:1]:
        raise ValueError(f"expected a subject of each of {len(rows)} rows, got {own.shape}")
    cosine[own[:, None] == own] = -np.inf
    return cosine


def strongest(similarity: np.ndarray, count: int) -> csr_array:
    """(P, Q) the `count` largest finite entries of each row; of equal ones the first."""
    from scipy.sparse import csr_array

    left, rows = similarity.copy(), np.arange(len(similarity))
    columns = np.empty((len(rows), count), int)
    for place in range(count):
        columns[:, place] = left.argmax(1)
        left[rows, columns[:, place]] = -np.inf
    values = np.take_along_axis(similarity, columns, 1)
    found = np.isfinite(values)
    return csr_array((values[found], (np.repeat(rows, found.sum(1)), columns[found])), similarity.shape)
