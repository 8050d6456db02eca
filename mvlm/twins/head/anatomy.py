"""The shape of the parametric head: the average face, and how people differ from it.

Everything is written on *material* coordinates `(x, y)`: mm in the frontal plane of the average face, nose tip at
their origin, so that a trait or an action unit moves the same tissue in every identity.

Positions and spreads come from average adult anthropometry (Farkas 1994, "Anthropometry of the Head and Face": inner
canthi 32 +- 2.4 mm, outer canthi 90 +- 4 mm, mouth 51 +- 3.5 mm, nose 34 +- 3 mm wide and 50 +- 4 mm long, face
135 +- 6 mm wide, men about 5 % larger). Depths of single features, and what age does, are this project's own choice.
"""

import numpy as np
from scipy.interpolate import PchipInterpolator

EYE = np.array([31.0, 34.0])  # centre of the left eye, mm
EYE_HALF_WIDTH = 14.0
LID = (5.8, 4.4)  # half openings of the upper and the lower lid at rest, mm
MOUTH_Y, MOUTH_HALF_WIDTH = -35.0, 25.5
JAW_HINGE = np.array([18.0, -5.0])  # y, z of the temporomandibular joints

# Traits of shape: standard deviations in mm (or as a share where a feature is scaled), one Gaussian each.
SHAPE = {
    "width": 0.04, "height": 0.035, "jaw width": 0.05, "chin length": 3.0, "chin depth": 2.4, "chin width": 2.0,
    "eye distance": 1.6, "eye size": 0.08, "eye depth": 1.5, "eye tilt": 1.0, "upper lid": 0.8, "brow ridge": 1.3,
    "brow height": 2.0, "nose length": 2.4, "nose depth": 1.9, "nose width": 1.5, "nose bridge": 1.5, "nose hump": 0.9,
    "nose tip": 1.6, "cheekbone": 1.8, "cheek": 2.2, "temple": 1.4, "mouth width": 1.8, "mouth depth": 1.2,
    "mouth curve": 0.7, "upper lip": 0.2, "lower lip": 0.2, "forehead": 2.2, "folds": 0.6,
    # What makes the two halves of one face differ; a millimetre or so in most people (Farkas 1994, ch. 9).
    "nose bend": 0.9, "mouth tilt": 0.6, "eye level": 0.5, "jaw skew": 1.2,
}  # fmt: skip
COLOUR = ("tone", "warmth", "flush", "freckles", "beard", "brows", "hair", "iris")  # of the skin's picture
TRAITS = (*SHAPE, "age", "sex", *COLOUR)  # names of all standard scores of a person


def bump(x, y, cx, cy, sx, sy, power=2.0):
    """(V,) a bump of height 1 at (cx, cy) with widths (sx, sy), mm."""
    return np.exp(-0.5 * (abs((x - cx) / sx) ** power + abs((y - cy) / sy) ** power))


def both(x, y, cx, cy, sx, sy, power=2.0):
    """The same bump on either side of the midline."""
    return bump(abs(x), y, cx, cy, sx, sy, power)


def segment(x, y, start, stop, width):
    """A soft ridge along the segment start-stop of the left half (mirrored for x < 0)."""
    px, py = abs(x) - start[0], y - start[1]
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    t = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0, 1)
    return np.exp(-0.5 * ((px - t * dx) ** 2 + (py - t * dy) ** 2) / width**2)


def smooth(value, low, high):
    """0 below `low`, 1 above `high`, a smooth step between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def lips(x):
    """Share of the lips' opening at material x: 1 at the midline, 0 at the corners."""
    return np.clip(1 - (abs(x) / MOUTH_HALF_WIDTH) ** 2, 0, 1) ** 0.7


def skull(x, y):
    """(V, 3) the mask without features: an oval from the front, rounder at the cheeks than at the forehead."""
    below = MOUTH_Y - y
    rise = 1 - (0.06 + 0.64 * np.clip(abs(x) / 96, 0, 1) ** 1.9) * smooth(below, -60, 30)  # of the jaw, to the ear
    height = np.where(below > -60, MOUTH_Y - rise * below, y)
    knots = [-97, -90, -80, -70, -55, -35, -15, 10, 35, 55, 75, 95, 112]
    half_width = PchipInterpolator(knots, [59, 59.5, 60.5, 62, 65, 69, 72.5, 75, 75.5, 75, 73, 69, 62])(height)
    depth = PchipInterpolator(knots, [50, 59, 67.5, 71, 72.5, 75, 77.5, 79.5, 80.5, 81, 80.5, 76.5, 66])(y)
    depth = np.where(y < -55, 72.5 + (depth - 72.5) * np.exp(-((x / 55) ** 4)), depth)  # only the chin recedes
    angle = x / 72.0  # arc length over the mean radius
    return np.column_stack([half_width * np.sin(angle), height, depth * np.cos(angle) + 4.0])


def average(x, y):
    """(V, 3) the average face at rest, lids and lips closed on their slits."""
    face = skull(x, y)
    ax = abs(x)
    z = _nose(x, y)
    # Eye sockets, lids' folds, brow ridge, cheekbones, temples.
    z = z - 8.6 * both(x, y, 29, 35, 17, 10, 2.4) - 2.5 * both(x, y, 14, 35, 6, 8) - 3.0 * both(x, y, 46, 36, 10, 10)
    z += 2.8 * both(x, y, 31, 33.5, 10, 6.0, 2.4)  # the eyeball under its lids
    z -= 1.8 * segment(x, y, (20, 42), (42, 41.5), 1.9) + 0.8 * segment(x, y, (20, 25), (40, 23.5), 2.2)
    z += 2.0 * both(x, y, 31, 52, 15, 6.5) + 0.6 * bump(x, y, 0, 54, 14, 8)
    z += 3.6 * both(x, y, 45, 12, 14, 11) - 2.5 * both(x, y, 47, -24, 12, 16) - 3.0 * both(x, y, 68, 52, 10, 18)
    # Muzzle, philtrum, lips, mouth corners, chin.
    z += 3.2 * bump(x, y, 0, -33, 22, 17) - 0.9 * bump(x, y, 0, -22, 2.0, 5) + 0.5 * both(x, y, 5, -22, 2.0, 5)
    z += np.clip(1 - (ax / (MOUTH_HALF_WIDTH + 1.5)) ** 2, 0, 1) ** 0.6 * _LIP_PROFILE(np.clip(y - MOUTH_Y, -19, 16))
    z -= 1.5 * both(x, y, MOUTH_HALF_WIDTH + 1, MOUTH_Y, 4.5, 4.0)
    z -= 0.7 * segment(x, y, (19, -8), (33, -34), 3.4) * smooth(ax, 12, 20)
    z += 5.5 * bump(x, y, 0, -73, 15, 9.5) - 1.6 * bump(x, y, 0, -55, 17, 5) + 1.5 * both(x, y, 12, -76, 9, 8)
    face[:, 2] += z
    bow = 0.8 * both(x, y, 10, MOUTH_Y, 8, 9) - 0.3 * bump(x, y, 0, MOUTH_Y, 6, 7)  # the slit is a bow, not a line
    face[:, 1] += bow + 1.5 * both(x, y, 46, 36, 9, 9)  # and the outer canthi lie higher than the inner ones
    return face


# Depth of the lips over the muzzle by the height above their slit, mm.
_LIP_PROFILE = PchipInterpolator(
    [-19, -14, -10.5, -7.5, -4.2, -1.6, 0, 1.5, 3.6, 6.3, 8.2, 11, 16],
    [0, -1.8, -1.2, 1.8, 3.9, 3.0, 0.4, 2.4, 3.6, 2.7, 0.8, 0.2, 0],
)


def _nose(x, y):
    """(V,) mm: bridge, tip, wings and nostrils, over the skull."""
    ax = abs(x)
    ridge = PchipInterpolator(
        [-20, -16, -13.5, -11.5, -9, -6, -2.5, 0, 3, 8, 14, 22, 30, 36, 42, 50],
        [0, 0.6, 3.2, 9.5, 15.2, 17.4, 18.1, 18.0, 17.4, 15.0, 12.2, 8.8, 5.4, 3.2, 1.6, 0],
    )(np.clip(y, -20, 50))
    width = np.interp(y, [-12, -2, 3, 10, 20, 30, 45], [5.5, 6.8, 6.4, 5.4, 5.2, 5.8, 8.5])
    z = 1.13 * ridge * np.exp(-0.5 * (ax / width) ** 2.0)
    z += 2.2 * bump(x, y, 0, -0.5, 6.5, 5.5)  # the tip's ball
    walls = np.interp(y, [-14, -2, 12, 30], [15.5, 14.5, 12.0, 9.0])
    z += 4.0 * smooth(y, -13.5, -8) * (1 - smooth(y, 10, 36)) * np.exp(-((ax / walls) ** 4))
    z += 6.0 * both(x, y, 12.2, -6.2, 3.6, 4.0, 2.6) - 1.4 * segment(x, y, (18.5, 0), (18.0, -9), 2.0)
    z -= 3.5 * both(x, y, 6.6, -11.0, 2.4, 1.9)
    return z - 1.2 * smooth(ax, 3, 8) * both(x, y, 10, -14.5, 8, 2.2)


def trait_fields(x, y, lower):
    """Trait -> (V, 3) displacement at one standard score, mm; also for "age" (above the mean) and "sex" (male)."""
    ax, side, zero = abs(x), np.sign(x), np.zeros_like(x)
    sd, rest = SHAPE, average(x, y)
    lip = np.exp(-0.5 * ((y - MOUTH_Y) / 7.0) ** 2) * lips(x)
    eye = both(x, y, 31, 34, 15, 11)
    mouth = bump(x, y, 0, MOUTH_Y, 26, 13)
    wide, low_face = rest[:, 0], smooth(-rest[:, 1], -10, 75)
    chin = smooth(-y, 42, 85) * (1 - smooth(ax, 25, 90))

    def field(dx=zero, dy=zero, dz=zero):
        return np.column_stack([dx, dy, dz])

    def thick(part):
        return np.column_stack([zero, (y - MOUTH_Y) * lip, 4 * lip]) * part[:, None]

    shape = {
        "width": field(dx=wide * sd["width"]),
        "height": field(dy=rest[:, 1] * sd["height"]),
        "jaw width": field(dx=wide * sd["jaw width"] * low_face),
        "chin length": field(dy=-sd["chin length"] * chin),
        "chin depth": field(dz=sd["chin depth"] * bump(x, y, 0, -76, 22, 16)),
        "chin width": field(dz=sd["chin width"] * (both(x, y, 17, -77, 8, 9) - 0.3 * bump(x, y, 0, -76, 8, 8))),
        "eye distance": field(dx=side * sd["eye distance"] * both(x, y, 31, 34, 17, 16)),
        "eye size": sd["eye size"] * field(side * (ax - 31) * eye, (y - 34) * eye),
        "eye depth": field(dz=-sd["eye depth"] * both(x, y, 28, 36, 15, 11)),
        "eye tilt": field(dy=sd["eye tilt"] * (both(x, y, 46, 35, 9, 10) - 0.4 * both(x, y, 16, 34, 6, 8))),
        "upper lid": field(dz=sd["upper lid"] * both(x, y, 32, 42.5, 13, 3.6)),
        "brow ridge": field(dz=sd["brow ridge"] * (both(x, y, 24, 52, 19, 6) + 0.6 * bump(x, y, 0, 53, 12, 7))),
        "brow height": field(dy=sd["brow height"] * both(x, y, 28, 52, 22, 9)),
        "nose length": field(dy=-sd["nose length"] * bump(x, y, 0, -5, 20, 14)),
        "nose depth": field(dz=sd["nose depth"] * bump(x, y, 0, 0, 10, 12)),
        "nose width": field(dx=side * sd["nose width"] * both(x, y, 14, -3, 7, 10)),
        "nose bridge": field(dz=sd["nose bridge"] * bump(x, y, 0, 24, 7, 13)),
        "nose hump": field(dz=sd["nose hump"] * bump(x, y, 0, 17, 5, 6)),
        "nose tip": field(dy=sd["nose tip"] * bump(x, y, 0, -3, 9, 6)),
        "cheekbone": field(dz=sd["cheekbone"] * both(x, y, 46, 10, 14, 13)),
        "cheek": field(dz=sd["cheek"] * both(x, y, 44, -26, 15, 18)),
        "temple": field(dz=sd["temple"] * both(x, y, 66, 52, 11, 18)),
        "mouth width": field(dx=side * sd["mouth width"] * both(x, y, 26, MOUTH_Y, 13, 14)),
        "mouth depth": field(dz=sd["mouth depth"] * bump(x, y, 0, -33, 20, 16)),
        "mouth curve": field(dy=sd["mouth curve"] * (both(x, y, 26, MOUTH_Y, 8, 10) - 0.5 * bump(x, y, 0, -35, 9, 10))),
        "upper lip": sd["upper lip"] * thick(~lower),
        "lower lip": sd["lower lip"] * thick(lower),
        "forehead": field(dz=sd["forehead"] * bump(x, y, 0, 80, 40, 20)),
        "folds": field(dz=-sd["folds"] * (_nasolabial(x, y) + 0.7 * segment(x, y, (20, 23), (42, 21), 2.4))),
        "nose bend": field(dx=sd["nose bend"] * bump(x, y, 0, 4, 12, 16)),
        "mouth tilt": field(dy=sd["mouth tilt"] * np.clip(x / 26, -1, 1) * mouth),
        "eye level": field(dy=sd["eye level"] * side * both(x, y, 31, 38, 15, 14)),
        "jaw skew": field(dx=sd["jaw skew"] * chin),
    }  # fmt: skip
    return shape | {"age": _ageing(x, y, field, thick), "sex": _sex(x, y, field, rest, chin, thick)}


def _nasolabial(x, y):
    return segment(x, y, (19, -8), (33, -36), 2.8) * smooth(abs(x), 12, 20)


def _ageing(x, y, field, thick):
    """Folds deepen, jowls and brows sag, temples and cheeks hollow, lips thin, the nose's tip drops."""
    jowl = both(x, y, 36, -62, 10, 11)
    dz = -1.1 * _nasolabial(x, y) - 0.6 * segment(x, y, (28, -42), (33, -58), 2.6)  # and marionette lines
    dz = dz - 0.7 * segment(x, y, (20, 23), (40, 20), 2.3) + 0.8 * both(x, y, 30, 25, 10, 3.5)  # bags under the eyes
    dz = dz - 1.0 * both(x, y, 64, 52, 11, 16) - 1.2 * both(x, y, 47, -14, 11, 11) + 1.3 * jowl
    dz = dz - 0.35 * bump(x, y, 0, 76, 34, 14) * np.cos(2 * np.pi * (y - 66) / 12.0)
    dz = dz - 0.45 * both(x, y, 55, 33, 5, 9) * np.cos(2 * np.pi * (y - 34) / 9.0)
    dy = -1.0 * jowl - 0.8 * both(x, y, 34, 47, 16, 8) - 0.7 * bump(x, y, 0, -4, 9, 9)
    dy = dy - 0.5 * both(x, y, 40, -5, 14, 14)
    return field(dy=dy, dz=dz) - 0.09 * thick(np.ones(len(x), bool))


def _sex(x, y, field, rest, chin, thick):
    """Half the mean difference between men and women: larger, stronger jaw and brow ridge, thinner lips."""
    dz = 1.4 * (both(x, y, 24, 52, 19, 6) + 0.7 * bump(x, y, 0, 53, 12, 7)) + 1.0 * bump(x, y, 0, 2, 11, 13)
    dz = dz + 1.2 * bump(x, y, 0, -74, 20, 11) + 0.8 * both(x, y, 17, -78, 9, 9) - 0.7 * both(x, y, 28, 37, 15, 9)
    dz = dz - 1.2 * both(x, y, 44, -22, 15, 16) - 1.0 * bump(x, y, 0, 84, 34, 14)
    dy = 0.02 * rest[:, 1] - 1.0 * both(x, y, 28, 52, 22, 9) - 1.6 * chin
    dx = rest[:, 0] * (0.02 + 0.03 * smooth(-rest[:, 1], -10, 75)) + 0.5 * np.sign(x) * both(x, y, 14, -3, 7, 10)
    return field(dx, dy, dz) - 0.06 * thick(np.ones(len(x), bool))
