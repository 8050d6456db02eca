"""The textual prompts of each class (II-A of the paper), in banks kept as data: a CSV file each, beside this one.

`OWN`        what everything uses that names no bank: the eight emotions, and a face at rest. The paper had a language
             model write its prompts and shows three, all for "Happy": "a smiling face", "a happy individual" and "a
             person smiling". The bank holds at least fourteen for each class: nine in everyday words like those three,
             and five that say which facial actions show the emotion: EMFACS for the six basic ones, Keltner (1995) for
             embarrassment, Prkachin and Solomon (2008) for pain. A face at rest has none, and fourteen in words.
`DESCRIBED`  one description a class: what is felt and what the face does, after `DataLoaders/class_descriptions.yml` of
             EmoCLIP (Foteinopoulou and Patras 2024; github.com/NickyFot/EmoCLIP, Apache-2.0). Taken: which feelings and
             actions describe a class, of alternatives the first. Left out: what a bare shape can't show (tears, a gasp)
             and "relaxed" of happiness, which is at rest here. Every sentence is this project's own.
`NAMED`      the name of the class and templates around it, after `models/Text.py` of Exp-CLIP (Zhao et al. 2025;
             github.com/zengqunzhao/Exp-CLIP, MIT). Taken: to ask by the bare name, by an expression of it, by a photo
             of a face or a person with it, and by an ensemble of ten. The other wordings are this project's own.
`MICRO`      the categories of 4DME: six prompts in everyday words, four that name units by which CASME II was labelled
             (Yan et al. 2014).

Neither public bank knows embarrassment or pain; their contempt, anxiety, helplessness and disappointment are no class
of any corpus here. Kept values are addressed by the texts of their prompts, and code by the file of the bank that it
names by its constant, so that one bank can change and move nothing that another made.
"""

import csv
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from mvlm.faces.corpora.items import EMOTIONS, FIVE, NEUTRAL
from mvlm.settings import nearest

FOLDER = Path(__file__).parent
OWN = "own"
DESCRIBED = "described"
NAMED = "named"
MICRO = "micro"
BANKS = (OWN, DESCRIBED, NAMED, MICRO)
CLASSES = tuple(dict.fromkeys((*EMOTIONS, NEUTRAL, *FIVE)))  # what a bank may hold


def read_bank(path: Path) -> dict[str, list[str]]:
    """Prompts of each class that the bank has, in the order of `CLASSES`, from a CSV with the columns emotion, prompt.

    Raises ValueError, naming file and line, for other columns, an unknown class, a prompt that is empty or that stands
    twice in the bank (it would name two classes, or weigh double in one), and for a bank without a prompt.
    """
    prompts: dict[str, list[str]] = {emotion: [] for emotion in CLASSES}
    seen: dict[str, int] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != ["emotion", "prompt"]:
            raise ValueError(f"{path}, line 1: expected the columns emotion,prompt, got {reader.fieldnames}")
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            prompt = " ".join((row["prompt"] or "").split())
            if row["emotion"] not in prompts:
                raise ValueError(f"{place}: {_unknown(row['emotion'], CLASSES)}")
            if not prompt or None in row:
                raise ValueError(f"{place}: expected one prompt without commas after the emotion")
            if prompt in seen:
                raise ValueError(f"{place}: the prompt {prompt!r} stands already in line {seen[prompt]}")
            seen[prompt] = reader.line_num
            prompts[row["emotion"]].append(prompt)
    if not seen:
        raise ValueError(f"{path}: expected prompts below the columns, found none")
    return {emotion: own for emotion, own in prompts.items() if own}


@cache
def _shipped(name: str) -> dict[str, list[str]]:
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        banks = sorted(path.stem for path in FOLDER.glob("*.csv"))
        raise ValueError(f"unknown bank {name!r}; the nearest known one is {nearest(name, banks)!r}")
    return read_bank(path)


def bank(name: str = OWN) -> dict[str, list[str]]:
    """The prompts of each class that a shipped bank has, in the order of `CLASSES`."""
    return {emotion: list(prompts) for emotion, prompts in _shipped(name).items()}


def prompts_for(emotions: Sequence[str], bank: str = OWN) -> tuple[list[str], np.ndarray]:
    """All prompts that a bank has for the given classes, and (P,) the index in `emotions` of the one each describes.

    Raises ValueError for an unknown bank, and for a class that it lacks, naming the bank and the classes that it has.
    """
    prompts = _shipped(bank)
    for emotion in emotions:
        if emotion not in CLASSES:
            raise ValueError(_unknown(emotion, prompts))
        if emotion not in prompts:
            raise ValueError(f"the bank {bank!r} has no prompts for {emotion!r}, only for {', '.join(prompts)}")
    pairs = [(prompt, index) for index, emotion in enumerate(emotions) for prompt in prompts[emotion]]
    return [prompt for prompt, _ in pairs], np.array([index for _, index in pairs], dtype=np.int64)


def vocabulary() -> list[str]:
    """The words of all banks, sorted: what a text tower has to know."""
    return sorted(
        {word for name in BANKS for own in _shipped(name).values() for prompt in own for word in prompt.split()}
    )


def _unknown(emotion: str, known: Collection[str]) -> str:
    near = nearest(str(emotion), known)
    return f"unknown emotion {emotion!r}; the nearest known one is {near!r} (known: {', '.join(known)})"
