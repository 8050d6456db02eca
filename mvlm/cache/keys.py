"""What code does, as one hash: a kept value is fresh as long as what made it does the same, whatever files' times say.

A cached view, a run or a notebook depends on the *definitions* (functions, classes, constants) that its own function
reaches by name, and on those that they reach. A module is no unit of this: a reader beside the function in use, or one
more entry of a table that is asked for another, moves nothing. Neither do comments, docstrings and layout, nor the
place of a file: names of modules are no part of a hash. The data files that a reached definition names are.

What is found by name in the text is a bound from above, with three exceptions that a caller states: objects that are
handed over (the class of a corpus is an entry of its own), tables from which data choose (`choices`), and what a value
holds already as a value (`without`). A test runs the methods and holds that nothing is executed beyond what was found.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from mvlm.cache.definitions import (
    ALL,
    LOADED,
    Definition,
    Package,
    Place,
    chosen,
    definition,
    named,
    package_at,
    read_module,
    strings,
)
from mvlm.settings import ROOT

# Places, what is set, who computes and who shows it: the key of a value holds the settings it depends on as values.
NO_CONTENT = (
    "mvlm.settings:Settings",
    "mvlm.settings:Training",
    "mvlm.cache.keys",
    "mvlm.cache.workers",
    "mvlm.training.progress",
)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(parts: Mapping[str, object]) -> str:
    """Hash named parts (whatever JSON can hold) to 16 hexadecimal digits: the address of a cached result."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def source_key(
    *entries: str, without: Collection[str] = (), choices: Mapping[str, Collection[str]] | None = None
) -> str:
    """Hash what functions reach, to 16 hexadecimal digits.

    Args:
        entries: where to start: "mvlm.faces.views:project", or "mvlm.faces.views" for all of a module. What
            lies outside the package is passed over.
        without: places of that form which, though reached, the value does not hang on. So are those of `NO_CONTENT`.
        choices: the place of a table of functions ({"name": function, ...}) -> its entries that are in use.

    Raises:
        ValueError: a place that is not there.
    """
    tables = tuple(sorted((place, tuple(sorted(names))) for place, names in (choices or {}).items()))
    return _source_key(package_at(ROOT), entries, tuple(sorted(without)), tables)


@lru_cache(maxsize=512)  # a grid asks for the same few keys at thousands of places
def _source_key(package: Package, entries: tuple, without: tuple, choices: tuple) -> str:
    found = _closure(_starts(entries, package), package, _cuts(without, package), dict(choices))
    return _hash(found, package)[:16]


def code_key(code: Iterable[str], root: Path | None = None, *, without: Collection[str] = ()) -> str:
    """Hash pieces of Python source, such as the code cells of a notebook, with what they reach in the package.

    Args:
        code: source texts, read as one module.
        root: folder that holds the package `mvlm`.
        without: as of `source_key`.

    Returns:
        A SHA-256. It stays when comments, docstrings or definitions elsewhere change.

    Raises:
        SyntaxError: a source text is not Python.
    """
    package = package_at(root or ROOT)
    cells = read_module("", "\n".join(text for text in code if ast.parse(text)).encode())
    own = definition(cells, tuple(cells.tree.body))
    found = _closure([dotted for _, dotted in own.uses], package, _cuts(without, package), {})
    return _hash(found | {Place("", ALL): own}, package)


def reached(
    *entries: str,
    without: Collection[str] = (),
    choices: Mapping[str, Collection[str]] | None = None,
    root: Path | None = None,
) -> dict[Place, Definition]:
    """The definitions that entries reach; arguments and errors as of `source_key`."""
    package = package_at(root or ROOT)
    return _closure(_starts(entries, package), package, _cuts(without, package), choices or {})


def data_files(found: Collection[Place], root: Path | None = None) -> list[Path]:
    """The data files of definitions: those of their packages that they name, and those that no module there names.

    A file is named by a string with its whole name, or by one with its stem and one with its suffix in the same module,
    as `f"{TINY}.json"` does. A file that none names may be read by any: better one run too many than a stale one.
    """
    package = package_at(root or ROOT)
    texts: dict[str, set[str]] = {}
    for place in found:
        if place.module:
            statements = package.read(place.module).statements.get(place.name, ())
            texts.setdefault(place.module, set()).update(*map(strings, statements))
    return sorted(
        {path for module, own in texts.items() for path, alone in package.data(module) if alone or named(path, own)}
    )


def _starts(entries: Iterable[str], package: Package) -> list[str]:
    places = [package.place(entry) for entry in entries if entry.split(".")[0] == "mvlm"]
    return [place.module if place.name == ALL else f"{place.module}.{place.name}" for place in places]


def _hash(found: Mapping[Place, Definition], package: Package) -> str:
    texts = {place: hashlib.sha256(what.text.encode()).hexdigest() for place, what in found.items()}
    lines = set()
    for place, what in found.items():  # a definition by its text, and by the texts of what its names stand for
        meant = [(written, texts.get(package.resolved(dotted), "")) for written, dotted in what.uses]
        lines.add(f"{texts[place]} {sorted(meant)} {sorted(what.outside)}")
    lines |= {f"{path.name} {file_hash(path)}" for path in data_files(found, package.root)}
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _closure(
    starts: Iterable[str], package: Package, cut: Collection[Place], choices: Mapping[str, Collection[str]]
) -> dict[Place, Definition]:
    tables = {package.place(place): frozenset(names) for place, names in choices.items()}
    waiting, seen, found = [package.resolved(dotted) for dotted in starts], set(), {}
    while waiting:
        place = waiting.pop()
        if place is None or place in seen or place in cut or Place(place.module, ALL) in cut:
            continue
        seen.add(place)
        module = package.read(place.module)
        if place.name == ALL:
            waiting += [Place(place.module, name) for name in module.statements]
        waiting.append(Place(place.module, LOADED))
        if "." in place.module:  # its package is loaded too
            waiting.append(Place(place.module.rpartition(".")[0], LOADED))
        if place.name in module.statements:
            statements = module.statements[place.name]
            if place in tables:
                statements = tuple(chosen(statement, tables[place], place) for statement in statements)
            found[place] = definition(module, statements)
            waiting += [package.resolved(dotted) for _, dotted in found[place].uses]
    return found


def _cuts(without: Collection[str], package: Package) -> frozenset[Place]:
    usual = [place for place in NO_CONTENT if package.file(place.partition(":")[0])]  # of tests, small ones lack them
    return frozenset(package.place(place) for place in (*usual, *without))
