"""What a Mesh takes and refuses."""

from pathlib import Path

import numpy as np
import pytest

from mvlm.faces import Mesh

CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
FACES = np.array([[0, 1, 2], [1, 3, 2]])


def test_arrays_get_their_types():
    mesh = Mesh(CORNERS.astype(np.float32), FACES.astype(np.int64), {"nose tip": [1, 2, 3]}, texture="a.bmp")
    assert mesh.vertices.dtype == np.float64 and mesh.triangles.dtype == np.int32
    assert mesh.landmarks["nose tip"].tolist() == [1.0, 2.0, 3.0]
    assert mesh.texture == Path("a.bmp") and mesh.texture_coordinates is None


def test_equal_texture_triangles_are_said_in_one_way():
    same = Mesh(CORNERS, FACES, texture_coordinates=CORNERS[:, :2], texture_triangles=FACES.copy())
    seam = Mesh(CORNERS, FACES, texture_coordinates=CORNERS[:, :2], texture_triangles=FACES[:, ::-1])
    assert same.texture_triangles is None
    assert seam.texture_triangles.tolist() == FACES[:, ::-1].tolist()


@pytest.mark.parametrize(("fields", "message"), [
    ({"vertices": CORNERS[:, :2]}, r"vertices: expected shape \(n, 3\)"),
    ({"vertices": np.zeros((0, 3))}, "n >= 1"),
    ({"vertices": np.where(CORNERS > 0, np.nan, 0)}, r"vertices\[1\]: expected finite"),
    ({"vertices": CORNERS * -1e9}, r"vertices\[1\]: expected mm within"),
    ({"triangles": FACES[:, :2]}, r"triangles: expected shape \(n, 3\)"),
    ({"triangles": np.zeros((0, 3), int)}, "n >= 1"),
    ({"triangles": FACES.astype(float)}, "expected integers"),
    ({"triangles": FACES + 1}, r"triangles\[1\]: expected indices 0..3 into vertices"),
    ({"triangles": FACES - 1}, r"triangles\[0\]: expected indices 0..3"),
    ({"triangles": FACES + 2**32}, r"expected indices 0..3"),
    ({"landmarks": {"nose tip": [0, 0]}}, "landmark 'nose tip'"),
    ({"landmarks": {"nose tip": [0, 0, np.inf]}}, "landmark 'nose tip'"),
    ({"texture": np.zeros((4, 4))}, r"texture: expected a file or an array \(H, W, 3\) of uint8"),
    ({"texture": np.zeros((0, 4, 3), np.uint8)}, r"found \(0, 4, 3\) of uint8"),
    ({"texture_triangles": FACES}, "give both or neither"),
    ({"texture_coordinates": CORNERS}, r"texture_coordinates: expected shape \(n, 2\)"),
    ({"texture_coordinates": CORNERS[:3, :2]}, "expected indices 0..2 into texture_coordinates"),
    ({"texture_coordinates": CORNERS[:, :2], "texture_triangles": FACES[:1]}, "expected 2 rows, one per triangle"),
    ({"texture_coordinates": CORNERS[:, :2], "texture_triangles": FACES + 1}, r"texture_triangles\[1\]"),
])  # fmt: skip
def test_a_mesh_that_is_none_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Mesh(**{"vertices": CORNERS, "triangles": FACES, **fields})
