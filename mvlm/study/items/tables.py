"""Tables I to III: the paper's accuracies beside ours, and what the clusters and the representation are worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mvlm.measures.statistics import chance, summary
from mvlm.report.results import Part
from mvlm.study.benchmarks import BENCHMARKS, TABLES, Benchmark
from mvlm.study.methods import METHODS
from mvlm.study.runs import run

if TYPE_CHECKING:
    import pandas as pd

    from mvlm.settings import Settings


# Columns of a table's CSV, with their units.
COLUMNS = {
    "method": "recipe of this project, or the paper's name of a method",
    "title": "the method as tables show it",
    "benchmark": "corpus and subset",
    "protocol": "how accuracy is measured, or which quality of the clusters this is",
    "supervision": "where a training sample's class comes from",
    "knows": "what the method is told beside images: nothing, subjects, class shares",
    "source": "measured here, transcribed from the paper, or not stated in its text",
    "data_kind": "twin, sample or supplied; paper for the paper's rows",
    "paper": "percent, as printed in the paper; empty where its text does not say",
    "mean": "percent, mean over folds, and over seeds where there are several",
    "std": "percent, standard deviation over folds (n - 1), of all seeds",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects, and over seeds where there are several",
    "high": "percent, upper end of that interval",
    "chance": "percent, a guess among the classes",
    "n": "samples",
    "subjects": "subjects",
    "folds": "folds, subject-independent",
    "seeds": "seeds of clustering and training",
    "profile": "smoke, quick or full",
}

PRINTED = "as the paper"  # its protocol is not known
AMONG_SHOWN = "zero-shot among the emotions shown"
# Column of the records with predictions -> protocol, in the order of the tables; then qualities of a fold's clusters.
PREDICTIONS = {
    "zero_shot": "zero-shot",
    "among_shown": AMONG_SHOWN,
    "knn": "knn",
    "probe": "probe",
    "cluster": "cluster-accuracy",
}
QUALITIES = ("nmi", "ari", "naming")
ROUNDS = {"pseudo_labels": "pseudo-labels", "change": "change"}  # lists over rounds; the last one is reported
HEADINGS = {
    "cluster-accuracy": "cluster accuracy (true names)",
    "nmi": "NMI",
    "ari": "ARI",
    "naming": "clusters named right",
    "pseudo-labels": "pseudo-labels right",
    "change": "pseudo-labels changed",
    "knn": "kNN",
    "probe": "linear probe",
}


def table_records(item: str, settings: Settings | None = None, *, seeds: Sequence[int] | None = None) -> pd.DataFrame:
    """Records of all rows of a table; computes what is missing.

    Args:
        item: of `mvlm.study.benchmarks.TABLES`.
        settings, seeds: as of `mvlm.study.run`, as are the records and the errors.
    """
    import pandas as pd

    table = TABLES[item]
    found = run(table.benchmarks, settings=settings, seeds=seeds)
    further = [(benchmark, method) for benchmark, method in table.further if benchmark in set(found["benchmark"])]
    return pd.concat([found, *(run((b,), (m,), settings, seeds=seeds) for b, m in further)], ignore_index=True)


def accuracy_table(records: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """One table, long: the paper's rows and ours, one row per method, benchmark and protocol, with `COLUMNS`.

    Args:
        records: what `mvlm.study.run` returns, one row per benchmark, method, fold and seed.
        paper: what `mvlm.study.paper.transcripts.paper_table` returns.

    Raises:
        ValueError: records of one method and benchmark differ in supervision, data kind or profile.
    """
    import pandas as pd

    rows = [_transcribed(row) for row in paper.to_dict("records")]
    for (benchmark, method), runs in records.groupby(["benchmark", "method"], sort=False):
        shared = {
            "method": method,
            "title": METHODS[method].title,
            "benchmark": benchmark,
            "supervision": _one(runs, "supervision"),
            "knows": METHODS[method].knowledge,
            "source": "measured",
            "data_kind": _one(runs, "data_kind"),
            "profile": _one(runs, "profile"),
        }
        rows += [shared | row for row in _measured(runs, BENCHMARKS[benchmark])]
    order = {name: place for place, name in enumerate([*paper["method"].unique(), *METHODS])}
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    place = [frame["method"].map(order), frame["benchmark"].map(list(BENCHMARKS).index), range(len(frame))]
    frame = frame.assign(_a=place[0], _b=place[1], _c=place[2]).sort_values(["_a", "_b", "_c"])
    whole = dict.fromkeys(("n", "subjects", "folds", "seeds"), "Int64")
    return frame[list(COLUMNS)].reset_index(drop=True).astype(whole)


def _transcribed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "method": row["method"],
        "title": row["method"],
        "benchmark": row["benchmark"],
        "protocol": PRINTED,
        "supervision": row["supervision"],
        "source": row["source"],
        "data_kind": "paper",
        "paper": row["accuracy"],
    }


def _one(runs: pd.DataFrame, column: str) -> str:
    values = runs[column].unique()
    if len(values) != 1:
        where = f"{runs['benchmark'].iloc[0]}, {runs['method'].iloc[0]}"
        raise ValueError(f"records of {where}: expected one {column}, found {', '.join(map(str, values))}")
    return values[0]


def _measured(runs: pd.DataFrame, benchmark: Benchmark) -> list[dict[str, Any]]:
    """Return one row per protocol, of the runs (folds and seeds) of one method on one benchmark."""
    import numpy as np

    fold, seed = (np.repeat(runs[name], runs["names"].map(len)) for name in ("fold", "seed"))
    names, subjects = np.concatenate(runs["names"].to_list()), np.concatenate(runs["subjects"].to_list())
    true = np.concatenate(runs["emotions"].to_list())
    counts = {"n": len(np.unique(names)), "subjects": len(np.unique(subjects)), "folds": runs["fold"].nunique()}
    counts |= {"seeds": runs["seed"].nunique()}
    rows = []
    for column, protocol in PREDICTIONS.items():
        if runs[column].isna().any():  # asked about all emotions, or about those that are shown, is then the same
            continue
        classes = len(benchmark.shown if protocol == AMONG_SHOWN else benchmark.emotions)
        found = summary(np.concatenate(runs[column].to_list()) == true, fold, subjects, seed)
        spread = {name: 100 * getattr(found, name) for name in ("mean", "std", "low", "high")}
        rows.append({"protocol": protocol, **spread, "chance": 100 * chance(classes), **counts})
    last = {name: runs[column].map(lambda rounds: rounds[-1] if rounds else None) for column, name in ROUNDS.items()}
    for quality, values in {**{name: runs[name] for name in QUALITIES}, **last}.items():
        values = values.astype(float).dropna()
        if len(values):  # a method that trains nothing has no rounds
            rows.append({"protocol": quality, "mean": 100 * values.mean(), "std": 100 * values.std(), **counts})
    return rows


def render_table(frame: pd.DataFrame, item: str) -> list[Part]:
    """Render a table from its CSV: accuracies beside the paper's, then clusters, their naming, kNN and probe."""
    table = TABLES[item]
    measured = frame[frame["source"] == "measured"]
    kinds = ", ".join(measured["data_kind"].unique()) or "nothing"
    profile = ", ".join(measured["profile"].unique())
    zero_shot = measured[measured["protocol"] == "zero-shot"]
    sizes = "; ".join(
        f"{row['benchmark']} {row['n']} samples of {row['subjects']} subjects "
        + (f"in {row['folds']} folds" if row["folds"] > 1 else "in one run")
        for row in zero_shot.drop_duplicates("benchmark").to_dict("records")
    )
    note = (
        f"Accuracy in percent. Paper: transcribed from its {table.title}, no spread given, on the licensed corpora"
        f"{'; n. s.: its text does not state the number' if (frame['source'] == 'not stated').any() else ''}. "
        f"Measured: on the data kind {kinds}, profile {profile}, zero-shot prompts on the mean view; mean ± standard "
        f"deviation over subject-independent folds [95 % interval, bootstrap over subjects]. {_seeds(measured)}"
        f"{_chances(measured)} {sizes}."
    )
    accuracy = Part(f"{table.title}: accuracy", _accuracy(frame, kinds, table.benchmarks), note)
    title = f"{table.title}, continued: clusters, their names, and probes"
    return [accuracy, Part(title, _qualities(measured), _QUALITIES)]


def _seeds(measured: pd.DataFrame) -> str:
    """What the note says of methods that were run several times; nothing where none was."""
    several = measured[measured["seeds"] > 1].drop_duplicates("method")
    if several.empty:
        return ""
    which = "; ".join(several["title"])
    return (
        f"Clusters can swap their names from one start to another: {which} were run with "
        f"{' or '.join(map(str, several['seeds'].unique()))} seeds, all of which mean and deviation take in, and the "
        "interval draws seeds beside subjects, so that it holds that chance too. "
    )


def _chances(measured: pd.DataFrame) -> str:
    asked = measured[measured["protocol"].isin(["zero-shot", AMONG_SHOWN])].drop_duplicates(["benchmark", "protocol"])
    if asked["chance"].nunique() == 1:
        return f"Chance {asked['chance'].iloc[0]:.1f}."
    each = [f"{column_title(*row[:2])} {row[2]:.1f}" for row in asked[["benchmark", "protocol", "chance"]].to_numpy()]
    return f"Chance: {', '.join(each)}."


def column_title(benchmark: str, protocol: str = "zero-shot") -> str:
    """What heads the accuracies of a benchmark; how many ways it is asked, where that is not clear."""
    known = BENCHMARKS[benchmark]
    ways = len(known.shown if protocol == AMONG_SHOWN else known.emotions)
    return f"{benchmark}, {ways}-way" if known.shown else benchmark


_QUALITIES = (
    "Percent, mean ± standard deviation over folds, and over seeds where there are several. Cluster accuracy, NMI and "
    "ARI: k-means fitted on training subjects, applied to test subjects; the names of the clusters for the accuracy "
    "come from the labels of training subjects. Clusters named right: how many of the clusters got from the prompts "
    "the name that those labels give. Pseudo-labels: of the training views in the last round, how many are right "
    "(nothing reads this), and how many changed since the round before. kNN and linear probe are fitted on labelled "
    "training subjects; they measure the representation, not the method."
)


def _accuracy(frame: pd.DataFrame, kinds: str, benchmarks: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    ours = frame["source"] == "measured"
    shown = frame[~ours | frame["protocol"].isin(["zero-shot", AMONG_SHOWN])]
    protocols = [(name, "zero-shot") for name in benchmarks]
    protocols += [(name, AMONG_SHOWN) for name in benchmarks if BENCHMARKS[name].shown]
    there = set(frame.loc[ours, "benchmark"])
    rows = []
    for (_, measured), group in shown.groupby(["method", ours[shown.index]], sort=False):
        cells = {(row["benchmark"], row["protocol"]): row for row in group.to_dict("records")}
        first = group.iloc[0]
        row = {"Method": first["title"], "Supervision": first["supervision"]}
        row["Knows"] = first["knows"] if measured else "–"
        row["Source"] = "measured" if measured else "transcribed"
        for benchmark in benchmarks:
            cell = cells.get((benchmark, PRINTED))
            text = "–" if cell is None else "n. s." if math.isnan(cell["paper"]) else f"{cell['paper']:.2f}"
            row[f"{benchmark}, paper"] = text
        for column in protocols:
            cell = cells.get(column)
            text = "absent" if measured and column[0] not in there else "–"  # without a corpus, or not asked
            if cell is not None:
                text = f"{_spread(cell)} [{cell['low']:.1f}, {cell['high']:.1f}]"
            row[f"{column_title(*column)}, measured on {kinds}"] = text
        rows.append(row)
    return pd.DataFrame(rows)


def _qualities(measured: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for benchmark in BENCHMARKS:
        for _, group in measured[measured["benchmark"] == benchmark].groupby("method", sort=False):
            cells = {row["protocol"]: _spread(row) for row in group.to_dict("records")}
            row = {"Benchmark": benchmark, "Method": group["title"].iloc[0], "Data": group["data_kind"].iloc[0]}
            rows.append(row | {heading: cells.get(protocol, "–") for protocol, heading in HEADINGS.items()})
    return pd.DataFrame(rows)


def _spread(row: Mapping[str, Any]) -> str:
    std = row["std"]
    return f"{row['mean']:.1f}" + ("" if math.isnan(std) else f" ± {std:.1f}")  # one fold has no spread
