"""Readers and writers of .bnd and .lm3: index base, sides, labels, broken files."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mvlm.faces import Mesh, read_mesh, write_mesh
from mvlm.faces.formats.bnt import grid_mesh, write_bnt
from mvlm.faces.formats.landmarks import BND_NAMES, LM3_NAMES, read_lm2

# A .bnt grid of 2 x 2 points: x, y, z, u, v.
GRID = np.array([[[0, 1], [0, 1]], [[0, 0], [1, 1]], [[0, 0], [0, 0]], [[0, 1], [0, 1]], [[1, 1], [0, 0]]], float)


@pytest.fixture
def head():
    """A mesh of 200 vertices with the 83 landmarks on vertices, left ones at +x, brows up, nose to the front."""
    rng = np.random.default_rng(3)
    vertices = rng.normal(0, 50, (200, 3))
    centres = {"left eye": (30, 30, 0), "right eye": (-30, 30, 0), "left brow": (30, 45, 5), "right brow": (-30, 45, 5),
               "nose": (0, 0, 30), "mouth": (0, -30, 10), "contour": (0, -50, -20)}
    rows = rng.permutation(200)[:83]
    for row, name in zip(rows, BND_NAMES, strict=True):
        vertices[row] = np.array(centres[name.rsplit(" ", 1)[0]]) + rng.normal(0, 3, 3)
    vertices = vertices.round(6)
    return Mesh(vertices, rng.integers(0, 200, (100, 3)), dict(zip(BND_NAMES, vertices[rows], strict=True))), rows


def assert_marked(read, mesh):
    assert read.landmarks.keys() == mesh.landmarks.keys()
    for name, point in mesh.landmarks.items():
        np.testing.assert_allclose(read.landmarks[name], point, rtol=0, atol=1e-6, err_msg=name)


def write_83(path, mesh, rows, base=0, end="\n"):
    points = (f"{row + base}\t\t{' '.join(map(str, mesh.vertices[row]))}" for row in rows)
    path.write_bytes((end.join(points) + end + end).encode())


def test_there_are_83_names_in_the_order_of_the_rows():
    assert len(BND_NAMES) == len(set(BND_NAMES)) == 83
    firsts = {name.rsplit(" ", 1)[0]: BND_NAMES.index(name) for name in reversed(BND_NAMES)}
    assert firsts == {"left eye": 0, "right eye": 8, "left brow": 16, "right brow": 26,
                      "nose": 36, "mouth": 48, "contour": 68}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("base", [0, 1])
def test_bnd_index_base_is_probed(tmp_path, head, base, end):
    mesh, rows = head
    write_mesh(replace(mesh, landmarks={}), tmp_path / "a_F3D.wrl")
    write_83(tmp_path / "A_F3D.BND", mesh, rows, base, end)
    assert_marked(read_mesh(tmp_path / "a_F3D.wrl"), mesh)


def test_bnd_sides_are_the_subjects(tmp_path, head):
    mesh, rows = head
    sides = list(range(8, 16)) + list(range(8)) + list(range(26, 36)) + list(range(16, 26)) + list(range(36, 83))
    write_mesh(replace(mesh, landmarks={}), tmp_path / "a_F3D.wrl")
    write_83(tmp_path / "a_F3D.bnd", mesh, rows[sides])
    assert_marked(read_mesh(tmp_path / "a_F3D.wrl"), mesh)


def test_bnd_round_trip_and_stale_landmarks(tmp_path, head):
    mesh, rows = head
    write_mesh(mesh, tmp_path / "a.wrl")
    assert_marked(read_mesh(tmp_path / "a.wrl"), mesh)
    lines = (tmp_path / "a.bnd").read_text().split("\n")
    assert len(lines) == 84 and [int(line.split("\t\t")[0]) for line in lines[:83]] == rows.tolist()
    write_mesh(replace(mesh, landmarks={}), tmp_path / "a.wrl")
    assert read_mesh(tmp_path / "a.wrl").landmarks == {} and not (tmp_path / "a.bnd").exists()


@pytest.mark.parametrize(("change", "message"), [
    (lambda lines: lines[:-1], "a.bnd: expected 83 rows `index x y z`, found 82"),
    (lambda _: [], "expected 83 rows"),
    (lambda lines: [*lines[:4], "12\t\t1 2", *lines[5:]], "a.bnd, line 5: expected `index x y z`, found"),
    (lambda lines: [*lines[:4], "1.5\t\t1 2 3", *lines[5:]], "a.bnd, line 5"),
    (lambda lines: [*lines[:4], "12\t\t1 2 x", *lines[5:]], "a.bnd, line 5"),
    (lambda lines: ["Version 1.1", *lines[1:]], "found 82, and on line 1 'Version 1.1'"),
    (lambda lines: [*lines[:4], "999\t\t1 2 3", *lines[5:]], "indices of the mesh's 200 vertices, found .*999"),
    (lambda lines: [*lines[:4], "-2\t\t1 2 3", *lines[5:]], "indices of the mesh's 200 vertices, found -2"),
    (lambda lines: [*lines[:4], f"{10**30}\t\t1 2 3", *lines[5:]], "indices of the mesh's 200 vertices"),
    (lambda lines: [re.sub(r"\t(-?)(\d+)\.", r"\t\g<1>9\2.", line) for line in lines], "landmarks of another mesh"),
])  # fmt: skip
def test_a_broken_bnd_is_one_error(tmp_path, head, change, message):
    mesh, rows = head
    write_mesh(replace(mesh, landmarks={}), tmp_path / "a.wrl")
    write_83(tmp_path / "a.bnd", mesh, rows)
    lines = (tmp_path / "a.bnd").read_text().splitlines()[:83]
    (tmp_path / "a.bnd").write_text("\n".join(change(lines)))
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(tmp_path / "a.wrl")
    assert str(tmp_path / "a.bnd") in str(caught.value)


HIDDEN = ["-1\t\t0 0 0", "-1\t\t-1 -1 -1", "-1", "{0}\t\tnan nan nan", "{0}\t\t1 2 NaN", "{0}\t\t1 2 -1.#IND",
          "nan nan nan nan", "0\t\t0 0 0", "{0}\t\t0 0 0", "{0}\t\t-1.0 -1.0 -1.0", "-1.0 nan nan nan", "{0} inf 0 0"]


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("row", HIDDEN)
def test_a_hidden_landmark_of_a_bnd_is_missing_and_the_others_stay(tmp_path, head, row, base):
    mesh, rows = head
    write_mesh(replace(mesh, landmarks={}), tmp_path / "a.wrl")
    write_83(tmp_path / "a.bnd", mesh, rows, base)
    lines = (tmp_path / "a.bnd").read_text().splitlines()
    for place in (4, 60):
        lines[place] = row.format(rows[place] + base)
    (tmp_path / "a.bnd").write_text("\n".join(lines))
    seen = {name: point for name, point in mesh.landmarks.items() if name not in (BND_NAMES[4], BND_NAMES[60])}
    assert_marked(read_mesh(tmp_path / "a.wrl"), replace(mesh, landmarks=seen))


def test_a_bnd_of_hidden_landmarks_and_one_at_the_origin(tmp_path, head):
    mesh, rows = head
    write_mesh(replace(mesh, landmarks={}), tmp_path / "a.wrl")
    (tmp_path / "a.bnd").write_text("-1 0 0 0\n" * 83)
    assert read_mesh(tmp_path / "a.wrl").landmarks == {}
    vertices = mesh.vertices - mesh.vertices[rows[5]]
    moved = replace(mesh, vertices=vertices, landmarks=dict(zip(BND_NAMES, vertices[rows], strict=True)))
    write_mesh(replace(moved, landmarks={}), tmp_path / "b.wrl")
    write_83(tmp_path / "b.bnd", moved, rows)
    assert_marked(read_mesh(tmp_path / "b.wrl"), moved)  # 0 0 0 is where a vertex is


WRAPPED = {
    "mark of byte order": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "NUL behind": lambda text: text.encode() + b"\0" * 50,
    "Ctrl-Z behind": lambda text: text.encode() + b"\x1a",
    "remarks": lambda text: ("# by hand\n" + text + "\n# end\n").encode(),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_what_does_not_matter_in_landmarks(tmp_path, head, wrap):
    mesh, rows = head
    write_mesh(replace(mesh, landmarks={}), tmp_path / "a.wrl")
    write_83(tmp_path / "a.bnd", mesh, rows)
    lines = (tmp_path / "a.bnd").read_text().splitlines()
    lines = ["BND 1.1", *(re.sub(r"^(\d+)\t\t(.*)", r"\1.0 \2 7 # x", line) for line in lines)]
    (tmp_path / "a.bnd").write_bytes(wrap("\n".join(lines)))
    assert_marked(read_mesh(tmp_path / "a.wrl"), mesh)
    assert read_lm3_text(tmp_path, wrap(lm3(LABELLED, info=True, count="8.0"))) == LABELLED
    flat = [f"{len(LABELLED)} landmarks", "Labels:", *LABELLED, "", "2D Image coordinates:",
            *(f"{n} {n + 1}" for n in range(len(LABELLED)))]
    (tmp_path / "a.lm2").write_bytes(wrap("\n".join(flat)))
    assert {name: pixel.tolist() for name, pixel in read_lm2(tmp_path / "a.lm2").items()} == {
        name: [n, n + 1] for n, name in enumerate(LABELLED)}


@pytest.mark.parametrize("point", ["nan nan nan", "NaN NaN NaN", "-1 -1 -1", "0 0 -nan(ind)", "1 2 1.#QNAN", "inf 0 0"])
def test_a_hidden_landmark_of_a_lm3_is_missing_and_the_others_stay(tmp_path, point):
    text = lm3({**LABELLED, "nose tip": point.split()})
    assert read_lm3_text(tmp_path, text) == {name: xyz for name, xyz in LABELLED.items() if name != "nose tip"}
    zeros = {**LABELLED, "nose tip": (0, 0, 0), "chin middle": ("0.0", 0, "-0")}
    seen = {name: xyz for name, xyz in LABELLED.items() if name not in ("nose tip", "chin middle")}
    assert read_lm3_text(tmp_path, lm3(zeros)) == seen  # two points are not in one place, but one may be there
    assert read_lm3_text(tmp_path, lm3({**LABELLED, "nose tip": (0, 0, 0)}))["nose tip"] == (0, 0, 0)


def test_hidden_pixels_of_a_lm2_are_missing(tmp_path):
    (tmp_path / "a.lm2").write_text("Labels:\na\nB  b\nc\nd\n2D Image coordinates:\n-1 -1\n3 4\nNaN NaN\n0 0\n")
    assert {name: xy.tolist() for name, xy in read_lm2(tmp_path / "a.lm2").items()} == {"b b": [3, 4], "d": [0, 0]}
    (tmp_path / "a.lm2").write_text("Labels:\na\n2D Image coordinates:\n1 2\n3 4\n")
    with pytest.raises(ValueError, match="a.lm2: expected `Labels:`, a line for each"):
        read_lm2(tmp_path / "a.lm2")


def test_landmarks_that_a_bnd_cannot_hold_are_refused_before_anything_is_written(tmp_path, head):
    mesh, _ = head
    with pytest.raises(ValueError, match="missing or unknown: contour 0"):
        write_mesh(replace(mesh, landmarks={"nose tip": [0, 0, 0]}), tmp_path / "a.wrl")
    with pytest.raises(ValueError, match="on vertices of the mesh"):
        write_mesh(replace(mesh, vertices=mesh.vertices + 500), tmp_path / "a.wrl")
    assert list(tmp_path.iterdir()) == []


LABELLED = {  # the subject's left at +x
    "outer left eye corner": (45, 30, 0), "inner left eye corner": (15, 30, 5), "outer right eye corner": (-45, 30, 0),
    "left mouth corner": (25, -30, 10), "right mouth corner": (-25, -30, 10), "nose tip": (0, 0, 40),
    "upper lip outer middle": (0, -25, 20), "chin middle": (0, -60, 10),
}  # fmt: skip


def lm3(labels, info=False, end="\r\n", count=None):
    remarks = ["*", "12 scans", "left and right"] if info else []
    lines = ["# 3D landmarks", *remarks, "", f"{len(labels) if count is None else count} landmarks:"]
    for label, point in labels.items():
        lines += [label.capitalize(), " ".join(map(str, point))]
    return end.join([*lines, ""])


def read_lm3_text(tmp_path, text):
    write_bnt(GRID, tmp_path / "a.bnt")
    (tmp_path / "A.lm3").write_bytes(text if isinstance(text, bytes) else text.encode())
    return {name: tuple(point.tolist()) for name, point in read_mesh(tmp_path / "a.bnt").landmarks.items()}


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("info", [False, True])
def test_lm3_is_read_by_label(tmp_path, info, end):
    assert read_lm3_text(tmp_path, lm3(LABELLED, info, end)) == LABELLED
    assert set(LABELLED) < set(LM3_NAMES) and len(LM3_NAMES) == 24


def viewer_sided(labels):
    other = {"left": "right", "right": "left"}
    return {" ".join(other.get(word, word) for word in name.split()): xyz for name, xyz in labels.items()}


def turned(labels, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return {name: tuple((turn @ xyz).round(6).tolist()) for name, xyz in labels.items()}


@pytest.mark.parametrize("hidden", ["", "right", "left"])
@pytest.mark.parametrize("yaw", [-90, -45, -20, 0, 20, 45, 90])
def test_lm3_sides_are_the_subjects_in_every_pose(tmp_path, yaw, hidden):
    labels = turned({name: xyz for name, xyz in LABELLED.items() if not hidden or hidden not in name}, yaw)
    assert read_lm3_text(tmp_path, lm3(labels)) == labels
    assert read_lm3_text(tmp_path, lm3(viewer_sided(labels))) == labels


def test_lm3_without_evidence_keeps_its_names(tmp_path):
    few = {"outer left eye corner": (-45.0, 30.0, 0.0), "outer right eye corner": (45.0, 30.0, 0.0)}
    assert read_lm3_text(tmp_path, lm3(few)) == few
    assert read_lm3_text(tmp_path, lm3({})) == {}


@pytest.mark.parametrize(("text", "message"), [
    ("", "expected a line `<count> landmarks:`, found none"),
    ("# only\r\n\r\n", "expected a line `<count> landmarks:`, found none"),
    (lm3(LABELLED).replace("8 landmarks", "landmarks"), "line 3: expected `<count> landmarks:`"),
    (lm3(LABELLED, count=22), "expected 22 landmarks .* found 16 lines of them"),
    (lm3(LABELLED, count=999999999999), "line 3: expected `<count> landmarks:`"),
    (lm3(LABELLED, count="²"), "line 3: expected `<count> landmarks:`"),
    (lm3({**LABELLED, "nose tip": (0, 0)}), "line 15: expected `x y z` of 'Nose tip'"),
    (lm3({**LABELLED, "nose tip": (0, 0, "n")}), "line 15: expected `x y z` of 'Nose tip'"),
    (lm3({**LABELLED, "nose  tip": (0, 0, 1)}), "expected each landmark once, found 'Nose  tip' again"),
    (lm3(LABELLED)[:-20], "found 15 lines|expected `x y z` of 'Chin middle'"),
])  # fmt: skip
def test_a_broken_lm3_is_one_error(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_lm3_text(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "A.lm3"))


def test_lm3_is_written_as_labels_with_crlf(tmp_path):
    mesh = grid_mesh(GRID)
    write_mesh(replace(mesh, landmarks={"nose tip": (0, 0, 1), "outer left eyebrow": (1, 2, 3)}), tmp_path / "a.bnt")
    assert (tmp_path / "a.lm3").read_bytes().split(b"\r\n") == [
        b"# 3D landmarks", b"", b"2 landmarks:", b"Outer left eyebrow", b"1.000000 2.000000 3.000000",
        b"Nose tip", b"0.000000 0.000000 1.000000", b""]
    with pytest.raises(ValueError, match="cannot be a label"):
        write_mesh(replace(mesh, landmarks={"nose # 1": (0, 0, 0)}), tmp_path / "a.bnt")

