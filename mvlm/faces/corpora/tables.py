"""Tables beside a corpus, as programs of tables write them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from mvlm.faces.formats.files import read_text

EMPTY = ("", "nan", "na", "n/a", "none", "null")  # in small letters: a cell that has nothing in it


def read_table(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file that have something in them: the number of their (last) line, and the cells.

    Cells come without blanks around them, and without empty ones at the end beyond as many as the first row has. Where
    that has no commas, semicolons or tabs separate them. Rows that begin with # are remarks.
    Raises ValueError naming the file, the place and what was expected.
    """
    try:
        text = read_text(path).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, byte {error.start}: expected UTF-8, found {error.object[error.start]:#x}") from None
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    separator = next((mark for mark in ",;\t" if mark in first), ",")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    found: list[tuple[int, list[str]]] = []
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            while len(cells) > (len(found[0][1]) if found else 0) and not cells[-1]:
                cells.pop()
            found.append((rows.line_num, cells))
    except csv.Error as error:
        raise ValueError(f"{path}, line {rows.line_num}: expected a row of a CSV file, found {error}") from None
    return found
