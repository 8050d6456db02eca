"""Native folders of four corpora: the grammar of their names, and what lies in a folder by it.

BU-3DFE    F0001/F0001_AN01WH_F3D.wrl, with _F3D.bnd and _F2D.bmp
Bosphorus  bs000/bs000_E_ANGER_0.bnt, with .lm3, .lm2 and .png
BU-4DFE    F001/Angry/000.wrl with 000.jpg; 000.bnd beside it or in a tree BU4DFE_BND_V1.1/F001/Angry
BP4D       F001/T1/0001.obj (or 001.obj) with .jpg or .bmp, and .mtl

Folders hold up to a million files, so they are listed by `os.scandir` and no file is opened or asked for its size.
A link is followed: whoever put it there had a second disk. No folder is entered but those that the grammar names, at
fixed depths, so a link in a circle ends. A folder that holds nothing but one of its own name, as unpacking makes them,
stands for that one; what systems leave behind (`._F0001_AN01WH_F3D.wrl`, `__MACOSX`, `Thumbs.db`) is not listed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mvlm.faces.corpora.items import CODES, Frame, Scan, Sequence

_BU3DFE = re.compile(r"(?P<subject>[FM]\d{4})_(?P<code>NE|AN|DI|FE|HA|SA|SU)(?P<level>0[0-4])(WH|BL|AE|AM|IN|LA)"
                     r"_(?P<kind>RAW|F3D|F2D)\.(?P<extension>wrl|bmp|bnd|pse)", re.IGNORECASE | re.ASCII)
_BOSPHORUS = re.compile(r"(?P<subject>bs\d{3})_(?P<type>N|LFAU|UFAU|CAU|E|YR|PR|CR|O|IGN)_(?P<code>[A-Z0-9]+)"
                        r"_(?P<take>\d{1,4})\.(?P<extension>bnt|lm3|lm2|png)", re.IGNORECASE | re.ASCII)
_LANDMARK_TREE = "bu4dfebnd"  # BU4DFE_BND_V1.1, letters and digits only
_OF_SYSTEMS = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "$recycle.bin", "lost+found", "@eadir",
               "system volume information"}
_SUBJECT = 5  # letters of a subject's name, with which each file of the static corpora begins
_DIGITS = r"\d{1,6}"  # of a frame's number: three in BU-4DFE, three or four in BP4D, two in some copies
_DEEPEST = 3  # folders of one name within each other


@dataclass(frozen=True)
class Index:
    """What lies in the folder of a corpus' subjects.

    scans, sequences  sorted by name; one of the two is empty
    files             of a static corpus, every file that the grammar of names knows
    unknown           files and folders that it does not know, which are left alone
    dropped           frame or folder -> why it takes no part although its name is known
    """

    scans: tuple[Scan, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    files: tuple[Path, ...] = ()
    unknown: tuple[Path, ...] = ()
    dropped: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How a corpus lies in its folder.

    folders  names of the folders above the subjects', as `plain` spells them
    example  what an item looks like, for errors
    holds    whether a folder is the one with the subjects
    index    the index of that folder
    """

    folders: tuple[str, ...]
    example: str
    holds: Callable[[Path], bool]
    index: Callable[[Path], Index]


def plain(name: str) -> str:
    """A folder's name in lower-case letters, digits and +: people write BU-4DFE, BU_4DFE, BU4DFE; BP4D+ is another."""
    return re.sub("[^a-z0-9+]", "", name.lower())


def of_system(name: str) -> bool:
    """Whether a file or folder of this name is an operating system's: hidden, or known to be left behind by one."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as listed:
        return sorted((entry for entry in listed if not of_system(entry.name)), key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _folders(folder: Path, pattern: str) -> Iterator[Path]:
    for entry in _entries(folder):
        if re.fullmatch(pattern, entry.name, re.IGNORECASE | re.ASCII) and _is_folder(entry):
            yield Path(entry.path)


def _unwrapped(folder: Path) -> Path:
    """A folder, or the one in it if that has the same name and nothing is beside it."""
    for _ in range(_DEEPEST):
        with os.scandir(folder) as listed:
            few = list(islice((entry for entry in listed if not of_system(entry.name)), 2))
        if len(few) != 1 or few[0].name.lower() != folder.name.lower() or not _is_folder(few[0]):
            break
        folder = Path(few[0].path)
    return folder


# -- static corpora ---------------------------------------------------------------------------------------------------


def _static(folders: tuple[str, ...], subject: str, example: str,
            parse: Callable[[Path, str], Scan | bool]) -> Layout:
    """parse: file, subject -> Scan, or whether the file is known."""
    def index(folder: Path) -> Index:
        scans: dict[str, Scan] = {}
        files, unknown, dropped = [], [], {}
        subjects = set(_folders(folder, subject))

        def take(item: os.DirEntry[str], whose: str) -> None:
            path = Path(item.path)
            found = parse(path, whose)
            if found is False or _is_folder(item):
                unknown.append(path)
                return
            files.append(path)
            if isinstance(found, Scan):
                if found.name in scans:
                    raise ValueError(f"{path}: expected one file for scan {found.name}, "
                                     f"found {scans[found.name].path}")
                scans[found.name] = found

        for entry in _entries(folder):
            place = Path(entry.path)
            if place not in subjects:
                if subjects:
                    unknown.append(place)
                else:  # all scans lie in one folder
                    take(entry, entry.name[:_SUBJECT])
                continue
            before = len(scans)
            for item in _entries(_unwrapped(place)):
                # A scan in another subject's folder would leak from one fold into the next: not known.
                take(item, place.name)
            if len(scans) == before:
                dropped[place] = f"no scan such as {example}"
        return Index(tuple(scans[name] for name in sorted(scans)), files=tuple(files), unknown=tuple(unknown),
                     dropped=dropped)

    def holds(folder: Path) -> bool:
        return any(_folders(folder, subject)) or any(isinstance(parse(Path(entry.path), entry.name[:_SUBJECT]), Scan)
                                                     for entry in _entries(folder))

    return Layout(folders, example, holds, index)


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
    return Scan(name, match["subject"].upper(), CODES["BU-3DFE"][code], level, path, code)


def _parse_bosphorus(path: Path, subject: str) -> Scan | bool:
    match = _BOSPHORUS.fullmatch(path.name)
    if match is None or match["subject"].lower() != subject.lower():
        return False
    kind, code = match["type"].upper(), match["code"].upper()
    if kind == "IGN" or match["extension"].lower() != "bnt":  # IGN: to be ignored, says the corpus
        return True
    emotion = {"N": "neutral", "E": CODES["Bosphorus"].get(code)}.get(kind)
    shown = code if kind in "EN" else match["code"]  # A26A12lw is spelt so
    name = f"{match['subject'].lower()}_{kind}_{shown}_{match['take']}"
    return Scan(name, match["subject"].lower(), emotion, None, path, f"{kind}_{code}")


# -- moving corpora ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Moving:
    """The grammar <subject>/<code>/<frame>.<extension> of a moving corpus.

    codes     code -> emotion
    meshes    extensions of mesh files; a frame has one of them
    pictures  extensions of textures, the first that is there
    others    further extensions that are known
    paired    whether a frame needs its picture
    fps       frames in a second
    """

    codes: dict[str, str]
    meshes: tuple[str, ...]
    pictures: tuple[str, ...]
    others: tuple[str, ...]
    paired: bool
    fps: float

    subject = r"[FM]\d{3}"

    def holds(self, folder: Path) -> bool:
        """Subjects' names alone do not tell: other corpora have an F001 too."""
        return any(any(_folders(_unwrapped(place), "|".join(self.codes))) for place in _folders(folder, self.subject))

    def index(self, folder: Path) -> Index:
        marked = _landmark_tree(folder)
        known = {code.lower(): code for code in self.codes}
        sequences: dict[str, Sequence] = {}
        unknown: list[Path] = []
        dropped: dict[Path, str] = {}
        subjects = set(_folders(folder, self.subject))
        for entry in _entries(folder):
            if Path(entry.path) not in subjects:
                if not plain(entry.name).startswith(_LANDMARK_TREE):
                    unknown.append(Path(entry.path))
                continue
            subject, said = entry.name.upper(), False
            for inner in _entries(_unwrapped(Path(entry.path))):
                code, place = known.get(inner.name.lower()), Path(inner.path)
                if code is None or not _is_folder(inner):
                    unknown.append(place)
                    continue
                name, said = f"{subject}_{code}", True
                frames = self.frames(_unwrapped(place), marked.get((subject.lower(), code.lower())), unknown, dropped)
                if name in sequences:
                    raise ValueError(f"{place}: expected one folder for sequence {name}, "
                                     f"found {sequences[name].frames[0].path.parent}")
                if frames:
                    sequences[name] = Sequence(name, subject, self.codes[code], code, frames, self.fps)
                else:
                    dropped[place] = f"no frame with {' or '.join(self.meshes)}{' and picture' * self.paired}"
            if not said:
                dropped[Path(entry.path)] = f"no folder {' or '.join(self.codes)}"
        return Index((), tuple(sequences[name] for name in sorted(sequences)), (), tuple(unknown), dropped)

    def frames(self, place: Path, tree: Path | None, unknown: list[Path], dropped: dict[Path, str]
               ) -> tuple[Frame, ...]:
        """Frames of the folder of one sequence; a mesh without its picture, or the other way round, is dropped."""
        allowed = {*self.meshes, *self.pictures, *self.others}
        found: dict[int, dict[str, Path]] = {}
        for entry in _entries(place):
            stem, dot, extension = entry.name.lower().rpartition(".")
            extension = dot + extension
            if extension not in allowed or not re.fullmatch(_DIGITS, stem, re.ASCII) or _is_folder(entry):
                unknown.append(Path(entry.path))
                continue
            files = found.setdefault(int(stem), {})
            # Two pictures may lie there, two meshes or two spellings of one number must not: which one is meant?
            kind = "mesh" if extension in self.meshes else extension
            if kind in files:
                raise ValueError(f"{entry.path}: expected one {extension} file for frame {int(stem)}, "
                                 f"found {files[kind].name} too")
            files[kind] = Path(entry.path)
        landmarks = _numbered(tree, ".bnd") if tree else {}
        frames = []
        for number, files in sorted(found.items()):
            picture = next((files[kind] for kind in self.pictures if kind in files), None)
            if "mesh" not in files:
                if picture is not None:  # else landmarks or a material alone: no frame was ever here
                    dropped[picture] = f"no {' or '.join(self.meshes)} of the same number"
            elif picture is None and self.paired:
                dropped[files["mesh"]] = f"no {' or '.join(self.pictures)} of the same number"
            else:
                # A .mtl names the picture of its .obj.
                texture = None if ".mtl" in files else picture
                frames.append(Frame(number, files["mesh"], files.get(".bnd", landmarks.get(number)), texture))
        return tuple(frames)

    def layout(self, folders: tuple[str, ...], example: str) -> Layout:
        return Layout(folders, example, self.holds, self.index)


def _landmark_tree(folder: Path) -> dict[tuple[str, str], Path]:
    """(subject, code) in lower case -> folder of .bnd files, in a tree inside the corpus' folder or beside it."""
    found: dict[tuple[str, str], Path] = {}
    for place in (folder, folder.parent):
        for tree in _entries(place):
            if not (plain(tree.name).startswith(_LANDMARK_TREE) and _is_folder(tree)):
                continue
            for subject in _folders(_unwrapped(Path(tree.path)), _Moving.subject):
                for inner in _entries(_unwrapped(subject)):
                    if _is_folder(inner):
                        found.setdefault((subject.name.lower(), inner.name.lower()), _unwrapped(Path(inner.path)))
    return found


def _numbered(folder: Path, extension: str) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for entry in _entries(folder):
        stem, suffix = os.path.splitext(entry.name.lower())
        if suffix == extension and re.fullmatch(_DIGITS, stem, re.ASCII):
            if int(stem) in found:
                raise ValueError(f"{entry.path}: expected one {extension} file for frame {int(stem)}, "
                                 f"found {found[int(stem)].name} too")
            found[int(stem)] = Path(entry.path)
    return found


_BU4DFE = _Moving(CODES["BU-4DFE"], (".wrl",), (".jpg",), (".bnd",), True, 25.0)
_BP4D = _Moving(CODES["BP4D"], (".obj", ".wrl"), (".jpg", ".bmp"), (".mtl", ".bnd"), False, 25.0)

LAYOUTS = {
    "BU-3DFE": _static(("bu3dfe",), r"[FM]\d{4}", "F0001/F0001_AN01WH_F3D.wrl", _parse_bu3dfe),
    "Bosphorus": _static(("bosphorus", "bosphorusdb"), r"bs\d{3}", "bs000/bs000_E_ANGER_0.bnt", _parse_bosphorus),
    "BU-4DFE": _BU4DFE.layout(("bu4dfe", "bu4d"), "F001/Angry/000.wrl with 000.jpg"),
    "BP4D": _BP4D.layout(("bp4d", "bp4dspontaneous", "sequences2d+3d", "sequences"), "F001/T1/0001.obj"),
}
