"""Views: alignment, which cheek a view shows, and pixels against a loop over triangles."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import Pose, find_pose
from mvlm.faces.views import AMBIENT, DIFFUSE, LIGHT, PIVOT, WINDOW, normals, project, view_names
from mvlm.twins.head.anatomy import TRAITS
from mvlm.twins.head.head import Identity, head, random_identity
from mvlm.twins.sensors import rotation

AVERAGE = Identity(dict.fromkeys(TRAITS, 0.0), np.zeros((0, 5)), None)


@pytest.fixture(scope="module")
def face():
    return head(AVERAGE, {12: 0.5})


def align(mesh):
    return find_pose(mesh).of(mesh.vertices)


def turned(mesh, turn, shift=(0, 0, 0)):
    landmarks = {name: turn @ point + shift for name, point in mesh.landmarks.items()}
    return Mesh(mesh.vertices @ turn.T + shift, mesh.triangles, landmarks)


@pytest.mark.parametrize("pose", [(12, 0, 0), (0, -9, 0), (0, 0, 8), (10, 7, -6)])
@pytest.mark.parametrize("names", ["eye ", "eye corner"])
def test_alignment_undoes_a_pose(face, pose, names):
    numbered = names == "eye "  # an 83-point file, or the named points of the other one
    kept = {n: p for n, p in face.landmarks.items() if names in n or n.startswith("nose " if numbered else "nose tip")}
    kept = {n: p for n, p in kept.items() if n[-1].isdigit() == numbered}
    marked = Mesh(face.vertices, face.triangles, kept)
    straight, back = align(marked), align(turned(marked, rotation(*pose), (15, -20, 40)))
    assert np.abs(straight - back).max() < 2.0  # mm; the foremost points differ a little


@pytest.mark.parametrize("angles", [(0, 0, 0), (12, 0, 0), (-6, 10, 4), (0, -12, -5), (25, 5, 0)])
def test_alignment_without_landmarks_finds_the_pose_by_shape(angles):
    face = head(random_identity(np.random.default_rng(11)), {12: 0.8, 26: 0.9, 4: 0.7})  # a moved mouth does not matter
    turn, shift = rotation(*angles), np.array([15, -20, 40])
    known, found = find_pose(turned(face, turn, shift)), find_pose(Mesh(face.vertices @ turn.T + shift, face.triangles))
    between = Rotation.from_matrix(found.turn @ known.turn.T).magnitude()
    assert np.degrees(between) < 6 and np.linalg.norm(found.tip - known.tip) < 3


def test_what_is_no_face_keeps_its_pose():
    rng = np.random.default_rng(0)
    ball = rng.normal(0, 1, (900, 3))
    ball *= 90 / np.linalg.norm(ball, axis=1, keepdims=True)
    found = find_pose(Mesh(ball, rng.integers(0, 900, (900, 3))))
    np.testing.assert_array_equal(found.turn, np.eye(3))
    assert found.tip[2] > 80  # the foremost points


def test_the_left_view_shows_the_left_cheek(face):
    spot = face.vertices.copy()
    ball = np.linalg.norm(spot - face.landmarks["left mouth corner"] - [18, 10, -10], axis=1) < 12
    hollow = Mesh(spot, face.triangles[~ball[face.triangles].any(1)], face.landmarks)
    lost = (project(face)[..., 0].astype(int) - project(hollow)[..., 0] > 60).sum(axis=(1, 2))
    assert lost[1] > 3 * max(lost[2], 1) and lost[0] > 0  # front, left, right


def test_views_mirror_each_other_on_a_symmetric_face(face):
    front, left, right = project(face, size=48)[..., 0].astype(int)
    # the light is above the camera, so the right view is the left one mirrored
    assert np.mean(abs(front - front[:, ::-1]) > 12) < 0.03
    assert np.mean(abs(left - right[:, ::-1]) > 12) < 0.03


def test_pixels_against_a_loop_over_triangles():
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.linspace(-70, 70, 9), np.linspace(-80, 80, 9)), -1).reshape(-1, 2)
    vertices = np.column_stack([grid, 30 - 0.006 * (grid**2).sum(1) + rng.normal(0, 1, 81)])
    cells = np.arange(81).reshape(9, 9)
    a, b, c, d = cells[:-1, :-1].ravel(), cells[:-1, 1:].ravel(), cells[1:, :-1].ravel(), cells[1:, 1:].ravel()
    mesh = Mesh(vertices, np.vstack([np.column_stack([a, b, c]), np.column_stack([b, d, c])]).astype(np.int32))
    size, yaw, light = 12, 30.0, np.array(LIGHT) / np.linalg.norm(LIGHT)
    fast = project(mesh, yaws=(yaw,), size=size)[0, :, :, 0]

    turn = rotation(-yaw, 0, 0)
    points = (align(mesh) - PIVOT) @ turn.T
    shade = normals(points, mesh.triangles) @ light
    for row in range(size):
        for column in range(size):
            x, y = (column + 0.5) / size * WINDOW - WINDOW / 2, WINDOW / 2 - (row + 0.5) / size * WINDOW
            best, grey = -np.inf, 0.0
            for i, j, k in mesh.triangles:
                edges = np.array([points[j, :2] - points[i, :2], points[k, :2] - points[i, :2]]).T
                if abs(np.linalg.det(edges)) < 1e-12:
                    continue
                u, v = np.linalg.solve(edges, [x - points[i, 0], y - points[i, 1]])
                if u < 0 or v < 0 or u + v > 1:
                    continue
                depth = (1 - u - v) * points[i, 2] + u * points[j, 2] + v * points[k, 2]
                if depth > best:
                    here = (1 - u - v) * shade[i] + u * shade[j] + v * shade[k]
                    best, grey = depth, AMBIENT + DIFFUSE * np.clip(here, 0, 1)
            assert abs(grey - float(fast[row, column])) <= 1.0, (row, column)


def test_shapes_and_background(face):
    views = project(face, yaws=(0, 20), size=40)
    assert views.shape == (2, 40, 40, 3) and views.dtype == np.uint8
    assert (views[:, 0, 0] == 0).all() and views.max() > 200
    assert (views[..., 0] == views[..., 2]).all()


def test_views_are_named_by_their_side():
    assert view_names() == ["front", "left", "right"] and view_names((0.0,)) == ["front"]
    assert view_names((0.0, -22.5, 22.5)) == ["front", "right", "left"]
    assert view_names((0, 30, -30, 60, -60)) == ["front", "left 30°", "right 30°", "left 60°", "right 60°"]


def wall_of(size=4, texture=None):
    """A wall of 160 mm before the camera, 60 mm behind the nose tip: flat, with a picture on it."""
    corners = np.array([[-80, -80, -60], [80, -80, -60], [80, 80, -60], [-80, 80, -60]], float)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)
    picture = np.arange(size * size * 3, dtype=np.uint8).reshape(size, size, 3) * 5 if texture is None else texture
    return Mesh(corners, triangles, texture_coordinates=uv, texture=picture)


STRAIGHT = Pose(np.eye(3), np.zeros(3))


def test_the_texture_lies_the_right_way_up():
    wall = wall_of(texture=np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8))
    view = project(wall, yaws=(0,), size=95, channel="texture", pose=STRAIGHT)[0]  # 2 mm a pixel: 80 pixels of wall
    assert view[0, 0].tolist() == [0, 0, 0]
    assert view[12, 12].tolist() == [255, 0, 0] and view[12, 82].tolist() == [0, 255, 0]
    assert view[82, 12].tolist() == [0, 0, 255] and view[82, 82].tolist() == [255, 255, 255]


def test_texture_against_a_loop_over_pixels(tmp_path):
    from PIL import Image

    wall = wall_of()
    Image.fromarray(wall.texture).save(tmp_path / "wall.png")
    size, picture = 19, wall.texture.astype(float)
    fast = project(wall, yaws=(0,), size=size, channel="texture", pose=STRAIGHT)[0]
    from_file = replace(wall, texture=tmp_path / "wall.png")
    np.testing.assert_array_equal(project(from_file, (0,), size, channel="texture", pose=STRAIGHT)[0], fast)
    for row in range(size):
        for column in range(size):
            x, y = (column + 0.5) / size * WINDOW - WINDOW / 2, WINDOW / 2 - (row + 0.5) / size * WINDOW
            if abs(x) >= 80 or abs(y) >= 80:
                continue
            across, down = np.clip([(x + 80) / 160 * 4 - 0.5, (80 - y) / 160 * 4 - 0.5], 0, 3)
            expected = np.zeros(3)
            for i in range(4):
                for j in range(4):
                    expected += max(0, 1 - abs(down - i)) * max(0, 1 - abs(across - j)) * picture[i, j]
            assert np.abs(fast[row, column] - expected).max() <= 1.0


def test_a_seam_in_the_texture_has_its_own_triangles():
    wall = wall_of()
    swapped = replace(wall, texture_coordinates=wall.texture_coordinates[[2, 3, 0, 1]],
                      texture_triangles=np.array([[2, 3, 0], [2, 0, 1]]))  # fmt: skip
    ways = [project(mesh, (0,), 32, channel="texture", pose=STRAIGHT) for mesh in (wall, swapped)]
    np.testing.assert_array_equal(*ways)


def test_depth_and_normals_have_their_units(face):
    wall = wall_of()
    assert np.unique(project(wall, (0,), 19, channel="depth", pose=STRAIGHT)).tolist() == [0, 128]  # at the pivot
    nearer = Pose(np.eye(3), np.array([0, 0, -40.0]))  # the nose tip is 20 mm before the wall, the pivot 40 behind it
    assert project(wall, (0,), 19, channel="depth", pose=nearer)[0, 9, 9, 0] == round(1 + 254 * 120 / 160)
    assert project(wall, (0,), 19, channel="normals", pose=STRAIGHT)[0, 9, 9].tolist() == [128, 128, 255]
    left = project(wall, (45,), 19, channel="normals", pose=STRAIGHT)[0, 9, 9]  # the wall looks to the image's left
    np.testing.assert_allclose(left, [127.5 - 127.5 * 0.5**0.5, 128, 127.5 + 127.5 * 0.5**0.5], atol=1)
    depth = project(face, (0,), 48, channel="depth")[0, ..., 0]
    assert np.abs(np.array(np.unravel_index(depth.argmax(), depth.shape)) - 24).max() <= 3  # the nose tip is foremost


def test_a_given_pose_is_used(face):
    moved = turned(face, np.eye(3), (0, 20, 0))
    pose = find_pose(face)
    views = [project(mesh, (0,), 38, pose=pose)[0, ..., 0] for mesh in (face, moved)]  # 5 mm a pixel
    assert np.abs(views[0][8:30].astype(int) - views[1][4:26]).mean() < 3


def test_wrong_channels_and_textures_are_told(face, tmp_path):
    with pytest.raises(ValueError, match="did you mean 'normals'"):
        project(face, channel="normal")
    with pytest.raises(ValueError, match="found no texture coordinates"):
        project(Mesh(face.vertices, face.triangles), channel="texture", pose=STRAIGHT)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="broken.jpg: expected a picture"):
        project(replace(wall_of(), texture=tmp_path / "broken.jpg"), channel="texture", pose=STRAIGHT)
    header = b"P6 60000 60000 255\n"  # claims 10 GB
    (tmp_path / "bomb.ppm").write_bytes(header)
    with pytest.raises(ValueError, match="bomb.ppm: expected a picture"):
        project(replace(wall_of(), texture=tmp_path / "bomb.ppm"), channel="texture", pose=STRAIGHT)
