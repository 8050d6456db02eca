"""Numbers written in text, many at once, and the polygons that they make.

What .wrl, .obj and .ply have in common: long lists of numbers, whose reading is nearly all that a mesh costs.
"""

from __future__ import annotations

import re
import warnings
from itertools import islice
from pathlib import Path

import numpy as np

from mvlm.faces.formats.decimals import decimals

_WORD = re.compile(rb"\S+")
_NUMBER = {
    np.float64: re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf(inity)?|nan)", re.IGNORECASE),
    np.int64: re.compile(rb"[+-]?[0-9]+"),
}


class PolygonWarning(UserWarning):
    """A mesh has polygons without a surface, of two corners or fewer, which are left out."""


class Misread(ValueError):
    """A word that is not what it should be: its first byte in the text, what was expected, what was found."""

    def __init__(self, at: int, expected: str, found: str) -> None:
        super().__init__(f"byte {at}: expected {expected}, found {found}")
        self.at, self.expected, self.found = at, expected, found


def numbers(text: bytes, dtype: type, *, finite: bool = True) -> np.ndarray:
    """The (N,) numbers, np.float64 or np.int64, of a text in which white space separates them.

    Raises Misread for a word that is none or, unless told otherwise, not finite; an integer beyond 64 bits becomes the
    largest one.
    """
    if not text or text.isspace():  # numpy would read [-1.]
        return np.empty(0, dtype=dtype)
    if dtype is np.float64 and (values := decimals(text)) is not None:
        return values
    try:
        with warnings.catch_warnings():
            # numpy < 2.4 warns where later ones raise.
            warnings.filterwarnings("error", "string or file could not be read", DeprecationWarning)
            values = np.fromstring(text, dtype=dtype, sep=" ")
        # Integers alone may have blanks between sign and digits, which numpy lets pass.
        whole = dtype is np.float64 or not (b"-" in text or b"+" in text) or len(values) == _word_count(text)
    except (ValueError, DeprecationWarning):
        whole = False
    if not whole:
        bad = next(word for word in _WORD.finditer(text) if not _NUMBER[dtype].fullmatch(word[0]))
        raise Misread(bad.start(), "a number" if dtype is np.float64 else "an integer", repr(_shown(bad[0])))
    if finite and dtype is np.float64 and not np.isfinite([values.min(), values.max()]).all():
        raise misread(text, int(np.flatnonzero(~np.isfinite(values))[0]), "finite numbers")
    return values


def misread(text: bytes, number: int, expected: str) -> Misread:
    """The error for the word of this number, from 0, in a text."""
    word = next(islice(_WORD.finditer(text), number, None))
    return Misread(word.start(), expected, _shown(word[0]))


def _word_count(text: bytes) -> int:
    """How many words a text has, control characters taken for white space."""
    black = np.frombuffer(text, dtype=np.uint8) > 32
    return int(np.count_nonzero(black[1:] > black[:-1])) + int(black[0])


def _shown(word: bytes) -> str:
    return word.decode("latin-1")[:60]


def fans(corners: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Polygons cut into triangles: v0 v1 v2 v3 ... becomes v0 v1 v2, v0 v2 v3, ...

    corners  (N,) of all polygons, one polygon after another, whatever lies between them
    starts   (P,) place in `corners` of the first corner of each polygon
    sizes    (P,) corners of each polygon; one of fewer than 3 makes no triangle

    Returns (T, 3) int32, T = sum of sizes - 2 where that is above 0.
    """
    if len(sizes) and sizes.min() < 3:
        starts, sizes = starts[sizes >= 3], sizes[sizes >= 3]
    if len(sizes) and sizes.min() == sizes.max() == 3:
        return corners[starts[:, None] + np.arange(3)].astype(np.int32, copy=False)
    count = sizes - 2
    triangles = np.empty((int(count.sum()), 3), dtype=np.int32)
    triangles[:, 0] = np.repeat(corners[starts], count)
    second = np.arange(len(triangles), dtype=np.int32)
    second += np.repeat((starts + 1 - (np.cumsum(count) - count)).astype(np.int32), count)
    triangles[:, 1] = corners[second]
    second += 1
    triangles[:, 2] = corners[second]
    return triangles


def expect_polygons(path: Path, sizes: np.ndarray) -> None:
    """Warns of how many polygons, of these (P,) numbers of corners, `fans` makes nothing.

    Raises ValueError if that is all of them.
    """
    lines = int(np.count_nonzero(sizes < 3))
    if lines == len(sizes):
        found = f"{lines} of fewer" if lines else "none"
        raise ValueError(f"{path}: expected polygons of at least 3 corners, found {found}")
    if lines:
        warnings.warn(f"{path}: left out {lines} of {len(sizes)} polygons, which have fewer than 3 corners",
                      PolygonWarning, stacklevel=2)
