"""Makes the data file of the average face: `python -m mvlm.twins.head.average` writes `mvlm/faces/average.npz`."""

from __future__ import annotations

import numpy as np

from mvlm.faces.average import FILE
from mvlm.faces.pose import find_pose
from mvlm.faces.registration import Pose, upper_face
from mvlm.twins.head.anatomy import TRAITS
from mvlm.twins.head.head import Identity, head


def average_face() -> dict[str, np.ndarray]:
    """The arrays of the file, as `mvlm.faces.average.average` describes them."""
    mesh = head(Identity(dict.fromkeys(TRAITS, 0.0), np.zeros((0, 5)), None), {})
    # As it was made: by its surface, not by the definition of upright, other faces lie most like it.
    pose = Pose(np.eye(3), find_pose(mesh).tip)
    patch = upper_face(mesh, pose)
    corners = [f"{which} {side} eye corner" for side in ("left", "right") for which in ("outer", "inner")]
    return {
        "points": patch.points,
        "normals": patch.normals,
        "corners": pose.of(np.array([mesh.landmarks[name] for name in corners])),
        "names": np.array(list(mesh.landmarks)),
        "landmarks": pose.of(np.array(list(mesh.landmarks.values()))),
    }


if __name__ == "__main__":
    np.savez(FILE, **average_face())
