"""Does what the method gains hang on the training of its foundation? The ladder, adapted from several of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mvlm.measures.statistics import chance
from mvlm.report.results import Part
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items.differences import AGAINST, difference
from mvlm.study.items.seen_or_not import BOUND, accuracy_of
from mvlm.study.methods import LADDER, METHODS

if TYPE_CHECKING:
    import pandas as pd

ADAPT = (*LADDER[1:], BOUND)
ADAPTED, ABOVE = "zero-shot, adapted", "zero-shot, above the frozen model"


def rungs(records: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Benchmark -> method of `ADAPT` -> zero-shot accuracy and what it is above the frozen model, with intervals.

    Args:
        records: what `mvlm.study.run` returns, the baseline's among them.
    """
    found: dict[str, dict[str, Any]] = {}
    for benchmark, of in records.groupby("benchmark", sort=False):
        methods = dict(iter(of.groupby("method", sort=False)))
        for method in ADAPT:
            spread = accuracy_of(methods[method], "zero_shot")
            above = difference(methods[method], methods[AGAINST])
            # As they are: once rounded, a page would print other last digits than the tables.
            told = {name: float(spread[name]) for name in ("accuracy", "low", "high")}
            told |= {f"above_{name}": float(above[name]) for name in ("difference", "low", "high")}
            told |= {name: getattr(METHODS[method], name) for name in ("title", "supervision")}
            told |= {count: spread[count] for count in ("n", "subjects")}
            found.setdefault(benchmark, {})[method] = told
    return found


def ladder_rows(foundation: str, ladder: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the table of foundations: two of each benchmark and method, `ADAPTED` and `ABOVE`.

    Titles are those of the card, so that the table hangs on no method of today.

    Args:
        foundation: what it learnt from.
        ladder: what `rungs` returned.
    """
    rows = []
    for benchmark, adapted in ladder.items():
        guess = 100 * chance(len(BENCHMARKS[benchmark].emotions))
        for told in adapted.values():
            row = {"pretrained_on": foundation, "asked_about": benchmark, "data_kind": "twin", "method": told["title"]}
            row |= {name: told[name] for name in ("supervision", "n", "subjects")}
            ends = {name: told[name] for name in ("low", "high")}
            rows.append(row | {"measure": ADAPTED, "value": told["accuracy"], "chance": guess} | ends)
            ends = {name: told[f"above_{name}"] for name in ("low", "high")}
            rows.append(row | {"measure": ABOVE, "value": told["above_difference"]} | ends)
    return rows


def ladder_parts(frame: pd.DataFrame, columns: Sequence[str]) -> list[Part]:
    """What adaptation gains on each foundation that was adapted; no part where none was.

    Args:
        frame: what `ladder_rows` gave, as rows of the table.
        columns: what the foundations learnt from, in the order of the page.
    """
    import pandas as pd

    if frame.empty:
        return []
    rows, there = [], set(frame["pretrained_on"])
    columns = [title for title in columns if title in there]
    for (about, method, supervision), group in frame.groupby(["asked_about", "method", "supervision"], sort=False):
        row = {"Benchmark": f"{about} (twin)", "Method": method, "Supervision": supervision}
        told = {(cell["pretrained_on"], cell["measure"]): cell for cell in group.to_dict("records")}
        for title in columns:
            above = told[title, ABOVE]
            row[f"{title}: zero-shot"] = shown(told[title, ADAPTED])
            row[f"{title}: above frozen"] = f"{above['value']:+.1f} [{above['low']:+.1f}, {above['high']:+.1f}]" + (
                " *" if above["low"] > 0 or above["high"] < 0 else ""
            )
        rows.append(row)
    note = (
        "Accuracy in percent [95 % interval, bootstrap over subjects, and over seeds where there are several]; points "
        "above the same foundation frozen, on the same folds [95 % interval, corrected resampled t, or paired t over "
        "subjects where there are no folds], * where the interval excludes 0. Twins, folds and seeds are the same in "
        "all columns, and no method knows anything beside images: what differs is the training of the foundation."
    )
    return [Part("The ladder, by the training of the foundation", pd.DataFrame(rows), note)]


def shown(cell: Mapping[str, Any]) -> str:
    """A value, low and high, as a page has them."""
    interval = f" [{cell['low']:.1f}, {cell['high']:.1f}]" if cell["low"] == cell["low"] else ""
    return f"{cell['value']:.1f}{interval}"
