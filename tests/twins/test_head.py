"""The parametric head: tissue moves where the FACS manual says, in every identity, and slits open and close."""

from dataclasses import replace

import numpy as np
import pytest

from mvlm.twins.expressions import EMFACS, personal_style, sample_expression
from mvlm.twins.head.anatomy import TRAITS
from mvlm.twins.head.head import ACTION_UNITS, Identity, fingerprint, head, pose, random_identity, sculpt, texture
from mvlm.twins.head.template import template

AVERAGE = Identity(dict.fromkeys(TRAITS, 0.0), np.zeros((0, 5)), None)


@pytest.fixture(scope="module")
def rest():
    return head(AVERAGE, {})


def moved(rest, units, name):
    return head(AVERAGE, units).landmarks[name] - rest.landmarks[name]


@pytest.mark.parametrize(
    ("unit", "landmark", "axis", "sign", "least"),
    [
        (1, "inner left eyebrow", 1, 1, 5),
        (4, "inner left eyebrow", 0, -1, 2),
        (6, "left eye 6", 1, 1, 1),
        (11, "left nose peak", 1, 1, 0.3),
        (14, "left mouth corner", 0, 1, 3),
        (14, "left mouth corner", 2, -1, 2),
        (22, "lower lip inner middle", 1, -1, 2),
        (23, "left mouth corner", 0, -1, 2),
        (25, "lower lip inner middle", 1, -1, 3),
        (2, "outer left eyebrow", 1, 1, 5),
        (4, "inner left eyebrow", 1, -1, 4),
        (9, "left nose peak", 1, 1, 1),
        (10, "upper lip outer middle", 1, 1, 3),
        (12, "left mouth corner", 1, 1, 8),
        (12, "left mouth corner", 0, 1, 6),
        (15, "left mouth corner", 1, -1, 6),
        (16, "lower lip outer middle", 1, -1, 2),
        (17, "chin middle", 1, 1, 2),
        (18, "upper lip outer middle", 2, 1, 4),
        (20, "left mouth corner", 0, 1, 8),
        (24, "upper lip outer middle", 2, -1, 0.8),
        (26, "chin middle", 1, -1, 10),
        (27, "chin middle", 1, -1, 20),
        (5, "left eye 2", 1, 1, 2),
        (43, "left eye 2", 1, -1, 5),
        (7, "left eye 6", 1, 1, 1.5),
    ],
)
def test_an_action_unit_moves_its_tissue(rest, unit, landmark, axis, sign, least):
    assert sign * moved(rest, {unit: 1.0}, landmark)[axis] > least


def test_one_side_moves_alone(rest):
    both = moved(rest, {12: (1.0, 0.0)}, "left mouth corner"), moved(rest, {12: (1.0, 0.0)}, "right mouth corner")
    assert both[0][1] > 8 and np.linalg.norm(both[1]) < 0.5


def test_the_average_face_is_symmetric(rest):
    for name, point in rest.landmarks.items():
        if "left" in name:
            other = rest.landmarks[name.replace("left", "right")]
            np.testing.assert_allclose(point * [-1, 1, 1], other, atol=1e-6)
    for units in ({}, {unit: 0.5 for unit in ACTION_UNITS if unit not in (18, 22, 24)}):  # every vertex has its mirror
        skin = head(AVERAGE, units).vertices[: len(template(None).x)]
        ordered = [np.round(v[np.lexsort(np.round(v, 5).T)], 5) for v in (skin, skin * [-1, 1, 1])]
        np.testing.assert_allclose(*ordered, atol=2e-5)
    mirrored = head(AVERAGE, {12: (1.0, 0.2)}).landmarks, head(AVERAGE, {12: (0.2, 1.0)}).landmarks
    np.testing.assert_allclose(
        mirrored[0]["left mouth corner"] * [-1, 1, 1], mirrored[1]["right mouth corner"], atol=1e-6
    )


def test_the_lips_part_and_the_eyes_close(rest):
    gap = lambda mesh, a, b: mesh.landmarks[a][1] - mesh.landmarks[b][1]  # noqa: E731
    lips = ("upper lip inner middle", "lower lip inner middle")
    assert abs(gap(rest, *lips)) < 1e-9
    assert 4 < gap(head(AVERAGE, {25: 1.0}), *lips) < 10
    assert 30 < gap(head(AVERAGE, {25: 1.0, 27: 1.0}), *lips) < 55  # adults open 40-55 mm at most
    eye = ("left eye 2", "left eye 6")
    assert 7 < gap(rest, *eye) < 12


def slit(mesh, name):
    """(E, 3) from the lower to the upper edge of a slit."""
    upper, lower = template(None).rims[name][0]
    return mesh.vertices[upper] - mesh.vertices[lower]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_edges_meet_and_never_cross(seed):
    bust = sculpt(random_identity(np.random.default_rng(seed)))
    for unit in ACTION_UNITS:
        across = slit(pose(bust, {unit: 1.2}), "mouth")
        assert across[:, 1].min() > -1e-9
        if unit not in (9, 10, 16, 22, 25, 26, 27):  # the units that part lips
            np.testing.assert_allclose(across, 0, atol=1e-9, err_msg=f"action unit {unit}")
    for name in ("left", "right"):
        np.testing.assert_allclose(slit(pose(bust, {43: 1.0}), name), 0, atol=1e-6)
        assert slit(pose(bust, {6: 1.0, 7: 1.0, 9: 1.0}), name)[:, 1].min() > 0.3
    for units in ({17: 1.0, 25: 0.3}, {24: 1.0, 10: 0.5}, {15: 1.0, 17: 1.0, 16: 0.2}):  # pressed against a parting
        assert slit(pose(bust, units), "mouth")[:, 1].min() > -1e-9


def test_eyeballs_and_teeth_lie_behind(rest):
    t = template(None)
    for k, name in enumerate(("left", "right")):
        edge, rim = t.rims[name]
        ball = rest.vertices[len(t.x) + 71 * k : len(t.x) + 71 * (k + 1)]
        assert rest.vertices[edge, 2].min() > ball[:, 2].max() - 8
        for part, ahead in ((edge, 1), (rim, -1)):  # the lids' edges lie before the ball, their rims reach into it
            out = np.linalg.norm(rest.vertices[part] - (ball[0] - [0, 0, 18.0]), axis=-1) - 18.0
            assert (ahead * out > 0).all()
    teeth = rest.vertices[len(t.x) + 142 :]
    lips = rest.vertices[np.concatenate(t.rims["mouth"][0])]
    assert teeth[:, 2].max() < lips[abs(lips[:, 0]) < 10, 2].min() - 2


def test_inner_brow_raiser_wins_over_the_lowerer(rest):
    assert moved(rest, {1: 1.0, 4: 1.0}, "inner left eyebrow")[1] > 2


def test_intensity_is_linear_where_no_joint_turns(rest):
    half, full = (head(AVERAGE, {12: level}).vertices - rest.vertices for level in (0.5, 1.0))
    far = abs(template(None).y + 22) < 38  # away from the lids
    np.testing.assert_allclose(half[: len(far)][far] * 2, full[: len(far)][far], atol=1e-6)


def test_surface_is_a_face_scan(rest):
    assert len(rest.triangles) <= 8_800
    spans = np.ptp(rest.vertices, axis=0)
    assert 125 < spans[0] < 165 and 165 < spans[1] < 220  # mm
    assert {"nose tip", "left mouth corner", "left eye 7", "contour 14", "mouth 19"} <= rest.landmarks.keys()


def facing(mesh, triangles):
    corners = mesh.vertices[triangles]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]


def test_no_triangle_is_turned_over():
    t = template(None)
    rims = np.concatenate([rim.ravel() for _, rim in t.rims.values()])
    outer = t.triangles[~np.isin(t.triangles, rims).any(1)]  # rims are turned in on purpose
    for seed in range(6):
        face = head(random_identity(np.random.default_rng(seed)), {})
        x, y = abs(t.x[outer].mean(1)), t.y[outer].mean(1)
        # A nose may hang over the lip; a jaw turns under and its side away.
        assert (facing(face, outer)[(abs(y + 12) > 8) & (y > -80) & (x < 88)] > 0).all()


def test_the_skin_has_no_holes_but_its_border():
    triangles = template(None).triangles
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert count.max() == 2
    once = np.unique(edges, axis=0)[count == 1]
    t = template(None)
    rims = np.concatenate([rim.ravel() for _, rim in t.rims.values()])
    border = np.isin(t.x, [t.x.min(), t.x.max()]) | np.isin(t.y, [t.y.min(), t.y.max()])
    assert all(border[pair].all() or np.isin(pair, rims).all() for pair in once)


def test_cells_are_about_square():
    t = template(None)
    columns, rows = np.unique(t.x), np.unique(t.y)
    wide, high = np.diff(columns)[abs(columns[:-1]) < 45].max(), np.diff(rows)[rows[:-1] > 48].max()
    assert 0.6 < high / wide < 1.5  # the forehead's


def test_people_differ_and_stay_themselves():
    first, again, other = (head(random_identity(np.random.default_rng(seed)), {}) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert 1.0 < np.abs(first.vertices - other.vertices).mean() < 10
    variant = head(random_identity(np.random.default_rng(1), 3), {12: 1.0})
    assert np.abs(variant.vertices - head(random_identity(np.random.default_rng(1)), {12: 1.0}).vertices).mean() > 0.5


def test_age_deepens_folds_and_sex_widens_the_jaw():
    def apart(trait, score, unit, name):
        person = replace(AVERAGE, traits=AVERAGE.traits | {trait: score})
        return np.abs(head(person, {unit: 1.0}).landmarks[name] - head(person, {}).landmarks[name]).max()

    smile = [sculpt(replace(AVERAGE, traits=AVERAGE.traits | {"age": score})).wrinkled for score in (-1.5, 0, 2)]
    assert smile == sorted(smile) and smile[1] == 1
    jaw = [sculpt(replace(AVERAGE, traits=AVERAGE.traits | {"sex": score})).skin for score in (-1.0, 1.0)]
    low = abs(template(None).y + 60) < 10
    assert np.ptp(jaw[1][low, 0]) > 1.05 * np.ptp(jaw[0][low, 0])
    assert apart("age", 2.0, 12, "left mouth corner") > 6  # and an old face still smiles
    drawn = [random_identity(np.random.default_rng(seed), sex=sex).traits["sex"] for seed in range(5) for sex in "FM"]
    assert max(drawn[::2]) < 0 < min(drawn[1::2])
    with pytest.raises(ValueError, match="sex 'X': expected 'F', 'M' or None"):
        random_identity(np.random.default_rng(0), sex="X")


def test_wrinkles_are_deeper_than_a_sensor_sees_noise():
    t = template(None)
    for unit in (1, 2, 4, 6, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24):
        depth = np.linalg.norm(t.creases[unit], axis=2)
        assert 0.4 < depth.max() < 3, f"action unit {unit}"


def test_sculpt_then_pose_is_the_head():
    person = random_identity(np.random.default_rng(5))
    bust = sculpt(person)
    before = bust.skin.copy()
    for units in ({27: 1.0, 43: 0.5}, {12: (0.3, 0.6)}):
        posed, whole = pose(bust, units), head(person, units)
        np.testing.assert_array_equal(posed.vertices, whole.vertices)
    np.testing.assert_array_equal(bust.skin, before)


def test_textures_fit_their_faces():
    person = random_identity(np.random.default_rng(3))
    face, picture = head(person, {}), texture(person, 128)
    assert picture.shape == (128, 128, 3) and picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, texture(random_identity(np.random.default_rng(3)), 128))
    assert face.texture_coordinates.shape == (len(face.vertices), 2)
    assert 0 <= face.texture_coordinates.min() and face.texture_coordinates.max() <= 1

    def colour(vertex, of=picture):
        u, v = face.texture_coordinates[vertex]
        return of[int((1 - v) * len(of)), int(u * len(of))].astype(int)

    t = template(None)
    lip, cheek = (int(np.argmin((t.x - x) ** 2 + (t.y - y) ** 2)) for x, y in ((0, -40), (50, -10)))
    pupil, white, tooth = len(t.x), len(t.x) + 1 + 14 * 2, len(face.vertices) - 3 * 15 // 2
    redness = lambda rgb: rgb[0] / max(rgb[1], 1)  # noqa: E731
    assert redness(colour(lip)) > redness(colour(cheek)) + 0.1
    assert colour(pupil).max() < 40 and colour(white).min() > 150 and colour(tooth).sum() > 300
    tones = [
        texture(replace(person, traits=person.traits | {"tone": tone}), 64)[20, 10].mean() for tone in (-2, -1, 0, 1, 2)
    ]
    assert tones == sorted(tones, reverse=True) and tones[0] > 1.8 * tones[-1]
    with pytest.raises(ValueError, match="size 8: expected at least 16"):
        texture(person, 8)


def test_wrong_units_are_refused():
    with pytest.raises(ValueError, match="action unit 3 = 1.0: expected one of"):
        head(AVERAGE, {3: 1.0})
    with pytest.raises(ValueError, match=r"action unit 12 = 2: .*intensity in \[0, 1.5\]"):
        head(AVERAGE, {12: 2})


def test_fingerprint_follows_the_faces(monkeypatch):
    before = fingerprint()
    fingerprint.cache_clear()
    t = template(None)
    monkeypatch.setitem(t.units, 12, t.units[12] * 1.01)
    assert fingerprint() != before
    fingerprint.cache_clear()


def test_expressions_follow_the_published_shares():
    rng = np.random.default_rng(0)
    styles = [personal_style(rng) for _ in range(2000)]
    for emotion, shares in EMFACS.items():
        for unit, share in shares.items():
            assert np.mean([unit in style[emotion] for style in styles]) == pytest.approx(share, abs=0.04)
    means = [np.mean([sum(map(sum, sample_expression("anger", level, rng, s).values())) for s in styles[:300]])
             for level in (1, 2, 3, 4)]  # fmt: skip
    assert means == sorted(means) and means[0] < 0.55 * means[3]
    assert set(sample_expression("fear", 4, rng)) <= set(ACTION_UNITS)
    assert sample_expression("neutral", 0, rng) == {}
