"""The action units of the parametric head: what each moves, and the wrinkles that it makes.

Directions and extents follow the FACS manual (Ekman, Friesen & Hager 2002). The full excursion of a unit (FACS level
E) is intensity 1; the jaw's turn and the eyelids, which are no sums of displacements, are in `head`.
"""

import numpy as np

from mvlm.twins.head.anatomy import MOUTH_HALF_WIDTH, MOUTH_Y, both, bump, lips, segment, smooth

PARTING = (9, 10, 16, 22, 25)  # units that part the lips; 26 and 27 turn the jaw
LOWERING = "4, the lowering"  # part of unit 4 that unit 1 overcomes


def jaw_share(x, y, lower):
    """(V,) share of the jaw's turn: 1 at the chin, none above the mouth, between at its corners."""
    corner, ax = 0.42, abs(x)
    # On the slit itself the lips open as an ellipse; a few millimetres away from it the skin follows more softly.
    open_lip = np.clip(1 - (ax / MOUTH_HALF_WIDTH) ** 2, 0, 1) ** 0.7
    beside = np.exp(-((np.maximum(ax - MOUTH_HALF_WIDTH, 0) / 28) ** 2))
    away = abs(y - MOUTH_Y)
    close, broad = np.exp(-((away / 9) ** 2)), np.exp(-((away / np.where(lower, 38, 30)) ** 2))
    soft = corner * beside * np.exp(-((np.maximum(MOUTH_HALF_WIDTH - ax, 0) / 16) ** 2))
    above = soft * broad + (corner * beside * (1 - open_lip) - soft) * close
    far = 1 - 0.95 * smooth(ax, 14, 104)
    soft = corner * beside + (1 - corner) * np.exp(-((ax / 20) ** 2))
    below = far + (soft - far) * broad + (corner * beside + (1 - corner) * open_lip - soft) * close
    return np.where(lower, below, above)


def mouth_draw(x, y):
    """(V,) share by which a wide opening of the jaw draws the mouth's corners in."""
    return bump(x, y, 0, MOUTH_Y - 6, 26, 18)


def unit_fields(x, y, lower, jitter):
    """What each action unit does at intensity 1, both halves together.

    Args:
        x, y: (V,) material coordinates, mm.
        lower: (V,) whether below the mouth's slit.
        jitter: () -> a factor around 1, by which a variant's muscles differ.

    Returns:
        displacements, action unit -> (V, 3) mm; wrinkles, action unit -> (V,) mm out of the skin.
    """
    ax, side = abs(x), np.sign(x)
    upper, lip = ~lower, lips(x)
    vermilion = np.clip(1 - (ax / (MOUTH_HALF_WIDTH + 2)) ** 2, 0, 1) ** 0.5 * np.exp(-0.5 * ((y - MOUTH_Y) / 6.5) ** 2)
    near = np.exp(-0.5 * ((y - MOUTH_Y) / 8.0) ** 2)
    moves, creases = {}, {}

    def corner(sx, sy):
        """Around the corners of the mouth."""
        return both(x, y, MOUTH_HALF_WIDTH + 1, MOUTH_Y, sx * jitter(), sy * jitter())

    def move(unit, dx=0.0, dy=0.0, dz=0.0):
        """Sideways (away from the midline), upwards, forwards."""
        field = moves.setdefault(unit, np.zeros((len(x), 3)))
        field += jitter() * np.column_stack([np.broadcast_to(np.asarray(v), x.shape) for v in (side * dx, dy, dz)])

    def crease(unit, depth):
        creases[unit] = creases.get(unit, 0.0) + jitter() * depth

    _brows_and_eyes(x, y, move, crease)
    _nose_and_cheeks(x, y, upper, move, crease)

    # The line of smiling lips is a bow: what the corners' pull does falls to the middle like a parabola.
    past = np.maximum(ax - MOUTH_HALF_WIDTH - 1, 0)
    pull = np.exp(-0.5 * (past / (12 * jitter())) ** 2 - 0.5 * ((y - MOUTH_Y) / (12 * jitter())) ** 2)
    pull *= np.minimum(ax / (MOUTH_HALF_WIDTH + 1), 1) ** 1.6
    thin = vermilion * np.clip(y - MOUTH_Y, -9, 9)
    move(12, dx=8.0 * pull, dy=10.5 * pull + 5.0 * both(x, y, 38, -8, 12, 13),
         dz=-4.5 * pull + 5.5 * both(x, y, 40, 2, 12, 11) - 1.4 * vermilion - 2.0 * muzzle_side(x, y))  # fmt: skip
    move(12, dy=-1.0 * vermilion * upper - 0.6 * vermilion * lower - 0.10 * thin)
    crease(12, 1.6 * fold(x, y) - 0.8 * segment(x, y, (34, -28), (37, -42), 2.4))
    move(14, dx=5.0 * corner(8, 8), dz=-3.5 * corner(6, 6) + 2.2 * both(x, y, 37, -36, 5, 9))
    crease(14, -1.6 * segment(x, y, (29, -30), (29.5, -41), 2.0))
    droop = corner(10, 9)
    move(15, dx=1.5 * droop, dy=-8.5 * droop - 1.5 * both(x, y, 32, -50, 8, 8),
         dz=-1.5 * corner(6, 6) + 2.4 * both(x, y, 33, -53, 7, 7))  # fmt: skip
    crease(15, -1.6 * segment(x, y, (29, -42), (33, -60), 2.4))
    low = both(x, y, 10, -44, 12, 9) * lower
    move(16, dy=-7.0 * low, dz=1.8 * low)
    crease(16, -1.0 * bump(x, y, 0, -54, 16, 2.6))
    boss = bump(x, y, 0, -66, 17, 10)
    move(17, dy=7.0 * boss + 4.5 * bump(x, y, 0, -44, 17, 8) * (0.4 + 0.6 * lower) + 2.4 * lip * near * upper,
         dz=4.2 * bump(x, y, 0, -66, 14, 8) + 3.2 * bump(x, y, 0, -41, 14, 6) - 1.5 * bump(x, y, 0, -54, 18, 4))
    crease(17, 0.7 * bump(x, y, 0, -68, 12, 8) * np.cos(0.62 * x) * np.cos(0.62 * (y + 68))
           - 1.2 * bump(x, y, 0, -56, 15, 2.4))  # fmt: skip
    muzzle = bump(x, y, 0, MOUTH_Y, 17, 13)
    move(18, dx=-0.42 * ax * both(x, y, 0, MOUTH_Y, 24, 13), dz=5.5 * muzzle)
    crease(18, 0.5 * vermilion * np.cos(2 * np.pi * x / 7.5))
    stretch = corner(13, 11)
    move(20, dx=10.5 * stretch, dy=-3.5 * corner(11, 9) - 0.22 * thin - 1.0 * vermilion * lower,
         dz=-3.5 * stretch - 1.8 * vermilion)  # fmt: skip
    crease(20, -1.6 * segment(x, y, (35, -24), (39, -54), 2.4) - 1.0 * segment(x, y, (43, -26), (46, -54), 2.4))
    move(22, dx=-0.30 * ax * both(x, y, 0, MOUTH_Y, 24, 13), dy=3.5 * lip * near * np.where(lower, -1, 1),
         dz=5.0 * muzzle)  # fmt: skip
    border = bump(x, y, 0, MOUTH_Y + 11, 18, 2.6) + bump(x, y, 0, MOUTH_Y - 12, 16, 2.8)
    move(23, dx=-4.0 * corner(11, 9), dy=-0.42 * thin, dz=-1.8 * vermilion)
    crease(23, 0.9 * border + 0.4 * vermilion * np.cos(2 * np.pi * x / 7.5))
    move(24, dy=-0.58 * thin, dz=-5.0 * vermilion + 2.0 * bump(x, y, 0, MOUTH_Y - 14, 18, 4.5))
    crease(24, 2.0 * border - 1.2 * segment(x, y, (28, -33), (31, -40), 2.2))
    move(25, dy=lip * near * np.where(lower, -4.0, 2.2), dz=-0.8 * vermilion)
    return moves, creases


def fold(x, y, width=2.6):
    """(V,) the nasolabial furrow (negative) and the cheek that swells above it (positive)."""
    run = smooth(abs(x), 12, 19)
    return 0.6 * segment(x, y, (26, -4), (39, -28), 4.5) - segment(x, y, (19, -6), (34, -33), width) * run


def muzzle_side(x, y):
    """(V,) beside the upper lip, which a smile draws flat over the teeth."""
    return both(x, y, 17, -28, 7, 7)


def _lines(y, first, length):
    """(V,) parallel lines across, crest at height `first`, narrow furrows between wide crests."""
    return 0.35 - np.abs(np.sin(np.pi * (y - first) / length + np.pi / 2)) ** 6 * 1.35


def _brows_and_eyes(x, y, move, crease):
    inner, outer = both(x, y, 13, 53, 11, 13), both(x, y, 42, 52, 13, 13)
    move(1, dy=9.0 * inner + 2.5 * bump(x, y, 0, 70, 20, 12), dz=1.0 * inner)
    crease(1, 1.9 * bump(x, y, 0, 76, 22, 13) * _lines(y, 75.0, 11.0))
    move(2, dy=9.0 * outer + 2.0 * both(x, y, 38, 70, 14, 12), dz=0.8 * outer)
    crease(2, 1.7 * both(x, y, 38, 77, 13, 13) * _lines(y - 0.06 * abs(x), 75.0, 11.0))
    brow = both(x, y, 20, 50, 15, 9)
    move(LOWERING, dy=-7.5 * brow)
    move(4, dx=-5.0 * np.minimum(abs(x) / 14, 1) * both(x, y, 14, 51, 9, 11),
         dz=2.2 * both(x, y, 13, 48, 7, 6) + 1.0 * brow)  # fmt: skip
    crease(4, 1.2 * both(x, y, 10, 53, 3.0, 9) - 1.9 * both(x, y, 5.0, 54, 2.2, 9) + 1.0 * bump(x, y, 0, 54, 2.6, 9)
           - 0.8 * bump(x, y, 0, 39, 9, 2.2))  # fmt: skip
    cheek = both(x, y, 38, 10, 14, 12)
    move(6, dy=6.0 * cheek - 0.8 * both(x, y, 44, 46, 10, 7), dz=4.0 * both(x, y, 38, 14, 13, 8.5))
    crease(6, -1.5 * segment(x, y, (23, 22), (48, 20), 2.4)
           - 1.5 * segment(x, y, (49, 34), (60, 33), 1.9) - 1.3 * segment(x, y, (49, 39), (60, 44), 1.9)
           - 1.3 * segment(x, y, (48, 29), (59, 22), 1.9))  # fmt: skip
    move(7, dy=1.5 * both(x, y, 31, 25, 13, 6), dz=1.4 * both(x, y, 31, 26, 13, 4))
    crease(7, -1.0 * segment(x, y, (21, 21), (42, 20.5), 2.0))
    move(43, dy=-1.0 * both(x, y, 30, 46, 15, 5))


def _nose_and_cheeks(x, y, upper, move, crease):
    snarl = both(x, y, 13, 6, 8, 13)
    move(9, dy=5.0 * snarl - 4.0 * both(x, y, 11, 48, 10, 9) + 3.5 * both(x, y, 14, -24, 11, 8) * upper,
         dx=-1.5 * np.minimum(abs(x) / 11, 1) * both(x, y, 11, 48, 9, 9) + 1.5 * both(x, y, 14, -4, 5, 5),
         dz=2.2 * both(x, y, 13, 9, 7, 9) + 1.8 * both(x, y, 25, 6, 7, 9))  # fmt: skip
    crease(9, 1.4 * bump(x, y, 0, 30, 10, 9) * np.sin(2 * np.pi * (y - 24) / 8.5) - 1.3 * segment(
        x, y, (9, 30), (14, 18), 2.2) - 1.0 * segment(x, y, (13, 31), (20, 21), 2.2) + 1.2 * fold(x, y))  # fmt: skip
    lift = both(x, y, 13, -28, 13, 9.5) * upper
    move(10, dy=8.0 * lift + 2.5 * both(x, y, 14, -4, 6, 6), dz=2.0 * lift + 2.4 * both(x, y, 28, -6, 9, 10))
    crease(10, 1.7 * fold(x, y))
    move(11, dy=2.5 * both(x, y, 18, -14, 8, 9), dz=1.8 * both(x, y, 27, -6, 9, 9))
    crease(11, 2.4 * fold(x, y, 2.2))
