"""Mesh files by their extension: .wrl (BU-3DFE, BU-4DFE), .bnt (Bosphorus), .obj (BP4D) and .ply."""

from __future__ import annotations

import filecmp
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.bnt import grid_mesh, mesh_grid, read_bnt, read_bnt_mesh, write_bnt
from mvlm.faces.formats.files import beside
from mvlm.faces.formats.landmarks import BND_NAMES, LM3_NAMES, read_bnd, read_lm3, write_bnd, write_lm3
from mvlm.faces.formats.obj import read_obj, write_obj
from mvlm.faces.formats.pictures import with_picture
from mvlm.faces.formats.ply import read_ply, write_ply
from mvlm.faces.formats.vrml import read_vrml, write_vrml
from mvlm.faces.mesh import Mesh

__all__ = ["BND_NAMES", "LM3_NAMES", "grid_mesh", "read_bnt", "read_mesh", "write_bnt", "write_landmarks", "write_mesh"]

_READERS = {".wrl": read_vrml, ".obj": read_obj, ".bnt": read_bnt_mesh, ".ply": read_ply}
_WRITERS = {".wrl": write_vrml, ".obj": write_obj, ".ply": write_ply}
_LANDMARKS = {".wrl": ".bnd", ".obj": ".bnd", ".bnt": ".lm3", ".ply": ".bnd"}


def read_mesh(
    path: Path | str, landmarks: Path | str | None = None, *, picture: Path | None = None
) -> Mesh:
    """Reads a mesh and its landmarks.

    path:      a .wrl, .obj, .bnt or .ply
    landmarks: a .bnd (names "left eye 0" .. "contour 14") or .lm3 (names "nose tip" ...); None: the file of the same
               name beside the mesh if there is one, a .lm3 for a .bnt, a .bnd for the others
    picture:   of the mesh, if it has texture coordinates; None: what the mesh file names, or the one of its name

    "left" in a landmark's name is the subject's left (+x on a frontal face), whichever way the file has it.
    Warns, naming the file, of a picture that is not there (PictureWarning) and of what is left out (LeftOutWarning).
    Raises FileNotFoundError, or ValueError naming the file, the place in it and what was expected there.
    """
    path = Path(path)
    extension = _extension(path)
    _check_file(path, f"a {extension} file")
    if landmarks is not None:
        landmarks = Path(landmarks)
        if landmarks.suffix.lower() not in (".bnd", ".lm3"):
            raise ValueError(f"{landmarks}: expected landmarks with the extension .bnd or .lm3")
        _check_file(landmarks, "a file of landmarks")
    mesh = with_picture(_READERS[extension](path), picture)
    landmarks = landmarks or beside(path, [path.stem + _LANDMARKS[extension]])
    if landmarks is None:
        return mesh
    is_bnd = landmarks.suffix.lower() == ".bnd"
    return replace(mesh, landmarks=read_bnd(landmarks, mesh.vertices) if is_bnd else read_lm3(landmarks))


def write_mesh(mesh: Mesh, path: Path | str) -> None:
    """Writes a mesh, its landmarks and its picture beside it; each file whole or not.

    path: a .wrl or .obj: coordinates to 1e-6; landmarks, if there are any, must be the 83 of a .bnd file, on the mesh
          a .ply: exact, binary; landmarks likewise
          a .bnt: exact; for a mesh whose vertices form a regular grid in x and y only, as one read from a .bnt of that
          kind does (`mvlm.faces.formats.bnt.mesh_grid`). Any other surface is first sampled on a grid by the caller,
          who then uses `mvlm.faces.formats.bnt.write_bnt`

    A picture that is a file keeps its name, and what the folder has of that name must be the same picture. A picture
    that is an array gets the name that its corpus would give it: F0001_AN01WH_F2D.bmp for F0001_AN01WH_F3D.wrl
    (BU-3DFE), 000.jpg for any other .wrl or .obj (BU-4DFE, BP4D; JPEG of quality 95, so not exact), and .png for a
    .bnt (Bosphorus) or .ply.
    A landmark file that a mesh without landmarks would leave behind is removed, as it describes another mesh.
    Raises ValueError for a mesh that the format cannot hold.
    """
    path = Path(path)
    extension = _extension(path)
    beside_it = path.with_suffix(_LANDMARKS[extension])
    picture = mesh.texture
    if isinstance(picture, np.ndarray):
        mesh = replace(mesh, texture=picture_path(path))
    if extension == ".bnt":
        try:
            grid = mesh_grid(mesh)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        write = partial(write_bnt, grid, path, picture=mesh.texture.name if mesh.texture else None)
    else:
        write = partial(_WRITERS[extension], mesh, path)
    # What may be refused comes before the mesh itself.
    if isinstance(picture, np.ndarray):
        _write_picture(picture, mesh.texture)
    elif picture is not None:
        _copy_beside(picture, path)
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


def picture_path(path: Path) -> Path:
    """The picture of a mesh file, by the names of the corpora."""
    kind = path.suffix.lower()
    if kind == ".wrl" and re.search("F3D$", path.stem, flags=re.IGNORECASE):
        return path.with_name(path.stem[:-2] + "2D.bmp")
    return path.with_suffix(".png" if kind in (".bnt", ".ply") else ".jpg")


def _write_picture(picture: np.ndarray, path: Path) -> None:
    from PIL import Image

    kinds = {".bmp": "BMP", ".jpg": "JPEG", ".png": "PNG"}
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format=kinds[path.suffix], quality=95)


def _copy_beside(texture: Path, path: Path) -> None:
    target = path.with_name(texture.name)
    if not target.exists():
        with replacing(target) as temporary:
            shutil.copyfile(texture, temporary)
    elif not filecmp.cmp(texture, target, shallow=False):
        raise ValueError(f"{target}: expected the picture {texture}, found another of that name; it is left as it is")


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected {expected}, found {'a folder' if path.is_dir() else 'none'}")


def _extension(path: Path) -> str:
    extension = path.suffix.lower()
    if extension not in _READERS:
        raise ValueError(f"{path}: expected a mesh with the extension {', '.join(_READERS)}, found {extension!r}")
    return extension
