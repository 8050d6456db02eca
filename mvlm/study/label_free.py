"""Ways to read expressions without labels, side by side on frozen embeddings, fold by fold: a record holds all of them.

Three sorts stand beside each other: the frozen model, what removes the person (`mvlm.labels.identity`), and bounds that
are told true labels; `mvlm.study.label_free_peers` has what others published. Each way says what it knows, and how many
scans of a test subject it looks at together. None but the bounds is given a true label.

Shapes: N training and M test samples, D embedding, C classes, K own scans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mvlm.labels import identity
from mvlm.labels.clusters import aggregate, unit_rows
from mvlm.labels.identity import EXPONENTS, Discriminant, Relabelled, centred_on_subjects
from mvlm.labels.naming import Prompts, named_clusters
from mvlm.measures import evaluate
from mvlm.method import Method
from mvlm.study.record import Fold

FEW = (1, 2, 4)  # own scans of a test subject, beside all of them
NOTHING, SUBJECTS, SHARES = "nothing", "subjects", "class shares"
KNOWN = {"who": SUBJECTS, "spread": SHARES, "shares": SHARES}  # by a degree of `EXPONENTS`
TRUE = "labels"


class Way(NamedTuple):
    """A way to predict test samples.

    Attributes:
        title: as tables show it.
        knows: beside images: nothing, subjects, class shares.
        scans: of a test subject that it looks at together: "1", "2", "4", "all"; "all subjects" if transductive.
        supervision: "none", or "labels" of a bound.
    """

    title: str
    knows: str = NOTHING
    scans: str = "1"
    supervision: str = "none"


@dataclass(frozen=True)
class Rows:
    """The rows of a fold as each way wants them, made once.

    Attributes:
        train, test: unit rows (N, D), (M, D).
        who, tested: (N,), (M,) the subjects; those of the test side differ from all of the training side.
        prompts: of the frozen model.
        seed: of clusters and of what is drawn.
    """

    train: np.ndarray
    test: np.ndarray
    who: np.ndarray
    tested: np.ndarray
    prompts: Prompts
    seed: int

    @classmethod
    def of(cls, fold: Fold, prompts: Prompts) -> Rows:
        """Those of a fold. Two corpora may name their subjects alike, and are told apart."""
        train, test = (aggregate(side.views()[0]) for side in (fold.train, fold.test))
        who = (np.char.add(mark, side.subjects) for mark, side in (("train ", fold.train), ("test ", fold.test)))
        return cls(train, test, *who, prompts, fold.seed)

    @cached_property
    def mean(self) -> np.ndarray:
        return self.train.mean(0)

    @cached_property
    def centred(self) -> tuple[np.ndarray, np.ndarray]:
        """Both sides without the mean of the training rows."""
        return tuple(unit_rows("centred rows", side - self.mean) for side in (self.train, self.test))

    @cached_property
    def impersonal(self) -> tuple[np.ndarray, np.ndarray]:
        """Both sides, each row without its own subject's mean."""
        return self.without(self.who, self.tested)

    def without(self, who: np.ndarray, tested: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both sides, each row without the mean of its group (N,), (M,)."""
        return tuple(centred_on_subjects(x, of, self.mean) for x, of in ((self.train, who), (self.test, tested)))

    @cached_property
    def prototypes(self) -> np.ndarray:
        return self.prompts.prototypes()

    @cached_property
    def shifted(self) -> np.ndarray:
        """(C, D) prototypes without their mean, for rows that are centred."""
        return unit_rows("centred prototypes", self.prototypes - self.prototypes.mean(0))

    @cached_property
    def relabelled(self) -> dict[str, Relabelled]:
        """The training rows, by the degree of knowledge."""
        return {degree: identity.relabel(self.train, self.who, self.prompts, degree=degree) for degree in EXPONENTS}


FROZEN = {
    "zero-shot": Way("Zero-shot"),
    "centred": Way("Zero-shot, centred"),
    "subject-centred": Way("Zero-shot, subject-centred", SUBJECTS, "all"),
    "clusters": Way("Clusters named by prompts"),
    "clusters-centred": Way("Clusters named by prompts, subject-centred", SUBJECTS, "all"),
}
_SAID = {"who": "who", "spread": "about equal shares", "shares": "equal shares"}
OURS = {f"relabelled-{each}": Way(f"Relabelled ({said})", KNOWN[each], "all") for each, said in _SAID.items()}
OF_FEW = {
    f"relabelled-{each}-{count}": Way(f"Relabelled ({said})", KNOWN[each], str(count))
    for each, said in _SAID.items()
    for count in FEW
}
TRANSDUCTIVE = {
    f"transductive-{each}": Way(f"Relabelled ({said}), transductive", KNOWN[each], "all subjects")
    for each, said in _SAID.items()
}
BOUNDS = {
    "discriminant": Way("The same discriminant on true labels", SUBJECTS, "all", TRUE),
    "probe": Way("Linear probe", NOTHING, "1", TRUE),
    "probe-centred": Way("Linear probe, subject-centred", SUBJECTS, "all", TRUE),
}
WITHOUT_LABELS = FROZEN | OURS | OF_FEW | TRANSDUCTIVE | BOUNDS


def without_labels(
    method: Method,  # noqa: ARG001 - all ways are run
    fold: Fold,
    prompts: Prompts,
    steps: int | None = None,  # noqa: ARG001 - nothing is trained
    strengths: tuple[float, ...] = evaluate.STRENGTHS,
) -> dict[str, object]:
    """Predictions of a fold's test samples by every way of `WITHOUT_LABELS`, but by more own scans than there are.

    Args:
        fold, prompts: what is run.
        strengths: among which the probe chooses its inverse penalty.

    Returns:
        names, subjects, emotions: of the test samples; predicted: way -> list of classes; among_shown: the same, asked
        about the classes alone that the test samples show, None where these are all; labels_right: degree -> share of
        the training labels that are true (nothing reads this); rounds: degree -> of labelling; moved: degree -> see
        `mvlm.labels.identity.moved_by_balance`, of "who" labels.
    """
    rows = Rows.of(fold, prompts)
    truth, count = fold.classes(fold.train), len(fold.emotions)
    scores = dict(_frozen(rows))
    for degree, found in rows.relabelled.items():
        scores[f"relabelled-{degree}"] = found.discriminant.posterior(rows.impersonal[1])
        scores |= _of_few(rows, degree, found.labels, count)
        scores[f"transductive-{degree}"] = _together(rows, degree)
    bound = Discriminant.fit(rows.impersonal[0], truth, count)
    scores["discriminant"] = bound.posterior(rows.impersonal[1])
    for name, (train, test) in (("probe", (rows.train, rows.test)), ("probe-centred", rows.impersonal)):
        scores[name] = np.eye(count)[evaluate.linear_probe(train, truth, rows.who, test, strengths=strengths)]
    found = rows.relabelled
    return said(fold, scores) | {
        "labels_right": {degree: float((of.labels == truth).mean()) for degree, of in found.items()},
        "rounds": {degree: of.rounds for degree, of in found.items()},
        "moved": guard(rows, count),
    }


def said(fold: Fold, scores: dict[str, np.ndarray]) -> dict[str, object]:
    """The fields of a record that say what each way predicts, from scores (M, C) of classes."""
    shown = np.array([fold.emotions.index(emotion) for emotion in fold.shown], dtype=int)
    among = {way: shown[of[:, shown].argmax(1)].tolist() for way, of in scores.items()} if fold.shown else None
    return {
        "names": fold.test.names.tolist(),
        "subjects": fold.test.subjects.tolist(),
        "emotions": fold.test.emotions.tolist(),
        "predicted": {way: of.argmax(1).tolist() for way, of in scores.items()},
        "among_shown": among,
    }


def guard(rows: Rows, count: int) -> float | None:
    """How many labels the knowledge of equal shares would move, without reading a label; None of a single subject."""
    if len(np.unique(rows.who)) < 2:
        return None
    return identity.moved_by_balance(rows.train, rows.who, rows.relabelled["shares"].labels, count)


def _frozen(rows: Rows) -> Iterator[tuple[str, np.ndarray]]:
    """Scores (M, C) of the frozen model, as it is and without means; and by clusters of the training rows."""
    yield "zero-shot", rows.test @ rows.prototypes.T
    yield "centred", rows.centred[1] @ rows.shifted.T
    yield "subject-centred", rows.impersonal[1] @ rows.shifted.T
    for name, (train, test) in (("clusters", (rows.train, rows.test)), ("clusters-centred", rows.impersonal)):
        clusters, names = named_clusters(train, rows.prompts, seed=rows.seed)
        yield name, (test @ clusters.centres.T)[:, np.argsort(names)]


def _of_few(rows: Rows, degree: str, labels: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Scores (M, C) by a few own scans, of those numbers that every test subject has."""
    fitted = identity.discriminant_for_few(rows.train, rows.who, labels, count)
    least = np.unique(rows.tested, return_counts=True)[1].min()
    found = {}
    for few in FEW:
        if few <= least:
            beside = identity.own_scans(rows.tested, few, seed=rows.seed)
            x = identity.centred_on_few(rows.test, beside, rows.mean)
            found[f"relabelled-{degree}-{few}"] = fitted.posterior(x)
    return found


def _together(rows: Rows, degree: str) -> np.ndarray:
    """(M, C) one-hot labels of the test rows when both sides are relabelled as one."""
    both, who = np.concatenate([rows.train, rows.test]), np.concatenate([rows.who, rows.tested])
    found = identity.relabel(both, who, rows.prompts, degree=degree)
    return np.eye(found.posterior.shape[1])[found.labels[len(rows.train) :]]
