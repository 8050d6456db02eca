"""The pose of a face through a sequence: against the motion that a twin knows, and frames that show too little."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mvlm.faces.corpora.items import evenly_spaced
from mvlm.faces.dynamics import dynamic_image
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import find_pose
from mvlm.faces.registration import lay, upper_face
from mvlm.faces.tracking import Track
from mvlm.faces.views import project
from mvlm.samples import open_corpus
from mvlm.twins import rosters
from mvlm.twins.head.head import head, random_identity
from mvlm.twins.sensors import rotation

WHO = random_identity(np.random.default_rng(3))


def moved(mesh, angles, shift):
    """The mesh after a rotation by yaw, pitch, roll and a shift; without landmarks."""
    return Mesh(mesh.vertices @ rotation(*angles).T + np.array(shift, float), mesh.triangles)


def apart(one, other):
    """Degrees and mm between two poses of the same mesh."""
    turn = Rotation.from_matrix(one.turn @ other.turn.T).magnitude()
    return np.degrees(turn), np.linalg.norm(one.of(other.tip))


def test_the_first_frame_is_posed_by_itself():
    face = moved(head(WHO, {}), (5, 3, -2), (4, 5, 6))
    first, alone = Track()(face), find_pose(face)
    np.testing.assert_array_equal(first.turn, alone.turn)
    np.testing.assert_array_equal(first.tip, alone.tip)


@pytest.mark.parametrize("angles", [(3, 1, 0), (-12, 6, 3), (18, -9, -5)])
@pytest.mark.parametrize("units", [{}, {12: 1.0, 6: 1.0, 25: 0.8, 26: 1.0}, {1: 1.0, 2: 1.0, 5: 1.0, 27: 1.0}])
def test_a_head_is_followed_whatever_its_face_does(angles, units):
    rest = moved(head(WHO, {}), (2, 2, 1), (1, 2, 3))
    track = Track()
    first = track(rest)
    shift = (11.0, -7.0, 9.0)
    found = track(moved(head(WHO, units), angles, shift))
    # what the first pose was of a point before it was moved, the second must be after
    turn, back = rotation(*angles), rotation(2, 2, 1)
    truth = first._replace(
        turn=first.turn @ back @ turn.T,
        tip=turn @ (back.T @ (first.tip - np.array([1.0, 2.0, 3.0]))) + np.array(shift),
    )
    degrees, distance = apart(found, truth)
    assert degrees < 1.0 and distance < 3.5  # raised brows draw it up a little


@pytest.mark.parametrize("corpus, place", [("BP4D", 13), ("BP4D", 210), ("BU-4DFE", 77)])
def test_the_motion_of_a_twins_head_is_undone(corpus, place):
    twin = open_corpus(corpus)
    sequence = twin.sequences[place]
    track, seen = Track(), []
    for number in evenly_spaced(len(sequence.frames), 8):
        now = track(twin.read_frame(sequence, int(number)))
        seconds = (sequence.frames[number].number - rosters.FIRST[corpus]) / sequence.fps
        turn, shift = twin._recording(sequence).motion.at(seconds)
        # how the resting head, before it is moved, comes to lie in the pose that was found: ever the same
        seen.append((now.turn @ turn, now.turn @ (shift - now.tip)))
    for turn, shift in seen[1:]:
        assert np.degrees(Rotation.from_matrix(turn @ seen[0][0].T).magnitude()) < 1.6
        assert np.linalg.norm(shift - seen[0][1]) < 2.5


def test_a_head_that_only_turns_leaves_no_motion():
    poses = [(0, 0, 0), (4, 1, 0), (9, -2, 1), (13, -4, 2)]
    frames = [moved(head(WHO, {}), angles, (angles[0], 2, 0)) for angles in poses]
    track, kept = Track(), find_pose(frames[0])
    followed = dynamic_image(np.stack([project(face, pose=track(face))[..., :1] for face in frames])).astype(int)
    fixed = dynamic_image(np.stack([project(face, pose=kept)[..., :1] for face in frames])).astype(int)
    assert np.abs(followed - 128).mean() < 0.35 * np.abs(fixed - 128).mean()


def test_a_frame_that_is_mostly_a_hole_keeps_the_pose_before():
    rest = moved(head(WHO, {}), (0, 0, 0), (0, 0, 0))
    track = Track()
    track(rest)
    before = track(moved(head(WHO, {}), (6, 0, 0), (2, 0, 0)))
    chin = rest.triangles[(rest.vertices[rest.triangles][..., 1] < rest.vertices[:, 1].min() + 25).all(1)]
    assert 0 < len(chin) < len(rest.triangles) / 4
    used, triangles = np.unique(chin, return_inverse=True)
    after = track(replace(rest, vertices=rest.vertices[used], triangles=triangles.reshape(chin.shape)))
    np.testing.assert_array_equal(after.turn, before.turn)
    np.testing.assert_array_equal(after.tip, before.tip)


def test_nothing_near_the_guess_does_not_fit():
    face = moved(head(WHO, {}), (0, 0, 0), (0, 0, 0))
    pose = find_pose(face)
    assert lay(upper_face(face, pose), face.vertices + 1e4, pose) is None
    assert lay(upper_face(face, pose), face.vertices, pose) is not None
