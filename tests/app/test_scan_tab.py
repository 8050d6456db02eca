"""The page laid out in this process, without a browser: what stands where, and what is asked once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from mvlm.app import face_tab, paper_tab, pieces, readings, scan_tab
from mvlm.app.readings import EXAMPLES, PERSON
from mvlm.app.serve import PAGE
from mvlm.app.worker import Refused, _done, shared
from mvlm.twins.twin import Twin


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> tuple[AppTest, list[str]]:
    """The page with this tab alone, whose other process is this one; and names of the tasks that it was asked for."""
    asked = []

    def ask(task: Callable, *arguments: object, **_limits: float) -> object:
        asked.append(task.__name__)
        words, answer = _done(task, arguments)
        if words is not None:
            raise Refused(words)
        return answer

    monkeypatch.setattr(shared, "ask", ask)
    monkeypatch.setattr(shared, "_loaded", True)
    for other in (face_tab, paper_tab):
        monkeypatch.setattr(other, "show", lambda: None)
    monkeypatch.setattr(readings, "twin", lambda corpus: Twin(corpus, face="formula"))  # which takes no seconds
    return AppTest.from_file(PAGE, default_timeout=60), asked


def said(page: AppTest) -> str:
    return " ".join(of.value for of in page.caption)


def test_an_example_is_read_once(page: tuple[AppTest, list[str]]):
    shown, asked = page
    shown.run()
    assert not shown.exception and not shown.error
    assert shown.title[0].value == "Which words fit this face?" and "synthetic faces alone" in said(shown)
    assert shown.subheader[0].value in {*scan_tab.EMOTIONS, scan_tab.REST}
    assert "8 emotions and a face at rest" in said(shown) and scan_tab.NINE in said(shown)
    assert asked == ["example", "explained"]
    shown.slider(key="yaw").set_value(45).run()
    shown.text_area(key="sentences").set_value("a happy elephant").run()
    assert asked.count("example") == asked.count("compare") == 1
    assert pieces.plain("nothing of “elephant”.") in said(shown)
    shown.text_area(key="sentences").set_value("x" * 130).run()
    assert "expected a sentence of at most 120 letters" in shown.error[0].value.replace("\\", "")


def test_uploads_of_one_person_are_shown_one_by_one(page: tuple[AppTest, list[str]], tmp_path: Path):
    shown, asked = page
    readings.example(str(tmp_path), "Six expressions of one person")
    files = [(path.name, path.read_bytes(), "") for path in sorted(tmp_path.glob("*.ply"))]
    shown.run()
    shown.radio(key="source").set_value(scan_tab.OWN).run()
    shown.selectbox(key="kind").set_value(PERSON).run()
    assert "Best are four scans or more" in said(shown) and not shown.subheader
    shown.file_uploader(key="files").set_value(files[:5]).run()
    assert len(shown.selectbox(key="place of 5").options) == 5 and asked.count("read") == 1
    shown.selectbox(key="place of 5").set_value(3).run()
    assert pieces.plain(f"fits {files[3][0]} best") in said(shown) and "with the person removed" in said(shown)
    shown.file_uploader(key="files").set_value(("photo.exe", b"MZ", "")).run()
    assert (
        shown.error[0].value == pieces.plain("photo.exe: ") + shown.error[0].value[len(pieces.plain("photo.exe: ")) :]
    )
    assert not shown.subheader and asked.count("read") == 2
    shown.run()
    assert asked.count("read") == 2  # what was refused is not asked again


def test_while_the_model_loads_nothing_is_asked(page: tuple[AppTest, list[str]], monkeypatch: pytest.MonkeyPatch):
    shown, asked = page
    monkeypatch.setattr(shared, "_loaded", False)
    monkeypatch.setattr(shared, "start", lambda: asked.append("start"))
    shown.run()
    assert asked == ["start"] and "The model is loading" in shown.info[0].value and not shown.exception
    assert shown.selectbox(key="example").options == list(EXAMPLES)
    monkeypatch.setattr(shared, "_failed", "MODEL=x: no such model")
    shown.run()
    assert shown.error[0].value == pieces.plain("MODEL=x: no such model") and not shown.info


def test_bars_and_words_cannot_be_markup():
    table = pieces.bars({"<b>a": 0.5, "c": -0.2}, what="'x'", marked=["c"])
    assert "&lt;b&gt;a" in table and "<b>a" not in table and "width:50.0%" in table and "width:0.0%" in table
    assert "aria-label='&#x27;x&#x27;'" in table and "50%" in table
    assert pieces.plain("![a](b) $c$ :d:") == r"\!\[a\]\(b\) \$c\$ \:d\:"


def test_a_head_is_seen_from_where_it_is_asked():
    figure = pieces.turned([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], 90)
    eye = figure["layout"]["scene"]["camera"]["eye"]
    assert eye["x"] == pytest.approx(pieces.AWAY) and eye["z"] == pytest.approx(0)


def test_a_recording_says_what_is_shown_of_it(page: tuple[AppTest, list[str]]):
    shown, _ = page
    shown.run()
    assert "dynamic image" not in said(shown) and "The head is frame" not in said(shown)
    shown.selectbox(key="example").set_value("A recording of disgust").run()
    assert scan_tab.recorded(9, 16) in said(shown)
    word = next(box for box in shown.selectbox if box.label == "What in the views speaks for")
    word.set_value("neutral").run()
    assert pieces.plain("what speaks for “at rest”") in said(shown)
