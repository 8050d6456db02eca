"""Views against a plain ray-casting pipeline in double precision, and how two processes share the machine.

`python -m tests.bench.views` says what the views of all twins will take on this machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from mvlm.faces import Mesh
from mvlm.faces.corpora.corpus import CORPORA
from mvlm.faces.dynamics import project_sequence
from mvlm.faces.pose import Pose, find_pose
from mvlm.faces.views import AMBIENT, DIFFUSE, LIGHT, PIVOT, WINDOW, YAWS, project
from mvlm.samples import FRAMES, catalogue, open_corpus
from tests.bench import Row, race

DENSE = 48_000  # triangles of a scan as BU-4DFE has it


def plain(mesh: Mesh, size: int, threads: int, pose: Pose) -> np.ndarray:
    """(V, size, size) views as one writes them first: rays made anew, normals carried to every pixel, in float64."""
    import open3d

    points = (mesh.vertices - pose.tip) @ pose.turn.T
    scene = open3d.t.geometry.RaycastingScene(nthreads=threads)
    scene.add_triangles(points.astype(np.float32), mesh.triangles.astype(np.uint32))
    corners = points[mesh.triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = np.zeros_like(points)
    for k in range(3):
        np.add.at(normal, mesh.triangles[:, k], face)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    step = (np.arange(size) + 0.5) / size * WINDOW - WINDOW / 2
    across, up = np.meshgrid(step, -step)
    grid = np.stack([across, up, np.full_like(up, 300.0)], -1).reshape(-1, 3)
    views = np.zeros((len(YAWS), size * size))
    for view, yaw in enumerate(np.radians(YAWS)):
        turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        rays = np.hstack([grid @ turn + PIVOT, np.tile(np.array([0, 0, -1.0]) @ turn, (len(grid), 1))])
        hits = scene.cast_rays(open3d.core.Tensor(rays.astype(np.float32)), nthreads=threads)
        hit = np.isfinite(hits["t_hit"].numpy())
        u, v = hits["primitive_uvs"].numpy()[hit].astype(np.float64).T
        of = normal[mesh.triangles[hits["primitive_ids"].numpy()[hit]]]
        at = (1 - u - v)[:, None] * of[:, 0] + u[:, None] * of[:, 1] + v[:, None] * of[:, 2]
        at /= np.linalg.norm(at, axis=1, keepdims=True)
        shade = at @ turn.T @ (np.array(LIGHT) / np.linalg.norm(LIGHT))
        views[view, hit] = AMBIENT + DIFFUSE * np.clip(shade, 0, 1)
    return np.rint(views).astype(np.uint8).reshape(-1, size, size)


def faces() -> tuple[Mesh, Mesh]:
    """A face as twins have it, and the same with 48,000 triangles."""
    import open3d

    twin = open_corpus("BU-3DFE")
    mesh = twin.read(twin.scans[0])
    fine = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(mesh.vertices), open3d.utility.Vector3iVector(mesh.triangles)
    ).subdivide_midpoint(2)
    fine = fine.simplify_quadric_decimation(DENSE)
    return mesh, Mesh(np.asarray(fine.vertices), np.asarray(fine.triangles), mesh.landmarks)


def many(count: int) -> int:
    """Project one face `count` times on one thread."""
    mesh = faces()[0]
    pose = find_pose(mesh)
    return sum(len(project(mesh, pose=pose)) for _ in range(count))


def two_processes(count: int = 300) -> Row:
    """Twice the work on two one-thread processes, against the work on one: 1.8 times the throughput is asked for."""
    import joblib

    with joblib.Parallel(n_jobs=2) as pool:

        def seconds(processes: int) -> float:
            pool(joblib.delayed(many)(5) for _ in range(2))  # both started, libraries imported
            start = time.perf_counter()
            pool(joblib.delayed(many)(count) for _ in range(processes))
            return time.perf_counter() - start

        one, two = (min(seconds(processes) for _ in range(3)) for processes in (1, 2))
    return Row(f"2 x {count} faces, two processes", two, f"{count} faces, one process", one, 2 / 1.8)


def measure() -> Iterator[Row]:
    mesh, dense = faces()
    for what, face, size, threads, bound in (
        ("twin's face, 64 px, one thread (goal 6 ms)", mesh, 64, 1, 0.7),
        ("48,000 triangles, 96 px, two threads (30 ms)", dense, 96, 2, 0.9),
        ("48,000 triangles, 224 px, two threads (45 ms)", dense, 224, 2, 0.8),
    ):
        pose = find_pose(face)
        apart = np.abs(plain(face, size, threads, pose).astype(int) - project(face, size=size, pose=pose)[..., 0])
        assert apart.mean() < 1.0, f"{what}: {apart.mean():.2f} grey levels from the plain pipeline"

        def ours(face=face, size=size, threads=threads, pose=pose):
            return project(face, size=size, threads=threads, pose=pose)

        def theirs(face=face, size=size, threads=threads, pose=pose):
            return plain(face, size, threads, pose)

        yield race(what, ours, "plain float64 pipeline on the same rays", theirs, bound)
    yield two_processes()


def protocol(profile: str = "quick", size: int = 64, sampled: int = 6) -> dict[str, tuple[int, float]]:
    """What the views of every twin's samples will take on one core: name -> (meshes, seconds), from a few of each."""
    taken = {}
    for name in CORPORA:
        twin = open_corpus(name)
        known = set(catalogue(twin).names)
        items = [item for item in twin.items if item.name in known]
        count = FRAMES[profile]
        lengths = [len(item.frames) if twin.sequences else 1 for item in items]
        meshes = sum(min(count or length, length) for length in lengths)

        def show(item, twin=twin, count=count):
            if twin.sequences:
                return project_sequence(twin, item, size=size, count=count)
            return project(twin.read(item), size=size)

        show(items[0])  # what is made once
        chosen = items[1 :: max(1, len(items) // sampled)]
        taken[name] = meshes, _seconds(show, chosen) / len(chosen) * len(items)
    return taken


def _seconds(function: Callable, items: list) -> float:
    start = time.perf_counter()
    for item in items:
        function(item)
    return time.perf_counter() - start


if __name__ == "__main__":
    found = protocol()
    for corpus, (meshes, seconds) in found.items():
        print(f"{corpus:10} {meshes:7,} meshes {seconds:7.0f} s on one core, {1e3 * seconds / meshes:5.1f} ms each")
    print(f"all: {sum(seconds for _, seconds in found.values()) / 60:.1f} min on one core")
