"""`mvlm app`: what the server is told, and what stands in its way, in one line."""

import os
import socket

import pytest

from mvlm.__main__ import main
from mvlm.app import serve


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the process would become."""
    command: list[str] = []
    monkeypatch.delenv("MODEL", raising=False)
    monkeypatch.setattr(os, "execv", lambda _path, arguments: command.extend(arguments))
    return command


def test_the_server_is_for_this_machine_and_sends_nothing_out(told: list[str]):
    main(["app"])
    assert told[1:4] == ["-m", "streamlit", "run"] and "--server.address=127.0.0.1" in told
    assert {"--browser.gatherUsageStats=false", "--server.enableXsrfProtection=true"} <= {*told}
    assert not any(of.startswith(("--server.port", "--server.headless")) for of in told)
    told.clear()
    main(["app", "--address", "0.0.0.0", "--port", "8599", "--no-browser"])
    assert {"--server.address=0.0.0.0", "--server.port=8599", "--server.headless=true"} <= {*told}


def test_options_are_streamlits():
    from streamlit.config import get_config_options

    assert serve.OPTIONS.keys() <= get_config_options(force_reparse=False).keys()


def test_what_stands_in_its_way_is_one_line(
    told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["app", "--port", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"127.0.0.1, port {port}: Address already in use; leave --port out, and a free one is taken\n"
    )
    with pytest.raises(SystemExit) as end:
        main(["app", "--port", "99999"])
    assert end.value.code == 2 and "99999: expected 1 to 65535" in capsys.readouterr().err
    monkeypatch.setattr(serve, "find_spec", lambda _: None)
    assert main(["app"]) == 1
    assert "pip install 'mvlm[app]'" in capsys.readouterr().err
    monkeypatch.setenv("MODEL", "mvlm-tony")
    assert main(["app"]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and told == []
