"""The tables and figures of a checkout, as the page shows them, and of each number where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mvlm.publish.declared import declared, read
from mvlm.settings import ROOT
from mvlm.study.benchmarks import TABLES

if TYPE_CHECKING:
    import pandas as pd

OUTSIDE = (
    "The tables and figures lie in a checkout of the project, and this page was started from an installation without "
    "one: clone it, and type `make app` there."
)
NONE = "–"
# Columns that hold what the paper says, whatever stands beside them.
OF_THE_PAPER = ("paper", "paper_seconds", "paper_speedup", "quote", "stated")
PRINTED = "The paper's: as it is printed there, nothing that was measured here."
UNSAID = "The paper's text does not state this number."
TWIN = "Measured here on synthetic twins: it says nothing about the licensed corpora."
MEASURED = "Measured here, on the data kind {}."
WHOLE = "Not the paper's; of the whole file its sidecar says: data kind {}."


class Item(NamedTuple):
    """A table or a figure.

    Attributes:
        kind: "tables" or "figures", which is also its folder.
        name: of its files: "table1".
        title: "Table I", "Fig. 3", or its name where it is not the paper's.
        about: what its notebook is about.
        notebook: its name: "10-table1".
        command: what makes it again: "make tables".
    """

    kind: str
    name: str
    title: str
    about: str
    notebook: str
    command: str

    @property
    def in_the_paper(self) -> bool:
        """Whether the paper has it; else it is this project's own."""
        return self.title != self.name


class Sheet(NamedTuple):
    """Numbers as they are shown: `cells`, and (row, column) of each number in them -> (row, column) in the CSV."""

    cells: pd.DataFrame
    places: dict[tuple[int, str], tuple[int, str]]


class Origin(NamedTuple):
    """Where a number comes from.

    Attributes:
        value: as the CSV has it.
        whose: in a sentence: the paper's, a twin's.
        facts: name -> (value, meaning) of all that stands in its row.
        row: file and line, below the checkout: "results/tables/table1.csv, line 2".
    """

    value: str
    whose: str
    facts: dict[str, tuple[str, str]]
    row: str


def lacking(root: Path = ROOT) -> str | None:
    """Why there is nothing to show, in a sentence; None in a checkout."""
    there = all((root / folder).is_dir() for folder in ("results/tables", "results/figures", "notebooks"))
    return None if there else OUTSIDE


def items(root: Path = ROOT) -> list[Item]:
    """The paper's tables and figures in their order, then the project's own; those whose files are there."""
    found = []
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        notebook = read(path)
        heading = next(line for line in _lines(notebook) if line.startswith("# "))
        about = heading.removeprefix("# ").partition(" · ")[2]
        said = declared(notebook)
        for kind, names in said.get("items", {}).items():
            for name in names:
                item = Item(kind, name, _title(name), about, path.stem, f"make {said['targets'][0]}")
                if all((root / "results" / kind / f"{name}.{suffix}").is_file() for suffix in ("csv", "json")):
                    found.append(item)
    return sorted(found, key=lambda of: (not of.in_the_paper, of.kind != "tables", of.in_the_paper and of.name))


def _lines(notebook: dict[str, Any]) -> list[str]:
    texts = ("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    return [line for text in texts for line in text.splitlines()]


def _title(name: str) -> str:
    if name in TABLES:
        return TABLES[name].title
    number = name.removeprefix("fig")
    return f"Fig. {number}" if number.isdecimal() and name != number else name


def file(item: Item, suffix: str, root: Path = ROOT) -> Path:
    """One of the item's files: "csv", "json", "md", "png"."""
    return root / "results" / item.kind / f"{item.name}.{suffix}"


def frame(item: Item, root: Path = ROOT) -> pd.DataFrame:
    """The item's CSV; "None" is a text in it."""
    import pandas as pd

    return pd.read_csv(file(item, "csv", root), keep_default_na=False, na_values=[""])


def sidecar(item: Item, root: Path = ROOT) -> dict[str, Any]:
    """What its JSON says of the item."""
    return json.loads(file(item, "json", root).read_text(encoding="utf-8"))


def notes(item: Item, root: Path = ROOT) -> list[str]:
    """What a reader must know beneath a table, as its page says it; of a figure nothing."""
    page = file(item, "md", root)
    paragraphs = page.read_text(encoding="utf-8").split("\n\n") if page.is_file() else []
    return [text.strip() for text in paragraphs if not text.lstrip().startswith(("**", "|"))]


def protocols(rows: pd.DataFrame) -> list[str]:
    """How the accuracies of one of `TABLES` were measured here: zero-shot, which stands beside the paper's, first."""
    return list(rows.loc[rows["source"] == "measured", "protocol"].unique())


def table(rows: pd.DataFrame, protocol: str) -> Sheet:
    """One of `TABLES` for one of its `protocols`: methods down, benchmarks across, the paper's and ours apart."""
    import pandas as pd

    measured = rows["source"] == "measured"
    shown = rows[~measured | (rows["protocol"] == protocol)]
    heads = [_head(row) for row in shown.to_dict("records")]
    columns = list(dict.fromkeys(sorted(heads, key=lambda head: not head.endswith(", paper"))))
    lines: dict[tuple[str, bool], int] = {}
    cells, places = [], {}
    for place, row, head in zip(shown.index, shown.to_dict("records"), heads, strict=True):
        ours = row["source"] == "measured"
        line = lines.setdefault((row["method"], ours), len(lines))
        if line == len(cells):
            told = {"Supervision": row["supervision"], "Knows": row["knows"] if ours else NONE}
            cells.append({"Method": row["title"], **dict.fromkeys(columns, NONE), **told})
        cells[line][head] = _said(row)
        places[line, head] = place, "mean" if ours else "paper"
    return Sheet(pd.DataFrame(cells), places)


def _head(row: dict[str, Any]) -> str:
    return f"{row['benchmark']}, {row['data_kind']}"


def _said(row: dict[str, Any]) -> str:
    if row["source"] == "measured":
        return f"{row['mean']:.1f}" + ("" if row["std"] != row["std"] else f" ± {row['std']:.1f}")
    return "n. s." if row["source"] == "not stated" else f"{row['paper']:.2f}"


def sheet(rows: pd.DataFrame) -> Sheet:
    """A CSV as it is; columns with holes as texts, so that a hole is a dash."""
    holes = {name: of.map(lambda value: NONE if value != value else _text(value))
             for name, of in rows.items() if of.isna().any()}  # fmt: skip
    places = {(row, column): (row, column) for row in range(len(rows)) for column in rows.columns}
    return Sheet(rows.assign(**holes), places)


def origin(item: Item, rows: pd.DataFrame, said: dict[str, Any], place: tuple[int, str], root: Path = ROOT) -> Origin:
    """Where the number at (row, column) of an item's CSV comes from; `said` is its sidecar."""
    row, column = place
    record = rows.iloc[row].dropna().to_dict()
    facts = {name: (_text(value), said["columns"][name]) for name, value in record.items()}
    path = file(item, "csv", root).relative_to(root).as_posix()
    value = facts[column][0] if column in facts else NONE
    return Origin(value, _whose(record, column, said), facts, f"{path}, line {row + 2}")


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.6g}"
    return str(value)


def _whose(record: dict[str, Any], column: str, said: dict[str, Any]) -> str:
    if record.get("source") == "not stated":
        return UNSAID
    if column in OF_THE_PAPER or record.get("source") == "transcribed":
        return PRINTED
    if "data_kind" not in record:
        return WHOLE.format(said["data_kind"])
    return TWIN if record["data_kind"] == "twin" else MEASURED.format(record["data_kind"])


def alternative(item: Item, rows: pd.DataFrame, said: dict[str, Any]) -> str:
    """What a figure shows, in words for who cannot see it: the numbers stand in the table beside it."""
    columns = "; ".join(f"{name}, {meaning}" for name, meaning in said["columns"].items())
    return f"{item.title}, of “{item.about}”, drawn from the {len(rows)} rows beside it, which give {columns}"
