"""The site: every link leads somewhere, nothing is loaded from elsewhere, and no page lacks what a reader needs."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import nbformat
import pytest

from mvlm.publish import api, docs, facts
from mvlm.publish.declared import NOTEBOOKS
from mvlm.publish.docs import Sources, build, findings, start
from mvlm.publish.places import Places, relative
from mvlm.settings import RESULTS, ROOT, Settings

OWN = Settings().results_name("twin")
MODULES = ("mvlm.faces", "mvlm.settings", "mvlm.labels", "mvlm.labels.clusters", "mvlm.labels.identity")
LOADING = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "srcset", "object": "data"}


class Page(HTMLParser):
    """What of a page can be wrong."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.language, self.title, self.within = path, "", "", ""
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: list[str] = []
        self.tags: set[str] = set()
        self.unlabelled: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.tags.add(tag)
        self.within = tag
        if tag == "html":
            self.language = said.get("lang") or ""
        if "id" in said:
            self.anchors.append(said["id"] or "")
        if tag == "a":
            self.links.append(said.get("href") or "")
        if tag in LOADING and LOADING[tag] in said:
            self.loaded.append(said[LOADING[tag]] or "")
        if tag == "img" and "alt" not in said:
            self.unlabelled.append(said.get("src", "")[:80])

    def handle_data(self, data: str) -> None:
        if self.within == "title":
            self.title += data
        if self.within == "style" and re.search(r"@import|url\(", data):
            self.loaded.append(data)

    def handle_endtag(self, _tag: str) -> None:
        self.within = ""


def executed(runs: Path, kind: str, name: str) -> None:
    """A notebook of the project as if it had been run: a picture, a table and words come out of each cell of code."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": "<table><tr><td>1</td></tr></table>"})]
    (runs / "executed" / kind).mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, runs / "executed" / kind / f"{name}.ipynb")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Page]]]:
    """The site of the checkout and its results, with three notebooks and a few modules, and its pages as parsed."""
    runs = tmp_path_factory.mktemp("site")
    for kind, name in ((OWN, "03-loss-by-hand"), (OWN, "10-table1"), ("supplied-quick-mvlm-tiny", "10-table1")):
        executed(runs, kind, name)
    csv = runs / "results/supplied-quick-mvlm-tiny/tables/table1.csv"
    csv.parent.mkdir(parents=True)
    csv.write_text("n\n1\n")
    stale = runs / "html/items/gone.html"
    stale.parent.mkdir(parents=True)
    stale.write_text("of before")
    written = build(Sources(runs=runs), MODULES)
    folder = runs / "html"
    pages = {path.relative_to(folder).as_posix(): Page(path) for path in folder.rglob("*.html")}
    assert set(written) == set(pages) and len(written) == len(set(written))
    yield folder, pages


def test_every_link_leads_to_a_file_and_an_anchor_that_are_there(site):
    folder, pages = site
    broken = []
    for name, page in pages.items():
        for link in page.links:
            parts = urlparse(link)
            if parts.scheme:
                assert parts.scheme in ("http", "https"), f"{name}: {link}"
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path.resolve()
            inside = target.relative_to(folder.resolve()).as_posix() if target.is_relative_to(folder.resolve()) else ""
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in pages[inside].anchors):
                broken.append(f"{name}: {link}")
            # But for the results of other data, which are not copied, all lies in the one folder.
            assert inside or "supplied-quick-mvlm-tiny" in link, f"{name}: {link}"
    assert broken == []


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_run(site):
    _, pages = site
    for name, page in pages.items():
        assert not {"script", "iframe", "object", "embed"} & page.tags, name
        for loaded in page.loaded:
            parts = urlparse(loaded)
            assert parts.scheme == "data" or (not parts.scheme and not parts.netloc), f"{name}: {loaded[:80]}"
            assert parts.scheme or (page.path.parent / unquote(parts.path)).is_file(), f"{name}: {loaded[:80]}"
    assert not re.search(r"@import|url\(", (docs.SITE / docs.STYLE).read_text(encoding="utf-8"))


def test_every_page_has_a_title_a_language_a_heading_and_words_for_its_pictures(site):
    _, pages = site
    titles = [page.title for name, page in pages.items() if not name.startswith("supplied")]
    assert all(titles) and len(titles) == len(set(titles))
    for name, page in pages.items():
        assert page.language == "en" and {"main", "h1"} <= page.tags and not page.unlabelled, name
        assert len(page.anchors) == len(set(page.anchors)), name


def test_the_start_page_says_what_the_readme_says(site):
    folder, pages = site
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = (folder / "index.html").read_text(encoding="utf-8")
    claims = [claim for _, claims in findings(readme) for claim, _ in claims]
    assert len(claims) >= 5 and text.count('<details class="finding">') == len(claims)
    plain = re.sub(r"<[^>]*>", "", text)
    for claim in claims:
        assert re.sub(r"\s+", " ", claim) in re.sub(r"\s+", " ", plain), claim
    commands = re.findall(r"`(make [a-z]+)`", start(readme).partition("## First commands")[2])
    assert commands[:2] == ["make app", "make tables"]
    assert "make tables" in start(readme) and "Needed: " in start(readme) and "unofficial replication" in start(readme)
    assert {"readme.html", "lessons.html", "tables.html", "how-to.html", "api/index.html"} <= set(
        pages["index.html"].links
    )


def test_findings_are_the_bold_points_and_no_roles():
    text = "# T\n\n- **One thing.** Because\n  of it.\n- **Reader:** do.\n\n## More\n\n- **Where** ([x](y)): there.\n"
    (none, first), (more, second) = findings(text)
    assert none is None and first == [("One thing", "Because\nof it.")]
    assert more.text == "More" and second == [("Where", "([x](y)): there.")]


def test_notebooks_that_were_run_are_pages_and_the_others_have_their_command(site):
    folder, pages = site
    text = (folder / "lessons.html").read_text(encoding="utf-8")
    assert f"{OWN}/03-loss-by-hand.html" in pages["lessons.html"].links
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} <= set(pages["lessons.html"].anchors)
    assert text.index("The command beside a notebook runs it") < text.index("<h3") and "<code>make docs</code>" in text
    assert "Not run in this checkout yet" in re.search(r'id="04-gradients".*?<h3', text, re.DOTALL)[0]
    lesson = (folder / OWN / "03-loss-by-hand.html").read_text(encoding="utf-8")
    assert lesson.index('class="made"') < lesson.index("<h2") and "<summary>imports</summary>" in lesson
    assert "../results/supplied-quick-mvlm-tiny/tables/table1.csv" in pages["lessons.html"].links


def test_tables_and_figures_lead_to_their_sidecar_notebook_and_command(site):
    folder, pages = site
    found = {path.stem for kind in ("tables", "figures") for path in (RESULTS / kind).glob("*.json")}
    pages_of = {name.removeprefix("items/").partition("-")[2][:-5] for name in pages if name.startswith("items/")}
    assert found <= pages_of and "even-half" in pages_of
    page = pages["items/table-table1.html"]
    assert {f"../files/results/tables/table1.{suffix}" for suffix in ("csv", "md", "tex", "json")} <= set(page.links)
    assert f"../{OWN}/10-table1.html" in page.links
    text = page.path.read_text(encoding="utf-8")
    sidecar = json.loads((RESULTS / "tables/table1.json").read_text(encoding="utf-8"))
    assert "<code>make tables</code>" in text and sidecar["content_key"] in text and sidecar["columns"]["mean"] in text
    first = (RESULTS / "tables/table1.md").read_text(encoding="utf-8").splitlines()[4].split(" | ")[0].lstrip("| ")
    assert f"<td>{first}</td>" in text


def test_no_two_items_of_a_sheet_are_called_alike(site):
    folder, pages = site
    for sheet in ("tables.html", "figures.html"):
        called = re.findall(r'<li><a href="items/[^>]*>(?:<img[^>]*>)?([^<]+)</a>', (folder / sheet).read_text("utf-8"))
        assert len(called) > 5 and len(called) == len(set(called))
        named = {"Table II · The ladder, drawn", "Table II · Every method against the frozen baseline"}
        assert named & set(called) and not any(name.startswith("Table II · Table II") for name in called)
    assert "<h1>Audit · The verdicts</h1>" in pages["items/table-audit.html"].path.read_text("utf-8")


def test_the_api_tells_what_docstrings_do(site):
    folder, pages = site
    text = (folder / "api/mvlm/labels/clusters.html").read_text(encoding="utf-8")
    assert "Pseudo-labels by clustering" in text and "Alias for field number" not in text and "whole source" in text
    assert "read_mesh" in pages["api/mvlm/faces.html"].anchors  # which the package imports only when it is asked for
    identity = (folder / "api/mvlm/labels/identity.html").read_text(encoding="utf-8")
    assert 'href="#relabel"' in identity and "#Discriminant.count" not in identity  # which every tuple has
    listed = api._listed("name   what `<x>` is\nkind   <what>, $x^2$\n\ntext")
    assert listed.startswith("\n- `name` what `<x>` is\n- `kind` &lt;what>, <img") and listed.endswith("\n\ntext")
    assert {"mvlm", "mvlm.publish.docs", "mvlm.losses.equations"} <= set(api.modules(ROOT / "mvlm"))
    assert api.summary("Of one thing.\n\nAnd more.") == "Of one thing" and api.summary(None) == ""


def test_numbers_of_the_model_card_are_read_where_they_are_kept(site):
    folder, _ = site
    text = (folder / "model-card.html").read_text(encoding="utf-8")
    known = facts.shipped()
    assert f"{known['weights']['parameters']:,} parameters" in text and known["weights"]["sha256"] in text
    assert f"{known['persons']['scans']:,} scans" in text and "{{" not in text
    assert "../" not in re.findall(r'src="([^"]*identity-ways[^"]*)"', text)[0]
    for name in ("model-card.md", "intended-use.md", "how-to.md"):
        prose = (docs.SITE / name).read_text(encoding="utf-8")
        outside = re.sub(r"```.*?```|`[^`]*`|\{\{.*?\}\}|\(1\) to \(8\)|\d+ GPUs|SHA-256", "", prose, flags=re.DOTALL)
        assert not re.search(r"\d+(\.\d+)? ?(%|percent)|\d\.\d", outside), name


def test_a_fact_or_a_link_that_is_not_there_is_named(tmp_path: Path):
    places = Places(tmp_path, tmp_path / "html")
    with pytest.raises(
        ValueError, match=r"card.html: expected a fact of what is shipped, found \{\{weights.colour\}\}"
    ):
        facts.filled("{{weights.colour}}", {"weights": {}}, [], places, "card.html")
    assert facts.filled("{{table summary}}", {}, [], places, "card.html") == "*Table summary has not been made yet.*"
    with pytest.raises(ValueError, match="A.md: the link gone.md leads to gone.md, which has no page and is no file"):
        places.resolver("A.md", "a.html")("gone.md")


def test_links_between_pages_and_to_copies(tmp_path: Path):
    (tmp_path / "LICENSE").write_text("MIT")
    places = Places(tmp_path, tmp_path / "html", {"docs/b.md": "b.html"})
    resolve = places.resolver("docs/a.md", "deep/a.html")
    assert resolve("b.md#x") == "../b.html#x" and resolve("https://example.org") == "https://example.org"
    assert resolve("../LICENSE") == "../files/LICENSE" and (tmp_path / "html/files/LICENSE").read_text() == "MIT"
    assert places.known("b.html")("docs/b.md") is None and places.known("c.html")("docs/b.md") == "b.html"
    assert relative("api/mvlm/x.html", "api/mvlm.html") == "mvlm/x.html"


def test_a_notebook_without_a_place_is_named(tmp_path: Path):
    said = {"mvlm": {"in_the_paper": "Table I", "targets": []}}
    nbformat.write(nbformat.v4.new_notebook(metadata=said), tmp_path / "99-new.ipynb")
    with pytest.raises(ValueError, match="99-new: its metadata lack targets, see mvlm/publish/declared.py"):
        build(Sources(runs=tmp_path / "runs", notebooks=tmp_path), ())
