"""Our readers against VTK's and trimesh's: on what our writers write, on odd layouts, and on sample corpora if named.

MVLM_SAMPLE names a folder of corpora in their native formats, written by other code; without it the odd layouts of
`odd_files` below stand for them, so that every comparison runs anyway.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import trimesh
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOGeometry import vtkOBJReader
from vtkmodules.vtkIOImport import vtkVRMLImporter  # by module: all of vtk and torchvision do not bear each other
from vtkmodules.vtkIOPLY import vtkPLYReader

from mvlm.faces import Mesh, read_mesh, write_mesh
from mvlm.faces.formats.ply import FORMS, write_ply
from mvlm.twins.twin import Twin

SAMPLE = os.environ.get("MVLM_SAMPLE")
NEAR = 2e-5  # mm: both others keep 24 bits of a coordinate of 100 mm


def by_vtk(path):
    """Points (V, 3), polygons (P, k) and texture coordinates (V, 2) or None, as VTK has them."""
    if path.suffix == ".wrl":
        importer = vtkVRMLImporter()
        importer.SetFileName(str(path))
        importer.Update()
        data = importer.GetRenderer().GetActors().GetLastActor().GetMapper().GetInput()
    else:
        reader = vtkOBJReader() if path.suffix == ".obj" else vtkPLYReader()
        reader.SetFileName(str(path))
        reader.Update()
        data = reader.GetOutput()
    offsets = vtk_to_numpy(data.GetPolys().GetOffsetsArray())
    corners = vtk_to_numpy(data.GetPolys().GetConnectivityArray())
    texture = data.GetPointData().GetTCoords()
    return (vtk_to_numpy(data.GetPoints().GetData()), np.split(corners, offsets[1:-1]),
            None if texture is None else vtk_to_numpy(texture)[:, :2])


def fans(polygons):
    return np.array([(row[0], row[i], row[i + 1]) for row in polygons for i in range(1, len(row) - 1)])


def corner_coordinates(mesh):
    return mesh.texture_coordinates[mesh.triangles if mesh.texture_triangles is None else mesh.texture_triangles]


def agree_with_vtk(path):
    """Corner by corner, as VTK numbers vertices anew along seams; and in the same order where there is none."""
    mesh = read_mesh(path)
    points, polygons, texture = by_vtk(path)
    triangles = fans(polygons)
    assert len(triangles) == len(mesh.triangles)
    assert np.abs(points[triangles] - mesh.vertices[mesh.triangles]).max() < NEAR
    if len(points) == len(mesh.vertices) and mesh.texture_triangles is None:
        assert np.array_equal(triangles, mesh.triangles) and np.abs(points - mesh.vertices).max() < NEAR
    assert (texture is None) == (mesh.texture_coordinates is None)
    if texture is not None:
        assert np.abs(texture[triangles] - corner_coordinates(mesh)).max() < 1e-6


def agree_with_trimesh(path):
    mesh = read_mesh(path)
    ordered = mesh.texture_triangles is None  # along seams trimesh has to split vertices
    other = trimesh.load(path, process=False, maintain_order=ordered, force="mesh", skip_materials=True)
    if mesh.texture_triangles is None:
        assert np.array_equal(other.faces, mesh.triangles) and np.abs(other.vertices - mesh.vertices).max() < NEAR
    else:
        assert np.abs(other.triangles - mesh.vertices[mesh.triangles]).max() < NEAR
    if mesh.texture_coordinates is not None:
        assert np.abs(other.visual.uv[other.faces] - corner_coordinates(mesh)).max() < 1e-6


def faces():
    """A twin's face with texture coordinates of its vertices, with seams, and with none."""
    twin = Twin("BU-3DFE")
    mesh = twin.read(twin.scans[0])
    points = Mesh(mesh.vertices, mesh.triangles)
    flat = mesh.vertices[:, :2]
    coordinates = (flat - flat.min(axis=0)) / np.ptp(flat, axis=0)
    turned = np.where(np.arange(len(mesh.triangles))[:, None] % 7 == 0, mesh.triangles[:, [1, 2, 0]], mesh.triangles)
    return {"none": points, "vertices": Mesh(points.vertices, points.triangles, texture_coordinates=coordinates),
            "seams": Mesh(points.vertices, points.triangles, texture_coordinates=coordinates, texture_triangles=turned)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What our writers make of a face, name -> file."""
    folder, files = tmp_path_factory.mktemp("written"), {}
    for name, mesh in faces().items():
        for extension in (".wrl", ".obj"):
            files[name + extension] = folder / (name + extension)
            write_mesh(mesh, files[name + extension])
        for form in FORMS:
            files[f"{name} {form}.ply"] = folder / f"{name} {form}.ply"
            write_ply(mesh, files[f"{name} {form}.ply"], form)
    return files


@pytest.mark.parametrize("texture", ["none", "vertices", "seams"])
@pytest.mark.parametrize("kind", [".wrl", ".obj", *(f" {form}.ply" for form in FORMS)])
def test_others_read_what_we_write(written, texture, kind):
    agree_with_vtk(written[texture + kind])
    if not kind.endswith("wrl"):  # which trimesh does not read
        agree_with_trimesh(written[texture + kind])


WRL = (b'#VRML V2.0 utf8\nShape { geometry IndexedFaceSet { coord Coordinate { point [ 0 0 0, 10 0 1.5, 10 10 -2.25, '
       b'0 10 1e-3, 20 5 3 ] }\ncoordIndex [ 0, 1, 2, 3, -1, 1, 4, 2, -1 ]\n')
UV = b"texCoord TextureCoordinate { point [ 0 0, 0.5 0, 0.5 1, 0 1, 1 0.5 ] }\n"  # VTK does not take .5
OBJ = (b"v 0 0 0\nv 10 0 1.5\nv 10 10 -2.25\nv 0 10 1e-3\nv 20 5 3\n"
       b"vt 0 0\nvt .5 0\nvt .5 1\nvt 0 1\nvt 1 .5\nvn 0 0 1\n")


def odd_files(folder):
    """Legal layouts as corpora have them: polygons, no commas, line ends of Windows, index lists left out, seams."""
    made = {
        "polygons.wrl": WRL + b"} }\n", "texture.wrl": WRL + UV + b"} }\n",
        "no commas.wrl": (WRL + UV + b"} }\n").replace(b",", b""),
        "windows.wrl": (WRL + UV + b"} }\n").replace(b"\n", b"\r\n"),
        "seams.wrl": WRL + UV + b"texCoordIndex [ 0 1 2 3 -1 4 3 2 -1 ]\n} }\n",
        "polygons.obj": OBJ + b"f 1/1 2/2 3/3 4/4\nf 2/2 5/5 3/3\n",
        "seams.obj": OBJ + b"f 1/1 2/2 3/3\nf 2/5 5/4 3/3\n",
        "normals.obj": OBJ + b"f 1/1/1 2/2/1 3/3/1\nf 2/2/1 5/5/1 3/3/1\n", "bare.obj": OBJ + b"f 1 2 3\nf 2 5 3\n",
        "from the end.obj": OBJ + b"f -5/-5 -4/-4 -3/-3\nf -4/-4 -1/-1 -3/-3\n",
        "windows.obj": (OBJ + b"f 1/1 2/2 3/3\nf 2/2 5/5 3/3\n").replace(b"\n", b"\r\n"),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in made]


def test_vtk_reads_odd_layouts_as_we_do(tmp_path):
    for path in odd_files(tmp_path):
        agree_with_vtk(path)


def test_trimesh_reads_lines_of_windows_as_we_do(tmp_path):
    """Of the odd layouts the one that trimesh reads in full: no quads, normals, seams, numbers from the end."""
    text = OBJ.replace(b"vn 0 0 1\n", b"") + b"f 1/1 2/2 3/3\nf 1/1 3/3 4/4\nf 2/2 5/5 3/3\n"
    (tmp_path / "a.obj").write_bytes(text.replace(b"\n", b"\r\n"))
    agree_with_trimesh(tmp_path / "a.obj")


@pytest.mark.skipif(not SAMPLE, reason="MVLM_SAMPLE names no folder; the odd layouts above stand for it")
@pytest.mark.parametrize("extension", [".wrl", ".obj"])
def test_others_read_sample_corpora_as_we_do(extension):
    paths = sorted(Path(SAMPLE).rglob(f"*{extension}"))
    assert paths, f"{SAMPLE} has no {extension}"
    for path in paths[::max(1, len(paths) // 150)]:
        agree_with_vtk(path)
    if extension == ".obj":
        for path in paths[::max(1, len(paths) // 20)]:
            agree_with_trimesh(path)
