"""Markdown, TeX and code as HTML that loads nothing: what pages of prose, of notebooks and of docstrings share."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html import escape, unescape
from typing import NamedTuple

MATH_SIZE = 11  # points

# Code, which stays, and TeX, between two dollars or one on each side.
_MATH = re.compile(
    r"```.*?```|`[^`]*`|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^\s$](?:[^$\n]*[^\s$])?)\$", flags=re.DOTALL
)
_BARE = re.compile(r"<thead>\s*<tr>(\s*<th[^>]*></th>)*\s*</tr>\s*</thead>\n?")  # a head that names no column
_INTERVAL = re.compile(r"\[([-+\d.]+), ([-+\d.]+)\]")  # of a number, which no line should part
_TAG = re.compile(r"<[^>]*>")


class Heading(NamedTuple):
    """A heading of a page: its level, 1 to 6, the anchor that leads to it, and its text."""

    level: int
    anchor: str
    text: str


class Prose(NamedTuple):
    """A text as HTML, with its headings in their order."""

    html: str
    headings: list[Heading]


def prose(
    markdown: str,
    resolve: Callable[[str], str] = str,
    known: Callable[[str], str | None] | None = None,
    taken: dict[str, int] | None = None,
) -> Prose:
    """Markdown, with tables and TeX, as HTML.

    Args:
        markdown: the text.
        resolve: what a link of the text is on the page.
        known: where a path that stands as code leads to, None where nowhere; by default no code is a link.
        taken: anchors of the page so far, to which those of the text are added: no two are alike.
    """
    import mistune

    headings: list[Heading] = []
    anchors = {} if taken is None else taken

    class Renderer(mistune.HTMLRenderer):
        def heading(self, text: str, level: int, **_attributes) -> str:
            plain = unescape(_TAG.sub("", text))
            anchor = slug(plain)
            anchors[anchor] = anchors.get(anchor, -1) + 1
            anchor += f"-{anchors[anchor]}" * bool(anchors[anchor])
            headings.append(Heading(level, anchor, plain))
            return f'<h{level} id="{anchor}">{text}</h{level}>\n'

        def link(self, text: str, url: str, title: str | None = None) -> str:
            return super().link(text, resolve(url), title)

        def image(self, text: str, url: str, title: str | None = None) -> str:
            return super().image(text, resolve(url), title)

        def codespan(self, text: str) -> str:
            target = known(text) if known else None
            code = f"<code>{escape(text, quote=False)}</code>"
            return f'<a href="{target}">{code}</a>' if target else code

        def block_code(self, code: str, info: str | None = None) -> str:
            return highlighted(code, (info or "text").split()[0])

        def table(self, text: str) -> str:
            whole = _INTERVAL.sub("[\\1,\u00a0\\2]", _BARE.sub("", text))
            return wide(f"<table>\n{whole}</table>")

    render = mistune.create_markdown(renderer=Renderer(escape=False), plugins=["table", "strikethrough"])
    return Prose(render(drawn(markdown)), headings)


def slug(text: str) -> str:
    """The anchor of a heading, as code hosts make it: small letters, figures and hyphens."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") or "section"


def wide(table: str) -> str:
    """A table, or more of them, in a box that scrolls by itself, with the keyboard too."""
    return f'<div class="wide" tabindex="0">{table}</div>\n'


def highlighted(code: str, language: str) -> str:
    """Code as HTML, its words marked where the language is known."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name({"sh": "bash"}.get(language, language), stripnl=False)
    except ClassNotFound:  # a tree of folders, a cell of a table
        text = escape(code.rstrip("\n"), quote=False)
    else:
        text = highlight(code.rstrip("\n"), lexer, HtmlFormatter(nowrap=True)).rstrip("\n")
    return f'<pre tabindex="0"><code>{text}</code></pre>\n'


def drawn(markdown: str) -> str:
    """Markdown with TeX as pictures in their lines, or as it stands where it is code or beyond matplotlib's TeX."""
    return _MATH.sub(_drawn, markdown)


def _drawn(found: re.Match[str]) -> str:
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
    alternative = escape(tex.strip())
    return f'<img class="math" alt="{alternative}" style="{style}; {size}" src="data:image/svg+xml;base64,{data}">'
