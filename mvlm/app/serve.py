"""`mvlm app`: the page on this machine, for this machine alone unless it is told otherwise."""

from __future__ import annotations

import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from mvlm.settings import Settings

PAGE = Path(__file__).with_name("page.py")
ADDRESS = "127.0.0.1"
MEGABYTES = 64  # of an uploaded file
OPTIONS = {
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showSidebarNavigation": False,
    "logger.level": "warning",
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.fileWatcherType": "none",
    "server.maxUploadSize": MEGABYTES,
    "server.showEmailPrompt": False,
    "theme.base": "light",
    "theme.primaryColor": "#b4472f",
    "theme.font": "sans-serif",  # streamlit's own file
}


def run(port: int | None, address: str, *, browser: bool) -> int:
    """Becomes the server of the page; returns the exit status only if that cannot be."""
    try:
        Settings.from_environment()
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if find_spec("streamlit") is None:
        print("The page needs streamlit, which is not installed: pip install 'mvlm[app]'", file=sys.stderr)
        return 1
    if port is not None and (why := _taken(port, address)):
        print(f"{address}, port {port}: {why}; leave --port out, and a free one is taken", file=sys.stderr)
        return 1
    os.execv(sys.executable, [sys.executable, *arguments(port, address, browser=browser)])


def arguments(port: int | None, address: str, *, browser: bool) -> list[str]:
    """What the interpreter is told; it outdoes what the user's own files tell streamlit."""
    options = {**OPTIONS, "server.address": address}
    if port is not None:
        options["server.port"] = port
    if not browser:
        options["server.headless"] = True
    said = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]
    return ["-m", "streamlit", "run", str(PAGE), *said]


def _taken(port: int, address: str) -> str | None:
    """Why nothing can listen there; None where it can."""
    try:
        family, *_, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(place)
    except OSError as error:
        return error.strerror
    return None
