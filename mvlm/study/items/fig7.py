"""Fig. 7: where the model looks. Trained without labels on BP4D, it is shown BU-4DFE, which it was never fitted to.

The paper shows chosen examples. Here the heat of every sequence is measured: on which regions of the face it lies,
whether it depends on what was learnt, and whether the views point at the same places.

Shapes: V views, H side of a view, E emotions.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write
from mvlm.cache.keys import key, source_key
from mvlm.faces.regions import PLACES
from mvlm.report.sheets import contact_sheet
from mvlm.settings import Settings
from mvlm.study import full_profile
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.embeddings import shown
from mvlm.study.items.table_figures import Drawing
from mvlm.study.methods import METHODS, reach, recipe
from mvlm.study.plan import END_TO_END, Cell, Experiment, Planned, present, training
from mvlm.study.runs import embedded

if TYPE_CHECKING:
    import pandas as pd

    from mvlm.faces.corpora.corpus import Corpus
    from mvlm.study.items.fig7_heat import Explained

SOURCE, TARGET, METHOD = "BP4D", "BU-4DFE", "full"
SEED = 0
CHUNK = 4  # subjects a worker takes at once
RANDOMISED = 12  # subjects whose heat is made again with random weights
SHARES = [f"share: {place}" for place in PLACES]
AREAS = [f"area: {place}" for place in PLACES]
# What makes the record.
HEAT = ("mvlm.study.items.fig7_heat:trained", "mvlm.study.items.fig7_heat:explained", "mvlm.study.items.fig7:_joined")
TABLES, ARRAYS = ("views", "pairs", "stages", "removals"), ("images", "heat", "mean_images", "mean_heat", "mean_cam")
MEANINGS = {
    "region": "mean share of heat, of all views of a sequence together",
    "accuracy": "share of sequences whose emotion is predicted, zero-shot among six",
    "removal": "fall of the logit as a fifth of the face is greyed out",
    "randomisation": "rank correlation of a view's heat with that of the untouched model, over the pixels of the face",
    "consistency": "rank correlation of two views' heat over the points of the face that both show",
}
COLUMNS = {
    "measure": "; ".join(f"{name}: {what}" for name, what in MEANINGS.items()),
    "of": "emotion, model, which fifth, stage of the randomisation, or pair of views",
    "place": "region of the face, of measure region",
    "mean": "fraction, logits or correlation",
    "low": "lower end of the 95 % interval by bootstrap over subjects",
    "high": "upper end of it",
    "reference": "region: share of the views' area; accuracy: chance; consistency: the same with the heat of another "
    "emotion of the subject in the second view",
    "n": "sequences, or views of sequences",
    "subjects": "subjects",
}


class Attention(NamedTuple):
    """What `attention` finds; a record.

    Attributes:
        views: a row for each view of each sequence: name, subject, emotion, predicted, frozen (what the model without
            the adapter predicts), view, logit, mass, and shares of heat and of area by place.
        pairs: a row for each pair of views of each sequence: name, subject, emotion, of, own, reference.
        stages: a row for each view of some sequences and each stage of the randomisation: name, subject, of, own.
        removals: a row for each sequence and each fifth of the face that is greyed out: name, subject, of, own.
        images, heat: (E, V, H, H, 3) uint8 and (E, V, H, H) of the first subject.
        mean_images, mean_heat, mean_cam: the same, means over all subjects; `mean_cam` of plain Grad-CAM.
        emotions, kind: E names; the data kind of both corpora.
    """

    views: pd.DataFrame
    pairs: pd.DataFrame
    stages: pd.DataFrame
    removals: pd.DataFrame
    images: np.ndarray
    heat: np.ndarray
    mean_images: np.ndarray
    mean_heat: np.ndarray
    mean_cam: np.ndarray
    emotions: tuple[str, ...]
    kind: str


def attention(settings: Settings | None = None) -> Attention:
    """Heat of the logit of the emotion that each sequence of BU-4DFE shows, after training on all of BP4D.

    Labels of BU-4DFE choose which logit is explained; nothing is trained or chosen with them.

    Args:
        settings: None reads them from the environment.

    Raises:
        AbsentError: `DATA` lacks one of the two corpora.
        ValueError, FileNotFoundError: bad scans, no weights.
    """
    import pandas as pd

    chosen = Settings.from_environment() if settings is None else settings
    with workers.on(chosen.scheduler):
        source, target = (present([BENCHMARKS[name]], chosen)[0] for name in (SOURCE, TARGET))
        path = _record_path(source, target, chosen)
        if not path.is_file():
            arrays, tables = _compute(source, target, chosen)
            text = json.dumps(tables, ensure_ascii=False)
            write(path, lambda file: file.write(_packed(arrays | {"tables": np.array(text)})))
    with np.load(path) as file:
        tables = {name: pd.DataFrame(rows) for name, rows in json.loads(str(file["tables"])).items()}
        arrays = {name: file[name] for name in ARRAYS}
    kind = " and ".join(sorted({source.kind, target.kind}))
    return Attention(**tables, **arrays, emotions=target.benchmark.emotions, kind=kind)


def measures(found: Attention) -> pd.DataFrame:
    """All that is measured, with `COLUMNS`: regions by emotion, accuracy, randomisation and consistency."""
    import pandas as pd

    from mvlm.measures.statistics import chance, mean_over_subjects

    rows = []

    def add(measure: str, of: str, subjects: pd.Series, values: pd.Series, reference: float | None, place="") -> None:
        mean = mean_over_subjects(values.to_numpy(float), subjects.to_numpy())._asdict()
        rows.append({"measure": measure, "of": of, "place": place} | mean | {"reference": reference})

    sequences = _by_sequence(found.views)
    for emotion in found.emotions:
        part = sequences[sequences["emotion"] == emotion]
        warm = part[part["mass"] > 0]
        for place, share, area in zip(PLACES, SHARES, AREAS, strict=True):
            if len(warm):
                add("region", emotion, warm["subject"], warm[share], float(warm[area].mean()), place)
    for of, column in ((f"trained on {SOURCE}", "predicted"), ("frozen", "frozen")):
        right = sequences[column] == sequences["emotion"]
        add("accuracy", of, sequences["subject"], right, chance(len(found.emotions)))
    tables = {"removal": found.removals, "randomisation": found.stages, "consistency": found.pairs}
    for measure, table in tables.items():
        for of, part in table.groupby("of", sort=False):
            other = float(part["reference"].mean()) if measure == "consistency" else None
            add(measure, of, part["subject"], part["own"], other)
    return pd.DataFrame(rows)[list(COLUMNS)]


def draw_sheet(found: Attention) -> Drawing:
    """Views of each emotion: the first subject as the model sees it, its heat, and the mean of all in two forms."""
    names = list(found.views["view"].unique())
    blocks = [found.images, overlaid(found.images, found.heat)]
    blocks += [overlaid(found.mean_images, of) for of in (found.mean_heat, found.mean_cam)]
    sheet = np.concatenate(blocks, axis=1)
    subject = found.views["subject"].min()
    groups = (f"{subject}, dynamic images", f"{subject}, heat", "mean heat of all subjects", "the same, plain Grad-CAM")
    figure = contact_sheet(sheet, found.emotions, names * len(blocks), groups=groups)
    frame = found.views[found.views["subject"] == subject]
    frame = frame[["name", "emotion", "view", "predicted", "logit", "mass"]].reset_index(drop=True)
    columns = {
        "name": "sequence",
        "emotion": "shown, whose logit is explained",
        "view": "",
        "predicted": "by the model, among six",
        "logit": "cosine of the mean view with the emotion's prompts over the temperature",
        "mass": "mean over the view of its heat before the hottest place was set to 1",
    }
    return Drawing(figure, frame, columns)


def draw_regions(frame: pd.DataFrame) -> Drawing:
    """Share of heat by region, a panel for each emotion, with 95 % intervals; ticks: the share of area.

    Args:
        frame: of `measures`.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame[(frame["measure"] == "region") & (frame["place"] != PLACES[0])].reset_index(drop=True)
    emotions = list(rows["of"].unique())
    figure = Figure(figsize=(10.5, 4.6), layout="constrained")
    panels = figure.subplots(2, -(-len(emotions) // 2), sharey=True, sharex=True, squeeze=False).ravel()
    for panel, emotion in zip(panels, emotions, strict=False):
        part = rows[rows["of"] == emotion].iloc[::-1]
        colours = ["#9aa5b1" if place == PLACES[1] else "#c8553d" for place in part["place"]]
        spread = [part["mean"] - part["low"], part["high"] - part["mean"]]
        panel.barh(part["place"], part["mean"], color=colours, alpha=0.8, height=0.65)
        panel.errorbar(part["mean"], part["place"], xerr=spread, fmt="none", ecolor="0.2", capsize=2)
        panel.plot(part["reference"], part["place"], "|", color="black", ms=11, mew=1.6, label="share of area")
        panel.set(title=emotion, xlim=(0, None))
    figure.supxlabel("share of heat", fontsize=9)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", fontsize=8, frameon=False)
    return Drawing(figure, rows, COLUMNS)


def draw_checks(frame: pd.DataFrame) -> Drawing:
    """Whether the logit hangs on what is hot, the heat on the weights, and whether views agree on the surface.

    Args:
        frame: of `measures`.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame[frame["measure"] != "region"].reset_index(drop=True)
    wide = max(1, (rows["measure"] == "consistency").sum() / 3)  # of pairs of views; three views have as many
    figure = Figure(figsize=(8.4 + 3.1 * wide, 3.4), layout="constrained")
    panels = dict(zip(("removal", "randomisation", "consistency"), figure.subplots(1, 3, width_ratios=(1.2, 1.5, wide)),
                      strict=True))  # fmt: skip
    for measure, panel in panels.items():
        part = rows[rows["measure"] == measure]
        spread = [part["mean"] - part["low"], part["high"] - part["mean"]]
        look = {"fmt": "o-" if measure == "randomisation" else "o", "color": "#c8553d", "label": "measured"}
        panel.errorbar(range(len(part)), part["mean"], yerr=spread, capsize=3, **look)
        if part["reference"].notna().all():
            look = {"color": "black", "ms": 16, "mew": 1.6, "label": "another emotion's heat"}
            panel.plot(range(len(part)), part["reference"], "_", **look)
            panel.legend(fontsize=8)
        panel.set_xticks(range(len(part)), [_broken(of) for of in part["of"]], fontsize=8)
        panel.axhline(0, color="0.4", lw=1, ls="--")
        panel.set(xlim=(-0.5, len(part) - 0.5), **({} if measure == "removal" else {"ylim": (-0.35, 1.05)}))
    panels["removal"].set(title="a fifth of the face greyed out", ylabel="fall of the logit")
    panels["randomisation"].set(title="made random, from the top down", ylabel="rank correlation of heat")
    panels["consistency"].set(title="views compared on the surface", ylabel="rank correlation of heat")
    return Drawing(figure, rows, COLUMNS)


def _broken(name: str) -> str:
    """A tick's name in lines of a few words."""
    import textwrap

    return textwrap.fill(name, 12, break_long_words=False)


def overlaid(images: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Pictures (..., H, H, 3) uint8 under their heat (..., H, H) in [0, 1], as pictures; no heat, no colour."""
    from matplotlib import colormaps

    colour = 255 * colormaps["inferno"](heat)[..., :3]
    share = (0.7 * np.clip(heat, 0, 1) ** 0.7)[..., None]
    return np.rint((1 - share) * images + share * colour).astype(np.uint8)


def _by_sequence(views: pd.DataFrame) -> pd.DataFrame:
    """One row for each sequence: what its views share, their summed mass, and shares that weigh views by their mass."""
    weighed = views.copy()
    weighed[SHARES] = weighed[SHARES].mul(weighed["mass"], axis=0)
    kinds = dict.fromkeys(("subject", "emotion", "predicted", "frozen"), "first")
    kinds |= {"mass": "sum"} | dict.fromkeys(SHARES, "sum") | dict.fromkeys(AREAS, "mean")
    found = weighed.groupby("name", sort=False).agg(kinds).reset_index()
    found[SHARES] = found[SHARES].div(found["mass"].where(found["mass"] > 0, 1), axis=0)
    return found


def _reader(corpus: Corpus) -> Corpus:
    """A corpus that reads, without its index, which may have 60,000 files and need not travel with every task."""
    if corpus.kind == "twin":
        return corpus
    return replace(corpus, scans=(), files=(), unknown=(), sequences=(), dropped={})


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    written = io.BytesIO()
    np.savez_compressed(written, **arrays)
    return written.getvalue()


def _record_path(source: Experiment, target: Experiment, chosen: Settings) -> Path:
    content = {
        "trained": source.content,
        "shown": target.content,
        "method": recipe(METHODS[METHOD]),
        "seed": SEED,
        "randomised": RANDOMISED,
        "source": source_key(*HEAT, **reach(METHODS[METHOD]) | {"without": ("mvlm.prompts:prompts_for",)}),
    }
    if chosen.profile == "full":
        content |= {"trainer": source_key(END_TO_END, **reach(METHODS[METHOD]))}
    return mvlm.settings.RUNS / "records" / f"{key(content)}.npz"


def _trained_towers(source: Experiment, record: Path, chosen: Settings) -> Path:
    """The weights of towers trained end to end, without labels, on all subjects of the source; made if not there."""
    weights = full_profile.weights_of(record)
    if not (record.is_file() and weights.is_file()):
        record.unlink(missing_ok=True)
        everyone = np.unique(source.samples.subjects)
        # Scores on the subjects it was trained on are in its record, which nothing reads.
        whole = source._replace(benchmark=replace(source.benchmark, name=f"{SOURCE}-all"))
        full_profile.compute([Planned(whole, Cell(METHODS[METHOD], 0, 1, SEED), everyone, everyone, record)], chosen)
    return weights


def _compute(source: Experiment, target: Experiment, chosen: Settings) -> tuple[dict[str, np.ndarray], dict[str, list]]:
    """Arrays and tables of `Attention`."""
    from mvlm.study.items import fig7_heat

    adapter, weights = None, chosen.pretrained
    if chosen.profile == "full":
        weights = str(_trained_towers(source, _record_path(source, target, chosen).with_suffix(".json"), chosen))
    else:
        unlabelled, prompts = embedded(source, chosen)
        work = [(METHODS[METHOD], unlabelled, prompts, SEED, training(chosen))]
        (adapter,) = workers.each(fig7_heat.trained, work, jobs=chosen.jobs, title=f"training on {SOURCE}")
    seen = shown(target.corpus, target.benchmark.emotions, chosen, target.subjects)
    seen = seen.select(np.isin(seen.names, target.samples.names))
    recordings = {item.name: item for item in target.corpus.items}
    subjects = np.unique(seen.subjects)
    tasks = []
    for chunk in (subjects[start : start + CHUNK] for start in range(0, len(subjects), CHUNK)):
        part = seen.select(np.isin(seen.subjects, chunk))
        tasks.append(
            fig7_heat.Task(
                adapter=adapter,
                model=(chosen.model, weights),
                foundation=(chosen.model, chosen.pretrained),
                images=part.images,
                recordings=tuple(recordings[name] for name in part.names),
                classes=target.benchmark.labels(part.emotions),
                corpus=_reader(target.corpus),
                emotions=target.benchmark.emotions,
                yaws=chosen.yaws,
                randomised=frozenset(set(chunk.tolist()) & set(subjects[:RANDOMISED].tolist())),
                seed=SEED,
            )
        )
    return _joined(list(workers.each(fig7_heat.explained, tasks, jobs=chosen.jobs, title=f"heat of {TARGET}")))


def _joined(done: Sequence[Explained]) -> tuple[dict[str, np.ndarray], dict[str, list]]:
    """The means and rows of all tasks together."""
    tables = {name: [row for part in done for row in getattr(part, name)] for name in TABLES}
    count = np.maximum(sum(part.count for part in done), 1)
    means = {}
    for name in ("images", "heat", "cam"):
        total = sum(getattr(part, name) for part in done)
        means[name] = total / count.reshape(-1, *[1] * (total.ndim - 1))
    arrays = {
        "images": done[0].first_images.astype(np.uint8),
        "heat": done[0].first_heat.astype(np.float16),
        "mean_images": np.rint(means["images"]).astype(np.uint8),
        "mean_heat": means["heat"].astype(np.float16),
        "mean_cam": means["cam"].astype(np.float16),
    }
    return arrays, tables
