"""Folders of one array that grows part by part and is kept when it is whole: whoever comes after a kill goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

INDEX = "index.json"


def grow(
    folder: Path,
    file: str,
    names: Sequence[str],
    make: Callable[[list[int]], Iterable[tuple[np.ndarray, dict[str, str]]]],
    *,
    row: tuple[int, ...],
    dtype: type,
    chunk: int,
) -> None:
    """Writes an array with a row for each name, and `index.json`; the folder is there when both are whole.

    Until then they grow in a hidden folder beside it, with a journal of the chunks that are done: whoever comes after
    an interruption, a kill included, goes on from there.

    Args:
        folder: where they lie in the end.
        file: name of the array, `.npy`.
        names: of the N rows, in their order.
        make: the first rows of chunks -> for each chunk, in this order, its rows and what is bad there: name -> reason.
        row: shape of a row.
        dtype: of the array.
        chunk: rows that are made together.

    Raises:
        OSError: no room on the disk for all rows, said before the first one is made.
    """
    from filelock import FileLock

    growing = folder.with_name(f".{folder.name}.{chunk}")
    journal = growing / "done.jsonl"
    growing.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):  # a second process waits, and finds the first one's
        if (folder / INDEX).is_file():
            return
        growing.mkdir(exist_ok=True)
        done = _done(journal)
        mode = "r+" if journal.is_file() else "w+"  # the journal is younger than the whole file of the array
        array = np.lib.format.open_memmap(growing / file, mode=mode, dtype=dtype, shape=(len(names), *row))
        with (growing / file).open("r+b") as opened:  # where a mapped page finds the disk full, the process dies
            os.posix_fallocate(opened.fileno(), 0, os.fstat(opened.fileno()).st_size)
        starts = [start for start in range(0, len(names), chunk) if start not in done]
        with journal.open("a", encoding="utf-8") as told:
            told.write("\n")  # ends a line that was cut short
            for start, (rows, reasons) in zip(starts, make(starts), strict=True):
                array[start : start + len(rows)] = rows
                array.flush()
                told.write(json.dumps([start, reasons]) + "\n")
                told.flush()
                done[start] = reasons
        bad = {name: reason for start in sorted(done) for name, reason in done[start].items()}
        index = {"names": list(names), "bad": bad}
        (growing / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
        journal.unlink()
        os.replace(growing, folder)


def whole(folder: Path) -> bool:
    """Whether the array of a folder is there."""
    return (folder / INDEX).is_file()


def index_of(folder: Path) -> tuple[list[str], dict[str, str]]:
    """The names of a whole array's rows, and what was bad: name -> reason."""
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return index["names"], index["bad"]


def _done(journal: Path) -> dict[int, dict[str, str]]:
    """What was bad in each chunk that a journal has, by the chunk's first row."""
    done = {}
    for line in journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else ():
        try:
            start, reasons = json.loads(line)
        except ValueError:  # empty, or cut short by a kill: that chunk is done again
            continue
        done[start] = reasons
    return done
