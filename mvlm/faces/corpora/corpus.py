"""The licensed corpora as folders: which file is which scan or sequence, and what it shows.

BU-3DFE    <root>/BU-3DFE/F0001/F0001_AN01WH_F3D.wrl, with _F3D.bnd and _F2D.bmp
Bosphorus  <root>/Bosphorus/BosphorusDB/bs000/bs000_E_ANGER_0.bnt, with .lm3, .lm2 and .png
BU-4DFE    <root>/BU-4DFE/F001/Angry/000.wrl and 000.jpg; <root>/BU-4DFE/BU4DFE_BND_V1.1/F001/Angry/000.bnd
BP4D       <root>/BP4D/Sequences(2D+3D)/F001/T1/0001.obj and 0001.jpg; <root>/BP4D/AUCoding/AU_OCC/F001_T1.csv
4DME       <root>/4DME/manifest.csv, and the files that it names

Case does not matter, people's spellings of these names are known, either folder above the subjects may be left out, and
there may be further ones of the same name, or alone in theirs.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

from mvlm.faces.corpora.items import Scan, Sequence, evenly_spaced
from mvlm.faces.corpora.layouts import LAYOUTS, Layout, of_system, plain
from mvlm.faces.corpora.manifest import LAYOUT as MANIFEST_LAYOUT
from mvlm.faces.formats.by_extension import read_mesh
from mvlm.faces.formats.files import PictureWarning
from mvlm.faces.mesh import Mesh
from mvlm.settings import nearest

CORPORA = ("BU-3DFE", "Bosphorus", "BU-4DFE", "BP4D", "4DME")
_NAMED = ("bu3dfe", "bosphorus", "bu4d", "bp4d", "4dme")  # a folder with this in its name is that corpus', or BP4D+'s
_LAYOUTS = {**LAYOUTS, "4DME": MANIFEST_LAYOUT}
SAMPLED_ITEMS, SAMPLED_BYTES = 16, 1 << 16  # of the fingerprint
DEEPEST = 4  # folders from the one that is given to that of the subjects
SAMPLED_FRAMES = 16  # of each sequence, for fingerprint and check: those that the quick profile pools


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus in a folder. `open_corpus` makes one; `dataclasses.replace(corpus, scans=...)` leaves scans out.

    In another process it can read, but has no index any more: `read` and `read_frame` take the items sent with it.

    name       one of CORPORA
    kind       "sample" beside the <name>.truth.json of the sample corpora, else "supplied"
    folder     the folder of the subjects' folders, or of the manifest
    scans      of a static corpus, sorted by name; () for a moving one
    files      of a static corpus, every file that the grammar of names knows
    unknown    the other files and folders, which are left alone
    sequences  of a moving corpus, sorted by name; () for a static one
    dropped    file or folder that takes no part -> why (a mesh without its picture, a subject without scans, ...)
    """

    name: str
    kind: str
    folder: Path
    scans: tuple[Scan, ...] = ()
    files: tuple[Path, ...] = ()
    unknown: tuple[Path, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    dropped: dict[Path, str] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, object]:
        # A task for another process brings the items it reads; with all paths of the index it would be 30 MB each.
        # None, not (): whoever asks there for the index gets an error.
        return self.__dict__ | dict.fromkeys(("scans", "sequences", "files", "unknown", "dropped"))

    @property
    def items(self) -> tuple[Scan, ...] | tuple[Sequence, ...]:
        """The scans or the sequences."""
        return self.scans or self.sequences

    def read(self, scan: Scan) -> Mesh:
        """The mesh of a scan. Raises as `mvlm.faces.read_mesh` does."""
        if scan.path is None:
            raise ValueError(f"{scan.name}: expected a scan of the corpus in {self.folder}, found one without a file")
        return _read(scan.path)

    def read_frame(self, sequence: Sequence, place: int) -> Mesh:
        """The mesh of a frame by its place, 0 .. len(sequence.frames) - 1. Raises as `mvlm.faces.read_mesh` does."""
        frame = sequence.frames[place]
        if frame.path is None:
            raise ValueError(f"{sequence.name}, frame {frame.number}: expected a frame of the corpus in {self.folder}, "
                             "found one without a file")
        return _read(frame.path, frame.landmarks, frame.texture)

    def check(self, frames: int = SAMPLED_FRAMES) -> dict[Path, str]:
        """Reads every scan, or this many frames of every sequence: those that `evenly_spaced` chooses, as views do.

        All frames of a moving corpus are hundreds of GB; the default are the frames that the quick profile uses, and
        a count as large as the longest sequence means all. Returns the file of each mesh that cannot be read, and why;
        empty if all is well.
        """
        bad = {}
        for item in self.items:
            moving = isinstance(item, Sequence)
            for place in evenly_spaced(len(item.frames), frames) if moving else [0]:
                try:
                    self.read_frame(item, place) if moving else self.read(item)
                except (OSError, ValueError) as error:
                    bad[item.frames[place].path if moving else item.path] = str(error)
        return bad

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of names, sizes and a few first bytes; cheap on purpose.

        A static corpus: names and sizes of all known files and the first bytes of a few scans. A moving one: names,
        classes and frame rates of all sequences, numbers of all frames, sizes of the files of a few frames of each
        sequence, first bytes of a few of these. Independent of the folder's place, of dates and of unknown files.
        """
        digest = hashlib.sha256(self.name.encode())
        for path in self.files:
            digest.update(f"{path.relative_to(self.folder).as_posix()}\0{_size(path)}\n".encode())
        digest.update("\n".join(scan.name for scan in self.scans).encode())
        sampled = [scan.path for scan in self.scans]
        for sequence in self.sequences:
            numbers = " ".join(str(frame.number) for frame in sequence.frames)
            said = (sequence.name, sequence.subject, sequence.code, f"{sequence.fps:g}", numbers)
            digest.update("\0".join(said).encode())
            for place in evenly_spaced(len(sequence.frames), SAMPLED_FRAMES):
                files = sequence.frames[place][1:]
                said = " ".join(f"{path.name}:{_size(path)}" if path else "-" for path in files)
                digest.update(said.encode(errors="surrogateescape"))
            sampled.append(sequence.frames[len(sequence.frames) // 2].path)
        for path in sampled[:: max(1, len(sampled) // SAMPLED_ITEMS)]:
            if path.exists():
                with path.open("rb") as file:
                    digest.update(file.read(SAMPLED_BYTES))
        return digest.hexdigest()[:16]


def _read(path: Path, landmarks: Path | None = None, picture: Path | None = None) -> Mesh:
    with warnings.catch_warnings():
        # Which scans lack a picture is said where pictures matter: by the check, and by the channel that shows them.
        warnings.simplefilter("ignore", PictureWarning)
        return read_mesh(path, landmarks, picture=picture)


def _size(path: Path) -> int | None:
    # A dangling link is a bad file among others, which may be left out: it has a name, but no size.
    try:
        return path.stat().st_size
    except OSError:
        return None


def expect_known(name: str) -> None:
    """Raises ValueError, with the nearest one, for a name that is no corpus'."""
    if name not in CORPORA:
        near = nearest(name, CORPORA)
        raise ValueError(f"corpus {name!r}: expected one of {', '.join(CORPORA)}; did you mean {near!r}?")


def in_folder(name: str, root: Path) -> Corpus:
    """The corpus of this name below a folder: arguments and errors as of `mvlm.samples.open_corpus`."""
    expect_known(name)
    layout = _LAYOUTS[name]
    folder = _find(name, layout, root)
    index = layout.index(folder)
    if not index.scans and not index.sequences:
        what = "scans" if name in ("BU-3DFE", "Bosphorus") else "sequences"
        raise ValueError(f"{folder}: expected {what} of {name} such as {layout.example}, found none")
    truth = f"{name}.truth.json"
    above = {root, folder, folder.parent, folder.parent.parent}
    kind = "sample" if any((place / truth).is_file() for place in above) else "supplied"
    return Corpus(name, kind, folder, index.scans, index.files, index.unknown, index.sequences, index.dropped)


def places(layout: Layout, root: Path) -> list[Path]:
    """Where a corpus is looked for below `root`: folders of its name, innermost first, `root`, such as are alone."""
    named, alone = (_levels(root, layout, alone=alone) for alone in (False, True))
    return [*chain(*reversed(named)), root, *chain(*alone)]


def _find(name: str, layout: Layout, root: Path) -> Path:
    """The folder of the subjects: root, or one below it by folders of the corpus' name, or by such as are alone."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: expected a folder with {name} ({layout.example}), "
                                f"found {'a file' if root.exists() else 'nothing'}")
    named, *deeper = _levels(root, layout, alone=False)
    for level in [*reversed(deeper), named, [root], *_levels(root, layout, alone=True)]:
        holding = [folder for folder in level if layout.holds(folder)]
        if len(holding) > 1:
            raise ValueError(f"{holding[0]}: expected one folder of {name}, found {holding[1]} too")
        if holding:
            return holding[0]
    if named:
        raise ValueError(f"{named[0]}: expected the folders of {name} ({layout.example}), found {_contents(named[0])}")
    above = next((place for place in root.absolute().parents[:2] if layout.holds(place)), None)
    raise FileNotFoundError(f"{root}: expected {name} ({layout.example}), found {_contents(root)}"
                            + (f"; {above} holds it, name that folder" if above else ""))


def _levels(root: Path, layout: Layout, *, alone: bool) -> list[list[Path]]:
    """Folders of the corpus' name in root, those in these, and so on; with `alone` also one that is the only one."""
    levels = [[root]]
    for _ in range(DEEPEST):
        level = []
        for folder in levels[-1]:
            inside = [entry for entry in sorted(folder.iterdir()) if not of_system(entry.name)]
            named = [entry for entry in inside if plain(entry.name) in layout.folders and entry.is_dir()]
            if alone and not named:
                inside = [entry for entry in inside if entry.is_dir()]
                if len(inside) == 1 and not any(other in plain(inside[0].name) for other in _NAMED):
                    level += inside
            level += named
        levels.append(level)
    return levels[1:]


def _contents(folder: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir() if not of_system(entry.name))
    return f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "an empty folder"
