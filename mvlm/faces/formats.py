"""Mesh files by their extension: .wrl with .bnd (BU-3DFE, BU-4DFE) and .bnt with .lm3 (Bosphorus)."""

from __future__ import annotations

import filecmp
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mvlm.faces.bnt import grid_mesh, mesh_grid, read_bnt, read_bnt_mesh, write_bnt
from mvlm.faces.files import beside, replacing
from mvlm.faces.landmarks import BND_NAMES, LM3_NAMES, read_bnd, read_lm3, write_bnd, write_lm3
from mvlm.faces.mesh import Mesh
from mvlm.faces.vrml import read_vrml, write_vrml

__all__ = ["BND_NAMES", "LM3_NAMES", "grid_mesh", "read_bnt", "read_mesh", "write_bnt", "write_landmarks", "write_mesh"]

_LANDMARKS = {".wrl": ".bnd", ".bnt": ".lm3"}


def read_mesh(path: Path | str) -> Mesh:
    """Reads a mesh, and the landmarks from the file of the same name beside it if there is one.

    path: a .wrl (landmarks .bnd, names "left eye 0" .. "contour 14") or a .bnt (landmarks .lm3, names "nose tip" ...)

    "left" in a landmark's name is the subject's left (+x on a frontal face), whichever way the file has it.
    Raises FileNotFoundError, or ValueError naming the file, the place in it and what was expected there.
    """
    path = Path(path)
    extension = _extension(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a {extension} file, found {'a folder' if path.is_dir() else 'none'}")
    mesh = read_vrml(path) if extension == ".wrl" else read_bnt_mesh(path)
    landmarks = beside(path, [path.stem + _LANDMARKS[extension]])
    if landmarks is None:
        return mesh
    return replace(mesh, landmarks=read_bnd(landmarks, mesh.vertices) if extension == ".wrl" else read_lm3(landmarks))


def write_mesh(mesh: Mesh, path: Path | str) -> None:
    """Writes a mesh, its landmarks beside it, and its texture too unless the folder has it; each file whole or not.

    path: a .wrl: coordinates to 1e-6; landmarks, if there are any, must be the 83 of a .bnd file, on the mesh
          a .bnt: exact; for a mesh whose vertices form a regular grid in x and y only, as one read from a .bnt of that
          kind does (`mvlm.faces.bnt.mesh_grid`). Any other surface is first sampled on a grid by the caller, who then
          uses `mvlm.faces.bnt.write_bnt`

    A landmark file that a mesh without landmarks would leave behind is removed, as it describes another mesh.
    Raises ValueError for a mesh that the format cannot hold.
    """
    path = Path(path)
    extension = _extension(path)
    beside_it = path.with_suffix(_LANDMARKS[extension])
    if extension == ".wrl":
        write = partial(write_vrml, mesh, path)
    else:
        try:
            grid = mesh_grid(mesh)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        write = partial(write_bnt, grid, path, picture=mesh.texture.name if mesh.texture else None)
    # What may be refused comes before the mesh itself.
    if mesh.texture is not None:
        _copy_beside(mesh.texture, path)
    if mesh.landmarks:
        write_landmarks(mesh.landmarks, beside_it, mesh.vertices)
    else:
        beside_it.unlink(missing_ok=True)
    write()


def write_landmarks(landmarks: dict[str, np.ndarray], path: Path | str, vertices: np.ndarray | None = None) -> None:
    """Writes name -> (3,) mm as a .lm3, or as the .bnd of the mesh with these vertices (V, 3); to 1e-6 mm."""
    path = Path(path)
    if path.suffix.lower() == ".lm3":
        write_lm3(landmarks, path)
    elif path.suffix.lower() == ".bnd" and vertices is not None:
        write_bnd(landmarks, vertices, path)
    else:
        raise ValueError(f"{path}: expected a .lm3 file, or a .bnd file and the vertices of its mesh")


def _copy_beside(texture: Path, path: Path) -> None:
    target = path.with_name(texture.name)
    if not target.exists():
        with replacing(target) as temporary:
            shutil.copyfile(texture, temporary)
    elif not filecmp.cmp(texture, target, shallow=False):
        raise ValueError(f"{target}: expected the picture {texture}, found another of that name; it is left as it is")


def _extension(path: Path) -> str:
    extension = path.suffix.lower()
    if extension not in _LANDMARKS:
        raise ValueError(f"{path}: expected a mesh with the extension {' or '.join(_LANDMARKS)}, found {extension!r}")
    return extension
