"""How much `runs/` holds, and how what was long not used is given up: what is kept can be made anew."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CACHE = "cache"  # views, embeddings and the like: all that `prune` touches
DAY = 86_400.0


class Kept(NamedTuple):
    """A folder of `runs/`."""

    name: str
    files: int
    bytes: int


def sizes(runs: Path) -> list[Kept]:
    """Each folder of `runs/`, those of its cache one by one; none where nothing is kept. Links are not followed."""
    folders = [path for path in sorted(runs.glob("*")) if path.is_dir() and path.name != CACHE]
    folders += [path for path in sorted((runs / CACHE).glob("*")) if path.is_dir()]
    return [Kept(path.relative_to(runs).as_posix(), *_size(path)) for path in folders]


def prune(runs: Path, days: float) -> Kept:
    """Gives up what of the cache was neither made nor read for so many days, leftovers of interrupted work included.

    Each value goes whole: its folder is moved out of the way before it is emptied, so that nobody finds half of one.
    Where a file system keeps no times of reading, that of making counts.

    Returns:
        what there was of it, under the name of the cache.

    Raises ValueError for less than a day, in which work may be going on.
    """
    if not days >= 1:
        raise ValueError(f"{days:g} days: expected 1 or more, since what is younger may be in use")
    before, count, freed = time.time() - days * DAY, 0, 0
    for path in [path for kind in (runs / CACHE).glob("*") if kind.is_dir() for path in kind.iterdir()]:
        if max(max(of.st_mtime, of.st_atime) for of in _stats(path)) >= before:
            continue
        files, size = _size(path)
        count, freed = count + files, freed + size
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.gone")
        os.replace(path, aside)
        shutil.rmtree(aside) if aside.is_dir() else aside.unlink()
    return Kept(CACHE, count, freed)


def _size(path: Path) -> tuple[int, int]:
    stats = list(_stats(path))
    return len(stats), sum(of.st_size for of in stats)


def _stats(path: Path) -> Iterator[os.stat_result]:
    """Of a file, or of all files below a folder; of the folder itself where it is empty."""
    files = [Path(root, name) for root, _, names in os.walk(path) for name in names] if path.is_dir() else [path]
    yield from (file.lstat() for file in files or [path])
