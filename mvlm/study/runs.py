"""Runs: one record for each benchmark, method, fold and seed, memoised, computed on a pool of workers.

A record lies under `runs/records`, addressed by all that it depends on: the method and the benchmark as data, the
corpus, the model, the fold and the seed, the profile, and the code that a run executes. It is written whole or not at
all, and holds nothing of the moment it was made, so that a grid killed anywhere and taken up again ends in the same
bytes.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.cache.keys import key, source_key
from mvlm.faces.corpora.corpus import Corpus
from mvlm.labels.naming import Prompts
from mvlm.method import Method
from mvlm.prompts import prompts_for
from mvlm.samples import Rendering, Samples, catalogue, folds, open_corpus, view_source
from mvlm.settings import Settings
from mvlm.study import full_profile
from mvlm.study.benchmarks import BENCHMARKS, Benchmark
from mvlm.study.embeddings import Embedded, frozen, image_source, model_key, shown
from mvlm.study.methods import METHODS, TABLE_METHODS, reach, recipe
from mvlm.study.record import Fold, record

if TYPE_CHECKING:
    import pandas as pd

FOLDS, SMOKE_FOLDS = 10, 2
SMOKE_SUBJECTS = 6
SMOKE_STEPS = 10  # of training: enough for weights to differ
FEWEST_SUBJECTS = 4  # three to train on, which the probe's inner folds need


class Cell(NamedTuple):
    """A place in the grid of a benchmark."""

    method: Method
    fold: int
    folds: int
    seed: int


class Kind(NamedTuple):
    """What is computed at the places of the grid, a record each.

    Attributes:
        title: of the progress bar.
        compute: makes the fields of a record, from arguments as of `mvlm.study.record.record`; a function of a module's
            top level, whose change makes these records again, and no other.
    """

    title: str
    compute: Callable[..., dict]

    @property
    def entry(self) -> str:
        """The place of what it executes."""
        return f"{self.compute.__module__}:{self.compute.__qualname__}"


class AbsentError(FileNotFoundError):
    """`DATA` has none of the corpora that are asked for."""


class Part(NamedTuple):
    """A benchmark on the corpus at hand."""

    benchmark: Benchmark
    corpus: Corpus
    samples: Samples  # without images
    subjects: tuple[str, ...] | None  # the only ones whose scans are read; None: all
    content: dict[str, object]  # what every record of it depends on
    bad: dict[str, str]  # scans and sequences that were skipped, with reasons
    source: Part | None = None  # what it trains on, where that is another benchmark

    @property
    def kind(self) -> str:
        """Data kind; both, where training and test corpus differ in it."""
        return " and ".join(sorted({part.corpus.kind for part in (self, self.source) if part}))

    def fold(self, train: Embedded, test: Embedded, seed: int) -> Fold:
        """What a run on these samples is told."""
        return Fold(train, test, self.benchmark.emotions, self.benchmark.shown, seed)

    @property
    def fingerprint(self) -> str:
        return "+".join(part.corpus.fingerprint for part in (self.source, self) if part)


def run(
    benchmarks: Sequence[str] = tuple(BENCHMARKS),
    methods: Sequence[str] = TABLE_METHODS,
    settings: Settings | None = None,
    *,
    seeds: Sequence[int] = (0,),
) -> pd.DataFrame:
    """Records of all combinations, computing those that are missing.

    With `DATA`, a benchmark whose corpus is not there has no rows. Profile "smoke" takes six subjects, two folds (more
    where fewer than three subjects would be left to train on) and few steps of training. Corpora of fewer than ten
    subjects have as many folds as subjects.

    Args:
        benchmarks, methods: names of `BENCHMARKS` and `METHODS`.
        settings: None reads them from the environment.
        seeds: of clustering and training; folds are the same for all.

    Returns:
        One row per benchmark, method, fold and seed, in this order:
        benchmark, method, fold, folds, seed; supervision; data_kind, fingerprint, model, profile;
        names, subjects, emotions: lists over the test samples, emotions being the true ones;
        zero_shot, knn, probe, cluster: lists of the emotions predicted (see `mvlm.study.record.Scores`);
        among_shown: as zero_shot, asked only about the emotions that the benchmark's samples show; None where these are
        all;
        ari, nmi, naming: of clusters, in [0, 1] but for ari;
        change: list over rounds after the first, share of views whose class changed;
        pseudo_labels: list over rounds, share of the training views' classes that are right (reported, never used);
        cluster_sizes: list over rounds of lists over emotions;
        weights: SHA-256 of the trained weights, None where nothing is trained.

    Raises:
        ValueError: unknown names, too few subjects, bad scans; devices that are not there (profile "full").
        AbsentError: no corpus under `DATA`.
        FileNotFoundError: no weights.
    """
    import pandas as pd

    return pd.DataFrame(records(benchmarks, methods, settings, seeds, RUN))


def records(
    benchmarks: Sequence[str], methods: Sequence[str], settings: Settings | None, seeds: Sequence[int], kind: Kind
) -> list[dict]:
    """Records of one kind of all combinations, computing those that are missing; arguments and errors as of `run`."""
    chosen = Settings.from_environment() if settings is None else settings
    _known("benchmark", benchmarks, BENCHMARKS)
    _known("method", methods, METHODS)
    with workers.on(chosen.scheduler):
        parts = present([BENCHMARKS[name] for name in benchmarks], chosen)
        grid = []
        for part in parts:
            split = split_subjects(part, chosen)
            grid += [
                (part, Cell(METHODS[method], fold, len(split), seed), split[fold])
                for method in methods
                for fold in range(len(split))
                for seed in seeds
            ]
        paths = [record_path(part, cell, kind) for part, cell, _ in grid]
        missing = [(*item, path) for item, path in zip(grid, paths, strict=True) if not path.is_file()]
        if missing:
            _compute(missing, chosen, kind)
        if chosen.skip_bad:
            _list_skipped(parts, chosen)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def present(benchmarks: Sequence[Benchmark], chosen: Settings) -> list[Part]:
    """The benchmarks whose corpus is there: the twin without `DATA`, with it nothing but what lies under it.

    Raises:
        AbsentError: none is.
        ValueError: a corpus of which fewer than four subjects can take part, or all of whose scans are bad.
    """
    parts = []
    for benchmark in benchmarks:
        known = BENCHMARKS[benchmark.trains_on] if benchmark.trains_on else None
        try:
            corpus = open_corpus(benchmark.corpus, chosen.data)
            other = open_corpus(known.corpus, chosen.data) if known else None
        except FileNotFoundError:
            continue  # absent from the table; its twin would be another thing under the same name
        part = _part(benchmark, corpus, chosen)
        if known:
            source = _part(known, other, chosen)
            part = part._replace(source=source, content=part.content | {"trains_on": source.content})
        parts.append(part)
    if not parts:
        wanted = ", ".join(sorted({name for b in benchmarks for name in (b.corpus, b.trains_on) if name}))
        raise AbsentError(f"DATA={chosen.data}: expected at least one of {wanted}, found none")
    return parts


def split_subjects(part: Part, chosen: Settings) -> list[tuple[list[str], list[str]]]:
    """Folds of a benchmark, (training subjects, test subjects) each; one of all of both if it trains on another."""
    if part.source:
        return [(np.unique(part.source.samples.subjects).tolist(), np.unique(part.samples.subjects).tolist())]
    if chosen.profile != "smoke":
        return folds(part.samples.subjects, FOLDS)
    count = len(set(part.samples.subjects.tolist()))
    few = next(n for n in range(SMOKE_FOLDS, count + 1) if count - -(-count // n) >= FEWEST_SUBJECTS - 1)
    return folds(part.samples.subjects, few)


RUN = Kind("runs", record)


def record_path(part: Part, cell: Cell, kind: Kind = RUN) -> Path:
    """Where the record of a cell lies."""
    entry = full_profile.ENTRY if part.content["profile"] == "full" else kind.entry
    content = {"record": kind.title, "source": source_key(entry, **reach(cell.method)), "method": recipe(cell.method)}
    content |= part.content | {"fold": [cell.fold, cell.folds], "seed": cell.seed}
    return mvlm.settings.RUNS / "records" / f"{key(content)}.json"


def _part(benchmark: Benchmark, corpus: Corpus, chosen: Settings) -> Part:
    samples = catalogue(corpus)
    samples = samples.select(benchmark.select(samples))
    subjects, bad = None, {}
    if chosen.profile == "smoke":
        subjects = tuple(sorted(set(samples.subjects.tolist()))[:SMOKE_SUBJECTS])
        samples = samples.select(np.isin(samples.subjects, subjects))
    if chosen.skip_bad:  # only reading the scans tells which take part
        samples = replace(shown(corpus, benchmark.emotions, chosen, subjects), images=None)
        samples, bad = samples.select(benchmark.select(samples)), samples.bad
    count = len(set(samples.subjects.tolist()))
    if count < FEWEST_SUBJECTS:
        raise ValueError(
            f"{benchmark.name}: {count} subjects of {corpus.name} can take part ({benchmark.rule}), "
            f"expected {FEWEST_SUBJECTS} or more"
        )
    content = {
        "benchmark": [benchmark.name, benchmark.emotions, benchmark.shown],
        "corpus": corpus.fingerprint,
        "kind": corpus.kind,
        "samples": samples.names.tolist(),
        "model": model_key(chosen),
        "profile": chosen.profile,
        "rendering": Rendering.of(chosen),
        "views": view_source(corpus),
        "prompts": prompts_for(benchmark.emotions)[0],
    }
    if chosen.profile == "full":
        content["training"] = chosen.training.content()
    else:
        content |= {"images": image_source()} | training(chosen)
    return Part(benchmark, corpus, samples, subjects, content, bad)


def training(chosen: Settings) -> dict[str, int]:
    """How adapters are trained where it is not as usual: arguments of `mvlm.study.record.adapt`."""
    return {"steps": SMOKE_STEPS} if chosen.profile == "smoke" else {}


def embedded(part: Part, chosen: Settings) -> tuple[Embedded, Prompts]:
    """Where the embeddings of a part's samples lie, and its prompts."""
    every, prompts = frozen(part.corpus, part.benchmark.emotions, chosen, part.subjects)
    return every.named(part.samples.names), prompts


def _compute(missing: Sequence[tuple], chosen: Settings, kind: Kind) -> None:
    if chosen.profile == "full":
        if kind is not RUN:
            raise ValueError(f"PROFILE=full has no {kind.title}; they are of PROFILE=quick")
        full_profile.compute(missing, [_head(part, cell, chosen) for part, cell, *_ in missing], chosen)
        return
    known = {}  # by benchmark
    tasks = []
    for part, cell, (train, test), path in missing:
        name = part.benchmark.name
        if name not in known:
            own, prompts = embedded(part, chosen)
            known[name] = own, prompts, embedded(part.source, chosen)[0] if part.source else own
        own, prompts, source = known[name]
        tasks.append(
            {
                "path": path,
                "compute": kind.compute,
                "arguments": {
                    "method": cell.method,
                    "fold": part.fold(source.of(train), own.of(test), cell.seed),
                    "prompts": prompts,
                    **training(chosen),
                },
                "head": _head(part, cell, chosen),
            }
        )
    # Cheap and dear runs mixed: the estimate is made from the first ones, and no worker ends long after the other.
    tasks = [tasks[i] for i in np.random.default_rng(0).permutation(len(tasks))]
    lost = []
    while tasks:
        try:
            for _ in workers.each(_execute, tasks, jobs=chosen.jobs, title=kind.title):
                pass
            break
        except workers.WorkerDiedError as error:  # the others are still worth having
            lost.append(error)
            tasks = [task for task in tasks if task is not error.item and not task["path"].is_file()]
    if lost:
        heads = [error.item["head"] for error in lost]
        which = "; ".join(f"{head['benchmark']}, {head['method']}, fold {head['fold']}" for head in heads)
        raise ChildProcessError(
            f"{lost[0]}: {which}. All other {kind.title} are kept; the same command goes on, best with JOBS=1"
        ) from lost[0]


def _head(part: Part, cell: Cell, chosen: Settings) -> dict[str, object]:
    """What a record says besides results."""
    return {
        "benchmark": part.benchmark.name,
        "method": cell.method.name,
        "fold": cell.fold,
        "folds": cell.folds,
        "seed": cell.seed,
        "supervision": cell.method.supervision,
        "data_kind": part.kind,
        "fingerprint": part.fingerprint,
        "model": part.content["model"],
        "profile": chosen.profile,
    }


def _execute(task: dict) -> None:
    if task["path"].is_file():  # by another command meanwhile, or before a worker beside this one died
        return
    found = task["head"] | task["compute"](**task["arguments"])
    write_text(task["path"], json.dumps(found, ensure_ascii=False) + "\n")


def _list_skipped(parts: Sequence[Part], chosen: Settings) -> None:
    """Keeps the list of skipped scans beside the results; without any there is no file."""
    path = chosen.results_folder(parts[0].corpus.kind) / "skipped.csv"
    read = [part for found in parts for part in (found, found.source) if part]
    rows = sorted({(part.corpus.name, *item) for part in read for item in part.bad.items()})
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("corpus", "scan", "reason"), *rows])
    write_text(path, text.getvalue())


def _known(what: str, names: Sequence[str], known: Mapping[str, object]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ValueError(f"unknown {what} {name!r}; the nearest known one is {near!r} (known: {', '.join(known)})")
