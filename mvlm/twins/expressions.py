"""Emotions as action units: which units people show, how strongly, and how people differ.

The units of the six basic emotions are those of Du, Tao & Martinez (2014), "Compound facial expressions of emotion",
PNAS 111(15), Table 1. It gives the share of people for the units that fewer than 70 % show, which is used as it is;
of the prototypical units it says only that more than 70 % show them, and their shares of 0.8 to 0.98 here are this
project's own. Embarrassment has the units of Keltner (1995), JPSP 68:441 (a smile under control; closed eyes stand for
the averted gaze), pain those of Prkachin & Solomon (2008), Pain 139:267; their shares are ours.

Du et al. kept only pictures that their experimenters recognised. Where nobody selects, a part of a display is the
person's own: about a quarter of the facial behaviour in 22 posed emotions (Cordaro et al. 2018, Emotion 18:75, as
summed up by Keltner et al. 2019, J Nonverbal Behav 43:133). That quarter is here too, at half the strength of the
shared units, which is ours: no source says how strong it is.
Spontaneous displays are weaker and partial (Durán & Fernández-Dols 2021, Emotion 21:1550), micro-expressions fainter
still. Posed ones are the less symmetric (Ekman et al. 1981, Psychophysiology 18:101; Schmidt et al. 2006 saw no
difference); how much is ours. Nothing here was fitted to what any method recognises.

The keywords of the functions are dials, see `mvlm.twins.twin.Dials`: factors of 1 that change nothing.
"""

from collections.abc import Iterable, Mapping

import numpy as np

Units = dict[int, tuple[float, float]]  # action unit -> (left, right) intensity of the subject, FACS A-E = 0.2-1

# emotion -> action unit -> share of people who show it.
EMFACS = {
    "anger": {4: 0.9, 7: 0.9, 24: 0.8, 10: 0.26, 17: 0.52, 23: 0.29},
    "disgust": {9: 0.9, 10: 0.85, 17: 0.8, 4: 0.31, 24: 0.26},
    "fear": {1: 0.9, 4: 0.8, 20: 0.9, 25: 0.85, 2: 0.57, 5: 0.63, 26: 0.33},
    "happiness": {12: 0.98, 25: 0.8, 6: 0.51},
    "sadness": {4: 0.8, 15: 0.9, 1: 0.6, 6: 0.5, 11: 0.26, 17: 0.67},
    "surprise": {1: 0.95, 2: 0.95, 25: 0.95, 26: 0.9, 5: 0.66},
    "embarrassment": {12: 0.85, 24: 0.55, 23: 0.3, 14: 0.35, 43: 0.5, 6: 0.25},
    "pain": {4: 0.85, 6: 0.6, 7: 0.6, 9: 0.4, 10: 0.5, 43: 0.65, 20: 0.25},
}
# Categories of micro-expressions -> patterns of units, each as frequent as the others (which is ours): the criteria by
# which CASME II was labelled (Yan et al. 2014, PLoS ONE 9:e86041), with negative emotions of EMFACS for "negative" and
# ours for "others".
MICRO = {
    "positive": ((12,), (6, 12), (6,)),
    "negative": ((4,), (4, 7), (9,), (10,), (4, 10), (1, 4), (15,)),
    "surprise": ((1, 2), (2,), (25,)),
    "repression": ((15,), (17,), (15, 17)),
    "others": ((14,), (7,), (18,), (20,), (4, 14), (7, 14)),
}
# Pairs that a face can't do at once.
CLASHES = ((5, 43), (24, 25), (24, 26), (24, 27), (23, 25), (26, 27), (18, 20), (20, 22), (12, 18), (12, 22), (17, 27))
# Posed strength of the four levels of BU-3DFE, on the scale of FACS A-E = 0.2-1: from slight (B) to near the maximum
# (E). Ours: Yin et al. (2006) name four levels, from low to highest.
LEVELS = (0.40, 0.60, 0.80, 1.0)
# Spontaneous strength: most coded intensities of BP4D are A to C (Valstar et al. 2015, FERA challenge).
SPONTANEOUS = (0.2, 0.6)
# Of a person's usual units a spontaneous display has this share. Partial displays are the rule (Durán &
# Fernández-Dols 2021); the number is ours.
PARTIAL = 0.6
# Micro-expressions: FACS A to B, ours.
FAINT = (0.15, 0.4)

# How many of 593 posed sequences of CK+ show a unit (Lucey et al. 2010): what people's own units are drawn from. The
# rarest, the stretched mouth of surprise (27) and the nostrils (38, 39) are left out.
_USUAL = {1: 173, 2: 116, 4: 191, 5: 102, 6: 122, 7: 119, 9: 74, 10: 21, 11: 33, 12: 111, 14: 29, 15: 89, 16: 24,
          17: 196, 18: 9, 20: 77, 23: 59, 24: 57, 25: 287, 26: 48}  # fmt: skip
_OWN, _OWN_STRENGTH = 1 / 3, 0.5  # own units for each shared one: a quarter of all

Style = Mapping[str, Mapping[int, float]]


def personal_style(
    rng: np.random.Generator, variation: float = 1.0, *, own: float = 1.0
) -> dict[str, dict[int, float]]:
    """How one person shows emotions: emotion -> action unit -> strength (absent units are not shown).

    The same person keeps the same units through all levels and takes; strengths differ by about a quarter between units
    and people.

    Args:
        rng: numpy Generator of this person.
        variation: factor on all that differs between people; 0 gives everybody the same prototype.
        own: factor on the strength of a person's own units.
    """
    return {emotion: _usual_units(emotion, rng, variation, own) for emotion in EMFACS}


def _usual_units(
    emotion: str, rng: np.random.Generator, variation: float = 1.0, own: float = 1.0
) -> dict[int, float]:
    shares = EMFACS[emotion]
    gain = float(np.exp(-0.1 + variation * rng.normal(0, 0.18)))
    luck, strengths = rng.random(len(shares)), np.exp(variation * rng.normal(0, 0.25, len(shares)))
    apart = np.random.default_rng(rng.integers(2**63))  # however many it draws, the next emotion's stream is the same
    units = {
        unit: gain * float(strength)
        for (unit, share), drawn, strength in zip(shares.items(), luck, strengths, strict=True)
        if drawn < _between_people(share, variation)
    }
    if not units:  # nobody shows nothing when asked to pose: the most usual unit remains
        units = {max(shares, key=shares.get): gain}
    for unit in _own_units(units, shares, apart, variation):
        units[unit] = own * _OWN_STRENGTH * gain * float(np.exp(variation * apart.normal(0, 0.25)))
    return units


def _between_people(share: float, variation: float) -> float:
    """The share of people who show a unit when people differ `variation` times as much; all or nobody at 0."""
    return 0.5 + (share - 0.5) / variation if variation > 0 else float(share > 0.5)


def _own_units(
    shown: Mapping[int, float], shares: Mapping[int, float], rng: np.random.Generator, variation: float
) -> list[int]:
    """Units that the person adds to an emotion, none of them one of the emotion's `shares`."""
    pool = [unit for unit in _USUAL if unit not in shares]
    weights = np.array([_USUAL[unit] for unit in pool], float)
    own: list[int] = []
    for unit in rng.choice(pool, size=rng.poisson(_OWN * variation * len(shown)), p=weights / weights.sum()).tolist():
        if unit not in own and not clash(unit, [*shown, *own]):
            own.append(unit)
    return own


def clash(unit: int, others: Iterable[int]) -> bool:
    """Whether the face can't do `unit` with one of the others."""
    return any({unit, other} == set(pair) for pair in CLASHES for other in others)


def sample_expression(
    emotion: str, level: float, rng: np.random.Generator, style: Style | None = None, strength: float = 1.0, *,
    levels: float = 1.0, takes: float = 1.0, asymmetry: float = 1.0,
) -> Units:  # fmt: skip
    """Action units of one posed expression.

    Args:
        emotion: a key of `EMFACS`, or "neutral".
        level: 1 (slight) to 4 (strongest); a real number interpolates.
        rng: numpy Generator of this take.
        style: a `personal_style`; drawn anew when None.
        strength: factor on all intensities.
        levels: power of `LEVELS`: how far the lower ones are below the highest.
        takes: factor on how takes of a person differ in the strengths of units.
        asymmetry: factor on the difference of the sides.

    Returns:
        action unit -> (left, right) intensity in [0, 1.2]. The sides differ by about a tenth.
    """
    if emotion == "neutral":
        return {}
    usual = _usual_units(emotion, rng) if style is None else style[emotion]
    reached = float(np.interp(level, (1, 2, 3, 4), [each**levels for each in LEVELS]))
    units = _take(usual, strength * reached, rng, 0.06, takes, asymmetry)
    if emotion == "surprise" and 26 in units and np.mean(units[26]) > 0.85:  # the strongest drop is a stretch (27)
        units[27] = (0.5 * units[26][0], 0.5 * units[26][1])
    return units


def spontaneous_expression(
    emotion: str, rng: np.random.Generator, style: Style, strength: float = 1.0, *,
    missing: float = 1.0, takes: float = 1.0, asymmetry: float = 1.0,
) -> Units:  # fmt: skip
    """Action units, as of `sample_expression`, of one unposed display: a part of the person's units, FACS A to C.

    `missing`: factor on the share of the units that are missing.
    """
    usual = style[emotion]
    luck = rng.random(len(usual))
    share = PARTIAL + (1 - missing) * (1 - PARTIAL)
    shown = {unit: gain for (unit, gain), drawn in zip(usual.items(), luck, strict=True) if drawn < share}
    if not shown:
        shown = {unit: usual[unit] for unit in [max(usual, key=usual.get)]}
    return _take(shown, strength * rng.uniform(*SPONTANEOUS), rng, 0.04, takes, asymmetry)


def micro_expression(
    category: str, rng: np.random.Generator, strength: float = 1.0, *, takes: float = 1.0, asymmetry: float = 1.0
) -> Units:
    """Action units, as of `sample_expression`, of a micro-expression; `category`: a key of `MICRO`."""
    patterns = MICRO[category]
    pattern = patterns[rng.integers(len(patterns))]
    return _take(dict.fromkeys(pattern, 1.0), strength * rng.uniform(*FAINT), rng, 0.12, takes, asymmetry)


def _take(
    gains: Mapping[int, float], strength: float, rng: np.random.Generator, tilted: float, takes: float, asymmetry: float
) -> Units:
    """`tilted`: by which share of the intensity one side is the stronger, as a standard deviation."""
    tilt = asymmetry * rng.normal(0, tilted)
    units = {}
    for unit, gain in gains.items():
        value = strength * gain * np.exp(takes * rng.normal(0, 0.15))
        left, right = (value * (1 + lean + asymmetry * rng.normal(0, 0.04)) for lean in (tilt, -tilt))
        units[unit] = (float(np.clip(left, 0, 1.2)), float(np.clip(right, 0, 1.2)))
    return units
