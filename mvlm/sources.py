"""What code does, as one hash: freshness by content, not by file times.

A cached view, a run or a notebook depends on the modules of `mvlm` that it imports, and those on the ones they import.
Comments, docstrings and layout do not count; the data files that a module names do.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

from mvlm.settings import ROOT

NO_CONTENT = ("mvlm.settings", "mvlm.training", "mvlm.sources", "mvlm.workers")  # places, and who computes
_MODULE = re.compile(r"mvlm(\.\w+)+(:\w+)?")  # "mvlm.train" for `python -m`, "mvlm.study.runs:run" for a hook


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key(parts: Mapping[str, object]) -> str:
    """Hash named parts (whatever JSON can hold) to 16 hexadecimal digits: the address of a cached result."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def source_key(*modules: str, without: Collection[str] = ()) -> str:
    """Hash modules by name, with what they import, as `digest` does; names outside the package are passed over.

    Modules of `NO_CONTENT` are left out: the key of a computed value holds the settings it depends on as values. So are
    those `without` which, though imported, the value is made.
    """
    found = dependencies([f"import {module}" for module in modules], ROOT)
    return _hash({name: path for name, path in found.items() if name not in (*NO_CONTENT, *without)}, ROOT)[:16]


def digest(code: Iterable[str], root: Path = ROOT) -> str:
    """Hash the modules that pieces of Python source import, transitively, and the data files those modules read.

    Args:
        code: source texts, such as the code cells of a notebook or `"from mvlm.study.runs import run"`.
        root: folder that holds the package `mvlm`.

    Returns:
        A SHA-256. It stays when comments, docstrings or unrelated modules change.

    Raises:
        SyntaxError: a source text is not Python.
    """
    return _hash(dependencies(code, root), root)


def _hash(modules: Mapping[str, Path], root: Path) -> str:
    files = {path for name, path in modules.items() for path in data_files(path)}
    lines = [f"{name} {_meaning(path.read_bytes())}" for name, path in sorted(modules.items())]
    lines += [f"{path.relative_to(root).as_posix()} {file_hash(path)}" for path in sorted(files)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def data_files(module: Path) -> list[Path]:
    """Return the data files of a module: those of its package that it names, and those that no module there names.

    A module names a file by a string with its whole name, or by one with its stem and one with its suffix, as
    `f"{TINY}.json"` does. A file that none names may be read by any: better one run too many than a stale one.
    """
    package = module.parent
    said = {path: _strings(path.read_bytes()) for path in package.glob("*.py")}

    def names(path: Path, strings: frozenset[str]) -> bool:
        return path.name in strings or {path.stem, path.suffix} <= strings

    return [
        path
        for path in sorted(_data_files(package))
        if names(path, said[module]) or not any(names(path, strings) for strings in said.values())
    ]


@cache
def _tree(code: bytes) -> ast.Module:
    return ast.parse(code)


@cache
def _strings(code: bytes) -> frozenset[str]:
    nodes = ast.walk(_tree(code))
    return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def meaning(tree: ast.Module) -> str:
    """Return a module's syntax tree as text, docstrings removed, equal under Python 3.11 and 3.12."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.body:
            first = node.body[0]
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = node.body[1:]
    return ast.dump(tree).replace(", type_params=[]", "")  # 3.12 added the field


@cache  # every record and every cached view asks for it
def _meaning(code: bytes) -> str:
    return meaning(ast.parse(code))


def dependencies(code: Iterable[str], root: Path = ROOT) -> dict[str, Path]:
    """Return the modules of `mvlm` that source texts import, transitively: {"mvlm.losses": path, ...}.

    A package imported only on the way to a module in it (`mvlm.faces` for `mvlm.faces.mesh`) counts with what its
    `__init__` imports at once; an import inside its functions counts only when the name it serves is asked for.
    """
    waiting = [wanted for text in code for wanted in _imports(ast.parse(text), root)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        module, name = waiting.pop()
        path = _path(module, root)
        package = path.name == "__init__.py"
        wanted = (module, name if package else "*")  # a module runs whole, whatever is asked of it
        if wanted in seen:
            continue
        seen.add(wanted)
        waiting += _imports(_tree(path.read_bytes()), root, wanted[1], module if package else "")
        if "." in module:
            waiting.append((module.rpartition(".")[0], ""))
    return {module: _path(module, root) for module, _ in seen}


def _imports(tree: ast.Module, root: Path, name: str = "*", package: str = "") -> Iterator[tuple[str, str]]:
    """Yield (module, name asked of it) for each import that `name` needs; "*" is all, "" none but those at once.

    A package may say by a table, {"project": "views"}, which of its modules serves which name.
    """
    nodes = _telling(tree)
    serving = {node for node in nodes if isinstance(node, ast.ImportFrom) and name in _bound(node)}
    if name == "" or serving:
        nodes = set(_outside_functions(tree)) | serving
    for node in nodes:
        asked = []
        if isinstance(node, ast.Import):
            asked = [(alias.name, "*") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                asked.append((inner, "*") if _path(inner, root) else (node.module, alias.name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _MODULE.fullmatch(node.value):
            asked = [(node.value.partition(":")[0], "*")]
        elif isinstance(node, ast.Dict) and package:
            table = [(_text(key), _text(value)) for key, value in zip(node.keys, node.values, strict=True)]
            asked = [(f"{package}.{home}", "*") for key, home in table if home and name in ("*", key)]
        yield from (wanted for wanted in asked if _path(wanted[0], root))


@lru_cache(maxsize=1024)
def _telling(tree: ast.AST) -> frozenset[ast.AST]:
    """The nodes of a tree that can name a module."""
    return frozenset(n for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom, ast.Constant, ast.Dict)))


def _bound(node: ast.ImportFrom) -> set[str]:
    return {alias.asname or alias.name for alias in node.names}


def _text(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _outside_functions(child)


def _path(module: str, root: Path) -> Path | None:
    if module.split(".")[0] != "mvlm":
        return None
    folder = root.joinpath(*module.split("."))
    for path in (folder / "__init__.py", folder.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _data_files(package: Path) -> Iterator[Path]:
    """Yield the files of a package that are not code, without those of the packages inside it."""
    for path in package.iterdir():
        if path.is_dir():
            if path.name != "__pycache__" and not (path / "__init__.py").exists():
                yield from _data_files(path)
        elif path.suffix not in (".py", ".pyc") and not path.name.startswith("."):
            yield path
