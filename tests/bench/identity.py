"""Relabelling without labels, a fold of 1,200 scans: against a discriminant told true labels, and against TransCLIP."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mvlm.labels.clusters import unit_rows
from mvlm.labels.identity import centred_on_subjects, relabel
from mvlm.labels.naming import Prompts
from mvlm.labels.peers.mixtures import transclip
from tests.bench import Row, race

PEOPLE, CLASSES, TAKES, WIDTH, TEMPERATURE = 100, 6, 2, 128, 0.1


def measure() -> Iterator[Row]:
    """One row for each peer; both see the same rows, and none is told more than it asks for but the discriminant."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(0)
    said, people = (rng.normal(size=(count, WIDTH)) * size for count, size in ((CLASSES, 0.5), (PEOPLE, 1.0)))
    who, what = (
        grid.ravel() for grid in np.meshgrid(np.arange(PEOPLE), np.tile(np.arange(CLASSES), TAKES), indexing="ij")
    )
    rows = unit_rows("rows", people[who] + said[what] + rng.normal(size=(len(who), WIDTH)))
    prompts = Prompts(said + 0.3 * rng.normal(size=said.shape), np.arange(CLASSES), TEMPERATURE)
    centred = centred_on_subjects(rows, who)

    def ours() -> None:
        relabel(rows, who, prompts, degree="shares")

    def told() -> None:  # as scikit-learn shrinks by itself, which needs the slower of its solvers
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(centred, what).predict(centred)

    def mixture() -> None:
        transclip(centred, prompts.prototypes(), subjects=who, temperature=TEMPERATURE)

    for peer, theirs in (("scikit-learn's discriminant, true labels", told), ("TransCLIP, subject-centred", mixture)):
        # What is fitted once has no bound against what is fitted in rounds: the column of milliseconds says the cost.
        yield race(f"relabel {len(rows):,} scans, equal shares", ours, peer, theirs, None)
