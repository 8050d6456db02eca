"""Twins as files: the names, folders, meshes, pictures, landmarks and codes of the real corpora.

BU-3DFE    F0001/F0001_AN01WH_F3D.wrl, _F3D.bnd, _F2D.bmp
Bosphorus  BosphorusDB/bs000/bs000_E_ANGER_0.bnt, .lm3, .png
BU-4DFE    F001/Angry/000.wrl, 000.jpg; BU4DFE_BND_V1.1/F001/Angry/000.bnd
BP4D       Sequences(2D+3D)/F001/T1/0001.obj, .mtl, .jpg; AUCoding/AU_OCC/F001_T1.csv
4DME       manifest.csv; clips/s01_c01/001.ply, .png
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mvlm.faces.corpora.au_codes import NOT_CODED
from mvlm.faces.corpora.items import Scan, Sequence, evenly_spaced
from mvlm.faces.corpora.manifest import COLUMNS, MANIFEST
from mvlm.faces.formats import bnt, by_extension, landmarks
from mvlm.twins.twin import apex_frame

if TYPE_CHECKING:
    from mvlm.twins.twin import Twin

CODED = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)  # action units that people coded in BP4D
TRACE = 0.1  # an intensity from which a coder sees a unit; A is 0.2


def export(twin: Twin, folder: Path | str, subjects: int = 3, frames: int | None = None) -> Path:
    """Write the first `subjects` subjects in the corpus' native format below `folder`; returns the corpus' folder.

    Args:
        twin: the twin of any corpus.
        folder: where the corpus' folder is made.
        subjects: how many of them.
        frames: of each sequence that many, evenly spaced, under their own numbers; None writes all, which for one
            subject of a moving corpus is hundreds of MB.

    Raises:
        FileExistsError: the folder holds that corpus already.
        ValueError: not one subject or frame.
    """
    for what, count in (("subjects", subjects), ("frames", frames)):
        if count is not None and count < 1:
            raise ValueError(f"{what} = {count}: expected at least 1")
    target = Path(folder) / twin.name
    if target.exists():
        raise FileExistsError(f"{target}: exists; a twin is only written into a new folder")
    chosen = sorted({item.subject for item in twin.items})[:subjects]
    items = [item for item in twin.items if item.subject in chosen]
    for item in items:
        if isinstance(item, Scan):
            _export_scan(twin, item, target)
        else:
            _export_sequence(twin, item, target, frames)
    if twin.name == "4DME":
        _write_manifest(twin, items, target / MANIFEST)
    return target


def _export_scan(twin: Twin, scan: Scan, target: Path) -> None:
    if twin.name == "BU-3DFE":
        path = target / scan.subject / f"{scan.name}_F3D.wrl"
        path.parent.mkdir(parents=True, exist_ok=True)
        by_extension.write_mesh(twin.read(scan), path)
    else:
        from PIL import Image

        path = target / "BosphorusDB" / scan.subject / f"{scan.name}.bnt"
        path.parent.mkdir(parents=True, exist_ok=True)
        grid, marked, picture = twin.native(scan)
        Image.fromarray(picture).save(path.with_suffix(".png"))
        bnt.write_bnt(grid, path)
        landmarks.write_lm3(marked, path.with_suffix(".lm3"))


def _export_sequence(twin: Twin, sequence: Sequence, target: Path, frames: int | None) -> None:
    folder, extension, digits = _place(sequence, twin.name)
    (target / folder).mkdir(parents=True, exist_ok=True)
    tree = target / "BU4DFE_BND_V1.1" / sequence.subject / sequence.code
    for place in evenly_spaced(len(sequence.frames), frames).tolist():
        path = target / folder / f"{sequence.frames[place].number:0{digits}d}{extension}"
        mesh = twin.read_frame(sequence, place)
        by_extension.write_mesh(replace(mesh, landmarks={}), path)
        if mesh.landmarks:
            tree.mkdir(parents=True, exist_ok=True)
            by_extension.write_landmarks(mesh.landmarks, tree / f"{path.stem}.bnd", mesh.vertices)
    if twin.name == "BP4D":
        _write_codes(twin, sequence, target / "AUCoding" / "AU_OCC" / f"{sequence.name}.csv")


def _place(sequence: Sequence, corpus: str) -> tuple[Path, str, int]:
    """Folder, extension of the meshes and digits of their numbers."""
    if corpus == "BU-4DFE":
        return Path(sequence.subject, sequence.code), ".wrl", 3
    if corpus == "BP4D":  # some sequences count with three digits, others with four
        digits = 3 + int(sequence.code in ("T1", "T4", "T7"))
        return Path("Sequences(2D+3D)", sequence.subject, sequence.code), ".obj", digits
    return Path("clips", sequence.name), ".ply", 3


def _write_codes(twin: Twin, sequence: Sequence, path: Path) -> None:
    """What a coder sees frame by frame: from a late start on but in T3 and T8, and not while a hand hides the mouth.

    Column k is action unit k; units that nobody codes are 9 throughout.
    """
    rng = np.random.default_rng(list(sequence.name.encode()))
    count = len(sequence.frames)
    start = 0 if sequence.code in ("T3", "T8") else int(rng.integers(count // 20, count // 4))
    hidden = int(rng.integers(start, count))
    rows = []
    for place in range(start, count):
        shown = twin.action_units(sequence, place / sequence.fps)
        codes = [NOT_CODED] * 100
        codes[0] = sequence.frames[place].number
        for unit in CODED:
            if not (hidden <= place < hidden + 10 and unit >= 10):
                codes[unit] = int(np.mean(shown.get(unit, 0.0)) >= TRACE)
        rows.append(codes)
    _write_rows(path, [range(100), *rows])


def _write_manifest(twin: Twin, sequences: Iterable[Sequence], path: Path) -> None:
    _write_rows(path, [COLUMNS, *_clips(twin, sequences)])


def _clips(twin: Twin, sequences: Iterable[Sequence]) -> Iterator[tuple]:
    for sequence in sequences:
        first, last = sequence.frames[0].number, sequence.frames[-1].number
        folder, apex = _place(sequence, twin.name)[0].as_posix(), apex_frame(twin, sequence)
        units = ";".join(map(str, sorted(twin.course(sequence)[0].units)))
        yield (sequence.name, sequence.subject, first, apex, last, sequence.emotion, units, f"{folder}/*.ply",
               f"{folder}/*.png", f"{sequence.fps:g}")  # fmt: skip


def _write_rows(path: Path, rows: Iterable[Iterable]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="ascii") as file:
        csv.writer(file).writerows(rows)
