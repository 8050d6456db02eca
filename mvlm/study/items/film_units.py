"""What is left of the true action units of a film when it is pooled, before any picture is drawn or any model looks.

A twin knows what its faces really do. Pooled over time as each representation of a film pools pictures, at the very
moments that it sees, that is the ceiling of whatever sees films in this way; where it falls, the loss is the pooling's.

Shapes: N films, T frames, W windows, U action units.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.cache.keys import key, source_key
from mvlm.faces.corpora.items import evenly_spaced
from mvlm.faces.dynamics import rank_pool
from mvlm.faces.windows import CUTS
from mvlm.labels.clusters import unit_rows
from mvlm.labels.identity import centred_on_subjects
from mvlm.measures.evaluate import STRENGTHS, linear_probe
from mvlm.samples import Rendering
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.plan import Experiment, cheaper, present, split_subjects
from mvlm.twins.face.face import ACTION_UNITS
from mvlm.twins.timing import action_units

if TYPE_CHECKING:
    import pandas as pd

    from mvlm.faces.corpora.items import Sequence as Recording
    from mvlm.twins.twin import Twin

CHUNK = 8  # films a worker takes at once
FAINT = 1e-6  # a film without any motion has a direction, too


def _image(course: np.ndarray, _fps: float, frames: int | None) -> np.ndarray:
    return rank_pool(course[evenly_spaced(len(course), frames)])


def _frames(course: np.ndarray, fps: float, frames: int | None) -> np.ndarray:
    return course[CUTS["frames"](len(course), fps, frames)[:, 0]].mean(axis=0)


def _moved(course: np.ndarray, fps: float, frames: int | None) -> np.ndarray:
    """(W, 2 U) what rises and what falls within each window: an encoder tells the two apart, a mean of sums does not.

    Without this, windows would be pooled by what is linear, as the one image is, and would keep as little.
    """
    found = np.stack([rank_pool(course[window]) for window in CUTS["windows"](len(course), fps, frames)])
    return np.concatenate([np.clip(found, 0, None), np.clip(-found, 0, None)], axis=1)


def _windows(course: np.ndarray, fps: float, frames: int | None) -> np.ndarray:
    return _moved(course, fps, frames).mean(axis=0)


def _windows_max(course: np.ndarray, fps: float, frames: int | None) -> np.ndarray:
    return _moved(course, fps, frames).max(axis=0)


def _both(course: np.ndarray, fps: float, frames: int | None) -> np.ndarray:
    parts = [pool(course, fps, frames) + FAINT for pool in (_windows, _frames)]
    return np.concatenate([unit_rows("a pooled film", part) for part in parts])


# Representation -> what it makes of a course (T, U), at so many frames in a second, where the one image has so many
# frames. The first two are what a film holds at all, and what one image of all its frames would.
ALL_MEAN, ALL_IMAGE = "all frames, mean", "image of all frames"
POOLINGS: dict[str, Callable[[np.ndarray, float, int | None], np.ndarray]] = {
    ALL_MEAN: lambda course, _fps, _frames: course.mean(axis=0),
    ALL_IMAGE: lambda course, _fps, _frames: rank_pool(course),
    "image": _image,
    "windows": _windows,
    "windows-max": _windows_max,
    "frames": _frames,
    "windows+frames": _both,
}


def true_units(benchmarks: Sequence[str], settings: Settings | None = None) -> pd.DataFrame:
    """What a linear probe tells from the pooled true units of twins' films, on the folds of the runs.

    Args:
        benchmarks: of films, with folds.
        settings: None reads them from the environment. Of corpora under `data` nobody knows the true units.

    Returns:
        A row for each benchmark, representation and fold: benchmark, film, fold, folds, data_kind, profile; names,
        subjects, emotions, and predicted: plain and subject_centred; lists over the test samples. None with `data`.
    """
    import pandas as pd

    chosen = Settings.from_environment() if settings is None else settings
    rows = []
    if chosen.data is None:
        with workers.on(chosen.scheduler):
            for experiment in present([BENCHMARKS[name] for name in benchmarks], chosen):
                path = _path(experiment, chosen)
                if not path.is_file():
                    write_text(path, json.dumps(_computed(experiment, chosen)))
                rows += json.loads(path.read_text(encoding="utf-8"))
    return pd.DataFrame(rows)


def _path(experiment: Experiment, chosen: Settings) -> Path:
    content = {
        "corpus": experiment.corpus.fingerprint,
        "benchmark": [experiment.benchmark.name, experiment.benchmark.emotions],
        "samples": experiment.samples.names.tolist(),
        "folds": split_subjects(experiment, chosen),
        "frames": Rendering.of(chosen).frames,
        "profile": chosen.profile,
        "source": source_key("mvlm.study.items.film_units:_courses", "mvlm.study.items.film_units:_probed"),
    }
    return mvlm.settings.RUNS / "records" / f"{key(content)}.json"


def _computed(experiment: Experiment, chosen: Settings) -> list[dict[str, object]]:
    twin, samples, name = experiment.corpus, experiment.samples, experiment.benchmark.name
    films = {film.name: film for film in twin.sequences}
    chosen_films = [films[each] for each in samples.names]
    frames = Rendering.of(chosen).frames
    tasks = [(twin, chosen_films[start : start + CHUNK], frames) for start in range(0, len(chosen_films), CHUNK)]
    parts = list(workers.each(_courses, tasks, jobs=chosen.jobs, title=f"true action units of {name}"))
    strengths = cheaper(chosen).get("strengths", STRENGTHS)
    asked, made = [], []
    for film in POOLINGS:
        rows = np.concatenate([part[film] for part in parts])
        for fold, (train, test) in enumerate(split := split_subjects(experiment, chosen)):
            learn, check = np.isin(samples.subjects, train), np.isin(samples.subjects, test)
            told = rows[learn], samples.subjects[learn], experiment.benchmark.labels(samples.emotions[learn])
            asked.append((*told, rows[check], samples.subjects[check], strengths))
            about = {"benchmark": name, "film": film, "fold": fold, "folds": len(split), "data_kind": twin.kind}
            about |= {"profile": chosen.profile}
            made.append(about | {of: getattr(samples, of)[check].tolist() for of in ("names", "subjects", "emotions")})
    emotions = np.array(experiment.benchmark.emotions)
    said = workers.each(_probed, asked, jobs=chosen.jobs, title=f"probes of the action units of {name}")
    for row, (plain, left) in zip(made, said, strict=True):
        row |= {"plain": emotions[plain].tolist(), "subject_centred": emotions[left].tolist()}
    return made


def _courses(task: tuple[Twin, Sequence[Recording], int | None]) -> dict[str, np.ndarray]:
    """Representation -> (n, ...) what it makes of the true units of some films, means of both sides."""
    twin, films, frames = task
    found: dict[str, list[np.ndarray]] = {film: [] for film in POOLINGS}
    for recording in films:
        bursts = twin.course(recording)
        shown = [action_units(bursts, place / recording.fps) for place in range(len(recording.frames))]
        course = np.array([[np.mean(units.get(unit, 0.0)) for unit in ACTION_UNITS] for units in shown])
        for film, pool in POOLINGS.items():
            found[film].append(pool(course, recording.fps, frames) + FAINT)
    return {film: unit_rows("pooled action units", np.stack(rows)) for film, rows in found.items()}


def _probed(task: tuple) -> tuple[np.ndarray, np.ndarray]:
    """(M,) classes by a probe on labelled training rows, plain, and of what is left when each subject's mean is gone.

    The task has rows (N, X), subjects and labels (N,) to train on, rows (M, X) and subjects (M,) that are asked, and
    the strengths among which the probe chooses.
    """
    train, who, labels, test, asked, strengths = task
    plain = linear_probe(train, labels, who, test, strengths=strengths)
    mean = train.mean(axis=0)
    left = [centred_on_subjects(rows, subjects, mean) for rows, subjects in ((train, who), (test, asked))]
    return plain, linear_probe(left[0], labels, who, left[1], strengths=strengths)
