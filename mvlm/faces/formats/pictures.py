"""The picture of a mesh as every viewer shows it: 8 bits a colour, of a bounded size, repeated beyond its borders."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mvlm.faces.formats.files import PictureWarning
from mvlm.faces.mesh import Mesh

if TYPE_CHECKING:
    from PIL.Image import Image

_LARGEST = 2**26  # pixels: 8192 x 8192, 200 MB; a JPEG of up to four times as many is read at half its size
_NEAR = 0.01  # of the border: coordinates there are rounded, or the centres of its pixels
_WHITE = 65535  # of grey in 16 bits


def with_picture(mesh: Mesh, picture: Path | None = None) -> Mesh:
    """The mesh with a picture, its own or this file, that needs no further knowledge.

    A file of 8 bits a colour stays a file, and is only looked at. What has 16 bits or real numbers (1 is white) or is a
    JPEG above what Pillow opens unasked becomes an array. Triangles beyond [0, 1] move to where the same part of the
    picture is; for one that reaches over the border, the picture is laid beside itself.
    """
    if mesh.texture_coordinates is None or (picture is None and mesh.texture is None):
        return mesh
    if picture is not None:
        mesh = replace(mesh, texture=picture)
    if isinstance(mesh.texture, Path) and (levels := _decoded(mesh.texture, plain=False)) is not None:
        mesh = replace(mesh, texture=levels)
    coordinates = mesh.texture_coordinates
    if -_NEAR <= coordinates.min() and coordinates.max() <= 1 + _NEAR:
        return mesh
    return _repeated(mesh)


def _repeated(mesh: Mesh) -> Mesh:
    corners = mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles
    shift = np.floor(mesh.texture_coordinates[corners].min(axis=1) + _NEAR)  # (T, 2) whole pictures
    if (shift == shift[0]).all():
        coordinates = mesh.texture_coordinates - shift[0]
    else:
        rows = np.column_stack([corners.ravel(), np.repeat(shift, 3, axis=0)])
        rows, corners = np.unique(rows, axis=0, return_inverse=True)
        coordinates = mesh.texture_coordinates[rows[:, 0].astype(np.int64)] - rows[:, 1:]
        corners = corners.reshape(-1, 3)
    texture = mesh.texture
    beside = np.ceil(coordinates[corners].max(axis=(0, 1)) - _NEAR).clip(1)  # pictures across and up
    if beside.max() > 1 and (levels := _decoded(texture) if isinstance(texture, Path) else texture) is not None:
        if beside.prod() * levels[..., 0].size > _LARGEST:
            said = f"{beside[0]:g} x {beside[1]:g}"
            warnings.warn(
                f"{texture}: expected triangles within the picture or over one border, found one that {said} "
                "of it cover: its border goes on",
                PictureWarning,
                3,
            )
        else:
            texture, coordinates = np.tile(levels, (int(beside[1]), int(beside[0]), 1)), coordinates / beside
    return replace(mesh, texture_coordinates=coordinates, texture_triangles=corners, texture=texture)


def _decoded(path: Path, *, plain: bool = True) -> np.ndarray | None:
    """(H, W, 3) uint8, where it is not `plain` only of what is no file of 8 bits; None if it cannot be read."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as picture:
                if picture.mode[0] in "IF":
                    return _levels(picture)
                if plain:
                    return np.asarray(picture.convert("RGB"))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            return _half_jpeg(path)
        except (OSError, ValueError, SyntaxError):  # said, if anybody needs it, by whoever shows it
            pass
    return None


def _levels(picture: Image) -> np.ndarray:
    """(H, W, 3) uint8 of grey in 16 or 32 bits, whole numbers or real ones."""
    grey = np.asarray(picture)
    scale = 255.0 if picture.mode[0] == "F" else 255 / _WHITE
    levels = np.rint(np.nan_to_num(grey * np.float32(scale)).clip(0, 255)).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)


def _half_jpeg(path: Path) -> np.ndarray | None:
    """(H, W, 3) uint8 at half the size, which costs no more memory than that; None if it is larger, or no JPEG."""
    from PIL.JpegImagePlugin import JpegImageFile

    try:
        with JpegImageFile(path) as picture:
            if picture.width * picture.height > 4 * _LARGEST:
                return None
            picture.draft("RGB", (picture.width // 2, picture.height // 2))
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError):
        return None
