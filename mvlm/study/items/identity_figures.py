"""Figures of labels without labels: ways side by side, own scans, stress, and the guard."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from mvlm.study.items.identity import COLUMNS
from mvlm.study.items.identity_stress import COLUMNS as STRESS_COLUMNS
from mvlm.study.items.identity_stress import GUARD_COLUMNS, OWN, SHAPING
from mvlm.study.items.table_figures import Drawing, whiskers
from mvlm.study.label_free import FEW, OURS, SHARES, SUBJECTS
from mvlm.study.label_free_stress import CONDITIONS, WAYS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

# Rows of the first figure, top to bottom; with what each is coloured by.
DRAWN = (
    "zero-shot", "full", "subject-centred", "clusters-centred", "best peer", *OURS, "impersonal-shares",
    "impersonal-oracle", "discriminant", "probe", "probe-centred",
)  # fmt: skip
ACROSS = 3
_TRUE = "told true labels"
_BEST = "Best peer (inductive)"


def draw_ways(frame: pd.DataFrame) -> Drawing:
    """Accuracy of the main ways with their 95 % intervals, a panel for each benchmark, coloured by what they know.

    Args:
        frame: what `mvlm.study.items.identity.identity_table` returns.
    """
    import numpy as np
    import pandas as pd
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    plain = frame[frame["protocol"] == "zero-shot"]
    peers = plain[(plain["sort"] == "peers") & (plain["scans"] != "all subjects")]
    best = peers.loc[peers.groupby("benchmark", sort=False)["accuracy"].idxmax()]
    best = best.assign(way="best peer", title=_BEST)
    rows = pd.concat([plain[plain["way"].isin(DRAWN)], best], ignore_index=True)
    rows["told"] = np.where(rows["supervision"].isin(["labels", "oracle"]), _TRUE, "knows " + rows["knows"])
    rows["_at"] = rows["way"].map(DRAWN.index)
    rows = rows.sort_values("_at", kind="stable").drop(columns="_at").reset_index(drop=True)
    titles, present = list(rows["title"].unique()), list(rows["benchmark"].unique())
    down = -(-len(present) // ACROSS)
    figure = Figure(figsize=(2.4 * min(ACROSS, len(present)) + 2.6, down * (0.22 * len(titles) + 0.75) + 0.4),
                    layout="constrained")  # fmt: skip
    panels = figure.subplots(down, min(ACROSS, len(present)), sharex=True, sharey=True, squeeze=False).ravel()
    told = dict(zip(("knows nothing", f"knows {SUBJECTS}", f"knows {SHARES}", _TRUE),
                    zip(sns.color_palette("colorblind")[:3] + ["0.35"], "osD^", strict=True), strict=True))  # fmt: skip
    for panel, benchmark in zip(panels, present, strict=False):
        part = rows[rows["benchmark"] == benchmark]
        for label, (colour, marker) in told.items():
            group = part[part["told"] == label]
            places = [titles.index(title) for title in group["title"]]
            panel.errorbar(group["accuracy"], places, xerr=whiskers(group, "accuracy"), fmt=marker, ms=4.5, capsize=2,
                           lw=1.2, color=colour, label=label)  # fmt: skip
        panel.axvline(part["chance"].iloc[0], ls="--", color="0.4", lw=1)
        panel.set_title(f"{benchmark} ({part['data_kind'].iloc[0]})", fontsize=9)
        panel.set_yticks(range(len(titles)), titles, fontsize=8)
        panel.set(xlim=(0, 102), ylim=(len(titles) - 0.5, -0.5))
    for panel in panels[len(present) :]:
        panel.set_visible(False)
    figure.supxlabel("accuracy on people never seen, %; dashes: chance", fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)
    return Drawing(figure, rows, COLUMNS | {"told": "colour: what it knows, or that it is told true labels"})


def draw_scans(frame: pd.DataFrame) -> Drawing:
    """Accuracy over how many scans of a test subject are looked at together, with 95 % intervals.

    Args:
        frame: what `mvlm.study.items.identity.identity_table` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    plain = frame[frame["protocol"] == "zero-shot"]
    rows = plain[(plain["sort"] == "few") | plain["way"].isin([*OURS, "zero-shot", "probe"])]
    rows = rows[~rows["way"].str.startswith("relabelled-spread")].reset_index(drop=True)
    present = list(rows["benchmark"].unique())
    figure = Figure(figsize=(2.1 * len(present) + 0.6, 2.9), layout="constrained")
    panels = figure.subplots(1, len(present), sharey=True, squeeze=False)[0]
    ticks = [*map(str, FEW), "all"]
    palette = sns.color_palette("colorblind")
    for panel, benchmark in zip(panels, present, strict=True):
        part = rows[rows["benchmark"] == benchmark]
        for colour, marker, way in zip(palette[1:3], "sD", ("relabelled-who", "relabelled-shares"), strict=True):
            group = part[part["way"].str.startswith(way)]
            group = group.assign(_x=group["scans"].map(ticks.index)).sort_values("_x")
            said = part[part["way"] == way]["title"].iloc[0]
            panel.errorbar(group["_x"], group["accuracy"], yerr=whiskers(group, "accuracy"), fmt=f"{marker}-", ms=4,
                           capsize=2, lw=1.2, color=colour, label=said)  # fmt: skip
        for colour, style, way in ((palette[0], "-", "zero-shot"), ("0.35", ":", "probe")):
            row = part[part["way"] == way].iloc[0]
            panel.axhline(row["accuracy"], ls=style, color=colour, lw=1.2, label=row["title"])
            panel.axhspan(row["low"], row["high"], color=colour, alpha=0.12, lw=0)
        panel.axhline(part["chance"].iloc[0], ls="--", color="0.4", lw=1)
        panel.set_title(f"{benchmark}\n({part['data_kind'].iloc[0]})", fontsize=9)
        panel.set_xticks(range(len(ticks)), ticks)
        panel.set(xlim=(-0.4, len(ticks) - 0.6), ylim=(0, 102))
    panels[0].set_ylabel("accuracy, %")
    figure.supxlabel("scans of one unknown person, looked at together", fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)
    return Drawing(figure, rows, COLUMNS)


def draw_stress(frame: pd.DataFrame) -> Drawing:
    """Accuracy of each way under each condition, a panel for each benchmark; dark is good, and numbers stand in cells.

    Args:
        frame: what `mvlm.study.items.identity_stress.stress_table` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="white", context="paper")
    present, titles = list(frame["benchmark"].unique()), list(frame["title"].unique())
    ways = [about.title for about in WAYS.values()]
    figure = Figure(figsize=(2.15 * len(present) + 2.8, 0.3 * len(titles) + 2.1), layout="constrained")
    panels = figure.subplots(1, len(present), sharey=True, squeeze=False)[0]
    for panel, benchmark in zip(panels, present, strict=True):
        part = frame[frame["benchmark"] == benchmark]
        cells = part.assign(way=part["way"].map(lambda way: WAYS[way].title))
        cells = cells.pivot(index="title", columns="way", values="accuracy").reindex(index=titles, columns=ways)
        sns.heatmap(cells, ax=panel, vmin=0, vmax=100, cmap="Blues", annot=True, fmt=".0f", cbar=False,
                    annot_kws={"size": 7}, linewidths=0.5)  # fmt: skip
        for above, below in pairwise(range(len(titles))):
            if CONDITIONS[_name(frame, titles[above])].shares != CONDITIONS[_name(frame, titles[below])].shares:
                panel.axhline(below, color="0.2", lw=0.8)
        panel.set_title(f"{benchmark} ({part['data_kind'].iloc[0]})", fontsize=9)
        panel.set(xlabel="", ylabel="")
        panel.tick_params(axis="x", rotation=60, labelsize=7)
        for label in panel.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    panels[0].tick_params(axis="y", labelsize=8)
    return Drawing(figure, frame, STRESS_COLUMNS)


def _name(frame: pd.DataFrame, title: str) -> str:
    return frame[frame["title"] == title]["condition"].iloc[0]


def draw_guard(frame: pd.DataFrame) -> Drawing:
    """What the guard measures under each condition, on the face that sets its threshold and on what tables are made of.

    Args:
        frame: what `mvlm.study.items.identity_stress.guard_table` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    order = frame.drop_duplicates("title").sort_values("shares", ascending=False, kind="stable")
    titles = list(order["title"])
    figure = Figure(figsize=(8.6, 0.32 * len(titles) + 1.3), layout="constrained")
    panels: list[Axes] = figure.subplots(1, 2, sharex=True, sharey=True)
    faces = ((SHAPING, "formula face: the threshold is set here"), (OWN, "data of the tables: read once"))
    benchmarks = list(frame["benchmark"].unique())
    palette = dict(zip(benchmarks, zip(sns.color_palette("colorblind"), "osD^", strict=False), strict=False))
    for panel, (face, title) in zip(panels, faces, strict=True):
        part = frame[frame["face"] == face]
        for shift, (benchmark, (colour, marker)) in enumerate(palette.items()):
            group = part[part["benchmark"] == benchmark]
            places = [titles.index(each) + 0.16 * (shift - 1.5) for each in group["title"]]
            spread = [group["moved"] - group["least"], group["most"] - group["moved"]]
            panel.errorbar(group["moved"], places, xerr=spread, fmt=marker, ms=4, capsize=1.5, lw=1, color=colour,
                           label=benchmark)  # fmt: skip
        panel.axvline(frame["threshold"].iloc[0], color="0.2", lw=1, ls="--")
        panel.axhspan(-0.5, order["shares"].sum() - 0.5, color="tab:green", alpha=0.07, lw=0)
        panel.set_title(title, fontsize=9)
        panel.set_yticks(range(len(titles)), titles, fontsize=8)
        panel.set(ylim=(len(titles) - 0.5, -0.5))
    figure.supxlabel("labels that balance moves, % (mean, least and most of the folds); dashes: above, the guard says "
                     "that shares are false; green: they are true", fontsize=8)  # fmt: skip
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)
    return Drawing(figure, frame, GUARD_COLUMNS)
