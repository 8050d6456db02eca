"""From a corpus to samples: view images with emotion, level and subject, and subject-independent folds.

A sample of a static corpus is a scan, one of a moving corpus a sequence: each view is then one dynamic image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm import settings
from mvlm.cache import growing, workers
from mvlm.cache.keys import key, source_key
from mvlm.settings import CHANNELS, YAWS, Settings

if TYPE_CHECKING:
    from mvlm.faces.corpora.corpus import Corpus
    from mvlm.faces.corpora.items import Scan
    from mvlm.faces.corpora.items import Sequence as Recording
    from mvlm.twins.twin import Twin

IMAGES = "images.npy"
CHUNK = 16  # meshes a worker takes at once, in whole sequences
FRAMES = {"smoke": 4, "quick": 16, "full": None}  # of each sequence, by profile; None: all


def open_corpus(name: str, root: Path | str | None = None) -> Corpus | Twin:
    """The corpus of this name in a folder, or without one its synthetic twin.

    Args:
        name: one of `mvlm.faces.corpora.corpus.CORPORA`.
        root: the folder that holds the corpus' folder, or that folder itself.

    Raises:
        ValueError: an unknown name, a folder of another kind or a contradiction in it (two files of one frame).
        FileNotFoundError: the corpus is not there.
    """
    from mvlm.faces.corpora.corpus import expect_known, in_folder

    expect_known(name)
    if root is None:
        from mvlm.twins.twin import Twin

        return Twin(name)
    return in_folder(name, Path(root))


class Rendering(NamedTuple):
    """How samples are shown: channel, angles of the views, and how many frames of a sequence are pooled (None: all)."""

    channel: str = CHANNELS[0]
    yaws: tuple[float, ...] = YAWS
    frames: int | None = FRAMES["quick"]

    @classmethod
    def of(cls, chosen: Settings) -> Rendering:
        """As the settings say."""
        return cls(chosen.channel, chosen.yaws, FRAMES[chosen.profile])


@dataclass(frozen=True)
class Samples:
    """Labelled scans or sequences and their views.

    Attributes:
        images: (N, V, H, H, 3) uint8, memory-mapped; of films in windows (N, W, V, H, H, C), black where one is
            missing, C being 1 where the channel is grey; None in a catalogue, which was made without reading a mesh.
        names, subjects, emotions: (N,) str.
        levels: (N,) int, 0 where the corpus has no levels.
        takes: (N,) int, repetitions of one expression by one subject, from 0.
        bad: what could not be read or shown, each with the reason: scans and sequences, which are not among the N, and
            frames ("F001_Angry, frame 7") that their sequence goes without.
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
    """Samples of a corpus from its index alone, without images: what shows an emotion, neutral left out.

    Args:
        corpus: any corpus or twin.
        subjects: only these.
    """
    return _samples(None, _labelled(corpus, subjects))


def load_samples(
    corpus: Corpus,
    *,
    size: int,
    jobs: int,
    skip_bad: bool = False,
    subjects: Sequence[str] | None = None,
    rendering: Rendering = Rendering(),  # noqa: B008 - immutable
    cut: str = "",
) -> Samples:
    """Views of everything that shows an emotion, rendered once and kept under `runs/cache/views`.

    A mesh is read and shown in one pass, because a file can also fail by having no face to align. All that fail are
    listed together, and nothing comes after them unless `skip_bad`; the good ones stay in the cache either way, so
    that the second call takes no time. A rendering that is interrupted is taken up where it was.

    Args:
        corpus: any corpus or twin.
        size: side of a view in pixels.
        jobs: worker processes, one thread each.
        skip_bad: go on without what fails; `Samples.bad` lists it. A sequence goes on without its bad frames as long
            as two of those that are wanted remain.
        subjects: only these.
        rendering: channel, angles, frames of a sequence.
        cut: of sequences alone, the windows that each has a picture of, see `mvlm.faces.windows.CUTS`; by default one
            dynamic image shows the whole.

    Raises:
        ValueError: what fails, each with its reason; or no sample at all.
        OSError: no room on the disk for the views of all, said before the first one is made.
    """
    folder = cache_folder(corpus, size=size, subjects=subjects, rendering=rendering, cut=cut)
    if not growing.whole(folder):
        _render(corpus, _labelled(corpus, subjects), size, rendering, cut, jobs, folder)
    names, bad = growing.index_of(folder)
    good = np.array([name not in bad for name in names], dtype=bool)
    if bad and not skip_bad:
        listed = "\n".join(f"  {name}: {reason}" for name, reason in bad.items())
        lost, frames = int((~good).sum()), len(bad) - int((~good).sum())
        what = f"{lost} of {len(good)} {_kind(corpus)}s" + (f" and {frames} frames of others" if frames else "")
        raise ValueError(f"{corpus.name}: {what} are bad (SKIP_BAD=1 goes on without):\n{listed}")
    if not good.any():
        raise ValueError(f"{corpus.name}: no readable {_kind(corpus)} that shows an emotion")
    known = {item.name: item for item in _labelled(corpus, subjects)}
    images = np.load(folder / IMAGES, mmap_mode="r")
    samples = _samples(images, [known[name] for name in names])
    return replace(samples if good.all() else samples.select(good), bad=bad)


def cache_folder(
    corpus: Corpus,
    *,
    size: int,
    subjects: Sequence[str] | None = None,
    rendering: Rendering = Rendering(),  # noqa: B008 - immutable
    cut: str = "",
) -> Path:
    """Where the views of a corpus lie: an address made of its content, how it is shown, and the code that renders."""
    parts = {
        "corpus": corpus.fingerprint,
        "size": size,
        "channel": rendering.channel,
        "yaws": rendering.yaws,
        "subjects": None if subjects is None else sorted(subjects),
        "source": view_source(corpus, cut),
    }
    if corpus.sequences:
        parts["frames"] = rendering.frames
    if cut:
        parts["cut"] = cut
    return settings.RUNS / "cache" / "views" / key(parts)


def view_source(corpus: Corpus, cut: str = "") -> str:
    """The code that draws the views of a corpus, as a hash: what reads or makes its faces, and what shows them."""
    of = f"{type(corpus).__module__}:{type(corpus).__name__}"
    if cut:
        return source_key("mvlm.samples:_windows", of, choices={"mvlm.faces.windows:CUTS": {cut}})
    still = () if corpus.sequences else ("mvlm.faces.dynamics",)
    return source_key("mvlm.samples:_views", of, without=still)


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


def _kind(corpus: Corpus) -> str:
    return "sequence" if corpus.sequences else "scan"


def _labelled(corpus: Corpus, subjects: Sequence[str] | None) -> list[Scan] | list[Recording]:
    wanted = None if subjects is None else set(subjects)
    shown = [item for item in corpus.items if item.emotion not in (None, "neutral")]
    return [item for item in shown if wanted is None or item.subject in wanted]


def _samples(images: np.ndarray | None, items: Sequence[Scan | Recording]) -> Samples:
    return Samples(
        images=images,
        names=np.array([item.name for item in items], dtype=str),
        subjects=np.array([item.subject for item in items], dtype=str),
        emotions=np.array([item.emotion for item in items], dtype=str),
        levels=np.array([item.level or 0 for item in items], dtype=np.int64),
        takes=np.array([item.take for item in items], dtype=np.int64),
    )


def _render(
    corpus: Corpus,
    items: Sequence[Scan | Recording],
    size: int,
    rendering: Rendering,
    cut: str,
    jobs: int,
    folder: Path,
) -> None:
    """Writes images.npy, a row for each item, and index.json; see `mvlm.cache.growing`."""
    row = (len(rendering.yaws), size, size, 3)
    longest = max((len(item.frames) for item in items), default=1) if corpus.sequences else 1
    meshes = longest if rendering.frames is None else min(longest, rendering.frames)
    if cut:
        from mvlm.faces.views import GREY

        counts = [_windows_of(item, cut, rendering) for item in items]
        meshes = max((windows * frames for windows, frames in counts), default=1)
        most = max((windows for windows, _ in counts), default=1)
        row = (most, *row[:-1], 1 if rendering.channel in GREY else 3)
    chunk = max(1, CHUNK // meshes)
    what = f"{len(items):,} {_kind(corpus)}s" + (f" of up to {meshes} frames" if corpus.sequences else "")
    title, cost = f"views of {corpus.name}", f"{what}, {len(items) * np.prod(row) / 1e9:.1f} GB"

    def make(starts: list[int]) -> Iterator[tuple[np.ndarray, dict[str, str]]]:
        parts = [(_reader(corpus), items[start : start + chunk], size, rendering) for start in starts]
        if not cut:
            return workers.each(_views, parts, jobs=jobs, title=title, cost=cost)
        tasks = [(*part, cut, row) for part in parts]
        return workers.each(_windows, tasks, jobs=jobs, title=f"{title}, {cut}", cost=cost)

    names = [item.name for item in items]
    growing.grow(folder, IMAGES, names, make, row=row, dtype=np.uint8, chunk=chunk)


def _reader(corpus: Corpus) -> Corpus:
    """A corpus that reads, without its index: a worker gets one with every task, and an index has 60,000 files."""
    if corpus.kind == "twin":
        return corpus
    return replace(corpus, scans=(), files=(), unknown=(), sequences=(), dropped={})


def _views(task: tuple[Corpus, Sequence[Scan | Recording], int, Rendering]) -> tuple[np.ndarray, dict[str, str]]:
    """Views (n, V, size, size, 3) of some items, black for those that fail, and the reasons by name."""
    from mvlm.faces import dynamics, views
    from mvlm.faces.corpora.items import Scan

    corpus, items, size, how = task
    pictures = np.zeros((len(items), len(how.yaws), size, size, 3), np.uint8)
    bad = {}
    for row, item in enumerate(items):
        try:
            if isinstance(item, Scan):
                mesh = corpus.read(item)
                pictures[row] = views.project(mesh, yaws=how.yaws, size=size, channel=how.channel)
            else:
                pictures[row], frames = dynamics.project_sequence(
                    corpus, item, yaws=how.yaws, size=size, channel=how.channel, count=how.frames
                )
                bad |= frames
        except (OSError, ValueError) as error:
            path = item.path if isinstance(item, Scan) else None
            bad[item.name] = str(error) if path is None or path.name in str(error) else f"{path}: {error}"
    return pictures, bad


def _windows_of(item: Recording, cut: str, rendering: Rendering) -> tuple[int, int]:
    """How many windows a sequence has, and how many frames each of them; one of one where it is too short for any."""
    from mvlm.faces.windows import CUTS

    try:
        return CUTS[cut](len(item.frames), item.fps, rendering.frames).shape
    except ValueError:  # who draws it says so
        return 1, 1


def _windows(
    task: tuple[Corpus, Sequence[Recording], int, Rendering, str, tuple[int, ...]],
) -> tuple[np.ndarray, dict[str, str]]:
    """Pictures (n, W, V, size, size, C) of the windows of some sequences, black where one is missing, and the reasons
    for what is, by name.
    """
    from mvlm.faces import windows

    corpus, items, size, how, cut, row = task
    pictures, bad = np.zeros((len(items), *row), np.uint8), {}
    for shown, item in zip(pictures, items, strict=True):
        try:
            places = windows.CUTS[cut](len(item.frames), item.fps, how.frames)
            drawn, frames = windows.project_windows(corpus, item, places, yaws=how.yaws, size=size, channel=how.channel)
        except (OSError, ValueError) as error:
            bad[item.name] = str(error)
            continue
        shown[: len(drawn)] = drawn
        bad |= frames
    return pictures, bad
