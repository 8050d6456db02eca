"""What the machine lacks: one line that says so and what to do, before any scan is opened; or it simply works."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mvlm import machine
from mvlm.cache import workers
from mvlm.classify.verdicts import look
from mvlm.machine import MachineError, command, expect_ray_caster, expect_writable, reason
from mvlm.settings import ROOT, Settings

NO_WINDOWS = "libX11.so.6: cannot open shared object file: No such file or directory"


@pytest.fixture
def without_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open3D's import fails as on a machine without libX11 and libGL."""

    def lacking(_name: str) -> None:
        raise OSError(NO_WINDOWS)

    monkeypatch.setattr(machine, "import_module", lacking)
    monkeypatch.setattr(machine, "_loads", lambda name: name != "libGL.so.1")


def test_the_readme_names_the_packages():
    needed = (ROOT / "README.md").read_text(encoding="utf-8").partition("Needed:")[2].partition("\n\n")[0]
    assert set(machine.PACKAGES.values()) <= set(needed.replace("`", " ").split())


def opened(_item: str) -> None:
    raise AssertionError("a scan was opened")


@pytest.mark.usefixtures("without_windows")
def test_a_missing_library_is_named_with_its_package_before_any_scan_is_opened():
    message = r"libX11\.so\.6, libGL\.so\.1: missing on this machine.*: apt install libx11-6 libgl1$"
    with pytest.raises(MachineError, match=message):
        expect_ray_caster()
    with pytest.raises(MachineError, match=message):
        list(workers.each(opened, ["scan.wrl"], jobs=1, title="views"))
    with pytest.raises(MachineError, match=message):
        look(Path("scan.wrl"), [Path("scan.wrl")], Settings(), 64)


def test_workers_say_it_in_one_line_and_are_not_taken_for_dead(tmp_path: Path):
    (tmp_path / "open3d.py").write_text(f"raise OSError({NO_WINDOWS!r})")
    code = (
        "from mvlm.cache import workers\nfrom mvlm.machine import command\nworkers.LIBRARIES = ('open3d',)\n"
        "command(lambda: list(workers.each(print, ['opened'], jobs=2, title='views')) and None)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "apt install libx11-6" in done.stderr, done.stderr


def test_what_the_machine_is_to_blame_for():
    full = OSError(errno.ENOSPC, "No space left on device", "runs/cache/views.npy")
    assert reason(full).startswith("runs/cache/views.npy: No space left on device; ")
    assert "nothing is left half written" in reason(OSError("65536 requested and 4096 written"))
    assert "Read-only file system" in reason(OSError(errno.EROFS, "x", "runs"))
    assert "ulimit" in reason(OSError(errno.EMFILE, "x"))
    assert "the package that has libtiff.so.5" in reason(ImportError(NO_WINDOWS.replace("libX11.so.6", "libtiff.so.5")))
    for own in (FileNotFoundError(errno.ENOENT, "no such file", "scan.wrl"), ValueError("scan.wrl, line 3: 'x'")):
        assert reason(own) is None


def test_numpy_on_a_full_disk_is_told_from_a_bad_file():
    with open("/dev/full", "wb") as full, pytest.raises(OSError) as raised:
        np.zeros(1 << 16).tofile(full)
    assert "No space left on device" in reason(raised.value)


def test_a_folder_that_cannot_be_written_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    expect_writable(tmp_path / "not" / "there")
    assert not (tmp_path / "not").exists()

    def read_only(**_options) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    with pytest.raises(MachineError, match="out: expected a folder that can be written, found Read-only file system; "):
        expect_writable(tmp_path / "out")


def said(code: str, *, shell: str = "{}", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """What comes of a command whose main is `code`, in a shell's line."""
    program = f"import os, sys, tempfile\nfrom mvlm.machine import command\ndef main():\n    {code}\ncommand(main)\n"
    given = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    line = shell.format(f'"{sys.executable}" -c "$PROGRAM"')
    given |= {"PROGRAM": program, "PYTHONPATH": str(ROOT)}
    return subprocess.run(["bash", "-c", line], env=given | environment, capture_output=True)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", rb'"45 degrees +- 2" ... F0001/f\xfcr.txt \u8138'),
        ("latin-1", b'"45\xb0 \xb1 2" ... F0001/f\\xfcr.txt \\u8138'),
        ("utf-8:strict", "\u201c45\u00b0 \u00b1 2\u201d \u2026 F0001/f\\xfcr.txt \u8138".encode()),
    ],
)
def test_a_terminal_that_lacks_a_letter_shows_its_nearest(encoding: str, written: bytes):
    text = r"'\u201c45\u00b0 \u00b1 2\u201d \u2026 F0001/f\udcfcr.txt \u8138'"
    done = said(f"print({text}); print({text}, file=sys.stderr)", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, written, written)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough_and_closed_streams_are_no_error(monkeypatch: pytest.MonkeyPatch, unbuffered: str):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)  # else the last bytes are written as Python ends
    done = said("print('line\\n' * 100000)", shell="{} | head -n 1; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stdout, done.stderr) == (141, b"line\n", b"")
    done = said("print('said')", shell="{} <&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    done = said("print('said')", shell="{} > /dev/full")
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"No space left on device" in done.stderr


def test_a_path_too_long_for_sockets_is_replaced_for_all_that_is_started(tmp_path: Path):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    done = said("print(tempfile.gettempdir(), os.environ['TMPDIR'])", TMPDIR=str(long))
    assert done.stdout.split() == [b"/tmp", b"/tmp"]
    assert done.stderr.endswith(b"is too long for sockets; /tmp is used\n")


def test_other_errors_keep_their_trace():
    with pytest.raises(ZeroDivisionError):
        command(lambda: 1 // 0)
