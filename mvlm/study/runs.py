"""Runs: the records of a plan, memoised: read where they are there, else computed first on a pool of workers.

A record lies under `runs/records`, at the address that `mvlm.study.plan` gives it. It is written whole or not at all,
and holds nothing of the moment it was made, so that a grid killed anywhere and taken up again ends in the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.labels.naming import Prompts
from mvlm.settings import Settings, nearest
from mvlm.study import full_profile
from mvlm.study.benchmarks import BENCHMARKS, bank_of
from mvlm.study.embeddings import Embedded, frozen
from mvlm.study.films import IMAGE, bad_of, filmed
from mvlm.study.methods import METHODS, TABLE_METHODS
from mvlm.study.plan import Experiment, Kind, Planned, cheaper, planned
from mvlm.study.record import record

if TYPE_CHECKING:
    import pandas as pd

    from mvlm.faces.corpora.corpus import Corpus

RUN = Kind("runs", record)


def run(
    benchmarks: Sequence[str] = tuple(BENCHMARKS),
    methods: Sequence[str] = TABLE_METHODS,
    settings: Settings | None = None,
    *,
    seeds: Sequence[int] | None = None,
    corpora: Mapping[str, Corpus] | None = None,
) -> pd.DataFrame:
    """Records of all combinations, computing those that are missing.

    With `DATA`, a benchmark whose corpus is not there has no rows. Profile "smoke" takes six subjects, two folds (more
    where fewer than three subjects would be left to train on) and few steps of training. Corpora of fewer than ten
    subjects have as many folds as subjects.

    Args:
        benchmarks, methods: names of `BENCHMARKS` and `METHODS`.
        settings: None reads them from the environment.
        seeds: of clustering and training; None: each method's own, see `mvlm.study.methods.seeds_of`. Folds are the
            same for all.
        corpora: name -> what is taken instead of the corpus that `DATA` or its absence says, as a twin with another
            face. Records are addressed by content: whatever is the same corpus has the same records.

    Returns:
        One row per benchmark, method, fold and seed, in this order:
        benchmark, method, fold, folds, seed; supervision, knows; data_kind, fingerprint, model, profile;
        names, subjects, emotions: lists over the test samples, emotions being the true ones;
        zero_shot, knn, probe, cluster: lists of the emotions predicted (see `mvlm.study.record.Scores`); zero_shot by
        the discriminant where the method predicts by one;
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

    return pd.DataFrame(records(benchmarks, methods, settings, seeds, RUN, corpora))


def records(
    benchmarks: Sequence[str],
    methods: Sequence[str],
    settings: Settings | None,
    seeds: Sequence[int] | None,
    kind: Kind,
    corpora: Mapping[str, Corpus] | None = None,
    partitions: int = 1,
) -> list[dict]:
    """Records of one kind of all combinations, computing those that are missing; arguments and errors as of `run`.

    Of several partitions into folds (see `mvlm.study.plan.planned`) each record says which one it is of.
    """
    chosen = Settings.from_environment() if settings is None else settings
    _known("benchmark", benchmarks, BENCHMARKS)
    _known("method", methods, METHODS)
    with workers.on(chosen.scheduler):
        asked = [BENCHMARKS[name] for name in benchmarks], [METHODS[name] for name in methods]
        plan = planned(*asked, seeds, chosen, kind, corpora, partitions)
        missing = [each for each in plan if not each.path.is_file()]
        if missing:
            compute(missing, chosen, kind)
        if chosen.skip_bad:
            _list_skipped(plan, chosen)
    of = [{"partition": each.cell.partition} if partitions > 1 else {} for each in plan]
    return [said | json.loads(each.path.read_text(encoding="utf-8")) for said, each in zip(of, plan, strict=True)]


def seeds_used(records: pd.DataFrame) -> dict[str, list[int]]:
    """Method -> the seeds of its records, for the sidecar of what is made of them."""
    return {method: sorted(set(of["seed"].tolist())) for method, of in records.groupby("method", sort=False)}


def embedded(experiment: Experiment, chosen: Settings, film: str = IMAGE) -> tuple[Embedded, Prompts]:
    """Where the embeddings of a benchmark's samples lie, and its prompts.

    Args:
        experiment, chosen: what is embedded, and how.
        film: what of a sequence is encoded, as a method says; of a scan there is nothing to choose.

    Raises:
        ValueError: of a sequence that takes part, no window can be shown.
    """
    asked = experiment.benchmark.emotions, chosen, experiment.subjects, bank_of(experiment.benchmark)
    if film == IMAGE or not experiment.corpus.sequences:
        every, prompts = frozen(experiment.corpus, *asked)
    else:
        every, prompts = filmed(experiment.corpus, film, *asked)
    names = experiment.samples.names
    lacking = names[~np.isin(names, every.names)]
    if len(lacking):  # all methods of a benchmark are measured on the same samples
        raise ValueError(
            f"{experiment.benchmark.name}: of {len(lacking)} sequences whose one dynamic image can be made, "
            f"{film} cannot be shown; leave these out of the corpus: {', '.join(lacking)}"
        )
    return every.named(names), prompts


def compute(missing: Sequence[Planned], chosen: Settings, kind: Kind) -> None:
    """Compute the records of a plan, on a pool of workers or, with the full profile, one by one on all ranks.

    Raises:
        ValueError: a kind or a method that the full profile does not have.
        ChildProcessError: workers died; all other records are kept.
    """
    if chosen.profile == "full":
        if kind is not RUN:
            raise ValueError(f"PROFILE=full has no {kind.title}; they are of PROFILE=quick")
        full_profile.compute(missing, chosen)
        return
    known = {}  # by benchmark, and by what of a film is encoded
    tasks = []
    for each in missing:
        experiment, film = each.experiment, each.cell.method.film
        place = experiment.benchmark.name, film
        if place not in known:
            own, prompts = embedded(experiment, chosen, film)
            known[place] = embedded(experiment.source, chosen, film)[0] if experiment.source else own, own, prompts
        *samples, prompts = known[place]
        arguments = {"method": each.cell.method, "fold": each.fold(*samples), "prompts": prompts, **cheaper(chosen)}
        tasks.append({"path": each.path, "compute": kind.compute, "arguments": arguments, "head": each.head})
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


def _execute(task: dict) -> None:
    if task["path"].is_file():  # by another command meanwhile, or before a worker beside this one died
        return
    found = task["head"] | task["compute"](**task["arguments"])
    write_text(task["path"], json.dumps(found, ensure_ascii=False) + "\n")


def _list_skipped(plan: Sequence[Planned], chosen: Settings) -> None:
    """Keeps the list of skipped scans beside the results; without any there is no file."""
    path = chosen.results_folder(plan[0].experiment.corpus.kind) / "skipped.csv"
    of = {(each.experiment.benchmark.name, each.cell.method.film): each.experiment for each in plan}
    read = [(part, film) for (_, film), found in of.items() for part in (found, found.source) if part]
    rows = sorted({(part.corpus.name, *item) for part, film in read for item in _skipped(part, film, chosen).items()})
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("corpus", "scan", "reason"), *rows])
    write_text(path, text.getvalue())


def _skipped(experiment: Experiment, film: str, chosen: Settings) -> dict[str, str]:
    """Scans, sequences and frames that were skipped, each with the reason."""
    if film == IMAGE or not experiment.corpus.sequences:
        return experiment.bad
    asked = experiment.benchmark.emotions, chosen, experiment.subjects
    return experiment.bad | bad_of(experiment.corpus, film, *asked)


def _known(what: str, names: Sequence[str], known: Mapping[str, object]) -> None:
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise ValueError(f"unknown {what} {name!r}; the nearest known one is {near!r} (known: {', '.join(known)})")
