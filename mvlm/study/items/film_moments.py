"""Which moments of a film tell its emotion: each window and each still by itself, no label used, the person removed.

What is pooled over a film is at best as good as what it is pooled of. A still tells where the expression stands, and
holds the person beside it. A window is a dynamic image, whose weights sum to nought, so that what does not move is not
in it: it tells where the expression comes, and where it goes it shows the opposite.

Shapes: N films, W moments, D embedding, C classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mvlm.cache import growing, workers
from mvlm.faces.windows import CUTS
from mvlm.labels.clusters import unit_rows
from mvlm.labels.identity import centred_on_subjects
from mvlm.measures.evaluate import zero_shot
from mvlm.measures.statistics import chance, summary
from mvlm.samples import Rendering
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.embeddings import sized_prompts
from mvlm.study.films import ROWS, windows
from mvlm.study.items.films import FOLDED
from mvlm.study.items.table_figures import Drawing
from mvlm.study.plan import Experiment, present

if TYPE_CHECKING:
    import pandas as pd

TITLES = {"windows": "a window of a second", "frames": "a still"}
COLUMNS = {
    "benchmark": "corpus and subset",
    "film": "what is encoded at a moment, see mvlm.faces.windows",
    "moment": "in the order of time, from 1",
    "place": "of its middle in the film, 0 first frame, 1 last; mean over films",
    "data_kind": "twin, sample or supplied",
    "accuracy": "percent of the films told right from this moment alone, zero-shot, the subject's mean removed",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects",
    "high": "percent, upper end of that interval",
    "chance": "percent, a guess among the classes",
    "n": "films that have this moment",
    "subjects": "subjects",
    "profile": "smoke, quick or full",
}


def film_moments(settings: Settings | None = None) -> pd.DataFrame:
    """A row for each benchmark of films with folds, cut and moment, with `COLUMNS`, of embeddings of the frozen model.

    Args:
        settings: None reads them from the environment.

    Raises:
        AbsentError: `DATA` lacks the corpora.
        ValueError, FileNotFoundError: bad sequences, no weights.
    """
    import pandas as pd

    chosen = Settings.from_environment() if settings is None else settings
    with workers.on(chosen.scheduler):
        experiments = present([BENCHMARKS[name] for name in FOLDED], chosen)
        rows = [row for experiment in experiments for cut in CUTS for row in _rows(experiment, cut, chosen)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def told_by_moment(rows: np.ndarray, subjects: np.ndarray, prototypes: np.ndarray) -> np.ndarray:
    """(N, W) class that the prompts give each moment by itself, -1 where it is missing.

    Args:
        rows: (N, W, D) embeddings, NaN where a moment is missing.
        subjects: (N,) who is shown; the mean of all moments of all of someone's films is removed from each.
        prototypes: (C, D) of the classes.
    """
    there = ~np.isnan(rows).any(axis=-1)
    persons = np.broadcast_to(np.asarray(subjects)[:, None], there.shape)[there]
    said = np.full(there.shape, -1)
    said[there] = zero_shot(centred_on_subjects(unit_rows("moments", rows[there]), persons), prototypes)
    return said


def _rows(experiment: Experiment, cut: str, chosen: Settings) -> list[dict[str, object]]:
    benchmark, corpus = experiment.benchmark, experiment.corpus
    folder, samples = windows(corpus, cut, benchmark.emotions, chosen, experiment.subjects)
    names, _ = growing.index_of(folder)
    kept = [names.index(name) for name in samples.names]
    rows = np.load(folder / ROWS, mmap_mode="r")[kept, 0].mean(axis=2)  # the first copy is the plain one
    said = told_by_moment(rows, samples.subjects, sized_prompts(benchmark.emotions, chosen)[1].prototypes())
    truth, found = benchmark.labels(samples.emotions), []
    places = _places(experiment, cut, samples.names, chosen)
    for moment in range(said.shape[1]):
        there = said[:, moment] >= 0
        if not there.any():
            continue
        of = summary((said[:, moment] == truth)[there], np.zeros(there.sum()), samples.subjects[there])
        told = {"benchmark": benchmark.name, "film": cut, "moment": moment + 1}
        told |= {"place": float(np.nanmean(places[there, moment])), "data_kind": experiment.kind}
        told |= {"accuracy": 100 * of.mean, "low": 100 * of.low, "high": 100 * of.high}
        told |= {"chance": 100 * chance(len(benchmark.emotions)), "n": of.n, "subjects": of.subjects}
        found.append(told | {"profile": chosen.profile})
    return found


def _places(experiment: Experiment, cut: str, names: np.ndarray, chosen: Settings) -> np.ndarray:
    """(N, W) where in the film the middle of each moment lies, NaN where a short film has fewer."""
    films = {film.name: film for film in experiment.corpus.items}
    middles = []
    for name in names:
        frames, fps = len(films[name].frames), films[name].fps
        middles.append(CUTS[cut](frames, fps, Rendering.of(chosen).frames).mean(axis=1) / max(1, frames - 1))
    places = np.full((len(names), max(map(len, middles))), np.nan)
    for row, own in zip(places, middles, strict=True):
        row[: len(own)] = own
    return places


def draw_moments(moments: pd.DataFrame, films: pd.DataFrame) -> Drawing:
    """Accuracy over the film by single moments with 95 % intervals, and that of the one image as a line across.

    Args:
        moments: what `film_moments` returns.
        films: what `mvlm.study.items.films.films_table` returns, for the row of the one image.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    benchmarks = list(moments["benchmark"].unique())
    figure = Figure(figsize=(4.2 * len(benchmarks), 3.4), layout="constrained")
    panels = figure.subplots(1, len(benchmarks), sharey=True, squeeze=False)[0]
    for panel, benchmark in zip(panels, benchmarks, strict=True):
        part = moments[moments["benchmark"] == benchmark]
        for mark, (cut, title) in zip("so", TITLES.items(), strict=True):
            of = part[part["film"] == cut]
            panel.errorbar(of["place"], of["accuracy"], yerr=[of["accuracy"] - of["low"], of["high"] - of["accuracy"]],
                           fmt=f"-{mark}", ms=4, capsize=2, lw=1, label=f"{title} alone")  # fmt: skip
        (image,) = films[
            (films["benchmark"] == benchmark) & (films["film"] == "image") & (films["method"] == "subject-centred")
            & (films["asked"] == "zero-shot")
        ]["accuracy"]  # fmt: skip
        panel.axhline(image, color="C3", lw=1.2, label="one image of the film")
        panel.axhline(part["chance"].iloc[0], ls="--", color="0.4", lw=1, label="a guess")
        panel.set(title=f"{benchmark} ({part['data_kind'].iloc[0]})", xlabel="place in the film", ylim=(0, 103))
    panels[0].set_ylabel("accuracy, %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return Drawing(figure, moments, COLUMNS)
