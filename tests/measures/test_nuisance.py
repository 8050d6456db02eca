"""Shares of variance, neighbours and directions by loops, at their limits, and where the answer was planted."""

from itertools import permutations, product

import numpy as np
import pytest

from mvlm.measures.nuisance import (
    between,
    directions_of,
    effective_dimensions,
    means_of,
    nearest_kinds,
    projected_out,
    spread,
    variance_shares,
)
from tests.labels.crowd import crowd, unit

WHO, WHAT = np.repeat(np.arange(4), 6), np.tile(np.repeat(np.arange(3), 2), 4)
ROWS = np.random.default_rng(0).normal(size=(24, 7)) * np.arange(1, 8)


def test_shares_by_loops():
    mean = sum(ROWS) / 24
    whole = sum(((x - mean) ** 2).sum() for x in ROWS)
    expected = []
    for groups in (WHO, WHAT):
        found = 0
        for group in set(groups.tolist()):
            own = [x for x, g in zip(ROWS, groups, strict=True) if g == group]
            found += len(own) * ((sum(own) / len(own) - mean) ** 2).sum()
        expected.append(found / whole)
    found = variance_shares(ROWS, WHO.astype(str), WHAT)
    np.testing.assert_allclose(found, [*expected, 1 - sum(expected)], atol=1e-12)
    assert sum(found) == pytest.approx(1) and min(found) > 0.01
    np.testing.assert_allclose(variance_shares(3 * ROWS - 8, WHO, WHAT), found, atol=1e-12)  # size and place: no matter


def test_shares_at_their_limits():
    rng = np.random.default_rng(1)
    people, emotions = rng.normal(size=(4, 7)), rng.normal(size=(3, 7))
    np.testing.assert_allclose(variance_shares(people[WHO], WHO, WHAT), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(variance_shares(emotions[WHAT], WHO, WHAT), [0, 1, 0], atol=1e-12)
    both = variance_shares(people[WHO] + emotions[WHAT], WHO, WHAT)
    assert both.rest == pytest.approx(0, abs=1e-12) and min(both[:2]) > 0.1
    own = rng.normal(size=(12, 7))  # each person shows each emotion in a way of their own: neither says it
    assert variance_shares(own[WHO * 3 + WHAT], WHO, WHAT).rest > 0.3
    with pytest.raises(ValueError, match=r"\(24, 7\) rows are all alike"):
        variance_shares(np.ones((24, 7)), WHO, WHAT)
    with pytest.raises(ValueError, match="different proportions"):
        variance_shares(ROWS[1:], WHO[1:], WHAT[1:])
    with pytest.raises(ValueError, match=r"rows \(N, D\) and their groups \(N,\), got \(24, 7\) and \(3,\)"):
        variance_shares(ROWS, WHO[:3], WHAT)


def test_persons_shuffled_inside_emotions_have_the_share_that_is_said():
    rows, what = ROWS[:6], np.array([0, 0, 0, 1, 1, 1])
    shuffled = [variance_shares(rows, np.array([*a, *b]), what) for a, b in product(permutations(range(3)), repeat=2)]
    left = 1 - shuffled[0].emotion
    assert np.mean([shares.subject for shares in shuffled]) == pytest.approx(left * (3 - 1) / (6 - 2))


def test_neighbours_by_loops():
    rows = unit(ROWS)
    counted = np.zeros(3)
    for i in range(24):
        others = [j for j in range(24) if (WHO[j], WHAT[j]) != (WHO[i], WHAT[i])]
        best = max(others, key=lambda j: rows[i] @ rows[j])
        counted[0 if WHO[best] == WHO[i] else 1 if WHAT[best] == WHAT[i] else 2] += 1 / 24
    np.testing.assert_allclose(nearest_kinds(rows, WHO, WHAT), counted, atol=1e-12)
    assert (counted > 0).all()


def test_neighbours_at_their_limits():
    people, emotions = np.eye(7)[:4], np.eye(7)[4:]
    assert nearest_kinds(unit(people[WHO] + 0.1 * emotions[WHAT]), WHO, WHAT) == (1, 0, 0)
    assert nearest_kinds(unit(0.1 * people[WHO] + emotions[WHAT]), WHO, WHAT) == (0, 1, 0)
    with pytest.raises(ValueError, match="one subject with one emotion"):
        nearest_kinds(unit(ROWS), np.zeros(24), np.zeros(24))


def test_spread_by_loops():
    means = [sum(ROWS[WHAT == c]) / 8 for c in range(3)]
    within = sum(np.outer(x - means[c], x - means[c]) for x, c in zip(ROWS, WHAT, strict=True)) / 24
    between = sum(np.outer(m - sum(ROWS) / 24, m - sum(ROWS) / 24) for m in means) / 3
    found = spread(ROWS, WHAT)
    np.testing.assert_allclose(found.within, np.linalg.eigvalsh(within)[::-1], atol=1e-12)
    axes = np.linalg.eigh(within)[1][:, ::-1]
    np.testing.assert_allclose(found.between, [axis @ between @ axis for axis in axes.T], atol=1e-12)
    whole = np.square(ROWS - ROWS.mean(0)).sum() / 24
    assert found.within.sum() + found.between.sum() == pytest.approx(whole)


def test_effective_dimensions_at_their_limits():
    assert effective_dimensions(np.ones(9)) == 9 and effective_dimensions(np.eye(9)[3]) == 1
    assert effective_dimensions(np.array([5, 5, 0.0])) == 2 and 1 < effective_dimensions(np.array([5, 1])) < 2


def test_directions_of_groups_span_their_means_and_no_more():
    planes = np.linalg.qr(np.random.default_rng(2).normal(size=(7, 7)))[0]
    people = 3 * np.random.default_rng(3).normal(size=(4, 2)) @ planes[:2]
    rows = people[WHO] + 0.1 * planes[2 + WHAT]
    found = directions_of(rows, WHO)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(found.T @ found, planes[:2].T @ planes[:2], atol=1e-9)  # the same plane
    left = projected_out(rows, found)
    np.testing.assert_allclose(left @ planes[:2].T, 0, atol=1e-12)
    np.testing.assert_allclose(left @ planes[2:].T, rows @ planes[2:].T, atol=1e-12)
    assert variance_shares(rows, WHO, WHAT).subject > 0.9 and variance_shares(left, WHO, WHAT).subject < 1e-9


def test_what_is_left_of_classes_depends_on_where_the_nuisance_lies():
    def left(rows, what, directions):
        return between(projected_out(rows, directions), what) / between(rows, what)

    axes = np.eye(8)
    rows = 3 * axes[WHO] + axes[4 + WHAT]
    assert left(rows, WHAT, directions_of(rows, WHO)) == pytest.approx(1)  # at right angles: nothing is lost
    rows = 3 * axes[WHO] + axes[WHAT]
    assert left(rows, WHAT, directions_of(rows, WHO)) < 1 / 8  # of axes 0 to 3 one direction is left
    np.testing.assert_allclose(between(rows - means_of(rows, WHO), WHAT), between(rows, WHAT))  # but its own offset
    assert left(rows, WHAT, directions_of(rows, WHAT)) == pytest.approx(0, abs=1e-12)
    shown = crowd(people=60, width=40)
    rng = np.random.default_rng(4)
    drawn = [np.linalg.qr(rng.normal(size=(40, 10)))[0].T for _ in range(200)]
    by_lot = np.mean([left(shown.rows, shown.classes, directions) for directions in drawn])
    assert by_lot == pytest.approx(1 - 10 / 40, abs=0.02)
