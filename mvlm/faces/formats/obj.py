"""Wavefront .obj with its .mtl, as BP4D has them: vertices, texture coordinates, polygons, one picture.

All lines of one kind are read in one vectorised call; where each word stands is known from the bytes alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.files import beside, last_part, picture_beside, read_whole
from mvlm.faces.formats.numbers import Misread, fans, numbers
from mvlm.faces.mesh import Mesh

_MAP = re.compile(rb"^[ \t]*map_Kd[ \t]+([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
# What changes neither vertices nor polygons. Anything else (curves, surfaces) is geometry that would be lost.
_IGNORED = re.compile(rb"(?:vp|l|p|o|g|s|mg|usemtl|usemap|maplib|bevel|c_interp|d_interp|lod|shadow_obj|trace_obj)"
                      rb"(?=[ \n]|\Z)")
_FREQUENT = (b"g ", b"g\n", b"s ", b"o ", b"l ", b"p ")  # of these, what may come with every polygon
_BLANKS = bytes.maketrans(b"\t\v\f", b"   ")
_SLASH = ord("/")
_V, _VT, _VN, _F = b"v ", b"vt", b"vn", b"f "
_WIDTHS = {_V: (3, 4, 6, 7), _VT: (2, 3)}  # numbers of a line: a weight and a colour, a depth, are left out


class _Lines(NamedTuple):
    """The lines of one kind, in the order of the file.

    key     the two bytes that each begins with
    origin  (L,) int32, where each begins in the file
    text    all of them
    starts  (L + 1,) int32, where each begins in `text`, and the end
    """

    key: bytes
    origin: np.ndarray
    text: bytes
    starts: np.ndarray

    @property
    def name(self) -> str:
        return self.key.decode("ascii").strip()

    def pattern(self) -> bytes | None:
        """What is left of each line without its digits, signs and points, if that is the same for all; else None."""
        bare = self.text.translate(None, b"0123456789.+-eE")
        first = bare[:bare.find(b"\n") + 1]
        return first if bare == first * len(self.origin) else None

    def blanked(self) -> np.ndarray:
        """The text (N,) uint8 without the key words."""
        text = np.frombuffer(bytearray(self.text), dtype=np.uint8)
        for offset in range(len(self.name)):
            text[self.starts[:-1] + offset] = 32
        return text

    def counts(self, words: np.ndarray) -> np.ndarray:
        """How many of the words that begin at `words` each line has, (L,)."""
        return np.diff(np.searchsorted(words, self.starts))

    def line_of(self, at: int) -> int:
        return int(np.searchsorted(self.starts, at, side="right")) - 1


class _Corners(NamedTuple):
    """Corners of polygons as the file numbers them, one polygon after another.

    vertex   (N,) int64
    texture  (N,) int64, 0 for a corner without; or None
    sizes    (L,) corners of each polygon
    """

    vertex: np.ndarray
    texture: np.ndarray | None
    sizes: np.ndarray


def read_obj(path: Path) -> Mesh:
    """Reads a .obj file, without landmarks: polygons cut into fans, numbers from the end resolved, normals left out.

    The picture is the first map_Kd of the .mtl, or else the .jpg, .bmp or .png of the same name; both lie in the folder
    of the file. If some polygons have no texture coordinates, the mesh has none.
    Raises ValueError naming the file, the line and what was expected.
    """
    path = Path(path)
    return _Document(path, read_whole(path)).mesh()


class _Document:
    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.libraries: list[str] = []
        self.take_text(_plain(data))
        self.lines = self.sorted_lines()

    def take_text(self, data: bytes) -> None:
        """From here on every byte keeps its place, so that an error finds its line in `data`."""
        self.data = data
        self.text = data.replace(b"\\\n", b"  ") if b"\\" in data else data  # broken lines joined

    def error(self, at: int, expected: str, found: str) -> ValueError:
        line = self.data.count(b"\n", 0, at) + 1
        return ValueError(f"{self.path}, line {line}: expected {expected}, found {found:.100}")

    def wrong(self, lines: _Lines, line: int, expected: str) -> ValueError:
        """The error for the whole of a line."""
        start = int(lines.origin[line])
        return self.error(start, expected, repr(self.text[start:start + 60].partition(b"\n")[0].decode("latin-1")))

    # -- lines ------------------------------------------------------------------------------------------------------

    def sorted_lines(self) -> dict[bytes, _Lines]:
        """The lines v, vt and f; the others are checked to be of no weight."""
        byte = np.frombuffer(self.text, dtype=np.uint8)
        starts = np.append(np.int32(0), np.flatnonzero(byte[:-1] == 10).astype(np.int32) + np.int32(1))
        starts = starts[byte[starts] != 10]  # so each line that is left has two bytes at least
        codes = byte[starts].astype(np.uint16) * 256 + byte[starts + 1]
        if (codes >> 8 == 32).any() and (b"\n " in self.data or self.data[:1] == b" "):
            self.take_text(_without_indentation(self.data))
            return self.sorted_lines()
        known = np.isin(codes, [int.from_bytes(key, "big") for key in _FREQUENT])
        apart = byte[np.minimum(starts + 2, len(byte) - 1)] == 32  # a third letter makes another word of vt and vn
        ends = np.append(starts[1:], np.int32(len(self.text)))
        lines = {}
        for key in (_V, _VT, _VN, _F):
            chosen = codes == int.from_bytes(key, "big")
            if key[1:] != b" ":
                chosen &= apart
            known |= chosen
            if key != _VN:
                lines[key] = self.gathered(key, starts[chosen], ends[chosen])
        for start, end in zip(starts[~known].tolist(), ends[~known].tolist(), strict=True):
            if _IGNORED.match(self.text, start):
                continue
            word, _, rest = self.text[start:end].partition(b" ")
            if self.text[start:end].isspace():
                continue
            if word != b"mtllib":
                raise self.error(start, "a line v, vt, vn, f, g, s, o, usemtl or mtllib and its values",
                                 repr(word.strip()[:60].decode("latin-1")))
            self.libraries.append(rest.decode("utf-8", errors="replace").strip())
        return lines

    def gathered(self, key: bytes, starts: np.ndarray, ends: np.ndarray) -> _Lines:
        """Lines from `starts` to `ends`, which follow each other in a few long runs or in many short ones."""
        breaks = np.flatnonzero(starts[1:] != ends[:-1]) + 1
        begins, stops = np.append(starts[:1], starts[breaks]), np.append(ends[breaks - 1], ends[-1:])
        text = b"".join(self.text[begin:stop] for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True))
        places = np.concatenate([[0], np.cumsum(ends - starts, dtype=np.int32)]).astype(np.int32)
        return _Lines(key, starts, text, places)

    def numbers(self, lines: _Lines, text: bytes, dtype: type) -> np.ndarray:
        """The numbers of a text made of that of `lines` byte by byte."""
        try:
            return numbers(text, dtype)
        except Misread as error:
            at = int(lines.origin[lines.line_of(error.at)])
            raise self.error(at, f"{error.expected} in {lines.name}", error.found) from None

    def rows(self, key: bytes) -> np.ndarray:
        """The first numbers of each line (L, width), the width that a line has at least."""
        lines, widths = self.lines[key], _WIDTHS[key]
        if lines.pattern() == lines.name.encode() + b" " * widths[0] + b"\n":
            text = lines.text.replace(lines.name.encode(), b" " * len(lines.name))
            return self.numbers(lines, text, np.float64).reshape(-1, widths[0])
        text = lines.blanked()
        values = self.numbers(lines, text.tobytes(), np.float64)
        counts = lines.counts(_words(text))
        for line in np.flatnonzero(~np.isin(counts, widths))[:1].tolist():
            raise self.wrong(lines, line, f"{widths[0]} numbers in {lines.name}")
        return values[(np.cumsum(counts) - counts)[:, None] + np.arange(widths[0])]

    # -- meaning ----------------------------------------------------------------------------------------------------

    def mesh(self) -> Mesh:
        for key, what in ((_V, "v x y z"), (_F, "f a b c")):
            if len(self.lines[key].origin) == 0:
                raise self.error(len(self.data) - 1, f"lines `{what}`", "none: truncated?")
        vertices = self.rows(_V)
        corners = self.regular_corners() or self.corners()
        sizes = corners.sizes
        for line in np.flatnonzero(sizes < 3)[:1].tolist():
            raise self.wrong(self.lines[_F], line, "a polygon of at least 3 corners")
        starts = np.cumsum(sizes, dtype=np.int32) - sizes
        triangles = fans(self.resolved(corners.vertex, sizes, _V), starts, sizes)
        texture = {}
        if corners.texture is not None and self.have_all(corners.texture, starts, sizes):
            index = self.resolved(corners.texture, sizes, _VT)  # refuses any number if there are no lines vt
            texture = {"texture_coordinates": self.rows(_VT), "texture_triangles": fans(index, starts, sizes),
                       "texture": self.picture()}
        try:
            return Mesh(vertices, triangles, **texture)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    def regular_corners(self) -> _Corners | None:
        """The corners, if each line has as many, of one form and with blanks as expected: the usual case."""
        lines = self.lines[_F]
        pattern = lines.pattern() or b""
        for slashes in (b"", b"/", b"//"):
            size = (len(pattern) - 2) // (1 + len(slashes))
            if pattern == b"f" + (b" " + slashes) * size + b"\n":
                break
        else:
            return None
        count = len(lines.origin) * size
        normals_only = slashes == b"//" and b"//" in lines.text
        width = 1 + len(slashes) - normals_only
        if normals_only and lines.text.count(b"//") != count or b"." in lines.text or b"e" in lines.text:
            return None
        values = self.numbers(lines, lines.text.replace(b"f", b" ").replace(b"/", b" "), np.int64)
        if len(values) != count * width:  # empty places
            return None
        values = values.reshape(-1, width)
        has_texture = width > 1 and not normals_only
        return _Corners(values[:, 0], values[:, 1] if has_texture else None,
                        np.full(len(lines.origin), size, dtype=np.int32))

    def corners(self) -> _Corners:
        """The corners, each v, v/vt, v/vt/vn or v//vn, in lines of any size."""
        lines = self.lines[_F]
        text = lines.blanked()
        words, slashes = _words(text), np.flatnonzero(text == _SLASH).astype(np.int32)
        sizes = lines.counts(words).astype(np.int32)
        values = self.numbers(lines, np.where(text == _SLASH, np.uint8(32), text).tobytes(), np.int64)
        if len(slashes) == 0:
            return _Corners(values, None, sizes)
        places = np.searchsorted(slashes, np.append(words, np.int32(len(text)))).astype(np.int32)
        count = np.diff(places)
        behind = text[slashes + 1]
        filled = np.append((behind > 32) & (behind != _SLASH), False)  # is there a number behind a slash?
        has_texture = (count > 0) & filled[places[:-1]]
        has_normal = (count > 1) & filled[np.minimum(places[:-1] + 1, len(slashes))]
        wrong = (count > 2) | (text[words] == _SLASH)
        if wrong.any():
            raise self.wrong(lines, lines.line_of(words[np.argmax(wrong)]), "corners v, v/vt, v/vt/vn or v//vn")
        width = 1 + has_texture.astype(np.int32) + has_normal
        first = np.cumsum(width, dtype=np.int32) - width
        of_texture = np.where(has_texture, values[np.minimum(first + 1, len(values) - 1)], 0)
        return _Corners(values[first], of_texture, sizes)

    def have_all(self, of_texture: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> bool:
        """Whether every corner has a texture coordinate; a polygon has one at all corners or at none."""
        missing = of_texture == 0
        if not missing.any():
            return True
        gone = np.add.reduceat(missing, starts, dtype=np.int32)
        for line in np.flatnonzero((gone > 0) & (gone < sizes))[:1].tolist():
            raise self.wrong(self.lines[_F], line, "corners of one form in a polygon")
        return False

    def resolved(self, index: np.ndarray, sizes: np.ndarray, key: bytes) -> np.ndarray:
        """Numbers 1, 2, ... or, from the latest line back, -1, -2, ... as rows from 0, (N,) int32."""
        lines, targets = self.lines[_F], self.lines[key]
        if index.min() < 0:
            before = np.searchsorted(targets.origin, lines.origin)
            rows = np.where(index < 0, index + np.repeat(before, sizes), index - 1)
        else:
            rows = index - 1
        if rows.min() < 0 or rows.max() >= len(targets.origin):
            corner = int(np.argmax((rows < 0) | (rows >= len(targets.origin))))
            line = int(np.searchsorted(np.cumsum(sizes), corner, side="right"))
            raise self.wrong(lines, line, f"numbers of {len(targets.origin)} lines {targets.name}")
        return rows.astype(np.int32)

    def picture(self) -> Path | None:
        stem = self.path.stem
        reference = None
        names = [name for line in self.libraries for name in (line, *line.split()) if name.lower().endswith(".mtl")]
        library = beside(self.path, (last_part(name) for name in names))
        if library is not None and (found := _MAP.search(read_whole(library))):
            reference = found[1].decode("utf-8", errors="replace").strip()
            if beside(self.path, [last_part(reference)]) is None:  # options come before the name
                reference = reference.split()[-1] if reference else None
        return picture_beside(self.path, [reference or ""], [f"{stem}.jpg", f"{stem}.bmp", f"{stem}.png"])


def _plain(data: bytes) -> bytes:
    """The file with line feeds for line ends, blanks for other white space, and no comments; line by line as it was."""
    if not data.endswith(b"\n"):
        data += b"\n"
    text = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
    if b"\t" in text or b"\v" in text or b"\f" in text:
        text = text.translate(_BLANKS)
    if b"#" not in text:
        return text
    byte = np.frombuffer(text, dtype=np.uint8)
    events = np.flatnonzero((byte == ord("#")) | (byte == ord("\n"))).astype(np.int32)
    opens = byte[events] == ord("#")
    opens[1:] &= byte[events[:-1]] == ord("\n")  # the first of its line
    begins, line_ends = events[opens], events[byte[events] == ord("\n")]
    return _without(text, begins, line_ends[np.searchsorted(line_ends, begins)])


def _without_indentation(text: bytes) -> bytes:
    byte = np.frombuffer(b"\n" + text + b"\n", dtype=np.uint8)
    blank = byte == 32
    begins = np.flatnonzero(blank[1:] & (byte[:-1] == 10)).astype(np.int32)
    ends = np.flatnonzero(blank[:-1] & ~blank[1:]).astype(np.int32)
    return _without(text, begins, ends[np.searchsorted(ends, begins)])


def _without(text: bytes, begins: np.ndarray, ends: np.ndarray) -> bytes:
    """The text without what lies between each of `begins` and its one of `ends`; they do not overlap."""
    byte = np.frombuffer(text, dtype=np.uint8)
    change = np.zeros(len(byte) + 1, dtype=np.int8)
    change[begins] = 1
    change[ends] -= 1
    return byte[np.cumsum(change[:-1], dtype=np.int8) == 0].tobytes()


def _words(text: np.ndarray) -> np.ndarray:
    """Where the words of a text (N,) uint8 begin, (W,) int32."""
    black = text > 32
    black[1:] &= text[:-1] <= 32
    return np.flatnonzero(black).astype(np.int32)


def write_obj(mesh: Mesh, path: Path) -> None:
    """Writes a .obj file, without landmarks, and a .mtl beside it if the mesh has a picture; coordinates to 1e-6."""
    path = Path(path)
    material = path.with_suffix(".mtl")
    head = []
    if mesh.texture is not None:
        head = [f"mtllib {material.name}\n"]
        with replacing(material) as temporary:
            temporary.write_text(f"newmtl face\nKd 1 1 1\nmap_Kd {mesh.texture.name}\n", encoding="utf-8", newline="")
    body = [_block("v %.6f %.6f %.6f\n", mesh.vertices)]
    corners = mesh.triangles + 1
    if mesh.texture_coordinates is None:
        body.append(_block("f %d %d %d\n", corners))
    else:
        of_texture = corners if mesh.texture_triangles is None else mesh.texture_triangles + 1
        body.append(_block("vt %.6f %.6f\n", mesh.texture_coordinates))
        if head:
            body.append("usemtl face\n")
        body.append(_block("f %d/%d %d/%d %d/%d\n", np.stack([corners, of_texture], axis=2).reshape(-1, 6)))
    with replacing(path) as temporary:
        temporary.write_text("".join([*head, *body]), encoding="utf-8", newline="")


def _block(row: str, values: np.ndarray) -> str:
    return row * len(values) % tuple(values.ravel().tolist())
