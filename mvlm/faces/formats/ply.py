"""The .ply polygon file, as text or as binary numbers of either byte order.

A header names elements (vertex, face, others), how many of each follow, and the properties of each one; a property is
one number, or a list with its length before it. Here a row of an element is a row of units: words of a text, already
numbers, or bytes; so one walk serves both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.files import picture_beside, read_whole
from mvlm.faces.formats.numbers import Misread, fans, numbers
from mvlm.faces.mesh import Mesh

FORMS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
          "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
          "float32": "f4", "float64": "f8"}
_COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
_HEADER_END = re.compile(rb"(?<=[\r\n])end_header[ \t]*(\r\n|\n|\r)")
_LONGEST_HEADER = 2**16
_WINDOW = 2**16  # units
_MOST = 100  # elements and properties; real files have about ten
_PICTURE = re.compile(r"TextureFile\s+(.+)", re.IGNORECASE)


class _Property(NamedTuple):
    """One number of this numpy type, or, with the type of its length, a list of them."""

    name: str
    kind: str
    length: str | None


@dataclass
class _Element:
    name: str
    count: int
    properties: list[_Property]


class _List(NamedTuple):
    """A list in each row of an element: where it begins in `values`, and its length, (N,) each."""

    values: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray


def read_ply(path: Path) -> Mesh:
    """Reads a .ply file, without landmarks: polygons cut into fans.

    Texture coordinates are the vertices' s t, u v or texture_u texture_v, or else the list texcoord of each face; the
    picture is the comment TextureFile, or else the .png, .jpg or .bmp of the same name, in the folder of the file.
    Raises ValueError naming the file, the place in it and what was expected.
    """
    path = Path(path)
    return _Document(path, read_whole(path)).mesh()


class _Document:
    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data = path, data
        if data[:3] not in (b"ply", b"PLY") or data[3:4] not in (b"\n", b"\r"):
            raise self.error("line 1", "`ply`", repr(data[:20].decode("latin-1")) if data else "an empty file")
        end = _HEADER_END.search(data, 0, _LONGEST_HEADER)
        if end is None:
            raise self.error(f"byte {min(len(data), _LONGEST_HEADER)}", "a line `end_header` before it", "none")
        self.order: str | None = None
        self.elements: list[_Element] = []
        self.reference: str | None = None
        self.read_header(data[:end.start()].decode("utf-8", errors="replace"))
        self.start = end.end()
        self.position = 0
        if self.order:
            self.units = np.frombuffer(data, dtype=np.uint8)[self.start:]
        else:
            self.units = self.words()

    def error(self, place: str, expected: str, found: str) -> ValueError:
        return ValueError(f"{self.path}, {place}: expected {expected}, found {found:.100}")

    # -- header -----------------------------------------------------------------------------------------------------

    def read_header(self, header: str) -> None:
        for number, line in enumerate(re.split("\r\n|\r|\n", header)[1:], start=2):
            words = line.split()
            if not self.read_header_line(words, line):
                raise self.error(f"line {number}", "format, comment, element or property as in a .ply file", repr(line))
            if sum(1 + len(element.properties) for element in self.elements) > _MOST:
                raise self.error(f"line {number}", f"at most {_MOST} elements and properties", "more of them")
        if self.order is None:
            raise self.error("line 2", "a line `format`", "none in the header")

    def read_header_line(self, words: list[str], line: str) -> bool:
        match words:
            case [] | ["obj_info", *_]:
                return True
            case ["comment", *_]:
                if found := _PICTURE.search(line):
                    self.reference = self.reference or found[1].strip()
                return True
            case ["format", form, "1.0"] if form in FORMS and self.order is None:
                self.order = FORMS[form]
                return True
            case ["element", name, count] if re.fullmatch("[0-9]{1,10}", count) and name not in self.names():
                self.elements.append(_Element(name, int(count), []))
                return True
            case ["property", "list", length, kind, name] if length in _TYPES and kind in _TYPES and self.elements:
                return _TYPES[length][0] != "f" and self.add(_Property(name, _TYPES[kind], _TYPES[length]))
            case ["property", kind, name] if kind in _TYPES and self.elements:
                return self.add(_Property(name, _TYPES[kind], None))
        return False

    def names(self) -> list[str]:
        return [element.name for element in self.elements]

    def add(self, new: _Property) -> bool:
        properties = self.elements[-1].properties
        if new.name in (known.name for known in properties):
            return False
        properties.append(new)
        return True

    # -- rows of units ----------------------------------------------------------------------------------------------

    def words(self) -> np.ndarray:
        body = self.data[self.start:]
        try:
            return numbers(body, np.float64)
        except Misread as error:
            line = re.sub(rb"\r\n?", b"\n", self.data[:self.start + error.at]).count(b"\n") + 1
            raise self.error(f"line {line}", error.expected, error.found) from None

    def size(self, kind: str) -> int:
        """Units of a number of this type."""
        return int(kind[1]) if self.order else 1

    def converted(self, units: np.ndarray, kind: str) -> np.ndarray:
        """(N, size) units as (N,) numbers."""
        if self.order:
            return np.ascontiguousarray(units).view(self.order + kind)[:, 0]
        return units[:, 0]

    def read(self, element: _Element) -> dict[str, np.ndarray | _List]:
        """All rows of the next element: name of a property -> (N,) numbers, or a list in each row."""
        least = sum(self.size(item.length or item.kind) for item in element.properties)
        left = len(self.units) - self.position
        if element.count * max(least, 1) > left:
            unit = "bytes" if self.order else "numbers"
            raise self.error(f"element {element.name}", f"{element.count} rows of at least {least} {unit}",
                             f"{left} {unit} to the end of the file")
        if element.count == 0:
            return {}
        widths = self.widths_of_row(element, self.position, 0)
        table = self.equal_rows(element, widths)
        if table is None:
            return self.walk(element)
        found, column = {}, 0
        for item, width in zip(element.properties, widths, strict=True):
            head = self.size(item.length) if item.length else 0
            values = table[:, column + head:column + width]
            if item.length:
                size = self.size(item.kind)
                per_row = (width - head) // size
                flat = self.converted(np.ascontiguousarray(values).reshape(-1, size), item.kind)
                rows = np.arange(element.count, dtype=np.int32)
                found[item.name] = _List(flat, rows * np.int32(per_row), np.full_like(rows, per_row))
            else:
                found[item.name] = self.converted(values, item.kind)
            column += width
        self.position += table.size
        return found

    def widths_of_row(self, element: _Element, at: int, row: int) -> list[int]:
        """Units of each property in the row that begins at a unit."""
        widths = []
        for item in element.properties:
            width = self.size(item.kind)
            if item.length:
                head = self.size(item.length)
                length = None
                if at + head <= len(self.units):
                    length = float(self.converted(self.units[None, at:at + head], item.length)[0])
                if length is None or not 0 <= length * width <= len(self.units) - at - head or length != int(length):
                    raise self.error(f"{element.name} {row}", f"the length of the list {item.name}, within the file",
                                     "the end of the file" if length is None else f"{length:g}")
                width = head + int(length) * width
            widths.append(width)
            at += width
        return widths

    def equal_rows(self, element: _Element, widths: list[int]) -> np.ndarray | None:
        """(N, width) units of the next element if all its lists are as long as those of its first row."""
        total = sum(widths)
        if element.count * total > len(self.units) - self.position:
            return None
        table = self.units[self.position:self.position + element.count * total].reshape(element.count, total)
        column = 0
        for item, width in zip(element.properties, widths, strict=True):
            if item.length:
                head = table[:, column:column + self.size(item.length)]
                if (head != head[0]).any():
                    return None
            column += width
        return table

    def walk(self, element: _Element) -> dict[str, np.ndarray | _List]:
        """Rows of different lengths: where each begins depends on the one before."""
        rows, at, pieces = 0, self.position, []
        while rows < element.count:
            # Where a row would end that began at any of the next units: then the rows follow by look-up.
            units = np.arange(at, min(at + _WINDOW, len(self.units) + 1), dtype=np.int32)
            ends = self.ends_of_rows(element, units)
            places = _chain(np.minimum(ends - at, len(units)))[:element.count - rows]
            pieces.append(units[places])
            rows, last, at = rows + len(places), int(units[places[-1]]), int(ends[places[-1]])
            if at > len(self.units):
                self.widths_of_row(element, last, rows - 1)  # says what is wrong with it
                raise self.error(f"{element.name} {rows - 1}", "a whole row", "the end of the file")
        self.position = at
        found, starts = {}, np.concatenate(pieces)
        for item in element.properties:
            ends = self.ends_of_items(item, starts)
            size, head = self.size(item.kind), self.size(item.length) if item.length else 0
            sizes = (ends - starts - head) // size
            firsts = np.cumsum(sizes, dtype=np.int32) - sizes
            unit = np.repeat(starts + head - firsts * size, sizes)
            unit += np.arange(len(unit), dtype=np.int32) * size
            values = self.converted(self.units[unit[:, None] + np.arange(size, dtype=np.int32)], item.kind)
            found[item.name] = _List(values, firsts, sizes) if item.length else values
            starts = ends
        return found

    def ends_of_rows(self, element: _Element, starts: np.ndarray) -> np.ndarray:
        for item in element.properties:
            starts = self.ends_of_items(item, starts)
        return starts

    def ends_of_items(self, item: _Property, starts: np.ndarray) -> np.ndarray:
        """Where a property ends that begins at each of these units (N,) int32; beyond the file if it cannot be one."""
        size, beyond = self.size(item.kind), np.int32(len(self.units) + 1)
        if item.length is None:
            return np.minimum(starts + np.int32(size), beyond)
        head = self.size(item.length)
        inside = starts <= len(self.units) - head
        heads = np.where(inside, starts, 0)[:, None] + np.arange(head, dtype=np.int32)
        lengths = self.converted(self.units[heads], item.length)
        most = (len(self.units) - head - np.where(inside, starts, 0)) // size
        sound = inside & (lengths >= 0) & (lengths <= most) & (lengths == np.floor(lengths))
        return np.where(sound, starts + head + np.where(sound, lengths, 0).astype(np.int32) * size, beyond)

    # -- meaning ----------------------------------------------------------------------------------------------------

    def mesh(self) -> Mesh:
        found = {element.name: self.read(element) for element in self.elements}
        left = self.units[self.position:]
        if len(left) and not (self.order and len(left) <= 2 and bytes(left).isspace()):
            raise self.error(f"element {self.elements[-1].name}" if self.elements else "the header",
                             "the end of the file after it", f"{len(left)} {'bytes' if self.order else 'numbers'} more")
        vertices, faces = found.get("vertex") or {}, found.get("face") or {}
        if not {"x", "y", "z"} <= set(vertices):
            raise self.error("element vertex", "rows with properties x, y and z", ", ".join(vertices) or "none")
        polygons = faces.get("vertex_indices", faces.get("vertex_index"))
        if not isinstance(polygons, _List):
            raise self.error("element face", "rows with a list vertex_indices", ", ".join(faces) or "none")
        points = self.columns(vertices, ("x", "y", "z"))
        index = self.indices(polygons, len(points))
        try:
            return Mesh(points, fans(index, polygons.starts, polygons.sizes), **self.texture(vertices, faces, polygons))
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    def columns(self, rows: dict[str, np.ndarray | _List], names: tuple[str, ...]) -> np.ndarray:
        for name in names:
            if isinstance(rows[name], _List):
                raise self.error("element vertex", f"one number {name}", "a list")
        return np.stack([rows[name].astype(np.float64) for name in names], axis=1)

    def indices(self, polygons: _List, size: int) -> np.ndarray:
        for row in np.flatnonzero(polygons.sizes < 3)[:1].tolist():
            raise self.error(f"face {row}", "a polygon of at least 3 corners", f"{polygons.sizes[row]} of them")
        values = polygons.values
        wrong = (values < 0) | (values >= size)
        if values.dtype.kind == "f":
            wrong |= values != np.rint(values)
        if wrong.any():
            corner = int(np.argmax(wrong))
            row = int(np.searchsorted(polygons.starts, corner, side="right")) - 1
            raise self.error(f"face {row}", f"indices 0..{size - 1} of vertices", f"{values[corner]:g}")
        return values.astype(np.int32)

    def texture(self, vertices: dict, faces: dict, polygons: _List) -> dict:
        stem = self.path.stem
        picture = picture_beside(self.path, [self.reference or ""], [f"{stem}.png", f"{stem}.jpg", f"{stem}.bmp"])
        for names in _COORDINATES:
            if set(names) <= set(vertices):
                return {"texture_coordinates": self.columns(vertices, names), "texture": picture}
        of_corners = faces.get("texcoord")
        if not isinstance(of_corners, _List) or len(of_corners.values) == 0:
            return {}
        wrong = np.flatnonzero(of_corners.sizes != 2 * polygons.sizes)
        if len(wrong):
            raise self.error(f"face {wrong[0]}", f"{2 * polygons.sizes[wrong[0]]} numbers in texcoord, two per corner",
                             f"{of_corners.sizes[wrong[0]]} of them")
        coordinates = of_corners.values.astype(np.float64).reshape(-1, 2)
        corners = fans(np.arange(len(coordinates), dtype=np.int32), polygons.starts, polygons.sizes)
        return {"texture_coordinates": coordinates, "texture_triangles": corners, "texture": picture}


def _chain(following: np.ndarray) -> np.ndarray:
    """Places 0, following[0], following[following[0]], ... of an array (N,) of later places, before N is reached."""
    places = np.zeros(1, dtype=np.int32)
    jump = np.append(following, np.int32(len(following)))  # as many steps as there are places
    while True:
        more = jump[places]
        more = more[more < len(following)]
        places, complete = np.concatenate([places, more]), len(more) < len(places)
        if complete:
            return places
        jump = jump[jump]


def write_ply(mesh: Mesh, path: Path, form: str = "binary_little_endian") -> None:
    """Writes a .ply file, without landmarks, exactly: coordinates as doubles, a seam as texcoord of the faces.

    form: "binary_little_endian", "binary_big_endian" or "ascii"
    """
    path = Path(path)
    seam = mesh.texture_triangles is not None
    names = ["x", "y", "z"]
    points, faces = mesh.vertices, [("count", "u1"), ("corners", "i4", 3)]
    header = ["ply", f"format {form} 1.0"]
    if mesh.texture is not None:
        header.append(f"comment TextureFile {mesh.texture.name}")
    if mesh.texture_coordinates is not None and not seam:
        names += ["texture_u", "texture_v"]
        points = np.hstack([points, _coordinates_of_vertices(mesh)])
    header += [f"element vertex {len(points)}", *(f"property double {name}" for name in names),
               f"element face {len(mesh.triangles)}", "property list uchar int vertex_indices"]
    if seam:
        header.append("property list uchar double texcoord")
        faces += [("pairs", "u1"), ("coordinates", "f8", 6)]
    header.append("end_header\n")
    per_corner = mesh.texture_coordinates[mesh.texture_triangles].reshape(-1, 6) if seam else None
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write("\n".join(header).encode("utf-8"))
        if FORMS[form]:
            rows = np.empty(len(mesh.triangles), dtype=[(name, FORMS[form] + kind, *shape)
                                                        for name, kind, *shape in faces])
            rows["count"], rows["corners"] = 3, mesh.triangles
            if seam:
                rows["pairs"], rows["coordinates"] = 6, per_corner
            file.write(points.astype(FORMS[form] + "f8").tobytes() + rows.tobytes())
        else:
            for row in points.tolist():
                file.write(" ".join(map(repr, row)).encode("ascii") + b"\n")
            for number, corners in enumerate(mesh.triangles.tolist()):
                row = [3, *corners, *([6, *per_corner[number].tolist()] if seam else [])]
                file.write(" ".join(map(repr, row)).encode("ascii") + b"\n")


def _coordinates_of_vertices(mesh: Mesh) -> np.ndarray:
    """(V, 2), those that no triangle reaches filled with 0."""
    coordinates = np.zeros((len(mesh.vertices), 2))
    count = min(len(coordinates), len(mesh.texture_coordinates))
    coordinates[:count] = mesh.texture_coordinates[:count]
    return coordinates
