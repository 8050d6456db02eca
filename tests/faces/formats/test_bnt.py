"""The reader and writer of .bnt against loops over its bytes."""

import gzip
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvlm.faces import Mesh, read_mesh, write_mesh
from mvlm.faces.formats.bnt import grid_mesh, read_bnt, write_bnt

FEW = settings(max_examples=40, deadline=None, derandomize=True,
               suppress_health_check=[HealthCheck.function_scoped_fixture])


def planes(rows, columns, step=1.5):
    """A smooth bump as (5, R, C) planes; row 0 at the bottom, v from the top."""
    y, x = np.mgrid[:rows, :columns] * step
    z = 20 * np.exp(-((x - x.mean()) ** 2 + (y - y.mean()) ** 2) / 200)
    return np.stack([x, y, z, x / max(x.max(), 1), 1 - y / max(y.max(), 1)])


def bnt_bytes(grid, zmin=-1e9, name=b"a.png", count=None):
    header = struct.pack("<H", grid.shape[1]) + struct.pack("<H", grid.shape[2]) + struct.pack("<d", zmin)
    header += struct.pack("<H", len(name)) + name + struct.pack("<I", grid.size if count is None else count)
    return header + b"".join(struct.pack("<d", value) for value in grid.ravel().tolist())


def naive_bnt(data):
    """Vertices, triangles and coordinates of .bnt bytes, by loops."""
    def read(kind, at):
        return struct.unpack_from(kind, data, at)[0]

    rows, columns, zmin, length = read("<H", 0), read("<H", 2), read("<d", 4), read("<H", 12)
    start, size = 18 + length, rows * columns
    vertices, coordinates, number = [], [], {}
    for row in range(rows):
        for column in range(columns):
            x, y, z, u, v = (read("<d", start + 8 * (k * size + row * columns + column)) for k in range(5))
            if zmin not in (x, y, z):
                number[row, column] = len(vertices)
                vertices.append([x, y, z])
                coordinates.append([u, 1 - v])
    triangles = []
    for row in range(rows - 1):
        for column in range(columns - 1):
            a, b, c, d = (row, column), (row + 1, column), (row, column + 1), (row + 1, column + 1)
            for corners in ((a, c, b), (c, d, b)):
                if all(corner in number for corner in corners):
                    p = [np.array(vertices[number[corner]]) for corner in corners]
                    if max(np.linalg.norm(p[i] - p[i - 1]) for i in range(3)) <= 10:
                        triangles.append([number[corner] for corner in corners])
    return vertices, triangles, coordinates


@FEW
@given(rows=st.integers(2, 9), columns=st.integers(2, 9), seed=st.integers(0, 99), zmin=st.sampled_from([-1e9, -1e3]))
def test_bnt_reads_like_a_naive_parser(tmp_path, rows, columns, seed, zmin):
    rng = np.random.default_rng(seed)
    grid = planes(rows + 2, columns + 2)
    grid[:3, rng.random(grid.shape[1:]) < 0.2] = zmin
    grid[2, 2, 2] = zmin  # one that lacks only z
    grid[:3, :2, :2] = planes(2, 2)[:3] + [[[0.25]], [[0]], [[0]]]
    grid[2, -1] += np.where(grid[2, -1] == zmin, 0, 12)  # a jump in depth
    (tmp_path / "a.bnt").write_bytes(bnt_bytes(grid, zmin))
    vertices, triangles, coordinates = naive_bnt(bnt_bytes(grid, zmin))
    mesh = read_mesh(tmp_path / "a.bnt")
    assert mesh.vertices.tolist() == vertices
    assert mesh.triangles.tolist() == triangles
    assert mesh.texture_coordinates.tolist() == coordinates
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_bnt_with_more_than_65535_points(tmp_path):
    grid = planes(260, 253, step=0.5)
    write_bnt(grid, tmp_path / "a.bnt")
    assert (tmp_path / "a.bnt").stat().st_size == 18 + len("a.png") + 8 * 5 * 260 * 253
    mesh = read_mesh(tmp_path / "a.bnt")
    assert len(mesh.vertices) == 260 * 253 and len(mesh.triangles) == 2 * 259 * 252


@FEW
@given(rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 99))
def test_bnt_round_trip_is_exact(tmp_path, rows, columns, seed):
    grid = np.random.default_rng(seed).normal(0, 100, (5, rows, columns))
    write_bnt(grid, tmp_path / "a.bnt", zmin=-7.25, picture="x.png")
    assert (tmp_path / "a.bnt").read_bytes() == bnt_bytes(grid, -7.25, b"x.png")
    again = read_bnt(tmp_path / "a.bnt")
    assert (again.planes == grid).all() and again.zmin == -7.25 and again.picture == "x.png"


def test_a_grid_stored_top_row_first_faces_the_camera_too(tmp_path):
    write_bnt(planes(6, 7)[:, ::-1], tmp_path / "a.bnt")
    mesh = read_mesh(tmp_path / "a.bnt")
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_bnt_texture(tmp_path):
    grid = planes(4, 4)
    write_bnt(grid, tmp_path / "a.bnt", picture="..\\B.PNG")
    assert read_mesh(tmp_path / "a.bnt").texture is None
    (tmp_path / "a.png").touch()
    assert read_mesh(tmp_path / "a.bnt").texture == tmp_path / "a.png"
    (tmp_path / "b.png").touch()
    mesh = read_mesh(tmp_path / "a.bnt")
    assert mesh.texture == tmp_path / "b.png"
    np.testing.assert_allclose(mesh.texture_coordinates[0], [0, 0])  # bottom left, where rows and columns begin
    grid[3:, 1, 1] = -1e9
    write_bnt(grid, tmp_path / "a.bnt")
    assert read_mesh(tmp_path / "a.bnt").texture_coordinates is None


@pytest.mark.parametrize("data", [
    bnt_bytes(planes(4, 5)) + b"\0" * 100, bnt_bytes(planes(4, 5)) + b"\r\n\x1a", bnt_bytes(planes(4, 5), np.nan),
    bnt_bytes(planes(4, 5), np.inf), bnt_bytes(planes(4, 5), name=b"a.png\0\0")])  # fmt: skip
def test_what_does_not_matter(tmp_path, data):
    (tmp_path / "a.bnt").write_bytes(data)
    (tmp_path / "a.png").touch()
    mesh, sound = read_mesh(tmp_path / "a.bnt"), grid_mesh(planes(4, 5))
    assert np.array_equal(mesh.vertices, sound.vertices) and np.array_equal(mesh.triangles, sound.triangles)
    assert mesh.texture_coordinates.tolist() == sound.texture_coordinates.tolist()
    assert mesh.texture == tmp_path / "a.png"


@pytest.mark.parametrize("zmin", [-1e9, np.nan, -np.inf])
def test_points_that_are_no_numbers_are_missing(tmp_path, zmin):
    grid = planes(5, 6)
    grid[:3, 1, 2] = np.nan
    grid[2, 3, 3] = np.nan  # one that lacks only z
    grid[:3, 4, 0] = zmin
    (tmp_path / "a.bnt").write_bytes(bnt_bytes(grid, zmin))
    grid[:3, (1, 3, 4), (2, 3, 0)] = -1e9
    vertices, triangles, coordinates = naive_bnt(bnt_bytes(grid))
    mesh = read_mesh(tmp_path / "a.bnt")
    assert mesh.vertices.tolist() == vertices and len(vertices) == 27
    assert mesh.triangles.tolist() == triangles and mesh.texture_coordinates.tolist() == coordinates


def test_bnt_mesh_round_trip(tmp_path):
    grid = planes(9, 8, step=2.1) + np.array([-3.7, 11.1, 0, 0, 0])[:, None, None]
    grid[:3, 3:5, 2] = grid[:3, 0, 0] = -1e9
    landmarks = {name: np.array([index, 2.5, -1.0]) for index, name in enumerate(["nose tip", "chin middle"])}
    mesh = replace(grid_mesh(grid), landmarks=landmarks)
    write_mesh(mesh, tmp_path / "a.bnt")
    assert len(mesh.vertices) == 69
    read = read_mesh(tmp_path / "a.bnt")
    assert np.array_equal(read.vertices, mesh.vertices) and np.array_equal(read.triangles, mesh.triangles)
    np.testing.assert_allclose(read.texture_coordinates, mesh.texture_coordinates, rtol=0, atol=1e-15)
    assert {name: point.tolist() for name, point in read.landmarks.items()} == {
        name: point.tolist() for name, point in landmarks.items()}


def test_only_a_grid_becomes_a_bnt(tmp_path):
    grid = grid_mesh(planes(5, 5))
    skewed = replace(grid, vertices=grid.vertices @ [[1, 0.01, 0], [0, 1, 0], [0, 0, 1]])
    flipped = replace(grid, triangles=grid.triangles[:, ::-1], texture_coordinates=None)
    for mesh in (skewed, flipped, Mesh([[0, 0, 0], [0, 0, 1], [0, 0, 2]], [[0, 1, 2]])):
        with pytest.raises(ValueError, match=r"a.bnt: expected a mesh whose vertices are a regular grid.*write_bnt"):
            write_mesh(mesh, tmp_path / "a.bnt")
    for bad in (np.zeros((4, 3, 3)), np.zeros((5, 0, 3)), np.zeros((5, 2, 65536)),
                np.broadcast_to(0.0, (5, 65535, 13110))):  # more values than the format can count
        with pytest.raises(ValueError, match=r"a.bnt: expected planes of shape \(5, R, C\)|fewer than 2\^32 values"):
            write_bnt(bad, tmp_path / "a.bnt")
    assert list(tmp_path.iterdir()) == []


GRID = planes(3, 4)
HOLE = np.where(np.arange(5)[:, None, None] < 3, -1e9, GRID)


@pytest.mark.parametrize(("data", "message"), [
    (b"", "expected a .bnt header of 14 bytes, the file has 0"),
    (bnt_bytes(GRID)[:13], "expected a .bnt header of 14 bytes, the file has 13"),
    (bnt_bytes(GRID)[:17], "byte 14: expected a picture's name of 5 bytes and a count, found 3"),
    (bnt_bytes(GRID)[:-1], "expected 503 bytes for a grid of 3 x 4, the file has 502"),
    (bnt_bytes(GRID) + b"\1", "expected 503 bytes for a grid of 3 x 4, the file has 504"),
    (bnt_bytes(GRID) + bytes(2**16), "expected 503 bytes for a grid of 3 x 4, the file has 66039"),
    (gzip.compress(bnt_bytes(GRID)), "byte 0: expected a .bnt grid, found a gzip file: unpack it"),
    (bnt_bytes(GRID, count=480), "byte 19: expected 5 values .* 3 x 4 = 60, found a count of 480"),
    (struct.pack("<HHdHI", 65535, 65535, -1e9, 0, 5), "found a count of 5"),
    (struct.pack("<HHdHI", 65535, 13000, -1e9, 0, 5 * 65535 * 13000), "expected 34078200018 bytes"),
    (struct.pack("<HHdHI", 0, 4, -1e9, 0, 0), "found a count of 0"),
    (bnt_bytes(GRID, zmin=7.0).replace(struct.pack("<d", GRID[2, 1, 2]), struct.pack("<d", np.inf)),
     "row 1, column 1: expected mm within .*inf"),
    (bnt_bytes(np.where(GRID == GRID[2, 1, 2], -1e9, GRID), zmin=-1e8), "row 1, column 1: .* or the mark -1e"),
    (bnt_bytes(HOLE), "expected a surface, found 0 valid points"),
    (bnt_bytes(GRID * 100), "expected a surface, found 12 valid points that form no triangle"),
    (bnt_bytes(GRID[:, :1]), "expected a surface, found 4 valid points"),
])  # fmt: skip
def test_a_broken_bnt_is_one_error(tmp_path, data, message):
    path = tmp_path / "a.bnt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(str(path))


@FEW
@given(at=st.integers(0, 60), junk=st.binary(max_size=8), gone=st.integers(0, 8))
def test_a_damaged_bnt_is_read_or_refused(tmp_path, at, junk, gone):
    data = bnt_bytes(GRID)
    path = tmp_path / "a.bnt"
    path.write_bytes(data[:at] + junk + data[at + gone:])
    try:
        assert isinstance(read_mesh(path), Mesh)
    except ValueError as error:
        assert str(path) in str(error)

