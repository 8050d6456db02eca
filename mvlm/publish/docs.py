"""The site, `runs/html/index.html`: `python -m mvlm.publish.docs` makes it of what is there, and runs nothing.

Pages of notebooks come from the executed copies in `runs/executed`, tables and figures from `results/`, the API from
docstrings, the rest from README.md, DATA.md and the texts in `mvlm/publish/site/`. It opens from files: no script, no
font and no picture comes from elsewhere. What no page shows is copied along, so that the folder can be moved.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from mvlm.cache.files import write_text
from mvlm.machine import command, expect_writable
from mvlm.publish import api, facts, items, pages
from mvlm.publish.declared import NOTEBOOKS, declared, promises, read
from mvlm.publish.frame import SITE, STYLE, framed
from mvlm.publish.markup import Heading, Prose, prose
from mvlm.publish.places import FILES, Places, relative
from mvlm.settings import RESULTS, ROOT, RUNS, Settings

START, LESSONS, TABLES, FIGURES, API = "index.html", "lessons.html", "tables.html", "figures.html", "api/index.html"
_OWN = "mvlm/publish/site"
# Texts: their place in the checkout -> page and title. Those that are not there have no page.
TEXTS = {
    "README.md": ("readme.html", "README"),
    "REPRODUCIBILITY.md": ("reproducibility.html", "Reproducibility"),
    "DATA.md": ("data.html", "Data"),
    f"{_OWN}/model-card.md": ("model-card.html", "Model card"),
    f"{_OWN}/intended-use.md": ("intended-use.html", "Intended use"),
    f"{_OWN}/how-to.md": ("how-to.html", "How to"),
    "CONTRIBUTING.md": ("contributing.html", "Contributing"),
    "CHANGELOG.md": ("changes.html", "Changes"),
}
# The navigation: groups of pages, those of texts by their places.
GROUPS = {
    "Read": (START, "README.md", "REPRODUCIBILITY.md"),
    "See": (LESSONS, TABLES, FIGURES),
    "Know": ("DATA.md", f"{_OWN}/model-card.md", f"{_OWN}/intended-use.md"),
    "Work on it": (f"{_OWN}/how-to.md", API, "CONTRIBUTING.md", "CHANGELOG.md"),
}
TITLES = {START: "Start", LESSONS: "Notebooks", TABLES: "Tables", FIGURES: "Figures", API: "API"}
SAID = {
    START: "",
    LESSONS: "lessons and reports, with what they printed and drew",
    TABLES: "each with its files, its notebook and the command that makes it",
    FIGURES: "the same for what is drawn",
    API: "every public function and class, from its docstring, with the source",
    "README.md": "all of it: findings with their numbers, commands, training end to end",
    "REPRODUCIBILITY.md": "what of the paper could be made again, on one page",
    "DATA.md": "the licensed corpora, where their files go, and the twins that stand in for them",
    f"{_OWN}/model-card.md": "what the shipped model learnt from, and how well it does what",
    f"{_OWN}/intended-use.md": "what it is for, what it must not be used for, and why",
    f"{_OWN}/how-to.md": "the ten things people want to change, each as a recipe that is tested",
    "CONTRIBUTING.md": "how to change this and be sure of it",
    "CHANGELOG.md": "what changed",
}
FIRST_SEEN = ("faces-expressions", "fig7", "identity-ways")  # figures of the first page


class Run(NamedTuple):
    """What was run for one kind of data, profile and model: the notebooks' executed copies, and where results lie."""

    kind: str
    executed: dict[str, Path]
    results: Path


class Sources(NamedTuple):
    """What a site is made of: the checkout, and what was run in it."""

    root: Path = ROOT
    runs: Path = RUNS
    results: Path = RESULTS
    notebooks: Path = NOTEBOOKS


def build(sources: Sources = Sources(), modules: Sequence[str] | None = None) -> list[str]:  # noqa: B008 - immutable
    """Write the site below `runs/html`; return its pages.

    Args:
        sources: where what it is made of lies.
        modules: those that the API has pages of; None: all.

    Raises:
        ValueError: a text leads to nothing, or a notebook does not say what it stands for.
    """
    site = _Site(sources, api.modules(sources.root / "mvlm") if modules is None else modules)
    site.write()
    return site.written


class _Site:
    """A site while it is written."""

    def __init__(self, sources: Sources, modules: Sequence[str]):
        self.sources, self.modules, self.folder = sources, modules, sources.runs / "html"
        self.places = Places(sources.root, self.folder)
        self.notebooks = {path.stem: read(path) for path in sorted(sources.notebooks.glob("*.ipynb"))}
        for name, notebook in self.notebooks.items():
            if lacking := {"in_the_paper", "targets"} - {key for key, said in declared(notebook).items() if said}:
                lack = ", ".join(sorted(lacking))
                raise ValueError(f"{name}: its metadata lack {lack}, see mvlm/publish/declared.py")
        self.own, *self.others = runs(sources, self.notebooks)
        self.items = items.find(sources.results, self.notebooks)
        self.texts = {path: of for path, of in TEXTS.items() if (sources.root / path).is_file()}
        for path in sorted(sources.results.glob("*/*.md")):
            if path.parent.name not in items.FILES:
                place = f"results/{path.relative_to(sources.results).as_posix()}"
                self.texts[place] = (f"items/{path.parent.name}-{path.stem}.html", f"{path.parent.name}: {path.stem}")
        self.written: list[str] = []
        self._find_places()

    def _find_places(self) -> None:
        known = self.places.pages
        known |= {path: page for path, (page, _) in self.texts.items()}
        for name in self.notebooks:
            ran = name in self.own.executed
            known[f"notebooks/{name}.ipynb"] = f"{self.own.kind}/{name}.html" if ran else f"{LESSONS}#{name}"
        for item in self.items:
            known |= {f"{item.place}.{suffix}": item.page for suffix in ("md", "png")}
            known[item.place] = item.page
        for name in self.modules:
            path = name.replace(".", "/")
            known[path if (self.sources.root / path).is_dir() else f"{path}.py"] = api.page_of(name)
            if "." in name:
                known[name] = api.page_of(name)

    @property
    def navigation(self) -> dict[str, list[tuple[str, str]]]:
        return {group: [(title, page) for _, title, page in self._of(paths)] for group, paths in GROUPS.items()}

    def _of(self, paths: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        """Those of the pages of a group that are there: what stands in `GROUPS`, title, page."""
        for path in paths:
            if path in TITLES:
                yield path, TITLES[path], path
            elif path in self.texts:
                yield path, self.texts[path][1], self.texts[path][0]

    def put(self, page: str, title: str, body: str, headings: Sequence[Heading] = (), beside: str = "") -> None:
        frame = {"here": page, "navigation": self.navigation, "headings": headings, "beside": beside}
        write_text(self.folder / page, framed(title, body, **frame))
        self.written.append(page)

    def write(self) -> None:
        write_text(self.folder / STYLE, (SITE / STYLE).read_text(encoding="utf-8"))
        for path, (page, title) in self.texts.items():
            shown = self.prose((self.sources.root / path).read_text(encoding="utf-8"), path, page)
            self.put(page, title, shown.html, shown.headings)
        for item in self.items:
            self.put(item.page, f"{item.title} · {item.kind[:-1]} {item.name}", items.page(item, self.places))
        for kind, page in (("tables", TABLES), ("figures", FIGURES)):
            self._sheet(kind, page)
        for run in (self.own, *self.others):
            for name, path in run.executed.items():
                self._notebook(run, name, read(path))
        self.put(LESSONS, "Notebooks", self._lessons())
        said = api.render(self.modules, lambda page, title, body, beside: self.put(page, title, body, (), beside))
        body = api.contents(said, lambda page: relative(page, API))
        self.put(API, "API", f"<h1>API</h1>\n<p>{_ROOMS}</p>\n{body}")
        self.put(START, "Start", self._start())
        kept = {self.folder / path for path in (*self.written, *self.places.copies)}
        for folder in (FILES, "items", "api"):
            for path in (self.folder / folder).rglob("*"):
                if path.is_file() and path not in kept:
                    path.unlink()  # of before

    def prose(self, markdown: str, path: str, page: str) -> Prose:
        """A text of the checkout on a page of the site."""
        if path.startswith(_OWN):
            markdown = facts.filled(markdown, facts.shipped(), self.items, self.places, page)
        return prose(markdown, self.places.resolver(path, page), self.places.known(page))

    def _sheet(self, kind: str, page: str) -> None:
        groups = {
            "For the paper": [item for item in self.items if items.place_in_paper(item.made_by) != items.BEYOND],
            "Beyond the paper": [item for item in self.items if items.place_in_paper(item.made_by) == items.BEYOND],
        }
        body, headings = [f"<h1>{TITLES[page]}</h1>\n<p>{_MEASURED}</p>\n"], []
        for title, of in groups.items():
            headings.append(Heading(2, title.lower().replace(" ", "-"), title))
            sheet = items.sheet([item for item in of if item.kind == kind], self.places, page)
            body.append(f'<h2 id="{headings[-1].anchor}">{title}</h2>\n{sheet}')
        if kind == "tables":
            more = [(at, title) for path, (at, title) in self.texts.items() if path.startswith("results/")]
            body += [f'<p><a href="{relative(at, page)}">{escape(title)}</a></p>\n' for at, title in more]
        self.put(page, TITLES[page], "".join(body), headings)

    def _notebook(self, run: Run, name: str, notebook: Mapping[str, Any]) -> None:
        here = f"{run.kind}/{name}.html"
        made = ""
        if run is self.own:
            of = [item for item in self.items if item.notebook == name]
            sheet = items.sheet(sorted(of, key=lambda item: item.kind == "tables"), self.places, here)
            target = declared(notebook)["targets"][0]
            paper = escape(items.place_in_paper(notebook))
            made = (
                f'<div class="made"><p><code>make {target}</code> runs it, <code>notebooks/{name}.ipynb</code>; '
                f"{paper}</p>{sheet}</div>"
            )
        resolve, known = self.places.resolver(f"notebooks/{name}.ipynb", here), self.places.known(here)
        shown = pages.body(notebook, made, resolve, known)
        self.put(here, pages.title(notebook) or name, shown.html, shown.headings)

    def _lessons(self) -> str:
        parts = [f"<h1>Notebooks</h1>\n<p>{_NOTEBOOKS}</p>\n"]
        for name, notebook in self.notebooks.items():
            title, target = escape(pages.title(notebook) or name), declared(notebook)["targets"][0]
            words = prose(pages.about(notebook), self.places.resolver(f"notebooks/{name}.ipynb", LESSONS)).html
            if name in self.own.executed:
                head, state = f'<a href="{self.own.kind}/{name}.html">{title}</a>', ""
            else:
                head, state = title, "Not run in this checkout yet. "
            parts.append(
                f'<h3 id="{name}">{head}</h3>\n{words}<p class="quiet">{state}<code>make {target}</code>, '
                f"{escape(items.place_in_paper(notebook))}</p>\n"
            )
        for run in self.others:
            parts.append(f"<h2>{escape(run.kind)}</h2>\n<p>{_OTHER}</p>\n<ul>\n{''.join(self._of_run(run))}</ul>\n")
        return "".join(parts)

    def _of_run(self, run: Run) -> Iterator[str]:
        for name in run.executed:
            there = [run.results / path for path in promises(self.notebooks[name])]
            files = " · ".join(
                f'<a href="{Path(os.path.relpath(path, self.folder)).as_posix()}">{path.name}</a>'
                for path in there
                if path.is_file()
            )
            yield f'<li><a href="{run.kind}/{name}.html">{name}</a> {files}</li>\n'

    def _start(self) -> str:
        text = (self.sources.root / "README.md").read_text(encoding="utf-8")
        here = self.prose(start(text), "README.md", START).html
        seen = [item for name in FIRST_SEEN for item in self.items if (item.kind, item.name) == ("figures", name)]
        found = []
        for heading, claims in findings(text):
            found.append(f'<h2 id="{heading.anchor}">{escape(heading.text)}</h2>\n' if heading else "")
            for claim, rest in claims:
                head, tail = (self.prose(each, "README.md", START).html for each in (claim, rest))
                head = head.strip().removeprefix("<p>").removesuffix("</p>")
                found.append(f'<details class="finding"><summary>{head}</summary>\n{tail}</details>\n')
        links = [
            f'<dt><a href="{page}">{escape(title)}</a></dt><dd>{escape(SAID[path])}</dd>\n'
            for paths in GROUPS.values()
            for path, title, page in self._of(paths)
            if page != START and path in SAID
        ]
        table = self.prose(first_table(text), "README.md", START).html
        return (
            f"{here}\n{items.sheet(seen, self.places, START)}"
            f'<h2 id="findings">Findings</h2>\n{table}<p>Each of these lines opens. All of it, with tables, is in '
            f'the <a href="{self.texts["README.md"][0]}">README</a>.</p>\n{"".join(found)}'
            f'<h2 id="map">What is where</h2>\n<dl>\n{"".join(links)}</dl>\n'
        )


_ROOMS = (
    "The modules of the package, by rooms. Which room builds on which, and where to begin with the paper in hand, is "
    'in the <a href="../readme.html#following-the-paper">README</a>.'
)
_MEASURED = (
    "Measured on the synthetic twins, by the small model that is shipped: they say nothing of the licensed corpora. "
    "Each page has the numbers at full precision, what they depend on, and the command that makes them again."
)
_NOTEBOOKS = (
    "Each is a lesson or a report with its code. Imports, parameters and what only writes files are folded. Whoever "
    "opens one with <code>make lab</code> runs the same code. The command beside a notebook runs it; "
    "<code>make docs</code> then shows here what it printed and drew. <code>make all</code> does both for those of the "
    "tables, the figures and the lessons."
)
_OTHER = (
    "Of other data, another profile or another model. Pages of supplied scans may show faces: they are for those who "
    "hold the licence, and this folder is not to be passed on."
)


def runs(sources: Sources, names: Iterable[str]) -> list[Run]:
    """What was run of these notebooks: that of the default first, whether it was or not, then the others."""
    own = Settings().results_name("twin")
    folder = sources.runs / "executed"
    others = sorted({path.name for path in folder.glob("*")} - {own})
    found = []
    for kind, where in {own: sources.results, **{kind: sources.runs / "results" / kind for kind in others}}.items():
        copies = {name: folder / kind / f"{name}.ipynb" for name in names}
        executed = {name: path for name, path in copies.items() if path.is_file()}
        found += [Run(kind, executed, where)] * (kind == own or bool(executed))
    return found


def start(readme: str) -> str:
    """Of the README: the title, what this is, and the first commands with what they need."""
    blocks = re.split(r"\n\s*\n", readme)
    table = next((place for place, block in enumerate(blocks) if block.startswith("| command |")), None)
    first = [] if table is None else blocks[table : table + 2]
    return "\n\n".join([*blocks[:3], "## First commands", *first])


def first_table(readme: str) -> str:
    """Of the README: its first table but that of commands, with the block before it and the one behind."""
    blocks = re.split(r"\n\s*\n", readme)
    places = (place for place, block in enumerate(blocks) if re.match(r"\| (?!command )", block))
    place = next(places, None)
    return "" if place is None else "\n\n".join(blocks[place - 1 : place + 2])


def findings(readme: str) -> Iterator[tuple[Heading | None, list[tuple[str, str]]]]:
    """Of the README: under each heading the points that begin in bold, as that sentence and the rest."""
    heading, claims = None, []
    for block in re.split(r"\n(?=## |- )|\n\s*\n", readme):
        if block.startswith("## "):
            if claims:
                yield heading, claims
            text = block.removeprefix("## ").strip()
            heading, claims = Heading(2, re.sub(r"\W+", "-", text.lower()).strip("-"), text), []
        elif found := re.match(r"- \*\*([^*]*[^*:])\*\*[\s,]*(.+)", block, flags=re.DOTALL):
            claims.append((found[1].rstrip("."), re.sub(r"\n {2}", "\n", found[2].strip())))
    if claims:
        yield heading, claims


def main() -> int:
    """Write the site, say where it is, and return the exit status."""
    expect_writable(RUNS)
    begun = time.monotonic()
    try:
        written = build()
    except ValueError as error:
        print(f"docs: {error}")
        return 1
    print(f"docs: {len(written)} pages in {time.monotonic() - begun:.0f} s; runs/html/{START}")
    return 0


if __name__ == "__main__":
    command(main)
