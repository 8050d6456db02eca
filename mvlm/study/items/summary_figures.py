"""Figures 3 and 6, and those of the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlm.study.items.summary import COLUMNS, LEVELS, QUESTIONS
from mvlm.study.items.summary_inspections import (
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
from mvlm.study.items.table_figures import Drawing, asked_label, whiskers
from mvlm.study.methods import METHODS

if TYPE_CHECKING:
    import pandas as pd

def draw_forest(frame: pd.DataFrame, against: str = "baseline") -> Drawing:
    """Differences of every method of every question to one method, with 95 % intervals, a panel for each benchmark.

    Args:
        frame: what `mvlm.study.items.summary.summary_table` returns.
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
            panel.errorbar(part["value"], places, xerr=whiskers(part), fmt="none", ecolor=colour, capsize=2, lw=1.2)
            face = [colour if one_sided else "white" for one_sided in clear]
            panel.scatter(part["value"], places, c=face, edgecolors=[colour], s=22, zorder=3)
            panel.axvline(0, color="0.3", lw=1)
            panel.set_yticks(range(len(order)), list(methods["title"]))
            panel.set_ylim(len(order) - 0.4, -0.6)
        above = "\n" if line[0] is grid[0][0] else ""  # the names of the columns stand below it
        line[0].set_title(question + above, loc="left", fontsize=8, fontweight="bold", color=colour)
    for panel, benchmark in zip(grid[0], benchmarks, strict=True):
        panel.set_title(asked_label(benchmark), loc="right", fontsize=8)
    kinds = ", ".join(rows["data_kind"].unique())
    figure.supxlabel(f"points of accuracy above {METHODS[against].title}, {kinds}; filled: the interval excludes 0",
                     fontsize=8)  # fmt: skip
    return Drawing(figure, rows, COLUMNS)


def draw_curves(frame: pd.DataFrame) -> Drawing:
    """Accuracy over a scale: intensity level, view, and share of the training subjects labelled; 95 % intervals.

    Args:
        frame: what `mvlm.study.items.summary.summary_table` returns.
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
                panel.errorbar(x, group["value"], yerr=whiskers(group), fmt="o" + joined, ms=3, lw=1, capsize=1.5,
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
        frame: what `mvlm.study.items.summary.summary_table` returns.
    """
    measures = (SAME_EMOTION, SAME_SUBJECT, WHO_NEAREST, WHO_PROBE, WHERE)
    return _by_measure(frame[frame["question"] == KNOWS].reset_index(drop=True), measures)


def draw_names(frame: pd.DataFrame) -> Drawing:
    """Quality of clusters beside how many of them the prompts name right, over restarts.

    Args:
        frame: what `mvlm.study.items.summary.summary_table` returns.
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
            panel.errorbar(group["value"], places, xerr=whiskers(group), fmt="o", ms=3.5, lw=1, capsize=1.5,
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
