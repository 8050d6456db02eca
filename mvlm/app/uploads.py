"""What somebody uploads, as files in a folder: names and sizes checked first, archives before they are unpacked.

Nothing here opens a scan. Whatever is refused is refused in one sentence that names the file and what was expected; the
folder is the caller's, who removes it.
"""

from __future__ import annotations

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mvlm.classify.verdicts import KINDS, in_order
from mvlm.faces.formats.files import PICTURES

BESIDE = (*PICTURES, ".mtl", ".bnd", ".lm3")
FILES = 300  # uploaded, and in an archive
TOGETHER = 128 * 2**20  # bytes of what is uploaded
UNPACKED = 512 * 2**20  # bytes of what archives hold
PACKED = (
    64  # times its size that a file in an archive may have; coordinates of a scan are packed to a third or a quarter
)
SMALL = 2**16  # bytes of a file whose packing does not matter
DEPTH = 4  # folders in an archive, one in another
LETTERS = 120  # of a name
EXPECTED = f"expected a scan ({', '.join(KINDS)}), what lies beside one (pictures, .mtl, .bnd, .lm3) or a .zip of these"
_LEFT_BY_SYSTEMS = {"__macosx", "thumbs.db", "desktop.ini"}  # beside all that begins with a dot


class Upload(NamedTuple):
    """A file as a browser sends it: the name it had there, and its bytes."""

    name: str
    data: bytes


class Unpacked(NamedTuple):
    """What is there now: scans in the order of the numbers in their names, and names of what was left out."""

    scans: list[Path]
    left_out: list[str]


def unpack(uploads: Sequence[Upload], folder: Path) -> Unpacked:
    """Writes what is uploaded into an empty folder: files into `0`, the files of the first archive into `1`, and so on.

    Raises ValueError, in words, for what is no scan nor beside one, for too much, and for an archive that is damaged,
    encrypted, a bomb, or that has names which lead out of a folder, stand twice, or cannot be read.
    """
    if not uploads:
        raise ValueError(f"no file: {EXPECTED}")
    if len(uploads) > FILES:
        raise ValueError(f"{len(uploads)} files: expected at most {FILES} at once")
    size = sum(len(upload.data) for upload in uploads)
    if size > TOGETHER:
        raise ValueError(f"{_megabytes(size)} together: expected at most {_megabytes(TOGETHER)} at once")
    scans, left_out, archives, room = [], [], 0, UNPACKED
    loose: set[str] = set()
    for upload in uploads:
        path = _placed(upload.name, upload.name)
        if path.suffix.lower() == ".zip":
            archives += 1
            found = _unzipped(upload, folder / str(archives), room)
            scans += found.scans
            left_out += found.left_out
            room -= sum(file.stat().st_size for file in (folder / str(archives)).rglob("*") if file.is_file())
            continue
        if path.suffix.lower() not in (*KINDS, *BESIDE):
            raise ValueError(f"{path.name}: {EXPECTED}")
        _expect_new(path, loose, upload.name)
        target = folder / "0" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(upload.data)
        scans += [target] if path.suffix.lower() in KINDS else []
    if not scans:
        raise ValueError(
            f"{uploads[0].name[:LETTERS]}: expected a scan ({', '.join(KINDS)}) among the files, found none"
        )
    folders = list(dict.fromkeys(scan.parent for scan in scans))
    return Unpacked([scan for of in folders for scan in in_order(s for s in scans if s.parent == of)], left_out)


def _unzipped(upload: Upload, folder: Path, room: int) -> Unpacked:
    name = upload.name
    try:
        with zipfile.ZipFile(BytesIO(upload.data)) as archive:
            entries, left_out = _entries(name, archive, room)
            for path, entry in entries:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as packed, target.open("xb") as file:
                    shutil.copyfileobj(packed, file)
    except UnicodeDecodeError:
        raise ValueError(f"{name}: expected names in UTF-8, as the archive says, found other bytes") from None
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, OverflowError) as error:
        raise ValueError(f"{name}: expected a whole .zip, found {error or 'a part of one'}") from None
    return Unpacked([folder / path for path, _ in entries if path.suffix.lower() in KINDS], left_out)


def _entries(
    name: str, archive: zipfile.ZipFile, room: int
) -> tuple[list[tuple[PurePosixPath, zipfile.ZipInfo]], list[str]]:
    """What to unpack of an archive, and names of what is left out; all is checked before anything is written."""
    every = archive.infolist()
    if len(every) > FILES:
        raise ValueError(f"{name}: expected at most {FILES} files in it, found {len(every)}")
    seen: set[str] = set()
    entries, left_out = [], []
    for entry in every:
        said = f"{name}, {entry.filename[:LETTERS]!r}"
        path = _placed(entry.filename, said)
        if entry.is_dir() or any(part.lower() in _LEFT_BY_SYSTEMS or part.startswith(".") for part in path.parts):
            continue
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ValueError(f"{said}: expected a file, found a link or another special one")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{said}: expected a file packed as every system does it, found a rarer way")
        if entry.flag_bits & 1:
            raise ValueError(f"{said}: expected a file without a password, found an encrypted one")
        if path.suffix.lower() == ".zip":
            raise ValueError(f"{said}: expected scans in the archive, found another archive")
        _expect_new(path, seen, said)
        if path.suffix.lower() not in (*KINDS, *BESIDE):
            left_out.append(path.name)
            continue
        if entry.file_size > max(SMALL, PACKED * entry.compress_size):
            times = entry.file_size / max(1, entry.compress_size)
            raise ValueError(f"{said}: expected at most {PACKED} times its packed size, found {times:,.0f} times")
        entries.append((path, entry))
    inside = {str(parent).lower() for path, _ in entries for parent in path.parents}
    if both := inside & seen:
        raise ValueError(f"{name}, {min(both)!r}: expected a file or a folder of that name, found both")
    size = sum(entry.file_size for _, entry in entries)
    if size > room:
        raise ValueError(f"{name}: expected at most {_megabytes(UNPACKED)} unpacked, found {_megabytes(size)}")
    return entries, left_out


def _placed(name: str, said: str) -> PurePosixPath:
    """A name as a path below some folder. Raises ValueError if it is none, on this system or another."""
    plain = name.replace("\\", "/")
    path = PurePosixPath(plain)
    if not path.parts or not plain.isprintable():
        raise ValueError(f"{said[:LETTERS]!a}: expected a name of letters and signs that can be shown")
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", plain):
        raise ValueError(f"{said}: expected a name inside the folder, found one that leads out of it")
    if len(path.parts) > DEPTH + 1:
        raise ValueError(f"{said}: expected at most {DEPTH} folders one in another, found {len(path.parts) - 1}")
    if any(len(part) > LETTERS or len(part.encode()) > 2 * LETTERS for part in path.parts):
        raise ValueError(f"{said[:LETTERS]}…: expected a name of at most {LETTERS} letters")
    return path


def _expect_new(path: PurePosixPath, seen: set[str], said: str) -> None:
    if str(path).lower() in seen:
        raise ValueError(f"{said}: expected every name once, found it twice")
    seen.add(str(path).lower())


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
