"""Pseudo-labels beyond one clustering: classifiers on texts, balance, consensus, neighbours, weights.

A student that is trained on hard labels learns their errors too, so each of these makes the labels better or says which
to trust. No true label enters. Constants stand with their reasons; none was chosen by accuracy.

Shapes: N samples (unit rows), D embedding, C classes, P prompts.
"""

import numpy as np

from mvlm.labels.clusters import UNUSED, Clusters, class_means, cluster, cluster_from, unit_rows
from mvlm.labels.naming import centred_prompts, name_clusters

SHARE = 0.8  # of the samples that each clustering of a consensus sees, as in Monti et al. (2003)
CLUSTERINGS = 20  # of a consensus
RESTARTS = 5  # of each of them, so that they differ by whom they see and not by where k-means stops
CONFIDENT = 0.5  # of a class are trained on: the half that the classifier is surer of
NEIGHBOURS = 20  # as for kNN on frozen features
BALANCING = 1000  # rounds at most
CLOSE = 1e-9  # to balance, as a share of a class


def text_classifier(rows: np.ndarray, text: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(N, C) probabilities of a linear classifier that was trained on texts and is asked about images (N, D).

    As in LaFTer (Mirza et al. 2023, arXiv 2305.18287): in a shared space a classifier learns on many descriptions of
    each class (P, D), with their classes (P,), what single prompts blur. Images and texts are centred first, each on
    their own mean, since they lie in shifted parts of that space (see `name_clusters`). The classifier is a logistic
    regression with the customary penalty of 1.
    """
    from sklearn.linear_model import LogisticRegression

    texts = centred_prompts(text, classes)
    model = LogisticRegression(C=1.0, max_iter=1000, class_weight="balanced").fit(texts, classes)
    return model.predict_proba(_centred(rows))


def most_confident(probabilities: np.ndarray) -> np.ndarray:
    """(N,) class of the samples that a class is surest of, of `CONFIDENT` * N / C samples a class, else `UNUSED`.

    The same number for every class keeps an easy class from crowding out the others (as in UPL, Huang et al. 2022,
    arXiv 2204.03649). A sample that two classes choose goes to the likelier one.
    """
    probabilities = _distribution(probabilities)
    samples, count = probabilities.shape
    each = max(1, round(CONFIDENT * samples / count))
    chosen = np.zeros((samples, count), bool)
    for c in range(count):
        chosen[np.argsort(-probabilities[:, c], kind="stable")[:each], c] = True
    best = np.where(chosen, probabilities, -1).argmax(1)
    return np.where(chosen.any(1), best, UNUSED)


def balanced(probabilities: np.ndarray) -> np.ndarray:
    """(N, C) the probabilities nearest to these, in relative entropy, that give every class the same share of samples.

    Rows and columns are scaled by turns (Sinkhorn and Knopp 1967; for labels as in SeLa and SwAV). A row sums to 1, a
    column to N / C up to `CLOSE`.
    """
    scaled = _distribution(probabilities)
    samples, count = scaled.shape
    if not (scaled > 0).all():
        raise ValueError("every class must have a positive probability for every sample, or there may be no balance")
    for _ in range(BALANCING):
        scaled = scaled / (scaled.sum(0) * count / samples)
        scaled = scaled / scaled.sum(1, keepdims=True)
        if np.abs(scaled.sum(0) * count / samples - 1).max() < CLOSE:
            break
    return scaled


def consensus(rows: np.ndarray, text: np.ndarray, classes: np.ndarray, *, seed: int) -> np.ndarray:
    """(N, C) share of the `CLUSTERINGS` clusterings that give a sample each class.

    Consensus clustering (Monti et al. 2003): each clusters another random `SHARE` of the samples. Its clusters are
    named jointly, one class each, by all prompts, and every sample takes the name of its nearest centre. Where clusters
    swap names from one to the next, the votes are split, and say so.
    """
    count = classes.max() + 1
    rng = np.random.default_rng(seed)
    votes = np.zeros((len(rows), count))
    size = max(count, round(SHARE * len(rows)))
    for _ in range(CLUSTERINGS):
        seen = rows[rng.permutation(len(rows))[:size]]
        centres = cluster(seen, count, seed=int(rng.integers(2**32)), restarts=RESTARTS).centres
        names = name_clusters(centres, text, classes, mean_view=seen.mean(0))
        votes[np.arange(len(rows)), names[(rows @ centres.T).argmax(1)]] += 1
    return votes / CLUSTERINGS


def seeded(rows: np.ndarray, text: np.ndarray, classes: np.ndarray) -> Clusters:
    """Clusters of the centred rows (N, D) that start at the centred prototypes of the classes; cluster c is class c.

    Nothing is left to name. Without centring all images would lie on one side of all texts.
    """
    return cluster_from(_centred(rows), class_means(centred_prompts(text, classes), classes))


def smoothed(rows: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N, C) mean of the probabilities over the `NEIGHBOURS` nearest other samples by cosine and the sample itself."""
    probabilities = _distribution(probabilities)
    cosine = rows @ rows.T
    np.fill_diagonal(cosine, np.inf)  # a sample is its own nearest, copies or not
    near = np.argsort(-cosine, axis=1, kind="stable")[:, : NEIGHBOURS + 1]
    return probabilities[near].mean(1)


def trust(rows: np.ndarray, labels: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N,) weight in (0, 1] of each label (N,): how much nearer a sample is to its own class's mean than to the others.

    `exp(s(x, m_own)/tau) / sum_c exp(s(x, m_c)/tau)` of centred rows x, with m_c the mean direction of the samples
    labelled c: near 1 in a compact class that stands apart, 1/2 halfway between two. Weights of this kind do without a
    threshold, which would not carry from one domain to the next (after arXiv 2507.22075).
    """
    _, own = np.unique(labels, return_inverse=True)
    x = _centred(rows)
    return posterior(x, class_means(x, own), temperature=temperature)[np.arange(len(own)), own]


def posterior(rows: np.ndarray, means: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N, C) `softmax_c( s(x, m_c) / tau )` of unit rows (N, D) and (C, D): CLIP's probabilities of classes."""
    logits = rows @ means.T / temperature
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def of_clusters(rows: np.ndarray, clusters: Clusters, names: np.ndarray, *, temperature: float) -> np.ndarray:
    """(N, C) probabilities that a sample (N, D) belongs to the cluster with each name (C,), all centred on its mean."""
    mean = rows.mean(0)
    centres = unit_rows("centred centres", clusters.centres - mean)
    return posterior(_centred(rows), centres[np.argsort(names)], temperature=temperature)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, C) the normalised product of two sources' probabilities: high only where both are."""
    both = _distribution(a) * _distribution(b)
    return both / both.sum(1, keepdims=True)


def _centred(rows: np.ndarray) -> np.ndarray:
    return unit_rows("centred rows", rows - rows.mean(0))


def _distribution(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or not (x >= 0).all() or not np.allclose(x.sum(-1), 1):
        raise ValueError(f"expected probabilities (N, C), rows that sum to 1, got shape {x.shape}")
    return x
