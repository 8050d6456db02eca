"""What is to be computed: benchmarks on the corpora at hand, the places of their grids, and where each record lies.

A plan names its records without computing anything: `mvlm.study.runs` computes those that are missing and reads them.
A record is addressed by all that it depends on: the method and the benchmark as data, the corpus, the model, the fold
and the seed, the profile, and the code that a run executes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

import mvlm.settings
from mvlm.cache.keys import key, source_key
from mvlm.faces.corpora.corpus import Corpus
from mvlm.method import Method
from mvlm.prompts import prompts_for
from mvlm.samples import Rendering, Samples, catalogue, folds, open_corpus, view_source
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS, Benchmark, LeftOut, bank_of
from mvlm.study.embeddings import Embedded, image_source, model_key, shown
from mvlm.study.films import IMAGE, sources
from mvlm.study.methods import reach, recipe, seeds_of
from mvlm.study.record import Fold

END_TO_END = "mvlm.study.full_profile:one"  # what a run of the full profile executes
FOLDS, SMOKE_FOLDS = 10, 2
SMOKE_SUBJECTS = 6
SMOKE_STEPS = 4  # of training: enough for weights to differ
SMOKE_STRENGTHS = (1.0,)  # of the probe: nothing to choose
FEWEST_SUBJECTS = 4  # three to train on, which the probe's inner folds need


class Cell(NamedTuple):
    """A place in the grid of a benchmark."""

    method: Method
    fold: int
    folds: int
    seed: int
    partition: int = 0  # of the subjects into folds


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


class Experiment(NamedTuple):
    """A benchmark on the corpus at hand."""

    benchmark: Benchmark
    corpus: Corpus
    samples: Samples  # without images
    subjects: tuple[str, ...] | None  # the only ones whose scans are read; None: all
    content: dict[str, object]  # what every record of it depends on
    bad: dict[str, str]  # scans and sequences that were skipped, with reasons
    source: Experiment | None = None  # what it trains on, where that is another benchmark

    @property
    def kind(self) -> str:
        """Data kind; both, where training and test corpus differ in it."""
        return " and ".join(sorted({each.corpus.kind for each in (self, self.source) if each}))

    @property
    def fingerprint(self) -> str:
        return "+".join(each.corpus.fingerprint for each in (self.source, self) if each)


class Planned(NamedTuple):
    """One record of a plan: a method on one fold of a benchmark.

    Attributes:
        train, test: the subjects.
        path: where the record lies.
    """

    experiment: Experiment
    cell: Cell
    train: Sequence[str]
    test: Sequence[str]
    path: Path

    @property
    def head(self) -> dict[str, object]:
        """What the record says besides results."""
        experiment, cell = self.experiment, self.cell
        return {
            "benchmark": experiment.benchmark.name,
            "method": cell.method.name,
            "fold": cell.fold,
            "folds": cell.folds,
            "seed": cell.seed,
            "supervision": cell.method.supervision,
            "knows": cell.method.knowledge,
            "data_kind": experiment.kind,
            "fingerprint": experiment.fingerprint,
            "model": experiment.content["model"],
            "profile": experiment.content["profile"],
        }

    def fold(self, source: Embedded, own: Embedded) -> Fold:
        """What the run is told, of the samples of what it trains on and of the benchmark itself."""
        asked = self.experiment.benchmark
        return Fold(source.of(self.train), own.of(self.test), asked.emotions, asked.shown, self.cell.seed)


def present(
    benchmarks: Sequence[Benchmark], chosen: Settings, corpora: Mapping[str, Corpus] | None = None
) -> list[Experiment]:
    """The benchmarks whose corpus is there: the twin without `DATA`, with it nothing but what lies under it.

    Args:
        benchmarks: whose corpora are looked for.
        chosen: where, and how their scans are shown.
        corpora: name -> what is taken instead, as a twin with another face.

    Raises:
        AbsentError: none is.
        ValueError: a corpus of which fewer than four subjects can take part, or all of whose scans are bad.
    """
    given = corpora or {}

    def opened(name: str) -> Corpus:
        return given[name] if name in given else open_corpus(name, chosen.data)

    experiments = []
    for benchmark in benchmarks:
        known = BENCHMARKS[benchmark.trains_on] if benchmark.trains_on else None
        try:
            corpus = opened(benchmark.corpus)
            other = opened(known.corpus) if known else None
        except FileNotFoundError:
            continue  # absent from the table; its twin would be another thing under the same name
        experiment = _experiment(benchmark, corpus, chosen)
        if known:
            source = _experiment(known, other, chosen)
            experiment = experiment._replace(source=source, content=experiment.content | {"trains_on": source.content})
        experiments.append(experiment)
    if not experiments:
        wanted = ", ".join(sorted({name for b in benchmarks for name in (b.corpus, b.trains_on) if name}))
        raise AbsentError(f"DATA={chosen.data}: expected at least one of {wanted}, found none")
    return experiments


def split_subjects(
    experiment: Experiment, chosen: Settings, partition: int = 0
) -> list[tuple[list[str], list[str]]]:
    """Folds of a benchmark, (training subjects, test subjects) each; one of all of both if it trains on another.

    `partition` 0 is that of the tables; others cut the same subjects into folds by another permutation.
    """
    if experiment.source:
        return [tuple(np.unique(each.samples.subjects).tolist() for each in (experiment.source, experiment))]
    count = len(set(experiment.samples.subjects.tolist()))
    if isinstance(experiment.benchmark, LeftOut):
        return folds(experiment.samples.subjects, count)  # whatever the partition, the same ones
    if chosen.profile != "smoke":
        return folds(experiment.samples.subjects, FOLDS, seed=partition)
    few = next(n for n in range(SMOKE_FOLDS, count + 1) if count - -(-count // n) >= FEWEST_SUBJECTS - 1)
    return folds(experiment.samples.subjects, few, seed=partition)


def planned(
    benchmarks: Sequence[Benchmark],
    methods: Sequence[Method],
    seeds: Sequence[int] | None,
    chosen: Settings,
    kind: Kind,
    corpora: Mapping[str, Corpus] | None = None,
    partitions: int = 1,
) -> list[Planned]:
    """One record for each benchmark at hand, partition, method, fold and seed, in this order.

    Args:
        seeds: None: each method's own.
        corpora: as of `present`.
        partitions: how many times the subjects are cut into folds; what trains on another corpus has no folds to cut.

    Raises:
        AbsentError, ValueError: as of `present`.
    """
    sources = [run_source(method, kind, chosen.profile) for method in methods]
    plan = []
    for experiment in present(benchmarks, chosen, corpora):
        for partition in range(1 if experiment.source else partitions):
            split = split_subjects(experiment, chosen, partition)
            for method, source in zip(methods, sources, strict=True):
                for fold, (train, test) in enumerate(split):
                    for seed in seeds_of(method) if seeds is None else seeds:
                        cell = Cell(method, fold, len(split), seed, partition)
                        path = record_path(experiment, cell, kind, source)
                        plan.append(Planned(experiment, cell, train, test, path))
    return plan


def run_source(method: Method, kind: Kind, profile: str) -> str:
    """Hash of the code that makes the records of a method."""
    return source_key(END_TO_END if profile == "full" else kind.entry, **reach(method))


def record_path(experiment: Experiment, cell: Cell, kind: Kind, source: str) -> Path:
    """Where the record of a cell lies, made by code of that hash: see `run_source`."""
    content = {"record": kind.title, "source": source, "method": recipe(cell.method)}
    content |= _content(experiment, cell.method.film) | {"fold": [cell.fold, cell.folds], "seed": cell.seed}
    content |= {"partition": cell.partition} if cell.partition else {}  # the first one is nothing special
    return mvlm.settings.RUNS / "records" / f"{key(content)}.json"


def _content(experiment: Experiment, film: str) -> dict[str, object]:
    """What records of an experiment depend on, by what of a film is encoded; of scans there is nothing to choose."""
    content = experiment.content
    if film != IMAGE and experiment.corpus.sequences:
        content = content | sources(experiment.corpus, film)
    if experiment.source:
        content = content | {"trains_on": _content(experiment.source, film)}
    return content


def _experiment(benchmark: Benchmark, corpus: Corpus, chosen: Settings) -> Experiment:
    samples = catalogue(corpus)
    samples = samples.select(benchmark.select(samples))
    subjects, bad = None, {}
    if chosen.profile == "smoke":
        subjects = tuple(sorted(set(samples.subjects.tolist()))[:SMOKE_SUBJECTS])
        samples = samples.select(np.isin(samples.subjects, subjects))
    if chosen.skip_bad:  # only reading the scans tells which take part
        samples = replace(shown(corpus, benchmark.emotions, chosen, subjects, bank_of(benchmark)), images=None)
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
        "prompts": prompts_for(benchmark.emotions, bank_of(benchmark))[0],
    }
    if chosen.profile == "full":
        content["training"] = chosen.training.content()
    else:
        content |= {"images": image_source()} | cheaper(chosen)
    return Experiment(benchmark, corpus, samples, subjects, content, bad)


def training(chosen: Settings) -> dict[str, int]:
    """How adapters are trained where it is not as usual: arguments of `mvlm.method.adapt`."""
    return {"steps": SMOKE_STEPS} if chosen.profile == "smoke" else {}


def cheaper(chosen: Settings) -> dict[str, object]:
    """What a record is computed with where it is not as usual: arguments of `mvlm.study.record.record`."""
    return training(chosen) | ({"strengths": SMOKE_STRENGTHS} if chosen.profile == "smoke" else {})
