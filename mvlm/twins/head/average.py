"""Makes the data file of the average face: `python -m mvlm.twins.head.average` writes `mvlm/faces/average.npz`."""

from __future__ import annotations

import numpy as np

from mvlm.faces.average import FILE
from mvlm.faces.pose import eye_centre, find_pose, upper_face
from mvlm.twins.head.anatomy import TRAITS
from mvlm.twins.head.head import Identity, head


def average_face() -> dict[str, np.ndarray]:
    """The arrays of the file, as `mvlm.faces.average.average` describes them."""
    mesh = head(Identity(dict.fromkeys(TRAITS, 0.0), np.zeros((0, 5)), None), {})
    pose = find_pose(mesh)
    patch = upper_face(mesh, pose)
    eyes = [eye_centre(mesh.landmarks, side) for side in ("left", "right")]
    return {
        "points": patch.points,
        "normals": patch.normals,
        "marks": pose.of(np.array([*eyes, pose.tip])),
        "names": np.array(list(mesh.landmarks)),
        "landmarks": pose.of(np.array(list(mesh.landmarks.values()))),
    }


if __name__ == "__main__":
    np.savez(FILE, **average_face())
