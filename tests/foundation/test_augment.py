"""Changed pictures: what stays, whatever is changed."""

import numpy as np
import pytest
import torch

from mvlm.faces import dynamics
from mvlm.foundation.augment import augment


def squares(grey: int, background: int, count: int = 40) -> np.ndarray:
    pictures = np.full((count, 64, 64, 3), background, np.uint8)
    pictures[:, 20:44, 20:44] = grey
    return pictures


def test_the_background_of_a_still_face_stays_black_and_the_face_is_lit_anew():
    pixels = augment(squares(128, 0), np.zeros(40, bool), np.random.default_rng(0))
    assert pixels.shape == (40, 3, 64, 64) and pixels.dtype == torch.float32
    assert pixels.min() == 0 and pixels.max() <= 255 and pixels[:, :, :3].max() == 0
    assert len({round(float(one.max())) for one in pixels}) > 20
    assert all(one.max() > 60 for one in pixels)


def test_what_rests_stays_at_the_grey_of_rest():
    pixels = augment(np.full((40, 64, 64, 3), dynamics.REST, np.uint8), np.ones(40, bool), np.random.default_rng(0))
    assert torch.allclose(pixels, torch.full_like(pixels, float(dynamics.REST)))


def test_a_moving_face_is_brighter_and_darker_than_rest_by_one_factor():
    pictures = squares(200, dynamics.REST)
    pictures[:, 20:44, 32:44] = 56  # as far below rest as the other half is above
    for one in augment(pictures, np.ones(40, bool), np.random.default_rng(1)):
        above, below = float(one.max()) - dynamics.REST, dynamics.REST - float(one.min())
        assert above == pytest.approx(below, abs=1) or max(above, below) > 126  # but where it is cut at 0 or 255


def test_a_picture_is_mirrored_half_of_the_time_and_moved_by_a_few_pixels():
    left = squares(0, 0, 400)
    left[:, 20:44, 8:24] = 200
    columns = augment(left, np.zeros(400, bool), np.random.default_rng(2))[:, 0].sum(1)  # (N, 64)
    middle = (columns * torch.arange(64.0)).sum(1) / columns.sum(1)
    mirrored = middle > 31.5
    assert 150 < mirrored.sum() < 250
    assert abs(middle[~mirrored].mean() - 15.5) < 4 and middle[~mirrored].std() < 8


def test_the_same_draws_make_the_same_pictures():
    pictures, moving = squares(128, 0), np.arange(40) % 2 == 0
    one, two = (augment(pictures, moving, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one, two)
