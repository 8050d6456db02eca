"""Pages that load nothing from a network, and an index that leads from the paper to files and commands."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from mvlm.publish.pages import THUMBNAIL, index, page
from mvlm.settings import Settings

SAID = {
    "in_the_paper": "Table I",
    "items": {"tables": ["table1"], "figures": ["table1-ladder"]},
    "targets": ["tables", "lessons"],
}
MADE = ["tables/table1.csv", "tables/table1.md", "figures/table1-ladder.png"]
OWN = Settings().results_name("twin")


class Loaded(HTMLParser):
    """Collects what a page would load or link to."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, value or "") for name, value in attrs if name in ("src", "href", "srcset", "data")]


def notebook(*cells: nbformat.NotebookNode, **said: object) -> nbformat.NotebookNode:
    heading = nbformat.v4.new_markdown_cell("# 10 · Table I: <3D>\n\nText with $x^2$ in it.", id="head")
    return nbformat.v4.new_notebook(cells=[heading, *cells], metadata={"mvlm": SAID | said})


@pytest.fixture
def project(tmp_path: Path) -> dict[str, Path]:
    """Two notebooks, of which one ran, with its results: the arguments of `index`."""
    places = {name: tmp_path / name for name in ("runs", "results", "notebooks")}
    for folder in (places["notebooks"], places["results"] / "tables", places["results"] / "figures"):
        folder.mkdir(parents=True)
    nbformat.write(notebook(), places["notebooks"] / "10-table1.ipynb")
    nbformat.write(notebook(items={}), places["notebooks"] / "00-audit.ipynb")
    for name in MADE[:2]:
        (places["results"] / name).write_text("n\n1\n")
    Image.new("RGB", (900, 300), "red").save(places["results"] / "figures/table1-ladder.png")
    (places["runs"] / "html" / OWN).mkdir(parents=True)
    (places["runs"] / "html" / OWN / "10-table1.html").write_text("<p>page</p>")
    return places


def test_a_page_holds_all_it_shows(tmp_path: Path):
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}}
    code = nbformat.v4.new_code_cell("1 + 1", id="code", execution_count=1)
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    code.outputs = [nbformat.v4.new_output("display_data", {"image/png": pixel, "text/plain": "picture"})]
    executed = notebook(code)
    executed.metadata["widgets"] = widgets
    nbformat.write(executed, tmp_path / "10-table1.ipynb")
    text = page(tmp_path / "10-table1.ipynb")
    assert "<title>10-table1</title>" in text and "Table I" in text
    loaded = Loaded(text).found
    assert ("img", f"data:image/png;base64,{pixel}") in [(tag, value.replace("\n", "")) for tag, value in loaded]
    assert all(value.startswith(("data:", "#")) for _, value in loaded), loaded
    assert "<script src" not in text and not re.search(r"@import|url\(\s*['\"]?https?:", text)


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


def test_the_index_leads_from_the_paper_to_files_and_commands(project: dict[str, Path]):
    target = index(**project)
    text = target.read_text(encoding="utf-8")
    assert target == project["runs"] / "html/index.html" and f"<h2>{OWN}</h2>" in text
    links = [value for tag, value in Loaded(text).found if tag == "a"]
    assert links == [f"{OWN}/10-table1.html", *(f"../../results/{name}" for name in MADE)]
    assert all((target.parent / link).is_file() for link in links)  # the others were not made
    assert "<td>Table I</td>" in text and "10 · Table I: &lt;3D&gt;</a>" in text and "<code>make tables</code>" in text
    assert 'class="missing"' in text and "not run" in text  # the audit


def test_the_index_shows_small_pictures_inside_itself(project: dict[str, Path]):
    text = index(**project).read_text(encoding="utf-8")
    (picture,) = [value for tag, value in Loaded(text).found if tag == "img"]
    assert picture.startswith("data:image/png;base64,") and len(picture) < 5000
    small = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2])))
    assert small.size == (THUMBNAIL, round(THUMBNAIL / 3))


def test_other_data_have_a_section_of_their_own(project: dict[str, Path]):
    other = project["runs"] / "html" / "supplied-quick-mvlm-tiny"
    other.mkdir()
    (other / "10-table1.html").write_text("<p>page</p>")
    csv = project["runs"] / "results/supplied-quick-mvlm-tiny/tables/table1.csv"
    csv.parent.mkdir(parents=True)
    csv.write_text("n\n1\n")
    text = index(**project).read_text(encoding="utf-8")
    assert text.index(f"<h2>{OWN}</h2>") < text.index("<h2>supplied-quick-mvlm-tiny</h2>")
    assert '"../results/supplied-quick-mvlm-tiny/tables/table1.csv"' in text


def test_an_index_of_nothing_says_what_to_do(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no notebook was run yet; `make tables` runs the first"):
        index(runs=tmp_path / "runs", notebooks=tmp_path)


def test_a_notebook_without_a_place_is_named(project: dict[str, Path]):
    nbformat.write(notebook(targets=[]), project["notebooks"] / "99-new.ipynb")
    with pytest.raises(ValueError, match="99-new: its metadata lack targets, see mvlm/publish/declared.py"):
        index(**project)
