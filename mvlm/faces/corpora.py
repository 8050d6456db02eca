"""The licensed corpora as folders: which file is which scan, and what it shows.

BU-3DFE    <root>/BU-3DFE/F0001/F0001_AN01WH_F3D.wrl, with _F3D.bnd and _F2D.bmp
Bosphorus  <root>/Bosphorus/BosphorusDB/bs000/bs000_E_ANGER_0.bnt, with .lm3, .lm2 and .png

Case does not matter, and either folder above the subjects may be left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mvlm.faces.formats import read_mesh
from mvlm.faces.mesh import Mesh

if TYPE_CHECKING:
    from mvlm.faces.twins import Twin

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "embarrassment", "pain")
SAMPLED_SCANS, SAMPLED_BYTES = 16, 1 << 16  # of the fingerprint

_BU3DFE_EMOTIONS = {"AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "SA": "sadness", "SU": "surprise",
                    "NE": "neutral"}
_BU3DFE = re.compile(r"(?P<subject>[FM]\d{4})_(?P<code>NE|AN|DI|FE|HA|SA|SU)(?P<level>0[0-4])(WH|BL|AE|AM|IN|LA)"
                     r"_(?P<kind>RAW|F3D|F2D)\.(?P<extension>wrl|bmp|bnd|pse)", re.IGNORECASE | re.ASCII)
_BOSPHORUS_EMOTIONS = {"ANGER": "anger", "DISGUST": "disgust", "FEAR": "fear", "HAPPY": "happiness",
                       "SADNESS": "sadness", "SURPRISE": "surprise"}
_BOSPHORUS = re.compile(r"(?P<subject>bs\d{3})_(?P<type>N|LFAU|UFAU|CAU|E|YR|PR|CR|O|IGN)_(?P<code>[A-Z0-9]+)"
                        r"_(?P<take>\d{1,4})\.(?P<extension>bnt|lm3|lm2|png)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Scan:
    """One mesh of a corpus.

    name     "F0001_AN01WH", "bs000_E_ANGER_0"
    subject  "F0001", "bs000": the F or M belongs to the key
    emotion  one of EMOTIONS, "neutral", or None (action units, head poses, occlusions)
    level    intensity 1 (weakest) .. 4, 0 for neutral (BU-3DFE); None where the corpus has none
    path     the mesh file; None for a twin's
    code     what the file's name says: "AN", "E_ANGER", "LFAU_9"
    """

    name: str
    subject: str
    emotion: str | None
    level: int | None
    path: Path | None
    code: str

    @property
    def take(self) -> int:
        """Repetition of the same code by the same subject, from 0; the last part of a Bosphorus name."""
        last = self.name.rpartition("_")[2]
        return int(last) if last.isdecimal() else 0


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus in a folder. `open_corpus` makes one; `dataclasses.replace(corpus, scans=...)` leaves scans out.

    name     "BU-3DFE" or "Bosphorus"
    kind     "sample" beside the <name>.truth.json of the sample corpora, else "supplied"
    folder   the folder of the subjects' folders
    scans    sorted by name
    files    every file that the grammar of names knows
    unknown  the other files and folders, which are left alone
    """

    name: str
    kind: str
    folder: Path
    scans: tuple[Scan, ...]
    files: tuple[Path, ...]
    unknown: tuple[Path, ...]

    def read(self, scan: Scan) -> Mesh:
        """The mesh of a scan. Raises as `mvlm.faces.read_mesh` does."""
        if scan.path is None:
            raise ValueError(f"{scan.name}: expected a scan of the corpus in {self.folder}, found one without a file")
        return read_mesh(scan.path)

    def check(self) -> dict[Path, str]:
        """Reads every scan; the file of each that cannot be read, and why. Empty if all is well."""
        bad = {}
        for scan in self.scans:
            try:
                self.read(scan)
            except (OSError, ValueError) as error:
                bad[scan.path] = str(error)
        return bad

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the names and sizes of all known files and of the first bytes of a few scans.

        Cheap on purpose, and independent of the folder's place, of dates and of unknown files.
        """
        digest = hashlib.sha256(self.name.encode())
        for path in self.files:
            # A dangling link is a bad file among others, which may be left out: it has a name, but no size.
            size = path.stat().st_size if path.exists() else None
            digest.update(f"{path.relative_to(self.folder).as_posix()}\0{size}\n".encode())
        digest.update("\n".join(scan.name for scan in self.scans).encode())
        for scan in self.scans[:: max(1, len(self.scans) // SAMPLED_SCANS)]:
            if scan.path.exists():
                with scan.path.open("rb") as file:
                    digest.update(file.read(SAMPLED_BYTES))
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Layout:
    folders: tuple[str, ...]  # names of the folders above the subjects', letters and digits only
    subject: str  # pattern of a subject's folder
    files: str  # what a scan looks like, for errors
    parse: Callable[[Path, str], Scan | bool]  # file, subject -> Scan, or whether the file is known


def open_corpus(name: str, root: Path | str | None = None) -> Corpus | Twin:
    """The corpus of this name in a folder, or without one its synthetic twin.

    name: "BU-3DFE" or "Bosphorus"
    root: the folder that holds the corpus' folder, or that folder itself

    Raises ValueError for an unknown name or a folder of another kind, FileNotFoundError if the corpus is not there.
    """
    if name not in _LAYOUTS:
        near = get_close_matches(name.lower(), [known.lower() for known in _LAYOUTS], n=1, cutoff=0.3)
        meant = next((known for known in _LAYOUTS if near and known.lower() == near[0]), None)
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise ValueError(f"corpus {name!r}: expected one of {', '.join(_LAYOUTS)}{hint}")
    if root is None:
        from mvlm.faces.twins import Twin

        return Twin(name)
    root = Path(root)
    layout = _LAYOUTS[name]
    folder = _find(name, layout, root)
    scans, files, unknown = _index(folder, layout)
    if not scans:
        raise ValueError(f"{folder}: expected scans of {name} such as {layout.files}, found none")
    truth = f"{name}.truth.json"
    above = {root, folder, folder.parent, folder.parent.parent}
    kind = "sample" if any((place / truth).is_file() for place in above) else "supplied"
    return Corpus(name, kind, folder, scans, files, unknown)


def _find(name: str, layout: _Layout, root: Path) -> Path:
    """The folder of the subjects: root, a folder of the corpus' name in it, or one such folder within another."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: expected a folder with {name} ({layout.files}), "
                                f"found {'a file' if root.exists() else 'nothing'}")
    named = [entry for entry in sorted(root.iterdir()) if _is_named(entry, layout)]
    inner = [entry for folder in named for entry in sorted(folder.iterdir()) if _is_named(entry, layout)]
    for folder in [*inner, *named, root]:
        if any(_is_subject(entry, layout) for entry in folder.iterdir()):
            return folder
    if named:
        raise ValueError(f"{named[0]}: expected the folders of {name} ({layout.files}), found {_contents(named[0])}")
    raise FileNotFoundError(f"{root}: expected {name} ({layout.files}), found {_contents(root)}")


def _is_named(entry: Path, layout: _Layout) -> bool:
    return re.sub("[^a-z0-9]", "", entry.name.lower()) in layout.folders and entry.is_dir()


def _is_subject(entry: Path, layout: _Layout) -> bool:
    return re.fullmatch(layout.subject, entry.name, re.IGNORECASE | re.ASCII) is not None and entry.is_dir()


def _contents(folder: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "an empty folder"


def _index(folder: Path, layout: _Layout) -> tuple[tuple[Scan, ...], tuple[Path, ...], tuple[Path, ...]]:
    scans: dict[str, Scan] = {}
    files, unknown = [], []
    for place in sorted(folder.iterdir()):
        if not _is_subject(place, layout):
            unknown.append(place)
            continue
        for path in sorted(place.iterdir()):
            # A scan in another subject's folder would leak from one fold into the next: not known.
            found = layout.parse(path, place.name)
            if found is False or path.is_dir():
                unknown.append(path)
                continue
            files.append(path)
            if isinstance(found, Scan):
                if found.name in scans:
                    raise ValueError(f"{path}: expected one file for scan {found.name}, found {scans[found.name].path}")
                scans[found.name] = found
    return tuple(scans[name] for name in sorted(scans)), tuple(files), tuple(unknown)


def _parse_bu3dfe(path: Path, subject: str) -> Scan | bool:
    match = _BU3DFE.fullmatch(path.name)
    if match is None or match["subject"].upper() != subject.upper():
        return False
    code, level = match["code"].upper(), int(match["level"])
    if (level == 0) != (code == "NE"):
        return False
    if match["kind"].upper() != "F3D" or match["extension"].lower() != "wrl":
        return True
    name = path.stem[:-len("_F3D")].upper()
    return Scan(name, match["subject"].upper(), _BU3DFE_EMOTIONS[code], level, path, code)


def _parse_bosphorus(path: Path, subject: str) -> Scan | bool:
    match = _BOSPHORUS.fullmatch(path.name)
    if match is None or match["subject"].lower() != subject.lower():
        return False
    kind, code = match["type"].upper(), match["code"].upper()
    if kind == "IGN" or match["extension"].lower() != "bnt":  # IGN: to be ignored, says the corpus
        return True
    emotion = {"N": "neutral", "E": _BOSPHORUS_EMOTIONS.get(code)}.get(kind)
    shown = code if kind in "EN" else match["code"]  # A26A12lw is spelt so
    name = f"{match['subject'].lower()}_{kind}_{shown}_{match['take']}"
    return Scan(name, match["subject"].lower(), emotion, None, path, f"{kind}_{code}")


_LAYOUTS = {
    "BU-3DFE": _Layout(("bu3dfe",), r"[FM]\d{4}", "F0001/F0001_AN01WH_F3D.wrl", _parse_bu3dfe),
    "Bosphorus": _Layout(("bosphorus", "bosphorusdb"), r"bs\d{3}", "bs000/bs000_E_ANGER_0.bnt", _parse_bosphorus),
}
