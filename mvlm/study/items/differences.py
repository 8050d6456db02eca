"""Does a step of the method help? Every method against the frozen baseline, or any other, fold by fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mvlm.measures.statistics import corrected_resampled_t
from mvlm.report.results import Part
from mvlm.study.methods import METHODS

if TYPE_CHECKING:
    import pandas as pd

AGAINST = "baseline"
# Columns of the CSV, with their units.
COLUMNS = {
    "benchmark": "corpus and subset",
    "method": "recipe",
    "title": "the method as tables show it",
    "supervision": "where a training sample's class comes from",
    "data_kind": "twin, sample or supplied",
    "labels_right": "percent of the training views' classes in the last round that are true; nothing reads this",
    "difference": "percentage points of accuracy above the baseline, mean over the same folds",
    "low": "points, lower end of the 95 % interval by the test",
    "high": "points, upper end of the 95 % interval by the test",
    "p": "two-sided, by the test",
    "test": "corrected resampled t over folds (Nadeau and Bengio 2003), or paired t over subjects where there are none",
    "folds": "folds, subject-independent; 1: one run, trained on another corpus",
}


def against_baseline(records: pd.DataFrame) -> pd.DataFrame:
    """Differences of zero-shot accuracy to the baseline on the same folds, a row for each benchmark and method.

    A benchmark without folds is compared subject by subject: its test subjects took no part in training.

    For "baseline" itself `labels_right` is the accuracy of its prompts on the same samples: what training on the
    prompts' own labels would have been given.
    """
    import pandas as pd

    rows = []
    for benchmark, of in records.groupby("benchmark", sort=False):
        base = of[of["method"] == AGAINST]
        for method, runs in of.groupby("method", sort=False):
            rounds = [shares[-1] for shares in runs["pseudo_labels"] if shares]
            own = 100 * np.mean([right.mean() for right in _right(base, "zero_shot")]) if method == AGAINST else None
            known = 100 * np.mean(rounds) if rounds else own
            row = {"benchmark": benchmark, "method": method, "title": METHODS[method].title}
            row |= {name: runs[name].iloc[0] for name in ("supervision", "data_kind")} | {"labels_right": known}
            if method != AGAINST:
                row |= difference(runs, base)
            rows.append(row | {"folds": runs["fold"].nunique()})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def difference(runs: pd.DataFrame, base: pd.DataFrame, column: str = "zero_shot") -> dict[str, object]:
    """Test of the differences in accuracy between two methods' records on one benchmark, paired by fold and seed.

    Args:
        runs, base: rows of what `mvlm.study.run` returns, the same folds and seeds in both.
        column: of the predictions.

    Returns:
        difference, low, high (percentage points), p, and test: "folds", or "subjects" where there is one run without.
    """
    base = base.set_index(["fold", "seed"]).loc[list(zip(runs["fold"], runs["seed"], strict=True))]
    gains = [a.astype(float) - b for a, b in zip(_right(runs, column), _right(base, column), strict=True)]
    folds = runs["folds"].iloc[0]
    if folds > 1:
        name, test = "folds", corrected_resampled_t(100 * np.array([gain.mean() for gain in gains]), 1 / folds)
    else:
        name, test = "subjects", corrected_resampled_t(100 * _by_subject(gains, runs["subjects"]), 0)
    return {"difference": test.mean, "low": test.low, "high": test.high, "p": test.p, "test": name}


def _right(runs: pd.DataFrame, column: str) -> list[np.ndarray]:
    """Of each record, (M,) whether each prediction is right."""
    return [np.array(said) == true for said, true in zip(runs[column], runs["emotions"], strict=True)]


def _by_subject(gains: list[np.ndarray], subjects: pd.Series) -> np.ndarray:
    """(S,) mean gain of each subject, over all seeds."""
    of: dict[str, list[float]] = {}
    for gain, shown in zip(gains, subjects, strict=True):
        for subject, points in zip(shown, gain, strict=True):
            of.setdefault(subject, []).append(points)
    return np.array([np.mean(points) for points in of.values()])


def render_against_baseline(frame: pd.DataFrame) -> list[Part]:
    """Render the differences from their CSV."""
    import pandas as pd

    cells = []
    for row in frame.to_dict("records"):
        shown = "–"
        if not pd.isna(row["difference"]):
            shown = f"{row['difference']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}], p = {row['p']:.3f}"
        known = "–" if pd.isna(row["labels_right"]) else f"{row['labels_right']:.1f}"
        cell = {"Benchmark": f"{row['benchmark']} ({row['data_kind']})", "Method": row["title"]}
        cell |= {"Supervision": row["supervision"], "labels right": known, "against the baseline": shown}
        cells.append(cell)
    note = (
        "Percentage points of zero-shot accuracy above the frozen baseline on the same folds [95 % interval], by the "
        "corrected resampled t-test; where there is one run without folds, by the paired t-test over subjects. Labels "
        "right: percent of the training classes of the last round that are true (nothing reads this); for the "
        "baseline, how often its own prompts are right."
    )
    return [Part("Every method against the frozen baseline", pd.DataFrame(cells), note)]
