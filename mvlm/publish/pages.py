"""Executed notebooks as pages that need no network: what was found is open, how it was set up is folded.

Imports, parameters and what only writes files are no part of a lesson: their code is folded, what they show is not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from mvlm.publish.declared import read
from mvlm.publish.frame import framed
from mvlm.publish.markup import Heading, Prose, highlighted, prose, wide

# What of an output is shown: of several forms of one thing the first.
_FORMS = ("text/html", "image/svg+xml", "image/png", "text/markdown", "text/plain")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of terminals


def page(executed: Path) -> str:
    """An executed notebook as one HTML file with its pictures and styles inside, and nothing to load."""
    notebook = read(executed)
    shown = body(notebook)
    return framed(title(notebook) or executed.stem, shown.html)


def body(
    notebook: Mapping[str, Any],
    made: str = "",
    resolve: Callable[[str], str] = str,
    known: Callable[[str], str | None] | None = None,
) -> Prose:
    """What a notebook says and shows, as HTML.

    Args:
        notebook: as `read` returns it, executed.
        made: HTML that goes behind the first words: what the notebook made.
        resolve, known: as of `mvlm.publish.markup.prose`.
    """
    parts: list[str] = []
    headings: list[Heading] = []
    anchors: dict[str, int] = {}
    closed: list[tuple[str, str]] = []  # folded cells that follow each other, which are one fold
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and source(cell).strip():
            code, why = highlighted(source(cell), "python"), folded(cell)
            closed += [(why, code)] * bool(why)
            shown = list(_outputs(cell, headings[-1].text if headings else ""))
            if why and not shown:
                continue
            parts += [_fold(closed), *([] if why else [code]), *shown]
            closed = []
        elif cell["cell_type"] == "markdown":
            text = prose(source(cell), resolve, known, anchors)
            parts += [_fold(closed), text.html, made]
            headings += text.headings
            closed, made = [], ""
    return Prose("\n".join(part for part in (*parts, _fold(closed)) if part), headings)


def _fold(closed: Sequence[tuple[str, str]]) -> str:
    why = ", ".join(dict.fromkeys(why for why, _ in closed))
    code = "".join(code for _, code in closed)
    return f'<details class="code"><summary>{why}</summary>\n{code}</details>' if closed else ""


def title(notebook: Mapping[str, Any]) -> str:
    """The first heading of a notebook."""
    lines = (line for text in texts(notebook) for line in text.splitlines())
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), "")


def about(notebook: Mapping[str, Any]) -> str:
    """The first paragraph below it, as Markdown."""
    blocks = (block.strip() for text in texts(notebook) for block in re.split(r"\n\s*\n", text))
    return next((block for block in blocks if block and not block.startswith("#")), "")


def texts(notebook: Mapping[str, Any]) -> Iterator[str]:
    """The Markdown of each cell of words."""
    return (source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def source(cell: Mapping[str, Any]) -> str:
    """What is written in a cell."""
    return "".join(cell["source"])


def folded(cell: Mapping[str, Any]) -> str:
    """Why the code of a cell is folded, in a word; empty for code that is part of the lesson."""
    if {"parameters", "injected-parameters"} & set(cell["metadata"].get("tags", ())):
        return "parameters"
    tree = ast.parse(source(cell))
    if any(isinstance(node, ast.Name) and node.id == "STAGE" for node in ast.walk(tree)):
        return "writes results"
    if any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body):
        return "imports"
    return ""


def _outputs(cell: Mapping[str, Any], under: str) -> Iterator[str]:
    """What a cell showed; `under`, the heading that it stands under, says what a picture is of."""
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            yield _text("".join(output["text"]))
        elif output["output_type"] == "error":
            yield _text(f"{output['ename']}: {output['evalue']}")
        elif form := next((form for form in _FORMS if form in output["data"]), None):
            yield _shown(form, "".join(output["data"][form]), under)


def _shown(form: str, data: str, under: str) -> str:
    if form == "text/plain":
        return _text(data)
    if form == "text/html":
        return wide(data)
    if form == "text/markdown":
        return f'<div class="output">{prose(data).html}</div>'
    where = f"Drawn under “{under}”; the words around say what it shows" if under else "Drawn by the code above"
    if form == "image/svg+xml":
        return f'<div class="output" role="img" aria-label="{escape(where)}">{data}</div>'
    return f'<div class="output"><img alt="{escape(where)}" src="data:{form};base64,{data.replace(chr(10), "")}"></div>'


def _text(said: str) -> str:
    plain = escape(_COLOURS.sub("", said).strip("\n"), quote=False)
    return f'<div class="output"><pre tabindex="0">{plain}</pre></div>' if plain else ""
