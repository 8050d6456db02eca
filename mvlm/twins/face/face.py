"""A face that the foundation never saw: identity and facial action units -> mesh. Same use as the formula head.

The face is a mask of skin as a scanner delivers it, drawn from MakeHuman's shapes (`bake`): lids and lips are slits
that really open and close, eyeballs and two rows of teeth lie behind them, the rest of an open mouth is a hole.
"""

from dataclasses import dataclass

import numpy as np

from mvlm.faces.mesh import Mesh
from mvlm.twins.face import creases, teeth
from mvlm.twins.face.model import Model, eyeball, model
from mvlm.twins.face.people import Identity, random_identity
from mvlm.twins.face.slits import keep_out
from mvlm.twins.face.units import ACTION_UNITS, opening, sides
from mvlm.twins.head import skin as colour

__all__ = ["ACTION_UNITS", "Bust", "Identity", "pose", "random_identity", "sculpt", "texture"]

TIGHTEST = 0.6  # mm that lids stay apart unless 43 closes them
IN_EYE = 0.2  # mm by which the eyeball is smaller than MakeHuman's, so that lids that touch it do not flicker


@dataclass(frozen=True, eq=False)
class Bust:
    """What of a face depends on the person alone; made by `sculpt`, moved by `pose`.

    coarse  (C, 3) mm, MakeHuman's vertices
    seal    (U, 3) mm by which the lips' edges approach so that they touch at rest
    lids    (left, right): (P,), (P,) mm, how near to the middle of the eyeball open and closed lids may come
    eyes    (left, right): (3,) mm, middles of the eyeballs
    still   (F, 3) mm, eyeballs and upper teeth
    lower_teeth (L, 3) mm, with the jaw closed
    wrinkled depth of wrinkles, 1 at mean age
    """

    model: Model
    coarse: np.ndarray
    seal: np.ndarray
    lids: tuple
    eyes: tuple
    still: np.ndarray
    lower_teeth: np.ndarray
    wrinkled: float


def sculpt(identity: Identity) -> Bust:
    """The person's face at rest; once per person or sequence."""
    m = model()
    coarse = shape(identity)
    coarse -= (m.mixtures[[m.landmarks["nose tip"]]] @ coarse)[0]
    skin = m.mixtures @ coarse + m.nostrils
    mouth = m.slits["mouth"]
    seal = -mouth.gap(skin)
    balls = [_ball(coarse[rows]) for rows in m.eyes]
    lids = []
    for (rows, before), (centre, radius) in zip(m.lids, balls, strict=True):
        closed = radius + before
        lids.append((np.minimum(closed, np.sqrt(((skin[rows] - centre) ** 2).sum(1))), closed))
    unit_ball = eyeball()[0]
    edges = [coarse[rows][np.argsort(-m.mean[rows, 2])[:6]] for rows in m.teeth]
    at = teeth.place(edges[0].min(0) * [0, 1, 0] + edges[0].mean(0) * [1, 0, 1],
                     edges[1].max(0) * [0, 1, 0] + edges[1].mean(0) * [1, 0, 1],
                     skin[mouth.upper].mean(0) * [1, 0, 0] + [0, 0, skin[mouth.upper, 2].max()])  # fmt: skip
    upper, lower = (teeth.row(name)[0] + where for name, where in zip(("upper", "lower"), at, strict=True))
    still = np.vstack([*(centre + (radius - IN_EYE) * unit_ball for centre, radius in balls), upper])
    wrinkled = float(np.exp(creases.DEEPER_WITH_AGE * identity.traits["age"]))
    return Bust(m, coarse, seal, tuple(lids), tuple(centre for centre, _ in balls), still, lower, wrinkled)


def shape(identity: Identity) -> np.ndarray:
    """(C, 3) mm: the person as MakeHuman mixes its targets."""
    m = model()
    sex, age = np.array([1 - identity.male, identity.male]), np.array([1 - identity.old, identity.old])
    weight = np.array([np.interp(identity.heavy, (0, 0.5, 1), end) for end in np.eye(3)])
    by_person = sex[:, None] * age
    ancestry = np.array(identity.ancestry)[:, None, None] * by_person
    count = 3 * len(m.mean)
    flat = (by_person[..., None] * weight).ravel() @ m.universal.reshape(-1, count)
    flat += ancestry.ravel() @ m.ancestry.reshape(-1, count)
    flat += m.ends @ np.maximum(np.concatenate([identity.sliders, -identity.sliders]), 0)
    return flat.reshape(-1, 3)


def pose(bust: Bust, action_units) -> Mesh:
    """One face.

    Args:
        bust: a `Bust`.
        action_units: FACS number -> intensity in [0, 1.5], one number or `(left, right)` of the subject. 11 has no
            target and shows as its furrow alone.

    Returns:
        `Mesh` in mm: x to the image's right (the subject's left), y up, z to the camera, nose tip near the origin; its
        landmarks bear the names of both landmark formats, its texture coordinates fit `texture`.

    Raises:
        ValueError: an unknown action unit or an intensity outside [0, 1.5].
    """
    m, levels = bust.model, sides(action_units)
    closed = np.minimum(levels.get(43, (0.0, 0.0)), 1.0)
    coarse = bust.coarse.copy()
    for unit, (left, right) in levels.items():
        if unit in m.fields:
            left, right = closed if unit == 43 else (left, right)
            coarse += left * m.fields[unit][0] + right * m.fields[unit][1]
    lower_teeth = bust.lower_teeth.copy()
    wide = opening(levels) / m.jaw.gap
    if wide:
        # Beyond the target's opening the skin far from the chin follows less and less, and stretches no further.
        within, beyond = min(wide, 1.0), max(wide - 1.0, 0.0)
        m.jaw.turn(coarse, m.jaw.angle * m.jaw.share * (within + beyond * m.jaw.share))
        coarse += within * m.jaw.rest
        m.jaw.turn(lower_teeth, wide * m.jaw.angle)
    skin = m.mixtures @ coarse
    skin += m.nostrils
    for unit, (left, right) in levels.items():
        if unit in m.wrinkles:
            skin += bust.wrinkled * left * m.wrinkles[unit][0] + bust.wrinkled * right * m.wrinkles[unit][1]
    seal = bust.seal - sum(
        left * m.sealing[unit][0] + right * m.sealing[unit][1]
        for unit, (left, right) in levels.items() if unit in m.sealing
    )  # fmt: skip
    _meet(m.slits["mouth"], skin, seal)
    for k, side in enumerate(("left", "right")):
        _close(m.slits[side], skin, closed[k], m.blink[k])
        rows = m.lids[k][0]
        near, far = bust.lids[k]
        skin[rows] = keep_out(skin[rows], bust.eyes[k], near + closed[k] * (far - near))
    landmarks = {name: skin[vertex] for name, vertex in m.landmarks.items()}
    return Mesh(np.concatenate([skin, bust.still, lower_teeth]), m.triangles, landmarks, m.coordinates)


def texture(identity: Identity, size: int = 256) -> np.ndarray:
    """(size, size, 3) uint8 albedo for the texture coordinates of this person's meshes."""
    return colour.paint(identity.traits, size)


def _meet(mouth, skin, seal):
    """Bring the lips nearer by `seal` (U, 3), in place; where that presses them into each other they stop."""
    change = seal.copy()
    gap = mouth.gap(skin) + change
    pressed = np.minimum(gap[:, 1], 0)
    change[:, 1] -= pressed
    change[:, 2] -= np.minimum(-pressed, 1) * gap[:, 2]
    mouth.part(skin, change)
    mouth.tuck(skin)


def _close(eye, skin, closed, blink):
    """Bring the lids together in place by the share `closed`; nothing else brings them nearer than `TIGHTEST`."""
    now = eye.gap(skin)
    wanted = now - closed * blink
    wanted[:, 1] = np.maximum(wanted[:, 1], TIGHTEST)
    wanted *= 1 - closed
    eye.part(skin, wanted - now)
    if closed:
        eye.tuck(skin)


def _ball(points):
    """Centre and radius of the sphere that fits (E, 3) points best."""
    middle = points.mean(0)
    offset = points - middle
    table = np.column_stack([2 * offset, np.ones(len(offset))])
    solution = np.linalg.lstsq(table, (offset**2).sum(1), rcond=None)[0]
    return middle + solution[:3], float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))
