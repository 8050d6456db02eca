"""Tables and figures as pages: each with what it is, its files, and where it comes from."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from mvlm.publish.declared import declared
from mvlm.publish.markup import prose, wide
from mvlm.publish.pages import source, title
from mvlm.publish.places import Places, relative
from mvlm.report.results import FILES

BEYOND = "beyond the paper"  # what notebooks declare that stand for nothing in it
_TITLE = re.compile(r"\*\*(.+?)\*\*")  # of a table, at its beginning
# Of a sidecar, what is shown in words; the whole of it stands below.
_SAID = ("data_kind", "half", "folds", "partitions", "seeds")
# What the program stands for where no notebook does: folder of results -> command.
_COMMANDS = {"even-half": "python -m mvlm.study.items.even_half"}


class Item(NamedTuple):
    """A table or a figure.

    Attributes:
        kind, name: "tables" or "figures", and the item.
        files: suffix -> its file.
        place: of its files in the checkout, without a suffix.
        notebook, made_by: the notebook that makes it, by name and as read; None where a command does.
        command: that makes it.
    """

    kind: str
    name: str
    files: dict[str, Path]
    place: str
    notebook: str | None
    made_by: Mapping[str, Any] | None
    command: str

    @property
    def page(self) -> str:
        """Its page of the site."""
        return f"items/{self.kind[:-1]}-{self.name}.html"

    @property
    def title(self) -> str:
        """What it is called: a table by its first title, a figure by the heading that it stands under."""
        if "md" in self.files and (found := _TITLE.match(self.files["md"].read_text(encoding="utf-8"))):
            return found[1]
        headings = [line.strip("# ") for line in self._words if line.startswith("#")]
        return headings[-1] if headings else self.name

    @property
    def heading(self) -> str:
        """Its title behind what its notebook is of, so that it tells itself apart: "Audit · The verdicts"."""
        of = title(self.made_by or {"cells": ()}).partition(" · ")[2].partition(":")[0]
        alike = not of or self.title.startswith(of) or of.startswith(self.title)
        return self.title if alike else f"{of} · {self.title}"

    @property
    def description(self) -> str:
        """The words of its notebook right before it, as Markdown; empty where there are none."""
        return "\n".join(line for line in self._words if not line.startswith("#")).strip()

    @property
    def _words(self) -> list[str]:
        found: list[str] = []
        words = ""
        for cell in self.made_by["cells"] if self.made_by else ():
            if cell["cell_type"] == "markdown":
                words = source(cell)
            elif f'"{self.name}"' in source(cell):
                found = found or words.splitlines()
                if _hands_over(source(cell), self.name):
                    return words.splitlines()
        return found

    @property
    def label(self) -> str:
        """What it is: "Figure fig3, in the paper: Fig. 3"."""
        return f"{self.kind[:-1].capitalize()} {self.name}, {place_in_paper(self.made_by)}"


def place_in_paper(notebook: Mapping[str, Any] | None) -> str:
    """What of the paper a notebook stands for: "in the paper: Table I", or "beyond the paper"."""
    said = declared(notebook)["in_the_paper"] if notebook else BEYOND
    return said if said == BEYOND else f"in the paper: {said}"


def _hands_over(code: str, name: str) -> bool:
    """Whether code calls something with this name, as what writes an item does."""
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    return any(isinstance(given, ast.Constant) and given.value == name for call in calls for given in call.args)


def find(results: Path, notebooks: Mapping[str, Mapping[str, Any]]) -> list[Item]:
    """The tables and figures that are there: those of notebooks in the order of these, then the others."""
    found, seen = [], set()
    for name, notebook in notebooks.items():
        for kind, items in declared(notebook).get("items", {}).items():
            for item in items:
                command = f"make {declared(notebook)['targets'][0]}"
                found.append(_item(results, "", kind, item, name, notebook, command))
                seen.add((kind, item))
    for path in sorted(results.glob("*/*/*.json")):
        folder, kind = path.parent.parent.name, path.parent.name
        if kind in FILES and folder in _COMMANDS:
            found.append(_item(results, f"{folder}/", kind, path.stem, None, None, _COMMANDS[folder]))
    return [item for item in found if item.files]


def _item(results: Path, above: str, kind: str, name: str, notebook: str | None, made_by: Any, command: str) -> Item:
    paths = {suffix: results / f"{above}{kind}/{name}.{suffix}" for suffix in FILES[kind]}
    there = {suffix: path for suffix, path in paths.items() if path.is_file()}
    return Item(kind, name, there, f"results/{above}{kind}/{name}", notebook, made_by, command)


def shown(item: Item, places: Places, here: str) -> str:
    """The table or the picture itself, as HTML of the page `here`."""
    if item.kind == "tables":
        text = item.files["md"].read_text(encoding="utf-8") if "md" in item.files else ""
        return prose(text, places.resolver(f"{item.place}.md", here), places.known(here)).html
    link = relative(places.copy(item.files["png"], f"{item.place}.png"), here)
    words = escape(f"{item.title}. {item.label}; what it draws is in its CSV")
    return f'<figure><img class="drawing" alt="{words}" src="{link}"></figure>\n'


def page(item: Item, places: Places) -> str:
    """What the page of an item says."""
    here = item.page
    resolve, known = places.resolver(f"notebooks/{item.notebook}.ipynb", here), places.known(here)
    words = prose(item.description, resolve, known).html if item.description else ""
    quoted = f"<blockquote>{words}</blockquote>\n" if words else ""
    return (
        f'<p class="quiet">{escape(item.label)}</p>\n<h1>{escape(item.heading)}</h1>\n{quoted}'
        f"{shown(item, places, here)}\n{''.join(_origin(item, places, here))}"
    )


def _origin(item: Item, places: Places, here: str) -> Iterator[str]:
    """Files, notebook, command and sidecar."""
    about = json.loads(item.files["json"].read_text(encoding="utf-8")) if "json" in item.files else {}
    rows = {"files": " · ".join(_links(item, places, here)), "command": f"<code>{escape(item.command)}</code>"}
    if item.notebook:
        text = escape(title(item.made_by) or item.notebook)
        rows["notebook"] = f'<a href="{relative(places.pages[f"notebooks/{item.notebook}.ipynb"], here)}">{text}</a>'
    said = {name.replace("_", " "): _plain(about[name]) for name in _SAID if name in about}
    settings = about.get("settings", {})
    said |= {name: str(settings[name]) for name in ("profile", "model") if name in settings}
    rows |= {name: escape(value) for name, value in said.items()}
    yield '<h2 id="origin">Where it comes from</h2>\n<dl>\n'
    yield from (f"<dt>{name}</dt><dd>{value}</dd>\n" for name, value in rows.items())
    yield "</dl>\n"
    if columns := about.get("columns"):
        body = "".join(
            f"<tr><td><code>{escape(name)}</code></td><td>{escape(str(text))}</td></tr>\n"
            for name, text in columns.items()
        )
        yield (
            '<h2 id="columns">Columns of its CSV</h2>\n'
            + wide(f"<table>\n<thead><tr><th>column</th><th>what it holds</th></tr></thead>\n{body}</table>")
        )
    if about:
        text = escape(json.dumps(about, indent=1, ensure_ascii=False, sort_keys=True), quote=False)
        yield f'<details><summary>the whole sidecar</summary>\n<pre tabindex="0"><code>{text}</code></pre></details>\n'


def _links(item: Item, places: Places, here: str) -> Iterator[str]:
    for suffix, path in item.files.items():
        yield f'<a href="{relative(places.copy(path, f"{item.place}.{suffix}"), here)}">{suffix}</a>'


def _plain(value: object) -> str:
    """A value of a sidecar in a line: what differs from key to key is told by key."""
    if isinstance(value, Mapping):
        by_value: dict[str, list[str]] = {}
        for name, one in value.items():
            by_value.setdefault(_plain(one), []).append(name)
        if len(by_value) == 1:
            return next(iter(by_value))
        return "; ".join(f"{one} ({', '.join(names)})" for one, names in by_value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def sheet(items: Iterable[Item], places: Places, here: str) -> str:
    """Small pictures, or titles, that lead to the pages of items."""
    lines = []
    for item in items:
        picture = ""
        if "png" in item.files:
            link = relative(places.copy(item.files["png"], f"{item.place}.png"), here)
            picture = f'<img loading="lazy" alt="" src="{link}">'
        lines.append(
            f'<li><a href="{relative(item.page, here)}">{picture}{escape(item.heading)}</a>'
            f'<p class="quiet">{escape(item.label)}</p></li>\n'
        )
    return f'<ul class="sheet" tabindex="0">\n{"".join(lines)}</ul>\n' if lines else ""
