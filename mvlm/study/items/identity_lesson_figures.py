"""The figures of the lesson on the person: `mvlm.study.items.identity_lesson` and `identity_why` drawn.

Colours are those of seaborn's palette for the colour-blind, and whatever they tell, a place, a marker or a dash does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mvlm.measures.statistics import chance
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items.identity_lesson import FACES, KINDS, PLANE, REMOVED, SHARES
from mvlm.study.items.identity_why import (
    AFTER,
    BALANCES,
    BEFORE,
    BEST,
    BETWEEN,
    INSIDE,
    LEARNT,
    LEFT_IN,
    LEFT_OF_EMOTIONS,
    LEFT_OF_PEOPLE,
    MATCHED,
    OWN,
    PROMPTS,
    RULES,
    TRUE,
    WHY,
)
from mvlm.study.items.table_figures import Drawing, whiskers

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = {REMOVED[0]: "with the person", REMOVED[1]: "without"}
MARKERS = "osD^vP<>"
STEPS = {"step": "of the procedure", "shown": "emotion shown", "asked": "class", "percent": "probability of the class"}


def draw_shares(frame: pd.DataFrame) -> Drawing:
    """What of the embeddings is the person and what the emotion, and who the neighbours are, before and after.

    Args:
        frame: of `identity_lesson.shares`.
    """
    figure, colours = _sheet(7.4, 5.4)
    panels = figure.subplots(1, 2, sharey=True)
    groups = list(frame.groupby(["benchmark", "face"], sort=False))
    places = np.array([2.6 * number + step for number in range(len(groups)) for step in (0, 1)])
    looks = list(zip((colours[1], colours[0], "0.88"), ("0", "1", "0"), ("", "", "///"), strict=True))
    titles = ("share of the variance, %", "nearest neighbour, % of the scans")
    for panel, (measure, kinds), title in zip(panels, KINDS.items(), titles, strict=True):
        of = frame[frame["measure"] == measure]
        ends = np.zeros(len(places))
        for kind, (fill, ink, hatch) in zip(kinds, looks, strict=True):
            part = of[of["kind"] == kind]
            panel.barh(places, part["percent"], left=ends, height=0.92, color=fill, label=kind, hatch=hatch,
                       edgecolor="white", lw=0.5)  # fmt: skip
            for place, end, percent in zip(places, ends, part["percent"], strict=True):
                if percent >= 5:
                    panel.text(end + percent / 2, place, f"{percent:.0f}", color=ink, ha="center", va="center", size=7)
            ends = ends + part["percent"].to_numpy()
        lots = of[(of["kind"] == kinds[0]) & (of["removed"] == REMOVED[0])]["by_lot"]
        panel.plot(lots, places[::2] - 0.62, "v", ms=4, color="0.1", clip_on=False, label=f"{kinds[0]}, by lot")
        panel.set(xlim=(0, 100), title=title)
        panel.grid(visible=False)
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), frameon=False)
    names = [[f"{benchmark}, {FACES[face]}", "without the person"] for (benchmark, face), _ in groups]
    panels[0].set_yticks(places, np.ravel(names))
    panels[0].set_ylim(places[-1] + 0.7, -1)
    return Drawing(figure, frame, SHARES)


def draw_plane(frame: pd.DataFrame) -> Drawing:
    """A few people on the first two principal components, coloured by who they are and by what they show.

    Args:
        frame: of `identity_lesson.plane`.
    """
    figure, colours = _sheet(7.4, 6.4)
    grid = figure.subplots(2, 2)
    for line, of in zip(grid, ("subject", "emotion"), strict=True):
        for panel, removed in zip(line, REMOVED, strict=True):
            part = frame[frame["removed"] == removed]
            for number, (name, group) in enumerate(part.groupby(of)):
                panel.plot(group["x"], group["y"], MARKERS[number], ms=5.5, mew=0.4, mec="white", label=name,
                           color=colours[number])  # fmt: skip
            first = part.iloc[0]
            panel.set(xlabel=f"first component, {first['x_percent']:.0f} % of the variance", aspect="equal",
                      ylabel=f"second, {first['y_percent']:.0f} %", title=f"{SHOWN[removed]}, by {of}")  # fmt: skip
            panel.set_adjustable("datalim")
        line[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, title=of)
    return Drawing(figure, frame, PLANE)


def draw_steps(steps: Mapping[str, np.ndarray], pictures: np.ndarray, emotions: list[str]) -> Drawing:
    """Probabilities of one person's scans after each step: scans down, classes across; the right class is framed.

    Args:
        steps: name -> (C, C), row i of the scan that shows emotion i.
        pictures: (C, H, H, 3) uint8 of these scans.
        emotions: C names, in the order of the classes.
    """
    import pandas as pd
    import seaborn as sns
    from matplotlib.patches import Rectangle

    figure, _ = _sheet(2.05 * len(steps) + 1.1, 2.9)
    panels = figure.subplots(1, len(steps) + 1, width_ratios=(0.42, *[2] * len(steps)))
    panels[0].imshow(np.concatenate(list(pictures)), aspect="auto")
    size = len(pictures[0])
    panels[0].set_yticks((np.arange(len(emotions)) + 0.5) * size, emotions)
    panels[0].set_xticks([])
    panels[0].tick_params(length=0)
    panels[0].grid(visible=False)
    rows = []
    for panel, (step, p) in zip(panels[1:], steps.items(), strict=True):
        sns.heatmap(100 * p, ax=panel, cmap="Blues", vmin=0, vmax=100, cbar=False, annot=True, fmt=".0f",
                    annot_kws={"size": 7}, linewidths=0.5, yticklabels=False, xticklabels=emotions)  # fmt: skip
        for place in range(len(emotions)):
            panel.add_patch(Rectangle((place, place), 1, 1, fill=False, ec="0.15", lw=1))
        right = int((p.argmax(1) == np.arange(len(emotions))).sum())
        panel.set_title(f"{step}\n{right} of {len(emotions)} right", fontsize=8)
        panel.tick_params(axis="x", rotation=60, labelsize=7)
        rows += [(step, shown, asked, 100 * p[i, j])
                 for i, shown in enumerate(emotions) for j, asked in enumerate(emotions)]  # fmt: skip
    return Drawing(figure, pd.DataFrame(rows, columns=list(STEPS)), STEPS)


def draw_rounds(frame: pd.DataFrame) -> Drawing:
    """Labels right from round to round by every balance, a panel for each face, with the interval of the last round.

    Args:
        frame: of `identity_why.rounds`.
    """
    figure, colours = _sheet(7.4, 3.5)
    panels = figure.subplots(1, frame["face"].nunique(), sharey=True, squeeze=False)[0]
    looks = {how: (colour, marker) for how, colour, marker in zip(BALANCES, colours, MARKERS, strict=False)}
    ways = [*((how, said, "-") for how, said in BALANCES.items()), *((how, said, ":") for how, said in LEFT_IN.items())]
    for panel, (face, of) in zip(panels, frame.groupby("face", sort=False), strict=True):
        for how, series, dash in ways:
            part, (colour, marker) = of[of["series"] == series], looks[how]
            fill = colour if dash == "-" else "white"
            panel.plot(part["at"], part["percent"], color=colour, ls=dash, lw=1.4)
            _dots(panel, part["at"].tail(1), part.tail(1), fmt=marker, color=colour, mfc=fill, label=series)
        panel.set(title=FACES[face], xlabel="round; 0: the prompts, balanced", ylim=(40, 100))
    panels[0].set_ylabel("labels right, %")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, title="classes are balanced", frameon=False)
    return Drawing(figure, frame, WHY)


def draw_anisotropy(frame: pd.DataFrame) -> Drawing:
    """How unequal the axes are, how much of each tells emotions apart, and what a rule that ignores it loses.

    Args:
        frame: of `identity_why.anisotropy`.
    """
    figure, colours = _sheet(7.4, 2.6)
    spectrum, worth, rules = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
    inside, apart = (frame[frame["series"] == series] for series in (INSIDE, BETWEEN))
    axes = inside["at"].astype(int)
    spectrum.plot(axes, inside["percent"], "o-", color=colours[1], ms=3.5, lw=1)
    spectrum.set(yscale="log", title=f"{INSIDE}, %", xlabel="axis")
    worth.bar(axes, apart["percent"].to_numpy() / inside["percent"], color=colours[0])
    worth.axhline(1, color="0.3", ls="--", lw=0.8)
    worth.set(title="between over inside", xlabel="axis")
    for shift, colour, marker, source in zip((-0.12, 0.12), colours[2:], "os", (TRUE, LEARNT), strict=False):
        part = frame[frame["at"] == source].set_index("series").loc[list(RULES)]
        _dots(rules, np.arange(len(RULES)) + shift, part, fmt=marker, color=colour, label=source)
    rules.set_xticks(range(len(RULES)), RULES)
    rules.set(xlim=(-0.5, 1.5), ylim=(0, 100), title="other people told right, %")
    rules.legend(loc="lower center", frameon=False, title="fitted to")
    return Drawing(figure, frame, WHY)


def draw_orthogonality(frame: pd.DataFrame) -> Drawing:
    """What is left when directions of people's means are projected out; at the right, each one's own mean subtracted.

    Args:
        frame: of `identity_why.orthogonality`.
    """
    figure, colours = _sheet(7.0, 3.0)
    panel = figure.subplots()
    counts = [at for at in frame["at"].unique() if at != OWN]
    where = {at: place for place, at in enumerate(counts)} | {OWN: len(counts) + 0.5}
    looks = zip((LEFT_OF_PEOPLE, LEFT_OF_EMOTIONS, MATCHED), (colours[1], colours[0], colours[2]), "oso",
                ("-", "--", ":"), strict=True)  # fmt: skip
    for series, colour, marker, dash in looks:
        part = frame[frame["series"] == series]
        along = part[part["at"] != OWN]
        panel.plot(along["at"].map(where), along["percent"], color=colour, ls=dash, lw=1.3)
        _dots(panel, part["at"].map(where), part, fmt=marker, color=colour, label=series)
    panel.axvline(len(counts) - 0.25, color="0.6", lw=0.8)
    panel.set_xticks(list(where.values()), [*map(str, counts), "own mean\nsubtracted"])
    panel.set(xlabel="directions of people's means projected out", ylabel="%", ylim=(-3, 103))
    panel.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return Drawing(figure, frame, WHY)


def draw_starts(frame: pd.DataFrame) -> Drawing:
    """From what is right at the start to what is right at the end, a line for each start, a panel for each face.

    Args:
        frame: of `identity_why.starts`.
    """
    figure, colours = _sheet(7.4, 3.9)
    panels = figure.subplots(1, frame["face"].nunique(), sharey=True, squeeze=False)[0]
    lines = list(frame[["series", "seed"]].drop_duplicates().itertuples(index=False))
    for panel, (face, of) in zip(panels, frame.groupby("face", sort=False), strict=True):
        for place, (_, group) in enumerate(of.groupby(["series", "seed"], sort=False, dropna=False)):
            at = group.set_index("at")["percent"]
            panel.annotate("", (at[AFTER], place), (at[BEFORE], place), arrowprops={"arrowstyle": "->", "color": "0.3"})
            looks = {BEFORE: ("|", "0.3", "0.3"), AFTER: ("o", colours[0], colours[0]), BEST: ("s", "none", colours[1])}
            for moment, (marker, fill, edge) in looks.items():
                label = moment if place == 0 else None
                size = 9 if moment == BEST else 5
                panel.plot(at[moment], place, marker, ms=size, mfc=fill, mec=edge, ls="", label=label)
        panel.axvline(100 * chance(len(BENCHMARKS[of["benchmark"].iloc[0]].emotions)), color="0.4", ls="--", lw=0.8)
        panel.set(title=FACES[face], xlabel="labels right, %; dashed: chance", xlim=(-3, 103))
    names = [series if series == PROMPTS else f"{series}, {seed}" for series, seed in lines]
    panels[0].set_yticks(range(len(lines)), names)
    panels[0].invert_yaxis()
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, frameon=False)
    return Drawing(figure, frame, WHY)


def draw_constraints(frame: pd.DataFrame) -> Drawing:
    """Labels right at the end by the number of people among whom classes are balanced together.

    Args:
        frame: of `identity_why.constraints`.
    """
    figure, colours = _sheet(4.6, 2.6)
    panel = figure.subplots()
    _dots(panel, np.arange(len(frame)), frame, fmt="o", color=colours[0])
    panel.plot(np.arange(len(frame) - 1), frame["percent"][:-1], color=colours[0], lw=1.2)
    panel.set_xticks(range(len(frame)), [*map(str, frame["at"][:-1]), "not at all"])
    panel.set(xlabel="people among whom classes are balanced together", ylabel="labels right, %", ylim=(50, 100))
    return Drawing(figure, frame, WHY)


def _sheet(width: float, height: float) -> tuple[Figure, list[tuple[float, float, float]]]:
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    return Figure(figsize=(width, height), layout="constrained"), sns.color_palette("colorblind")


def _dots(panel: Axes, places: object, part: pd.DataFrame, **look: object) -> None:
    """Points with their intervals, where there are some."""
    panel.errorbar(places, part["percent"], yerr=np.nan_to_num(whiskers(part, "percent")), ls="", ms=4.5, capsize=2,
                   lw=1.2, **look)  # fmt: skip
