"""The live page in a browser, against what is promised of it: it answers at once, and reads a face soon."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from mvlm.faces.formats.by_extension import write_mesh
from mvlm.faces.mesh import Mesh
from mvlm.twins.twin import Twin
from tests.app.browser import CHROMIUM, opened, served
from tests.bench import Row

if TYPE_CHECKING:
    from playwright.sync_api import Page

ANSWER, COLD, WARM, SLIDER = 5.0, 25.0, 5.0, 0.3  # s
ROUNDS = 7


def measure() -> Iterator[Row]:
    """From a click, or the command, to what is seen; nothing where no browser is."""
    if CHROMIUM is None:
        print("page: no browser, not measured", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder, opened() as browser:
        twin, path = Twin("BU-3DFE"), Path(folder) / "face.wrl"
        mesh = twin.read(next(of for of in twin.scans if of.emotion == "surprise"))
        write_mesh(Mesh(mesh.vertices, mesh.triangles), path)
        page = browser.new_page()
        page.set_default_timeout(0)
        begun = time.perf_counter()
        with served(Path(folder)) as address:
            page.goto(address)
            page.get_by_role("tab").first.wait_for()
            yield _row("command to page", time.perf_counter() - begun, ANSWER)
            page.get_by_role("tabpanel", name="A scan").get_by_alt_text("right view").wait_for()
            yield _row("command to the first verdict, cold", time.perf_counter() - begun, COLD)
            page.get_by_role("radio", name="files of my own").check(force=True)
            page.locator("input[type=file]").first.wait_for(state="attached")
            times = []
            for number in range(ROUNDS):
                given = {"name": f"{number}.wrl", "mimeType": "", "buffer": path.read_bytes()}
                begun = time.perf_counter()
                page.locator("input[type=file]").first.set_input_files([given])
                page.get_by_text(f"fits {number}.wrl best").wait_for()
                times.append(time.perf_counter() - begun)
                page.get_by_role("button", name="Remove").first.click()
                page.get_by_text(f"fits {number}.wrl best").wait_for(state="detached")
            yield _row("upload of a .wrl to its verdict, warm", median(times), WARM)
            yield _row("a slider to views and words", median(_slid(page)), SLIDER)


def _slid(page: Page) -> list[float]:
    """Seconds from a key on a slider of the face of one's own to its last view; the words come right after."""
    page.get_by_role("tab", name="A face of one's own").click()
    times = []
    for number in range(ROUNDS):
        page.wait_for_timeout(1000)  # until nothing is laid out again: a key on what is being replaced is lost
        page.get_by_role("slider", name="12 lip corner puller").focus()
        shown = f"12 lip corner puller {5 * number + 5}%"
        begun = time.perf_counter()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("said => document.querySelector(`img[alt^='right view'][alt*='${said}']`)", arg=shown)
        times.append(time.perf_counter() - begun)
    return times


def _row(what: str, seconds: float, promised: float) -> Row:
    return Row(what, seconds, "what is promised", promised, 1.0)
