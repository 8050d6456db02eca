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
    "knows": "what the method is told beside images: nothing, subjects, class shares",
    "data_kind": "twin, sample or supplied",
    "labels_right": "percent of the training views' classes in the last round that are true; nothing reads this",
    "difference": "percentage points of accuracy above the baseline, mean over the same folds, seeds averaged first",
    "low": "points, lower end of the 95 % interval by the test",
    "high": "points, upper end of the 95 % interval by the test",
    "p": "two-sided, by the test",
    "test": "corrected resampled t over folds (Nadeau and Bengio 2003), or paired t over subjects where there are none",
    "folds": "folds, subject-independent; 1: one run, trained on another corpus",
    "seeds": "seeds of clustering and training",
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
            own = _mean(base) if method == AGAINST else None
            known = 100 * np.mean(rounds) if rounds else own
            row = {"benchmark": benchmark, "method": method, "title": METHODS[method].title}
            row |= {name: runs[name].iloc[0] for name in ("supervision", "data_kind")} | {"labels_right": known}
            row["knows"] = METHODS[method].knowledge
            if method != AGAINST:
                row |= difference(runs, base)
            rows.append(row | {"folds": runs["fold"].nunique(), "seeds": runs["seed"].nunique()})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def difference(runs: pd.DataFrame, base: pd.DataFrame, column: str = "zero_shot") -> dict[str, object]:
    """Test of the differences in accuracy between two methods' records on one benchmark, paired by fold.

    Seeds are averaged before anything is paired: a fold counts once, however often it was run, since its repeats share
    all of its samples. Over folds the test still sees the chance of a seed, which moves every fold by itself; over the
    subjects of one run without folds it does not, and is of the mean of these seeds alone.

    Args:
        runs, base: rows of what `mvlm.study.run` returns, the same folds in both, each with seeds of its own.
        column: of the predictions.

    Returns:
        difference, low, high (percentage points), p, and test: "folds", or "subjects" where there is one run without.

    Raises:
        ValueError: the two were not run on the same folds.
    """
    ours, theirs = _right(runs, column), _right(base, column)
    if ours.keys() != theirs.keys():
        raise ValueError(f"expected runs of the same folds, got {sorted(ours)} and {sorted(theirs)}")
    gains = {fold: right - theirs[fold] for fold, right in ours.items()}
    folds = runs["folds"].iloc[0]
    if folds > 1:
        name, test = "folds", corrected_resampled_t(100 * np.array([gain.mean() for gain in gains.values()]), 1 / folds)
    else:
        subject, (gain,) = np.array(runs["subjects"].iloc[0]), gains.values()
        of_subjects = np.array([gain[subject == each].mean() for each in np.unique(subject)])
        name, test = "subjects", corrected_resampled_t(100 * of_subjects, 0)
    return {"difference": test.mean, "low": test.low, "high": test.high, "p": test.p, "test": name}


def _right(runs: pd.DataFrame, column: str) -> dict[int, np.ndarray]:
    """Of each fold, (M,) share of its seeds in which each prediction is right."""
    return {
        fold: np.mean([np.array(said) == true for said, true in zip(of[column], of["emotions"], strict=True)], axis=0)
        for fold, of in runs.groupby("fold")
    }


def _mean(runs: pd.DataFrame) -> float:
    """Percent, mean over folds of the zero-shot accuracy."""
    return 100 * np.mean([right.mean() for right in _right(runs, "zero_shot").values()])


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
        cell |= {"Supervision": row["supervision"], "Knows": row["knows"], "labels right": known}
        cell["against the baseline"] = shown
        cells.append(cell)
    note = (
        "Percentage points of zero-shot accuracy above the frozen baseline on the same folds [95 % interval], by the "
        "corrected resampled t-test; where there is one run without folds, by the paired t-test over subjects. Seeds, "
        "where there are several, are averaged in each fold first. Labels "
        "right: percent of the training classes of the last round that are true (nothing reads this); for the "
        "baseline, how often its own prompts are right."
    )
    return [Part("Every method against the frozen baseline", pd.DataFrame(cells), note)]
