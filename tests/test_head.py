"""The parametric head: tissue moves where the FACS manual says, in every identity, and slits open and close."""

import numpy as np
import pytest

from mvlm.faces.anatomy import TRAITS
from mvlm.faces.expressions import EMFACS, personal_style, sample_expression
from mvlm.faces.head import ACTION_UNITS, Identity, fingerprint, head, random_identity
from mvlm.faces.template import template

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


def test_the_lips_part_and_the_eyes_close(rest):
    gap = lambda mesh, a, b: mesh.landmarks[a][1] - mesh.landmarks[b][1]  # noqa: E731
    lips = ("upper lip inner middle", "lower lip inner middle")
    assert abs(gap(rest, *lips)) < 1e-9
    assert 4 < gap(head(AVERAGE, {25: 1.0}), *lips) < 10
    assert 30 < gap(head(AVERAGE, {25: 1.0, 27: 1.0}), *lips) < 55  # adults open 40-55 mm at most
    eye = ("left eye 2", "left eye 6")
    assert 7 < gap(rest, *eye) < 12
    assert abs(gap(head(AVERAGE, {43: 1.0}), *eye)) < 0.3


def test_inner_brow_raiser_wins_over_the_lowerer(rest):
    assert moved(rest, {1: 1.0, 4: 1.0}, "inner left eyebrow")[1] > 2


def test_intensity_is_linear_where_no_joint_turns(rest):
    half, full = (head(AVERAGE, {12: level}).vertices - rest.vertices for level in (0.5, 1.0))
    far = abs(template(None).y + 20) < 40  # away from the lids
    np.testing.assert_allclose(half[: len(far)][far] * 2, full[: len(far)][far], atol=1e-6)


def test_surface_is_a_face_scan(rest):
    assert len(rest.triangles) < 9_000
    spans = np.ptp(rest.vertices, axis=0)
    assert 130 < spans[0] < 165 and 170 < spans[1] < 220  # mm
    corners = rest.vertices[rest.triangles]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]
    assert (facing > 0).mean() > 0.95  # outside is towards the camera
    assert {"nose tip", "left mouth corner", "left eye 7", "contour 14", "mouth 19"} <= rest.landmarks.keys()


def test_people_differ_and_stay_themselves():
    first, again, other = (head(random_identity(np.random.default_rng(seed)), {}) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert 1.0 < np.abs(first.vertices - other.vertices).mean() < 10
    variant = head(random_identity(np.random.default_rng(1), 3), {12: 1.0})
    assert np.abs(variant.vertices - head(random_identity(np.random.default_rng(1)), {12: 1.0}).vertices).mean() > 0.5


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
