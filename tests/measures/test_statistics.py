"""Spread, interval and paired test against samples drawn one by one, loops and the plain test."""

import math

import numpy as np
import pytest

from mvlm.measures import statistics


def draw(seed=0, subjects=23, folds=5, clustered=False):
    """Right or wrong predictions of subjects of unequal size; folds of unequal size."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), rng.integers(2, 9, size=subjects))
    chance = rng.random(subjects)[subject] if clustered else 0.7
    return rng.random(len(subject)) < chance, subject % folds, np.array([f"F{s:04}" for s in subject])


def test_mean_and_spread_are_those_of_the_folds():
    correct, fold, subject = draw()
    accuracies = [sum(correct[fold == f]) / sum(fold == f) for f in range(5)]
    mean = sum(accuracies) / 5
    got = statistics.summary(correct, fold, subject)
    assert got.mean == pytest.approx(mean)
    assert got.std == pytest.approx(math.sqrt(sum((a - mean) ** 2 for a in accuracies) / 4))
    assert (got.n, got.subjects, got.folds) == (len(correct), 23, 5)


@pytest.mark.parametrize("folds", [1, 5, 23])  # one; unequal ones; one for each subject
def test_the_interval_is_that_of_subjects_drawn_one_by_one(monkeypatch, folds):
    monkeypatch.setattr(statistics, "DRAWS", 200)
    correct, fold, subject = draw(folds=folds)
    names = sorted(set(subject))
    sizes = {f: sum(fold == f) for f in range(folds)}
    counts = np.random.default_rng(7).multinomial(len(names), [1 / len(names)] * len(names), size=200)
    means = []
    for times in counts:
        right = total = 0.0
        for name, count in zip(names, times, strict=True):
            for i in np.flatnonzero(subject == name).repeat(count):
                right += correct[i] / sizes[fold[i]]
                total += 1 / sizes[fold[i]]
        means.append(right / total)
    got = statistics.summary(correct, fold, subject, seed=7)
    assert got.low == pytest.approx(np.percentile(means, 2.5), abs=1e-12)
    assert got.high == pytest.approx(np.percentile(means, 97.5), abs=1e-12)


def repeated(repeats=3, missing=False):
    """The samples of `draw` predicted several times, each time as well as chance has it; two people may lack once."""
    correct, fold, subject = draw()
    rng = np.random.default_rng(5)
    correct = np.concatenate([correct & (rng.random(len(correct)) < kept) for kept in (1.0, 0.6, 0.9)[:repeats]])
    fold, subject, repeat = np.tile(fold, repeats), np.tile(subject, repeats), np.repeat(np.arange(repeats), len(fold))
    kept = ~(missing & (repeat == 1) & np.isin(subject, ["F0000", "F0007"]))
    return correct[kept], fold[kept], subject[kept], repeat[kept]


@pytest.mark.parametrize("missing", [False, True])
def test_the_interval_is_that_of_subjects_and_repeats_drawn_one_by_one(monkeypatch, missing):
    monkeypatch.setattr(statistics, "DRAWS", 100)
    correct, fold, subject, repeat = repeated(missing=missing)
    names, runs = sorted(set(subject)), {(r, f) for r, f in zip(repeat, fold, strict=True)}
    of_runs = {(r, f): [c for c, *at in zip(correct, repeat, fold, strict=True) if at == [r, f]] for r, f in runs}
    rng = np.random.default_rng(7)
    people = rng.multinomial(len(names), [1 / len(names)] * len(names), size=100)
    times = rng.multinomial(3, [1 / 3] * 3, size=100)
    means = []
    for of_people, of_repeats in zip(people, times, strict=True):
        right = total = 0.0
        for i in range(len(correct)):
            drawn = of_people[names.index(subject[i])] * of_repeats[repeat[i]]
            right += drawn * correct[i] / len(of_runs[repeat[i], fold[i]])
            total += drawn / len(of_runs[repeat[i], fold[i]])
        means.append(right / total)
    got = statistics.summary(correct, fold, subject, repeat, seed=7)
    assert (got.low, got.high) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=1e-12)
    shares = [np.mean(of) for of in of_runs.values()]
    assert (got.mean, got.std) == pytest.approx((np.mean(shares), np.std(shares, ddof=1)))
    assert (got.n, got.subjects, got.folds) == (len(correct), 23, 5)


def test_one_repeat_adds_nothing_and_equal_ones_neither():
    correct, fold, subject = draw()
    once = statistics.summary(correct, fold, subject)
    assert statistics.summary(correct, fold, subject, np.full(len(correct), 4)) == once
    again = statistics.summary(
        *(np.tile(each, 3) for each in (correct, fold, subject)), np.repeat(list("abc"), len(correct))
    )
    assert (again.mean, again.low, again.high) == pytest.approx((once.mean, once.low, once.high), abs=1e-12)


def test_names_that_swap_from_seed_to_seed_widen_the_interval():
    """Of six balanced classes one seed in three exchanges two names: a third of all samples, in everybody alike."""
    true = np.tile(np.arange(6), 60)
    swapped = np.where(true < 2, 1 - true, true)
    subject, fold = np.repeat(np.arange(60), 6), np.repeat(np.arange(60), 6) % 10
    said = np.concatenate([true, swapped, true])
    where = (np.tile(fold, 3), np.tile(subject, 3))
    seed = np.repeat([0, 1, 2], len(true))
    held = statistics.summary(said == np.tile(true, 3), *where, seed)
    blind = statistics.summary(said == np.tile(true, 3), *where)
    assert (held.mean, blind.mean) == pytest.approx((8 / 9, 8 / 9))
    assert blind.low == blind.high == blind.mean  # every subject scores alike: subjects alone know of no chance
    assert held.low == pytest.approx(2 / 3) and held.high == 1  # a draw may have swaps alone, or none


@pytest.mark.parametrize("folds", [1, 4, 12])
def test_over_equal_folds_the_mean_and_its_interval_are_those_over_samples(folds):
    correct, subject = np.random.default_rng(0).random(60) < 0.7, np.repeat(np.arange(12), 5)
    got = statistics.summary(correct, subject % folds, subject)
    plain = statistics.mean_over_subjects(correct, subject)
    assert got.low < got.mean < got.high and got.folds == folds
    assert (got.mean, got.low, got.high) == pytest.approx((plain.mean, plain.low, plain.high), abs=1e-12)


def test_over_unequal_folds_both_move_away_from_those_over_samples():
    correct, subject = np.arange(60) < 40, np.arange(60)  # a fold of 40 that is right, one of 20 that is wrong
    got, plain = statistics.summary(correct, ~correct, subject), statistics.mean_over_subjects(correct, subject)
    assert got.mean == 0.5 and plain.mean == pytest.approx(2 / 3)
    assert got.low + got.high == pytest.approx(1, abs=0.03) and plain.low + plain.high == pytest.approx(4 / 3, abs=0.03)


@pytest.mark.parametrize("samples", [6, 7, 30])
@pytest.mark.parametrize("folds", [1, 3, 8])  # of eight subjects: three are unequal
def test_an_interval_of_subjects_that_score_alike_is_its_mean(samples, folds):
    subject = np.repeat(np.arange(8), samples)
    for right in range(samples + 1):
        got = statistics.summary(np.tile(np.arange(samples) < right, 8), subject % folds, subject)
        assert got.low == got.mean == got.high == pytest.approx(right / samples)


def test_an_interval_of_subjects_with_one_mean_is_that_mean():
    rng = np.random.default_rng(0)
    for scale in (1e-6, 1, 1e6):
        for mean in (0, 0.1, -1 / 3):
            noise = rng.normal(0, 1, (9, 11))
            values = scale * (mean + noise - noise.mean(1, keepdims=True))
            got = statistics.mean_over_subjects(values.ravel(), np.repeat(np.arange(9), 11))
            assert got.low == got.mean == got.high == pytest.approx(scale * mean, abs=1e-12 * scale)


def test_a_mean_lies_in_its_interval_and_one_sample_in_ten_thousand_is_no_rounding():
    rng = np.random.default_rng(0)
    for _ in range(100):
        subjects, chance = int(rng.integers(1, 9)), rng.choice([0.02, 0.5, 0.98])
        subject = rng.integers(0, subjects, 40)
        correct, fold = rng.random(40) < chance, rng.integers(0, 4, 40)
        got, plain = statistics.summary(correct, fold, subject), statistics.mean_over_subjects(correct, subject)
        assert got.low <= got.mean <= got.high and plain.low <= plain.mean <= plain.high
    one_wrong = statistics.summary(np.arange(10_000) > 0, np.arange(10_000) % 3, np.arange(10_000) % 8)
    assert one_wrong.low < one_wrong.mean < one_wrong.high == 1


def test_the_interval_knows_that_samples_of_a_subject_go_together():
    correct, fold, subject = draw(subjects=60, clustered=True)
    clustered = statistics.summary(correct, fold, subject)
    independent = statistics.summary(correct, fold, np.arange(len(correct)))
    assert clustered.low < clustered.mean < clustered.high
    assert clustered.high - clustered.low > 1.3 * (independent.high - independent.low)


def test_independent_samples_give_the_binomial_interval():
    correct = np.arange(400) % 4 != 0
    got = statistics.summary(correct, np.arange(400) % 10, np.arange(400))
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert got.low == pytest.approx(0.75 - half, abs=0.006) and got.high == pytest.approx(0.75 + half, abs=0.006)


def test_the_summary_repeats_and_ignores_the_order_of_samples():
    correct, fold, subject = draw()
    order = np.random.default_rng(1).permutation(len(correct))
    first = statistics.summary(correct, fold, subject)
    assert first == statistics.summary(correct, fold, subject)
    assert first == pytest.approx(statistics.summary(correct[order], fold[order], subject[order]), abs=1e-12)


def test_extremes_of_a_summary():
    right = statistics.summary(np.ones(6, bool), np.arange(6) % 2, np.arange(6))
    assert (right.mean, right.std, right.low, right.high) == pytest.approx((1, 0, 1, 1))
    one_fold = statistics.summary(np.array([True, False]), np.zeros(2), np.arange(2))
    assert one_fold.mean == 0.5 and math.isnan(one_fold.std)


@pytest.mark.parametrize(
    "arguments",
    [
        (np.ones(3), np.zeros(3), np.zeros(3)),
        (np.ones(3, bool), np.zeros(2), np.zeros(3)),
        (np.ones(0, bool), np.zeros(0), np.zeros(0)),
        (np.ones((2, 2), bool), np.zeros((2, 2)), np.zeros((2, 2))),
    ],
)
def test_a_summary_needs_booleans_folds_and_subjects(arguments):
    with pytest.raises(ValueError, match=r"\(N,\) booleans .* got"):
        statistics.summary(*arguments)


def test_chance():
    assert statistics.chance(6) == pytest.approx(1 / 6) and statistics.chance(2) == 0.5
    with pytest.raises(ValueError, match="got 1"):
        statistics.chance(1)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_the_corrected_test_is_the_plain_one_with_a_larger_variance(k):
    from scipy.stats import ttest_1samp

    differences = np.random.default_rng(k).normal(0.02, 0.03, size=k)
    mean = sum(differences) / k
    variance = sum((d - mean) ** 2 for d in differences) / (k - 1)
    got = statistics.corrected_resampled_t(differences, 1 / k)
    assert got.mean == pytest.approx(mean)
    assert got.t == pytest.approx(mean / math.sqrt((1 / k + 1 / (k - 1)) * variance))  # n_test/n_train = 1/(k - 1)
    plain = ttest_1samp(differences, 0)
    assert got.t == pytest.approx(plain.statistic / math.sqrt(1 + k / (k - 1)))
    # A vanishing test fold leaves the plain test: t, p and interval.
    limit, interval = statistics.corrected_resampled_t(differences, 1e-12), plain.confidence_interval(0.95)
    expected = (plain.statistic, plain.pvalue, interval.low, interval.high)
    assert (limit.t, limit.p, limit.low, limit.high) == pytest.approx(expected)


def test_p_and_interval_agree_and_follow_the_sign():
    rng = np.random.default_rng(0)
    for _ in range(50):
        differences = rng.normal(rng.normal(0, 0.05), 0.03, size=10)
        got = statistics.corrected_resampled_t(differences, 0.1)
        assert (got.p < 0.05) == (got.low > 0 or got.high < 0)
        opposite = statistics.corrected_resampled_t(-differences, 0.1)
        assert opposite == pytest.approx((-got.mean, -got.high, -got.low, -got.t, got.p))


def test_without_shared_training_samples_it_is_the_plain_paired_test():
    from scipy.stats import ttest_1samp

    differences = np.random.default_rng(4).normal(0.3, 1, 9)
    got, plain = statistics.corrected_resampled_t(differences, 0), ttest_1samp(differences, 0)
    interval = plain.confidence_interval(0.95)
    assert got == pytest.approx((differences.mean(), interval.low, interval.high, plain.statistic, plain.pvalue))


def test_equal_differences():
    assert statistics.corrected_resampled_t(np.zeros(5), 0.2) == (0, 0, 0, 0, 1)
    assert statistics.corrected_resampled_t(np.full(4, -0.5), 0.25) == (-0.5, -0.5, -0.5, -math.inf, 0)
    mean = np.full(3, 0.1).mean()
    assert mean != 0.1  # so that the plain variance is not 0
    assert statistics.corrected_resampled_t(np.full(3, 0.1), 1 / 3) == (mean, mean, mean, math.inf, 0)


@pytest.mark.parametrize(
    ("differences", "fraction", "message"),
    [
        ([0.1], 0.1, "two folds or more"),
        ([0.1, math.nan], 0.1, "finite"),
        ([[0.1, 0.2]], 0.1, r"\(k,\)"),
        ([0.1, 0.2], -0.1, "test_fraction .* got -0.1"),
        ([0.1, 0.2], 1.0, "test_fraction .* got 1.0"),
    ],
)
def test_bad_differences_are_named(differences, fraction, message):
    with pytest.raises(ValueError, match=message):
        statistics.corrected_resampled_t(differences, fraction)
