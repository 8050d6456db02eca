"""From a corpus to samples: view images with emotion, level and subject, and subject-independent folds."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mvlm import settings, workers
from mvlm.faces.corpora import EMOTIONS
from mvlm.sources import key, source_key

if TYPE_CHECKING:
    from mvlm.faces.corpora import Corpus, Scan

CHUNK = 16  # scans a worker takes at once


@dataclass(frozen=True)
class Samples:
    """Labelled scans and their views.

    Attributes:
        images: (N, V, H, W, 3) uint8, memory-mapped; None in a catalogue, which was made without reading a scan.
        names, subjects, emotions: (N,) str.
        levels: (N,) int, 0 where the corpus has no levels.
        takes: (N,) int, repetitions of one expression by one subject, from 0.
        bad: names of scans that could not be read or shown, each with the reason; they are not among the N.
    """

    images: np.ndarray | None
    names: np.ndarray
    subjects: np.ndarray
    emotions: np.ndarray
    levels: np.ndarray
    takes: np.ndarray
    bad: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def select(self, mask: np.ndarray) -> Samples:
        """The samples where mask (N,) is true. This reads their images into memory."""
        return replace(
            self,
            images=None if self.images is None else self.images[mask],
            names=self.names[mask],
            subjects=self.subjects[mask],
            emotions=self.emotions[mask],
            levels=self.levels[mask],
            takes=self.takes[mask],
        )


def catalogue(corpus: Corpus, subjects: Sequence[str] | None = None) -> Samples:
    """Samples of a corpus from its index alone, without images: the scans that show an emotion, neutral left out.

    Args:
        corpus: any corpus or twin.
        subjects: only these.
    """
    return _samples(None, _labelled(corpus, subjects))


def load_samples(
    corpus: Corpus, *, size: int, jobs: int, skip_bad: bool = False, subjects: Sequence[str] | None = None
) -> Samples:
    """Views of every scan that shows an emotion, rendered once and kept under `runs/cache/views`.

    A scan is read and shown in one pass, because a file can also fail by having no face to align. All that fail are
    listed together, and nothing comes after them unless `skip_bad`; the good ones stay in the cache either way, so
    that the second call takes no time.

    Args:
        corpus: any corpus or twin.
        size: side of a view in pixels.
        jobs: worker processes, one thread each.
        skip_bad: go on without the scans that fail; `Samples.bad` lists them.
        subjects: only these.

    Raises:
        ValueError: scans that fail, each with its reason; or no scan at all.
    """
    folder = cache_folder(corpus, size=size, subjects=subjects)
    if not (folder / "index.json").is_file():
        _render(corpus, _labelled(corpus, subjects), size, jobs, folder)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    bad = index["bad"]
    if bad and not skip_bad:
        listed = "\n".join(f"  {name}: {reason}" for name, reason in bad.items())
        total = len(index["names"])
        raise ValueError(f"{corpus.name}: {len(bad)} of {total} scans are bad (SKIP_BAD=1 goes on without):\n{listed}")
    good = np.array([name not in bad for name in index["names"]], dtype=bool)
    if not good.any():
        raise ValueError(f"{corpus.name}: no readable scan that shows an emotion")
    known = {scan.name: scan for scan in _labelled(corpus, subjects)}
    images = np.load(folder / "images.npy", mmap_mode="r")
    samples = _samples(images, [known[name] for name in index["names"]])
    return replace(samples.select(good), bad=bad) if bad else samples


def cache_folder(corpus: Corpus, *, size: int, subjects: Sequence[str] | None = None) -> Path:
    """Where the views of a corpus lie: an address made of its content, the angles, and the code that renders."""
    from mvlm.faces.views import YAWS

    address = key(
        {
            "corpus": corpus.fingerprint,
            "size": size,
            "yaws": YAWS,
            "subjects": None if subjects is None else sorted(subjects),
            "source": source_key("mvlm.faces.views", type(corpus).__module__),
        }
    )
    return settings.RUNS / "cache" / "views" / address


def folds(subjects: Sequence[str], count: int = 10, seed: int = 0) -> list[tuple[list[str], list[str]]]:
    """Subject-independent folds: (training subjects, test subjects) for each, both sorted.

    Sorted unique subjects are permuted by `default_rng(seed)` and split into parts whose sizes differ by at most one;
    each part is the test set of one fold. With fewer subjects than `count` there are as many folds as subjects.

    Raises:
        ValueError: fewer than two subjects, or a count below two.
    """
    unique = np.unique(np.asarray(subjects, dtype=str))
    if len(unique) < 2 or count < 2:
        raise ValueError(f"{count} folds of {len(unique)} subjects: expected at least two of each")
    parts = np.array_split(np.random.default_rng(seed).permutation(unique), min(count, len(unique)))
    pairs = [(sorted(set(unique.tolist()) - set(part.tolist())), sorted(part.tolist())) for part in parts]
    assert all(not set(train) & set(test) for train, test in pairs)
    return pairs


def _labelled(corpus: Corpus, subjects: Sequence[str] | None) -> list[Scan]:
    wanted = None if subjects is None else set(subjects)
    return [s for s in corpus.scans if s.emotion in EMOTIONS and (wanted is None or s.subject in wanted)]


def _samples(images: np.ndarray | None, scans: Sequence[Scan]) -> Samples:
    return Samples(
        images=images,
        names=np.array([scan.name for scan in scans], dtype=str),
        subjects=np.array([scan.subject for scan in scans], dtype=str),
        emotions=np.array([scan.emotion for scan in scans], dtype=str),
        levels=np.array([scan.level or 0 for scan in scans], dtype=np.int64),
        takes=np.array([scan.take for scan in scans], dtype=np.int64),
    )


def _render(corpus: Corpus, scans: Sequence[Scan], size: int, jobs: int, folder: Path) -> None:
    """Writes images.npy, a row for each scan, and index.json; both or neither."""
    from mvlm.faces.views import YAWS

    staging = folder.with_name(
        f".{folder.name}.{uuid.uuid4().hex}"
    )  # tempfile's folders are for one user only
    staging.mkdir(parents=True)
    try:
        shape = (len(scans), len(YAWS), size, size, 3)
        images = np.lib.format.open_memmap(staging / "images.npy", mode="w+", dtype=np.uint8, shape=shape)
        chunks = [(corpus, scans[start : start + CHUNK], size) for start in range(0, len(scans), CHUNK)]
        cost = f"{len(scans):,} scans, {images.nbytes / 1e9:.1f} GB"
        bad: dict[str, str] = {}
        for number, (views, reasons) in enumerate(
            workers.each(_views, chunks, jobs=jobs, title=f"views of {corpus.name}", cost=cost)
        ):
            images[number * CHUNK : number * CHUNK + len(views)] = views
            bad |= reasons
        images.flush()
        index = {"names": [scan.name for scan in scans], "bad": bad}
        (staging / "index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")
        try:
            os.replace(staging, folder)
        except OSError:
            if not (folder / "index.json").is_file():  # else another process was first, with the same content
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _views(task: tuple[Corpus, Sequence[Scan], int]) -> tuple[np.ndarray, dict[str, str]]:
    """Views (n, V, size, size, 3) of some scans, black for those that fail, and the reasons of these by name."""
    from mvlm.faces.views import YAWS, project

    corpus, scans, size = task
    views = np.zeros((len(scans), len(YAWS), size, size, 3), np.uint8)
    bad = {}
    for row, scan in enumerate(scans):
        try:
            views[row] = project(corpus.read(scan), yaws=YAWS, size=size)
        except (OSError, ValueError) as error:
            bad[scan.name] = (
                str(error) if scan.path is None or scan.path.name in str(error) else f"{scan.path}: {error}"
            )
    return views, bad
