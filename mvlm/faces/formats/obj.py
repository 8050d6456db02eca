"""Wavefront .obj with its .mtl, as BP4D has them and as other writers may: vertices, coordinates, polygons, a picture.

All polygons are one mesh, whatever groups and objects they belong to. What is no polygon (lines, points, skin weights,
words of a vendor) is passed over, the unknown with a warning; the picture is that of the material which the polygons
use, and a mesh has one: with several it has none, and is said to.

All lines of one kind are read in one vectorised call; where each word stands is known from the bytes alone.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.files import (
    LeftOutWarning,
    PictureWarning,
    beside,
    one_picture,
    picture_beside,
    read_text,
    spellings,
)
from mvlm.faces.formats.mtl import Map, read_mtl
from mvlm.faces.formats.numbers import Misread, expect_polygons, fans, numbers
from mvlm.faces.formats.obj_lines import NAMING, Lines, between, joined, plain, without_indentation, words
from mvlm.faces.formats.polygons import known, placed, repeating
from mvlm.faces.mesh import Mesh

# What changes neither vertices nor polygons.
_IGNORED = re.compile(rb"vp|l|p|o|g|s|mg|usemap|maplib|bevel|c_interp|d_interp|lod|shadow_obj|trace_obj")
_FIRST_WORD = re.compile(rb"^[^ \n]*", re.MULTILINE)
_FOREIGN = re.compile(rb"(?:[A-Za-z_]\w{1,30}|\w(?= +[A-Za-z_]))(?=[ \n])")  # not v or f with one bit wrong
_MOST_FOREIGN = 20  # such words
_MOST_NAMES = 100_000  # lines that name a material; one for each polygon would still be read
_MOST_LIBRARIES = 16  # that are looked for; real files have one
_FREQUENT = (b"g ", b"g\n", b"s ", b"o ", b"l ", b"p ")  # of these, what may come with every polygon
_SLASH = ord("/")
_V, _VT, _VN, _F = b"v ", b"vt", b"vn", b"f "
_WIDTHS = {_V: (3, 4, 6, 7), _VT: (2, 3)}  # numbers of a line: a weight and a colour, a depth, are left out


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

    The picture is the map_Kd (or else map_Ka, map_Ke) of the material that the polygons use, or else the .jpg, .bmp or
    .png of the same name; both lie in the folder of the file. If some polygons have no texture coordinates, the mesh
    has none. Vertices that are no numbers are left out if no polygon uses them; texture coordinates, if one does.
    Raises ValueError naming the file, the line and what was expected. Warns of what is left out.
    """
    path = Path(path)
    return _Document(path, read_text(path)).mesh()


class _Document:
    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.libraries: list[bytes] = []
        self.materials: list[tuple[int, bytes]] = []  # where in the text each begins to be used
        self.take_text(plain(data))
        self.lines = self.sorted_lines()

    def take_text(self, data: bytes) -> None:
        """From here on every byte keeps its place, so that an error finds its line in `data`."""
        self.data = data
        self.text = joined(data) if b"\\" in data else data

    def error(self, at: int, expected: str, found: str) -> ValueError:
        line = self.data.count(b"\n", 0, at) + 1
        return ValueError(f"{self.path}, line {line}: expected {expected}, found {found:.100}")

    def wrong(self, lines: Lines, line: int, expected: str) -> ValueError:
        """The error for the whole of a line."""
        start = int(lines.origin[line])
        return self.error(start, expected, repr(self.text[start:start + 60].partition(b"\n")[0].decode("latin-1")))

    # -- lines ------------------------------------------------------------------------------------------------------

    def sorted_lines(self) -> dict[bytes, Lines]:
        """The lines v, vt and f; the others are checked to be of no weight."""
        byte = np.frombuffer(self.text, dtype=np.uint8)
        starts = np.append(np.int32(0), np.flatnonzero(byte[:-1] == 10).astype(np.int32) + np.int32(1))
        starts = starts[byte[starts] != 10]  # so each line that is left has two bytes at least
        codes = byte[starts].astype(np.uint16) * 256 + byte[starts + 1]
        if (codes >> 8 == 32).any() and (b"\n " in self.data or self.data[:1] == b" "):
            self.take_text(without_indentation(self.data))
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
        self.take_others(self.gathered(b"", starts[~known], ends[~known]))
        return lines

    def take_others(self, lines: Lines) -> None:
        """Materials and libraries of lines that are no v, vt, vn or f; the others are left out, or refused."""
        first_words = _FIRST_WORD.findall(lines.text)[:len(lines.origin)]
        foreign = []
        for word, count in Counter(first_words).items():
            if word in NAMING:
                if count > _MOST_NAMES:
                    raise self.error(int(lines.origin[first_words.index(word)]),
                                     f"at most {_MOST_NAMES} lines {word.decode()}", str(count))
                for line in [number for number, other in enumerate(first_words) if other == word]:
                    name = lines.text[lines.starts[line] + len(word):lines.starts[line + 1]].strip()
                    if word == b"mtllib":
                        self.libraries.append(name)
                    else:
                        self.materials.append((int(lines.origin[line]), name))
            elif word and not _IGNORED.fullmatch(word):
                alike = [first_words.index(word)] if len(word) > 1 else range(len(first_words))
                for line in alike:
                    known = first_words[line] != word or _FOREIGN.match(lines.text, lines.starts[line])
                    if not known or len(foreign) == _MOST_FOREIGN:
                        raise self.error(int(lines.origin[line]), "a line v, vt, vn, f, g, s, o, usemtl or mtllib and "
                                         "its values", repr(word[:60].decode("latin-1")))
                foreign.append(f"{word.decode('ascii')} ({count})")
        if foreign:
            warnings.warn(f"{self.path}: left out lines {', '.join(foreign):.200}", LeftOutWarning, 2)

    def gathered(self, key: bytes, starts: np.ndarray, ends: np.ndarray) -> Lines:
        """Lines from `starts` to `ends`, which follow each other in a few long runs or in many short ones."""
        breaks = np.flatnonzero(starts[1:] != ends[:-1]) + 1
        begins, stops = np.append(starts[:1], starts[breaks]), np.append(ends[breaks - 1], ends[-1:])
        text = b"".join(self.text[begin:stop] for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True))
        places = np.concatenate([[0], np.cumsum(ends - starts, dtype=np.int32)]).astype(np.int32)
        return Lines(key, starts, text, places)

    def numbers(self, lines: Lines, text: bytes, dtype: type, *, finite: bool = True) -> np.ndarray:
        """The numbers of a text made of that of `lines` byte by byte."""
        try:
            return numbers(text, dtype, finite=finite)
        except Misread as error:
            at = int(lines.origin[lines.line_of(error.at)])
            raise self.error(at, f"{error.expected} in {lines.name}", error.found) from None

    def rows(self, key: bytes, *, finite: bool = True) -> np.ndarray:
        """The first numbers of each line (L, width), the width that a line has at least."""
        lines, widths = self.lines[key], _WIDTHS[key]
        if lines.pattern() == lines.name.encode() + b" " * widths[0] + b"\n":
            text = lines.text.replace(lines.name.encode(), b" " * len(lines.name))
            values = self.numbers(lines, text, np.float64, finite=finite)
            if len(values) == len(lines.origin) * widths[0]:  # and so no two blanks stand side by side
                return values.reshape(-1, widths[0])
        text = lines.blanked()
        found = words(text)
        counts = lines.counts(found)
        for line in np.flatnonzero(~np.isin(counts, widths))[:1].tolist():
            raise self.wrong(lines, line, f"{widths[0]} numbers in {lines.name}")
        more = np.flatnonzero(counts > widths[0])  # what is left out need be no number
        begins, ends = found[(np.cumsum(counts) - counts)[more] + widths[0]], lines.starts[more + 1]
        text[between(len(text), begins, ends)] = 32
        return self.numbers(lines, text.tobytes(), np.float64, finite=finite).reshape(-1, widths[0])

    # -- meaning ----------------------------------------------------------------------------------------------------

    def mesh(self) -> Mesh:
        for key, what in ((_V, "v x y z"), (_F, "f a b c")):
            if len(self.lines[key].origin) == 0:
                raise self.error(len(self.data) - 1, f"lines `{what}`", "none: truncated?")
        vertices = self.rows(_V, finite=False)
        corners = self.regular_corners() or self.corners()
        faces, corners = self.with_area(self.lines[_F], corners)
        sizes = corners.sizes
        starts = np.cumsum(sizes, dtype=np.int32) - sizes
        index = self.resolved(faces, corners.vertex, sizes, _V)
        if (line := repeating(index, starts, sizes)) is not None:
            raise self.wrong(faces, line, "a line f for each polygon, its corners all different")
        texture = {}
        if corners.texture is not None and len(self.lines[_VT].origin) and self.have_all(faces, corners, starts):
            of_texture = self.resolved(faces, corners.texture, sizes, _VT)
            texture = self.texture(faces, fans(of_texture, starts, sizes))
        vertices, triangles, _ = placed(vertices, fans(index, starts, sizes))
        if not np.isfinite([vertices.min(), vertices.max()]).all():
            self.rows(_V)  # says which
        try:
            return Mesh(vertices, triangles, **texture)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    def with_area(self, faces: Lines, corners: _Corners) -> tuple[Lines, _Corners]:
        """The lines and their corners without those of fewer than three."""
        expect_polygons(self.path, corners.sizes)
        solid = corners.sizes >= 3
        if solid.all():
            return faces, corners
        kept = np.repeat(solid, corners.sizes)
        texture = None if corners.texture is None else corners.texture[kept]
        return (faces._replace(origin=faces.origin[solid]),
                _Corners(corners.vertex[kept], texture, corners.sizes[solid]))

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
        found, slashes = words(text), np.flatnonzero(text == _SLASH).astype(np.int32)
        sizes = lines.counts(found).astype(np.int32)
        values = self.numbers(lines, np.where(text == _SLASH, np.uint8(32), text).tobytes(), np.int64)
        if len(slashes) == 0:
            return _Corners(values, None, sizes)
        places = np.searchsorted(slashes, np.append(found, np.int32(len(text)))).astype(np.int32)
        count = np.diff(places)
        behind = text[slashes + 1]
        filled = np.append((behind > 32) & (behind != _SLASH), False)  # is there a number behind a slash?
        has_texture = (count > 0) & filled[places[:-1]]
        has_normal = (count > 1) & filled[np.minimum(places[:-1] + 1, len(slashes))]
        wrong = (count > 2) | (text[found] == _SLASH)
        if wrong.any():
            raise self.wrong(lines, lines.line_of(found[np.argmax(wrong)]), "corners v, v/vt, v/vt/vn or v//vn")
        width = 1 + has_texture.astype(np.int32) + has_normal
        first = np.cumsum(width, dtype=np.int32) - width
        of_texture = np.where(has_texture, values[np.minimum(first + 1, len(values) - 1)], 0)
        return _Corners(values[first], of_texture, sizes)

    def have_all(self, faces: Lines, corners: _Corners, starts: np.ndarray) -> bool:
        """Whether every corner has a texture coordinate; a polygon has one at all corners or at none."""
        missing = corners.texture == 0
        if not missing.any():
            return True
        gone = np.add.reduceat(missing, starts, dtype=np.int32)
        for line in np.flatnonzero((gone > 0) & (gone < corners.sizes))[:1].tolist():
            raise self.wrong(faces, line, "corners of one form in a polygon")
        return False

    def resolved(self, lines: Lines, index: np.ndarray, sizes: np.ndarray, key: bytes) -> np.ndarray:
        """Numbers 1, 2, ... or, from the latest line back, -1, -2, ... as rows from 0, (N,) int32."""
        targets = self.lines[key]
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

    def texture(self, faces: Lines, corners: np.ndarray) -> dict:
        coordinates = self.rows(_VT, finite=False)
        if not known(coordinates, corners):
            return {}
        picture, used = self.picture(faces)
        return {"texture_coordinates": used.applied(coordinates) if used else coordinates,
                "texture_triangles": corners, "texture": picture}

    def picture(self, faces: Lines) -> tuple[Path | None, Map | None]:
        """The picture of the polygons, and how its material puts it on them."""
        stem = self.path.stem
        names = [f"{stem}.jpg", f"{stem}.bmp", f"{stem}.png"]
        maps = self.maps(faces)
        found = {picture_beside(self.path, [self.reference(one)], names): one for one in dict.fromkeys(maps)}
        if len(dict.fromkeys(one[2:] for one in maps)) > 1:
            warnings.warn(f"{self.path}: expected one -s, -o and -clamp in all materials, found several: the mesh "
                          "has no picture", PictureWarning, 2)
            return None, None
        if found:
            return one_picture(self.path, found), next(iter(found.values()))
        picture = picture_beside(self.path, [], names)
        if picture is None and self.libraries and self.library_paths() == []:
            said = f"{', '.join(repr(spellings(name)[0]) for name in self.libraries if name):.200}"
            warnings.warn(f"{self.path}: expected the materials {said} in its folder, found none", PictureWarning, 2)
        return picture, None

    def reference(self, one: Map) -> bytes:
        if one.whole != one.reference and beside(self.path, spellings(one.whole)) is not None:
            return one.whole  # what looks like options is a part of the name
        return one.reference

    def maps(self, faces: Lines) -> list[Map]:
        """The pictures of the materials that polygons use; where none of these is known, of all materials."""
        materials: dict[bytes, Map | None] = {}
        for library in self.library_paths():
            materials |= {name: one for name, one in read_mtl(library).items() if name not in materials}
        begins = np.array([begin for begin, _ in self.materials], dtype=np.int32)
        firsts = np.searchsorted(faces.origin, np.append(begins, np.int32(len(self.text))))
        used = {name for (_, name), faced in zip(self.materials, np.diff(firsts) > 0, strict=True) if faced}
        known = [one for name, one in materials.items() if name in used]
        return [one for one in known or materials.values() if one is not None]

    def library_paths(self) -> list[Path]:
        """The .mtl files that the lines mtllib name, one or several each; or else the one of the mesh's name."""
        found = []
        for line in list(dict.fromkeys(self.libraries))[:_MOST_LIBRARIES]:
            whole = beside(self.path, spellings(line))
            names = [] if whole else line.split()[:_MOST_LIBRARIES]
            parts = [whole, *(beside(self.path, spellings(name)) for name in names)]
            found += [path for path in parts if path is not None and path.suffix.lower() == ".mtl"]
        if not found and (self.libraries or self.materials):
            found = [path for path in [beside(self.path, [f"{self.path.stem}.mtl"])] if path is not None]
        return list(dict.fromkeys(found))


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
