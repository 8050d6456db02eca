"""Where a face is: which way it looks, and the tip of its nose. From landmarks, or else by its shape.

*Upright and frontal* is defined by the four corners of the eyes and by subnasale, the point below the nose where it
meets the upper lip; neither the length of the nose nor its tip, lips or chin count:

- x runs through the eyes: from the middle of the right eye's corners to the middle of the left eye's;
- the direction from the middle of all four corners to subnasale, less its part along x, points `FORWARD` degrees to
  the front of straight down.

These 30 degrees are, to the nearest five, those of an adult's head in its natural position, Frankfurt horizontal
level: the soft tissue of the orbit's lower rim lies 19 mm (women) and 22 mm (men) behind the vertical through subnasale
(Arnett et al. 1999, Am J Orthod Dentofacial Orthop 116:239-253), the corners of the eyes about 5 mm further back (this
project's estimate), and subnasale some 44 mm below them (nasal height of 50 mm, Farkas 1994, less the 6 mm that nasion
lies above the corners). People differ about it, and so do face models, whose makers hold a face upright by eye.

No landmark set has subnasale, and what its points of the nose are called and where they lie differs. So it is searched
on the surface: in the middle plane, near the lowest points marked on the nose (or where the average face, laid upon a
face without landmarks, has it), the point deepest behind the line from the nose tip to the upper lip. The nose tip, the
origin of views, is the foremost place between the eyes and subnasale: never a lip, the chin or a brow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mvlm.faces.average import average
from mvlm.faces.mesh import Mesh
from mvlm.faces.registration import Laid, Patch, Pose, best_laid, foremost, front

FORWARD = 30.0  # degrees
MIDDLE = 12.0  # mm beside the middle plane in which the nose is searched
PROFILE = 4.5  # mm beside the middle plane that count as the profile
BELOW = {"nose peak": 4.0, "nose tip": 11.0}  # mm from these to subnasale; of 83 points the lowest lie level with it
LEVEL = 4.0  # mm above the lowest of a nose's points that count as lowest
ABOUT = 9.0  # mm above and below the place so found in which subnasale is
BEHIND = 4.0  # mm behind the lowest of 83 points in which it is; teeth between lips that are drawn up lie further back
LIP = (7.0, 20.0)  # mm below it in which the upper lip is foremost
HIDDEN = 5.0  # mm: behind points as near above and below by more than that is the inside of the mouth or the nose
FLAT = 1.0  # mm within the deepest that are averaged, as the deepest place of a profile is round
BRIDGE = 0.4  # of the way from the eyes to subnasale above which no tip of a nose is
LOWEST = -44.0  # mm from the eyes up to the lowest nose tip of a face without landmarks; lips begin at -52
CORNER = (4.0, 4.0, 12.0)  # mm across, up and forward from where an eye's corner should be: what lies there is it
WELL = 0.88  # share of the average face's points near a face; of most wrong fits it is less
SCALES = (0.9, 1.25)  # faces are no smaller and no larger than this beside the average one


class Marks(NamedTuple):
    """What tells where a face is, in a mesh's coordinates, mm.

    left, right  (3,) middle of the corners of an eye
    low          (3,) about where subnasale is: within 9 mm in height
    behind       how far subnasale may lie behind `low`; no bound where that is no place on the same level
    """

    left: np.ndarray
    right: np.ndarray
    low: np.ndarray
    behind: float = np.inf


def find_pose(mesh: Mesh) -> Pose:
    """The pose of a face, as the module defines it.

    With landmarks, those of the eyes tell their corners and those of the nose about where subnasale is. Without, the
    average upper face is laid upon the mesh and tells both. If it fits nowhere, the pose is taken as it is: frontal
    and upright, the foremost point the nose tip.
    """
    marks = marked(mesh.landmarks)
    if marks is None:
        marks = _by_shape(mesh.vertices)
    if marks is None:
        return Pose(np.eye(3), foremost(mesh.vertices, np.eye(3)))
    return align(mesh.vertices, marks)[0]


def align(vertices: np.ndarray, marks: Marks) -> tuple[Pose, np.ndarray]:
    """The pose of a face (V, 3) by its marks, and its subnasale (3,)."""
    middle = (marks.left + marks.right) / 2
    across = (marks.left - marks.right) / np.linalg.norm(marks.left - marks.right)
    nose = vertices - middle
    nose = nose[np.abs(nose @ across) < MIDDLE]
    low = marks.low - middle
    for _ in range(2):  # what is foremost depends a little on the pose
        turn = upright(across, low)
        height, depth = (turn @ low)[1:]
        low = _subnasale(nose @ turn.T, height, depth - marks.behind) @ turn
    turn = upright(across, low)
    return Pose(turn, middle + _tip(nose @ turn.T, turn @ low) @ turn), middle + low


def marked(landmarks: Mapping[str, np.ndarray]) -> Marks | None:
    """What landmarks tell; None if they do not have both eyes and the nose."""
    eyes = _corners(landmarks)
    if eyes is None:
        return None
    left, right = eyes
    across = (left - right) / np.linalg.norm(left - right)
    numbered = [p for name, p in landmarks.items() if name.startswith("nose ") and name[5:].isdigit()]
    if numbered:
        from_eyes = np.array(numbered) - (left + right) / 2
        down = from_eyes.mean(0) - (from_eyes.mean(0) @ across) * across
        depths = from_eyes @ (down / np.linalg.norm(down))
        return Marks(left, right, (left + right) / 2 + from_eyes[depths > depths.max() - LEVEL].mean(0), BEHIND)
    for ending, below in BELOW.items():
        points = [p for name, p in landmarks.items() if name.endswith(ending)]
        if points:
            nose = np.mean(points, axis=0)
            turn = upright(across, nose - (left + right) / 2)
            return Marks(left, right, nose - below * turn[1])
    return None


def _corners(landmarks: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """(2, 3) middles of the corners of the left and the right eye; None unless both eyes show the same corners.

    Of the eight points around an eye in their order, the corners are the two opposite ones that lie furthest apart:
    nothing says where files begin.
    """
    pairs = [
        [landmarks[name] for name in (f"{which} left eye corner", f"{which} right eye corner")]
        for which in ("outer", "inner")
        if f"{which} left eye corner" in landmarks and f"{which} right eye corner" in landmarks
    ]
    if pairs:
        return np.mean(pairs, axis=0)
    names = [[f"{side} eye {i}" for i in range(8)] for side in ("left", "right")]
    if not all(name in landmarks for ring in names for name in ring):
        return None
    opposite = np.array([[landmarks[name] for name in ring] for ring in names]).reshape(2, 2, 4, 3)
    wide = ((opposite[:, 0] - opposite[:, 1]) ** 2).sum(-1).argmax(1)
    return opposite.mean(1)[[0, 1], wide]


def upright(across: np.ndarray, low: np.ndarray) -> np.ndarray:
    """(3, 3) rotation to upright and frontal.

    across  (3,) unit vector from the right eye to the left one
    low     (3,) from the middle of the eyes' corners to subnasale
    """
    down = low - (low @ across) * across
    down /= np.linalg.norm(down)
    angle = np.radians(FORWARD)
    expected = np.array([0.0, -np.cos(angle), np.sin(angle)])
    wanted = np.stack([[1.0, 0.0, 0.0], expected, np.cross([1.0, 0.0, 0.0], expected)])
    return wanted.T @ np.stack([across, down, np.cross(across, down)])


def _subnasale(points: np.ndarray, height: float, deepest: float) -> np.ndarray:
    """(3,) subnasale on the surface: upright points (N, 3) from the eyes' middle, mm; `height` is about where it is,
    and it lies before `deepest`.

    Where holes leave too few points, their mean at that height is all there is to say.
    """
    x, y, z = points.T
    profile = points[(np.abs(x) < PROFILE) & (y > height - LIP[1]) & (y < BRIDGE * height)]
    profile = profile[~_hidden(profile)]
    x, y, z = profile.T
    nose, lip = profile[y > height + LEVEL], profile[y < height - LIP[0]]
    if len(nose) and len(lip):
        (_, up, front), (_, down, back) = (_most(part, part[:, 2], FLAT) for part in (nose, lip))
        between = profile[(np.abs(y - height) < ABOUT) & (y < up) & (y > down) & (z > deepest)]
        if len(between):
            # mm behind the line from the nose tip to the lip
            long = np.hypot(up - down, front - back)
            deep = ((up - down) * (back - between[:, 2]) + (front - back) * (between[:, 1] - down)) / long
            return _most(between, deep, FLAT)
    near = np.abs(y - height) < ABOUT
    return np.array([0.0, height, z[near].mean() if near.any() else -height * np.tan(np.radians(FORWARD))])


def _hidden(points: np.ndarray) -> np.ndarray:
    """(N,) which of (N, 3) points have others well before them a little above as well as a little below."""
    above, before = (points[None, :, axis] - points[:, None, axis] for axis in (1, 2))
    before = before > HIDDEN
    upper, lower = (before & (0 <= side * above) & (side * above <= HIDDEN) for side in (1, -1))
    return upper.any(1) & lower.any(1)


def _most(points: np.ndarray, scores: np.ndarray, within: float) -> np.ndarray:
    """(3,) mean of the points (N, 3) whose score is within that of the highest."""
    return points[scores > scores.max() - within].mean(0)


def _tip(points: np.ndarray, low: np.ndarray) -> np.ndarray:
    """(3,) nose tip: the middle of the foremost hundredth (at least eight) of upright points (N, 3) near the middle
    plane, between the eyes, whose middle is the origin, and subnasale `low` (3,). No single noisy point decides."""
    near = points[(points[:, 1] < BRIDGE * low[1]) & (points[:, 1] > low[1])]
    return np.median(front(near), axis=0) if len(near) else low


def _by_shape(vertices: np.ndarray) -> Marks | None:
    """What the average upper face tells, laid upon a face (V, 3); None if it fits nowhere."""
    known = average()
    laid = best_laid(Patch(known["points"], known["normals"]), vertices, np.eye(3), WELL, SCALES)
    return None if laid is None else _laid_marks(laid, vertices)


def _laid_marks(laid: Laid, vertices: np.ndarray) -> Marks:
    """Eyes and nose of a face (V, 3) upon which the average one lies.

    Faces differ in how deep their eyes lie and in how long their noses are, so the average one tells where the eyes'
    corners are as seen from the front, and which way that is; the rest is taken from the face itself.
    """
    seen = (vertices - laid.shift) @ laid.turn  # as the average face lies
    corners = laid.scale * average()["corners"]
    near = [seen[(np.abs(seen - corner) < CORNER).all(1), 2] - corner[2] for corner in corners]
    corners[:, 2] += np.mean([np.median(depths) for depths in near if len(depths)] or 0.0)
    left, right = corners[:2].mean(0), corners[2:].mean(0)
    middle = (left + right) / 2
    nose = seen - middle
    tip = _tip(nose[np.abs(nose[:, 0]) < MIDDLE], np.array([0.0, LOWEST, 0.0]))
    low = middle + tip - (0.0, BELOW["nose tip"], 0.0)
    left, right, low = np.array([left, right, low]) @ laid.turn.T + laid.shift
    return Marks(left, right, low)
