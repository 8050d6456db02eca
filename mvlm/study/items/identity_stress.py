"""Where the relabelling fails, and whether that can be told without a label: its stress table, and the guard's.

The guard's threshold is set on the twins of the formula face, which are not what the tables are measured on; it is then
read once on the default twins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvlm.measures.statistics import chance, summary
from mvlm.report.results import Part
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items.identity import AS
from mvlm.study.label_free_stress import CONDITIONS, WAYS, stressed
from mvlm.study.methods import SEEDS
from mvlm.study.plan import Kind
from mvlm.study.runs import records
from mvlm.twins.twin import Twin

if TYPE_CHECKING:
    import pandas as pd

STRESS = Kind("stress", stressed)
ON = ("BU-3DFE-I", "Bosphorus", "BU-4DFE", "BP4D")
SHAPED_ON = ("BU-3DFE-I", "Bosphorus", "BU-4DFE")  # of the formula face, whose views notebook 15 has made
SMOKE_ON = ON[:1]
OWN, SHAPING = "as the tables", "formula"
# Columns of the stress table's CSV, with their units.
COLUMNS = {
    "benchmark": "corpus and subset",
    "condition": "what is not as in the protocol; training and test subjects alike unless said",
    "title": "the condition as the table shows it",
    "shares": "whether classes still have about equal shares in each person",
    "way": "how test samples are predicted, see the table identity",
    "knows": "what it is told beside images: nothing, subjects, class shares",
    "supervision": "whose labels it learns from: none but for the discriminant's",
    "data_kind": "twin, sample or supplied",
    "accuracy": "percent, mean over folds",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects",
    "high": "percent, upper end of it",
    "chance": "percent, a guess among all classes",
    "n": "samples",
    "subjects": "subjects",
    "folds": "folds, subject-independent",
    "profile": "smoke, quick or full",
}
# Columns of the guard's CSV, with their units.
GUARD_COLUMNS = {
    "face": "what draws the twin: formula, on which the threshold is set, or that of the tables",
    "benchmark": "corpus and subset",
    "condition": "what is not as in the protocol",
    "title": "the condition as the table shows it",
    "shares": "whether classes still have about equal shares in each person",
    "moved": "percent of the labels that balance moves, each subject told by others' labels; mean over folds",
    "least": "percent, of the fold with the least",
    "most": "percent, of the fold with the most",
    "threshold": "percent, set on the formula face: above it the guard says that shares are false",
    "caught": "percent of the folds in which the guard says that shares are false",
    "folds": "folds",
    "data_kind": "twin, sample or supplied",
}


class Stress(NamedTuple):
    """Records of `stressed`, on the corpora of the tables and on the twins that the guard is shaped on."""

    own: pd.DataFrame
    shaping: pd.DataFrame


def stress(settings: Settings | None = None) -> Stress:
    """Records of `ON` and, by the formula face, of `SHAPED_ON`, computing those that are missing.

    Args:
        settings: None reads them from the environment.
    """
    import pandas as pd

    chosen = Settings.from_environment() if settings is None else settings
    on, shaped_on = (SMOKE_ON, SMOKE_ON) if chosen.profile == "smoke" else (ON, SHAPED_ON)
    own = records(on, (AS,), chosen, SEEDS[:1], STRESS)
    names = {BENCHMARKS[name].corpus for name in shaped_on}
    twins = {name: Twin(name, face=SHAPING) for name in names}
    shaping = records(shaped_on, (AS,), replace(chosen, data=None), SEEDS[:1], STRESS, twins)
    return Stress(pd.DataFrame(own), pd.DataFrame(shaping))


def stress_table(found: Stress) -> pd.DataFrame:
    """One row per benchmark, condition and way, with `COLUMNS`."""
    import pandas as pd

    rows = []
    for benchmark, runs in found.own.groupby("benchmark", sort=False):
        emotions = np.array(BENCHMARKS[benchmark].emotions)
        for name, condition in CONDITIONS.items():
            of = [(fold, said[name]) for fold, said in zip(runs["fold"], runs["conditions"], strict=True)]
            of = [(fold, said) for fold, said in of if said["predicted"]]
            if not of:
                continue
            fold = np.concatenate([[number] * len(said["subjects"]) for number, said in of])
            subjects, true = (np.concatenate([said[key] for _, said in of]) for key in ("subjects", "emotions"))
            shared = {"benchmark": benchmark, "condition": name, "title": condition.title, "shares": condition.shares}
            shared |= {key: runs[key].iloc[0] for key in ("data_kind", "profile")}
            shared["chance"] = 100 * chance(len(emotions))
            for way, about in WAYS.items():
                right = emotions[np.concatenate([said["predicted"][way] for _, said in of])] == true
                spread = summary(right, fold, subjects)
                row = shared | {"way": way, "knows": about.knows, "supervision": about.supervision}
                row |= {key: 100 * getattr(spread, end) for key, end in _ENDS.items()}
                rows.append(row | {"n": spread.n, "subjects": spread.subjects, "folds": spread.folds})
    return pd.DataFrame(rows, columns=list(COLUMNS))


_ENDS = {"accuracy": "mean", "low": "low", "high": "high"}


def guard_table(found: Stress) -> pd.DataFrame:
    """What the guard says of each fold, and the threshold that the formula face sets, with `GUARD_COLUMNS`.

    The threshold is where the two sorts of folds, with true and with false shares, are told apart best: the mean of
    both rates of error is least; of several such places, the middle.
    """
    import pandas as pd

    told = {face: _moved(runs) for face, runs in ((SHAPING, found.shaping), (OWN, found.own))}
    limit = threshold([(moved, CONDITIONS[of].shares) for (_, of), all_ in told[SHAPING].items() for moved in all_])
    rows = []
    for (face, of), runs in zip(told.items(), (found.shaping, found.own), strict=True):
        for (benchmark, name), moved in of.items():
            row = {"face": face, "benchmark": benchmark, "condition": name, "title": CONDITIONS[name].title}
            row |= {"shares": CONDITIONS[name].shares, "moved": 100 * np.mean(moved), "least": 100 * min(moved)}
            row |= {"most": 100 * max(moved), "threshold": 100 * limit}
            row |= {"caught": 100 * np.mean(np.array(moved) > limit), "folds": len(moved)}
            rows.append(row | {"data_kind": runs["data_kind"].iloc[0]})
    return pd.DataFrame(rows, columns=list(GUARD_COLUMNS))


def threshold(told: list[tuple[float, bool]]) -> float:
    """Where values of folds with true and with false shares part best: above it, false.

    Args:
        told: (what the guard measured, whether shares are true) of each fold, of both sorts.

    Raises ValueError if there is one sort only.
    """
    values, true = (np.array(side) for side in zip(*told, strict=True))
    if true.all() or not true.any():
        raise ValueError("expected folds with true and with false shares, got one sort only")
    known = np.unique(values)
    places = np.concatenate([[known[0] - 1e-9], (known[1:] + known[:-1]) / 2, [known[-1] + 1e-9]])
    wrong = np.array([(values[true] > at).mean() + (values[~true] <= at).mean() for at in places])
    best = places[wrong <= wrong.min() + 1e-12]
    return float(best[len(best) // 2])


def _moved(runs: pd.DataFrame) -> dict[tuple[str, str], list[float]]:
    found = {}
    for benchmark, of in runs.groupby("benchmark", sort=False):
        for name in CONDITIONS:
            moved = [said[name]["moved"] for said in of["conditions"]]
            if any(each is not None for each in moved):
                found[benchmark, name] = [each for each in moved if each is not None]
    return found


def render_stress(frame: pd.DataFrame) -> list[Part]:
    """Render the stress table from its CSV: a part for each benchmark, conditions down, ways across."""
    import pandas as pd

    parts = []
    for benchmark, group in frame.groupby("benchmark", sort=False):
        cells = []
        for title, of in group.groupby("title", sort=False):
            row = {"Condition": title, "equal shares": "true" if of["shares"].iloc[0] else "false"}
            by = {each["way"]: each for each in of.to_dict("records")}
            cells.append(row | {about.title: _spread(by[way]) for way, about in WAYS.items()})
        first = group.iloc[0]
        note = (
            "Accuracy in percent [95 % interval, bootstrap over subjects], one partition into folds. Training and test "
            "subjects are under the same condition but for the two that say of whom one learns. Equal shares: whether "
            f"each person still shows all classes about equally often. Data kind {first['data_kind']}, profile "
            f"{first['profile']}, chance {first['chance']:.1f}."
        )
        parts.append(Part(f"{benchmark} under stress", pd.DataFrame(cells), note if not parts else ""))
    return parts


def render_guard(frame: pd.DataFrame) -> list[Part]:
    """Render the guard's table from its CSV: what it says of true and of false shares, on both faces."""
    import pandas as pd

    cells = []
    for title, group in frame.groupby("title", sort=False):
        row = {"Condition": title, "equal shares": "true" if group["shares"].iloc[0] else "false"}
        for of in group.to_dict("records"):
            face = "formula face" if of["face"] == SHAPING else "tables"
            row[f"{of['benchmark']}, {face}"] = f"{of['moved']:.0f} [{of['least']:.0f}, {of['most']:.0f}]"
        cells.append(row)
    rates = [f"{said}: {_rates(frame[frame['face'] == face])}" for face, said in _FACES.items()]
    note = (
        "Percent of the labels that balance inside persons moves, each subject told by the labels of others: mean over "
        f"folds [least, most]. Above {frame['threshold'].iloc[0]:.0f} the guard says that equal shares are false; that "
        "number is set on the twins of the formula face, the others are read once. " + "; ".join(rates) + "."
    )
    return [Part("A guard that reads no label", pd.DataFrame(cells).fillna("–"), note)]


_FACES = {SHAPING: "on the formula face, where it is set", OWN: "on what the tables are measured on"}


def separation(frame: pd.DataFrame) -> Mapping[str, float]:
    """Of one face, percent: false shares that the guard catches, and true ones that it calls false; area under the ROC
    of the conditions' means.
    """
    true = frame["shares"].to_numpy(bool)
    moved, caught, folds = (frame[key].to_numpy(float) for key in ("moved", "caught", "folds"))
    above = moved[~true][:, None] - moved[true]
    return {
        "caught": float(np.average(caught[~true], weights=folds[~true])),
        "false alarms": float(np.average(caught[true], weights=folds[true])),
        "area": float(((above > 0) + (above == 0) / 2).mean()),
    }


def _rates(frame: pd.DataFrame) -> str:
    found = separation(frame)
    return (
        f"false shares caught in {found['caught']:.0f} % of the folds, true ones called false in "
        f"{found['false alarms']:.0f} %, area {found['area']:.2f}"
    )


def _spread(row: Mapping[str, Any]) -> str:
    return f"{row['accuracy']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
