"""One server for all tests that use a browser; a browser for each file of them, whose loop bears no other beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app import browser as own

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has its temporary files, and its log."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="session")
def server(scratch: Path) -> Iterator[str]:
    """The address of the page."""
    if own.CHROMIUM is None:
        pytest.skip(own.NO_BROWSER)
    with own.served(scratch) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with own.opened() as found:
        yield found


@pytest.fixture(scope="module")
def visit(server: str, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page as somebody new; that it asks nobody but its own server is looked at in the end.

    Only who looks at the head has `webgl`, which takes seconds of every visit where no graphics card is.
    """
    contexts, elsewhere = [], []

    def note(address: str) -> None:
        if not address.startswith((server, server.replace("http", "ws", 1), "data:", "blob:")):
            elsewhere.append(address)

    def opens(*, webgl: bool = False) -> Page:
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 1100}))
        page = contexts[-1].new_page()
        page.set_default_timeout(1000 * own.SECONDS)
        page.on("request", lambda request: note(request.url))
        page.on("websocket", lambda socket: note(socket.url))
        if not webgl:
            page.add_init_script(own.NO_WEBGL)
        page.goto(server)
        page.get_by_text("Save the shape").wait_for(state="attached")  # laid out again with the model
        own.settle(page)
        return page

    yield opens
    for context in contexts:
        context.close()
    assert elsewhere == []


@pytest.fixture(scope="module")
def page(visit: Callable[..., Page]) -> Page:
    """One visit that the tests of a file share, as it costs more than what they do there; none depends on another."""
    return visit()
