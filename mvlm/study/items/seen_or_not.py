"""Has the foundation seen this face model? The same people showing the same, drawn by two faces.

The formula face is what the foundation learnt from; the independent one it never saw. Who shows what, and when, is the
same with either, so that what differs is how far the data are from the pretraining. The lesson is one about benchmarks:
where the frozen model leaves nothing to gain, no method can show anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from mvlm.measures.statistics import chance, summary
from mvlm.report.results import Part
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items.differences import AGAINST, difference
from mvlm.study.items.table_figures import Drawing, whiskers
from mvlm.study.methods import LADDER, METHODS
from mvlm.study.runs import run
from mvlm.twins.twin import Twin

if TYPE_CHECKING:
    import pandas as pd

SEEN = {"formula": "yes", "anny": "no"}  # face of a twin -> whether the foundation learnt from it
ON = ("BU-3DFE-I", "Bosphorus", "BU-4DFE")
BOUND = "oracle"
ASKED = (*LADDER, "zero-shot-labels", BOUND)
PROBE = "Linear probe of the frozen model"
# Columns of the CSV, with their units.
COLUMNS = {
    "benchmark": "corpus and subset",
    "face": "what draws the twin, see mvlm.twins.twin",
    "seen": "whether the foundation has seen this face model",
    "method": "recipe",
    "title": "the row as the table shows it",
    "protocol": "zero-shot prompts on the mean view, or a linear probe on labelled training subjects",
    "supervision": "where a training sample's class comes from",
    "knows": "what the method is told beside images: nothing, subjects, class shares",
    "data_kind": "twin",
    "accuracy": "percent, mean over folds, and over seeds where there are several",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects, and over seeds where there are several",
    "high": "percent, upper end of that interval",
    "chance": "percent, a guess among the classes",
    "gained": "percentage points above the frozen baseline on the same folds, seeds averaged first; of zero-shot alone",
    "gained_low": "points, lower end of the 95 % interval by the corrected resampled t over folds",
    "gained_high": "points, upper end of it",
    "labels_right": "percent of the training views' classes in the last round that are true; of the baseline, how "
    "often its prompts are",
    "named_right": "percent of the clusters of its embeddings that the prompts name as true labels would; zero-shot",
    "n": "samples",
    "subjects": "subjects",
    "folds": "folds, subject-independent",
    "seeds": "seeds of clustering and training",
    "profile": "smoke, quick or full",
}


def both_faces(settings: Settings | None = None) -> pd.DataFrame:
    """Records of `ASKED` on the twins of `ON` with either face, computing those that are missing: see `run`.

    Those of the face that twins have by default are the very records of the tables.

    Args:
        settings: None reads them from the environment. `data` plays no part: only a twin has two faces.

    Returns:
        What `run` returns, with the column face in front.
    """
    import pandas as pd

    chosen = replace(Settings.from_environment() if settings is None else settings, data=None)
    names = {BENCHMARKS[benchmark].corpus for benchmark in ON}
    found = []
    for face in SEEN:
        records = run(ON, ASKED, chosen, corpora={name: Twin(name, face=face) for name in names})
        records.insert(0, "face", face)
        found.append(records)
    return pd.concat(found, ignore_index=True)


def seen_table(records: pd.DataFrame) -> pd.DataFrame:
    """One row per benchmark, face and method, and one for the baseline's probe, with `COLUMNS`.

    Args:
        records: what `both_faces` returns.
    """
    import pandas as pd

    rows = []
    for benchmark, face in product(ON, SEEN):
        of = records[(records["benchmark"] == benchmark) & (records["face"] == face)]
        groups = dict(iter(of.groupby("method", sort=False)))
        base = groups[AGAINST]
        shared = {"benchmark": benchmark, "face": face, "seen": SEEN[face]}
        shared["chance"] = 100 * chance(len(BENCHMARKS[benchmark].emotions))
        for method, runs in groups.items():
            row = shared | {"method": method, "title": METHODS[method].title, "protocol": "zero-shot"}
            row |= {"supervision": METHODS[method].supervision, "knows": METHODS[method].knowledge}
            row |= accuracy_of(runs, "zero_shot")
            row["named_right"] = 100 * runs["naming"].mean()
            if method == AGAINST:
                row["labels_right"] = row["accuracy"]
            else:
                found = difference(runs, base)
                row["labels_right"] = 100 * np.mean([shares[-1] for shares in runs["pseudo_labels"]])
                row |= {"gained": found["difference"], "gained_low": found["low"], "gained_high": found["high"]}
            rows.append(row)
        probe = shared | {"method": AGAINST, "title": PROBE, "protocol": "linear probe", "supervision": "labels"}
        probe["knows"] = METHODS[AGAINST].knowledge
        rows.append(probe | accuracy_of(base, "probe"))
    whole = dict.fromkeys(("n", "subjects", "folds", "seeds"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def accuracy_of(runs: pd.DataFrame, column: str) -> dict[str, Any]:
    """accuracy, low, high (percent), and n, subjects, folds, seeds of one method's records on one benchmark.

    Args:
        runs: rows of what `mvlm.study.run` returns.
        column: of the predictions.
    """
    fold, seed = (np.repeat(runs[name], runs["names"].map(len)) for name in ("fold", "seed"))
    names, subjects, said, true = (
        np.concatenate(runs[each].to_list()) for each in ("names", "subjects", column, "emotions")
    )
    found = summary(said == true, fold, subjects, seed)
    row = {"accuracy": 100 * found.mean, "low": 100 * found.low, "high": 100 * found.high}
    row |= {"n": len(np.unique(names)), "subjects": found.subjects, "folds": found.folds}
    row |= {name: runs[name].iloc[0] for name in ("data_kind", "profile")}
    return row | {"seeds": runs["seed"].nunique()}


def render_seen(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV: accuracies by face, then what there was to gain and what labels were worth."""
    import pandas as pd

    cells = []
    for (title, supervision), group in frame.groupby(["title", "supervision"], sort=False):
        found = {(row["benchmark"], row["seen"]): row for row in group.to_dict("records")}
        row = {"Method": title, "Supervision": supervision}
        for benchmark in frame["benchmark"].unique():
            for seen in SEEN.values():
                row[f"{benchmark}, seen: {seen}"] = _spread(found[benchmark, seen], "accuracy", "low", "high", "")
        cells.append(row)
    first = frame.iloc[0]
    several = frame[frame["seeds"] > 1].drop_duplicates("title")
    seeds = f", over seeds too for {'; '.join(several['title'])}" if len(several) else ""
    sizes = "; ".join(
        f"{row['benchmark']} {row['n']} samples of {row['subjects']} subjects in {row['folds']} folds"
        for row in frame.drop_duplicates("benchmark").to_dict("records")
    )
    note = (
        "Accuracy in percent, zero-shot prompts on the mean view but for the probe [95 % interval, bootstrap over "
        f"subjects{seeds}]. Seen: whether the foundation learnt from the face model that draws the twin; people, "
        f"expressions and timing are the same. Data kind {first['data_kind']}, profile {first['profile']}. Chance "
        f"{first['chance']:.1f}. {sizes}."
    )
    gains = []
    for (benchmark, seen), group in frame.groupby(["benchmark", "seen"], sort=False):
        of = {row["method"]: row for row in group[group["protocol"] == "zero-shot"].to_dict("records")}
        full, bound = of[LADDER[-1]], of[BOUND]
        gains.append(
            {
                "Benchmark": benchmark,
                "Seen": seen,
                "left to gain": _spread(bound, *_GAINED),
                "gained by full": _spread(full, *_GAINED),
                "gained on zero-shot labels": _spread(of["zero-shot-labels"], *_GAINED),
                "labels right, full": f"{full['labels_right']:.1f}",
                "prompts right": f"{of[AGAINST]['labels_right']:.1f}",
                "clusters named right": f"{of[AGAINST]['named_right']:.1f}",
            }
        )
    about = (
        "Left to gain: the full objective on true labels less the frozen baseline, percentage points on the same folds "
        "[95 % interval, corrected resampled t over folds, seeds averaged first]; no method of these can be expected "
        "to gain more. Labels right: percent of the training views' classes in the last round that are true (nothing "
        "reads this); prompts right: what training on the baseline's own predictions would be given, on test subjects. "
        "Clusters named right: of the clusters of the frozen embeddings, how many prompts name as true labels would."
    )
    return [
        Part("One roster, two faces: accuracy", pd.DataFrame(cells), note),
        Part("What was left to gain, and what the labels were worth", pd.DataFrame(gains), about),
    ]


_GAINED = ("gained", "gained_low", "gained_high", "+")


def _spread(row: Mapping[str, Any], value: str, low: str, high: str, sign: str) -> str:
    return f"{row[value]:{sign}.1f} [{row[low]:{sign}.1f}, {row[high]:{sign}.1f}]"


def sentences(frame: pd.DataFrame) -> Sequence[str]:
    """What the table says of each benchmark, one sentence each, made from its rows."""
    said = []
    for benchmark, group in frame[frame["protocol"] == "zero-shot"].groupby("benchmark", sort=False):
        rows = group.set_index(["seen", "method"]).to_dict("index")
        parts = []
        for seen, where in zip(SEEN.values(), ("seen", "not seen"), strict=True):
            bound, full = rows[seen, BOUND], rows[seen, LADDER[-1]]
            there = "something" if bound["gained_low"] > 0 else "nothing certain"
            parts.append(
                f"{where}: {there} was left to gain ({_spread(bound, *_GAINED)} points on true labels), the full "
                f"method {_moved(full)} ({_spread(full, *_GAINED)}), {full['labels_right']:.0f} % of its labels right"
            )
        said.append(f"{benchmark}. Face model {'; '.join(parts)}.")
    return said


def _moved(row: Mapping[str, Any]) -> str:
    return "gained" if row["gained_low"] > 0 else "lost" if row["gained_high"] < 0 else "made no certain difference"


def draw_seen(frame: pd.DataFrame) -> Drawing:
    """Accuracy of every row with its 95 % interval, both faces side by side, a panel for each benchmark.

    Args:
        frame: what `seen_table` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    benchmarks, titles = frame["benchmark"].unique(), list(frame["title"].unique())
    figure = Figure(figsize=(2.3 * len(benchmarks) + 2.2, 0.42 * len(titles) + 1.3), layout="constrained")
    panels = figure.subplots(1, len(benchmarks), sharex=True, sharey=True, squeeze=False)[0]
    palette = sns.color_palette("colorblind")
    for panel, benchmark in zip(panels, benchmarks, strict=True):
        part = frame[frame["benchmark"] == benchmark]
        for colour, marker, shift, seen in zip(palette, "so", (-0.16, 0.16), SEEN.values(), strict=False):
            group = part[part["seen"] == seen]
            places = [titles.index(title) + shift for title in group["title"]]
            panel.errorbar(group["accuracy"], places, xerr=whiskers(group, "accuracy"), fmt=marker, ms=4, capsize=2,
                           lw=1.2, color=colour, label=seen)  # fmt: skip
        panel.axvline(part["chance"].iloc[0], ls="--", color="0.4", lw=1)
        panel.set_yticks(range(len(titles)), titles)
        panel.set(title=f"{benchmark} ({part['data_kind'].iloc[0]})", xlabel="accuracy, %", xlim=(0, 102),
                  ylim=(len(titles) - 0.5, -0.5))  # fmt: skip
    handles = panels[0].get_legend_handles_labels()
    title = "the foundation has seen this face model"
    figure.legend(*handles, loc="outside lower center", ncols=2, title=title)
    return Drawing(figure, frame, COLUMNS)
