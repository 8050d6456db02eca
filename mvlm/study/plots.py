"""Figures 3 and 6, and those of the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlm.study.ablation import FIG3_COLUMNS, FIG6_COLUMNS, asked
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.drawings import Drawing
from mvlm.study.methods import LADDER, METHODS
from mvlm.study.probes import (
    FUSED,
    KNOWS,
    LABELS,
    NAMES,
    NAMING,
    QUALITY,
    SAME_EMOTION,
    SAME_SUBJECT,
    VIEWS,
    WHERE,
    WHO_NEAREST,
    WHO_PROBE,
)
from mvlm.study.summary import COLUMNS, LEVELS, QUESTIONS

if TYPE_CHECKING:
    import pandas as pd

NOT_STATED, ABSENT = "n. s.", "absent"
_STATED = f"stated in the paper, licensed corpora ({NOT_STATED}: not stated)"
_WIDTH = 0.19  # of a bar, in groups


def draw_ablation(frame: pd.DataFrame) -> Drawing:
    """Fig. 3: bars of the rungs with 95 % intervals and chance, and below them what the paper states.

    Args:
        frame: what `mvlm.study.ablation.fig3_table` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    places = asked()
    colours = sns.color_palette("Blues", len(LADDER) + 1)[1:]
    figure = Figure(figsize=(9.6, 4.9), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    ours, theirs = frame[frame["source"] == "measured"], frame[frame["source"] != "measured"]
    for rung, (method, colour) in enumerate(zip(LADDER, colours, strict=True)):
        shift = (rung - (len(LADDER) - 1) / 2) * _WIDTH
        part = ours[ours["method"] == method]
        x = [places.index(name) + shift for name in part["asked"]]
        above.bar(x, part["mean"], _WIDTH, color=colour, label=METHODS[method].title, edgecolor="white", lw=0.5)
        above.errorbar(x, part["mean"], yerr=_whiskers(part, "mean"), fmt="none", ecolor="0.2", capsize=2, lw=1)
        for row in theirs[theirs["method"] == method].to_dict("records"):
            place = _middle(places, row["benchmark"]) + shift
            if row["paper"] == row["paper"]:
                below.bar(place, row["paper"], _WIDTH, color="white", edgecolor="0.3", hatch="///", lw=0.8)
                below.text(place, row["paper"] + 2, f"{row['paper']:.2f}", ha="center", va="bottom", fontsize=7)
            else:
                below.text(place, 3, NOT_STATED, ha="center", va="bottom", fontsize=6.5, rotation=90, color="0.4")
    for name, guess in ours.drop_duplicates("asked").set_index("asked")["chance"].items():
        place = places.index(name)
        label = "chance" if name == ours["asked"].iloc[0] else None
        above.hlines(guess, place - 0.45, place + 0.45, colors="firebrick", ls="--", lw=1.2, label=label)
    for place, name in enumerate(places):
        if name not in set(ours["asked"]):
            above.text(place, 3, ABSENT, ha="center", fontsize=8, color="0.4")
    kinds = ", ".join(ours["data_kind"].unique())
    above.set(ylabel="accuracy, %", ylim=(0, 105), title=f"measured on the data kind {kinds}, 95 % intervals")
    below.set(ylabel="accuracy, %", ylim=(0, 118), title=_STATED)
    below.set_xticks(range(len(places)), [_label(name) for name in places])
    for panel in (above, below):
        panel.grid(axis="x", visible=False)
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return Drawing(figure, frame, FIG3_COLUMNS)


def draw_gains(frame: pd.DataFrame) -> Drawing:
    """Fig. 6: percentage points of each rung over the baseline, and below them what the paper states.

    Args:
        frame: what `mvlm.study.ablation.fig6_table` returns.
    """
    import numpy as np
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="white", context="paper")
    figure = Figure(figsize=(9.6, 4.3), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(1.25, 1))
    ours, theirs = frame[frame["source"] == "measured"], frame[frame["source"] != "measured"]
    most = max(float(ours["difference"].abs().max()), float(theirs["paper"].abs().max()))
    look = {"cmap": "RdBu", "vmin": -most, "vmax": most, "linewidths": 1, "linecolor": "white", "fmt": ""}
    rungs = LADDER[1:]
    kinds = ", ".join(ours["data_kind"].unique())
    for panel, part, columns, value, title in (
        (above, ours, asked(), "difference", f"measured on the data kind {kinds}; * the 95 % interval excludes 0"),
        (below, theirs, list(BENCHMARKS), "paper", _STATED),
    ):
        cells = {(row["method"], row["asked"]): row for row in part.to_dict("records")}
        numbers = np.array([[cells.get((m, c), {}).get(value, np.nan) for c in columns] for m in rungs], dtype=float)
        texts = [[_gain(cells.get((m, c)), value) for c in columns] for m in rungs]
        sns.heatmap(np.nan_to_num(numbers), mask=np.isnan(numbers), cbar=False, ax=panel, **look)
        panel.set_facecolor("0.93")
        for y, line in enumerate(texts):
            for x, text in enumerate(line):
                strong = abs(np.nan_to_num(numbers[y, x])) > 0.6 * most
                colour = "white" if strong else "0.4" if np.isnan(numbers[y, x]) else "0.1"
                panel.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=7.5, color=colour)
        panel.set_xticks([x + 0.5 for x in range(len(columns))], [_label(name) for name in columns])
        panel.set_yticks([y + 0.5 for y in range(len(rungs))], [METHODS[m].title for m in rungs], rotation=0)
        panel.tick_params(length=0)
        panel.set_title(title)
    bar = figure.colorbar(above.collections[0], ax=[above, below], shrink=0.8, pad=0.01)
    bar.set_label("points above the baseline")
    return Drawing(figure, frame, FIG6_COLUMNS)


def draw_forest(frame: pd.DataFrame, against: str = "baseline") -> Drawing:
    """Differences of every method of every question to one method, with 95 % intervals, a panel for each benchmark.

    Args:
        frame: what `mvlm.study.summary.summary_table` returns.
        against: the method that differences are taken to.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame[frame["against"] == against].reset_index(drop=True)
    questions = [question.title for question in QUESTIONS if question.title in set(rows["question"])]
    lines = rows[["question", "method", "title"]].drop_duplicates().reset_index(drop=True)
    heights = {question: (lines["question"] == question).sum() for question in questions}
    benchmarks = list(rows["benchmark"].unique())
    figure = Figure(figsize=(1.35 * len(benchmarks) + 3.2, 0.24 * len(lines) + 0.3 * len(questions) + 0.9),
                    layout="constrained")  # fmt: skip
    grid = figure.subplots(len(questions), len(benchmarks), sharex=True, sharey="row", squeeze=False,
                           height_ratios=[heights[question] + 0.6 for question in questions])  # fmt: skip
    for colour, line, question in zip(sns.color_palette("colorblind"), grid, questions, strict=False):
        methods = lines[lines["question"] == question]
        order = list(methods["method"])
        for panel, benchmark in zip(line, benchmarks, strict=True):
            part = rows[(rows["question"] == question) & (rows["benchmark"] == benchmark)]
            if part.empty:  # not run there
                panel.set_frame_on(False)
                panel.tick_params(left=False, bottom=False, labelbottom=False)
                panel.grid(visible=False)
                continue
            places = [order.index(method) for method in part["method"]]
            clear = (part["low"] > 0) | (part["high"] < 0)
            panel.errorbar(part["value"], places, xerr=_whiskers(part), fmt="none", ecolor=colour, capsize=2, lw=1.2)
            face = [colour if one_sided else "white" for one_sided in clear]
            panel.scatter(part["value"], places, c=face, edgecolors=[colour], s=22, zorder=3)
            panel.axvline(0, color="0.3", lw=1)
            panel.set_yticks(range(len(order)), list(methods["title"]))
            panel.set_ylim(len(order) - 0.4, -0.6)
        above = "\n" if line[0] is grid[0][0] else ""  # the names of the columns stand below it
        line[0].set_title(question + above, loc="left", fontsize=8, fontweight="bold", color=colour)
    for panel, benchmark in zip(grid[0], benchmarks, strict=True):
        panel.set_title(_label(benchmark), loc="right", fontsize=8)
    kinds = ", ".join(rows["data_kind"].unique())
    figure.supxlabel(f"points of accuracy above {METHODS[against].title}, {kinds}; filled: the interval excludes 0",
                     fontsize=8)  # fmt: skip
    return Drawing(figure, rows, COLUMNS)


def draw_curves(frame: pd.DataFrame) -> Drawing:
    """Accuracy over a scale: intensity level, view, and share of the training subjects labelled; 95 % intervals.

    Args:
        frame: what `mvlm.study.summary.summary_table` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame[frame["question"].isin([LEVELS, VIEWS, LABELS])]
    drawn = set(frame.loc[frame["question"] == VIEWS, "method"])
    rows = rows[rows["method"].isin(drawn)].reset_index(drop=True)
    panels = [(question, benchmark) for question, benchmark in
              rows[["question", "benchmark"]].drop_duplicates().itertuples(index=False)]  # fmt: skip
    across = max(sum(question == each for each, _ in panels) for question, _ in panels)
    down = list(dict.fromkeys(question for question, _ in panels))
    wide = max(2.35, 0.45 * rows.groupby(["question", "benchmark"])["at"].nunique().max())
    figure = Figure(figsize=(wide * across + 0.8, 2.1 * len(down) + 0.7), layout="constrained")
    grid = figure.subplots(len(down), across, sharey="row", squeeze=False)
    colours = _colours(rows)
    for line, question in zip(grid, down, strict=True):
        benchmarks = [benchmark for each, benchmark in panels if each == question]
        for panel, benchmark in zip(line, benchmarks, strict=False):
            part = rows[(rows["question"] == question) & (rows["benchmark"] == benchmark)]
            scale = list(part["at"].unique())
            for number, title in enumerate(colours):
                group = part[part["title"] == title]
                x = [scale.index(at) + 0.07 * (number - 2) for at in group["at"]]
                joined = "-" if question != VIEWS else ""
                panel.errorbar(x, group["value"], yerr=_whiskers(group), fmt="o" + joined, ms=3, lw=1, capsize=1.5,
                               color=colours[title], label=title)  # fmt: skip
            panel.axhline(part["chance"].iloc[0], ls="--", color="0.4", lw=1)
            ticks = [at.replace(" ", "\n") if question == VIEWS else at.removeprefix("level ") for at in scale]
            panel.set_xticks(range(len(scale)), ticks)
            panel.set(title=f"{benchmark} ({part['data_kind'].iloc[0]})", ylim=(0, 102))
            if FUSED in scale:
                panel.axvspan(scale.index(FUSED) - 0.5, scale.index(FUSED) + 0.5, color="0.93", zorder=0)
        line[0].set_ylabel(f"{question}\naccuracy, %")
        for panel in line[len(benchmarks) :]:
            panel.remove()
    handles = grid[0][0].get_legend_handles_labels()
    if across > sum(question == down[0] for question, _ in panels):  # the first line has room
        legend = grid[0][0].legend(*handles, loc="center left", bbox_to_anchor=(1.1, 0.5))
        legend.set_in_layout(False)
    else:
        figure.legend(*handles, loc="outside lower center", ncols=3)
    return Drawing(figure, rows, COLUMNS)


def draw_knows(frame: pd.DataFrame) -> Drawing:
    """Who, from where, and what its neighbours are: what an embedding knows, before training and after.

    Args:
        frame: what `mvlm.study.summary.summary_table` returns.
    """
    measures = (SAME_EMOTION, SAME_SUBJECT, WHO_NEAREST, WHO_PROBE, WHERE)
    return _by_measure(frame[frame["question"] == KNOWS].reset_index(drop=True), measures)


def draw_names(frame: pd.DataFrame) -> Drawing:
    """Quality of clusters beside how many of them the prompts name right, over restarts.

    Args:
        frame: what `mvlm.study.summary.summary_table` returns.
    """
    return _by_measure(frame[frame["question"] == NAMES].reset_index(drop=True), (QUALITY, NAMING))


def _by_measure(rows: pd.DataFrame, measures: tuple[str, ...]) -> Drawing:
    """A panel for each measure, a line for each benchmark, a colour for each method; short dashes are chance."""
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    measures = tuple(measure for measure in measures if measure in set(rows["measure"]))
    benchmarks, colours = list(rows["benchmark"].unique()), _colours(rows)
    figure = Figure(figsize=(max(2.1 * len(measures) + 1.2, 7.2), 0.62 * len(benchmarks) + 1.2), layout="constrained")
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for panel, measure in zip(panels, measures, strict=True):
        part = rows[rows["measure"] == measure]
        for number, (title, colour) in enumerate(colours.items()):
            group = part[part["title"] == title]
            shift = (number - (len(colours) - 1) / 2) * 0.15
            places = [benchmarks.index(name) + shift for name in group["benchmark"]]
            panel.errorbar(group["value"], places, xerr=_whiskers(group), fmt="o", ms=3.5, lw=1, capsize=1.5,
                           color=colour, label=title)  # fmt: skip
        for row in part.drop_duplicates("benchmark").dropna(subset="chance").to_dict("records"):
            place = benchmarks.index(row["benchmark"])
            panel.vlines(row["chance"], place - 0.42, place + 0.42, colors="0.4", ls="--", lw=1)
        panel.set_yticks(range(len(benchmarks)), benchmarks)
        panel.set(xlim=(-2, 102), ylim=(len(benchmarks) - 0.5, -0.5), xlabel="%")
        panel.set_title(measure.replace(", ", ",\n", 1).replace(" shows ", "\nshows ").replace(" (", "\n("), fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Drawing(figure, rows, COLUMNS)


def _colours(rows: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """Title of each method in the rows, in the order of `METHODS`, and its colour, the same in every figure."""
    import seaborn as sns

    shown = set(rows["method"])
    titles = [method.title for name, method in METHODS.items() if name in shown]
    return dict(zip(titles, sns.color_palette("colorblind"), strict=False))


def _whiskers(part: pd.DataFrame, value: str = "value") -> list[pd.Series]:
    return [part[value] - part["low"], part["high"] - part[value]]


def _label(asked_as: str) -> str:
    """The name of a column in two lines: "BU-4DFE / to BP4D, 6-way"."""
    return asked_as.replace("-to-", "\nto ")


def _middle(places: list[str], benchmark: str) -> float:
    found = [place for place, name in enumerate(places) if name.split(", ")[0] == benchmark]
    return sum(found) / len(found)


def _gain(cell: dict | None, value: str) -> str:
    if cell is None:
        return ABSENT
    if value == "paper":
        number = cell["paper"]
        return NOT_STATED if number != number else f"{cell['qualifier']} {number:g}"
    mark = " *" if cell["excludes_zero"] else ""
    return f"{cell['difference']:+.1f}{mark}\n[{cell['low']:+.1f}, {cell['high']:+.1f}]"
