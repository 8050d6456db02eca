"""Records to tables and figures that say where every number comes from.

A table is one long CSV at full precision; its pages (.md, .tex) are rendered from that CSV and nothing else, so that
rounding happens in one place. A transcribed number has a column of its own, never shared with a measured one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvlm.cache.files import write_text
from mvlm.settings import RUNS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Kind of an item, which is also the folder of its files -> their suffixes.
FILES = {"tables": ("csv", "md", "tex", "json"), "figures": ("png", "pdf", "csv", "json")}
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


@dataclass(frozen=True)
class Part:
    """One rendered table of an item: a title, cells as text, and what a reader must know beneath."""

    title: str
    cells: pd.DataFrame
    note: str = ""


def transfer_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of `mvlm.study.items.transfer.transfer` in percent, with `TRANSFER_COLUMNS`."""
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
    write_text(folder / f"{item}.md", "\n".join(_markdown(part) for part in parts))
    write_text(folder / f"{item}.tex", "\n".join(_latex(part, item) for part in parts))
    _write_sidecar(folder / f"{item}.json", item, sidecar)
    return [folder / f"{item}.{suffix}" for suffix in FILES["tables"]]


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
    return [folder / f"{item}.{suffix}" for suffix in FILES["figures"]]


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
    write_text(path, text + "\n")


def _markdown(part: Part) -> str:
    head = list(part.cells.columns)
    lines = [head, ["---"] * len(head), *part.cells.to_numpy().tolist()]
    table = "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    return f"**{part.title}**\n\n{table}\n\n{part.note}\n"


_LATEX = {**{sign: f"\\{sign}" for sign in "&%$#_{}"}, "±": "$\\pm$", "–": "--", "~": "\\textasciitilde{}"}


def _latex(part: Part, item: str) -> str:
    def plain(text: object) -> str:
        return "".join(_LATEX.get(sign, sign) for sign in str(text))

    style = part.cells.style.hide().format(plain).format_index(plain, axis=1)
    caption, layout = f"{plain(part.title)}. {plain(part.note)}", "l" * len(part.cells.columns)
    table = style.to_latex(hrules=True, caption=caption, column_format=layout)
    return f"% {item}: generated from {item}.csv; needs booktabs\n{table}"
