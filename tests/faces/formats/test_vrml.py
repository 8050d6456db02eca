"""The reader of .wrl against a naive parser, over legal variants and broken files."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvlm.faces import Mesh, read_mesh, write_mesh

FEW = settings(max_examples=40, deadline=None, derandomize=True,
               suppress_health_check=[HealthCheck.function_scoped_fixture])

POINTS = [(0, 0, 0), (10, 0, 1.5), (10, 10, -2.25), (0, 10, 1e-3), (20, 5, 3)]
PLAIN = """#VRML V2.0 utf8
Group {
children [
Shape {
appearance Appearance {
material Material {
diffuseColor 1 1 1
}
texture ImageTexture {
url "face.bmp"
}
}
geometry IndexedFaceSet {
solid FALSE
coord Coordinate {
point [
0 0 0,
10 0 1.5,
10 10 -2.25,
0 10 0.001,
20 5 3
]
}
coordIndex [
0, 1, 2, -1,
0, 2, 3, -1,
1, 4, 2, -1,
]
texCoord TextureCoordinate {
point [
0 0,
0.5 0,
0.5 1,
0 1,
1 0.5
]
}
texCoordIndex [
0, 1, 2, -1,
0, 2, 3, -1,
1, 4, 2, -1,
]
}
}
]
}
"""
TEXTURE = PLAIN[PLAIN.index("texCoord T"):PLAIN.index("}\n}\n]\n}\n")]
COORDINATES = PLAIN[PLAIN.index("coord C"):PLAIN.index("coordIndex")]
TEXTURE_INDEX = PLAIN[PLAIN.index("texCoordIndex"):PLAIN.index("}\n}\n]\n}\n")]
FACES = PLAIN[PLAIN.index("coordIndex ["):PLAIN.index("texCoord T")]
QUADS = "coordIndex [ 0 1 2 3 -1 1 4 2 ]\n"


def swap(old, new):
    assert PLAIN.count(old) == 1, old
    return PLAIN.replace(old, new)


def before(text):
    return swap("Group {", text + "\nGroup {")


VARIANTS = {
    "plain": PLAIN,
    "crlf": PLAIN.replace("\n", "\r\n"),
    "cr": PLAIN.replace("\n", "\r"),
    "tabs and blanks": "#VRML V2.0 utf8\n" + PLAIN[16:].replace(" ", " \t ").replace("\n", "\n\n\t"),
    "bracket touches": PLAIN.replace("point [", "point[").replace("Index [", "Index["),
    "bracket on its own line": PLAIN.replace("point [", "point\n[").replace("Index [", "Index\n["),
    "no commas": PLAIN.replace(",", ""),
    "commas everywhere": PLAIN.replace("\n]", ",,\n]").replace("0 0 0,", "0, 0, 0,"),
    "one line": PLAIN.replace("utf8\n", "utf8\r\n", 1).replace("\n", " ").replace("\r ", "\n"),
    "exponents": PLAIN.replace("1.5", "+.15e1").replace("-2.25", "-225E-2").replace("0.001", "1e-03"),
    "comments": PLAIN.replace("point [", "# point [ 1 2 3 ] {\npoint [ # } ] \" 5\n")
                     .replace("Group", "#\n# \" {\nGroup"),
    "comment at the end": PLAIN + "# no line end",
    "strings": swap("Group {", 'WorldInfo { title "a \\" Coordinate { point [ 1 2 3 ] } # }" info [ "]" "[" ] }\n'
                               "Group {"),
    "other nodes": swap("Group {", "NavigationInfo { type [ \"EXAMINE\" \"ANY\" ] headlight TRUE }\n"
                                   "Viewpoint { position 0 0 400 fieldOfView .7 description \"front\" }\nGroup {"),
    "names": PLAIN.replace("Shape {", "DEF FACE Shape {").replace(" Coordinate {", " DEF _p Coordinate {"),
    "transform that moves nothing": swap("Group {", "Transform { translation 0 0 0 scale 1, 1, 1 rotation 0 1 0 0\n"),
    "shape at the root": swap("Group {\nchildren [\n", "").replace("}\n}\n]\n}\n", "}\n}\n"),
    "one child without a list": swap("children [\n", "children ").replace("}\n}\n]\n}\n", "}\n}\n}\n"),
    "texture first": swap(TEXTURE, "").replace("coord C", TEXTURE + "coord C"),
    "index first": swap(FACES, "").replace("coord C", FACES + "coord C"),
    "no texCoordIndex": swap(TEXTURE_INDEX, ""),
    "empty texCoordIndex": swap(TEXTURE_INDEX, "texCoordIndex [ ]\n"),
    "empty texture": swap(TEXTURE, "texCoord TextureCoordinate { point [ , ] }\n"),
    "texture without points": swap(TEXTURE, "texCoord TextureCoordinate { }\n"),
    "null texture": swap(TEXTURE, "texCoord NULL\n"),
    "no texture coordinates": swap(TEXTURE, ""),
    "seam": swap(TEXTURE, "texCoord TextureCoordinate { point [ 0 0 1 0 1 1 0 1 .5 .5 .25 .75 ] }\n"
                          "texCoordIndex [ 0 1 2 -1 3 2 5 -1 1 4 0 -1 ]\n"),
    "quads": swap(FACES, QUADS).replace(TEXTURE_INDEX, "tex" + QUADS.replace("c", "C", 1)),
    "quads without texCoordIndex": swap(FACES, QUADS).replace(TEXTURE_INDEX, ""),
    "pentagon": swap(FACES, "coordIndex [ 0 1 4 2 3 -1 ]\n").replace(TEXTURE, ""),
    "last end mark left out": PLAIN.replace("4, 2, -1,\n]", "4, 2\n]"),
    "clockwise": swap("solid FALSE", "solid FALSE ccw FALSE"),
    "clockwise seam": swap("solid FALSE", "ccw FALSE").replace(
        TEXTURE_INDEX, "texCoordIndex [ 0 1 2 -1 3 2 4 -1 1 4 0 -1 ]\n"),
    "byte order mark": "\ufeff" + PLAIN,
    "route": PLAIN + "ROUTE a.b TO c.d\n",
    "prototypes": before('PROTO X [ exposedField SFNode s Shape { } field MFFloat f [ ] ] { Shape { geometry '
                         'IndexedFaceSet { coord IS s } } ROUTE a.b TO c.d } EXTERNPROTO Y [ eventIn SFTime t ] '
                         '[ "y.wrl" "#Y" ] EXTERNPROTO Z [ ] "z.wrl" X { s NULL }'),
    "a script": PLAIN + 'DEF S Script { field SFNode a USE b eventIn SFBool x url "javascript: f() { [ }" }\n',
    "a script before": before("Script { field MFNode shapes [ Shape { } ] field SFNode a NULL url [ ] }"),
    "nodes of a vendor": before("Viewer { modes [ TRUE FALSE ] look nice at USE it f nan g [ A { b [ ] } ] }"),
    "not a number where nobody looks": swap("Group {", "Viewpoint { position nan -nan(ind) 1.#QNAN fieldOfView inf }\n"
                                                       "Group { bboxSize -1.#IND 1.#INF nan\n"),
    "colours and normals": swap("solid FALSE", "solid FALSE color Color { color [ nan nan nan, 1.#IND 0 0 ] } normal "
                                "Normal { vector [ -nan inf 0 ] } colorPerVertex TRUE creaseAngle nan"),
    "materials": before("Shape { appearance DEF skin Appearance { material DEF red Material { } } }")
                 .replace("diffuseColor 1 1 1", "diffuseColor nan 1 1"),
    "lines and points beside it": before("Shape { geometry IndexedLineSet { coordIndex [ 0 1 -1 ] coord Coordinate { "
                                         "point [ 0 0 0 nan nan nan ] } } } Shape { geometry NULL } Shape { geometry "
                                         "PointSet { coord Coordinate { point [ ] } } }"),
    "an empty face set beside it": PLAIN + "Shape { geometry IndexedFaceSet { } }",
    "points by name": swap(COORDINATES, "coord USE p\n").replace("Group {", "Switch { choice Shape { geometry Face { "
                      + COORDINATES.replace("coord C", "coord DEF p C") + " } } }\nGroup {"),
    "points by the name that lines give them": swap(COORDINATES, "coord USE p\n").replace(
        "Group {", "Shape { geometry IndexedLineSet { coord DEF p C" + COORDINATES[7:] + " x [ ? ] } }\nGroup {"),
    "a face by name": swap("Group {", "Switch { whichChoice -1 choice [ DEF f Group {").rstrip() + " ] }\nUSE f\n",
    "a name in quotes, and one of two words": swap("Shape {", 'DEF "my face" Shape {').replace("G", "DEF Face 01 G"),
    "detail": swap("Group {", "LOD { range [ 9 ] level [\nGroup {") + "Shape { geometry Box { } } NULL ] }",
    "a choice": swap("Group {", "Switch { whichChoice 1 choice [ Shape { geometry Box { } }\nGroup {") + "] }",
    "groups of all kinds": swap("Group {", 'Anchor { url "x" children Billboard { children Collision { proxy Shape { '
                                           "geometry Box { } } children [ Layer { content [\nGroup {") + "] } ] } } }",
    "full turn": swap("Group {", "Transform { rotation 0 1 0 6.283185307179586 scaleOrientation 1 0 0 1 center 9 9 9"),
    "end marks twice": PLAIN.replace("3, -1,", "3, -1, -1,"),
    "header in small letters": PLAIN.replace("#VRML V2.0 utf8", "\n#vrml v2.0 UTF8"),
    "an end of DOS": PLAIN + "\x1a",
    "a tail of zeros": PLAIN + "\0" * 512,
}


def naive_vrml(text):
    """Points, triangles, coordinates and their triangles by a loop over characters and words."""
    clean, in_string, in_comment, last = [], False, False, ""
    for character in text:
        if in_comment:
            in_comment = character not in "\r\n"
        elif in_string:
            in_string = not (character == '"' and last != "\\")
        elif character == "#":
            in_comment = True
        elif character == '"':
            in_string = True
        else:
            clean.append({",": " ", "[": " [ ", "]": " ] ", "{": " { ", "}": " } "}.get(character, character))
        last = character
    words, lists, node = "".join(clean).split(), {}, ""
    for at, word in enumerate(words):
        if word in ("Coordinate", "TextureCoordinate"):
            node = word
        if word in ("point", "coordIndex", "texCoordIndex"):
            numbers = words[at + 2:words.index("]", at)]
            lists[node if word == "point" else word] = [float(number) for number in numbers]

    def rows(numbers, width):
        return [tuple(numbers[i:i + width]) for i in range(0, len(numbers), width)] if numbers else None

    def fans(numbers):
        triangles, polygon = [], []
        for number in [*numbers, -1]:
            if number >= 0:
                polygon.append(int(number))
            else:
                triangles += [(polygon[0], polygon[i], polygon[i + 1]) for i in range(1, len(polygon) - 1)]
                polygon = []
        return triangles

    turn = (lambda t: [c[::-1] for c in t]) if "ccw" in words and words[words.index("ccw") + 1] == "FALSE" else list
    triangles = turn(fans(lists["coordIndex"]))
    coordinates = rows(lists.get("TextureCoordinate"), 2)
    corners = turn(fans(lists.get("texCoordIndex") or lists["coordIndex"])) if coordinates else None
    return rows(lists["Coordinate"], 3), triangles, coordinates, corners


@pytest.mark.parametrize("name", VARIANTS)
def test_legal_variants_read_like_a_naive_parser(tmp_path, name):
    path = tmp_path / "face.wrl"
    path.write_bytes(VARIANTS[name].encode())
    mesh = read_mesh(path)
    points, triangles, coordinates, corners = naive_vrml(VARIANTS[name])
    assert mesh.vertices.tolist() == [list(point) for point in points] == [list(point) for point in POINTS]
    assert mesh.triangles.tolist() == [list(triangle) for triangle in triangles]
    assert (mesh.texture_coordinates is None) == (coordinates is None)
    if coordinates:
        assert mesh.texture_coordinates.tolist() == [list(row) for row in coordinates]
        read = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
        assert read.tolist() == [list(row) for row in corners]


BROKEN = {
    "empty": ("", "line 1: expected `#VRML V2.0 utf8`, found an empty file"),
    "another version": (swap("V2.0", "V1.0"), "line 1: expected `#VRML V2.0 utf8`"),
    "no shape": ("#VRML V2.0 utf8\n", "expected a Shape with an IndexedFaceSet, found none"),
    "a prototype alone": ("#VRML V2.0 utf8\nPROTO F [ ] { Shape { } }\nF { }", "found none but prototypes"),
    "another file": ('#VRML V2.0 utf8\nInline { url [ "part.wrl" ] }', "found Inline, which is another file .part.wrl"),
    "a choice of nothing": (swap("Group {", "Switch { choice Group {") + "}", "IndexedFaceSet, found none"),
    "a face that is not defined": ("#VRML V2.0 utf8\nUSE face\n", "found USE face, which is defined nowhere before"),
    "half a translation": (swap("Group {", "Transform { translation 0 0\n"),
                           "line 2: expected 3 numbers in translation of Transform, found 2"),
    "a turn by nothing": (swap("Group {", "Transform { rotation 0 1 0 nan\n"), "expected finite numbers in rotation"),
    "a sphere": (PLAIN[:PLAIN.index("geometry")] + "geometry Sphere { radius 3 } } ] }", "Set, found Sphere"),
    "no end marks": (swap(FACES, "coordIndex [ 0 1 2\n0 2 3\n1 4 2 ]\n"), "line 24: expected -1 behind each polygon of "
                     "coordIndex, found a corner that comes again in polygon 0 .from 0. of 9 corners"),
    "an end mark here and there": (swap(FACES, "coordIndex [ 0 1 2 -1 0 2 3 1 4 2 -1 ]\n"), "comes again in polygon 1"),
    "a bomb of uses": ("#VRML V2.0 utf8\nDEF a0 Group { }\n" + "".join(
        f"DEF a{i} Group {{ children [ USE a{i - 1} USE a{i - 1} ] }}\n" for i in range(1, 60)), "at most 10000 nodes"),
    "a thousand of one face": (swap("Shape {", "DEF a0 Shape {") + "".join(
        f"DEF a{i + 1} Group {{ children [ USE a{i} Transform {{ translation {2**i} 0 0 children USE a{i} }} ] }}\n"
        for i in range(9)), "expected each face set by USE at most 4 times"),
    "no points": (swap(COORDINATES, ""), "expected coord Coordinate in IndexedFaceSet, found none"),
    "no faces": (swap(FACES, ""), "expected coordIndex with values in IndexedFaceSet, found none"),
    "empty points": (swap(COORDINATES, "coord Coordinate { point [ ] }\n"), "point of Coordinate, found an empty"),
    "blank points": (swap(COORDINATES, "coord Coordinate { point [ ,\n ] }\n"), "point of Coordinate, found an empty"),
    "empty faces": (swap(FACES, "coordIndex [\n]\n"), "numbers in coordIndex, found an empty list"),
    "lone number": (swap("20 5 3\n", "20 5\n"), "expected 3 numbers for each point of Coordinate, found 14"),
    "nan": (swap("10 0 1.5", "10 nan 1.5"), "line 18: expected finite numbers in point of Coordinate, found nan"),
    "infinity": (swap("10 0 1.5", "10 0 1e999"), "line 18: expected finite numbers .* 1e999"),
    "indefinite": (swap("10 0 1.5", "10 0 -1.#IND"), "line 18: expected a number in point .* found '-1.#IND'"),
    "three indefinite": (swap("10 0 1.5", "1.#QNAN 1.#QNAN 1.#QNAN"), "line 18: expected a number .* found '1.#QNAN'"),
    "a word": (swap("10 0 1.5", "10 0 x"), "line 18: expected a number in point of Coordinate, found 'x'"),
    "decimal comma": (swap("10 0 1.5", "10 0 1,5"), "expected 3 numbers for each point"),
    "1 km away": (swap("10 0 1.5", "10 0 -1e9"), r"vertices\[1\]: expected mm within"),
    "index too large": (swap(FACES, FACES.replace("4", "5")), "line 27: expected -1 or an index 0..4 .* found 5"),
    "index too small": (swap(FACES, FACES.replace("4", "-4")), "expected -1 or an index 0..4 in coordIndex, found -4"),
    "index with a point": (swap(FACES, FACES.replace("4", "3.5")), "line 27: expected an integer .* found '3.5'"),
    "huge index": (swap(FACES, FACES.replace("4", "99999999999999999999999")), "coordIndex, found 9999"),
    "two corners": (swap(FACES, "coordIndex [ 0 1 -1 1 2 -1 ]\n").replace(TEXTURE, ""),
                    ": expected polygons of at least 3 corners, found 2"),
    "two corners here, three there": (swap(FACES, FACES.replace("1, 4, 2", "1, 4")), "polygons of coordIndex"),
    "texture index too large": (swap(TEXTURE_INDEX, TEXTURE_INDEX.replace("4", "7")), "0..4 in texCoordIndex, found 7"),
    "texture of other polygons": (swap(TEXTURE_INDEX, "tex" + QUADS.replace("c", "C", 1)), "polygons of coordIndex"),
    "too few texture coordinates": (swap(TEXTURE_INDEX, "").replace(",\n1 0.5\n", "\n"), "coordinate for vertex 4"),
    "open string": (swap('face.bmp"', "face.bmp"), 'line 10: expected a closing quote'),
    "open list": (PLAIN[:PLAIN.index("0 10 0.001")], r"line 16: expected a \] that closes point \["),
    "cut between nodes": (PLAIN[:PLAIN.index("texCoord T")], "expected } of IndexedFaceSet, found the end of the file"),
    "cut after a field": (PLAIN[:PLAIN.index("Coordinate {")], "expected a node|expected a value of coord"),
    "stray bracket": (swap("solid FALSE", "] solid FALSE"), "line 14: expected a field of IndexedFaceSet, found ']'"),
    "field given twice": (swap(FACES, FACES + FACES), "line 29: expected one coordIndex in IndexedFaceSet"),
    "reference": (swap(COORDINATES, "coord USE points\n"), "coord Coordinate in IndexedFaceSet, found USE points"),
    "open prototype": (swap("Group {", "PROTO X [ ] { A {\nGroup {"), "line 2: expected a bracket that closes this {"),
    "crossed brackets": (swap("Group {", "A { b [ } ]\nGroup {"), "line 2: expected brackets that close as they open"),
    "endless nesting": ("#VRML V2.0 utf8\n" + "Group { children [ " * 5000, "expected nodes at most 64 deep"),
    "nameless": (swap("Group {", "{"), "line 2: expected a node, found '{'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_wrl_is_one_error_with_file_and_place(tmp_path, name):
    text, message = BROKEN[name]
    path = tmp_path / "face.wrl"
    path.write_bytes(text.encode())
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@FEW
@given(cut=st.integers(0, len(PLAIN) - 3))
def test_a_wrl_cut_anywhere_is_refused(tmp_path, cut):
    path = tmp_path / "face.wrl"
    path.write_text(PLAIN[:cut])
    with pytest.raises(ValueError, match=re.escape(str(path))):
        read_mesh(path)


@FEW
@given(at=st.integers(0, len(PLAIN)), junk=st.binary(max_size=12), gone=st.integers(0, 12))
def test_a_damaged_wrl_is_read_or_refused(tmp_path, at, junk, gone):
    path = tmp_path / "face.wrl"
    path.write_bytes(PLAIN.encode()[:at] + junk + PLAIN.encode()[at + gone:])
    try:
        assert isinstance(read_mesh(path), Mesh)
    except ValueError as error:
        assert str(path) in str(error)


def test_many_escaped_quotes_are_read_in_linear_time(tmp_path):
    path = tmp_path / "face.wrl"
    path.write_text(swap("face.bmp", '\\"' * 300_000))
    assert len(read_mesh(path).triangles) == 3


@pytest.mark.parametrize(("url", "files", "found"), [
    ('"face.bmp"', ["face.bmp", "a_F2D.bmp"], "face.bmp"),
    ('[ "face.bmp" ]', ["face.bmp"], "face.bmp"),
    ('"FACE.BMP"', ["face.bmp"], "face.bmp"),
    ('"face.bmp"', ["Face.Bmp", "face.bmp"], "face.bmp"),
    ('"C:\\scans\\face.bmp"', ["face.bmp"], "face.bmp"),
    ('"http://host/x/face.bmp"', ["face.bmp"], "face.bmp"),
    ('"wrong.bmp"', ["a_F2D.bmp", "face.bmp"], "a_F2D.bmp"),
    ('"wrong.bmp"', ["A_f2d.BMP"], "A_f2d.BMP"),
    ('"wrong.bmp"', ["a_F3D.bmp"], "a_F3D.bmp"),
    ('"wrong.bmp"', ["a_F3D.jpg"], "a_F3D.jpg"),
    ('"../secret.bmp"', [], None),
    ('"sub/../../secret.bmp"', [], None),
    ('".."', [], None),
    ('"a_F3D.wrl"', [], None),
    ('""', ["a_F2D.bmp"], "a_F2D.bmp"),
])  # fmt: skip
def test_the_texture_lies_in_the_folder(tmp_path, url, files, found):
    folder = tmp_path / "F0001"
    folder.mkdir()
    (tmp_path / "secret.bmp").touch()
    for name in files:
        (folder / name).touch()
    (folder / "a_F3D.wrl").write_text(swap('"face.bmp"', url))
    assert read_mesh(folder / "a_F3D.wrl").texture == (folder / found if found else None)


@st.composite
def meshes(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, coordinates = draw(st.integers(3, 12)), draw(st.integers(3, 12))
    scale = draw(st.sampled_from([1e-4, 1.0, 100.0, 1e5]))
    triangles = rng.integers(0, count, (draw(st.integers(1, 9)), 3))
    seam = draw(st.sampled_from(["none", "same", "seam"]))
    return Mesh(rng.normal(0, scale, (count, 3)).clip(-1e6, 1e6), triangles,
                texture_coordinates=None if seam == "none" else rng.random((max(count, coordinates), 2)),
                texture_triangles=rng.integers(0, coordinates, triangles.shape) if seam == "seam" else None)


def rounded(values):
    return None if values is None else pytest.approx(values, rel=0, abs=1e-6)


@FEW
@given(mesh=meshes())
def test_wrl_round_trip(tmp_path, mesh):
    path = tmp_path / "a_F3D.wrl"
    write_mesh(mesh, path)
    read = read_mesh(path)
    assert read.vertices == rounded(mesh.vertices) and np.array_equal(read.triangles, mesh.triangles)
    assert read.texture_coordinates == rounded(mesh.texture_coordinates)
    assert np.array_equal(read.texture_triangles, mesh.texture_triangles)
    points, triangles, coordinates, _ = naive_vrml(path.read_text())
    assert np.array(points) == rounded(mesh.vertices)
    assert triangles == [tuple(triangle) for triangle in mesh.triangles.tolist()]
    assert (coordinates is None) == (mesh.texture_coordinates is None)


def test_written_wrl_has_the_layout_that_other_readers_count_on(tmp_path):
    (tmp_path / "face.bmp").write_bytes(b"BM")
    for texture in (None, tmp_path / "face.bmp"):
        mesh = Mesh(POINTS, [[0, 1, 2]], texture_coordinates=np.zeros((5, 2)), texture=texture)
        write_mesh(mesh, tmp_path / "a_F3D.wrl")
        lines = (tmp_path / "a_F3D.wrl").read_text().split("\n")
        assert lines[0] == "#VRML V2.0 utf8" and lines[18] == "point ["
        assert lines[19:25] == ["0.000000 0.000000 0.000000,", "10.000000 0.000000 1.500000,",
                                "10.000000 10.000000 -2.250000,", "0.000000 10.000000 0.001000,",
                                "20.000000 5.000000 3.000000", "]"]
        assert lines[26:29] == ["coordIndex [", "0, 1, 2, -1,", "]"]
        assert read_mesh(tmp_path / "a_F3D.wrl").texture == texture
