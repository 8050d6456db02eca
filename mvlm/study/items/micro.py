"""Micro-expressions: the clips of 4DME, three or five categories, each subject left out in turn.

A micro-expression lasts at most half a second and is over before most of its clip is. So what is encoded of a clip
matters, and what is known of it: `WAYS` has the whole clip, windows of it that know nothing of when, and windows around
its apex, which *know* the frame that an annotator marked. Windows are encoded by themselves and averaged after the
encoder, as those of `mvlm.faces.windows` are; these last a second, as long as a whole clip.

Categories are far from equally frequent, so that accuracy says little: who always says the commonest is right for more
than half of the clips. Beside it stand UF1 and UAR (`mvlm.measures.unweighted`), and that row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.cache.keys import key, source_key
from mvlm.faces.corpora.items import Frame, evenly_spaced
from mvlm.faces.corpora.items import Sequence as Clip
from mvlm.faces.corpora.manifest import manifest_file, read_manifest
from mvlm.labels.naming import Prompts
from mvlm.measures import evaluate
from mvlm.method import Method, adapt, discriminant, predict, represent
from mvlm.settings import Settings
from mvlm.study.benchmarks import MICRO_EXPRESSIONS
from mvlm.study.films import pooled
from mvlm.study.methods import METHODS, reach, recipe
from mvlm.study.plan import SMOKE_STRENGTHS, Experiment, present, split_subjects
from mvlm.study.runs import embedded
from mvlm.twins.twin import Twin, apex_frame

if TYPE_CHECKING:
    from mvlm.faces.corpora.corpus import Corpus

# s: no onset of a micro-expression is longer than 0.26 s, and none of them than 0.5 s (Yan et al. 2013), so that a
# window that ends at the apex holds all of the rise.
LENGTH = 0.25
WINDOWS, FRAMES = 4, 5  # of a clip, and of a window
ASKED = ("baseline", "centred", "subject-centred", "relabelled-who")
PROBE, COMMONEST = "probe", "commonest"
EXTRA = {PROBE: "Linear probe of the frozen model", COMMONEST: "Always the commonest category in training"}
SEED = 0  # of labelling; no method asked draws anything


class Way(NamedTuple):
    """What of a clip is encoded.

    Attributes:
        knows: of the clip, besides its frames.
        windows: its frames and the number of the apex -> the frames of each window; None: the clip as it is.
    """

    title: str
    knows: str
    windows: Callable[[Sequence[Frame], float, int | None], list[tuple[Frame, ...]]] | None


def _evenly(frames: Sequence[Frame], fps: float, _apex: int | None) -> list[tuple[Frame, ...]]:
    first, last = frames[0].number, frames[-1].number
    starts = np.linspace(first, max(first, last - LENGTH * fps), WINDOWS)
    return [_within(frames, start, start + LENGTH * fps) for start in starts]


def _around(frames: Sequence[Frame], fps: float, apex: int) -> list[tuple[Frame, ...]]:
    return [_within(frames, apex - LENGTH * fps, apex), _within(frames, apex, apex + LENGTH * fps)]


def _at(frames: Sequence[Frame], _fps: float, apex: int) -> list[tuple[Frame, ...]]:
    return [(min(frames, key=lambda frame: abs(frame.number - apex)),)]


def _within(frames: Sequence[Frame], start: float, end: float) -> tuple[Frame, ...]:
    """At most `FRAMES` frames with numbers from `start` to `end`, evenly spaced; () of fewer than two."""
    inside = [frame for frame in frames if start - 1e-6 <= frame.number <= end + 1e-6]
    return tuple(inside[place] for place in evenly_spaced(len(inside), FRAMES)) if len(inside) > 1 else ()


WAYS: dict[str, Way] = {
    "clip": Way("whole clip, one dynamic image", "", None),
    "windows": Way(f"{WINDOWS} windows of {LENGTH} s, evenly placed", "", _evenly),
    "apex-windows": Way(f"{LENGTH} s before and after the apex", "apex", _around),
    "apex-frame": Way("the frame at the apex, a still", "apex", _at),
}


@dataclass(frozen=True)
class Cut:
    """The clips of a twin, each window a clip of its own: "s01_c01@0"."""

    twin: Twin
    way: str

    kind, scans, unknown = "twin", (), ()

    @property
    def name(self) -> str:
        return self.twin.name

    @cached_property
    def sequences(self) -> tuple[Clip, ...]:
        apexes = {clip.name: apex_frame(self.twin, clip) for clip in self.twin.sequences if WAYS[self.way].knows}
        return tuple(_cut(self.twin.sequences, self.way, apexes))

    @property
    def items(self) -> tuple[Clip, ...]:
        return self.sequences

    @cached_property
    def fingerprint(self) -> str:
        numbers = {clip.name: [frame.number for frame in clip.frames] for clip in self.sequences}
        return f"{self.twin.fingerprint}-{key(numbers)}"

    def read_frame(self, clip: Clip, place: int):
        return self.twin.read_frame(replace(clip, name=_whole(clip.name)), place)

    def __reduce__(self):
        return Cut, (self.twin, self.way)


def cut(corpus: Corpus | Twin, way: str) -> Corpus | Twin | Cut:
    """A corpus of the windows of a way in place of the clips; a clip without a marked apex has none that knows it."""
    if WAYS[way].windows is None:
        return corpus
    if isinstance(corpus, Twin):
        return Cut(corpus, way)
    marked = {clip.clip_id: clip.apex for clip in read_manifest(manifest_file(corpus.folder)) if clip.apex is not None}
    return replace(corpus, sequences=tuple(_cut(corpus.sequences, way, marked if WAYS[way].knows else {})))


def _cut(clips: Sequence[Clip], way: str, apexes: Mapping[str, int]) -> Iterator[Clip]:
    for clip in clips:
        if WAYS[way].knows and clip.name not in apexes:
            continue
        windows = WAYS[way].windows(clip.frames, clip.fps, apexes.get(clip.name))
        for number, frames in enumerate(frames for frames in windows if frames):
            yield replace(clip, name=f"{clip.name}@{number}", frames=frames)


def _whole(name: str) -> str:
    return name.partition("@")[0]


def micro_expressions(settings: Settings | None = None) -> list[dict[str, Any]]:
    """What every method says of every clip, a record for each benchmark and way, computing those that are missing.

    Args:
        settings: None reads them from the environment.

    Returns:
        Records with benchmark, way, data_kind, fingerprint, profile, folds; names, subjects, emotions: lists over
        clips; said: method -> the categories predicted, of `ASKED` and `EXTRA`. Of ways that know the apex there is
        none where no clip has one marked.

    Raises:
        AbsentError: no 4DME under `DATA`.
        ValueError: the full profile; bad clips, or too few subjects.
    """
    chosen = Settings.from_environment() if settings is None else settings
    if chosen.profile == "full":
        raise ValueError("PROFILE=full has no micro-expressions; they are of PROFILE=quick")
    with workers.on(chosen.scheduler):
        planned = [
            (way, *present([whole.benchmark], chosen, {films.name: films}))
            for whole in present(list(MICRO_EXPRESSIONS.values()), chosen)
            for way in WAYS
            if (films := cut(whole.corpus, way)).sequences
        ]
        paths = [_path(experiment, way) for way, experiment in planned]
        missing = [each for each in zip(planned, paths, strict=True) if not each[1].is_file()]
        tasks = [_task(experiment, way, path, chosen) for (way, experiment), path in missing]
        for _ in workers.each(_execute, tasks, jobs=chosen.jobs, title="micro-expressions") if tasks else ():
            pass
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def _path(experiment: Experiment, way: str) -> Path:
    code = "mvlm.study.items.micro:said", "mvlm.study.items.micro:of_clips"
    sources = [source_key(*code, **reach(METHODS[name])) for name in ASKED]
    content = {"way": way, "shown": experiment.content, "methods": [recipe(METHODS[name]) for name in ASKED]}
    return mvlm.settings.RUNS / "records" / f"{key(content | {'source': sources})}.json"


def _task(experiment: Experiment, way: str, path: Path, chosen: Settings) -> dict[str, Any]:
    samples, prompts = embedded(experiment, chosen)
    names, first = np.unique([_whole(name) for name in samples.names], return_index=True)
    subjects, emotions = samples.subjects[first], samples.emotions[first]
    split = split_subjects(experiment, chosen)
    head = {"benchmark": experiment.benchmark.name, "way": way, "data_kind": experiment.kind}
    head |= {"fingerprint": experiment.fingerprint, "profile": chosen.profile, "folds": len(split)}
    head |= {"names": names.tolist(), "subjects": subjects.tolist(), "emotions": emotions.tolist()}
    strengths = SMOKE_STRENGTHS if chosen.profile == "smoke" else evaluate.STRENGTHS
    told = {"methods": [METHODS[name] for name in ASKED], "views": of_clips(samples.views()[0], samples.names)}
    told |= {"classes": experiment.benchmark.labels(emotions), "subjects": subjects, "prompts": prompts}
    told |= {"split": split, "strengths": strengths}
    return {"path": path, "head": head, "told": told, "emotions": experiment.benchmark.emotions}


def _execute(task: dict[str, Any]) -> None:
    found = {name: [task["emotions"][c] for c in classes] for name, classes in said(**task["told"]).items()}
    write_text(task["path"], json.dumps(task["head"] | {"said": found}) + "\n")


def of_clips(views: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(N, V, D) unit rows of clips, in the order of their names: the mean over each one's windows, of (W, V, D)."""
    clips, place = np.unique([_whole(name) for name in names], return_inverse=True)
    number = np.array([int(name.partition("@")[2] or 0) for name in names])
    rows = np.full((len(clips), number.max() + 1, *views.shape[1:]), np.nan)
    rows[place, number] = views
    return pooled(rows, "mean")


def said(
    methods: Sequence[Method],
    views: np.ndarray,
    classes: np.ndarray,
    subjects: np.ndarray,
    prompts: Prompts,
    split: Sequence[tuple[Sequence[str], Sequence[str]]],
    strengths: tuple[float, ...],
) -> dict[str, np.ndarray]:
    """(N,) the class predicted of each clip by each method, by the probe of the first, and the commonest in training.

    True classes reach the last two alone, and of training subjects alone.

    Args:
        methods: which train nothing.
        views: (N, V, D).
        classes, subjects: (N,).
        prompts: of the classes.
        split: (training subjects, test subjects) of each fold.
        strengths: among which the probe chooses its inverse penalty.
    """
    found = {name: np.zeros(len(views), dtype=np.int64) for name in (*(one.name for one in methods), *EXTRA)}
    for train, test in split:
        fit, asked = np.isin(subjects, train), np.isin(subjects, test)
        who = subjects[fit], subjects[asked]
        for method in methods:
            found[method.name][asked] = _predicted(method, views[fit], views[asked], who, prompts)
        rows = represent(methods[0], views[fit], views[asked])
        told = evaluate.linear_probe(rows[0], classes[fit], subjects[fit], rows[1], strengths=strengths)
        found[PROBE][asked] = told
        found[COMMONEST][asked] = np.bincount(classes[fit]).argmax()
    return found


def _predicted(
    method: Method, train: np.ndarray, test: np.ndarray, who: tuple[np.ndarray, np.ndarray], prompts: Prompts
) -> np.ndarray:
    rounds = adapt(method, train[None], prompts, seed=SEED, subjects=who[0])[1]
    train_x, test_x = represent(method, train, test, who)
    return predict(method, test_x, prompts, fitted=discriminant(method, train_x, rounds, prompts))
