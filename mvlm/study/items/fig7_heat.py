"""What a worker does for Fig. 7: adapts to unlabelled faces, and measures where the heat of others lies.

Shapes: N sequences of a few subjects, V views, H side of a view, E emotions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm.faces.pose import find_pose
from mvlm.faces.regions import PLACES, region_map, surface
from mvlm.faces.views import view_names
from mvlm.labels.naming import Prompts
from mvlm.measures import explain
from mvlm.measures.statistics import rank_correlation
from mvlm.method import Method, adapt
from mvlm.model import MultiviewVLM
from mvlm.study.embeddings import Embedded, cached_model
from mvlm.training.adapter import Adapter

if TYPE_CHECKING:
    from mvlm.faces.corpora.corpus import Corpus
    from mvlm.faces.corpora.items import Sequence as Recording
    from mvlm.faces.mesh import Mesh


HOTTEST = "hottest"


class Task(NamedTuple):
    """Whole subjects, so that each has other emotions to be compared with.

    Attributes:
        adapter: on top of the model; None where the towers themselves were trained.
        model: its name and weights, as of `load_model`; foundation: the same before any training.
        images: (N, V, H, H, 3) uint8.
        recordings: N sequences of `corpus`, which reads their frames.
        classes: (N,) int, the emotion that each shows, in `emotions`.
        yaws: V angles.
        randomised: subjects whose heat is made again with random weights.
        seed: of these.
    """

    adapter: Adapter | None
    model: tuple[str, str | None]
    foundation: tuple[str, str | None]
    images: np.ndarray
    recordings: tuple[Recording, ...]
    classes: np.ndarray
    corpus: Corpus
    emotions: tuple[str, ...]
    yaws: tuple[float, ...]
    randomised: frozenset[str]
    seed: int


class Explained(NamedTuple):
    """What is found of a task's sequences.

    Attributes:
        views, pairs, stages, removals: rows of the tables of `mvlm.study.items.fig7.Attention`.
        count: (E,) sequences of each emotion.
        images, heat, cam: (E, V, H, H, 3) and twice (E, V, H, H), their sums; `cam` is plain Grad-CAM.
        first_images, first_heat: the same of the task's first subject alone.
    """

    views: list[dict]
    pairs: list[dict]
    stages: list[dict]
    removals: list[dict]
    count: np.ndarray
    images: np.ndarray
    heat: np.ndarray
    cam: np.ndarray
    first_images: np.ndarray
    first_heat: np.ndarray


def trained(task: tuple[Method, Embedded, Prompts, int, dict[str, int]]) -> Adapter:
    """The adapter that a method fits to unlabelled samples: method, samples, prompts, seed, how."""
    method, unlabelled, prompts, seed, how = task
    return adapt(method, unlabelled.views(), prompts, seed=seed, **how)[0]


def explained(task: Task) -> Explained:
    """Heat of the logit of the emotion that each sequence shows, and all that is measured on it."""
    import torch

    model, images = cached_model(*task.model), np.array(task.images)
    found = explain.grad_cam(model, images, task.emotions, task.classes, adapter=task.adapter)
    before = cached_model(*task.foundation)
    with torch.no_grad():
        prototypes = before.prototypes(task.emotions)
        plain = explain.class_logits(before.encode_views(images), prototypes, before, None).argmax(1).tolist()
    subjects = np.array([recording.subject for recording in task.recordings])
    names = view_names(task.yaws)
    views, pairs, face = [], [], np.zeros(found.heat.shape, bool)  # dynamic images have a grey background
    for n, recording in enumerate(task.recordings):
        about = {"name": recording.name, "subject": recording.subject, "emotion": task.emotions[task.classes[n]]}
        guesses = {"predicted": task.emotions[found.logits[n].argmax()], "frozen": task.emotions[plain[n]]}
        logit = float(found.logits[n, task.classes[n]])
        places, shares, same, reference = _measured(found.heat[n], found.heat[_another(n, subjects)], recording, task)
        face[n], areas = places > 0, explain.region_shares(np.ones_like(found.heat[n]), places)
        for v, name in enumerate(names):
            values = {"view": name, "logit": logit, "mass": float(found.mass[n, v])}
            lying = {f"share: {place}": float(shares[v, i]) for i, place in enumerate(PLACES)}
            lying |= {f"area: {place}": float(areas[v, i]) for i, place in enumerate(PLACES)}
            views.append(about | guesses | values | lying)
        for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
            agreement = {"own": float(same[i, j]), "reference": float(reference[i, j])}
            pairs.append(about | {"of": f"{names[i]}, {names[j]}"} | agreement)
    others = [_another(n, subjects) for n in range(len(subjects))]
    cam = explain.grad_cam(model, images, task.emotions, task.classes, adapter=task.adapter, form="channels").heat
    removals = []
    for of, warmth in {
        HOTTEST: found.heat,
        "Grad-CAM's hottest": cam,
        "another emotion's hottest": found.heat[others],
        "coldest": -found.heat,
    }.items():
        falls = explain.removal(model, images, face, warmth, task.emotions, task.classes, adapter=task.adapter)
        for recording, fall in zip(task.recordings, falls.tolist(), strict=True):
            removals.append({"name": recording.name, "subject": recording.subject, "of": of, "own": fall})
    earliest = subjects == min(subjects.tolist())
    sums = [_summed(values, task.classes, len(task.emotions)) for values in (images, found.heat, cam)]
    first = [_summed(values[earliest], task.classes[earliest], len(task.emotions)) for values in (images, found.heat)]
    stages = list(_randomised(model, found.heat, face, task))
    count = np.bincount(task.classes, minlength=len(task.emotions))
    return Explained(views, pairs, stages, removals, count, *sums, *first)


def _summed(values: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """(E, ...) sums of (N, ...) by class (N,)."""
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, classes, values)
    return total


def _another(n: int, subjects: np.ndarray) -> int:
    """The next sequence of the same subject, after the last the first."""
    own = np.flatnonzero(subjects == subjects[n])
    return int(own[(np.searchsorted(own, n) + 1) % len(own)])


def _measured(heat: np.ndarray, other: np.ndarray, recording: Recording, task: Task) -> tuple[np.ndarray, ...]:
    """Places (V, H, H), shares of heat (V, 7), agreement of the views' heat and with another sequence's, (V, V)."""
    mesh = _first_mesh(task.corpus, recording)
    pose, size, yaws = find_pose(mesh), heat.shape[-1], task.yaws
    places, shown = region_map(mesh, yaws, size, pose=pose), surface(mesh, yaws, size, pose=pose)
    points = pose.of(mesh.vertices)
    agreement = (explain.view_agreement(heat, of, points, shown, yaws) for of in (heat, other))
    return places, explain.region_shares(heat, places), *agreement


def _first_mesh(corpus: Corpus, recording: Recording) -> Mesh:
    """The first frame that can be read: dynamic images are in its pose."""
    for place in range(len(recording.frames)):
        try:
            return corpus.read_frame(recording, place)
        except (OSError, ValueError):
            continue  # loading the samples has told of it, and has stopped there unless SKIP_BAD
    raise ValueError(f"{recording.name}: expected a frame that can be read, found none")


def _randomised(model: MultiviewVLM, heat: np.ndarray, face: np.ndarray, task: Task) -> Iterator[dict[str, object]]:
    rows = [n for n, recording in enumerate(task.recordings) if recording.subject in task.randomised]
    if not rows:
        return
    images, classes = np.array(task.images)[rows], task.classes[rows]
    for stage, other, adapter in explain.cascade(model, task.adapter, seed=task.seed):
        made = explain.grad_cam(other, images, task.emotions, classes, adapter=adapter).heat
        for n, row in enumerate(rows):
            about = {"name": task.recordings[row].name, "subject": task.recordings[row].subject, "of": stage}
            for v, seen in enumerate(face[row]):
                yield about | {"own": rank_correlation(heat[row, v][seen], made[n, v][seen])}
