"""The text of an .obj, line by line: which bytes are blanks, comments, words; and the lines of one kind together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NAMING = (b"mtllib", b"usemtl")  # lines whose name may have a # in it
_BLANKS = bytes.maketrans(b"\t\v\f", b"   ")


class Lines(NamedTuple):
    """The lines of one kind, in the order of the file.

    key     the two bytes that each begins with
    origin  (L,) int32, where each begins in the file
    text    all of them
    starts  (L + 1,) int32, where each begins in `text`, and the end
    """

    key: bytes
    origin: np.ndarray
    text: bytes
    starts: np.ndarray

    @property
    def name(self) -> str:
        return self.key.decode("ascii").strip()

    def pattern(self) -> bytes | None:
        """What is left of each line without its digits, signs and points, if that is the same for all; else None."""
        bare = self.text.translate(None, b"0123456789.+-eE")
        first = bare[:bare.find(b"\n") + 1]
        return first if bare == first * len(self.origin) else None

    def blanked(self) -> np.ndarray:
        """The text (N,) uint8 without the key words."""
        text = np.frombuffer(bytearray(self.text), dtype=np.uint8)
        for offset in range(len(self.name)):
            text[self.starts[:-1] + offset] = 32
        return text

    def counts(self, words: np.ndarray) -> np.ndarray:
        """How many of the words that begin at `words` each line has, (L,)."""
        return np.diff(np.searchsorted(words, self.starts))

    def line_of(self, at: int) -> int:
        return int(np.searchsorted(self.starts, at, side="right")) - 1


def plain(data: bytes) -> bytes:
    """The file with line feeds for line ends, blanks for other white space, and no comments; line by line as it was."""
    if not data.endswith(b"\n"):
        data += b"\n"
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
    if b"\t" in text or b"\v" in text or b"\f" in text:
        text = text.translate(_BLANKS)
    if b"#" not in text:
        return text
    byte = np.frombuffer(text, dtype=np.uint8)
    events = np.flatnonzero((byte == ord("#")) | (byte == ord("\n"))).astype(np.int32)
    opens = byte[events] == ord("#")
    opens[1:] &= byte[events[:-1]] == ord("\n")  # the first of its line
    begins, line_ends = events[opens], events[byte[events] == ord("\n")]
    line = np.searchsorted(line_ends, begins)
    starts = np.where(line > 0, line_ends[line - 1] + 1, 0)
    kept = ~np.any([_begin_with(name, byte, starts) for name in NAMING], axis=0)
    return _without(text, begins[kept], line_ends[line[kept]])


def _begin_with(word: bytes, byte: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Whether a word stands at each of `starts` in a text (N,) uint8."""
    same = np.ones(len(starts), dtype=bool)
    for place, letter in enumerate(word):
        same &= byte[np.minimum(starts + np.int32(place), len(byte) - 1)] == letter
    return same


def without_indentation(text: bytes) -> bytes:
    byte = np.frombuffer(b"\n" + text + b"\n", dtype=np.uint8)
    blank = byte == 32
    begins = np.flatnonzero(blank[1:] & (byte[:-1] == 10)).astype(np.int32)
    ends = np.flatnonzero(blank[:-1] & ~blank[1:]).astype(np.int32)
    return _without(text, begins, ends[np.searchsorted(ends, begins)])


def joined(text: bytes) -> bytes:
    """The text with blanks where a backslash, the last of its line, lets the line go on in the next one."""
    byte = np.frombuffer(text, dtype=np.uint8)
    marks, black = np.flatnonzero(byte == ord("\\")).astype(np.int32), np.flatnonzero(byte != 32).astype(np.int32)
    ends = black[np.searchsorted(black, marks, side="right").clip(max=len(black) - 1)]
    broken = byte[ends] == ord("\n")
    found = byte.copy()
    found[between(len(text), marks[broken], ends[broken] + 1)] = 32
    return found.tobytes()


def _without(text: bytes, begins: np.ndarray, ends: np.ndarray) -> bytes:
    """The text without what lies between each of `begins` and its one of `ends`; they do not overlap."""
    return np.frombuffer(text, dtype=np.uint8)[~between(len(text), begins, ends)].tobytes()


def between(size: int, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(size,) bool, what lies between each of `begins` and its one of `ends`; they do not overlap."""
    change = np.zeros(size + 1, dtype=np.int8)
    change[begins] = 1
    change[ends] -= 1
    return np.cumsum(change[:-1], dtype=np.int8) != 0


def words(text: np.ndarray) -> np.ndarray:
    """Where the words of a text (N,) uint8 begin, (W,) int32."""
    black = text > 32
    black[1:] &= text[:-1] <= 32
    return np.flatnonzero(black).astype(np.int32)
