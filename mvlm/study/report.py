"""Records to tables and figures that say where every number comes from.

A table is one long CSV at full precision; its pages (.md, .tex) are rendered from that CSV and nothing else, so that
rounding happens in one place. A transcribed number has a column of its own, never shared with a measured one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvlm.settings import RUNS
from mvlm.statistics import chance, summary
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.methods import METHODS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PAPER_TABLE1 = Path(__file__).parent / "paper" / "table1.csv"

# Columns of Table I's CSV, with their units.
COLUMNS = {
    "method": "recipe of this project, or the paper's name of a method",
    "title": "the method as tables show it",
    "benchmark": "corpus and subset",
    "protocol": "how accuracy is measured, or which quality of the clusters this is",
    "supervision": "where a training sample's class comes from",
    "source": "measured here, or transcribed from the paper",
    "data_kind": "twin, sample or supplied; paper for transcribed rows",
    "paper": "percent, as printed in the paper",
    "mean": "percent, mean over folds",
    "std": "percent, standard deviation over folds (n - 1)",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects",
    "high": "percent, upper end of the 95 % interval by bootstrap over subjects",
    "chance": "percent, a guess among the classes",
    "n": "samples",
    "subjects": "subjects",
    "folds": "folds, subject-independent",
    "profile": "smoke, quick or full",
}

# Columns of the transfer table's CSV, with their units.
TRANSFER_COLUMNS = {
    "benchmark": "subset of BU-3DFE",
    "model": "weights",
    "protocol": "how accuracy is measured",
    "supervision": "labels that the row used",
    "adapted_on": "scans that the row adapted to or was fitted on",
    "data_kind": "sample or supplied",
    "half": "parity of the subjects' numbers",
    "mean": "percent",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects",
    "high": "percent, upper end of the 95 % interval by bootstrap over subjects",
    "chance": "percent, a guess among the classes",
    "n": "samples",
    "subjects": "subjects",
}

# Column of the records with predictions -> protocol, in the order of the tables; then qualities of a fold's clusters.
PREDICTIONS = {"zero_shot": "zero-shot", "knn": "knn", "probe": "probe", "cluster": "cluster-accuracy"}
QUALITIES = ("nmi", "ari", "naming")
ROUNDS = {"pseudo_labels": "pseudo-labels", "change": "change"}  # lists over rounds; the last one is reported
HEADINGS = {
    "cluster-accuracy": "cluster accuracy (true names)",
    "nmi": "NMI",
    "ari": "ARI",
    "naming": "clusters named right",
    "pseudo-labels": "pseudo-labels right",
    "change": "pseudo-labels changed",
    "knn": "kNN",
    "probe": "linear probe",
}


@dataclass(frozen=True)
class Part:
    """One rendered table of an item: a title, cells as text, and what a reader must know beneath."""

    title: str
    cells: pd.DataFrame
    note: str = ""


def paper_table1() -> pd.DataFrame:
    """Return the paper's Table I as printed: one row per method and benchmark, accuracy in percent."""
    import pandas as pd

    return pd.read_csv(PAPER_TABLE1)


def table1(records: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Table I, long: the paper's rows and ours, one row per method, benchmark and protocol, with `COLUMNS`.

    Args:
        records: what `mvlm.study.run` returns, one row per benchmark, method, fold and seed.
        paper: what `paper_table1` returns.

    Raises:
        ValueError: records of one method and benchmark differ in supervision, data kind or profile.
    """
    import pandas as pd

    rows = [_transcribed(row) for row in paper.to_dict("records")]
    for (benchmark, method), runs in records.groupby(["benchmark", "method"], sort=False):
        shared = {
            "method": method,
            "title": METHODS[method].title,
            "benchmark": benchmark,
            "supervision": _one(runs, "supervision"),
            "source": "measured",
            "data_kind": _one(runs, "data_kind"),
            "profile": _one(runs, "profile"),
        }
        rows += [shared | row for row in _measured(runs, classes=len(BENCHMARKS[benchmark].emotions))]
    order = {name: place for place, name in enumerate([*paper["method"].unique(), *METHODS])}
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    place = [frame["method"].map(order), frame["benchmark"].map(list(BENCHMARKS).index), range(len(frame))]
    frame = frame.assign(_a=place[0], _b=place[1], _c=place[2]).sort_values(["_a", "_b", "_c"])
    whole = dict.fromkeys(("n", "subjects", "folds"), "Int64")
    return frame[list(COLUMNS)].reset_index(drop=True).astype(whole)


def _transcribed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": row["method"],
        "title": row["method"],
        "benchmark": row["benchmark"],
        "protocol": "as the paper",
        "supervision": row["supervision"],
        "source": row["source"],
        "data_kind": "paper",
        "paper": row["accuracy"],
    }


def _one(runs: pd.DataFrame, column: str) -> str:
    values = runs[column].unique()
    if len(values) != 1:
        where = f"{runs['benchmark'].iloc[0]}, {runs['method'].iloc[0]}"
        raise ValueError(f"records of {where}: expected one {column}, found {', '.join(map(str, values))}")
    return values[0]


def _measured(runs: pd.DataFrame, *, classes: int) -> list[dict[str, Any]]:
    """Return one row per protocol, of the runs (folds and seeds) of one method on one benchmark."""
    import numpy as np

    # Repeated seeds are repeated cross-validation: each (seed, fold) is a fold of its own to the spread.
    sizes = runs["names"].map(len)
    fold = np.repeat(np.arange(len(runs)), sizes)
    names, subjects = np.concatenate(runs["names"].to_list()), np.concatenate(runs["subjects"].to_list())
    true = np.concatenate(runs["emotions"].to_list())
    counts = {"n": len(np.unique(names)), "subjects": len(np.unique(subjects)), "folds": runs["fold"].nunique()}
    rows = []
    for column, protocol in PREDICTIONS.items():
        found = summary(np.concatenate(runs[column].to_list()) == true, fold, subjects)
        spread = {name: 100 * getattr(found, name) for name in ("mean", "std", "low", "high")}
        rows.append({"protocol": protocol, **spread, "chance": 100 * chance(classes), **counts})
    last = {name: runs[column].map(lambda rounds: rounds[-1] if rounds else None) for column, name in ROUNDS.items()}
    for quality, values in {**{name: runs[name] for name in QUALITIES}, **last}.items():
        values = values.astype(float).dropna()
        if len(values):  # a method that trains nothing has no rounds
            rows.append({"protocol": quality, "mean": 100 * values.mean(), "std": 100 * values.std(), **counts})
    return rows


def render_table1(frame: pd.DataFrame) -> list[Part]:
    """Render Table I from its CSV: accuracies beside the paper's, then clusters, their naming, kNN and probe."""
    measured = frame[frame["source"] == "measured"]
    kinds = ", ".join(measured["data_kind"].unique()) or "nothing"
    profile = ", ".join(measured["profile"].unique())
    zero_shot = measured[measured["protocol"] == "zero-shot"]
    sizes = "; ".join(
        f"{row['benchmark']} {row['n']} samples of {row['subjects']} subjects in {row['folds']} folds"
        for row in zero_shot.drop_duplicates("benchmark").to_dict("records")
    )
    guess = ", ".join(f"{value:.1f}" for value in zero_shot["chance"].unique())
    note = (
        f"Accuracy in percent. Paper: transcribed from its Table I, no spread given, on the licensed corpora. "
        f"Measured: on the data kind {kinds}, profile {profile}, zero-shot prompts on the mean view; mean ± standard "
        f"deviation over subject-independent folds [95 % interval, bootstrap over subjects]. Chance {guess}. {sizes}."
    )
    accuracy = Part("Table I: accuracy", _accuracy(frame, kinds), note)
    return [accuracy, Part("Table I, continued: clusters, their names, and probes", _qualities(measured), _QUALITIES)]


_QUALITIES = (
    "Percent, mean ± standard deviation over folds. Cluster accuracy, NMI and ARI: k-means fitted on training "
    "subjects, applied to test subjects; the names of the clusters for the accuracy come from the labels of training "
    "subjects. Clusters named right: how many of the clusters got from the prompts the name that those labels give. "
    "Pseudo-labels: of the training views in the last round, how many are right (nothing reads this), and how many "
    "changed since the round before. kNN and linear probe are fitted on labelled training subjects; they measure the "
    "representation, not the method."
)


def _accuracy(frame: pd.DataFrame, kinds: str) -> pd.DataFrame:
    import pandas as pd

    shown = frame[(frame["source"] == "transcribed") | (frame["protocol"] == "zero-shot")]
    rows = []
    for (_, source), group in shown.groupby(["method", "source"], sort=False):
        by_benchmark = {row["benchmark"]: row for row in group.to_dict("records")}
        first = group.iloc[0]
        row = {"Method": first["title"], "Supervision": first["supervision"], "Source": source}
        for benchmark in BENCHMARKS:
            cell = by_benchmark.get(benchmark, {})
            row[f"{benchmark}, paper"] = f"{cell['paper']:.2f}" if cell and source == "transcribed" else "–"
        for benchmark in BENCHMARKS:
            text = "–" if source == "transcribed" else "absent"
            if benchmark in by_benchmark and source == "measured":
                cell = by_benchmark[benchmark]
                text = f"{_spread(cell)} [{cell['low']:.1f}, {cell['high']:.1f}]"
            row[f"{benchmark}, measured on {kinds}"] = text
        rows.append(row)
    return pd.DataFrame(rows)


def _qualities(measured: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for benchmark in BENCHMARKS:
        for _, group in measured[measured["benchmark"] == benchmark].groupby("method", sort=False):
            cells = {row["protocol"]: _spread(row) for row in group.to_dict("records")}
            row = {"Benchmark": benchmark, "Method": group["title"].iloc[0], "Data": group["data_kind"].iloc[0]}
            rows.append(row | {heading: cells.get(protocol, "–") for protocol, heading in HEADINGS.items()})
    return pd.DataFrame(rows)


def _spread(row: Mapping[str, Any]) -> str:
    std = row["std"]
    return f"{row['mean']:.1f}" + ("" if math.isnan(std) else f" ± {std:.1f}")  # one fold has no spread


def transfer_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of `mvlm.study.transfer.transfer` in percent, with `TRANSFER_COLUMNS`."""
    percent = {name: 100 * rows[name] for name in ("mean", "low", "high", "chance")}
    return rows.assign(**percent)[list(TRANSFER_COLUMNS)]


def render_transfer(frame: pd.DataFrame) -> list[Part]:
    """Render the transfer table from its CSV: models and protocols down, benchmarks across."""
    import pandas as pd

    cells = []
    for keys, group in frame.groupby(["model", "protocol", "supervision"], sort=False):
        row = dict(zip(("Model", "Protocol", "Supervision"), keys, strict=True))
        found = {r["benchmark"]: f"{r['mean']:.1f} [{r['low']:.1f}, {r['high']:.1f}]" for r in group.to_dict("records")}
        cells.append(row | {benchmark: found.get(benchmark, "–") for benchmark in frame["benchmark"].unique()})
    first = frame.iloc[0]
    sizes = "; ".join(
        f"{row['benchmark']} {row['n']} scans of {row['subjects']} subjects"
        for row in frame.drop_duplicates("benchmark").to_dict("records")
    )
    note = (
        f"Accuracy in percent [95 % interval, bootstrap over subjects] on the {first['half']} half of the subjects, "
        f"data kind {first['data_kind']}. Chance {first['chance']:.1f}. {sizes}."
    )
    return [Part("Transfer to faces of another origin", pd.DataFrame(cells), note)]


def write_table(
    stage: str | Path | None,
    item: str,
    frame: pd.DataFrame,
    *,
    sidecar: Mapping[str, Any],
    render: Callable[[pd.DataFrame], Sequence[Part]],
) -> list[Path]:
    """Write `tables/<item>.csv`, `.md`, `.tex` and `.json` under a folder; return the four paths.

    Args:
        stage: the notebook's `STAGE`; None, a notebook opened by hand, writes below `runs/lab`.
        item: the paper's item or ours, such as "table1".
        frame: rows in their final order, at full precision.
        sidecar: what is stable about the numbers: seeds, folds, supervision, and `columns` with units, each described.
        render: makes the pages' parts of the frame as read back from the CSV.

    Raises:
        ValueError: the frame is empty, or `columns` does not describe exactly its columns.
    """
    import pandas as pd

    folder = _folder(stage, "tables")
    _write_csv(folder / f"{item}.csv", item, frame, sidecar)
    exact = {"keep_default_na": False, "na_values": [""]}  # "None" is a text
    read = pd.read_csv(folder / f"{item}.csv", dtype=_whole(frame), **exact)
    parts = render(read)
    _write(folder / f"{item}.md", "\n".join(_markdown(part) for part in parts))
    _write(folder / f"{item}.tex", "\n".join(_latex(part, item) for part in parts))
    _write_sidecar(folder / f"{item}.json", item, sidecar)
    return [folder / f"{item}.{suffix}" for suffix in ("csv", "md", "tex", "json")]


def write_figure(
    stage: str | Path | None, item: str, figure: Figure, frame: pd.DataFrame, *, sidecar: Mapping[str, Any]
) -> list[Path]:
    """Write `figures/<item>.png` (200 dpi), `.pdf`, `.csv` (the numbers drawn) and `.json`; return the four paths.

    The files hold no date and no program version: an unchanged figure is an unchanged file. Arguments and errors as in
    `write_table`.
    """
    folder = _folder(stage, "figures")
    _write_csv(folder / f"{item}.csv", item, frame, sidecar)
    figure.savefig(folder / f"{item}.png", dpi=200, metadata={"Software": None})
    anonymous = dict.fromkeys(("Creator", "Producer", "CreationDate"))
    figure.savefig(folder / f"{item}.pdf", metadata=anonymous)
    _write_sidecar(folder / f"{item}.json", item, sidecar)
    return [folder / f"{item}.{suffix}" for suffix in ("png", "pdf", "csv", "json")]


def _folder(stage: str | Path | None, kind: str) -> Path:
    folder = (RUNS / "lab" if stage is None else Path(stage)) / kind
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_csv(path: Path, item: str, frame: pd.DataFrame, sidecar: Mapping[str, Any]) -> None:
    if frame.empty:
        raise ValueError(f"{item}: no rows to write")
    described = list(sidecar.get("columns", ()))
    if described != list(frame.columns):
        raise ValueError(f"{item}: the sidecar describes the columns {described}, the rows have {list(frame.columns)}")
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _whole(frame: pd.DataFrame) -> dict[str, str]:
    return {name: "Int64" for name, kind in frame.dtypes.items() if str(kind) == "Int64"}


def _write_sidecar(path: Path, item: str, sidecar: Mapping[str, Any]) -> None:
    text = json.dumps({"item": item, **sidecar}, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    _write(path, text + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _markdown(part: Part) -> str:
    head = list(part.cells.columns)
    lines = [head, ["---"] * len(head), *part.cells.to_numpy().tolist()]
    table = "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    return f"**{part.title}**\n\n{table}\n\n{part.note}\n"


_LATEX = {**{sign: f"\\{sign}" for sign in "&%$#_{}"}, "±": "$\\pm$", "–": "--", "~": "\\textasciitilde{}"}


def _latex(part: Part, item: str) -> str:
    def line(cells: Sequence[object]) -> str:
        return " & ".join("".join(_LATEX.get(sign, sign) for sign in str(cell)) for cell in cells)

    head = part.cells.columns
    rows = " \\\\\n".join(line(cells) for cells in part.cells.to_numpy().tolist())
    return (
        f"% {item}: generated from {item}.csv; needs booktabs\n"
        f"\\begin{{table}}\n\\caption{{{line([part.title])}. {line([part.note])}}}\n"
        f"\\begin{{tabular}}{{{'l' * len(head)}}}\n\\toprule\n{line(head)} \\\\\n\\midrule\n"
        f"{rows} \\\\\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
    )
