"""One run: adapt by a method on training subjects, predict test subjects, score. All that a worker executes.

Shapes: A copies, N training and M test samples, V views, D embedding, P prompts, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mvlm.labels.clusters import UNUSED
from mvlm.labels.identity import Discriminant
from mvlm.labels.naming import Prompts, named_clusters
from mvlm.measures import evaluate
from mvlm.method import Method, Rounds, adapt, discriminant, predict, represent, seen
from mvlm.study.embeddings import Embedded

NEIGHBOURS = 20


class Fold(NamedTuple):
    """What a run is told beside its method.

    Attributes:
        train, test: the samples of the training and of the test subjects.
        emotions: the C classes.
        shown: the classes that the test samples show, if fewer; else empty.
        seed: of clusters and weights.
    """

    train: Embedded
    test: Embedded
    emotions: tuple[str, ...]
    shown: tuple[str, ...]
    seed: int

    def classes(self, of: Embedded) -> np.ndarray:
        """(n,) the true class of each sample."""
        return np.array([self.emotions.index(emotion) for emotion in of.emotions], dtype=np.int64)


class Scores(NamedTuple):
    """Predictions of the test samples, (M,) classes each, and how good clusters and names are."""

    zero_shot: np.ndarray
    knn: np.ndarray
    probe: np.ndarray
    cluster: np.ndarray  # clusters of the training samples, named by their true labels: quality, not a method
    ari: float  # of the same clusters on the test samples
    nmi: float
    naming: float  # share of these clusters whose name by prompts is the one by true labels


def score(
    train_x: np.ndarray,
    train_y: np.ndarray,
    train_subjects: np.ndarray,
    test_x: np.ndarray,
    test_y: np.ndarray,
    method: Method,
    prompts: Prompts,
    *,
    seed: int,
    strengths: tuple[float, ...],
    fitted: Discriminant | None = None,
) -> Scores:
    """Every protocol on unit rows (N, D) and (M, D) of `represent`; whatever is fitted is fitted on the N."""
    clusters, names = named_clusters(train_x, prompts, seed=seed)
    quality = evaluate.cluster_quality(clusters, train_y, test_x, test_y)
    return Scores(
        zero_shot=predict(method, test_x, prompts, fitted=fitted),
        knn=evaluate.knn(train_x, train_y, test_x, k=min(NEIGHBOURS, len(train_x))),
        probe=evaluate.linear_probe(train_x, train_y, train_subjects, test_x, strengths=strengths),
        cluster=quality.predicted,
        ari=quality.ari,
        nmi=quality.nmi,
        naming=evaluate.naming(names, clusters.assignment, train_y),
    )


def record(
    method: Method,
    fold: Fold,
    prompts: Prompts,
    steps: int | None = None,
    strengths: tuple[float, ...] = evaluate.STRENGTHS,
) -> dict[str, object]:
    """One run on frozen embeddings, as `mvlm.study.run` describes its record from `names` on.

    A transductive method trains on the test samples too, without their labels; what is measured afterwards is fitted on
    the training subjects, as for every method.

    Args:
        method, fold, prompts: what is run.
        steps: of each round's training; None: as usual.
        strengths: among which the probe chooses its inverse penalty.
    """
    who = fold.train.subjects, fold.test.subjects
    views, test_views = seen(method, (fold.train.views(), fold.test.views()), who)
    unlabelled, subjects, truth = views, fold.train.subjects, fold.classes(fold.train)
    if method.transductive:  # two corpora may name their subjects alike, so that names do not tell them apart
        unlabelled, subjects = np.concatenate([views, test_views], axis=1), None
        truth = np.concatenate([truth, fold.classes(fold.test)])
    told = {"truth": method.may_know(truth), "subjects": subjects, "steps": steps}
    adapter, rounds = adapt(method, unlabelled, prompts, seed=fold.seed, **told)
    adapted = (x if adapter is None else adapter.apply(x) for x in (views[0], test_views[0]))
    rows = represent(method, *adapted, who)
    found = results(method, fold, prompts, rows, rounds, truth, strengths)
    if adapter is None:
        return found | {"weights": None}
    from mvlm.weights import digest  # here and not above: it brings torch

    return found | {"weights": digest(adapter)}


def results(
    method: Method,
    fold: Fold,
    prompts: Prompts,
    rows: Sequence[np.ndarray],
    rounds: Rounds,
    truth: np.ndarray,
    strengths: tuple[float, ...] = evaluate.STRENGTHS,
) -> dict[str, object]:
    """What the record of a run says, of whichever trainer, but for the hash of its weights.

    Args:
        method, fold: what was run.
        prompts: of the trained model.
        rows: (N, D) and (M, D) of `represent`, by the trained model.
        rounds: what it was trained on.
        truth: (N',) true classes of the samples that it was trained on, which score the labels.
        strengths: among which the probe chooses its inverse penalty.
    """
    train, test = fold.train, fold.test
    (train_x, test_x), train_y, test_y = rows, fold.classes(train), fold.classes(test)
    fitted = discriminant(method, train_x, rounds, prompts)
    how = {"seed": fold.seed, "strengths": strengths, "fitted": fitted}
    scores = score(train_x, train_y, train.subjects, test_x, test_y, method, prompts, **how)
    named = {
        protocol: [fold.emotions[c] for c in getattr(scores, protocol)]
        for protocol in ("zero_shot", "knn", "probe", "cluster")
    }
    shown = None
    if fold.shown:
        among = np.array([fold.emotions.index(emotion) for emotion in fold.shown], dtype=int)
        shown = [fold.emotions[c] for c in predict(method, test_x, prompts, among, fitted)]
    return {
        "names": test.names.tolist(),
        "subjects": test.subjects.tolist(),
        "emotions": test.emotions.tolist(),
        **named,
        "among_shown": shown,
        "ari": scores.ari,
        "nmi": scores.nmi,
        "naming": scores.naming,
        "change": [float((new != old).mean()) for old, new in pairwise(rounds.labels)],
        "pseudo_labels": [float((of == truth[:, None])[of != UNUSED].mean()) for of in rounds.labels],
        "cluster_sizes": rounds.sizes,
    }
