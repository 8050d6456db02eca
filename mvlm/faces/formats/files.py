"""Files beside a mesh: found whatever the case, the encoding or the normal form of their names."""

from __future__ import annotations

import codecs
import os
import re
import warnings
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

PICTURES = (".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".tga", ".gif", ".jp2")
LARGEST = 2**30  # bytes of a file of text; a scan of 35,000 vertices has about 5 million
# In which a reference may be written that is no UTF-8, and what UTF-8 looks like after a copy that took it for these.
_ENCODINGS = ("cp1252", "latin-1", "cp437", "cp850", "mac-roman", "cp1250", "cp1251", "gb18030", "shift-jis", "euc-kr")
_WIDE = {"utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)}
_LONGEST_PATH = 4096  # bytes; of a longer reference the end alone can name a file
_MOST_PACKED = 64  # times its size; coordinates of a scan are packed to a third or a quarter


class PictureWarning(UserWarning):
    """A mesh names a picture that is not there, or more of them than a mesh can have."""


class LeftOutWarning(UserWarning):
    """A part of a file that is not read."""


def read_whole(path: Path, largest: int = LARGEST) -> bytes:
    """The bytes of a file. Raises ValueError, before it is read, if it has more than the largest of its kind."""
    size = path.stat().st_size
    if size > largest:
        raise ValueError(f"{path}: expected at most {largest} bytes, the file has {size}")
    return path.read_bytes()


def read_text(path: Path, largest: int = LARGEST) -> bytes:
    """The text of a file as UTF-8, or whatever else it is in that has ASCII in its place, without marks of its end.

    Errors as of `unwrapped`.
    """
    return without_end(unwrapped(path, largest))


def without_end(text: bytes) -> bytes:
    """A text without what marks its end or fills a block: NUL or Ctrl-Z, with white space between."""
    bare = text.rstrip(b"\0\x1a \t\r\n")
    ends = [at for mark in (b"\0", b"\x1a") if (at := text.find(mark, len(bare))) >= 0]
    return text[: min(ends)] if ends else text


def unwrapped(path: Path, largest: int = LARGEST) -> bytes:
    """The bytes of a file without mark of byte order, UTF-16 and UTF-32 converted to UTF-8, gzip unpacked.

    Raises ValueError if it has more than the largest of its kind, packed or not, or if it is damaged.
    """
    data = read_whole(path, largest)
    if data.startswith(b"\x1f\x8b"):
        data = _unpacked(path, data, largest)
    if (encoding := _wide(data)) is not None:
        size = len(data) // 4 * 4 if encoding.startswith("utf-32") else len(data) // 2 * 2
        try:
            data = data[:size].decode(encoding).encode()
        except UnicodeError as error:
            place = f", byte {error.start}" if isinstance(error, UnicodeDecodeError) else ", the text"
            raise ValueError(f"{path}{place}: expected text in {encoding}, found other bytes") from None
    return data.removeprefix(codecs.BOM_UTF8)


def _wide(data: bytes) -> str | None:
    """The encoding of a text whose characters have more than one byte, by its mark or by its first two characters."""
    for encoding, marks in _WIDE.items():
        if data.startswith(marks):
            return encoding
    by_zeros = {b"\0\1\0\1": "utf-16-be", b"\1\0\1\0": "utf-16-le"}
    return by_zeros.get(bytes(byte > 0 for byte in data[:4]))


def _unpacked(path: Path, data: bytes, largest: int) -> bytes:
    most = min(largest, max(2**20, _MOST_PACKED * len(data)))  # a small file may claim gigabytes
    unpacking = zlib.decompressobj(wbits=31)
    try:
        text = unpacking.decompress(data, most)
    except zlib.error as error:
        raise ValueError(f"{path}: expected a whole gzip file, found {error}") from None
    if not unpacking.eof:
        found = "more" if unpacking.unconsumed_tail else "a part of it"
        raise ValueError(f"{path}: expected a whole gzip file of at most {most} bytes unpacked, found {found}")
    return text


def beside(path: Path, names: Iterable[str]) -> Path | None:
    """The first of `names` that is a file in the folder of `path`; None if none is.

    Names are compared without case, composed and decomposed letters alike. Only names that the folder lists are ever
    returned, and links only if they end in that folder (or, when `path` is a link itself, in the folder where it ends),
    so a reference written in a file cannot lead out of the folder.
    """
    listed: dict[str, list[str]] = {}
    for entry in sorted(os.listdir(path.parent)):
        for same in {_plain(reading) for reading in _readings(entry)}:
            listed.setdefault(same, []).append(entry)
    for name in names:
        alike = [entry for entry in listed.get(_plain(name), ()) if _is_inside(path, entry)]
        if alike:
            return path.parent / (name if name in alike else alike[0])
    return None


def _plain(name: str) -> str:
    return name.lower() if name.isascii() else normalize("NFD", normalize("NFD", name).casefold())


def _readings(entry: str) -> list[str]:
    """A listed name; where its bytes are no text, what they may mean."""
    try:
        entry.encode()
    except UnicodeEncodeError:
        return [entry, *_decoded(os.fsencode(entry))]
    return [entry]


def _is_inside(path: Path, entry: str) -> bool:
    found = path.parent / entry
    if found.is_symlink():
        target = found.resolve()
        if not any(target.is_relative_to(folder) for folder in (path.parent.resolve(), path.resolve().parent)):
            return False
    return found.is_file()


def last_part(reference: str) -> str:
    """The name of a file from a reference as any system writes it; what comes before is of another machine."""
    return reference.replace("\\", "/").rsplit("/", 1)[-1]


def spellings(reference: str | bytes) -> list[str]:
    """The names that a reference may mean, the likeliest first: its last part, without quotes, %20 or ?query."""
    found = {}
    reference = reference[-_LONGEST_PATH:]
    for text in [reference] if isinstance(reference, str) else _decoded(reference):
        name = last_part(text.strip().strip("\"'")).strip()
        found |= dict.fromkeys((name, unquote(name), re.split("[?#]", name)[0].strip()))
    return [name for name in found if name]


def _decoded(data: bytes) -> Iterator[str]:
    yield os.fsdecode(data)
    if not data.isascii():
        for encoding in ("utf-8", *_ENCODINGS):
            try:
                yield data.decode(encoding)
            except UnicodeDecodeError:
                continue


def picture_beside(path: Path, references: Iterable[str | bytes], fallbacks: Iterable[str]) -> Path | None:
    """The picture of a mesh, in the folder of its file.

    path        of the mesh
    references  what the file names, the likeliest first, as it stands there: bytes may be of any encoding, of a path or
                an address only the last part counts, and a picture of that name with another extension stands in for it
    fallbacks   names of pictures to look for where no reference leads, likewise

    Returns None if there is none; then warns, once, if the file has references.
    """
    groups = [spellings(reference) for reference in references]
    names = dict.fromkeys(name for group in [*groups, list(fallbacks)] for name in _with_others(group))
    found = beside(path, names)
    if found is None and (looked := ", ".join(repr(group[0]) for group in groups if group)):
        warnings.warn(f"{path}: expected the picture {looked:.200} in its folder, found none", PictureWarning, 2)
    return found


def one_picture(path: Path, pictures: Collection[Path | None]) -> Path | None:
    """The picture of all parts of a mesh; None, with a warning, if they have several."""
    found = sorted({picture.name for picture in pictures if picture is not None})
    if len(found) > 1:
        said = f"{', '.join(map(repr, found)):.200}"
        warnings.warn(f"{path}: expected one picture, found {said}: the mesh has none", PictureWarning, 2)
        return None
    return next((picture for picture in pictures if picture is not None), None)


def _with_others(names: list[str]) -> list[str]:
    """Those of `names` that are pictures, then the same with the other extensions."""
    stems = dict.fromkeys(name.rpartition(".")[0] or name for name in names)
    return [
        *(name for name in names if name.lower().endswith(PICTURES)),
        *(stem + extension for stem in stems for extension in PICTURES),
    ]
