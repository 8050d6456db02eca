"""The textual prompts of each emotion (II-A of the paper), a bank kept as data in `prompts.csv`.

The paper had a language model write them and shows three, all for "Happy": "a smiling face", "a happy individual" and
"a person smiling". The bank holds fourteen for each emotion: nine in everyday words like those three, and five that say
which facial actions show the emotion: EMFACS for the six basic ones, Keltner (1995) for embarrassment, Prkachin and
Solomon (2008) for pain.
"""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from mvlm.faces.corpora.items import EMOTIONS
from mvlm.settings import nearest

FILE = Path(__file__).with_name("prompts.csv")


def read_bank(path: Path) -> dict[str, list[str]]:
    """Prompts of each emotion, in the order of `EMOTIONS`, from a CSV with the columns emotion and prompt.

    Raises ValueError, naming file and line, for other columns, an unknown emotion, a prompt that is empty or that
    stands twice in the bank (it would name two classes, or weigh double in one), and for an emotion without a prompt.
    """
    prompts: dict[str, list[str]] = {emotion: [] for emotion in EMOTIONS}
    seen: dict[str, int] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != ["emotion", "prompt"]:
            raise ValueError(f"{path}, line 1: expected the columns emotion,prompt, got {reader.fieldnames}")
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            prompt = " ".join((row["prompt"] or "").split())
            if row["emotion"] not in prompts:
                raise ValueError(f"{place}: {_unknown(row['emotion'])}")
            if not prompt or None in row:
                raise ValueError(f"{place}: expected one prompt without commas after the emotion")
            if prompt in seen:
                raise ValueError(f"{place}: the prompt {prompt!r} stands already in line {seen[prompt]}")
            seen[prompt] = reader.line_num
            prompts[row["emotion"]].append(prompt)
    empty = [emotion for emotion, own in prompts.items() if not own]
    if empty:
        raise ValueError(f"{path}: no prompt for {', '.join(empty)}")
    return prompts


@cache
def _shipped() -> dict[str, list[str]]:
    return read_bank(FILE)


def bank() -> dict[str, list[str]]:
    """The shipped prompts of each emotion, in the order of `EMOTIONS`."""
    return {emotion: list(prompts) for emotion, prompts in _shipped().items()}


def prompts_for(emotions: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """All prompts of the given emotions, and (P,) the index in `emotions` of the one each prompt describes.

    Raises ValueError for an unknown emotion, naming the nearest known one.
    """
    prompts = _shipped()
    for emotion in emotions:
        if emotion not in prompts:
            raise ValueError(_unknown(emotion))
    pairs = [(prompt, index) for index, emotion in enumerate(emotions) for prompt in prompts[emotion]]
    return [prompt for prompt, _ in pairs], np.array([index for _, index in pairs], dtype=np.int64)


def vocabulary() -> list[str]:
    """The words of the bank, sorted: what a text tower has to know."""
    return sorted({word for prompts in _shipped().values() for prompt in prompts for word in prompt.split()})


def _unknown(emotion: str) -> str:
    near = nearest(str(emotion), EMOTIONS)
    return f"unknown emotion {emotion!r}; the nearest known one is {near!r} (known: {', '.join(EMOTIONS)})"
