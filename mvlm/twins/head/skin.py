"""The colour of the parametric head: where each part of it lies in the picture, and a person's picture.

The skin is unwrapped onto the picture by its material coordinates, so that a lip stays a lip however it moves; below
it lie one patch for the fronts of both eyeballs and one each for the upper and the lower teeth. The picture is albedo:
no light and no shade is painted.

Tones are this project's own choice: sRGB readings that span the Fitzpatrick types I to VI, most people between.
"""

import hashlib

import numpy as np

from mvlm.twins.head.anatomy import EYE, EYE_HALF_WIDTH, MOUTH_HALF_WIDTH, MOUTH_Y, bump, smooth

LEFT, RIGHT, TOP, BOTTOM = -100.0, 100.0, 114.0, -99.0  # the skin's rectangle of material, mm
FLOOR = 0.13  # share of the picture's height below the skin, where the patches lie
EYE_PATCH = (0.065, 0.065, 0.055)  # u, v of the pupil, radius of the eyeball's outline
TEETH_PATCHES = ((0.16, 0.53), (0.60, 0.97))  # from u to u, upper and lower row
TEETH_HEIGHT = (0.02, 0.11)  # v of the lower and the upper edge of both patches

TONES = np.array([[241, 207, 184], [229, 183, 153], [208, 158, 126], [172, 121, 88], [124, 80, 56], [78, 50, 40]])
HAIR = np.array([[24, 20, 19], [45, 32, 26], [84, 58, 40], [142, 104, 66], [178, 140, 96]])  # black to blond
IRIS = np.array([[52, 33, 22], [84, 54, 32], [112, 92, 52], [96, 116, 92], [98, 132, 158]])  # brown to blue


def unwrap_skin(x, y):
    """(V, 2) texture coordinates of the skin at material coordinates in mm."""
    return np.column_stack([(x - LEFT) / (RIGHT - LEFT), FLOOR + (1 - FLOOR) * (y - BOTTOM) / (TOP - BOTTOM)])


def unwrap_eyeball(offset):
    """(N, 2) texture coordinates of points of an eyeball; `offset` (N, >= 2) from its centre in radii."""
    u, v, radius = EYE_PATCH
    return np.column_stack([u + radius * offset[:, 0], v + radius * offset[:, 1]])


def unwrap_teeth(row, across, up):
    """(N, 2) texture coordinates of teeth; `row` 0 upper, 1 lower; `across` and `up` in [0, 1]."""
    (start, stop), (low, high) = TEETH_PATCHES[row], TEETH_HEIGHT
    return np.column_stack([start + (stop - start) * across, low + (high - low) * up])


def paint(traits, size):
    """One person's albedo.

    Args:
        traits: name -> standard score, as in `head.Identity`.
        size: side of the picture in pixels, at least 16.

    Returns:
        (size, size, 3) uint8, row 0 on top; the same bytes for the same traits.

    Raises:
        ValueError: a smaller picture.
    """
    if size < 16:
        raise ValueError(f"size {size}: expected at least 16 pixels")
    grid = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(grid, 1 - grid)
    x = LEFT + (RIGHT - LEFT) * u
    y = BOTTOM + (TOP - BOTTOM) * (v - FLOOR) / (1 - FLOOR)
    picture = _skin(traits, x, y)
    _paint_eyeball(picture, traits, u, v)
    _paint_teeth(picture, traits, u, v)
    return np.rint(np.clip(picture, 0, 255)).astype(np.uint8)


def _between(colours, share):
    """(3,) a colour of the scale at `share` in [0, 1]."""
    at = np.clip(share, 0, 1) * (len(colours) - 1)
    return np.array([np.interp(at, np.arange(len(colours)), colours[:, k]) for k in range(3)])


def _mix(picture, mask, colour):
    picture += mask[..., None] * (colour - picture)


def _skin(traits, x, y):
    """(H, W, 3) float: skin, lips, brows, lashes, nostrils."""
    rng = np.random.default_rng(list(hashlib.sha256(repr(sorted(traits.items())).encode()).digest()[:8]))
    ax, age, male = abs(x), traits["age"], smooth(traits["sex"], -0.6, 1.2)
    dark = float(smooth(0.45 + 0.24 * traits["tone"], 0, 1))  # share of the scale from light to dark
    picture = np.ones((*x.shape, 1)) * _between(TONES, dark)
    picture *= 1 + 0.014 * np.array([1.0, 0.0, -1.0]) * traits["warmth"]

    # Broad mottling, then what blood and pigment do to single places.
    mottled = np.ones(x.shape)
    for _ in range(16):
        wave, phase = rng.normal(0, 2 * np.pi / 30, 2), rng.uniform(0, 2 * np.pi)
        mottled += 0.006 * np.sin(wave[0] * x + wave[1] * y + phase)
    picture *= mottled[..., None]
    flush = (0.035 + 0.015 * traits["flush"]) * (1 - 0.6 * dark)
    red = bump(ax, y, 40, 2, 15, 13) + 0.8 * bump(x, y, 0, -4, 12, 7) + 0.5 * bump(x, y, 0, -76, 13, 9)
    picture *= 1 + np.clip(flush, 0, 0.07) * red[..., None] * np.array([0.6, -1.6, -1.4])
    under_eye = bump(ax, y, 27, 22, 10, 5) + 0.6 * bump(ax, y, 17, 34, 4, 7)
    picture *= 1 - (0.07 + 0.025 * age) * under_eye[..., None] * np.array([0.8, 1.0, 0.9])
    stubble = max(0.0, 0.16 + 0.09 * traits["beard"]) * male * _beard(x, y)
    picture *= 1 - stubble[..., None] * np.array([1.0, 0.95, 0.85])
    _spots(picture, x, y, rng, count=int(max(0, 60 * traits["freckles"]) * (1 - dark)), radius=0.9, depth=0.16)
    _spots(picture, x, y, rng, count=int(max(0, 14 * (age - 0.6))), radius=2.2, depth=0.14, broad=True)

    lips = _vermilion(x, y)
    rosy = picture * np.array([0.88, 0.60, 0.62]) * (1 + 0.04 * traits["flush"])
    picture += (0.85 * lips * (1 - 0.15 * np.clip(age, 0, 2)))[..., None] * (rosy - picture)
    grey = float(smooth(age, 0.9, 2.4))
    hair = (1 - grey) * _between(HAIR, (0.25 + 0.2 * traits["hair"]) * (1 - dark)) + grey * np.array([150, 146, 142])
    _mix(picture, np.clip(0.75 + 0.1 * traits["brows"], 0.4, 0.95) * _brows(x, y, 1.0 + 0.45 * male, rng), hair)
    slit = np.clip(1 - ((ax - EYE[0]) / (EYE_HALF_WIDTH + 1.0)) ** 2, 0, 1) ** 0.5
    _mix(picture, 0.8 * slit * np.exp(-(((y - EYE[1]) / 1.1) ** 2)), 0.5 * hair)
    _mix(picture, 0.85 * bump(ax, y, 6.5, -12.0, 2.6, 1.7), 0.3 * _between(TONES, dark))
    _mix(picture, 0.7 * _mouth_line(x, y), 0.45 * rosy)
    return picture


def _beard(x, y):
    """Where a beard grows: jaw, chin and upper lip, not the lips."""
    ax = abs(x)
    jaw = smooth(-44 + 0.62 * ax - y, -6, 14)
    upper = bump(x, y, 0, MOUTH_Y + 13, 24, 6, 3)
    return np.clip(jaw + upper, 0, 1) * (1 - _vermilion(x, y)) * smooth(94 - ax, 0, 24)


def _vermilion(x, y):
    """The lips: a bow above the slit, a fuller arc below it."""
    reach = np.clip(1 - (abs(x) / (MOUTH_HALF_WIDTH + 0.5)) ** 2, 0, 1)
    upper = 7.2 * reach**0.8 - 1.6 * np.exp(-((x / 3.5) ** 2))
    lower = 8.4 * reach**0.6
    up = y - MOUTH_Y
    inside = smooth(np.where(up > 0, upper - up, lower + up), -0.6, 0.9)
    return inside * smooth(MOUTH_HALF_WIDTH + 1.5 - abs(x), 0, 2)


def _mouth_line(x, y):
    return smooth(MOUTH_HALF_WIDTH + 2 - abs(x), 0, 4) * np.exp(-(((y - MOUTH_Y) / 0.8) ** 2))


def _brows(x, y, thick, rng):
    along = np.clip((abs(x) - 10) / 38, 0, 1)
    middle = 50.0 + 6.0 * np.sin(np.pi * np.clip(along * 0.82, 0, 1)) - 1.5 * along
    half = thick * np.interp(along, [0, 0.25, 0.6, 1], [2.3, 2.7, 2.1, 0.7])
    hairs = 1 + 0.12 * np.sin(1.9 * x + 0.8 * y + rng.uniform(0, 6)) * np.sin(2.7 * y - 1.1 * x)
    inside = smooth(half + 0.8 - abs(y - middle), 0, 2.2) * smooth(abs(x), 8.5, 12.5) * smooth(50 - abs(x), 0, 4)
    return np.clip(inside * hairs, 0, 1)


def _spots(picture, x, y, rng, count, radius, depth, broad=False):
    """Darken `count` round spots in place: over nose and cheeks, or over the whole face when `broad`."""
    centres = rng.normal([0, 50 if broad else 6], [38, 34] if broad else [26, 11], (count, 2))
    for (cx, cy), strength in zip(centres, rng.uniform(0.4, 1.0, count), strict=True):
        rows = np.flatnonzero(abs(y[:, 0] - cy) < 3 * radius)
        columns = np.flatnonzero(abs(x[0] - cx) < 3 * radius)
        if rows.size and columns.size:
            patch = np.ix_(rows, columns)
            spot = strength * depth * bump(x[patch], y[patch], cx, cy, radius, radius)
            picture[patch] *= 1 - spot[..., None] * np.array([0.7, 1.0, 1.1])


def _paint_eyeball(picture, traits, u, v):
    """White, iris and pupil; the patch is the eyeball (radius 18 mm) seen from the front."""
    cu, cv, radius = EYE_PATCH
    offset = np.stack([u - cu, v - cv]) / radius * 18.0  # mm
    from_pupil = np.hypot(offset[0], offset[1] - 0.7)  # the pupil rests midway between the open lids
    inside = from_pupil < 23
    tone = _between(IRIS, 0.3 + 0.28 * traits["iris"] - 0.2 * traits["tone"])
    white = np.array([232.0, 226.0, 220.0]) - 4.0 * max(traits["age"], 0)
    colour = np.ones((*u.shape, 1)) * white
    _mix(colour, smooth(6.2 - from_pupil, 0, 0.8), tone * 0.8)
    _mix(colour, smooth(5.0 - from_pupil, 0, 2.5), tone * 1.15)
    _mix(colour, smooth(2.3 - from_pupil, 0, 0.7), np.array([14.0, 12.0, 12.0]))
    picture[inside] = colour[inside]


def _paint_teeth(picture, traits, u, v):
    low, high = TEETH_HEIGHT
    ivory = np.array([236.0, 228.0, 212.0]) - np.array([4.0, 8.0, 16.0]) * max(traits["age"], 0)
    for row, (start, stop) in enumerate(TEETH_PATCHES):
        inside = (u > start - 0.02) & (u < stop + 0.02) & (v < high + 0.015)
        across, up = (u - start) / (stop - start), (v - low) / (high - low)
        colour = np.ones((*u.shape, 1)) * ivory
        _mix(colour, 0.55 * (abs(np.sin(np.pi * 6 * across)) < 0.12), ivory * 0.45)  # gaps between six teeth a side
        root = up if row == 0 else 1 - up  # the gum holds the upper row from above, the lower one from below
        _mix(colour, smooth(root, 0.72, 0.85), np.array([178.0, 98.0, 96.0]))
        picture[inside] = colour[inside]
