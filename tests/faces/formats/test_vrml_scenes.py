"""Scenes of several nodes: what a viewer would show is the mesh, in numbers; what cannot be is said."""

import gzip
import warnings

import numpy as np
import pytest

from mvlm.faces import read_mesh
from mvlm.faces.formats.files import LeftOutWarning, PictureWarning
from mvlm.faces.formats.numbers import PolygonWarning

POINTS = np.array([[1, 2, 3], [4, 2, 3], [1, 7, 5]], dtype=float)


def shape(points=POINTS, *, faces="0 1 2 -1", extra="", appearance=""):
    listed = ", ".join(" ".join(map(repr, point)) for point in np.asarray(points, dtype=float).tolist())
    return (
        f"Shape {{ appearance Appearance {{ {appearance} }} geometry IndexedFaceSet {{ {extra} "
        f"coord Coordinate {{ point [ {listed} ] }} coordIndex [ {faces} ] }} }}\n"
    )


def textured(picture, shift=0.0, more="", uv="0 0 0.25 0.75 1 0.5", points=POINTS):
    return shape(
        points + shift,
        extra=f"texCoord TextureCoordinate {{ point [ {uv} ] }}",
        appearance=f"texture ImageTexture {{ url {picture} }} {more}",
    )


def read(folder, scene, *, quiet=True):
    path = folder / "a.wrl"
    path.write_text("#VRML V2.0 utf8\n" + scene)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if quiet else "ignore")
        return read_mesh(path)


def placed(points, *, t=(0, 0, 0), c=(0, 0, 0), axis=(0, 0, 1), angle=0.0, s=(1, 1, 1), o=((0, 0, 1), 0.0)):
    """By quaternions, point by point: scale along turned axes about a centre, turn, move."""

    def turned(point, axis, angle):
        w, x, y, z = np.cos(angle / 2), *(np.sin(angle / 2) * np.asarray(axis) / np.linalg.norm(axis))
        v = np.array([x, y, z])
        return point + 2 * np.cross(v, np.cross(v, point) + w * point)

    found = []
    for point in np.asarray(points, dtype=float):
        point = turned(point - np.array(c), o[0], -o[1]) * np.array(s)
        found.append(turned(turned(point, *o), axis, angle) + np.array(c) + np.array(t))
    return np.array(found)


PLACES = {
    "moved": ("translation 1 -2 3.5", dict(t=(1, -2, 3.5))),
    "turned": ("rotation 0 2 0 0.3", dict(axis=(0, 2, 0), angle=0.3)),
    "turned by a quarter": ("rotation 1 0 0 1.5707963267948966", dict(axis=(1, 0, 0), angle=np.pi / 2)),
    "metres": ("scale 1000 1000 1000", dict(s=(1000, 1000, 1000))),
    "about a centre": ("center 5 6 7 rotation 1 1 0 -2 scale 2 3 4", dict(c=(5, 6, 7), axis=(1, 1, 0), angle=-2,
                                                                        s=(2, 3, 4))),
    "along other axes": ("scale 1 2 1 scaleOrientation 0 0 1 0.7 translation 0 0 9 rotation 1 2 3 4 center 1 0 0",
                         dict(s=(1, 2, 1), o=((0, 0, 1), 0.7), t=(0, 0, 9), axis=(1, 2, 3), angle=4, c=(1, 0, 0))),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_a_transform_moves_points_as_the_standard_says(tmp_path, name):
    fields, expected = PLACES[name]
    mesh = read(tmp_path, f"Transform {{ {fields} children [ {shape()} ] }}")
    assert np.allclose(mesh.vertices, placed(POINTS, **expected), atol=1e-9) and mesh.triangles.tolist() == [[0, 1, 2]]


def test_transforms_within_transforms(tmp_path):
    mesh = read(
        tmp_path,
        "Transform { translation 1 0 0 children Transform { scale 2 2 2 children Group { children "
        f"Transform {{ rotation 0 0 1 1.5707963267948966 children [ {shape()} ] }} }} }} }}",
    )
    assert np.allclose(mesh.vertices, 2 * POINTS[:, [1, 0, 2]] * [-1, 1, 1] + [1, 0, 0])


@pytest.mark.parametrize(("scale", "extra", "turned"), [
    ("-1 1 1", "", True), ("-1 -1 1", "", False), ("-1 1 1", "ccw FALSE", False), ("1 1 1", "ccw FALSE", True),
])  # fmt: skip
def test_a_mirror_turns_triangles_over(tmp_path, scale, extra, turned):
    mesh = read(tmp_path, f"Transform {{ scale {scale} children [ {shape(extra=extra)} ] }}")
    assert mesh.triangles.tolist() == [[2, 1, 0] if turned else [0, 1, 2]]


@pytest.mark.parametrize("fields", [
    "rotation 0 1 0 6.283185307179586", "rotation 0 0 0 0", "rotation 1 0 0 -12.566370614359172",
    "translation 0 0 0 scale 1 1 1 rotation 0 1 0 0", "center 1 2 3 scaleOrientation 1 0 0 1", "",
])  # fmt: skip
def test_what_moves_nothing_leaves_every_bit(tmp_path, fields):
    points = np.random.default_rng(0).normal(0, 100, (3, 3))
    assert np.array_equal(read(tmp_path, f"Transform {{ {fields} children [ {shape(points)} ] }}").vertices, points)


def test_several_shapes_are_one_mesh_in_the_order_of_the_file(tmp_path):
    (tmp_path / "face.png").touch()
    one, other = textured('"face.png"'), textured('"FACE.PNG"', 10, uv="1 0 0.5 0.5 0 0.125")
    mesh = read(tmp_path, f"Group {{ children [ {one} ] }} Transform {{ translation 0 0 1 children [ {other} ] }}")
    assert np.array_equal(mesh.vertices, [*POINTS, *(POINTS + [10, 10, 11])])
    assert mesh.triangles.tolist() == [[0, 1, 2], [3, 4, 5]] and mesh.texture_triangles is None
    assert mesh.texture_coordinates.tolist() == [[0, 0], [0.25, 0.75], [1, 0.5], [1, 0], [0.5, 0.5], [0, 0.125]]
    assert mesh.texture == tmp_path / "face.png"


def test_a_used_shape_stands_in_two_places(tmp_path):
    mesh = read(tmp_path, f"Transform {{ translation 5 0 0 children DEF eye {shape()} }} USE eye")
    assert np.array_equal(mesh.vertices, [*(POINTS + [5, 0, 0]), *POINTS])


def test_a_face_shown_twice_in_one_place_is_one(tmp_path):
    face = shape().replace("geometry I", "geometry DEF g I")
    again = "Shape { geometry USE g }"
    mesh = read(tmp_path, f"{face} {again} Transform {{ scale 1 1 1 children {again} }}")
    assert np.array_equal(mesh.vertices, POINTS) and mesh.triangles.tolist() == [[0, 1, 2]]


def test_shapes_with_seams_and_polygons(tmp_path):
    quad = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    uv = "texCoord TextureCoordinate { point [ 0 0 1 0 1 1 0 1 .5 .5 ] } texCoordIndex [ 4 1 2 3 -1 ]"
    mesh = read(
        tmp_path,
        textured('"x.png"').replace('texture ImageTexture { url "x.png" }', "")
        + shape(quad, faces="0 1 2 3", extra=uv),
    )
    assert mesh.triangles.tolist() == [[0, 1, 2], [3, 4, 5], [3, 5, 6]]
    assert mesh.texture_triangles.tolist() == [[0, 1, 2], [7, 4, 5], [7, 5, 6]]


@pytest.mark.parametrize(("scene", "said", "has_coordinates"), [
    (textured('"a.png"') + textured('"b.png"', 9), "expected one picture, found 'a.png', 'b.png'", True),
    (textured('"a.png"') + shape(POINTS + 9), "expected texture coordinates in all 2 surfaces, found them in 1", False),
    (textured('[ "http://x/y.png" "gone.tif" ]'), "expected the picture 'y.png', 'gone.tif' in its folder", True),
])  # fmt: skip
def test_pictures_that_a_mesh_cannot_have_are_one_warning(tmp_path, scene, said, has_coordinates):
    for name in ("a.png.txt", "A.PNG", "b.png"):
        (tmp_path / name).touch()
    if "gone" in scene:
        (tmp_path / "A.PNG").unlink()
    path = tmp_path / "a.wrl"
    path.write_text("#VRML V2.0 utf8\n" + scene)
    with pytest.warns(PictureWarning) as caught:
        mesh = read_mesh(path)
    assert len(caught) == 1 and str(caught[0].message).startswith(f"{path}: ")
    assert said.lower() in str(caught[0].message).lower()
    assert mesh.texture is None and (mesh.texture_coordinates is not None) == has_coordinates


@pytest.mark.parametrize(("scene", "said"), [
    (shape() + "Shape { geometry Box { size 1 1 1 } }", "left out Box"),
    (shape() + "Shape { geometry Sphere { } } " * 83, "left out 83 x Sphere"),
    (shape() + 'Inline { url "b.wrl" }', "left out Inline, which is another file (b.wrl)"),
    (shape() + "USE b", "left out USE b, which is defined nowhere before"),
    (shape(appearance="texture PixelTexture { image 1 1 1 0xFF }"), "left out PixelTexture"),
    (shape(extra="texCoord TextureCoordinateGenerator { mode \"SPHERE\" }"), "left out TextureCoordinateGenerator"),
    (shape(faces="0 1 2 -1 0 1 -1 2 -1"), "left out 2 of 3 polygons, which have fewer than 3 corners"),
])  # fmt: skip
def test_what_is_left_out_beside_a_face_is_one_warning(tmp_path, scene, said):
    path = tmp_path / "a.wrl"
    path.write_text("#VRML V2.0 utf8\n" + scene)
    with pytest.warns((LeftOutWarning, PolygonWarning)) as caught:
        mesh = read_mesh(path)
    assert [str(one.message) for one in caught] == [f"{path}: {said}"]
    assert mesh.triangles.tolist() == [[0, 1, 2]] and np.array_equal(mesh.vertices, POINTS)


@pytest.mark.parametrize(("appearance", "first"), [
    ("textureTransform TextureTransform { scale 0.5 -1 translation 0 -1 }", [0.125, 0.25]),
    ("textureTransform TextureTransform { scale 0.5 0.25 translation 0.25 0 }", [0.25, 0.1875]),
    ("textureTransform TextureTransform { rotation 1.5707963267948966 translation 0 -1 }", [0.25, 0.25]),
    ("textureTransform TextureTransform { center 0.5 0.5 scale 0.5 1 }", [-0.125 + 0.0, 0.75]),
    ("textureTransform NULL", [0.25, 0.75]),
])  # fmt: skip
def test_a_texture_transform_moves_coordinates(tmp_path, appearance, first):
    (tmp_path / "a.png").touch()
    mesh = read(tmp_path, textured('"a.png"', more=appearance, uv="0.25 0.75 " * 3))
    assert np.allclose(mesh.texture_coordinates, np.tile(np.mod(first, 1), (3, 1)))


def test_a_packed_scene_is_read(tmp_path):
    (tmp_path / "a.wrl").write_bytes(gzip.compress(("#VRML V2.0 utf8\n" + shape()).encode()))
    assert np.array_equal(read_mesh(tmp_path / "a.wrl").vertices, POINTS)
    (tmp_path / "a.wrl").write_bytes(gzip.compress(b"#VRML V2.0 utf8\n\n" + shape(faces="0 1 x").encode()))
    with pytest.raises(ValueError, match="a.wrl, line 3: expected an integer in coordIndex, found 'x'"):
        read_mesh(tmp_path / "a.wrl")


def test_points_that_nobody_uses_may_be_no_numbers(tmp_path):
    points = [POINTS[0].tolist(), [np.nan] * 3, POINTS[1].tolist(), POINTS[2].tolist(), [0, np.inf, 0]]
    uv = "texCoord TextureCoordinate { point [ 0 0, nan nan, 1 0, 0.5 1, 9 9 ] }"
    mesh = read(tmp_path, shape(points, faces="0 2 3 -1", extra=uv))
    assert np.array_equal(mesh.vertices, POINTS) and mesh.triangles.tolist() == [[0, 1, 2]]
    assert mesh.texture_coordinates[mesh.texture_triangles].tolist() == [[[0, 0], [1, 0], [0.5, 1]]]
    with pytest.raises(ValueError, match="a.wrl, line 2: expected finite numbers in point of Coordinate, found nan"):
        read(tmp_path, shape(points, faces="0 1 2 -1"))


def test_texture_coordinates_that_are_no_numbers_are_left_out(tmp_path):
    mesh = read(tmp_path, shape(extra="texCoord TextureCoordinate { point [ 0 0, nan nan, 1 0 ] }"))
    assert np.array_equal(mesh.vertices, POINTS) and mesh.texture_coordinates is None
