"""What a scanner makes of a face: pose, crop, holes, noise. One `Sensor` per corpus, from published figures.

BU-3DFE: 3dMDface, stereo photogrammetry, RMS error below 0.2 mm (Yin et al. 2006). Bosphorus: Inspeck Mega Capturor
II, structured light, 0.3/0.3/0.4 mm in x/y/z, one viewpoint, so a depth grid with self-occlusion (Savran et al. 2008).
BU-4DFE: Di3D, passive stereo, RMS error 0.2 mm (Yin et al. 2008); BP4D: the same system (Zhang et al. 2014); 4DME: its
successor DI4D (Li et al. 2022), for which the same figure is assumed. Each of their frames is triangulated by itself.
How noise and ripple share the error, how many holes there are, and how a head is held and sways, is this project's
estimate: sitting subjects asked to look ahead still turn by a few degrees, little when posing, much when amused,
startled or in pain.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Sensor:
    noise: float  # mm, standard deviation in depth
    ripple: float  # mm, error that is smooth over about a centimetre
    holes: float  # expected number of holes per scan
    pose: float  # degrees, standard deviation of yaw, pitch and half of it in roll
    placement: float  # mm, standard deviation of the position
    landmark: float  # mm, standard deviation of a marked landmark
    sway: float = 0.0  # degrees, standard deviation of the turning during a sequence; as many mm of moving
    moving: bool = False  # whether every frame is triangulated anew: other vertices, in another order, another rim
    rim: float = 1.5  # mm, standard deviation of what each side of such a frame loses


SENSORS = {
    "BU-3DFE": Sensor(noise=0.12, ripple=0.16, holes=0.6, pose=4.0, placement=5.0, landmark=1.0),
    "Bosphorus": Sensor(noise=0.30, ripple=0.30, holes=1.0, pose=3.0, placement=8.0, landmark=1.0),
    "BU-4DFE": Sensor(0.12, 0.16, holes=0.4, pose=3.0, placement=5.0, landmark=1.0, sway=1.0, moving=True),
    "BP4D": Sensor(0.12, 0.16, holes=0.4, pose=5.0, placement=15.0, landmark=1.0, sway=5.0, moving=True),
    "4DME": Sensor(0.12, 0.16, holes=0.4, pose=3.0, placement=5.0, landmark=1.0, sway=0.7, moving=True),
}


class Motion(NamedTuple):
    """How a head is held during a sequence: `held` (6,), yaw, pitch, roll in degrees and x, y, z in mm, about which it
    sways by waves of (K, 6) amplitudes and phases and (K,) frequencies in Hz."""

    held: np.ndarray
    amplitudes: np.ndarray
    phases: np.ndarray
    frequencies: np.ndarray

    def at(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """The (3, 3) rotation and the (3,) shift in mm at `t` seconds."""
        swing = np.sin(2 * np.pi * self.frequencies[:, None] * t + self.phases)
        now = self.held + (self.amplitudes * swing).sum(0)
        return rotation(*now[:3]), now[3:]


def motion(sensor: Sensor, rng: np.random.Generator) -> Motion:
    """Draws how a head is held, and how it sways: slowly, 0.05 to 0.5 Hz."""
    held = rng.normal(0, [sensor.pose, sensor.pose, sensor.pose / 2, *[sensor.placement] * 3])
    spread = sensor.sway * np.sqrt(2 / 3) * np.array([1, 1, 0.5, 1, 1, 1])
    return Motion(held, rng.normal(0, spread, (3, 6)), rng.uniform(0, 2 * np.pi, (3, 6)), rng.uniform(0.05, 0.5, 3))


def rotation(yaw, pitch, roll):
    """(3, 3) rotation by degrees about y, then x, then z."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def scan(mesh, sensor, rng, placed=None):
    """The mesh as the sensor delivers it: moved, noisy, with holes, without vertices that no triangle uses.

    Landmarks and texture coordinates move along.

    Args:
        mesh: a face, upright and facing the camera.
        sensor: a `Sensor`.
        rng: numpy Generator of this scan or frame.
        placed: (3, 3) rotation and (3,) shift in mm, `Motion.at` of a sequence; drawn when None.
    """
    turn, shift = motion(sensor, rng).at(0.0) if placed is None else placed
    waves, phases = rng.normal(0, 2 * np.pi / 18, (2, 6)), rng.uniform(0, 2 * np.pi, 6)
    error = sensor.ripple * np.sqrt(2 / 6) * np.sin(mesh.vertices[:, :2] @ waves + phases).sum(1)
    vertices = mesh.vertices.copy()
    vertices[:, 2] += error + rng.normal(0, sensor.noise, len(vertices))
    marks = np.array([*mesh.landmarks.values()]).reshape(-1, 3)
    marks = (marks + rng.normal(0, sensor.landmark, marks.shape)) @ turn.T + shift

    keep = _kept(mesh, sensor, rng)
    triangles = mesh.triangles[keep]
    used = np.zeros(len(vertices), bool)
    used[triangles] = True
    rows = np.flatnonzero(used)
    if sensor.moving:
        rows = rng.permutation(rows)
    new = np.empty(len(vertices), np.int32)
    new[rows] = np.arange(len(rows))
    coordinates, corners = mesh.texture_coordinates, mesh.texture_triangles
    if corners is not None:
        corners = corners[keep]
    elif coordinates is not None:  # one per vertex
        coordinates = coordinates[rows]
    return replace(
        mesh,
        vertices=(vertices @ turn.T + shift)[rows],
        triangles=new[triangles],
        landmarks=dict(zip(mesh.landmarks, marks, strict=True)),
        texture_coordinates=coordinates,
        texture_triangles=corners,
    )


def _kept(mesh, sensor, rng):
    """(T,) bool: the triangles outside the holes, and inside the rim of a frame that is cropped by itself."""
    corners = mesh.vertices[mesh.triangles[:, 0]]  # a hole's edge need not be finer than a triangle
    keep = np.ones(len(corners), bool)
    for _ in range(rng.poisson(sensor.holes)):
        middle, radius = corners[rng.integers(len(corners))], rng.uniform(1.5, 4.5)
        keep &= ((corners - middle) ** 2).sum(1) > radius**2
    if sensor.moving:
        x, y = mesh.vertices[:, 0], mesh.vertices[:, 1]
        left, right, below, above = np.abs(rng.normal(0, sensor.rim, 4))  # mm that each side loses
        inside = (x > x.min() + left) & (x < x.max() - right) & (y > y.min() + below) & (y < y.max() - above)
        for corner in mesh.triangles.T:
            keep &= inside[corner]
    return keep
