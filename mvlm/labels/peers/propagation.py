"""Labels spread from the texts along a graph of texts and images: ZLaP, and ReCLIP's pseudo-labels.

ZLaP: Stojnić, Kalantidis and Tolias, CVPR 2024, arXiv 2404.04072. ReCLIP: Hu et al., WACV 2024, arXiv 2308.03793, of
which this is the first half: the projection and the propagation, without the two heads that are trained after.

Both solve `(I - alpha D^-1/2 W D^-1/2) F = Y` with the degrees D of symmetric weights W of C texts and N images, and Y
one-hot at the texts. F at an image, scaled to sum 1, is taken as its probabilities; an image that no text reaches keeps
those of zero-shot.

O(N^2 D) for the graph, O(C N k) a step of the solver. Shapes: N samples, D embedding, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mvlm.labels.clusters import unit_rows
from mvlm.labels.peers.neighbours import cosines_to_others, neighbour_graph, strongest
from mvlm.labels.peers.zero_shot import TEMPERATURE, one_thread, sides
from mvlm.labels.refined import posterior

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ZLAP_NEIGHBOURS = 5  # images of an image, and texts, as far as there are so many
ZLAP_SPREAD = 0.3  # alpha
ZLAP_POWER = 5.0  # of the cosines of images and texts, which are flatter than those of images
RECLIP_NEIGHBOURS = 20
RECLIP_SPREAD = 0.99
SOLVED = 1e-12  # of the right side may be left


@one_thread
def zlap(
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    subjects: np.ndarray | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities by ZLaP.

    Each image sends edges to its `ZLAP_NEIGHBOURS` nearest images, weighted by cosine, and as many nearest texts,
    weighted by `cosine ^ ZLAP_POWER`; negative cosines count as 0, and texts send none. W is the sum of the edges both
    ways.

    Args:
        rows: (N, D), of which only the direction counts.
        prototypes: (C, D), likewise.
        subjects: (N,); with them no sample is a neighbour of its own subject's. Without: as published.
        temperature: of zero-shot, which is used only where no text reaches.

    Raises ValueError as `sides` does, and for no more samples than neighbours.
    """
    rows, prototypes = sides(rows, prototypes)
    spread = _zlap(rows, prototypes, subjects)[: len(rows)]
    return _distribution(spread, rows, prototypes, temperature)


@one_thread
def zlap_inductive(
    training: np.ndarray,
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    subjects: np.ndarray | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities of rows (N, D), each by itself: what `zlap` spreads over training rows (M, D), read by them.

    A row scores the sum, over the training images and texts that it would send edges to, of the edge times F there.
    `subjects` (M,) are those of the training rows; the rest is as in `zlap`.
    """
    training, _ = sides(training, prototypes)
    rows, prototypes = sides(rows, prototypes)
    spread = _zlap(training, prototypes, subjects)
    to_images = _positive(strongest(rows @ training.T, ZLAP_NEIGHBOURS))
    read = to_images @ spread[: len(training)] + _to_texts(rows, prototypes) @ spread[len(training) :]
    return _distribution(read, rows, prototypes, temperature)


@one_thread
def reclip(
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    subjects: np.ndarray | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities by propagation in the subspace that the texts span, without their common direction.

    Rows and prototypes are projected on the left singular vectors of the prototypes (D, C) but the first, and brought
    to unit length again. Every node, text or image, sends edges to its `RECLIP_NEIGHBOURS` nearest nodes, weighted by
    (1 + cosine) / 2. W is the mean of the edges both ways.

    Args and errors as in `zlap`, and ValueError for prototypes that span one direction only. They should not be centred
    on their mean: that takes their common direction, and the first that is left tells classes apart.
    """
    rows, prototypes = _projected(rows, prototypes)
    return _distribution(_reclip(rows, prototypes, subjects), rows, prototypes, temperature)


@one_thread
def reclip_inductive(
    training: np.ndarray,
    rows: np.ndarray,
    prototypes: np.ndarray,
    *,
    subjects: np.ndarray | None = None,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """(N, C) probabilities of rows (N, D), each by itself, by the means of the classes that training rows (M, D) get.

    The means are those of the projected rows by their class of `reclip`, as ReCLIP's classifier of images begins; a
    class of no row has its projected prototype. A row has `softmax_c( s(x, m_c) / tau )`. `subjects` (M,) are those of
    the training rows; the rest is as in `reclip`.
    """
    training, texts = _projected(training, prototypes)
    rows, _ = _projected(rows, prototypes)
    classes = _distribution(_reclip(training, texts, subjects), training, texts, temperature).argmax(1)
    means = [training[classes == c].mean(0) if c in classes else text for c, text in enumerate(texts)]
    return posterior(rows, unit_rows("means of the classes", means), temperature=temperature)


def _zlap(rows: np.ndarray, prototypes: np.ndarray, subjects: np.ndarray | None) -> np.ndarray:
    """(N + C, C) F at the images, then at the texts."""
    from scipy.sparse import block_array

    to_images = _positive(neighbour_graph(rows, ZLAP_NEIGHBOURS, subjects))
    to_texts = _to_texts(rows, prototypes)
    # Edges both ways: a text sends none, so that it has those that it receives.
    return _solved(block_array([[to_images + to_images.T, to_texts], [to_texts.T, None]]), len(prototypes), ZLAP_SPREAD)


def _to_texts(rows: np.ndarray, prototypes: np.ndarray) -> csr_array:
    return _positive(strongest(rows @ prototypes.T, min(ZLAP_NEIGHBOURS, len(prototypes)))) ** ZLAP_POWER


def _projected(rows: np.ndarray, prototypes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows and prototypes by their coordinates along the texts' singular vectors but the first."""
    rows, prototypes = sides(rows, prototypes)
    _, size, directions = np.linalg.svd(prototypes, full_matrices=False)
    kept = directions[1:][size[1:] > size[0] * len(size) * np.finfo(float).eps]
    if not len(kept):
        raise ValueError(f"prototypes {prototypes.shape} span one direction only, so none tells classes apart")
    return unit_rows("projected rows", rows @ kept.T), unit_rows("projected prototypes", prototypes @ kept.T)


def _reclip(rows: np.ndarray, prototypes: np.ndarray, subjects: np.ndarray | None) -> np.ndarray:
    """(N, C) F at the images."""
    nodes = np.concatenate([rows, prototypes])
    if len(nodes) <= RECLIP_NEIGHBOURS:
        raise ValueError(
            f"expected more than {RECLIP_NEIGHBOURS} samples and texts, each with {RECLIP_NEIGHBOURS} neighbours, "
            f"got {len(nodes)}"
        )
    if subjects is not None:  # a text is nobody's
        own = np.unique(subjects, return_inverse=True)[1]
        subjects = np.concatenate([own, -1 - np.arange(len(prototypes))])
    edges = strongest((1 + cosines_to_others(nodes, subjects)) / 2, RECLIP_NEIGHBOURS)
    return _solved((edges + edges.T) / 2, len(prototypes), RECLIP_SPREAD)[: len(rows)]


def _solved(weights: csr_array, texts: int, spread: float) -> np.ndarray:
    """(N + C, C) F of symmetric weights whose last nodes are the texts, by conjugate gradients, a class at a time."""
    from scipy.sparse import diags_array, eye_array
    from scipy.sparse.linalg import cg

    degrees = weights.sum(1)
    scale = diags_array(np.divide(1, np.sqrt(degrees), out=np.zeros(len(degrees)), where=degrees > 0))
    system = (eye_array(len(degrees)) - spread * (scale @ weights @ scale)).tocsr()
    sources = np.eye(len(degrees))[:, -texts:]
    return np.stack([cg(system, source, rtol=SOLVED)[0] for source in sources.T], axis=1)


def _distribution(spread: np.ndarray, rows: np.ndarray, prototypes: np.ndarray, temperature: float) -> np.ndarray:
    """(N, C) scores (N, C) at sum 1; those of zero-shot where there is none."""
    scores = np.maximum(spread, 0)  # what the solver leaves beside 0
    sums = scores.sum(1, keepdims=True)
    zero_shot = posterior(rows, prototypes, temperature=temperature)
    return np.where(sums > 0, scores / np.where(sums > 0, sums, 1), zero_shot)


def _positive(graph: csr_array) -> csr_array:
    """Without what is not above 0."""
    graph = graph.maximum(0)
    graph.eliminate_zeros()
    return graph
