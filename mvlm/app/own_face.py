"""A face of one's own: a person and action units by number -> the mesh, its views, and what the model makes of them.

The people are those of the twins' face model, which the foundation has never seen (`mvlm.twins.face`): a number draws
one, and a few of the many that make a person can be changed. What takes the face model or the model to answer is done
in the process of `mvlm.app.worker`, and imports it there: the page is to be there at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm.app.model import chosen, model
from mvlm.classify.page import heated
from mvlm.classify.verdicts import SIDE
from mvlm.faces.corpora.items import EMOTIONS, NEUTRAL
from mvlm.faces.formats import bnt, by_extension
from mvlm.faces.mesh import Mesh
from mvlm.faces.views import project
from mvlm.twins.expressions import Units, personal_style, sample_expression

if TYPE_CHECKING:
    from torch import Tensor

    from mvlm.twins.face.face import Bust, Identity

CLASSES = (*EMOTIONS, NEUTRAL)
# What can be changed of a person -> MakeHuman's sliders of -1 to 1; several move together.
FEATURES = {
    "face, fullness": ("head/head-fat-incr",),
    "face, breadth": ("head/head-scale-horiz-incr",),
    "face, length": ("head/head-scale-vert-incr",),
    "brows, height": ("eyebrows/eyebrows-trans-up",),
    "eyes, size": ("eyes/l-eye-scale-incr", "eyes/r-eye-scale-incr"),
    "nose, length": ("nose/nose-scale-vert-incr",),
    "nose, breadth": ("nose/nose-scale-horiz-incr",),
    "mouth, breadth": ("mouth/mouth-scale-horiz-incr",),
    "lips, fullness": ("mouth/mouth-upperlip-volume-incr", "mouth/mouth-lowerlip-volume-incr"),
    "chin, prominence": ("chin/chin-prominent-incr",),
}
PEOPLE = 10_000  # whose number is below that
YEARS = (18.0, 70.0)
STEP = 0.05  # to which numbers of people and intensities are rounded, as on the page
MEAN_AGE, AGES = 35.0, 14.0  # years, of the standard score by which `people` says an age
# Units by where they show. The last are degrees of one movement and have no sides: of two numbers the mean counts.
JAW = (26, 27)
GROUPS = {
    "Brows": (1, 2, 4),
    "Eyes": (5, 6, 7, 43),
    "Nose and cheeks": (9, 10, 11),
    "Corners of the mouth": (12, 14, 15, 20),
    "Lips and chin": (16, 17, 18, 22, 23, 24, 25),
    "Jaw": JAW,
}
LEVELS = ("slight", "moderate", "strong", "strongest")  # the four of BU-3DFE
FORMATS = {".wrl": "BU-3DFE, BU-4DFE", ".obj": "BP4D", ".ply": "4DME", ".bnt": "Bosphorus"}
GRID = 1.0  # mm between the points of a .bnt


@dataclass(frozen=True)
class Person:
    """One person: the number of the draw, and what can be changed of it.

    male      in [0, 1]
    years     in `YEARS`
    features  as many numbers in [-1, 1] as `FEATURES`
    """

    number: int
    male: float
    years: float
    features: tuple[float, ...]


class Seen(NamedTuple):
    """A face as the model sees it, and what it makes of it.

    images         (V, S, S, 3) uint8, at the model's size
    probabilities  (9,) of `CLASSES`, a face at rest among them; they sum to 1
    """

    images: np.ndarray
    probabilities: np.ndarray

    @property
    def best(self) -> str:
        """The most probable of `CLASSES`."""
        return CLASSES[int(self.probabilities.argmax())]


def preset(emotion: str, level: float = len(LEVELS)) -> Units:
    """The action units by which the twins show an emotion, as a person without ways of their own would.

    Args:
        emotion: one of `CLASSES`.
        level: 1 (slight) to 4.
    """
    rng = np.random.default_rng(0)  # what is drawn of it weighs nothing
    style = personal_style(rng, variation=0, own=0)
    units = sample_expression(emotion, level, rng, style, takes=0, asymmetry=0)
    return {unit: (_stepped(left), _stepped(right)) for unit, (left, right) in units.items()}


def _stepped(value: float) -> float:
    return round(STEP * round(value / STEP), 2)


def draw(number: int) -> Person:
    """The person of a number, to `STEP` and to a year.

    Raises ValueError for a number that is not in 0 to `PEOPLE` - 1.
    """
    if not 0 <= number < PEOPLE:
        raise ValueError(f"person {number}: expected a number from 0 to {PEOPLE - 1}")
    drawn = _drawn(number)
    features = tuple(_stepped(float(drawn.sliders[places].mean())) for places in _places())
    years = float(np.clip(round(MEAN_AGE + AGES * drawn.traits["age"]), *YEARS))
    return Person(number, _stepped(drawn.male), years, features)


@lru_cache(maxsize=16)
def _drawn(number: int) -> Identity:
    from mvlm.twins.face.people import random_identity

    return random_identity(np.random.default_rng(number))


@cache
def _places() -> list[list[int]]:
    """Of each of `FEATURES`, where its sliders are among all."""
    from mvlm.twins.face.model import model

    sliders = model().sliders
    return [[sliders.index(name) for name in names] for names in FEATURES.values()]


def identity(person: Person) -> Identity:
    """The person as the face model takes it; what nobody can change is as drawn."""
    from mvlm.twins.face.people import OLD, YOUNG

    drawn = _drawn(person.number)
    sliders = drawn.sliders.copy()
    for value, places in zip(person.features, _places(), strict=True):
        sliders[places] += value - sliders[places].mean()  # sides that differ go on to differ
    return replace(
        drawn,
        male=person.male,
        old=float(np.clip((person.years - YOUNG) / (OLD - YOUNG), 0, 1)),
        sliders=np.clip(sliders, -1, 1),
        traits=drawn.traits | {"age": (person.years - MEAN_AGE) / AGES, "sex": 2 * person.male - 1},
    )


@lru_cache(maxsize=4)
def _at_rest(person: Person) -> tuple[Bust, np.ndarray]:
    """What stays of a person while the face moves, and the picture of the skin."""
    from mvlm.twins.face.face import sculpt, texture
    from mvlm.twins.twin import PICTURE

    who = identity(person)
    return sculpt(who), texture(who, PICTURE)


def mesh(person: Person, units: Mapping[int, tuple[float, float]]) -> Mesh:
    """The face, in mm, with the landmarks of BU-3DFE and the picture of its skin.

    Args:
        person: of `draw`, or changed.
        units: action unit -> (left, right) intensity of the subject in [0, 1], FACS A-E = 0.2-1.
    """
    from mvlm.twins.face.face import pose

    bust, picture = _at_rest(person)
    face = pose(bust, units)
    return replace(face, landmarks={name: face.landmarks[name] for name in by_extension.BND_NAMES}, texture=picture)


def look(person: Person, units: Mapping[int, tuple[float, float]]) -> Seen:
    """The views of a face, arguments as of `mesh`, and how the model shares them out among `CLASSES`."""
    import torch

    from mvlm.measures.explain import class_logits

    images = views(mesh(person, units), model().image_size)
    with torch.inference_mode():
        logits = class_logits(model().encode_views(images[None]), _prototypes(), model(), None)
    return Seen(images, logits[0].softmax(0).numpy())


def views(face: Mesh, size: int) -> np.ndarray:
    """(V, size, size, 3) uint8, from the angles and in the channel that the page was started with."""
    return project(face, chosen().yaws, size, channel=chosen().channel)


@cache
def _prototypes() -> Tensor:
    return model().prototypes(CLASSES)


def explained(person: Person, units: Mapping[int, tuple[float, float]], word: str) -> list[np.ndarray]:
    """The views (SIDE, SIDE, 3) of a face, arguments as of `mesh`, with what speaks for one of `CLASSES`."""
    from mvlm.measures.explain import grad_cam

    face = mesh(person, units)
    images = views(face, model().image_size)
    (heat,) = grad_cam(model(), images[None], CLASSES, np.array([CLASSES.index(word)])).heat
    return [heated(view, hot) for view, hot in zip(views(face, SIDE), heat, strict=True)]


def file_name(person: Person, extension: str) -> str:
    """What the face is saved as; a .bnt has that name inside too."""
    return f"face-{person.number}{extension}"


def saved(person: Person, units: Mapping[int, tuple[float, float]], extension: str) -> bytes:
    """The face, arguments as of `mesh`, as one file of a native format: its shape alone.

    A .bnt is what a scanner in front of the face would see, on a grid of `GRID` mm; the others hold all of the mesh.
    """
    from mvlm.twins.twin import depth_grid

    face = mesh(person, units)
    if extension == ".bnt":
        planes, _ = depth_grid(face, GRID)
        planes[3:] = bnt.MISSING  # no picture goes with it
        face = bnt.grid_mesh(planes)
    with TemporaryDirectory() as folder:
        path = Path(folder, file_name(person, extension))
        by_extension.write_mesh(Mesh(face.vertices, face.triangles), path)
        return path.read_bytes()
