"""Lids and lips: the two edges of a slit, how they close on each other and never cross, and lids on their eyeball."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csr_array, hstack

BEHIND = 0.6  # mm that a ring inside a slit stays behind the next one at least
OVERLAP = 0.8  # mm that it may lie beyond the edge: what closed edges turn inwards overlaps, and lets no light through


@dataclass(frozen=True, eq=False)
class Slit:
    """A slit in the skin; U vertices on its upper edge, S vertices around it.

    upper, lower   (U,), (L,) skin vertices of the edges, from the first corner to the second, corners left out
    corners        (2,) skin vertices
    opposite       (U, L + 2) mixtures of corner, lower edge, corner that lie opposite the upper edge
    around         (S,) skin vertices that follow the edges
    follow         (S, U) share of the edges' approach that each of them takes: positive with the upper one
    inner          (I,) skin vertices that the edges turn inwards
    high           (I,) bool: behind the upper edge
    before         (I, U + L + 2) mixtures of all edge vertices (upper, corner, lower, corner) before each of them
    behind         (I,) mm that each stays behind its edge
    """

    upper: np.ndarray
    lower: np.ndarray
    corners: np.ndarray
    opposite: csr_array
    around: np.ndarray
    follow: csr_array
    inner: np.ndarray
    high: np.ndarray
    before: csr_array
    behind: np.ndarray

    def gap(self, skin: np.ndarray) -> np.ndarray:
        """(U, 3) mm from the lower to the upper edge; `skin` (N, 3)."""
        return skin[self.upper] - self.opposite @ skin[self._lower_edge]

    def part(self, skin: np.ndarray, change: np.ndarray) -> None:
        """Move the edges of `skin` (N, 3) apart by `change` (U, 3) mm in place, what is around them along."""
        skin[self.around] += self.follow @ change

    def tuck(self, skin: np.ndarray) -> None:
        """Keep what the edges turn inwards behind them, in place: pressed edges do not show it."""
        edge = self.before @ np.concatenate([skin[self.upper, 1:], skin[self._lower_edge, 1:]])
        y, z = skin[self.inner, 1], skin[self.inner, 2]
        past = np.where(self.high, np.maximum(y, edge[:, 0] - OVERLAP), np.minimum(y, edge[:, 0] + OVERLAP))
        skin[self.inner, 1] = past
        skin[self.inner, 2] = np.minimum(z, edge[:, 1] - self.behind)

    @cached_property
    def _lower_edge(self):
        return np.concatenate([self.corners[:1], self.lower, self.corners[1:]])


def slit(
    grid: np.ndarray, loop: int, reach: int, lower_share: float, parents: np.ndarray, mean: np.ndarray
) -> Slit:
    """The slit in the skin whose edges are a ring of `grid`.

    Args:
        grid: (1 + R, n) coarse vertices, `region.collar`.
        loop: ring that is the edge of the slit.
        reach: rings beyond it that follow.
        lower_share: of the edges' approach, 0 to 1, that the lower edge takes.
        parents: (N, 4) coarse vertices between which each skin vertex lies, -1 for those on the rim.
        mean: (C, 3) mm, the coarse average face.
    """
    edge = mean[grid[loop]]
    ends = np.argmin(edge[:, 0]), np.argmax(edge[:, 0])
    line = np.interp(edge[:, 0], edge[list(ends), 0], edge[list(ends), 1])
    is_upper = _between(len(edge), *ends)
    if edge[is_upper, 1].mean() < line[is_upper].mean():
        is_upper = ~is_upper
    is_upper[list(ends)] = False
    ring, column = np.full(len(mean), np.nan), np.full(len(mean), -1)
    ring[grid], column[grid] = np.arange(len(grid))[:, None], np.arange(len(edge))
    along = (edge[:, 0] - edge[ends[0], 0]) / np.ptp(edge[:, 0])
    is_end = np.isin(np.arange(len(edge)), ends)

    known = (parents >= 0).all(1)
    known[known] = np.isfinite(ring[parents[known]]).all(1)
    rows = np.flatnonzero(known)
    rings, columns = ring[parents[rows]].mean(1), column[parents[rows]]
    place = along[columns].mean(1)
    end, above = is_end[columns].all(1), is_upper[columns].any(1)
    on = rings == loop

    def sorted_rows(which):
        found = rows[which]
        return found[np.argsort(place[which])]

    upper, lower, corners = (sorted_rows(on & which) for which in (above & ~end, ~above & ~end, end))
    where = dict(zip(rows.tolist(), place.tolist(), strict=True))
    up, low = (np.array([0.0, *(where[row] for row in side.tolist()), 1.0]) for side in (upper, lower))
    fall = np.clip((rings - loop) / reach, 0, 1)
    share = (1 - fall**2 * (3 - 2 * fall)) * np.where(above, 1 - lower_share, -lower_share)
    share[end] = 0
    near = share != 0
    follow = _interpolation(up, place[near])[:, 1:-1]
    inside = rings < loop
    high = above[inside] & ~end[inside]
    before = hstack([
        _interpolation(up, place[inside])[:, 1:-1].multiply(high[:, None]),
        _interpolation(low, place[inside]).multiply(~high[:, None]),
    ]).tocsr()  # fmt: skip
    return Slit(
        upper, lower, corners, _interpolation(low, up[1:-1]), rows[near], follow.multiply(share[near, None]).tocsr(),
        rows[inside], high, before, BEHIND * (loop - rings[inside]),
    )  # fmt: skip


def _between(count, start, stop):
    """(count,) bool: the places strictly between two of a ring, one way round."""
    place = np.arange(count)
    return (place - start) % count < (stop - start) % count


def _interpolation(knots, places):
    """(P, K) sparse: linear interpolation between ascending knots."""
    after = np.clip(np.searchsorted(knots, places), 1, len(knots) - 1)
    width = knots[after] - knots[after - 1]
    share = np.clip((places - knots[after - 1]) / np.where(width > 0, width, 1), 0, 1)
    row = np.arange(len(places))
    values = np.concatenate([1 - share, share])
    return coo_array(
        (values, (np.tile(row, 2), np.concatenate([after - 1, after]))), (len(places), len(knots))
    ).tocsr()


def keep_out(points: np.ndarray, centre: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """(P, 3) points pushed away from `centre` (3,) to `distance` (P,) where they are nearer, mm."""
    away = points - centre
    length = np.sqrt((away**2).sum(1))
    return centre + away * np.maximum(distance / np.maximum(length, 1e-9), 1)[:, None]
