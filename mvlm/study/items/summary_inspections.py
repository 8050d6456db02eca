"""What the embedding knows, before training and after: records of inspections, and their rows of the summary.

An inspection stands beside a run, at the same place of the grid and with the same weights, in a record of its own:
whoever changes a probe makes inspections again, and no run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mvlm.faces.views import YAWS, view_names
from mvlm.measures.statistics import chance, summary
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.inspection import inspect
from mvlm.study.methods import METHODS
from mvlm.study.plan import Kind
from mvlm.study.runs import records

if TYPE_CHECKING:
    import pandas as pd

INSPECTED = ("baseline", "pairs", "instance", "full", "oracle")
ON = ("BU-3DFE-I", "BU-3DFE-II", "Bosphorus", "BU-4DFE")
FUSED = "fused"
BOOTSTRAP, AND_SEEDS = "bootstrap over subjects", "bootstrap over subjects and seeds"
RESTARTS = "least to greatest of restarts, all folds"
# Questions, as the summary names them, and their measures.
VIEWS, LABELS, KNOWS, NAMES = "single views", "label efficiency", "what else the embedding knows", "clusters and names"
ACCURACY, PROBE = "zero-shot accuracy", "linear probe"
SAME_SUBJECT, SAME_EMOTION = "nearest face shows the same subject", "nearest face shows the same emotion"
WHO_NEAREST, WHO_PROBE = "subject, by the nearest face of another emotion", "subject, by a linear probe"
WHERE = "view, by a linear probe"
QUALITY, NAMING, SWAPPED = "cluster accuracy (true names)", "clusters named right", "restarts that swap names"


def inspected(
    benchmarks: Sequence[str] = ON,
    methods: Sequence[str] = INSPECTED,
    settings: Settings | None = None,
    *,
    seeds: Sequence[int] = (0,),
) -> pd.DataFrame:
    """Inspections of all combinations, computing those that are missing; arguments and errors as of `run`.

    Returns:
        One row per benchmark, method, fold and seed, which come first, as in `run`; then the fields of
        `mvlm.study.inspection.inspect`.
    """
    import pandas as pd

    return pd.DataFrame(records(benchmarks, methods, settings, seeds, KIND))


KIND = Kind("inspections", inspect)


def probe_rows(inspections: pd.DataFrame, runs: pd.DataFrame, yaws: Sequence[float] = YAWS) -> list[dict]:
    """Rows of the summary: single views, labels, subjects and directions, clusters and names.

    Args:
        inspections: what `inspected` returns.
        runs: what `mvlm.study.run` returns, of the same benchmarks, methods and folds, and of these seeds at least;
            they have what needs no inspection, the fused views and the probe on all labels. Other seeds are not read.
        yaws: angles of the views.
    """
    rows = []
    for (benchmark, method), group in inspections.groupby(["benchmark", "method"], sort=False):
        beside = runs[(runs["benchmark"] == benchmark) & (runs["method"] == method) & runs["seed"].isin(group["seed"])]
        head = {"benchmark": benchmark, "method": method, "title": METHODS[method].title}
        head["knows"] = METHODS[method].knowledge
        head |= {name: group[name].iloc[0] for name in ("supervision", "data_kind", "profile")}
        head |= {"folds": group["fold"].nunique(), "seeds": group["seed"].nunique(), "unit": "percent"}
        asked = (
            *_views(group, beside, view_names(yaws)),
            *_labels(group, beside, benchmark),
            *_neighbours(group),
            *_known(group, view_names(yaws)),
            *_names(group),
        )
        rows += [head | row for row in asked]
    return rows


def _views(group: pd.DataFrame, beside: pd.DataFrame, names: list[str]) -> Iterator[dict]:
    guess = chance(len(BENCHMARKS[group["benchmark"].iloc[0]].emotions))
    for place, name in enumerate(names):
        right = [np.array(r["views"][place]) == r["emotions"] for r in group.to_dict("records")]
        yield _row(VIEWS, ACCURACY, name, right, group, guess)
    right = [np.array(r["zero_shot"]) == r["emotions"] for r in beside.to_dict("records")]
    yield _row(VIEWS, ACCURACY, FUSED, right, beside, guess)


def _labels(group: pd.DataFrame, beside: pd.DataFrame, benchmark: str) -> Iterator[dict]:
    guess = chance(len(BENCHMARKS[benchmark].emotions))
    for share in group["labelled"].iloc[0]:
        # All draws of a fold count as that fold, and every sample as often as it was predicted.
        drawn = [(r, r["labelled"][share]["predicted"]) for r in group.to_dict("records")]
        right = [np.concatenate([np.array(said) == r["emotions"] for said in draws]) for r, draws in drawn]
        subjects = [np.tile(r["subjects"], len(draws)) for r, draws in drawn]
        given = sorted({r["labelled"][share]["subjects"] for r, _ in drawn})
        row = _row(LABELS, PROBE, f"{share} %", right, group, guess, subjects)
        yield row | {"note": f"subjects labelled: {' or '.join(map(str, given))}; draws: {len(drawn[0][1])}"}
    right = [np.array(r["probe"]) == r["emotions"] for r in beside.to_dict("records")]
    yield _row(LABELS, PROBE, "100 %", right, beside, guess)


def _neighbours(group: pd.DataFrame) -> Iterator[dict]:
    for measure, field in ((SAME_SUBJECT, "subjects"), (SAME_EMOTION, "emotions")):
        same, guesses = [], []
        for record in group.to_dict("records"):
            shown = np.array(record[field])
            same.append(shown[record["nearest"]] == shown)
            guesses.append(((shown[:, None] == shown).sum(1) - 1).mean() / (len(shown) - 1))
        yield _row(KNOWS, measure, "", same, group, float(np.mean(guesses)))


def _known(group: pd.DataFrame, names: list[str]) -> Iterator[dict]:
    told = group[group["subject_nearest"].notna()]
    if len(told):
        guess = float(np.mean([1 / len(set(subjects)) for subjects in told["subjects"]]))
        for measure, field in ((WHO_NEAREST, "subject_nearest"), (WHO_PROBE, "subject_probe")):
            right = [np.array(r[field]) == r["subjects"] for r in told.to_dict("records")]
            yield _row(KNOWS, measure, "", right, told, guess)
    right = [(np.array(found) == np.arange(len(names))).ravel() for found in group["yaw"]]
    subjects = [np.repeat(shown, len(names)) for shown in group["subjects"]]
    if len(names) > 1:
        yield _row(KNOWS, WHERE, "", right, group, chance(len(names)), subjects)


def _names(group: pd.DataFrame) -> Iterator[dict]:
    each = [restart for found in group["clusters"] for restart in found]
    classes = len(BENCHMARKS[group["benchmark"].iloc[0]].emotions)
    counts = {"n": len({name for names in group["names"] for name in names})}
    counts |= {"subjects": len({subject for shown in group["subjects"] for subject in shown})}
    for measure, field in ((QUALITY, "quality"), (NAMING, "naming")):
        values = 100 * np.array([restart[field] for restart in each])
        low, high = values.min(), values.max()
        value = values.mean() if low < high else low  # rounding would put a mean of equal numbers beside them
        row = {"question": NAMES, "measure": measure, "at": "", "value": value}
        row |= {"low": low, "high": high, "interval": RESTARTS, "note": f"restarts: {len(each)}"}
        yield row | counts | ({"chance": 100 * chance(classes)} if measure == NAMING else {})
    # Two balanced clusters that exchange their names rename 2/C of the samples; samples at a border rename fewer.
    swapped = np.array([restart["renamed"] >= 1 / classes for restart in each])
    yield {"question": NAMES, "measure": SWAPPED, "at": "", "value": 100 * swapped.mean()} | counts | {
        "note": f"restarts: {len(each)}; a C-th of the samples or more has another name than at the least inertia"
    }


def _row(
    question: str,
    measure: str,
    at: str,
    right: Sequence[np.ndarray],
    group: pd.DataFrame,
    guess: float,
    subjects: Sequence[np.ndarray] | None = None,
) -> dict:
    """Mean over folds of arrays of right and wrong, one for each row of the group, with its interval."""
    fold, seed = (np.repeat(group[name], [len(each) for each in right]) for name in ("fold", "seed"))
    shown = np.concatenate([np.asarray(each) for each in (group["subjects"] if subjects is None else subjects)])
    found = summary(np.concatenate(right), fold, shown, seed)
    return {
        "question": question,
        "measure": measure,
        "at": at,
        "value": 100 * found.mean,
        "low": 100 * found.low,
        "high": 100 * found.high,
        "interval": AND_SEEDS if group["seed"].nunique() > 1 else BOOTSTRAP,
        "chance": 100 * guess,
        "n": len({name for names in group["names"] for name in names}),
        "subjects": found.subjects,
    }
