"""What a list of polygons lacks: ends between them, places of their corners, texture coordinates."""

from __future__ import annotations

import numpy as np

_FEWEST = 6  # corners of two triangles without an end between them


def repeating(corners: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> int | None:
    """The first polygon to which a corner returns, other than to close it: several polygons without ends between them.

    corners  (N,) of all polygons, numbers from 0
    starts   (P,) place in `corners` of the first corner of each polygon
    sizes    (P,) corners of each polygon
    """
    large = np.flatnonzero(sizes >= _FEWEST)
    if len(large) == 0:
        return None
    count, starts = sizes[large], starts[large]
    different = int(corners.max()) + 1
    if (count > 2 * different).any():  # as each may be written twice in a row
        return int(large[np.argmax(count > 2 * different)])
    first = np.cumsum(count) - count
    polygon = np.repeat(np.arange(len(large), dtype=np.int32), count)
    place = np.arange(len(polygon), dtype=np.int32) - first[polygon]
    after = np.where(place + 1 == count[polygon], 0, place + 1)
    place += starts[polygon]
    corner = corners[place]
    moved = corner != corners[after + starts[polygon]]
    visits = np.sort(polygon[moved] * np.int64(different) + corner[moved])
    again = np.flatnonzero(visits[1:] == visits[:-1])
    return int(large[visits[again[0]] // different]) if len(again) else None


def placed(points: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | slice]:
    """Points (V, 3) and triangles without the points that have no place, and which points these are.

    If a triangle has such a corner nothing is left out.
    """
    kept = np.isfinite(points)
    if kept.all() or not (kept := kept.all(axis=1))[triangles].all():
        return points, triangles, slice(None)
    return points[kept], (np.cumsum(kept, dtype=np.int32) - 1)[triangles], kept


def known(coordinates: np.ndarray, corners: np.ndarray) -> bool:
    """Whether all corners have coordinates (U, 2); those of no corner become 0 if they are none."""
    lost = ~np.isfinite(coordinates)
    if lost.any():
        if lost[corners].any():
            return False
        coordinates[lost] = 0
    return True
