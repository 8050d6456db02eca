"""Synthetic twins: corpora with the subjects, classes, levels and file names of the licensed ones, made by the head.

A twin is used exactly as the folder of the real corpus is: an index of scans, and meshes on demand. Every scan is
drawn from random streams of its own (twin version, corpus, subject, scan), so that any scan can be made alone.
`export` writes the native format; the readers get the same mesh back from it.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mvlm.faces import bnt, corpora, formats, head, landmarks
from mvlm.faces.expressions import personal_style, sample_expression
from mvlm.faces.sensors import SENSORS, scan

VERSION = 1  # raised whenever a face, an expression or a sensor changes; frozen before the first Table I
GRID_STEP = 2.6  # mm between the points of a Bosphorus scan; the real one is denser

_CODES = {
    "anger": "AN",
    "disgust": "DI",
    "fear": "FE",
    "happiness": "HA",
    "neutral": "NE",
    "sadness": "SA",
    "surprise": "SU",
}
_WORDS = {
    "anger": "ANGER",
    "disgust": "DISGUST",
    "fear": "FEAR",
    "happiness": "HAPPY",
    "sadness": "SADNESS",
    "surprise": "SURPRISE",
}
_BASIC = tuple(_WORDS)
# Ancestries in BU-3DFE's public list of names, in subjects; only the names carry them, the head has no such trait.
_ANCESTRIES = {"WH": 51, "AE": 24, "BL": 9, "LA": 8, "IN": 6, "AM": 2}


def _rng(*key):
    """A random stream that depends on the words of its key alone."""
    digest = hashlib.sha256("/".join(map(str, (VERSION, *key))).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest[:16], np.uint32))


@dataclass(frozen=True)
class Twin:
    """The twin of one corpus: same attributes and methods as `corpora.Corpus`."""

    name: str

    def __post_init__(self):
        if self.name not in SENSORS:
            raise ValueError(f"no twin of {self.name!r}: expected one of {', '.join(SENSORS)}")

    kind = "twin"
    unknown = ()

    @cached_property
    def fingerprint(self):
        """Hex digest of the index and of three faces (to a micrometre): head, expressions and sensor all show in it."""
        made = hashlib.sha256(repr((self.name, VERSION, GRID_STEP, [s.name for s in self.scans])).encode())
        for wanted in self.scans[:: len(self.scans) // 3]:
            face = self._scanned(wanted)
            for points in (face.vertices, np.array(list(face.landmarks.values()))):
                made.update(np.round(points * 1e3).astype("<i8").tobytes())
        return made.hexdigest()[:16]

    @cached_property
    def scans(self):
        found = _bu3dfe_scans() if self.name == "BU-3DFE" else _bosphorus_scans()
        return tuple(sorted(found, key=lambda s: s.name))

    def check(self):
        """A twin has no bad files."""
        return {}

    def read(self, wanted):
        """The mesh of one of `scans`, (V, 3) mm with landmarks, exactly as its exported file reads."""
        face = self._scanned(wanted)
        if self.name == "BU-3DFE":
            vertices = np.round(face.vertices, 6)  # what the text of a .wrl keeps
            # A .bnd names vertices: a marked point is the vertex nearest to where the marker aimed.
            marked = {
                name: vertices[np.argmin(((vertices - face.landmarks[name]) ** 2).sum(1))]
                for name in landmarks.BND_NAMES
            }
            return replace(face, vertices=vertices, landmarks=marked)
        grid, marked = self.native(wanted)
        return replace(bnt.grid_mesh(grid), landmarks=marked)

    def native(self, wanted):
        """Of a Bosphorus scan: the (5, R, C) grid of its `.bnt` and the landmarks of its `.lm3`."""
        face = self._scanned(wanted)
        names = [name for name in landmarks.LM3_NAMES if name in face.landmarks]  # no ears on a mask
        return depth_grid(face), {name: np.round(face.landmarks[name], 6) for name in names}

    def _scanned(self, wanted):
        person = _rng(self.name, wanted.subject)
        identity, style = head.random_identity(person), personal_style(person)
        take = _rng(self.name, wanted.name)
        level = wanted.level or take.uniform(3.0, 4.0)  # Bosphorus has no levels: one strong take
        units = (
            sample_expression(wanted.emotion, level, take, style) if wanted.emotion else _single_unit(wanted.code, take)
        )
        return scan(head.head(identity, units), SENSORS[self.name], take)


def _bu3dfe_scans():
    """100 subjects (56 F, 44 M) x (neutral + 6 emotions x 4 levels)."""
    subjects = [f"F{i:04d}" for i in range(1, 57)] + [f"M{i:04d}" for i in range(1, 45)]
    ancestry = _rng("BU-3DFE", "ancestry").permutation(np.repeat(list(_ANCESTRIES), list(_ANCESTRIES.values())))
    for subject, group in zip(subjects, ancestry, strict=True):
        for emotion, code in _CODES.items():
            for level in (0,) if emotion == "neutral" else (1, 2, 3, 4):
                yield corpora.Scan(f"{subject}_{code}{level:02d}{group}", subject, emotion, level, None, code)


def _bosphorus_scans():
    """105 subjects, 65 of whom show all six emotions, the others one to five; each a neutral and two single action
    units.

    A few subjects repeat an emotion, as in the real corpus, so that the rule of the lowest take has something to
    choose.
    """
    rng = _rng("Bosphorus", "index")
    complete = set(rng.permutation(105)[:65].tolist())
    for number in range(105):
        subject = f"bs{number:03d}"
        shown = (
            _BASIC if number in complete else tuple(np.array(_BASIC)[np.sort(rng.permutation(6)[: rng.integers(1, 6)])])
        )
        codes = [("N", "N", "neutral", 0), *(("E", _WORDS[e], str(e), 0) for e in shown)]
        if rng.random() < 0.15:
            codes.append(("E", _WORDS[shown[0]], str(shown[0]), 1))
        codes += [("LFAU", "9", None, 0), ("UFAU", "4", None, 0)]
        for kind, word, emotion, take in codes:
            yield corpora.Scan(f"{subject}_{kind}_{word}_{take}", subject, emotion, None, None, f"{kind}_{word}")


def _single_unit(code, rng):
    return {int(code.split("_")[1]): float(rng.uniform(0.7, 1.0))}


def depth_grid(mesh, step=GRID_STEP):
    """What a scanner with one viewpoint sees.

    Returns:
        (5, R, C) planes x, y, z (mm; `bnt.MISSING` outside the face) and u, v (in [0, 1], v from the top), row 0 at
        the bottom.
    """
    import open3d

    low, high = mesh.vertices[:, :2].min(0), mesh.vertices[:, :2].max(0)
    columns, rows = (int(n) + 1 for n in np.ceil((high - low) / step))
    x, y = np.meshgrid(low[0] + step * np.arange(columns), low[1] + step * np.arange(rows))
    scene = open3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        np.ascontiguousarray(mesh.vertices, np.float32), np.ascontiguousarray(mesh.triangles, np.uint32)
    )
    top = 500.0
    rays = np.stack([x, y, np.full_like(x, top), *(np.full_like(x, v) for v in (0, 0, -1))], -1).astype(np.float32)
    z = top - scene.cast_rays(open3d.core.Tensor(rays))["t_hit"].numpy().astype(np.float64)
    u, v = (x - low[0]) / (high[0] - low[0]), 1 - (y - low[1]) / (high[1] - low[1])  # v counts from the top
    grid = np.stack([x, y, z, np.clip(u, 0, 1), np.clip(v, 0, 1)])
    grid[:3, ~np.isfinite(z)] = bnt.MISSING
    return grid


def export(twin, folder, subjects=3):
    """Write the first `subjects` subjects in the corpus' native format below `folder`; returns the corpus' folder.

    Raises:
        FileExistsError: the folder holds that corpus already.
    """
    target = Path(folder) / twin.name
    if target.exists():
        raise FileExistsError(f"{target}: exists; a twin is only written into a new folder")
    chosen = sorted({s.subject for s in twin.scans})[:subjects]
    for wanted in (s for s in twin.scans if s.subject in chosen):
        if twin.name == "BU-3DFE":
            path = target / wanted.subject / f"{wanted.name}_F3D.wrl"
            path.parent.mkdir(parents=True, exist_ok=True)
            formats.write_mesh(twin.read(wanted), path)
        else:
            path = target / "BosphorusDB" / wanted.subject / f"{wanted.name}.bnt"
            path.parent.mkdir(parents=True, exist_ok=True)
            grid, marked = twin.native(wanted)
            bnt.write_bnt(grid, path)
            landmarks.write_lm3(marked, path.with_suffix(".lm3"))
    return target
