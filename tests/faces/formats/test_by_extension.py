"""read_mesh and write_mesh: which file is which, textures, whole files or none."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mvlm.faces import Mesh, read_mesh, write_mesh
from mvlm.faces.formats.landmarks import BND_NAMES

# The corners of a square, a mesh and a depth grid at once.
SQUARE = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], [[0, 1, 2], [1, 3, 2]])


def test_the_texture_goes_along_and_overwrites_nothing(tmp_path):
    for folder in ("from", "to", "taken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "from/face.bmp").write_bytes(b"BM1")
    (tmp_path / "taken/face.bmp").write_bytes(b"BM2")
    mesh = replace(SQUARE, texture_coordinates=SQUARE.vertices[:, :2], texture=tmp_path / "from/face.bmp")
    write_mesh(mesh, tmp_path / "to/a.wrl")
    assert (tmp_path / "to/face.bmp").read_bytes() == b"BM1"
    assert read_mesh(tmp_path / "to/a.wrl").texture == tmp_path / "to/face.bmp"
    with pytest.raises(ValueError, match="found another of that name"):
        write_mesh(mesh, tmp_path / "taken/a.wrl")
    assert (tmp_path / "taken/face.bmp").read_bytes() == b"BM2" and not (tmp_path / "taken/a.wrl").exists()


@pytest.mark.parametrize("name", ["a.wrl", "a.bnt", "a.obj", "a.ply"])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch, name):
    write_mesh(SQUARE, tmp_path / name)
    before = (tmp_path / name).read_bytes()

    def fails(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("mvlm.cache.files.os.replace", fails)
        with pytest.raises(OSError, match="disk full"):
            write_mesh(SQUARE, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before


def test_paths_that_are_no_mesh(tmp_path):
    for name, error, message in (("a.stl", ValueError, "extension .wrl, .obj, .bnt, .ply, found '.stl'"),
                                 ("a", ValueError, "extension .wrl, .obj, .bnt, .ply, found ''"),
                                 ("a.wrl", FileNotFoundError, "expected a .wrl file, found none")):
        with pytest.raises(error, match=message):
            read_mesh(tmp_path / name)
    (tmp_path / "b.bnt").mkdir()
    with pytest.raises(FileNotFoundError, match="expected a .bnt file, found a folder"):
        read_mesh(str(tmp_path / "b.bnt"))
    with pytest.raises(ValueError, match="extension .wrl, .obj, .bnt, .ply"):
        write_mesh(SQUARE, tmp_path / "a.stl")


def test_extensions_have_no_case(tmp_path):
    for name in ("A.WRL", "A.Obj", "A.PLY", "A.BNT"):
        write_mesh(SQUARE, tmp_path / name)
        assert read_mesh(tmp_path / name).vertices.tolist() == SQUARE.vertices.tolist()


@pytest.mark.parametrize("extension", [".wrl", ".obj", ".ply"])
def test_landmarks_lie_beside_the_mesh_or_where_one_says(tmp_path, extension):
    points = np.random.default_rng(0).normal(0, 50, (90, 3)).round(3)
    landmarks = dict(zip(BND_NAMES, points, strict=False))
    mesh = Mesh(points, [[0, 1, 2]], landmarks=landmarks)
    write_mesh(mesh, tmp_path / f"a{extension}")
    there = {frozenset(tuple(xyz) for xyz in landmarks.values())}
    assert {frozenset(tuple(xyz) for xyz in read_mesh(tmp_path / f"a{extension}").landmarks.values())} == there
    elsewhere = tmp_path / "BND" / "b.bnd"
    elsewhere.parent.mkdir()
    (tmp_path / "a.bnd").rename(elsewhere)
    assert read_mesh(tmp_path / f"a{extension}").landmarks == {}
    named = read_mesh(tmp_path / f"a{extension}", landmarks=elsewhere).landmarks
    assert {frozenset(tuple(xyz) for xyz in named.values())} == there
    (tmp_path / "c.lm3").write_text("1 landmarks:\nNose tip\n1 2 3\n")
    tip = read_mesh(tmp_path / f"a{extension}", landmarks=tmp_path / "c.lm3").landmarks
    assert tip.keys() == {"nose tip"} and tip["nose tip"].tolist() == [1, 2, 3]
    with pytest.raises(FileNotFoundError, match="expected a file of landmarks, found none"):
        read_mesh(tmp_path / f"a{extension}", landmarks=tmp_path / "gone.bnd")
    with pytest.raises(ValueError, match="extension .bnd or .lm3"):
        read_mesh(tmp_path / f"a{extension}", landmarks=tmp_path / "gone.mat")


@pytest.mark.parametrize(("name", "picture", "exact"), [
    ("F0001_AN01WH_F3D.wrl", "F0001_AN01WH_F2D.bmp", True), ("000.wrl", "000.jpg", False),
    ("0001.obj", "0001.jpg", False), ("bs000_N_N_0.bnt", "bs000_N_N_0.png", True), ("a.ply", "a.png", True),
])  # fmt: skip
def test_a_picture_in_memory_is_written_as_the_corpora_name_theirs(tmp_path, name, picture, exact):
    rows, columns = np.mgrid[:40, :24]
    colours = np.stack([4 * rows, 8 * columns, 200 - 4 * rows], axis=2).astype(np.uint8)
    mesh = replace(SQUARE, texture_coordinates=SQUARE.vertices[:, :2], texture=colours)
    for _ in range(2):  # its own picture is replaced
        write_mesh(mesh, tmp_path / name)
        assert read_mesh(tmp_path / name).texture == tmp_path / picture
    read = np.asarray(Image.open(tmp_path / picture).convert("RGB")).astype(int)
    assert read.shape == colours.shape and np.abs(read - colours).max() <= (0 if exact else 12)


@pytest.mark.parametrize("kind", ["wrl", "obj", "mtl", "ply", "bnt", "bnd"])
def test_nothing_outside_the_folder_is_found(tmp_path, kind):
    """Whatever a file says, and whichever links lie beside it, pictures and other files are of its own folder."""
    folder, outside = tmp_path / "F001", tmp_path / "secret"
    folder.mkdir()
    outside.mkdir()
    (outside / "face.bmp").write_bytes(b"BM")
    (outside / "a.bnd").write_text("0 0 0 0\n")
    (outside / "a.mtl").write_text("map_Kd inside.bmp\n")
    (folder / "inside.bmp").write_bytes(b"BM")
    extension = {"mtl": "obj", "bnd": "wrl"}.get(kind, kind)
    path = folder / f"a.{extension}"
    textured = replace(SQUARE, texture_coordinates=SQUARE.vertices[:, :2], texture=folder / "inside.bmp")
    write_mesh(textured, path)
    if kind in ("bnd", "mtl"):
        (folder / f"a.{kind}").unlink(missing_ok=True)
        (folder / f"a.{kind}").symlink_to(outside / f"a.{kind}")
        read = read_mesh(path)
        assert read.landmarks == {} and (read.texture is None or kind == "bnd")
        return
    assert read_mesh(path).texture == folder / "inside.bmp"
    (folder / "inside.bmp").rename(folder / "other.bmp")
    (folder / "inside.bmp").symlink_to("other.bmp")
    assert read_mesh(path).texture == folder / "inside.bmp", "a link within the folder is followed"
    for target in (outside / "face.bmp", "../secret/face.bmp"):
        (folder / "inside.bmp").unlink()
        (folder / "inside.bmp").symlink_to(target)
        assert read_mesh(path).texture is None, "a link out of the folder is not"
    (folder / "inside.bmp").unlink()
    naming = folder / "a.mtl" if kind == "obj" else path
    for reference in ("../secret/face.bmp", str(outside / "face.bmp"), "..\\secret\\face.bmp", "", ".."):
        data = naming.read_bytes()
        if kind == "bnt":
            (length,) = struct.unpack_from("<H", data, 12)
            name = reference.encode()
            naming.write_bytes(data[:12] + struct.pack("<H", len(name)) + name + data[14 + length:])
        else:
            naming.write_bytes(data.replace(b"inside.bmp", reference.encode()))
        assert read_mesh(path).texture is None
        naming.write_bytes(data)


def test_a_linked_mesh_keeps_its_own_folder(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "links").mkdir()
    (tmp_path / "store/face.bmp").write_bytes(b"BM")
    mesh = replace(SQUARE, texture_coordinates=SQUARE.vertices[:, :2], texture=tmp_path / "store/face.bmp")
    write_mesh(mesh, tmp_path / "store/a.wrl")
    for name in ("a.wrl", "face.bmp"):
        (tmp_path / "links" / name).symlink_to(tmp_path / "store" / name)
    assert read_mesh(tmp_path / "links/a.wrl").texture == tmp_path / "links/face.bmp"


def test_a_file_larger_than_any_mesh_is_refused_unread(tmp_path):
    for name in ("a.wrl", "a.obj", "a.ply"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**31)  # a hole: takes no room
        with pytest.raises(ValueError, match=f"{name}: expected at most 1073741824 bytes, the file has 2147483648"):
            read_mesh(tmp_path / name)
