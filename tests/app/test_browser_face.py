"""The tab "A face of one's own" in a browser, as a person uses it."""

from collections.abc import Callable
from pathlib import Path

from mvlm.app.own_face import CLASSES
from mvlm.faces.formats.by_extension import read_mesh
from tests.app.browser import SECONDS

VIEW = "view of a synthetic face"


def opened(visit: Callable):
    page = visit()
    page.get_by_text("Save the shape").wait_for(state="attached")  # the model has loaded
    page.get_by_role("tab", name="A face of one's own").click()
    page.get_by_alt_text(f"front {VIEW}").wait_for()
    return page


def test_presets_sliders_and_people_change_the_face_and_its_words(visit: Callable):
    from playwright.sync_api import expect

    page = opened(visit)
    panel = page.get_by_role("tabpanel", name="A face of one's own")
    assert panel.get_by_role("table", name="probabilities").get_by_role("row").count() == len(CLASSES)
    page.get_by_role("combobox", name="Start from an expression").fill("at rest")
    page.keyboard.press("Enter")
    page.get_by_alt_text(f"left {VIEW} with no action units").wait_for()
    page.get_by_role("slider", name="12 lip corner puller").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_alt_text(f"right {VIEW} with 12 lip corner puller 5%").wait_for()
    panel.get_by_text("Left and right move together").click()
    page.get_by_role("slider", name="12 lip corner puller, their left").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_alt_text(f"front {VIEW} with 12 lip corner puller left 10%, right 5%").wait_for()
    number = page.get_by_role("spinbutton", name="Person number")
    picture = page.get_by_alt_text(f"front {VIEW}").get_attribute("src")
    page.get_by_role("button", name="Somebody else").click()
    page.wait_for_function("([alt, src]) => document.querySelector(`img[alt^='${alt}']`)?.getAttribute('src') !== src",
                           arg=[f"front {VIEW}", picture])  # fmt: skip
    expect(number).not_to_have_value("0", timeout=1000 * SECONDS)


def test_heat_comes_when_it_is_asked_for(visit: Callable):
    page = opened(visit)
    hot = page.get_by_alt_text(f"front {VIEW}").and_(page.get_by_alt_text("bright where it speaks for"))
    assert hot.count() == 0
    page.get_by_role("button", name="Show what speaks for it").click()
    hot.wait_for()


def test_the_mesh_is_saved(visit: Callable, tmp_path: Path):
    page = opened(visit)
    for extension in (".wrl", ".bnt"):
        with page.expect_download() as download:
            page.get_by_role("button", name=extension, exact=True).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.name == f"face-0{extension}" and len(read_mesh(path).triangles) > 1000
