"""Decimals of one form, such as -12.345678, read eight characters at a time: half the time of the usual way.

Scanners write every coordinate with as many digits behind the point. So a number is two words of eight bytes, one that
ends before the point and one that begins behind it, and each word becomes its value by a few operations on all numbers
at once (the known trick: pairs of digits, then of pairs, within one 64-bit integer).
"""

from __future__ import annotations

import numpy as np

_WORD = np.dtype("<u8")
_EACH = np.uint64(0x0101010101010101)  # times a byte: that byte, eight times
_ZEROS, _HIGH, _LOW = _EACH * np.uint64(0x30), _EACH * np.uint64(0x80), _EACH * np.uint64(0x7F)
_ABOVE_NINE = _EACH * np.uint64(0x80 - 10)
_PAIRS, _FIRST, _SECOND = np.uint64(0x000000FF000000FF), np.uint64(100 + (10**6 << 32)), np.uint64(1 + (10**4 << 32))
_FEWEST = 1000  # numbers; fewer are read as fast in the usual way
_CHUNK = 8192  # numbers; so that what lies between stays in the cache
_MARGIN = 9  # bytes around the text, for the words of the first and the last number


def decimals(text: bytes) -> np.ndarray | None:
    """The (N,) float64 of a text of numbers between white space, the same as of `float`; None if they are not alike.

    Alike are numbers with a point, as many digits behind it (1 to 8) and at most 7 before it.
    """
    data = b" " * _MARGIN + text + b" " * _MARGIN
    byte = np.frombuffer(data, dtype=np.uint8)
    points = np.flatnonzero(byte == ord("."))
    if len(points) < _FEWEST:
        return None
    size = len(data[points[0] + 1:points[0] + 1 + _MARGIN].split()[0])
    black = (byte - np.uint8(9) > 4) & (byte != 32)  # no white space, which is 9 to 13 and 32
    if not 1 <= size <= 8 or np.count_nonzero(black[1:] > black[:-1]) != len(points):
        return None
    words = np.ndarray((len(data) - 7,), dtype=_WORD, buffer=data, strides=(1,))  # the one that begins at each byte
    values = np.empty(len(points))
    for start in range(0, len(points), _CHUNK):
        part = _values(byte, black, words, points[start:start + _CHUNK], size)
        if part is None:
            return None
        values[start:start + _CHUNK] = part
    return values


def _values(byte: np.ndarray, black: np.ndarray, words: np.ndarray, points: np.ndarray, size: int) -> np.ndarray | None:
    behind = (words[points + 1] ^ _ZEROS) << np.uint64(8 * (8 - size))
    before = words[points - 8] ^ _ZEROS
    other = _other_than_digits(before)
    if (other == 0).any() or _other_than_digits(behind).any():
        return None
    for shift in (8, 16, 32):  # what lies before another character than a digit does not belong to the number
        other |= other >> np.uint64(shift)
    marks = other >> np.uint64(7)
    before &= ~(marks * np.uint64(255))
    lead = points - 9 + ((marks * _EACH) >> np.uint64(56)).astype(np.int64)  # the last of these
    negative = byte[lead] == ord("-")
    lead -= negative | (byte[lead] == ord("+"))
    if black[lead].any() or black[points + 1 + size].any():
        return None
    # Two whole numbers below 2^53: the quotient is the nearest float64, as `float` has it.
    values = (_eight_digits(before) * np.uint64(10**size) + _eight_digits(behind)).astype(np.float64) / 10.0**size
    return np.negative(values, out=values, where=negative)


def _other_than_digits(words: np.ndarray) -> np.ndarray:
    """The highest bit of each byte that, as a character less "0", is no digit."""
    return (((words & _LOW) + _ABOVE_NINE) | words) & _HIGH


def _eight_digits(words: np.ndarray) -> np.ndarray:
    """The number of eight digits 0..9, one a byte, the first in the lowest byte."""
    pairs = words * np.uint64(10) + (words >> np.uint64(8))
    return ((pairs & _PAIRS) * _FIRST + ((pairs >> np.uint64(16)) & _PAIRS) * _SECOND) >> np.uint64(32)
