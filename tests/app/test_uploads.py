"""Uploads: what is taken, and what is refused in words before it can do harm."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mvlm.app import uploads
from mvlm.app.uploads import Upload, unpack

SCAN = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", packed) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return written.getvalue()


def special(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 0, mode << 16  # whatever system is said to have made it
    return entry


def with_flag(data: bytes, flag: int) -> bytes:
    """An archive of one file whose headers say something of it that is not so."""
    changed = bytearray(data)
    for start, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = changed.index(start) + place
        struct.pack_into("<H", changed, at, struct.unpack_from("<H", changed, at)[0] | flag)
    return bytes(changed)


def understated(data: bytes, size: int) -> bytes:
    """An archive of one file whose headers say that it is of another size."""
    changed = bytearray(data)
    for start, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", changed, changed.index(start) + place, size)
    return bytes(changed)


HOSTILE: dict[str, tuple[Callable[[], list[Upload]], str]] = {
    "no file": (lambda: [], "no file: expected a scan"),
    "another kind": (lambda: [Upload("photo.exe", b"MZ")], "photo.exe: expected a scan (.wrl"),
    "only what lies beside": (lambda: [Upload("face.jpg", b"")], "face.jpg: expected a scan"),
    "too many": (lambda: [Upload(f"{n}.obj", SCAN) for n in range(301)], "301 files: expected at most 300"),
    "too large": (lambda: [Upload("big.ply", bytes(129 * 2**20))], "129 MB together: expected at most 128 MB"),
    "the same name twice": (lambda: [Upload("a.obj", SCAN), Upload("A.OBJ", SCAN)], "A.OBJ: expected every name once"),
    "a name that leads out": (lambda: [Upload("../../etc/a.obj", SCAN)], "expected a name inside the folder"),
    "a name that cannot be shown": (lambda: [Upload("a\n\x1b[2J.obj", SCAN)], r"'a\n\x1b[2J.obj': expected a name of"),
    "a name without end": (lambda: [Upload("a" * 999 + ".obj", SCAN)], "expected a name of at most 120 letters"),
    "no archive": (lambda: [Upload("a.zip", b"not one")], "a.zip: expected a whole .zip, found File is not a zip"),
    "half an archive": (lambda: [Upload("a.zip", zipped(("a.obj", SCAN))[:-30])], "a.zip: expected a whole .zip"),
    "damaged": (
        lambda: [Upload("a.zip", zipped(("a.obj", SCAN), packed=0).replace(b"v 1 0 0", b"v 1 0 9"))],
        "a.zip: expected a whole .zip, found Bad CRC-32 for file 'a.obj'",
    ),
    "empty": (lambda: [Upload("a.zip", zipped())], "a.zip: expected a scan"),
    "no scan": (lambda: [Upload("a.zip", zipped(("notes.txt", b"")))], "a.zip: expected a scan"),
    "up and out": (lambda: [Upload("a.zip", zipped(("../a.obj", SCAN)))], "a.zip, '../a.obj': expected a name inside"),
    "absolute": (lambda: [Upload("a.zip", zipped(("/etc/a.obj", SCAN)))], "'/etc/a.obj': expected a name inside"),
    "a drive": (lambda: [Upload("a.zip", zipped(("C:\\a.obj", SCAN)))], "expected a name inside the folder"),
    "out by backslashes": (lambda: [Upload("a.zip", zipped(("x\\..\\..\\a.obj", SCAN)))], "expected a name inside"),
    "a link": (
        lambda: [Upload("a.zip", zipped((special("a.obj", stat.S_IFLNK | 0o777), b"/etc/passwd")))],
        "a.zip, 'a.obj': expected a file, found a link",
    ),
    "a device": (lambda: [Upload("a.zip", zipped((special("a.obj", stat.S_IFCHR), b"")))], "found a link or another"),
    "a password": (
        lambda: [Upload("a.zip", with_flag(zipped(("a.obj", SCAN)), 1))],
        "a.zip, 'a.obj': expected a file without a password",
    ),
    "a name that is no text": (
        lambda: [Upload("a.zip", with_flag(zipped(("a_.obj", SCAN)).replace(b"a_.", b"a\xff."), 0x800))],
        "a.zip: expected names in UTF-8",
    ),
    "an archive in it": (
        lambda: [Upload("a.zip", zipped(("b.zip", zipped(("a.obj", SCAN)))))],
        "a.zip, 'b.zip': expected scans in the archive, found another archive",
    ),
    "a bomb": (lambda: [Upload("a.zip", zipped(("a.obj", bytes(2**24))))], "expected at most 64 times its packed size"),
    "a bomb that lies": (
        lambda: [Upload("a.zip", understated(zipped(("a.obj", bytes(2**24))), 2**16))],
        "a.zip: expected a whole .zip, found Bad CRC-32",
    ),
    "a packing of its own": (
        lambda: [Upload("a.zip", zipped(("a.obj", SCAN), packed=zipfile.ZIP_LZMA))],
        "a.zip, 'a.obj': expected a file packed as every system does it",
    ),
    "names twice in it": (
        lambda: [Upload("a.zip", zipped(("f/a.obj", SCAN), ("F/A.obj", SCAN)))],
        "a.zip, 'F/A.obj': expected every name once",
    ),
    "a file that is a folder": (
        lambda: [Upload("a.zip", zipped(("a.obj", SCAN), ("a.obj/b.obj", SCAN)))],
        "a.zip, 'a.obj': expected a file or a folder of that name, found both",
    ),
    "too deep": (lambda: [Upload("a.zip", zipped(("a/b/c/d/e/f.obj", SCAN)))], "expected at most 4 folders one in an"),
    "too many in it": (
        lambda: [Upload("a.zip", zipped(*((f"{n}.obj", b"") for n in range(301))))],
        "a.zip: expected at most 300 files in it, found 301",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_hostile_is_refused_in_a_sentence(tmp_path: Path, kind: str):
    given, said = HOSTILE[kind]
    with pytest.raises(ValueError) as refused:
        unpack(given(), tmp_path / "in")
    assert said in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 400
    assert [path.name for path in tmp_path.iterdir()] in ([], ["in"])  # nothing beside the folder


def test_archives_together_have_one_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "UNPACKED", 3000)
    one = zipped(("a.obj", SCAN * 60))
    assert len(unpack([Upload("a.zip", one)], tmp_path / "one").scans) == 1
    with pytest.raises(ValueError, match=r"b\.zip: expected at most 0 MB unpacked"):
        unpack([Upload("a.zip", one), Upload("b.zip", one)], tmp_path / "two")


def test_scans_come_in_the_order_of_their_numbers_and_what_systems_leave_is_passed_over(tmp_path: Path):
    archive = zipped(
        ("rec/", b""), ("rec/10.obj", SCAN), ("rec/9.obj", SCAN), ("rec/9.jpg", b"picture"), ("rec/notes.txt", b""),
        ("__MACOSX/rec/._9.obj", b"\0"), ("rec/.DS_Store", b""), ("rec/Thumbs.db", b""),
    )  # fmt: skip
    given = [Upload("face.mtl", b""), Upload("Zip.ZIP", archive), Upload("Gesicht ü.OBJ", SCAN)]
    found = unpack(given, tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found.scans] == [
        "1/rec/9.obj", "1/rec/10.obj", "0/Gesicht ü.OBJ",
    ]  # fmt: skip
    assert found.left_out == ["notes.txt"]
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"0/face.mtl", "0/Gesicht ü.OBJ", "1/rec/9.obj", "1/rec/10.obj", "1/rec/9.jpg"}
    assert (tmp_path / "0/Gesicht ü.OBJ").read_bytes() == SCAN
