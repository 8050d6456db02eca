"""Measures in which every class weighs the same, however few its samples: UF1 and UAR, as micro-expressions are scored.

Of all test predictions pooled over the folds, with `right_c` samples of class c told right, `shown_c` samples of it and
`said_c` predictions of it:

    UF1 = mean_c 2 right_c / (shown_c + said_c)      mean over classes of their F1
    UAR = mean_c right_c / shown_c                   mean over classes of their recall

See et al., "MEGC 2019", FG 2019. An F1 averaged over folds would be another number, and undefined in every fold without
a class; with one subject left out that is nearly every fold. Both means are over the classes that are shown: one that
nobody shows has no recall, and what is taken for it counts against the others. A class never predicted scores 0.

Shapes: C classes, S subjects; a confusion has the true classes in rows.
"""

from typing import NamedTuple

import numpy as np

from mvlm.measures.statistics import DRAWS


class Spread(NamedTuple):
    """A measure with its 95 % interval, bootstrap over subjects, and what a guess would reach."""

    value: float
    low: float
    high: float
    guess: float  # each class equally often, whatever is shown


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """(...) share of the samples of confusions (..., C, C) that are told right."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1))


def uf1(confusion: np.ndarray) -> np.ndarray:
    """(...) unweighted mean of the F1 of the classes shown, of confusions (..., C, C)."""
    shown, said = confusion.sum(-1), confusion.sum(-2)
    return _over_shown(2 * np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(shown + said, 1), shown)


def uar(confusion: np.ndarray) -> np.ndarray:
    """(...) unweighted mean of the recalls of the classes shown, of confusions (..., C, C)."""
    shown = confusion.sum(-1)
    return _over_shown(np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(shown, 1), shown)


MEASURES = {"accuracy": accuracy, "uf1": uf1, "uar": uar}


def confusions(true: np.ndarray, said: np.ndarray, subjects: np.ndarray, count: int) -> np.ndarray:
    """(S, C, C) how often each class was taken for each, of every subject, from classes 0..C-1 (N,) and (N,)."""
    true, said, subjects = np.asarray(true), np.asarray(said), np.asarray(subjects)
    fits = true.ndim == 1 and true.size and true.shape == said.shape == subjects.shape
    if not fits or not all(of.dtype.kind in "iu" and 0 <= of.min() and of.max() < count for of in (true, said)):
        raise ValueError(
            f"expected (N,) true and predicted classes 0..{count - 1} and as many subjects, got {true.dtype} of shape "
            f"{true.shape}, {said.dtype} of shape {said.shape} and {subjects.shape}"
        )
    who = np.unique(subjects, return_inverse=True)[1]
    found = np.zeros((who.max() + 1, count, count), dtype=np.int64)
    np.add.at(found, (who, true, said), 1)
    return found


def spreads(of_subjects: np.ndarray, *, seed: int = 0) -> dict[str, Spread]:
    """Each of `MEASURES` of the pooled predictions, from confusions (S, C, C) of subjects.

    The interval draws subjects, each with all its samples; a draw without a class is scored on the others.
    """
    count, classes = of_subjects.shape[:2]
    whole = of_subjects.sum(0)
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)  # (DRAWS, S)
    draws = (drawn @ of_subjects.reshape(count, -1)).reshape(DRAWS, classes, classes)
    guess = np.repeat(whole.sum(1, keepdims=True) / classes, classes, axis=1)
    found = {}
    for name, measure in MEASURES.items():
        low, high = np.percentile(measure(draws), [2.5, 97.5])
        found[name] = Spread(float(measure(whole)), float(low), float(high), float(measure(guess)))
    return found


def _over_shown(values: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return (values * (shown > 0)).sum(-1) / np.maximum((shown > 0).sum(-1), 1)
