"""Regions of a face in its views: which pixel shows brows, eyes, nose, mouth or cheeks, and where a point is seen.

A pixel belongs to a region by the place of its surface in space, not in the picture: so the far eye in a view from the
side does not lend its name to the nose before it. "left" and "right" are one region.

Shapes: V views, H side of a view in pixels, N points. Points are upright and frontal, nose tip at the origin, mm, as
`Pose.of` has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from mvlm.faces.average import average
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import find_pose
from mvlm.faces.registration import Pose
from mvlm.faces.views import DEPTH, PIVOT, WINDOW, YAWS, pixel_grid, project, turn_of

REGIONS = ("brows", "eyes", "nose", "mouth", "cheeks")
PLACES = ("background", "rest of the face", *REGIONS)  # what a number of `region_map` means
BELONGS = 14.0  # mm from a region's points that still belong to it
CHEEK = (0.3, 0.5, 0.7)  # of the way from the outer corner of the eye to that of the mouth
OUTWARD = (0.0, 14.0)  # mm from that line to the side
MIDDLE = 5.0  # mm from the plane of symmetry that belong to both sides
SEEN = 4.0  # mm that a point may lie behind what its pixel shows
_NAMES = {"brows": r"brow", "eyes": r"\beye\b", "nose": r"\bnose\b", "mouth": r"\bmouth\b|\blip\b"}


def region_points(landmarks: Mapping[str, np.ndarray], pose: Pose) -> dict[str, np.ndarray]:
    """Points (N, 3) of each of `REGIONS`, from a face's landmarks, or the average head's where some are missing.

    Cheeks have no landmarks: theirs lie between the outer corners of eye and mouth.
    """
    found = {
        region: [point for name, point in landmarks.items() if re.search(pattern, name)]
        for region, pattern in _NAMES.items()
    }
    if not all(found.values()):
        return _average_points()
    points = {region: pose.of(np.array(of)) for region, of in found.items()}
    points["nose"] = np.vstack([points["nose"], np.zeros(3)])  # its tip, whatever was marked
    cheeks = []
    for side in (1, -1):
        eye, corner = (max(points[region], key=lambda p: side * p[0]) for region in ("eyes", "mouth"))
        cheeks += [eye + s * (corner - eye) + (side * out, 0, 0) for s in CHEEK for out in OUTWARD]
    return {region: _with_middles(of) for region, of in points.items()} | {"cheeks": np.array(cheeks)}


def _with_middles(points: np.ndarray) -> np.ndarray:
    """Points (N, 3) and the middles between any two on one side: a lip has landmarks far apart."""
    pairs = ((a + b) / 2 for side in (1, -1) for a, b in combinations(points[side * points[:, 0] > -MIDDLE], 2))
    return np.vstack([points, *pairs])


def region_map(mesh: Mesh, yaws: Sequence[float] = YAWS, size: int = 64, *, pose: Pose | None = None) -> np.ndarray:
    """What each pixel of a face's views shows: (V, H, H) uint8, places in `PLACES`.

    The region of the nearest of its points, if that is within `BELONGS`.

    Args:
        mesh, yaws, size, pose: as of `mvlm.faces.views.project`.
    """
    from scipy.spatial import KDTree

    pose = find_pose(mesh) if pose is None else pose
    points = region_points(mesh.landmarks, pose)
    labels = np.concatenate([np.full(len(points[region]), 2 + i) for i, region in enumerate(REGIONS)])
    shown = surface(mesh, yaws, size, pose=pose)
    face = np.isfinite(shown[..., 0])
    apart, nearest = KDTree(np.concatenate([points[region] for region in REGIONS])).query(shown[face])
    found = np.zeros(face.shape, np.uint8)
    found[face] = np.where(apart <= BELONGS, labels[nearest], 1)
    return found


def surface(mesh: Mesh, yaws: Sequence[float] = YAWS, size: int = 64, *, pose: Pose | None = None) -> np.ndarray:
    """The point that each pixel shows: (V, H, H, 3) mm, to 0.3 mm; not a number where it shows background."""
    pose = find_pose(mesh) if pose is None else pose
    levels = project(mesh, yaws, size, channel="depth", pose=pose)[..., 0].astype(float)  # (V, H, H)
    across, up = pixel_grid(size)
    towards = np.where(levels > 0, (levels - 1) * DEPTH / 127 - DEPTH, np.nan)
    seen = [np.stack([across, up, height], -1) @ turn_of(yaw) for yaw, height in zip(yaws, towards, strict=True)]
    return np.where(np.isfinite(towards)[..., None], np.stack(seen) + PIVOT, np.nan)


def pixels(points: np.ndarray, yaws: Sequence[float] = YAWS, size: int = 64) -> np.ndarray:
    """Where points (N, 3) lie in the views, in sight or not: (V, N, 2) row and column, 0 the middle of the first."""
    seen = np.stack([(points - PIVOT) @ turn_of(yaw).T for yaw in yaws])
    column = (seen[..., 0] + WINDOW / 2) / WINDOW * size - 0.5
    row = (WINDOW / 2 - seen[..., 1]) / WINDOW * size - 0.5
    return np.stack([row, column], -1)


def sampled(heat: np.ndarray, points: np.ndarray, shown: np.ndarray, yaws: Sequence[float] = YAWS) -> np.ndarray:
    """Pictures (V, H, H) at points (N, 3) of a surface: (V, N), not a number where a view does not show the point.

    Args:
        shown: (V, H, H, 3) of `surface`; a point is in sight if its pixel shows it, within `SEEN`.
    """
    views, size = heat.shape[:2]
    places = pixels(points, yaws, size)
    rows, columns = (np.rint(places[..., i]).astype(int) for i in (0, 1))
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    view = np.arange(views)[:, None]
    at = view, np.clip(rows, 0, size - 1), np.clip(columns, 0, size - 1)
    apart = np.linalg.norm(shown[at] - points, axis=-1)  # not a number in the background
    near = apart <= SEEN + WINDOW / size  # a pixel is as wide
    return np.where(inside & near, heat[at], np.nan)


@lru_cache(maxsize=1)
def _average_points() -> dict[str, np.ndarray]:
    known = average()
    landmarks = dict(zip(known["names"].tolist(), known["landmarks"], strict=True))
    return region_points(landmarks, Pose(np.eye(3), np.zeros(3)))
