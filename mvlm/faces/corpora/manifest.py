"""A moving corpus described by a table: one row of manifest.csv per clip.

    clip_id,subject,start,apex,end,emotion,aus,mesh_glob,texture_glob,fps
    s01_c01,s01,12,20,31,negative,4;7,clips/s01_c01/*.obj,clips/s01_c01/*.jpg,60

The native layout of 4DME is not public, so its holder says where the files lie. start, apex and end are frame numbers
(the last digits of a file's name), also written as 12.0; empty start and end take all frames. Semicolons or tabs may
stand between the cells, further empty ones may follow, and rows that begin with # are remarks. The globs are relative
to the folder of the manifest and stay in it. Sources of the fields: the published abstract and protocol of 4DME.
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from mvlm.faces.corpora.items import EMOTIONS, FIVE, NEUTRAL, Frame, Sequence
from mvlm.faces.corpora.layouts import Index, Layout, of_system
from mvlm.faces.corpora.tables import EMPTY, read_table
from mvlm.faces.formats.files import PICTURES

MANIFEST = "manifest.csv"
COLUMNS = ("clip_id", "subject", "start", "apex", "end", "emotion", "aus", "mesh_glob", "texture_glob", "fps")
MESHES = (".obj", ".ply", ".wrl")


class Clip(NamedTuple):
    """One row: words as in the file, numbers as numbers; start, apex, end None where the cell is empty.

    emotions  the categories of the clip; several where it shows several
    aus       action units
    """

    clip_id: str
    subject: str
    start: int | None
    apex: int | None
    end: int | None
    emotions: tuple[str, ...]
    aus: tuple[int, ...]
    mesh_glob: str
    texture_glob: str
    fps: float


def read_manifest(path: Path) -> list[Clip]:
    """Reads a manifest.csv. Further columns are left alone.

    An emotion is one of `FIVE`, of `EMOTIONS` or "neutral", or several of them with `;` between, as action units are.
    Raises ValueError naming the file, the line and what was expected.
    """
    path = Path(path)
    (line, header), *rows = read_table(path) or [(1, [])]
    header = [name.lower() for name in header]
    _expect_columns(f"{path}, line {line}", header)
    clips: dict[str, Clip] = {}
    for line, cells in rows:
        at = f"{path}, line {line}"
        if len(cells) != len(header):
            raise ValueError(f"{at}: expected {len(header)} cells as in the header, found {len(cells)}")
        clip = _clip(at, dict(zip(header, cells, strict=True)))
        if clip.clip_id in clips:
            raise ValueError(f"{at}: clip_id {clip.clip_id!r} is there twice")
        clips[clip.clip_id] = clip
    if not clips:
        raise ValueError(f"{path}: expected a row for each clip below the header, found none")
    return list(clips.values())


def _expect_columns(at: str, header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ValueError(f"{at}: expected the columns {','.join(COLUMNS)}, found none of the name {', '.join(missing)}")
    again = [name for name in COLUMNS if header.count(name) > 1]
    if again:
        raise ValueError(f"{at}: expected each column once, found {again[0]} again")


def _clip(at: str, cells: dict[str, str]) -> Clip:
    def number(name: str) -> int | None:
        if cells[name].lower() in EMPTY:
            return None
        whole = re.fullmatch(r"(\d{1,9})(\.0*)?", cells[name], re.ASCII)
        if whole is None:
            raise ValueError(f"{at}: expected a frame number or nothing as {name}, found {cells[name]!r:.40}")
        return int(whole[1])

    for name in ("clip_id", "subject", "emotion", "mesh_glob", "fps"):
        if not cells[name]:
            raise ValueError(f"{at}: expected a value of {name}, found none")
    if not re.fullmatch(r"[\w.+-]+", cells["clip_id"]):
        raise ValueError(f"{at}: expected letters, digits and . + - _ in clip_id, found {cells['clip_id']!r:.40}")
    start, apex, end = (number(name) for name in ("start", "apex", "end"))
    given = [value for value in (start, apex, end) if value is not None]
    if given != sorted(given):
        raise ValueError(f"{at}: expected start <= apex <= end, found {given}")
    known = dict.fromkeys((*FIVE, *EMOTIONS, NEUTRAL))
    emotions = tuple(word.strip().lower() for word in cells["emotion"].split(";"))
    for word in emotions:
        if word not in known:
            near = get_close_matches(word, known, n=1, cutoff=0.6)
            raise ValueError(f"{at}: expected emotions of {', '.join(known)} with ; between, found {word!r:.40}"
                             + (f"; did you mean {near[0]!r}?" if near else ""))
    units = []
    for word in re.split(r"[;+\s]+", cells["aus"]) if cells["aus"].lower() not in EMPTY else []:
        match = re.fullmatch(r"(?:AU)?(\d{1,2})(?:\.0*)?", word, re.IGNORECASE | re.ASCII)
        if match is None:
            raise ValueError(f"{at}: expected action units such as 4;7, found {word!r:.40}")
        units.append(int(match[1]))
    for name in ("mesh_glob", "texture_glob"):
        parts = re.split(r"[/\\]", cells[name])
        if cells[name] and (parts[0] == "" or ":" in parts[0] or {"..", "**"} & set(parts) or "\0" in cells[name]):
            raise ValueError(f"{at}: expected {name} relative to the manifest's folder, without .. and **, "
                             f"found {cells[name]!r:.80}")
    try:
        fps = float(cells["fps"])
    except ValueError:
        fps = math.nan
    if not 0 < fps < math.inf:
        raise ValueError(f"{at}: expected frames per second above 0 as fps, found {cells['fps']!r:.40}")
    return Clip(cells["clip_id"], cells["subject"], start, apex, end, emotions, tuple(units), cells["mesh_glob"],
                cells["texture_glob"], fps)


def sequence(folder: Path, clip: Clip) -> Sequence:
    """The frames of a clip, from its start to its end. One that shows several categories has none as its emotion.

    Raises ValueError for a glob without meshes, a file without a number, a number that is there twice, or a link that
    leads out of the folder.
    """
    at = f"{folder / MANIFEST}, clip {clip.clip_id}"
    first = 0 if clip.start is None else clip.start
    last = math.inf if clip.end is None else clip.end
    meshes = _matches(folder, clip.mesh_glob, MESHES, at)
    textures = _matches(folder, clip.texture_glob, PICTURES, at) if clip.texture_glob else {}
    numbers = [number for number in sorted(meshes) if first <= number <= last]
    if not numbers:
        held = f"frames {min(meshes)} to {max(meshes)}" if meshes else f"no {', '.join(MESHES)} file"
        raise ValueError(f"{at}: expected frames {first} to {last if clip.end is not None else 'the end'} at "
                         f"{clip.mesh_glob}, found {held}")
    frames = tuple(Frame(number, meshes[number], None, textures.get(number)) for number in numbers)
    emotion = clip.emotions[0] if len(clip.emotions) == 1 else None
    return Sequence(clip.clip_id, clip.subject, emotion, ";".join(clip.emotions), frames, clip.fps)


def _matches(folder: Path, glob: str, extensions: tuple[str, ...], at: str) -> dict[int, Path]:
    """Frame number -> file. Landmark files lie beside the meshes, where `read_mesh` looks for them."""
    home = folder.resolve()
    found: dict[int, Path] = {}
    for path in sorted(folder.glob(glob.replace("\\", "/"))):
        if path.suffix.lower() not in extensions or of_system(path.name) or path.is_dir():
            continue
        if not path.resolve().is_relative_to(home):
            raise ValueError(f"{at}: expected files in {folder}, found {path}, a link that leads out of it")
        digits = re.findall(r"\d+", path.stem, re.ASCII)
        if not digits:
            raise ValueError(f"{at}: expected a frame number in each file's name, found {path.name}")
        number = int(digits[-1])
        if number in found:
            raise ValueError(f"{at}: expected one file for frame {number}, found {found[number]} and {path}")
        found[number] = path
    return found


def manifest_file(folder: Path) -> Path | None:
    """The manifest of a folder, whatever the case of its name."""
    return next((path for path in sorted(folder.iterdir()) if path.name.lower() == MANIFEST and path.is_file()), None)


def _holds(folder: Path) -> bool:
    path = manifest_file(folder)
    if path is None:
        return False
    with path.open("rb") as file:
        first = file.read(4096).lower()
    return b"clip_id" in first.replace(b"\0", b"")  # other tools have a manifest.csv too; NUL: UTF-16


def _index(folder: Path) -> Index:
    clips = read_manifest(manifest_file(folder))
    return Index(sequences=tuple(sequence(folder, clip) for clip in sorted(clips, key=lambda clip: clip.clip_id)))


LAYOUT = Layout(("4dme",), f"{MANIFEST} with a row for each clip", _holds, _index)
