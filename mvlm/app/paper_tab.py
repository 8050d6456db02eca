"""The tab "The paper": a table or a figure on the left; on the right where the chosen number comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import streamlit as st

from mvlm.app import paper
from mvlm.app.paper import Item, Origin, Sheet
from mvlm.app.pieces import plain

WIDTHS = (9, 4)
# Where a chosen number comes from stays in sight, however far down it stands.
STAYS = """<style>
    *:has(> .st-key-origin) {position: sticky; top: 1rem}
    .st-key-origin {max-height: 75vh; overflow-y: auto}
</style>"""
PARTS = {
    "Tables I to III": ("tables", True),
    "Figures of the paper": ("figures", True),
    "Further tables": ("tables", False),
    "Further figures": ("figures", False),
}


def show() -> None:
    """Lays the tab out."""
    if why := paper.lacking():
        st.info(why)
        return
    item = _chosen()
    rows, said = paper.frame(item), paper.sidecar(item)
    left, right = st.columns(WIDTHS, gap="medium")
    with left:
        place = _item(item, rows, said)
    st.html(STAYS)
    with right, st.container(key="origin"):
        _origin(item, said, None if place is None else paper.origin(item, rows, said, place))


def _chosen() -> Item:
    one, two = st.columns(WIDTHS, gap="medium", vertical_alignment="bottom")
    part = one.segmented_control("Show", list(PARTS), default=next(iter(PARTS)), required=True, key="part")
    kind, in_the_paper = PARTS[part]
    fitting = [item for item in paper.items() if (item.kind, item.in_the_paper) == (kind, in_the_paper)]
    return two.selectbox("Which one", fitting, format_func=lambda of: of.title, key=f"which of {part}")


def _item(item: Item, rows: Any, said: dict[str, Any]) -> tuple[int, str] | None:
    """The item; returns where in its CSV the chosen number stands."""
    st.subheader(plain(item.about), anchor=False)
    if item.kind == "figures":
        st.image(paper.file(item, "png"), alt=paper.alternative(item, rows, said), width="stretch")
        st.caption(plain(paper.beneath(said)))
    if item.kind == "tables" and item.in_the_paper:
        asked = paper.protocols(rows)
        protocol = st.selectbox("Measured here by", asked, key=f"protocol of {item.name}")
        sheets = paper.tables(rows, protocol)
    else:
        sheets = {"": paper.sheet(rows)}
    place = _grids(item, sheets)
    for note in paper.notes(item):
        st.caption(plain(note))
    return place


def _grids(item: Item, sheets: dict[str, Sheet]) -> tuple[int, str] | None:
    """A grid each, below its heading; returns where in the CSV the number stands that was chosen last."""
    turns = st.session_state.setdefault("turns of grids", Counter())
    keys = {heading: f"cells of {item.name} {heading}" for heading in sheets}
    places = []
    for heading, sheet in sheets.items():
        if heading:
            st.markdown(f"**{plain(heading)}**")
        places.append(_grid(sheet, keys[heading], set(keys.values()) - {keys[heading]}, turns))
    return next(filter(None, places), None)


def _grid(sheet: Sheet, key: str, others: set[str], turns: Counter) -> tuple[int, str] | None:
    """One grid; what is chosen in it is chosen in none of the others, which begin another turn."""
    size, first = paper.size(sheet.cells), sheet.cells.columns[0]
    columns = {name: st.column_config.Column(pinned=name == first, width=width) for name, width in size.widths.items()}
    if size.more:
        st.caption(size.more)
    found = st.dataframe(
        sheet.cells, hide_index=True, on_select=partial(_clear, others, turns), selection_mode="single-cell",
        key=_named(key, turns), height=size.height, row_height=size.row, column_config=columns,
    )  # fmt: skip
    return next((sheet.places.get(cell) for cell in map(tuple, found.selection.cells)), None)


def _clear(keys: Iterable[str], turns: Counter) -> None:
    """Begins another turn of those grids in which a cell is chosen; others stay, and so do their place and focus."""
    there = ((key, st.session_state.get(_named(key, turns))) for key in keys)  # not yet, if clicks outrun the page
    turns.update([key for key, grid in there if grid is not None and grid.selection.cells])


def _named(key: str, turns: Counter) -> str:
    return f"{key} {turns[key]}"


def _origin(item: Item, said: dict[str, Any], found: Origin | None) -> None:
    """Where the item comes from, and the number that was `found` in it."""
    if found is None:
        st.info("Choose a number by a click, or by the arrow keys, to see where it comes from.")
    else:
        st.subheader(plain(found.value), anchor=False)
        st.markdown(plain(found.whose))
        st.caption(plain(found.row))
    st.markdown(f"Made by the notebook `notebooks/{item.notebook}.ipynb`; made again by")
    st.code(item.command, language="bash")
    with st.expander(f"The sidecar, `results/{item.kind}/{item.name}.json`"):
        st.json(said, expanded=1)
    if found is not None:
        st.caption("All that stands in this line; it scrolls.")
        told = found.facts.items()
        st.table([{"": name, "value": plain(value), "meaning": plain(of)} for name, (value, of) in told])
