"""The face model that people are drawn from: the baked file, and what is derived from it once per process."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock
from scipy.sparse import csr_array

import mvlm.settings
from mvlm.cache.files import write
from mvlm.twins.face import bake, creases, marks, refine, region, source, teeth, units
from mvlm.twins.face.slits import Slit, slit
from mvlm.twins.face.unwrap import texture_coordinates
from mvlm.twins.head import skin as colour

# Rings around a slit (`region.collar`) that are its edges, how many rings beyond follow them, and the lower edge's part
# in closing: lower lids hardly rise (FACS, unit 43), lips meet halfway.
LOOPS = {"left": (3, 7, 0.12), "right": (3, 7, 0.12), "mouth": (2, 6, 0.5)}
LID = {2: 0.3}  # mm that ring 2 of the lids stays before the eyeball; the rings beyond it:
LID_BEYOND = 0.9
LID_RINGS = (2, 12)  # that slide on the eyeball
# MakeHuman's nostrils are dents of 2 mm: this deepens them. Middle and radii on the average face, mm.
NOSTRIL, NOSTRIL_RADIUS, NOSTRIL_DEPTH = (9.3, -3.0, -11.8), (2.4, 2.5, 3.4), 5.0

# Lips pressed together (24): the share of its height that the red loses, how far it goes back, mm, and how much of this
# each ring around the mouth takes part in, to the border of the red and a little beyond.
FLATTER, BACK, PRESSED = 0.45, 1.8, (1, 1, 1, 1, 1, 1, 0.9, 0.65, 0.3, 0.1)


@dataclass(frozen=True, eq=False)
class Jaw:
    """The jaw's hinge, fitted to the target "jawOpen".

    hinge  (2,) y, z of its axis, mm
    angle  radians that the target opens it
    gap    mm between the incisors at that angle
    share  (C,) of the angle by which each coarse vertex turns
    rest   (C, 3) mm: what of the target no turning explains
    """

    hinge: np.ndarray
    angle: float
    gap: float
    share: np.ndarray
    rest: np.ndarray

    def turn(self, points: np.ndarray, angle: np.ndarray | float) -> None:
        """Turn (P, 3) points in place about the hinge, by (P,) radians or one angle; opening is positive."""
        y, z = points[:, 1] - self.hinge[0], points[:, 2] - self.hinge[1]
        c, s = np.cos(angle), np.sin(angle)
        points[:, 1] = self.hinge[0] + c * y - s * z
        points[:, 2] = self.hinge[1] + s * y + c * z


@dataclass(frozen=True, eq=False)
class Model:
    """C coarse vertices, N skin vertices.

    universal, ancestry, sliders   as of `bake.bake`
    ends       (3 C, 2 K) displacements at the positive, then at the negative ends of the sliders, mostly none
    mean       (C, 3) mm, the average adult
    fields     unit -> (2, C, 3) displacements of the left and the right half
    jaw        how it opens
    mixtures   (N, C) of the skin
    nostrils   (N, 3) mm, added to every skin at rest
    wrinkles   unit -> (2, N, 3) displacements of the left and the right half in a face of mean age
    slits      "left", "right" eye and "mouth"
    sealing    unit that does not part the lips -> (2, U, 3) mm by which its two halves change the gap between them
    blink      (left, right): (U, 3) mm by which the target of 43 changes the gap between the lids
    lids       (left, right): skin vertices that slide on an eyeball, and how far before it they stay, mm
    eyes       (2, E) coarse vertices of the eyeballs
    teeth      (2, E) coarse vertices of MakeHuman's teeth
    triangles  (T, 3) of skin, left and right eyeball, upper and lower teeth
    coordinates (P, 2) texture coordinates of all of them
    landmarks  name -> skin vertex
    """

    universal: np.ndarray
    ancestry: np.ndarray
    sliders: tuple[str, ...]
    ends: csr_array
    mean: np.ndarray
    fields: Mapping
    jaw: Jaw
    mixtures: csr_array
    nostrils: np.ndarray
    wrinkles: Mapping
    slits: Mapping[str, Slit]
    sealing: Mapping
    blink: tuple
    lids: tuple
    eyes: np.ndarray
    teeth: np.ndarray
    triangles: np.ndarray
    coordinates: np.ndarray
    landmarks: Mapping[str, int]


def baked() -> Path:
    """The file of this package's version and this code, baked first if it is missing.

    Raises:
        ModuleNotFoundError, ImportError: as `source.folder`, if it has to be baked.
    """
    digest = hashlib.sha256(f"{source.PACKAGE} {source.VERSION}".encode())
    for module in (source, region, refine, bake):
        digest.update(Path(str(module.__file__)).read_bytes())
    path = mvlm.settings.RUNS / "cache" / "twins" / f"face-{digest.hexdigest()[:16]}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):  # a second process waits, and finds the first one's
            if not path.is_file():
                write(path, bake.save)
    return path


@lru_cache(maxsize=1)
def model() -> Model:
    """The face model of this process.

    Raises:
        ModuleNotFoundError, ImportError: as `baked`.
    """
    with np.load(baked()) as file:
        d = dict(file)
    universal, ancestry = d["universal"].astype(float), d["ancestry"].astype(float)
    mean = universal[:, :, 1].mean((0, 1)) + ancestry.mean((0, 1, 2))
    actions = {str(name): field.astype(float) for name, field in zip(d["actions"], d["action"], strict=True)}
    mixtures = csr_array((d["share"], d["vertex"], d["start"]), shape=(len(d["parents"]), len(mean)))
    skin = mixtures @ mean
    normals = _normals(skin, d["triangles"])
    nostrils = _nostrils(skin, normals)
    slits = {name: slit(d[name], loop, reach, low, d["parents"], mean)
             for name, (loop, reach, low) in LOOPS.items()}  # fmt: skip
    rings = {name: _ring_of(d[name], d["parents"], len(mean)) for name in LOOPS}
    border = np.flatnonzero(rings["mouth"] == marks.BORDER)
    hidden = np.any([rings[name] < loop for name, (loop, *_) in LOOPS.items()], axis=0)
    landmarks = marks.landmarks(skin, slits, border, np.flatnonzero(~hidden))
    deep = {word: int(np.argmin(((skin - np.multiply(NOSTRIL, (sign, 1, 1))) ** 2).sum(1)))
            for word, sign in (("left", 1), ("right", -1))}  # fmt: skip
    fields = units.fields(actions | {units.PRESS: _press(mean, d["mouth"])}, mean[:, 0])
    halves = np.stack([units.half(skin[:, 0]), units.half(-skin[:, 0])])[..., None]
    blink = tuple(slits[side].gap(mixtures @ fields[43][k]) for k, side in enumerate(("left", "right")))
    sealing = {unit: np.stack([slits["mouth"].gap(mixtures @ half) for half in field])
               for unit, field in fields.items() if unit not in units.PARTING}  # fmt: skip
    ball, round_ = eyeball()
    rows = [teeth.row(name) for name in ("upper", "lower")]
    starts = np.cumsum([0, len(skin), len(ball), len(ball), len(rows[0][0])])
    parts = [d["triangles"], round_, round_, rows[0][1], rows[1][1]]
    return Model(
        universal=universal, ancestry=ancestry, sliders=tuple(map(str, d["sliders"])), ends=_ends(d["up"], d["down"]),
        mean=mean, fields=fields,
        jaw=_jaw(actions["jawOpen"], mean, d["teeth"]), mixtures=mixtures, nostrils=nostrils,
        wrinkles={unit: halves * (depth[:, None] * normals) for unit, depth in creases.depths(skin).items()},
        slits=slits, sealing=sealing, blink=blink, lids=tuple(_sliding(rings[side]) for side in ("left", "right")),
        eyes=d["eyes"], teeth=d["teeth"],
        triangles=np.vstack([part + start for part, start in zip(parts, starts, strict=True)]).astype(np.int32),
        coordinates=np.vstack([
            texture_coordinates(skin, slits, border, landmarks, deep), *2 * [colour.unwrap_eyeball(ball)],
            *(colour.unwrap_teeth(k, *rows[k][2].T) for k in (0, 1)),
        ]),
        landmarks=landmarks,
    )  # fmt: skip


def eyeball(rings: int = 5, spokes: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """The front of a unit ball: (1 + rings * spokes, 3) vertices and its triangles."""
    polar = np.linspace(0, np.radians(80), rings + 1)[1:]
    around = np.linspace(0, 2 * np.pi, spokes, endpoint=False)
    p, a = (grid.ravel() for grid in np.meshgrid(polar, around, indexing="ij"))
    points = np.column_stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)])
    ring = 1 + np.arange(rings * spokes).reshape(rings, spokes)
    after = np.roll(ring, -1, axis=1)
    fan = np.column_stack([np.zeros(spokes, int), ring[0], after[0]])
    quads = [np.stack([ring[:-1], ring[1:], after[:-1]], -1), np.stack([after[:-1], ring[1:], after[1:]], -1)]
    return np.vstack([[[0, 0, 1.0]], points]), np.vstack([fan, *(quad.reshape(-1, 3) for quad in quads)])


def _ends(up, down):
    return csr_array(np.concatenate([up, down]).reshape(2 * len(up), -1).T.astype(float))


def _normals(points, triangles):
    """(N, 3) of unit length, weighted by area."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for corner in triangles.T:
        np.add.at(normals, corner, face)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _nostrils(skin, normals):
    away = (np.abs(skin[:, :1]) - NOSTRIL[0], skin[:, 1:2] - NOSTRIL[1], skin[:, 2:] - NOSTRIL[2])
    near = np.exp(-0.5 * sum((part / radius) ** 2 for part, radius in zip(away, NOSTRIL_RADIUS, strict=True)))
    downwards = np.clip(-normals[:, 1:2], 0, 1)
    return NOSTRIL_DEPTH * near * downwards * np.array([0.0, 0.9, -0.45])


def _ring_of(grid, parents, count):
    """(N,) the ring around a slit on which each skin vertex lies, halves between two; infinite off the grid."""
    ring = np.full(count + 1, np.inf)  # the last for parents of -1
    ring[grid] = np.arange(len(grid))[:, None]
    return ring[parents].mean(1)


def _press(mean, grid):
    """(C, 3) mm: the red of the lips flattened against itself, which no target does."""
    edge = mean[grid[LOOPS["mouth"][0]]]
    slope, level = np.polyfit(edge[:, 0] ** 2, edge[:, 1], 1)  # the line of the lips is a bow
    moved = np.zeros_like(mean)
    for ring, hold in zip(grid, PRESSED, strict=False):
        x, y, _ = mean[ring].T
        over = y - slope * x**2 - level
        middle = np.clip(1 - (x / edge[:, 0].max()) ** 2, 0, 1) ** 0.5
        moved[ring, 1], moved[ring, 2] = -FLATTER * hold * over, -BACK * hold * middle
    return moved


def _sliding(rings):
    first, last = LID_RINGS
    rows = np.flatnonzero((rings >= first) & (rings <= last))
    return rows, np.array([LID.get(ring, LID_BEYOND) for ring in rings[rows]])


def _jaw(target, mean, rows):
    """The hinge that turns the lower teeth as the target moves them, and what is left of the target."""
    upper, lower = rows
    before, after = mean[lower, 1:], (mean + target)[lower, 1:]
    a, b = before - before.mean(0), after - after.mean(0)
    angle = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    c, s = np.cos(angle), np.sin(angle)
    hinge = np.linalg.solve(np.eye(2) - [[c, -s], [s, c]], after.mean(0) - before.mean(0) @ np.array([[c, s], [-s, c]]))
    front = lower[np.argsort(-mean[lower, 2])[:4]]
    gap = -target[front, 1].mean()
    # Of each vertex' own path that share of the angle is taken whose arc ends nearest to where the target ends.
    arm = mean[:, 1:] - hinge
    tip = arm + target[:, 1:]
    turned = np.arctan2(arm[:, 0] * tip[:, 1] - arm[:, 1] * tip[:, 0], (arm * tip).sum(1))
    share = np.clip(turned / angle, 0, 1)
    share[lower], share[upper] = 1.0, 0.0
    jaw = Jaw(hinge, float(angle), float(gap), share, np.zeros_like(mean))
    moved = mean.copy()
    jaw.turn(moved, angle * share)
    rest = mean + target - moved
    rest[np.concatenate([lower, upper])] = 0
    return Jaw(hinge, float(angle), float(gap), share, rest)
