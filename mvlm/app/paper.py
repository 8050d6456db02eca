"""The tables and figures of a checkout, as the page shows them, and of each number where it comes from."""

from __future__ import annotations

import json
import re
from math import ceil
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
LICENSED = "Printed in the paper, of the licensed corpora"
MEASURED = "Measured here on {}"
TWIN = "Measured here on synthetic twins: it says nothing about the licensed corpora."
WHOLE = "Not the paper's; of the whole file its sidecar says: {}."
# What was measured on, by the data kind.
KINDS = {
    "twin": "synthetic twins",
    "sample": "sample corpora, which no real person is in",
    "supplied": "scans that were supplied",
}
# Of a CSV as it is: what is shown first, and what only behind the numbers.
AHEAD = ("claim", "verdict", "quote", "recomputed")
BEHIND = ("source", "section", "check", "basis", "supervision", "knows", "chance", "n", "subjects", "folds",
          "partitions", "seeds", "profile")  # fmt: skip
CAPITAL, DIGIT, LETTER, ASIDE = 8.2, 7.0, 6.0, 16  # pixels of a character of a grid, and of what is beside a word
WIDE = 750  # pixels of a grid in a window of 1280
WIDEST, LINES = 310, 3  # pixels of a column, whose longer texts are wrapped; lines of a row at most
LINE, ROW, HEAD, HIGHEST = 20, 36, 38, 900  # pixels of a line more, of a row of one line, of the header, of a grid


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


class Size(NamedTuple):
    """How large a grid is laid out, in pixels.

    Attributes:
        widths: of each column.
        row: height of a row.
        height: of the grid, which cuts no row.
        more: in words, how to see what is not in sight; None where all is.
    """

    widths: dict[str, int]
    row: int
    height: int
    more: str | None


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
    told = [text.strip() for text in paragraphs if not text.lstrip().startswith(("**", "|"))]
    return [re.sub(rf"(the )?data kind ({'|'.join(KINDS)})\b", lambda of: measured_on(of[2]), text) for text in told]


def beneath(said: dict[str, Any]) -> str:
    """What a reader must know of a figure, whose picture names the data kind alone."""
    return f"What was measured here was measured on {measured_on(said['data_kind'])} (data: {said['data_kind']})."


def measured_on(kind: str) -> str:
    """A data kind, or several, in words."""
    return " or ".join(KINDS.get(one, one) for one in kind.split(" or "))


def protocols(rows: pd.DataFrame) -> list[str]:
    """How the accuracies of one of `TABLES` were measured here: zero-shot, which stands beside the paper's, first."""
    return list(rows.loc[rows["source"] == "measured", "protocol"].unique())


def tables(rows: pd.DataFrame, protocol: str) -> dict[str, Sheet]:
    """One of `TABLES` for one of its `protocols`: whose -> methods down, benchmarks across; the paper's first."""
    measured = rows["source"] == "measured"
    shown = rows[~measured | (rows["protocol"] == protocol)]
    kinds = sorted(shown["data_kind"].unique(), key=lambda kind: kind != "paper")
    return {_whose_all(kind): _table(shown[shown["data_kind"] == kind]) for kind in kinds}


def _whose_all(kind: str) -> str:
    return LICENSED if kind == "paper" else MEASURED.format(measured_on(kind))


def _table(rows: pd.DataFrame) -> Sheet:
    import pandas as pd

    columns = rows["benchmark"].unique()
    lines: dict[str, int] = {}
    cells, places = [], {}
    for place, row in zip(rows.index, rows.to_dict("records"), strict=True):
        ours = row["source"] == "measured"
        line = lines.setdefault(row["method"], len(lines))
        if line == len(cells):
            told = {"Supervision": row["supervision"]} | ({"Knows": row["knows"]} if ours else {})
            cells.append({"Method": row["title"], **dict.fromkeys(columns, NONE), **told})
        cells[line][row["benchmark"]] = _said(row)
        places[line, row["benchmark"]] = place, "mean" if ours else "paper"
    return Sheet(pd.DataFrame(cells), places)


def _said(row: dict[str, Any]) -> str:
    if row["source"] == "measured":
        return f"{row['mean']:.1f}" + ("" if row["std"] != row["std"] else f" ± {row['std']:.1f}")
    return "n. s." if row["source"] == "not stated" else f"{row['paper']:.2f}"


def sheet(rows: pd.DataFrame) -> Sheet:
    """A CSV with what it tells in front, and rows without a number last; columns with holes as texts, a hole a dash."""
    holes = {name: of.map(lambda value: NONE if value != value else _text(value))
             for name, of in rows.items() if of.isna().any()}  # fmt: skip
    behind = {*BEHIND, *(("method",) if "title" in rows else ())}  # which is its title, in a shorter word
    ahead = {name: place for place, name in enumerate(AHEAD)}
    columns = sorted(rows.columns, key=lambda name: (ahead.get(name, len(AHEAD)), name in behind))
    order = list(range(len(rows)))
    if "source" in rows:
        order.sort(key=lambda row: rows["source"].iloc[row] == "not stated")
    places = {(line, column): (row, column) for line, row in enumerate(order) for column in columns}
    return Sheet(rows.assign(**holes).iloc[order][columns].reset_index(drop=True), places)


def size(cells: pd.DataFrame) -> Size:
    """How large the grid of a sheet's `cells` is: words whole, long texts wrapped."""
    full = {name: ASIDE + ceil(max(map(_across, [name, *map(_shown, of)]))) for name, of in cells.items()}
    widths = {name: min(WIDEST, width) for name, width in full.items()}
    lines = ceil(max(full.values()) / WIDEST)
    row = ROW + LINE * (min(LINES, lines) - 1)
    fitting = min(len(cells), (HIGHEST - HEAD) // row)
    scrolls = fitting < len(cells) or sum(widths.values()) > WIDE
    more = [f"{len(cells)} rows, {len(widths)} columns: the grid scrolls."] if scrolls else []
    more += ["A cell that is cut is shown whole when it is chosen."] if lines > LINES else []
    return Size(widths, row, HEAD + row * fitting, " ".join(more) or None)


def _across(text: str) -> float:
    return sum(CAPITAL if of.isupper() else DIGIT if of.isdigit() else LETTER for of in text)


def _shown(value: object) -> str:
    return f"{value:.4f}".rstrip("0") if isinstance(value, float) else str(value)


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
        return WHOLE.format(measured_on(said["data_kind"]))
    return TWIN if record["data_kind"] == "twin" else f"{MEASURED.format(measured_on(record['data_kind']))}."


def alternative(item: Item, rows: pd.DataFrame, said: dict[str, Any]) -> str:
    """What a figure shows, in words for who cannot see it: the numbers stand in the table beside it."""
    columns = "; ".join(f"{name}, {meaning}" for name, meaning in said["columns"].items())
    return f"{item.title}, of “{item.about}”, drawn from the {len(rows)} rows beside it, which give {columns}"
