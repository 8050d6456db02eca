"""The subset of VRML 2.0 that BU-3DFE and BU-4DFE use: one Shape with one IndexedFaceSet.

The nodes of a file are parsed in full, whatever their order and layout, but a list of numbers is only located on the
way and then read in one vectorised call; so a scan costs about what reading its numbers costs.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.files import picture_beside, read_whole
from mvlm.faces.formats.numbers import Misread, fans, misread, numbers
from mvlm.faces.mesh import Mesh

_TOKEN = re.compile(rb'\s*([{}\[\]"]|[^\s{}\[\]"]+)')
_NUMBERS = re.compile(rb'(?:\s*+[+-]?\.?[0-9][^\s{}\[\]"]*+)++')
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)  # possessive: nothing to remember for each byte
_NOT_A_NUMBER = re.compile(rb"#(IND|INF|QNAN|SNAN)", re.IGNORECASE)  # as in 1.#IND, written by some C libraries
_LISTS_OF_NUMBERS = (b"point", b"coordIndex", b"texCoordIndex")
_DEEPEST = 64  # nodes within nodes; real files have about six
_MOST = 10_000  # nodes, routes and fields of a file; real ones have about thirty
_MOST_REMARKS = 100_000  # strings and comments; one for each vertex would still be read

Span = tuple[int, int]  # from, to: bytes of the file
Polygons = tuple[np.ndarray, np.ndarray, np.ndarray]  # corners with -1 after each polygon, first places, sizes


def read_vrml(path: Path) -> Mesh:
    """Reads a .wrl file, without landmarks: polygons cut into fans, the picture found by its url or by its name.

    Raises ValueError naming the file, the line and what was expected.
    """
    path = Path(path)
    return _Document(path, read_whole(path)).mesh()


@dataclass
class _Node:
    kind: bytes
    at: int
    fields: dict[bytes, object] = field(default_factory=dict)  # Span of a plain value, _Node, or list of _Node


class _Document:
    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data, self.position = path, data, 3 if data.startswith(codecs.BOM_UTF8) else 0
        self.nodes: list[_Node] = []
        self.parts = 0  # nodes and fields so far
        if not re.match(rb"(\xef\xbb\xbf)?#VRML[ \t]+V2\.0", data):
            raise self.error(0, "`#VRML V2.0 utf8`", repr(data[:20].decode("latin-1")) if data else "an empty file")
        self.text = self.without_comments()
        while self.peek() is not None:
            self.statement(0)

    def error(self, at: int, expected: str, found: str) -> ValueError:
        line = self.data.count(b"\n", 0, at) + 1
        return ValueError(f"{self.path}, line {line}: expected {expected}, found {found:.100}")

    # -- words ------------------------------------------------------------------------------------------------------

    def without_comments(self) -> bytes:
        """The file with comments and commas blanked and strings filled with x: brackets in them mean nothing.

        Every other byte keeps its place: what a string says is read from `data`.
        """
        text, at = bytearray(self.data), 0
        quote, sharp = self.data.find(b'"'), self.data.find(b"#")
        for number in count():
            if quote < 0 and sharp < 0:
                break
            if number == _MOST_REMARKS:
                raise self.error(at, f"at most {_MOST_REMARKS} strings and comments", "more of them")
            if sharp < 0 or 0 <= quote < sharp:
                string = _STRING.match(self.data, quote)
                if string is None:
                    raise self.error(quote, "a closing quote", "the end of the file")
                at = string.end()
                text[quote + 1:at - 1] = b"x" * (at - quote - 2)
            else:
                if self.data[sharp - 1:sharp] == b"." and _NOT_A_NUMBER.match(self.data, sharp):
                    word = self.data[sharp - 2:sharp + 5].split()[0].decode("latin-1")
                    raise self.error(sharp, "a number", word)
                at = self.data.find(b"\n", sharp)
                at = len(self.data) if at < 0 else at
                carriage_return = self.data.find(b"\r", sharp, at)
                at = at if carriage_return < 0 else carriage_return
                text[sharp:at] = b" " * (at - sharp)
            quote = quote if quote < 0 or quote >= at else self.data.find(b'"', at)
            sharp = sharp if sharp < 0 or sharp >= at else self.data.find(b"#", at)
        return bytes(text).replace(b",", b" ")  # a comma is white space

    def peek(self) -> bytes | None:
        match = _TOKEN.match(self.text, self.position)
        return match[1] if match else None

    def take(self, expected: str) -> tuple[bytes, int]:
        """The next word and where it starts; `expected` says what the grammar wants, for the error at the end."""
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise self.error(len(self.data), expected, "the end of the file: truncated?")
        self.position = match.end()
        return match[1], match.start(1)

    # -- nodes ------------------------------------------------------------------------------------------------------

    def statement(self, depth: int) -> _Node | None:
        word, at = self.take("a node")
        if word == b"ROUTE":  # ROUTE a.b TO c.d moves no vertex of a file that is only looked at
            self.count_part(at)
            for _ in range(3):
                self.take("the rest of a ROUTE")
            return None
        if word == b"NULL":
            return None
        if word == b"DEF":
            self.take("a name after DEF")
            word, at = self.take("a node")
        if word in (b"USE", b"PROTO", b"EXTERNPROTO") or not word[:1].isalpha() and word[:1] != b"_":
            raise self.error(at, "a node", repr(word.decode("latin-1")))
        if depth > _DEEPEST:
            raise self.error(at, f"nodes at most {_DEEPEST} deep", "deeper ones")
        self.count_part(at)
        node = _Node(word, at)
        self.nodes.append(node)
        brace, at = self.take(f"{{ after {word.decode('latin-1')}")
        if brace != b"{":
            raise self.error(at, f"{{ after {word.decode('latin-1')}", repr(brace.decode("latin-1")))
        while True:
            name, at = self.take(f"}} of {word.decode('latin-1')}")
            if name == b"}":
                return node
            if not name[:1].isalpha() and name[:1] != b"_":
                raise self.error(at, f"a field of {word.decode('latin-1')}", repr(name.decode("latin-1")))
            if name in node.fields:
                raise self.error(at, f"one {name.decode()} in {word.decode('latin-1')}", "a second one")
            self.count_part(at)
            node.fields[name] = self.value(name, depth)

    def count_part(self, at: int) -> None:
        self.parts += 1
        if self.parts > _MOST:
            raise self.error(at, f"at most {_MOST} nodes, routes and fields", "more of them")

    def value(self, name: bytes, depth: int) -> object:
        word, at = self.take(f"a value of {name.decode('latin-1')}")
        if word == b"[":
            first = self.peek()
            if name in _LISTS_OF_NUMBERS or first is None or not first[:1].isalpha():
                end = self.text.find(b"]", self.position)
                if end < 0:
                    raise self.error(at, f"a ] that closes {name.decode('latin-1')} [", "none: truncated?")
                span = (self.position, end)
                self.position = end + 1
                return span
            nodes = []
            while self.peek() != b"]":
                nodes.append(self.statement(depth + 1))
            self.position = self.text.find(b"]", self.position) + 1
            return [node for node in nodes if node is not None]
        if word == b'"':
            self.position = self.text.find(b'"', self.position) + 1
            return at, self.position
        if plain := _NUMBERS.match(self.text, at):
            self.position = plain.end()
            return at, self.position
        if word in (b"TRUE", b"FALSE"):
            return at, self.position
        self.position = at
        return self.statement(depth + 1)

    # -- meaning ----------------------------------------------------------------------------------------------------

    def mesh(self) -> Mesh:
        shapes = [node for node in self.nodes if node.kind == b"Shape"]
        if len(shapes) != 1:
            at = shapes[1].at if shapes else len(self.data)
            raise self.error(at, "one Shape", f"{len(shapes)} of them in the file")
        for node in self.nodes:
            if node.kind == b"Transform":
                self.check_identity(node)
        faces = self.child(shapes[0], b"geometry", b"IndexedFaceSet")
        coordinate = self.child(faces, b"coord", b"Coordinate")
        vertices = self.rows(self.span(coordinate, b"point"), 3, "point of Coordinate")
        polygons = self.polygons(self.span(faces, b"coordIndex"), len(vertices), "coordIndex")
        texture = self.texture_of_faces(faces, polygons)
        triangles = fans(*polygons)
        if self.plain(faces, b"ccw") == b"FALSE":
            triangles = triangles[:, ::-1]
            if texture.get("texture_triangles") is not None:
                texture["texture_triangles"] = texture["texture_triangles"][:, ::-1]
        try:
            return Mesh(vertices, triangles, **texture)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    def texture_of_faces(self, faces: _Node, polygons: Polygons) -> dict:
        if faces.fields.get(b"texCoord") is None:
            return {}
        node = self.child(faces, b"texCoord", b"TextureCoordinate")
        coordinates = self.rows(self.span(node, b"point"), 2, "point of TextureCoordinate")
        texture = {"texture_coordinates": coordinates, "texture": self.picture()}
        own = self.plain(faces, b"texCoordIndex")  # an empty list means the same as none
        if not own or own == self.plain(faces, b"coordIndex"):  # the usual case, and a third of the numbers to read
            highest = int(polygons[0].max())
            if highest >= len(coordinates):
                raise self.error(node.at, f"a texture coordinate for vertex {highest}, as the texture has the corners "
                                 "of coordIndex", f"{len(coordinates)} coordinates")
            return texture
        span = self.span(faces, b"texCoordIndex")
        corners = self.polygons(span, len(coordinates), "texCoordIndex")
        if not np.array_equal(corners[2], polygons[2]):
            raise self.error(span[0], "in texCoordIndex the polygons of coordIndex, corner by corner", "others")
        return {**texture, "texture_triangles": fans(*corners)}

    def picture(self) -> Path | None:
        images = [node for node in self.nodes if node.kind == b"ImageTexture" and b"url" in node.fields]
        references = []
        if images:
            start, end = self.span(images[0], b"url")
            quoted = self.data[start:end].partition(b'"')[2].partition(b'"')[0]
            references = [quoted]
        stem = self.path.stem
        # By name: BU-3DFE has F0001_AN01WH_F2D.bmp for ..._F3D.wrl, BU-4DFE 000.jpg for 000.wrl.
        flat = re.sub("F3D$", "F2D", stem, flags=re.IGNORECASE)
        return picture_beside(self.path, references, [f"{flat}.bmp", f"{stem}.bmp", f"{stem}.jpg", f"{stem}.png"])

    def check_identity(self, node: _Node) -> None:
        for name, wanted in ((b"translation", [0, 0, 0]), (b"scale", [1, 1, 1]), (b"rotation", [None, None, None, 0])):
            if name in node.fields:
                span = self.span(node, name)
                values = self.numbers(span, np.float64, f"{name.decode()} of Transform")
                kept = [value for value, want in zip(values, wanted, strict=False) if want is not None]
                if len(values) != len(wanted) or kept != [want for want in wanted if want is not None]:
                    raise self.error(span[0], "a Transform that moves nothing", f"a {name.decode()}")

    def child(self, node: _Node, name: bytes, kind: bytes) -> _Node:
        child = node.fields.get(name)
        if isinstance(child, _Node) and child.kind == kind:
            return child
        found = child.kind.decode("latin-1") if isinstance(child, _Node) else "none"
        raise self.error(node.at, f"{name.decode()} {kind.decode()} in {node.kind.decode()}", found)

    def span(self, node: _Node, name: bytes) -> Span:
        value = node.fields.get(name)
        if isinstance(value, tuple):
            return value
        raise self.error(node.at, f"{name.decode()} with values in {node.kind.decode()}", "none")

    def plain(self, node: _Node, name: bytes) -> bytes | None:
        return self.text[slice(*self.span(node, name))].strip() if name in node.fields else None

    # -- numbers ----------------------------------------------------------------------------------------------------

    def numbers(self, span: Span, dtype: type, what: str) -> np.ndarray:
        try:
            values = numbers(self.text[slice(*span)], dtype)
        except Misread as error:
            raise self.error(span[0] + error.at, f"{error.expected} in {what}", error.found) from None
        if len(values) == 0:
            raise self.error(span[0], f"numbers in {what}", "an empty list")
        return values

    def rows(self, span: Span, width: int, what: str) -> np.ndarray:
        values = self.numbers(span, np.float64, what)
        if values.size % width:
            raise self.error(span[1], f"{width} numbers for each {what}", f"{values.size} numbers in all")
        return values.reshape(-1, width)

    def polygons(self, span: Span, size: int, what: str) -> Polygons:
        index = self.numbers(span, np.int64, what)
        if index.min() < -1 or index.max() >= size:
            number = int(np.flatnonzero((index < -1) | (index >= size))[0])
            wrong = misread(self.text[slice(*span)], number, f"-1 or an index 0..{size - 1} in {what}")
            raise self.error(span[0] + wrong.at, wrong.expected, wrong.found)
        index = index.astype(np.int32)
        ends = np.flatnonzero(index == -1).astype(np.int32)
        if index[-1] != -1:  # the last end mark may be left out
            ends = np.append(ends, np.int32(len(index)))
        starts = np.concatenate([ends[:1] * 0, ends[:-1] + 1])
        sizes = ends - starts
        if sizes.min() < 3:
            number = int(np.flatnonzero(sizes < 3)[0])
            raise self.error(span[0], "polygons of at least 3 corners", f"{sizes[number]} in polygon {number} (from 0)")
        return index, starts, sizes


def write_vrml(mesh: Mesh, path: Path) -> None:
    """Writes a .wrl file, without landmarks; coordinates to 1e-6. The first vertex is on line 20, as readers expect."""
    path = Path(path)
    picture = []
    if mesh.texture is not None:
        picture = ["texture ImageTexture {", f'url "{mesh.texture.name}"', "}"]
    head = ["Group {", "children [", "Shape {", "appearance Appearance {", "material Material {", "diffuseColor 1 1 1",
            "}", *picture, "}", "geometry IndexedFaceSet {", "solid FALSE", "coord Coordinate {", "point ["]
    head = ["#VRML V2.0 utf8", *[""] * (18 - len(head)), *head]
    body = [_points(mesh.vertices), "]", "}", "coordIndex [", _polygons(mesh.triangles), "]"]
    if mesh.texture_coordinates is not None:
        corners = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
        body += ["texCoord TextureCoordinate {", "point [", _points(mesh.texture_coordinates), "]", "}",
                 "texCoordIndex [", _polygons(corners), "]"]
    with replacing(path) as temporary:
        temporary.write_text("\n".join([*head, *body, "}", "}", "]", "}", ""]), encoding="utf-8", newline="")


def _points(values: np.ndarray) -> str:
    row = " ".join(["%.6f"] * values.shape[1])
    return ",\n".join([row] * len(values)) % tuple(values.ravel().tolist())


def _polygons(triangles: np.ndarray) -> str:
    return "\n".join(["%d, %d, %d, -1,"] * len(triangles)) % tuple(triangles.ravel().tolist())
