"""The tab "A face of one's own" in a browser, as a person uses it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mvlm.app.own_face import CLASSES
from mvlm.faces.formats.by_extension import read_mesh
from tests.app.browser import SECONDS, settle

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

VIEW = "view of a synthetic face"


@pytest.fixture(scope="module")
def panel(page: Page) -> Locator:
    page.get_by_role("tab", name="A face of one's own").click()
    page.get_by_alt_text(f"front {VIEW}").wait_for()
    return page.get_by_role("tabpanel", name="A face of one's own")


def test_presets_sliders_and_people_change_the_face_and_its_words(page: Page, panel: Locator):
    from playwright.sync_api import expect

    assert panel.get_by_role("table", name="probabilities").get_by_role("row").count() == len(CLASSES)
    settle(page)
    page.get_by_role("combobox", name="Start from an expression").fill("at rest")
    page.keyboard.press("Enter")
    page.get_by_alt_text(f"left {VIEW} with no action units").wait_for()
    settle(page)
    page.get_by_role("slider", name="12 lip corner puller").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_alt_text(f"right {VIEW} with 12 lip corner puller 5%").wait_for()
    settle(page)
    panel.get_by_text("Left and right move together").click()
    page.get_by_role("slider", name="12 lip corner puller, their left").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_alt_text(f"front {VIEW} with 12 lip corner puller left 10%, right 5%").wait_for()
    settle(page)
    number = panel.get_by_role("spinbutton", name="Person number")
    before = number.input_value()
    picture = page.get_by_alt_text(f"front {VIEW}").get_attribute("src")
    page.get_by_role("button", name="Somebody else").click()
    page.wait_for_function("([alt, src]) => document.querySelector(`img[alt^='${alt}']`)?.getAttribute('src') !== src",
                           arg=[f"front {VIEW}", picture])  # fmt: skip
    expect(number).not_to_have_value(before, timeout=1000 * SECONDS)


def test_heat_comes_when_it_is_asked_for(panel: Locator):
    hot = panel.get_by_alt_text(f"front {VIEW}").and_(panel.get_by_alt_text("bright where it speaks for"))
    assert hot.count() == 0
    panel.get_by_role("button", name="Show what speaks for it").click()
    hot.wait_for()


def test_the_mesh_is_saved(page: Page, panel: Locator, tmp_path: Path):
    number = panel.get_by_role("spinbutton", name="Person number").input_value()
    for extension in (".wrl", ".bnt"):
        with page.expect_download() as download:
            page.get_by_role("button", name=extension, exact=True).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.name == f"face-{number}{extension}" and len(read_mesh(path).triangles) > 1000
