"""The machine below: what it lacks is said once, in one line, and is never taken for a fault of the data.

A library of the system that is not installed, a full disk, a checkout that cannot be written, a folder for temporary
files whose path no socket takes, a terminal that cannot print a letter.
"""

from __future__ import annotations

import codecs
import ctypes
import errno
import io
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

# What Open3D loads of the system, and the packages of Debian and Ubuntu: one binding holds its ray casting and its
# windows, so that it asks for the libraries of windows on machines that never show one.
PACKAGES = {
    "libX11.so.6": "libx11-6",
    "libGL.so.1": "libgl1",
    "libgomp.so.1": "libgomp1",
    "libudev.so.1": "libudev1",
}
_LACKING = re.compile(r"(lib[\w+.-]+?\.so[.\d]*): cannot open shared object file")
_FULL = re.compile(r"No space left on device|\d+ requested and \d+ written")  # the latter is numpy's word for it
_ADVICE = {
    errno.ENOSPC: "nothing is left half written; with more room, the same command goes on",
    errno.EDQUOT: "nothing is left half written; with more room, the same command goes on",
    errno.EROFS: "name another, or use a checkout that can be written",
    errno.EMFILE: "a higher `ulimit -n` or fewer JOBS= may help",
    errno.ENFILE: "fewer JOBS= may help",
}

SOCKET = 107  # bytes that the path of a socket may have
BELOW = 40  # of them below the folder for temporary files: "/mvlm-xxxxxxxx/kernel.json-ipc-12345", "/pymp-xxxxxxxx/..."
SHORT = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - folders in them have names that nobody can foresee

SIGNS = str.maketrans(
    {"\u2013": "-", "\u201c": '"', "\u201d": '"', "\u2026": "...", "\u2248": "~", "\u00b1": "+-", "\u00b7": "*",
     "\u00d7": "x", "\u00b0": " degrees", "\u00b2": "^2", "\u03c4": "tau"}
)  # fmt: skip
PLAIN = "mvlm.plain"


class MachineError(OSError):
    """What the machine lacks. No input is at fault, and no other input would fare better."""


def expect_ray_caster() -> None:
    """Loads Open3D, which draws the views, so that no scan is opened in vain.

    Raises:
        MachineError: it cannot be loaded; with the packages of the system to install.
    """
    try:
        import_module("open3d")
    except (ImportError, OSError) as error:
        raise MachineError(reason(error) or f"Open3D, which draws the views, cannot be loaded: {error}") from error


def expect_writable(*folders: Path) -> None:
    """Raises MachineError for a folder that cannot be written, before the work whose results would go there."""
    for folder in folders:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        try:
            with tempfile.TemporaryFile(dir=there) as file:
                file.write(bytes(4096))
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            advice = _ADVICE.get(error.errno, _ADVICE[errno.EROFS])
            raise MachineError(f"{folder}: expected a folder that can be written, found {why}; {advice}") from error


def reason(error: BaseException) -> str | None:
    """What of the machine an error came from, in one line; None where the machine is not to blame."""
    said = str(error)
    if isinstance(error, MachineError):
        return said
    if found := _LACKING.search(said):
        lacking = [name for name in PACKAGES if name == found[1] or not _loads(name)]
        packages = " ".join(PACKAGES[name] for name in lacking) or f"the package that has {found[1]}"
        return (
            f"{', '.join(lacking) or found[1]}: missing on this machine, Open3D needs it to draw the views; "
            f"Debian and Ubuntu: apt install {packages}"
        )
    code = getattr(error, "errno", None)
    if code not in _ADVICE:
        code = errno.ENOSPC if _FULL.search(said) else None
    if code is None:
        return None
    place = f"{error.filename}: " if getattr(error, "filename", None) else ""
    return f"{place}{os.strerror(code)}; {_ADVICE[code]}"


def command(main: Callable[..., int | None], *arguments: object) -> NoReturn:
    """Ends the process with the exit status of `main(*arguments)`, on whatever machine this is.

    Letters that the terminal lacks are written by their nearest; a reader that has read enough (`| head`) is no error;
    what the machine lacks is one line.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where the shell has closed it
            stream.reconfigure(errors=PLAIN)
    try:
        _expect_room_for_sockets()
        status = main(*arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        status = 128 + signal.SIGPIPE
    except Exception as error:
        said = reason(error)
        if said is None:
            raise
        print(" ".join(said.split()), file=sys.stderr)
        status = 1
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:  # it is what found no room
            _drop_output()
    sys.exit(status)


def _drop_output() -> None:
    """Lets what is still to be written go nowhere: Python writes it once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _expect_room_for_sockets() -> None:
    """Takes another folder for temporary files, here and in all that is started from here, if its path is too long."""
    given = tempfile.gettempdir()
    if len(os.fsencode(given)) + BELOW <= SOCKET:
        return
    short = next((folder for folder in SHORT if os.access(folder, os.W_OK | os.X_OK)), None)
    if short is None:
        raise MachineError(f"TMPDIR={given}: expected a path of up to {SOCKET - BELOW} bytes, as sockets lie below it")
    print(f"TMPDIR={given} is too long for sockets; {short} is used", file=sys.stderr)
    os.environ["TMPDIR"] = tempfile.tempdir = short


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What an encoding lacks: signs by their nearest, bytes of undecodable names as \\xfc, the rest \\u."""
    lacking = error.object[error.start : error.end].translate(SIGNS)
    written = (f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c for c in lacking)
    return "".join(written).encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(PLAIN, _plain)
