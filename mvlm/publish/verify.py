"""Are the results what the code makes? `python -m mvlm.publish.verify tables 14-transfer`, targets or names.

The notebooks run again, through the same runner, into `runs/verify`, and what they write is compared with the results
as they lie there, value by value. Nothing in the results is touched. Runs and views that are cached by their content
are read, not computed again: after `make clean` everything is made anew.

What counts as equal:

- Texts, whole numbers (counts, classes, identifiers) and empty cells: exactly equal.
- Other numbers: within `RELATIVE` of the larger, or `ABSOLUTE`. One machine gives the same bits again at one thread,
  and so do machines with and without AVX-512, since `make` asks libraries for AVX2; without it, and on other kinds of
  processor, sums move in about the seventh digit. A prediction that flips for that moves an accuracy by 1/n, which is
  far outside: such a difference is meant to be seen.
- Pages (.md, .tex) render a CSV, so a number may fall on the other side of its rounding: one unit of its last decimal.
- Pictures (.png, .pdf) are compared by the CSV of the numbers they draw; they only have to be there.
- Sidecars (.json): field by field, numbers as above. A content key that differs means that the results were made by
  other code than this, even where every number agrees.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from mvlm.machine import command
from mvlm.publish.declared import NOTEBOOKS, named, promises, read
from mvlm.publish.notebooks import NoDataError, NotebookError, run_notebook
from mvlm.settings import RUNS, Settings

RELATIVE, ABSOLUTE = 1e-6, 1e-9
SHOWN = 10  # differences of one file that are printed
NOTHING = "nothing"
WHOLE = "the file itself"
OTHERS = (".stage", "gpu", "even-half", "protocol")  # folders of results: what is being made, and of no notebook
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


class Difference(NamedTuple):
    """One value that is not the same on both sides."""

    file: str  # below the folder of results
    place: str  # "row 3 (full, Bosphorus), column mean"
    committed: str
    regenerated: str


def compare(committed: Path, regenerated: Path, names: Sequence[str]) -> Iterator[Difference]:
    """All differences between two folders of results, file by file.

    Args:
        committed: results as they lie there.
        regenerated: results made anew.
        names: files that must be on both sides, relative to both.
    """
    for name in names:
        here, there = committed / name, regenerated / name
        kind = {".csv": _compare_csv, ".json": _compare_json, ".md": _compare_text, ".tex": _compare_text}
        if not here.is_file() or not there.is_file():
            yield Difference(name, WHOLE, *("a file" if path.is_file() else NOTHING for path in (here, there)))
        elif here.suffix in kind:
            try:
                yield from kind[here.suffix](name, here, there)
            except ValueError as error:  # cut off, or edited to be no CSV, JSON or UTF-8 any more
                yield Difference(name, WHOLE, f"unreadable: {error}", "a file")


def _compare_csv(name: str, here: Path, there: Path) -> Iterator[Difference]:
    (head, *rows), (other_head, *other_rows) = _rows(here), _rows(there)
    if head != other_head:
        yield Difference(name, "columns", ", ".join(head), ", ".join(other_head))
        return
    whole = [all(_whole(row[column]) for row in rows + other_rows) for column in range(len(head))]
    for number, (row, other) in enumerate(zip_longest(rows, other_rows), start=2):  # as an editor counts lines
        if row is None or other is None:
            sides = [NOTHING if side is None else ", ".join(side) for side in (row, other)]
            yield Difference(name, f"row {number}", *sides)
            continue
        for column, pair in enumerate(zip(row, other, strict=True)):
            same = pair[0] == pair[1] if whole[column] else _equal(*pair)
            if not same:
                yield Difference(name, f"row {number} ({_label(row)}), column {head[column]}", *pair)


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows:
        raise ValueError("expected a head and rows, found an empty file")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise ValueError(f"row {number}: expected {len(rows[0])} cells as in the head, found {len(row)}")
    return rows


def _label(row: Sequence[str]) -> str:
    """The first texts of a row, by which a reader finds it."""
    return ", ".join([cell for cell in row if cell and _float(cell) is None][:2]) or row[0]


def _whole(cell: str) -> bool:
    return not cell or re.fullmatch(r"-?\d+", cell) is not None


def _float(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _equal(one: str, two: str) -> bool:
    a, b = _float(one), _float(two)
    if one == two or a is None or b is None:
        return one == two
    return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _compare_json(name: str, here: Path, there: Path) -> Iterator[Difference]:
    one, two = (dict(_fields(json.loads(path.read_text(encoding="utf-8")))) for path in (here, there))
    for field in sorted(one | two):
        a, b = one.get(field, NOTHING), two.get(field, NOTHING)
        same = math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE) if {type(a), type(b)} == {float} else a == b
        if not same:
            yield Difference(name, f"field {field}", str(a), str(b))


def _fields(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of a JSON value, each with the way to it: ("seeds.0", 0). An empty container is a leaf."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [leaf for key, part in pairs for leaf in _fields(part, f"{path}.{key}".lstrip("."))]
    yield from inner or [(path, value)]


def _compare_text(name: str, here: Path, there: Path) -> Iterator[Difference]:
    lines = zip_longest(*(path.read_text(encoding="utf-8").splitlines() for path in (here, there)))
    for number, (one, two) in enumerate(lines, start=1):
        if one is None or two is None or not _same_line(one, two):
            yield Difference(name, f"line {number}", *(NOTHING if side is None else side for side in (one, two)))


def _same_line(one: str, two: str) -> bool:
    """Whether two rendered lines are equal but for the rounding of numbers."""
    if one == two:
        return True
    numbers = list(zip_longest(_NUMBER.findall(one), _NUMBER.findall(two), fillvalue=""))
    return _NUMBER.sub("0", one) == _NUMBER.sub("0", two) and all(_rounded(*pair) for pair in numbers)


def _rounded(one: str, two: str) -> bool:
    decimals = len(one.partition(".")[2])
    if one == two or not decimals or decimals != len(two.partition(".")[2]):
        return one == two
    return abs(float(one) - float(two)) < 1.5 * 10**-decimals


def unmade(results: Path, files: Sequence[str], folder: Path) -> tuple[list[str], list[str]]:
    """Notebooks that results were not regenerated of, and results that no notebook promises any more."""
    makers = {output: path.stem for path in folder.glob("*.ipynb") for output in promises(read(path))}
    paths = (path.relative_to(results) for path in sorted(results.rglob("*")) if path.is_file())
    there = [path.as_posix() for path in paths if path.parts[0] not in OTHERS and path.as_posix() not in files]
    return sorted({makers[name] for name in there if name in makers}), [name for name in there if name not in makers]


def verify(
    names: Sequence[str], committed: Path, scratch: Path, *, folder: Path = NOTEBOOKS
) -> tuple[list[str], list[Difference]]:
    """Run notebooks into `scratch`, which is emptied first; return the files compared and all differences.

    A notebook that fails, and a result that no notebook promises, is a difference of its own.

    Args:
        names: of the notebooks.
        committed: folder of the results to be verified.
        scratch: folder for what is made anew.
        folder: where notebooks lie.
    """
    shutil.rmtree(scratch, ignore_errors=True)  # or the runner would find its own last outputs up to date
    files: list[str] = []
    found: list[Difference] = []
    for name in names:
        try:
            run_notebook(name, folder=folder, results=scratch / "results", runs=scratch)
        except NoDataError as error:
            print(f"{error}; not verified", file=sys.stderr)
            continue
        except (NotebookError, ValueError, FileNotFoundError) as error:
            found.append(Difference(name, "the notebook itself", "results", f"fails: {error}"))
            continue
        promised = promises(read(folder / f"{name}.ipynb"))
        files += promised
        found += compare(committed, scratch / "results", promised)
    others, orphans = unmade(committed, files, folder)
    if others:
        print(f"not verified: the results of {', '.join(others)}", file=sys.stderr)
    found += [Difference(name, WHOLE, "a file", "promised by no notebook") for name in orphans]
    return files, found


def report(files: Sequence[str], found: Sequence[Difference]) -> str:
    """The differences as a page: by file, the first of each, and what was compared."""
    lines = []
    for file in dict.fromkeys(difference.file for difference in found):
        own = [difference for difference in found if difference.file == file]
        lines += [f"{file}: {d.place}: committed {d.committed}, regenerated {d.regenerated}" for d in own[:SHOWN]]
        if len(own) > SHOWN:
            lines.append(f"{file}: and {len(own) - SHOWN} more")
    counted = f"{len(set(files))} files compared, {len({d.file for d in found})} differ"
    return "\n".join([*lines, f"verify: {counted}"])


def main(arguments: Sequence[str]) -> int:
    """Verify notebooks, by name or target of make, under the settings of the environment; 1 where anything differs."""
    if not arguments:
        print("usage: python -m mvlm.publish.verify NAME|TARGET [NAME|TARGET ...]", file=sys.stderr)
        return 2
    try:
        settings, names = Settings.from_environment(), named(arguments)
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    scratch = RUNS / "verify"
    try:
        files, found = verify(names, settings.results_folder(settings.data_kind()), scratch)
    except KeyboardInterrupt:
        print("\nverify: interrupted; the results stay as they were", file=sys.stderr)
        return 130
    print(report(files, found))
    if found:
        with (scratch / "differences.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([Difference._fields, *found])
        print("verify: all differences are in runs/verify/differences.csv")
    return int(bool(found))


if __name__ == "__main__":
    command(main, sys.argv[1:])
