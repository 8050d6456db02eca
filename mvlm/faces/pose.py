"""Where a face is: which way it looks, and the tip of its nose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mvlm.faces.mesh import Mesh

# mm down and forward from the eyes' middle to the nose tip of an upright adult face; its direction is used.
TIP_FROM_EYES = (-34.5, 36.0)
NOSE = 22.0  # mm around the nose's middle in which its tip is searched


class Pose(NamedTuple):
    """A rigid pose of a face in a mesh's coordinates.

    turn  (3, 3) rotation that makes the face upright and frontal
    tip   (3,) nose tip, mm
    """

    turn: np.ndarray
    tip: np.ndarray

    def of(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points of the mesh as the upright, frontal face has them, nose tip at the origin, mm."""
        return (points - self.tip) @ self.turn.T


def find_pose(mesh: Mesh) -> Pose:
    """The pose of a face.

    With landmarks it comes from what no expression moves: the centres of the eyes and the tip of the nose, which is
    searched on the surface because corpora mark noses differently.
    """
    left, right = (_mean(mesh.landmarks, f"{side} eye ", f"{side} eye corner") for side in ("left", "right"))
    nose = _mean(mesh.landmarks, "nose ", "nose tip")
    if left is None or right is None or nose is None:
        middle = np.median(mesh.vertices, axis=0)
        return Pose(np.eye(3), _foremost(mesh.vertices, np.eye(3), middle, 45.0))
    near = mesh.vertices[np.abs(mesh.vertices[:, 1] - nose[1]) < 2 * NOSE]
    near = near[np.abs(near[:, 0] - nose[0]) < 2 * NOSE]
    near = near if len(near) else mesh.vertices
    turn = _upright(left, right, nose)
    for _ in range(2):  # the foremost point depends a little on the pose
        tip = _foremost(near, turn, nose, NOSE)
        turn = _upright(left, right, tip)
    return Pose(turn, tip)


def _mean(landmarks: Mapping[str, np.ndarray], numbered: str, named: str) -> np.ndarray | None:
    """Centre of a group: points "<numbered><i>" of 83, or else those whose name ends in `named`; None without any."""
    points = [p for name, p in landmarks.items() if name.startswith(numbered) and name[len(numbered) :].isdigit()]
    points = points or [p for name, p in landmarks.items() if name.endswith(named)]
    return np.mean(points, axis=0) if points else None


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
