"""Labels without labels, told as tables: what removing the person gives, beside peers, parts of it, and bounds.

Two sorts of records are read: those of trained methods (`mvlm.study.runs`), and those of the ways that train nothing
(`mvlm.study.label_free`), which are cheap and so are run over several partitions of the subjects into folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvlm.measures.statistics import chance, corrected_resampled_t, summary
from mvlm.report.results import Part
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items.tables import AMONG_SHOWN, column_title
from mvlm.study.label_free import BOUNDS, FROZEN, OF_FEW, OURS, TRANSDUCTIVE, Way, without_labels
from mvlm.study.label_free_peers import ABLATED, OF_PEERS, peers
from mvlm.study.methods import IDENTITY, LADDER, METHODS, SEEDS
from mvlm.study.plan import Kind
from mvlm.study.runs import records, run

if TYPE_CHECKING:
    import pandas as pd

WAYS, PEERS = Kind("ways without labels", without_labels), Kind("peers", peers)
# Its code is what a record of these kinds is made by: they hold every way at once, whatever that one knows.
AS = "subject-centred"
PARTITIONS, SMOKE_PARTITIONS = 5, 2
SMOKE_ON = ("BU-3DFE-I", "BU-4DFE-to-BP4D")  # one with folds, one without
TRAINED = tuple(dict.fromkeys((*LADDER[1:], *(name for name in IDENTITY if METHODS[name].trains), "oracle")))
# Sorts of rows, in the order of the table, with what heads each.
SORTS = {
    "frozen": "The frozen model",
    "relabelled": "Relabelled: the person removed, prompts, a discriminant, balance inside persons",
    "few": "The same, by how many scans of a test subject are looked at together",
    "trained": "The paper's objective: its ladder, and on these labels",
    "peers": "Peers, on the same embeddings and folds",
    "parts": "Parts of the relabelling (equal shares), one left out or done otherwise",
    "bounds": "Told true labels",
}
_OF = {"frozen": FROZEN, "relabelled": OURS | TRANSDUCTIVE, "few": OF_FEW, "bounds": BOUNDS}
_BESIDE = {"peers": OF_PEERS, "parts": ABLATED}
# Columns of the CSV, with their units.
COLUMNS = {
    "sort": "frozen, relabelled, few, trained, peers, parts or bounds",
    "way": "how test samples are predicted; of a trained one, its recipe",
    "title": "the way as the table shows it",
    "benchmark": "corpus and subset",
    "protocol": "zero-shot among all classes, or among the emotions that the test samples show",
    "knows": "what it is told beside images: nothing, subjects, class shares",
    "scans": "of a test subject that are looked at together; all subjects: test samples of all of them, transductive",
    "supervision": "whose labels it learns from: none but for bounds",
    "data_kind": "twin, sample or supplied",
    "accuracy": "percent, mean over folds, partitions and seeds",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects, and over partitions or seeds",
    "high": "percent, upper end of that interval",
    "labels_right": "percent of the training samples' labels that are true (nothing reads this); empty where none",
    "chance": "percent, a guess among the classes",
    "n": "samples",
    "subjects": "subjects",
    "folds": "folds, subject-independent",
    "partitions": "of the subjects into folds",
    "seeds": "of training",
    "profile": "smoke, quick or full",
}
# Pairs that the finding stands on: title -> ways of the first and of the second, whose difference is wanted.
RELATIONS = {
    "equal shares, less the same discriminant on true labels": ("relabelled-shares", "discriminant"),
    "who, less zero-shot": ("relabelled-who", "zero-shot"),
    "who, less the best peer": ("relabelled-who", "best peer"),
    "equal shares, less the best peer": ("relabelled-shares", "best peer"),
    "who from one scan, less zero-shot": ("relabelled-who-1", "zero-shot"),
    "full, persons removed, equal shares, less the same on true labels": ("impersonal-shares", "impersonal-oracle"),
    "full on labels of equal shares, less full on true labels": ("full-relabelled-shares", "oracle"),
    "full, persons removed, equal shares, less zero-shot": ("impersonal-shares", "zero-shot"),
}
BEST = "best peer"
# Columns of the table of relations, with their units.
RELATION_COLUMNS = {
    "relation": "what is compared",
    "benchmark": "corpus and subset",
    "first": "way",
    "second": "way; the best peer is that of the highest accuracy on this benchmark, which favours it",
    "data_kind": "twin, sample or supplied",
    "difference": "percentage points, mean over the folds of the first partition, seeds averaged first",
    "low": "points, lower end of the 95 % interval by the test",
    "high": "points, upper end of it",
    "p": "two-sided, by the test",
    "test": "corrected resampled t over folds, or paired t over subjects where there are none",
}


class Study(NamedTuple):
    """All records of the tables."""

    ways: pd.DataFrame  # of `without_labels`, with the column partition
    peers: pd.DataFrame  # of `peers`
    runs: pd.DataFrame  # of `mvlm.study.run`, of `TRAINED`


def study(settings: Settings | None = None, *, seeds: Sequence[int] | None = None) -> Study:
    """Records of every benchmark at hand, computing those that are missing.

    Args:
        settings: None reads them from the environment.
        seeds: of training; None: each method's own.

    Raises:
        ValueError, FileNotFoundError: as of `mvlm.study.run`; ValueError of `PROFILE=full` if they are missing.
    """
    import pandas as pd

    chosen = Settings.from_environment() if settings is None else settings
    smoke = chosen.profile == "smoke"
    on, partitions = (SMOKE_ON, SMOKE_PARTITIONS) if smoke else (tuple(BENCHMARKS), PARTITIONS)
    asked = on, (AS,), chosen, SEEDS[:1]
    ways = pd.DataFrame(records(*asked, WAYS, partitions=partitions))
    return Study(ways, pd.DataFrame(records(*asked, PEERS)), run(on, TRAINED, chosen, seeds=seeds))


def identity_table(found: Study) -> pd.DataFrame:
    """One row per way and benchmark (two where fewer emotions are shown than asked about), with `COLUMNS`."""
    import pandas as pd

    rows = []
    for sort, ways in _OF.items():
        rows += [{"sort": sort} | row for row in _of_ways(found.ways, ways)]
    for sort, ways in _BESIDE.items():
        rows += [{"sort": sort} | row for row in _of_ways(found.peers, ways)]
    for (benchmark, method), runs in found.runs.groupby(["benchmark", "method"], sort=False):
        known = METHODS[method]
        shared = {"sort": "trained", "way": method, "title": known.title, "knows": known.knowledge}
        shared |= {"scans": "all" if known.impersonal else "1", "supervision": known.supervision}
        shared |= _head(runs, benchmark) | {"partitions": 1, "seeds": runs["seed"].nunique()}
        shared["labels_right"] = 100 * runs["pseudo_labels"].map(lambda rounds: rounds[-1]).mean()
        for column, protocol in (("zero_shot", "zero-shot"), ("among_shown", AMONG_SHOWN)):
            if runs[column].notna().all():
                rows.append(shared | _accuracy(runs, runs[column], runs["seed"], benchmark, protocol))
    order = {sort: place for place, sort in enumerate(SORTS)}
    rows.sort(key=lambda row: order[row["sort"]])  # stable
    whole = dict.fromkeys(("n", "subjects", "folds", "partitions", "seeds"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def _of_ways(of: pd.DataFrame, ways: Mapping[str, Way]) -> Iterator[dict[str, Any]]:
    for benchmark, runs in of.groupby("benchmark", sort=False):
        emotions = np.array(BENCHMARKS[benchmark].emotions)
        for name, way in ways.items():
            if not all(name in said for said in runs["predicted"]):
                continue  # by more own scans than there are
            row = {"way": name, **way._asdict()} | _head(runs, benchmark)
            repeat = runs.get("partition", runs["seed"])
            row |= {"partitions": repeat.nunique(), "seeds": 1}
            degree = name.removeprefix("relabelled-")
            if name in OURS:
                row["labels_right"] = 100 * runs["labels_right"].map(lambda shares, of=degree: shares[of]).mean()
            for column, protocol in (("predicted", "zero-shot"), ("among_shown", AMONG_SHOWN)):
                if runs[column].notna().all():
                    said = runs[column].map(lambda of, name=name, known=emotions: known[of[name]])
                    yield row | _accuracy(runs, said, repeat, benchmark, protocol)


def _head(runs: pd.DataFrame, benchmark: str) -> dict[str, Any]:
    return {"benchmark": benchmark, **{name: runs[name].iloc[0] for name in ("data_kind", "profile")}}


def _accuracy(runs: pd.DataFrame, said: pd.Series, repeat: pd.Series, benchmark: str, protocol: str) -> dict[str, Any]:
    fold, repeat = (np.repeat(each, runs["names"].map(len)) for each in (runs["fold"], repeat))
    names, subjects, true = (np.concatenate(runs[each].to_list()) for each in ("names", "subjects", "emotions"))
    found = summary(np.concatenate(said.to_list()) == true, fold, subjects, repeat)
    known = BENCHMARKS[benchmark]
    classes = len(known.shown if protocol == AMONG_SHOWN else known.emotions)
    row = {"protocol": protocol, "accuracy": 100 * found.mean, "low": 100 * found.low, "high": 100 * found.high}
    return row | {
        "chance": 100 * chance(classes),
        "n": len(np.unique(names)),
        "subjects": found.subjects,
        "folds": found.folds,
    }


def relations(found: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The pairs of `RELATIONS`, tested on the same folds of the first partition, with `RELATION_COLUMNS`."""
    import pandas as pd

    inductive = [name for name, way in OF_PEERS.items() if way.scans != "all subjects"]
    plain = table[table["protocol"] == "zero-shot"].set_index(["benchmark", "way"])["accuracy"]
    rows = []
    for title, (first, wanted) in RELATIONS.items():
        for benchmark in table["benchmark"].unique():
            second = max(inductive, key=lambda way, of=benchmark: plain[of, way]) if wanted == BEST else wanted
            ours, theirs = (_right(found, benchmark, way) for way in (first, second))
            subjects, folds = ours.pop("subjects"), len(ours["right"])
            if not ours["right"] or not theirs["right"]:
                continue
            gains = [100 * (a - b) for a, b in zip(ours["right"], theirs["right"], strict=True)]
            if folds > 1:
                name, test = "folds", corrected_resampled_t(np.array([g.mean() for g in gains]), 1 / folds)
            else:
                of = np.array([gains[0][subjects[0] == each].mean() for each in np.unique(subjects[0])])
                name, test = "subjects", corrected_resampled_t(of, 0)
            row = {"relation": title, "benchmark": benchmark, "first": first, "second": second, "test": name}
            row["data_kind"] = found.ways["data_kind"].iloc[0]
            rows.append(row | {"difference": test.mean, "low": test.low, "high": test.high, "p": test.p})
    return pd.DataFrame(rows, columns=list(RELATION_COLUMNS))


def _right(found: Study, benchmark: str, way: str) -> dict[str, list]:
    """Of each fold of the first partition, (M,) how often each test sample is right, over seeds, and whose it is."""
    if way in METHODS and METHODS[way].trains:
        of = found.runs[(found.runs["benchmark"] == benchmark) & (found.runs["method"] == way)]
        said = of["zero_shot"]
    else:
        of = found.peers if way in OF_PEERS or way in ABLATED else found.ways[found.ways["partition"] == 0]
        of = of[of["benchmark"] == benchmark]
        emotions = np.array(BENCHMARKS[benchmark].emotions)
        said = of["predicted"].map(lambda each: emotions[each[way]] if way in each else None)
    if said.isna().any():
        return {"right": [], "subjects": []}
    right = said.combine(of["emotions"], lambda a, b: np.array(a) == np.array(b))
    folds = of.groupby("fold")
    return {
        "right": [np.mean(right[group.index].to_list(), axis=0) for _, group in folds],
        "subjects": [np.array(group["subjects"].iloc[0]) for _, group in folds],
    }


def render_identity(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV: a part for each sort of ways, benchmarks across."""
    import pandas as pd

    columns = list(frame[["benchmark", "protocol"]].drop_duplicates().itertuples(index=False, name=None))
    columns.sort(key=lambda column: (list(BENCHMARKS).index(column[0]), column[1] == AMONG_SHOWN))
    parts = []
    for sort, title in SORTS.items():
        cells = []
        for _, group in frame[frame["sort"] == sort].groupby("way", sort=False):
            first = group.iloc[0]
            row = {"Way": first["title"], "Knows": first["knows"], "Scans": first["scans"]}
            row["Supervision"] = first["supervision"]
            found = {(of["benchmark"], of["protocol"]): of for of in group.to_dict("records")}
            for column in columns:
                row[column_title(*column)] = _spread(found[column]) if column in found else "–"
            cells.append(row)
        if cells:
            parts.append(Part(title, pd.DataFrame(cells), _note(frame) if not parts else _NOTES.get(sort, "")))
    return parts


_NOTES = {
    "relabelled": "In brackets after the interval: percent of the training samples' labels that are right, which "
    "nothing reads. Transductive: test samples are relabelled together with the training samples.",
    "few": "One discriminant reads any number of scans. A dash: test subjects have fewer scans.",
    "trained": "One partition. The ladder is the paper's; it knows nothing of persons. In brackets after the interval: "
    "labels of the last round that are right.",
    "peers": "One partition. Subject-centred: rows and prototypes without their means, and no neighbour of the same "
    "person. OTTER is told that classes are equally frequent.",
    "parts": "One partition.",
}


def _note(frame: pd.DataFrame) -> str:
    kinds, profile = ", ".join(frame["data_kind"].unique()), ", ".join(frame["profile"].unique())
    sizes = "; ".join(
        f"{row['benchmark']} {row['n']} samples of {row['subjects']} subjects, chance {row['chance']:.1f}"
        for row in frame[frame["protocol"] == "zero-shot"].drop_duplicates("benchmark").to_dict("records")
    )
    return (
        "Accuracy in percent [95 % interval, bootstrap over subjects and over partitions or seeds where there are "
        f"several], test subjects never seen. {frame['partitions'].max()} partitions into ten folds. Knows: what is "
        "told beside images; scans: of a test subject that are looked at together. Data kind "
        f"{kinds}, profile {profile}. {sizes}."
    )


def _spread(row: Mapping[str, Any]) -> str:
    import pandas as pd

    right = "" if pd.isna(row["labels_right"]) else f" ({row['labels_right']:.0f})"
    return f"{row['accuracy']:.1f} [{row['low']:.1f}, {row['high']:.1f}]{right}"


def render_relations(frame: pd.DataFrame) -> list[Part]:
    """Render the relations from their CSV."""
    import pandas as pd

    cells = []
    for title, group in frame.groupby("relation", sort=False):
        row = {"Points of accuracy": title}
        found = {of["benchmark"]: of for of in group.to_dict("records")}
        for benchmark in frame["benchmark"].unique():
            of = found.get(benchmark)
            peer = f" {of['second']}" if of and BEST in title else ""
            row[benchmark] = f"{of['difference']:+.1f} [{of['low']:+.1f}, {of['high']:+.1f}]{peer}" if of else "–"
        cells.append(row)
    note = (
        "Percentage points [95 % interval] on the same folds of the first partition, corrected resampled t-test, seeds "
        "averaged first; paired t over subjects where there is one run without folds. The best peer is the best "
        f"inductive one on each benchmark, chosen in its favour. Data kind {frame['data_kind'].iloc[0]}."
    )
    return [Part("What the finding stands on", pd.DataFrame(cells), note)]
