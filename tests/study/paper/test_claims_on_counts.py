"""Which numbers can come out of so many samples and folds: against every outcome there is, one by one."""

from decimal import ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import product

import pytest

from mvlm.study.paper.claims_on_counts import by_chance, count, counts, fold_means, hundredths, shares
from mvlm.study.paper.transcripts import read_paper


def printed(share: Fraction) -> set[int]:
    """A share with two decimals of a percent, by long division and either way of rounding a half."""
    exact = Decimal(10_000 * share.numerator) / Decimal(share.denominator)
    return {int(exact.quantize(Decimal(1), way)) for way in (ROUND_HALF_UP, ROUND_HALF_DOWN)}


@pytest.mark.parametrize("n", [1, 3, 7, 82, 360, 2400])
def test_shares_are_those_of_every_count(n: int):
    every = [printed(Fraction(k, n)) for k in range(n + 1)]
    assert shares(n) == set().union(*every)
    for number in (0, 3333, 8667, 8929, 10_000):
        found = [k for k in range(n + 1) if number in every[k]]
        assert [count(number / 100, n)] == (found or [None])


@pytest.mark.parametrize(("subjects", "each", "folds"), [(5, 2, 3), (4, 2, 2), (7, 1, 3)])
def test_means_over_folds_are_those_of_every_outcome(subjects: int, each: int, folds: int):
    sizes = [subjects // folds + (fold < subjects % folds) for fold in range(folds)]
    owner = [fold for fold, size in enumerate(sizes) for _ in range(size * each)]  # of each sample
    means = set()
    for right in product((0, 1), repeat=subjects * each):
        of = [[hit for hit, fold in zip(right, owner, strict=True) if fold == own] for own in range(folds)]
        means |= printed(sum((Fraction(sum(hits), len(hits)) for hits in of), Fraction(0)) / folds)
    assert fold_means(subjects, each, folds) == means
    if subjects % folds == 0:
        assert means == shares(subjects * each)


def test_the_numbers_that_were_found_by_hand():
    found = {"[14]": 1930, "[40]": 1931, "[19]": 1952, "[49]": 1984}
    rows = counts(read_paper()).query("benchmark == 'BU-3DFE-II'")
    assert {row["method"][-4:]: row["right"] for row in rows.iloc[:-1].to_dict("records")} == found
    assert rows["right"].isna().tolist() == [False] * 4 + [True]  # the paper's own
    assert (count(88.56, 328), hundredths(88.56) in fold_means(41, 8, 10)) == (None, True)
    assert [hundredths(a) in fold_means(65, 6, 10) for a in (79.86, 78.84, 79.72, 77.50, 80.00)] == [0, 0, 1, 1, 1]
    assert len(shares(1200)) / 10_001 == pytest.approx(0.12, abs=0.002)


def test_chance_counts_the_outcomes():
    outcomes = [sum(hits) >= 2 for hits in product((0, 1, 1), repeat=4)]  # each hits with 2/3
    assert by_chance(2, 4, 2 / 3) == pytest.approx(sum(outcomes) / len(outcomes))
    assert by_chance(0, 5, 0.3) == pytest.approx(1)
