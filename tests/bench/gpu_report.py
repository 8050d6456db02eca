"""What was measured, as rows, and as a table of Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# Dense bf16 operations a second, of NVIDIA's data sheets, by the name that CUDA gives the device.
PEAKS = {"NVIDIA H100 80GB HBM3": 989e12, "NVIDIA H100 PCIe": 756e12, "NVIDIA H200": 989e12}
NO_DEVICE = "no CUDA device here"  # what the first row says then


class Row(NamedTuple):
    """One thing that was measured.

    Attributes:
        what: was measured, on what.
        values: by name, with the unit in it; None: not known here.
        holds: whether what must be so is so; None: nothing must.
        note: why something is missing.
        curves: by name, a number for each step; for the JSON file alone.
    """

    what: str
    values: Mapping[str, float | str | None] = {}
    holds: bool | None = None
    note: str = ""
    curves: Mapping[str, list[float]] = {}


def mfu(operations: float, seconds: float, device: str) -> float | None:
    """Share of the device's peak that so many floating point operations in so much time are; None: no known peak."""
    return operations / seconds / PEAKS[device] if device in PEAKS else None


def table(machine: Mapping[str, object], parts: Mapping[str, Iterable[Row]]) -> str:
    """The rows of all parts under the name of the device."""
    told = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "device" and value is not None)
    lines = [f"# On {machine['device']}", "", told + ".", "", "| part | what | measured |", "|---|---|---|"]
    lines += [f"| {part} | {row.what} | {told_of(row)} |" for part, rows in parts.items() for row in rows]
    return "\n".join(lines) + "\n"


def told_of(row: Row) -> str:
    """Values of a row, whether what must hold does, and its note, on one line."""
    said = [f"{name} {number(value)}" for name, value in row.values.items()]
    if row.holds is not None:
        said.append("holds" if row.holds else "**does not hold**")
    return "; ".join([*said, *filter(None, [row.note])]).replace("|", "/").replace("\n", " ")


def number(value: float | str | None) -> str:
    """A value as the table prints it: three digits, or all of a whole number."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    whole = float(value).is_integer() or 1000 <= abs(value) < math.inf
    return f"{value:,.0f}" if whole else f"{value:.3g}"
