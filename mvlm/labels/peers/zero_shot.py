"""What every peer starts from: unit rows on both sides, and CLIP's own probabilities of the classes; on one thread."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import numpy as np

from mvlm.labels.clusters import unit_rows

TEMPERATURE = 0.01  # of CLIP: logits are 100 cosines

P = ParamSpec("P")


def one_thread(peer: Callable[P, np.ndarray]) -> Callable[P, np.ndarray]:
    """The peer, computed by one thread: sums that more share differ in their last bits."""
    from threadpoolctl import threadpool_limits

    @wraps(peer)
    def limited(*args: P.args, **kwargs: P.kwargs) -> np.ndarray:
        with threadpool_limits(1):
            return peer(*args, **kwargs)

    return limited


def sides(rows: np.ndarray, prototypes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows (N, D) and prototypes (C, D) at unit length, float64.

    Raises ValueError for shapes that disagree, no row, fewer than two classes, and rows without a direction.
    """
    shapes = np.shape(rows), np.shape(prototypes)
    if np.ndim(rows) != 2 or np.ndim(prototypes) != 2 or shapes[0][1] != shapes[1][1]:
        raise ValueError(f"expected rows (N, D) and prototypes (C, D), got {shapes[0]} and {shapes[1]}")
    if shapes[0][0] < 1 or shapes[1][0] < 2:
        raise ValueError(f"expected a sample and two classes at least, got {shapes[0][0]} and {shapes[1][0]}")
    return unit_rows("rows", rows), unit_rows("prototypes", prototypes)


def log_zero_shot(rows: np.ndarray, prototypes: np.ndarray, temperature: float) -> np.ndarray:
    """(N, C) `log softmax_c( s(x, t_c) / tau )` of unit rows: logarithms, for the probabilities may underflow."""
    from scipy.special import log_softmax

    return log_softmax(rows @ prototypes.T / temperature, axis=1)
