"""The even half of the sample corpora, read once: does what removes the person hold on another face model, by scans?

Subjects of odd number may guide work, those of even number may not. Trials had looked at these very ones while the
procedure took shape, so that they confirm and no more, and every table that shows them says so (`SHAPED`).

``python -m mvlm.study.items.even_half``, with `DATA` naming the sample corpora, reads it. All that was read lies in one
log, whole or absent, and written before any number is shown: when, by which commit, of which corpora, and every
prediction. Where the log is, nothing is read again; the table is made of the log alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.labels.clusters import aggregate
from mvlm.labels.identity import centred_on_few, discriminant_for_few
from mvlm.labels.naming import Prompts
from mvlm.measures import evaluate
from mvlm.measures.statistics import chance, summary
from mvlm.method import adapt, discriminant, predict, represent
from mvlm.report.results import Part, write_table
from mvlm.samples import catalogue, folds, open_corpus
from mvlm.settings import RESULTS, ROOT, Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.embeddings import frozen, model_key
from mvlm.study.items.transfer import HALVES, halves
from mvlm.study.methods import METHODS
from mvlm.study.plan import FEWEST_SUBJECTS

if TYPE_CHECKING:
    import pandas as pd

ITEM = "even-half"
FOLDER = RESULTS / ITEM
ON = ("BU-3DFE-I", "BU-3DFE-II", "Bosphorus")
FROZEN = (
    "baseline", "centred", "subject-centred", "relabelled-who", "relabelled-spread", "relabelled-shares",
    "relabelled-oracle",
)  # fmt: skip
PROBED = ("baseline", "subject-centred")  # whose embeddings a linear probe on true labels reads, too
ONE, ALL = "one", "all"
SHAPED = "These very subjects had shaped the procedure in trials: they confirm it and are no test of it."
# Columns of the CSV, with their units.
COLUMNS = {
    "benchmark": "corpus and subset",
    "method": "recipe",
    "title": "the row as the table shows it",
    "protocol": "what predicts: prompts, a discriminant on the method's labels, or a linear probe on true labels",
    "supervision": "where a training sample's class comes from",
    "knows": "what the method is told beside images: nothing, subjects, class shares",
    "own_scans": "how many scans of a test subject are at hand when one of them is told: one, all",
    "data_kind": "sample",
    "half": "parity of the subjects' numbers, those trained on included",
    "mean": "percent, mean over folds",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects",
    "high": "percent, upper end of that interval",
    "chance": "percent, a guess among the classes",
    "n": "samples",
    "subjects": "subjects",
    "folds": "folds, subject-independent",
}


class Row(NamedTuple):
    """A line of the table, see `COLUMNS`."""

    method: str
    protocol: str
    own_scans: str


def read(settings: Settings, half: str, benchmarks: Sequence[str] = ON) -> dict[str, Any]:
    """Predictions of every row on one half of the subjects, by folds within it. No scan of the other half is opened.

    Args:
        settings: `data` must be set.
        half: "odd" or "even".
        benchmarks: of `BENCHMARKS`; each must have its corpus there.

    Returns:
        half, model, data_kind; fingerprints: of the corpora; benchmarks: by name, the lists names, subjects, fold and
        emotions over the samples, and rows: each with the fields of `Row`, and the list predicted.

    Raises:
        ValueError: an unknown half, fewer than `FEWEST_SUBJECTS` subjects, bad scans.
        FileNotFoundError: a corpus that is not there.
    """
    if half not in HALVES:
        raise ValueError(f"half {half!r}: expected one of {', '.join(HALVES)}")
    corpora = {
        name: open_corpus(name, settings.data) for name in dict.fromkeys(BENCHMARKS[b].corpus for b in benchmarks)
    }
    kinds = sorted({corpus.kind for corpus in corpora.values()})
    found = {"half": half, "model": model_key(settings), "data_kind": " and ".join(kinds)}
    found |= {"fingerprints": {name: corpus.fingerprint for name, corpus in corpora.items()}, "benchmarks": {}}
    with workers.on(settings.scheduler):
        for name in benchmarks:
            known, corpus = BENCHMARKS[name], corpora[BENCHMARKS[name].corpus]
            samples = catalogue(corpus)
            samples = samples.select(known.select(samples))
            samples = samples.select(halves(samples.subjects) == (half == "even"))
            who = np.unique(samples.subjects).tolist()
            if len(who) < FEWEST_SUBJECTS:
                raise ValueError(
                    f"{name}: {len(who)} subjects of the {half} half can take part ({known.rule}), "
                    f"expected {FEWEST_SUBJECTS} or more"
                )
            every, prompts = frozen(corpus, known.emotions, settings, who)
            own = every.named(samples.names)
            fold, rows = _predicted(own.views()[:1], known.labels(own.emotions), own.subjects, prompts)
            found["benchmarks"][name] = {
                "names": own.names.tolist(),
                "subjects": own.subjects.tolist(),
                "fold": fold.tolist(),
                "emotions": own.emotions.tolist(),
                "rows": [
                    row._asdict() | {"predicted": [known.emotions[c] for c in classes]} for row, classes in rows.items()
                ],
            }
    return found


def _predicted(
    views: np.ndarray, y: np.ndarray, who: np.ndarray, prompts: Prompts
) -> tuple[np.ndarray, dict[Row, np.ndarray]]:
    """Fold (N,) and each row's predictions (N,) of samples (1, N, V, D) with true classes (N,) and subjects (N,)."""
    fold, found = np.empty(len(y), dtype=np.int64), {}
    for number, (_, test) in enumerate(folds(who)):
        told = np.isin(who, test)
        fold[told] = number
        for name in FROZEN:
            for row, classes in _rows(name, views, y, who, told, prompts):
                found.setdefault(row, np.empty_like(y))[told] = classes
    return fold, found


def _rows(
    name: str, views: np.ndarray, y: np.ndarray, who: np.ndarray, told: np.ndarray, prompts: Prompts
) -> Iterator[tuple[Row, np.ndarray]]:
    """A method's rows with the classes of the samples that are `told` (N,), fitted on all others."""
    method, sides = METHODS[name], (~told, told)
    (train, test), (subjects, others) = (views[:, side] for side in sides), (who[side] for side in sides)
    _, labelled = adapt(method, train, prompts, seed=0, truth=method.may_know(y[~told]), subjects=subjects)
    x, asked = represent(method, train[0], test[0], (subjects, others))
    fitted = discriminant(method, x, labelled, prompts)
    brought = ALL if method.knows else ONE
    yield (
        Row(name, "prompts" if fitted is None else "discriminant", brought),
        predict(method, asked, prompts, fitted=fitted),
    )
    if name in PROBED:
        yield Row(name, "linear probe", brought), evaluate.linear_probe(x, y[~told], subjects, asked)
    if fitted is not None:
        rows, labels = aggregate(train[0]), labelled.labels[-1][:, 0]
        few = discriminant_for_few(rows, subjects, labels, prompts.classes.max() + 1)
        alone = np.arange(told.sum())[:, None]
        yield Row(name, "discriminant", ONE), few.predict(centred_on_few(aggregate(test[0]), alone, rows.mean(0)))


def half_table(found: Mapping[str, Any]) -> pd.DataFrame:
    """One row per benchmark and `Row`, with `COLUMNS`, of what `read` returns."""
    import pandas as pd

    rows = []
    for benchmark, of in found["benchmarks"].items():
        for row in of["rows"]:
            method, probed = METHODS[row["method"]], row["protocol"] == "linear probe"
            right = np.array(row["predicted"]) == np.array(of["emotions"])
            spread = summary(right, np.array(of["fold"]), np.array(of["subjects"]))
            rows.append(
                {"benchmark": benchmark, **{name: row[name] for name in Row._fields}}
                | {"title": f"Linear probe{', subject-centred' * method.centred}" if probed else method.title}
                | {"supervision": "labels" if probed else method.supervision, "knows": method.knowledge}
                | {name: found[name] for name in ("data_kind", "half")}
                | {name: 100 * getattr(spread, name) for name in ("mean", "low", "high")}
                | {"chance": 100 * chance(len(BENCHMARKS[benchmark].emotions))}
                | {name: getattr(spread, name) for name in ("n", "subjects", "folds")}
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def render_half(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV: rows down, by what a test subject brings; benchmarks across."""
    import pandas as pd

    cells = []
    heads = {"title": "Row", "supervision": "Supervision", "knows": "Knows", "own_scans": "Own scans"}
    for said, group in frame.groupby(list(heads), sort=False):
        found = {r["benchmark"]: f"{r['mean']:.1f} [{r['low']:.1f}, {r['high']:.1f}]" for r in group.to_dict("records")}
        cells.append(dict(zip(heads.values(), said, strict=True)) | found)
    first = frame.iloc[0]
    sizes = "; ".join(
        f"{row['benchmark']} {row['n']} scans of {row['subjects']} subjects in {row['folds']} folds"
        for row in frame.drop_duplicates("benchmark").to_dict("records")
    )
    note = (
        f"Accuracy in percent [95 % interval, bootstrap over subjects] on the {first['half']} half of the subjects of "
        f"the sample corpora, which no real person is in (data kind {first['data_kind']}), by subject-independent "
        f"folds within that half. {SHAPED} Nothing is trained but discriminants and probes on the frozen model. Own "
        f"scans: how many of a test subject are at hand. Chance {first['chance']:.1f}. {sizes}."
    )
    return [Part(f"The {first['half']} half of the sample corpora", pd.DataFrame(cells), note)]


def publish(found: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the table of what `read` returned below a folder; the four paths."""
    frame = half_table(found)
    kept = ("read", "commit", "half", "model", "data_kind", "fingerprints")
    about = {name: found[name] for name in kept if name in found} | {"columns": COLUMNS, "seeds": [0], "said": SHAPED}
    return write_table(folder, ITEM, frame, sidecar=about, render=render_half)


def commit() -> str:
    """The commit of the code that runs.

    Raises ValueError for code that is in no commit.
    """
    found = []
    for asked in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", "mvlm")):
        done = subprocess.run(["git", *asked], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(f"git {' '.join(asked)}: {done.stderr.strip()}; what is read once is read by a commit")
        found.append(done.stdout.strip())
    if found[1]:
        raise ValueError(f"mvlm/ is not as committed, and what is read once is read by a commit:\n{found[1]}")
    return found[0]


def main() -> int:
    """Read the even half, once, under the settings of the environment; 1 if it had been read, or cannot be."""
    log = FOLDER / "log.json"
    there = log.is_file()
    if not there:
        try:
            settings = Settings.from_environment()
            if settings.data_kind() != "sample":
                raise ValueError(f"DATA={settings.data or ''}: expected the folder of the sample corpora")
            if replace(settings, data=None, jobs=1, scheduler=None) != Settings():
                raise ValueError("expected no variable but DATA, JOBS and SCHEDULER: the even half is read once")
            when = {"read": datetime.now(UTC).date().isoformat(), "commit": commit()}
            found = when | read(settings, "even")
        except (ValueError, FileNotFoundError) as error:
            print(error, file=sys.stderr)
            return 1
        write_text(log, json.dumps(found) + "\n")
    found = json.loads(log.read_text(encoding="utf-8"))
    publish(found, FOLDER)
    if there:
        print(
            f"the even half was read on {found['read']} by commit {found['commit']}, and is read once; "
            f"its table is made of {log.name} again",
            file=sys.stderr,
        )
    return int(there)


if __name__ == "__main__":
    raise SystemExit(main())
