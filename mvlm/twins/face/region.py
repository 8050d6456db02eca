"""Which part of MakeHuman's body the face is: the quads of the head's front, and the rings around its slits."""

from pathlib import Path

import numpy as np

# Colours of the package's map of body parts, which is laid out by texture coordinates.
PARTS = {"head": (90, 86, 255), "left": (249, 108, 136), "right": (253, 249, 16), "mouth": (112, 172, 255)}
NOSE_TIP = 5054  # vertex of the base mesh
AROUND = (90.0, 105.0, 115.0, 95.0)  # mm beside, below, above and behind the nose tip: somewhat more than a scan shows
RINGS = {"left": 12, "right": 12, "mouth": 10}  # rings of quads around a slit that are a regular grid


def part_of(data: Path, quads: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """The part of the body that each quad is of.

    Args:
        data: `source.folder()`.
        quads: (Q, 4) rows of `coordinates`.
        coordinates: (U, 2) texture coordinates.

    Returns:
        (Q,) names, keys of `PARTS`, "" elsewhere.
    """
    from PIL import Image

    picture = np.asarray(Image.open(data / "segmentation/body_parts_segmentation.png").convert("RGB"))
    height, width = picture.shape[:2]
    middle = coordinates[quads].mean(1)
    row = np.clip(np.rint((1 - middle[:, 1]) * height).astype(int), 0, height - 1)
    colour = picture[row, np.clip(np.rint(middle[:, 0] * width).astype(int), 0, width - 1)]
    found = np.full(len(quads), "", dtype="<U8")
    for name, known in PARTS.items():
        found[(colour == known).all(1)] = name
    return found


def front(quads: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(Q,) bool: the quads near the face; `mean` (V, 3) mm, nose tip at the origin."""
    x, y, z = mean[quads].mean(1).T
    beside, below, above, behind = AROUND
    return (abs(x) < beside) & (y > -below) & (y < above) & (z > -behind)


def collar(skin: np.ndarray, inside: np.ndarray, count: int) -> np.ndarray:
    """The rings of vertices around a slit.

    Args:
        skin: (Q, 4) quads of the skin.
        inside: (P, 4) quads of the cavity behind the slit.
        count: rings wanted beyond the first, which skin and cavity share.

    Returns:
        (1 + count, N) vertices: from the cavity outwards, and around; a column runs along edges.

    Raises:
        ValueError: the rings are no regular grid.
    """
    neighbours: dict[int, set[int]] = {}
    for one, other in np.concatenate([skin[:, [i, (i + 1) % 4]] for i in range(4)]).tolist():
        neighbours.setdefault(one, set()).add(other)
        neighbours.setdefault(other, set()).add(one)
    edge = set(np.intersect1d(skin, inside).tolist())
    ring = [min(edge)]
    while len(ring) < len(edge):
        ahead = sorted((neighbours[ring[-1]] & edge) - set(ring))
        if not ahead:
            raise ValueError(f"the slit's edge is no ring: it ends at vertex {ring[-1]}")
        ring.append(ahead[0])
    rings, seen = [ring], set(ring)
    for _ in range(count):
        outwards = [sorted(neighbours[vertex] - seen) for vertex in rings[-1]]
        if any(len(found) != 1 for found in outwards):
            raise ValueError(f"ring {len(rings)} around the slit is not regular")
        rings.append([found[0] for found in outwards])
        seen |= set(rings[-1])
    return np.array(rings)
