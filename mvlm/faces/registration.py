"""Laying a known part of a face upon another mesh: where the same part is there, and how large."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mvlm.faces.mesh import Mesh

UPPER = (-16.0, 75.0, 58.0)  # mm below, above and beside the nose tip: what neither the jaw nor the hair moves
POINTS, NEAR = 500, 3000  # points of the part that is laid, and of the face that it is laid upon
CENTRE = 45.0  # mm around a mesh's middle in which its foremost points are taken for the nose
REACH = 110.0  # mm around the nose tip in which a face is registered
STEPS = 25
APART = (25.0, 6.0, 0.8)  # mm that a pair of points may be apart: at first, at last, and how it shrinks by step
SETTLED = (5e-4, 0.05)  # radians and mm; smaller steps end it
NOISE = 0.5  # mm; no fit is better
RIGID = (1.0, 1.0)  # the scales of one and the same face
FITS, MISFIT = 0.72, 3.5  # share of points that find a partner, median distance in mm; beyond, it is no face as we know


def _about(axis: int, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.insert(np.insert(np.array([[c, -s], [s, c]]), axis, 0, 0), axis, np.eye(3)[axis], 1)


# Turns from which a registration starts: as expected, looking aside, looking up or down.
STARTS = (np.eye(3), _about(1, 30), _about(1, -30), _about(0, 20), _about(0, -20))


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


def normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit vertex normals of (V, 3) points, weighted by area; zero where no triangle meets."""
    from scipy.sparse import csc_array

    a, b, c = (points[triangles[:, k]] for k in range(3))
    (x1, y1, z1), (x2, y2, z2) = (b - a).T, (c - a).T
    face = np.column_stack([y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2])
    # Column t of the matrix has its ones at the corners of triangle t; a product adds up in a fixed order.
    ones, starts = np.ones(triangles.size, points.dtype), np.arange(0, triangles.size + 1, 3)
    total = csc_array((ones, triangles.ravel(), starts), shape=(len(points), len(triangles))) @ face
    return total / np.maximum(np.sqrt((total**2).sum(1, keepdims=True)), 1e-12)


class Patch(NamedTuple):
    """The upper half of a face, which neither the jaw nor the hair moves.

    points   (N, 3) mm, upright, nose tip at the origin
    normals  (N, 3)
    """

    points: np.ndarray
    normals: np.ndarray


def upper_face(mesh: Mesh, pose: Pose, count: int = POINTS) -> Patch:
    """At most `count` points of the upper half of a face whose pose is known."""
    points = pose.of(mesh.vertices)
    towards = normals(points, mesh.triangles)
    below, above, beside = UPPER
    upper = (points[:, 1] > below) & (points[:, 1] < above) & (abs(points[:, 0]) < beside) & (towards[:, 2] > 0.2)
    chosen = _some(np.flatnonzero(upper), count)
    return Patch(points[chosen], towards[chosen])


class Laid(NamedTuple):
    """How a patch lies on a face: its points p at `scale * p @ turn.T + shift` in the mesh's coordinates, mm.

    share  of its points, in [0, 1], that lie near the face
    """

    turn: np.ndarray
    shift: np.ndarray
    scale: float
    share: float


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
    tree = KDTree(near, balanced_tree=False, compact_nodes=False)
    turn, shift, scale = start.turn.T, start.tip.astype(float), 1.0
    for step in range(STEPS):
        moved, planes = scale * points @ turn.T + shift, towards @ turn.T
        apart, partner = tree.query(moved, distance_upper_bound=max(APART[0] * APART[2] ** step, APART[1]))
        paired = np.flatnonzero(np.isfinite(apart))
        if len(paired) < len(points) * FITS / 2:
            return None
        moved, planes = moved[paired], planes[paired]
        across = ((near[partner[paired]] - moved) * planes).sum(1)
        cut = 4.685 * max(1.4826 * np.median(np.abs(across)), NOISE)
        weights = np.where(np.abs(across) < cut, (1 - (across / cut) ** 2) ** 2, 0.0)
        middle = scale * points.mean(0) @ turn.T + shift
        (ax, ay, az), (px, py, pz) = (moved - middle).T, planes.T
        turning = (ay * pz - az * py, az * px - ax * pz, ax * py - ay * px)
        moves = np.stack([*turning, px, py, pz, ax * px + ay * py + az * pz])
        found = np.linalg.solve(moves * weights @ moves.T + 1e-6 * np.eye(7), moves * weights @ across)
        turned = Rotation.from_rotvec(found[:3]).as_matrix()
        grown = np.clip(scale * (1 + found[6]), *scales) / scale
        turn, scale = turned @ turn, scale * grown
        shift = turned @ (grown * (shift - middle)) + middle + found[3:6]
        if np.abs(found[:3]).max() < SETTLED[0] and np.abs(found[3:6]).max() < SETTLED[1]:
            break
    moved = scale * points @ turn.T + shift
    apart, partner = tree.query(moved, distance_upper_bound=APART[1])
    paired = np.isfinite(apart)
    across = np.abs(((near[partner[paired]] - moved[paired]) * (towards[paired] @ turn.T)).sum(1))
    share = float(paired.mean())
    return None if share < FITS or np.median(across) > MISFIT else Laid(turn, shift, scale, share)


def best_laid(
    patch: Patch, vertices: np.ndarray, turn: np.ndarray, well: float, scales: tuple[float, float] = RIGID
) -> Laid | None:
    """Lay a patch upon vertices (V, 3) as `lay` does, from starts about the `turn` (3, 3) of a `Pose`.

    The first fit is taken in which more than the share `well` of the points lie near the face, or else the best one.
    Those come last that shrink the patch as far as they may: upon a cheek it fits too.
    """
    best, rank = None, (False, 0.0)
    smallest = -1.0 if scales == RIGID else scales[0] + 0.01
    for start in STARTS:
        laid = lay(patch, vertices, Pose(start @ turn, foremost(vertices, start @ turn)), scales)
        if laid is not None and (laid.scale > smallest, laid.share) > rank:
            best, rank = laid, (laid.scale > smallest, laid.share)
        if rank > (True, well):
            break
    return best


def foremost(vertices: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(3,) about the nose tip: the middle of the foremost vertices once turned, near the mesh's middle."""
    centre = np.median(vertices, axis=0)
    turned = (vertices - centre) @ turn.T
    near = turned[(turned[:, :2] ** 2).sum(1) < CENTRE**2]
    return np.median(front(near if len(near) else turned), axis=0) @ turn + centre


def front(points: np.ndarray) -> np.ndarray:
    """The foremost hundredth (at least eight) of (N, 3) points. No single noisy one decides."""
    count = min(max(8, len(points) // 100), len(points))
    return points[np.argpartition(-points[:, 2], count - 1)[:count]]


def _some(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
