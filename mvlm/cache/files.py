"""Files that are whole or absent, whatever ends the process that writes them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path in the same folder; it takes the place of `path` if the block ends well."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")  # not tempfile's: those are one user's only
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: Path, save: Callable[[BinaryIO], object]) -> None:
    """Writes a file whole or not at all, in a folder that is made if it is not there: `save(file)` fills it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        with part.open("xb") as file:
            save(file)


def write_text(path: Path, text: str) -> None:
    """Writes a text in UTF-8, as `write` does."""
    write(path, lambda file: file.write(text.encode()))
