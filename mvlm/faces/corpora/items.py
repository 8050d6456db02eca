"""What an index lists: scans of static corpora, sequences of moving ones and their frames; words for what they show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "embarrassment", "pain")
NEUTRAL = "neutral"  # a face at rest
# The categories of 4DME, and those of its task of three classes, which leaves clips of the other two out.
FIVE = ("positive", "negative", "surprise", "repression", "others")
THREE = FIVE[:3]
# Corpus -> what its names say -> emotion.
CODES = {
    "BU-3DFE": {"AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "SA": "sadness", "SU": "surprise",
                "NE": "neutral"},
    "Bosphorus": {"ANGER": "anger", "DISGUST": "disgust", "FEAR": "fear", "HAPPY": "happiness", "SADNESS": "sadness",
                  "SURPRISE": "surprise"},
    "BU-4DFE": {"Angry": "anger", "Disgust": "disgust", "Fear": "fear", "Happy": "happiness", "Sad": "sadness",
                "Surprise": "surprise"},
    # The task is the label: every subject went through the same eight situations.
    "BP4D": {"T1": "happiness", "T2": "sadness", "T3": "surprise", "T4": "embarrassment", "T5": "fear", "T6": "pain",
             "T7": "anger", "T8": "disgust"},
}  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """One mesh of a static corpus.

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


class Frame(NamedTuple):
    """One mesh of a sequence.

    number     as the file's name says; sequences start at 0, at 1 or in between, and may have gaps
    path       the mesh file; None for a twin's
    landmarks  the landmark file, which may lie in a tree of its own; None without one
    texture    the picture that the corpus' rule of names gives the frame; None leaves it to what the mesh file names
    """

    number: int
    path: Path | None
    landmarks: Path | None = None
    texture: Path | None = None


@dataclass(frozen=True)
class Sequence:
    """One recording of a moving corpus.

    name     "F001_Angry", "F001_T1", a clip's id
    subject  "F001": the F or M belongs to the key
    emotion  one of EMOTIONS; a category such as "negative" (4DME); None for a clip of several categories
    code     "Angry", "T1", what the manifest says
    frames   sorted by number, at least one, each with its mesh file
    fps      frames in a second
    level    None: no moving corpus has levels
    """

    name: str
    subject: str
    emotion: str | None
    code: str
    frames: tuple[Frame, ...]
    fps: float
    level: None = None

    @property
    def take(self) -> int:
        """0: nobody repeats a sequence."""
        return 0


def evenly_spaced(count: int, k: int | None) -> np.ndarray:
    """Indices of at most k evenly spaced frames among `count`, the first and the last included; None takes all.

    Returns:
        (min(k, count),) int, increasing; k = 1 takes the middle one.

    Raises:
        ValueError: no frames, or none wanted.
    """
    if count < 1 or (k is not None and k < 1):
        raise ValueError(f"{k} of {count} frames: expected at least one of each")
    if k is None or k >= count:
        return np.arange(count)
    if k == 1:
        return np.array([count // 2])
    return np.arange(k) * (count - 1) // (k - 1)
