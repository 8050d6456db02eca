"""Wrinkles that the targets lack: small displacements along the skin's normal, one field for each unit that makes any.

Which unit wrinkles where is the FACS manual's (Ekman, Friesen & Hager 2002); the depths, at most 1.6 mm at intensity 1
in a face of mean age, and the shapes are this project's own. Places are mm in the frontal plane of the average face,
nose tip at the origin.
"""

import numpy as np

DEEPER_WITH_AGE = 0.3  # exponent of the depth per standard deviation of age


def depths(points: np.ndarray) -> dict[int, np.ndarray]:
    """Unit -> (N,) mm out of the skin at intensity 1; `points` (N, 3) of the average face."""
    x, y, z = points.T
    side = abs(x)

    def bump(cx, cy, sx, sy):
        return np.exp(-0.5 * (((side - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))

    def along(start, stop, width, fade=5.0):
        """A soft ridge along a segment of either half, that fades out beyond its ends."""
        (px, py), (qx, qy) = start, stop
        length = np.hypot(qx - px, qy - py)
        ux, uy = (qx - px) / length, (qy - py) / length
        t = (side - px) * ux + (y - py) * uy
        off = -(side - px) * uy + (y - py) * ux
        beyond = np.maximum(np.maximum(-t, t - length), 0)
        return np.exp(-0.5 * ((off / width) ** 2 + (beyond / fade) ** 2))

    def lines(heights, bend, width):
        """Furrows across the forehead between slight swellings."""
        down = sum(np.exp(-0.5 * ((y - height - bend * side) / width) ** 2) for height in heights)
        return 0.35 - down

    fold = along((20, -6), (31, -24), 2.2, 4.0)  # from the wing of the nose round the corner of the mouth
    swelling = along((28, -4), (39, -20), 4.5, 6.0)
    rays = along((50, 40), (60, 41), 1.7, 4.0) + along((50, 36), (59, 30), 1.7, 4.0) + along((50, 44), (58, 51), 1.7, 4)
    return {
        1: 1.3 * bump(0, 80, 20, 11) * lines((70, 81, 92), 0.0, 2.4),
        2: 1.3 * bump(40, 80, 13, 11) * lines((68, 79, 90), 0.05, 2.4),
        4: -1.5 * along((6, 48), (5, 62), 1.8) + 1.0 * bump(12, 53, 4, 6) + 0.8 * bump(0, 54, 2.2, 8)
        - 0.8 * bump(0, 41, 8, 1.8),
        6: -0.9 * rays - 1.1 * along((24, 25), (47, 27), 2.0) + 1.3 * bump(38, 16, 12, 6),
        7: -0.6 * along((24, 29), (42, 30), 1.6) + 0.5 * bump(33, 33, 9, 2),
        9: -1.2 * along((3, 27), (12, 21), 1.6) - 1.2 * along((2, 34), (12, 29), 1.6)
        - 1.0 * along((9, 17), (15, 12), 1.6) + 0.8 * bump(0, 30.5, 5, 1.6) - 0.8 * fold + 0.6 * swelling,
        10: -1.3 * fold + 1.0 * swelling,
        11: -1.4 * along((24, -12), (31, -24), 2.2) + 0.8 * swelling,
        12: -0.5 * fold + 0.5 * swelling,  # the target has a fold of its own
        14: -1.6 * bump(29, -33, 2.4, 3.5) + 0.8 * along((34, -28), (34, -40), 2.4),
        15: -1.2 * along((27, -37), (31, -52), 2.0) + 1.0 * bump(26, -50, 4, 6),
        16: -0.8 * along((0, -50), (14, -50), 2.8),
        17: 1.0 * bump(0, -64, 12, 8) * (1 + 0.5 * np.cos(2 * np.pi * side / 8) * np.cos(2 * np.pi * (y + 64) / 8))
        - 1.3 * along((0, -50), (14, -51), 2.8),
        18: 0.3 * bump(0, -33, 14, 9) * np.cos(2 * np.pi * side / 8),
        20: -1.0 * along((33, -22), (36, -48), 2.0) - 0.7 * along((41, -24), (43, -48), 2.2),
        23: 0.9 * along((0, -20), (16, -22), 2.2) + 0.9 * along((0, -47), (14, -45), 2.2)
        + 0.3 * bump(0, -33, 14, 8) * np.cos(2 * np.pi * side / 8),
        24: 1.4 * along((0, -19.5), (18, -22), 2.4) + 1.6 * along((0, -47), (16, -45), 2.6)
        - 1.0 * along((27, -31), (30, -36), 2.0),
    }  # fmt: skip
