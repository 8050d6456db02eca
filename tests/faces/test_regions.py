"""Regions of a face in its views."""

import numpy as np
import pytest

from mvlm.faces.pose import find_pose
from mvlm.faces.regions import PLACES, REGIONS, pixels, region_map, region_points, sampled, surface
from mvlm.faces.views import YAWS, project
from mvlm.twins.twin import Twin

CORPORA = ("BU-3DFE", "Bosphorus", "BU-4DFE", "BP4D")


def face_of(name: str):
    twin = Twin(name)
    item = next(item for item in twin.items if item.emotion == "happiness")
    return twin.read(item) if twin.scans else twin.read_frame(item, 0)


@pytest.fixture(scope="module", params=CORPORA)
def face(request: pytest.FixtureRequest):
    mesh = face_of(request.param)
    return mesh, find_pose(mesh)


def test_a_pixel_shows_the_point_that_lies_there(face):
    mesh, pose = face
    shown = surface(mesh, size=96, pose=pose)
    seen = project(mesh, size=96, pose=pose).any(-1)
    assert np.array_equal(np.isfinite(shown[..., 0]), seen)
    for view in range(3):
        rows, columns = np.nonzero(seen[view])
        back = pixels(shown[view, rows, columns], YAWS, 96)[view]
        assert np.allclose(back, np.column_stack([rows, columns]), atol=1e-9)
    own, front = pose.of(mesh.vertices), shown[0][seen[0]]
    apart = np.linalg.norm(own[:, None, :2] - front[None, ::40, :2], axis=-1)
    height = np.abs(own[apart.argmin(0), 2] - front[::40, 2])
    assert np.median(height) < 1.0  # mm: pixels show the surface of the mesh


def test_regions_lie_where_a_face_has_them(face):
    mesh, pose = face
    places = region_map(mesh, size=96, pose=pose)
    assert places.shape == (3, 96, 96) and set(np.unique(places)) == set(range(len(PLACES)))
    rows = {region: np.nonzero(places[0] == PLACES.index(region))[0].mean() for region in REGIONS}
    assert rows["brows"] < rows["eyes"] < rows["nose"] < rows["mouth"]
    assert rows["eyes"] < rows["cheeks"] < rows["mouth"]
    area = {region: (places == PLACES.index(region)).sum((1, 2)) / (places > 0).sum((1, 2)) for region in REGIONS}
    assert all(0.02 < share < 0.2 for shares in area.values() for share in shares)
    cheeks = places[0] == PLACES.index("cheeks")
    assert 0.6 < cheeks[:, :48].sum() / cheeks[:, 48:].sum() < 1.6
    # The camera on the subject's left sees more of the left cheek than the one on the right does.
    points = surface(mesh, size=96, pose=pose)
    cheek = (places == PLACES.index("cheeks")) & (points[..., 0] > 0)
    assert cheek[1].sum() > 2 * cheek[2].sum()


def test_without_landmarks_regions_are_those_of_the_average_head():
    mesh = face_of("BP4D")
    assert not mesh.landmarks
    pose = find_pose(mesh)
    found = region_points({}, pose)
    assert set(found) == set(REGIONS)
    assert found is region_points({"nose tip": np.zeros(3)}, pose)  # a nose alone is not enough
    assert found["brows"][:, 1].mean() > found["eyes"][:, 1].mean() > 0 > found["mouth"][:, 1].mean()


def test_heat_is_sampled_where_a_point_is_in_sight():
    mesh = face_of("BU-3DFE")
    pose = find_pose(mesh)
    shown = surface(mesh, pose=pose)
    heat = np.random.default_rng(0).random((3, 64, 64))
    points = np.array([*(shown[view, 30, 30] for view in range(3)), [0.0, 0.0, -150.0], [500.0, 0.0, 0.0]])
    found = sampled(heat, points, shown)
    assert np.allclose(found[[0, 1, 2], [0, 1, 2]], heat[:, 30, 30])
    assert np.isnan(found[:, 3]).all()  # behind the face
    assert np.isnan(found[:, 4]).all()  # out of the pictures
    ear = shown[1][np.isfinite(shown[1][..., 0])]
    ear = ear[ear[:, 0].argmax()]  # the leftmost that the left view shows
    assert np.isfinite(sampled(heat, ear[None], shown)[1, 0]) and np.isnan(sampled(heat, ear[None], shown)[2, 0])
