"""Figures 3 and 6: the ablation over the six benchmarks, and what each rung gains over the baseline.

The paper draws both and prints neither's numbers, but for two: the accuracy of the full method, which stands in its
tables, and the gain on BU-3DFE's Subset I, of which the text says that it is over 8 %. All others are "not stated".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mvlm.settings import Settings
from mvlm.study.accuracy import AMONG_SHOWN, FILES, PAPER, accuracy_table, column_title, paper_table
from mvlm.study.accuracy import COLUMNS as OF_TABLES
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.comparisons import AGAINST, difference
from mvlm.study.methods import LADDER, METHODS
from mvlm.study.runs import run

if TYPE_CHECKING:
    import pandas as pd

GAINS = "ablation.csv"
OURS = "MultiviewVLM"  # the paper's name of its full method
# How a benchmark is asked -> column of the records with what was predicted then.
ASKED = {"zero-shot": "zero_shot", AMONG_SHOWN: "among_shown"}
_SHARED = {
    "benchmark": "corpus and subset",
    "asked": "benchmark, and among how many classes where there are two ways",
    "method": "rung",
    "title": "the rung as tables show it",
    "source": "measured here, transcribed from the paper, or not stated in its text",
    "data_kind": "twin, sample or supplied; paper for the paper's rows",
}
FIG3_COLUMNS = _SHARED | {
    name: OF_TABLES[name]
    for name in ("paper", "mean", "std", "low", "high", "chance", "n", "subjects", "folds", "profile")
}
FIG6_COLUMNS = _SHARED | {
    "paper": "percentage points as stated in the paper; empty where its text does not say",
    "qualifier": "how the paper's text qualifies its number",
    "difference": "percentage points of accuracy above the baseline, mean over the same folds",
    "low": "points, lower end of the 95 % interval by the test",
    "high": "points, upper end of the 95 % interval by the test",
    "p": "two-sided, by the test",
    "excludes_zero": "whether the interval lies on one side of 0",
    "test": "corrected resampled t over folds (Nadeau and Bengio 2003), or paired t over subjects where there are none",
    "folds": "folds, subject-independent; 1: one run, trained on another corpus",
    "profile": "smoke, quick or full",
}


def prepare_ablation(settings: Settings) -> None:
    """Computes what Figures 3 and 6 need: the ladder on all benchmarks, a part of what Tables I to III need."""
    run(methods=LADDER, settings=settings)


def ways(benchmark: str) -> list[str]:
    """How a benchmark is asked: among all its classes and, where its samples show fewer, among those."""
    return list(ASKED) if BENCHMARKS[benchmark].shown else list(ASKED)[:1]


def asked() -> list[str]:
    """The columns of both figures: every benchmark in every way it is asked, in the order of the paper."""
    return [column_title(benchmark, way) for benchmark in BENCHMARKS for way in ways(benchmark)]


def fig3_table(records: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of every rung on every benchmark at hand, and the paper's; rows with `FIG3_COLUMNS`.

    Args:
        records: what `mvlm.study.run` returns, with every method of `LADDER`.
    """
    import pandas as pd

    every = pd.concat([paper_table(item) for item in FILES], ignore_index=True)
    stated = every[every["method"] == OURS].set_index("benchmark")["accuracy"]
    rows = [
        row | {"paper": stated[row["benchmark"]], "source": "transcribed"} if row["method"] == LADDER[-1] else row
        for row in _of_paper(LADDER)
    ]
    measured = accuracy_table(records[records["method"].isin(LADDER)], every[:0])
    for row in measured[measured["protocol"].isin(list(ASKED))].to_dict("records"):
        rows.append(row | {"asked": column_title(row["benchmark"], row["protocol"])})
    whole = dict.fromkeys(("n", "subjects", "folds"), "Int64")
    return pd.DataFrame(rows, columns=list(FIG3_COLUMNS)).astype(whole)


def fig6_table(records: pd.DataFrame) -> pd.DataFrame:
    """Gain of every rung over the baseline on every benchmark at hand, and the paper's; rows with `FIG6_COLUMNS`.

    Args:
        records: as of `fig3_table`.
    """
    import pandas as pd

    stated = pd.read_csv(PAPER / GAINS).set_index(["method", "benchmark"])
    rows = []
    for row in _of_paper(LADDER[1:]):
        place = row["method"], row["benchmark"]
        if place in stated.index:
            known = stated.loc[place]
            row |= {"paper": known["points"], "qualifier": known["qualifier"], "source": known["source"]}
        rows.append(row)
    for benchmark, of in records.groupby("benchmark", sort=False):
        base = of[of["method"] == AGAINST]
        for method in LADDER[1:]:
            runs = of[of["method"] == method]
            shared = {"benchmark": benchmark, "method": method, "title": METHODS[method].title, "source": "measured"}
            shared |= {name: runs[name].iloc[0] for name in ("data_kind", "profile", "folds")}
            for way in ways(benchmark):
                found = difference(runs, base, ASKED[way])
                one_sided = bool(found["low"] > 0 or found["high"] < 0)
                rows.append(shared | found | {"asked": column_title(benchmark, way), "excludes_zero": one_sided})
    return pd.DataFrame(rows, columns=list(FIG6_COLUMNS)).astype({"folds": "Int64"})


def _of_paper(methods: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for method in methods:
        for benchmark in BENCHMARKS:
            yield {"benchmark": benchmark, "asked": benchmark, "method": method, "title": METHODS[method].title} | {
                "source": "not stated",
                "data_kind": "paper",
            }
