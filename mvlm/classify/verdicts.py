"""One's own scan of a face, or a recording: which words for its expression fit, and what in its views says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from importlib import import_module
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm.faces import dynamics
from mvlm.faces.corpora.items import EMOTIONS, NEUTRAL, evenly_spaced
from mvlm.faces.formats.by_extension import read_mesh
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import Pose
from mvlm.faces.tracking import Track
from mvlm.faces.views import project
from mvlm.labels.clusters import aggregate
from mvlm.machine import expect_ray_caster
from mvlm.samples import Rendering
from mvlm.settings import Settings

if TYPE_CHECKING:
    from mvlm.model import MultiviewVLM

KINDS = (".wrl", ".obj", ".bnt", ".ply")
SIDE = 256  # pixels of a view that is drawn; the model sees its own size
ACROSS = (80.0, 600.0)  # mm that scans of faces and of heads measure
STILL = 1.0  # grey levels, the mean of the pixels' deviations over the frames; films of the twins have 2.7 and more
UNITS = {"metres": 1000.0, "centimetres": 10.0, "micrometres": 0.001}


class Looked(NamedTuple):
    """The views of one input.

    Attributes:
        name: of the file or folder.
        kind: in words: "a scan", "16 of 94 frames".
        images: (V, S, S, 3) uint8, as the model sees them.
        shown: (V, SIDE, SIDE, 3) uint8, for the picture.
        lost: whether nothing told where the face is.
    """

    name: str
    kind: str
    images: np.ndarray
    shown: np.ndarray
    lost: bool


class Verdict(NamedTuple):
    """What the model makes of one input.

    Attributes:
        looked: its views.
        probabilities: (8,) of `EMOTIONS`, which sum to 1.
        heat: (V, S, S) in [0, 1], what speaks for `best`.
        rest: probability of a face at rest, were that a further class.
        without: (6,) of `mvlm.one_person.CLASSES`, with the person removed; None where nothing is known of who it is,
            all scans of the person look alike, or what removes the person does not fit the model.
        doubts: in words, why to doubt that, or why there is none.
    """

    looked: Looked
    probabilities: np.ndarray
    heat: np.ndarray
    rest: float
    without: np.ndarray | None = None
    doubts: tuple[str, ...] = ()

    @property
    def best(self) -> str:
        """The most probable emotion: with the person removed, if that is known."""
        return EMOTIONS[int((self.probabilities if self.without is None else self.without).argmax())]

    @property
    def at_rest(self) -> bool:
        """Whether it is called at rest: the prompts for a face at rest are nearer than those of any emotion."""
        return bool(self.rest > (1 - self.rest) * self.probabilities.max())


def classify(
    paths: Sequence[Path], chosen: Settings, pool: Executor | None = None, *, persons: Sequence[str] | None = None
) -> list[Verdict]:
    """The verdict on each scan (.wrl, .obj, .bnt, .ply) and on each folder of frames, which are one sequence.

    Args:
        paths: files and folders.
        chosen: model, channel and angles of the views.
        pool: processes that read, show and draw, and get ready while the model loads; None does it here.
        persons: who is shown in each, where that is known; the scans of one are read together (`mvlm.one_person`).

    Raises:
        ValueError, FileNotFoundError: what cannot be read or is no face in millimetres; each error names the file.
    """
    found = [(path, frames_of(path)) for path in paths]  # what is missing is said before the model loads
    if pool is not None:
        pool.submit(_ready)
    from mvlm.model import load_model

    model = load_model(chosen.model, chosen.pretrained)
    each = map if pool is None else pool.map
    looked = list(each(look, *zip(*found, strict=True), repeat(chosen), repeat(model.image_size)))
    return judged(model, looked, chosen, persons)


def judged(
    model: MultiviewVLM, looked: Sequence[Looked], chosen: Settings, persons: Sequence[str] | None = None
) -> list[Verdict]:
    """The verdict of a model on what was looked at; arguments as of `classify`."""
    from mvlm.measures.explain import class_logits, grad_cam

    images = np.stack([of.images for of in looked])
    views = model.encode_views(images)
    logits = class_logits(views, model.prototypes((*EMOTIONS, NEUTRAL)), model, None).numpy()
    probabilities, rest = _softmax(logits[:, :-1]), _softmax(logits)[:, -1]
    without, doubts = [None] * len(images), [()] * len(images)
    if persons is not None:
        without, doubts = _without_persons(model, aggregate(views.numpy()), np.asarray(persons), chosen)
    target = np.array([(of if own is None else own).argmax() for of, own in zip(probabilities, without, strict=True)])
    heat = grad_cam(model, images, EMOTIONS, target).heat
    return [Verdict(*of) for of in zip(looked, probabilities, heat, rest, without, doubts, strict=True)]


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def _without_persons(
    model: MultiviewVLM, rows: np.ndarray, persons: np.ndarray, chosen: Settings
) -> tuple[list[np.ndarray | None], list[tuple[str, ...]]]:
    """Probabilities with the person removed, and doubts, of each of unit rows (N, D); None where nobody is removed."""
    from mvlm import one_person

    reader = one_person.load()
    if misfit := reader.misfit(model, chosen):
        return [None] * len(rows), [(misfit,)] * len(rows)
    without, doubts = [None] * len(rows), [()] * len(rows)
    for person in np.unique(persons):
        own = np.flatnonzero(persons == person)
        read = repeat(None) if reader.alike(rows[own]) else reader.read(rows[own])
        said = reader.doubts(rows[own])
        for place, of in zip(own, read, strict=False):
            without[place], doubts[place] = of, said
    return without, doubts


def look(path: Path, frames: Sequence[Path], chosen: Settings, size: int) -> Looked:
    """The views of a scan, or the dynamic images of frames, at the model's size and larger."""
    (images, shown), kind, lost = views_of(frames, chosen, (size, SIDE))
    return Looked(path.name, kind, images, shown, lost)


def views_of(frames: Sequence[Path], chosen: Settings, sizes: Sequence[int]) -> tuple[list[np.ndarray], str, bool]:
    """Views (V, S, S, 3) of a scan, or dynamic images of frames, at each size S; what was seen; whether no face was.

    Raises ValueError as of `classify`, MachineError where nothing draws.
    """
    expect_ray_caster()
    places = evenly_spaced(len(frames), Rendering.of(chosen).frames)
    track, lost, views = Track(), False, [[] for _ in sizes]
    for place in places:
        mesh = read_mesh(frames[place])
        if place == places[0]:
            _check_size(frames[place], mesh)
        pose = track(mesh)
        lost = lost or is_lost(mesh, pose)
        for size, pictures in zip(sizes, views, strict=True):
            pictures.append(_shown(frames[place], mesh, pose, chosen, size))
    kind = "a scan"
    if len(frames) > 1:
        kind = f"{len(places)} of {len(frames)} frames, as one dynamic image"
        if np.std(views[0], axis=0).mean() < STILL:
            kind += ", which says little: they hardly differ, and it shows what moves"
    return [dynamics.dynamic_image(np.stack(pictures)) for pictures in views], kind, lost


def is_lost(mesh: Mesh, pose: Pose) -> bool:
    """Whether nothing told where the face is, so that `find_pose` took it as it lies."""
    return not mesh.landmarks and np.array_equal(pose.turn, np.eye(3))


def people(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The scans among paths, and who is shown in each: a folder is a person, files are all of one.

    Raises ValueError, FileNotFoundError as of `classify`.
    """
    scans, persons = [], []
    for path in paths:
        own = frames_of(path)
        scans += own
        persons += [str(path) if path.is_dir() else ""] * len(own)
    return scans, persons


def _ready() -> None:
    """Imports what takes a process seconds before it can show a mesh, and draw."""
    for library in ("open3d", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        import_module(library)


def frames_of(path: Path) -> list[Path]:
    """The file itself, or the meshes of a folder in the order of the numbers in their names."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a scan ({', '.join(KINDS)}) or a folder of frames, found nothing")
    if not path.is_dir():
        if path.suffix.lower() not in KINDS:
            raise ValueError(f"{path}: expected a scan with the extension {', '.join(KINDS)}, found {path.suffix!r}")
        return [path]
    frames = [file for file in path.iterdir() if file.suffix.lower() in KINDS and not file.name.startswith(".")]
    if not frames:
        raise ValueError(f"{path}: expected a folder of frames ({', '.join(KINDS)}), found none")
    kinds = sorted({file.suffix.lower() for file in frames})
    if len(kinds) > 1:
        raise ValueError(f"{path}: expected frames of one kind, found {' and '.join(kinds)}")
    return in_order(frames)


def in_order(frames: Iterable[Path]) -> list[Path]:
    """Files in the order of the numbers in their names."""
    return sorted(frames, key=lambda file: ([int(digits) for digits in re.findall(r"\d+", file.stem)], file.name))


def _check_size(path: Path, mesh: Mesh) -> None:
    low, high = np.percentile(mesh.vertices, [2, 98], axis=0)
    across = float((high - low).max())
    if not ACROSS[0] <= across <= ACROSS[1]:
        fits = [unit for unit, factor in UNITS.items() if ACROSS[0] <= across * factor <= ACROSS[1]]
        hint = f"; is it in {fits[0]}?" if fits else ""
        raise ValueError(
            f"{path}: expected a face in millimetres, {ACROSS[0]:g} to {ACROSS[1]:g} of them across, "
            f"found {across:.3g}{hint}"
        )


def _shown(path: Path, mesh: Mesh, pose: Pose, chosen: Settings, size: int) -> np.ndarray:
    try:
        return project(mesh, chosen.yaws, size, channel=chosen.channel, pose=pose)
    except ValueError as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
