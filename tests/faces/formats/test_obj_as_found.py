"""What writers of .obj and .mtl do beside the usual: the right numbers, the right picture, or a word."""

import codecs
import gzip
import warnings
from unicodedata import normalize

import numpy as np
import pytest

from mvlm.faces import read_mesh
from mvlm.faces.formats.files import LeftOutWarning, PictureWarning
from mvlm.faces.formats.mtl import Map, read_mtl
from mvlm.faces.formats.numbers import PolygonWarning

POINTS = [[0, 0, 0], [10, 0, 1.5], [10, 10, -2.25], [0, 10, 0.001], [20, 5, 3]]
COORDINATES = [[0, 0], [0.5, 0], [0.5, 1], [0, 1], [1, 0.5]]
TRIANGLES = [[0, 1, 2], [0, 2, 3], [1, 4, 2]]
V = "".join(f"v {x} {y} {z}\n" for x, y, z in POINTS)
VT = "".join(f"vt {u} {v}\n" for u, v in COORDINATES)
F = "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\nf 2/2 5/5 3/3\n"
PLAIN = V + VT + F


def read(path, data, *, quiet=True):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("error" if quiet else "ignore")
        return read_mesh(path)


HARMLESS = {
    "a mark of byte order": codecs.BOM_UTF8 + PLAIN.encode(),
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-be"),
    "an end of DOS": PLAIN + "\x1a",
    "zeros behind": PLAIN + "\0" * 99,
    "gzip": gzip.compress(PLAIN.encode()),
    "blanks behind the mark of a broken line": PLAIN.replace("2/2 3/3\n", "2/2 \\ \t \n3/3\n"),
    "a broken line in three": PLAIN.replace("v 10 0 1.5", "v \\\r\n 10 \\  \r\n 0 1.5"),
    "colours that are no numbers": V.replace("\n", " nan -nan(ind) 1.#IND\n") + VT + F,
    "one colour that is none": PLAIN.replace("v 10 0 1.5", "v 10 0 1.5 nan nan nan"),
    "a depth that is none": PLAIN.replace("vt 0.5 1\n", "vt 0.5 1 nan\n"),
    "comments anywhere": "#\n" + PLAIN.replace("\n", "#x\n").replace("v 10", "  # f 1 2 3\nv 10"),
    "groups and objects": PLAIN.replace("f ", "o part #1\ng a # b\ns off\nf "),
    "normals that are none": "vn nan nan nan\n" + PLAIN,
    "lines, points and curves of no use": PLAIN + "l 1 2\np 3\nvp 0.1 0.2\n",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_not_matter_costs_nothing(tmp_path, name):
    mesh = read(tmp_path / "a.obj", HARMLESS[name])
    assert mesh.vertices.tolist() == POINTS and mesh.triangles.tolist() == TRIANGLES
    assert mesh.texture_coordinates.tolist() == COORDINATES and mesh.texture_triangles is None


def test_corners_of_coordinates_that_are_nowhere_are_read_without(tmp_path):
    mesh = read(tmp_path / "a.obj", V + F)
    assert mesh.triangles.tolist() == TRIANGLES and mesh.texture_coordinates is None


def test_vertices_that_nobody_uses_may_be_no_numbers(tmp_path):
    text = "v nan 0 0\n" + V + "v inf inf inf\n" + VT + "vt nan nan\n" + "f 2/1 3/2 4/3\nf 2/1 4/3 5/4\nf 3/2 6/5 4/3\n"
    mesh = read(tmp_path / "a.obj", text)
    assert mesh.vertices.tolist() == POINTS
    assert mesh.triangles.tolist() == TRIANGLES
    corners = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
    assert mesh.texture_coordinates[corners].tolist() == np.array(COORDINATES)[TRIANGLES].tolist()
    with pytest.raises(ValueError, match="a.obj, line 2: expected finite numbers in v, found nan"):
        read(tmp_path / "a.obj", PLAIN.replace("v 10 0 1.5", "v 10 nan 1.5"))
    assert read(tmp_path / "a.obj", PLAIN.replace("vt 0.5 1", "vt 0.5 nan")).texture_coordinates is None


@pytest.mark.parametrize(("text", "category", "said"), [
    (PLAIN.replace("f 1/1 2", "vc 0.5 0.5 0.5\nvc 1 1 1\nf 1/1 2"), LeftOutWarning, "left out lines vc (2)"),
    (PLAIN + "vw 0 0 1\nt crease 2/1/0 0 1 4.7\n", LeftOutWarning, "left out lines vw (1), t (1)"),
    (PLAIN + "cstype bezier\ncurv 0 1 1 2\nend\n", LeftOutWarning, "left out lines cstype (1), curv (1), end (1)"),
    (PLAIN + "call other.obj\n", LeftOutWarning, "left out lines call (1)"),
    (PLAIN.replace("f 2/2", "f 1/1 2/2\nf 1/1\nf 2/2"), PolygonWarning,
     "left out 2 of 5 polygons, which have fewer than 3 corners"),
])  # fmt: skip
def test_what_is_left_out_is_one_warning(tmp_path, text, category, said):
    path = tmp_path / "a.obj"
    path.write_text(text)
    with pytest.warns(category) as caught:
        mesh = read_mesh(path)
    assert [str(one.message) for one in caught] == [f"{path}: {said}"]
    assert mesh.vertices.tolist() == POINTS and mesh.triangles.tolist() == TRIANGLES
    assert mesh.texture_coordinates.tolist() == COORDINATES


TWO = "newmtl default\nKd 1 1 1\nmap_Kd default.png\n\nnewmtl skin\nmap_Kd skin.png\n"
BOTH = ["default.png", "skin.png"]
# Name: lines of materials in the .obj, the .mtl, files beside, the picture.
PICTURES = {
    "the second material": ("mtllib a.mtl\nusemtl skin\n", TWO, BOTH, "skin.png"),
    "the first material": ("usemtl default\nmtllib a.mtl\n", TWO, BOTH, "default.png"),
    "a material of no polygon": ("mtllib a.mtl\nusemtl default\nusemtl skin\n", TWO, BOTH, "skin.png"),
    "a name with a sharp": ("mtllib a#1.mtl\nusemtl skin #2\n", TWO.replace("skin\n", "skin #2\n"), BOTH, "skin.png"),
    "a material without a picture": ("mtllib a.mtl\nusemtl x\n", TWO + "newmtl x\n", [*BOTH, "a.jpg"], "a.jpg"),
    "a material that is not there": ("mtllib a.mtl\nusemtl x\n", TWO[: TWO.index("newmtl s")], BOTH, "default.png"),
    "options before a name with blanks": ("mtllib a.mtl\n", "map_Kd -s 1 1 1 my skin (2).png", ["my skin (2).png"], 0),
    "all options": ("mtllib a.mtl\n", "map_Kd -blendu on -blendv off -cc off -clamp off -mm 0 1 -o 0 0 0 -s 1 1 -t 0 "
                    "-texres 512 -imfchan r -bm 1 x.png", ["x.png"], 0),
    "options behind": ("mtllib a.mtl\n", "map_Kd skin.png -s 1 1 1 -clamp on", ["skin.png"], 0),
    "options on both sides": ("mtllib a.mtl\n", "map_Kd -o 0 0 my skin.png -bm 0.5", ["my skin.png"], 0),
    "a name with a number before it": ("mtllib a.mtl\n", "map_Kd -s 1 1 1 2.png", ["2.png"], 0),
    "a name that looks like options": ("mtllib a.mtl\n", "map_Kd face -s 1.png", ["face -s 1.png"], 0),
    "quotes": ("mtllib a.mtl\n", 'map_Kd "my skin.png"', ["my skin.png"], 0),
    "a remark behind": ("mtllib a.mtl\n", "map_Kd skin.png # of the face", ["skin.png"], 0),
    "a sharp in the name": ("mtllib a.mtl\n", "map_Kd skin#1.png", ["skin#1.png"], 0),
    "capitals": ("mtllib A.MTL\n", "NEWMTL x\nMAP_KD SKIN.PNG", ["skin.png"], 0),
    "another machine": ("mtllib D:\\x\\a.mtl\n", "map_Kd C:\\scans\\skin.png", ["skin.png"], 0),
    "ambient alone": ("mtllib a.mtl\n", "map_Ka skin.png\nmap_bump bump.png", ["skin.png", "bump.png"], "skin.png"),
    "diffuse before ambient": ("mtllib a.mtl\n", "map_Ka dark.png\nmap_Kd skin.png", ["skin.png", "dark.png"], 0),
    "glowing alone": ("mtllib a.mtl\n", "map_Ke skin.png\nmap_d hole.png", ["skin.png", "hole.png"], "skin.png"),
    "photogrammetry": ("mtllib a.mtl\n", "map_Kd skin.tif", ["skin.tif"], 0),
    "a converted picture": ("mtllib a.mtl\n", "map_Kd skin.bmp", ["skin.webp"], 0),
    "latin-1 in both": (b"mtllib gesicht_\xe4.mtl\n", b"map_Kd gesicht_\xe4.png", ["gesicht_ä.png"], 0),
    "composed and decomposed": ("mtllib a.mtl\n", "map_Kd gesicht_ä.png", [normalize("NFD", "gesicht_ä.png")], 0),
    "UTF-16": ("mtllib a.mtl\n", "newmtl x\nmap_Kd gesicht_ä.png\n".encode("utf-16"), ["gesicht_ä.png"], 0),
    "a mark of byte order": ("mtllib a.mtl\nusemtl x\n", codecs.BOM_UTF8 + b"newmtl x\nmap_Kd a.png", ["a.png"], 0),
    "another name of the library": ("mtllib b.mtl\n", "map_Kd skin.png", ["skin.png"], 0),
    "no line for the library": ("usemtl skin\n", TWO, BOTH, "skin.png"),
    "two libraries": ("mtllib none.mtl a.mtl\nusemtl skin\n", TWO, BOTH, "skin.png"),
    "one picture for two materials": ("mtllib a.mtl\n", TWO.replace("default.png", "SKIN.png"), BOTH, "skin.png"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_that_of_the_material_in_use(tmp_path, name):
    head, library, files, picture = PICTURES[name]
    head = head if isinstance(head, bytes) else head.encode()
    names = {"a name with a sharp": "a#1.mtl", "latin-1 in both": "gesicht_ä.mtl"}
    (tmp_path / names.get(name, "a.mtl")).write_bytes(library if isinstance(library, bytes) else library.encode())
    for file in files:
        (tmp_path / file).touch()
    texture = read(tmp_path / "a.obj", head + PLAIN.encode()).texture
    assert texture == tmp_path / (picture or files[0])


def test_each_polygon_has_the_material_of_the_line_before_it(tmp_path):
    (tmp_path / "a.mtl").write_text(TWO)
    for name in BOTH:
        (tmp_path / name).touch()
    first, rest = F[: F.index("f 2")], F[F.index("f 2") :]
    text = "mtllib a.mtl\n" + V + VT + "usemtl skin\n" + first + "usemtl default\n" + rest
    path = tmp_path / "a.obj"
    path.write_text(text)
    with pytest.warns(PictureWarning) as caught:
        mesh = read_mesh(path)
    said = "expected one picture, found 'default.png', 'skin.png': the mesh has none"
    assert [str(one.message) for one in caught] == [f"{path}: {said}"]
    assert mesh.texture is None and mesh.texture_coordinates.tolist() == COORDINATES


@pytest.mark.parametrize(("head", "library", "said"), [
    ("mtllib a.mtl\n", "map_Kd -s 1 1 1 gone.png", "expected the picture 'gone.png' in its folder, found none"),
    ("mtllib a.mtl\n", "map_Kd ../up.png", "expected the picture 'up.png' in its folder, found none"),
    ("mtllib c:\\x\\gone.mtl\n", None, "expected the materials 'gone.mtl' in its folder, found none"),
    ("mtllib a.mtl\nusemtl m\n", "newmtl n\nmap_Kd n.png\nnewmtl o\nmap_Kd o.png",
     "expected one picture, found 'n.png', 'o.png': the mesh has none"),
    ("mtllib a.mtl\n", "newmtl n\nmap_Kd n.png\nnewmtl o\nmap_Kd -s 2 2 2 n.png",
     "expected one -s, -o and -clamp in all materials, found several: the mesh has no picture"),
])  # fmt: skip
def test_a_picture_that_is_nowhere_is_one_warning(tmp_path, head, library, said):
    (tmp_path / "in").mkdir()
    for name in ("up.png", "in/n.png", "in/o.png"):
        (tmp_path / name).touch()
    if library is not None:
        (tmp_path / "in" / "a.mtl").write_text(library)
    path = tmp_path / "in" / "a.obj"
    path.write_text(head + PLAIN)
    with pytest.warns(PictureWarning) as caught:
        assert read_mesh(path).texture is None
    assert [str(one.message) for one in caught] == [f"{path}: {said}"]


def test_options_scale_and_move_coordinates(tmp_path):
    (tmp_path / "skin.png").touch()
    (tmp_path / "a.mtl").write_text("map_Kd -s 0.5 0.25 1 -o 0.125 0.5 skin.png\n")
    mesh = read(tmp_path / "a.obj", "mtllib a.mtl\n" + PLAIN)
    assert np.allclose(mesh.texture_coordinates, np.array(COORDINATES) * [0.5, 0.25] + [0.125, 0.5])
    (tmp_path / "a.mtl").write_text("map_Kd skin.png -clamp on\n")
    mesh = read(tmp_path / "a.obj", "mtllib a.mtl\n" + PLAIN.replace("vt 1 0.5", "vt 1.75 -0.5"))
    assert mesh.texture_coordinates[4].tolist() == [1, 0]


def test_materials_by_name(tmp_path):
    (tmp_path / "a.mtl").write_bytes(
        b"# x\rmap_Kd zero.png\rnewmtl  a b \r\tKd 1 1 1\r\n  map_ka -s 2 amb.png\n#map_Kd no.png\nnewmtl c\nmap_Kd\n"
    )
    assert read_mtl(tmp_path / "a.mtl") == {
        b"": Map(b"zero.png", b"zero.png"),
        b"a b": Map(b"amb.png", b"-s 2 amb.png", scale=(2.0, 1.0)),
        b"c": None,
    }
