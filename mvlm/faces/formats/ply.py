"""The .ply polygon file, as text or as binary numbers of either byte order.

A header names elements (vertex, face, others), how many of each follow, and the properties of each one; a property is
one number, or a list with its length before it.
"""

from __future__ import annotations

import re
import warnings
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.files import PictureWarning, picture_beside, unwrapped, without_end
from mvlm.faces.formats.numbers import Misread, expect_polygons, fans, numbers
from mvlm.faces.formats.ply_rows import (
    Element,
    List,
    Property,
    Rows,
    ends_of_strips,
    lines_of,
    shown,
    strips,
    without_remarks,
)
from mvlm.faces.formats.polygons import known, placed
from mvlm.faces.mesh import Mesh

FORMS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
          "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
          "int64": "i8", "uint64": "u8", "float32": "f4", "float64": "f8"}
_COORDINATES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
_POLYGONS = ("vertex_indices", "vertex_index")
# Elements and their properties that are read, those that make a surface first.
_WANTED = {"vertex": ("x", "y", "z", *(name for pair in _COORDINATES for name in pair)),
           "face": (*_POLYGONS, "texcoord", "texnumber"), "tristrips": _POLYGONS}
_FIRST_LINE = re.compile(rb"ply[ \t]*[\r\n]", re.IGNORECASE)
_HEADER_END = re.compile(rb"(?<=[\r\n])[ \t]*end_header[ \t]*(\r\n|\n|\r)")
_LONGEST_HEADER = 2**16
_STATEMENTS = ("format", "element", "property")
_MOST = 50  # elements and lists; real files have about five
_PICTURE = re.compile(r"TextureFile\s*[\s:=]\s*(.+)", re.IGNORECASE)
# What some C libraries write for not-a-number.
_NOT_A_NUMBER = re.compile(rb"(?<![^\s])[+-]?1\.#[A-Z]+[0-9]*(?![^\s])", re.IGNORECASE)


def read_ply(path: Path) -> Mesh:
    """Reads a .ply file, without landmarks: polygons cut into fans, strips into their triangles.

    Texture coordinates are the vertices' s t, u v or texture_u texture_v, or else the list texcoord of each face; they
    are left out if a face has none. The picture is the comment TextureFile, of several ones that whose number the
    faces' texnumber says, or else the picture of the same name, in the folder of the file. Vertices without a place are
    left out if no face uses them.
    Raises ValueError naming the file, the place in it and what was expected.
    """
    path = Path(path)
    return _Document(path, unwrapped(path)).mesh()


class _Document:
    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data = path, data
        if not _FIRST_LINE.match(data):
            raise self.error("line 1", "`ply`", repr(data[:20].decode("latin-1")) if data else "an empty file")
        end = _HEADER_END.search(data, 0, _LONGEST_HEADER)
        if end is None:
            raise self.error(f"byte {min(len(data), _LONGEST_HEADER)}", "a line `end_header` before it", "none")
        self.order: str | None = None
        self.elements: list[Element] = []
        self.parts = 0  # elements and lists
        self.references: list[bytes] = []
        self.of_text: list[tuple[str, str]] = []  # place and line of types that matter in bytes alone
        self.read_header(data[:end.start()].decode("latin-1"))
        self.start = end.end()

    def error(self, place: str, expected: str, found: str) -> ValueError:
        return ValueError(f"{self.path}, {place}: expected {expected}, found {found:.100}")

    # -- header -----------------------------------------------------------------------------------------------------

    def read_header(self, header: str) -> None:
        for number, line in enumerate(re.split("\r\n|\r|\n", header)[1:], start=2):
            if not self.read_header_line(line.split(), line, f"line {number}"):
                raise self.error(f"line {number}", "format, comment, element or property as in a .ply file", repr(line))
            if self.parts > _MOST:
                raise self.error(f"line {number}", f"at most {_MOST} elements and lists", "more of them")
        if self.order is None:
            raise self.error("line 2", "a line `format`", "none in the header")
        if self.order and self.of_text:
            place, line = self.of_text[0]
            raise self.error(place, f"types of {', '.join(_TYPES)}, a length without point", repr(line))

    def read_header_line(self, words: list[str], line: str, place: str) -> bool:
        match words:
            case [] | ["comment" | "obj_info", *_]:
                if found := _PICTURE.search(line):
                    self.references.append(found[1].encode("latin-1").strip())
                return True
            case ["format", form, "1.0"] if form in FORMS and self.order is None:
                self.order = FORMS[form]
                return True
            case ["element", name, count] if re.fullmatch("[0-9]{1,10}", count):
                if name in _WANTED and self.element(name):
                    return False
                self.elements.append(Element(name, len(self.elements) + 1, int(count), []))
                self.parts += 1
                return True
            case ["property", "list", length, kind, name] if self.elements:
                if kind not in _TYPES or _TYPES.get(length, "f")[0] == "f":
                    self.of_text.append((place, line))
                return self.add(Property(name, _TYPES.get(kind, "f8"), _TYPES.get(length, "f8")))
            case ["property", kind, name] if kind != "list" and self.elements:
                if kind not in _TYPES:
                    self.of_text.append((place, line))
                return self.add(Property(name, _TYPES.get(kind, "f8"), None))
            case [word, *_]:  # a vendor's own, unless it is one of these with an error in it
                return not get_close_matches(word.lower(), _STATEMENTS, n=1)
        return False

    def element(self, name: str) -> Element | None:
        return next((element for element in self.elements if element.name == name), None)

    def add(self, new: Property) -> bool:
        element = self.elements[-1]
        again = new.name in _WANTED.get(element.name, ()) and new.name in (item.name for item in element.properties)
        element.properties.append(new)
        self.parts += new.length is not None
        return not again  # which one is meant?

    def said(self, name: str) -> str:
        """The properties of an element, for errors."""
        element = self.element(name)
        if element is None or element.count == 0 or not element.properties:
            return "none"
        return ", ".join(shown(item.name) for item in element.properties)

    # -- rows -------------------------------------------------------------------------------------------------------

    def read(self) -> dict[str, dict[str, np.ndarray | List]]:
        """Element -> property -> values."""
        if self.order:
            return self.all_of(Rows(self.path, np.frombuffer(self.data, dtype=np.uint8)[self.start:], self.order))
        text, words = self.words()
        try:
            return self.all_of(Rows(self.path, words, ""))
        except ValueError as error:
            # Some writers put more into the rows than they say in the header (MeshLab: the colours of all corners).
            lines = lines_of(text, len(words))
            if lines is None:
                raise
            try:
                return self.all_of(Rows(self.path, words, "", lines))
            except ValueError:
                raise error from None

    def all_of(self, rows: Rows) -> dict[str, dict[str, np.ndarray | List]]:
        found: dict[str, dict[str, np.ndarray | List]] = {}
        for element in self.elements:
            values = rows.read(element, _WANTED.get(element.name, ()))
            found[element.name] = values
        left = rows.units[rows.position:]
        if len(left) and not (self.order and not bytes(left).strip(b"\0\x1a \t\r\n")):
            raise self.error(f"element {self.elements[-1].name}" if self.elements else "the header",
                             "the end of the file after it", f"{len(left)} {'bytes' if self.order else 'numbers'} more")
        return found

    def words(self) -> tuple[bytes, np.ndarray]:
        """The text behind the header, without remarks, and its numbers."""
        text = without_end(self.data[self.start:])
        try:
            return text, numbers(text, np.float64, finite=False)
        except Misread:
            bare = _NOT_A_NUMBER.sub(lambda word: b"nan".ljust(len(word[0])), text)
            bare = without_remarks(bare)
        try:
            return bare, numbers(bare, np.float64, finite=False)
        except Misread as error:
            line = re.sub(rb"\r\n?", b"\n", self.data[:self.start + error.at]).count(b"\n") + 1
            raise self.error(f"line {line}", error.expected, error.found) from None

    # -- meaning ----------------------------------------------------------------------------------------------------

    def mesh(self) -> Mesh:
        found = self.read()
        vertices, faces, of_strips = (found.get(name, {}) for name in _WANTED)
        if not {"x", "y", "z"} <= set(vertices):
            raise self.error("element vertex", "rows with properties x, y and z", self.said("vertex"))
        points = self.columns(vertices, ("x", "y", "z"))
        polygons, strip = (next((rows[name] for name in _POLYGONS if isinstance(rows.get(name), List)), None)
                           for rows in (faces, of_strips))
        if polygons is None and strip is None:
            names = (element.name for element in self.elements)
            others = ", ".join(shown(name) for name in names if name not in ("vertex", "face"))
            raise self.error("element face", "rows with a list vertex_indices", self.said("face")
                             + (f", but elements {others}" if others else ": points without a surface?"))
        triangles = []
        if polygons is not None:
            if strip is None:
                expect_polygons(self.path, polygons.sizes)
            index = self.indices("face", polygons, len(points))
            triangles.append(fans(index, polygons.starts, polygons.sizes))
        if strip is not None:
            ends = ends_of_strips(strip.values, len(points))
            triangles.append(strips(self.indices("strip", strip, len(points), ends), ends, strip))
        triangles = np.concatenate(triangles) if len(triangles) > 1 else triangles[0]
        points, triangles, kept = placed(points, triangles)
        texture = {}
        for names in _COORDINATES:
            if set(names) <= set(vertices):
                texture = {"texture_coordinates": self.columns(vertices, names)[kept]}
                break
        else:
            if strip is None and isinstance(faces.get("texcoord"), List):
                texture = self.texture_of_corners(faces["texcoord"], polygons)
        if texture and known(texture["texture_coordinates"], texture.get("texture_triangles", triangles)):
            texture["texture"] = self.picture(faces)
        else:
            texture = {}
        try:
            return Mesh(points, triangles, **texture)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    def columns(self, rows: dict[str, np.ndarray | List], names: tuple[str, ...]) -> np.ndarray:
        for name in names:
            if isinstance(rows[name], List):
                raise self.error("element vertex", f"one number {name}", "a list")
        return np.stack([rows[name].astype(np.float64) for name in names], axis=1)

    def indices(self, what: str, lists: List, size: int, ends: np.ndarray | None = None) -> np.ndarray:
        """The values as rows of vertices (N,) int32; those where `ends` says so are none."""
        values = lists.values if ends is None else np.where(ends, 0, lists.values)
        wrong = (values < 0) | (values >= size)
        if values.dtype.kind == "f":
            wrong |= values != np.rint(values)
        if wrong.any():
            corner = int(np.argmax(wrong))
            row = int(np.searchsorted(lists.starts, corner, side="right")) - 1
            raise self.error(f"{what} {row}", f"indices 0..{size - 1} of vertices", f"{values[corner]:g}")
        return values.astype(np.int32)

    def texture_of_corners(self, coordinates: List, polygons: List) -> dict[str, np.ndarray]:
        """The coordinates of the faces' corners; {} if some face has none."""
        whole = polygons.sizes >= 3
        if (coordinates.sizes[whole] == 0).any():
            return {}
        wrong = np.flatnonzero(np.where(whole, coordinates.sizes != 2 * polygons.sizes, coordinates.sizes % 2))
        if len(wrong):
            raise self.error(f"face {wrong[0]}", f"{2 * polygons.sizes[wrong[0]]} numbers in texcoord, two per corner",
                             f"{coordinates.sizes[wrong[0]]} of them")
        pairs = coordinates.values.astype(np.float64).reshape(-1, 2)
        corners = fans(np.arange(len(pairs), dtype=np.int32), coordinates.starts // 2, polygons.sizes)
        return {"texture_coordinates": pairs, "texture_triangles": corners}

    def picture(self, faces: dict[str, np.ndarray | List]) -> Path | None:
        references, numbered = self.references, faces.get("texnumber")
        if len(references) > 1 and isinstance(numbered, np.ndarray):
            used = np.unique(numbered[numbered >= 0]).tolist()  # -1: a face without a picture
            if not used:
                return None
            if len(used) > 1 or used[0] not in range(len(references)):
                found = ", ".join(f"{number:g}" for number in used[:5])
                warnings.warn(f"{self.path}: expected one picture of {len(references)}, found the numbers {found} in "
                              "texnumber: the mesh has none", PictureWarning, 2)
                return None
            references = [references[int(used[0])]]
        stem = self.path.stem
        return picture_beside(self.path, references, [f"{stem}.png", f"{stem}.jpg", f"{stem}.bmp"])


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
