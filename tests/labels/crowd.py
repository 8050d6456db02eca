"""People who show planted classes: what the tests of the peers judge."""

from typing import NamedTuple

import numpy as np


class Crowd(NamedTuple):
    rows: np.ndarray  # (N, D)
    prototypes: np.ndarray  # (C, D)
    classes: np.ndarray  # (N,)
    subjects: np.ndarray  # (N,)


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def crowd(seed=0, *, people=40, classes=6, width=64, identity=1.0, noise=1.0, shift=4.0, texts=0.5):
    """Each person shows each class twice: class + person + noise, images and texts shifted each by their own vector."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(size=shape) / np.sqrt(width)

    emotions, persons = normal(classes, width), identity * normal(people, width)
    shown, subjects = np.tile(np.repeat(np.arange(classes), 2), people), np.repeat(np.arange(people), 2 * classes)
    rows = emotions[shown] + persons[subjects] + noise * normal(len(shown), width) + shift * unit(normal(width))
    prototypes = emotions + texts * normal(classes, width) + shift * unit(normal(width))
    return Crowd(unit(rows), unit(prototypes), shown, subjects)


def accuracy(probabilities, classes):
    return (probabilities.argmax(1) == classes).mean()


def softmax(scores):
    """Of one row, in plain terms."""
    odds = [np.exp(score - max(scores)) for score in scores]
    return np.array(odds) / sum(odds)


def near(rows, row, count, *, subjects=None, own=None, leave=None):
    """Indices of the `count` rows nearest to one, but for the row `leave` and those of the subject `own`."""
    others = [j for j in range(len(rows)) if j != leave and (subjects is None or subjects[j] != own)]
    return sorted(others, key=lambda j: -(row @ rows[j]))[:count]
