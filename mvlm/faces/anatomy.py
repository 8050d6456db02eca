"""The tissue of the parametric head: one fixed grid of skin, the average face on it, what traits and action units move.

Every field is written on *material* coordinates `(x, y)`: mm in the frontal plane of the average face, nose tip at
their origin, so that an action unit moves the same tissue in every identity.

Positions come from average adult anthropometry (Farkas 1994: inner canthi 32 mm, outer canthi 90 mm, mouth 51 mm, nose
35 mm wide, face 140 mm wide), directions and extents of the action units from the FACS manual (Ekman, Friesen & Hager
2002). The full excursion of a unit (FACS level E) is intensity 1.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

LOWERING = "4, the lowering"  # part of unit 4 that unit 1 overcomes
EYE = np.array([31.0, 34.0])  # centre of the left eye, mm
EYE_HALF_WIDTH = 14.0
LID = (5.8, 4.6)  # half openings of the upper and the lower lid at rest, mm
MOUTH_Y, MOUTH_HALF_WIDTH = -35.0, 25.5
JAW_HINGE = np.array([18.0, -5.0])  # y, z of the temporomandibular joints

# Anatomical traits: standard deviations in mm (or as a share where marked), one Gaussian each.
SHAPE = {
    "width": 0.045, "height": 0.04, "jaw width": 0.06, "chin length": 3.5, "chin depth": 3.0, "eye distance": 1.6,
    "eye size": 0.08, "eye depth": 1.6, "brow ridge": 1.6, "brow height": 2.0, "nose length": 2.6, "nose depth": 2.4,
    "nose width": 2.0, "nose bridge": 1.6, "cheekbone": 2.0, "cheek": 2.4, "mouth width": 2.0, "mouth depth": 1.6,
    "upper lip": 0.22, "lower lip": 0.22, "forehead": 2.6, "folds": 0.7,
}  # fmt: skip
COLOUR = ("tone", "warmth", "flush", "freckles", "beard", "brows", "hair", "iris")  # of the skin's picture
TRAITS = (*SHAPE, "age", "sex", *COLOUR)  # names of all standard scores of a person


@dataclass(frozen=True)
class Template:
    """The skin's grid and what moves it; V skin vertices."""

    x: np.ndarray  # (V,) material coordinates, mm
    y: np.ndarray
    triangles: np.ndarray  # (T, 3)
    upper_lip: np.ndarray  # (V,) bool: the upper, the lower edge of the mouth's slit
    lower_lip: np.ndarray
    lids: tuple  # per eye (left, right): vertices near it, +-1 above or below, share of opening, the eyeball's hold
    jaw: np.ndarray  # (V,) share of the jaw's turn
    units: dict  # action unit -> (2, V, 3) displacement of the subject's left and right half at intensity 1, mm
    traits: dict  # trait -> (V, 3) displacement at one standard deviation, mm
    rest: np.ndarray  # (V, 3) the average face, lids and lips closed, mm
    landmarks: dict  # name -> vertex


def _rows(*segments):
    """Monotone coordinates: segments of (start, stop, count), the last stop included."""
    parts = [np.linspace(start, stop, count, endpoint=False) for start, stop, count in segments]
    return np.concatenate([*parts, [segments[-1][1]]])


def _grid():
    half = _rows((0, 11, 5), (11, 47, 15), (47, 72, 6), (72, 96, 3))  # arc length from the midline, mm
    columns = np.concatenate([-half[:0:-1], half])
    upper = _rows(
        (112, 62, 10), (62, 46, 6), (46, EYE[1], 6), (EYE[1], 22, 6), (22, -8, 9), (-8, -22, 6), (-22, MOUTH_Y, 7)
    )
    lower = _rows((MOUTH_Y, -49, 7), (-49, -84, 10), (-84, -97, 3))
    rows = np.concatenate([upper, lower[1:]])
    eye_row, mouth_row = int(np.argmin(abs(rows - EYE[1]))), len(upper) - 1
    shape = (len(rows), len(columns))
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    x, y = np.meshgrid(columns, rows)
    x, y, lower_side = x.ravel(), y.ravel(), (y < MOUTH_Y - 1e-9).ravel()

    # A slit doubles the inner vertices of its row: the copies belong to the quads below it.
    below, lid_copies = index.copy(), {}
    for name, row, inside in (
        ("left", eye_row, abs(columns - EYE[0]) < EYE_HALF_WIDTH),
        ("right", eye_row, abs(columns + EYE[0]) < EYE_HALF_WIDTH),
        ("mouth", mouth_row, abs(columns) < MOUTH_HALF_WIDTH),
    ):
        copies = len(x) + np.arange(inside.sum())
        lid_copies[name] = (index[row, inside], copies)
        below[row, inside] = copies
        x, y = np.append(x, columns[inside]), np.append(y, np.full(inside.sum(), rows[row]))
        lower_side = np.append(lower_side, np.full(inside.sum(), name == "mouth"))
    top, bottom = below[:-1], index[1:]  # the quad below a slit row starts at the copies
    a, b, c, d = top[:, :-1], top[:, 1:], bottom[:, :-1], bottom[:, 1:]
    triangles = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return x, y, lower_side, triangles.astype(np.int32), lid_copies


def bump(x, y, cx, cy, sx, sy, power=2.0):
    """(V,) a bump of height 1 at (cx, cy) with widths (sx, sy), mm."""
    return np.exp(-0.5 * (abs((x - cx) / sx) ** power + abs((y - cy) / sy) ** power))


def _both(x, y, cx, cy, sx, sy, power=2.0):
    """The same bump on either side of the midline."""
    return bump(abs(x), y, cx, cy, sx, sy, power)


def _segment(x, y, start, stop, width):
    """A soft ridge along the segment start-stop of the left half (mirrored for x < 0)."""
    px, py = abs(x) - start[0], y - start[1]
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    t = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0, 1)
    return np.exp(-0.5 * ((px - t * dx) ** 2 + (py - t * dy) ** 2) / width**2)


def smooth(value, low, high):
    """0 below `low`, 1 above `high`, a smooth step between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _average(x, y):
    """(V, 3) the average face at rest, lids and lips closed on their slits."""
    knots = [-100, -92, -80, -70, -55, -35, -15, 10, 35, 55, 75, 95, 112]
    half_width = PchipInterpolator(knots, [38, 47, 54, 59, 65, 71, 75, 77, 76.5, 76, 75, 72, 66])(y)
    depth = PchipInterpolator(knots, [42, 52, 60, 63, 67, 72, 76, 78, 78.5, 79.5, 81, 78, 69])(y)
    angle = x / 76.0  # arc length over the mean radius
    px, pz = half_width * np.sin(angle), depth * np.cos(angle) + 4.0
    z = np.zeros_like(x)
    ax = abs(x)
    # Nose: bridge widening to the tip, wings, a step down to the upper lip.
    along = np.clip((38 - y) / 38, 0, 1)
    width = 5.0 + 3.6 * along**1.5
    tip = 3.0 * np.exp(-((ax / 6.0) ** 2))  # the tip hangs below the wings' upper rim
    bridge = (3.0 + 15.5 * along**1.25) * smooth(y + tip, -13.5, -1.0) * (1 - smooth(y, 36, 50))
    z += bridge * np.exp(-0.5 * (ax / width) ** 2.0)
    z += (
        4.0 * bump(x, y, 0, 0.5, 7.5, 6.5)
        + 7.0 * _both(x, y, 12.5, -5.5, 4.3, 4.6)
        - 3.0 * _both(x, y, 6.5, -12.0, 2.8, 2.2)
    )
    z -= 1.2 * _both(x, y, 20.5, -4, 3.0, 8)
    # Eye sockets, brow ridge, lids' fold, cheekbones, temples.
    z -= 6.5 * _both(x, y, 29, 34, 14, 9.5, 2.4) + 4.0 * _both(x, y, 15, 35, 5.5, 9)
    z += 3.0 * _both(x, y, 26, 51, 17, 6.0) + 1.5 * bump(x, y, 0, 52, 11, 6)
    z += 4.5 * _both(x, y, 46, 12, 13, 12) - 2.0 * _both(x, y, 44, -30, 13, 20) - 3.0 * _both(x, y, 66, 50, 10, 18)
    # Muzzle, philtrum, lips, chin.
    z += 4.5 * bump(x, y, 0, -33, 21, 17) - 0.9 * bump(x, y, 0, -22, 2.2, 5) + 0.6 * _both(x, y, 5, -22, 2.2, 5)
    lip = np.clip(1 - (ax / (MOUTH_HALF_WIDTH + 1)) ** 2, 0, 1) ** 0.75
    up = y - MOUTH_Y
    z += lip * np.interp(
        up, [-16, -12, -8, -4, -1.2, 0, 1.2, 3.6, 7, 10, 14], [0, -2.4, -0.6, 4.2, 2.8, 0.4, 2.6, 3.8, 2.4, 0.4, 0]
    )
    z -= 1.6 * _both(x, y, MOUTH_HALF_WIDTH + 1, MOUTH_Y, 4.5, 4.5)
    z -= 0.9 * _segment(x, y, (19, -8), (34, -38), 3.2) * smooth(ax, 12, 20)
    z += 6.5 * bump(x, y, 0, -76, 15, 10) - 2.0 * bump(x, y, 0, -54, 16, 4.5)
    short = np.where(y < MOUTH_Y, MOUTH_Y + 0.9 * (y - MOUTH_Y), y)
    return np.column_stack([px, short, pz + z])


def _lips(x):
    """Share of the lips' opening at material x: 1 at the midline, 0 at the corners."""
    return np.clip(1 - (abs(x) / MOUTH_HALF_WIDTH) ** 2, 0, 1) ** 0.7


def _jaw_weight(x, y, lower):
    corner, ax = 0.42, abs(x)
    outside = corner * np.exp(-(((ax - MOUTH_HALF_WIDTH) / 28) ** 2))
    share = np.clip(ax / MOUTH_HALF_WIDTH, 0, 1) ** 3
    above = np.where(ax < MOUTH_HALF_WIDTH, corner * share, outside) * np.exp(-(((y - MOUTH_Y) / 22) ** 2))
    far = 1 - 0.9 * smooth(ax, 28, 92)
    edge = np.where(ax < MOUTH_HALF_WIDTH, 1 - (1 - corner) * share, outside)
    below = far + (edge - far) * np.exp(-(((MOUTH_Y - y) / 26) ** 2))
    return np.where(lower, below, above)


def _unit_fields(x, y, lower, jitter):
    """Action unit -> (V, 3) displacement of both halves at intensity 1, mm; `jitter` () -> a factor around 1."""
    ax, side = abs(x), np.sign(x)
    upper, lip = ~lower, _lips(x)
    corner = lambda sx=9.0, sy=9.0: _both(x, y, MOUTH_HALF_WIDTH + 1, MOUTH_Y, sx * jitter(), sy * jitter())  # noqa: E731
    furrow = _segment(x, y, (18, -5), (35, -36), 2.8 * jitter()) * smooth(ax, 11, 18)
    near = np.exp(-0.5 * ((y - MOUTH_Y) / 8.0) ** 2)
    vermilion = np.clip(1 - (ax / (MOUTH_HALF_WIDTH + 2)) ** 2, 0, 1) ** 0.5 * np.exp(-0.5 * ((y - MOUTH_Y) / 6.5) ** 2)
    lines = lambda length, phase=0.0: np.sin(2 * np.pi * (y - 60) / length + phase)  # noqa: E731
    fields = {}

    def move(unit, dx=0.0, dy=0.0, dz=0.0):
        """Sideways (away from the midline), upwards, forwards."""
        field = fields.setdefault(unit, np.zeros((len(x), 3)))
        field += jitter() * np.column_stack([np.broadcast_to(np.asarray(v), x.shape) for v in (side * dx, dy, dz)])

    inner, outer = _both(x, y, 13, 53, 11, 13), _both(x, y, 42, 52, 13, 13)
    move(1, dy=9.0 * inner, dz=1.0 * inner + 1.3 * bump(x, y, 0, 74, 24, 12) * lines(10.0))
    move(2, dy=9.0 * outer, dz=0.8 * outer + 1.1 * _both(x, y, 40, 74, 15, 12) * lines(10.0, 0.6))
    brow = _both(x, y, 20, 50, 15, 10)
    move(LOWERING, dy=-7.5 * brow)
    move(4, dx=-5.0 * _both(x, y, 14, 51, 9, 11),
         dz=3.2 * _both(x, y, 12, 48, 7, 6) - 2.2 * _both(x, y, 4.5, 54, 2.2, 9) + 1.2 * bump(x, y, 0, 54, 2.2, 9)
         + 1.0 * brow)  # fmt: skip
    cheek = _both(x, y, 38, 10, 14, 13)
    move(6, dy=6.0 * cheek, dz=4.5 * _both(x, y, 38, 14, 13, 9) - 1.6 * _segment(x, y, (24, 22), (50, 22), 2.6)
         - 1.0 * _both(x, y, 54, 32, 5, 9) * np.sin(2 * np.pi * y / 7.0))  # fmt: skip
    move(7, dy=1.5 * _both(x, y, 31, 25, 13, 6), dz=1.2 * _both(x, y, 31, 26, 13, 4))
    snarl = _both(x, y, 13, 6, 8, 14)
    move(9, dy=5.0 * snarl - 4.0 * _both(x, y, 11, 48, 10, 9) + 3.5 * _both(x, y, 14, -24, 11, 8) * upper,
         dx=-1.5 * _both(x, y, 11, 48, 9, 9) + 1.5 * _both(x, y, 14, -4, 5, 5),
         dz=2.6 * _both(x, y, 12, 10, 8, 10) + 1.8 * _both(x, y, 7, 26, 8, 10) * np.sin(2 * np.pi * (y - 24) / 8.5)
         + 2.0 * _both(x, y, 24, 6, 7, 9) - 2.2 * furrow)  # fmt: skip
    lift = _both(x, y, 13, -28, 13, 9.5) * upper
    move(
        10,
        dy=8.0 * lift + 2.5 * _both(x, y, 14, -4, 6, 6),
        dz=2.0 * lift + 3.0 * _both(x, y, 27, -8, 9, 10) - 2.4 * furrow,
    )
    move(11, dy=2.0 * _both(x, y, 18, -14, 8, 9), dz=2.2 * _both(x, y, 27, -8, 9, 9) - 2.4 * furrow)
    pull = corner(12, 11)
    move(12, dx=9.5 * pull, dy=11.5 * pull + 4.5 * _both(x, y, 38, -6, 13, 14),
         dz=-6.0 * pull + 6.0 * _both(x, y, 40, 0, 12, 12) - 2.2 * furrow - 1.6 * vermilion)  # fmt: skip
    fields[12][:, 1] -= 1.5 * vermilion * upper - 1.0 * vermilion * lower
    move(14, dx=4.0 * corner(8, 7), dz=-4.0 * corner(6, 6) + 2.0 * _both(x, y, 36, -36, 4, 8))
    droop = corner(10, 9)
    move(
        15,
        dx=1.5 * droop,
        dy=-8.5 * droop,
        dz=-2.0 * corner(6, 6) + 2.2 * _both(x, y, 27, -53, 7, 7) - 1.6 * _segment(x, y, (28, -42), (33, -60), 2.6),
    )
    low = _both(x, y, 10, -44, 12, 9) * lower
    move(16, dy=-7.0 * low, dz=1.5 * low)
    boss = bump(x, y, 0, -64, 17, 11)
    move(17, dy=7.0 * boss + 4.0 * bump(x, y, 0, -44, 17, 8) * (0.4 + 0.6 * lower) + 2.2 * lip * near * upper,
         dz=4.5 * bump(x, y, 0, -66, 14, 8) + 3.0 * bump(x, y, 0, -41, 14, 6) - 2.5 * bump(x, y, 0, -53, 18, 4)
         + 0.7 * bump(x, y, 0, -67, 12, 8) * np.cos(0.57 * x) * np.cos(0.57 * (y + 67)))  # fmt: skip
    muzzle = bump(x, y, 0, MOUTH_Y, 17, 13)
    move(18, dx=-0.42 * ax * _both(x, y, 0, MOUTH_Y, 24, 13), dz=8.0 * muzzle)
    stretch = corner(14, 11)
    move(
        20,
        dx=11.0 * stretch,
        dy=-3.5 * corner(11, 9),
        dz=-4.5 * stretch - 1.8 * vermilion - 1.4 * _segment(x, y, (34, -24), (38, -52), 3.0),
    )
    fields[20][:, 1] -= 1.8 * vermilion * upper - 1.8 * vermilion * lower
    move(
        22,
        dx=-0.30 * ax * _both(x, y, 0, MOUTH_Y, 24, 13),
        dy=3.5 * lip * near * np.where(lower, -1, 1),
        dz=7.0 * muzzle,
    )
    thin = vermilion * (y - MOUTH_Y)
    move(23, dx=-1.5 * corner(8, 8), dy=-0.45 * thin, dz=-2.6 * vermilion + 1.0 * bump(x, y, 0, MOUTH_Y + 12, 18, 3.5))
    move(
        24,
        dy=-0.60 * thin,
        dz=-4.2 * vermilion + 2.0 * bump(x, y, 0, MOUTH_Y + 11, 20, 3.5) + 2.0 * bump(x, y, 0, MOUTH_Y - 11, 18, 4.0),
    )
    move(25, dy=lip * near * np.where(lower, -4.0, 2.2), dz=-0.8 * vermilion)
    return fields


@lru_cache(maxsize=8)
def template(variant):
    """The `Template` of the average head (None), or of a variant: another sculptor's face with other muscles."""
    x, y, lower, triangles, copies = _grid()
    rng = np.random.default_rng(variant)
    jitter = (lambda: 1.0) if variant is None else (lambda: float(np.exp(rng.normal(0, 0.22))))
    wx, wy = x, y
    if variant is not None:  # another sculptor: features elsewhere by a few mm (the mouth's height stays on its slit)
        wx = x * np.exp(rng.normal(0, 0.05))
        wy = y + rng.normal(0, 2.0) * (1 - np.exp(-(((y - MOUTH_Y) / 15) ** 2)))
    rest = _average(wx, wy)
    rest[:, :2] += _average(x, y)[:, :2] - rest[:, :2]  # the sculptor moves depth, not the outline
    if variant is not None:  # and deeper or flatter than the plain skull below them
        rest[:, 2] += (rest[:, 2] - _plain_depth(x, y)) * rng.normal(0, 0.12)
    left, right = smooth(x, -6, 6)[:, None], smooth(-x, -6, 6)[:, None]
    half = {unit: np.stack([f * left, f * right]) for unit, f in _unit_fields(wx, wy, lower, jitter).items()}
    lids = []
    for name, sign in (("left", 1), ("right", -1)):
        across, above_slit = sign * x - EYE[0], y - EYE[1]
        below = np.isin(np.arange(len(x)), copies[name][1]) | (above_slit < -1e-9)
        share = np.clip(1 - (across / EYE_HALF_WIDTH) ** 2, 0, 1) ** 0.75 * np.exp(-((above_slit / 6.3) ** 2))
        hold = np.exp(-((across / (EYE_HALF_WIDTH + 3)) ** 6) - (above_slit / 4.5) ** 2)
        near = np.flatnonzero((abs(across) < 22) & (abs(above_slit) < 15))
        lids.append((near, np.where(below, -1.0, 1.0)[near], share[near], hold[near]))
    mouth = np.zeros(len(x), bool)
    mouth[np.concatenate(copies["mouth"])] = True
    return Template(x, y, triangles, mouth & ~lower, mouth & lower, tuple(lids), _jaw_weight(x, y, lower), half,
                    _trait_fields(x, y, lower), rest, _landmarks(x, y, copies))  # fmt: skip


def _plain_depth(x, y):
    """Depth of the skull without features (V,), to deepen or flatten features in a variant."""
    return np.interp(y, [-102, -80, -35, 35, 75, 112], [50, 68, 76, 82, 82, 62]) * np.cos(x / 76.0) + 4.0


def _trait_fields(x, y, lower):
    """Trait -> (V, 3) displacement at one standard deviation, mm."""
    ax, side, zero = abs(x), np.sign(x), np.zeros_like(x)
    sd = SHAPE
    rest = _average(x, y)
    lip = np.exp(-0.5 * ((y - MOUTH_Y) / 7.0) ** 2) * _lips(x)
    eye = _both(x, y, 31, 34, 15, 11)
    eye_shape = np.column_stack([side * (ax - 31), y - 34, zero]) * eye[:, None]
    depth = lambda value: np.column_stack([zero, zero, value])  # noqa: E731
    return {
        "width": np.column_stack([rest[:, 0] * sd["width"], zero, zero]),
        "height": np.column_stack([zero, y * sd["height"], zero]),
        "jaw width": np.column_stack([rest[:, 0] * sd["jaw width"] * smooth(-y, 10, 70), zero, zero]),
        "chin length": np.column_stack([zero, -sd["chin length"] * smooth(-y, 42, 85), zero]),
        "chin depth": depth(sd["chin depth"] * bump(x, y, 0, -78, 22, 16)),
        "eye distance": np.column_stack([side * sd["eye distance"] * _both(x, y, 31, 34, 17, 16), zero, zero]),
        "eye size": sd["eye size"] * eye_shape,
        "eye depth": depth(-sd["eye depth"] * _both(x, y, 28, 36, 15, 11)),
        "brow ridge": depth(sd["brow ridge"] * (_both(x, y, 24, 52, 19, 7) + 0.6 * bump(x, y, 0, 52, 12, 7))),
        "brow height": np.column_stack([zero, sd["brow height"] * _both(x, y, 28, 52, 22, 9), zero]),
        "nose length": np.column_stack([zero, -sd["nose length"] * bump(x, y, 0, -5, 20, 14), zero]),
        "nose depth": depth(sd["nose depth"] * bump(x, y, 0, 0, 10, 12)),
        "nose width": np.column_stack([side * sd["nose width"] * _both(x, y, 14, -3, 7, 10), zero, zero]),
        "nose bridge": depth(sd["nose bridge"] * bump(x, y, 0, 22, 9, 13)),
        "cheekbone": depth(sd["cheekbone"] * _both(x, y, 46, 10, 14, 13)),
        "cheek": depth(sd["cheek"] * _both(x, y, 44, -28, 15, 18)),
        "mouth width": np.column_stack([side * sd["mouth width"] * _both(x, y, 26, MOUTH_Y, 13, 14), zero, zero]),
        "mouth depth": depth(sd["mouth depth"] * bump(x, y, 0, -33, 20, 16)),
        "upper lip": sd["upper lip"] * np.column_stack([zero, (y - MOUTH_Y) * lip, 4 * lip]) * ~lower[:, None],
        "lower lip": sd["lower lip"] * np.column_stack([zero, (y - MOUTH_Y) * lip, 4 * lip]) * lower[:, None],
        "forehead": depth(sd["forehead"] * bump(x, y, 0, 80, 40, 20)),
        "folds": depth(-sd["folds"] * (_segment(x, y, (19, -8), (34, -38), 2.8)
                                       + 0.7 * _segment(x, y, (20, 22), (42, 20), 2.4))),
    }  # fmt: skip


def _landmarks(x, y, copies):
    """Names of the landmark files -> skin vertices: 22 of Bosphorus, 83 of BU-3DFE; the subject's left is +x."""

    def nearest(px, py, pool=None):
        pool = np.arange(len(x)) if pool is None else pool
        return int(
            pool[np.argmin((x[pool] - px) ** 2 + (y[pool] - py) ** 2 + 1e-6 * abs(x[pool]))]
        )  # of two, the inner

    ex, ey, w, m = EYE[0], EYE[1], EYE_HALF_WIDTH, MOUTH_HALF_WIDTH
    lip_up, lip_low = copies["mouth"]
    named = {"nose tip": nearest(0, 0), "chin middle": nearest(0, -78),
             "upper lip outer middle": nearest(0, MOUTH_Y + 8), "upper lip inner middle": nearest(0, MOUTH_Y, lip_up),
             "lower lip outer middle": nearest(0, MOUTH_Y - 9), "lower lip inner middle": nearest(0, MOUTH_Y,
             lip_low)}  # fmt: skip
    for word, sign in (("left", 1), ("right", -1)):
        at = lambda px, py, pool=None, sign=sign: nearest(sign * px, py, pool)  # noqa: E731
        named |= {f"outer {word} eyebrow": at(46, 50), f"middle {word} eyebrow": at(29, 54),
                  f"inner {word} eyebrow": at(12, 50), f"outer {word} eye corner": at(ex + w, ey),
                  f"inner {word} eye corner": at(ex - w, ey), f"nose saddle {word}": at(10, 30),
                  f"{word} nose peak": at(17, -4), f"{word} mouth corner": at(m + 1, MOUTH_Y)}  # fmt: skip
        upper, below = copies[word]
        ring = [
            at(ex - w, ey),
            *(at(ex + d, ey, upper) for d in (-6, 0, 6)),
            at(ex + w, ey),
            *(at(ex + d, ey, below) for d in (6, 0, -6)),
        ]
        brow = [
            at(px, py)
            for px, py in (
                (12, 53),
                (21, 56),
                (29, 57),
                (38, 56),
                (46, 52),
                (46, 49),
                (38, 52),
                (29, 53),
                (21, 52),
                (12, 49),
            )
        ]
        named |= {f"{word} eye {i}": v for i, v in enumerate(ring)} | {
            f"{word} brow {i}": v for i, v in enumerate(brow)
        }
    nose = [(10, 32), (12, 14), (16, 2), (18, -5), (13, -10), (6, -12)]
    named |= {
        f"nose {i}": nearest(px, py) for i, (px, py) in enumerate(nose + [(-px, py) for px, py in reversed(nose)])
    }
    outer = [(m + 1, MOUTH_Y), (17, MOUTH_Y + 6), (6, MOUTH_Y + 8), (0, MOUTH_Y + 7),
             (-6, MOUTH_Y + 8), (-17, MOUTH_Y + 6), (-m - 1, MOUTH_Y), (-16, MOUTH_Y - 7), (-6, MOUTH_Y - 9), (0,
             MOUTH_Y - 9), (6, MOUTH_Y - 9), (16, MOUTH_Y - 7)]  # fmt: skip
    ring = (
        [nearest(px, py) for px, py in outer]
        + [nearest(px, MOUTH_Y, lip_up) for px in (15, 5, -5, -15)]
        + [nearest(px, MOUTH_Y, lip_low) for px in (-15, -5, 5, 15)]
    )
    named |= {f"mouth {i}": v for i, v in enumerate(ring)}
    contour = [(80, 20), (79, -5), (76, -28), (70, -48), (56, -66), (38, -78), (18, -84)]
    named |= {
        f"contour {i}": nearest(px, py)
        for i, (px, py) in enumerate([*contour, (0, -86), *((-px, py) for px, py in reversed(contour))])
    }
    return named
