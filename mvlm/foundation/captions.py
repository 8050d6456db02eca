"""Alternative text for random faces: what `mvlm.foundation.pretrain` teaches the embedded model to read.

A caption names some of the visible facial actions, in the words of the FACS manual made plain ("inner brows raised"),
or describes the face by an everyday word for an emotion, or both. As on the web, the word is sometimes wrong.
"""

from collections.abc import Sequence

import numpy as np

from mvlm.prompts import EMOTIONS

VISIBLE = 0.2  # intensity from which a caption may mention an action: FACS level A
PHRASES = {
    1: ("inner brows raised",), 2: ("outer brows raised",), 4: ("brows lowered", "brows drawn together"),
    5: ("wide open eyes",), 6: ("cheeks raised",), 7: ("eyelids tightened",), 9: ("nose wrinkled",),
    10: ("upper lip raised",), 12: ("lip corners pulled up", "lip corners pulled up", "smiling"),
    14: ("dimpled cheeks",), 15: ("lip corners pulled down",), 16: ("lower lip pulled down",), 17: ("chin raised",),
    18: ("lips puckered",), 20: ("lips stretched",), 22: ("lips funneled",), 23: ("lips tightened",),
    24: ("lips pressed together",), 25: ("lips parted",), 26: ("jaw dropped",), 27: ("mouth wide open",),
    43: ("eyes closed",),
}  # fmt: skip
FRAMES = ("", "", "a photo of ", "a photo of ", "close-up of ", "portrait of ")
SUBJECTS = ("face", "face", "person", "person", "individual")
WORDS = {
    "anger": ("angry", "furious", "mad", "annoyed"),
    "disgust": ("disgusted", "revolted", "repelled"),
    "fear": ("scared", "afraid", "fearful", "frightened", "terrified"),
    "happiness": ("happy", "smiling", "joyful", "cheerful", "glad"),
    "sadness": ("sad", "unhappy", "sorrowful", "gloomy"),
    "surprise": ("surprised", "astonished", "amazed", "shocked"),
    "embarrassment": ("embarrassed", "ashamed", "shy"),
    "pain": ("in pain", "suffering", "hurting", "hurt"),
    "neutral": ("neutral", "calm"),
}
AFTER = ("afraid", "hurt", "in pain")  # words that stand after their noun
FEELINGS = {
    "anger": ("anger", "rage"), "disgust": ("disgust",), "fear": ("fear", "terror"), "happiness": ("happiness", "joy"),
    "sadness": ("sadness", "sorrow"), "surprise": ("surprise", "astonishment"),
    "embarrassment": ("embarrassment", "shame"), "pain": ("pain",), "neutral": ("calm",),
}  # fmt: skip
FELT = ("a person who feels", "an individual who feels", "an expression of", "a face full of")


def actions(units: dict[int, float], rng: np.random.Generator) -> list[str]:
    """Phrases for some of the visible action units, likelier the stronger; "brows raised" stands for units 1 and 2."""
    seen = [unit for unit, value in units.items() if value >= VISIBLE and rng.random() < 0.3 + value]
    phrases = [str(rng.choice(PHRASES[unit])) for unit in seen if unit in PHRASES]
    if 1 in seen and 2 in seen and rng.random() < 0.6:
        phrases = ["brows raised", *(phrase for phrase in phrases if not phrase.endswith("er brows raised"))]
    if 4 in seen and 1 in seen:  # lifted and drawn together, not lowered
        phrases = ["brows drawn together" if phrase == "brows lowered" else phrase for phrase in phrases]
    return [str(phrase) for phrase in rng.permutation(phrases)[: rng.integers(1, 5)]]


def _joined(phrases: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(phrases[:-1]), phrases[-1])))


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _worded(emotion: str, rng: np.random.Generator) -> str:
    """A description of a face by an everyday word for its emotion."""
    if rng.random() < 0.3:
        return f"{rng.choice(FELT)} {rng.choice(FEELINGS[emotion])}"
    word, noun = str(rng.choice(WORDS[emotion])), str(rng.choice(SUBJECTS))
    if word in ("smiling", "in pain") and rng.random() < 0.5:
        described = f"{_with_article(noun)} {word}"
    elif word in AFTER or rng.random() < 0.3:
        described = f"{_with_article(noun)} looking {word}"
    else:
        described = _with_article(f"{word} {noun}")
    return f"{rng.choice(FRAMES)}{described}"


def caption(
    units: dict[int, float], emotion: str, rng: np.random.Generator, *, word_share: float, wrong_share: float
) -> str:
    """Alternative text for a face: its actions, or, for some of those that show an emotion, an everyday word, or both.

    Args:
        units: action unit -> mean intensity of both sides.
        emotion: what the face shows, "neutral", or "" for action units at random.
        word_share: share of the faces with an emotion that are described by a word; wrong_share: of those, the share
            whose word belongs to another emotion.
    """
    phrases = actions(units, rng)
    worded = emotion and rng.random() < word_share
    if worded:
        if rng.random() < wrong_share:
            emotion = str(rng.choice([other for other in EMOTIONS if other != emotion]))
        described = _worded(emotion, rng)
        phrases = [phrase for phrase in phrases if phrase != "smiling"]
        return f"{described} with {_joined(phrases)}" if phrases and rng.random() < 0.3 else described
    described = f"{rng.choice(FRAMES)}{_with_article(str(rng.choice(SUBJECTS)))}"
    if "smiling" in phrases:
        described, phrases = f"{described} smiling", [phrase for phrase in phrases if phrase != "smiling"]
    return f"{described} with {_joined(phrases)}" if phrases else described


def words_of(texts: Sequence[str]) -> np.ndarray:
    """(N, W) float32: which of the W words of all texts each of the N has."""
    split = [set(text.replace(",", " ").replace("-", " ").split()) for text in texts]
    places = {word: place for place, word in enumerate(sorted(set().union(*split)))}
    has = np.zeros((len(texts), len(places)), np.float32)
    for row, words in enumerate(split):
        has[row, [places[word] for word in words]] = 1
    return has
