"""Files beside a mesh: found whatever the case of their names, replaced whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PICTURES = (".bmp", ".jpg", ".jpeg", ".png")


def beside(path: Path, names: Iterable[str]) -> Path | None:
    """The first of `names` that is a file in the folder of `path`, compared without case; None if none is.

    Only names that the folder lists are ever returned, so a reference written in a file cannot lead out of the folder.
    """
    listed = sorted(os.listdir(path.parent))
    for name in names:
        alike = [entry for entry in listed if entry.casefold() == name.casefold() and (path.parent / entry).is_file()]
        if alike:
            return path.parent / (name if name in alike else alike[0])
    return None


def picture_beside(path: Path, reference: str | None, fallbacks: Iterable[str]) -> Path | None:
    """The picture that a file names by `reference` (its last part), else the first of `fallbacks` that exists."""
    names = [reference.replace("\\", "/").rsplit("/", 1)[-1]] if reference else []
    return beside(path, [name for name in [*names, *fallbacks] if name.lower().endswith(PICTURES)])


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder; it takes the place of `path` if the block ends well."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
