"""The paper's accuracies as counts: which can be a share of so many samples, which a mean over so many folds.

Accuracies are printed with two decimals. Of n samples only n + 1 shares can come out, so that a number which is one of
them is a sign of n, and the stronger the fewer there are; one that is none is not the accuracy of n samples. What
rests on a sign comes with the chance that a random number, or as many of them, would show it. Checks are as in
`mvlm.study.paper.claims`; their claims are in a file of their own, because the figures of times read the other, and
these are measured: a further claim must not ask for a measurement.

Accuracies are whole hundredths of a percent here, 8929 for 89.29, so that nothing hangs on how a number is stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from mvlm.study.paper.claims import DERIVED, HOLDS, INCONSISTENT, UNCHECKABLE, UNLIKELY, Check, Finding, Stated, equal
from mvlm.study.paper.transcripts import FOLDER, MIFAR, OURS, Paper

if TYPE_CHECKING:
    import pandas as pd

CLAIMS = "claims_on_counts.csv"
POSSIBLE = 10_001  # numbers from 0.00 to 100.00


def claims_on_counts() -> pd.DataFrame:
    """The claims of this module, columns as of `Paper.claims`."""
    import pandas as pd

    return pd.read_csv(FOLDER / CLAIMS, keep_default_na=False)


def hundredths(percent: float) -> int:
    """89.29 -> 8929."""
    return round(100 * percent)


@lru_cache
def shares(n: int) -> frozenset[int]:
    """What k of n right samples print as, for all k; where a share lies half-way, rounded up and rounded down."""
    return _printed(range(n + 1), n)


@lru_cache
def fold_means(subjects: int, each: int, folds: int) -> frozenset[int]:
    """What the mean of the folds' accuracies prints as, whoever is told right.

    The folds' subjects differ by at most one: r folds have s + 1 subjects and the others s, `each` samples of each. So
    only how many samples are right in all larger folds, a, and in all smaller ones, b, counts.
    """
    small, larger = divmod(subjects, folds)
    many, few = (small + 1) * each, small * each  # samples of a fold
    of_larger, of_smaller = range(larger * many + 1), range((folds - larger) * few + 1)
    return _printed({a * few + b * many for a in of_larger for b in of_smaller}, folds * many * few)


def _printed(parts: Iterable[int], whole: int) -> frozenset[int]:
    """Parts of a whole in hundredths of a percent; both neighbours of what lies half-way between two."""
    twice = [(20_000 * part, 2 * whole) for part in parts]
    return frozenset(value for part, two in twice for value in ((part + whole) // two, -((whole - part) // two)))


def count(percent: float, n: int) -> int | None:
    """How many of n <= 10,000 samples are right by a percentage with two decimals; None: no number of them."""
    k = round(percent * n / 100)
    return k if hundredths(percent) in _printed([k], n) else None


def by_chance(hits: int, numbers: int, probability: float) -> float:
    """The probability that of so many random numbers at least so many hit what one hits with `probability`."""
    return sum(
        math.comb(numbers, k) * probability**k * (1 - probability) ** (numbers - k) for k in range(hits, numbers + 1)
    )


def counts(paper: Paper) -> pd.DataFrame:
    """Every stated accuracy as a share of the samples of its setting.

    Columns: benchmark, method, accuracy, samples, right (of them; empty: no number of them), by_chance (the probability
    that a random number is such a share).
    """
    import pandas as pd

    rows = []
    for benchmark in paper.benchmarks():
        n = paper.samples(benchmark)
        for row in paper.stated(benchmark).to_dict("records"):
            found = {"benchmark": benchmark, "method": row["method"], "accuracy": row["accuracy"], "samples": n}
            rows.append(found | {"right": count(row["accuracy"], n), "by_chance": len(shares(n)) / POSSIBLE})
    return pd.DataFrame(rows).astype({"right": "Int64"})


def possible_subjects(paper: Paper, benchmark: str, most: int, least: int = 10) -> dict[int, int]:
    """Number of subjects -> how many of the supervised accuracies are shares of their samples."""
    rows, (_, each) = paper.stated(benchmark), _people(paper, benchmark)
    numbers = [hundredths(value) for value in rows.loc[rows["supervision"] == "supervised", "accuracy"]]
    return {subjects: sum(n in shares(each * subjects) for n in numbers) for subjects in range(least, most + 1)}


def _people(paper: Paper, benchmark: str) -> tuple[int, int]:
    """Subjects of a setting, and samples of each."""
    row = paper.sizes.set_index("benchmark").loc[benchmark]
    return int(row["subjects"]), int(row["classes"] * row["repeats"])


def _one_run(paper: Paper, said: Stated) -> Finding:
    texts, missed = [], []
    for benchmark in paper.benchmarks():
        ours, ways = paper.accuracy(benchmark), {"a share of all": shares(paper.samples(benchmark))}
        if benchmark != said["without folds"]:
            ways["a mean of folds"] = fold_means(*_people(paper, benchmark), int(said["folds"]))
        found = [way for way, values in ways.items() if hundredths(ours) in values]
        missed += [benchmark] * (not found)
        chance = 100 * len(frozenset().union(*ways.values())) / POSSIBLE
        texts.append(f"{benchmark} {ours:.2f} {' and '.join(found) or 'neither'} ({chance:.0f} % of all numbers are)")
    text = "; ".join(texts)
    if not missed:
        return Finding(text, HOLDS)
    text += f"; {len(missed)} of {len(texts)} are not of one run: repeats or another unit could be meant, and the text "
    return Finding(f"{text}names none", UNLIKELY)


def _of_others(paper: Paper, _said: Stated) -> Finding:
    texts, frame = [], counts(paper)
    for benchmark, rows in frame[frame["method"] != OURS].groupby("benchmark", sort=False):
        hits, n = rows.dropna(subset="right"), int(rows["samples"].iloc[0])
        named = ", ".join(f"{row['method']} {row['right']}" for row in hits.to_dict("records"))
        chance = by_chance(len(hits), len(rows), float(rows["by_chance"].iloc[0]))
        text = f"{benchmark} {len(hits)} of {len(rows)} are counts of {n}"
        texts.append(f"{text} ({named}; by chance {chance:.2g})" if len(hits) else text)
    return Finding("; ".join(texts), DERIVED)


def _how_many_people(paper: Paper, said: Stated) -> Finding:
    name, subjects, each = "Bosphorus", int(said["subjects"]), _people(paper, "Bosphorus")[1]
    rows = paper.stated(name)
    supervised, fits = rows[rows["supervision"] == "supervised"], possible_subjects(paper, name, int(said["of"]))
    whole = [people for people, hits in fits.items() if hits == len(supervised)]
    if len(whole) != 1 or subjects in whole:
        where = ", ".join(map(str, whole)) or "no number of"
        return Finding(f"all are shares at {where} subjects", HOLDS if subjects in whole else UNCHECKABLE)
    people, n = whole[0], each * whole[0]
    named = ", ".join(f"{row['reference']} {count(row['accuracy'], n)}" for row in supervised.to_dict("records"))
    means = fold_means(subjects, each, int(said["folds"]))
    overlap = len(shares(n) & means) / len(means)
    at_one, at_any = (
        sum((len(shares(each * some)) / POSSIBLE) ** len(supervised) for some in numbers) for numbers in (whole, fits)
    )
    text = (
        f"{named} of {n}: all are shares at {people} subjects and at no other number up to {said['of']} (by chance at "
        f"{people} {at_one:.1g}, at any {at_any:.1g}); of {each * subjects} only {fits[subjects]} is. Means over "
        f"{said['folds']} folds of {subjects} subjects they could be, but {100 * overlap:.0f} % of these are shares of "
        f"{n}, too (all by chance {overlap ** len(supervised):.1g})"
    )
    others = rows[rows["supervision"] == "unsupervised"].to_dict("records")
    neither = [row for row in others if hundredths(row["accuracy"]) not in shares(n) | means]
    named = " and ".join(f"{row['reference']} {row['accuracy']:.2f}" for row in neither)
    return Finding(f"{text}; no accuracy of either kind: {named or 'none'}", UNLIKELY)


def _one_protocol(paper: Paper, said: Stated) -> Finding:
    name, cited = "BU-3DFE-I", said["cited"]
    listed = paper.accuracy(name, cited)
    n, fewer = paper.samples(name), int(said["subjects"]) * _people(paper, name)[1]
    text = f"{cited} states {said['listed']} and {said['left out']} by two protocols; the table has {listed:.2f} alone"
    for row in paper.others(name).to_dict("records"):
        of_few, of_all = count(row["accuracy"], fewer), count(row["accuracy"], n)
        if of_few is not None and of_all is None:
            text += f"; {row['reference']} {row['accuracy']:.2f} is {of_few} of {fewer} ({said['subjects']} subjects; "
            text += f"{100 * len(shares(fewer)) / POSSIBLE:.0f} % of all numbers are) and no count of {n}"
    mixed = equal(listed, said["listed"]) and not equal(listed, said["left out"])
    return Finding(text, INCONSISTENT if mixed else HOLDS)


def _unsupervised_by_its_own_word(paper: Paper, said: Stated) -> Finding:
    other, ours = paper.accuracy("BP4D", said["other"]), paper.accuracy("BP4D")
    text = f"{said['other']} calls itself unsupervised, and has {other:.2f} where {OURS} has {ours:.2f}: by its word "
    text += f"{MIFAR} is not the only one"
    text += f" and {OURS} not the best of them" if other > ours else ""
    return Finding(f"{text}. Its vote reads labels of what it retrieves, so that the word is its own", INCONSISTENT)


CHECKS: dict[int, Check] = {
    40: _one_run,
    41: _of_others,
    42: _how_many_people,
    43: _one_protocol,
    44: _unsupervised_by_its_own_word,
}
