"""The reader of .obj against a naive parser, over legal variants and broken files."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvlm.faces import Mesh, read_mesh, write_mesh

FEW = settings(max_examples=60, deadline=None, derandomize=True,
               suppress_health_check=[HealthCheck.function_scoped_fixture])

POINTS = ["0 0 0", "10 0 1.5", "10 10 -2.25", "0 10 1e-3", "20 5 3"]
COORDINATES = ["0 0", "0.5 0", "0.5 1", "0 1", "1 0.5"]
V = "".join(f"v {point}\n" for point in POINTS)
VT = "".join(f"vt {pair}\n" for pair in COORDINATES)
PLAIN = V + VT + "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\nf 2/2 5/5 3/3\n"
BARE = V + "f 1 2 3\nf 1 3 4\nf 2 5 3\n"


def naive_obj(text):
    """Points, triangles, coordinates and their triangles, word by word."""
    points, pairs, triangles, corners = [], [], [], []
    for line in text.replace("\\\n", " ").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        words = line.partition("#")[0].split()
        if words[:1] == ["v"]:
            points.append([float(word) for word in words[1:4]])
        elif words[:1] == ["vt"]:
            pairs.append([float(word) for word in words[1:3]])
        elif words[:1] == ["f"]:
            parts = [[*word.split("/"), ""] for word in words[1:]]
            v = [int(part[0]) - 1 if int(part[0]) > 0 else int(part[0]) + len(points) for part in parts]
            t = [None if part[1] == "" else int(part[1]) - 1 if int(part[1]) > 0 else int(part[1]) + len(pairs)
                 for part in parts]
            for i in range(1, len(v) - 1):
                triangles.append([v[0], v[i], v[i + 1]])
                corners.append([t[0], t[i], t[i + 1]])
    complete = all(None not in row for row in corners)
    return points, triangles, pairs if complete else None, corners if complete else None


VARIANTS = {
    "plain": PLAIN,
    "bare": BARE,
    "crlf": PLAIN.replace("\n", "\r\n"),
    "cr": PLAIN.replace("\n", "\r"),
    "no line end": PLAIN.rstrip("\n"),
    "blanks": PLAIN.replace(" ", "  \t").replace("\n", "  \n\n \t\n"),
    "indented": PLAIN.replace("\n", "\n  ").replace("v 0 0 0", "   v 0 0 0"),
    "comments": "# v 9 9 9\n" + PLAIN.replace("f 1", "# f 9 9 9\nf 1").replace("v 10 0 1.5", "v 10 0 1.5 # f"),
    "a comment with a broken line's mark": "# C:\\\nv 1 2 3 is no comment\n".replace("v 1 2 3 is no", "#") + PLAIN,
    "other statements": "mtllib x.mtl\no face\ng\n" + VT + "vn 0 0 1\nvp 1 2\ns off\nusemtl skin\nl 1 2\np 1\n" + V
                        + "f 1/1/1 2/2/1 3/3/1\ng a b\ns 1\nf 1/1/1 3/3/1 4/4/1\nusemtl none\nf 2/2/1 5/5/1 3/3/1\n",
    "normals": BARE.replace("f 1 2 3", "f 1//1 2//2 3//3").replace("f 1 3 4", "f 1//1 3//1 4//1")
                   .replace("f 2 5 3", "f 2//1 5//1 3//1"),
    "normals of some": BARE.replace("f 1 2 3", "f 1//1 2//2 3//3"),
    "quads": V + VT + "f 1/5 2/4 3/3 4/2\nf 2/2 5/5 3/3 4/4\n",
    "quads with normals": V + VT + "f 1/5/1 2/4/1 3/3/1 4/2/1\n",
    "pentagon and triangle": V + VT + "f 1/1 2/2 5/5 3/3 4/4\nf 1/1 2/2 3/3\n",
    "from the end": V + VT + "f -5/-5 -4/-4 -3/-3\nf -5/-5 -3/-3 -2/-2\nf 2/-4 -1/5 3/3\n",
    "from the end, in between": "v 0 0 0\nv 10 0 1.5\nv 10 10 -2.25\nf -3 -2 -1\nv 0 10 1e-3\nf -4 -2 -1\nv 20 5 3\n"
                                "f -4 -1 -3\n",
    "interleaved": "".join(f"v {point}\nvt {pair}\n" for point, pair in zip(POINTS, COORDINATES, strict=True))
                   + "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\nf 2/2 5/5 3/3\n",
    "faces first": "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n" + V + VT + "f 2/2 5/5 3/3\n",
    "seam": V + "vt 0 0\nvt 1 0\nvt 1 1\nvt .25 .75\n" + "f 1/1 2/2 3/3\nf 1/4 3/2 4/1\nf 2/2 5/4 3/3\n",
    "broken lines": PLAIN.replace("v 10 0 1.5", "v 10 \\\n0 1.5").replace("f 1/1 3/3", "f 1/1 \\\n 3/3"),
    "weights and colours": V.replace("0 0 0", "0 0 0 1").replace("10 0 1.5", "10 0 1.5 .5 .5 .5") + BARE[len(V):],
    "colours": V.replace("\n", " 0.1 0.2 0.3\n") + BARE[len(V):],
    "three texture coordinates": PLAIN.replace("vt 0 0\n", "vt 0 0 0\n"),
    "texture of some": PLAIN.replace("f 1/1 2/2 3/3", "f 1 2 3"),
    "plus signs": PLAIN.replace("v 10", "v +10").replace("f 1/1", "f +1/+1"),
    "texture coordinates of nobody": V + VT + BARE[len(V):],
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_legal_variants_read_like_a_naive_parser(tmp_path, name):
    path = tmp_path / "face.obj"
    path.write_bytes(VARIANTS[name].encode())
    mesh = read_mesh(path)
    points, triangles, coordinates, corners = naive_obj(VARIANTS[name])
    assert mesh.vertices.tolist() == points == [[float(word) for word in point.split()] for point in POINTS]
    assert mesh.triangles.tolist() == triangles
    assert (mesh.texture_coordinates is None) == (coordinates is None)
    if coordinates is not None:
        read = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
        assert mesh.texture_coordinates.tolist() == coordinates and read.tolist() == corners


def swap(old, new):
    assert PLAIN.count(old) == 1, old
    return PLAIN.replace(old, new)


BROKEN = {
    "empty": ("", "line 1: expected lines `v x y z`, found none"),
    "only comments": ("# nothing\n\n", "line 2: expected lines `v x y z`, found none"),
    "no faces": (V, "line 5: expected lines `f a b c`, found none"),
    "no vertices": ("f 1 2 3\n", "expected lines `v x y z`"),
    "two numbers": (swap("v 10 0 1.5", "v 10 0"), "line 2: expected 3 numbers in v, found 'v 10 0'"),
    "three lines of two numbers, and no blank fewer": (
        swap("v 10 0 1.5\nv 10 10 -2.25\nv 0 10 1e-3", "v 10 0 \nv 10  -2.25\nv 0  1e-3"),
        "line 2: expected 3 numbers in v, found 'v 10 0 '"),
    "five numbers": (swap("v 10 0 1.5", "v 10 0 1 2 3"), "line 2: expected 3 numbers in v"),
    "one texture number": (swap("vt 0.5 1", "vt 0.5"), "line 8: expected 2 numbers in vt"),
    "a word": (swap("v 10 0 1.5", "v 10 0 x"), "line 2: expected a number in v, found 'x'"),
    "a key word in a line": (swap("v 10 0 1.5", "v 10 0 f"), "line 2: expected a number in v, found 'f'"),
    "a slash in a line": (swap("v 10 0 1.5", "v 10 0/1.5"), "line 2: expected 3 numbers in v, found 'v 10 0/1.5'"),
    "a late word": (swap("v 20 5 3", "v 20 5 3,0"), "line 5: expected a number in v, found '3,0'"),
    "nan": (swap("v 10 0 1.5", "v 10 nan 1.5"), "line 2: expected finite numbers in v, found nan"),
    "infinity": (swap("v 10 0 1.5", "v 10 0 1e999"), "line 2: expected finite numbers in v, found 1e999"),
    "1 km away": (swap("v 10 0 1.5", "v 10 0 -1e9"), r"vertices\[1\]: expected mm within"),
    "two corners": (V + "f 1 2\nf 2 3\n", ": expected polygons of at least 3 corners, found 2 of fewer"),
    "polygons in one line": (V + "f 1 2 3 1 3 4 2 5 3\n", "line 6: expected a line f for each polygon, its corners"),
    "two triangles in one line": (V + "f 1 2 3\nf 1 2 3 3 2 5\n", "line 7: expected a line f for each polygon"),
    "no corner": (swap("f 1/1 3/3 4/4", "f"), "line 12: expected a line .* and its values, found 'f'"),
    "number 0": (swap("f 1/1 3/3 4/4", "f 0/1 3/3 4/4"), "line 12: expected numbers of 5 lines v, found 'f 0/1 3/3"),
    "too large": (swap("f 1/1 3/3 4/4", "f 1/1 3/3 6/4"), "line 12: expected numbers of 5 lines v"),
    "too small": (swap("f 1/1 3/3 4/4", "f 1/1 3/3 -6/4"), "line 12: expected numbers of 5 lines v"),
    "huge": (swap("f 1/1 3/3 4/4", "f 1/1 3/3 99999999999999999999/4"), "line 12: expected numbers of 5 lines v"),
    "texture too large": (swap("f 1/1 3/3 4/4", "f 1/1 3/3 4/6"), "line 12: expected numbers of 5 lines vt"),
    "two forms": (swap("f 1/1 3/3 4/4", "f 1/1 3/3 4"), "line 12: expected corners of one form in a polygon"),
    "four parts": (swap("f 1/1 3/3 4/4", "f 1/1/1/1 3/3 4/4"), "line 12: expected corners v, v/vt"),
    "starts with a slash": (swap("f 1/1 3/3 4/4", "f /1 3/3 4/4"), "line 12: expected corners v, v/vt"),
    "fraction": (swap("f 1/1 3/3 4/4", "f 1.5/1 3/3 4/4"), "line 12: expected an integer in f, found '1.5'"),
    "sign apart": (BARE.replace("f 1 3 4", "f 1 - 3 4"), "line 7: expected an integer in f, found '-'"),
    "binary numbers": (V + "\x07f 1 2 3\n", "line 6: expected a line v, vt, vn, f, .* found '.x07f'"),
    "too many foreign words": (BARE + "".join(f"w{i} 0\n" for i in range(30)), "line 29: .* found 'w20'"),
    "another corner word": (PLAIN.replace("f 1/1 3", "d 1/1 3"), "line 12: expected a line v, vt, vn, f, .* found 'd'"),
    "another word": (PLAIN.replace("v 20", "w 20"), "line 5: expected a line v, vt, vn, f, .* found 'w'"),
    "a longer word": (PLAIN.replace("vt 1 0.5", "vtx 1 0.5"), "line 13: expected numbers of 4 lines vt"),
    "garbage": ("\x00\xff" + PLAIN, "line 1: expected a line v, vt"),
    "line of a file with returns": (swap("v 10 0 1.5", "v 10 0 x").replace("\n", "\r\n"), "line 2: .* found 'x'"),
    "line behind a broken one": (swap("v 0 0 0", "v 0 \\\n0 0").replace("20 5 3", "20 5 x"), "line 6: .* found 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_obj_is_one_error_with_file_and_place(tmp_path, name):
    text, message = BROKEN[name]
    path = tmp_path / "face.obj"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("library", "files", "found"), [
    ("map_Kd face.bmp\n", ["face.bmp", "a.jpg"], "face.bmp"),
    ("newmtl x\r\n\tmap_Kd -s 1 1 1 -clamp on face.bmp\r\n", ["face.bmp", "a.jpg"], "face.bmp"),
    ("map_Kd my face.bmp\n", ["my face.bmp"], "my face.bmp"),
    ("map_Kd FACE.BMP\n", ["face.bmp"], "face.bmp"),
    ("map_Kd C:\\\\scans\\\\face.bmp\n", ["face.bmp"], "face.bmp"),
    ("map_Kd one.png\nmap_Kd two.png\n", ["one.png", "two.png"], "one.png"),
    ("# map_Kd one.png\nmap_Kd two.png\n", ["one.png", "two.png"], "two.png"),
    ("map_Kd gone.bmp\n", ["a.bmp"], "a.bmp"),
    ("map_Kd gone.bmp\n", ["a.bmp", "A.JPG"], "A.JPG"),
    ("map_Kd\n", ["a.jpg"], "a.jpg"),
    ("Kd 1 1 1\n", [], None),
    ("map_Kd a.obj\n", [], None),
    (None, ["a.jpg", "a.bmp"], "a.jpg"),
])  # fmt: skip
def test_the_picture_is_that_of_the_material_or_of_the_name(tmp_path, library, files, found):
    for name in files:
        (tmp_path / name).touch()
    if library is not None:
        (tmp_path / "my skin.mtl").write_bytes(library.encode())
    (tmp_path / "a.obj").write_text("mtllib my skin.mtl\n" + PLAIN)
    assert read_mesh(tmp_path / "a.obj").texture == (tmp_path / found if found else None)


def test_one_of_several_libraries_is_enough(tmp_path):
    (tmp_path / "b.mtl").write_text("map_Kd b.png\n")
    (tmp_path / "b.png").touch()
    (tmp_path / "a.obj").write_text("mtllib a.mtl ../x/b.mtl\n" + PLAIN)
    assert read_mesh(tmp_path / "a.obj").texture == tmp_path / "b.png"


@st.composite
def files(draw):
    """A legal .obj of random lines: any corner form, size, sign and order of lines."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    form, signs, sizes = draw(st.integers(0, 4)), draw(st.booleans()), draw(st.sampled_from([(3,), (4,), (3, 4, 7)]))
    lines, count, pairs = [], 0, 0
    for step in range(draw(st.integers(6, 40))):
        if step < 5 or rng.random() < 0.3:
            lines += [f"v {' '.join(map(repr, rng.normal(0, 100, 3).tolist()))}", f"vt {rng.random()} {rng.random()}"]
            count, pairs = count + 1, pairs + 1
        else:
            shape = int(rng.integers(0, 4)) if form == 4 else form
            words = []
            size = int(rng.choice(sizes))
            size = size if size <= min(count, pairs) else 3  # many corners are all different
            for v, t in (1 + np.stack([rng.permutation(total)[:size] for total in (count, pairs)], axis=1)).tolist():
                if signs and rng.random() < 0.5:
                    v, t = v - count - 1, t - pairs - 1
                words.append((f"{v}", f"{v}/{t}", f"{v}/{t}/1", f"{v}//1")[shape])
            lines.append("f " + " ".join(words))
    last = ("f 1 2 3", "f 1/1 2/2 3/3", "f 1/1/1 2/2/1 3/3/1", "f 1//1 2//1 3//1", "f 1 2 3")
    lines.append(last[form])
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


@FEW
@given(text=files())
def test_random_legal_files_read_like_a_naive_parser(tmp_path, text):
    path = tmp_path / "a.obj"
    path.write_text(text)
    mesh = read_mesh(path)
    points, triangles, coordinates, corners = naive_obj(text)
    assert mesh.vertices.tolist() == points and mesh.triangles.tolist() == triangles
    assert (mesh.texture_coordinates is None) == (coordinates is None)
    if coordinates is not None:
        read = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
        assert mesh.texture_coordinates.tolist() == coordinates and read.tolist() == corners


@FEW
@given(at=st.integers(0, len(PLAIN)), junk=st.binary(max_size=12), gone=st.integers(0, 12))
def test_a_damaged_obj_is_read_or_refused(tmp_path, at, junk, gone):
    path = tmp_path / "face.obj"
    path.write_bytes(PLAIN.encode()[:at] + junk + PLAIN.encode()[at + gone:])
    try:
        assert isinstance(read_mesh(path), Mesh)
    except ValueError as error:
        assert re.match(re.escape(str(path)), str(error))


@FEW
@given(seed=st.integers(0, 2**32), seam=st.sampled_from(["none", "same", "seam"]))
def test_obj_round_trip(tmp_path, seed, seam):
    rng = np.random.default_rng(seed)
    triangles = rng.integers(0, 9, (7, 3))
    mesh = Mesh(rng.normal(0, 100, (9, 3)).round(6), triangles,
                texture_coordinates=None if seam == "none" else rng.random((9, 2)).round(6),
                texture_triangles=rng.integers(0, 9, (7, 3)) if seam == "seam" else None)
    write_mesh(mesh, tmp_path / "a.obj")
    read = read_mesh(tmp_path / "a.obj")
    assert np.array_equal(read.vertices, mesh.vertices) and np.array_equal(read.triangles, mesh.triangles)
    assert np.array_equal(read.texture_coordinates, mesh.texture_coordinates)
    assert np.array_equal(read.texture_triangles, mesh.texture_triangles)
    assert naive_obj((tmp_path / "a.obj").read_text())[:2] == (mesh.vertices.tolist(), mesh.triangles.tolist())
