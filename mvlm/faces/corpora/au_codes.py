"""Action-unit codes of BP4D: what human coders saw, frame by frame.

AUCoding/AU_OCC/F001_T1.csv: a header row; then rows of a frame number and 0 or 1 per action unit, 9 or nothing for not
coded. The header 0,1,2,... of BP4D names each column's action unit; a header of words has the 34 columns of BP4D+ in
the order `BP4D_PLUS`. Frames count from 1 over the coded span alone, which often starts late, and whether frame f of
the codes is picture f or f - 1 differs between copies: `mvlm.faces.check` looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvlm.faces.corpora.layouts import plain
from mvlm.faces.corpora.tables import EMPTY, read_table

NOT_CODED = 9  # in a file
MISSING = -1  # in what the readers return
BP4D_PLUS = (1, 2, 4, 5, 6, 7, *range(9, 21), 22, 23, 24, *range(27, 40))


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of one sequence.

    frames  (F,) int64, as in the file, ascending
    units   numbers of the action units
    values  (F, U) int8: 0 or 1; MISSING where not coded
    """

    frames: np.ndarray
    units: tuple[int, ...]
    values: np.ndarray

    @property
    def coded(self) -> np.ndarray:
        """(F,) bool: frames of which at least one action unit is coded."""
        return (self.values != MISSING).any(axis=1)

    def of(self, unit: int) -> np.ndarray:
        """(F,) int8, the codes of one action unit. Raises ValueError if the file has none of it."""
        if unit not in self.units:
            raise ValueError(f"action unit {unit}: expected one of {', '.join(map(str, self.units))}")
        return self.values[:, self.units.index(unit)]


def read_occurrence(path: Path) -> Codes:
    """Reads an AU_OCC file. Raises ValueError naming the file, the line and what was expected."""
    path = Path(path)
    rows = read_table(path)
    if not rows:
        raise ValueError(f"{path}: expected a header and a row for each frame, found an empty file")
    units = _header(path, rows[0][1])
    return _codes(path, rows[1:], units)


def code_files(folder: Path) -> dict[str, Path]:
    """Sequence ("F001_T1") -> AU_OCC file.

    folder: that of the corpus' subjects; AUCoding is looked for in it and beside it. {} if there is none.
    """
    found: dict[str, Path] = {}
    for place in (folder, folder.parent):
        tops = [entry for entry in sorted(place.iterdir()) if plain(entry.name) == "aucoding" and entry.is_dir()]
        for coding in [entry for top in tops for entry in sorted(top.iterdir()) if plain(entry.name) == "auocc"]:
            for path in sorted(coding.glob("*.*")):
                name_fits = re.fullmatch(r"[FM]\d{3}_T[1-8]", path.stem, re.IGNORECASE | re.ASCII)
                if path.suffix.lower() == ".csv" and name_fits:
                    found.setdefault(path.stem.upper(), path)
    return found


def _header(path: Path, cells: list[str]) -> tuple[int, ...]:
    words = cells[1:]
    numbers = [re.fullmatch(r"(?:AU)?\s*(\d{1,2})", word, re.IGNORECASE | re.ASCII) for word in words]
    if words and all(numbers):
        units = tuple(int(match[1]) for match in numbers)
    elif len(words) == len(BP4D_PLUS):
        units = BP4D_PLUS
    else:
        raise ValueError(f"{path}, line 1: expected a header with the numbers of action units, or one of "
                         f"{len(BP4D_PLUS) + 1} words, found {','.join(cells)!r:.60}")
    if len(set(units)) != len(units):
        raise ValueError(f"{path}, line 1: expected each action unit once, found {','.join(cells)!r:.60}")
    return units


def _codes(path: Path, rows: list[tuple[int, list[str]]], units: tuple[int, ...]) -> Codes:
    table = np.empty((len(rows), 1 + len(units)), np.int64)
    for place, (line, cells) in enumerate(rows):
        if len(cells) != table.shape[1]:
            raise ValueError(f"{path}, line {line}: expected a frame number and {len(units)} codes, found {len(cells)} "
                             "cells")
        for column, cell in enumerate(cells):
            if column and cell.lower() in EMPTY:
                table[place, column] = NOT_CODED
                continue
            if not re.fullmatch(r"\d{1,9}(\.0+)?", cell, re.ASCII):
                raise ValueError(f"{path}, line {line}: expected whole numbers, found {cell!r:.40}")
            table[place, column] = int(cell.split(".")[0])
        codes = table[place, 1:]
        wrong = codes[(codes > 1) & (codes != NOT_CODED)]
        if len(wrong):
            raise ValueError(f"{path}, line {line}: expected codes 0..1 or {NOT_CODED}, found {wrong[0]}")
    if len(rows) == 0:
        raise ValueError(f"{path}: expected a row for each coded frame, found none")
    frames, values = table[:, 0], table[:, 1:]
    late = np.flatnonzero(np.diff(frames) <= 0)
    if len(late):
        raise ValueError(f"{path}, line {rows[late[0] + 1][0]}: expected ascending frame numbers, found "
                         f"{frames[late[0] + 1]} after {frames[late[0]]}")
    return Codes(frames, units, np.where(values == NOT_CODED, MISSING, values).astype(np.int8))
