"""What a film of BP4D has besides expressions: its length, its coded span, rhythm of speech, motion of the head.

Of a corpus: the coded span is in the tables of AU_OCC, the length in the names of its folder's files, and head motion
in the poses by which its views follow the head. Nothing there tells when somebody speaks. Of a twin: what it draws.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.cache.keys import file_hash, key, source_key
from mvlm.faces.corpora.au_codes import code_files, read_occurrence
from mvlm.faces.corpora.corpus import in_folder, places
from mvlm.faces.corpora.items import evenly_spaced
from mvlm.faces.corpora.layouts import LAYOUTS
from mvlm.faces.tracking import Track
from mvlm.samples import FRAMES
from mvlm.settings import Settings
from mvlm.study.plan import SMOKE_SUBJECTS, AbsentError
from mvlm.twins.timing import Burst, syllables
from mvlm.twins.twin import Twin, head_motion

if TYPE_CHECKING:
    from mvlm.faces.corpora.corpus import Corpus
    from mvlm.faces.corpora.items import Sequence as Film

CORPUS = "BP4D"
MEASURED = {"length": "frames in the film's folder", "coded": "frames that AU_OCC codes", "motion": "tracked poses"}
ASSUMED = {  # of a twin
    "length": "drawn, by task, after published counts of coded frames",
    "speech": "drawn: shares of speech by task are this project's",
    "motion": "drawn alike for all tasks",
}


@dataclass(frozen=True)
class Cues:
    """Cues of films by their names, "F001_T1".

    values   cue -> film -> numbers (F,), F the same for all films
    absent   cue -> why there is none
    sources  cue -> where it comes from
    """

    data_kind: str
    fingerprint: str
    values: dict[str, dict[str, np.ndarray]]
    absent: dict[str, str]
    sources: dict[str, str]
    bad: dict[str, str] = field(default_factory=dict)  # what was skipped, with reasons


def cues(settings: Settings | None = None) -> Cues:
    """The cues of BP4D's films, of the twin's without `DATA`.

    Args:
        settings: None reads them from the environment.

    Raises:
        AbsentError: neither meshes nor tables of BP4D under `DATA`.
        ValueError: tables or meshes that cannot be read, listed together, unless `skip_bad`.
    """
    chosen = Settings.from_environment() if settings is None else settings
    return twin_cues(Twin(CORPUS), chosen) if chosen.data is None else corpus_cues(chosen)


def twin_cues(twin: Twin, chosen: Settings) -> Cues:
    """What the twin draws: lengths, syllables and how the head is held, exactly."""
    people = sorted({film.subject for film in twin.sequences})
    people = set(people[:SMOKE_SUBJECTS] if chosen.profile == "smoke" else people)
    values: dict[str, dict[str, np.ndarray]] = {name: {} for name in ASSUMED}
    for film in twin.sequences:
        if film.subject in people:
            moved = [head_motion(twin, film).at(place / film.fps) for place in _watched(film)]
            values["length"][film.name] = np.array([len(film.frames)])
            values["speech"][film.name] = rhythm(twin.course(film), (len(film.frames) - 1) / film.fps)
            values["motion"][film.name] = sway(*map(np.array, zip(*moved, strict=True)))
    absent = {"coded": "the twin's films are drawn as long as published coded spans are, and have no other span"}
    return Cues(twin.kind, twin.fingerprint, values, absent, ASSUMED)


def corpus_cues(chosen: Settings) -> Cues:
    """What is under `DATA`: arguments and errors as of `cues`."""
    layout = LAYOUTS[CORPUS]
    found = places(layout, chosen.data)
    tables = next(filter(None, map(code_files, found)), {})
    corpus = in_folder(CORPUS, chosen.data) if any(map(layout.holds, found)) else None
    if not tables and corpus is None:
        raise AbsentError(f"DATA={chosen.data}: expected {CORPUS}, its meshes or AUCoding/AU_OCC, found neither")
    values: dict[str, dict[str, np.ndarray]] = {}
    absent = {"speech": "nothing under DATA tells when somebody speaks"}
    bad: dict[str, str] = {}
    if tables:
        values["coded"] = dict(_coded(tables, bad))
    else:
        absent["coded"] = "no AUCoding/AU_OCC"
    if corpus is None:
        absent |= dict.fromkeys(("length", "motion"), "no meshes")
    else:
        values["length"] = {film.name: np.array([len(film.frames)]) for film in corpus.sequences}
        values["motion"] = dict(_followed(corpus, chosen, bad))
    if bad and not chosen.skip_bad:
        listed = "\n".join(f"  {name}: {reason}" for name, reason in bad.items())
        raise ValueError(f"{CORPUS}: {len(bad)} files or films are bad (SKIP_BAD=1 goes on without):\n{listed}")
    of_tables = key({name: file_hash(path) for name, path in tables.items()}) if tables else ""
    fingerprint = "+".join(filter(None, [corpus.fingerprint if corpus else "", of_tables]))
    kind = corpus.kind if corpus else chosen.data_kind()
    return Cues(kind, fingerprint, values, absent, MEASURED, bad)


def _coded(tables: Mapping[str, Path], bad: dict[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    for name, path in tables.items():
        try:
            yield name, np.array([read_occurrence(path).coded.sum()])
        except ValueError as error:
            bad[name] = str(error)


def _watched(film: Film) -> np.ndarray:
    return evenly_spaced(len(film.frames), FRAMES["quick"])


def rhythm(course: Sequence[Burst], duration: float) -> np.ndarray:
    """(3,) share of the time in which syllables are said, how many in a second of it, and runs of them in a minute.

    Syllables that overlap or follow at once are one run.

    Args:
        course: what happens in a film.
        duration: s.
    """
    runs: list[list[float]] = []
    said = [burst for burst in syllables(course) if burst.start < duration]
    for burst in said:
        if runs and burst.start <= runs[-1][1] + 1e-9:
            runs[-1][1] = max(runs[-1][1], burst.end)
        else:
            runs.append([burst.start, burst.end])
    spoken = sum(min(end, duration) - start for start, end in runs)
    return np.array([spoken / duration, len(said) / spoken if said else 0.0, 60 * len(runs) / duration])


def sway(turns: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """(6,) standard deviation over time of a head's turning about x, y and z, degrees, and of its position, mm.

    Args:
        turns: (T, 3, 3) rotation of the head; how it is held on average is no motion, and has no part.
        positions: (T, 3) mm.
    """
    from scipy.spatial.transform import Rotation

    heads = Rotation.from_matrix(turns)
    about = (heads * heads.mean().inv()).as_rotvec(degrees=True)
    return np.concatenate([about.std(axis=0), np.std(positions, axis=0)])


def _followed(corpus: Corpus, chosen: Settings, bad: dict[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    """Head motion of each film; what was measured is kept, film by film."""
    source = source_key("mvlm.study.items.film_cues_measured:follow", "mvlm.faces.corpora.corpus:Corpus")
    content = {"corpus": corpus.fingerprint, "source": source, "frames": FRAMES["quick"]}
    paths = {film.name: mvlm.settings.RUNS / "records" / f"{key(content | {'film': film.name})}.json"
             for film in corpus.sequences}  # fmt: skip
    tasks = [(corpus, film, paths[film.name]) for film in corpus.sequences if not paths[film.name].is_file()]
    cost = f"{len(tasks)} films of up to {FRAMES['quick']} meshes"
    with workers.on(chosen.scheduler):
        for name, reason in workers.each(_follow, tasks, jobs=chosen.jobs, title="head motion", cost=cost):
            bad |= {name: reason} if reason else {}
    for film, path in paths.items():
        if film not in bad:
            yield film, np.array(json.loads(path.read_text(encoding="utf-8")))


def _follow(task: tuple[Corpus, Film, Path]) -> tuple[str, str]:
    corpus, film, path = task
    try:
        write_text(path, json.dumps(follow(corpus, film).tolist()))
    except (OSError, ValueError) as error:
        return film.name, str(error)
    return film.name, ""


def follow(corpus: Corpus | Twin, film: Film) -> np.ndarray:
    """`sway` of a film, by the poses in which its views follow the head; the position is that of the nose tip.

    Raises OSError or ValueError for frames that cannot be read, or without a face.
    """
    track = Track()
    poses = [track(corpus.read_frame(film, int(place))) for place in _watched(film)]
    return sway(np.array([pose.turn.T for pose in poses]), np.array([pose.tip for pose in poses]))
