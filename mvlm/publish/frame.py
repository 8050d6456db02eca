"""What is around the text of every page: head, navigation, style. No page has a script, or loads from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from mvlm.publish.markup import Heading

SITE = Path(__file__).with_name("site")  # the prose and the style
STYLE = "style.css"
DEEPEST = 3  # level of the headings that the navigation shows


def framed(
    title: str,
    body: str,
    *,
    here: str = "",
    navigation: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    headings: Iterable[Heading] = (),
    beside: str = "",
) -> str:
    """A whole page.

    Args:
        title: of the page, as text.
        body: what it says, as HTML.
        here: where it lies in the site: "api/mvlm/method.html".
        navigation: of the site, heading -> titles and pages; None makes a page that stands alone, its style inside it.
        headings: of the body, which the navigation leads to.
        beside: further HTML of the navigation.
    """
    root = "../" * here.count("/")
    if navigation is None:
        style, name = f"<style>{(SITE / STYLE).read_text(encoding='utf-8')}</style>", title
    else:
        style, name = f'<link rel="stylesheet" href="{root}{STYLE}">', f"{title} · mvlm"
    first, *rest = [heading for heading in headings if heading.level <= DEEPEST] or [None]
    inside = rest if first is None or first.level == 1 else [first, *rest]  # all but the page's own
    menu = "" if navigation is None else _menu(here, root, navigation, inside, beside)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(name, quote=False)}</title>\n{style}\n</head>\n<body>\n"
        f'<a class="skip" href="#text">To the text</a>\n{menu}<main id="text">\n{body}\n</main>\n</body>\n</html>\n'
    )


def _menu(
    here: str,
    root: str,
    navigation: Mapping[str, Sequence[tuple[str, str]]],
    headings: Sequence[Heading],
    beside: str,
) -> str:
    parts = [f'<a class="name" href="{root}index.html">mvlm</a>']
    for group, pages in navigation.items():
        lines = []
        for title, page in pages:
            if page == here:
                lines.append(f'<li><a href="#text" aria-current="page">{escape(title)}</a></li>')
            else:
                lines.append(f'<li><a href="{root}{page}">{escape(title)}</a></li>')
        parts.append(f"<p>{escape(group)}</p>\n<ul>{''.join(lines)}</ul>")
    if headings:
        found = "".join(
            f'<li class="level{heading.level}"><a href="#{heading.anchor}">{escape(heading.text, quote=False)}</a></li>'
            for heading in headings
        )
        parts.append(f'<div class="inside"><p>On this page</p>\n<ul>{found}</ul></div>')
    if beside:
        parts.append(f'<div class="inside">{beside}</div>')
    return f'<nav aria-label="Site">\n{chr(10).join(parts)}\n</nav>\n'
