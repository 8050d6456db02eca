"""UF1 and UAR against loops and scikit-learn, at their limits, and their intervals."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from mvlm.measures.unweighted import MEASURES, accuracy, confusions, spreads, uar, uf1


def by_loops(true, said, count):
    f1, recall = [], []
    for c in range(count):
        hits = sum(t == c and s == c for t, s in zip(true, said, strict=True))
        shown, taken = sum(t == c for t in true), sum(s == c for s in said)
        if shown:
            precision = hits / taken if taken else 0.0
            recall.append(hits / shown)
            f1.append(2 * precision * recall[-1] / (precision + recall[-1]) if hits else 0.0)
    return sum(f1) / len(f1), sum(recall) / len(recall)


def pool(true, said, count):
    return confusions(np.array(true), np.array(said), np.zeros(len(true), int), count)[0]


@pytest.mark.parametrize("seed", range(4))
def test_both_are_what_loops_and_scikit_learn_say(seed):
    rng = np.random.default_rng(seed)
    true, said = rng.choice(4, 60, p=[0.55, 0.25, 0.15, 0.05]), rng.integers(4, size=60)
    counted = pool(true, said, 4)
    assert counted.sum() == 60 and counted[true[0], said[0]] >= 1
    np.testing.assert_allclose((uf1(counted), uar(counted)), by_loops(true, said, 4))
    shown = np.unique(true)
    assert uf1(counted) == pytest.approx(f1_score(true, said, labels=shown, average="macro", zero_division=0))
    assert uar(counted) == pytest.approx(recall_score(true, said, labels=shown, average="macro"))
    assert accuracy(counted) == pytest.approx((true == said).mean())


def test_a_class_that_is_never_said_counts_as_nothing():
    counted = pool([0, 0, 0, 1], [0, 0, 0, 0], 2)
    assert accuracy(counted) == 0.75 and uar(counted) == 0.5
    assert uf1(counted) == pytest.approx((6 / 7 + 0) / 2)


def test_a_class_that_nobody_shows_is_in_no_mean():
    assert uar(pool([0, 1], [0, 1], 3)) == uf1(pool([0, 1], [0, 1], 3)) == 1
    taken = pool([0, 0, 1], [0, 2, 1], 3)  # said, but not shown: it costs the class that it was said of
    assert uf1(taken) == pytest.approx((2 / 3 + 1) / 2) and uar(taken) == pytest.approx((0.5 + 1) / 2)


def test_f1_is_of_pooled_predictions_not_a_mean_over_subjects():
    true, said, subjects = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array(["a", "a", "b", "b"])
    each = confusions(true, said, subjects, 2)
    assert each.shape == (2, 2, 2) and each.sum((1, 2)).tolist() == [2, 2]
    assert spreads(each)["uf1"].value == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert np.mean(uf1(each)) == pytest.approx((2 / 3 + 1) / 2)  # what it is not


def test_intervals_draw_subjects_and_a_guess_is_told():
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1, 2], [50, 30, 20])
    subjects = rng.integers(10, size=100)
    said = np.where(rng.random(100) < 0.6, true, 0)
    found = spreads(confusions(true, said, subjects, 3))
    assert set(found) == set(MEASURES)
    for spread in found.values():
        assert spread.low < spread.value < spread.high
    assert found["accuracy"].guess == pytest.approx(1 / 3) and found["uar"].guess == pytest.approx(1 / 3)
    expected = np.mean([2 * share / (1 + 3 * share) for share in (0.5, 0.3, 0.2)])  # precision the share, recall 1/3
    assert found["uf1"].guess == pytest.approx(expected)
    alike = spreads(np.repeat(pool(true, said, 3)[None], 5, axis=0))["uf1"]  # subjects alike: nothing to draw
    assert alike.low == pytest.approx(alike.value) == pytest.approx(alike.high)


@pytest.mark.parametrize(("true", "said", "who"), [
    ([0, 1], [0], ["a", "b"]), ([0, 3], [0, 1], ["a", "b"]), ([0.0, 1.0], [0, 1], ["a", "b"]), ([], [], []),
    ([0, -1], [0, 1], ["a", "b"]),
])  # fmt: skip
def test_what_is_no_class_is_refused(true, said, who):
    with pytest.raises(ValueError, match=r"expected \(N,\) true and predicted classes 0\.\.2"):
        confusions(np.array(true), np.array(said), np.array(who), 3)
