"""Random faces that no twin shows: what `mvlm.foundation.pretrain` learns from, still and moving, as views.

A stranger is a head of a variant of proportions and muscles of its own, bent, stretched and smoothed as no head is
(`Breadth`), with random action units or one of the patterns that people show with an emotion, under the nuisances of a
scanner. A moving one has these units rise and fall; its frames become one dynamic image for each view, as those of a
corpus do. Its timing is not the twins': raised cosines of any length, cut out of the whole or repeated, where the twins
follow published durations.
"""

import inspect
import os
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm import prompts
from mvlm.cache.keys import key, source_key
from mvlm.faces import dynamics, pose, tracking, views
from mvlm.faces.mesh import Mesh
from mvlm.settings import RUNS
from mvlm.twins import expressions, sensors
from mvlm.twins.expressions import Units
from mvlm.twins.head import head as heads

CACHE = RUNS / "cache" / "foundation"
UNITS = tuple(sorted(heads.ACTION_UNITS))
FAMILY = 16  # faces, each another identity, that share one variant of the head
HELD_OUT = 1 << 24  # index of the first held-out face: the same ones, however many there are to learn from
MOVING_STREAM = 1 << 42  # of random numbers
WAVES = 6  # that bend a stranger's face
# By the corners of its eyes and its subnasale the head looks up: its eyes lie too little behind its nose. Undone here.
UPRIGHT = sensors.rotation(0, 12, 0)
SECONDS = (2.0, 16.0)  # length of what a moving face shows; only the swaying of the head depends on it


class Face(NamedTuple):
    """One random face: `units`, action unit -> (left, right) intensity, and the emotion they show, or "" for none."""

    units: Units
    emotion: str


class Movement(NamedTuple):
    """One random face that moves: the units of each frame, evenly spaced in time, and the emotion, or ""."""

    frames: tuple[Units, ...]
    emotion: str

    @property
    def units(self) -> Units:
        """Each unit at its strongest."""
        strongest: Units = {}
        for units in self.frames:
            for unit, sides in units.items():
                strongest[unit] = max(strongest.get(unit, sides), sides, key=sum)
        return strongest


class Faces(NamedTuple):
    """Rendered faces: `images` (N,V,S,S,3) uint8, `units` (N,A) mean intensities of `UNITS` (of a moving face where
    they are strongest), `emotions` (N,) str."""

    images: np.ndarray
    units: np.ndarray
    emotions: np.ndarray

    def part(self, rows: slice) -> "Faces":
        return Faces(*(values[rows] for values in self))


class Draw(NamedTuple):
    """Which faces: `count` to learn from, then `held_out` ones, by a `seed`; `frames` of each, 0 for still ones."""

    count: int
    held_out: int
    seed: int
    frames: int = 0

    @property
    def indices(self) -> np.ndarray:
        return np.concatenate([np.arange(self.count), HELD_OUT + np.arange(self.held_out)])


# ------------------------------------------------------------------------------------------------------- what they show


def random_face(rng: np.random.Generator, emotion: str | None = None) -> Face:
    """Draws action units: those of `emotion` ("" for units at random), or of any kind when it is None."""
    if emotion is None:
        emotion = rng.choice(["", rng.choice(prompts.EMOTIONS), "neutral"], p=[0.45, 0.43, 0.12])
    if emotion:
        return Face(expressions.sample_expression(str(emotion), int(rng.integers(1, 5)), rng), str(emotion))
    return Face(_random_units(int(rng.integers(1, 7)), rng), "")


def _random_units(count: int, rng: np.random.Generator, beside: Collection[int] = ()) -> Units:
    """At most `count` units that are not `beside`, and clash neither with one another nor with those."""
    units: Units = {}
    for unit in rng.permutation(UNITS)[:count].tolist():
        if unit not in beside and not expressions.clash(unit, [*units, *beside]):
            tilt = rng.normal(0, 0.15)
            left, right = rng.uniform(0.25, 1.0) * np.clip([1 + tilt, 1 - tilt], 0, 1.3)
            units[unit] = (float(left), float(right))
    return units


def random_movement(face: Face, frames: int, rng: np.random.Generator) -> Movement:
    """Lets the units of a face rise and fall over a number of frames, some among other units and an open mouth.

    Half rise and fall once; a fifth is a part of that, such as the rise alone; the others come in bursts.
    """
    kind = rng.choice(["whole", "part", "bursts"], p=[0.5, 0.2, 0.3])
    now = np.linspace(0, 1, frames)
    if kind == "part":
        start = rng.uniform(0, 0.5)
        now = start + (1 - start) * rng.uniform(0.4, 1.0) * now
    if kind == "bursts":
        peaks = [(rng.uniform(0, 0.85), rng.uniform(0.15, 0.4), rng.uniform(0.5, 1)) for _ in range(rng.integers(2, 5))]
        peaks.append((rng.uniform(0.05, 0.6), 0.35, 1.0))  # one of them shows all
    else:
        peaks = [(rng.uniform(0, 0.15), rng.uniform(0.7, 1.0), 1.0)]
    courses = {unit: (sides, _course(now, peaks, 0.03 * rng.normal(), rng)) for unit, sides in face.units.items()}
    if rng.random() < 0.3:  # what has another cause
        for unit, sides in _random_units(int(rng.integers(1, 3)), rng, beside=courses).items():
            courses[unit] = sides, _course(now, [(rng.uniform(0, 0.8), rng.uniform(0.1, 0.5), 0.7)], 0.0, rng)
    if rng.random() < 0.2 and not any(expressions.clash(unit, courses) for unit in (25, 26)):  # a mouth that talks
        for unit, gain in ((25, 0.5), (26, 0.3)):
            if unit not in courses:
                courses[unit] = (gain, gain), rng.random(frames)
    shown = [
        {unit: (left * course[t], right * course[t]) for unit, ((left, right), course) in courses.items() if course[t]}
        for t in range(frames)
    ]
    return Movement(tuple(shown), face.emotion)


def _course(now: np.ndarray, peaks: list[tuple[float, float, float]], lag: float, rng: np.random.Generator):
    """Strength (T,) at times (T,) of the strongest of some peaks (start, length, height), by raised cosines."""
    strength = np.zeros(len(now))
    rising, falling = rng.uniform(0.2, 0.5, 2)  # shares of a peak's length; what is left is its height
    for start, length, height in peaks:
        along = (now - start - lag) / length
        edge = np.clip(np.minimum(along / rising, (1 - along) / falling), 0, 1)
        strength = np.maximum(strength, height * (1 - np.cos(np.pi * edge)) / 2)
    return strength


# ------------------------------------------------------------------------------------------------------ their pictures


class Breadth(NamedTuple):
    """How one stranger's mesh differs from what the head draws: what other face models and scanners do.

    Attributes:
        wrinkled: share of the head's wrinkles that stay.
        stretch: (3,) factors along x, y, z.
        waves: (K, 3) wave vectors, radians per mm; phases: (K, 3); shifts: (K, 3) amplitudes, mm.
        smoothing: passes of the mean over neighbours.
        window: (4,) mm from the nose tip to the left, to the right, below and above, beyond which nothing is scanned.
        neck: whether neck and shoulders are in the scan.
        steepest: degrees off the viewing direction from which one viewpoint sees no surface; 90: several viewpoints.
    """

    wrinkled: float
    stretch: np.ndarray
    waves: np.ndarray
    phases: np.ndarray
    shifts: np.ndarray
    smoothing: int
    window: np.ndarray
    neck: bool
    steepest: float


def random_breadth(rng: np.random.Generator) -> Breadth:
    """Draws what a stranger's face model and scanner are like."""
    waves = rng.normal(size=(WAVES, 3))
    waves *= 2 * np.pi / rng.uniform(60, 160, (WAVES, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    cut = rng.random(4) < (0.3, 0.3, 0.2, 0.5)
    return Breadth(
        wrinkled=rng.uniform(0, 1.2),
        stretch=np.exp(rng.normal(0, 0.05, 3)),
        waves=waves,
        phases=rng.uniform(0, 2 * np.pi, (WAVES, 3)),
        shifts=rng.normal(0, rng.uniform(0, 1.5), (WAVES, 3)),
        smoothing=int(rng.integers(0, 4)),
        window=np.where(cut, rng.uniform((55, 55, 75, 45), (90, 90, 95, 100)), np.inf),
        neck=bool(rng.random() < 0.35),
        steepest=rng.uniform(65, 80) if rng.random() < 0.3 else 90.0,
    )


def _broadened(mesh: Mesh, how: Breadth) -> Mesh:
    """A face of the head as another model would draw it and another scanner crop it."""
    vertices = mesh.vertices
    for _ in range(how.smoothing):
        vertices = _neighbours() @ vertices

    def moved(points: np.ndarray) -> np.ndarray:
        waved = np.sin((points @ how.waves.T)[..., None] + how.phases)  # (N, K, 3)
        return (points + (waved * how.shifts).sum(1)) * how.stretch

    marks = dict(zip(mesh.landmarks, moved(np.array([*mesh.landmarks.values()])), strict=True))
    x, y = vertices[:, 0], vertices[:, 1]
    left, right, below, above = how.window
    inside = (x < left) & (x > -right) & (y > -below) & (y < above)
    triangles = mesh.triangles[inside[mesh.triangles].all(1)]
    if how.steepest < 90:
        triangles = _from_the_front(vertices, triangles, how.steepest)
    vertices = moved(vertices)
    if how.neck:
        points, corners = _neck()
        triangles = np.vstack([triangles, corners + len(vertices)])
        vertices = np.vstack([vertices, points])
    return Mesh(vertices, triangles.astype(np.int32), marks)


@lru_cache(maxsize=1)
def _neighbours():
    """(N, N) sparse: the mean of a vertex of the head and its neighbours."""
    from scipy import sparse

    mesh = heads.head(heads.random_identity(np.random.default_rng(0)), {})
    first, second = mesh.triangles[:, [0, 1, 2]].ravel(), mesh.triangles[:, [1, 2, 0]].ravel()
    count = len(mesh.vertices)
    joined = sparse.coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count))
    joined = ((joined + joined.T) > 0) + sparse.eye(count)
    return sparse.diags(1 / np.asarray(joined.sum(1)).ravel()) @ joined


@lru_cache(maxsize=1)
def _neck() -> tuple[np.ndarray, np.ndarray]:
    """Front of a neck and shoulders below the head: (N, 3) mm and triangles."""
    heights, angles = np.linspace(-62, -190, 24), np.linspace(-np.pi / 2, np.pi / 2, 33)
    y, angle = (grid.ravel() for grid in np.meshgrid(heights, angles, indexing="ij"))
    wide = 55 + 130 * np.clip((-115 - y) / 60, 0, 1) ** 0.7  # the shoulders begin half a head below the chin
    points = np.column_stack([wide * np.sin(angle), y, 5 + (48 + 0.1 * (wide - 55)) * np.cos(angle)])
    index = np.arange(len(points)).reshape(len(heights), len(angles))
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return points, np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])


def render(shown: Face | Movement, variant: int, rng: np.random.Generator) -> np.ndarray:
    """Three views (3,64,64,3) uint8 of a stranger, as some scanner under some light delivers them.

    Of a movement they are dynamic images. The stranger's head is of a `variant` of proportions and muscles, which no
    twin uses, drawn with some `Breadth`.
    """
    how = random_breadth(rng)
    bust = heads.sculpt(heads.random_identity(rng, variant))
    bust = replace(bust, wrinkled=bust.wrinkled * how.wrinkled)
    moving = isinstance(shown, Movement)
    sensor = sensors.Sensor(
        noise=rng.uniform(0, 0.4),
        ripple=rng.uniform(0, 0.5),
        holes=rng.uniform(0, 5),
        pose=5.0,
        placement=8.0,
        landmark=rng.uniform(0, 2),
        sway=rng.uniform(0, 5) if moving else 0.0,
        moving=moving,
    )
    light = (rng.uniform(-0.4, 0.4), rng.uniform(0.2, 0.8), 0.85)
    # Of most faces the pose is known less well, as where nobody marked any point.
    error = sensors.rotation(*rng.normal(0, [4, 5, 2])) if rng.random() < 0.7 else np.eye(3)
    motion, seconds = sensors.motion(sensor, rng), rng.uniform(*SECONDS)
    find, pictures = tracking.Track() if moving else pose.find_pose, []
    every = shown.frames if moving else (shown.units,)
    for t, units in zip(np.linspace(0, seconds, len(every)), every, strict=True):
        mesh = _broadened(heads.pose(bust, units), how)
        mesh = sensors.scan(mesh, sensor, rng, motion.at(t))
        found = find(mesh)
        pictures.append(views.project(mesh, light=light, pose=found._replace(turn=error @ UPRIGHT @ found.turn)))
    if not moving:
        return pictures[0]
    pooled = dynamics.dynamic_image(np.stack(pictures)[..., :1])  # the three colours of shaded geometry are one
    return np.repeat(pooled, 3, axis=-1)


def _from_the_front(vertices: np.ndarray, triangles: np.ndarray, steepest: float) -> np.ndarray:
    """The triangles whose normal is at most `steepest` degrees off the viewing direction."""
    corners = vertices[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return triangles[normal[:, 2] > np.cos(np.radians(steepest)) * np.linalg.norm(normal, axis=1)]


def some_faces(indices: Sequence[int], draw: Draw, renderer: Callable = render) -> Faces:
    """The faces of a draw with these indices; a face does not depend on which others are made."""
    images, units, emotions = [], [], []
    for index in indices:
        rng = np.random.default_rng([draw.seed, index] + [MOVING_STREAM] * bool(draw.frames))
        emotion = None
        if index >= HELD_OUT:  # half of them move at random, the others show the emotions in equal numbers
            emotion = prompts.EMOTIONS[index // 2 % len(prompts.EMOTIONS)] if index % 2 else ""
        shown = random_face(rng, emotion)
        if draw.frames:
            shown = random_movement(shown, draw.frames, rng)
        images.append(renderer(shown, 1 + 2 * (index // FAMILY) + bool(draw.frames), rng))
        strongest = shown.units
        units.append([np.mean(strongest.get(unit, 0.0)) for unit in UNITS])
        emotions.append(shown.emotion)
    return Faces(np.stack(images), np.array(units, np.float32), np.array(emotions, "U16"))


def address(draw: Draw, renderer: Callable = render) -> str:
    """Where the faces of a draw are kept: a hash of the draw and of all code that makes them."""
    other = None if renderer is render else inspect.getsource(renderer)
    return key({"draw": draw, "source": source_key("mvlm.foundation.random_faces:some_faces"), "renderer": other})


def render_faces(draw: Draw, *, jobs: int = 2, cache: Path = CACHE, renderer: Callable = render) -> Faces:
    """All faces of a draw, those to learn from first; cached by everything that they depend on."""
    from joblib import Parallel, delayed
    from tqdm import tqdm

    folder = cache / address(draw, renderer)
    if not folder.is_dir():
        shares = np.array_split(draw.indices, -(-len(draw.indices) // (4 * FAMILY)))
        work = (delayed(some_faces)(share.tolist(), draw, renderer) for share in shares)
        done = Parallel(n_jobs=jobs, return_as="generator")(work)
        what = "moving faces" if draw.frames else "faces"
        parts = list(tqdm(done, total=len(shares), desc=f"rendering {what}", unit=f"{4 * FAMILY} {what}"))
        staged = folder.with_name(f"{folder.name}.{os.getpid()}")
        staged.mkdir(parents=True)
        for name, *values in zip(Faces._fields, *parts, strict=True):
            np.save(staged / f"{name}.npy", np.concatenate(values))
        try:
            staged.rename(folder)
        except OSError:  # another process was first, with the same faces
            shutil.rmtree(staged)
    return Faces(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in Faces._fields))
