"""Rows of a .ply file: numbers, and lists with their length before them.

A row is a row of units: words of a text, already numbers, or bytes; so one walk serves both. Only the properties that
somebody wants are made numbers of.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

_WINDOW = 2**16  # units
_WORD = re.compile(r"\w{1,60}")
_COMMENT = re.compile(rb"(?:\A|(?<=[\r\n]))[ \t]*(?:comment|obj_info)\b")


def shown(name: str) -> str:
    """A name of the header, for errors: as it is if it is a word, else quoted and cut."""
    return name if _WORD.fullmatch(name) else repr(name[:60])


class Property(NamedTuple):
    """One number of this numpy type, or, with the type of its length, a list of them."""

    name: str
    kind: str
    length: str | None


@dataclass
class Element:
    """What a header says of an element; `number` of the elements it is, from 1."""

    name: str
    number: int
    count: int
    properties: list[Property]

    def place(self, row: int | None = None) -> str:
        """It, or a row of it, for errors: by its name if that is a word."""
        if not _WORD.fullmatch(self.name):
            return f"element {self.number}" if row is None else f"element {self.number}, row {row}"
        return f"element {self.name}" if row is None else f"{self.name} {row}"


class List(NamedTuple):
    """A list in each row of an element: where it begins in `values`, and its length, (N,) each."""

    values: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray


class Rows:
    """The units behind a header, which are read element by element.

    path   of the file, for errors
    units  (N,) float64 words of a text, or uint8 bytes
    order  "<" or ">" of bytes; "" of a text
    lines  (L + 1,) where in `units` the lines of a text begin, and the end: then a row is a line, and what the line has
           beyond what the header says is left alone. None: rows may be broken anywhere
    """

    def __init__(self, path: Path, units: np.ndarray, order: str, lines: np.ndarray | None = None) -> None:
        self.path, self.units, self.order, self.lines = path, units, order, lines
        self.position = 0

    def error(self, place: str, expected: str, found: str) -> ValueError:
        return ValueError(f"{self.path}, {place}: expected {expected}, found {found:.100}")

    def size(self, kind: str) -> int:
        """Units of a number of this type."""
        return int(kind[1]) if self.order else 1

    def converted(self, units: np.ndarray, kind: str) -> np.ndarray:
        """(N, size) units as (N,) numbers."""
        if self.order:
            return np.ascontiguousarray(units).view(self.order + kind)[:, 0]
        return units[:, 0]

    def read(self, element: Element, wanted: Collection[str]) -> dict[str, np.ndarray | List]:
        """All rows of the next element: name of a wanted property -> (N,) numbers, or a list in each row."""
        least = sum(self.size(item.length or item.kind) for item in element.properties)
        left = len(self.units) - self.position
        if element.count * max(least, 1) > left:
            unit = "bytes" if self.order else "numbers"
            raise self.error(
                element.place(),
                f"{element.count} rows of at least {least} {unit}",
                f"{left} {unit} to the end of the file",
            )
        if element.count == 0:
            return {}
        if self.lines is not None:
            return self.columns(element, self.rows_of_lines(element), wanted)
        widths = self.widths_of_row(element, self.position, 0)
        table = self.equal_rows(element, widths)
        if table is None:
            return self.columns(element, self.walk(element), wanted)
        found, column = {}, 0
        for item, width in zip(element.properties, widths, strict=True):
            if item.name in wanted:
                head = self.size(item.length) if item.length else 0
                values = table[:, column + head : column + width]
                if item.length:
                    size = self.size(item.kind)
                    per_row = (width - head) // size
                    flat = self.converted(np.ascontiguousarray(values).reshape(-1, size), item.kind)
                    rows = np.arange(element.count, dtype=np.int32)
                    found[item.name] = List(flat, rows * np.int32(per_row), np.full_like(rows, per_row))
                else:
                    found[item.name] = self.converted(values, item.kind)
            column += width
        self.position += table.size
        return found

    def widths_of_row(self, element: Element, at: int, row: int) -> list[int]:
        """Units of each property in the row that begins at a unit."""
        widths = []
        for item in element.properties:
            width = self.size(item.kind)
            if item.length:
                head = self.size(item.length)
                length = None
                if at + head <= len(self.units):
                    length = float(self.converted(self.units[None, at : at + head], item.length)[0])
                if length is None or not 0 <= length * width <= len(self.units) - at - head or length != int(length):
                    raise self.error(
                        element.place(row),
                        f"the length of the list {shown(item.name)}, within the file",
                        "the end of the file" if length is None else f"{length:g}",
                    )
                width = head + int(length) * width
            widths.append(width)
            at += width
        return widths

    def equal_rows(self, element: Element, widths: list[int]) -> np.ndarray | None:
        """(N, width) units of the next element if all its lists are as long as those of its first row."""
        total = sum(widths)
        if element.count * total > len(self.units) - self.position:
            return None
        table = self.units[self.position : self.position + element.count * total].reshape(element.count, total)
        column = 0
        for item, width in zip(element.properties, widths, strict=True):
            if item.length:
                head = table[:, column : column + self.size(item.length)]
                if (head != head[0]).any():
                    return None
            column += width
        return table

    def walk(self, element: Element) -> np.ndarray:
        """Where rows of different lengths begin, (N,) int32: each depends on the one before."""
        rows, at, pieces = 0, self.position, []
        while rows < element.count:
            # Where a row would end that began at any of the next units: then the rows follow by look-up.
            units = np.arange(at, min(at + _WINDOW, len(self.units) + 1), dtype=np.int32)
            ends = self.ends_of_rows(element, units)
            places = _chain(np.minimum(ends - at, len(units)))[: element.count - rows]
            pieces.append(units[places])
            rows, last, at = rows + len(places), int(units[places[-1]]), int(ends[places[-1]])
            if at > len(self.units):
                self.widths_of_row(element, last, rows - 1)  # says what is wrong with it
                raise self.error(element.place(rows - 1), "a whole row", "the end of the file")
        self.position = at
        return np.concatenate(pieces)

    def rows_of_lines(self, element: Element) -> np.ndarray:
        """Where the rows of an element begin, (N,) int32, if each is a line."""
        first = int(np.searchsorted(self.lines, self.position))
        starts, stops = (self.lines[first + k :][: element.count] for k in (0, 1))
        if len(stops) < element.count:
            raise self.error(element.place(), f"{element.count} lines", f"{len(stops)} of them")
        for row in np.flatnonzero(self.ends_of_rows(element, starts) > stops)[:1].tolist():
            raise self.error(element.place(row), "a whole row on its line", "the end of the line")
        self.position = int(stops[-1])
        return starts

    def columns(self, element: Element, starts: np.ndarray, wanted: Collection[str]) -> dict[str, np.ndarray | List]:
        """What `read` returns, of rows that begin at these units (N,)."""
        found, gap = {}, 0  # gap: units of properties that nobody wants
        for item in element.properties:
            size, head = self.size(item.kind), self.size(item.length) if item.length else 0
            if not item.length and item.name not in wanted:
                gap += size
                continue
            starts, gap = starts + np.int32(gap), 0
            ends = self.ends_of_lists(item, starts) if item.length else starts + np.int32(size)
            if item.name in wanted:
                sizes = (ends - starts - head) // size
                firsts = np.cumsum(sizes, dtype=np.int32) - sizes
                unit = np.repeat(starts + head - firsts * size, sizes)
                unit += np.arange(len(unit), dtype=np.int32) * size
                values = self.converted(self.units[unit[:, None] + np.arange(size, dtype=np.int32)], item.kind)
                found[item.name] = List(values, firsts, sizes) if item.length else values
            starts = ends
        return found

    def ends_of_rows(self, element: Element, starts: np.ndarray) -> np.ndarray:
        """Where rows end that begin at each of these units (N,) int32; beyond the file if they cannot be rows."""
        gap, beyond = 0, np.int32(len(self.units) + 1)
        for item in element.properties:
            if item.length:
                starts, gap = self.ends_of_lists(item, np.minimum(starts + np.int32(gap), beyond)), 0
            else:
                gap += self.size(item.kind)
        return np.minimum(starts + np.int32(gap), beyond)

    def ends_of_lists(self, item: Property, starts: np.ndarray) -> np.ndarray:
        """Where lists end that begin at each of these units (N,) int32; beyond the file if they cannot be lists."""
        size, head, beyond = self.size(item.kind), self.size(item.length), np.int32(len(self.units) + 1)
        inside = starts <= len(self.units) - head
        heads = np.where(inside, starts, 0)[:, None] + np.arange(head, dtype=np.int32)
        lengths = self.converted(self.units[heads], item.length)
        most = (len(self.units) - head - np.where(inside, starts, 0)) // size
        sound = inside & (lengths >= 0) & (lengths <= most) & (lengths == np.floor(lengths))
        return np.where(sound, starts + head + np.where(sound, lengths, 0).astype(np.int32) * size, beyond)


def _chain(following: np.ndarray) -> np.ndarray:
    """Places 0, following[0], following[following[0]], ... of an array (N,) of later places, before N is reached."""
    places = np.zeros(1, dtype=np.int32)
    jump = np.append(following, np.int32(len(following)))  # as many steps as there are places
    while True:
        more = jump[places]
        more = more[more < len(following)]
        places, complete = np.concatenate([places, more]), len(more) < len(places)
        if complete:
            return places
        jump = jump[jump]


def lines_of(text: bytes, count: int) -> np.ndarray | None:
    """`lines` of `Rows` for a text of `count` numbers; None if its words are others than its numbers."""
    byte = np.frombuffer(text, dtype=np.uint8)
    black = byte > 32
    black[1:] &= byte[:-1] <= 32
    begins = np.flatnonzero(black).astype(np.int32)
    if len(begins) != count:
        return None
    breaks = np.flatnonzero((byte == 10) | (byte == 13)).astype(np.int32)
    ends = np.searchsorted(begins, breaks).astype(np.int32)
    lines = np.concatenate([np.zeros(1, np.int32), ends, np.full(1, count, np.int32)])
    return lines[np.append(True, lines[1:] > lines[:-1])]  # empty lines are none


def without_remarks(text: bytes) -> bytes:
    """A text with blanks for what follows # and for lines that begin with comment or obj_info, as long as it was."""
    byte = np.frombuffer(bytearray(text), dtype=np.uint8)
    opens = byte == ord("#")
    opens[np.fromiter((found.start() for found in _COMMENT.finditer(text)), dtype=np.int32)] = True
    place = np.arange(1, len(byte) + 1, dtype=np.int32)
    opened = np.maximum.accumulate(np.where(opens, place, 0))
    closed = np.maximum.accumulate(np.where((byte == 10) | (byte == 13), place, 0))
    byte[opened > closed] = 32
    return byte.tobytes()


def ends_of_strips(values: np.ndarray, size: int) -> np.ndarray:
    """Which values (N,) of strips of triangles are no corners but begin another strip.

    These are -1 or, if there are not so many vertices (`size`), what that is without a sign.
    """
    if values.dtype.kind == "u":
        top = np.iinfo(values.dtype).max
        return (values == top) & (top >= size)
    return (values == -1) | (values == 2.0**32 - 1) | (values == 2.0**64 - 1)


def strips(corners: np.ndarray, ends: np.ndarray, lists: List) -> np.ndarray:
    """Strips a b c d ... as triangles a b c, c b d, ..., without those that have a corner twice: (T, 3) int32.

    corners  (N,) int32, of all lists, one after another
    ends     (N,) bool, of `ends_of_strips`
    lists    where each of them begins
    """
    first = np.zeros(len(corners), dtype=bool)
    first[lists.starts[lists.sizes > 0]] = True
    first[1:] |= ends[:-1]
    strip = np.cumsum(first, dtype=np.int32)
    a, b, c = corners[:-2], corners[1:-1], corners[2:]
    place = np.flatnonzero((strip[:-2] == strip[2:]) & ~ends[2:] & (a != b) & (b != c) & (a != c)).astype(np.int32)
    strip = strip[place] - np.int32(1)
    odd = ((place - np.flatnonzero(first).astype(np.int32)[strip]) % 2).astype(np.int8)
    del strip, first  # triangles take twelve bytes where a corner may take one
    triangles = np.empty((len(place), 3), dtype=np.int32)
    triangles[:, 0] = corners[place + odd]
    triangles[:, 1] = corners[place + (1 - odd)]
    triangles[:, 2] = c[place]
    return triangles
