"""Who and what the twins show: the subjects, scans, sequences and names of the five corpora, without a face.

Counts are those of the real corpora. Where these are irregular (ancestries, repeated takes, lengths), the irregularity
is drawn from random streams that the caller provides.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from mvlm.faces.corpora.items import CODES, Frame, Scan, Sequence

Stream = Callable[..., np.random.Generator]  # words of a key -> a random stream of its own

# Ancestries, in subjects, by the codes in BU-3DFE's names: WH white, AE (East) Asian, BL black, LA Hispanic or Latino,
# IN Indian, AM Middle East. BU-3DFE: counted in its public list of names; BU-4DFE: Yin et al. 2008; BP4D: Zhang et al.
# 2014; Bosphorus: most are white (Savran et al. 2008), how many are not is unsaid. Of 4DME nothing is known.
_ANCESTRIES = {
    "BU-3DFE": {"WH": 51, "AE": 24, "BL": 9, "LA": 8, "IN": 6, "AM": 2},
    "Bosphorus": {"WH": 105},
    "BU-4DFE": {"WH": 62, "AE": 28, "BL": 8, "LA": 3},
    "BP4D": {"WH": 20, "AE": 11, "BL": 6, "LA": 4},
}
# The youngest and the oldest subject, in years, by the same; of Bosphorus, between which most lie. Its ages and 4DME's
# (Li et al. 2022) could not be read again.
AGES = {"BU-3DFE": (18, 70), "Bosphorus": (25, 35), "BU-4DFE": (18, 45), "BP4D": (18, 29), "4DME": (22, 57)}
# Scans of each emotion in Bosphorus besides those of the 65 subjects who show all six: 453 in all, 106 of happiness, as
# papers count them; with the 2,449 of units and of neutral faces they are the 2,902 without turns and occlusions.
_BEYOND = {"anger": 6, "disgust": 4, "fear": 5, "happiness": 40, "sadness": 1, "surprise": 6}
# Of the tasks of BP4D: the least, median and largest number of coded frames (counted in public frame lists).
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


def ancestry(name: str, subject: str, stream: Stream) -> str | None:
    """Code of a subject's ancestry: what the names of a BU-3DFE scan say, elsewhere drawn so that each has as many
    subjects as published; None for 4DME.
    """
    return _ancestries(name, stream)[subject] if name in _ANCESTRIES else None


def age(name: str, subject: str, stream: Stream) -> float:
    """Years, within `AGES`. How ages lie there is ours: their mean is a third of the way up, as among students."""
    youngest, oldest = AGES[name]
    return youngest + (oldest - youngest) * float(stream(name, subject, "age").beta(1, 2))


def length(name: str, code: str, sequence: str, stream: Stream) -> int:
    """Number of frames of a sequence, known without the index."""
    rng = stream(name, sequence, "length")
    if name == "BU-4DFE":  # about 100; public lists of names end between 60 and 126
        return int(np.clip(round(rng.normal(100, 11)), 60, 126))
    if name == "BP4D":
        return _coded(*_BP4D_FRAMES[code], rng)
    return round(FPS[name] * rng.uniform(0.7, 1.1))  # a micro-expression and a little before and after


def _coded(least: int, median: int, largest: int, rng: np.random.Generator) -> int:
    """A number of coded frames, as often below the median as above; all 328 together have about 146,800 (146,847)."""
    end = largest if rng.random() < 0.5 else least
    return round(median + (end - median) * rng.random() ** 7)  # most coders stopped close to 20 s


def _bu3dfe(stream: Stream) -> Iterator[Scan]:
    """100 subjects (56 F, 44 M) x (neutral + 6 emotions x 4 levels)."""
    for subject, group in _ancestries("BU-3DFE", stream).items():
        for code, emotion in CODES["BU-3DFE"].items():
            for level in (0,) if emotion == "neutral" else (1, 2, 3, 4):
                yield Scan(f"{subject}_{code}{level:02d}{group}", subject, emotion, level, None, code)


def _bosphorus(stream: Stream) -> Iterator[Scan]:
    """105 subjects, 65 of whom show all six emotions, the others some; each a neutral and two single units.

    Of the others everybody smiles and few do more, and one smiles twice, so that the rule of the lowest take has
    something to choose.
    """
    rng = stream("Bosphorus", "index")
    order = rng.permutation(105)
    complete = set(order[:65].tolist())
    emotions = list(CODES["Bosphorus"].items())
    smiles_twice = int(rng.integers(105))
    partly = {emotion: set(rng.permutation(order[65:])[:count].tolist()) for emotion, count in _BEYOND.items()}
    for number in range(105):
        subject = f"bs{number:03d}"
        shown = [(word, emotion) for word, emotion in emotions if number in complete or number in partly[emotion]]
        again = [(word, emotion) for word, emotion in shown if number == smiles_twice and emotion == "happiness"]
        codes = [("N", "N", "neutral", 0), *(("E", word, emotion, 0) for word, emotion in shown)]
        codes += [("E", word, emotion, 1) for word, emotion in again]
        codes += [("LFAU", "9", None, 0), ("UFAU", "4", None, 0)]
        for kind, word, emotion, take in codes:
            yield Scan(f"{subject}_{kind}_{word}_{take}", subject, emotion, None, None, f"{kind}_{word}")


def _bu4dfe(stream: Stream) -> Iterator[Sequence]:
    """101 subjects (58 F, 43 M) x 6 emotions."""
    for subject in _subjects("BU-4DFE"):
        for code, emotion in CODES["BU-4DFE"].items():
            yield _sequence("BU-4DFE", f"{subject}_{code}", subject, emotion, code, stream)


def _bp4d(stream: Stream) -> Iterator[Sequence]:
    """41 subjects (23 F, 18 M) x 8 tasks."""
    for subject in _subjects("BP4D"):
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


def _subjects(name: str) -> list[str]:
    """The subjects of a corpus that knows their sex or ancestry, in the order of their names."""
    if name == "Bosphorus":
        return [f"bs{number:03d}" for number in range(105)]
    digits, women, men = {"BU-3DFE": (4, 56, 44), "BU-4DFE": (3, 58, 43), "BP4D": (3, 23, 18)}[name]
    return [f"{sex}{i:0{digits}d}" for sex, count in (("F", women), ("M", men)) for i in range(1, count + 1)]


def _ancestries(name: str, stream: Stream) -> dict[str, str]:
    """Subject -> code of the ancestry."""
    groups = np.repeat(list(_ANCESTRIES[name]), list(_ANCESTRIES[name].values()))
    return dict(zip(_subjects(name), stream(name, "ancestry").permutation(groups).tolist(), strict=True))


def _sequence(corpus: str, name: str, subject: str, emotion: str, code: str, stream: Stream) -> Sequence:
    frames = _frames(FIRST[corpus])[: length(corpus, code, name, stream)]
    return Sequence(name, subject, emotion, code, frames, FPS[corpus])


@cache
def _frames(first: int) -> tuple[Frame, ...]:
    """More than any sequence has: all share them."""
    return tuple(Frame(number, None) for number in range(first, first + 1000))
