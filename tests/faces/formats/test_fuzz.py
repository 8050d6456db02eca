"""Damaged and hostile files: read or refused in words, in time, in little memory (`make fuzz` tries more of them)."""

import gzip

import numpy as np
import pytest

from tests.fuzz import Findings, run, wrong_with

N = 500_000  # repeats: files of 1 to 6 MB
HEAD = b"#VRML V2.0 utf8\n"
POINTS = b"Shape { geometry IndexedFaceSet { coord Coordinate { point [ 0 0 0 1 0 0 0 1 0 ] } "
BINARY = b"ply\nformat binary_little_endian 1.0\n"
XYZ = b"element vertex %d\nproperty uchar x\nproperty uchar y\nproperty uchar z\n"
FACES = b"element face %d\nproperty list uchar uchar vertex_indices\nend_header\n"
HOSTILE = {
    "one polygon.wrl": HEAD + POINTS + b"coordIndex [ " + b"0 1 2 " * N + b"] } }",
    "one polygon with a texture.wrl": HEAD + POINTS + b"texCoord TextureCoordinate { point [ 0 0 1 0 0 1 ] } "
                                      b"coordIndex [ " + b"0 1 2 " * (N // 2) + b"] "
                                      b"texCoordIndex [ " + b"0 2 1 " * (N // 2) + b"] } }",
    "triangles.wrl": HEAD + POINTS + b"coordIndex [ " + b"0 1 2 -1 " * N + b"] } }",
    "points.wrl": HEAD + b"Shape { geometry IndexedFaceSet { coord Coordinate { point [ " + b"0 " * (3 * N)
                  + b"] } coordIndex [ 0 1 2 ] } }",
    "comments.wrl": HEAD + b"#\n" * N,
    "strings.wrl": HEAD + b"Info { s [ " + b'""' * N + b" ] }",
    "one string.wrl": HEAD + b'Info { s "' + b"\\a" * N + b'" }',
    "open string.wrl": HEAD + b'Info { s "' + b"\\a" * N,
    "nodes.wrl": HEAD + b"A{}" * N,
    "fields.wrl": HEAD + b"A { " + b" ".join(b"a%d 1" % i for i in range(N // 2)) + b" }",
    "numbers.wrl": HEAD + b"A { a " + b"1 " * N + b" }",
    "routes.wrl": HEAD + b"ROUTE a TO b " * (N // 4),
    "nests.wrl": HEAD + b"Group { children [ " * (N // 4),
    "blanks.wrl": HEAD + b" " * (8 * N),
    "packed nothing.wrl": gzip.compress(HEAD + b" " * (64 * N)),
    "uses of uses.wrl": HEAD + b"DEF a Group { } " + b"".join(
        b"DEF a%d Group { children [ USE a USE a%d ] } " % (i, i - 1) for i in range(3000)),
    "brackets in brackets.wrl": HEAD + b"A { b [ C { d Shape { " * 20 + b"[ ] " * N + b"} } ] } " * 20,
    "scripts.wrl": HEAD + b"Script { a [ } ] " * (N // 4),
    "prototypes.wrl": HEAD + b"PROTO A [ ] { " * (N // 4),
    "names.wrl": HEAD + b"DEF a " * N,
    "one face many times.wrl": HEAD + b"DEF f " + POINTS + b"coordIndex [ " + b"0 1 2 -1 " * (N // 4) + b"] } } "
                               + b"Transform { translation 1 0 0 children USE f } " * 2000,
    "corners that return.wrl": HEAD + POINTS + b"coordIndex [ " + b"0 1 2 0 1 2 -1 " * (N // 4) + b"] } }",
    "lines.wrl": HEAD + POINTS + b"coordIndex [ " + b"0 1 -1 -1 " * N + b"0 1 2 ] } }",
    "materials.obj": b"v 0 0 0\n" * 3 + b"vt 0 0\n" + b"usemtl a\nf 1/1 2/1 3/1\n" * (N // 8),
    "foreign words.obj": b"vc 1 1 1\n" * N + b"v 0 0 0\n" * 3 + b"f 1 2 3\n",
    "broken lines.obj": b"v 0 0 0\n" * 3 + b"f 1 2 " + b"\\ \n" * N + b"3\n",
    "colours.obj": b"v 0 0 0 nan nan nan\n" * (N // 4) + b"f 1 2 3\n",
    "lines.obj": b"v 0 0 0\n" * 3 + b"f 1 2\n" * N + b"f 1 2 3\n",
    "sharps.obj": b"usemtl #\n" * N + b"v 0 0 0\n" * 3 + b"f 1 2 3\n",
    "line ends.obj": b"\n" * (4 * N),
    "blanks.obj": b" \n" * (4 * N),
    "groups.obj": b"g\n" * N,
    "libraries.obj": b"mtllib a.mtl\n" * (N // 8),
    "vertices.obj": b"v 0 0 0\n" * N + b"f 1 2 3\n",
    "one line.obj": b"v" + b" 0" * (4 * N),
    "one polygon.obj": b"v 0 0 0\n" * 3 + b"f" + b" 1 2 3" * N + b"\n",
    "polygons of all sizes.obj": b"v 0 0 0\n" * 9 + b"f 1 2 3 4\nf 1 2 3\n" * (N // 2),
    "from the end.obj": b"v 0 0 0\n" * 3 + b"f -1 -2 -3\n" * N,
    "texture.obj": b"v 0 0 0\n" * 3 + b"vt 0 0\n" * 3 + b"f 1/1 2/2 3/3\nf 1/1/1 2/2/1 3/3/1\n" * (N // 4),
    "taking turns.obj": b"v 0 0 0\nvt 0 0\n" * (N // 2) + b"f 1/1 2/2 3/3\n",
    "comments.obj": b"#\n" * N,
    "indented.obj": b" v 0 0 0\n" * N + b" f 1 2 3\n",
    "numbers.ply": b"ply\nformat ascii 1.0\n" + XYZ % N + FACES % 1 + b"0 0 0\n" * N + b"3 0 1 2\n",
    "triangles.ply": b"ply\nformat ascii 1.0\n" + XYZ % 3 + FACES % N + b"0 0 0\n" * 3 + b"3 0 1 2\n" * N,
    "vertices.ply": BINARY + XYZ % N + FACES % 1 + bytes(3 * N) + b"\3\0\1\2",
    "triangle bytes.ply": BINARY + XYZ % 3 + FACES % N + bytes(9) + b"\3\0\1\2" * N,
    "polygons of all sizes.ply": BINARY + XYZ % 4 + FACES % N + bytes(12) + b"\3\0\1\2\4\0\1\2\3" * (N // 2),
    "empty polygons.ply": BINARY + XYZ % 3 + FACES % (2 * N) + bytes(9) + b"\1\0\0" * N,
    "comments.ply": b"ply\n" + b"comment\n" * N,
    "vendors.ply": b"ply\nformat ascii 1.0\n" + b"v 1\n" * 16_000 + XYZ % 3 + FACES % 1 + b"0 0 0\n" * 3 + b"3 0 1 2\n",
    "properties.ply": BINARY + XYZ % 500 + b"property uchar a\n" * 3000 + FACES % 1 + bytes(3003 * 500) + b"\3\0\1\2",
    "lists.ply": BINARY + XYZ % (N // 16) + b"property list uchar char a\n" * 45 + FACES % 1
                 + (bytes(48) + b"\0\0\0\1\0" + bytes(44)) * (N // 32) + b"\3\0\1\2",
    "one strip.ply": BINARY + XYZ % 3 + b"element tristrips 1\nproperty list int uchar vertex_indices\nend_header\n"
                     + bytes(9) + (3 * N).to_bytes(4, "little") + b"\0\1\2" * N,
    "longer lines.ply": b"ply\nformat ascii 1.0\n" + XYZ % 3 + FACES % (N // 4) + b"0 0 0\n" * 3
                        + b"3 0 1 2 9 9\n" * (N // 4),
    "remarks.ply": b"ply\nformat ascii 1.0\n" + XYZ % 3 + FACES % 1 + b"0 0 0\n#\n" * 3 + b"#\n" * N + b"3 0 1 2\n",
    "rows.bnd": b"0 0 0 0\n" * N,
    "line ends.bnd": b"\n" * N,
    "words.bnd": b"0 " * N,
    "hidden.bnd": b"-1\n" * 83 + b"a\n" * (N // 8),
    "pairs.lm3": b"999999 landmarks:\n" + b"a\n1 2 3\n" * (N // 4),
    "labels.lm3": b"%d landmarks:\n" % (N // 8) + b"".join(b"a%d\n1 2 3\n" % i for i in range(N // 8)),
    "remarks.lm3": b"*\n" * N,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_takes_neither_long_nor_much(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    paths = [path]
    if path.suffix in (".bnd", ".lm3"):
        (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
        paths = [tmp_path / "a.obj", path]
    measure = Findings()
    assert wrong_with(paths, measure) is None
    assert measure.files == 1


def test_damaged_files_are_read_or_refused():
    found = run(420, seed=1)
    assert found.faults == []
    assert found.files == 420 and found.read > 40 and found.refused > 200


def test_a_fault_is_found(monkeypatch):
    def reader(path, **_):
        if path.stat().st_size % 3 == 0:
            raise IndexError("out of range")
        if path.stat().st_size % 3 == 1:
            raise ValueError(f"{path}: bad")
        return np.ones(5_000_000 + 2 * path.stat().st_size)

    monkeypatch.setattr("tests.fuzz.read_mesh", reader)
    faults = "\n".join(run(21, seed=0).faults)
    assert "IndexError('out of range')" in faults and "without file or expectation" in faults and "took 3" in faults
