"""API pages from docstrings, by pdoc, in the frame of the site. Formulas are drawn here: no script does it."""

from __future__ import annotations

import posixpath
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from importlib import import_module
from pathlib import Path

from mvlm.publish.frame import SITE
from mvlm.publish.markup import drawn, highlighted

# "name   what it is" in columns, as docstrings list attributes and forms: a list for Markdown.
_COLUMNS = re.compile(r"^([\w.<>{}, |-]*[\w}>]) {2,}(?=\S)(.*)$")
_PART = re.compile(r"<h6[^>]*>(.*?)</h6>")  # "Arguments:", which every docstring of a page has
_ANCHOR = re.compile(r' id="([^"]+)"')
_LINK = re.compile(r'<a href="([^"#:]*)#([^"]+)"[^>]*>(.*?)</a>', flags=re.DOTALL)
_GENERATED = ("Alias for field number", "Create new instance of")  # docstrings of named tuples
_CODE = re.compile(r"`[^`]*`|<(?=[a-z/])|(?<=\w)\*(?=\w)")
_QUOTED = re.compile(r"`([^`]*)`")


def modules(package: Path) -> list[str]:
    """Names of the modules in the folder of a package, but for those that are programs."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if parts[-1] != "__main__":
            found.append(".".join(parts[: -1 if parts[-1] == "__init__" else None]))
    return sorted(found)


def page_of(module: str) -> str:
    """The page of a module."""
    return f"api/{module.replace('.', '/')}.html"


def summary(docstring: str | None) -> str:
    """The first sentence of a docstring."""
    return " ".join((docstring or "").strip().partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def render(names: Sequence[str], write: Callable[[str, str, str, str], None]) -> dict[str, str]:
    """Write the pages of modules; return the first sentence of each.

    Args:
        names: the modules, which are imported.
        write: takes a page's place, title, body and members, the last two as HTML.
    """
    import pdoc.render
    from pdoc import doc
    from pdoc.render_helpers import to_html, to_markdown_with_context

    pdoc.render.configure(
        docformat="google", template_directory=SITE / "pdoc", search=False, show_source=False,
        include_undocumented=False,
    )  # fmt: skip
    environment = pdoc.render.env
    environment.filters |= {
        "to_markdown": to_markdown_with_context,
        "to_html": lambda text: _PART.sub(r'<p class="part">\1</p>', to_html(_listed(text))),
    }
    _bring_in(names)
    found: Mapping[str, doc.Module] = {name: doc.Module.from_name(name) for name in names}
    shown: dict[str, tuple[str, str]] = {}
    for name, module in found.items():
        for each in (member for of in module.classes for member in of.members.values()):
            if each.docstring.startswith(_GENERATED):
                each.docstring = ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of annotations that only a type checker can read
            members, _, body = pdoc.render.html_module(module, found).partition("<!--members end-->")
        shown[page_of(name)] = (members.strip() if "<li>" in members else "", body)
    anchors = {page: set(_ANCHOR.findall(body)) for page, (_, body) in shown.items()}
    for (page, (members, body)), (name, module) in zip(shown.items(), found.items(), strict=True):
        source = highlighted(module.source, "python") if module.source else ""
        source = f"<details><summary>the whole source</summary>\n{source}</details>\n" if source else ""
        write(page, name, _linked(body, page, anchors) + source, members)
    return {name: summary(module.docstring) for name, module in found.items()}


def contents(said: Mapping[str, str], link: Callable[[str], str]) -> str:
    """The page of all modules, a section for each room, as HTML."""
    rooms: dict[str, list[str]] = {}
    for name in said:
        rooms.setdefault(".".join(name.split(".")[:2]), []).append(name)
    return "".join(_room(names, said, link) for names in rooms.values())


def _room(names: Iterable[str], said: Mapping[str, str], link: Callable[[str], str]) -> str:
    lines = []
    for name in names:
        words = _QUOTED.sub(r"<code>\1</code>", escape(said[name], quote=False))
        lines.append(f'<dt><a href="{link(page_of(name))}"><code>{name}</code></a></dt><dd>{words}</dd>\n')
    return f'<dl class="modules">\n{"".join(lines)}</dl>\n'


def _linked(body: str, page: str, anchors: Mapping[str, set[str]]) -> str:
    """A body without its links to members that have no place on any page: inherited, or without a docstring."""

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), found[1])) if found[1] else page
        return found[0] if found[2] in anchors[target] else found[3]

    return _LINK.sub(link, body)


def _bring_in(names: Iterable[str]) -> None:
    """Import modules, and what a package names and imports only when it is asked for."""
    for name in names:
        module = import_module(name)
        for each in getattr(module, "__all__", ()):
            module.__dict__.setdefault(each, getattr(module, each))


def _listed(markdown: str) -> str:
    """Markdown of a docstring: columns as lists, no tags, products for products, TeX drawn."""
    lines = []
    for line in markdown.splitlines():
        found = _COLUMNS.match(line)
        if found:
            lines += [""] * (not lines or not lines[-1].startswith(("- ", "  "))) + [f"- `{found[1]}` {found[2]}"]
        else:
            lines.append(line)
    return drawn(_CODE.sub(lambda code: {"<": "&lt;", "*": r"\*"}.get(code[0], code[0]), "\n".join(lines)))
