"""The reader of .ply against a naive parser, in text and in both byte orders, and broken files."""

import re
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvlm.faces import Mesh, read_mesh, write_mesh
from mvlm.faces.formats.ply import FORMS, write_ply

FEW = settings(max_examples=60, deadline=None, derandomize=True,
               suppress_health_check=[HealthCheck.function_scoped_fixture])

CODES = {"char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "float": "f", "double": "d",
         "uint8": "B", "int32": "i", "float32": "f", "float64": "d"}


def encoded(form, elements, comments=()):
    """A .ply from [(name, [property, ...], rows)]; a property is "double x" or "list uchar int vertex_indices"."""
    header = ["ply", f"format {form} 1.0", *(f"comment {text}" for text in comments)]
    body = b""
    for name, properties, rows in elements:
        header += [f"element {name} {len(rows)}", *(f"property {text}" for text in properties)]
        for row in rows:
            words = []
            for text, value in zip(properties, row, strict=True):
                kinds = text.split()[:-1]
                if kinds[0] == "list":
                    words += [(kinds[1], len(value)), *((kinds[2], item) for item in value)]
                else:
                    words.append((kinds[0], value))
            if form == "ascii":
                body += " ".join(f"{value!r}" for _, value in words).encode() + b"\n"
            else:
                order = "<" if form == "binary_little_endian" else ">"
                body += b"".join(struct.pack(order + CODES[kind], value) for kind, value in words)
    return ("\n".join(header) + "\nend_header\n").encode() + body


POINTS = [(0.0, 0.0, 0.0), (10.0, 0.0, 1.5), (10.0, 10.0, -2.25), (0.0, 10.0, 0.125), (20.0, 5.0, 3.0)]
XYZ = ["float x", "float y", "float z"]
TRIANGLES = [([0, 1, 2],), ([0, 2, 3],), ([1, 4, 2],)]
POLYGONS = [([0, 1, 2, 3],), ([1, 4, 2],)]
LIST = ["list uchar int vertex_indices"]
SIX = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0]

# name -> elements, triangles, (u, v) of each corner
VARIANTS = {
    "plain": ([("vertex", XYZ, POINTS), ("face", LIST, TRIANGLES)], [[0, 1, 2], [0, 2, 3], [1, 4, 2]], None),
    "doubles and short indices": ([("vertex", ["double x", "double y", "double z"], POINTS),
                                   ("face", ["list uint8 ushort vertex_index"], TRIANGLES)],
                                  [[0, 1, 2], [0, 2, 3], [1, 4, 2]], None),
    "polygons": ([("vertex", XYZ, POINTS), ("face", LIST, POLYGONS)], [[0, 1, 2], [0, 2, 3], [1, 4, 2]], None),
    "quads": ([("vertex", XYZ, POINTS), ("face", LIST, POLYGONS[:1] * 2)], [[0, 1, 2], [0, 2, 3]] * 2, None),
    "long counts": ([("vertex", XYZ, POINTS), ("face", ["list int uint vertex_indices"], POLYGONS)],
                    [[0, 1, 2], [0, 2, 3], [1, 4, 2]], None),
    "faces first": ([("face", LIST, TRIANGLES), ("vertex", XYZ, POINTS)], [[0, 1, 2], [0, 2, 3], [1, 4, 2]], None),
    "other properties": ([("camera", ["float f", "list uchar float k"], [(1.0, [1.0, 2.0]), (2.0, [])]),
                          ("vertex", ["uchar red", *XYZ, "float nx"], [(7, *point, 0.5) for point in POINTS]),
                          ("face", ["char flag", *LIST, "int label"], [(-1, *row, 9) for row in POLYGONS]),
                          ("edge", ["int a", "int b"], [])], [[0, 1, 2], [0, 2, 3], [1, 4, 2]], None),
    "texture of vertices": ([("vertex", [*XYZ, "float s", "float t"], [(*p, p[0] / 32, p[1] / 32) for p in POINTS]),
                             ("face", LIST, TRIANGLES)], [[0, 1, 2], [0, 2, 3], [1, 4, 2]], "s t"),
    "texture of vertices, as others say": (
        [("vertex", ["float texture_u", "float texture_v", *XYZ], [(p[0] / 32, p[1] / 32, *p) for p in POINTS]),
         ("face", LIST, POLYGONS)], [[0, 1, 2], [0, 2, 3], [1, 4, 2]], "s t"),
    "texture of corners": ([("vertex", XYZ, POINTS), ("face", [*LIST, "list uchar float texcoord"],
                                                      [(*TRIANGLES[0], SIX), (*TRIANGLES[1], SIX[::-1])])],
                           [[0, 1, 2], [0, 2, 3]], [[[0, 0], [1, 0], [1, 1]], [[1, 1], [0, 1], [0, 0]]]),
    "texture of corners of polygons": ([("vertex", XYZ, POINTS), ("face", [*LIST, "list uchar float texcoord"],
                                                                  [(*POLYGONS[0], [*SIX, 0.0, 1.0]),
                                                                   (*POLYGONS[1], SIX)])],
                                       [[0, 1, 2], [0, 2, 3], [1, 4, 2]],
                                       [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]], [[0, 0], [1, 0], [1, 1]]]),
    "no texture of corners": ([("vertex", XYZ, POINTS), ("face", [*LIST, "list uchar float texcoord"],
                                                         [(*TRIANGLES[0], []), (*TRIANGLES[1], [])])],
                              [[0, 1, 2], [0, 2, 3]], None),
}  # fmt: skip


def corner_coordinates(mesh):
    corners = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
    return mesh.texture_coordinates[corners].tolist()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VARIANTS)
def test_legal_variants(tmp_path, form, name):
    elements, triangles, coordinates = VARIANTS[name]
    path = tmp_path / "face.ply"
    path.write_bytes(encoded(form, elements))
    mesh = read_mesh(path)
    assert mesh.vertices.tolist() == [list(point) for point in POINTS] and mesh.triangles.tolist() == triangles
    if coordinates is None:
        assert mesh.texture_coordinates is None
    else:
        if coordinates == "s t":
            coordinates = [[[POINTS[corner][0] / 32, POINTS[corner][1] / 32] for corner in row] for row in triangles]
        assert corner_coordinates(mesh) == coordinates


PLAIN = encoded("ascii", VARIANTS["plain"][0])
BINARY = encoded("binary_big_endian", VARIANTS["plain"][0])


@pytest.mark.parametrize("data", [
    PLAIN.replace(b"\n", b"\r\n"), PLAIN.replace(b"\n", b"\r"), PLAIN.replace(b"10.0", b" \t1e1"), PLAIN[:-1],
    PLAIN.replace(b"element face", b"comment\ncomment made by hand\nobj_info x 1\nelement face"),
    PLAIN.replace(b"\n3 0 2", b" 3 0 2"), PLAIN.replace(b"float x", b"float32 x"), BINARY + b"\n", BINARY + b"\r\n",
])  # fmt: skip
def test_legal_layouts(tmp_path, data):
    (tmp_path / "a.ply").write_bytes(data)
    mesh = read_mesh(tmp_path / "a.ply")
    assert mesh.vertices.tolist() == [list(point) for point in POINTS]
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [1, 4, 2]]


def swap(old, new):
    assert PLAIN.count(old) == 1, old
    return PLAIN.replace(old, new)


def line_of(text):
    return PLAIN[:PLAIN.index(text)].count(b"\n") + 1


MIXED = encoded("binary_little_endian", VARIANTS["polygons"][0])
BROKEN = {
    "empty": (b"", "line 1: expected `ply`, found an empty file"),
    "another format": (b"solid x\n", "line 1: expected `ply`, found 'solid x"),
    "no end of the header": (swap(b"end_header", b"end"), "expected a line `end_header` before it, found none"),
    "endless header": (b"ply\n" + b"comment\n" * 9000, "byte 65536: expected a line `end_header`"),
    "no form": (swap(b"format ascii 1.0\n", b""), "line 2: expected a line `format`"),
    "unknown form": (swap(b"ascii", b"utf8"), "line 2: expected format, comment, .* found 'format utf8 1.0'"),
    "unknown version": (swap(b"ascii 1.0", b"ascii 2.0"), "line 2: expected format"),
    "two forms": (swap(b"format ascii 1.0", b"format ascii 1.0\nformat ascii 1.0"), "line 3: expected format"),
    "unknown statement": (swap(b"element face", b"face"), "vertex 3: expected the length of the list"),
    "property of nobody": (b"ply\nformat ascii 1.0\nproperty int x\nend_header\n", "line 3: expected format"),
    "element twice": (swap(b"element face 3", b"element vertex 3"), "line 7: expected format"),
    "property twice": (swap(b"float y", b"float x"), "line 5: expected format"),
    "many elements": (b"ply\nformat ascii 1.0\n" + b"".join(b"element e%d 0\n" % i for i in range(101))
                      + b"end_header\n", "line 53: expected at most 50 elements and lists"),
    "negative count": (swap(b"vertex 5", b"vertex -5"), "line 3: expected format"),
    "huge count": (swap(b"vertex 5", b"vertex 4000000000"), "element vertex: expected 4000000000 rows .* found 27"),
    "count beyond 10 digits": (swap(b"vertex 5", b"vertex 40000000000"), "line 3: expected format"),
    "too few rows": (swap(b"vertex 5", b"vertex 4"), "face 0: expected the length of the list vertex_indices"),
    "too few rows of no word": (PLAIN.replace(b"vertex 5", b"vertex 4").replace(b"face", b"f\\\\\x01c" + b"e" * 100),
                                "element 2, row 0: expected the length of the list vertex_indices"),
    "a list of no word": (swap(b"vertex_indices", b"\x02" * 100).replace(b"vertex 5", b"vertex 4"),
                          r"face 0: expected the length of the list '(.x02){60}', within the file, found"),
    "rows left": (swap(b"face 3", b"face 2"), "element face: expected the end of the file after it, found 4 numbers"),
    "truncated": (PLAIN[:-6], "face 2: expected the length of the list .* found 3|expected 3 rows"),
    "a word": (swap(b"1.5", b"x"), f"line {line_of(b'1.5')}: expected a number, found 'x'"),
    "nan": (swap(b"1.5", b"nan"), r"vertices\[1\]: expected finite numbers, found \[10.0, 0.0, nan\]"),
    "1 km away": (swap(b"1.5", b"1e9"), r"vertices\[1\]: expected mm within"),
    "no x": (swap(b"float x", b"float a"), "element vertex: expected rows with properties x, y and z, found a, y, z"),
    "no vertices": (b"ply\nformat ascii 1.0\nend_header\n", "element vertex: expected rows with .* found none"),
    "a list of x": (PLAIN[:PLAIN.index(b"property")] + b"property list uchar float x\nproperty float y\n"
                    b"property float z\nelement face 1\nproperty list uchar int vertex_indices\nend_header\n"
                    + b"1 0 0 0\n" * 5 + b"3 0 1 2\n", "element vertex: expected one number x, found a list"),
    "no faces": (encoded("ascii", [("vertex", XYZ, POINTS)]), "element face: expected rows with a list .* found none"),
    "index too large": (swap(b"3 1 4 2", b"3 1 5 2"), r"face 2: expected indices 0..4 of vertices, found 5"),
    "index too small": (swap(b"3 1 4 2", b"3 1 -4 2"), r"face 2: expected indices 0..4 of vertices, found -4"),
    "index with a point": (swap(b"3 1 4 2", b"3 1 2.5 2"), r"face 2: expected indices 0..4 of vertices, found 2.5"),
    "length with a point": (swap(b"3 1 4 2", b"3.5 1 4 2"), "face 2: expected the length of the list"),
    "negative length": (swap(b"3 0 1 2", b"-3 0 1 2"), "face 0: expected the length of the list .* found -3"),
    "huge length": (swap(b"3 0 1 2", b"1e30 0 1 2"), r"face 0: expected the length of the list .* found 1e\+30"),
    "texture of other polygons": (encoded("ascii", [("vertex", XYZ, POINTS), ("face", [
        *LIST, "list uchar float texcoord"], [(*TRIANGLES[0], SIX), (*TRIANGLES[1], SIX[:4])])]),
        "face 1: expected 6 numbers in texcoord, two per corner, found 4"),
    "binary cut": (BINARY[:-1], "element face: expected 3 rows|face 2: expected|found"),
    "binary polygons cut": (MIXED[:-1], "face 1: expected the length of the list vertex_indices, within the file"),
    "binary rows left": (BINARY + b"\1", "element face: expected the end of the file after it, found 1 bytes more"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_ply_is_one_error_with_file_and_place(tmp_path, name):
    data, message = BROKEN[name]
    path = tmp_path / "face.ply"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@FEW
@given(form=st.sampled_from(list(FORMS)), at=st.integers(0, 400), junk=st.binary(max_size=12), gone=st.integers(0, 12))
def test_a_damaged_ply_is_read_or_refused(tmp_path, form, at, junk, gone):
    data = encoded(form, VARIANTS["polygons"][0])
    path = tmp_path / "face.ply"
    path.write_bytes(data[:at] + junk + data[at + gone:])
    try:
        assert isinstance(read_mesh(path), Mesh)
    except ValueError as error:
        assert re.match(re.escape(str(path)), str(error))


@FEW
@given(seed=st.integers(0, 2**32), form=st.sampled_from(list(FORMS)), seam=st.sampled_from(["none", "same", "seam"]))
def test_ply_round_trip_is_exact(tmp_path, seed, form, seam):
    rng = np.random.default_rng(seed)
    mesh = Mesh(rng.normal(0, 100, (9, 3)), rng.integers(0, 9, (7, 3)),
                texture_coordinates=None if seam == "none" else rng.random((9, 2)),
                texture_triangles=rng.integers(0, 9, (7, 3)) if seam == "seam" else None)
    write_ply(mesh, tmp_path / "a.ply", form)
    read = read_mesh(tmp_path / "a.ply")
    assert np.array_equal(read.vertices, mesh.vertices) and np.array_equal(read.triangles, mesh.triangles)
    assert (read.texture_coordinates is None) == (seam == "none")
    if seam != "none":
        assert corner_coordinates(read) == corner_coordinates(mesh)


@pytest.mark.parametrize(("extra", "kept"), [(0, 9), (3, 9), (-2, 7)])
def test_texture_coordinates_of_another_number_than_vertices(tmp_path, extra, kept):
    rng = np.random.default_rng(0)
    mesh = Mesh(rng.normal(0, 9, (9, 3)), rng.integers(0, 7, (7, 3)), texture_coordinates=rng.random((9 + extra, 2)))
    write_mesh(mesh, tmp_path / "a.ply")
    read = read_mesh(tmp_path / "a.ply")
    assert corner_coordinates(read) == corner_coordinates(mesh)
    assert np.array_equal(read.texture_coordinates[:kept], mesh.texture_coordinates[:kept])


@pytest.mark.parametrize(("comment", "files", "found"), [
    ("TextureFile face.png", ["face.png", "a.png"], "face.png"), ("TextureFile my face.png", ["my face.png"],
                                                                 "my face.png"),
    ("TextureFile gone.png", ["a.jpg", "a.bmp"], "a.jpg"), ("made by hand", ["a.bmp"], "a.bmp"), ("", [], None),
])  # fmt: skip
def test_the_picture_is_that_of_the_comment_or_of_the_name(tmp_path, comment, files, found):
    for name in files:
        (tmp_path / name).touch()
    (tmp_path / "a.ply").write_bytes(encoded("ascii", VARIANTS["texture of vertices"][0], [comment]))
    assert read_mesh(tmp_path / "a.ply").texture == (tmp_path / found if found else None)
