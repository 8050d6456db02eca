"""Mixtures of Gaussians around the classes, tied to the texts and smooth along neighbours: TransCLIP and StatA.

TransCLIP: Zanella, Gérin and Ben Ayed, NeurIPS 2024, arXiv 2406.01837 (zero-shot form). StatA: Zanella, Fuchs, De
Vleeschouwer and Ben Ayed, CVPR 2025, arXiv 2501.03729.

With rows f_i, prototypes t_k and zero-shot probabilities `y_i = softmax(s(f_i, t) / tau)`, both alternate, `ITERATIONS`
times, between probabilities z of the classes (N, C) and one Gaussian a class, with a mean mu_k of unit length and
diagonal variances sigma_k:

    l_ik  = -1/2 sum_d [ (f_id - mu_kd)^2 / sigma_kd + log sigma_kd ]
    z_ik ~  y_ik^TEXT exp( l_ik / SOFTNESS + ((W + W^T) z)_ik / (2 NEIGHBOURS) )     `INNER` times

W holds the cosines of each row to its `NEIGHBOURS` nearest. z begins at y, and is updated once more at the end. An
inductive form keeps the Gaussians and drops the graph: `z_ik ~ y_ik^TEXT exp(l_ik / SOFTNESS)`.

O(N^2 D) for the graph, O(N C D) an iteration. Shapes: N samples, D embedding, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm.labels.clusters import unit_rows
from mvlm.labels.peers.neighbours import neighbour_graph
from mvlm.labels.peers.zero_shot import TEMPERATURE, log_zero_shot, one_thread, sides

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ITERATIONS = 10
INNER = 5  # updates of z an iteration
NEIGHBOURS = 3
SOFTNESS = 50.0  # divides the log densities, which sum over many dimensions
TEXT = 1.0  # weight of the zero-shot probabilities
CONFIDENT = 8  # samples a class that TransCLIP's means begin with
ANCHOR = 1.0  # StatA's alpha: as many samples of a class weigh as much as its text
LEAST = 1e-12  # variance, for dimensions in which no row differs


class Gaussians(NamedTuple):
    """One Gaussian a class."""

    means: np.ndarray  # (C, D) unit rows
    variances: np.ndarray  # (C, D) of each dimension

    def log_density(self, rows: np.ndarray) -> np.ndarray:
        """(N, C) up to the same constant for all classes."""
        classes = zip(self.means, self.variances, strict=True)
        return np.stack([-((rows - mean) ** 2 / var + np.log(var)).sum(1) / 2 for mean, var in classes], axis=1)


Step = Callable[[np.ndarray], Gaussians]  # the Gaussians that log z (N, C) asks for


@one_thread
def transclip(
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    subjects: np.ndarray | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities z by TransCLIP: the variances are those of all classes together.

    The means begin with the `CONFIDENT` rows of each class with the largest y_ik, weighted by it, the variances with
    1/D. Then `mu_k = normalise(sum_i z_ik f_i)`, `sigma_d = sum_ik z_ik (f_id - mu_kd)^2 / N`.

    Args:
        rows: (N, D), of which only the direction counts.
        prototypes: (C, D), likewise.
        subjects: (N,); with them no sample is a neighbour of its own subject's. Without: as published.
        temperature: tau of the zero-shot probabilities.

    Raises ValueError as `sides` does, and for fewer than `CONFIDENT` samples.
    """
    rows, prototypes = sides(rows, prototypes)
    return np.exp(_transclip(rows, prototypes, subjects, temperature)[1])


@one_thread
def transclip_inductive(
    training: np.ndarray,
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    subjects: np.ndarray | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities of rows (N, D), each by itself, by `transclip`'s Gaussians of the training rows (M, D).

    `subjects` (M,) are those of the training rows; the rest is as in `transclip`.
    """
    training, _ = sides(training, prototypes)
    rows, prototypes = sides(rows, prototypes)
    gaussians, _ = _transclip(training, prototypes, subjects, temperature)
    return _judged(rows, prototypes, gaussians, temperature)


@one_thread
def stata(
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    subjects: np.ndarray | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities z by StatA: each class has its variances, and a class with few samples stays at its text.

    The means begin at the prototypes, the variances of all classes at `v_d = sum_ik y_ik (f_id - t_kd)^2 / N`. With n_k
    samples whose largest z is that of class k, `beta_k = n_k / (n_k + ANCHOR)`, and m_k the mean of the rows by z_ik:
    `mu_k = normalise(beta_k m_k + (1 - beta_k) t_k)` and
    `sigma_k = beta_k sum_i z_ik (f_i - mu_k)^2 / sum_i z_ik + (1 - beta_k) (v + (t_k - mu_k)^2)`.

    Arguments and errors as in `transclip`, but for the least number of samples: `NEIGHBOURS` + 1.
    """
    rows, prototypes = sides(rows, prototypes)
    return np.exp(_stata(rows, prototypes, subjects, temperature)[1])


@one_thread
def stata_inductive(
    training: np.ndarray,
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    subjects: np.ndarray | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities of rows (N, D), each by itself, by `stata`'s Gaussians of the training rows (M, D).

    `subjects` (M,) are those of the training rows; the rest is as in `stata`.
    """
    training, _ = sides(training, prototypes)
    rows, prototypes = sides(rows, prototypes)
    gaussians, _ = _stata(training, prototypes, subjects, temperature)
    return _judged(rows, prototypes, gaussians, temperature)


def _transclip(
    rows: np.ndarray, prototypes: np.ndarray, subjects: np.ndarray | None, temperature: float
) -> tuple[Gaussians, np.ndarray]:
    if len(rows) < CONFIDENT:
        raise ValueError(f"expected at least {CONFIDENT} samples, which the means begin with, got {len(rows)}")
    log_text = log_zero_shot(rows, prototypes, temperature)
    surest = np.argsort(-log_text, axis=0, kind="stable")[:CONFIDENT]  # (CONFIDENT, C)
    weights = _weights(np.take_along_axis(log_text, surest, 0))
    first = Gaussians(
        unit_rows("first means", (weights[..., None] * rows[surest]).sum(0)),
        np.full(prototypes.shape, 1 / rows.shape[1]),
    )

    def step(log_z: np.ndarray) -> Gaussians:
        means = unit_rows("means", _weights(log_z).T @ rows)
        squares = sum(z @ (rows - mean) ** 2 for z, mean in zip(np.exp(log_z).T, means, strict=True))
        return Gaussians(means, np.broadcast_to(np.maximum(squares / len(rows), LEAST), means.shape))

    return _alternated(rows, log_text, first, step, subjects)


def _stata(
    rows: np.ndarray, prototypes: np.ndarray, subjects: np.ndarray | None, temperature: float
) -> tuple[Gaussians, np.ndarray]:
    log_text = log_zero_shot(rows, prototypes, temperature)
    around_texts = sum(y @ (rows - text) ** 2 for y, text in zip(np.exp(log_text).T, prototypes, strict=True))
    variance = np.maximum(around_texts / len(rows), LEAST)  # (D,)

    def step(log_z: np.ndarray) -> Gaussians:
        counts = np.bincount(log_z.argmax(1), minlength=len(prototypes))
        beta = (counts / (counts + ANCHOR))[:, None]
        weights = _weights(log_z)
        means = unit_rows("means", beta * (weights.T @ rows) + (1 - beta) * prototypes)
        own = np.stack([w @ (rows - mean) ** 2 for w, mean in zip(weights.T, means, strict=True)])
        variances = beta * own + (1 - beta) * (variance + (prototypes - means) ** 2)
        return Gaussians(means, np.maximum(variances, LEAST))

    first = Gaussians(prototypes, np.broadcast_to(variance, prototypes.shape))
    return _alternated(rows, log_text, first, step, subjects)


def _alternated(
    rows: np.ndarray, log_text: np.ndarray, gaussians: Gaussians, step: Step, subjects: np.ndarray | None
) -> tuple[Gaussians, np.ndarray]:
    """The Gaussians and log z (N, C) that come of the first ones and of y."""
    graph = neighbour_graph(rows, NEIGHBOURS, subjects)
    graph = graph + graph.T
    log_z = log_text
    for _ in range(ITERATIONS):
        log_z = _updated(rows, log_text, gaussians, graph, log_z)
        gaussians = step(log_z)
    return gaussians, _updated(rows, log_text, gaussians, graph, log_z)


def _updated(
    rows: np.ndarray, log_text: np.ndarray, gaussians: Gaussians, graph: csr_array, log_z: np.ndarray
) -> np.ndarray:
    from scipy.special import log_softmax

    alone = TEXT * log_text + gaussians.log_density(rows) / SOFTNESS
    for _ in range(INNER):
        log_z = log_softmax(alone + graph @ np.exp(log_z) / (2 * NEIGHBOURS), axis=1)
    return log_z


def _judged(rows: np.ndarray, prototypes: np.ndarray, gaussians: Gaussians, temperature: float) -> np.ndarray:
    from scipy.special import softmax

    log_text = log_zero_shot(rows, prototypes, temperature)
    return softmax(TEXT * log_text + gaussians.log_density(rows) / SOFTNESS, axis=1)


def _weights(log_z: np.ndarray) -> np.ndarray:
    """(N, C) z over the sum of its column, which for a class that nobody belongs to may underflow."""
    from scipy.special import softmax

    return softmax(log_z, axis=0)
