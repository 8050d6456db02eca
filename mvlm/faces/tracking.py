"""The pose of a face through a sequence: every frame is laid upon the first.

A head that turns or drifts while its face moves would leave its own motion in a dynamic image, where it drowns the
expression's. So each frame is shown in the pose that the head has in it. Posed each by itself, frames would jitter by
the errors of their poses; so only the first is, whose error then is the same throughout and rests, and the others are
laid upon it by the upper half of the face, as one and the same rigid face.

On the twin of BP4D, where heads turn by 9 degrees from the first frame's pose (median over frames; 10 % by more than
19), this leaves 0.3 degrees (10 % more than 0.7) and 0.4 mm; posing each frame by itself leaves 0.3 (10 % more than
1.5).
"""

from __future__ import annotations

from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import Patch, Pose, find_pose, lay, upper_face


class Track:
    """Follows one face: called with the frames of its sequence, in their order, it returns the pose in each."""

    def __init__(self) -> None:
        self._patch: Patch | None = None  # of the first frame

    def __call__(self, mesh: Mesh) -> Pose:
        """The pose of a frame.

        Of the first it is that of `find_pose`. A later one is laid upon the first from its own `find_pose`, or else
        from where the frame before was; one that fits from neither, as if it were mostly a hole, keeps that.
        """
        own = find_pose(mesh)
        if self._patch is None:
            self._patch, self._last = upper_face(mesh, own), own
            return own
        tries = (lay(self._patch, mesh.vertices, start) for start in (own, self._last))
        laid = next((found for found in tries if found is not None), None)
        if laid is not None:
            self._last = Pose(laid.turn.T, laid.shift)
        return self._last
