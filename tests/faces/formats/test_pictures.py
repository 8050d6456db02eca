"""Pictures as a viewer shows them: repeated beyond their borders, of 8 bits a colour, whatever they are stored as."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mvlm.faces import Mesh, read_mesh, write_mesh
from mvlm.faces.formats import pictures
from mvlm.faces.formats.files import PictureWarning
from mvlm.faces.formats.pictures import with_picture

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
# Two triangles side by side, and one far from both.
POINTS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [5, 5, 0]], dtype=float)
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3], [1, 4, 2]])
INSIDE = np.array([[0.1, 0.2], [0.9, 0.3], [0.8, 0.9], [0.2, 0.8], [0.5, 0.5]])


def stored(folder, picture=PICTURE):
    Image.fromarray(picture).save(folder / "a.png")
    return folder / "a.png"


def colour(mesh, triangle, weights):
    """Of a point of a triangle, the picture's nearest pixel, as it repeats in all directions."""
    corners = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
    u, v = np.asarray(weights) @ mesh.texture_coordinates[corners[triangle]]
    texture = mesh.texture if isinstance(mesh.texture, np.ndarray) else np.asarray(Image.open(mesh.texture))
    height, width = texture.shape[:2]
    assert -0.01 <= min(u, v) and max(u, v) <= 1.01
    return texture[min(int((1 - v) * height), height - 1), min(int(u * width), width - 1)].tolist()


def expected(coordinates, corners, triangle, weights):
    u, v = (np.asarray(weights) @ coordinates[corners[triangle]]) % 1
    return PICTURE[int((1 - v) * 6), int(u * 8)].tolist()


REPEATED = {
    "inside": INSIDE,
    "below": INSIDE - [0, 1],
    "far away": INSIDE + [7, -3],
    "over one border": INSIDE + [0.5, 0],
    "over both": INSIDE * 0.9 + [0.4, 3.6],
    "each corner elsewhere": INSIDE * 2.3 - 1.1,
}


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("seam", [None, [[4, 3, 1], [0, 1, 2], [2, 2, 0]]])
def test_a_picture_repeats_beyond_its_borders(tmp_path, name, seam):
    coordinates = REPEATED[name]
    mesh = with_picture(Mesh(POINTS, TRIANGLES, texture_coordinates=coordinates, texture_triangles=seam,
                             texture=stored(tmp_path)))  # fmt: skip
    assert np.array_equal(mesh.vertices, POINTS) and np.array_equal(mesh.triangles, TRIANGLES)
    corners = TRIANGLES if seam is None else np.array(seam)
    for triangle in range(3):
        for weights in RNG.dirichlet([1, 1, 1], 40):
            assert colour(mesh, triangle, weights) == expected(coordinates, corners, triangle, weights)


def test_triangles_elsewhere_cost_no_picture(tmp_path):
    """Each on a side of its own: the file stays a file, and neighbours have corners of their own."""
    coordinates = np.vstack([INSIDE, INSIDE + [2, -1]])
    mesh = Mesh(POINTS, TRIANGLES, texture_coordinates=coordinates, texture=stored(tmp_path),
                texture_triangles=[[0, 1, 2], [5, 7, 8], [1, 4, 2]])  # fmt: skip
    moved = with_picture(mesh)
    assert moved.texture == tmp_path / "a.png"
    assert np.allclose(moved.texture_coordinates[moved.texture_triangles], INSIDE[TRIANGLES])


def test_coordinates_rounded_at_the_border_stay(tmp_path):
    coordinates = INSIDE.copy()
    coordinates[0], coordinates[1] = [-0.004, 0], [1.003, 1.0000001]
    mesh = Mesh(POINTS, TRIANGLES, texture_coordinates=coordinates, texture=stored(tmp_path))
    assert with_picture(mesh) is mesh


def test_a_picture_that_repeats_too_often_is_one_warning(tmp_path):
    mesh = Mesh(POINTS, TRIANGLES, texture_coordinates=INSIDE * 1e6, texture=stored(tmp_path))
    with pytest.warns(
        PictureWarning, match="a.png: expected triangles within the picture or over one border"
    ) as caught:
        assert with_picture(mesh).texture == tmp_path / "a.png"
    assert len(caught) == 1


def test_without_a_picture_coordinates_are_as_written(tmp_path):
    mesh = Mesh(POINTS, TRIANGLES, texture_coordinates=INSIDE - 5)
    assert with_picture(mesh) is mesh
    assert with_picture(Mesh(POINTS, TRIANGLES), stored(tmp_path)).texture is None
    for data in (b"", b"no picture", (tmp_path / "a.png").read_bytes()[:40]):
        (tmp_path / "b.png").write_bytes(data)
        over = replace(mesh, texture_coordinates=INSIDE + 0.5)
        assert with_picture(over, tmp_path / "b.png").texture == tmp_path / "b.png"  # whoever shows it will say so


GREYS = RNG.integers(0, 65536, (6, 8), dtype=np.uint16)
DEEP = {
    "16 bits": (GREYS, "png", GREYS / 257),
    "16 bits in .tif": (GREYS, "tif", GREYS / 257),
    "32 bits in .tif": (GREYS.astype(np.int32), "tif", GREYS / 257),
    "real numbers": ((GREYS / 65535).astype(np.float32), "tif", GREYS / 257),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_grey_is_scaled_not_clipped(tmp_path, name):
    levels, extension, grey = DEEP[name]
    Image.fromarray(levels).save(tmp_path / f"a.{extension}")
    write_mesh(Mesh(POINTS, TRIANGLES, texture_coordinates=INSIDE), tmp_path / "a.obj")
    texture = read_mesh(tmp_path / "a.obj").texture
    assert texture.dtype == np.uint8 and texture.shape == (6, 8, 3) and (texture == texture[..., :1]).all()
    assert np.abs(texture[..., 0] - grey).max() <= 0.51


@pytest.mark.parametrize("extension", ["bmp", "jpg", "png", "tif", "tiff", "webp", "tga", "gif", "jp2"])
def test_pictures_of_8_bits_stay_files(tmp_path, extension):
    Image.fromarray(PICTURE).save(tmp_path / f"a.{extension}")
    write_mesh(Mesh(POINTS, TRIANGLES, texture_coordinates=INSIDE), tmp_path / "a.ply")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_mesh(tmp_path / "a.ply").texture == tmp_path / f"a.{extension}"


def test_a_picture_that_is_given_comes_before_that_of_the_file(tmp_path):
    (tmp_path / "other").mkdir()
    stored(tmp_path / "other")
    write_mesh(Mesh(POINTS, TRIANGLES, texture_coordinates=INSIDE + 0.5, texture=PICTURE), tmp_path / "b.obj")
    for given, shown in ((None, None), (tmp_path / "other" / "a.png", PICTURE)):
        mesh = read_mesh(tmp_path / "b.obj", picture=given)
        assert mesh.texture.shape == (12, 16, 3) and mesh.texture_coordinates.max() <= 1
        assert shown is None or np.array_equal(mesh.texture[:6, :8], shown)


def test_very_large_pictures_are_halved_or_left_to_whoever_shows_them(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    monkeypatch.setattr(pictures, "_LARGEST", 400)
    mesh = Mesh(POINTS, TRIANGLES, texture_coordinates=INSIDE)
    for side, extension, kept in ((32, "jpg", (16, 16, 3)), (64, "jpg", None), (32, "png", None), (16, "jpg", None)):
        path = tmp_path / f"{side}.{extension}"
        Image.fromarray(np.full((side, side, 3), 100, np.uint8)).save(path)
        texture = with_picture(mesh, path).texture
        assert texture == path if kept is None else texture.shape == kept and abs(int(texture.mean()) - 100) < 3
