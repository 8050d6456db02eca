"""What the readings of the equations do to accuracy: each against the default on the same folds.

It describes and changes no default: those are chosen by the text. A reading acts on the loss, and labels that are wrong
can hide what a loss does, so that every reading is measured twice: on named clusters, and on true labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mvlm.measures.statistics import corrected_resampled_t
from mvlm.report.results import Part
from mvlm.settings import Settings
from mvlm.study.items.table_figures import Drawing
from mvlm.study.methods import METHODS, READINGS, VARIANTS
from mvlm.study.runs import run

if TYPE_CHECKING:
    import pandas as pd

ASKED, SMOKE_ASKED = ("BU-3DFE-I", "Bosphorus"), ("Bosphorus",)
DEFAULTS = ("full", "oracle")
DEFAULT = "default: 4B, 6A, 8A, multi-positive, unit weights"
# Columns of the CSV, with their units.
COLUMNS = {
    "benchmark": "corpus and subset",
    "supervision": "where a training sample's class comes from",
    "knows": "what the method is told beside images: nothing, subjects, class shares",
    "equation": "what is read; empty for the default",
    "reading": "how",
    "method": "recipe",
    "data_kind": "twin, sample or supplied",
    "profile": "smoke, quick or full",
    "labels_right": "percent of the training views' classes in the last round that are true; nothing reads this",
    "accuracy": "percent, zero-shot prompts on the mean view, mean over folds",
    "std": "percent, standard deviation over folds (n - 1)",
    "difference": "percentage points above the default with the same supervision, mean over the same folds",
    "low": "points, lower end of the 95 % interval by the corrected resampled t (Nadeau and Bengio 2003)",
    "high": "points, upper end of it",
    "p": "two-sided, by the same test; not corrected for the number of readings",
    "folds": "folds, subject-independent",
}


def reading_records(settings: Settings | None = None, *, seeds: Sequence[int] = (0,)) -> pd.DataFrame:
    """Records of every reading on the benchmarks that are asked, computing those that are missing: see `run`."""
    chosen = Settings.from_environment() if settings is None else settings
    return run(SMOKE_ASKED if chosen.profile == "smoke" else ASKED, READINGS, chosen, seeds=seeds)


def readings_table(records: pd.DataFrame) -> pd.DataFrame:
    """One row per benchmark, supervision and reading, the default first, with `COLUMNS`.

    Args:
        records: what `reading_records` returns.

    Raises:
        ValueError: a reading was not run on the folds and seeds of its default.
    """
    import pandas as pd

    right = [100 * np.mean(np.array(a) == b) for a, b in zip(records["zero_shot"], records["emotions"], strict=True)]
    records = records.assign(right=right)
    rows = []
    for benchmark, of in records.groupby("benchmark", sort=False):
        by_method = {method: runs.set_index(["fold", "seed"]) for method, runs in of.groupby("method")}
        for default in DEFAULTS:
            base = by_method[default]
            for method in (default, *(f"{default}-{key}" for key in VARIANTS)):
                runs, variant = by_method[method], VARIANTS.get(method.removeprefix(f"{default}-"))
                if not runs.index.equals(base.index):
                    raise ValueError(f"{benchmark}: {method} was not run on the folds and seeds of {default}")
                row = {"benchmark": benchmark, "supervision": METHODS[method].supervision, "method": method}
                row["knows"] = METHODS[method].knowledge
                row |= {name: runs[name].iloc[0] for name in ("data_kind", "profile", "folds")}
                row |= {"equation": variant.equation, "reading": variant.title} if variant else {"reading": DEFAULT}
                row["labels_right"] = 100 * np.mean([shares[-1] for shares in runs["pseudo_labels"]])
                row |= {"accuracy": runs["right"].mean(), "std": runs["right"].std()}
                if variant:
                    gains = (runs["right"] - base["right"]).to_numpy()
                    test = corrected_resampled_t(gains, 1 / runs["folds"].iloc[0])
                    row |= {"difference": test.mean, "low": test.low, "high": test.high, "p": test.p}
                rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def render_readings(frame: pd.DataFrame) -> list[Part]:
    """Render the readings from their CSV: readings down, benchmarks and supervisions across."""
    import pandas as pd

    cells = []
    for (equation, reading), group in frame.fillna({"equation": ""}).groupby(["equation", "reading"], sort=False):
        row = {"Equation": equation or "–", "Reading": reading}
        for each in group.to_dict("records"):
            shown = f"{each['accuracy']:.1f} ± {each['std']:.1f}"
            if not pd.isna(each["difference"]):
                shown = f"{each['difference']:+.1f} [{each['low']:+.1f}, {each['high']:+.1f}]"
            row[f"{each['benchmark']} ({each['data_kind']}), {each['supervision']}"] = shown
        cells.append(row)
    first = frame.iloc[0]
    note = (
        "First row: zero-shot accuracy of the default in percent, mean ± standard deviation over folds. Other rows: "
        "percentage points above it on the same folds [95 % interval, corrected resampled t]. Cluster: labels are "
        "clusters named by prompts; oracle: true labels, an upper bound. With this many intervals one in twenty leaves "
        f"out 0 by chance. Profile {first['profile']}, {first['folds']} folds."
    )
    return [Part("Readings of the equations", pd.DataFrame(cells), note)]


def draw_readings(frame: pd.DataFrame) -> Drawing:
    """Differences to the default with their intervals, readings down, a panel for each benchmark.

    Args:
        frame: what `readings_table` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame[frame["difference"].notna()].reset_index(drop=True)
    lines = (rows["equation"] + " " + rows["reading"]).drop_duplicates().tolist()
    present = rows["benchmark"].unique()
    figure = Figure(figsize=(2.6 * len(present) + 2.6, 0.34 * len(lines) + 1.2), layout="constrained")
    panels = figure.subplots(1, len(present), sharex=True, sharey=True, squeeze=False)[0]
    for panel, benchmark in zip(panels, present, strict=True):
        part = rows[rows["benchmark"] == benchmark]
        for shift, (supervision, group) in zip((-0.15, 0.15), part.groupby("supervision", sort=False), strict=True):
            places = [lines.index(f"{row.equation} {row.reading}") + shift for row in group.itertuples()]
            spread = [group["difference"] - group["low"], group["high"] - group["difference"]]
            panel.errorbar(group["difference"], places, xerr=spread, fmt="o", ms=4, capsize=2, label=supervision)
        panel.axvline(0, ls="--", color="0.4", lw=1)
        panel.set_yticks(range(len(lines)), lines)
        panel.set(title=f"{benchmark} ({part['data_kind'].iloc[0]})", ylim=(len(lines) - 0.5, -0.5))
        panel.set_xlabel("points above the default")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, title="labels")
    return Drawing(figure, rows, COLUMNS)
