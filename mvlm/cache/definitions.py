"""What a definition of the package is, and which others it reaches by name: source read without running it."""

from __future__ import annotations

import ast
import os
import re
import symtable
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

ALL = "*"  # every definition of a module
LOADED = ""  # what a module does when it is loaded, besides binding names
_MODULE = re.compile(r"mvlm(\.\w+)+(:\w+)?")  # "mvlm.ranks.launch" for `python -m`, "mvlm.study.runs:run" for a hook


class Place(NamedTuple):
    """A definition: its module, and the name in it, `ALL` or `LOADED`."""

    module: str
    name: str


class Definition(NamedTuple):
    """What a name stands for, as far as its own text tells.

    Attributes:
        text: its syntax without docstrings and without names of modules, equal under Python 3.11 and 3.12.
        uses: (as it is written there, "mvlm.faces.views.project") of all that it reaches inside the package.
        outside: (as it is written, "numpy.random") of what is imported from elsewhere.
    """

    text: str
    uses: frozenset[tuple[str, str]]
    outside: frozenset[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Module:
    """A module, read.

    Attributes:
        name: "mvlm.faces.views"; "" for the cells of a notebook.
        statements: what stands at its top level, by the names that it binds.
        imports: what it imports there, "np" -> "numpy".
        scopes: line of each function or class there -> what it and all inside it read of the module.
        tree: all of it.
    """

    name: str
    statements: Mapping[str, tuple[ast.stmt, ...]]
    imports: Mapping[str, str]
    scopes: tuple[tuple[int, frozenset[str]], ...]
    tree: ast.Module


@dataclass(frozen=True)
class Package:
    """The package `mvlm` below a folder as it stands on the disk; what is read of it is kept."""

    root: Path
    stamps: tuple  # of all its files, so that an edit makes another package
    known: dict = field(default_factory=dict, compare=False)

    def file(self, module: str) -> Path | None:
        """The file of a module; None for what is none of the package."""
        if module not in self.known:
            folder = self.root.joinpath(*module.split("."))
            paths = (folder / "__init__.py", folder.with_suffix(".py")) if module.split(".")[0] == "mvlm" else ()
            self.known[module] = next((path for path in paths if path.is_file()), None)
        return self.known[module]

    def read(self, module: str) -> Module:
        path = self.file(module)
        if path not in self.known:
            self.known[path] = read_module(module, path.read_bytes())
        return self.known[path]

    def data(self, module: str) -> list[tuple[Path, bool]]:
        """The files that are not code in the folder of a module, and whether no module there names them."""
        folder = self.file(module).parent
        if folder not in self.known:
            files = list(_data_files(folder))
            texts = [_said(path.read_bytes()) for path in folder.glob("*.py")] if files else []
            self.known[folder] = [(path, not any(named(path, said) for said in texts)) for path in files]
        return self.known[folder]

    def place(self, said: str) -> Place:
        """ "mvlm.faces.views:project" as a place; ValueError if there is no such definition."""
        module, _, name = said.partition(":")
        if not self.file(module) or (name and name not in self.read(module).statements):
            raise ValueError(f"{said}: expected a module of mvlm, or a definition in one: mvlm.faces.views:project")
        return Place(module, name or ALL)

    def resolved(self, dotted: str) -> Place | None:
        """Where a dotted name is defined; None outside the package. What is found nowhere is all of its module."""
        if ("resolved", dotted) not in self.known:
            self.known["resolved", dotted] = self._resolve(dotted)
        return self.known["resolved", dotted]

    def _resolve(self, dotted: str) -> Place | None:
        parts = dotted.split(".")
        end = next((end for end in range(len(parts), 0, -1) if self.file(".".join(parts[:end]))), None)
        if end is None:
            return None
        module = ".".join(parts[:end])
        if end == len(parts):
            return Place(module, ALL)
        name, read = parts[end], self.read(module)
        if name in read.statements:
            return Place(module, name)
        if name in read.imports:
            return self.resolved(read.imports[name])
        offered = _offered(read, name) if self.file(module).name == "__init__.py" else None
        return self.resolved(offered) if offered else Place(module, ALL)


def named(path: Path, texts: Collection[str]) -> bool:
    """Whether a file is named by texts: as a whole, or by stem and suffix."""
    return path.name in texts or (path.stem in texts and path.suffix in texts)


def _data_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a package that are not code, without those of the packages inside it."""
    for path in folder.iterdir():
        if path.is_dir():
            if path.name != "__pycache__" and not (path / "__init__.py").exists():
                yield from _data_files(path)
        elif path.suffix not in (".py", ".pyc") and not path.name.startswith("."):
            yield path


def package_at(root: Path) -> Package:
    """The package below a folder, as it is now."""
    return _kept(root, tuple(sorted(_stamps(root / "mvlm"))))


def _stamps(folder: Path | str) -> Iterator[tuple[str, int, int]]:
    """Path, time of the last change and size of each file; asked for at every key, so by what is quickest."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _stamps(entry.path)
            elif "." in entry.name and not entry.name.endswith(".pyc"):
                of = entry.stat()
                yield entry.path, of.st_mtime_ns, of.st_size


@lru_cache(maxsize=8)
def _kept(root: Path, stamps: tuple) -> Package:
    return Package(root, stamps)


def _offered(package: Module, name: str) -> str | None:
    """Where a package finds a name on demand: by an import in a function, or a table {"project": "views"}."""
    for node in ast.walk(package.tree):
        if isinstance(node, ast.ImportFrom) and name in (bindings := dict(_bindings(node))):
            return bindings[name]
        if isinstance(node, ast.Dict):
            homes = {_text(k): _text(v) for k, v in zip(node.keys, node.values, strict=True)}
            if homes.get(name):
                return f"{package.name}.{homes[name]}.{name}"
    return None


@cache
def read_module(name: str, code: bytes) -> Module:
    """A module of this name and source."""
    tree = ast.parse(code)
    statements: dict[str, tuple[ast.stmt, ...]] = {}
    imports: dict[str, str] = {}
    for statement in tree.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            imports |= dict(_bindings(statement))
        elif not _is_text(statement) and not _runs_elsewhere(statement):
            for bound in _bound(statement) or [LOADED]:
                statements[bound] = (*statements.get(bound, ()), statement)
    scopes = symtable.symtable(code.decode(), "module", "exec").get_children()
    return Module(name, statements, imports, tuple((s.get_lineno(), frozenset(_globals(s))) for s in scopes), tree)


def _runs_elsewhere(statement: ast.stmt) -> bool:
    """`if TYPE_CHECKING:`, which never runs, and `if __name__ == "__main__":`, which does not where it is imported."""
    if not isinstance(statement, ast.If):
        return False
    return bool({"TYPE_CHECKING", "__name__"} & {n.id for n in ast.walk(statement.test) if isinstance(n, ast.Name)})


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and bool(_text(statement.value))


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a statement binds; none if it does more than that."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return []
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    nodes = [node for target in targets for node in ast.walk(target)]
    plain = all(isinstance(node, (ast.Name, ast.Tuple, ast.Starred, ast.expr_context)) for node in nodes)
    return [node.id for node in nodes if isinstance(node, ast.Name)] if plain else []


def _bindings(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        elif alias.asname:
            yield alias.asname, alias.name
        else:
            yield (alias.name.partition(".")[0],) * 2


def _globals(scope: symtable.SymbolTable) -> Iterator[str]:
    """What a function or class, and all inside it, reads of its module."""
    yield from (symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global())
    for inner in scope.get_children():
        yield from _globals(inner)


@cache
def definition(module: Module, statements: tuple[ast.stmt, ...]) -> Definition:
    """What statements of a module are together."""
    uses: set[tuple[str, str]] = set()
    for statement in statements:
        uses |= _uses(module, statement)
    outside = {(written, dotted) for written, dotted in uses if dotted.split(".")[0] != "mvlm"}
    text = "\n".join(_meaning(statement) for statement in statements)
    return Definition(text, frozenset(uses - outside), frozenset(outside))


def _uses(module: Module, statement: ast.stmt) -> set[tuple[str, str]]:
    nodes = list(ast.walk(statement))
    inside = (names for line, names in module.scopes if statement.lineno <= line <= statement.end_lineno)
    known = _outer_names(statement).union(*inside)
    own = {name: f"{module.name}.{name}" for name in module.statements} if module.name else {}
    bindings = {name: dotted for name, dotted in (module.imports | own).items() if name in known}
    uses, imported = set(), set()
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):  # inside a function; of a name, it is a use already
            bindings |= dict(_bindings(node))
            imported |= set(_bindings(node)) if isinstance(node, ast.ImportFrom) else set()
        if _MODULE.fullmatch(_text(node)):
            uses.add(("", _text(node).replace(":", ".")))
    longer = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        chain = [] if id(node) in longer else _chain(node)
        if chain and chain[0] in bindings:
            uses.add((".".join(chain), ".".join([bindings[chain[0]], *chain[1:]])))
    # A module that is imported only as the way to a name in it is not used as a whole.
    return uses | {(name, of) for name, of in imported if not any(other.startswith(f"{of}.") for _, other in uses)}


def _chain(node: ast.AST) -> list[str]:
    """["views", "project"] for `views.project`; [] where it does not begin with a name."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def _outer_names(statement: ast.stmt) -> set[str]:
    """Names outside the bodies of functions: decorators, defaults, bases, values; and in annotations anywhere."""
    found, waiting = set(), [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        waiting += [*node.decorator_list, node.args] if function else ast.iter_child_nodes(node)
    said = (getattr(node, name, None) for node in ast.walk(statement) for name in ("annotation", "returns"))
    return found | {node.id for each in said if each for node in ast.walk(each) if isinstance(node, ast.Name)}


def chosen(statement: ast.stmt, names: frozenset[str], place: Place) -> ast.stmt:
    """The statement of a table with some of its entries alone; ValueError where it is none."""
    table = getattr(statement, "value", None)
    if not isinstance(table, ast.Dict):
        raise ValueError(f"{place.module}:{place.name}: expected a table of names, {{...}}")
    entries = [(k, v) for k, v in zip(table.keys, table.values, strict=True) if _text(k) in names]
    reduced = copy(statement)
    reduced.value = ast.Dict([k for k, _ in entries], [v for _, v in entries])
    return reduced


@cache
def _meaning(node: object) -> str:
    """Syntax as text, without what is no meaning: docstrings, imports from the package, names of its modules."""
    if isinstance(node, ast.Constant):
        return "''" if _MODULE.fullmatch(_text(node)) else repr(node.value)
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            scope = name == "body" and isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            kept = value[1:] if scope and _is_text(value[0]) else value
            fields.append(f"[{', '.join(_meaning(each) for each in kept if not _is_own_import(each))}]")
        elif not isinstance(value, ast.expr_context):
            fields.append(_meaning(value))
    while fields and fields[-1] == "[]":  # Python 3.12 has one more field of functions and classes, at their end
        fields.pop()
    return f"{type(node).__name__}({', '.join(fields)})"


def _is_own_import(node: object) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module.split(".")[0] == "mvlm"
    return isinstance(node, ast.Import) and all(alias.name.split(".")[0] == "mvlm" for alias in node.names)


@cache  # by the bytes, and so an edit costs the one file anew
def _said(code: bytes) -> frozenset[str]:
    return strings(ast.parse(code))


@cache
def strings(tree: ast.AST) -> frozenset[str]:
    """All texts in some syntax."""
    return frozenset(_text(node) for node in ast.walk(tree)) - {""}


def _text(node: object) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
