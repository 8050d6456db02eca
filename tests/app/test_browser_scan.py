"""The tab "A scan" in a browser, as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mvlm.app.readings import EXAMPLES
from mvlm.faces.corpora.items import EMOTIONS
from mvlm.faces.formats.by_extension import write_mesh
from mvlm.twins.twin import Twin
from tests.app.test_uploads import SCAN, zipped

if TYPE_CHECKING:
    from playwright.sync_api import Page

WORD = re.compile(f"^({'|'.join(EMOTIONS)}|at rest)$")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A surprise in the format of BU-3DFE, without landmarks."""
    path = tmp_path_factory.mktemp("scan") / "face.wrl"
    twin = Twin("BU-3DFE", face="formula")
    write_mesh(twin.read(next(of for of in twin.scans if of.emotion == "surprise" and of.level == 4)), path)
    return path.read_bytes()


@pytest.fixture(autouse=True)
def nothing_is_kept(scratch: Path) -> Iterator[None]:
    yield
    assert [path.name for path in scratch.iterdir() if path.name.startswith("mvlm-")] == []


@pytest.fixture
def own(page: Page) -> Iterator[Page]:
    """The page of the file, where files of one's own are asked for; they are taken back in the end."""
    page.get_by_role("radio", name="files of my own").check(force=True)
    yield page
    remove = page.get_by_role("button", name="Remove")
    for _ in range(remove.count()):
        remove.first.click()
    remove.wait_for(state="detached")


def upload(page: Page, name: str, data: bytes) -> None:
    page.locator("input[type=file]").first.set_input_files([{"name": name, "mimeType": "", "buffer": data}])


def test_a_newcomer_sees_a_face_read_at_once(visit: Callable):
    page = visit(webgl=True)
    page.get_by_role("heading", name="Which words fit this face?").wait_for()
    page.get_by_role("heading", name=WORD).wait_for()
    for name in ("front", "left", "right"):
        page.get_by_alt_text(f"{name} view of F0001_HA04WH.ply, bright where it speaks for").wait_for()
    assert page.get_by_role("table", name="probabilities").get_by_role("row").count() == len(EMOTIONS) + 1
    assert page.get_by_text("nobody was scanned").is_visible()
    head = page.get_by_label("The surface of F0001_HA04WH.ply in three dimensions")
    head.locator("canvas").wait_for()
    assert head.get_by_text("WebGL").count() == 0  # plotly would say that there is none


def test_a_scan_of_ones_own_gets_its_verdict_and_sentences(own: Page, scan: bytes):
    upload(own, "My face.wrl", scan)
    own.get_by_text("fits My face.wrl best").wait_for()
    own.get_by_role("combobox", name="What in the views speaks for").fill("at rest")
    own.keyboard.press("Enter")
    own.get_by_alt_text("front view of My face.wrl, bright where it speaks for at rest").wait_for()
    own.get_by_label("Sentences of your own").fill("a surprised face\na face like an elephant")
    own.keyboard.press("Control+Enter")
    own.get_by_text("the model has learnt nothing of “like”, “elephant”.").wait_for()
    assert own.get_by_role("table", name="cosines").get_by_role("row").count() == 5


def test_bad_files_are_refused_in_words_whatever_they_are_called(own: Page):
    called = "![x](https:elsewhere.invalid).exe"
    bad = {
        called: (b"MZ", f"{called}: expected a scan"),
        "out.zip": (zipped(("../face.obj", SCAN)), "out.zip, '../face.obj': expected a name inside the folder"),
        "face.obj": (b"v 1 2 three\n", "face.obj, line 1"),
        "small.obj": (SCAN, "small.obj: expected a face in millimetres"),
    }
    for name, (data, said) in bad.items():
        upload(own, name, data)
        own.get_by_role("alert").filter(has_text=said).wait_for()
        own.get_by_role("button", name="Remove").first.click()
        own.get_by_role("alert").wait_for(state="detached")


def test_two_browsers_at_once_both_get_their_answers(visit: Callable, own: Page, scan: bytes):
    pages = [own, visit()]
    pages[1].get_by_role("radio", name="files of my own").check(force=True)
    for number, page in enumerate(pages):
        upload(page, f"face {number}.wrl", scan)
    for number, page in enumerate(pages):
        page.get_by_text(f"fits face {number}.wrl best").wait_for()
        assert page.get_by_text(f"face {1 - number}.wrl").count() == 0


def test_the_keyboard_is_enough(page: Page):
    page.get_by_role("radio", name="an example").check(force=True)
    page.get_by_role("heading", name=WORD).wait_for()
    page.get_by_role("tab", name="A scan").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.get_by_role("combobox", name="Which one").focus()
    page.keyboard.type(list(EXAMPLES)[2])
    page.keyboard.press("Enter")
    page.get_by_text("fits F0001_NE00WH.ply best").wait_for()
