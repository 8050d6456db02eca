"""A parametric head: identity and facial action units -> mesh.

The head is a mask of skin of about 4,000 vertices, as a face scanner delivers it: slits at the mouth and at the eyes
really open and close, eyeballs and two rows of teeth lie behind them, the rest of an open mouth is a hole. The tissue
is `anatomy`.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mvlm.faces.mesh import Mesh
from mvlm.twins.head import skin as colour
from mvlm.twins.head.anatomy import EYE, JAW_HINGE, LID, MOUTH_Y, TRAITS, bump
from mvlm.twins.head.muscles import LOWERING
from mvlm.twins.head.template import Template, template

ACTION_UNITS = {
    1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 5: "upper lid raiser", 6: "cheek raiser",
    7: "lid tightener", 9: "nose wrinkler", 10: "upper lip raiser", 11: "nasolabial deepener", 12: "lip corner puller",
    14: "dimpler", 15: "lip corner depressor", 16: "lower lip depressor", 17: "chin raiser", 18: "lip pucker",
    20: "lip stretcher", 22: "lip funneler", 23: "lip tightener", 24: "lip pressor", 25: "lips part", 26: "jaw drop",
    27: "mouth stretch", 43: "eyes closed",
}  # fmt: skip
LIP_ROLL = np.array([[[0.0, 0.6, -1.8]], [[0.0, -0.6, -1.8]]])  # from the upper, the lower lip's edge inwards, mm
TEETH = 15  # columns of a row of teeth
EYEBALL = 18.0  # radius of the flattened front of the eyeball, on which the lids slide, mm


@dataclass(frozen=True)
class Identity:
    """One person: `traits` (name -> standard score), a smooth residual shape `waves` (K, 5), the muscles' `variant`."""

    traits: dict
    waves: np.ndarray
    variant: int | None


def random_identity(rng, variant=None, *, sex=None):
    """Draw a person.

    Args:
        rng: numpy Generator.
        variant: an int: of a family with other muscles and wider proportions, which no twin uses.
        sex: "F" or "M", where the corpus says it; None draws one.

    Raises:
        ValueError: another `sex`.
    """
    if sex not in ("F", "M", None):
        raise ValueError(f"sex {sex!r}: expected 'F', 'M' or None")
    spread = 1.0 if variant is None else 1.5
    traits = {name: float(np.clip(spread * rng.normal(), -2.5, 2.5)) for name in TRAITS}
    male = {"F": False, "M": True, None: rng.random() < 0.5}[sex]
    traits |= {"sex": float(rng.normal(1.0 if male else -1.0, 0.35)), "age": float(np.clip(rng.normal(), -1.6, 2.5))}
    # Residual shape that no trait names: a few smooth waves of about 1 mm over the face.
    waves = np.column_stack([rng.normal(0, 0.55 * spread, 10), rng.uniform(25, 60, 10), rng.uniform(25, 60, 10),
                             rng.uniform(0, 2 * np.pi, 10), rng.uniform(0, 2 * np.pi, 10)])  # fmt: skip
    return Identity(traits, waves, variant)


@dataclass(frozen=True, eq=False)
class Bust:
    """What of a face depends on the person alone; made by `sculpt`, moved by `pose`."""

    template: Template
    skin: np.ndarray  # (V, 3) mm, lids and lips closed
    eyes: tuple  # left, right: (3,) centre of the eyeball
    still: np.ndarray  # (F, 3) mm, the eyeballs and the upper teeth
    lower_teeth: np.ndarray  # (L, 3) mm, with the jaw closed
    wrinkled: float  # depth of wrinkles, 1 at mean age


def sculpt(identity):
    """The person's face at rest -> `Bust`; once per person or sequence."""
    t = template(identity.variant)
    skin = t.rest.copy()
    for name, score in identity.traits.items():
        if name in t.traits:
            skin += (0.35 * score if name == "age" and score < 0 else score) * t.traits[name]  # folds come late
    for amplitude, long_x, long_y, phase_x, phase_y in identity.waves:
        along_x, along_y = 2 * np.pi * t.x / (2.5 * long_x), 2 * np.pi * t.y / (2.5 * long_y)
        skin[:, 2] += amplitude * np.sin(along_x + phase_x) * np.sin(along_y + phase_y)
    eyes = tuple(_eye_centre(t, skin, sign) for sign in (1, -1))
    lips = t.upper_lip & (abs(t.x) < 6)
    upper, lower = _teeth(skin[lips, 2].mean() - 6.5, skin[lips, 0].mean())
    ball = EYEBALL * _eyeball()[0]
    wrinkled = float(np.exp(0.3 * identity.traits["age"]))
    return Bust(t, skin, eyes, np.vstack([eyes[0] + ball, eyes[1] + ball, upper]), lower, wrinkled)


def pose(bust, action_units):
    """One face.

    Args:
        bust: a `Bust`.
        action_units: FACS number -> intensity in [0, 1.5], one number or `(left, right)` of the subject.

    Returns:
        `Mesh` in mm: x to the image's right (the subject's left), y up, z to the camera, nose tip near the origin of
        x and y; its landmarks bear the names of both landmark formats, its texture coordinates fit `texture`.

    Raises:
        ValueError: an unknown action unit or an intensity outside [0, 1.5].
    """
    levels = _left_right(action_units)
    t = bust.template
    skin = bust.skin.copy()
    # Of 1 and 4 together the inner brows rise and draw together: the lifting wins over the lowering (FACS manual, 1+4).
    levels[LOWERING] = tuple(low * (1 - 0.8 * min(high, 1)) for low, high in zip(levels[4], levels[1], strict=True))
    # The lip-raising strand of 9 is half of the muscle of 10: together they lift less than their sum.
    levels[10] = tuple(lip * (1 - 0.5 * min(nose, 1)) for lip, nose in zip(levels[10], levels[9], strict=True))
    for unit, (left, right) in levels.items():
        for fields, gain in ((t.units, 1.0), (t.creases, bust.wrinkled)):
            if unit in fields and (left or right):
                skin += gain * left * fields[unit][0] + gain * right * fields[unit][1]
    drop = np.radians(11.0 * sum(levels[26]) / 2 + 27.0 * sum(levels[27]) / 2)
    lower_teeth = bust.lower_teeth.copy()
    if drop:
        _turn_jaw(skin, drop * t.jaw)
        _turn_jaw(lower_teeth, drop)
    # A wide opening draws the corners of the mouth in.
    skin[:, 0] *= 1 - 0.22 * min(drop / np.radians(27), 1.0) * t.draw
    for k, name in enumerate(("left", "right")):
        _open_lids(skin, t.lids[k], bust.eyes[k], {unit: level[k] for unit, level in levels.items()})
        _turn_in_lids(skin, *t.rims[name], bust.eyes[k])
    edge, rim = t.rims["mouth"]
    crossed = skin[edge[0], 1] < skin[edge[1], 1]  # pressed together, lips stop at each other
    skin[edge[:, crossed]] = skin[edge[:, crossed]].mean(0)
    skin[rim] = skin[edge] + LIP_ROLL

    landmarks = {name: skin[vertex] for name, vertex in t.landmarks.items()}
    return Mesh(np.concatenate([skin, bust.still, lower_teeth]), _triangles(), landmarks, _unwrapped())


def head(identity, action_units):
    """`pose(sculpt(identity), action_units)`: one face of one person."""
    return pose(sculpt(identity), action_units)


def texture(identity, size=256):
    """(size, size, 3) uint8 albedo for the texture coordinates of this person's meshes."""
    return colour.paint(identity.traits, size)


def _left_right(action_units):
    """Action unit -> intensities of the left and the right half, 0 for those not given."""
    levels = dict.fromkeys(ACTION_UNITS, (0.0, 0.0))
    for unit, value in action_units.items():
        left, right = (float(v) for v in (value if np.ndim(value) else (value, value)))
        if unit not in ACTION_UNITS or not (0 <= left <= 1.5 and 0 <= right <= 1.5):
            raise ValueError(
                f"action unit {unit} = {value}: expected one of {sorted(ACTION_UNITS)}, intensity in [0, 1.5]"
            )
        levels[unit] = (left, right)
    return levels


def _turn_jaw(points, angle):
    """Turn (N, 3) points in place by `angle` (N,) or () radians about the jaw's hinge, opening."""
    dy, dz = points[:, 1] - JAW_HINGE[0], points[:, 2] - JAW_HINGE[1]
    points[:, 1] += dy * (np.cos(angle) - 1) - dz * np.sin(angle)
    points[:, 2] += dz * (np.cos(angle) - 1) + dy * np.sin(angle)


def _eye_centre(t, skin, sign):
    """(3,) such that the closed lids of the sculpted face rest on the eyeball; sign +1 for the left eye."""
    near = bump(t.x, t.y, sign * EYE[0], EYE[1], 5, 4)
    x, y, z = (skin * near[:, None]).sum(0) / near.sum()
    return np.array([x, y, z + 1.2 - EYEBALL])


def _open_lids(skin, lids, centre, level):
    """Open one eye's slit in place; the lids slide over the eyeball, a lid's thickness above it."""
    around, side, share, hold = lids
    meeting = -0.55 * LID[1]  # height at which closed lids meet
    up = LID[0] * (1 + 0.75 * level[5] - 0.24 * level[7] - 0.12 * level[6] - 0.18 * level[9])
    low = LID[1] * (1 - 0.38 * level[6] - 0.50 * level[7] + 0.15 * level[5] - 0.30 * level[9] - 0.22 * level[12])
    closed = min(level[43], 1.0)
    up, low = (1 - closed) * max(up, 0.6) + closed * meeting, (1 - closed) * max(low, 0.4) - closed * meeting
    skin[around, 1] += np.where(side > 0, up, -low) * share
    distance = ((skin[around, :2] - centre[:2]) ** 2).sum(1)
    ball = centre[2] + np.sqrt(np.clip(EYEBALL**2 - distance, 0, None))
    depth = skin[around, 2] + hold * (ball + 2.0 - skin[around, 2])
    skin[around, 2] = np.where(distance < EYEBALL**2, np.maximum(depth, ball + 1.2), depth)


def _turn_in_lids(skin, edge, rim, centre):
    """Lay the lids' rims in place, from the edges of the slit in to the eyeball."""
    inner = skin[edge] + [[[0.0, 0.3, 0.0]], [[0.0, -0.3, 0.0]]]
    distance = ((inner[..., :2] - centre[:2]) ** 2).sum(-1)
    ball = centre[2] + np.sqrt(np.clip(EYEBALL**2 - distance, 0, None))
    inner[..., 2] = np.minimum(inner[..., 2] - 1.0, ball - 0.4)
    skin[rim] = inner


def _eyeball(rings=5, spokes=14):
    """The front of a unit ball: (1 + rings*spokes, 3) vertices and its triangles."""
    polar = np.linspace(0, np.radians(85), rings + 1)[1:]
    around = np.linspace(0, 2 * np.pi, spokes, endpoint=False)
    p, a = (grid.ravel() for grid in np.meshgrid(polar, around, indexing="ij"))
    points = np.column_stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)])
    ring = 1 + np.arange(rings * spokes).reshape(rings, spokes)
    after = np.roll(ring, -1, axis=1)
    fan = np.column_stack([np.zeros(spokes, int), ring[0], after[0]])
    quads = [np.stack([ring[:-1], ring[1:], after[:-1]], -1), np.stack([after[:-1], ring[1:], after[1:]], -1)]
    return np.vstack([[[0, 0, 1.0]], points]), np.vstack([fan, *(quad.reshape(-1, 3) for quad in quads)])


def _teeth(front, middle):
    """Two arcs behind the lips, (2 * TEETH, 3) each: their upper edge, then their lower one."""
    across = np.tile(np.linspace(-21, 21, TEETH), 2)
    for top, bottom, back in ((MOUTH_Y + 9, MOUTH_Y - 0.5, 0.0), (MOUTH_Y - 3.5, MOUTH_Y - 10.0, 1.5)):
        height = np.repeat([top, bottom], TEETH)
        yield np.column_stack([across + middle, height, front - back - 0.024 * across**2])


@lru_cache(maxsize=1)
def _triangles():
    """(T, 3) int32 of skin, left and right eyeball, upper and lower teeth: the same for every face."""
    t, (ball, round_) = template(None), _eyeball()  # the same grid in every variant
    i = np.arange(TEETH - 1)
    row = np.vstack([np.column_stack([i, i + TEETH, i + 1]), np.column_stack([i + 1, i + TEETH, i + TEETH + 1])])
    starts = len(t.x) + np.cumsum([0, len(ball), len(ball), 2 * TEETH])
    moved = [part + start for part, start in zip((round_, round_, row, row), starts, strict=True)]
    return np.vstack([t.triangles, *moved]).astype(np.int32)


@lru_cache(maxsize=1)
def _unwrapped():
    """Texture coordinates of the vertices, (N, 2), in the order of `_triangles`."""
    t, eyeball = template(None), colour.unwrap_eyeball(_eyeball()[0])
    across = np.tile(np.linspace(0, 1, TEETH), 2)
    teeth = [colour.unwrap_teeth(row, across, np.repeat([1.0, 0.0], TEETH)) for row in (0, 1)]
    return np.vstack([colour.unwrap_skin(t.x, t.y), eyeball, eyeball, *teeth])


@lru_cache(maxsize=1)
def fingerprint():
    """Hex digest of the faces this head makes, to a micrometre, not of its text; the weights and the twins carry it."""
    made = hashlib.sha256()
    for seed, variant in ((0, None), (1, None), (2, 0)):
        person = random_identity(np.random.default_rng(seed), variant)
        units = {unit: (0.3 + 0.1 * (i % 5), 0.5) for i, unit in enumerate(ACTION_UNITS) if (i + seed) % 3 == 0}
        face = head(person, units)
        made.update(np.round(face.vertices * 1e3).astype("<i8").tobytes() + face.triangles.astype("<i4").tobytes())
        made.update(np.round(face.texture_coordinates * 1e6).astype("<i8").tobytes() + texture(person, 64).tobytes())
    return made.hexdigest()[:16]
