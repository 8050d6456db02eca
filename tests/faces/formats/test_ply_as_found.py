"""Files .ply as people have them: what does not matter costs no scan, and what cannot be read says why."""

import gzip
import re
import struct
import warnings

import numpy as np
import pytest

from mvlm.faces import read_mesh
from mvlm.faces.formats.files import PictureWarning
from mvlm.faces.formats.numbers import PolygonWarning

POINTS = [[0.0, 0.0, 0.0], [10.0, 0.0, 1.5], [10.0, 10.0, -2.25], [0.0, 10.0, 0.125], [20.0, 5.0, 3.0]]
TRIANGLES = [[0, 1, 2], [0, 2, 3], [1, 4, 2]]
XYZ = ["float x", "float y", "float z"]
LIST = "list uchar int vertex_indices"
STRUCT = {"uchar": "B", "int": "i", "uint": "I", "int64": "q", "uint64": "Q", "float": "f", "double": "d"}


def ply(vertex=(), face=(), *, faces=TRIANGLES, of_vertex=(), of_face=(), head=(), more=(), order="", indices=LIST):
    """A file of five points: further properties with their words in each row; other elements as (name, ...) rows.

    A property is "float nx" or "list uchar int name"; a value of a list is a list, and a face is its corners or, as a
    tuple, all its values.
    """
    elements = [("vertex", [*XYZ, *vertex], [[*point, *of_vertex] for point in POINTS]),
                ("face", [indices, *face], [row if isinstance(row, tuple) else (row, *of_face) for row in faces]),
                *more]
    form = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[order]
    lines, body = ["ply", f"format {form} 1.0", *head], b""
    for name, properties, rows in elements:
        lines += [f"element {name} {len(rows)}", *(f"property {text}" for text in properties)]
        for row in rows:
            words = []
            for text, value in zip(properties, row, strict=True):
                *kinds, _ = text.split()
                of_list = [(kinds[-2], len(value)), *((kinds[-1], one) for one in value)] if len(kinds) == 3 else None
                words += of_list or [(kinds[-1], value)]
            body += (b"".join(struct.pack(order + STRUCT[kind], value) for kind, value in words) if order else
                     " ".join(str(value) for _, value in words).encode() + b"\n")
    return "\n".join([*lines, "end_header", ""]).encode() + body


PLAIN, BINARY = ply(), ply(order="<")
NORMALS = ["float nx", "float ny", "float nz"]


def put(old, new, text=PLAIN):
    assert text.count(old) == 1, old
    return text.replace(old, new)


SOUND = {
    "mark of byte order": b"\xef\xbb\xbf" + PLAIN,
    "mark of byte order before bytes": b"\xef\xbb\xbf" + BINARY,
    "UTF-16": PLAIN.decode().encode("utf-16"),
    "packed": gzip.compress(PLAIN),
    "packed bytes, which end with NUL": gzip.compress(BINARY),
    "NUL behind": PLAIN + b"\0" * 100,
    "Ctrl-Z behind": PLAIN + b"\r\n\x1a",
    "NUL behind bytes": BINARY + b"\0" * 512,
    "Ctrl-Z behind bytes": BINARY + b"\n\x1a\n",
    "blanks in the header's first and last line": put(b"end_header", b" end_header ").replace(b"ply", b"ply ", 1),
    "comments anywhere in the header": re.sub(rb"\n(?=format|element|property|end)", b"\ncomment end_header\n", PLAIN),
    "comments among the rows": PLAIN.replace(b"\n3 ", b"\n# a face\ncomment 3 0 1 2\n 3 ") + b"# end\n",
    "comments behind rows": PLAIN.replace(b"\n3 ", b" # 1 2 3\n3 "),
    "lines of a vendor": ply(head=["author me", "obj_info num_cols 5", "scanner_version 2.0", "texture off"]),
    "normals that are no numbers": ply(NORMALS, of_vertex=["nan", "-nan", "NaN"]),
    "normals as other libraries write them": ply(NORMALS, of_vertex=["-nan(ind)", "1.#QNAN", "-1.#IND"]),
    "bytes of normals that are no numbers": ply(NORMALS, of_vertex=[np.nan] * 3, order=">"),
    "infinite quality": ply(["float quality"], ["double q"], of_vertex=["inf"], of_face=["-inf"]),
    "64-bit lists": ply(indices="list uint64 int64 vertex_indices"),
    "bytes of 64-bit lists": ply(indices="list uint64 int64 vertex_indices", order="<"),
    "bytes of 64-bit lists of several lengths": ply(
        ["int64 id"], of_vertex=[2**62], indices="list int64 uint64 vertex_indices", order=">",
        face=["list uchar int64 flags", "int64 id"], of_face=[[], -1]),
    "types that matter in bytes alone": ply(["half h"], ["list float long ids"], of_vertex=[1], of_face=[[7, 8]]),
    "an unused property twice": ply(["uchar red", "uchar red"], of_vertex=[1, 2], order="<"),
    "an unused element twice": ply(more=[("edge", ["int a"], [[1]]), ("edge", ["int a"], [[2]])]),
    "colours of corners, which the header does not know": ply(face=["uchar red"], of_face=["9 1 2 3 4 5 6 7 8 9"]),
    "more in a vertex than the header says": ply(["uchar red"], of_vertex=["7 0 0 1"]),
    "as many properties as a cloud of Gaussians": ply([f"float f_rest_{n}" for n in range(300)], of_vertex=[0.5] * 300),
    "bytes of so many": ply([f"float f_rest_{n}" for n in range(300)], ["list uchar float k"], of_vertex=[0.5] * 300,
                            of_face=[[]], order="<"),
    "no texture at any corner": ply(face=["list uchar float texcoord"], of_face=[[]]),
    "not-a-number as texture": ply(["float s", "float t"], of_vertex=["nan", "nan"]),
    "a cloud of points without a place behind": put(b"\n3 0 1 2", b"\nnan nan nan\n3 0 1 2").replace(b"ex 5", b"ex 6"),
}  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_what_does_not_matter(tmp_path, name):
    path = tmp_path / "a.ply"
    path.write_bytes(SOUND[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mesh = read_mesh(path)
    assert mesh.vertices.tolist() == POINTS and mesh.triangles.tolist() == TRIANGLES
    assert mesh.texture_coordinates is None


def strip_by_hand(rows):
    found = []
    for row in rows:
        strip = []
        for corner in [*row, -1]:
            if corner in (-1, 2**32 - 1):
                for k in range(len(strip) - 2):
                    a, b, c = strip[k:k + 3]
                    if len({a, b, c}) == 3:
                        found.append([b, a, c] if k % 2 else [a, b, c])
                strip = []
            else:
                strip.append(corner)
    return found


@pytest.mark.parametrize("order", ["", "<", ">"])
@pytest.mark.parametrize(("kind", "rows"), [
    ("int", [[0, 1, 2, 3, 4]]), ("int", [[0, 1, 2, 3, -1, 1, 4, 2]]), ("int", [[0, 1, 2], [3, 2, 1, 4], []]),
    ("int", [[-1, 0, 1, 2, 2, 3, 4, -1, -1, 3, 4, -1]]), ("uint", [[0, 1, 2, 3, 2**32 - 1, 1, 4, 2]]),
    ("int64", [[4, 3, 2, 1, 0, -1]]),
])  # fmt: skip
def test_strips(tmp_path, order, kind, rows):
    strips = ("tristrips", [f"list int {kind} vertex_indices"], [[row] for row in rows])
    for faces in ([], TRIANGLES):
        data = ply(["float s", "float t"], of_vertex=[0.25, 0.5], faces=faces, more=[strips], order=order)
        (tmp_path / "a.ply").write_bytes(data)
        mesh = read_mesh(tmp_path / "a.ply")
        assert mesh.triangles.tolist() == faces + strip_by_hand(rows)
        assert mesh.texture_coordinates.tolist() == [[0.25, 0.5]] * 5 and mesh.texture_triangles is None


SIX = [0.0, 0.0, 1.0, 0.0, 1.0, 1.0]
OF_CORNERS = "list uchar float texcoord"


@pytest.mark.parametrize("order", ["", "<"])
def test_faces_of_two_corners_are_left_out_and_counted(tmp_path, order):
    faces = [([0, 1, 2], SIX), ([3, 4], SIX[:4]), ([0, 2, 3], SIX[::-1]), ([], []), ([4], []), ([1, 4, 2], SIX)]
    (tmp_path / "a.ply").write_bytes(ply(face=[OF_CORNERS], faces=faces, order=order))
    with pytest.warns(PolygonWarning, match="a.ply: left out 3 of 6 polygons, which have fewer than 3 corners"):
        mesh = read_mesh(tmp_path / "a.ply")
    assert mesh.triangles.tolist() == TRIANGLES
    corners = mesh.texture_coordinates[mesh.texture_triangles].reshape(3, 6).tolist()
    assert corners == [SIX, SIX[::-1], SIX]


def test_texture_that_a_face_lacks_is_no_texture(tmp_path):
    faces = [([0, 1, 2], SIX), ([0, 2, 3], []), ([1, 4, 2], SIX)]
    (tmp_path / "a.ply").write_bytes(ply(face=[OF_CORNERS], faces=faces, order=">"))
    mesh = read_mesh(tmp_path / "a.ply")
    assert mesh.triangles.tolist() == TRIANGLES and mesh.texture_coordinates is None


PICTURES = ["one.png", "two.png", "my face.png", "gesicht_ä.png"]


@pytest.mark.parametrize(("said", "number", "found", "word"), [
    (["TextureFile one.png"], 0, "one.png", None),
    (["TextureFile one.png", "TextureFile two.png"], 1, "two.png", None),
    (["TextureFile one.png", "TextureFile two.png"], 0, "one.png", None),
    (["TextureFile one.png", "TextureFile two.png"], -1, None, None),
    (["TextureFile one.png", "TextureFile two.png"], 2, None, "found the numbers 2"),
    (["TextureFile one.png", "TextureFile two.png"], [0, 0, 1], None, "one picture of 2, found the numbers 0, 1"),
    (["TextureFile one.png", "TextureFile two.png"], [1, -1, 1], "two.png", None),
    (["TextureFile one.png"], 7, "one.png", None),
    (["texturefile: my face.png"], 0, "my face.png", None),
    (['TextureFile "C:\\scans\\my face.png"'], 0, "my face.png", None),
    (["TextureFile gesicht_ä.png"], 0, "gesicht_ä.png", None),
    (["TextureFile gone.png"], 0, None, "expected the picture 'gone.png'"),
    ([], 0, None, None),
])  # fmt: skip
def test_the_picture_is_the_one_that_the_faces_use(tmp_path, said, number, found, word):
    for name in PICTURES:
        (tmp_path / name).touch()
    numbers = number if isinstance(number, list) else [number] * 3
    faces = [(row, SIX, which) for row, which in zip(TRIANGLES, numbers, strict=True)]
    data = ply(face=[OF_CORNERS, "int texnumber"], faces=faces, head=[f"comment {text}" for text in said])
    for encoding in ("utf-8", "latin-1"):
        (tmp_path / "a.ply").write_bytes(data.decode().encode(encoding))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            mesh = read_mesh(tmp_path / "a.ply")
        assert mesh.texture == (tmp_path / found if found else None)
        assert mesh.texture_coordinates[mesh.texture_triangles].reshape(3, 6).tolist() == [SIX] * 3
        assert [warning.category for warning in caught] == ([PictureWarning] if word else [])
        assert word is None or word in str(caught[0].message)


REFUSED = {
    "a cloud of points": (ply(faces=[]), "element face: expected rows with a list vertex_indices, found none: points"),
    "a range scan": (ply(faces=[], more=[("range_grid", [LIST], [[[0]]])]), "found none, but elements range_grid"),
    "lines alone": (ply(faces=[[0, 1], [2, 3]]), "a.ply: expected polygons of at least 3 corners, found 2 of fewer"),
    "a place twice": (ply(["float x"], of_vertex=[1]), "line 7: expected format, .* found 'property float x'"),
    "an element of two": (ply(more=[("vertex", XYZ, [])]), "line 9: expected format, .* found 'element vertex 0'"),
    "a corner without a place": (put(b"\n10.0 10.0", b"\n10.0 nan"), r"vertices\[2\]: expected finite numbers"),
    "a statement with an error": (put(b"element face", b"elemnt face"), "line 7: expected format, comment, element"),
    "unknown types in bytes": (BINARY.replace(b"float x", b"half x"), "line 4: expected types of char, uchar"),
    "lengths with a point in bytes": (BINARY.replace(b"list uchar", b"list float"), "line 8: expected types of"),
    "a row cut in two": (put(b"\n10.0 10.0 -2.25", b"\n10.0 10.0"), "element face: expected|face 0|length of the list"),
    "numbers behind the rows": (PLAIN + b"1 2 3\n", "face: expected the end of the file after it, found 3 numbers"),
    "bytes behind the rows": (BINARY + b"\0\1", "face: expected the end of the file after it, found 2 bytes"),
    "a strip of strangers": (ply(faces=[], more=[("tristrips", [LIST], [[[0, 1, 7]]])]), "strip 0: expected indices"),
    "a strip too short": (ply(faces=[], more=[("tristrips", [LIST], [[[0, 1]]])]), r"triangles: expected shape .* 3\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_says_why(tmp_path, name):
    data, message = REFUSED[name]
    path = tmp_path / "a.ply"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
