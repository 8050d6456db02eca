"""The table and the figures of micro-expressions, from the records of `mvlm.study.items.micro`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mvlm.measures.unweighted import MEASURES, confusions, spreads
from mvlm.report.results import Part
from mvlm.study.benchmarks import MICRO_EXPRESSIONS
from mvlm.study.items.micro import ASKED, COMMONEST, EXTRA, PROBE, WAYS
from mvlm.study.items.table_figures import Drawing
from mvlm.study.methods import METHODS

if TYPE_CHECKING:
    import pandas as pd

HEADINGS = {"accuracy": "Accuracy", "uf1": "UF1", "uar": "UAR"}
UNSEEN = "nothing"  # what the commonest category is said of: once, not for every way
TITLES = {**{name: METHODS[name].title for name in ASKED}, **EXTRA}
SUPERVISION = {**{name: METHODS[name].supervision for name in ASKED}, PROBE: "labels", COMMONEST: "labels"}
# Columns of the CSV, with their units.
COLUMNS = {
    "benchmark": "corpus and number of categories",
    "way": "what of a clip is encoded",
    "encoded": "the way as the table shows it",
    "method": "recipe",
    "title": "the method as the table shows it",
    "supervision": "where a training clip's category comes from",
    "knows": "what is told beside images: nothing, subjects, apex (its frame in every clip)",
    "data_kind": "twin, sample or supplied",
    **{
        f"{measure}{end}": f"percent, {HEADINGS[measure]} of all predictions pooled{said}"
        for measure in MEASURES
        for end, said in {
            "": "",
            "_low": "; lower end of the 95 % interval by bootstrap over subjects",
            "_high": "; upper end of that interval",
            "_guess": "; of a guess, each category equally often",
        }.items()
    },
    "shown": "clips of each category",
    "n": "clips",
    "subjects": "subjects, each left out in turn",
    "profile": "smoke or quick",
}
CONFUSED = ("baseline", "subject-centred", PROBE)  # whose confusions are drawn
CONFUSED_ON = ("clip", "apex-windows")
CONFUSIONS = {
    "benchmark": COLUMNS["benchmark"],
    "way": COLUMNS["way"],
    "method": COLUMNS["method"],
    "data_kind": COLUMNS["data_kind"],
    "true": "category shown",
    "predicted": "category said",
    "clips": "clips of the one that are taken for the other",
    "percent": "of the clips of the category shown",
}


def micro_table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per benchmark, way and method, with `COLUMNS`.

    Args:
        records: what `mvlm.study.items.micro.micro_expressions` returns.
    """
    import pandas as pd

    rows = []
    for record in records:
        emotions, way = MICRO_EXPRESSIONS[record["benchmark"]].emotions, record["way"]
        shown = {emotion: record["emotions"].count(emotion) for emotion in emotions}
        for method in record["said"]:
            if (blind := method == COMMONEST) and way != next(iter(WAYS)):
                continue
            knows = [METHODS[method].knows if method in METHODS else "", "" if blind else WAYS[way].knows]
            row = {"benchmark": record["benchmark"], "way": way, "encoded": UNSEEN if blind else WAYS[way].title}
            row |= {"method": method, "title": TITLES[method], "supervision": SUPERVISION[method]}
            row |= {"knows": ", ".join(filter(None, knows)) or "nothing", "data_kind": record["data_kind"]}
            for measure, spread in spreads(_confusions(record, method)).items():
                row |= {measure: 100 * spread.value, f"{measure}_low": 100 * spread.low}
                row |= {f"{measure}_high": 100 * spread.high, f"{measure}_guess": 100 * spread.guess}
            row["shown"] = ", ".join(f"{emotion} {count}" for emotion, count in shown.items())
            rows.append(row | {"n": len(record["names"]), "subjects": len(set(record["subjects"]))}
                        | {"profile": record["profile"]})  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _confusions(record: Mapping[str, Any], method: str) -> np.ndarray:
    known = MICRO_EXPRESSIONS[record["benchmark"]]
    true, said = known.labels(record["emotions"]), known.labels(record["said"][method])
    return confusions(true, said, record["subjects"], len(known.emotions))


def render_micro(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV, a part for each benchmark."""
    import pandas as pd

    parts = []
    for benchmark, of in frame.groupby("benchmark", sort=False):
        rows = []
        for row in of.to_dict("records"):
            cells = {"Encoded": row["encoded"], "Method": row["title"], "Supervision": row["supervision"]}
            cells["Knows"] = row["knows"]
            rows.append(cells | {heading: _spread(row, measure) for measure, heading in HEADINGS.items()})
        first = of.iloc[0]
        sizes = of.drop_duplicates(["n", "shown"])
        counts = "; ".join(f"{row['n']} clips of {row['subjects']} subjects ({row['shown']})"
                           for row in sizes.to_dict("records"))  # fmt: skip
        guesses = ", ".join(f"{heading} {first[f'{measure}_guess']:.1f}" for measure, heading in HEADINGS.items())
        note = (
            "Percent, of the predictions of all clips, each subject left out in turn [95 % interval, bootstrap over "
            "subjects]. UF1: mean over the categories of the F1 of the pooled predictions; UAR: mean of their recalls. "
            f"A guess, each category equally often: {guesses}. Zero-shot prompts on the mean view; relabelled: the "
            "discriminant of the labels so made; supervised by labels: those of training subjects. Knows apex: its "
            "annotated frame, in test clips too. "
            f"Data kind {first['data_kind']}, profile {first['profile']}. {counts}."
        )
        parts.append(Part(f"Micro-expressions: {benchmark}", pd.DataFrame(rows), note))
    return parts


def _spread(row: Mapping[str, Any], measure: str) -> str:
    return f"{row[measure]:.1f} [{row[f'{measure}_low']:.1f}, {row[f'{measure}_high']:.1f}]"


def draw_micro(frame: pd.DataFrame) -> Drawing:
    """UF1 and UAR of every row with their 95 % intervals, a panel for each benchmark and measure; dashed: a guess.

    Args:
        frame: what `micro_table` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    benchmarks, titles = list(frame["benchmark"].unique()), list(frame["title"].unique())
    figure = Figure(figsize=(2.1 * 2 * len(benchmarks) + 1.9, 0.62 * len(titles) + 1.4), layout="constrained")
    panels = figure.subplots(1, 2 * len(benchmarks), sharex=True, sharey=True)
    asked = [(benchmark, measure) for benchmark in benchmarks for measure in ("uf1", "uar")]
    for panel, (benchmark, measure) in zip(panels, asked, strict=True):
        part = frame[frame["benchmark"] == benchmark]
        ways = list(part.groupby("encoded", sort=False))
        for place, (way, of) in enumerate(ways):
            shift = 0.6 * (place - (len(ways) - 1) / 2) / max(len(ways) - 1, 1)
            spread = [of[measure] - of[f"{measure}_low"], of[f"{measure}_high"] - of[measure]]
            heights = [titles.index(title) + shift for title in of["title"]]
            panel.errorbar(of[measure], heights, xerr=spread, fmt="osxD^"[place], ms=3, capsize=2, lw=1, label=way)
        panel.axvline(part[f"{measure}_guess"].iloc[0], ls="--", color="0.4", lw=1)
        panel.set_yticks(range(len(titles)), titles)
        title = f"{benchmark} ({part['data_kind'].iloc[0]})"
        panel.set(title=title, xlabel=f"{HEADINGS[measure]}, %", xlim=(0, 100), ylim=(len(titles) - 0.5, -0.5))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return Drawing(figure, frame, COLUMNS)


def draw_confusions(records: Sequence[Mapping[str, Any]]) -> Drawing:
    """Of the clips of each category (rows) the percentage taken for each (columns), of `CONFUSED` on `CONFUSED_ON`.

    Args:
        records: as of `micro_table`.
    """
    import pandas as pd
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    shown = [record for record in records if record["way"] in CONFUSED_ON]
    figure = Figure(figsize=(2.9 * len(CONFUSED) + 0.6, 2.6 * len(shown) + 0.3), layout="constrained")
    grid = figure.subplots(len(shown), len(CONFUSED), squeeze=False)
    rows = []
    for line, record in zip(grid, shown, strict=True):
        emotions = MICRO_EXPRESSIONS[record["benchmark"]].emotions
        head = {name: record[name] for name in ("benchmark", "way", "data_kind")}
        for panel, method in zip(line, CONFUSED, strict=True):
            counted = _confusions(record, method).sum(0)
            percent = 100 * counted / np.maximum(counted.sum(1, keepdims=True), 1)
            rows += [
                head | {"method": method, "true": true, "predicted": said, "clips": counted[i, j]}
                | {"percent": percent[i, j]}
                for i, true in enumerate(emotions) for j, said in enumerate(emotions)
            ]  # fmt: skip
            sns.heatmap(percent, annot=True, fmt=".0f", ax=panel, cbar=False, cmap="Blues", vmin=0, vmax=100,
                        square=True, xticklabels=emotions, yticklabels=emotions)  # fmt: skip
            panel.set_title(f"{TITLES[method]}\n{record['benchmark']} ({record['data_kind']}), {record['way']}")
            panel.tick_params(axis="x", rotation=35)
            panel.tick_params(axis="y", rotation=0)
    figure.supxlabel("said", fontsize=8)
    figure.supylabel("shown; rows in percent", fontsize=8)
    return Drawing(figure, pd.DataFrame(rows, columns=list(CONFUSIONS)), CONFUSIONS)
