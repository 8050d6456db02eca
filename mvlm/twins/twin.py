"""Synthetic twins: corpora with the subjects, classes, levels and file names of the licensed ones, drawn.

A twin is used exactly as the folder of the real corpus is: an index of scans or sequences, and meshes on demand. Every
scan and every frame is drawn from random streams of its own (roster, corpus, subject, scan or sequence, frame), so that
any of them can be made alone. `mvlm.twins.export` writes the native format; the readers get the same mesh back from it.

How hard a twin is was set once, by sources that know no method's result: `expressions`, `timing`, `sensors` and
`face.people` name them. `Dials` turns each of these choices up or down, to show what depends on it;
`mvlm.twins.cards` says in words what each twin is.
"""

import hashlib
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache, partial
from typing import NamedTuple

import numpy as np

from mvlm.faces.corpora.items import Scan, Sequence
from mvlm.faces.formats import bnt, landmarks
from mvlm.faces.mesh import Mesh
from mvlm.twins import rosters, timing
from mvlm.twins.expressions import micro_expression, personal_style, sample_expression, spontaneous_expression
from mvlm.twins.face import face as anny
from mvlm.twins.head import head
from mvlm.twins.sensors import SENSORS, Motion, motion, scan

FACES = {"anny": anny, "formula": head}  # what draws the people
# Raised by themselves: a face's when it or a sensor changes, the roster's when it changes who is there, which
# expressions they show, and when. The roster's is in the key of every random stream: a new one draws everything anew.
VERSIONS = {"face": {"anny": 1, "formula": 2}, "roster": 3}
GRID_STEP = 2.6  # mm between the points of a Bosphorus scan; the real one is denser
PICTURE = 128  # pixels, side of a texture: finer than any view of it
# Which landmarks a corpus has; BP4D and 4DME none.
_MARKS = {"BU-3DFE": landmarks.BND_NAMES, "Bosphorus": landmarks.LM3_NAMES, "BU-4DFE": landmarks.BND_NAMES}


@dataclass(frozen=True)
class Dials:
    """Factors on what makes a twin hard or easy; all 1 is the twin itself.

    strength      intensity of every expression
    variation     how people differ in what they show: units, strengths, units of their own; 0: all alike
    identity      how people differ in shape and skin
    mixing        other units and speech among spontaneous expressions (BP4D)
    irregularity  how onsets, lags and pauses vary (moving twins)
    noise         noise and ripple of the sensor
    holes         number of holes
    pose          turning, placement and sway of the head
    landmark      error of marked points
    levels        how far lower levels are below the highest (a power of them)
    takes         how takes of one person differ in the strengths of units, and strong takes in strength
    asymmetry     how the sides of a face differ in an expression
    own           strength of a person's own units
    missing       share of a person's units that a spontaneous display leaves out (BP4D)
    displays      how often spontaneous displays come, besides the first (BP4D)
    length        length of spontaneous bursts, within their bounds (BP4D)
    speech        share of the time in which people talk (BP4D)
    apex          part of a burst for which it stays (moving twins)
    rim           what each frame's crop takes off by itself (moving twins)
    """

    strength: float = 1.0
    variation: float = 1.0
    identity: float = 1.0
    mixing: float = 1.0
    irregularity: float = 1.0
    noise: float = 1.0
    holes: float = 1.0
    pose: float = 1.0
    landmark: float = 1.0
    levels: float = 1.0
    takes: float = 1.0
    asymmetry: float = 1.0
    own: float = 1.0
    missing: float = 1.0
    displays: float = 1.0
    length: float = 1.0
    speech: float = 1.0
    apex: float = 1.0
    rim: float = 1.0

    def __post_init__(self):
        for each in fields(self):
            factor = getattr(self, each.name)
            if not 0 <= factor <= 10:
                raise ValueError(f"dial {each.name} = {factor}: expected a factor in [0, 10], 1 for the twin itself")


@dataclass(frozen=True)
class Twin:
    """The twin of one corpus: same attributes and methods as `corpora.Corpus`.

    name   one of the five corpora
    dials  what is turned up or down; by default nothing
    face   what draws it, a key of `FACES`: "anny", which the foundation has never seen, or "formula", the head that it
           learnt from; who shows what, and when, is the same with either
    """

    name: str
    dials: Dials = Dials()
    face: str = "anny"

    def __post_init__(self):
        if self.name not in SENSORS:
            raise ValueError(f"no twin of {self.name!r}: expected one of {', '.join(SENSORS)}")
        if self.face not in FACES:
            raise ValueError(f"no face {self.face!r}: expected one of {', '.join(FACES)}")

    kind = "twin"
    unknown = ()

    @property
    def version(self) -> dict[str, str | int]:
        """What draws it, and of which version: of its face and of the roster."""
        return {"face": f"{self.face} {VERSIONS['face'][self.face]}", "roster": VERSIONS["roster"]}

    @property
    def fingerprint(self) -> str:
        """ "<roster>-<face>", two hex digests: another face alone leaves the first one as it is.

        The roster is the index, and what is done in three items; the face what these look like, to a micrometre, in
        which face and sensor show.
        """
        return _fingerprint(self)

    @cached_property
    def scans(self) -> tuple[Scan, ...]:
        """Scans of a static corpus, sorted by name; () for a moving one."""
        return rosters.scans(self.name, self.stream)

    @cached_property
    def sequences(self) -> tuple[Sequence, ...]:
        """Sequences of a moving corpus, sorted by name; () for a static one."""
        return rosters.sequences(self.name, self.stream)

    @property
    def items(self) -> tuple[Scan, ...] | tuple[Sequence, ...]:
        """The scans or the sequences."""
        return self.scans or self.sequences

    def check(self, frames: int = 0):  # noqa: ARG002 - as of a corpus
        """A twin has no bad files."""
        return {}

    def read(self, wanted: Scan) -> Mesh:
        """The mesh of one of `scans`, (V, 3) mm with landmarks, exactly as its exported file reads."""
        if self.name == "BU-3DFE":
            return _as_text(self._scanned(wanted))
        grid, marked, picture = self.native(wanted)
        return replace(bnt.grid_mesh(grid), landmarks=marked, texture=picture)

    def read_frame(self, sequence: Sequence, place: int) -> Mesh:
        """The mesh of a frame by its place in `sequence.frames`, exactly as its exported file reads."""
        frame = sequence.frames[place]
        person, recording = _person(self, sequence.subject), self._recording(sequence)
        t = (frame.number - rosters.FIRST[self.name]) / sequence.fps
        face = self._posed(person, timing.action_units(recording.course, t))
        rng = self.stream(self.name, sequence.name, frame.number)
        return _as_text(scan(face, self.sensor, rng, recording.motion.at(t)))

    def action_units(self, item: Scan | Sequence, t: float = 0.0):
        """What a face really does, action unit -> intensity, or (left, right), `t` seconds after the first frame."""
        if isinstance(item, Sequence):
            return timing.action_units(self.course(item), t)
        person, take = _person(self, item.subject), self.stream(self.name, item.name)
        level = item.level or self._strong(take)  # Bosphorus has no levels: one strong take
        if item.emotion:
            return self._posing(item.emotion, level, take, person.style)
        return {int(item.code.split("_")[1]): self.dials.strength * float(take.uniform(0.7, 1.0))}  # a single unit

    def course(self, sequence: Sequence) -> tuple[timing.Burst, ...]:
        """What happens in a sequence, times in seconds after its first frame."""
        return self._recording(sequence).course

    def native(self, wanted: Scan):
        """Of a Bosphorus scan: the (5, R, C) grid of its `.bnt`, the landmarks of its `.lm3`, its (R, C, 3) picture."""
        face = self._scanned(wanted)
        grid, picture = depth_grid(face)
        return grid, {name: np.round(point, 6) for name, point in face.landmarks.items()}, picture

    @cached_property
    def sensor(self):
        """The corpus' sensor, as far as the dials leave it."""
        usual, dials = SENSORS[self.name], self.dials
        return replace(
            usual, noise=usual.noise * dials.noise, ripple=usual.ripple * dials.noise, holes=usual.holes * dials.holes,
            pose=usual.pose * dials.pose, placement=usual.placement * dials.pose, sway=usual.sway * dials.pose,
            landmark=usual.landmark * dials.landmark, rim=usual.rim * dials.rim,
        )  # fmt: skip

    @staticmethod
    def stream(*key) -> np.random.Generator:
        """A random stream that depends on the roster's version and the words of its key alone."""
        digest = hashlib.sha256("/".join(map(str, (VERSIONS["roster"], *key))).encode()).digest()
        return np.random.default_rng(np.frombuffer(digest[:16], np.uint32))

    def __reduce__(self):
        return Twin, (self.name, self.dials, self.face)  # not the index: every process makes its own

    def _strong(self, rng):
        """The level of one strong take, 3 to 4; that range is ours."""
        return rng.uniform(3.5 - 0.5 * self.dials.takes, 3.5 + 0.5 * self.dials.takes)

    def _posing(self, emotion, level, rng, style):
        dials = self.dials
        return sample_expression(
            emotion, level, rng, style, dials.strength,
            levels=dials.levels, takes=dials.takes, asymmetry=dials.asymmetry,
        )  # fmt: skip

    def _scanned(self, wanted):
        face = self._posed(_person(self, wanted.subject), self.action_units(wanted))
        # The sensor has a stream of its own: it errs the same however many units a dial leaves.
        return scan(face, self.sensor, self.stream(self.name, wanted.name, "sensor"))

    def _posed(self, person, units):
        """The face before any sensor, with the landmarks that the corpus has."""
        face = FACES[self.face].pose(person.bust, {unit: np.minimum(level, 1.5) for unit, level in units.items()})
        marks = {name: face.landmarks[name] for name in _MARKS.get(self.name, ()) if name in face.landmarks}
        return replace(face, landmarks=marks, texture=person.picture)

    def _recording(self, sequence):
        return _recording(self, sequence.name, sequence.subject, sequence.emotion, sequence.code)


def head_motion(twin: Twin, sequence: Sequence) -> Motion:
    """How the head is held and sways in a sequence."""
    return twin._recording(sequence).motion


def apex_frame(twin: Twin, sequence: Sequence) -> int:
    """Number of the frame at the apex of a micro-expression, the middle of the time for which it stays."""
    burst = twin.course(sequence)[0]
    return sequence.frames[0].number + round((burst.start + burst.onset + burst.apex / 2) * sequence.fps)


@lru_cache(maxsize=64)
def _fingerprint(twin):
    index = [(item.name, len(item.frames) if isinstance(item, Sequence) else 1) for item in twin.items]
    roster = hashlib.sha256(repr((twin.name, twin.version["roster"], index)).encode())
    face = hashlib.sha256(repr((twin.version["face"], GRID_STEP, twin.dials)).encode())
    for item in twin.items[:: len(twin.items) // 3]:
        moving = isinstance(item, Sequence)
        middle = len(item.frames) // 2 if moving else 0
        for unit, sides in sorted(twin.action_units(item, middle / item.fps if moving else 0.0).items()):
            levels = np.broadcast_to(np.round(np.multiply(sides, 1e6)).astype("<i8"), 2)
            roster.update(unit.to_bytes(1) + levels.tobytes())
        seen = twin.read_frame(item, middle) if moving else twin._scanned(item)
        for points in (seen.vertices, np.array([*seen.landmarks.values()])):
            face.update(np.round(points * 1e3).astype("<i8").tobytes())
    return f"{roster.hexdigest()[:12]}-{face.hexdigest()[:12]}"


class _Person(NamedTuple):
    bust: head.Bust | anny.Bust
    style: dict
    picture: np.ndarray  # (PICTURE, PICTURE, 3) uint8 albedo


class _Recording(NamedTuple):
    course: tuple[timing.Burst, ...]
    motion: Motion


# Items come sorted by subject, so a few of each are enough.
@lru_cache(maxsize=4)
def _person(twin, subject):
    """All that stays of a subject."""
    rng, spread = twin.stream(twin.name, subject), twin.dials.identity
    said = {"sex": rosters.sex(twin.name, subject, twin.stream)}
    who = head.random_identity(rng, **said)  # drawn for either face: the style after it is the same
    style = personal_style(rng, twin.dials.variation, own=twin.dials.own)
    if twin.face == "anny":
        said |= {of: getattr(rosters, of)(twin.name, subject, twin.stream) for of in ("ancestry", "age")}
        who = anny.random_identity(twin.stream(twin.name, subject, twin.face), **said, spread=spread)
    elif spread != 1:
        traits = {name: spread * score for name, score in who.traits.items()}
        who = replace(who, traits=traits, waves=who.waves * [spread, 1, 1, 1, 1])
    draw = FACES[twin.face]
    return _Person(draw.sculpt(who), style, draw.texture(who, PICTURE))


@lru_cache(maxsize=4)
def _recording(twin, name, subject, emotion, code):
    """What happens in a sequence: the course of the action units and the head's motion."""
    dials, rng = twin.dials, twin.stream(twin.name, name)
    duration = (rosters.length(twin.name, code, name, twin.stream) - 1) / rosters.FPS[twin.name]
    moved = motion(twin.sensor, rng)
    style = _person(twin, subject).style
    if twin.name == "BU-4DFE":
        units = twin._posing(emotion, twin._strong(rng), rng, style)
        course = timing.posed(units, duration, rng, dials.irregularity, apex=dials.apex)
    elif twin.name == "BP4D":
        one = partial(spontaneous_expression, emotion, rng, style, dials.strength, missing=dials.missing)
        shown = [one(takes=dials.takes, asymmetry=dials.asymmetry)
                 for _ in range(1 + rng.poisson(dials.displays * duration / timing.EVERY))]  # fmt: skip
        speech = dials.speech * timing.TALKING.get(code, timing.A_LITTLE)
        course = timing.spontaneous(
            shown, duration, rng, speech=speech, mixing=dials.mixing, irregularity=dials.irregularity,
            length=dials.length, apex=dials.apex,
        )  # fmt: skip
    else:
        units = micro_expression(emotion, rng, dials.strength, takes=dials.takes, asymmetry=dials.asymmetry)
        course = timing.micro(units, duration, rng, dials.irregularity, apex=dials.apex)
    return _Recording(course, moved)


def _as_text(face):
    """What the text of a .wrl or .obj keeps of a mesh, and its .bnd of its landmarks if it has any."""
    vertices = np.round(face.vertices, 6)
    marks = {}
    if face.landmarks:
        # A .bnd names vertices: a marked point is the vertex nearest to where the marker aimed.
        aims = np.array([*face.landmarks.values()])
        closeness = aims @ vertices.T - 0.5 * (vertices**2).sum(1)  # |aim|^2 / 2 less half of the squared distance
        marks = dict(zip(face.landmarks, vertices[closeness.argmax(1)], strict=True))
    coordinates = np.round(face.texture_coordinates, 6)
    return replace(face, vertices=vertices, landmarks=marks, texture_coordinates=coordinates)


def depth_grid(mesh, step=GRID_STEP):
    """What a scanner with one viewpoint sees.

    Returns:
        (5, R, C) planes x, y, z (mm; `bnt.MISSING` outside the face) and u, v (in [0, 1], v from the top), row 0 at
        the bottom; and the (R, C, 3) uint8 picture of the same points, row 0 on top.
    """
    import open3d

    low, high = mesh.vertices[:, :2].min(0), mesh.vertices[:, :2].max(0)
    columns, rows = (int(n) + 1 for n in np.ceil((high - low) / step))
    x, y = np.meshgrid(low[0] + step * np.arange(columns), low[1] + step * np.arange(rows))
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        np.ascontiguousarray(mesh.vertices, np.float32), np.ascontiguousarray(mesh.triangles, np.uint32)
    )
    top = 500.0
    rays = np.stack([x, y, np.full_like(x, top), *(np.full_like(x, v) for v in (0, 0, -1))], -1).astype(np.float32)
    hits = scene.cast_rays(open3d.core.Tensor(rays))
    z = top - hits["t_hit"].numpy().astype(np.float64)
    seen = np.isfinite(z)
    # The picture has one pixel per point: u, v are the middle of its pixel.
    u = np.broadcast_to((np.arange(columns) + 0.5) / columns, x.shape)
    v = np.broadcast_to(1 - (np.arange(rows)[:, None] + 0.5) / rows, x.shape)
    grid = np.stack([x, y, z, u, v])
    grid[:3, ~seen] = bnt.MISSING
    second, third = hits["primitive_uvs"].numpy()[seen].T.astype(np.float64)
    corners = mesh.texture_coordinates[mesh.triangles[hits["primitive_ids"].numpy()[seen]]]  # (N, 3, 2)
    weights = np.stack([1 - second - third, second, third], 1)
    picture = np.zeros((rows, columns, 3), np.uint8)
    picture[seen] = _sampled(mesh.texture, (corners * weights[..., None]).sum(1))
    return grid, picture[::-1]


def _sampled(picture, coordinates):
    """(N, 3) colours of a picture's pixels at (N, 2) texture coordinates."""
    height, width = picture.shape[:2]
    column = np.clip((coordinates[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - coordinates[:, 1]) * height).astype(int), 0, height - 1)
    return picture[row, column]
