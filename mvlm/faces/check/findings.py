"""What a few meshes of a corpus say about it, as lines of the report of `mvlm.faces.check`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm.faces.check import measurements
from mvlm.faces.corpora.au_codes import code_files, read_occurrence
from mvlm.faces.corpora.corpus import Corpus
from mvlm.faces.corpora.items import Frame, Scan, Sequence, evenly_spaced
from mvlm.faces.formats.files import beside
from mvlm.faces.mesh import Mesh

LOOKED_AT = 12  # meshes of each corpus
ANGLES = ("yaw", "pitch", "roll")
FAR = 25.0  # degrees to which alignment by shape alone was tried


class Finding(NamedTuple):
    """One line of the report: OK, NOTE or LOOK, what it is about, what was found, and for LOOK what to do."""

    level: str
    topic: str
    text: str
    advice: str = ""


class Looked(NamedTuple):
    """A mesh that was read: the item and frame it belongs to, its file, and the seconds that reading took."""

    item: Scan | Sequence
    frame: Frame | None
    path: Path
    mesh: Mesh
    seconds: float


def some(words: list[str], count: int = 3) -> str:
    """The first few words, and how many more there are."""
    return ", ".join(words[:count]) + (f" and {len(words) - count} more" if len(words) > count else "")


def read_a_few(corpus: Corpus) -> tuple[list[Looked], dict[Path, str]]:
    """A few meshes that show a face in front view, from all over the corpus."""
    from tqdm import tqdm

    frontal = [item for item in corpus.items if item.emotion is not None] or list(corpus.items)
    looked, bad = [], {}
    for place in tqdm(evenly_spaced(len(frontal), LOOKED_AT), desc=corpus.name, unit="mesh", disable=None, leave=False):
        item = frontal[place]
        frame = item.frames[len(item.frames) // 2] if isinstance(item, Sequence) else None
        path = frame.path if frame else item.path
        start = time.perf_counter()
        try:
            mesh = corpus.read_frame(item, len(item.frames) // 2) if frame else corpus.read(item)
        except (OSError, ValueError) as error:
            bad[path] = str(error)
        else:
            looked.append(Looked(item, frame, path, mesh, time.perf_counter() - start))
    return looked, bad


def reading(corpus: Corpus, looked: list[Looked], bad: dict[Path, str]) -> Finding:
    """How many of the meshes looked at can be read."""
    if bad:
        return Finding("LOOK", "reading", f"{len(bad)} of {len(bad) + len(looked)} meshes cannot be read: "
                       + some(list(bad.values()), 2),
                       "copy these files again; SKIP_BAD=1 goes on without bad ones and lists them beside the results")
    sizes = [len(one.mesh.vertices) for one in looked]
    return Finding("OK", "reading", f"{len(looked)} meshes read, {min(sizes):,} to {max(sizes):,} vertices"
                   + (", one per sequence" if corpus.sequences else ""))


def unit(meshes: list[Mesh]) -> Finding:
    """Whether lengths are mm, by the eyes or, without landmarks, by the width of the faces."""
    apart = _measured(measurements.eyes_apart(mesh) for mesh in meshes)
    if apart:
        value, (low, high) = float(np.median(apart)), measurements.EYES_APART
        what = f"outer eye corners {value:.0f} apart, {low:.0f} to {high:.0f} in mm"
    else:
        value = float(np.median([measurements.face_across(mesh) for mesh in meshes]))
        low, high = measurements.FACE_ACROSS
        what = f"faces {value:.4g} across, {low:.0f} to {high:.0f} in mm (no landmarks to measure eyes)"
    if low <= value <= high:
        return Finding("OK", "unit", what)
    return Finding("LOOK", "unit", what, "the meshes are not in mm, which views and alignment assume: scale them by "
                   f"{(low + high) / 2 / max(value, 1e-9):.3g} on conversion, and report it")


def orientation(meshes: list[Mesh]) -> Finding:
    """Whether faces are upright and look at the camera."""
    upright = _measured(measurements.upright(mesh) for mesh in meshes)
    if upright:
        text = f"brows above nose above chin, nose in front, in {sum(upright)} of {len(upright)}"
        good = np.mean(upright) > 0.75
    else:
        heights = [np.mean(mesh.vertices[:, 1] < measurements.tip(mesh)[1]) for mesh in meshes]
        text = f"foremost point above {np.median(heights):.0%} of each face's vertices (no landmarks)"
        good = 0.1 < np.median(heights) < 0.9
    return Finding("OK" if good else "LOOK", "orientation", text, "" if good else
                   "+x must be image right, +y up, +z towards the camera: rotate the meshes, or report the axes")


def turning(looked: list[Looked]) -> Finding:
    """How far faces are turned from upright and frontal as they are delivered, and which are turned most."""
    measured = [(f"{one.item.name} {one.path.name}" if one.frame else one.item.name, measurements.turned(one.mesh))
                for one in looked]
    found = sorted(((name, angles) for name, angles in measured if angles is not None),
                   key=lambda pair: -np.abs(pair[1]).max())
    lost = len(looked) - len(found)
    if not found:
        return Finding("NOTE", "turning", "no face is found in the meshes looked at: each would be shown as it lies")
    every = np.array([angles for _, angles in found])
    middle, wide = np.median(every, axis=0), np.quantile(np.abs(every), 0.9, axis=0)
    text = ("degrees from upright, the median and what 90 % are within: "
            + ", ".join(f"{what} {m:+.0f} and {w:.0f}" for what, m, w in zip(ANGLES, middle, wide, strict=True))
            + "; most " + some([f"{name} ({_angles(angles)})" for name, angles in found[:3]]))
    if lost:
        text += f"; in {lost} of {len(looked)} no face is found, which would be shown as they lie"
    if wide.max() > FAR:
        text += f"; beyond {FAR:.0f} without landmarks alignment may fail: look at the views of these"
    return Finding("NOTE" if lost or wide.max() > FAR else "OK", "turning", text)


def _angles(angles: np.ndarray) -> str:
    return ", ".join(f"{what} {angle:+.0f}" for what, angle in zip(ANGLES, angles, strict=True))


def winding(meshes: list[Mesh]) -> Finding:
    """Whether triangles are turned outwards."""
    outward = [measurements.outward(mesh) for mesh in meshes]
    if all(outward):
        return Finding("OK", "winding", "triangles turn towards the camera")
    return Finding("LOOK", "winding", f"triangles turn away from the camera in {len(outward) - sum(outward)} of "
                   f"{len(outward)}", "shading would be dark: check the axes first; if they are right, the corners of "
                   "each triangle are listed clockwise, which is worth a report")


def landmarks(looked: list[Looked]) -> Finding:
    """How many landmarks there are, and whether those of a .bnd lie on the vertices that it names."""
    counts = Counter(len(one.mesh.landmarks) for one in looked)
    missing = counts.pop(0, 0)
    if not counts:
        return Finding("NOTE", "landmarks", "none beside the meshes looked at: heads are aligned by their shape alone; "
                       "put the landmark files where DATA.md says for a better alignment")
    text = f"{' or '.join(map(str, sorted(counts)))} in {len(looked) - missing} of {len(looked)} meshes"
    files = [one.frame.landmarks if one.frame else beside(one.path, [f"{one.path.stem}.bnd"]) for one in looked]
    measured = [measurements.bnd(path, one.mesh.vertices) for path, one in zip(files, looked, strict=True)
                if path is not None and path.suffix.lower() == ".bnd" and one.mesh.landmarks]
    if measured:
        bases = sorted({one.base for one in measured})
        text += (f"; .bnd count vertices from {' and '.join(map(str, bases))}, coordinates "
                 f"{np.median([one.median for one in measured]):.2g} mm (median) and at most "
                 f"{max(one.largest for one in measured):.2g} mm from their vertices")
        if len(bases) > 1:
            return Finding("LOOK", "landmarks", text, "one copy should count one way: do landmarks and meshes belong "
                           "to the same release?")
    return Finding("NOTE" if missing else "OK", "landmarks", text)


def texture(meshes: list[Mesh]) -> Finding:
    """Whether there are pictures, and whether they lie the right way up."""
    textured = [mesh for mesh in meshes if mesh.texture is not None and mesh.texture_coordinates is not None]
    if not textured:
        return Finding("NOTE", "texture", "no mesh looked at has both a picture and texture coordinates: the channel "
                       "`texture` is not there, the default channel needs none")
    text = f"picture and coordinates in {len(textured)} of {len(meshes)}"
    try:
        evidence = _measured(measurements.texture_evidence(mesh) for mesh in textured)
    except (OSError, ValueError) as error:
        return Finding("LOOK", "texture", f"{text}; {error}", "a picture cannot be read: copy it again")
    mean = float(np.mean(evidence)) if evidence else 0.0
    doubt = 2 * float(np.std(evidence)) / len(evidence) ** 0.5 if evidence else 0.0
    said = f"({mean:+.2f} +- {doubt:.2f})"
    if abs(mean) <= doubt:
        return Finding("NOTE", "texture", f"{text}; brows and lips do not tell which way up {said}")
    text += f"; brows and lips found with v {'as read' if mean > 0 else 'turned over'} {said}"
    if mean > 0:
        return Finding("OK", "texture", text)
    if not all(mesh.landmarks for mesh in textured):
        return Finding("NOTE", "texture", f"{text}, but without landmarks beards and bare lips mislead: look at one")
    return Finding("LOOK", "texture", text, "pictures lie upside down on the faces: look at a few, and report it; "
                   "the default channel (shaded geometry) does not use them")


def native(corpus: Corpus, looked: list[Looked]) -> Iterator[Finding]:
    """What only one format or corpus has."""
    text = [one.path for one in looked if one.path.suffix.lower() == ".wrl"]
    if text:
        facts = [measurements.vrml(path) for path in text]
        seams = sum(one.mesh.texture_triangles is not None for one in looked)
        lines = ", ".join(map(str, sorted({fact.first_vertex for fact in facts})))
        yield Finding("OK", "VRML", f"first vertex on line {lines}; more than three corners in "
                      f"{sum(fact.polygons for fact in facts)} of {len(text)}, texture with seams in {seams}, CRLF in "
                      f"{sum(fact.crlf for fact in facts)}")
    if corpus.name == "Bosphorus":
        yield _grids(looked)
    if corpus.name == "BP4D":
        yield from _bp4d(corpus)


def _grids(looked: list[Looked]) -> Finding:
    try:
        off = _measured(measurements.pixels_off(one.path) for one in looked)
    except (OSError, ValueError) as error:
        return Finding("LOOK", "pixels", str(error), "copy this file again")
    if not off:
        return Finding("NOTE", "pixels", "no .lm2 and picture beside the scans looked at: u, v are not tested")
    top, bottom = np.median(off, axis=0)
    text = f"u, v of landmarks lie {top:.2g} pixels from their .lm2, {bottom:.3g} if v were counted from the bottom"
    if top < bottom and top < 20:
        return Finding("OK", "pixels", text)
    return Finding("LOOK", "pixels", text, "texture coordinates are not what the format says; report it with the two "
                   "numbers. The default channel does not use them")


def _bp4d(corpus: Corpus) -> Iterator[Finding]:
    digits = Counter(len(frame.path.stem) for sequence in corpus.sequences for frame in sequence.frames[:1])
    mixed = sum(len({len(frame.path.stem) for frame in sequence.frames}) > 1 for sequence in corpus.sequences)
    first = Counter(sequence.frames[0].number for sequence in corpus.sequences)
    materials = sum(beside(s.frames[0].path, [f"{s.frames[0].path.stem}.mtl"]) is not None for s in corpus.sequences)
    yield Finding("NOTE" if mixed else "OK", "numbers",
                  f"{_tally(digits, 'digits')}; first frame {_tally(first)}; material files in {materials} of "
                  f"{len(corpus.sequences)} sequences" + (f"; {mixed} sequences mix digits" if mixed else ""))
    files = code_files(corpus.folder)
    if not files:
        yield Finding("NOTE", "action units", "no AUCoding/AU_OCC: nothing here needs it, the task is the class")
        return
    known = {sequence.name: range(sequence.frames[0].number, sequence.frames[-1].number + 1)
             for sequence in corpus.sequences}  # gaps are another matter
    shared = sorted(set(files) & set(known))
    inside: dict[int, list[float]] = {-1: [], 0: [], 1: []}
    uncoded, late = [], 0
    for name in [shared[place] for place in evenly_spaced(len(shared), LOOKED_AT)] if shared else []:
        try:
            codes = read_occurrence(files[name])
        except (OSError, ValueError) as error:
            yield Finding("LOOK", "action units", str(error), "copy this file again")
            return
        late += bool(codes.frames[0] > 1)
        uncoded.append(float(np.mean(~codes.coded)))
        for offset, shares in inside.items():
            shares.append(float(np.mean([number + offset in known[name] for number in codes.frames.tolist()])))
    said = -1 if first.most_common(1)[0][0] == 0 else 0
    share = float(np.mean(inside[said])) if shared else 0.0
    text = (f"{len(files)} coded sequences, {len(shared)} of them here; a code's frame f is picture f"
            f"{' - 1' if said else ''}, as the first picture is {0 if said else 'not 0'}: {share:.0%} of coded frames "
            f"lie within its sequence; {late} start late; {np.mean(uncoded or [0]):.0%} of rows without any code")
    good = share > 0.98
    yield Finding("OK" if good else "LOOK", "action units", text, "" if good else
                  "codes and pictures do not match; found with f - 1, f, f + 1: "
                  + ", ".join(f"{np.mean(shares or [0]):.0%}" for shares in inside.values())
                  + ". Classes do not depend on it, work with the codes would")


def _measured(values: Iterable[object]) -> list:
    """Without None, which a measurement says of a file that has nothing to measure."""
    return [value for value in values if value is not None]


def _tally(counts: Counter, unit: str = "") -> str:
    return ", ".join(f"{value}{' ' + unit if unit else ''} ({count})" for value, count in counts.most_common(3))
