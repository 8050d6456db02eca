"""The triangle mesh that every reader gives and every view is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

FARTHEST = 1e6  # mm; nothing that far away is a face, but a mark of missing points that nobody announced


@dataclass(frozen=True, eq=False)
class Mesh:
    """A face as a triangle mesh; +x is image right, +y up, +z towards the camera, lengths in mm.

    vertices             (V, 3) float64, mm
    triangles            (T, 3) int32, rows of `vertices`, counter-clockwise seen from outside
    landmarks            name -> (3,) float64, mm; may be empty. "left" is the subject's left (+x on a frontal face)
    texture_coordinates  (U, 2) float64 or None: u, v as fractions of the picture, origin bottom-left
    texture_triangles    (T, 3) int32 or None: rows of `texture_coordinates`; None means the same as `triangles`
    texture              the picture: a file, or (H, W, 3) uint8 with row 0 on top; or None

    Raises ValueError for a wrong shape, a value that is not finite, a vertex 1 km away or an index out of range.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    landmarks: dict[str, np.ndarray] = field(default_factory=dict)
    texture_coordinates: np.ndarray | None = None
    texture_triangles: np.ndarray | None = None
    texture: Path | np.ndarray | None = None

    def __post_init__(self) -> None:
        vertices = _reals(self.vertices, 3, "vertices")
        if max(vertices.max(), -vertices.min()) > FARTHEST:
            row = int(np.argmax(np.abs(vertices).max(axis=1)))
            raise ValueError(f"vertices[{row}]: expected mm within +-{FARTHEST:g}, found {vertices[row].tolist()}")
        self._set("vertices", vertices)
        self._set("triangles", _indices(self.triangles, len(vertices), "triangles", "vertices"))
        self._set("landmarks", {name: _point(xyz, name) for name, xyz in self.landmarks.items()})
        if self.texture_coordinates is None:
            if self.texture_triangles is not None:
                raise ValueError("texture_triangles without texture_coordinates: give both or neither")
        else:
            self._validate_texture()
        if self.texture is not None:
            is_picture = isinstance(self.texture, np.ndarray)
            self._set("texture", _picture(self.texture) if is_picture else Path(self.texture))

    def _validate_texture(self) -> None:
        coordinates = _reals(self.texture_coordinates, 2, "texture_coordinates")
        self._set("texture_coordinates", coordinates)
        if self.texture_triangles is None:
            _check_range(self.triangles, len(coordinates), "triangles (used for the texture)", "texture_coordinates")
            return
        corners = _indices(self.texture_triangles, len(coordinates), "texture_triangles", "texture_coordinates")
        if len(corners) != len(self.triangles):
            raise ValueError(f"texture_triangles: expected {len(self.triangles)} rows, one per triangle, "
                             f"found {len(corners)}")
        # One way to say "the same": whoever draws the texture need not compare the two.
        self._set("texture_triangles", None if np.array_equal(corners, self.triangles) else corners)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # the only way to normalise a field of a frozen dataclass


def _reals(values: np.ndarray, width: int, what: str) -> np.ndarray:
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != width or len(array) == 0:
        raise ValueError(f"{what}: expected shape (n, {width}) with n >= 1, found {array.shape}")
    if not np.isfinite([array.min(), array.max()]).all():  # both keep a NaN
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise ValueError(f"{what}[{row}]: expected finite numbers, found {array[row].tolist()}")
    return array


def _indices(values: np.ndarray, size: int, what: str, target: str) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] != 3 or len(array) == 0:
        raise ValueError(f"{what}: expected shape (n, 3) with n >= 1, found {array.shape}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{what}: expected integers, found {array.dtype}")
    _check_range(array, size, what, target)
    return np.ascontiguousarray(array, dtype=np.int32)


def _check_range(array: np.ndarray, size: int, what: str, target: str) -> None:
    if array.min() < 0 or array.max() >= size:
        row = int(np.flatnonzero(((array < 0) | (array >= size)).any(axis=1))[0])
        raise ValueError(f"{what}[{row}]: expected indices 0..{size - 1} into {target}, found {array[row].tolist()}")


def _picture(values: np.ndarray) -> np.ndarray:
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != 3 or values.size == 0:
        raise ValueError(f"texture: expected a file or an array (H, W, 3) of uint8, "
                         f"found {values.shape} of {values.dtype}")
    return np.ascontiguousarray(values)


def _point(xyz: np.ndarray, name: str) -> np.ndarray:
    point = np.asarray(xyz, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError(f"landmark {name!r}: expected three finite numbers, found {point.tolist()}")
    return point
