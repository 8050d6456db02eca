"""Notebooks as pages that load nothing: what was shown is open, what is no part of the lesson is folded."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat

from mvlm.publish.markup import prose
from mvlm.publish.pages import about, body, folded, page, title

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Loaded(HTMLParser):
    """Collects what a page would load or link to."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, value or "") for name, value in attrs if name in ("src", "href", "srcset", "data")]


def notebook(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    heading = nbformat.v4.new_markdown_cell("# 10 · Table I: <3D>\n\nText with $x^2$ in it.\n\nMore.", id="head")
    return nbformat.v4.new_notebook(cells=[heading, *cells])


def showing(code: str, *outputs: dict[str, str], tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(code, id=f"cell-{abs(hash(code))}", metadata={"tags": list(tags)})
    cell.outputs = [nbformat.v4.new_output("display_data", output) for output in outputs]
    return cell


def test_a_page_holds_all_it_shows(tmp_path: Path):
    table = {"text/html": "<table><tr><td>7</td></tr></table>", "text/plain": "a table"}
    code = showing("draw()", {"image/png": f"{PIXEL}\n", "text/plain": "picture"}, table)
    code.outputs.append(nbformat.v4.new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m < 3\n"))
    nbformat.write(notebook(code), tmp_path / "10-table1.ipynb")
    text = page(tmp_path / "10-table1.ipynb")
    assert "<title>10 · Table I: &lt;3D&gt;</title>" in text and text.startswith('<!DOCTYPE html>\n<html lang="en">')
    loaded = Loaded(text).found
    assert ("img", f"data:image/png;base64,{PIXEL}") in loaded
    assert all(value.startswith(("data:", "#")) for _, value in loaded), loaded
    assert "<script" not in text and not re.search(r"@import|url\(\s*['\"]?https?:", text)
    assert "<td>7</td>" in text and "a table" not in text and "picture" not in text  # the best of several forms
    assert "<code>red &lt; 3" in text.replace("<pre", "<code").replace(' tabindex="0"', "")
    assert f"“{title(json.loads(nbformat.writes(notebook())))}”" in text.replace("&lt;", "<").replace("&gt;", ">")


def test_imports_parameters_and_writing_are_folded_and_what_they_show_is_not():
    cells = {
        "parameters": showing("STAGE = None", tags=("parameters",)),
        "imports": showing("import numpy as np\n\nnp.seterr()"),
        "writes results": showing('write_table(STAGE, "t", frame)', {"text/plain": "shown"}),
        "": showing("x = np.ones(3)\nx.sum()", {"text/plain": "3.0"}),
    }
    assert [folded(cell) for cell in cells.values()] == list(cells)
    text = body(notebook(*cells.values())).html
    assert re.findall(r"<summary>(.*?)</summary>", text) == ["parameters, imports, writes results"]
    outside = re.sub(r"<details.*?</details>", "", text, flags=re.DOTALL)
    assert "shown" in outside and "3.0" in outside and "write_table" not in outside and "ones" in outside


def test_what_was_made_stands_behind_the_first_words():
    shown = body(notebook(showing("1 + 1")), made="<p>made</p>").html
    assert shown.index("More.") < shown.index("<p>made</p>") < shown.index("<pre")


def test_title_and_first_words_of_a_notebook():
    read = json.loads(nbformat.writes(notebook()))
    assert title(read) == "10 · Table I: <3D>" and about(read) == "Text with $x^2$ in it."
    assert title({"cells": []}) == about({"cells": []}) == ""


def test_equations_are_drawn_into_the_page(tmp_path: Path):
    line = r"Mean $\bar v = \frac{1}{V}\sum_k v_k$ and `make DATA=$X or $Y`, $\unknown{x}$, 5 $ or 6 $."
    cell = nbformat.v4.new_markdown_cell(f"{line}\n\n$$\nL = -\\log p\n$$\n", id="math")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "03-t.ipynb")
    html = page(tmp_path / "03-t.ipynb")
    pictures = [value for tag, value in Loaded(html).found if tag == "img"]
    assert len(pictures) == 2 and all(value.startswith("data:image/svg+xml;base64,") for value in pictures)
    assert "<path" in base64.b64decode(pictures[0].partition(",")[2]).decode()
    assert r'alt="\bar v = \frac{1}{V}\sum_k v_k"' in html and 'alt="L = -\\log p"' in html
    assert "make DATA=$X or $Y" in html and r"$\unknown{x}$" in html and "5 $ or 6 $" in html  # left as they are
    assert page(tmp_path / "03-t.ipynb") == html


def test_prose_has_anchors_that_differ_and_links_where_they_lead():
    taken: dict[str, int] = {}
    shown = prose(
        "## A 4D: `face`\n\n## A 4D: `face`\n\n[x](y.md) and `z.py`", "to/{}".format, {"z.py": "z"}.get, taken
    )
    assert [heading[:2] for heading in shown.headings] == [(2, "a-4d-face"), (2, "a-4d-face-1")]
    assert '<a href="to/y.md">x</a>' in shown.html and '<a href="z"><code>z.py</code></a>' in shown.html
    assert prose("## A 4D: face", taken=taken).headings[0].anchor == "a-4d-face-2"
    table = prose("| | |\n|---|---|\n| a | b |\n").html
    assert "<thead>" not in table and '<div class="wide" tabindex="0"><table>' in table
