"""The skin of the parametric head as one fixed grid: slits at eyes and mouth, traits, muscles and landmarks on it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mvlm.twins.head.anatomy import (
    EYE,
    EYE_HALF_WIDTH,
    MOUTH_HALF_WIDTH,
    MOUTH_Y,
    average,
    skull,
    smooth,
    trait_fields,
)
from mvlm.twins.head.muscles import PARTING, jaw_share, mouth_draw, unit_fields


@dataclass(frozen=True, eq=False)
class Template:
    """The skin's grid and what moves it; V skin vertices."""

    x: np.ndarray  # (V,) material coordinates, mm
    y: np.ndarray
    triangles: np.ndarray  # (T, 3)
    upper_lip: np.ndarray  # (V,) bool: the upper, the lower edge of the mouth's slit
    lower_lip: np.ndarray
    rims: dict  # "left", "right" eye, "mouth" -> (2, E) edges of the slit and (2, E) rims behind, upper ones first
    lids: tuple  # per eye (left, right): vertices near it, +-1 above or below, share of opening, the eyeball's hold
    jaw: np.ndarray  # (V,) share of the jaw's turn
    draw: np.ndarray  # (V,) share by which a wide opening draws the mouth's corners in
    units: dict  # action unit -> (2, V, 3) displacement of the subject's left and right half at intensity 1, mm
    creases: dict  # action unit -> (2, V, 3) the wrinkles that it makes in a face of mean age, mm
    traits: dict  # trait -> (V, 3) displacement at one standard deviation, mm
    rest: np.ndarray  # (V, 3) the average face, lids and lips closed, mm
    landmarks: dict  # name -> vertex


def _rows(*segments):
    """Monotone coordinates: segments of (start, stop, count), the last stop included."""
    parts = [np.linspace(start, stop, count, endpoint=False) for start, stop, count in segments]
    return np.concatenate([*parts, [segments[-1][1]]])


def _grid():
    """Material coordinates (V,), whether below the mouth's slit (V,), triangles, and the slits' edges and rims."""
    half = _rows((0, 48, 17), (48, 96, 11))  # arc length from the midline, mm; cells are about square
    columns = np.concatenate([-half[:0:-1], half])
    upper = _rows((112, 48, 17), (48, EYE[1], 7), (EYE[1], 22, 6), (22, -8, 8), (-8, -22, 6), (-22, MOUTH_Y, 7))
    rows = np.concatenate([upper, _rows((MOUTH_Y, -49, 7), (-49, -97, 13))[1:]])
    eye_row, mouth_row = int(np.argmin(abs(rows - EYE[1]))), len(upper) - 1
    index = np.arange(len(rows) * len(columns)).reshape(len(rows), len(columns))
    x, y = (grid.ravel() for grid in np.meshgrid(columns, rows))
    lower = y < MOUTH_Y - 1e-9

    # A slit doubles the inner vertices of its row: the copies belong to the quads below it. Both edges are doubled
    # once more for the rims, the strips of wet skin that lids and lips turn inwards.
    below, edges, rims, strips = index.copy(), {}, {}, []
    for name, row, inside in (
        ("left", eye_row, abs(columns - EYE[0]) < EYE_HALF_WIDTH),
        ("right", eye_row, abs(columns + EYE[0]) < EYE_HALF_WIDTH),
        ("mouth", mouth_row, abs(columns) < MOUTH_HALF_WIDTH),
    ):
        above, count = index[row, inside], int(inside.sum())
        copies, rim_above, rim_below = (len(x) + k * count + np.arange(count) for k in range(3))
        below[row, inside] = copies
        edges[name], rims[name] = (above, copies), (rim_above, rim_below)
        start, stop = index[row, [np.flatnonzero(inside)[0] - 1, np.flatnonzero(inside)[-1] + 1]]  # the slit's ends
        strips += [_strip(rim_above, above), _strip(copies, rim_below), [
            [start, rim_above[0], above[0]], [start, copies[0], rim_below[0]], [start, rim_below[0], rim_above[0]],
            [stop, above[-1], rim_above[-1]], [stop, rim_below[-1], copies[-1]], [stop, rim_above[-1], rim_below[-1]],
        ]]  # fmt: skip
        x = np.concatenate([x, np.tile(columns[inside], 3)])
        y = np.concatenate([y, np.full(3 * count, rows[row])])
        lower = np.concatenate([lower, np.repeat([name == "mouth", False, name == "mouth"], count)])
    top, bottom = below[:-1], index[1:]  # the quad below a slit row starts at the copies
    a, b, c, d = top[:, :-1], top[:, 1:], bottom[:, :-1], bottom[:, 1:]
    # Diagonals are mirrored about the midline, like the face.
    falling = np.tile(np.arange(len(columns) - 1) >= len(half) - 1, (len(rows) - 1, 1))
    first = np.where(falling[..., None], np.stack([a, c, d], -1), np.stack([a, c, b], -1))
    second = np.where(falling[..., None], np.stack([a, d, b], -1), np.stack([b, c, d], -1))
    triangles = np.concatenate([first.reshape(-1, 3), second.reshape(-1, 3), *strips])
    return x, y, lower, triangles.astype(np.int32), edges, rims


def _strip(top, bottom):
    """Triangles of the band between two rows of vertices."""
    a, b, c, d = top[:-1], top[1:], bottom[:-1], bottom[1:]
    return np.vstack([np.column_stack([a, c, b]), np.column_stack([b, c, d])])


@lru_cache(maxsize=8)
def template(variant):
    """The `Template` of the average head (None), or of a variant: another sculptor's face with other muscles."""
    x, y, lower, triangles, edges, rims = _grid()
    rng = np.random.default_rng(variant)
    jitter = (lambda: 1.0) if variant is None else (lambda: float(np.exp(rng.normal(0, 0.35))))
    wx, wy = x, y
    if variant is not None:  # another sculptor: features elsewhere by a few mm (the mouth's height stays on its slit)
        wx = x * np.exp(rng.normal(0, 0.07))
        wy = y + rng.normal(0, 3.0) * (1 - np.exp(-(((y - MOUTH_Y) / 15) ** 2)))
    rest = average(wx, wy)
    rest[:, :2] += average(x, y)[:, :2] - rest[:, :2]  # the sculptor moves depth, not the outline
    if variant is not None:  # and deeper or flatter than the plain skull below them
        rest[:, 2] += (rest[:, 2] - skull(x, y)[:, 2]) * rng.normal(0, 0.2)
    halves = np.stack([smooth(x, -6, 6), smooth(-x, -6, 6)])[..., None]
    moves, creases = unit_fields(wx, wy, lower, jitter)
    out = _outwards(x, y)
    upper_edge, lower_edge = edges["mouth"]
    traits = trait_fields(x, y, lower)
    for field in (*traits.values(), *(moves[unit] for unit in moves if unit not in PARTING)):  # closed lips stay closed
        field[upper_edge] = field[lower_edge] = (field[upper_edge] + field[lower_edge]) / 2
    is_lip = np.zeros(len(x), bool)
    is_lip[np.concatenate(edges["mouth"])] = True
    return Template(
        x=x, y=y, triangles=triangles, upper_lip=is_lip & ~lower, lower_lip=is_lip & lower,
        rims={name: (np.stack(edges[name]), np.stack(rims[name])) for name in edges},
        lids=tuple(_lids(x, y, sign, edges[name][1]) for name, sign in (("left", 1), ("right", -1))),
        jaw=jaw_share(x, y, lower), draw=mouth_draw(x, y),
        units={unit: halves * field for unit, field in moves.items()},
        creases={unit: halves * (depth[:, None] * out) for unit, depth in creases.items()},
        traits=traits, rest=rest, landmarks=_landmarks(x, y, edges),
    )  # fmt: skip


def _outwards(x, y):
    """(V, 3) directions out of the plain skull, into which wrinkles rise."""
    step = 0.5
    across = skull(x + step, y) - skull(x - step, y)
    up = skull(x, y + step) - skull(x, y - step)
    out = np.cross(across, up)
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def _lids(x, y, sign, copies):
    """What one eye's opening moves: vertices, +-1 above or below the slit, share of opening, the eyeball's hold."""
    across, above_slit = sign * x - EYE[0], y - EYE[1]
    below = np.isin(np.arange(len(x)), copies) | (above_slit < -1e-9)
    share = np.clip(1 - (across / EYE_HALF_WIDTH) ** 2, 0, 1) ** 0.7 * np.exp(-((above_slit / 7.5) ** 2))
    hold = np.exp(-((across / (EYE_HALF_WIDTH + 3)) ** 6) - (above_slit / 4.5) ** 2)
    near = np.flatnonzero((abs(across) < 22) & (abs(above_slit) < 17))
    return near, np.where(below, -1.0, 1.0)[near], share[near], hold[near]


def _landmarks(x, y, edges):
    """Names of the landmark files -> skin vertices: 22 of Bosphorus, 83 of BU-3DFE; the subject's left is +x."""

    def nearest(px, py, pool=None):
        pool = np.arange(len(x)) if pool is None else pool
        away = (x[pool] - px) ** 2 + (y[pool] - py) ** 2 + 1e-6 * abs(x[pool])  # of two equally near, the inner
        return int(pool[np.argmin(away)])

    m = MOUTH_HALF_WIDTH
    lip_up, lip_low = edges["mouth"]
    named = {"nose tip": nearest(0, 0), "chin middle": nearest(0, -78),
             "upper lip outer middle": nearest(0, MOUTH_Y + 8), "upper lip inner middle": nearest(0, MOUTH_Y, lip_up),
             "lower lip outer middle": nearest(0, MOUTH_Y - 9),
             "lower lip inner middle": nearest(0, MOUTH_Y, lip_low)}  # fmt: skip
    for word, sign in (("left", 1), ("right", -1)):
        named |= _side_landmarks(nearest, word, sign, *edges[word])
    nose = [(10, 32), (12, 14), (16, 2), (18, -5), (13, -10), (6, -12)]
    nose += [(-px, py) for px, py in reversed(nose)]
    named |= {f"nose {i}": nearest(px, py) for i, (px, py) in enumerate(nose)}
    outer = [(m + 1, MOUTH_Y), (17, MOUTH_Y + 6), (6, MOUTH_Y + 8), (0, MOUTH_Y + 7),
             (-6, MOUTH_Y + 8), (-17, MOUTH_Y + 6), (-m - 1, MOUTH_Y), (-16, MOUTH_Y - 7), (-6, MOUTH_Y - 9),
             (0, MOUTH_Y - 9), (6, MOUTH_Y - 9), (16, MOUTH_Y - 7)]  # fmt: skip
    mouth = [
        *(nearest(px, py) for px, py in outer),
        *(nearest(px, MOUTH_Y, lip_up) for px in (15, 5, -5, -15)),
        *(nearest(px, MOUTH_Y, lip_low) for px in (-15, -5, 5, 15)),
    ]
    named |= {f"mouth {i}": vertex for i, vertex in enumerate(mouth)}
    contour = [(80, 20), (79, -5), (76, -28), (70, -48), (56, -66), (38, -78), (18, -84)]
    contour += [(0, -86), *((-px, py) for px, py in reversed(contour))]
    return named | {f"contour {i}": nearest(px, py) for i, (px, py) in enumerate(contour)}


def _side_landmarks(nearest, word, sign, upper, below):
    """Those of one side, `word` and `sign` of its x; `upper` and `below` are the edges of its eye's slit."""

    def at(px, py, pool=None):
        return nearest(sign * px, py, pool)

    (ex, ey), w = EYE, EYE_HALF_WIDTH
    named = {f"outer {word} eyebrow": at(46, 50), f"middle {word} eyebrow": at(29, 54),
             f"inner {word} eyebrow": at(12, 50), f"outer {word} eye corner": at(ex + w, ey),
             f"inner {word} eye corner": at(ex - w, ey), f"nose saddle {word}": at(10, 30),
             f"{word} nose peak": at(17, -4), f"{word} mouth corner": at(MOUTH_HALF_WIDTH + 1, MOUTH_Y)}  # fmt: skip
    ring = [
        at(ex - w, ey),
        *(at(ex + d, ey, upper) for d in (-6, 0, 6)),
        at(ex + w, ey),
        *(at(ex + d, ey, below) for d in (6, 0, -6)),
    ]
    brow = [(12, 53), (21, 56), (29, 57), (38, 56), (46, 52), (46, 49), (38, 52), (29, 53), (21, 52), (12, 49)]
    named |= {f"{word} eye {i}": vertex for i, vertex in enumerate(ring)}
    return named | {f"{word} brow {i}": at(px, py) for i, (px, py) in enumerate(brow)}
