"""The readers against VTK's, on a frame of the size that BU-4DFE has; .bnt against reading the bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkIOGeometry import vtkOBJReader
from vtkmodules.vtkIOImport import vtkVRMLImporter  # by module: all of vtk and torchvision do not bear each other

from mvlm.faces import Mesh, read_mesh, write_mesh
from mvlm.faces.formats.bnt import read_bnt, write_bnt
from tests.bench import Row, race

ROWS, COLUMNS = 200, 176  # 35,200 vertices, 69,650 triangles


def frame() -> Mesh:
    """A noisy bump: every coordinate has all its digits, as in a scan."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(float)
    x, y = x - COLUMNS / 2, y - ROWS / 2
    points = np.stack([x, y, 60 * np.exp(-(x**2 + y**2) / 4000)], axis=-1).reshape(-1, 3)
    number = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:]
    triangles = np.stack([a, c, b, c, d, b], axis=-1).reshape(-1, 3)
    coordinates = np.stack([x / COLUMNS + 0.5, y / ROWS + 0.5], axis=-1).reshape(-1, 2)
    return Mesh(points + rng.normal(0, 0.1, points.shape), triangles,
                texture_coordinates=coordinates + rng.uniform(0, 1e-3, coordinates.shape))


def vtk_vrml(path: Path) -> vtkPolyData:
    importer = vtkVRMLImporter()
    importer.SetFileName(str(path))
    importer.Update()
    return importer.GetRenderer().GetActors().GetLastActor().GetMapper().GetInput()


def vtk_obj(path: Path) -> vtkPolyData:
    reader = vtkOBJReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        mesh, place = frame(), Path(folder)
        bare = Mesh(mesh.vertices, mesh.triangles)
        for name, what, theirs, bound in (("uv.wrl", mesh, vtk_vrml, 1.5), ("plain.wrl", bare, vtk_vrml, 1.3),
                                          ("uv.obj", mesh, vtk_obj, 1.5)):
            path = place / name
            write_mesh(what, path)
            assert theirs(path).GetNumberOfPoints() == len(read_mesh(path).vertices) == ROWS * COLUMNS
            texture = "with" if what is mesh else "without"
            yield race(f"read {path.suffix}, 35,200 vertices, {texture} texture", lambda path=path: read_mesh(path),
                       "vtkVRMLImporter" if theirs is vtk_vrml else "vtkOBJReader",
                       lambda path=path, theirs=theirs: theirs(path), bound)
        grid = place / "a.bnt"
        write_bnt(np.random.default_rng(0).normal(0, 50, (5, 260, 253)), grid)
        yield race("decode .bnt, 260 x 253 points", lambda: read_bnt(grid), "numpy.fromfile of the same bytes",
                   lambda: np.fromfile(grid, dtype=np.uint8), 2.0, rounds=101)
