"""The views that are measured on: made where faces can be rendered, read where they cannot."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

BENCHMARK = "BU-3DFE-I"
SIDE = 64  # pixels


class Views(NamedTuple):
    """N samples in V views of H pixels a side.

    Attributes:
        images: (N, V, H, H, 3) uint8.
        names, subjects, emotions: (N,) str.
    """

    images: np.ndarray
    names: np.ndarray
    subjects: np.ndarray
    emotions: np.ndarray


def save(path: Path, views: Views) -> None:
    """Writes a compressed archive; of grey images one channel.

    Raises:
        ValueError: the images have colours.
    """
    grey = views.images[..., 0]
    if not (views.images == grey[..., None]).all():
        raise ValueError(f"{path.name}: expected grey images")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, **views._replace(images=grey)._asdict())


def read(path: Path) -> Views:
    """What `save` wrote."""
    with np.load(path) as file:
        views = Views(*(file[name] for name in Views._fields))
    return views._replace(images=np.repeat(views.images[..., None], 3, axis=-1))


def make(subjects: int | None = None) -> Views:
    """Views of the twin's samples of a benchmark, of its first subjects or of all; takes seconds to a minute."""
    from mvlm.faces import project
    from mvlm.samples import catalogue, open_corpus
    from mvlm.study.benchmarks import BENCHMARKS

    benchmark = BENCHMARKS[BENCHMARK]
    corpus = open_corpus(benchmark.corpus)
    samples = catalogue(corpus, sorted({scan.subject for scan in corpus.scans})[:subjects])
    samples = samples.select(benchmark.select(samples))
    scans = {scan.name: scan for scan in corpus.scans}
    images = np.stack([project(corpus.read(scans[name]), size=SIDE) for name in samples.names])
    return Views(images, samples.names, samples.subjects, samples.emotions)
