"""One run: adapt by a method on training subjects, predict test subjects, score. All that a worker executes.

Shapes: A copies, N training and M test samples, V views, D embedding, P prompts, C classes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mvlm.labelling import Prompts, label, named_clusters
from mvlm.labels.clusters import UNUSED, aggregate, unit_rows
from mvlm.measures import evaluate
from mvlm.method import Method
from mvlm.study.embeddings import Embedded
from mvlm.training.adapter import STEPS, Adapter, fit

NEIGHBOURS = 20


class Adapted(NamedTuple):
    """What a method made of training samples."""

    adapter: Adapter | None  # None where nothing is trained
    labels: list[np.ndarray]  # of each round, (N, V) the emotion each view was trained as, or UNUSED; none of instances
    sizes: list[list[int]]  # of each round, how many views had each class; of samples where these were clustered


def adapt(
    method: Method,
    views: np.ndarray,
    prompts: Prompts,
    *,
    seed: int,
    labels: np.ndarray | None = None,
    subjects: np.ndarray | None = None,
    steps: int = STEPS,
) -> Adapted:
    """Train as `method` says on embeddings (A, N, V, D) of the training subjects.

    Each round labels the samples (with the adapter of the round before, which is the identity at first) and fits a
    fresh adapter. So the last adapter of every method has seen the same number of steps, and an error of an early round
    lives on only as far as the labels repeat it.

    Args:
        labels: (N,) true classes, for supervision "oracle" alone; with them for another supervision this is an error,
            so that no label can reach it by mistake.
        subjects: (N,) who is shown, for a reading that asks for it.
        steps: of each round's training.
    """
    if (labels is not None) != (method.supervision == "oracle"):
        raise ValueError(f"{method.name}: true labels are for supervision oracle, this is {method.supervision}")
    if method.reading.other_subjects and subjects is None:
        raise ValueError(f"{method.name}: negatives of other subjects alone need the subjects, got none")
    adapter, history, sizes = None, [], []
    for _ in range(method.rounds):
        current = views[0] if adapter is None else adapter.apply(views[0])
        classes, targets = label(method, current, prompts, seed=seed, truth=labels)
        kept = classes[:, 0] != UNUSED
        if method.supervision != "instance":  # an instance is no emotion, right or wrong
            history.append(classes)
            counted = classes[kept, 0] if method.aggregate else classes.ravel()
            sizes.append(np.bincount(counted, minlength=prompts.classes.max() + 1).tolist())
        adapter = fit(
            views[:, kept],
            prompts.text,
            prompts.classes,
            classes[kept],
            use=method.use,
            temperature=prompts.temperature,
            seed=seed,
            steps=steps,
            reading=method.reading,
            targets=None if targets is None else targets[kept],
            subjects=np.unique(subjects, return_inverse=True)[1][kept] if method.reading.other_subjects else None,
        )
    return Adapted(adapter, history, sizes)


class Scores(NamedTuple):
    """Predictions of the test samples, (M,) classes each, and how good clusters and names are."""

    zero_shot: np.ndarray
    knn: np.ndarray
    probe: np.ndarray
    cluster: np.ndarray  # clusters of the training samples, named by their true labels: quality, not a method
    ari: float  # of the same clusters on the test samples
    nmi: float
    naming: float  # share of these clusters whose name by prompts is the one by true labels


def represent(method: Method, adapter: Adapter | None, train: np.ndarray, test: np.ndarray) -> list[np.ndarray]:
    """Unit rows (N, D) and (M, D) of training and test samples: the normalised mean of their (adapted) views.

    A centred method removes the mean of the training rows from both.
    """
    rows = [aggregate(views if adapter is None else adapter.apply(views)) for views in (train, test)]
    return [unit_rows("centred rows", x - rows[0].mean(0)) for x in rows] if method.centred else rows


def predict(method: Method, rows: np.ndarray, prompts: Prompts, among: np.ndarray | None = None) -> np.ndarray:
    """(M,) the class of the nearest prototype to each row (M, D), `among` these or all classes.

    See `mvlm.study.methods` on centring.
    """
    prototypes = prompts.prototypes()
    if method.centred:
        prototypes = prototypes - prototypes.mean(0)
    if among is None:
        return evaluate.zero_shot(rows, prototypes)
    return among[evaluate.zero_shot(rows, prototypes[among])]


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
) -> Scores:
    """Every protocol on unit rows (N, D) and (M, D) of `represent`; whatever is fitted is fitted on the N."""
    clusters, names = named_clusters(train_x, prompts, seed=seed)
    quality = evaluate.cluster_quality(clusters, train_y, test_x, test_y)
    return Scores(
        zero_shot=predict(method, test_x, prompts),
        knn=evaluate.knn(train_x, train_y, test_x, k=min(NEIGHBOURS, len(train_x))),
        probe=evaluate.linear_probe(train_x, train_y, train_subjects, test_x),
        cluster=quality.predicted,
        ari=quality.ari,
        nmi=quality.nmi,
        naming=evaluate.naming(names, clusters.assignment, train_y),
    )


def record(
    method: Method,
    train: Embedded,
    test: Embedded,
    emotions: tuple[str, ...],
    shown: tuple[str, ...],
    prompts: tuple,
    seed: int,
    steps: int = STEPS,
) -> dict[str, object]:
    """One run, as `mvlm.study.run` describes its record from `names` on.

    A transductive method trains on the test samples too, without their labels; what is measured afterwards is fitted on
    the training subjects, as for every method.

    Args:
        method: the recipe.
        train, test: embeddings of the training and of the test subjects.
        emotions: the C classes.
        shown: the classes that the test samples show, if fewer; else empty.
        prompts: fields of `Prompts`.
        seed: of clusters and weights.
        steps: of each round's training.
    """
    prompts = Prompts(*prompts)
    train_views, test_views = train.views(), test.views()[0]
    train_y, test_y = (np.array([emotions.index(e) for e in of.emotions]) for of in (train, test))
    truth, subjects, unlabelled = train_y, train.subjects, train_views
    if method.transductive:  # two corpora may name their subjects alike, so that names do not tell them apart
        truth, subjects = np.concatenate([train_y, test_y]), None
        unlabelled = np.concatenate([train_views, test.views()], axis=1)
    oracle = method.supervision == "oracle"
    told = {"labels": truth if oracle else None, "subjects": subjects}
    adapted = adapt(method, unlabelled, prompts, seed=seed, steps=steps, **told)
    train_x, test_x = represent(method, adapted.adapter, train_views[0], test_views)
    scores = score(train_x, train_y, train.subjects, test_x, test_y, method, prompts, seed=seed)
    among = np.array([emotions.index(emotion) for emotion in shown], dtype=int)
    rounds = adapted.labels
    return {
        "names": test.names.tolist(),
        "subjects": test.subjects.tolist(),
        "emotions": test.emotions.tolist(),
        **{
            protocol: [emotions[c] for c in getattr(scores, protocol)]
            for protocol in ("zero_shot", "knn", "probe", "cluster")
        },
        "among_shown": [emotions[c] for c in predict(method, test_x, prompts, among)] if shown else None,
        "ari": scores.ari,
        "nmi": scores.nmi,
        "naming": scores.naming,
        "change": [float((new != old).mean()) for old, new in pairwise(rounds)],
        "pseudo_labels": [float((labels == truth[:, None])[labels != UNUSED].mean()) for labels in rounds],
        "cluster_sizes": adapted.sizes,
        "weights": None if adapted.adapter is None else adapted.adapter.digest(),
    }
