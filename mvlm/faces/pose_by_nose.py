"""The alignment that the committed results were made with: upright by the tip of the nose. To be deleted.

The formula-faced twins and what the foundation learnt from keep it, byte for byte, until results are made anew; then
this file goes, with `average_by_nose.npz`, the field `by_nose` of a mesh and whatever reads it. Everything else is
aligned by `mvlm.faces.pose` and followed by `mvlm.faces.tracking`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from mvlm.faces.mesh import Mesh
from mvlm.faces.registration import Laid, Patch, Pose, normals

# mm down and forward from the eyes' middle to the nose tip of an upright adult face; its direction is used.
TIP_FROM_EYES = (-34.5, 36.0)
NOSE = 22.0  # mm around the nose's middle in which its tip is searched
# Registration without landmarks
UPPER = (-10.0, 70.0, 58.0)  # mm below, above and beside the nose tip: what neither the jaw nor the hair moves
POINTS, NEAR = 500, 3000  # points of the average face, and of the face that is registered
REACH = 110.0  # mm around the nose tip in which a face is registered
STEPS = 25
APART = (25.0, 6.0, 0.8)  # mm that a pair of points may be apart: at first, at last, and how it shrinks by step
NOISE = 0.5  # mm; no fit is better
SCALES = (0.9, 1.25)  # faces are no smaller and no larger than this beside the average one
RIGID = (1.0, 1.0)  # the scales of one and the same face
FITS, MISFIT = 0.72, 3.5  # share of points that find a partner, median distance in mm; beyond, it is no face as we know


def _about(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.insert(np.insert(np.array([[c, -s], [s, c]]), axis, 0, 0), axis, np.eye(3)[axis], 1)


# Poses from which the registration starts: frontal, looking aside, looking up or down; the first that fits is taken.
STARTS = (np.eye(3), _about(1, 30), _about(1, -30), _about(0, 20), _about(0, -20))


def find_pose(mesh: Mesh) -> Pose:
    """The pose of a face.

    With landmarks it comes from what no expression moves: the centres of the eyes and the tip of the nose, which is
    searched on the surface because corpora mark noses differently.

    Without landmarks the upper half of the average head is registered to the face, and tells where its eyes are. On
    200 faces of an independent model this came within 1.8 degrees of the pose by landmarks (median; 90 % within 4.6,
    all within 8) and within 1.5 mm (90 %), turned by a further 10 degrees or not; taken as they were, they were off by
    6 degrees (median; 90 % within 10). Beyond about 30 degrees it may fail. If nothing fits, the pose is taken as it
    is, frontal and upright.
    """
    left, right = (eye_centre(mesh.landmarks, side) for side in ("left", "right"))
    nose = _mean(mesh.landmarks, "nose ", "nose tip")
    if left is None or right is None or nose is None:
        guesses = [_foremost(mesh.vertices, start, np.median(mesh.vertices, axis=0), 45.0) for start in STARTS]
        tries = (_register(mesh.vertices, Pose(*start)) for start in zip(STARTS, guesses, strict=True))
        found = next((marks for marks in tries if marks is not None), None)
        if found is None:
            return Pose(np.eye(3), guesses[0])
        left, right, nose = found
    near = mesh.vertices[np.abs(mesh.vertices[:, 1] - nose[1]) < 2 * NOSE]
    near = near[np.abs(near[:, 0] - nose[0]) < 2 * NOSE]
    near = near if len(near) else mesh.vertices
    turn = _upright(left, right, nose)
    for _ in range(2):  # the foremost point depends a little on the pose
        tip = _foremost(near, turn, nose, NOSE)
        turn = _upright(left, right, tip)
    return Pose(turn, tip)


def eye_centre(landmarks: Mapping[str, np.ndarray], side: str) -> np.ndarray | None:
    """(3,) centre of the "left" or "right" eye by its landmarks; None without any."""
    return _mean(landmarks, f"{side} eye ", f"{side} eye corner")


def _mean(landmarks: Mapping[str, np.ndarray], numbered: str, named: str) -> np.ndarray | None:
    """Centre of a group: points "<numbered><i>" of 83, or else those whose name ends in `named`; None without any."""
    points = [p for name, p in landmarks.items() if name.startswith(numbered) and name[len(numbered) :].isdigit()]
    points = points or [p for name, p in landmarks.items() if name.endswith(named)]
    return np.mean(points, axis=0) if points else None


def upper_face(mesh: Mesh, pose: Pose) -> Patch:
    """At most `POINTS` points of the upper half of a face whose pose is known."""
    points = pose.of(mesh.vertices)
    towards = normals(points, mesh.triangles)
    below, above, beside = UPPER
    upper = (points[:, 1] > below) & (points[:, 1] < above) & (abs(points[:, 0]) < beside) & (towards[:, 2] > 0.2)
    chosen = _some(np.flatnonzero(upper), POINTS)
    return Patch(points[chosen], towards[chosen])


def lay(patch: Patch, vertices: np.ndarray, start: Pose, scales: tuple[float, float] = RIGID) -> Laid | None:
    """Lay the upper half of a face upon the vertices (V, 3) of a mesh from a guess of its pose; None if it fits badly.

    Iterated closest points, from points of the patch to planes (Chen & Medioni 1992), with Tukey's weights, so that
    hair, holes and expressions are left out; and with a scale within bounds, so that a large face is not a near one.
    """
    from scipy.spatial import KDTree
    from scipy.spatial.transform import Rotation

    points, towards = patch
    near = vertices[((vertices - start.tip) ** 2).sum(1) < REACH**2]
    if len(points) == 0 or len(near) == 0:
        return None
    near = _some(near, NEAR)
    tree = KDTree(near)
    turn, shift, scale = start.turn.T, start.tip.astype(float), 1.0
    for step in range(STEPS):
        moved, planes = scale * points @ turn.T + shift, towards @ turn.T
        apart, partner = tree.query(moved)
        across = ((near[partner] - moved) * planes).sum(1)
        paired = apart < max(APART[0] * APART[2] ** step, APART[1])
        if paired.sum() < len(points) * FITS / 2:
            return None
        cut = 4.685 * max(1.4826 * np.median(np.abs(across[paired])), NOISE)
        weights = np.where(paired & (np.abs(across) < cut), (1 - (across / cut) ** 2) ** 2, 0.0)
        middle = scale * points.mean(0) @ turn.T + shift
        arms = moved - middle
        moves = np.column_stack([np.cross(arms, planes), planes, (arms * planes).sum(1)])
        weighted = moves * weights[:, None]
        found = np.linalg.solve(weighted.T @ moves + 1e-6 * np.eye(7), weighted.T @ across)
        turned = Rotation.from_rotvec(found[:3]).as_matrix()
        grown = np.clip(scale * (1 + found[6]), *scales) / scale
        turn, scale = turned @ turn, scale * grown
        shift = turned @ (grown * (shift - middle)) + middle + found[3:6]
        if np.abs(found[:3]).max() < 2e-4 and np.abs(found[3:6]).max() < 0.03:
            break
    moved = scale * points @ turn.T + shift
    apart, partner = tree.query(moved)
    across = np.abs(((near[partner] - moved) * (towards @ turn.T)).sum(1))
    if (apart < APART[1]).mean() < FITS or np.median(across) > MISFIT:
        return None
    return Laid(turn, shift, scale, 1.0)


@lru_cache(maxsize=1)
def average() -> dict[str, np.ndarray]:
    """The average face in the pose of this file: arrays as of `mvlm.faces.average`, but marks (3, 3), the third of
    which is the nose tip."""
    with np.load(Path(__file__).with_name("average_by_nose.npz")) as file:
        return dict(file)


class Track:
    """Follows one face, as `mvlm.faces.tracking.Track`."""

    def __init__(self) -> None:
        self._patch: Patch | None = None  # of the first frame

    def __call__(self, mesh: Mesh) -> Pose:
        """The pose of a frame, from its own `find_pose`, or else from where the frame before was."""
        own = find_pose(mesh)
        if self._patch is None:
            self._patch, self._last = upper_face(mesh, own), own
            return own
        tries = (lay(self._patch, mesh.vertices, start) for start in (own, self._last))
        laid = next((found for found in tries if found is not None), None)
        if laid is not None:
            self._last = Pose(laid.turn.T, laid.shift)
        return self._last


def _some(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def _register(vertices: np.ndarray, start: Pose) -> np.ndarray | None:
    """(3, 3) left eye, right eye and nose tip of a face (V, 3) from a guess of its pose, or None if nothing fits."""
    known = average()
    laid = lay(Patch(known["points"], known["normals"]), vertices, start, SCALES)
    return None if laid is None else laid.scale * known["marks"] @ laid.turn.T + laid.shift


def _upright(left: np.ndarray, right: np.ndarray, tip: np.ndarray) -> np.ndarray:
    """(3, 3) rotation that levels the eyes and puts the nose tip where an upright face has it."""
    across = (left - right) / np.linalg.norm(left - right)
    down = tip - (left + right) / 2
    down = down - (down @ across) * across
    down /= np.linalg.norm(down)
    expected = np.array([0.0, *TIP_FROM_EYES]) / np.hypot(*TIP_FROM_EYES)
    wanted = np.stack([[1.0, 0.0, 0.0], expected, np.cross([1.0, 0.0, 0.0], expected)])
    return wanted.T @ np.stack([across, down, np.cross(across, down)])


def _foremost(points: np.ndarray, turn: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """(3,) middle, in the points' coordinates, of the foremost hundredth (at least eight) of (N, 3) points.

    Foremost once turned; of those within `radius` mm of `centre` across the view. No single noisy point decides.
    """
    turned = (points - centre) @ turn.T
    near = turned[(turned[:, :2] ** 2).sum(1) < radius**2]
    near = near if len(near) else turned
    count = min(max(8, len(near) // 100), len(near))
    return np.median(near[np.argpartition(-near[:, 2], count - 1)[:count]], axis=0) @ turn + centre
