"""Who and what the twins show: the subjects, scans, sequences and names of the five corpora, without a face.

Counts are those of the real corpora. Where these are irregular (ancestries, repeated takes, lengths), the irregularity
is drawn from random streams that the caller provides.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from mvlm.faces.corpora.items import CODES, Frame, Scan, Sequence

Stream = Callable[..., np.random.Generator]  # words of a key -> a random stream of its own

# Ancestries in BU-3DFE's public list of names, in subjects; only the names carry them, the head has no such trait.
_ANCESTRIES = {"WH": 51, "AE": 24, "BL": 9, "LA": 8, "IN": 6, "AM": 2}
# Of the tasks of BP4D: the least, usual and largest number of coded frames (counted in public frame lists).
_BP4D_FRAMES = {
    "T1": (311, 487, 744),
    "T2": (376, 498, 634),
    "T3": (214, 314, 450),
    "T4": (404, 496, 590),
    "T5": (464, 498, 768),
    "T6": (211, 494, 740),
    "T7": (432, 491, 626),
    "T8": (90, 272, 535),
}
# Clips of 4DME (Li et al. 2022), those of several categories counted with the first of them.
_4DME = {"positive": 55, "negative": 142, "surprise": 30, "repression": 9, "others": 31}
_4DME_SUBJECTS = 41
FPS = {"BU-4DFE": 25.0, "BP4D": 25.0, "4DME": 60.0}
FIRST = {"BU-4DFE": 0, "BP4D": 1, "4DME": 1}  # number of a sequence's first frame


def scans(name: str, stream: Stream) -> tuple[Scan, ...]:
    """The scans of a static corpus, sorted by name; () for a moving one."""
    found = {"BU-3DFE": _bu3dfe, "Bosphorus": _bosphorus}
    return tuple(sorted(found[name](stream), key=lambda s: s.name)) if name in found else ()


def sequences(name: str, stream: Stream) -> tuple[Sequence, ...]:
    """The sequences of a moving corpus, sorted by name; () for a static one."""
    found = {"BU-4DFE": _bu4dfe, "BP4D": _bp4d, "4DME": _4dme}
    return tuple(sorted(found[name](stream), key=lambda s: s.name)) if name in found else ()


def sex(name: str, subject: str, stream: Stream) -> str | None:
    """ "F" or "M": what the subject's name says, for Bosphorus drawn so that 60 of 105 are men; None for 4DME."""
    if name == "Bosphorus":
        men = stream(name, "sex").permutation(105)[:60]
        return "M" if int(subject[2:]) in men else "F"
    return subject[0] if subject[0] in "FM" else None


def length(name: str, code: str, sequence: str, stream: Stream) -> int:
    """Number of frames of a sequence, known without the index."""
    rng = stream(name, sequence, "length")
    if name == "BU-4DFE":  # about 100; public lists of names end between 60 and 126
        return int(np.clip(round(rng.normal(100, 11)), 60, 126))
    if name == "BP4D":
        return round(rng.triangular(*_BP4D_FRAMES[code]))
    return round(FPS[name] * rng.uniform(0.7, 1.1))  # a micro-expression and a little before and after


def _bu3dfe(stream: Stream) -> Iterator[Scan]:
    """100 subjects (56 F, 44 M) x (neutral + 6 emotions x 4 levels)."""
    subjects = _people(4, 56, 44)
    ancestry = stream("BU-3DFE", "ancestry").permutation(np.repeat(list(_ANCESTRIES), list(_ANCESTRIES.values())))
    for subject, group in zip(subjects, ancestry, strict=True):
        for code, emotion in CODES["BU-3DFE"].items():
            for level in (0,) if emotion == "neutral" else (1, 2, 3, 4):
                yield Scan(f"{subject}_{code}{level:02d}{group}", subject, emotion, level, None, code)


def _bosphorus(stream: Stream) -> Iterator[Scan]:
    """105 subjects, 65 of whom show all six emotions, the others one to five; each a neutral and two single units.

    A few subjects repeat an emotion, as in the real corpus, so that the rule of the lowest take has something to
    choose.
    """
    rng = stream("Bosphorus", "index")
    complete = set(rng.permutation(105)[:65].tolist())
    emotions = list(CODES["Bosphorus"].items())
    for number in range(105):
        subject = f"bs{number:03d}"
        shown = emotions
        if number not in complete:
            shown = [emotions[place] for place in np.sort(rng.permutation(6)[: rng.integers(1, 6)])]
        codes = [("N", "N", "neutral", 0), *(("E", word, emotion, 0) for word, emotion in shown)]
        if rng.random() < 0.15:
            word, emotion = shown[0]
            codes.append(("E", word, emotion, 1))
        codes += [("LFAU", "9", None, 0), ("UFAU", "4", None, 0)]
        for kind, word, emotion, take in codes:
            yield Scan(f"{subject}_{kind}_{word}_{take}", subject, emotion, None, None, f"{kind}_{word}")


def _bu4dfe(stream: Stream) -> Iterator[Sequence]:
    """101 subjects (58 F, 43 M) x 6 emotions."""
    for subject in _people(3, 58, 43):
        for code, emotion in CODES["BU-4DFE"].items():
            yield _sequence("BU-4DFE", f"{subject}_{code}", subject, emotion, code, stream)


def _bp4d(stream: Stream) -> Iterator[Sequence]:
    """41 subjects (23 F, 18 M) x 8 tasks."""
    for subject in _people(3, 23, 18):
        for code, emotion in CODES["BP4D"].items():
            yield _sequence("BP4D", f"{subject}_{code}", subject, emotion, code, stream)


def _4dme(stream: Stream) -> Iterator[Sequence]:
    """267 clips of 41 subjects, at least one of each."""
    rng = stream("4DME", "index")
    categories = rng.permutation(np.repeat(list(_4DME), list(_4DME.values())))
    others = rng.integers(_4DME_SUBJECTS, size=len(categories) - _4DME_SUBJECTS)
    people = np.concatenate([np.arange(_4DME_SUBJECTS), others])
    clips = np.zeros(_4DME_SUBJECTS, int)
    for person, category in zip(people, categories.tolist(), strict=True):
        clips[person] += 1
        subject = f"s{person + 1:02d}"
        yield _sequence("4DME", f"{subject}_c{clips[person]:02d}", subject, category, category, stream)


def _people(digits: int, women: int, men: int) -> list[str]:
    return [f"{sex}{i:0{digits}d}" for sex, count in (("F", women), ("M", men)) for i in range(1, count + 1)]


def _sequence(corpus: str, name: str, subject: str, emotion: str, code: str, stream: Stream) -> Sequence:
    frames = _frames(FIRST[corpus])[: length(corpus, code, name, stream)]
    return Sequence(name, subject, emotion, code, frames, FPS[corpus])


@cache
def _frames(first: int) -> tuple[Frame, ...]:
    """More than any sequence has: all share them."""
    return tuple(Frame(number, None) for number in range(first, first + 1000))
