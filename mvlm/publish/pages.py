"""Executed notebooks as pages that need no network, and an index of them: `python -m mvlm.publish.pages`.

The index leads from each item of the paper to the notebook that makes it, to its files, and to the command that makes
them again. It lists what is there, for every kind of data, profile and model that was run.
"""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from mvlm.machine import command
from mvlm.publish.declared import NOTEBOOKS, declared, promises, read
from mvlm.settings import RESULTS, ROOT, RUNS, Settings

THUMBNAIL = 320  # pixels wide

# nbconvert's page without the blocks that load scripts from the network; `_drawn` does what MathJax would. Tables hold
# sentences more often than numbers, so cells begin at the left.
_OFFLINE = (
    "{% extends 'lab/index.html.j2' %}"
    "{% block html_head_js_requirejs %}{% endblock %}{% block html_head_js_mathjax %}{% endblock %}"
    "{% block html_head_js_mermaidjs %}{% endblock %}{% block jupyter_widgets %}{% endblock %}"
    "{% block html_head_css %}<style>.jp-RenderedHTMLCommon :is(th, td, caption) { text-align: left; }</style>"
    "{% endblock %}"
)

# Code, which stays, and TeX, between two dollars or one on each side.
_MATH = re.compile(
    r"```.*?```|`[^`]*`|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^\s$](?:[^$\n]*[^\s$])?)\$", flags=re.DOTALL
)
MATH_SIZE = 11  # points

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 84em; margin: 2em auto; padding: 0 1em; color: #222; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .5em .7em; border-top: 1px solid #ccc; }
th { border: 0; }
p.file { display: inline-block; vertical-align: top; margin: 0 1.2em .6em 0; }
img { display: block; max-width: 15em; max-height: 12em; margin: .3em 0; border: 1px solid #ddd; }
code { white-space: nowrap; }
.missing { color: #777; }
"""


def page(executed: Path) -> str:
    """An executed notebook as one HTML file with its pictures and styles inside, and nothing to load."""
    import nbformat
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    template = {"extra_loaders": [DictLoader({"offline.html.j2": _OFFLINE})], "template_file": "offline.html.j2"}
    notebook = nbformat.read(executed, as_version=4)
    notebook.metadata["title"] = executed.stem
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _MATH.sub(_drawn, cell.source)
    return HTMLExporter(embed_images=True, **template).from_notebook_node(notebook)[0]


def _drawn(found: re.Match[str]) -> str:
    """TeX as a picture in its line, or as it stands where it is code or beyond matplotlib's TeX."""
    tex = found["block"] or found["inline"]
    if tex is None:
        return found[0]
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    text, font = f"${' '.join(tex.split())}$", FontProperties(size=MATH_SIZE)
    try:
        width, height, depth, *_ = MathTextParser("path").parse(text, dpi=72, prop=font)
    except ValueError:
        return found[0]
    figure = Figure(figsize=(width / 72, height / 72))
    figure.text(0, depth / height, text, fontproperties=font)
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "mvlm"}):  # equal notebooks are equal pages
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    style = "display: block; margin: 1em 2em" if found["block"] else f"vertical-align: {-depth:.1f}pt"
    size = f"width: {width:.1f}pt; height: {height:.1f}pt"
    return f'<img alt="{escape(tex.strip())}" style="{style}; {size}" src="data:image/svg+xml;base64,{data}">'


def index(runs: Path = RUNS, results: Path = RESULTS, notebooks: Path = NOTEBOOKS) -> Path:
    """Write `html/index.html` under `runs` and return it.

    Args:
        runs: folder with the pages, `html/<kind>/<notebook>.html`, and with the results of other kinds.
        results: results of the default kind.
        notebooks: the notebooks, which say what of the paper they stand for, their files and their target.

    Raises:
        FileNotFoundError: no notebook was run yet.
        ValueError: a notebook does not say so.
    """
    folder = runs / "html"
    kinds = sorted(path for path in folder.glob("*") if any(path.glob("*.html")))
    if not kinds:
        raise FileNotFoundError("no notebook was run yet; `make tables` runs the first")
    known = {path.stem: read(path) for path in sorted(notebooks.glob("*.ipynb"))}
    for name, notebook in known.items():
        if missing := {"in_the_paper", "targets"} - {key for key, said in declared(notebook).items() if said}:
            raise ValueError(f"{name}: its metadata lack {', '.join(sorted(missing))}, see mvlm/publish/declared.py")
    own = Settings().results_name("twin")
    sections = [
        _section(kind, results if kind.name == own else runs / "results" / kind.name, known)
        for kind in sorted(kinds, key=lambda kind: (kind.name != own, kind.name))
    ]
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>mvlm: index</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>mvlm</h1>\n"
        "<p>MultiviewVLM, replicated: what of the paper, by which notebook, in which files, and the command that makes "
        "them again. Numbers measured on synthetic twins say nothing about the licensed corpora.</p>\n"
        f"{''.join(sections)}</body></html>\n"
    )
    target = folder / "index.html"
    target.write_text(text, encoding="utf-8")
    return target


def _section(pages: Path, results: Path, known: dict[str, dict]) -> str:
    rows = [
        "<tr><th>In the paper</th><th>Notebook</th><th>Files</th><th>Command</th></tr>",
        *(_row(name, pages, results, notebook) for name, notebook in known.items()),
    ]
    return f"<h2>{escape(pages.name)}</h2>\n<table>\n{chr(10).join(rows)}\n</table>\n"


def _row(name: str, pages: Path, results: Path, notebook: dict) -> str:
    item, (target, *_) = (declared(notebook)[key] for key in ("in_the_paper", "targets"))
    title = escape(_title(notebook) or name)
    made = pages / f"{name}.html"
    shown = f'<a href="{pages.name}/{name}.html">{title}</a>' if made.is_file() else f"{title}, not run"
    files = "".join(_files(promises(notebook), results, pages.parent))
    quiet = "" if made.is_file() else ' class="missing"'
    return f"<tr{quiet}><td>{escape(item)}</td><td>{shown}</td><td>{files}</td><td><code>make {target}</code></td></tr>"


def _title(notebook: dict) -> str:
    """The first heading of a notebook."""
    lines = (line for cell in notebook["cells"] if cell["cell_type"] == "markdown" for line in _lines(cell))
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), "")


def _lines(cell: dict) -> list[str]:
    return "".join(cell["source"]).splitlines()


def _files(outputs: Iterable[str], results: Path, folder: Path) -> Iterator[str]:
    """One paragraph for each result: its picture where it has one, and links to the files that are there."""
    grouped: dict[str, list[Path]] = {}
    for output in outputs:
        grouped.setdefault(output.rpartition(".")[0], []).append(results / output)
    for stem, paths in grouped.items():
        there = [path for path in paths if path.is_file()]
        links = " · ".join(f'<a href="{_link(path, folder)}">{path.suffix[1:]}</a>' for path in there)
        picture = "".join(_thumbnail(path) for path in there if path.suffix == ".png")
        yield f'<p class="file">{escape(stem)}: {links or "not made"}{picture}</p>'


def _link(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _thumbnail(path: Path) -> str:
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB")
        small.thumbnail((THUMBNAIL, 2 * THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(path.stem)}" src="data:image/png;base64,{data}">'


def main() -> int:
    """Write the index, say where it is, and return the exit status."""
    try:
        target = index()
    except (FileNotFoundError, ValueError) as error:
        print(f"index: {error}")
        return 1
    print(f"index: {target.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    command(main)
