"""The tab "The paper": a table or a figure on the left; on the right where the chosen number comes from."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mvlm.app import paper
from mvlm.app.paper import Item, Sheet
from mvlm.app.pieces import plain

WIDTHS = (9, 4)
HEIGHT = 560  # pixels of a table, which scrolls by itself
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
    with right:
        _number(item, rows, said, place)
        _item_origin(item, said)


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
    if item.kind == "tables" and item.in_the_paper:
        asked = paper.protocols(rows)
        protocol = st.selectbox("Measured here by", asked, key=f"protocol of {item.name}")
        sheet = paper.table(rows, protocol)
    else:
        sheet = paper.sheet(rows)
    place = _grid(item, sheet)
    for note in paper.notes(item):
        st.caption(plain(note))
    return place


def _grid(item: Item, sheet: Sheet) -> tuple[int, str] | None:
    first = {sheet.cells.columns[0]: st.column_config.Column(pinned=True, width="medium")}
    found = st.dataframe(
        sheet.cells, hide_index=True, on_select="rerun", selection_mode="single-cell", key=f"cells of {item.name}",
        height=min(HEIGHT, 36 * len(sheet.cells) + 38), column_config=first,
    )  # fmt: skip
    return next((sheet.places.get(cell) for cell in map(tuple, found.selection.cells)), None)


def _number(item: Item, rows: Any, said: dict[str, Any], place: tuple[int, str] | None) -> None:
    if place is None:
        st.info("Choose a number by a click, or by the arrow keys, to see where it comes from.")
        return
    found = paper.origin(item, rows, said, place)
    st.subheader(plain(found.value), anchor=False)
    st.markdown(plain(found.whose))
    facts = [{"": name, "value": plain(value), "meaning": plain(of)} for name, (value, of) in found.facts.items()]
    st.table(facts)
    st.caption(plain(found.row))


def _item_origin(item: Item, said: dict[str, Any]) -> None:
    st.markdown(f"Made by the notebook `notebooks/{item.notebook}.ipynb`; made again by")
    st.code(item.command, language="bash")
    with st.expander(f"The sidecar, `results/{item.kind}/{item.name}.json`"):
        st.json(said, expanded=1)
