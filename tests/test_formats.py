"""read_mesh and write_mesh: which file is which, textures, whole files or none."""

from dataclasses import replace

import pytest

from mvlm.faces import Mesh, read_mesh, write_mesh

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


@pytest.mark.parametrize("name", ["a.wrl", "a.bnt"])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch, name):
    write_mesh(SQUARE, tmp_path / name)
    before = (tmp_path / name).read_bytes()

    def fails(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("mvlm.faces.files.os.replace", fails)
        with pytest.raises(OSError, match="disk full"):
            write_mesh(SQUARE, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before




def test_paths_that_are_no_mesh(tmp_path):
    for name, error, message in (("a.obj", ValueError, "extension .wrl or .bnt, found '.obj'"),
                                 ("a", ValueError, "extension .wrl or .bnt, found ''"),
                                 ("a.wrl", FileNotFoundError, "expected a .wrl file, found none")):
        with pytest.raises(error, match=message):
            read_mesh(tmp_path / name)
    (tmp_path / "b.bnt").mkdir()
    with pytest.raises(FileNotFoundError, match="expected a .bnt file, found a folder"):
        read_mesh(str(tmp_path / "b.bnt"))
    with pytest.raises(ValueError, match="extension .wrl or .bnt"):
        write_mesh(SQUARE, tmp_path / "a.ply")


def test_extensions_have_no_case(tmp_path):
    write_mesh(SQUARE, tmp_path / "A.WRL")
    assert len(read_mesh(tmp_path / "A.WRL").vertices) == 4
