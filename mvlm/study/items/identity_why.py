"""Why removing the person and asking the prompts works: four computations that could have come out otherwise.

What is left of a person is anisotropic, so that a discriminant tells more than a cosine. People differ along the very
directions along which emotions do, so that these must not be projected out. Prompts break a symmetry that images can't
break. And balance inside each person is many constraints, each where labels are comparable.

Shapes: N samples, D embedding, C classes, M others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mvlm.labels.clusters import class_means, cluster, unit_rows
from mvlm.labels.identity import EXPONENTS, Discriminant, by_prompts, settled
from mvlm.labels.naming import Prompts, name_clusters
from mvlm.labels.refined import posterior
from mvlm.measures import nuisance
from mvlm.measures.evaluate import hungarian_names
from mvlm.samples import folds
from mvlm.study.items.identity_lesson import OF, People

if TYPE_CHECKING:
    import pandas as pd

DIRECTIONS = (0, 1, 2, 3, 5, 10, 20, 40)  # of people's means, projected out
TOGETHER = (1, 2, 5, 10, 25)  # people among whom classes are balanced; beyond, all of them
PARTS = 5  # of the people, in cross-fitting
AXES = 15  # that are drawn
# How labels are balanced -> what is said of it. Three are the degrees of knowledge of `mvlm.labels.identity`.
BALANCES = {
    "shares": "inside each person",
    "spread": "inside each person, softly",
    "corpus": "over the corpus",
    "who": "not at all",
}
LEFT_IN = {"shares": "inside each person, the person left in", "who": "not at all, the person left in"}
PROMPTS, CLUSTERS, BY_LOT = "prompts", "k-means, named by prompts", "directions drawn by lot"
INSIDE, BETWEEN = "variance inside emotions", "variance between emotions"
LEFT_OF_PEOPLE, LEFT_OF_EMOTIONS = "variance between people left", "variance between emotions left"
MATCHED = "prompts right"
TRUE, LEARNT = "true labels", "labels without labels"
BEFORE, AFTER, BEST = "at the start", "at the end", "at the end, names by true labels"
OWN = "each person's mean subtracted"

# Columns of the CSVs, with their units.
WHY = OF | {
    "series": "what is measured",
    "at": "where along it: see the figure",
    "seed": "of what is drawn by lot or started at random; empty where nothing is",
    "percent": "of the variance, or of the samples labelled right, as the series says",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects; of samples alone",
    "high": "percent, upper end of that interval",
}


def labellings(rows: np.ndarray, start: np.ndarray, groups: np.ndarray, exponent: float) -> list[np.ndarray]:
    """Labels (N,) of every round of `mvlm.labels.identity.settled`, the last ones last; arguments as of it."""
    found: list[np.ndarray] = []

    def fit(x: np.ndarray, labels: np.ndarray, count: int) -> Discriminant:
        found.append(labels)
        return Discriminant.fit(x, labels, count)

    last = settled(rows, start, groups, exponent, fit).labels
    return found if np.array_equal(last, found[-1]) else [*found, last]


def balance(people: People, how: str) -> tuple[np.ndarray, float]:
    """Groups (N,) inside which classes are balanced, and the exponent, by a name of `BALANCES`."""
    if how == "corpus":
        return np.zeros(len(people.names)), EXPONENTS["shares"]
    return people.subjects, EXPONENTS[how]


def rounds(crowds: Sequence[People]) -> pd.DataFrame:
    """How many labels are right in each round, from the prompts on, by every balance: `WHY`, at the round.

    Last, `LEFT_IN`: where no person is removed, and all rows are centred on the mean of all. Balance inside each person
    then does by itself much of what removing the person does: the log-odds `x w'` of a row less its person's mean
    differ from those of the row by a number for each person and class, and these are what balance chooses.
    """
    rows = []
    for people in crowds:
        whole = unit_rows("centred rows", people.rows - people.rows.mean(0))
        ways = [(said, people.without_person, how) for how, said in BALANCES.items()]
        for said, x, how in [*ways, *((said, whole, how) for how, said in LEFT_IN.items())]:
            for number, labels in enumerate(labellings(x, by_prompts(x, people.prompts), *balance(people, how))):
                rows.append(people.head() | {"series": said, "at": number} | people.right(labels))
    return _why(rows)


def anisotropy(people: People) -> pd.DataFrame:
    """What differs inside an emotion, axis by axis, and what it costs a cosine: `WHY`.

    At the axes: their share of the variance inside emotions, and of the emotions' means. Then how many of the people
    that a rule was not fitted to are told right, by the nearest centre in cosine and by the discriminant, both fitted
    to the same labels: true ones, and those of relabelling.
    """
    x = people.without_person
    found = nuisance.spread(x, people.classes)
    rows = []
    for series, variance in zip((INSIDE, BETWEEN), found, strict=True):
        for axis, share in enumerate(variance[:AXES] / variance.sum(), 1):
            rows.append(people.head() | {"series": series, "at": axis, "percent": 100 * share})
    learnt = settled(x, by_prompts(x, people.prompts), *balance(people, "shares")).labels
    for rule, fit in RULES.items():
        for source, labels in {TRUE: people.classes, LEARNT: learnt}.items():
            said = of_strangers(x, people.subjects, labels, fit)
            rows.append(people.head() | {"series": rule, "at": source} | people.right(said))
    return _why(rows)


def nearest_centre(rows: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(M,) the class whose mean direction, over rows (N, D) with labels (N,), is nearest to each of (M, D)."""
    known, place = np.unique(labels, return_inverse=True)
    return known[(asked @ class_means(rows, place).T).argmax(1)]


def by_discriminant(rows: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(M,) the class that the discriminant of the same rows says of each of (M, D)."""
    return Discriminant.fit(rows, labels, labels.max() + 1).predict(asked)


RULES = {"nearest centre": nearest_centre, "discriminant": by_discriminant}


def of_strangers(
    rows: np.ndarray,
    subjects: np.ndarray,
    labels: np.ndarray,
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """(N,) the class of each row (N, D), by a rule of `RULES` that was fitted to labels (N,) of other subjects."""
    said = np.empty_like(labels)
    for train, test in folds(subjects, PARTS):
        known, asked = np.isin(subjects, train), np.isin(subjects, test)
        said[asked] = fit(rows[known], labels[known], rows[asked])
    return said


def orthogonality(people: People) -> pd.DataFrame:
    """What projecting out the directions of people's means leaves, and what subtracting each one's own: `WHY`.

    At a number of directions, the most important first, or at `OWN`.
    """
    centred = people.rows - people.rows.mean(0)
    directions = nuisance.directions_of(centred, people.subjects)
    counts = [count for count in DIRECTIONS if count <= len(directions)]
    left = {count: nuisance.projected_out(centred, directions[:count]) for count in counts}
    left[OWN] = centred - nuisance.means_of(centred, people.subjects)
    rows = []
    for at, x in left.items():
        for series, groups in {LEFT_OF_PEOPLE: people.subjects, LEFT_OF_EMOTIONS: people.emotions}.items():
            share = nuisance.between(x, groups) / nuisance.between(centred, groups)
            rows.append(people.head() | {"series": series, "at": at, "percent": 100 * share})
        matched = (unit_rows("what is left", x) @ people.wanted.T).argmax(1)
        rows.append(people.head() | {"series": MATCHED, "at": at} | people.right(matched))
    return _why(rows)


def starts(crowds: Sequence[People], seeds: Sequence[int]) -> pd.DataFrame:
    """How many labels are right before the first round and after the last, from prompts and without: `WHY`.

    Without prompts there is nothing to say which group is which: the row `BEST` renames the groups of the end by true
    labels, so that it says whether the groups are there, whatever they are called. Balance is inside each person.
    """
    rows = []
    for people in crowds:
        x = people.without_person
        begun = [(PROMPTS, None, people.wanted)]
        begun += [(CLUSTERS, seed, _named_centres(x, people.prompts, seed)) for seed in seeds]
        begun += [(BY_LOT, seed, _drawn(people.wanted.shape, seed)) for seed in seeds]
        for series, seed, directions in begun:
            start = posterior(x, directions, temperature=people.prompts.temperature)
            found = labellings(x, start, *balance(people, "shares"))
            renamed = hungarian_names(found[-1], people.classes)[found[-1]]
            for at, labels in {BEFORE: found[0], AFTER: found[-1], BEST: renamed}.items():
                rows.append(people.head() | {"series": series, "seed": seed, "at": at} | people.right(labels))
    return _why(rows)


def constraints(people: People) -> pd.DataFrame:
    """How many labels are right at the end, by the number of people among whom classes are balanced together: `WHY`."""
    x = people.without_person
    start = by_prompts(x, people.prompts)
    known, place = np.unique(people.subjects, return_inverse=True)
    rows = []
    for size in (*(size for size in TOGETHER if size < len(known)), len(known)):
        groups = place % -(-len(known) // size)
        found = settled(x, start, groups, EXPONENTS["shares"]).labels
        rows.append(people.head() | {"series": "balanced among", "at": size} | people.right(found))
    found = settled(x, start, *balance(people, "who")).labels
    return _why([*rows, people.head() | {"series": "not balanced", "at": ""} | people.right(found)])


def _named_centres(rows: np.ndarray, prompts: Prompts, seed: int) -> np.ndarray:
    """(C, D) centres of clusters, in the order of the classes that the prompts name them."""
    centres = cluster(rows, prompts.classes.max() + 1, seed=seed).centres
    return centres[np.argsort(name_clusters(centres, prompts.text, prompts.classes, mean_view=rows.mean(0)))]


def _drawn(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return unit_rows("directions", np.random.default_rng(seed).normal(size=shape))


def _why(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(WHY)).astype({"seed": "Int64"})
