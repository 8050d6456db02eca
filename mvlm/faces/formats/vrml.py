"""VRML 2.0 as BU-3DFE and BU-4DFE use it, and as other writers may: indexed face sets under groups and transforms.

What a viewer would show is what is read, in one rule for all formats: several surfaces become one mesh in the order of
the file, each moved, turned and scaled as the file says; of an LOD its first level, of a Switch its choice. What is no
surface (materials, cameras, lights, lines, prototypes) is passed over; a surface of another kind (a box, another file)
is left out with a warning beside a face, and refused without one. A mesh has one picture: surfaces with different ones
have none, and are said to.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.files import LeftOutWarning, PictureWarning, one_picture, picture_beside
from mvlm.faces.formats.numbers import Misread, expect_polygons, fans, misread, numbers
from mvlm.faces.formats.polygons import known, placed, repeating
from mvlm.faces.formats.vrml_nodes import MOST, STRING, Document, Node, Span
from mvlm.faces.mesh import Mesh

_NO_SURFACE = (b"PointSet", b"IndexedLineSet", b"Text")  # beside it, not a part of it
_NEAR = 1e-9  # the identity: coordinates stay as they are written, whatever 2 pi was written as
_MOST_REPEATS = 4  # what a file shows by USE, as often as it holds it; two eyes may be one node
Polygons = tuple[np.ndarray, np.ndarray, np.ndarray]  # corners with -1 after each polygon, first places, sizes


class _Surface(NamedTuple):
    """A face set in its place, as `Mesh` has it; and what its picture may be called."""

    vertices: np.ndarray
    triangles: np.ndarray
    coordinates: np.ndarray | None = None
    corners: np.ndarray | None = None
    urls: tuple[bytes, ...] = ()


def read_vrml(path: Path) -> Mesh:
    """Reads a .wrl file, without landmarks: polygons cut into fans, the picture found by its url or by its name.

    Vertices that are no numbers are left out if no polygon uses them; texture coordinates, if one does.
    Raises ValueError naming the file, the line and what was expected. Warns of what is left out.
    """
    return _Scene(Document(Path(path))).mesh()


class _Scene:
    def __init__(self, document: Document) -> None:
        self.path, self.text, self.document, self.error = document.path, document.text, document, document.error
        self.left_out: dict[str, int] = {}  # what -> how often

    def mesh(self) -> Mesh:
        faces = {}  # by what they are and where: twice in one place is once
        for shape, place in self.shapes():
            for geometry in shape.children(b"geometry"):
                if geometry.kind == b"IndexedFaceSet":
                    where = None if place is None else place.tobytes()
                    faces.setdefault((geometry.at, where), (shape, geometry, place))
                elif geometry.kind not in _NO_SURFACE:
                    self.leave_out(geometry.kind.decode("latin-1"))
        faces = [face for face in faces.values() if len(faces) == 1 or self.plain(face[1], b"coordIndex")]
        if not faces:
            found = ", ".join(self.left_out) or ("none but prototypes" if self.document.prototypes else "none")
            raise self.error(len(self.text), "a Shape with an IndexedFaceSet", found)
        if len(faces) > 1:
            lists = sum(end - start for _, face, _ in faces for start, end in self.lists(face))
            if lists > _MOST_REPEATS * len(self.text):
                raise self.error(faces[0][1].at, f"each face set by USE at most {_MOST_REPEATS} times", "more of them")
        surfaces = [self.surface(*face) for face in faces]
        if self.left_out:
            parts = ", ".join(what if number == 1 else f"{number} x {what}" for what, number in self.left_out.items())
            warnings.warn(f"{self.path}: left out {parts:.200}", LeftOutWarning, 2)
        firsts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces[:-1])])
        try:
            return Mesh(_joined([surface.vertices for surface in surfaces]),
                        _joined([surface.triangles + first if first else surface.triangles
                                 for surface, first in zip(surfaces, firsts, strict=True)]), **self.texture(surfaces))
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from None

    def leave_out(self, what: str) -> None:
        self.left_out[what] = self.left_out.get(what, 0) + 1

    # -- the scene --------------------------------------------------------------------------------------------------

    def shapes(self) -> Iterator[tuple[Node, np.ndarray | None]]:
        """The Shapes that a viewer would show, in the order of the file, and the (4, 4) that moves the points of each.

        None leaves them as they are written.
        """
        waiting, seen = [(node, None) for node in reversed(self.document.roots)], 0
        while waiting:
            node, place = waiting.pop()
            seen += 1
            if seen + len(waiting) > MOST:
                raise self.error(node.at, f"at most {MOST} nodes, each counted as often as it is shown", "more of them")
            if node.kind == b"Shape":
                yield node, place
                continue
            inner = node.children()
            if node.kind == b"Transform":
                moved = self.placement(node)
                place = place if moved is None else moved if place is None else place @ moved
            elif node.kind == b"LOD":
                inner = node.children(b"level", b"children")[:1]
            elif node.kind == b"Switch":
                inner = self.chosen(node)
            elif node.kind == b"Inline":
                url = b" ".join(self.strings(node, b"url")).decode("latin-1")
                self.leave_out(f"Inline, which is another file ({url:.60})")
            elif node.kind.startswith(b"USE "):
                self.leave_out(f"{node.kind.decode('latin-1')}, which is defined nowhere before")
            waiting += [(child, place) for child in reversed(inner)]

    def chosen(self, node: Node) -> list[Node]:
        inner = node.children(b"choice", b"children")
        if b"whichChoice" not in node.fields:
            return []
        which = self.numbers(self.span(node, b"whichChoice"), np.int64, "whichChoice of Switch")[0]
        return inner[which:which + 1] if which >= 0 else []

    def placement(self, node: Node) -> np.ndarray | None:
        """(4, 4) of a Transform: T C R SR S -SR -C, as the standard has it; None if it moves nothing."""
        center, rotation, scale, axes, translation = (self.vector(node, name, usual) for name, usual in (
            (b"center", (0, 0, 0)), (b"rotation", (0, 0, 1, 0)), (b"scale", (1, 1, 1)),
            (b"scaleOrientation", (0, 0, 1, 0)), (b"translation", (0, 0, 0))))
        turn, axes = self.turn(rotation), self.turn(axes)
        linear = turn @ axes @ np.diag(scale) @ axes.T
        place = np.eye(4)
        place[:3, :3], place[:3, 3] = linear, translation + center - linear @ center
        return None if np.abs(place - np.eye(4)).max() < _NEAR else place

    def turn(self, rotation: np.ndarray) -> np.ndarray:
        """(3, 3) of an axis and an angle."""
        length = np.linalg.norm(rotation[:3])
        x, y, z = rotation[:3] / (length or 1)
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        return np.eye(3) + np.sin(rotation[3]) * cross + (1 - np.cos(rotation[3])) * cross @ cross

    def vector(self, node: Node, name: bytes, usual: tuple[float, ...]) -> np.ndarray:
        if name not in node.fields:
            return np.array(usual, dtype=np.float64)
        span, what = self.span(node, name), f"{name.decode()} of {node.kind.decode()}"
        values = self.numbers(span, np.float64, what)
        if len(values) != len(usual):
            raise self.error(span[0], f"{len(usual)} numbers in {what}", str(len(values)))
        return values

    # -- a surface --------------------------------------------------------------------------------------------------

    def surface(self, shape: Node, faces: Node, place: np.ndarray | None) -> _Surface:
        points = self.child(faces, b"coord", b"Coordinate")
        span, what = self.span(points, b"point"), "point of Coordinate"
        vertices = self.rows(span, 3, what, finite=False)
        polygons = self.polygons(self.span(faces, b"coordIndex"), len(vertices), "coordIndex")
        expect_polygons(self.path, polygons[2])
        triangles = fans(*polygons)
        coordinates, corners = self.coordinates(shape, faces, polygons, triangles)
        if not np.isfinite([vertices.min(), vertices.max()]).all():
            corners = triangles if corners is None else corners
            vertices, triangles, kept = placed(vertices, triangles)
            if not isinstance(kept, np.ndarray):
                self.rows(span, 3, what)  # says which
        mirrored = place is not None and np.linalg.det(place[:3, :3]) < 0
        if place is not None:
            vertices = vertices @ place[:3, :3].T + place[:3, 3]
        if (self.plain(faces, b"ccw") == b"FALSE") != mirrored:
            triangles, corners = triangles[:, ::-1], None if corners is None else corners[:, ::-1]
        return _Surface(vertices, triangles, coordinates, corners, self.urls(shape))

    def coordinates(self, shape: Node, faces: Node, polygons: Polygons, triangles: np.ndarray) -> tuple:
        """Texture coordinates (U, 2) and their triangles, None if those of the vertices; or None twice."""
        node = next(iter(faces.children(b"texCoord")), None)
        if node is None or node.kind == b"TextureCoordinate" and not self.plain(node, b"point"):
            return None, None
        if node.kind != b"TextureCoordinate":
            self.leave_out(node.kind.decode("latin-1"))
            return None, None
        values = self.rows(self.span(node, b"point"), 2, "point of TextureCoordinate", finite=False)
        own = self.plain(faces, b"texCoordIndex")  # an empty list means the same as none
        corners = None
        if not own or own == self.plain(faces, b"coordIndex"):  # the usual case, and a third of the numbers to read
            highest = int(polygons[0].max())
            if highest >= len(values):
                raise self.error(node.at, f"a texture coordinate for vertex {highest}, as the texture has the corners "
                                 "of coordIndex", f"{len(values)} coordinates")
        else:
            span = self.span(faces, b"texCoordIndex")
            of_texture = self.polygons(span, len(values), "texCoordIndex")
            if not np.array_equal(of_texture[2], polygons[2]):
                raise self.error(span[0], "in texCoordIndex the polygons of coordIndex, corner by corner", "others")
            corners = fans(*of_texture)
        if not known(values, triangles if corners is None else corners):
            return None, None
        return self.as_shown(shape, values), corners

    def as_shown(self, shape: Node, values: np.ndarray) -> np.ndarray:
        """Texture coordinates (U, 2) as the Shape's appearance changes them."""
        for node in _of_appearance(shape, b"textureTransform", b"TextureTransform"):
            center, angle, scale, shift = (self.vector(node, name, usual) for name, usual in (
                (b"center", (0, 0)), (b"rotation", (0,)), (b"scale", (1, 1)), (b"translation", (0, 0))))
            c, s = np.cos(angle[0]), np.sin(angle[0])
            # -C S R C T, as the standard has it: what moves are the coordinates, not the picture.
            values = (values + shift + center) @ np.array([[c, s], [-s, c]]) * scale - center
        for node in _of_appearance(shape, b"texture", b"ImageTexture"):
            for column, name in enumerate((b"repeatS", b"repeatT")):
                if self.plain(node, name) == b"FALSE":  # its border goes on
                    values = values.copy()
                    values[:, column] = values[:, column].clip(0, 1)
        return values

    def urls(self, shape: Node) -> tuple[bytes, ...]:
        for appearance in shape.children(b"appearance"):
            for image in appearance.children(b"texture"):
                if image.kind == b"ImageTexture":
                    return tuple(self.strings(image, b"url"))
                self.leave_out(image.kind.decode("latin-1"))
        return ()

    def texture(self, surfaces: list[_Surface]) -> dict:
        """Coordinates, triangles and picture of all surfaces, if all have them."""
        having = [surface for surface in surfaces if surface.coordinates is not None]
        if len(having) < len(surfaces):
            if having:
                warnings.warn(f"{self.path}: expected texture coordinates in all {len(surfaces)} surfaces, "
                              f"found them in {len(having)}: the mesh has none", PictureWarning, 2)
            return {}
        stem = self.path.stem
        # By name: BU-3DFE has F0001_AN01WH_F2D.bmp for ..._F3D.wrl, BU-4DFE 000.jpg for 000.wrl.
        flat = re.sub("F3D$", "F2D", stem, flags=re.IGNORECASE)
        names = [f"{flat}.bmp", f"{stem}.bmp", f"{stem}.jpg", f"{stem}.png"]
        asked = dict.fromkeys(surface.urls for surface in surfaces if surface.urls) or {(): None}
        pictures = {picture_beside(self.path, urls, names) for urls in asked}
        picture = one_picture(self.path, pictures)
        if len(surfaces) == 1:
            return {"texture_coordinates": surfaces[0].coordinates, "texture_triangles": surfaces[0].corners,
                    "texture": picture}
        firsts = np.cumsum([0, *(len(surface.coordinates) for surface in surfaces[:-1])])
        corners = [(surface.triangles if surface.corners is None else surface.corners) + first
                   for surface, first in zip(surfaces, firsts, strict=True)]
        return {"texture_coordinates": _joined([surface.coordinates for surface in surfaces]),
                "texture_triangles": _joined(corners), "texture": picture}

    # -- fields -----------------------------------------------------------------------------------------------------

    def child(self, node: Node, name: bytes, kind: bytes) -> Node:
        found = node.children(name)
        if found and found[0].kind == kind:
            return found[0]
        kinds = found[0].kind.decode("latin-1") if found else "none"
        raise self.error(node.at, f"{name.decode()} {kind.decode()} in {node.kind.decode()}", kinds)

    def span(self, node: Node, name: bytes) -> Span:
        value = node.fields.get(name)
        if isinstance(value, tuple):
            return value
        raise self.error(node.at, f"{name.decode()} with values in {node.kind.decode()}", "none")

    def plain(self, node: Node, name: bytes) -> bytes | None:
        return self.text[slice(*self.span(node, name))].strip() if name in node.fields else None

    def strings(self, node: Node, name: bytes) -> list[bytes]:
        value = node.fields.get(name)
        found = STRING.findall(self.document.data[slice(*value)]) if isinstance(value, tuple) else []
        return [string[1:-1].replace(b'\\"', b'"') for string in found]

    def lists(self, faces: Node) -> list[Span]:
        points = faces.children(b"coord")
        values = [*(point.fields.get(b"point") for point in points), faces.fields.get(b"coordIndex")]
        return [value for value in values if isinstance(value, tuple)]

    # -- numbers ----------------------------------------------------------------------------------------------------

    def numbers(self, span: Span, dtype: type, what: str, *, finite: bool = True) -> np.ndarray:
        try:
            values = numbers(self.text[slice(*span)], dtype, finite=finite)
        except Misread as error:
            raise self.error(span[0] + error.at, f"{error.expected} in {what}", error.found) from None
        if len(values) == 0:
            raise self.error(span[0], f"numbers in {what}", "an empty list")
        return values

    def rows(self, span: Span, width: int, what: str, *, finite: bool = True) -> np.ndarray:
        values = self.numbers(span, np.float64, what, finite=finite)
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
        if not sizes.all():  # end marks written twice
            starts, sizes = starts[sizes > 0], sizes[sizes > 0]
        if (number := repeating(index, starts, sizes)) is not None:
            raise self.error(span[0], f"-1 behind each polygon of {what}",
                             f"a corner that comes again in polygon {number} (from 0) of {sizes[number]} corners")
        return index, starts, sizes


def _of_appearance(shape: Node, name: bytes, kind: bytes) -> list[Node]:
    found = [node for appearance in shape.children(b"appearance") for node in appearance.children(name)]
    return [node for node in found if node.kind == kind]


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


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
