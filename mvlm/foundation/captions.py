"""Alternative text for random faces: what `mvlm.foundation.pretrain` teaches the embedded model to read.

A caption names some of the visible facial actions, in the words of the FACS manual made plain ("inner brows raised"),
or in everyday ones ("brows furrowed"), or describes the face by a word, or both: for its emotion, for being at rest, or
for the category of micro-expressions that it is of. As on the web, the word is sometimes wrong.
"""

from collections.abc import Sequence

import numpy as np

from mvlm.prompts import EMOTIONS

VISIBLE = 0.2  # intensity from which a caption may mention an action: FACS level A
PHRASES = {  # the first one is what FACS calls it, and what is asked for
    1: ("inner brows raised",), 2: ("outer brows raised",),
    4: ("brows lowered", "brows drawn together", "brows lowered", "brows drawn together", "brows furrowed"),
    5: ("wide open eyes",), 6: ("cheeks raised", "cheeks raised", "crinkled eyes"),
    7: ("eyelids tightened", "eyelids tightened", "narrowed eyes"),
    9: ("nose wrinkled", "nose wrinkled", "nose scrunched"), 10: ("upper lip raised",),
    12: ("lip corners pulled up", "lip corners pulled up", "smiling", "mouth corners turned up"),
    14: ("dimpled cheeks",), 15: ("lip corners pulled down", "lip corners pulled down", "mouth turned down"),
    16: ("lower lip pulled down",), 17: ("chin raised",), 18: ("lips puckered",), 20: ("lips stretched",),
    22: ("lips funneled",), 23: ("lips tightened",), 24: ("lips pressed together",),
    25: ("lips parted", "lips parted", "mouth slightly open"), 26: ("jaw dropped", "jaw dropped", "mouth open"),
    27: ("mouth wide open",), 43: ("eyes closed",),
}  # fmt: skip
FRAMES = ("", "", "a photo of ", "a photo of ", "close-up of ", "portrait of ")
SUBJECTS = ("face", "face", "person", "person", "individual")
WORDS = {
    "anger": ("angry", "furious", "mad", "annoyed"),
    "disgust": ("disgusted", "revolted", "repelled"),
    "fear": ("scared", "afraid", "fearful", "frightened", "tense"),
    "happiness": ("happy", "smiling", "joyful", "cheerful", "glad"),
    "sadness": ("sad", "unhappy", "sorrowful", "gloomy"),
    "surprise": ("surprised", "astonished", "amazed", "shocked"),
    "embarrassment": ("embarrassed", "ashamed", "shy"),
    "pain": ("in pain", "suffering", "hurting", "hurt"),
    "neutral": ("neutral", "calm", "relaxed", "expressionless", "at rest", "showing no expression"),
}
AFTER = ("afraid", "hurt")  # words that stand after their noun, as what it looks
FOLLOWING = ("in pain", "at rest", "showing no expression")  # and those right behind it
FEELINGS = {
    "anger": ("anger", "anger", "rage", "irritation"), "disgust": ("disgust", "disgust", "repulsion", "displeasure"),
    "fear": ("fear", "fear", "terror"), "happiness": ("happiness", "joy", "pleasure", "contentment"),
    "sadness": ("sadness", "sadness", "sorrow"), "surprise": ("surprise", "surprise", "astonishment", "shock"),
    "embarrassment": ("embarrassment", "embarrassment", "shame"), "pain": ("pain",), "neutral": ("calm", "neutral"),
}  # fmt: skip
FELT = (
    "{}", "a person who feels {}", "someone who feels {}", "an individual who feels {}", "an expression of {}",
    "an expression of {}", "a facial expression of {}", "a person with an expression of {}", "a face full of {}",
    "a face showing {}", "a person showing {}",
)  # fmt: skip
# Categories of micro-expressions: how they are described; and the units that make a face one of them where no emotion
# is known, which are those by which CASME II was labelled (Yan et al. 2014). Units of several categories say nothing,
# units of none are "others". Surprise is said in the words of the emotion, and of no face without it.
CATEGORIES = {
    "positive": (
        "a positive expression", "a positive facial expression", "a face showing a positive emotion",
        "a person showing a positive feeling",
    ),
    "negative": (
        "a negative expression", "a negative facial expression", "a face showing a negative emotion",
        "a person showing a negative feeling",
    ),
    "repression": (
        "a repressed expression", "a suppressed expression", "an expression of repression", "a face showing repression",
        "a person hiding a suppressed feeling", "someone hiding a repressed emotion",
    ),
    "others": (
        "some other expression", "some other facial expression", "a face showing some other emotion",
        "a person showing some other feeling",
    ),
}  # fmt: skip
CRITERIA = {"positive": {6, 12}, "negative": {4, 9, 10}, "surprise": {2, 25}, "repression": {15, 17}}
CATEGORY_OF = {"happiness": "positive"} | dict.fromkeys(("anger", "disgust", "fear", "sadness"), "negative")
# Shares for a face with an emotion, and for one of units alone.
BY_CATEGORY = 0.12, 0.5  # of the words: of an emotion, how many are its category; of units, how many are said at all
WITH_ACTIONS = 0.3, 0.6  # of the descriptions by a word: followed by actions


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
    """A description of a face by an everyday word for its emotion, or now and then for the category of that."""
    if emotion in CATEGORY_OF and rng.random() < BY_CATEGORY[0]:
        return str(rng.choice(CATEGORIES[CATEGORY_OF[emotion]]))
    if rng.random() < 0.45:
        feelings = dict.fromkeys(rng.choice(FEELINGS[emotion], 2 if rng.random() < 0.2 else 1))
        return str(rng.choice(FELT)).format(" and ".join(feelings))
    word, noun = str(rng.choice(WORDS[emotion])), str(rng.choice(SUBJECTS))
    if word in FOLLOWING or (word == "smiling" and rng.random() < 0.5):
        return f"{_with_article(noun)} {word}"
    if word in AFTER or rng.random() < 0.3:
        return f"{_with_article(noun)} looking {word}"
    return _with_article(f"{word} {rng.choice([noun, noun, noun, 'expression'])}")


def _category(units: dict[int, float]) -> str:
    """The category of micro-expressions that visible units show, no other one beside it; "" where none is named."""
    visible = {unit for unit, value in units.items() if value >= VISIBLE}
    shown = [category for category, criteria in CRITERIA.items() if visible & criteria]
    category = shown[0] if len(shown) == 1 else "others" if visible and not shown else ""
    return category if category in CATEGORIES else ""


def _in_words(
    units: dict[int, float], emotion: str, rng: np.random.Generator, word_share: float, wrong_share: float
) -> str:
    """A description of a face by a word, or "" where none is due; arguments as of `caption`."""
    if emotion:
        word, words, share = emotion, EMOTIONS, word_share
    else:
        word, words, share = _category(units), CATEGORIES, BY_CATEGORY[1] * word_share
    if not word or rng.random() >= share:
        return ""
    if rng.random() < wrong_share:
        word = str(rng.choice([other for other in words if other != word]))
    return _worded(word, rng) if emotion else str(rng.choice(CATEGORIES[word]))


def caption(
    units: dict[int, float], emotion: str, rng: np.random.Generator, *, word_share: float, wrong_share: float
) -> str:
    """Alternative text for a face: its actions, or, for some of those that show an emotion, an everyday word, or both.

    Where no emotion is known, some are described by the category of micro-expressions that their units show.

    Args:
        units: action unit -> mean intensity of both sides.
        emotion: what the face shows, "neutral", or "" for action units at random.
        word_share: share of the faces with an emotion that are described by a word; wrong_share: of those, the share
            whose word belongs to another emotion. Faces of units alone have a word `BY_CATEGORY[1]` times as often.
    """
    phrases = actions(units, rng)
    described = _in_words(units, emotion, rng, word_share, wrong_share)
    if described:  # and no more actions than the model's context has room for
        phrases = phrases[:3] if rng.random() < WITH_ACTIONS[not emotion] else []
    smiling = "smiling" in phrases and not described
    described = f"{rng.choice(FRAMES)}{described or _with_article(str(rng.choice(SUBJECTS)))}{' smiling' * smiling}"
    phrases = [phrase for phrase in phrases if phrase != "smiling"]
    return f"{described} with {_joined(phrases)}" if phrases else described


def words_of(texts: Sequence[str]) -> np.ndarray:
    """(N, W) float32: which of the W words of all texts each of the N has."""
    split = [set(text.replace(",", " ").replace("-", " ").split()) for text in texts]
    places = {word: place for place, word in enumerate(sorted(set().union(*split)))}
    has = np.zeros((len(texts), len(places)), np.float32)
    for row, words in enumerate(split):
        has[row, [places[word] for word in words]] = 1
    return has
