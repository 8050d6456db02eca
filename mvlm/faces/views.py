"""Mesh -> front, left and right images, by ray casting on the CPU (Open3D's Embree), never through OpenGL.

A view is an orthographic grey picture of the shaded geometry in one fixed window of millimetres around the nose tip.
The camera of a positive yaw stands on the subject's left, so the *left* view shows the left cheek. The paper says
front, left and right profiles and gives no angle; the default is 0, +45, -45 degrees.
"""

from dataclasses import replace

import numpy as np

YAWS = (0.0, 45.0, -45.0)
WINDOW = 190.0  # mm across a view: from the hair line to a dropped chin
PIVOT = (0.0, 0.0, -60.0)  # mm from the nose tip: the cameras turn about the vertical through it and look at it
LIGHT = (0.0, 0.5, 0.85)  # towards the light, camera frame: above the camera, so that folds and brows cast shade
AMBIENT, DIFFUSE = 40.0, 215.0  # grey levels; the background is 0
TIP_FROM_EYES = (
    -34.5,
    36.0,
)  # mm down and forward from the eyes' middle to the nose tip of an upright adult face; its direction is used


def align(mesh):
    """Upright, frontal, nose tip at the origin.

    With landmarks the pose comes from what no expression moves: the centres of the eyes and the tip of the nose,
    which is searched on the surface because corpora mark noses differently. Without landmarks the pose is taken as it
    is.

    Returns:
        `Mesh`, landmarks moved along.
    """
    left, right = (_mean(mesh.landmarks, f"{side} eye ", f"{side} eye corner") for side in ("left", "right"))
    nose = _mean(mesh.landmarks, "nose ", "nose tip")
    turn = np.eye(3)
    if left is not None and right is not None and nose is not None:
        turn = _upright(left, right, nose)
        for _ in range(2):  # the foremost point depends a little on the pose
            tip = _foremost(mesh.vertices @ turn.T, turn @ nose, 22.0) @ turn
            turn = _upright(left, right, tip)
        tip = turn @ tip
    else:
        middle = np.median(mesh.vertices, axis=0)
        tip = _foremost(mesh.vertices, middle, 45.0)
    landmarks = {name: turn @ point - tip for name, point in mesh.landmarks.items()}
    return replace(mesh, vertices=mesh.vertices @ turn.T - tip, landmarks=landmarks)


def _mean(landmarks, numbered, named):
    """Centre of a group: points "<numbered><i>" of 83, or else those whose name ends in `named`; None without any."""
    points = [p for name, p in landmarks.items() if name.startswith(numbered) and name[len(numbered) :].isdigit()]
    points = points or [p for name, p in landmarks.items() if name.endswith(named)]
    return np.mean(points, axis=0) if points else None


def _upright(left, right, tip):
    """(3, 3) rotation that levels the eyes and puts the nose tip where an upright face has it."""
    across = (left - right) / np.linalg.norm(left - right)
    down = tip - (left + right) / 2
    down = down - (down @ across) * across
    down /= np.linalg.norm(down)
    expected = np.array([0.0, *TIP_FROM_EYES]) / np.hypot(*TIP_FROM_EYES)
    wanted = np.stack([[1.0, 0.0, 0.0], expected, np.cross([1.0, 0.0, 0.0], expected)])
    return wanted.T @ np.stack([across, down, np.cross(across, down)])


def _foremost(vertices, centre, radius):
    """The middle of the foremost hundredth (at least eight) of the points within `radius` mm: no noise decides."""
    near = vertices[np.linalg.norm((vertices - centre)[:, :2], axis=1) < radius]
    near = near if len(near) else vertices
    return np.median(near[np.argsort(-near[:, 2])[: max(8, len(near) // 100)]], axis=0)


def normals(mesh):
    """(V, 3) unit vertex normals, weighted by area; zero where no triangle meets."""
    corners = mesh.vertices[mesh.triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [np.bincount(mesh.triangles.ravel(), np.repeat(face[:, k], 3), len(mesh.vertices)) for k in range(3)], 1
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def project(mesh, yaws=YAWS, size=64, light=LIGHT):
    """Views of one aligned face.

    Args:
        mesh: `Mesh` in any pose near frontal; it is aligned first.
        yaws: camera azimuths in degrees, positive on the subject's left.
        size: side of a view in pixels.
        light: direction towards the light in the camera's frame.

    Returns:
        (V, size, size, 3) uint8, background 0.
    """
    import open3d  # half a second, and only needed here

    mesh = align(mesh)
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        np.ascontiguousarray(mesh.vertices, np.float32), np.ascontiguousarray(mesh.triangles, np.uint32)
    )
    rays, turns = _rays(tuple(yaws), size)
    hits = scene.cast_rays(open3d.core.Tensor(rays))
    hit = np.isfinite(hits["t_hit"].numpy())
    corners = mesh.triangles[hits["primitive_ids"].numpy()[hit].astype(np.int64)]
    u, v = hits["primitive_uvs"].numpy()[hit].T.astype(np.float64)
    normal = normals(mesh)
    at = (
        (1 - u - v)[:, None] * normal[corners[:, 0]]
        + u[:, None] * normal[corners[:, 1]]
        + v[:, None] * normal[corners[:, 2]]
    )
    towards = np.asarray(light, float) / np.linalg.norm(light)
    per_view = (turns.transpose(0, 2, 1) @ towards)[np.flatnonzero(hit) // size**2]  # the light turns with the camera
    shade = np.einsum("nk,nk->n", at, per_view) / np.maximum(np.linalg.norm(at, axis=1), 1e-12)
    grey = np.zeros(len(rays))
    grey[hit] = AMBIENT + DIFFUSE * np.clip(shade, 0, 1)
    views = np.rint(grey).astype(np.uint8).reshape(len(yaws), size, size)
    return np.repeat(views[..., None], 3, axis=-1)


def _rays(yaws, size):
    """(V*size*size, 6) float32 origins and directions, and the (V, 3, 3) turns of the cameras."""
    step = (np.arange(size) + 0.5) / size * WINDOW - WINDOW / 2
    across, up = np.meshgrid(step, -step)
    turns, rays = [], []
    for yaw in yaws:
        c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
        turn = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])  # world -> camera: the face turns towards the image's left
        grid = np.stack([across, up, np.full_like(up, 300.0)], -1).reshape(-1, 3)
        origin = grid @ turn + PIVOT
        rays.append(np.hstack([origin, np.tile(np.array([0.0, 0.0, -1.0]) @ turn, (len(origin), 1))]))
        turns.append(turn)
    return np.concatenate(rays).astype(np.float32), np.stack(turns)
