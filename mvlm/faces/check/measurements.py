"""Measurements on the files of a corpus that tell whether they are what the readers take them for.

Each of them looks at a few meshes or files and returns numbers; `mvlm.faces.check` says what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm.faces.formats.bnt import missing, read_bnt
from mvlm.faces.formats.files import read_text
from mvlm.faces.formats.landmarks import bnd_on_mesh, other_side, read_lm2, read_lm3
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import find_pose

EYES_APART = (80.0, 110.0)  # mm between the outer corners of an adult's eyes
FACE_ACROSS = (90.0, 400.0)  # mm, from a cropped mask to a head with shoulders


def groups(mesh: Mesh) -> dict[str, np.ndarray]:
    """Landmarks in groups "eye", "brow", "nose", "mouth", "chin": (n, 3) each; only the groups that are there.

    The contour of 83 landmarks runs from ear to ear: its lowest point is the chin.
    """
    patterns = {"brow": "brow", "eye": r"\beye\b", "nose": "nose", "mouth": "mouth|lip", "chin": "chin|contour"}
    found = {group: np.array([p for name, p in mesh.landmarks.items() if re.search(pattern, name)])
             for group, pattern in patterns.items()}
    if len(found["chin"]):
        found["chin"] = found["chin"][[found["chin"][:, 1].argmin()]]
    return {group: points for group, points in found.items() if len(points)}


def eyes_apart(mesh: Mesh) -> float | None:
    """mm between the outer corners of the eyes, which are the two points of both eyes that lie furthest apart."""
    eyes = groups(mesh).get("eye")
    if eyes is None or len(eyes) < 4:
        return None
    return float(np.linalg.norm(eyes[:, None] - eyes[None], axis=-1).max())


def face_across(mesh: Mesh) -> float:
    """mm from the leftmost to the rightmost vertex, outliers aside."""
    low, high = np.percentile(mesh.vertices[:, 0], [1, 99])
    return float(high - low)


def tip(mesh: Mesh) -> np.ndarray:
    """(3,) mm: the foremost vertices of the middle third, on a face that looks at the camera the nose."""
    low, high = np.percentile(mesh.vertices[:, :2], [1, 99], axis=0)
    middle = np.abs(mesh.vertices[:, :2] - (low + high) / 2) < (high - low) / 6
    near = mesh.vertices[middle.all(axis=1)]
    near = near if len(near) else mesh.vertices
    return np.median(near[np.argsort(-near[:, 2])[:8]], axis=0)


def upright(mesh: Mesh) -> bool | None:
    """Whether the nose is above the chin, below the brows and in front of both; None without these landmarks."""
    marked = groups(mesh)
    if not {"brow", "nose", "chin"} <= set(marked):
        return None
    nose, brow, chin = (marked[name].mean(axis=0) for name in ("nose", "brow", "chin"))
    forward = marked["nose"][:, 2].max() > max(brow[2], chin[2])
    return bool(chin[1] < nose[1] < brow[1] and forward)


def turned(mesh: Mesh) -> np.ndarray | None:
    """(3,) degrees of yaw, pitch and roll by which a face is turned from upright and frontal, as it is delivered.

    Positive: to the subject's left, down, and the top of the head to the image's left. None where nothing tells.
    """
    turn = find_pose(mesh).turn.T
    if np.array_equal(turn, np.eye(3)):
        return None
    across, pitch = np.hypot(turn[2, 0], turn[2, 2]), turn[2, 1]
    angles = (np.arctan2(-turn[2, 0], turn[2, 2]), np.arctan2(pitch, across), np.arctan2(-turn[0, 1], turn[1, 1]))
    return np.degrees(angles)


def outward(mesh: Mesh) -> bool:
    """Whether the triangles of the surface turn towards the camera: the sum of their normals points to +z."""
    corners = mesh.vertices[mesh.triangles]
    return bool(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2].sum() > 0)


def _levels(texture: Path | np.ndarray) -> np.ndarray:
    """(H, W, 3) of a picture."""
    if isinstance(texture, np.ndarray):
        return texture
    from PIL import Image

    try:
        with Image.open(texture) as opened:
            return np.asarray(opened.convert("RGB"))
    except (Image.DecompressionBombError, SyntaxError) as error:  # SyntaxError: of Pillow, for a damaged .png
        raise ValueError(f"{texture}: expected a picture of a face, found {error}") from None


def texture_evidence(mesh: Mesh) -> float | None:
    """How much better the picture fits with v as read than with 1 - v: above 0 it does; None without a texture.

    Brows and eyes are darker than skin and lips redder: the picture's colours there are compared both ways, in units of
    their spread over the face. Landmarks say where; without them these parts are looked for where most faces have them,
    a few cm from the nose. One scan may mislead (a beard, a blush, a nose not found), the mean of a dozen rarely does.
    """
    if mesh.texture_coordinates is None or mesh.texture is None:
        return None
    picture = _levels(mesh.texture)
    corners = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
    coordinates = np.full((len(mesh.vertices), 2), np.nan)
    coordinates[mesh.triangles] = mesh.texture_coordinates[corners]
    face = np.isfinite(coordinates[:, 0]) & (np.linalg.norm(mesh.vertices - tip(mesh), axis=1) < 90)
    points, coordinates = mesh.vertices[face], coordinates[face]
    if len(points) < 100:
        return None
    guesses = list(_dark_and_red(mesh, points))
    scores = []
    for v in (1 - coordinates[:, 1], coordinates[:, 1]):  # from the top
        place = np.stack([v, coordinates[:, 0]], axis=1) * picture.shape[:2]
        row, column = np.clip(place, 0, np.array(picture.shape[:2]) - 1).astype(int).T
        colour = picture[row, column].astype(np.float64)
        light, red = colour.mean(axis=1), colour[:, 0] - colour[:, 1:].mean(axis=1)
        light, red = ((values - np.median(values)) / (values.std() + 1e-9) for values in (light, red))
        scores.append(max((red[mouth].mean() - light[brow].mean() for brow, mouth in guesses), default=np.nan))
    return None if np.isnan(scores).any() else float(scores[0] - scores[1])


def _dark_and_red(mesh: Mesh, points: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which of the points (N, 3) are brows or eyes and which are lips: one answer from landmarks, else guesses."""
    marked = groups(mesh)
    if {"brow", "mouth"} <= set(marked):
        yield tuple(np.linalg.norm(points[None] - marked[part][:, None], axis=-1).argmin(axis=1)
                    for part in ("brow", "mouth"))
        return
    x, y = (points - tip(mesh))[:, :2].T
    for up in range(-16, 17, 4):  # mm; noses differ in length, and tips are found a little high or low
        brow = (np.abs(np.abs(x) - 30) < 14) & (np.abs(y - 42 - up) < 14)
        mouth = (np.abs(x) < 18) & (np.abs(y + 34 - up) < 9)
        if min(brow.sum(), mouth.sum()) >= 5:
            yield brow, mouth


class Bnd(NamedTuple):
    """Of a .bnd file: its landmarks; the base of its vertex numbers; median and largest mm from vertex to point."""

    rows: int
    base: int
    median: float
    largest: float


def bnd(path: Path, vertices: np.ndarray) -> Bnd:
    """Measures a .bnd file that `read_mesh` has read, with at least one landmark."""
    _, base, away = bnd_on_mesh(path, vertices)
    away = away[np.isfinite(away)]
    return Bnd(len(away), base, float(np.median(away)), float(away.max()))


class Vrml(NamedTuple):
    """Of a .wrl file: line of its first vertex; whether some polygon has more than three corners; line ends."""

    first_vertex: int
    polygons: bool
    crlf: bool


def vrml(path: Path) -> Vrml:
    """Measures the text of a .wrl file that `read_mesh` has read."""
    data = read_text(path)
    start = re.search(rb"\bCoordinate\s*\{\s*point\s*\[\s*", data)
    index = re.search(rb"\bcoordIndex\s*\[([^\]]*)", data)
    sizes = [len(polygon.split()) for polygon in re.split(rb"-1\b", index[1].replace(b",", b" "))] if index else []
    line = data.count(b"\n", 0, start.end()) + 1 if start else 0
    return Vrml(line, any(size > 3 for size in sizes), b"\r\n" in data)


def pixels_off(path: Path) -> tuple[float, float] | None:
    """Of a .bnt file: median pixels between what its .lm2 marks and where its own u, v put the same points of its .lm3.

    The first with v from the picture's top, as the format has it, the second with v from the bottom. None if a file
    or all labels are missing.
    """
    from PIL import Image

    flat, solid, picture = (path.with_suffix(suffix) for suffix in (".lm2", ".lm3", ".png"))
    if not (flat.is_file() and solid.is_file() and picture.is_file()):
        return None
    grid = read_bnt(path)
    valid = ~missing(grid)
    points, coordinates = grid.planes[:3, valid].T, grid.planes[3:, valid].T
    try:
        with Image.open(picture) as opened:
            size = np.array(opened.size, dtype=np.float64)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{picture}: expected a picture of a face, found {error}") from None
    marked, labelled = read_lm2(flat), read_lm3(solid)
    shared = [name for name in marked if name in labelled]
    if not shared:
        return None
    # `read_lm3` names sides as the subject has them, a .lm2 perhaps as the viewer does.
    names = [shared, [other_side(name) for name in shared]]
    off = []
    for from_top in (True, False):
        medians = []
        for spelling in names:
            pairs = [(marked[name], labelled[said]) for name, said in zip(shared, spelling, strict=True)
                     if said in labelled]
            away = []
            for pixel, point in pairs:
                u, v = coordinates[np.linalg.norm(points - point, axis=1).argmin()]
                away.append(np.linalg.norm(np.array([u, v if from_top else 1 - v]) * size - pixel))
            medians.append(np.median(away) if away else np.inf)
        off.append(float(min(medians)))
    return off[0], off[1]
