"""From coarse quads to the mesh of a scan: one step of Catmull-Clark where quads are large, and a smooth rim.

Every vertex of the result is a fixed mixture of coarse vertices, so that all that is linear stays linear.
"""

from collections import defaultdict

import numpy as np
from scipy.sparse import coo_array, csr_array

LARGEST = 6.5  # mm; quads with a longer edge on the average face are divided


class _Mixtures:
    """Rows of a sparse matrix, one mixture of coarse vertices each, as they come."""

    def __init__(self):
        self.rows, self.columns, self.shares = [], [], []
        self.count = 0

    def add(self, mixture: dict) -> int:
        for vertex, share in mixture.items():
            self.rows.append(self.count)
            self.columns.append(vertex)
            self.shares.append(share)
        self.count += 1
        return self.count - 1

    def matrix(self, width: int) -> csr_array:
        return coo_array((self.shares, (self.rows, self.columns)), (self.count, width)).tocsr()


def _blend(*parts):
    """A mixture of mixtures: pairs of a share and a mixture."""
    total = defaultdict(float)
    for share, mixture in parts:
        for vertex, each in mixture.items():
            total[vertex] += share * each
    return total


def refine(quads: np.ndarray, mean: np.ndarray) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """Divide the large quads (Catmull & Clark 1978), smooth all vertices by the same rule, and cut into triangles.

    Args:
        quads: (Q, 4) coarse quads.
        mean: (V, 3) mm, the average face, on which lengths are measured.

    Returns:
        (N, V) mixtures, the first V those of the coarse vertices; (T, 3) triangles; (N, 4) parents, the coarse vertices
        between which a vertex lies: the corners of a quad, the ends of an edge twice, or a vertex four times.
    """
    edges = defaultdict(list)  # edge -> its quads
    for place, quad in enumerate(quads.tolist()):
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            edges[min(a, b), max(a, b)].append(place)
    longest = np.linalg.norm(mean[quads] - mean[np.roll(quads, -1, 1)], axis=2).max(1)
    large = longest > LARGEST
    centre = [dict.fromkeys(quad, 0.25) for quad in quads.tolist()]
    middle = {}
    for (a, b), beside in edges.items():
        straight = {a: 0.5, b: 0.5}
        middle[a, b] = straight if len(beside) == 1 else _blend(
            (0.5, straight), *((0.25, centre[place]) for place in beside)
        )  # fmt: skip
    mixtures = _Mixtures()
    parents = []
    for vertex, mixture in enumerate(_smoothed(len(mean), quads, edges, centre)):
        mixtures.add(mixture)
        parents.append((vertex,) * 4)
    split = {}
    for edge, beside in edges.items():
        if large[beside].any():
            split[edge] = mixtures.add(middle[edge])
            parents.append(edge * 2)
    triangles = []
    for place, quad in enumerate(quads.tolist()):
        outline = []
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            outline.append(a)
            if (min(a, b), max(a, b)) in split:
                outline.append(split[min(a, b), max(a, b)])
        if len(outline) == 4:
            first, second = (np.linalg.norm(mean[quad[i]] - mean[quad[i + 2]]) for i in (0, 1))
            a, b, c, d = quad if first <= second else quad[1:] + quad[:1]
            triangles += [(a, b, c), (a, c, d)]
        else:
            hub = mixtures.add(centre[place])
            parents.append(tuple(quad))
            triangles += [(hub, a, b) for a, b in zip(outline, outline[1:] + outline[:1], strict=True)]
    return mixtures.matrix(len(mean)), np.array(triangles), np.array(parents)


def _smoothed(count, quads, edges, centre):
    """The mixture of each of `count` coarse vertices by Catmull and Clark's rule."""
    around, border, near = defaultdict(list), defaultdict(set), defaultdict(set)
    for place, quad in enumerate(quads.tolist()):
        for vertex in quad:
            around[vertex].append(place)
    for (a, b), beside in edges.items():
        for one, other in ((a, b), (b, a)):
            near[one].add(other)
            if len(beside) == 1:
                border[one].add(other)
    for vertex in range(count):
        own = {vertex: 1.0}
        if len(border[vertex]) == 2:
            yield _blend((0.75, own), *((0.125, {other: 1.0}) for other in sorted(border[vertex])))
        elif border[vertex] or not around[vertex]:
            yield own
        else:
            n = len(around[vertex])
            yield _blend(
                ((n - 2) / n, own),
                *((1 / n**2, {other: 1.0}) for other in sorted(near[vertex])),
                *((1 / n**2, centre[place]) for place in around[vertex]),
            )


def clip(triangles: np.ndarray, level: np.ndarray) -> tuple[csr_array, np.ndarray]:
    """Keep the part of a mesh where `level` is positive, cutting the triangles on the line where it is 0.

    Args:
        triangles: (T, 3) rows of N vertices.
        level: (N,) a smooth function on the vertices.

    Returns:
        (M, N) mixtures of the vertices that remain, in the old order, the cuts last; (S, 3) triangles.
    """
    inside = level[triangles] > 0
    used = np.zeros(len(level), bool)
    used[triangles[inside.any(1)]] = True
    kept = np.flatnonzero(used & (level > 0))
    mixtures, place = _Mixtures(), {}
    for vertex in kept.tolist():
        place[vertex] = mixtures.add({vertex: 1.0})

    def cut(a, b):
        a, b = min(a, b), max(a, b)
        if (a, b) not in place:
            share = level[a] / (level[a] - level[b])
            place[a, b] = mixtures.add({a: 1 - share, b: share})
        return place[a, b]

    result = []
    for corners, within in zip(triangles.tolist(), inside.tolist(), strict=True):
        count = sum(within)
        if count == 3:
            result.append([place[corner] for corner in corners])
        elif count:
            alone = within.index(count == 1)
            a, b, c = corners[alone], corners[(alone + 1) % 3], corners[(alone + 2) % 3]
            if count == 1:
                result.append([place[a], cut(a, b), cut(a, c)])
            else:
                result += [[cut(a, b), place[b], place[c]], [cut(a, b), place[c], cut(a, c)]]
    return mixtures.matrix(len(level)), np.array(result)
