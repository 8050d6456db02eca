"""Clusters of zero-shot probabilities, one Dirichlet distribution each, named jointly: EM-Dirichlet.

Martin, Huang, Shakeri, Pesquet and Ben Ayed, CVPR 2024, arXiv 2405.18437 (zero-shot form).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mvlm.labels.peers.zero_shot import log_zero_shot, one_thread, sides

ITERATIONS = 20
MAJORISATIONS = 1000  # at most, of the parameters of the Dirichlets, in each iteration
CLOSE = 1e-6  # relative change of these parameters that is none
TEMPERATURE = 1 / 30  # of the probabilities that are clustered: softer than CLIP's


class Dirichlets(NamedTuple):
    """One Dirichlet distribution a class, with the share of the class."""

    parameters: np.ndarray  # (C, C) of each class's distribution over probabilities of C classes
    log_shares: np.ndarray  # (C,)

    def log_odds(self, log_features: np.ndarray, weight: float) -> np.ndarray:
        """(N, C) log density of features (N, C) in each class, plus `weight` times the log share of the class."""
        from scipy.special import gammaln

        scale = gammaln(self.parameters.sum(1)) - gammaln(self.parameters).sum(1)
        return log_features @ (self.parameters - 1).T + scale + weight * self.log_shares


@one_thread
def em_dirichlet(
    rows: np.ndarray, prototypes: np.ndarray, *, present: int | None = None, temperature: float = TEMPERATURE
) -> np.ndarray:
    """(N, C) probabilities of classes from a mixture of Dirichlets.

    Features are the zero-shot probabilities `z_i = softmax(s(f_i, t) / tau)`. From u = z, `ITERATIONS` times:

        alpha_k <- the likeliest parameters of a Dirichlet for the features, weighted by u_ik
        u_i <- softmax_k( log Dir(z_i | alpha_k) + lambda / N log pi_k ),   pi_k = mean_i u_ik,  lambda = C / k_eff N

    with pi of the u before: descent of minus the log likelihood, plus the entropy of pi times lambda, minus the
    entropies of u. Clusters are then named one to one, by the largest sum, over the clusters, of the mean feature at
    the name, `sum_i u_ik z_ic / sum_i u_ik` (Hungarian method).

    O(N C^2) an iteration, besides alpha, which costs the same for any N.

    Args:
        rows: (N, D), of which only the direction counts.
        prototypes: (C, D), likewise.
        present: k_eff, how many classes are among the rows; all, unless known otherwise. Fewer favour few classes.
        temperature: tau.

    Raises ValueError as `sides` does, and for a number of present classes that is not 1 to C.
    """
    rows, prototypes = sides(rows, prototypes)
    features = log_zero_shot(rows, prototypes, temperature)
    return np.exp(_fitted(features, _weight(prototypes, present))[1])


@one_thread
def em_dirichlet_inductive(
    training: np.ndarray,
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    present: int | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities of rows (N, D), each by itself, by the named Dirichlets and shares of training rows (M, D).

    The rest is as in `em_dirichlet`.
    """
    from scipy.special import softmax

    training, _ = sides(training, prototypes)
    rows, prototypes = sides(rows, prototypes)
    weight = _weight(prototypes, present)
    dirichlets, _ = _fitted(log_zero_shot(training, prototypes, temperature), weight)
    return softmax(dirichlets.log_odds(log_zero_shot(rows, prototypes, temperature), weight), axis=1)


def _weight(prototypes: np.ndarray, present: int | None) -> float:
    """Of the log shares: lambda / N."""
    count = len(prototypes)
    present = count if present is None else present
    if not 1 <= present <= count:
        raise ValueError(f"expected between 1 and {count} present classes, got {present}")
    return count / present


def _fitted(features: np.ndarray, weight: float) -> tuple[Dirichlets, np.ndarray]:
    """The Dirichlets of the classes, and log u (N, C), from log features (N, C)."""
    from scipy.special import log_softmax, logsumexp

    log_u = features
    parameters = np.ones((features.shape[1],) * 2)
    for _ in range(ITERATIONS):
        parameters = _likeliest(parameters, _weights(log_u).T @ features)
        dirichlets = Dirichlets(parameters, logsumexp(log_u, axis=0) - np.log(len(features)))
        log_u = log_softmax(dirichlets.log_odds(features, weight), axis=1)
    clusters = _named(log_u, features)
    return Dirichlets(parameters[clusters], dirichlets.log_shares[clusters]), log_u[:, clusters]


def _named(log_u: np.ndarray, features: np.ndarray) -> np.ndarray:
    """(C,) the cluster of each class."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(np.exp(features).T @ _weights(log_u), maximize=True)[1]


def _likeliest(parameters: np.ndarray, mean_logs: np.ndarray) -> np.ndarray:
    """(C, C) parameters of the Dirichlets whose features have these mean logarithms (C, C), from a first guess.

    With phi(a) = log Gamma(a + 1), minus the log likelihood of a_k is
    `-log Gamma(sum_j a_j) + sum_j [ phi(a_j) - log a_j - a_j m_j ]` + constants. At the present a its first term lies
    under its tangent, and phi under the parabola that touches it there and meets it at 0, of curvature c. What is left
    is least at the positive root of `c a_j^2 + b a_j - 1`.
    """
    from scipy.special import gammaln, psi

    for _ in range(MAJORISATIONS):
        before, slope = parameters, psi(parameters + 1)
        c = 2 * (slope * before - gammaln(before + 1)) / before**2
        b = slope - c * before - psi(before.sum(1, keepdims=True)) - mean_logs
        parameters = (np.sqrt(b**2 + 4 * c) - b) / (2 * c)
        if (np.abs(parameters - before) <= CLOSE * before).all():
            break
    return parameters


def _weights(log_u: np.ndarray) -> np.ndarray:
    """(N, C) u over the sum of its column, which for a cluster that nobody belongs to may underflow."""
    from scipy.special import softmax

    return softmax(log_u, axis=0)
