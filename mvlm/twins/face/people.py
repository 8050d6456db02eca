"""Who is drawn: adults by sex, age, weight and ancestry, each with features and asymmetries of their own."""

from dataclasses import dataclass

import numpy as np

from mvlm.twins.face.bake import ANCESTRIES
from mvlm.twins.face.model import model
from mvlm.twins.head.anatomy import COLOUR

# Codes of BU-3DFE's names (white, East Asian, black, Latino, Indian, Middle Eastern) as MakeHuman's three ancestries:
# what their targets were modelled on, and between them where no target is. Ours.
MIXTURES = {
    "WH": (0.0, 0.0, 1.0), "AE": (0.0, 1.0, 0.0), "BL": (1.0, 0.0, 0.0),
    "LA": (0.15, 0.25, 0.60), "IN": (0.30, 0.15, 0.55), "AM": (0.05, 0.10, 0.85),
}  # fmt: skip
BLENDED = 25.0  # how narrowly people of one ancestry vary about its mixture: a Dirichlet distribution's weight
# Mean standard score of the skin's tone by ancestry (light to dark) and its standard deviation within one. Ours.
TONES = {"african": 1.6, "asian": -0.2, "caucasian": -0.9}
TONE_OF = {"IN": 0.6, "LA": 0.5, "AM": 0.2}  # added: what the three do not tell apart
TONE_SPREAD = 0.35
YOUNGEST, OLDEST, USUAL = 18.0, 70.0, 31.0  # years, the first two as in BU-3DFE
YOUNG, OLD = 25.0, 90.0  # years of MakeHuman's targets

# Standard deviations on MakeHuman's sliders of -1 to 1, by part of the face; and those of single sliders. Set so that
# the spread of standard measures is that of Farkas (1994), see `tests/twins/face/test_people.py`.
SPREAD = {"cheek": 0.22, "chin": 0.20, "eyebrows": 0.25, "eyes": 0.20, "forehead": 0.25, "head": 0.22, "mouth": 0.22,
          "nose": 0.22, "neck": 0.0, "asym": 0.18}  # fmt: skip
SINGLE = {
    # Moves the whole face; a scan has no such place.
    "head/head-trans-forward": 0.0, "head/head-trans-up": 0.0, "head/head-trans-out": 0.0,
    "head/head-angle-out": 0.0, "head/head-age-incr": 0.0, "head/head-back-scale-depth-incr": 0.0,
    # Sideways shifts of one feature: asymmetries, about a millimetre in most people (Farkas 1994, ch. 9).
    "nose/nose-trans-out": 0.05, "mouth/mouth-trans-out": 0.05,
    "neck/neck-double-incr": 0.25,
    "nose/nose-scale-vert-incr": 0.35, "nose/nose-base-up": 0.35, "mouth/mouth-scale-horiz-incr": 0.32,
}  # fmt: skip
SIDES = 0.2  # share of the variance of paired sliders that the two sides do not share
OUTLINE = 0.6  # the largest share of one of MakeHuman's seven outlines of the head
LIMIT = 2.5  # standard scores are cut here


@dataclass(frozen=True)
class Identity:
    """One person: how male, old and heavy in [0, 1], `ancestry` (3,) shares of african, asian and caucasian, `sliders`
    (K,) in [-1, 1], `traits` of colour (name -> standard score, with sex and age) for the picture."""

    male: float
    old: float
    heavy: float
    ancestry: tuple[float, float, float]
    sliders: np.ndarray
    traits: dict


def random_identity(
    rng: np.random.Generator,
    *,
    sex: str | None = None,
    ancestry: str | None = None,
    age: float | None = None,
    spread: float = 1.0,
) -> Identity:
    """Draw an adult.

    Args:
        rng: numpy Generator of this person.
        sex: "F" or "M", where the corpus says it; None draws one.
        ancestry: a code of `MIXTURES`, where the corpus says it; None draws any mixture.
        age: years, where the corpus says it; None draws 18 to 70.
        spread: factor on how people differ, in shape and in skin; 0 gives everybody of a sex and an ancestry one face.

    Raises:
        ValueError: another `sex` or `ancestry`.
    """
    if sex not in ("F", "M", None):
        raise ValueError(f"sex {sex!r}: expected 'F', 'M' or None")
    if ancestry not in (*MIXTURES, None):
        raise ValueError(f"ancestry {ancestry!r}: expected one of {', '.join(MIXTURES)}, or None")
    male = {"F": False, "M": True, None: rng.random() < 0.5}[sex]
    middle = np.array(MIXTURES[ancestry] if ancestry else (1 / 3, 1 / 3, 1 / 3))
    drawn = rng.dirichlet(BLENDED * middle + 0.05) if ancestry else rng.dirichlet([0.6, 0.6, 0.6])
    shares = np.clip(middle + spread * (drawn - middle), 0, None)
    shares = shares / shares.sum()
    drawn_age = YOUNGEST + (OLDEST - YOUNGEST) * rng.beta(1.1, 2.6)
    years = USUAL + spread * ((drawn_age if age is None else age) - USUAL)
    gender = 0.5 + (0.4 + 0.1 * spread * float(np.clip(rng.normal(), -LIMIT, LIMIT))) * (1 if male else -1)
    heavy = 0.5 + 0.18 * spread * float(np.clip(rng.normal(), -LIMIT, LIMIT))
    traits = {name: float(np.clip(spread * rng.normal(), -LIMIT, LIMIT)) for name in COLOUR}
    tone = sum(TONES[name] * share for name, share in zip(ANCESTRIES, shares, strict=True)) + TONE_OF.get(ancestry, 0.0)
    traits["tone"] = float(np.clip(tone + TONE_SPREAD * traits["tone"], -LIMIT, LIMIT))
    traits |= {"sex": 1.0 if male else -1.0, "age": float(np.clip((years - 35) / 14, -1.6, LIMIT))}
    return Identity(
        male=float(np.clip(gender, 0, 1)), old=float(np.clip((years - YOUNG) / (OLD - YOUNG), 0, 1)),
        heavy=float(np.clip(heavy, 0, 1)), ancestry=tuple(map(float, shares)), sliders=_sliders(rng, spread),
        traits=traits,
    )  # fmt: skip


def _sliders(rng, spread):
    names = model().sliders
    index = {name: place for place, name in enumerate(names)}
    own, shared = np.clip(rng.normal(size=(2, len(names))), -LIMIT, LIMIT)
    values = np.zeros(len(names))
    for name, place in index.items():
        part = name.split("/")[0]
        if part == "shape":
            continue
        score = own[place]
        if "/r-" in name or "/l-" in name:
            pair = index[name.replace("/r-", "/l-")]
            score = np.sqrt(1 - SIDES) * shared[pair] + np.sqrt(SIDES) * own[place]
        values[place] = SINGLE.get(name, SPREAD[part]) * score
    outlines = [place for name, place in index.items() if name.startswith("shape/")]
    values[outlines[rng.integers(len(outlines))]] = OUTLINE * rng.random()
    return np.clip(spread * values, -1, 1)
