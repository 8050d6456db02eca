"""The tab "A scan": what is read, which words fit it, what in its views says so, and sentences of one's own."""

from __future__ import annotations

from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import streamlit as st

from mvlm.app import pieces, readings
from mvlm.app.model import chosen
from mvlm.app.pieces import plain
from mvlm.app.readings import EACH, EXAMPLES, FRAMES, LETTERS, PERSON, SENTENCES, Reading
from mvlm.app.uploads import TOGETHER, Upload
from mvlm.app.worker import Refused, shared
from mvlm.classify.page import PLAIN, WITHOUT, remarks
from mvlm.classify.verdicts import Verdict
from mvlm.faces.corpora.items import EMOTIONS, NEUTRAL
from mvlm.faces.views import view_names

REST = "at rest"  # what a neutral face is called here
NINE = "Here rest is one of nine words; `mvlm classify` asks it beside the eight others, so that their numbers differ."
EXAMPLE, OWN = "an example", "files of my own"


def show() -> None:
    """Lays the tab out: on the left what is read, verdict and sentences, on the right the head and its views."""
    left, right = st.columns([5, 7], gap="large")
    with left:
        reading = _chosen()
        if reading is None:
            return
        place = _place(reading)
        verdict = reading.verdicts[place]
        _verdict(verdict)
        for note in reading.notes:
            st.caption(plain(note))
        _sentences(verdict)
    with right:
        _head(reading, place)
        _views(verdict)


def words(verdict: Verdict) -> dict[str, float]:
    """Probability of each emotion, and of a face at rest beside them, the largest first."""
    every = {
        emotion: float(of * (1 - verdict.rest)) for emotion, of in zip(EMOTIONS, verdict.probabilities, strict=True)
    }
    return _falling(every | {REST: float(verdict.rest)})


def without(verdict: Verdict) -> dict[str, float]:
    """Probability of each emotion with the person removed, the largest first; empty where none is."""
    return {} if verdict.without is None else _falling(dict(zip(EMOTIONS, map(float, verdict.without), strict=False)))


def best(verdict: Verdict) -> str:
    """The word that fits best, of those that are shown first."""
    return next(iter(without(verdict) or words(verdict)))


def legend(word: str) -> str:
    """What the colours of heat say."""
    return f"Colour, from violet to yellow, shows what speaks for “{word}”: the brightest place of each view the most."


def recorded(frame: int, frames: int) -> str:
    """What is shown of a recording, whose head is that of one of its frames, counted from 1."""
    return (
        f"The head is frame {frame} of {frames}. Each view below is a dynamic image: the movement over the frames, "
        "pooled into one picture; plain grey where nothing moved."
    )


def _falling(shares: dict[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda of: -of[1]))


def _chosen() -> Reading | None:
    """What is to be read, read; None, with words on the page, where nothing is or it cannot be."""
    source = st.radio("Read", [EXAMPLE, OWN], horizontal=True, key="source")
    if source == EXAMPLE:
        name = st.selectbox("Which one", list(EXAMPLES), key="example")
        return _read(name, readings.example, name)
    kind = st.selectbox("They are", [EACH, PERSON, FRAMES], key="kind")
    files = st.file_uploader(
        "Scans: .wrl, .obj, .ply or .bnt, with the pictures beside them, or a .zip of these",
        accept_multiple_files=True, key="files",
        help=f"Up to {TOGETHER // 2**20} MB together. Read on this machine, and kept until you leave, no longer.",
    )  # fmt: skip
    if not files:
        st.session_state.pop("read", None)
        if kind == PERSON:
            st.caption("Best are four scans or more, each with another expression.")
        return None
    uploads = [Upload(file.name, file.getvalue()) for file in files]
    return _read((kind, *(file.file_id for file in files)), readings.read, uploads, kind)


def _read(name: object, task: Callable[..., Reading], *arguments: Any) -> Reading | None:
    """What the other process made of it, asked once; in words on the page why there is nothing."""
    kept = st.session_state.get("read")
    if kept is None or kept[0] != name:
        if not shared.loaded and st.session_state["waits"]:
            return None
        with st.spinner("Reading …"), TemporaryDirectory(prefix="mvlm-") as folder:
            try:
                kept = name, shared.ask(task, folder, *arguments), None
            except Refused as error:
                kept = name, None, str(error)
        st.session_state["read"] = kept
    _, reading, refused = kept
    if refused is not None:
        st.error(plain(refused))
    return reading


def _place(reading: Reading) -> int:
    """Which of several verdicts is shown."""
    if len(reading.verdicts) == 1:
        return 0
    return st.selectbox(
        "Show", range(len(reading.verdicts)), key=f"place of {len(reading.verdicts)}",
        format_func=lambda i: f"{reading.verdicts[i].looked.name}: {best(reading.verdicts[i])}",
    )  # fmt: skip


def _verdict(verdict: Verdict) -> None:
    found, looked = best(verdict), verdict.looked
    st.subheader(found, anchor=False)
    st.caption(plain(f"fits {looked.name} best ({looked.kind})"))
    if removed := without(verdict):
        st.html(pieces.bars(removed, what=WITHOUT, marked=[found]))
        st.caption(WITHOUT)
    if not removed or verdict.doubts:
        st.html(pieces.bars(words(verdict), what="probabilities", marked=[next(iter(words(verdict)))]))
        st.caption(f"{PLAIN}. {NINE}" if removed else NINE)
    for remark in remarks(verdict):
        st.caption(plain(remark))


def _head(reading: Reading, place: int) -> None:
    yaw = st.session_state.get("yaw", 0)
    looked = reading.verdicts[place].looked
    st.plotly_chart(
        pieces.turned(*reading.heads[place], yaw), key="head", config={"displayModeBar": False},
        alt=f"The surface of {looked.name} in three dimensions, seen from {yaw} degrees",
    )  # fmt: skip
    st.slider("Turn by degrees, or drag the head", -90, 90, 0, 15, key="yaw")
    if reading.recording:
        st.caption(recorded(*reading.recording))


def _views(verdict: Verdict) -> None:
    names = {NEUTRAL: REST}
    found = {REST: NEUTRAL}.get(best(verdict), best(verdict))
    every = [*EMOTIONS, NEUTRAL]
    word = st.selectbox(
        "What in the views speaks for", every, index=every.index(found), format_func=lambda of: names.get(of, of),
        key=f"word {found}",
    )  # fmt: skip
    try:
        views = shared.ask(readings.explained, verdict.looked, word)
    except Refused as error:
        st.error(plain(str(error)))
        return
    for column, name, view in zip(st.columns(len(views)), view_names(chosen().yaws), views, strict=True):
        said = f"{name} view of {verdict.looked.name}, bright where it speaks for {names.get(word, word)}"
        column.image(view, caption=name, alt=said, width="stretch")
    st.caption(plain(legend(names.get(word, word))))


def _sentences(verdict: Verdict) -> None:
    typed = st.text_area(
        "Sentences of your own, one a line", height=90, max_chars=SENTENCES * (LETTERS + 1), key="sentences",
        placeholder="a person who smells something bad\na surprised face with raised brows",
    )  # fmt: skip
    try:
        lines = readings.sentences_of(typed)
        if not lines:
            return
        found = shared.ask(readings.compare, verdict.looked.images, lines)
    except (ValueError, Refused) as error:
        st.error(plain(str(error)))
        return
    shares = _falling({**found.nearest, **found.own})
    st.html(pieces.bars(shares, what="cosines with the face", marked=list(found.own), form="{:.2f}"))
    st.caption("Cosine of sentence and face; in grey the nearest of the sentences that the model is asked by itself.")
    for sentence, lacking in found.unknown.items():
        named = ", ".join(f"“{word}”" for word in lacking)
        st.caption(plain(f"“{sentence}”: the model has learnt nothing of {named}."))
