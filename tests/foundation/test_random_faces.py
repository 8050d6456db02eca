"""Strangers: faces in reach of the head and of no twin, that move as said, each the same whoever else is made."""

import numpy as np
import pytest

from mvlm.faces import dynamics
from mvlm.foundation import random_faces
from mvlm.foundation.random_faces import HELD_OUT, UNITS, Draw, Face, Movement, random_face, random_movement
from mvlm.twins import expressions

STILLS, MOVING = Draw(96, 48, 0), Draw(64, 32, 0, 8)


def nothing(_shown: Face | Movement, _variant: int, rng: np.random.Generator) -> np.ndarray:
    """A renderer that draws noise."""
    return rng.integers(0, 255, (3, 8, 8, 3), np.uint8)


def test_faces_are_in_reach_of_the_head():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        face = random_face(rng)
        for movement in (face, random_movement(face, 8, rng)):
            assert all(0 <= side <= 1.5 for sides in movement.units.values() for side in sides)
        if not face.emotion:
            assert not any(set(pair) <= set(face.units) for pair in expressions.CLASHES)


def variants_of(draw: Draw) -> list[int]:
    """The variant of the head of each face of a draw."""
    variants = []

    def noting(shown, variant, rng):
        variants.append(variant)
        return nothing(shown, variant, rng)

    random_faces.some_faces(draw.indices.tolist(), draw, noting)
    return variants


def test_no_twin_and_no_other_kind_shares_a_head():
    groups = []
    for draw in (STILLS, MOVING):
        variants = variants_of(draw)
        assert all(isinstance(variant, int) for variant in variants)  # a twin's variant is None
        groups += [set(variants[: draw.count]), set(variants[draw.count :])]
    assert len(groups) == 4 and len(set().union(*groups)) == sum(map(len, groups))


def test_a_movement_rises_and_falls_below_its_face():
    rng, shapes = np.random.default_rng(3), []
    for _ in range(300):
        face = Face({12: (0.8, 0.6), 6: (0.5, 0.5)}, "happiness")
        movement = random_movement(face, 16, rng)
        assert len(movement.frames) == 16 and movement.emotion == "happiness"
        strength = np.array([units.get(12, (0.0, 0.0)) for units in movement.frames])
        assert (strength <= np.array([0.8, 0.6]) + 1e-12).all()
        np.testing.assert_allclose(strength[:, 1], 0.75 * strength[:, 0])  # the sides move together
        assert movement.units.get(12, (0.0, 0.0))[0] == strength[:, 0].max()
        shapes.append(strength[:, 0])
    shapes = np.array(shapes)
    peaks = shapes.max(axis=1)
    assert (peaks > 0.6).mean() > 0.7  # most show their face whole
    moving = shapes[peaks > 0.6]
    assert (moving.argmax(axis=1) % 15 > 0).mean() > 0.6  # the height lies within
    turns = (np.diff(np.sign(np.diff(np.where(moving > 0.05, moving, 0.0), axis=1)), axis=1) != 0).sum(axis=1)
    assert turns.max() > 3 * np.median(turns) / 2  # some come in bursts


def test_a_course_is_a_raised_cosine():
    class Fixed:
        def uniform(self, low, high, size):
            assert (low, high, size) == (0.2, 0.5, 2)
            return 0.5, 0.25

    got = random_faces._course(np.linspace(0, 1, 9), [(0.0, 1.0, 0.8)], 0.0, Fixed())
    np.testing.assert_allclose(got[[0, 2, 4, 6, 7, 8]], [0, 0.4, 0.8, 0.8, 0.4, 0], atol=1e-12)


def test_faces_do_not_depend_on_how_the_work_is_shared():
    for draw in (STILLS, MOVING):
        whole, alone = (random_faces.some_faces(indices, draw, nothing) for indices in (range(3, 7), [5]))
        assert all(np.array_equal(values[2], value[0]) for values, value in zip(whole, alone, strict=True))
    assert not np.array_equal(
        random_faces.some_faces([5], STILLS, nothing).images, random_faces.some_faces([5], MOVING, nothing).images
    )
    held_out = random_faces.some_faces(range(HELD_OUT, HELD_OUT + 34), MOVING, nothing)
    more = random_faces.some_faces(range(HELD_OUT, HELD_OUT + 34), MOVING._replace(count=7), nothing)
    assert all(np.array_equal(a, b) for a, b in zip(held_out, more, strict=True))
    assert (held_out.emotions[::2] == "").all() and "" not in held_out.emotions[1::2]


def test_the_cache_is_found_again_and_moves_with_the_draw(tmp_path):
    made = []

    def counted(shown, variant, rng):
        made.append(variant)
        return nothing(shown, variant, rng)

    draw = Draw(6, 2, 0, 4)
    first = random_faces.render_faces(draw, jobs=1, cache=tmp_path, renderer=counted)
    again = random_faces.render_faces(draw, jobs=1, cache=tmp_path, renderer=counted)
    assert len(made) == 8 and all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first.units.shape == (8, len(UNITS)) and not list(tmp_path.glob("*.*"))
    random_faces.render_faces(draw._replace(frames=5), jobs=1, cache=tmp_path, renderer=counted)
    assert len(made) == 16


def test_the_head_is_rendered_as_three_different_views():
    views = random_faces.render(Face({12: (1.0, 1.0), 26: (0.8, 0.8)}, "happiness"), 3, np.random.default_rng(5))
    assert views.shape == (3, 64, 64, 3) and views.dtype == np.uint8
    assert (views > 0).mean(axis=(1, 2, 3)).min() > 0.2
    assert np.abs(views[1].astype(int) - views[2]).mean() > 5


def test_a_moving_head_is_rendered_as_dynamic_images():
    smile = {12: (1.0, 1.0), 26: (0.8, 0.8)}
    views = random_faces.render(Movement(({}, {}, smile, smile), "happiness"), 3, np.random.default_rng(5))
    assert views.shape == (3, 64, 64, 3) and views.dtype == np.uint8
    corner = views[:, :4, :4]
    assert (corner == dynamics.REST).all()  # nothing moves beside the face
    moves = np.abs(views[0, ..., 0].astype(int) - dynamics.REST)
    assert moves[40:50, 22:42].mean() > 2 * moves[10:20, 22:42].mean()  # the mouth more than the brow


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames_are_a_movement_too(frames):
    movement = random_movement(Face({1: (0.5, 0.5)}, ""), frames, np.random.default_rng(0))
    assert len(movement.frames) == frames
