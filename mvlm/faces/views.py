"""Mesh -> front, left and right images, by ray casting on the CPU (Open3D's Embree), never through OpenGL.

A view is an orthographic picture in one fixed window of millimetres around the nose tip. The camera of a positive yaw
stands on the subject's left, so the *left* view shows the left cheek. The paper says front, left and right profiles
and gives no angle; the default is 0, +45, -45 degrees.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import find_pose
from mvlm.faces.registration import Pose, normals
from mvlm.settings import CHANNELS, YAWS, nearest

GREY = ("shaded", "depth")  # channels whose three colours are one
WINDOW = 190.0  # mm across a view: from the hair line to a dropped chin
PIVOT = (0.0, 0.0, -60.0)  # mm from the nose tip: the cameras turn about the vertical through it and look at it
AWAY = 300.0  # mm from the pivot to a camera
LIGHT = (0.0, 0.5, 0.85)  # towards the light, camera frame: above the camera, so that folds and brows cast shade
AMBIENT, DIFFUSE = 40.0, 215.0  # grey levels; the background is 0
DEPTH = 80.0  # mm before and behind the pivot that a depth image tells apart, in steps of 0.63 mm


def project(
    mesh: Mesh,
    yaws: Sequence[float] = YAWS,
    size: int = 64,
    *,
    channel: str = "shaded",
    light: Sequence[float] = LIGHT,
    pose: Pose | None = None,
    threads: int = 1,
) -> np.ndarray:
    """Views of one face.

    Channels: "shaded" geometry (Lambert, shade taken at the vertices and interpolated); "texture", the picture's own
    colours, bilinear; "depth", 1 for 80 mm behind the pivot to 255 for 80 mm before it; "normals" in the camera's
    frame, x y z as red green blue, -1 to 1 as 0 to 255.

    Args:
        mesh: `Mesh` in any pose near frontal.
        yaws: camera azimuths in degrees, positive on the subject's left.
        size: side of a view in pixels.
        channel: one of `CHANNELS`.
        light: direction towards the light in the camera's frame; of "shaded".
        pose: where the face is; None finds it. The frames of a sequence share that of the first.
        threads: of the ray casting; 0 takes all cores. Building the ray tree uses one in any case.

    Returns:
        (V, size, size, 3) uint8, background 0.

    Raises:
        ValueError: no such channel; or no texture, or one that cannot be read.
    """
    import open3d  # half a second, and only needed here

    if channel not in CHANNELS:
        near = nearest(channel, CHANNELS)
        raise ValueError(f"channel {channel!r}: expected one of {', '.join(CHANNELS)}; did you mean {near!r}?")
    picture = _picture(mesh) if channel == "texture" else None
    pose = find_pose(mesh) if pose is None else pose
    points = pose.of(mesh.vertices).astype(np.float32)
    rays, turns = _rays(tuple(map(float, yaws)), size)
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(points, mesh.triangles.astype(np.uint32))
    hits = scene.cast_rays(open3d.core.Tensor.from_numpy(rays), nthreads=threads)
    away = hits["t_hit"].numpy()
    hit = np.flatnonzero(np.isfinite(away))
    triangle, where = hits["primitive_ids"].numpy()[hit], hits["primitive_uvs"].numpy()[hit]
    weights = np.column_stack([1 - where[:, 0] - where[:, 1], where])  # (H, 3) of the triangle's corners
    if channel == "depth":
        colour = 1 + 127 / DEPTH * (AWAY - away[hit] + DEPTH)
    elif channel == "texture":
        corners = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
        uv = mesh.texture_coordinates.astype(np.float32)[corners[triangle]]
        colour = _bilinear(picture, np.einsum("hc,hck->hk", weights, uv))
    else:
        # Rows of `per_view` are one view's vertices after another's: a hit's corners lie in its own view's part.
        corners = mesh.triangles[triangle] + (hit // size**2 * len(points))[:, None]
        if channel == "shaded":
            towards = turns.transpose(0, 2, 1) @ (np.asarray(light, np.float32) / np.float32(np.linalg.norm(light)))
            per_view = normals(points, mesh.triangles) @ towards.T  # the light turns with the camera
            shade = np.einsum("hc,hc->h", weights, per_view.T.ravel()[corners])
            colour = AMBIENT + DIFFUSE * np.clip(shade, 0, 1)
        else:
            per_view = np.concatenate([normals(points, mesh.triangles) @ turn.T for turn in turns])
            towards = np.einsum("hc,hck->hk", weights, per_view[corners])
            towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-12)
            colour = 127.5 + 127.5 * towards
    views = np.zeros((len(rays), 3), np.uint8)
    levels = np.clip(np.rint(colour), 0, 255).astype(np.uint8)
    views[hit] = levels if levels.ndim == 2 else levels[:, None]
    return views.reshape(len(turns), size, size, 3)


def view_names(yaws: Sequence[float] = YAWS) -> list[str]:
    """What views are called: the front, then sides, with their angle where there are several of one side.

    Args:
        yaws: camera azimuths in degrees, all different.

    Returns:
        As many names, all different: "front", "left", "right", or "left 30°", "right 30°", "left 60°".
    """
    sides = ["front" if yaw == 0 else "left" if yaw > 0 else "right" for yaw in yaws]
    several = len(sides) > len(set(sides))
    return [f"{side} {abs(yaw):g}°" if several and yaw else side for yaw, side in zip(yaws, sides, strict=True)]


def pixel_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """mm to the right of the pivot and above it of a view's pixels: (size, size) each, row 0 on top."""
    step = (np.arange(size) + 0.5) / size * WINDOW - WINDOW / 2
    return tuple(np.meshgrid(step, -step))


def turn_of(yaw: float) -> np.ndarray:
    """(3, 3) rotation, upright face -> camera at `yaw` degrees: the face turns towards the image's left."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


@lru_cache(maxsize=8)
def _rays(yaws: tuple[float, ...], size: int) -> tuple[np.ndarray, np.ndarray]:
    """(V*size*size, 6) float32 origins and directions, and the (V, 3, 3) float32 turns world -> camera."""
    across, up = pixel_grid(size)
    grid = np.stack([across, up, np.full_like(up, AWAY)], -1).reshape(-1, 3)
    turns, rays = [], []
    for yaw in yaws:
        turn = turn_of(yaw)
        origin = grid @ turn + PIVOT
        rays.append(np.hstack([origin, np.tile(np.array([0.0, 0.0, -1.0]) @ turn, (len(origin), 1))]))
        turns.append(turn)
    return np.concatenate(rays).astype(np.float32), np.stack(turns).astype(np.float32)


def _picture(mesh: Mesh) -> np.ndarray:
    """(H, W, 3) uint8 texture of a mesh."""
    if mesh.texture is None or mesh.texture_coordinates is None:
        lacking = "picture" if mesh.texture_coordinates is not None else "texture coordinates"
        raise ValueError(f"channel 'texture': expected a mesh with a picture and coordinates in it, found no {lacking}")
    if not isinstance(mesh.texture, Path):
        return mesh.texture
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # a small file may claim gigabytes
        try:
            with Image.open(mesh.texture) as picture:
                return np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError(f"{mesh.texture}: expected a picture, found {error}") from error


def _bilinear(picture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(H, W, 3) at (N, 2) fractions u from the left, v from the bottom -> (N, 3) float32; the border goes on."""
    height, width = picture.shape[:2]
    x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1)  # texel centres lie at half steps
    y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, low = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = (x - left)[:, None].astype(np.float32), (y - top)[:, None].astype(np.float32)
    upper = picture[top, left] * (1 - across) + picture[top, right] * across
    lower = picture[low, left] * (1 - across) + picture[low, right] * across
    return upper * (1 - down) + lower * down
