"""A browser that is there, and the page as `mvlm app` serves it, for the tests that use both."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from mvlm.settings import ROOT, VARIABLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_BROWSER = "no browser is here; Debian and Ubuntu have one by `apt install chromium`"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader --disable-quic "
    "--no-first-run --disable-background-networking --disable-component-update --disable-sync"
).split()
NO_WEBGL = """{ const get = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...told) {
        return kind.includes('webgl') ? null : get.call(this, kind, ...told); }; }"""
SECONDS = 120  # until a test gives up; a machine may have other work


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a page of its own, whose temporary files are in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    told = [sys.executable, "-m", "mvlm", "app", "--no-browser", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(told, cwd=ROOT, env=clean | {"TMPDIR": str(folder)}, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(f"{address}/_stcore/health") or server.poll() is not None)
        assert server.poll() is None, (folder / "log").read_text()
        yield address
    finally:
        server.terminate()
        server.wait(SECONDS)


@contextmanager
def opened() -> Iterator[Browser]:
    """The browser, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def settle(page: Page) -> None:
    """Waits until nothing is laid out any more: a click or a key on what is being replaced is lost."""
    page.locator("[data-test-script-state=notRunning]").wait_for()


def until(holds) -> None:
    """Waits until something holds, `SECONDS` at most."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < SECONDS, "it never did"
        time.sleep(0.05)


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
