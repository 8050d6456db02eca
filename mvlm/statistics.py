"""Spread and comparison of accuracies: folds, subject-level bootstrap, corrected paired test, chance."""

from typing import NamedTuple

import numpy as np

DRAWS = 10_000


class Summary(NamedTuple):
    """Accuracy of one method on one benchmark."""

    mean: float  # mean over the folds of the fold's accuracy
    std: float  # standard deviation over the folds (n - 1); NaN for one fold
    low: float  # 95 % interval of the mean, bootstrap over subjects
    high: float
    n: int  # samples
    subjects: int
    folds: int


class PairedTest(NamedTuple):
    """Difference of two methods on the same folds."""

    mean: float
    low: float  # 95 % interval of the mean
    high: float
    t: float
    p: float  # two-sided


def summary(correct: np.ndarray, fold: np.ndarray, subject: np.ndarray, *, seed: int = 0) -> Summary:
    """Mean over folds, its spread, and the 95 % interval over subjects, of (N,) right or wrong predictions.

    Samples of a subject are not independent, so the bootstrap draws subjects, with all their samples, and takes the
    2.5th and 97.5th percentile of `DRAWS` means. A sample weighs one over the size of its fold, as it does in the mean
    over folds. A subject may have samples in several folds, as over the seeds of repeated cross-validation.

    Args:
        correct: (N,) boolean.
        fold, subject: (N,) any labels.
    """
    correct, fold, subject = np.asarray(correct), np.asarray(fold), np.asarray(subject)
    fits = correct.ndim == 1 and correct.dtype == bool and correct.shape == fold.shape == subject.shape
    if not fits or not correct.size:
        raise ValueError(
            f"expected (N,) booleans and as many folds and subjects, got {correct.dtype} of shape {correct.shape}, "
            f"{fold.shape} and {subject.shape}"
        )
    fold = np.unique(fold, return_inverse=True)[1]
    subject = np.unique(subject, return_inverse=True)[1]
    sizes = np.bincount(fold)
    of_folds = np.bincount(fold, correct) / sizes
    weight = 1 / sizes[fold]
    right, total = np.bincount(subject, weight * correct), np.bincount(subject, weight)  # (subjects,)
    count = len(total)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)  # (DRAWS, subjects)
    low, high = np.percentile((drawn @ right) / (drawn @ total), [2.5, 97.5])
    std = of_folds.std(ddof=1) if len(sizes) > 1 else np.nan
    return Summary(float(of_folds.mean()), float(std), float(low), float(high), len(correct), count, len(sizes))


def chance(classes: int) -> float:
    """Expected accuracy of a guess among this many classes."""
    if classes < 2:
        raise ValueError(f"chance needs two classes or more, got {classes}")
    return 1 / classes


def corrected_resampled_t(differences: np.ndarray, test_fraction: float) -> PairedTest:
    """Paired t-test over folds that allows for their shared training samples (Nadeau and Bengio, 2003).

    `t = mean / sqrt((1/k + n_test/n_train) * variance)` with k - 1 degrees of freedom. The plain test has 1/k alone, as
    if folds were independent, and finds differences where there are none.

    Args:
        differences: (k,) difference of the two methods on each fold, k >= 2.
        test_fraction: share of the samples in the test fold, 1/k for k-fold cross-validation; 0 is the plain paired
            test, for differences that share nothing.
    """
    from scipy.stats import t as student

    differences = np.asarray(differences, dtype=float)
    if differences.ndim != 1 or len(differences) < 2 or not np.isfinite(differences).all():
        raise ValueError(f"expected the finite differences of two folds or more, (k,), got {differences}")
    if not 0 <= test_fraction < 1:
        raise ValueError(f"test_fraction must lie in [0, 1), got {test_fraction}")
    k, mean = len(differences), float(differences.mean())
    error = float(np.sqrt((1 / k + test_fraction / (1 - test_fraction)) * differences.var(ddof=1)))
    if error == 0:  # every fold differs by the same amount
        return PairedTest(mean, mean, mean, float(np.copysign(np.inf, mean)) if mean else 0.0, 0.0 if mean else 1.0)
    t = mean / error
    half = student.ppf(0.975, k - 1) * error
    return PairedTest(mean, float(mean - half), float(mean + half), t, float(2 * student.sf(abs(t), k - 1)))


class Mean(NamedTuple):
    """A mean over samples, with its interval."""

    mean: float
    low: float  # 95 % interval, bootstrap over subjects
    high: float
    n: int  # samples
    subjects: int


def mean_over_subjects(values: np.ndarray, subject: np.ndarray, *, seed: int = 0) -> Mean:
    """Mean of (N,) numbers with the 95 % interval of `DRAWS` draws of subjects, each with all its samples.

    Args:
        values: (N,) finite numbers.
        subject: (N,) any labels.
    """
    values, subject = np.asarray(values, dtype=float), np.asarray(subject)
    if values.ndim != 1 or not values.size or values.shape != subject.shape or not np.isfinite(values).all():
        raise ValueError(f"expected (N,) finite numbers and as many subjects, got {values.shape} and {subject.shape}")
    subject = np.unique(subject, return_inverse=True)[1]
    total, size = np.bincount(subject, values), np.bincount(subject)
    count = len(size)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)  # (DRAWS, subjects)
    low, high = np.percentile((drawn @ total) / (drawn @ size), [2.5, 97.5])
    return Mean(float(values.mean()), float(low), float(high), len(values), count)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation of two (N,) arrays, ties sharing their mean rank; 0 where one of them is constant."""
    from scipy.stats import rankdata

    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise ValueError(f"expected two arrays (N,), got {a.shape} and {b.shape}")
    x, y = (ranks - ranks.mean() for ranks in (rankdata(a), rankdata(b)))
    length = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / length) if length > 0 else 0.0
