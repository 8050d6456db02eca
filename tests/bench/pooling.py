"""The closed form of rank pooling against the regression it approximates, as scikit-learn solves it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.svm import LinearSVR

from mvlm.faces.dynamics import rank_pool
from mvlm.faces.tracking import Track
from mvlm.faces.views import project
from mvlm.samples import open_corpus
from tests.bench import Row, race

FRAMES, SIZE = 100, 224


def frames() -> np.ndarray:
    """(T, H, W) uint8 front views of the longest of the first sequences of a twin, evenly spaced in time."""
    twin = open_corpus("BU-4DFE")
    sequence = max(twin.sequences[:12], key=lambda one: len(one.frames))
    places = np.linspace(0, len(sequence.frames) - 1, FRAMES).astype(int)
    track, meshes = Track(), (twin.read_frame(sequence, int(place)) for place in places)
    shown = [project(mesh, (0,), SIZE, pose=track(mesh))[0, ..., 0] for mesh in meshes]
    return np.stack(shown)


def regression(pictures: np.ndarray) -> np.ndarray:
    """Fernando et al. (2015): running means, signed square roots, unit length, linear regression of time on them."""
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    means = np.cumsum(flat, axis=0) / np.arange(1, len(flat) + 1)[:, None]
    roots = np.sign(means) * np.sqrt(np.abs(means))
    rows = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    solver = LinearSVR(C=1, epsilon=0.1, loss="squared_epsilon_insensitive", fit_intercept=False, dual=False)
    return solver.fit(rows, np.arange(1, len(rows) + 1)).coef_.reshape(pictures.shape[1:])


def exact(pictures: np.ndarray) -> np.ndarray:
    return rank_pool(pictures, "ranksvm")


def measure() -> Iterator[Row]:
    pictures = frames()
    seen = pictures.all(axis=0)  # what is face in every frame: a regression's background is not 0
    closed = rank_pool(pictures)
    for theirs, name, bound in ((regression, "LinearSVR", 0.1), (exact, "exact RankSVM", 0.5)):
        alike = np.corrcoef(closed[seen], theirs(pictures)[seen])[0, 1]
        what = f"rank pooling, {FRAMES} frames of {SIZE} px; correlation {alike:.2f}"
        yield race(what, lambda: rank_pool(pictures), name, lambda theirs=theirs: theirs(pictures), bound, rounds=3)
