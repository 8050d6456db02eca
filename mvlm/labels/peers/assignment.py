"""Zero-shot classes of the frequency that is known: OTTER.

Shin, Zhao, Cromp, Vishwakarma and Sala, NeurIPS 2024, arXiv 2404.08461.
"""

import numpy as np

from mvlm.labels.peers.zero_shot import TEMPERATURE, log_zero_shot, one_thread, sides

ROUNDS = 50  # towards the prices of the classes; they change the time alone


@one_thread
def otter(
    rows: np.ndarray, prototypes: np.ndarray, shares: np.ndarray, *, temperature: float = TEMPERATURE
) -> np.ndarray:
    """(N, C) one-hot classes: of the assignments that give the classes their shares, that of the least sum of `-log p`.

    Optimal transport from N equal samples to the classes' shares, whose plan is whole when N times each share is: every
    class has as many copies of itself. Where it is not, a class takes the whole part, or one sample more where that
    costs least; the published rule takes the largest part of each divided sample, of which there are C - 1 at most.

    O(N^3) at worst, hardly more than O(N^2) here. Transductive by nature.

    Args:
        rows: (N, D), of which only the direction counts.
        prototypes: (C, D), likewise.
        shares: (C,) of the classes among the rows, not negative, of sum 1: known beside the rows.
        temperature: of the probabilities p.

    Raises ValueError as `sides` does, and for shares that are none.
    """
    from scipy.optimize import linear_sum_assignment

    rows, prototypes = sides(rows, prototypes)
    shares = np.asarray(shares, dtype=float)
    if shares.shape != prototypes.shape[:1] or not (shares >= 0).all() or not np.isclose(shares.sum(), 1):
        raise ValueError(f"expected a share of each of {len(prototypes)} classes, of sum 1, got {shares}")
    due = shares / shares.sum() * len(rows)
    whole = np.floor(due + 1e-9).astype(int)
    beyond = np.flatnonzero(due - whole > 1e-9)  # classes that may take one sample more
    copies = np.concatenate([np.repeat(np.arange(len(shares)), whole), beyond])
    likelihood = log_zero_shot(rows, prototypes, temperature)
    # A place that no sample takes goes to nobody, who may take none within the whole parts. All places are taken then,
    # so that a price of a class adds the same to every assignment, and good prices leave little to search.
    prices = _prices(likelihood[:, shares > 0], shares[shares > 0])
    gain = np.zeros((len(copies), len(shares)))
    gain[: len(rows)] = likelihood
    gain[:, shares > 0] += prices
    cost = -gain[:, copies]
    cost[len(rows) :, : whole.sum()] = np.inf
    assigned = copies[linear_sum_assignment(cost)[1][: len(rows)]]
    return np.eye(len(prototypes))[assigned]


def _prices(likelihood: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(C,) what to add to log p (N, C) so that its softmax has these shares, about: Sinkhorn's scaling of columns."""
    from scipy.special import log_softmax, logsumexp

    prices = np.zeros(len(shares))
    for _ in range(ROUNDS):
        prices += np.log(shares * len(likelihood)) - logsumexp(log_softmax(likelihood + prices, axis=1), axis=0)
    return prices
