"""Which emotion a cluster is: names by the joint match of all prompts (II-F). No true label enters.

Shapes: D embedding, C clusters and classes, P prompts.
"""

from typing import NamedTuple

import numpy as np

from mvlm.labels.clusters import Clusters, cluster, membership, unit_rows


class Prompts(NamedTuple):
    """The text side of a frozen model: the prompts of the classes, embedded, and its temperature."""

    text: np.ndarray  # (P, D)
    classes: np.ndarray  # (P,) class 0..C-1 of each
    temperature: float

    def prototypes(self) -> np.ndarray:
        """(C, D) unit rows: the normalised mean of the prompts of each class."""
        text = unit_rows("text", self.text)
        return unit_rows("prototypes", np.stack([text[self.classes == c].mean(0) for c in np.unique(self.classes)]))


def named_clusters(rows: np.ndarray, prompts: Prompts, *, seed: int) -> tuple[Clusters, np.ndarray]:
    """Clusters of unit rows (N, D), one per class, and (C,) the class that the prompts give each cluster."""
    clusters = cluster(rows, prompts.classes.max() + 1, seed=seed)
    return clusters, name_clusters(clusters.centres, prompts.text, prompts.classes, mean_view=rows.mean(0))


def name_clusters(centres: np.ndarray, text: np.ndarray, classes: np.ndarray, *, mean_view: np.ndarray) -> np.ndarray:
    """(C,) the class that names each cluster, one to one.

    The names are those of the largest summed match over all clusters (Hungarian method), so that a class that fits two
    clusters goes where the whole fits best. The match of a cluster and a class is the mean, over the prompts of the
    class, of the cosine between centre and prompt. Images and texts lie in shifted parts of the shared space, so both
    are centred first, each on its own mean: images on `mean_view`, texts on the mean of the classes' means.

    Why a plain mean of cosines: what disturbs a centre, such as a shift between the faces the model learnt from and
    those at hand, moves its cosine with every prompt by about the same amount, while prompts differ in how much they
    tell. Standardising each prompt over the clusters would lift the noise of a prompt that tells nothing to the level
    of the others' signal.

    Args:
        centres: (C, D) of `cluster`.
        text: (P, D) embeddings of the prompts.
        classes: (P,) the class 0..C-1 each prompt describes; every class has at least one.
        mean_view: (D,) mean embedding of the samples that were clustered.

    Raises ValueError for wrong shapes, rows without a direction, or a number of classes other than that of clusters.
    """
    from scipy.optimize import linear_sum_assignment

    centres, text, classes = np.asarray(centres), np.asarray(text), np.asarray(classes)
    count = len(centres)
    width = centres.shape[1:]
    if len(width) != 1 or text.shape[1:] != width or classes.shape != text.shape[:1] or np.shape(mean_view) != width:
        raise ValueError(
            "centres (C, D), text (P, D), classes (P,) and mean_view (D,) must agree, got "
            f"{centres.shape}, {text.shape}, {classes.shape} and {np.shape(mean_view)}"
        )
    if not np.array_equal(np.unique(classes), np.arange(count)):
        raise ValueError(f"{count} clusters need prompts of the classes 0 to {count - 1}, got {np.unique(classes)}")
    text = centred_prompts(text, classes)
    centres = unit_rows("centred centres", unit_rows("centres", centres) - mean_view)
    match = centres @ text.T @ membership(classes).T  # (C clusters, C classes)
    return linear_sum_assignment(match, maximize=True)[1]


def centred_prompts(text: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Unit rows (P, D) of the prompts after removing the mean of the means of their classes (P,), 0..C-1."""
    text = unit_rows("text", text)
    return unit_rows("centred text", text - (membership(classes) @ text).mean(0))
