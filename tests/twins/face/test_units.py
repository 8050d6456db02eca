"""Action units on MakeHuman's face: the right tissue on the right side, and FACS' rules of combination."""

import numpy as np
import pytest

from mvlm.twins.face import face, units
from mvlm.twins.face.model import model


@pytest.fixture(scope="module")
def bust():
    traits = dict.fromkeys(("tone", "warmth", "flush", "freckles", "beard", "brows", "hair", "iris", "sex", "age"), 0.0)
    return face.sculpt(face.Identity(0.5, 0.3, 0.5, (1 / 3,) * 3, np.zeros(len(model().sliders)), traits))


@pytest.fixture(scope="module")
def rest(bust):
    return face.pose(bust, {})


def moved(bust, rest, shown, name):
    return face.pose(bust, shown).landmarks[name] - rest.landmarks[name]


@pytest.mark.parametrize(
    ("unit", "landmark", "axis", "sign", "least"),
    [
        (1, "inner left eyebrow", 1, 1, 5),
        (2, "outer left eyebrow", 1, 1, 5),
        (4, "inner left eyebrow", 1, -1, 3),
        (4, "inner left eyebrow", 0, -1, 2),
        (5, "left eye 2", 1, 1, 2),
        (6, "left eye 6", 1, 1, 0.5),
        (7, "left eye 6", 1, 1, 1.5),
        (9, "left nose peak", 1, 1, 1.5),
        (9, "inner left eyebrow", 1, -1, 2),
        (10, "upper lip outer middle", 1, 1, 3),
        (12, "left mouth corner", 1, 1, 8),
        (12, "left mouth corner", 0, 1, 5),
        (14, "left mouth corner", 0, 1, 3),
        (14, "left mouth corner", 2, -1, 2),
        (15, "left mouth corner", 1, -1, 4),
        (16, "lower lip inner middle", 1, -1, 2),
        (17, "lower lip outer middle", 1, 1, 2),
        (18, "upper lip outer middle", 2, 1, 4),
        (18, "left mouth corner", 0, -1, 2),
        (20, "left mouth corner", 0, 1, 4),
        (22, "lower lip inner middle", 1, -1, 4),
        (23, "left mouth corner", 0, -1, 0.8),
        (24, "upper lip outer middle", 2, -1, 0.8),
        (25, "lower lip inner middle", 1, -1, 2),
        (26, "chin middle", 1, -1, 10),
        (27, "chin middle", 1, -1, 25),
        (43, "left eye 2", 1, -1, 5),
    ],
)
def test_an_action_unit_moves_its_tissue(bust, rest, unit, landmark, axis, sign, least):
    assert sign * moved(bust, rest, {unit: 1.0}, landmark)[axis] > least


@pytest.mark.parametrize("unit", [unit for unit in face.ACTION_UNITS if unit not in (26, 27)])  # both turn one jaw
def test_one_side_moves_alone(bust, rest, unit):
    """Of what moves, nearly all lies on the subject's left, at +x."""
    count = len(model().nostrils)
    side = rest.vertices[:count, 0]
    for intensities, towards in (((1.0, 0.0), 1), ((0.0, 1.0), -1)):
        way = np.linalg.norm(face.pose(bust, {unit: intensities}).vertices[:count] - rest.vertices[:count], axis=1)
        own, other = way[towards * side > 8].max(), way[towards * side < -8].max()
        # 16 draws the whole lower lip a little to its side, 25 opens the jaw by 2 mm.
        assert own > 0.3 and other < (0.75 if unit in (16, 25) else 0.25) * own


def test_inner_brows_rise_and_draw_together(bust, rest):
    """1+4: neither the lifting nor the drawing together is lost."""
    both = moved(bust, rest, {1: 1.0, 4: 1.0}, "inner left eyebrow")
    assert both[1] > 3 and both[0] < -2
    alone = moved(bust, rest, {4: 1.0}, "inner left eyebrow")
    assert alone[1] < -3


def test_what_nine_has_lifted_ten_does_not_lift_again(bust, rest):
    lip = {shown: moved(bust, rest, dict.fromkeys(shown, 1.0), "upper lip outer middle")[1]
           for shown in ((9,), (10,), (9, 10))}  # fmt: skip
    assert max(lip[9,], lip[10,]) <= lip[9, 10] < 0.9 * (lip[9,] + lip[10,])


def test_tightened_lips_are_not_pressed_lips(bust, rest):
    """23 narrows the mouth, 24 does not; 24 flattens the red more."""

    def red(shown):
        at = face.pose(bust, shown).landmarks
        return at["upper lip outer middle"][1] - at["lower lip outer middle"][1]

    narrow = [moved(bust, rest, {unit: 1.0}, "left mouth corner")[0] for unit in (23, 24)]
    assert narrow[0] < -0.8 < -0.5 < narrow[1]
    assert red({24: 1.0}) < red({23: 1.0}) < red({})


def test_the_jaw_turns_about_its_hinge(bust):
    """27 opens the teeth by 50 mm, 26 by half, no two units by more; half way is on the arc and not on its chord."""
    assert units.opening(units.sides({27: 1.0})) == 50 and units.opening(units.sides({26: 1.0})) == 25
    assert units.opening(units.sides({26: 1.5, 27: 1.5})) == 50
    assert units.opening(units.sides({25: 1.0, 26: 0.8, 27: 0.3})) == 20  # the widest alone counts
    edge = -len(bust.lower_teeth)
    start, half, full = (face.pose(bust, {26: level}).vertices[edge:] for level in (0.0, 0.5, 1.0))
    arm = [np.linalg.norm(points[:, 1:] - bust.model.jaw.hinge, axis=1) for points in (start, half, full)]
    np.testing.assert_allclose(arm[1], arm[0], atol=1e-9)
    np.testing.assert_allclose(arm[2], arm[0], atol=1e-9)


def test_half_the_intensity_is_half_the_way(bust, rest):
    for unit, landmark in ((12, "left mouth corner"), (1, "inner left eyebrow"), (9, "left nose peak")):
        half, whole = (moved(bust, rest, {unit: level}, landmark) for level in (0.5, 1.0))
        np.testing.assert_allclose(half, whole / 2, atol=1e-6)


def test_eleven_has_no_target_and_shows_as_a_furrow(bust, rest):
    way = np.linalg.norm(face.pose(bust, {11: 1.0}).vertices - rest.vertices, axis=1)
    assert 0.5 < way.max() < 2.0
    assert way[list(model().landmarks.values())].max() < 1.0


def test_every_exception_is_of_a_unit_that_has_the_action():
    for unit, action in units.OTHERWISE:
        assert action in units.ACTIONS[unit][1]
    for name, parts in units.ACTIONS.values():
        assert name and all(isinstance(part, str) for part in parts)


@pytest.mark.parametrize("wrong", [{3: 0.5}, {12: 1.6}, {12: -0.1}, {12: (0.5, 1.6)}, {4: float("nan")}])
def test_wrong_units_are_said(bust, wrong):
    unit = next(iter(wrong))
    with pytest.raises(ValueError, match=rf"action unit {unit} = .*expected one of \[1, 2, 4.*intensity in \[0, 1.5\]"):
        face.pose(bust, wrong)


def test_an_intensity_of_nought_is_no_unit(bust, rest):
    np.testing.assert_array_equal(face.pose(bust, {12: 0.0, 43: (0.0, 0.0)}).vertices, rest.vertices)
