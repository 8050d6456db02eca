"""Rank pooling: the published weights, loops over frames and pairs, and what a dynamic image shows."""

import numpy as np
import pytest

from mvlm.faces.dynamics import (
    FAINTEST,
    FORMS,
    REGULARISATION,
    REST,
    SHARE,
    dynamic_image,
    pooling_weights,
    rank_pool,
)

# Weights by the published code (Bilen et al. 2016), for T = 2..5 and 10.
HARMONIC = {
    1: [1.0],
    2: [-0.5, 0.5],
    3: [-1.333333, 0.666667, 0.666667],
    4: [-2.416667, 0.583333, 1.083333, 0.75],
    5: [-3.7, 0.3, 1.3, 1.3, 0.8],
    10: [-12.218651, -3.218651, 0.281349, 1.948016, 2.698016, 2.898016, 2.731349, 2.302778, 1.677778, 0.9],
}


@pytest.mark.parametrize("count", sorted(HARMONIC))
def test_weights_are_the_published_ones(count):
    np.testing.assert_allclose(pooling_weights(count), HARMONIC[count], atol=5e-7)


@pytest.mark.parametrize("count", range(2, 11))
def test_weights_against_loops(count):
    harmonic, linear = np.zeros(count), np.zeros(count)
    for q in range(1, count + 1):  # the first step of the gradient from d = 0, where every ordered pair is violated
        for t in range(1, q):
            for frame in range(1, count + 1):
                harmonic[frame - 1] += (frame <= q) / q - (frame <= t) / t
                linear[frame - 1] += (frame == q) - float(frame == t)
    np.testing.assert_allclose(pooling_weights(count), harmonic, atol=1e-12)
    np.testing.assert_allclose(pooling_weights(count, "linear"), linear, atol=1e-12)
    assert abs(pooling_weights(count).sum()) < 1e-9


@pytest.mark.parametrize("form", ["harmonic", "linear"])
def test_pooling_against_a_loop(form):
    frames = np.random.default_rng(0).integers(0, 256, (7, 2, 5, 4, 3), np.uint8)
    expected = np.zeros(frames.shape[1:])
    for weight, frame in zip(pooling_weights(7, form), frames, strict=True):
        expected += weight * frame
    pooled = rank_pool(frames, form)
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, expected, atol=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_one_frame_stands_for_itself(form):
    frame = np.random.default_rng(1).integers(0, 256, (1, 3, 4, 4, 3), np.uint8)
    np.testing.assert_array_equal(rank_pool(frame, form), frame[0])
    np.testing.assert_array_equal(dynamic_image(frame, form), frame[0])


def objective(d, frames):
    """The loss of "ranksvm" by its definition, a loop over ordered pairs."""
    means = [frames[: t + 1].mean(axis=0) for t in range(len(frames))]
    pairs = [(q, t) for q in range(len(frames)) for t in range(q)]
    hinges = sum(max(0.0, 1 - d @ means[q] + d @ means[t]) for q, t in pairs)
    return REGULARISATION / 2 * d @ d + hinges / len(pairs)


def scaled(frames):
    means = np.cumsum(frames, axis=0) / np.arange(1, len(frames) + 1)[:, None]
    squares = [((means[q] - means[t]) ** 2).sum() for q in range(len(frames)) for t in range(q)]
    return frames / np.sqrt(np.mean(squares))


@pytest.mark.parametrize("count", [2, 5, 12])
def test_rank_svm_is_at_its_minimum(count):
    rng = np.random.default_rng(count)
    frames = scaled(np.cumsum(rng.normal(0, 1, (count, 30)), axis=0))
    d = rank_pool(frames, "ranksvm").astype(float)
    lowest = objective(d, frames)
    assert lowest < objective(np.zeros(30), frames) and lowest < objective(rank_pool(frames), frames)
    for step in (1e-3, 1e-2, 1e-1):  # convex: no neighbour is lower, neither along a frame nor anywhere
        for towards in (*frames, *rng.normal(0, 1, (20, 30)), d):
            for sign in (1, -1):
                assert objective(d + sign * step * towards / np.linalg.norm(towards), frames) > lowest - 1e-6


def test_rank_svm_orders_the_running_means_of_a_steady_change():
    ramp = np.linspace(0, 1, 9)[:, None] * np.random.default_rng(3).normal(0, 1, 40) + 5.0
    d = rank_pool(ramp, "ranksvm")
    scores = (np.cumsum(ramp, axis=0) / np.arange(1, 10)[:, None]) @ d
    assert (np.diff(scores) > 0).all()
    assert np.corrcoef(d, rank_pool(ramp))[0, 1] > 0.999  # one direction only: all forms must find it


@pytest.mark.parametrize("form", FORMS)
def test_what_rests_vanishes_and_what_moves_has_its_sign(form):
    frames = np.full((9, 2, 12, 12, 3), 90, np.uint8)
    frames[:, 0, :4] = 0  # background
    np.testing.assert_array_equal(dynamic_image(frames, form), np.full((2, 12, 12, 3), REST))
    ramp = np.arange(9, dtype=np.uint8)[:, None, None, None] * 15
    frames[:, 1, 2:5, 2:5] = 60 + ramp
    frames[:, 1, 7:9, 7:9] = 200 - ramp
    picture = dynamic_image(frames, form)
    assert (picture[1, 2:5, 2:5] > 200).all() and (picture[1, 7:9, 7:9] < 56).all()
    assert (picture[0] == REST).all() and (picture[1, 10:] == REST).all()
    forth, back = (dynamic_image(f, "linear").astype(int) - REST for f in (frames, frames[::-1]))
    np.testing.assert_array_equal(forth, -back)


def test_a_hole_of_one_frame_does_not_rule_and_an_open_mouth_stays():
    rng = np.random.default_rng(4)
    frames = np.full((10, 1, 20, 20, 3), 120, np.uint8)
    frames[:, 0, :10] += np.arange(10, dtype=np.uint8)[:, None, None, None] * 3
    whole = dynamic_image(frames)
    for t in (0, 2, 4, 6, 9):  # the first frame, too, which weighs most
        frames[t, 0, 10 + t, rng.integers(0, 20)] = 0
    np.testing.assert_array_equal(dynamic_image(frames), whole)
    frames[4:, 0, 15, 5:15] = 0
    assert (dynamic_image(frames)[0, 15, 5:15] < 20).all()


def test_the_outline_of_a_moving_head_does_not_rule():
    rng = np.random.default_rng(6)
    frames = np.zeros((12, 1, 24, 24, 1), np.uint8)
    for t in range(12):
        frames[t, 0, 4:20, 4 : 12 + t // 2] = 100 + rng.integers(-2, 3, (16, 8 + t // 2, 1))  # the right edge wanders
        frames[t, 0, 8:12, 6:9] += np.uint8(4 * t)
    picture = dynamic_image(frames)[0, ..., 0].astype(int)
    assert np.abs(picture[8:12, 6:9] - REST).min() > 100
    assert np.abs(picture[:, 12:] - REST).max() < 40
    pooled = np.zeros((24, 24))
    for y, x in np.ndindex(24, 24):  # every background pixel here is outside
        values = frames[:, 0, y, x, 0].astype(float)
        if values.any():
            values[values == 0] = np.rint(values[values > 0].mean())
        pooled[y, x] = sum(w * v for w, v in zip(pooling_weights(12), values, strict=True))
    pooled /= np.abs(pooling_weights(12)).sum() / 2
    spread = max(np.quantile(np.abs(pooled[frames[:, 0, ..., 0].any(axis=0)]), SHARE), FAINTEST)
    np.testing.assert_allclose(picture, np.clip(REST + 127 * pooled / spread, 1, 255), atol=0.51)


def test_faint_noise_is_not_stretched():
    rng = np.random.default_rng(5)
    frames = (120 + rng.integers(-1, 2, (16, 1, 30, 30, 1))).astype(np.uint8)
    assert np.abs(dynamic_image(frames).astype(int) - REST).max() < 40


def test_wrong_input_is_told():
    with pytest.raises(ValueError, match="did you mean 'ranksvm'"):
        rank_pool(np.zeros((3, 2)), "rankSVM")
    with pytest.raises(ValueError, match="at least one"):
        rank_pool(np.zeros((0, 2)))
    with pytest.raises(ValueError, match="expected harmonic or linear"):
        pooling_weights(3, "ranksvm")
