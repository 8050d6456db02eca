"""What prose of the site may say in numbers: read where they are kept, never typed.

In the Markdown of the site `{{weights.recipe.faces}}` stands for a number of what is shipped, and a line
`{{table foundation}}` or `{{figure foundation}}` for an item of the results, with a link to its page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from math import prod
from pathlib import Path
from typing import Any

from mvlm.publish.items import Item, shown
from mvlm.publish.places import Places, relative
from mvlm.settings import MODEL

PACKAGE = Path(__file__).parent.parent
LONG = 14  # rows of a table that is folded
_FACT = re.compile(r"\{\{([\w.-]+)\}\}")
_ITEM = re.compile(r"^\{\{(table|figure) ([\w-]+)\}\}$", flags=re.MULTILINE)


def shipped(package: Path = PACKAGE) -> dict[str, Any]:
    """What is known of the shipped weights and of what removes persons, from their files alone."""
    from safetensors import safe_open

    def size(path: Path, unit: float) -> str:
        return f"{path.stat().st_size / unit:.1f}"

    model, persons = (package / f"weights/{name}.safetensors" for name in (MODEL, f"{MODEL}-persons"))
    with safe_open(model, framework="np") as file:
        count = sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - not a mapping
    with safe_open(persons, framework="np") as file:
        made = json.loads(file.metadata()["mvlm"])
    read = {
        "model": json.loads((package / f"{MODEL}.json").read_text(encoding="utf-8")),
        "weights": json.loads((package / f"weights/{MODEL}.json").read_text(encoding="utf-8")),
        "persons": made | {"kilobytes": size(persons, 1e3)},
    }
    read["weights"] |= {"parameters": count, "megabytes": size(model, 1e6)}
    return read


def filled(markdown: str, facts: Mapping[str, Any], items: Iterable[Item], places: Places, here: str) -> str:
    """Markdown with its facts and items in their places.

    Raises ValueError for a fact that is not known. An item that is not there is said to be so.
    """
    known = {(item.kind[:-1], item.name): item for item in items}

    def fact(found: re.Match[str]) -> str:
        value: Any = facts
        for name in found[1].split("."):
            if not isinstance(value, Mapping) or name not in value:
                raise ValueError(f"{here}: expected a fact of what is shipped, found {found[0]}")
            value = value[name]
        return _said(value)

    def item(found: re.Match[str]) -> str:
        one = known.get((found[1], found[2]))
        if one is None:
            return f"*{found[1].capitalize()} {found[2]} has not been made yet.*"
        html = shown(one, places, here)
        if html.count("<tr>") > LONG:
            html = f"<details><summary>{escape(one.title)}</summary>\n{html}</details>"
        html = re.sub(r"\n\s*\n", "\n", html)  # a blank line would end the HTML of the Markdown
        link = f'<a href="{relative(one.page, here)}">where it comes from</a>'
        return f'{html}<p class="quiet">{found[1].capitalize()} <code>{one.name}</code>, {link}.</p>\n'

    return _FACT.sub(fact, _ITEM.sub(item, markdown))


def _said(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
