"""What of an embedding is the person: people and their frozen embeddings, and how much of these tells who they are.

Why removing it and asking the prompts works is asked in `mvlm.study.items.identity_why`. True labels count what is
right and teach nothing, but where a row says that it learnt from them.

Shapes: N samples, V views, D embedding, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm.labels.clusters import aggregate, unit_rows
from mvlm.labels.identity import centred_on_subjects
from mvlm.labels.naming import Prompts
from mvlm.measures import nuisance
from mvlm.measures.statistics import summary
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.embeddings import shown
from mvlm.study.items.seen_or_not import SEEN
from mvlm.study.plan import present
from mvlm.study.runs import embedded
from mvlm.twins.twin import Twin

if TYPE_CHECKING:
    import pandas as pd

ON = ("BU-3DFE-I", "Bosphorus", "BU-4DFE")
MAIN = ON[0]
FACES = {"anny": "independent face", "formula": "formula face"}  # what draws a twin -> as figures say it
REMOVED = ("nothing", "each person's mean")
# What the parts of a measure are called.
KINDS = {
    "variance": ("person", "emotion", "rest"),
    "neighbours": ("same person, another emotion", "another person, same emotion", "neither"),
}
OF = {
    "benchmark": "corpus and subset",
    "face": "what draws the twin, see mvlm.twins.twin",
    "seen": "whether the foundation has seen this face model",
    "data_kind": "twin",
    "profile": "smoke, quick or full",
    "subjects": "subjects",
    "n": "samples",
}
# Columns of the CSVs, with their units.
SHARES = OF | {
    "removed": "what was subtracted from the rows; after it they are of unit length again",
    "measure": "variance: two-way by person and emotion; neighbours: the nearest that is no scan of the same person "
    "with the same emotion",
    "kind": "of whom",
    "percent": "of the variance, or of the samples",
    "by_lot": "percent if persons, or emotions, were shuffled among scans with the same of the other; of a neighbour "
    "drawn by lot; empty for the rest",
}
PLANE = OF | {
    "removed": "what was subtracted from the rows",
    "name": "sample",
    "subject": "who is shown",
    "emotion": "what is shown",
    "x": "first principal component of all rows, fitted without labels",
    "y": "second one",
    "x_percent": "of the variance along the first",
    "y_percent": "of the variance along the second",
}


class People(NamedTuple):
    """Frozen embeddings of a benchmark's samples on a twin, and what they show."""

    benchmark: str
    face: str
    profile: str
    names: np.ndarray  # (N,) str
    subjects: np.ndarray  # (N,) str
    emotions: np.ndarray  # (N,) str
    levels: np.ndarray  # (N,) int, 0 where there are none
    classes: np.ndarray  # (N,) true, 0..C-1
    rows: np.ndarray  # (N, D) unit rows of `aggregate`
    prompts: Prompts
    images: np.ndarray  # (all samples, V, H, H, 3) uint8
    places: np.ndarray  # (N,) among the images

    def of(self, mask: np.ndarray) -> People:
        """The samples where mask (N,) is true, or at these places."""
        per_sample = ("names", "subjects", "emotions", "levels", "classes", "rows", "places")
        return self._replace(**{name: getattr(self, name)[mask] for name in per_sample})

    def fronts(self) -> np.ndarray:
        """(N, H, H, 3) front views, as the model sees them."""
        return self.images[self.places, 0]

    @property
    def without_person(self) -> np.ndarray:
        """(N, D) unit rows, each centred on its subject."""
        return centred_on_subjects(self.rows, self.subjects)

    @property
    def wanted(self) -> np.ndarray:
        """(C, D) prototypes of the prompts without their mean, at unit length."""
        prototypes = self.prompts.prototypes()
        return unit_rows("centred prototypes", prototypes - prototypes.mean(0))

    def head(self) -> dict[str, object]:
        """What every row of a CSV says of them."""
        of = {"benchmark": self.benchmark, "face": self.face, "seen": SEEN[self.face], "data_kind": "twin"}
        return of | {"profile": self.profile, "subjects": len(np.unique(self.subjects)), "n": len(self.names)}

    def right(self, labels: np.ndarray) -> dict[str, float]:
        """Percent of labels (N,) that are true, with its interval over subjects."""
        found = summary(labels == self.classes, np.zeros(len(labels), int), self.subjects)
        return {"percent": 100 * found.mean, "low": 100 * found.low, "high": 100 * found.high}


def shown_people(settings: Settings | None = None) -> list[People]:
    """People of `ON` by either face, in this order, encoding what is missing.

    Args:
        settings: None reads them from the environment. `data` plays no part: pictures are shown, and of two faces.
    """
    chosen = replace(Settings.from_environment() if settings is None else settings, data=None)
    found = []
    for name in ON:
        for face in FACES:
            twin = Twin(BENCHMARKS[name].corpus, face=face)
            (experiment,) = present([BENCHMARKS[name]], chosen, {twin.name: twin})
            of, prompts = embedded(experiment, chosen)
            level = dict(zip(experiment.samples.names, experiment.samples.levels, strict=True))
            known, images = experiment.benchmark, shown(twin, BENCHMARKS[name].emotions, chosen, experiment.subjects)
            found.append(
                People(
                    name,
                    face,
                    chosen.profile,
                    of.names,
                    of.subjects,
                    of.emotions,
                    np.array([level[each] for each in of.names]),
                    known.labels(of.emotions),
                    aggregate(of.views()[0]),
                    prompts,
                    images.images,
                    of.rows,
                )
            )
    return found


def shares(crowds: Sequence[People]) -> pd.DataFrame:
    """How much of embeddings is the person and the emotion, before and after the person's mean is removed: `SHARES`."""
    import pandas as pd

    rows = []
    for people in crowds:
        who, what = people.subjects, people.emotions
        for removed, x in zip(REMOVED, (people.rows, people.without_person), strict=True):
            variance, nearest = nuisance.variance_shares(x, who, what), nuisance.nearest_kinds(x, who, what)
            lots = {"variance": _share_by_lot(variance, who, what), "neighbours": _neighbour_by_lot(who, what)}
            for measure, found in {"variance": variance, "neighbours": nearest}.items():
                for kind, share, lot in zip(KINDS[measure], found, (*lots[measure], np.nan), strict=True):
                    row = {"removed": removed, "measure": measure, "kind": kind}
                    rows.append(people.head() | row | {"percent": 100 * share, "by_lot": 100 * lot})
    return pd.DataFrame(rows, columns=list(SHARES))


def plane(people: People, subjects: Sequence[str]) -> pd.DataFrame:
    """Some subjects on the first two principal components of all rows, before and after: `PLANE`."""
    import pandas as pd

    frames, drawn = [], np.isin(people.subjects, subjects)
    for removed, x in zip(REMOVED, (people.rows, people.without_person), strict=True):
        about = x - x.mean(0)
        variance, axes = np.linalg.eigh(about.T @ about)
        axes = axes[:, ::-1][:, :2]
        axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])  # or their signs would be the library's
        placed, percent = about[drawn] @ axes, 100 * variance[::-1][:2] / variance.sum()
        of = people.head() | {"removed": removed, "x_percent": percent[0], "y_percent": percent[1]}
        of |= {"name": people.names[drawn], "subject": people.subjects[drawn], "emotion": people.emotions[drawn]}
        frames.append(pd.DataFrame(of | {"x": placed[:, 0], "y": placed[:, 1]}, columns=list(PLANE)))
    return pd.concat(frames, ignore_index=True)


def _share_by_lot(found: nuisance.Shares, subjects: np.ndarray, emotions: np.ndarray) -> tuple[float, float]:
    """What subjects' means would share if subjects were shuffled inside emotions, and emotions' inside subjects.

    Of the variance that the other does not have, as much as they are degrees of freedom: (G - 1) / (N - C).
    """
    samples, people, shown = len(subjects), len(np.unique(subjects)), len(np.unique(emotions))
    return (
        (1 - found.emotion) * (people - 1) / (samples - shown),
        (1 - found.subject) * (shown - 1) / (samples - people),
    )


def _neighbour_by_lot(*groups: np.ndarray) -> list[float]:
    person, emotion = (of[:, None] == of for of in groups)
    other = ~(person & emotion)
    return [float(((of & other).sum(1) / other.sum(1)).mean()) for of in (person, emotion)]
