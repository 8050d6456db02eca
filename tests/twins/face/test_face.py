"""The face as a mesh: slits that close, what lies behind them, landmarks on the skin, and a picture that fits."""

import numpy as np
import pytest
from scipy.spatial import KDTree

from mvlm.faces.formats.landmarks import BND_NAMES, LM3_NAMES, other_side
from mvlm.faces.pose import Pose
from mvlm.faces.regions import PLACES, region_map
from mvlm.twins.face import face
from mvlm.twins.face.model import LOOPS, eyeball, model

SEEDS = range(12)
FRONT = Pose(np.eye(3), np.zeros(3))
CLOSED = ({}, {24: 1.2, 17: 1.2}, {23: 1.0}, {18: 1.0}, {15: 1.2, 17: 1.2})  # what leaves the lips on each other


@pytest.fixture(scope="module")
def people():
    return [face.sculpt(face.random_identity(np.random.default_rng(seed))) for seed in SEEDS]


@pytest.fixture(scope="module")
def average():
    traits = dict.fromkeys(("tone", "warmth", "flush", "freckles", "beard", "brows", "hair", "iris", "sex", "age"), 0.0)
    return face.sculpt(face.Identity(0.5, 0.3, 0.5, (1 / 3,) * 3, np.zeros(len(model().sliders)), traits))


def seen(mesh, yaw=0.0):
    """Square mm of eyeballs and of teeth that a camera far away sees."""
    import open3d

    c, s, step = np.cos(np.radians(yaw)), np.sin(np.radians(yaw)), 0.7
    turned = mesh.vertices @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]).T
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(np.ascontiguousarray(turned, np.float32), np.ascontiguousarray(mesh.triangles, np.uint32))
    x, y = np.meshgrid(np.arange(-80, 80, step), np.arange(-60, 60, step))
    rays = np.stack([x, y, np.full_like(x, 300), *(np.full_like(x, v) for v in (0, 0, -1))], -1).astype(np.float32)
    hits = scene.cast_rays(open3d.core.Tensor(rays))["primitive_ids"].numpy()
    first = mesh.triangles[hits[hits < len(mesh.triangles)], 0]
    skin = len(model().nostrils)
    teeth = skin + 2 * len(eyeball()[0])
    return step**2 * ((first >= skin) & (first < teeth)).sum(), step**2 * (first >= teeth).sum()


def test_it_is_a_scan_of_a_face(people):
    """From hairline to chin, without the neck; as many triangles as the corpora's scans have."""
    for bust in people:
        mesh = face.pose(bust, {})
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        assert 7000 < len(mesh.triangles) < 10000
        assert 120 < high[0] - low[0] < 175 and 140 < high[1] - low[1] < 215 and high[2] - low[2] < 110
        np.testing.assert_allclose(mesh.landmarks["nose tip"], 0, atol=1e-6)
    used = np.unique(mesh.triangles)
    assert len(used) == len(mesh.vertices)


def test_the_rim_is_smooth():
    """No edge of the rim turns by more than the corners of the cut do; it is one line, beside those of the slits."""
    m = model()
    skin = m.triangles[(m.triangles < len(m.nostrils)).all(1)]
    edges = np.sort(np.concatenate([skin[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
    found, times = np.unique(edges, axis=0, return_counts=True)
    assert times.max() == 2
    points = m.mixtures @ m.mean
    free = found[times == 1]
    free = free[(points[free, 2].max(1) < -40) | (points[free, 1].min(1) > 80)]
    after = {}
    for one, other in free.tolist():
        after.setdefault(one, []).append(other)
        after.setdefault(other, []).append(one)
    assert set(map(len, after.values())) == {2}
    long = [(at, *ends) for at, ends in after.items()
            if min(np.linalg.norm(points[at] - points[end]) for end in ends) > 1.0]  # fmt: skip
    turns = []
    for at, one, other in long:
        a, b = points[at] - points[one], points[other] - points[at]
        turns.append(np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))))
    assert np.median(turns) < 10 and max(turns) < 50


def test_the_average_face_is_its_own_mirror_image(average):
    mesh = face.pose(average, {4: 1.0, 12: 1.0, 43: 0.5})
    for name, point in mesh.landmarks.items():
        if other_side(name) != name:
            np.testing.assert_allclose(mesh.landmarks[other_side(name)] * [-1, 1, 1], point, atol=1.2)
    skin = face.pose(average, {}).vertices[: len(model().nostrils)]
    apart, _ = KDTree(skin).query(skin * [-1, 1, 1])
    assert np.median(apart) < 0.05 and np.percentile(apart, 99) < 0.6


@pytest.mark.parametrize("units", [{43: 1.0}, {43: 1.0, 6: 1.0, 7: 1.0}, {43: 1.2, 12: 1.0, 5: 0.5}])
def test_closed_lids_meet_and_hide_the_eye(people, units):
    for bust in people:
        mesh = face.pose(bust, units)
        for side in ("left", "right"):
            assert np.linalg.norm(bust.model.slits[side].gap(mesh.vertices), axis=1).max() < 1.0
        assert seen(mesh)[0] < 2.5 and seen(mesh, 45.0)[0] < 2.5  # of about 350: a ray between two edges


def test_lids_close_step_by_step_and_never_through_the_eye(people):
    m = model()
    for bust in people:
        before = np.inf
        for level in (0.0, 0.25, 0.5, 0.75, 1.0):
            skin = face.pose(bust, {43: level}).vertices
            height = m.slits["left"].gap(skin)[:, 1].mean()
            assert height < before
            before = height
            for k in (0, 1):
                away = np.linalg.norm(skin[m.lids[k][0]] - bust.eyes[k], axis=1)
                assert (away >= bust.lids[k][0] - 1e-6).all()


def test_a_wide_eye_and_a_tight_one_stay_open(people):
    for bust in people:
        wide, rest, tight = (
            bust.model.slits["right"].gap(face.pose(bust, units).vertices)[:, 1].mean()
            for units in ({5: 1.0}, {}, {7: 1.0, 6: 1.0})
        )
        assert wide > rest + 1 and rest > tight > 0.3


@pytest.mark.parametrize("units", CLOSED)
def test_closed_lips_touch_and_hide_the_teeth(people, units):
    for bust in people:
        mesh = face.pose(bust, units)
        assert np.abs(bust.model.slits["mouth"].gap(mesh.vertices)[:, 1]).max() < 1.5
        assert seen(mesh)[1] < 2.5 and seen(mesh, 45.0)[1] < 2.5


def test_an_open_mouth_shows_the_teeth(people):
    for bust in people:
        mesh = face.pose(bust, {26: 1.0, 25: 1.0})
        assert seen(mesh)[1] > 20
        assert bust.model.slits["mouth"].gap(mesh.vertices)[:, 1].max() > 15


def test_landmarks_of_lids_and_lips_lie_on_their_edges(people):
    m = model()
    edges = {name: {*slit.upper.tolist(), *slit.lower.tolist(), *slit.corners.tolist()}
             for name, slit in m.slits.items()}  # fmt: skip
    for side in ("left", "right"):
        names = [f"{side} eye {i}" for i in range(8)] + [f"{place} {side} eye corner" for place in ("inner", "outer")]
        assert {m.landmarks[name] for name in names} <= edges[side]
    names = ["left mouth corner", "right mouth corner", "upper lip inner middle", "lower lip inner middle",
             *(f"mouth {i}" for i in (0, 6, *range(12, 20)))]  # fmt: skip
    assert {m.landmarks[name] for name in names} <= edges["mouth"]
    for bust in people:  # and these are where the eye is seen to end, but for the caruncle
        at = face.pose(bust, {}).landmarks
        assert at["inner left eye corner"][0] < at["left eye 2"][0] < at["outer left eye corner"][0]
        assert at["left eye 2"][1] > at["left eye 6"][1] + 3


def test_landmarks_have_the_names_of_both_formats_and_move_with_the_skin(people):
    mesh = face.pose(people[0], {12: 1.0, 27: 0.5, 43: 1.0})
    assert set(mesh.landmarks) == {*BND_NAMES, *LM3_NAMES} - {"ear lobe left", "ear lobe right"}
    for name, vertex in model().landmarks.items():
        np.testing.assert_array_equal(mesh.landmarks[name], mesh.vertices[vertex])
    assert set(LOOPS) == set(model().slits)


def test_the_picture_lies_on_the_features():
    """Lips, brows and eyes of the picture are where the geometry has them."""
    m = model()
    who = face.random_identity(np.random.default_rng(3), sex="F", ancestry="WH")
    picture = face.texture(who, 256).astype(float)
    assert m.coordinates.min() >= 0 and m.coordinates.max() <= 1

    def colour(name):
        u, v = m.coordinates[m.landmarks[name]]
        return picture[int((1 - v) * 256), int(u * 256)]

    cheek, chin = colour("contour 3"), colour("chin middle")
    for name in ("left brow 1", "left brow 7", "right brow 2", "middle left eyebrow"):
        assert colour(name).sum() < 0.8 * cheek.sum()
    for name in ("left eye 2", "right eye 6"):
        assert colour(name).sum() < 0.8 * cheek.sum()
    for name in ("upper lip inner middle", "mouth 13"):
        assert colour(name)[0] > 1.2 * colour(name)[1] and colour(name).sum() < 0.85 * chin.sum()


def test_pictures_are_painted_like_those_of_the_formula_head():
    who = face.random_identity(np.random.default_rng(1))
    np.testing.assert_array_equal(face.texture(who, 64), face.texture(who, 64))
    assert face.texture(who, 64).shape == (64, 64, 3)
    with pytest.raises(ValueError, match="at least 16 pixels"):
        face.texture(who, 8)


def test_regions_are_where_the_face_has_them(average):
    """Fig. 7 on this face: each region from the front holds its own landmarks."""
    from mvlm.faces.regions import pixels

    mesh = face.pose(average, {})
    shown = region_map(mesh, (0.0,), 96, pose=FRONT)[0]
    for name, region in (("left brow 2", "brows"), ("right eye 2", "eyes"), ("nose tip", "nose"), ("mouth 3", "mouth")):
        row, column = np.rint(pixels(mesh.landmarks[name][None], (0.0,), 96)[0, 0]).astype(int)
        assert PLACES[shown[row, column]] == region
    share = {place: (shown == i).mean() / (shown > 0).mean() for i, place in enumerate(PLACES)}
    assert all(0.03 < share[region] < 0.25 for region in ("brows", "eyes", "nose", "mouth", "cheeks"))
