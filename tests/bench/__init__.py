"""What this project does against what it could have used instead, in seconds, on this machine.

A module here is a topic: its `measure()` yields rows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One comparison: medians in seconds, and the ratio ours / theirs that must not be exceeded (None: none)."""

    what: str
    ours: float
    peer: str
    theirs: float
    bound: float | None

    @property
    def ratio(self) -> float:
        return self.ours / self.theirs

    @property
    def holds(self) -> bool:
        return self.bound is None or self.ratio <= self.bound


def race(what: str, ours: Callable[[], object], peer: str, theirs: Callable[[], object], bound: float | None,
         rounds: int = 15) -> Row:
    """Medians of both over `rounds`, by turns, so that what else the machine does meets both; after one of each."""
    times: dict[Callable[[], object], list[float]] = {ours: [], theirs: []}
    for number in range(rounds + 1):
        for run in (ours, theirs):
            start = time.perf_counter()
            run()
            if number:
                times[run].append(time.perf_counter() - start)
    return Row(what, statistics.median(times[ours]), peer, statistics.median(times[theirs]), bound)
