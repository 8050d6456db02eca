"""The tab "The paper" in a browser: from a number to where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlm.app import paper
from tests.app.browser import settle

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

TWO_FRAMES = "new Promise(then => requestAnimationFrame(() => requestAnimationFrame(then)))"


def choose(grid: Locator, x: int, y: int) -> None:
    """A click as a hand does it: the pointer is there before, which the grid has drawn; else it takes none."""
    grid.hover(position={"x": x, "y": y})
    grid.page.evaluate(TWO_FRAMES)
    grid.click(position={"x": x, "y": y})


def test_a_number_leads_to_its_sidecar_its_notebook_and_its_command_and_figures_have_words(page: Page):
    from playwright.sync_api import expect

    page.get_by_role("tab", name="The paper").click()
    panel = page.get_by_role("tabpanel", name="The paper")
    panel.get_by_role("heading", name="Table I: 3D expression recognition").wait_for()
    panel.get_by_text("84.50", exact=True).wait_for(state="attached")  # drawn, on a canvas
    printed, measured = panel.get_by_test_id("stDataFrame").nth(0), panel.get_by_test_id("stDataFrame").nth(1)
    choose(printed, 200, 52)  # the first row's first number
    panel.get_by_text(paper.PRINTED).wait_for()
    choose(measured, 350, 52)
    panel.get_by_text(paper.TWIN).wait_for()
    assert printed.locator("[aria-selected=true]").count() == 0
    page.keyboard.press("ArrowRight")
    for _ in range(7):  # to what stands far down
        page.keyboard.press("ArrowDown")
    panel.get_by_text("46.4167", exact=True).first.wait_for()
    settle(page)
    measured.scroll_into_view_if_needed()
    expect(panel.get_by_role("heading", name="46.4167")).to_be_in_viewport()
    expect(panel.get_by_text("make tables", exact=True)).to_be_in_viewport()
    assert panel.get_by_text("results/tables/table1.csv, line ").is_visible()
    assert panel.get_by_text("notebooks/10-table1.ipynb").is_visible()
    assert panel.get_by_text("make tables", exact=True).is_visible()
    panel.get_by_text("The sidecar, results/tables/table1.json").click()
    panel.get_by_text("content_key").wait_for()
    panel.get_by_text("Figures of the paper", exact=True).click()
    panel.get_by_alt_text("Fig. 3, of “Figures 3 and 6: what each part is worth”").wait_for()
    panel.get_by_text("make figures", exact=True).wait_for()
