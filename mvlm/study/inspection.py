"""What an embedding knows besides what it was asked: all that a worker executes for one inspection.

Adapts as a run does, with the same weights, and then asks the embeddings: single views, who is shown, from where, what
the neighbours are, how many labels a probe needs, and how often clusters change their names. Labels of test samples
score and never train, but for *who*: that is asked among the test subjects, whom no training has seen.

Shapes: N training and M test samples, V views, D embedding, C classes.
"""

from __future__ import annotations

import numpy as np

from mvlm.labels.clusters import cluster
from mvlm.labels.naming import Prompts, name_clusters
from mvlm.measures import evaluate
from mvlm.method import Method, adapt, discriminant, predict, represent, seen
from mvlm.study.record import Fold

RESTARTS = 20  # clusterings, each from one start of its own
SHARES = (1, 5, 10)  # percent of the training subjects whose labels a probe gets; all of them: the record of the run
DRAWS = 5  # of so few subjects
STRENGTH = 1.0  # inverse penalty of a probe that has no inner folds to choose it by
PROBED_SCANS = 6  # of a training subject, for the question from where a view is taken


def inspect(
    method: Method,
    fold: Fold,
    prompts: Prompts,
    steps: int | None = None,
    strengths: tuple[float, ...] = evaluate.STRENGTHS,
) -> dict[str, object]:
    """One inspection; arguments as of `mvlm.study.record.record`.

    Returns:
        names, subjects, emotions: lists over the M test samples.
        views: for each view, the emotions (M) predicted from it alone.
        nearest: (M) index of the nearest other test sample.
        subject_nearest, subject_probe: (M) subject predicted by samples of other emotions; None where the fold tests
            one subject or one emotion. See `identity`.
        yaw: (M, V) index of the view that each view is taken for.
        labelled: share of labels in percent -> number of training subjects, and for each draw the emotions (M)
            predicted by a probe on their labels alone.
        clusters: for each restart, see `restarts`.
    """
    train, test, emotions, seed = fold.train, fold.test, fold.emotions, fold.seed
    train_y, test_y = fold.classes(train), fold.classes(test)
    truth = method.may_know(train_y)
    who = train.subjects, test.subjects
    views = seen(method, (train.views(), test.views()), who)
    adapter, rounds = adapt(method, views[0], prompts, seed=seed, truth=truth, subjects=train.subjects, steps=steps)

    def adapted(views: np.ndarray) -> np.ndarray:
        return views if adapter is None else adapter.apply(views)

    def predicted(train_rows: np.ndarray, test_rows: np.ndarray) -> list[str]:
        fitted = discriminant(method, train_rows, rounds, prompts)
        return [emotions[c] for c in predict(method, test_rows, prompts, fitted=fitted)]

    train_views, test_views = (of[0] for of in views)
    train_x, test_x = represent(method, adapted(train_views), adapted(test_views), who)
    of_view = [
        represent(method, adapted(train_views[:, [v]]), adapted(test_views[:, [v]]), who)
        for v in range(test_views.shape[1])
    ]
    told = len(np.unique(test.subjects)) > 1 and len(np.unique(test.emotions)) > 1
    recognised = identity(test_x, test.subjects, test.emotions) if told else (None, None)
    return {
        "names": test.names.tolist(),
        "subjects": test.subjects.tolist(),
        "emotions": test.emotions.tolist(),
        "views": [predicted(*rows) for rows in of_view],
        "nearest": nearest(test_x).tolist(),
        "subject_nearest": recognised[0],
        "subject_probe": recognised[1],
        "yaw": yaw(adapted(train_views), adapted(test_views), train.subjects, seed=seed).tolist(),
        "labelled": {
            str(share): {"subjects": of, "predicted": [[emotions[c] for c in said] for said in draws]}
            for share, (of, draws) in labelled(
                train_x, train_y, train.subjects, test_x, seed=seed, strengths=strengths
            ).items()
        },
        "clusters": restarts(train_x, train_y, test_x, test_y, prompts, seed=seed),
    }


def nearest(rows: np.ndarray) -> np.ndarray:
    """(M,) index of the nearest other row in cosine, of unit rows (M, D)."""
    cosine = rows @ rows.T
    np.fill_diagonal(cosine, -np.inf)
    return cosine.argmax(1)


def identity(rows: np.ndarray, subjects: np.ndarray, emotions: np.ndarray) -> tuple[list[str], list[str]]:
    """Who each row (M, D) shows, told by the nearest row and by a linear probe, from the rows of other emotions.

    Folds share subjects but no scan and no emotion: whoever is known again is known by the face, not by the smile.

    Args:
        rows: unit rows (M, D).
        subjects, emotions: (M,) str, two or more of each.
    """
    known, who = np.unique(subjects, return_inverse=True)
    by_nearest, by_probe = np.zeros(len(rows), int), np.zeros(len(rows), int)
    for emotion in np.unique(emotions):
        asked = emotions == emotion
        by_nearest[asked] = evaluate.knn(rows[~asked], who[~asked], rows[asked], k=1)
        by_probe[asked] = evaluate.fixed_probe(rows[~asked], who[~asked], rows[asked], strength=STRENGTH)
    return known[by_nearest].tolist(), known[by_probe].tolist()


def yaw(train: np.ndarray, test: np.ndarray, subjects: np.ndarray, *, seed: int) -> np.ndarray:
    """(M, V) index of the view that each test view (M, V, D) is taken for, by a probe on training views (N, V, D).

    A few scans of each training subject (N,) are enough to tell directions.
    """
    rng = np.random.default_rng(seed)
    chosen = np.concatenate(
        [rng.permutation(np.flatnonzero(subjects == subject))[:PROBED_SCANS] for subject in np.unique(subjects)]
    )
    views, width = train.shape[1:]
    rows, which = train[chosen].reshape(-1, width), np.tile(np.arange(views), len(chosen))
    return evaluate.fixed_probe(rows, which, test.reshape(-1, width), strength=STRENGTH).reshape(-1, views)


def labelled(
    train_x: np.ndarray,
    train_y: np.ndarray,
    subjects: np.ndarray,
    test_x: np.ndarray,
    *,
    seed: int,
    strengths: tuple[float, ...] = evaluate.STRENGTHS,
) -> dict[int, tuple[int, list[np.ndarray]]]:
    """Predictions by a linear probe that gets the labels of a few training subjects, all of each.

    Whole subjects, since who is asked to label faces labels people. With three subjects or more the penalty is chosen
    on inner folds of them (`mvlm.measures.evaluate.linear_probe`), else it is fixed.

    Returns:
        Share of the subjects in percent -> their number, one or more, and `DRAWS` predictions (M,).
    """
    every, rng = np.unique(subjects), np.random.default_rng(seed)
    found = {}
    for share in SHARES:
        count = max(1, round(share * len(every) / 100))
        said = []
        for _ in range(DRAWS):
            chosen = np.isin(subjects, rng.choice(every, count, replace=False))
            rows, labels = train_x[chosen], train_y[chosen]
            if count >= evaluate.INNER_FOLDS:
                said.append(evaluate.linear_probe(rows, labels, subjects[chosen], test_x, strengths=strengths))
            else:
                said.append(evaluate.fixed_probe(rows, labels, test_x, strength=STRENGTH))
        found[share] = count, said
    return found


def restarts(
    train_x: np.ndarray, train_y: np.ndarray, test_x: np.ndarray, test_y: np.ndarray, prompts: Prompts, *, seed: int
) -> list[dict[str, float]]:
    """Clusters of training rows (N, D), `RESTARTS` times from one start each, and what the prompts call them.

    Returns:
        For each restart: inertia; quality, accuracy on the test rows (M, D) under names by the training labels; naming,
        share of clusters that the prompts name as those labels do; renamed, share of the training samples that have
        another name than under the restart of least inertia.
    """
    found, named = [], []
    for number in range(RESTARTS):
        clusters = cluster(train_x, prompts.classes.max() + 1, seed=seed + number, restarts=1)
        names = name_clusters(clusters.centres, prompts.text, prompts.classes, mean_view=train_x.mean(0))
        quality = evaluate.cluster_quality(clusters, train_y, test_x, test_y)
        named.append(names[clusters.assignment])
        found.append(
            {
                "inertia": clusters.inertia,
                "quality": float((quality.predicted == test_y).mean()),
                "naming": evaluate.naming(names, clusters.assignment, train_y),
            }
        )
    best = named[int(np.argmin([each["inertia"] for each in found]))]
    return [each | {"renamed": float((names != best).mean())} for each, names in zip(found, named, strict=True)]
