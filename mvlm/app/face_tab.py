"""The tab "A face of one's own": sliders on the left; on the right views, words, heat if asked for, and the files."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from PIL import Image

from mvlm.app import own_face, pieces
from mvlm.app.model import chosen
from mvlm.app.own_face import CLASSES, FEATURES, FORMATS, GROUPS, JAW, LEVELS, PEOPLE, STEP, YEARS, Person, Seen
from mvlm.app.pieces import plain
from mvlm.app.scan_tab import REST, legend
from mvlm.app.worker import LOADING, Refused, shared
from mvlm.classify.verdicts import SIDE
from mvlm.faces.corpora.items import NEUTRAL
from mvlm.faces.views import view_names
from mvlm.twins.expressions import Units
from mvlm.twins.face.units import ACTION_UNITS

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

HEIGHT = 670  # pixels of the sliders, which scroll by themselves, so that the face stays in sight
CONTROLS = f"{sum(map(len, GROUPS.values()))} action units, and below them the person: the box scrolls."
SIDES = ("left", "right")  # of the subject, as pairs of intensities have them


@dataclass
class Shown:
    """What the sliders say; it outlives those that are not on the page."""

    person: Person
    units: Units = field(default_factory=dict)
    emotion: str = NEUTRAL
    level: str = LEVELS[-1]
    together: bool = True


def show() -> None:
    """Lays the tab out."""
    if not shared.loaded and st.session_state["waits"]:
        return
    try:
        shown = _shown()
        left, right = st.columns([5, 6], gap="large")
        with right:  # first: it is what somebody waits for who has moved a slider
            _face(shown)
        with left:
            _start(shown)
            st.caption(CONTROLS)
            with st.container(height=HEIGHT):
                _units(shown)
                _person(shown)
    except Refused as error:
        st.error(plain(str(error)))


def word(emotion: str) -> str:
    """What one of `CLASSES` is called here."""
    return REST if emotion == NEUTRAL else emotion


def said(units: Units) -> str:
    """Action units in words, those that are not 0."""
    each = []
    for unit, (left, right) in sorted(units.items()):
        if left or right:
            sides = f"{left:.0%}" if left == right or unit in JAW else f"left {left:.0%}, right {right:.0%}"
            each.append(f"{unit} {ACTION_UNITS[unit]} {sides}")
    return "; ".join(each) or "no action units: a face at rest"


def _shown() -> Shown:
    if "own face" not in st.session_state:
        first = shared.ask(own_face.draw, 0, seconds=LOADING)  # for which the face model is loaded, or even made
        st.session_state["own face"] = Shown(first, own_face.preset("surprise"), "surprise")
    return st.session_state["own face"]


def _start(shown: Shown) -> None:
    """Where to start from: somebody, and an expression; both set the sliders."""
    one, two = st.columns(2, vertical_alignment="bottom")
    _kept(one.number_input, "Person number", shown.person.number, partial(_meet, shown), min_value=0,
          max_value=PEOPLE - 1, step=1)  # fmt: skip
    two.button("Somebody else", on_click=_somebody, args=(shown,), width="stretch")
    one, two = st.columns(2)
    _kept(one.selectbox, "Start from an expression", shown.emotion, partial(_express, shown), options=CLASSES,
          format_func=word)  # fmt: skip
    _kept(two.selectbox, "How strong", shown.level, partial(_grow, shown), options=LEVELS,
          disabled=shown.emotion == NEUTRAL)  # fmt: skip


def _kept(widget: Callable, label: str, value: object, moved: Callable, *, key: str = "", **options: object) -> None:
    """A widget that shows `value`, wherever it comes from, and calls `moved` with what it is moved to."""
    key = f"own face, {key or label}"
    st.session_state[key] = value
    widget(label, key=key, on_change=lambda: moved(st.session_state[key]), **options)


def _meet(shown: Shown, number: int) -> None:
    try:
        shown.person = shared.ask(own_face.draw, number)
    except Refused as error:
        st.session_state["own face, refused"] = str(error)


def _somebody(shown: Shown) -> None:
    _meet(shown, (shown.person.number + random.randrange(1, PEOPLE)) % PEOPLE)


def _express(shown: Shown, emotion: str) -> None:
    shown.emotion = emotion
    shown.units = own_face.preset(emotion, 1 + LEVELS.index(shown.level))


def _grow(shown: Shown, level: str) -> None:
    shown.level = level
    _express(shown, shown.emotion)


def _units(shown: Shown) -> None:
    _kept(st.toggle, "Left and right move together", shown.together, partial(setattr, shown, "together"))
    for group, units in GROUPS.items():
        st.markdown(f"**{group}**")
        if shown.together or units == JAW:
            for column, unit in zip(_columns(len(units)), units, strict=False):
                _unit(column, shown, unit, SIDES)
        else:
            both = [
                (unit, (side,)) for unit in units for side in SIDES[::-1]
            ]  # the right of the front view is their left
            for column, (unit, side) in zip(_columns(len(both)), both, strict=True):
                _unit(column, shown, unit, side)


def _columns(count: int) -> list[DeltaGenerator]:
    """Places for so many sliders or one more, two in a row."""
    return [column for _ in range(0, count, 2) for column in st.columns(2)]


def _unit(column: DeltaGenerator, shown: Shown, unit: int, sides: tuple[str, ...]) -> None:
    level = shown.units.get(unit, (0.0, 0.0))[SIDES.index(sides[0])]
    label = f"{unit} {ACTION_UNITS[unit]}" + ("" if sides == SIDES else f", their {sides[0]}")
    _kept(column.slider, label, round(100 * level), partial(_move, shown, unit, sides), key=f"{unit} {sides}",
          min_value=0, max_value=100, step=round(100 * STEP), format="%d %%")  # fmt: skip


def _move(shown: Shown, unit: int, sides: tuple[str, ...], percent: int) -> None:
    now = dict(zip(SIDES, shown.units.get(unit, (0.0, 0.0)), strict=True)) | dict.fromkeys(sides, percent / 100)
    shown.units = shown.units | {unit: (now["left"], now["right"])}


def _person(shown: Shown) -> None:
    st.markdown("**The person**")
    person = shown.person
    years, male, *columns = _columns(2 + len(FEATURES))
    _kept(years.slider, "years", round(person.years), partial(_change, shown, "years", 1),
          min_value=round(YEARS[0]), max_value=round(YEARS[1]))  # fmt: skip
    _kept(male.slider, "female to male", round(100 * person.male), partial(_change, shown, "male", 100),
          min_value=0, max_value=100, step=round(100 * STEP))  # fmt: skip
    for place, (column, name, value) in enumerate(zip(columns, FEATURES, person.features, strict=False)):
        _kept(column.slider, name, round(100 * value), partial(_change, shown, place, 100),
              min_value=-100, max_value=100, step=round(100 * STEP))  # fmt: skip


def _change(shown: Shown, what: str | int, parts: int, value: int) -> None:
    if isinstance(what, str):
        shown.person = replace(shown.person, **{what: value / parts})
    else:
        features = [*shown.person.features]
        features[what] = value / parts
        shown.person = replace(shown.person, features=tuple(features))


def _face(shown: Shown) -> None:
    if refused := st.session_state.pop("own face, refused", None):
        st.error(plain(refused))
    seen = shared.ask(own_face.look, shown.person, shown.units)
    pictures, below = st.container(), f"{seen.images.shape[1]} pixels across, as the model sees it"
    told = f"Each view is {below}."
    best, columns = word(seen.best), st.columns([3, 2], vertical_alignment="center")
    columns[0].subheader(best, anchor=False)
    if columns[1].button("Show what speaks for it", width="stretch", key="own face, heat"):
        with st.spinner("Looking …"):
            views = shared.ask(own_face.explained, shown.person, shown.units, seen.best)
        below, told = f"bright where it speaks for {best}", legend(best)
    else:
        views = [_enlarged(view) for view in seen.images]
    with pictures:
        _views(views, below, told, said(shown.units))
    st.html(pieces.bars(shares(seen), what="probabilities", marked=[best]))
    _files(shown)


def _enlarged(view: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(view).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def shares(seen: Seen) -> dict[str, float]:
    """Probability of each word, the largest first."""
    every = zip(map(word, CLASSES), map(float, seen.probabilities), strict=True)
    return dict(sorted(every, key=lambda of: -of[1]))


def _views(views: object, below: str, told: str, units: str) -> None:
    for column, name, view in zip(st.columns(len(views)), view_names(chosen().yaws), views, strict=True):
        column.image(view, caption=name, alt=f"{name} view of a synthetic face with {units}; {below}", width="stretch")
    st.caption(plain(f"{told} {units[:1].upper()}{units[1:]}."))


def _files(shown: Shown) -> None:
    st.markdown("**Save the shape**")
    for column, (extension, corpora) in zip(st.columns(len(FORMATS)), FORMATS.items(), strict=True):
        column.download_button(
            extension, partial(shared.ask, own_face.saved, shown.person, shown.units, extension),
            file_name=own_face.file_name(shown.person, extension), mime="application/octet-stream", on_click="ignore",
            help=f"the format of {corpora}", key=f"own face, {extension}", width="stretch",
        )  # fmt: skip
