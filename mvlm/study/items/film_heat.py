"""When and where the model looks: heat over the windows of one film of each class, by the frozen model.

What is explained is the logit of the emotion that a film shows, of the mean over all its windows and views. One logit
has all their heat, so that windows can be compared: by how much of it each has (when), and by where it lies there.

Shapes: E films, W windows, V views, H side of a view.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write
from mvlm.cache.keys import key, source_key
from mvlm.faces.regions import PLACES
from mvlm.faces.windows import CUTS
from mvlm.report.sheets import contact_sheet
from mvlm.samples import Rendering, load_samples
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.embeddings import cached_model, shown_as
from mvlm.study.films import sources
from mvlm.study.items.fig7 import overlaid
from mvlm.study.items.table_figures import Drawing
from mvlm.study.plan import Experiment, present

if TYPE_CHECKING:
    import pandas as pd

    from mvlm.faces.corpora.corpus import Corpus
    from mvlm.faces.corpora.items import Sequence as Recording

ON, FILM = "BP4D", "windows"
COLUMNS = {
    "name": "sequence",
    "subject": "",
    "emotion": "shown, whose logit is explained",
    "predicted": "by the model, zero-shot from the mean over windows and views",
    "window": "in the order of time, from 1",
    "start": "seconds after the first frame, of the window's first frame",
    "end": "seconds after the first frame, of the window's last frame",
    "place": "region of the face",
    "share": "fraction of the film's heat that lies in this window and region, over all views",
}


class Looked(NamedTuple):
    """What `film_heat` finds.

    Attributes:
        rows: a row for each film, window and region, with `COLUMNS`.
        images: (E, W, H, H) uint8, front views of the windows, 0 where there is none.
        heat: (E, W, H, H), their heat; the hottest place of each film is 1.
        kind: data kind of the corpus.
    """

    rows: pd.DataFrame
    images: np.ndarray
    heat: np.ndarray
    kind: str


def film_heat(settings: Settings | None = None) -> Looked:
    """Heat over time of the first subject's first film of each emotion of BP4D, by the frozen model. Nobody is chosen.

    Args:
        settings: None reads them from the environment.

    Raises:
        AbsentError: `DATA` lacks the corpus.
        ValueError, FileNotFoundError: bad sequences, no weights.
    """
    import pandas as pd

    chosen = Settings.from_environment() if settings is None else settings
    with workers.on(chosen.scheduler):
        (experiment,) = present([BENCHMARKS[ON]], chosen)
        path = _path(experiment, chosen)
        if not path.is_file():
            write(path, lambda file: file.write(_packed(*_computed(experiment, chosen))))
    with np.load(path) as file:
        rows = pd.DataFrame(json.loads(str(file["rows"])), columns=list(COLUMNS))
        return Looked(rows, file["images"], file["heat"], experiment.kind)


def draw_film_heat(found: Looked) -> Drawing:
    """Front views of every window under their heat, a line for each film; a window that says little is dim."""
    rows = found.rows.drop_duplicates(["name", "window"])
    count = found.images.shape[1]
    names = [f"{of['emotion'].iloc[0]}\n{of['name'].iloc[0]}" for _, of in rows.groupby("name", sort=False)]
    shown = overlaid(np.repeat(found.images[..., None], 3, axis=-1), found.heat)
    figure = contact_sheet(shown, names, [f"window {number + 1}" for number in range(count)])
    figure.axes[0].grid(False)  # as other figures' style has it
    return Drawing(figure, found.rows, COLUMNS)


def draw_over_time(found: Looked) -> Drawing:
    """Share of the film's heat over time, by region, a panel for each film; a bar is a window."""
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    films = list(found.rows.groupby("name", sort=False))
    figure = Figure(figsize=(11, 2.1 * -(-len(films) // 4) + 0.5), layout="constrained")
    panels = figure.subplots(-(-len(films) // 4), 4, sharey=True, squeeze=False).ravel()
    colours = dict(zip(PLACES, ["0.85", "0.65", *sns.color_palette("colorblind")], strict=False))
    for panel, (name, of) in zip(panels, films, strict=False):
        windows = of.drop_duplicates("window")
        wide = np.maximum(windows["end"] - windows["start"], windows["end"].max() / 60)
        base = np.zeros(len(windows))
        for place, part in of.groupby("place", sort=False):
            panel.bar(windows["start"], part["share"], wide, bottom=base, align="edge", color=colours[place],
                      label=place, lw=0)  # fmt: skip
            base += part["share"].to_numpy()
        panel.axhline(1 / len(windows), ls="--", color="0.4", lw=1)
        panel.set_title(f"{of['emotion'].iloc[0]} ({name}),\ntaken for {of['predicted'].iloc[0]}", fontsize=8)
    for panel in panels[len(films) :]:
        panel.remove()
    figure.supxlabel("seconds", fontsize=9)
    figure.supylabel("share of the film's heat", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(PLACES), fontsize=8)
    return Drawing(figure, found.rows, COLUMNS)


def _path(experiment: Experiment, chosen: Settings) -> Path:
    content = experiment.content | sources(experiment.corpus, FILM)
    content |= {"heat": source_key("mvlm.study.items.film_heat:_looked", without=("mvlm.prompts:prompts_for",))}
    return mvlm.settings.RUNS / "records" / f"{key(content | {'skip_bad': chosen.skip_bad})}.npz"


def _packed(rows: list[dict], images: np.ndarray, heat: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.savez_compressed(written, rows=np.array(json.dumps(rows, ensure_ascii=False)), images=images, heat=heat)
    return written.getvalue()


def _computed(experiment: Experiment, chosen: Settings) -> tuple[list[dict], np.ndarray, np.ndarray]:
    corpus, emotions = experiment.corpus, experiment.benchmark.emotions
    how = shown_as(emotions, chosen, experiment.subjects)
    samples = load_samples(corpus, jobs=chosen.jobs, skip_bad=chosen.skip_bad, cut=FILM, **how)
    recordings = {item.name: item for item in corpus.items}
    tasks = []
    for number, emotion in enumerate(emotions):
        shown = np.flatnonzero(samples.emotions == emotion)
        if len(shown):
            recording, images = recordings[samples.names[shown[0]]], np.array(samples.images[shown[0]])
            places = CUTS[FILM](len(recording.frames), recording.fps, Rendering.of(chosen).frames)
            model = chosen.model, chosen.pretrained
            tasks.append(Task(recording, images, places, emotions, number, corpus, chosen.yaws, model))
    done = list(workers.each(_looked, tasks, jobs=chosen.jobs, title=f"heat of {ON}"))
    rows = [row for part in done for row in part[0]]
    return rows, *(np.stack([part[place] for part in done]) for place in (1, 2))


class Task(NamedTuple):
    """One film.

    Attributes:
        recording: a sequence of `corpus`, which reads its frames.
        images: (W, V, H, H, C) uint8, black where a window is missing or the film has fewer.
        places: (W' <= W, K) of the windows' frames.
        emotions, shown: the classes, and which of them the film shows.
        yaws: V angles.
        model: its name and weights, as of `load_model`.
    """

    recording: Recording
    images: np.ndarray
    places: np.ndarray
    emotions: tuple[str, ...]
    shown: int
    corpus: Corpus
    yaws: tuple[float, ...]
    model: tuple[str, str | None]


def _looked(task: Task) -> tuple[list[dict], np.ndarray, np.ndarray]:
    """Rows of `Looked`, and the front views (W, H, H) of a film and their heat."""
    from mvlm.faces.pose import find_pose
    from mvlm.faces.regions import region_map
    from mvlm.measures import explain

    recording, there = task.recording, task.images.any(axis=(1, 2, 3, 4))
    seen = task.images[there]
    seen = np.broadcast_to(seen, (*seen.shape[:-1], 3))
    flat = np.array(seen.reshape(1, -1, *seen.shape[2:]))  # every view of every window, as views of one sample
    found = explain.grad_cam(cached_model(*task.model), flat, task.emotions, np.array([task.shown]))
    heat = found.heat.reshape(seen.shape[:-1])  # (W, V, H, H), the hottest place of each 1
    raw = heat / np.maximum(heat.mean(axis=(-2, -1), keepdims=True), np.finfo(float).tiny)
    raw = raw * found.mass.reshape(*seen.shape[:2], 1, 1)
    mesh = task.corpus.read_frame(recording, int(task.places[there[: len(task.places)]][0, 0]))
    regions = region_map(mesh, task.yaws, heat.shape[-1], pose=find_pose(mesh))  # the views follow the head
    total = max(float(raw.sum()), float(np.finfo(float).tiny))
    predicted = task.emotions[int(found.logits[0].argmax())]
    about = {"name": recording.name, "subject": recording.subject, "emotion": task.emotions[task.shown]}
    rows = []
    for number, of in zip(np.flatnonzero(there).tolist(), raw, strict=True):
        start, end = (float(task.places[number, at] / recording.fps) for at in (0, -1))
        when = {"predicted": predicted, "window": number + 1, "start": start, "end": end}
        shares = np.bincount(regions.ravel(), of.ravel(), len(PLACES)) / total
        rows += [about | when | {"place": place, "share": float(shares[i])} for i, place in enumerate(PLACES)]
    drawn = np.zeros(task.images.shape[:1] + heat.shape[-2:], np.float16)
    drawn[there] = raw[:, 0] / max(float(raw[:, 0].max()), float(np.finfo(float).tiny))
    return rows, task.images[:, 0, ..., 0], drawn
