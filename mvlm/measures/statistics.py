"""Spread and comparison of accuracies: folds, subject-level bootstrap, corrected paired test, chance."""

from typing import NamedTuple

import numpy as np

DRAWS = 10_000
ROUNDING = 1e-12  # of the largest value: a smaller deviation is the last digits of a sum; one sample of n makes 1/n


class Summary(NamedTuple):
    """Accuracy of one method on one benchmark."""

    mean: float  # mean over the folds of the fold's accuracy
    std: float  # standard deviation over the folds (n - 1), of all repeats; NaN for one
    low: float  # 95 % interval of the mean, bootstrap over subjects, and over repeats where there are several
    high: float
    n: int  # samples
    subjects: int
    folds: int  # of one repeat


class PairedTest(NamedTuple):
    """Difference of two methods on the same folds."""

    mean: float
    low: float  # 95 % interval of the mean
    high: float
    t: float
    p: float  # two-sided


def summary(
    correct: np.ndarray, fold: np.ndarray, subject: np.ndarray, repeat: np.ndarray | None = None, *, seed: int = 0
) -> Summary:
    """Mean over folds, its spread, and the 95 % interval over subjects, of (N,) right or wrong predictions.

    Mean and interval are of one statistic, the mean over F folds of the share that is right among the n_f samples of
    each: a mean of all samples in which each weighs 1 / (F n_f). Samples of a subject are not independent, so the
    bootstrap draws whole subjects, as many as there are, and takes the same mean of theirs: the weighted sum over the
    sum of the weights drawn. The interval's ends are the 2.5th and 97.5th percentile of `DRAWS` such means; where all
    subjects score alike, they are the mean. A subject may have samples in several folds.

    Repeats are whole cross-validations of the same samples, as of other seeds of training. Each (repeat, fold) is a
    fold to mean and spread. The interval then holds the chance of the repeat too: every draw takes as many repeats as
    there are, with replacement, beside the subjects (the bootstrap of two crossed factors; Owen and Eckles, 2012). Of R
    repeats it sees (R - 1) / R of their variance, as a bootstrap of R does: a few repeats show that there is such a
    chance and do not measure it well. One repeat adds nothing.

    Args:
        correct: (N,) boolean.
        fold, subject: (N,) any labels.
        repeat: (N,) any labels; None: one.
    """
    correct, fold, subject = np.asarray(correct), np.asarray(fold), np.asarray(subject)
    repeat = np.zeros(correct.shape, int) if repeat is None else np.asarray(repeat)
    fits = correct.ndim == 1 and correct.dtype == bool
    if not fits or not correct.size or not correct.shape == fold.shape == subject.shape == repeat.shape:
        raise ValueError(
            f"expected (N,) booleans and as many folds, subjects and repeats, got {correct.dtype} of shape "
            f"{correct.shape}, {fold.shape}, {subject.shape} and {repeat.shape}"
        )
    fold, repeat = (np.unique(labels, return_inverse=True)[1] for labels in (fold, repeat))
    run = np.unique(np.stack([repeat, fold]), axis=1, return_inverse=True)[1].ravel()
    sizes = np.bincount(run)
    of_runs = np.bincount(run, correct) / sizes
    mean = float(of_runs.mean())
    # The number of runs is in both sums, and cancels.
    low, high, subjects = _interval(correct, 1 / sizes[run], subject, repeat, mean, seed)
    std = float(of_runs.std(ddof=1)) if len(sizes) > 1 else np.nan
    return Summary(mean, std, low, high, len(correct), subjects, int(fold.max()) + 1)


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
    variance = np.square(_deviations(differences, mean, differences)).sum() / (k - 1)
    error = float(np.sqrt((1 / k + test_fraction / (1 - test_fraction)) * variance))
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

    Mean and interval are of one statistic, the mean over samples; where all subjects have one mean, it is the interval.

    Args:
        values: (N,) finite numbers.
        subject: (N,) any labels.
    """
    values, subject = np.asarray(values, dtype=float), np.asarray(subject)
    if values.ndim != 1 or not values.size or values.shape != subject.shape or not np.isfinite(values).all():
        raise ValueError(f"expected (N,) finite numbers and as many subjects, got {values.shape} and {subject.shape}")
    mean = float(values.mean())
    low, high, subjects = _interval(values, np.ones(len(values)), subject, np.zeros(len(values), int), mean, seed)
    return Mean(mean, low, high, len(values), subjects)


def _interval(
    values: np.ndarray, weight: np.ndarray, subject: np.ndarray, repeat: np.ndarray, mean: float, seed: int
) -> tuple[float, float, int]:
    """Ends of the 95 % interval of a weighted mean, by bootstrap over subjects and repeats, and the number of subjects.

    What is drawn and averaged is how far each subject is from the mean, repeat by repeat. Whole scores would bring
    rounding errors of their own, and an interval of nothing else may lie beside its mean.

    Args:
        values, weight, subject: (N,).
        repeat: (N,) int from 0.
        mean: `sum(weight * values) / sum(weight)`.
    """
    subject = np.unique(subject, return_inverse=True)[1]
    count, repeats = subject.max() + 1, repeat.max() + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)  # (DRAWS, subjects)
    times = rng.multinomial(repeats, np.full(repeats, 1 / repeats), size=DRAWS)  # (DRAWS, repeats)
    above = below = 0.0
    for each in range(repeats):
        mine = repeat == each
        total = np.bincount(subject[mine], weight[mine], minlength=count)  # (subjects,), 0: not in this repeat
        scores = np.bincount(subject[mine], (weight * values)[mine], minlength=count)
        apart = _deviations(np.divide(scores, total, out=np.full(count, mean), where=total > 0), mean, values)
        above = above + times[:, each] * (drawn @ (total * apart))
        below = below + times[:, each] * (drawn @ total)
    low, high = mean + np.percentile(above / below, [2.5, 97.5])
    return float(low), float(high), int(count)


def _deviations(means: np.ndarray, mean: float, values: np.ndarray) -> np.ndarray:
    """Means of some of the values less the mean of all; 0 where they differ by rounding alone."""
    apart = means - mean
    return np.where(np.abs(apart) > ROUNDING * np.abs(values).max(), apart, 0.0)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation of two (N,) arrays, ties sharing their mean rank; 0 where one of them is constant."""
    from scipy.stats import rankdata

    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise ValueError(f"expected two arrays (N,), got {a.shape} and {b.shape}")
    x, y = (ranks - ranks.mean() for ranks in (rankdata(a), rankdata(b)))
    length = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / length) if length > 0 else 0.0
