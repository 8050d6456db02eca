"""Two rows of teeth on arches behind the lips, with a groove between any two teeth."""

import numpy as np

TEETH = 8  # on each side of a row, to the second molar
POINTS = 3  # columns of vertices for each tooth
HEIGHTS = {"upper": (15.0, 9.0, 4.0, 0.0), "lower": (-18.0, -8.0, -4.0, 0.0)}  # mm from the biting edge to the gums
GROOVE, BULGE = 0.7, 0.6  # mm between teeth, and from biting edge and gum to the belly of a crown
BEHIND_LIPS = 2.0  # mm that the front teeth stay behind the inner edge of the lips
# An arch as a half ellipse to the second molars, mm: about the size of adults' arches; the numbers are ours.
HALF_WIDTH, DEPTH = {"upper": 30.0, "lower": 28.0}, {"upper": 42.0, "lower": 40.0}
OVERJET = 2.0  # mm that the lower incisors stand behind the upper ones


def row(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One row of teeth, the front of its biting edge at the origin.

    Args:
        name: "upper" or "lower".

    Returns:
        (N, 3) mm; (T, 3) triangles, fronts outwards; (N, 2) place across and up the row, in [0, 1].
    """
    columns = 2 * TEETH * POINTS + 1
    share = np.linspace(-1, 1, columns)  # of the arch, by number of teeth
    angle = np.radians(88) * share
    wide, deep = HALF_WIDTH[name], DEPTH[name]
    x, z = wide * np.sin(angle), deep * (np.cos(angle) - 1)
    out = np.column_stack([np.sin(angle) / wide, np.cos(angle) / deep])
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    groove = GROOVE * np.cos(np.pi * TEETH * share) ** 16  # teeth meet at whole shares, and in the middle
    heights = np.array(HEIGHTS[name])
    belly = BULGE * np.array([-1.0, 0.0, 1.0, -0.5])
    depth = belly[:, None] - groove * np.array([0.0, 0.5, 1.0, 1.0])[:, None]  # (rows, columns)
    points = np.stack(
        [x + depth * out[:, 0], np.broadcast_to(heights[:, None], depth.shape), z + depth * out[:, 1]], -1
    )
    grid = np.arange(points.shape[0] * columns).reshape(points.shape[:2])
    a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    strips = [np.stack([a, c, b], -1), np.stack([b, c, d], -1)]
    triangles = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    if name == "lower":  # its rows run upwards
        triangles = triangles[:, ::-1]
    up = (heights - heights.min()) / np.ptp(heights)
    across, up = np.meshgrid((share + 1) / 2, up)
    return points.reshape(-1, 3), triangles, np.column_stack([across.ravel(), up.ravel()])


def place(upper_edge: np.ndarray, lower_edge: np.ndarray, lips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the biting edges' fronts are.

    Args:
        upper_edge, lower_edge: (3,) mm, of MakeHuman's own teeth.
        lips: (3,) mm, where the lips' inner edges meet.

    Returns:
        (3,), (3,) mm of the upper and the lower row.
    """
    front = min(upper_edge[2], lips[2] - BEHIND_LIPS)
    upper = np.array([lips[0], upper_edge[1], front])
    lower = np.array([lips[0], max(lower_edge[1], upper_edge[1] - 1.0), front - OVERJET])
    return upper, lower
