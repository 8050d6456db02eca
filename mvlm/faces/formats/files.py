"""Files beside a mesh: found whatever the case of their names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

PICTURES = (".bmp", ".jpg", ".jpeg", ".png")
LARGEST = 2**30  # bytes of a file of text; a scan of 35,000 vertices has about 5 million


def read_whole(path: Path, largest: int = LARGEST) -> bytes:
    """The bytes of a file. Raises ValueError, before it is read, if it has more than the largest of its kind."""
    size = path.stat().st_size
    if size > largest:
        raise ValueError(f"{path}: expected at most {largest} bytes, the file has {size}")
    return path.read_bytes()


def beside(path: Path, names: Iterable[str]) -> Path | None:
    """The first of `names` that is a file in the folder of `path`, compared without case; None if none is.

    Only names that the folder lists are ever returned, and links only if they end in that folder (or, when `path` is a
    link itself, in the folder where it ends), so a reference written in a file cannot lead out of the folder.
    """
    listed = sorted(os.listdir(path.parent))
    for name in names:
        alike = [entry for entry in listed if entry.casefold() == name.casefold() and _is_inside(path, entry)]
        if alike:
            return path.parent / (name if name in alike else alike[0])
    return None


def _is_inside(path: Path, entry: str) -> bool:
    found = path.parent / entry
    if found.is_symlink():
        target = found.resolve()
        if not any(target.is_relative_to(folder) for folder in (path.parent.resolve(), path.resolve().parent)):
            return False
    return found.is_file()


def last_part(reference: str) -> str:
    """The name of a file from a reference as any system writes it; what comes before is of another machine."""
    return reference.replace("\\", "/").rsplit("/", 1)[-1]


def picture_beside(path: Path, reference: str | None, fallbacks: Iterable[str]) -> Path | None:
    """The picture that a file names by `reference` (its last part), else the first of `fallbacks` that exists."""
    names = [last_part(reference)] if reference else []
    return beside(path, [name for name in [*names, *fallbacks] if name.lower().endswith(PICTURES)])
