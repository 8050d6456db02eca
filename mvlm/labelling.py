"""How training samples get their classes: clusters named by prompts, prompts alone, and the ways to refine both.

What is told beside the views is who is shown, where a method knows subjects; never what.

Shapes: N samples, V views, D embedding, P prompts, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mvlm.labels import identity, refined
from mvlm.labels.clusters import UNUSED, Labels, aggregate, unit_rows
from mvlm.labels.naming import Prompts, named_clusters
from mvlm.measures.evaluate import zero_shot

if TYPE_CHECKING:
    from mvlm.method import Method


def label(
    method: Method, views: np.ndarray, prompts: Prompts, *, seed: int, subjects: np.ndarray | None = None
) -> Labels:
    """Labels of samples (N, V, D) by a method's supervision and labelling, whatever they truly show.

    `subjects` (N,), who is shown, are for a labelling of `RELABELLINGS`.

    Raises:
        KeyError: a supervision that labels nothing by itself: "none", and "oracle", whose labels are the true ones.
    """
    count = views.shape[1]
    if method.labelling in RELABELLINGS:
        found = identity.relabel(aggregate(views), subjects, prompts, degree=RELABELLINGS[method.labelling])
        return Labels(along_views(found.labels, count))
    if method.labelling != "plain":
        return LABELLINGS[method.labelling](views, prompts, seed)
    matched = zero_shot(aggregate(views), prompts.prototypes())
    if method.supervision == "cluster":
        classes = pseudo_labels(views, prompts, pooled=not method.aggregate, seed=seed)
    else:
        classes = along_views({"zero-shot": matched, "instance": np.arange(len(matched))}[method.supervision], count)
    if method.agreed:
        classes = np.where((classes[:, 0] == matched)[:, None], classes, UNUSED)
    return Labels(classes)


def pseudo_labels(views: np.ndarray, prompts: Prompts, *, pooled: bool, seed: int) -> np.ndarray:
    """(N, V) class of each view (N, V, D): the name of the cluster of the view or, unless `pooled`, of its sample."""
    samples, count = views.shape[:2]
    rows = unit_rows("views", views).reshape(samples * count, -1) if pooled else aggregate(views)
    clusters, names = named_clusters(rows, prompts, seed=seed)
    classes = names[clusters.assignment]
    return classes.reshape(samples, count) if pooled else along_views(classes, count)


def _classifier(views: np.ndarray, prompts: Prompts, _seed: int) -> Labels:
    """A classifier learns on the texts; the half of each class that it is surest of is trained on (as LaFTer, UPL)."""
    found = refined.text_classifier(aggregate(views), prompts.text, prompts.classes)
    return Labels(along_views(refined.most_confident(found), views.shape[1]))


def _balanced(views: np.ndarray, prompts: Prompts, _seed: int) -> Labels:
    """The prompts' probabilities, scaled so that every class has the same share of the samples."""
    return Labels(along_views(refined.balanced(_by_prompts(views, prompts)).argmax(1), views.shape[1]))


def _neighbours(views: np.ndarray, prompts: Prompts, _seed: int) -> Labels:
    """The prompts' probabilities, averaged over neighbours; a label weighs as much as its class is compact there."""
    rows = aggregate(views)
    classes = refined.smoothed(rows, _by_prompts(views, prompts)).argmax(1)
    weight = refined.trust(rows, classes, temperature=prompts.temperature)
    one_hot = np.eye(prompts.classes.max() + 1)[classes]
    return Labels(along_views(classes, views.shape[1]), one_hot * weight[:, None])


def _seeded(views: np.ndarray, prompts: Prompts, _seed: int) -> Labels:
    """k-means that starts at the prompts."""
    clusters = refined.seeded(aggregate(views), prompts.text, prompts.classes)
    return Labels(along_views(clusters.assignment, views.shape[1]))


def _consensus(views: np.ndarray, prompts: Prompts, seed: int) -> Labels:
    """The names that many clusterings of random parts of the samples give, each by its share of the votes."""
    votes = refined.consensus(aggregate(views), prompts.text, prompts.classes, seed=seed)
    return Labels(along_views(votes.argmax(1), views.shape[1]), votes)


def _soft(views: np.ndarray, prompts: Prompts, seed: int) -> Labels:
    """Probabilities in place of classes: those of the prompts times those of the named clusters."""
    rows = aggregate(views)
    clusters, names = named_clusters(rows, prompts, seed=seed)
    of_clusters = refined.of_clusters(rows, clusters, names, temperature=prompts.temperature)
    targets = refined.product(_by_prompts(views, prompts), of_clusters)
    return Labels(along_views(targets.argmax(1), views.shape[1]), targets)


LABELLINGS: dict[str, Callable[[np.ndarray, Prompts, int], Labels]] = {
    "classifier": _classifier,
    "balanced": _balanced,
    "neighbours": _neighbours,
    "seeded": _seeded,
    "consensus": _consensus,
    "soft": _soft,
}
# Labellings that know who is shown -> what they know of it, a degree of `mvlm.labels.identity.EXPONENTS`.
RELABELLINGS = {"relabelled-who": "who", "relabelled-spread": "spread", "relabelled-shares": "shares"}


def _by_prompts(views: np.ndarray, prompts: Prompts) -> np.ndarray:
    """(N, C) the model's own probabilities of the classes, for the mean view."""
    return refined.posterior(aggregate(views), prompts.prototypes(), temperature=prompts.temperature)


def along_views(classes: np.ndarray, count: int) -> np.ndarray:
    """(N, V) the class (N,) of each sample for each of its views."""
    return np.repeat(classes[:, None], count, axis=1)
