"""The summary: all that was asked beyond the paper's tables, each answer with its interval, in one long table.

A question compares methods on the same folds, or asks their embeddings. Where a group of methods answers one, it is a
line of `QUESTIONS`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvlm.measures.statistics import summary
from mvlm.report.results import Part
from mvlm.samples import catalogue, open_corpus
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items.differences import AGAINST, difference
from mvlm.study.items.fig3_fig6 import ASKED, ways
from mvlm.study.items.foundation import PROTOCOLS, cards, columns_of
from mvlm.study.items.summary_inspections import (
    ACCURACY,
    AND_SEEDS,
    BOOTSTRAP,
    INSPECTED,
    KNOWS,
    LABELS,
    NAMES,
    ON,
    VIEWS,
    probe_rows,
)
from mvlm.study.items.tables import column_title
from mvlm.study.methods import LADDER, METHODS, PSEUDO, RUNGS, SIBLINGS, SUPERVISION, TABLE_METHODS, TRANSDUCTIVE
from mvlm.study.runs import run

if TYPE_CHECKING:
    import pandas as pd


class Question(NamedTuple):
    """Methods side by side.

    Attributes:
        title: the question.
        methods: names of `METHODS`, in the order shown.
        against: methods that each is compared with.
    """

    title: str
    methods: tuple[str, ...]
    against: tuple[str, ...] = (AGAINST, "full")


# The one place where a group of methods enters the study.
QUESTIONS = (
    Question("the ladder", ("baseline", "centred", *LADDER[1:])),
    Question("rungs alone, and left out", RUNGS),
    Question("supervision", SUPERVISION, (AGAINST, "full", "oracle")),
    Question("better pseudo-labels", ("agreed", *PSEUDO)),
    Question("siblings", SIBLINGS),
    Question("adapted to the test subjects, too", TRANSDUCTIVE),
    Question("the person removed", ("baseline", "full", "subject-centred", "impersonal-shares", "oracle")),
)
# Where methods are run that stand in no table: one corpus of each kind that a method can learn from, so that a study
# ends within the hour.
STUDIED_ON = ("BU-3DFE-I", "Bosphorus", "BU-4DFE")
LEVELS, FOUNDATION = "intensity", "emotion words in the foundation's captions"
LEVELS_ON = "BU-3DFE-II"
TEST = {"folds": "corrected resampled t over folds", "subjects": "paired t over subjects"}
# Columns of the CSV, with their units.
COLUMNS = {
    "question": "what is asked",
    "benchmark": "corpus and subset, and among how many classes where there are two ways",
    "method": "recipe; of a foundation, none",
    "title": "the method, or the foundation, as tables show it",
    "supervision": "where a training sample's class comes from",
    "knows": "what the method is told beside images: nothing, subjects, class shares",
    "measure": "what is measured",
    "at": "where on a scale: intensity level, view, or share of the training subjects labelled; else empty",
    "against": "the method whose value is taken off, on the same folds; else empty",
    "unit": "percent, or percentage points of a difference",
    "value": "mean over folds",
    "low": "lower end of the interval",
    "high": "upper end of the interval",
    "interval": "what the interval is: 95 %, by which test or bootstrap",
    "p": "two-sided, by the test; of differences alone",
    "chance": "percent, a guess; empty where there is none",
    "n": "samples",
    "subjects": "subjects",
    "folds": "folds, subject-independent; 1: one run, trained on another corpus",
    "seeds": "seeds of clustering and training",
    "data_kind": "twin, sample or supplied",
    "profile": "smoke, quick or full",
    "note": "what else belongs to the number",
}


def studied() -> tuple[str, ...]:
    """Every method that a question needs, once each."""
    return tuple(dict.fromkeys(name for asked in QUESTIONS for name in (*asked.against, *asked.methods)))


def study_records(settings: Settings | None = None, *, seeds: Sequence[int] | None = None) -> pd.DataFrame:
    """Records of every method of the study, computing those that are missing: see `run`.

    Methods of the tables are run on all benchmarks, the others on `STUDIED_ON`, as far as these are there.
    """
    import pandas as pd

    tables = run(settings=settings, seeds=seeds)
    places = [name for name in STUDIED_ON if name in set(tables["benchmark"])]
    others = [name for name in studied() if name not in TABLE_METHODS]
    return pd.concat([tables, run(places, others, settings, seeds=seeds)], ignore_index=True) if places else tables


def cost(records: pd.DataFrame, inspections: pd.DataFrame) -> pd.DataFrame:
    """How many records a study has, and how many fits they took: one for each round of a method that trains."""
    import pandas as pd

    rows = []
    for kind, frame in (("runs", records), ("inspections", inspections)):
        fits = int(frame["method"].map(lambda name: METHODS[name].rounds).sum())
        rows.append({"records": kind, "count": len(frame), "fits": fits})
    return pd.DataFrame(rows)


def summary_table(records: pd.DataFrame, inspections: pd.DataFrame, settings: Settings | None = None) -> pd.DataFrame:
    """The whole summary, rows with `COLUMNS`.

    Args:
        records: what `study_records` returns.
        inspections: what `mvlm.study.items.summary_inspections.inspected` returns.
        settings: of the corpora whose index knows the levels, and of the views; None reads them from the environment.
    """
    import pandas as pd

    chosen = Settings.from_environment() if settings is None else settings
    beside = records[records["benchmark"].isin(ON) & records["method"].isin(INSPECTED)]
    rows = [
        *(row for question in QUESTIONS for row in question_rows(question, records)),
        *level_rows(records, levels(chosen)),
        *probe_rows(inspections, beside, chosen.yaws),
        *foundation_rows(cards()),
    ]
    whole = dict.fromkeys(("n", "subjects", "folds", "seeds"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def question_rows(question: Question, records: pd.DataFrame) -> list[dict[str, Any]]:
    """Accuracy of each method on each benchmark where all were run, and its differences to what it is compared with."""
    rows = []
    for benchmark, of in records.groupby("benchmark", sort=False):
        groups = dict(iter(of.groupby("method", sort=False)))
        for method in question.methods if groups.keys() >= {*question.methods} else ():
            runs = groups[method]
            for way in ways(benchmark):
                shared = _head(runs, question.title, column_title(benchmark, way), method)
                classes = len(BENCHMARKS[benchmark].shown if way != "zero-shot" else BENCHMARKS[benchmark].emotions)
                right = [np.array(said) == true for said, true in zip(runs[ASKED[way]], runs["emotions"], strict=True)]
                rows.append(shared | _accuracy(runs, right, runs["subjects"].to_list()) | {"chance": 100 / classes})
                for other in question.against:
                    if other == method:
                        continue
                    found = difference(runs, groups[other], ASKED[way])
                    row = shared | {"against": other, "unit": "points", "interval": TEST[found["test"]]}
                    row |= {"value": found["difference"]} | {name: found[name] for name in ("low", "high", "p")}
                    rows.append(row)
    return rows


def levels(chosen: Settings) -> dict[str, int]:
    """Intensity level of each sample of `LEVELS_ON` by its name; empty where its corpus is absent."""
    try:
        samples = catalogue(open_corpus(BENCHMARKS[LEVELS_ON].corpus, chosen.data))
    except FileNotFoundError:
        return {}
    return dict(zip(samples.names.tolist(), samples.levels.tolist(), strict=True))


def level_rows(records: pd.DataFrame, known: Mapping[str, int]) -> list[dict[str, Any]]:
    """Accuracy of each method at each intensity level of `LEVELS_ON`, over the same folds."""
    rows = []
    for method, runs in records[records["benchmark"] == LEVELS_ON].groupby("method", sort=False):
        for level in BENCHMARKS[LEVELS_ON].levels:
            right, subjects, tested = [], [], set()
            for record in runs.to_dict("records"):
                mask = np.array([known[name] == level for name in record["names"]])
                tested |= {name for name in record["names"] if known[name] == level}
                right.append((np.array(record["zero_shot"]) == record["emotions"])[mask])
                subjects.append(np.array(record["subjects"])[mask])
            row = _head(runs, LEVELS, LEVELS_ON, method) | _accuracy(runs, right, subjects) | {"at": f"level {level}"}
            rows.append(row | {"n": len(tested), "chance": 100 / len(BENCHMARKS[LEVELS_ON].emotions)})
    return rows


def foundation_rows(known: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What frozen foundations make of the twins, from their cards: zero-shot, which needs the words, and a probe."""
    rows = []
    for title, card in known.items():
        words = card["recipe"].get("word_share")
        for benchmark, measured in card["twins"].items():
            for name, protocol in PROTOCOLS.items():
                spread = measured[name]
                row = {"question": FOUNDATION, "benchmark": benchmark, "title": title, "supervision": "none"}
                row |= {"knows": METHODS[AGAINST].knowledge}
                row |= {"measure": protocol, "at": "", "unit": "percent", "interval": BOOTSTRAP, "data_kind": "twin"}
                row |= {end: 100 * spread[key] for end, key in (("value", "mean"), ("low", "low"), ("high", "high"))}
                row |= {"chance": 100 / len(BENCHMARKS[benchmark].emotions), "profile": measured.get("profile", "")}
                row |= {count: spread[count] for count in ("n", "subjects")}
                rows.append(row | {"note": f"share of captions with an emotion word: {json.dumps(words)}"})
    return rows


def _head(runs: pd.DataFrame, question: str, benchmark: str, method: str) -> dict[str, Any]:
    head = {"question": question, "benchmark": benchmark, "method": method, "title": METHODS[method].title}
    head["knows"] = METHODS[method].knowledge
    head |= {name: runs[name].iloc[0] for name in ("supervision", "data_kind", "profile")}
    head |= {"folds": runs["fold"].nunique(), "seeds": runs["seed"].nunique()}
    head |= {"n": len({name for names in runs["names"] for name in names})}
    head |= {"subjects": len({subject for shown in runs["subjects"] for subject in shown})}
    return head | {"measure": ACCURACY, "at": "", "unit": "percent"}


def _accuracy(runs: pd.DataFrame, right: Sequence[np.ndarray], subjects: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Of arrays of right and wrong, one for each row of the runs, and whom they show."""
    fold, seed = (np.repeat(runs[name], [len(each) for each in right]) for name in ("fold", "seed"))
    names = np.concatenate([np.asarray(shown) for shown in subjects])
    found = summary(np.concatenate(right), fold, names, seed)
    ends = {"value": 100 * found.mean, "low": 100 * found.low, "high": 100 * found.high}
    return ends | {"interval": AND_SEEDS if runs["seed"].nunique() > 1 else BOOTSTRAP, "subjects": found.subjects}


def render_summary(frame: pd.DataFrame) -> list[Part]:
    """Render the summary from its CSV: a table for each question."""
    parts = []
    for title, rows in frame.groupby("question", sort=False):
        kinds = f"Data kind {', '.join(rows['data_kind'].unique())}, profile {', '.join(rows['profile'].unique())}."
        if title == FOUNDATION:
            columns, rest = columns_of(rows["title"])
            keys = {"benchmark": "Benchmark", "measure": "Measure"}
            cells = _crossed(rows, keys, "title", dict(zip(columns, columns, strict=True)))
            note = f"Percent [95 % interval, {BOOTSTRAP}] of the frozen model. {f'{rest} {kinds}'.strip()}"
        elif title in {question.title for question in QUESTIONS}:
            what = rows["measure"].where(rows["against"].isna() | (rows["against"] == ""), "above " + rows["against"])
            keys = {"title": "Method", "supervision": "Supervision", "knows": "Knows", "what": "Measure"}
            columns = {name: name for name in rows["benchmark"].unique()}
            cells = _crossed(rows.assign(what=what), keys, "benchmark", columns)
            note = (
                f"Accuracy in percent [95 % interval, {BOOTSTRAP}{_several(rows)}]; differences in points on the same "
                f"folds, seeds averaged first [95 % interval, {' or '.join(TEST.values())}], * where the interval "
                f"excludes 0. {kinds}"
            )
        else:
            where = "at" if rows["at"].any() else "measure"
            columns = {name: name for name in rows[where].unique()}
            cells = _crossed(rows, {"benchmark": "Benchmark", "title": "Method"}, where, columns)
            interval = " or ".join(rows["interval"].dropna().unique())
            note = f"{_MEASURED[title]} Percent [{interval}]. {kinds}"
        parts.append(Part(f"Summary: {title}", cells, note))
    return parts


def _several(rows: pd.DataFrame) -> str:
    """Which methods of a question had several seeds, for its note; nothing where none had."""
    seeds = rows[rows["seeds"] > 1].drop_duplicates("method")
    each = [f"{title}: {count}" for title, count in zip(seeds["title"], seeds["seeds"], strict=True)]
    return f", and over seeds where there are several ({'; '.join(each)})" if each else ""


_MEASURED = {
    LEVELS: "Zero-shot accuracy at each intensity level, on the folds of the benchmark.",
    VIEWS: "Zero-shot accuracy from one view alone, and from the normalised mean of all (fused).",
    LABELS: "Linear probe with the labels of a share of the training subjects, at least one; mean over draws of them.",
    KNOWS: (
        "Among the test subjects of a fold, whom no training has seen. Subjects are told by samples of other emotions; "
        "views by a probe on views of training subjects."
    ),
    NAMES: (
        "Clusters of the training subjects, one start each: quality on test subjects under names by training labels, "
        "naming by prompts alone."
    ),
}


def _crossed(rows: pd.DataFrame, keys: Mapping[str, str], across: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """Cells as text: a line for each combination of the keys, a column for each value of `across`."""
    import pandas as pd

    lines = []
    for values, group in rows.groupby(list(keys), sort=False):
        found = {row[across]: _cell(row) for row in group.to_dict("records")}
        line = dict(zip(keys.values(), values, strict=True))
        lines.append(line | {title: found.get(name, "absent") for name, title in columns.items()})
    return pd.DataFrame(lines)


def _cell(row: Mapping[str, Any]) -> str:
    sign = "+" if row["unit"] == "points" else ""
    text = f"{row['value']:{sign}.1f}"
    if row["low"] == row["low"]:
        text += f" [{row['low']:{sign}.1f}, {row['high']:{sign}.1f}]"
    return text + (" *" if sign and (row["low"] > 0 or row["high"] < 0) else "")
