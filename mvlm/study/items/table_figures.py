"""Figures that the tables share: the ladder of methods with its intervals, and which emotions are confused."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.methods import METHODS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CONFUSED = ("baseline", "full")  # methods whose confusions are drawn
ACROSS = 6  # dials in a line


class Drawing(NamedTuple):
    """A figure, the numbers it draws, and what their columns mean."""

    figure: Figure
    frame: pd.DataFrame
    columns: dict[str, str]


def draw_ladder(frame: pd.DataFrame, columns: dict[str, str]) -> Drawing:
    """Zero-shot accuracy of each method with its 95 % interval, a panel for each benchmark; the dashed line is chance.

    Args:
        frame: what `mvlm.study.items.tables.accuracy_table` returns.
        columns: its columns and their units.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame[(frame["source"] == "measured") & (frame["protocol"] == "zero-shot")]
    present = rows["benchmark"].unique()
    titles = rows["title"].unique()
    figure = Figure(figsize=(2.6 * len(present) + 2.3, 0.28 * len(titles) + 0.8), layout="constrained")
    panels = figure.subplots(1, len(present), sharey=True, squeeze=False)[0]
    colours = dict(zip(titles, sns.color_palette("colorblind", len(titles)), strict=True))
    for panel, benchmark in zip(panels, present, strict=True):
        part = rows[rows["benchmark"] == benchmark]
        # Colours of the palette as they are: greyed, some lie on the edge between two bytes; interpreters differ there.
        kept = {"alpha": 0.75, "saturation": 1}
        sns.barplot(part, x="mean", y="title", hue="title", order=titles, palette=colours, ax=panel, **kept)
        spread = [part["mean"] - part["low"], part["high"] - part["mean"]]
        panel.errorbar(part["mean"], part["title"], xerr=spread, fmt="none", ecolor="0.2", capsize=2)
        panel.axvline(chance := part["chance"].iloc[0], ls="--", color="0.4", lw=1)
        for place, title in enumerate(titles):
            if title not in set(part["title"]):
                panel.text(chance + 2, place, "not asked", va="center", color="0.4", style="italic")
        panel.set(title=f"{benchmark} ({part['data_kind'].iloc[0]})", xlabel="accuracy, %", ylabel="", xlim=(0, 100))
    drawn = rows.drop(columns="paper").reset_index(drop=True)
    return Drawing(figure, drawn, {name: columns[name] for name in drawn})


def draw_foundation(frame: pd.DataFrame, columns: dict[str, str]) -> Drawing:
    """What foundations know of the twins, zero-shot and by a probe, with 95 % intervals; the dashes are chance.

    Args:
        frame: what `mvlm.study.items.foundation.foundation_table` returns.
        columns: its columns and their units.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame[(frame["data_kind"] == "twin") & frame["unit"].isna() & frame["method"].isna()].reset_index(drop=True)
    benchmarks, foundations = list(rows["asked_about"].unique()), rows["pretrained_on"].unique()
    figure = Figure(figsize=(7.2, 0.55 * len(benchmarks) + 1.2), layout="constrained")
    panels = figure.subplots(1, rows["measure"].nunique(), sharey=True, squeeze=False)[0]
    for panel, (measure, part) in zip(panels, rows.groupby("measure", sort=False), strict=True):
        for place, (title, group) in enumerate(part.groupby("pretrained_on", sort=False)):
            shift = (place - (len(foundations) - 1) / 2) * 0.6 / max(len(foundations) - 1, 1)
            places = [benchmarks.index(name) + shift for name in group["asked_about"]]
            spread = [group["value"] - group["low"], group["high"] - group["value"]]
            panel.errorbar(group["value"], places, xerr=spread, fmt="o", ms=4, capsize=2, label=title)
        guess = part.drop_duplicates("asked_about").set_index("asked_about")["chance"][benchmarks]
        panel.vlines(guess, [place - 0.3 for place in range(len(benchmarks))],
                     [place + 0.3 for place in range(len(benchmarks))], colors="0.4", ls="--", lw=1)  # fmt: skip
        panel.set_yticks(range(len(benchmarks)), [f"{name} (twin)" for name in benchmarks])
        panel.set(title=measure, xlabel="accuracy, %", xlim=(0, 100), ylim=(len(benchmarks) - 0.5, -0.5))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, title="pretrained on")
    return Drawing(figure, rows, {name: columns[name] for name in rows})


def draw_dials(frame: pd.DataFrame, columns: dict[str, str]) -> Drawing:
    """Accuracy over the value of each dial, with 95 % intervals: lines for each benchmark, a panel for each dial.

    Args:
        frame: what `mvlm.study.items.dials.turned` returns.
        columns: its columns and their units.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    lines = [
        (benchmark, groups[start : start + ACROSS])
        for benchmark, of in frame.groupby("benchmark", sort=False)
        for groups in [list(of.groupby("dial", sort=False))]
        for start in range(0, len(groups), ACROSS)
    ]
    wide = max(len(groups) for _, groups in lines)
    values = sorted(frame["value"].unique())
    figure = Figure(figsize=(1.35 * wide + 1.0, 1.8 * len(lines) + 0.4), layout="constrained")
    grid = figure.subplots(len(lines), wide, sharex=True, sharey=True, squeeze=False)
    for line, (benchmark, groups) in zip(grid, lines, strict=True):
        for panel, (dial, part) in zip(line, groups, strict=False):
            spread = [part["accuracy"] - part["low"], part["high"] - part["accuracy"]]
            panel.errorbar(part["value"], part["accuracy"], yerr=spread, fmt="o-", ms=4, lw=1, capsize=2)
            panel.axhline(part["chance"].iloc[0], ls="--", color="0.4", lw=1)
            panel.set_xscale("log", base=2)
            panel.set_xticks(values, [f"{value:g}" for value in values])
            panel.tick_params(labelbottom=True)
            panel.minorticks_off()
            panel.set(title=dial, ylim=(0, 100))
        line[0].set_ylabel(f"{benchmark}\n({part['data_kind'].iloc[0]}), accuracy, %")
        for panel in line[len(groups) :]:
            panel.remove()
    figure.supxlabel("value of the dial; 1 is the twin itself", fontsize=8)
    return Drawing(figure, frame, columns)


def draw_confusions(records: pd.DataFrame, methods: Sequence[str] = CONFUSED) -> Drawing:
    """Of the samples of each true emotion (rows) the percentage predicted as each (columns), zero-shot.

    Args:
        records: what `mvlm.study.run` returns.
        methods: whose predictions.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    shown = records[records["method"].isin(methods)]
    pairs = shown[["benchmark", "method", "emotions", "zero_shot"]].explode(["emotions", "zero_shot"])
    pairs = pairs.rename(columns={"emotions": "true", "zero_shot": "predicted"})
    counted = pairs.groupby(["benchmark", "method", "true"], sort=False)["predicted"].value_counts(normalize=True)
    long = counted.mul(100).rename("percent").reset_index()
    kinds = records.drop_duplicates("benchmark").set_index("benchmark")["data_kind"]
    shape = (len(methods), len(kinds)) if len(kinds) > 1 else (1, len(methods))
    figure = Figure(figsize=(2.7 * shape[1] + 0.6, 2.8 * shape[0] + 0.3), layout="constrained")
    grid = figure.subplots(*shape, squeeze=False).reshape(len(methods), len(kinds))
    look = {"cbar": False, "cmap": "Blues", "vmin": 0, "vmax": 100, "square": True, "annot_kws": {"size": 6}}
    for line, method in zip(grid, methods, strict=True):
        for panel, (name, kind) in zip(line, kinds.items(), strict=True):
            cells = long[(long["benchmark"] == name) & (long["method"] == method)]
            known = BENCHMARKS[name]
            table = cells.pivot(index="true", columns="predicted", values="percent")
            table = table.reindex(index=list(known.shown or known.emotions), columns=list(known.emotions)).fillna(0)
            sns.heatmap(table, annot=True, fmt=".0f", ax=panel, **look)
            title = textwrap.fill(METHODS[method].title, 26)
            panel.set(title=f"{title}\n{name} ({kind})", xlabel="", ylabel="")
            panel.tick_params(axis="y", rotation=0)
    figure.supxlabel("predicted, zero-shot", fontsize=8)
    figure.supylabel("shown; rows in percent", fontsize=8)
    columns = {"benchmark": "corpus and subset", "method": "recipe", "true": "emotion shown", "predicted": "zero-shot"}
    return Drawing(figure, long, columns | {"percent": "of the samples of the true emotion"})


def whiskers(part: pd.DataFrame, value: str = "value") -> list[pd.Series]:
    return [part[value] - part["low"], part["high"] - part[value]]


def asked_label(asked_as: str) -> str:
    """The name of a column in two lines: "BU-4DFE / to BP4D, 6-way"."""
    return asked_as.replace("-to-", "\nto ")
