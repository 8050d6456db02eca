"""Figures 3 and 6: the ablation over the six benchmarks, and what each rung gains over the baseline.

The paper draws both and prints neither's numbers, but for two: the accuracy of the full method, which stands in its
tables, and the gain on BU-3DFE's Subset I, of which the text says that it is over 8 %. All others are "not stated".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items.differences import AGAINST, difference
from mvlm.study.items.table_figures import Drawing, asked_label, whiskers
from mvlm.study.items.tables import AMONG_SHOWN, accuracy_table, column_title
from mvlm.study.items.tables import COLUMNS as OF_TABLES
from mvlm.study.methods import LADDER, METHODS
from mvlm.study.paper.transcripts import FILES, paper_gains, paper_table

if TYPE_CHECKING:
    import pandas as pd

NOT_STATED, ABSENT = "n. s.", "absent"
_STATED = f"stated in the paper, licensed corpora ({NOT_STATED}: not stated)"
_WIDTH = 0.19  # of a bar, in groups
OURS = "MultiviewVLM"  # the paper's name of its full method
# How a benchmark is asked -> column of the records with what was predicted then.
ASKED = {"zero-shot": "zero_shot", AMONG_SHOWN: "among_shown"}
_SHARED = {
    "benchmark": "corpus and subset",
    "asked": "benchmark, and among how many classes where there are two ways",
    "method": "rung",
    "title": "the rung as tables show it",
    "source": "measured here, transcribed from the paper, or not stated in its text",
    "data_kind": "twin, sample or supplied; paper for the paper's rows",
}
FIG3_COLUMNS = _SHARED | {
    name: OF_TABLES[name]
    for name in ("paper", "mean", "std", "low", "high", "chance", "n", "subjects", "folds", "seeds", "profile")
}
FIG6_COLUMNS = _SHARED | {
    "paper": "percentage points as stated in the paper; empty where its text does not say",
    "qualifier": "how the paper's text qualifies its number",
    "difference": "percentage points of accuracy above the baseline, mean over the same folds, seeds averaged first",
    "low": "points, lower end of the 95 % interval by the test",
    "high": "points, upper end of the 95 % interval by the test",
    "p": "two-sided, by the test",
    "excludes_zero": "whether the interval lies on one side of 0",
    "test": "corrected resampled t over folds (Nadeau and Bengio 2003), or paired t over subjects where there are none",
    "folds": "folds, subject-independent; 1: one run, trained on another corpus",
    "seeds": "seeds of clustering and training",
    "profile": "smoke, quick or full",
}


def ways(benchmark: str) -> list[str]:
    """How a benchmark is asked: among all its classes and, where its samples show fewer, among those."""
    return list(ASKED) if BENCHMARKS[benchmark].shown else list(ASKED)[:1]


def asked() -> list[str]:
    """The columns of both figures: every benchmark in every way it is asked, in the order of the paper."""
    return [column_title(benchmark, way) for benchmark in BENCHMARKS for way in ways(benchmark)]


def fig3_table(records: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of every rung on every benchmark at hand, and the paper's; rows with `FIG3_COLUMNS`.

    Args:
        records: what `mvlm.study.run` returns, with every method of `LADDER`.
    """
    import pandas as pd

    every = pd.concat([paper_table(item) for item in FILES], ignore_index=True)
    stated = every[every["method"] == OURS].set_index("benchmark")["accuracy"]
    rows = [
        row | {"paper": stated[row["benchmark"]], "source": "transcribed"} if row["method"] == LADDER[-1] else row
        for row in _of_paper(LADDER)
    ]
    measured = accuracy_table(records[records["method"].isin(LADDER)], every[:0])
    for row in measured[measured["protocol"].isin(list(ASKED))].to_dict("records"):
        rows.append(row | {"asked": column_title(row["benchmark"], row["protocol"])})
    whole = dict.fromkeys(("n", "subjects", "folds", "seeds"), "Int64")
    return pd.DataFrame(rows, columns=list(FIG3_COLUMNS)).astype(whole)


def fig6_table(records: pd.DataFrame) -> pd.DataFrame:
    """Gain of every rung over the baseline on every benchmark at hand, and the paper's; rows with `FIG6_COLUMNS`.

    Args:
        records: as of `fig3_table`.
    """
    import pandas as pd

    stated = paper_gains().set_index(["method", "benchmark"])
    rows = []
    for row in _of_paper(LADDER[1:]):
        place = row["method"], row["benchmark"]
        if place in stated.index:
            known = stated.loc[place]
            row |= {"paper": known["points"], "qualifier": known["qualifier"], "source": known["source"]}
        rows.append(row)
    for benchmark, of in records.groupby("benchmark", sort=False):
        base = of[of["method"] == AGAINST]
        for method in LADDER[1:]:
            runs = of[of["method"] == method]
            shared = {"benchmark": benchmark, "method": method, "title": METHODS[method].title, "source": "measured"}
            shared |= {name: runs[name].iloc[0] for name in ("data_kind", "profile", "folds")}
            shared["seeds"] = runs["seed"].nunique()
            for way in ways(benchmark):
                found = difference(runs, base, ASKED[way])
                one_sided = bool(found["low"] > 0 or found["high"] < 0)
                rows.append(shared | found | {"asked": column_title(benchmark, way), "excludes_zero": one_sided})
    return pd.DataFrame(rows, columns=list(FIG6_COLUMNS)).astype({"folds": "Int64", "seeds": "Int64"})


def _of_paper(methods: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for method in methods:
        for benchmark in BENCHMARKS:
            yield {"benchmark": benchmark, "asked": benchmark, "method": method, "title": METHODS[method].title} | {
                "source": "not stated",
                "data_kind": "paper",
            }


def draw_ablation(frame: pd.DataFrame) -> Drawing:
    """Fig. 3: bars of the rungs with 95 % intervals and chance, and below them what the paper states.

    Args:
        frame: what `mvlm.study.items.fig3_fig6.fig3_table` returns.
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
        above.errorbar(x, part["mean"], yerr=whiskers(part, "mean"), fmt="none", ecolor="0.2", capsize=2, lw=1)
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
    above.set(ylabel="accuracy, %", ylim=(0, 105), title=f"measured here (data: {kinds}), 95 % intervals")
    below.set(ylabel="accuracy, %", ylim=(0, 118), title=_STATED)
    below.set_xticks(range(len(places)), [asked_label(name) for name in places])
    for panel in (above, below):
        panel.grid(axis="x", visible=False)
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return Drawing(figure, frame, FIG3_COLUMNS)


def draw_gains(frame: pd.DataFrame) -> Drawing:
    """Fig. 6: percentage points of each rung over the baseline, and below them what the paper states.

    Args:
        frame: what `mvlm.study.items.fig3_fig6.fig6_table` returns.
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
        (above, ours, asked(), "difference", f"measured here (data: {kinds}); * the 95 % interval excludes 0"),
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
        panel.set_xticks([x + 0.5 for x in range(len(columns))], [asked_label(name) for name in columns])
        panel.set_yticks([y + 0.5 for y in range(len(rungs))], [METHODS[m].title for m in rungs], rotation=0)
        panel.tick_params(length=0)
        panel.set_title(title)
    bar = figure.colorbar(above.collections[0], ax=[above, below], shrink=0.8, pad=0.01)
    bar.set_label("points above the baseline")
    return Drawing(figure, frame, FIG6_COLUMNS)


def _gain(cell: dict | None, value: str) -> str:
    if cell is None:
        return ABSENT
    if value == "paper":
        number = cell["paper"]
        return NOT_STATED if number != number else f"{cell['qualifier']} {number:g}"
    mark = " *" if cell["excludes_zero"] else ""
    return f"{cell['difference']:+.1f}{mark}\n[{cell['low']:+.1f}, {cell['high']:+.1f}]"


def _middle(places: list[str], benchmark: str) -> float:
    found = [place for place, name in enumerate(places) if name.split(", ")[0] == benchmark]
    return sum(found) / len(found)
