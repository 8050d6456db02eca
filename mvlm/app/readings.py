"""What the page's other process does with scans: reads uploads and examples, explains a word, compares sentences."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm import prompts
from mvlm.app.model import chosen, model
from mvlm.app.uploads import Upload, unpack
from mvlm.classify.page import heated
from mvlm.classify.verdicts import Looked, Verdict, judged, look
from mvlm.faces.corpora.items import EMOTIONS, NEUTRAL, evenly_spaced
from mvlm.faces.formats.by_extension import read_mesh, write_mesh
from mvlm.faces.formats.files import LeftOutWarning, PictureWarning
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import find_pose
from mvlm.settings import MODEL

if TYPE_CHECKING:
    from mvlm.twins.twin import Twin

EACH, PERSON, FRAMES = "scans, each by itself", "scans of one person", "the frames of one recording"
SCANS = 24  # that are read at once
TRIANGLES = 8000  # of a head to turn; a scan has ten times as many, which a browser shows no better
SENTENCES, LETTERS = 8, 120  # that are compared at once, and of one of them
NEAREST = 3  # of the model's own sentences, shown beside
# What is shown -> the twin it is of, its emotion (one for each scan, of one person), level, and what it is.
EXAMPLES = {
    "A wide smile": ("BU-3DFE", ("happiness",), 4, EACH),
    "A trace of anger": ("BU-3DFE", ("anger",), 1, EACH),
    "A face at rest": ("BU-3DFE", (NEUTRAL,), 0, EACH),
    "A surprise, by another scanner": ("Bosphorus", ("surprise",), None, EACH),
    "Six expressions of one person": ("BU-3DFE", EMOTIONS[:6], 3, PERSON),
    "A recording of disgust": ("BU-4DFE", ("disgust",), None, FRAMES),
}


class Head(NamedTuple):
    """A head to turn, upright and frontal, the nose tip at the origin.

    Attributes:
        vertices: (V, 3) float32, mm.
        triangles: (T, 3) int32, `TRIANGLES` at most.
    """

    vertices: np.ndarray
    triangles: np.ndarray


class Reading(NamedTuple):
    """What is shown of an upload or an example.

    Attributes:
        verdicts: of each scan, or one of a recording.
        heads: as many; of a recording, that of the middle one of its frames.
        notes: what else to know of the files, a sentence each.
        recording: of a recording, which of its frames the head is, from 1, and how many there are.
    """

    verdicts: list[Verdict]
    heads: list[Head]
    notes: list[str]
    recording: tuple[int, int] | None = None


class Compared(NamedTuple):
    """Sentences beside a face.

    Attributes:
        own: sentence -> cosine with the face.
        nearest: `NEAREST` of the model's own sentences, likewise, the nearest first.
        unknown: sentence -> its words of which the model has learnt nothing.
    """

    own: dict[str, float]
    nearest: dict[str, float]
    unknown: dict[str, list[str]]


def read(folder: str, uploads: Sequence[Upload], kind: str) -> Reading:
    """The verdicts on uploads, which are of one `kind`: `EACH`, `PERSON` or `FRAMES`.

    Args:
        folder: empty; the caller removes it.

    Raises ValueError, in words without the folder.
    """
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("ignore")
            for sort in (LeftOutWarning, PictureWarning):
                warnings.simplefilter("always", sort)
            found = unpack(uploads, Path(folder))
            reading = _read(found.scans, kind, _title(uploads))
    except ValueError as error:
        raise ValueError(_without(folder, str(error))) from error
    notes = [f"left out: {', '.join(sorted(found.left_out))[:500]}"] if found.left_out else []
    told = dict.fromkeys(_without(folder, str(of.message)) for of in said)
    return reading._replace(notes=[*notes, *told])


def example(folder: str, name: str) -> Reading:
    """The verdicts on one of `EXAMPLES`, written into an empty folder, which the caller removes."""
    corpus, emotions, level, kind = EXAMPLES[name]
    drawn = twin(corpus)
    if kind == FRAMES:
        sequence = next(of for of in drawn.sequences if of.emotion == emotions[0])
        places = evenly_spaced(len(sequence.frames), 16)
        meshes = {str(place): drawn.read_frame(sequence, place) for place in places}
    else:
        fits = [of for of in drawn.scans if of.emotion in emotions and of.level == level]
        own = [next(of for of in fits if of.emotion == emotion) for emotion in emotions]
        meshes = {of.name: drawn.read(of) for of in own}
    for file, mesh in meshes.items():
        write_mesh(Mesh(mesh.vertices, mesh.triangles), Path(folder, f"{file}.ply"))  # bare, as most uploads are
    paths = [Path(folder, f"{file}.ply") for file in meshes]
    return _read(paths, kind, name)._replace(notes=[f"synthetic, from the twin of {corpus}: nobody was scanned"])


@cache
def twin(name: str) -> Twin:
    """The twin of a corpus; its first face takes seconds."""
    from mvlm.twins.twin import Twin

    return Twin(name)


def explained(looked: Looked, word: str) -> list[np.ndarray]:
    """The views (SIDE, SIDE, 3) with what in them speaks for a word: one of `EMOTIONS`, or `NEUTRAL`."""
    from mvlm.measures.explain import grad_cam

    words = (*EMOTIONS, NEUTRAL)
    (heat,) = grad_cam(model(), looked.images[None], words, np.array([words.index(word)])).heat
    return [heated(view, hot) for view, hot in zip(looked.shown, heat, strict=True)]


def compare(images: np.ndarray, sentences: Sequence[str]) -> Compared:
    """Sentences beside the views (V, S, S, 3) of a face, by the cosine of their embeddings."""
    from torch.nn.functional import normalize

    shipped, _ = prompts.prompts_for((*EMOTIONS, NEUTRAL))
    face = normalize(model().encode_views(images[None]).mean(1), dim=1)[0]
    own, known = ((model().encode_text(texts) @ face).tolist() for texts in (sentences, shipped))
    order = np.argsort(known)[::-1][:NEAREST]
    learnt = words() if model().name == MODEL else None
    return Compared(
        dict(zip(sentences, own, strict=True)),
        {shipped[place]: known[place] for place in order},
        {of: lacking for of in sentences if learnt is not None and (lacking := unknown(of, learnt))},
    )


def sentences_of(text: str) -> list[str]:
    """What somebody typed, a sentence a line. Raises ValueError, in words, for too many or too long ones."""
    lines = list(dict.fromkeys(line for line in (" ".join(of.split()) for of in text.splitlines()) if line))
    if len(lines) > SENTENCES:
        raise ValueError(f"{len(lines)} sentences: expected at most {SENTENCES}, one a line")
    for line in lines:
        if len(line) > LETTERS:
            raise ValueError(f"“{line[:30]}…”: expected a sentence of at most {LETTERS} letters, found {len(line)}")
    return lines


def unknown(sentence: str, learnt: frozenset[str]) -> list[str]:
    """The words of a sentence that are not among those learnt, each once, in small letters."""
    return list(dict.fromkeys(word for word in _words(sentence) if word not in learnt))


@cache
def words() -> frozenset[str]:
    """The words that mvlm-tiny has learnt: those of its captions and of the prompts, in small letters."""
    from mvlm.foundation import captions as of

    tables = (of.PHRASES, of.WORDS, of.FEELINGS, of.CATEGORIES)
    texts = chain(*(own for table in tables for own in table.values()), of.FRAMES, of.SUBJECTS, of.FELT)
    return frozenset(chain(*map(_words, (*texts, *prompts.vocabulary(), "a an and with looking brows raised"))))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


def _read(scans: Sequence[Path], kind: str, title: str) -> Reading:
    if kind == FRAMES:
        _expect_frames(scans)
        groups = {Path(title): list(scans)}
    else:
        if len(scans) > SCANS:
            raise ValueError(f"{len(scans)} scans: expected at most {SCANS} at once")
        groups = {path: [path] for path in scans}
    looked = [look(path, frames, chosen(), model().image_size) for path, frames in groups.items()]
    verdicts = judged(model(), looked, chosen(), [""] * len(looked) if kind == PERSON else None)
    heads = [head(read_mesh(frames[len(frames) // 2])) for frames in groups.values()]
    return Reading(verdicts, heads, [], (len(scans) // 2 + 1, len(scans)) if kind == FRAMES else None)


def _expect_frames(scans: Sequence[Path]) -> None:
    if len(scans) < 2:
        raise ValueError(f"{scans[0].name}: expected two frames or more of a recording, found one")
    if len({(path.parent, path.suffix.lower()) for path in scans}) > 1:
        raise ValueError(f"{scans[0].name}: expected frames of one kind in one folder, found others beside them")


def head(mesh: Mesh) -> Head:
    """A mesh as a head to turn: laid upright, with fewer triangles."""
    from open3d import geometry, utility

    points = find_pose(mesh).of(mesh.vertices)
    surface = geometry.TriangleMesh(utility.Vector3dVector(points), utility.Vector3iVector(mesh.triangles))
    if len(mesh.triangles) > TRIANGLES:
        surface = surface.simplify_quadric_decimation(TRIANGLES)
    return Head(np.asarray(surface.vertices, np.float32), np.asarray(surface.triangles, np.int32))


def _title(uploads: Sequence[Upload]) -> str:
    first = uploads[0].name if uploads else ""
    return first if len(uploads) < 2 else f"{first} and {len(uploads) - 1} more"


def _without(folder: str, said: str) -> str:
    """A message without the folder: what is below `0` is named as it was uploaded."""
    return re.sub(rf"{re.escape(folder)}/(?:\d+/)?", "", said)
