"""What a scanner makes of a face: pose, crop, holes, noise. One `Sensor` per corpus, from published figures.

BU-3DFE: 3dMDface, stereo photogrammetry, RMS error below 0.2 mm; cropped to about 7,000-9,000 triangles (Yin et al.
2006). Bosphorus: Inspeck Mega Capturor II, structured light, 0.3/0.3/0.4 mm in x/y/z, one viewpoint, so a depth grid
with self-occlusion (Savran et al. 2008). Sitting subjects asked to look ahead still turn by a few degrees.
"""

from dataclasses import dataclass, replace

import numpy as np

from mvlm.faces.mesh import Mesh


@dataclass(frozen=True)
class Sensor:
    noise: float  # mm, standard deviation in depth
    ripple: float  # mm, error that is smooth over about a centimetre
    holes: float  # expected number of holes per scan
    pose: float  # degrees, standard deviation of yaw, pitch and half of it in roll
    placement: float  # mm, standard deviation of the position
    landmark: float  # mm, standard deviation of a marked landmark


SENSORS = {
    "BU-3DFE": Sensor(noise=0.15, ripple=0.25, holes=0.6, pose=4.0, placement=5.0, landmark=1.0),
    "Bosphorus": Sensor(noise=0.30, ripple=0.30, holes=1.0, pose=3.0, placement=8.0, landmark=1.0),
}


def rotation(yaw, pitch, roll):
    """(3, 3) rotation by degrees about y, then x, then z."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians([yaw, pitch, roll])), np.sin(np.radians([yaw, pitch, roll]))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def scan(mesh, sensor, rng):
    """The mesh as the sensor delivers it: moved, noisy, with holes, in the order it had; landmarks move along."""
    turn = rotation(*rng.normal(0, [sensor.pose, sensor.pose, sensor.pose / 2]))
    shift = rng.normal(0, sensor.placement, 3)
    vertices = mesh.vertices.copy()
    vertices[:, 2] += rng.normal(0, sensor.noise, len(vertices))
    for _ in range(6):
        wave, phase = rng.normal(0, 2 * np.pi / 18, 2), rng.uniform(0, 2 * np.pi)
        vertices[:, 2] += sensor.ripple * np.sqrt(2 / 6) * np.sin(vertices[:, :2] @ wave + phase)
    triangles = mesh.triangles
    centres = mesh.vertices[triangles].mean(1)
    keep = np.ones(len(triangles), bool)
    for _ in range(rng.poisson(sensor.holes)):
        keep &= np.linalg.norm(centres - centres[rng.integers(len(centres))], axis=1) > rng.uniform(1.5, 4.5)
    landmarks = {
        name: (point + rng.normal(0, sensor.landmark, 3)) @ turn.T + shift for name, point in mesh.landmarks.items()
    }
    return compact(replace(mesh, vertices=vertices @ turn.T + shift, triangles=triangles[keep], landmarks=landmarks))


def compact(mesh):
    """The same mesh without vertices that no triangle uses."""
    used = np.unique(mesh.triangles)
    new = np.full(len(mesh.vertices), -1, np.int32)
    new[used] = np.arange(len(used))
    return Mesh(mesh.vertices[used], new[mesh.triangles], dict(mesh.landmarks))
