"""Landmark files: .bnd (83 points, BU-3DFE and BU-4DFE), .lm3 and .lm2 (22 labelled points, Bosphorus).

Layouts: 83 rows `index<TAB><TAB>x y z`; a text of N pairs of lines, a label and its `x y z`; and a text of N labels
below `Labels:` and N rows `x y` below `2D Image coordinates:`. A point that was not seen may be left out of the latter
two. Elsewhere its row holds not-a-number, -1 or zeros, and it is missing; `#` begins a remark.
Neither format says whose left "left" is, and files of both conventions occur, so the readers look (`_subject_sides`):
in what they return "left" is the subject's left, at +x on a frontal face.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces.formats.files import read_text

_BND_GROUPS = {"left eye": 8, "right eye": 8, "left brow": 10, "right brow": 10, "nose": 12, "mouth": 20, "contour": 15}
BND_NAMES = tuple(f"{group} {row}" for group, count in _BND_GROUPS.items() for row in range(count))
LM3_NAMES = (
    "outer left eyebrow", "middle left eyebrow", "inner left eyebrow",
    "inner right eyebrow", "middle right eyebrow", "outer right eyebrow",
    "outer left eye corner", "inner left eye corner", "inner right eye corner", "outer right eye corner",
    "nose saddle left", "nose saddle right", "left nose peak", "nose tip", "right nose peak",
    "left mouth corner", "upper lip outer middle", "right mouth corner",
    "upper lip inner middle", "lower lip inner middle", "lower lip outer middle", "chin middle",
    "ear lobe left", "ear lobe right",
)  # fmt: skip
LARGEST = 2**18  # bytes; 83 rows have 4,000
_NOT_A_NUMBER = re.compile(r"[+-]?(1\.#[A-Z]+[0-9]*|nan(\([^)\s]*\))?)(?!\S)", re.IGNORECASE)  # of C libraries
ON_MESH = 1.0  # mm; a .bnd row repeats the coordinates of the vertex it names, so anything further is another mesh


def read_bnd(path: Path, vertices: np.ndarray) -> dict[str, np.ndarray]:
    """Reads the 83 landmarks of a .bnd file.

    path:     the file
    vertices: (V, 3) mm, of the mesh that the file belongs to. Column 1 counts vertices from 0 or from 1, which no
              file states: the base is the one whose vertices lie nearest to the coordinates in columns 2-4.

    Returns name ("left eye 0" .. "contour 14") -> (3,) mm, of those that are not missing. Raises ValueError naming the
    file and the line.
    """
    points, _, away = bnd_on_mesh(path, vertices)
    return _subject_sides({name: point for name, point, mm in zip(BND_NAMES, points, away, strict=True) if mm >= 0})


def bnd_on_mesh(path: Path, vertices: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """The points (83, 3) of a .bnd file, the base of its vertex numbers, and the mm (83,) from each to its vertex.

    The mm are NaN where a landmark is missing. Arguments and errors as of `read_bnd`.
    """
    index, points = _bnd_rows(path)
    blank = (points == points[:, :1]).all(axis=1) & np.isin(points[:, 0], (0, -1))  # missing, or by chance a vertex
    there = (index != -1) & np.isfinite(points).all(axis=1)
    sure, found = there & ~blank, []
    if not sure.any():
        return points, 0, np.full(len(points), np.nan)
    for base in (0, 1):
        rows = index - base
        if rows[sure].min() >= 0 and rows[sure].max() < len(vertices):
            inside = there & (rows >= 0) & (rows < len(vertices))
            away = np.full(len(points), np.nan)
            away[inside] = np.linalg.norm(vertices[rows[inside].astype(np.int64)] - points[inside], axis=1)
            found.append((float(np.median(away[sure])), base, away))
    if not found:
        raise ValueError(f"{path}: expected indices of the mesh's {len(vertices)} vertices, "
                         f"found {index[sure].min()}..{index[sure].max()}")
    median, base, away = min(found, key=lambda one: one[0])
    if median > ON_MESH:
        raise ValueError(f"{path}: expected the coordinates of the vertices that column 1 names (within {ON_MESH} mm), "
                         f"found a median distance of {median:.3g} mm: landmarks of another mesh?")
    away[blank & ~(away <= ON_MESH)] = np.nan
    return points, base, away


def _bnd_rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertex numbers (83,) of Python, as large as they come, and points (83, 3); what is missing is -1 or NaN."""
    indices, points, others = [], [], []
    for number, line in _lines(path):
        words = line.split()
        if not words:
            continue
        if words[0][0].isalpha() and words[0] != "nan":
            others.append((number, line))
            continue
        try:
            if words[0] in ("nan", "-1", "-1.0"):
                indices.append(-1)
                points.append((np.nan,) * 3)
                continue
            index, point = _whole(words[0]), _coordinates(words[1:4])
        except ValueError:
            raise ValueError(f"{path}, line {number}: expected `index x y z`, found {line!r:.80}") from None
        indices.append(index)
        points.append(point)
    if len(points) != len(BND_NAMES):
        other = f", and on line {others[0][0]} {others[0][1]!r:.60}" if others else ""
        raise ValueError(f"{path}: expected {len(BND_NAMES)} rows `index x y z`, found {len(points)}{other}")
    return np.array(indices, dtype=object), np.array(points)


def write_bnd(landmarks: dict[str, np.ndarray], vertices: np.ndarray, path: Path) -> None:
    """Writes the 83 landmarks `BND_NAMES` with the (0-based) nearest of `vertices` (V, 3); coordinates to 1e-6 mm.

    Raises ValueError if the names are others or the points do not lie on the mesh.
    """
    if set(landmarks) != set(BND_NAMES):
        odd = sorted(set(landmarks) ^ set(BND_NAMES))
        raise ValueError(f"{path}: expected the {len(BND_NAMES)} landmarks of a .bnd file, "
                         f"missing or unknown: {', '.join(odd[:4])}{', ...' if len(odd) > 4 else ''}")
    points = np.array([landmarks[name] for name in BND_NAMES])
    squares = sum((points[:, None, axis] - vertices[:, axis]) ** 2 for axis in range(3))  # numpy's own sum is slow here
    nearest = squares.argmin(axis=1)
    distance = float(np.median(np.sqrt(squares.min(axis=1))))
    if distance > ON_MESH:
        raise ValueError(f"{path}: expected landmarks on vertices of the mesh (within {ON_MESH} mm), "
                         f"found a median distance of {distance:.3g} mm")
    rows = (f"{index}\t\t{x:.6f} {y:.6f} {z:.6f}\n" for index, (x, y, z) in zip(nearest, points, strict=True))
    with replacing(path) as temporary:
        temporary.write_text("".join(rows), encoding="ascii", newline="")


def read_lm3(path: Path) -> dict[str, np.ndarray]:
    """Reads the labelled landmarks of a .lm3 file, matched by label because hidden ones are left out.

    Returns label in lower case ("nose tip") -> (3,) mm, of those that are not missing. Raises ValueError naming the
    file and the line.
    """
    lines = [(number, line.strip()) for number, line in _lines(path)]
    content, skipping = [], False
    for number, line in lines:
        # An optional block of remarks: from a line `*` up to the next blank line.
        skipping = line == "*" or (skipping and line != "")
        if line and not skipping:
            content.append((number, line))
    if not content:
        raise ValueError(f"{path}: expected a line `<count> landmarks:`, found none")
    (number, line), pairs = content[0], content[1:]
    count = line.split()[0]
    if not re.fullmatch(r"[0-9]{1,6}(\.0*)?", count):
        raise ValueError(f"{path}, line {number}: expected `<count> landmarks:`, found {line!r:.80}")
    count = int(count.partition(".")[0])
    if len(pairs) < 2 * count:
        raise ValueError(f"{path}: expected {count} landmarks (a label and a line `x y z` each), "
                         f"found {len(pairs)} lines of them: truncated?")
    landmarks: dict[str, np.ndarray] = {}
    for (at, label), (number, line) in zip(pairs[:2 * count:2], pairs[1:2 * count:2], strict=True):
        try:
            point = _coordinates(line.split())
        except ValueError:
            raise ValueError(f"{path}, line {number}: expected `x y z` of {label!r:.40}, found {line!r:.80}") from None
        name = " ".join(label.lower().split())
        if name in landmarks:
            raise ValueError(f"{path}, line {at}: expected each landmark once, found {label!r:.40} again")
        landmarks[name] = point
    return _subject_sides(_seen(landmarks))


def read_lm2(path: Path) -> dict[str, np.ndarray]:
    """Reads the pixels of a .lm2 file.

    Returns label in lower case -> (2,) from the picture's top left, of those that are not missing; whose left "left" is
    remains open. Raises ValueError naming the file.
    """
    lines = [line.strip() for _, line in _lines(path) if line.strip()]
    plain = [line.lower() for line in lines]
    try:
        at, points = plain.index("labels:"), plain.index("2d image coordinates:")
        labels = [" ".join(line.split()) for line in plain[at + 1:points]]
        pixels = [_coordinates(line.split(), 2) for line in lines[points + 1:]]
        return _seen(dict(zip(labels, pixels, strict=True)))
    except ValueError:
        raise ValueError(f"{path}: expected `Labels:`, a line for each, `2D Image coordinates:` and as many lines "
                         "`x y`") from None


def write_lm3(landmarks: dict[str, np.ndarray], path: Path) -> None:
    """Writes labelled landmarks (name -> (3,) mm, to 1e-6 mm), those of `LM3_NAMES` first and in that order."""
    names = [name for name in LM3_NAMES if name in landmarks] + [name for name in landmarks if name not in LM3_NAMES]
    for name in names:
        if "#" in name or name != " ".join(name.lower().split()) or name in ("", "*"):
            raise ValueError(f"{path}: {name!r} cannot be a label of a .lm3 file: lower-case words without # expected")
    rows = ["# 3D landmarks", "", f"{len(names)} landmarks:"]
    for name in names:
        x, y, z = landmarks[name]
        rows += [name.capitalize(), f"{x:.6f} {y:.6f} {z:.6f}"]
    with replacing(path) as temporary:
        temporary.write_text("\r\n".join(rows) + "\r\n", encoding="utf-8", newline="")


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbers of lines, and the lines without remarks; what is not a number is written nan."""
    lines = read_text(path, LARGEST).decode("utf-8", errors="replace").splitlines()
    bare = [_NOT_A_NUMBER.sub("nan", line).partition("#") for line in lines]
    return [(number, line) for number, (line, remark, _) in enumerate(bare, start=1) if line.strip() or not remark]


def _whole(word: str) -> int:
    """A whole number, also as 12.0. Raises ValueError."""
    return int(re.sub(r"\.0*$", "", word))


def _coordinates(words: list[str], count: int = 3) -> tuple[float, ...]:
    values = tuple(float(word) for word in words)
    if len(values) != count:
        raise ValueError(f"not {count} numbers")
    return values


def _seen(landmarks: dict[str, tuple[float, ...]]) -> dict[str, np.ndarray]:
    """Those that are not missing: numbers, not all of them -1, and not all 0 if that is so of several."""
    zeros = sum(not any(point) for point in landmarks.values())
    return {name: np.array(point) for name, point in landmarks.items()
            if np.isfinite(point).all() and set(point) != {-1.0} and (any(point) or zeros == 1)}


def _subject_sides(landmarks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Swaps the words left and right in the names unless "left" already is the subject's left.

    With +x right, +y up and +z to the camera the subject's left is up x forward, whatever the pose of the head:
    up runs from mouth and chin to eyes and brows, forward from these to the nose. Hidden groups leave names alone.
    """
    def mean(pattern: str) -> np.ndarray | None:
        points = [point for name, point in landmarks.items() if re.search(pattern, name)]
        return np.mean(points, axis=0) if points else None

    left, right = mean(r"\bleft\b"), mean(r"\bright\b")
    if left is None or right is None:  # a profile shows one side: compare it with the middle line
        middle = mean(r"^(?!.*\b(left|right)\b)")
        left, right = (middle if left is None else left), (middle if right is None else right)
    upper, lower, nose = mean("eye|brow"), mean("mouth|lip|chin"), mean("nose")
    if left is None or right is None or upper is None or lower is None or nose is None:
        return landmarks
    up, forward = upper - lower, nose - (upper + lower) / 2
    if np.dot(np.cross(up, forward), left - right) >= 0:
        return landmarks
    return {other_side(name): point for name, point in landmarks.items()}


def other_side(name: str) -> str:
    """A landmark's name with the words left and right exchanged."""
    other = {"left": "right", "right": "left"}
    return re.sub(r"\b(left|right)\b", lambda side: other[side[0]], name)
