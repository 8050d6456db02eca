"""Views: alignment, which cheek a view shows, and pixels against a loop over triangles."""

import numpy as np
import pytest

from mvlm.faces.anatomy import TRAITS
from mvlm.faces.head import Identity, head
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import find_pose
from mvlm.faces.sensors import rotation
from mvlm.faces.views import AMBIENT, DIFFUSE, LIGHT, PIVOT, WINDOW, normals, project

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


def test_alignment_without_landmarks_keeps_the_pose(face):
    bare = Mesh(face.vertices + [30, 10, 50], face.triangles)
    moved = align(bare) - bare.vertices
    np.testing.assert_allclose(moved, np.tile(moved[:1], (len(moved), 1)), atol=1e-9)
    assert np.abs(align(bare).max(0)[2]) < 2.0  # the nose tip is the foremost point


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
