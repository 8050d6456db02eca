"""Upright by the corners of the eyes and subnasale: the definition, known turns, and the lip that is no nose."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvlm.faces.formats.landmarks import BND_NAMES, LM3_NAMES
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import FORWARD, Marks, align, find_pose, marked, upright
from mvlm.twins.head.anatomy import TRAITS
from mvlm.twins.head.head import Identity, head, random_identity
from mvlm.twins.sensors import SENSORS, rotation, scan
from mvlm.twins.twin import Dials, Twin

AVERAGE = Identity(dict.fromkeys(TRAITS, 0.0), np.zeros((0, 5)), None)
KINDS = {"83 points": BND_NAMES, "22 points": LM3_NAMES, "none": ()}
TURNS = [(25, 0, 0), (-25, 0, 0), (0, 25, 0), (0, -25, 0), (0, 0, 15), (15, -15, -8), (-18, 17, 10)]


def kept(mesh, kind):
    return replace(mesh, landmarks={name: p for name, p in mesh.landmarks.items() if name in KINDS[kind]})


def turned(mesh, turn, shift=(9, -7, 30)):
    marks = {name: turn @ point + shift for name, point in mesh.landmarks.items()}
    return replace(mesh, vertices=mesh.vertices @ turn.T + shift, landmarks=marks)


def apart(one, other):
    return np.degrees(Rotation.from_matrix(one @ other.T).magnitude())


def naive_upright(across, low):
    """The same by angles: level the line of the eyes by yaw and roll, then pitch until subnasale lies right."""
    level = Rotation.from_rotvec(-np.arctan2(across[1], np.hypot(across[0], across[2])) * np.array([0, 0, 1.0]))
    level *= Rotation.from_rotvec(np.arctan2(across[2], across[0]) * np.array([0, 1.0, 0]))
    _, y, z = level.apply(low)
    pitch = np.radians(FORWARD) - np.arctan2(z, -y)
    return (Rotation.from_rotvec(-pitch * np.array([1.0, 0, 0])) * level).as_matrix()


def test_the_rotation_is_what_the_definition_says():
    for turn in [np.eye(3), *(rotation(*angles) for angles in TURNS)]:
        angle = np.radians(FORWARD)
        low = turn @ (3.0, -40 * np.cos(angle), 40 * np.sin(angle))  # a nose that bends does not count
        np.testing.assert_allclose(upright(turn @ (1.0, 0, 0), low), turn.T, atol=1e-12)
        np.testing.assert_allclose(naive_upright(turn @ (1.0, 0, 0), low), turn.T, atol=1e-12)


def test_a_synthetic_face_is_upright_as_defined():
    """A face made of a profile drawn so that subnasale is where the definition wants it."""
    y, z = np.array([(8, -12), (0, -8), (-12, 12), (-30, 34), (-34, 40), (-40, 34), (-46, 27), (-52, 29), (-60, 33),
                     (-66, 27), (-90, 24)], float).T  # fmt: skip
    fine = np.arange(8, -90, -1.0)
    depth = np.interp(-fine, -y, z)
    x = np.arange(-60, 61, 2.0)
    points = np.stack([np.tile(x, len(fine)), np.repeat(fine, len(x)), np.repeat(depth, len(x))], 1)
    points[:, 2] -= 0.01 * points[:, 0] ** 2
    found, low = align(points, Marks(np.array([31.0, 0, 0]), np.array([-31.0, 0, 0]), np.array([0, -43.0, 25])))
    np.testing.assert_allclose(low, (0, -46, 27), atol=1.5)
    x, y, z = found.turn @ low
    assert np.degrees(np.arctan2(z, -y)) == pytest.approx(FORWARD) and abs(x) < 0.5
    np.testing.assert_allclose(found.turn[0], (1, 0, 0), atol=1e-12)
    assert found.tip[1] == pytest.approx(-34, abs=3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("units", [{}, {1: 1, 2: 1, 5: 1, 27: 1}, {6: 1, 12: 1, 25: 0.7}])
def test_a_turned_scan_is_followed(kind, units):
    face = head(random_identity(np.random.default_rng(4)), units)
    sensor = replace(SENSORS["Bosphorus"], holes=4.0, pose=0.0, placement=0.0)
    face = kept(scan(face, sensor, np.random.default_rng(2)), kind)
    first = find_pose(face)
    for angles in TURNS:
        turn = rotation(*angles)
        found = find_pose(turned(face, turn))
        assert apart(found.turn @ turn, first.turn) < 3.0
        assert np.linalg.norm(found.tip - turn @ first.tip - (9, -7, 30)) < 3.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_protruding_lip_is_no_nose(kind):
    plain = head(AVERAGE, {})
    x, y, z = plain.vertices.T
    shorter = 14 * np.exp(-((x / 12) ** 2) - (y / 10) ** 2)
    fuller = 20 * np.exp(-((x / 22) ** 2) - ((y + 26) / 7) ** 2)
    points = np.column_stack([x, y, z - shorter + fuller])
    rows = {name: np.linalg.norm(plain.vertices - point, axis=1).argmin() for name, point in plain.landmarks.items()}
    odd = kept(replace(plain, vertices=points, landmarks={name: points[row] for name, row in rows.items()}), kind)
    known = find_pose(kept(plain, kind))
    found = find_pose(odd)
    assert apart(found.turn, known.turn) < 5 and abs(found.tip[1] - known.tip[1]) < 6


def test_landmarks_and_shape_agree():
    for seed in range(4):
        face = head(random_identity(np.random.default_rng(seed)), {4: 0.6, 26: 0.5})
        poses = [find_pose(kept(face, kind)) for kind in KINDS]
        for pose in poses[1:]:
            assert apart(pose.turn, poses[0].turn) < 5 and np.linalg.norm(pose.tip - poses[0].tip) < 3


def test_the_ring_of_an_eye_may_begin_anywhere():
    face = head(AVERAGE, {5: 1.0})
    rings = {f"{side} eye {i}": face.landmarks[f"{side} eye {(i + 4) % 8}"] for side in ("left", "right")
             for i in range(8)}  # fmt: skip
    known, found = marked(kept(face, "83 points").landmarks), marked(kept(face, "83 points").landmarks | rings)
    np.testing.assert_allclose(known[:3], found[:3])
    assert marked({name: p for name, p in face.landmarks.items() if "right eye" not in name}) is None


def test_a_face_without_a_nose_still_has_a_pose():
    face = kept(head(AVERAGE, {}), "22 points")
    hole = np.abs(face.vertices[face.triangles][..., 0]).max(1) < 16
    hole &= np.abs(face.vertices[face.triangles][..., 1]).max(1) < 30
    used, triangles = np.unique(face.triangles[~hole], return_inverse=True)
    found = find_pose(Mesh(face.vertices[used], triangles.reshape(-1, 3), face.landmarks))
    assert np.isfinite(found.tip).all() and apart(found.turn, find_pose(face).turn) < 12


def test_no_chance_is_in_it():
    face = kept(head(random_identity(np.random.default_rng(5)), {}), "none")
    one, other = find_pose(face), find_pose(face)
    np.testing.assert_array_equal(one.turn, other.turn)
    np.testing.assert_array_equal(one.tip, other.tip)


def test_teeth_between_lips_that_are_drawn_up_are_not_the_base_of_the_nose():
    twin = Twin("BU-3DFE", Dials(pose=0.0))
    scans = {scan.code + str(scan.level): scan for scan in twin.scans if scan.subject == "F0003"}
    rest, smile = (find_pose(twin.read(scans[name])) for name in ("NE0", "HA4"))
    assert apart(rest.turn, smile.turn) < 5
