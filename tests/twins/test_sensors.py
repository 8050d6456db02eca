"""Sensors: noise as stated, sequences that sway and are triangulated anew, textures that move along."""

from dataclasses import replace

import numpy as np
import pytest

from mvlm.twins.head import head
from mvlm.twins.sensors import SENSORS, Sensor, motion, rotation, scan

FACE = head.head(head.random_identity(np.random.default_rng(0)), {})
STILL = Sensor(noise=0, ripple=0, holes=0, pose=0, placement=0, landmark=0)


def corners(mesh):
    return mesh.vertices[mesh.triangles]


def test_a_perfect_sensor_changes_nothing():
    seen = scan(FACE, STILL, np.random.default_rng(0))
    np.testing.assert_allclose(corners(seen), corners(FACE), atol=1e-12)
    np.testing.assert_array_equal(seen.texture_coordinates[seen.triangles], FACE.texture_coordinates[FACE.triangles])


@pytest.mark.parametrize("name", ["BU-3DFE", "BU-4DFE", "BP4D", "4DME"])
def test_error_of_a_photogrammetric_sensor_is_the_published_one(name):
    sensor = replace(SENSORS[name], holes=0, moving=False)
    place = np.eye(3), np.zeros(3)
    errors = [scan(FACE, sensor, np.random.default_rng(seed), place).vertices - FACE.vertices for seed in range(20)]
    assert np.sqrt(np.mean([e[:, 2] ** 2 for e in errors])) == pytest.approx(0.2, rel=0.1)  # mm RMS
    assert np.abs([e[:, :2] for e in errors]).max() < 1e-9


def test_frames_are_triangulated_anew():
    sensor = replace(STILL, moving=True)
    frames = [scan(FACE, sensor, np.random.default_rng(seed)) for seed in (0, 1, 0)]
    np.testing.assert_array_equal(frames[0].vertices, frames[2].vertices)
    assert len(frames[0].vertices) != len(frames[1].vertices)  # another rim
    for frame in frames[:2]:  # the same surface in another order, but for the rim
        known = {tuple(point) for point in np.round(FACE.vertices, 9)}
        assert all(tuple(point) in known for point in np.round(frame.vertices, 9))
        assert len(FACE.triangles) * 0.9 < len(frame.triangles) < len(FACE.triangles)
        assert len(np.unique(frame.triangles)) == len(frame.vertices)  # no vertex that no triangle uses
        row = {tuple(point): i for i, point in enumerate(np.round(FACE.vertices, 9))}
        old = [row[tuple(point)] for point in np.round(frame.vertices, 9)]
        np.testing.assert_array_equal(frame.texture_coordinates, FACE.texture_coordinates[old])


def test_heads_sway_slowly():
    sensor = SENSORS["BP4D"]
    motions = [motion(sensor, np.random.default_rng(seed)) for seed in range(300)]
    yaw = np.array([[np.degrees(np.arctan2(m.at(t)[0][0, 2], m.at(t)[0][2, 2])) for t in (0, 0.04, 5)]
                    for m in motions])  # fmt: skip
    assert np.abs(yaw[:, 1] - yaw[:, 0]).max() < 4  # degrees between two frames
    assert np.std(yaw[:, 2] - yaw[:, 0]) == pytest.approx(np.sqrt(2) * sensor.sway, rel=0.25)
    held = motion(replace(sensor, sway=0.0), np.random.default_rng(0))
    np.testing.assert_array_equal(held.at(0.0)[0], held.at(7.0)[0])


def test_landmarks_move_along():
    turn, shift = rotation(20, -10, 5), np.array([1.0, 2.0, 3.0])
    seen = scan(FACE, STILL, np.random.default_rng(0), (turn, shift))
    for name, point in FACE.landmarks.items():
        np.testing.assert_allclose(seen.landmarks[name], turn @ point + shift, atol=1e-9)


def test_a_seam_survives():
    seam = replace(FACE, texture_coordinates=FACE.texture_coordinates[FACE.triangles].reshape(-1, 2),
                   texture_triangles=np.arange(FACE.triangles.size).reshape(-1, 3))  # fmt: skip
    sensor = replace(STILL, holes=3, moving=True)
    plain, seen = (scan(face, sensor, np.random.default_rng(0)) for face in (FACE, seam))
    np.testing.assert_array_equal(plain.texture_coordinates[plain.triangles],
                                  seen.texture_coordinates[seen.texture_triangles])  # fmt: skip
