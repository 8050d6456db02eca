"""The .bnt depth grid of Bosphorus.

Little-endian, no padding: uint16 rows, uint16 columns, float64 zmin, uint16 length of the picture's name, the name,
uint32 count of values = 5 rows columns, then five planes x, y, z (mm), u, v of float64, row-major.
A point is missing if any of x, y, z equals zmin or is not a number. Row 0 is the bottom of the face. v is measured from
the picture's top.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.files import picture_beside
from mvlm.faces.mesh import FARTHEST, Mesh

MISSING = -1e9  # zmin of the published files
LONGEST_EDGE = 10.0  # mm; a longer edge spans a jump in depth (nose over cheek, chin over neck), not skin
_LONGEST_TAIL = 2**16  # bytes of white space, NUL or Ctrl-Z behind the last value, which some copies append
_HEADER = struct.Struct("<HHdH")
_COUNT = struct.Struct("<I")


class Grid(NamedTuple):
    """A .bnt file as it is.

    planes   (5, R, C) float64: x, y, z in mm, u, v as fractions of the picture, v from its top
    zmin     the value that marks a missing point
    picture  name of the picture, in the same folder
    """

    planes: np.ndarray
    zmin: float
    picture: str


def read_bnt(path: Path) -> Grid:
    """Reads a .bnt file. Raises ValueError naming the file, the byte and what was expected there."""
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise ValueError(f"{path}: expected a .bnt header of {_HEADER.size} bytes, the file has {size}")
        if header.startswith(b"\x1f\x8b"):
            raise ValueError(f"{path}, byte 0: expected a .bnt grid, found a gzip file: unpack it")
        rows, columns, zmin, length = _HEADER.unpack(header)
        rest = file.read(length + _COUNT.size)
        if len(rest) < length + _COUNT.size:
            raise ValueError(f"{path}, byte {_HEADER.size}: expected a picture's name of {length} bytes and a count, "
                             f"found {len(rest)} bytes to the end of the file")
        (count,) = _COUNT.unpack_from(rest, length)
        if rows == 0 or columns == 0 or count != 5 * rows * columns:
            raise ValueError(f"{path}, byte {_HEADER.size + length}: expected 5 values for each point of a grid of "
                             f"{rows} x {columns} = {5 * rows * columns}, found a count of {count}")
        expected = _HEADER.size + length + _COUNT.size + 8 * count
        wrong = ValueError(f"{path}: expected {expected} bytes for a grid of {rows} x {columns}, the file has {size}")
        if not expected <= size < expected + _LONGEST_TAIL:  # before anything of that size is allocated
            raise wrong
        planes = np.fromfile(file, dtype="<f8", count=count).reshape(5, rows, columns)
        if file.read().strip(b"\0\x1a \t\r\n"):
            raise wrong
    return Grid(planes.astype(np.float64, copy=False), zmin, os.fsdecode(rest[:length].rstrip(b"\0")))


def missing(grid: Grid) -> np.ndarray:
    """(R, C) bool: the points that have no place."""
    places = grid.planes[:3]
    return ((places == grid.zmin) | np.isnan(places)).any(axis=0)


def write_bnt(planes: np.ndarray, path: Path, *, zmin: float = MISSING, picture: str | None = None) -> None:
    """Writes a .bnt file, bit for bit what `read_bnt` gives back.

    planes:  (5, R, C) x, y, z in mm, u, v (v from the picture's top), row 0 at the bottom of the face
    zmin:    the value that stands for x, y and z of a missing point
    picture: name of the picture; None: that of the file with .png

    Raises ValueError for a grid that does not fit the format.
    """
    path = Path(path)
    planes = np.asarray(planes, dtype="<f8")
    if planes.ndim != 3 or planes.shape[0] != 5 or not 0 < min(planes.shape) <= max(planes.shape) < 2**16:
        raise ValueError(f"{path}: expected planes of shape (5, R, C) with R, C in 1..65535, found {planes.shape}")
    if planes.size >= 2**32:
        raise ValueError(f"{path}: expected fewer than 2^32 values, found {planes.size}")
    name = (f"{path.stem}.png" if picture is None else picture).encode("utf-8")
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_HEADER.pack(planes.shape[1], planes.shape[2], zmin, len(name)) + name)
        file.write(_COUNT.pack(planes.size))
        planes.tofile(file)


def grid_mesh(planes: np.ndarray, *, zmin: float = MISSING, texture: Path | None = None) -> Mesh:
    """The surface through the valid points of a grid (5, R, C) as of `write_bnt`, without landmarks.

    Vertices are the points none of whose x, y, z is missing (partly missing ones occur), in row-major order; each cell
    of the grid gives up to two triangles, turned towards +z; those with an edge above 10 mm are dropped. Texture
    coordinates get their origin at the bottom; they are None if a valid point has none.
    Raises ValueError for a valid point that is not finite or 1 km away, and for a grid without surface.
    """
    valid = (planes[:3] != zmin).all(axis=0)
    points = planes[:3, valid].T
    near = (np.abs(points) <= FARTHEST).all(axis=1)  # false for NaN too
    if not near.all():
        row, column = np.argwhere(valid)[~near][0]
        raise ValueError(f"row {row}, column {column}: expected mm within +-{FARTHEST:g} or the mark {zmin:g} of a "
                         f"missing point, found {planes[:3, row, column].tolist()}")
    number = np.where(valid, np.cumsum(valid).reshape(valid.shape) - 1, -1)
    # Cell corners: a (r, c), b (r+1, c), c (r, c+1), d (r+1, c+1); rows go up, columns right.
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:]
    triangles = np.stack([np.stack([a, c, b], axis=-1), np.stack([c, d, b], axis=-1)], axis=2).reshape(-1, 3)
    triangles = triangles[(triangles >= 0).all(axis=1)]
    corners = points[triangles]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    triangles = triangles[(edges <= LONGEST_EDGE).all(axis=1)]
    if len(triangles) == 0:
        raise ValueError(f"expected a surface, found {int(valid.sum())} valid points that form no triangle")
    corners = points[triangles]
    if np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2].sum() < 0:
        triangles = triangles[:, [0, 2, 1]]  # a grid stored top row first
    coordinates = planes[3:, valid].T
    if not np.isfinite(coordinates).all() or (coordinates == zmin).any():
        return Mesh(points, triangles)
    coordinates = np.stack([coordinates[:, 0], 1.0 - coordinates[:, 1]], axis=1)
    return Mesh(points, triangles, texture_coordinates=coordinates, texture=texture)


def mesh_grid(mesh: Mesh) -> np.ndarray:
    """The planes (5, R, C) that `grid_mesh` turns into `mesh`, if its vertices lie on a regular grid in x and y.

    Raises ValueError for any other mesh: casting rays at a surface to make a grid of it is a choice of the caller.
    """
    column, columns = _ticks(mesh.vertices[:, 0])
    row, rows = _ticks(mesh.vertices[:, 1])
    if columns * rows <= 16 * len(mesh.vertices) and max(rows, columns) < 2**16:
        planes = np.full((5, rows, columns), MISSING)
        planes[:3, row, column] = mesh.vertices.T
        if mesh.texture_coordinates is not None and mesh.texture_triangles is None:
            planes[3:, row, column] = [mesh.texture_coordinates[:, 0], 1.0 - mesh.texture_coordinates[:, 1]]
        with suppress(ValueError):  # no surface: not this mesh either
            again = grid_mesh(planes)
            if (np.array_equal(again.vertices, mesh.vertices) and np.array_equal(again.triangles, mesh.triangles)
                    and mesh.texture_triangles is None):
                return planes
    raise ValueError(f"expected a mesh whose vertices are a regular grid in x and y, in row-major order from the "
                     f"bottom and triangulated as by grid_mesh; found {len(mesh.vertices)} other vertices. "
                     "Sample the surface on a grid and use write_bnt")


def _ticks(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers 0, 1, ... of equally spaced values (V,), and how many there are."""
    levels = np.unique(values)
    gaps = np.diff(levels)
    gaps = gaps[gaps > 1e-6]  # the same tick, computed in two ways
    if len(gaps) == 0:
        return np.zeros(len(values), dtype=np.int64), 1
    ticks = np.rint((values - levels[0]) / np.median(gaps)).astype(np.int64)
    return ticks, int(ticks.max()) + 1


def read_bnt_mesh(path: Path) -> Mesh:
    """`read_bnt` and `grid_mesh`, with the picture that the file names, or else the .png of the same name."""
    grid = read_bnt(path)
    own = f"{path.stem}.png"  # which the format needs, whether there is a picture or not
    references = [] if grid.picture.lower() == own.lower() else [os.fsencode(grid.picture)]
    picture = picture_beside(path, references, [own])
    planes, mark = grid.planes, grid.zmin if np.isfinite(grid.zmin) else MISSING
    planes[:3, missing(grid)] = mark
    try:
        return grid_mesh(planes, zmin=mark, texture=picture)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
