"""Does a step of the method help? Every method against the frozen baseline, fold by fold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mvlm.statistics import corrected_resampled_t
from mvlm.study.methods import METHODS
from mvlm.study.report import Part

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

    right = [np.array(said) == true for said, true in zip(records["zero_shot"], records["emotions"], strict=True)]
    records = records.assign(correct=right, right=[100 * np.mean(each) for each in right])
    rows = []
    for benchmark, of in records.groupby("benchmark", sort=False):
        base = of[of["method"] == AGAINST].set_index(["fold", "seed"])
        for method, runs in of.groupby("method", sort=False):
            rounds = [shares[-1] for shares in runs["pseudo_labels"] if shares]
            known = 100 * np.mean(rounds) if rounds else (base["right"].mean() if method == AGAINST else None)
            row = {"benchmark": benchmark, "method": method, "title": METHODS[method].title}
            row |= {name: runs[name].iloc[0] for name in ("supervision", "data_kind")} | {"labels_right": known}
            if method != AGAINST:
                row |= _compared(runs.set_index(["fold", "seed"]), base)
            rows.append(row | {"folds": runs["fold"].nunique()})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _compared(runs: pd.DataFrame, base: pd.DataFrame) -> dict[str, object]:
    """Test of the differences between runs of one method and of the baseline, both indexed by fold and seed."""
    folds = runs["folds"].iloc[0]
    if folds > 1:
        name, test = "folds", corrected_resampled_t((runs["right"] - base["right"]).to_numpy(), 1 / folds)
    else:
        name, test = "subjects", corrected_resampled_t(_by_subject(runs, base), 0)
    return {"difference": test.mean, "low": test.low, "high": test.high, "p": test.p, "test": name}


def _by_subject(runs: pd.DataFrame, base: pd.DataFrame) -> np.ndarray:
    """(S,) percentage points that each subject gains, over all seeds."""
    gains: dict[str, list[float]] = {}
    for key, row in runs.iterrows():
        gain = 100.0 * (row["correct"].astype(float) - base.loc[key, "correct"])
        for subject, points in zip(row["subjects"], gain, strict=True):
            gains.setdefault(subject, []).append(points)
    return np.array([np.mean(points) for points in gains.values()])


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
