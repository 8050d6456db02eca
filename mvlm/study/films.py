"""Films for the encoder: what of a sequence is encoded where it is not the one dynamic image of the paper.

A film is cut into windows (`mvlm.faces.windows`), every window encoded, and what is encoded pooled to one row for each
view, which has the place of the one image's. The windows' own rows are kept too, so that another pooling is cheap.

Shapes: A copies, N samples, W windows, V views, D embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import mvlm.settings
from mvlm.cache import growing, workers
from mvlm.cache.files import write
from mvlm.cache.keys import key, source_key
from mvlm.labels.clusters import unit_rows
from mvlm.labels.naming import Prompts
from mvlm.prompts import OWN
from mvlm.samples import IMAGES, Rendering, Samples, cache_folder, load_samples, view_source
from mvlm.settings import Settings
from mvlm.study.embeddings import COPIES, Embedded, augmented, cached_model, model_key, shown_as, sized_prompts

if TYPE_CHECKING:
    from mvlm.faces.corpora.corpus import Corpus

IMAGE = "image"  # one dynamic image of each view, as in the paper
ROWS = "rows.npy"
CHUNK = 64  # windows a worker takes at once, in whole samples


class Film(NamedTuple):
    """What of a film is encoded, and how the rows of its windows become one.

    Attributes:
        cuts: of `mvlm.faces.windows.CUTS`; of several, each is pooled by itself, and all weigh the same.
        pool: "mean" or "maximum" over the windows.
    """

    cuts: tuple[str, ...]
    pool: str = "mean"


FILMS: dict[str, Film] = {
    "windows": Film(("windows",)),
    "windows-max": Film(("windows",), "maximum"),
    "frames": Film(("frames",)),
    "windows+frames": Film(("windows", "frames")),
}


def pooled(rows: np.ndarray, pool: str) -> np.ndarray:
    """Rows of windows (..., W, V, D) -> unit rows (..., V, D): their mean or, number by number, their maximum.

    A window that is missing has rows of NaN, and no part.

    Raises:
        ValueError: another pooling; a sample without any window.
    """
    if pool not in ("mean", "maximum"):
        raise ValueError(f"pool {pool!r}: expected mean or maximum")
    rows = np.asarray(rows, np.float64)
    there = ~np.isnan(rows).any(axis=(-2, -1), keepdims=True)
    if not there.any(axis=-3).all():
        raise ValueError(f"rows of windows {rows.shape}: a sample has no window")
    if pool == "maximum":
        return unit_rows("maximum of the windows", np.where(there, rows, -np.inf).max(axis=-3))
    return unit_rows("mean of the windows", np.where(there, rows, 0).sum(axis=-3) / there.sum(axis=-3))


def together(parts: Sequence[np.ndarray], pool: str) -> np.ndarray:
    """Unit rows (..., V, D) float32 of films by the rows (..., W, V, D) of their windows, an array for each cut."""
    return unit_rows("mean of the cuts", np.mean([pooled(part, pool) for part in parts], axis=0)).astype(np.float32)


def sources(corpus: Corpus, film: str) -> dict[str, object]:
    """What embeddings of a film depend on, in place of what those of its one image do: for the address of a record."""
    return {"views": [view_source(corpus, cut) for cut in FILMS[film].cuts], "images": [_encoder(), _pooling()]}


def filmed(
    corpus: Corpus,
    film: str,
    emotions: Sequence[str],
    chosen: Settings,
    subjects: Sequence[str] | None = None,
    bank: str = OWN,
) -> tuple[Embedded, Prompts]:
    """Pooled embeddings of all sequences that show an emotion, and of the prompts, from the cache or made now.

    Args:
        corpus: of sequences.
        film: of `FILMS`.
        emotions, chosen, subjects, bank: as of `mvlm.study.embeddings.frozen`.

    Raises:
        ValueError, FileNotFoundError: bad sequences, or a model that cannot be loaded.
    """
    cuts, pool = FILMS[film]
    parts = [windows(corpus, cut, emotions, chosen, subjects, bank) for cut in cuts]
    bad = set().union(*(samples.bad for _, samples in parts))
    names, _ = growing.index_of(parts[0][0])
    good = np.array([name not in bad for name in names])
    told = {"windows": [folder.name for folder, _ in parts], "skipped": sorted(bad.intersection(names))}
    path = _kept(key(told | {"pool": pool, "source": _pooling()}) + ".npy")
    if not path.is_file():
        of_windows = [np.moveaxis(np.load(folder / ROWS, mmap_mode="r")[good], 1, 0) for folder, _ in parts]
        write(path, lambda file: np.save(file, together(of_windows, pool)))
    samples = replace(parts[0][1], images=None)
    samples = samples.select(np.isin(samples.names, np.array(names)[good]))
    every = Embedded(path, np.arange(len(samples)), samples.names, samples.subjects, samples.emotions)
    return every, sized_prompts(emotions, chosen, bank)[1]


def bad_of(
    corpus: Corpus, film: str, emotions: Sequence[str], chosen: Settings, subjects: Sequence[str] | None = None
) -> dict[str, str]:
    """Sequences and frames that windows go without, each with the reason; arguments as of `filmed`."""
    how = {"jobs": chosen.jobs, "skip_bad": True} | shown_as(emotions, chosen, subjects)
    return {name: why for cut in FILMS[film].cuts for name, why in load_samples(corpus, cut=cut, **how).bad.items()}


def windows(
    corpus: Corpus,
    cut: str,
    emotions: Sequence[str],
    chosen: Settings,
    subjects: Sequence[str] | None = None,
    bank: str = OWN,
) -> tuple[Path, Samples]:
    """A folder with the embeddings of all windows of a cut, made now if they are not there, and the good samples.

    Its `ROWS` are (all N, A, W, V, D) float32, NaN where a window is missing, in the order of the names of its index.
    Arguments and errors are as of `filmed`.
    """
    how = shown_as(emotions, chosen, subjects, bank) | {"cut": cut}
    samples = load_samples(corpus, jobs=chosen.jobs, skip_bad=chosen.skip_bad, **how)
    pictures = cache_folder(corpus, **how)
    folder = _kept(key({"views": pictures.name, "model": model_key(chosen), "source": _encoder()}))
    if not growing.whole(folder):
        width = sized_prompts(emotions, chosen, bank)[1].text.shape[1]
        _encode(pictures, chosen, folder, width, f"embeddings of {corpus.name}, {cut}")
    return folder, samples


def _kept(name: str) -> Path:
    return mvlm.settings.RUNS / "cache" / "embeddings" / name


def _encoder() -> str:
    """The code that encodes windows, as a hash; its weights are named by `model_key`."""
    return source_key("mvlm.study.films:_encoded", without=("mvlm.prompts:prompts_for", "mvlm.model:WEIGHTS"))


def _pooling() -> str:
    """The code that pools them."""
    return source_key("mvlm.study.films:together")


def _encode(pictures: Path, chosen: Settings, folder: Path, width: int, title: str) -> None:
    names, _ = growing.index_of(pictures)
    count, views = np.load(pictures / IMAGES, mmap_mode="r").shape[1:3]
    offsets = np.random.default_rng(0).random((len(COPIES), len(names), 2))
    chunk, row = max(1, CHUNK // count), (len(COPIES), count, views, width)

    def make(starts: list[int]) -> Iterator[tuple[np.ndarray, dict[str, str]]]:
        how = Rendering.of(chosen), chosen.model, chosen.pretrained
        tasks = [(pictures / IMAGES, start, offsets[:, start : start + chunk], row, *how) for start in starts]
        cost = f"{len(names):,} sequences of {count} windows, {4 * len(names) * np.prod(row) / 1e9:.1f} GB"
        return ((rows, {}) for rows in workers.each(_encoded, tasks, jobs=chosen.jobs, title=title, cost=cost))

    growing.grow(folder, ROWS, names, make, row=row, dtype=np.float32, chunk=chunk)


def _encoded(task: tuple[Path, int, np.ndarray, tuple[int, ...], Rendering, str, str | None]) -> np.ndarray:
    """(n, A, W, V, D) of n samples from one on, whose corners of crops are (A, n, 2): all its windows' are alike."""
    path, start, offsets, row, rendering, name, pretrained = task
    images = np.load(path, mmap_mode="r")[start : start + offsets.shape[1]]  # (n, W, V, H, H, C)
    there = images.any(axis=(2, 3, 4, 5))  # (n, W)
    rows = np.full((len(images), *row), np.nan, np.float32)
    if there.any():
        seen, corners = images[there], offsets[:, np.nonzero(there)[0]]
        seen = np.broadcast_to(seen, (*seen.shape[:-1], 3))
        model = cached_model(name, pretrained)
        for copy in range(len(COPIES)):
            shown = np.array(augmented(seen, copy, corners[copy], rendering))
            rows[:, copy][there] = model.encode_views(shown).numpy()
    return rows
