"""Emotions as action units: which units people show, how strongly, and how people differ.

The units of the six basic emotions are those of Du, Tao & Martinez (2014), "Compound facial expressions of emotion",
PNAS 111(15), Table 1. It gives the share of people for the units that fewer than 70 % show, which is used as it is;
of the prototypical units it says only that more than 70 % show them, and their shares of 0.8 to 0.98 here are this
project's own. Nothing here was fitted to what any method recognises.
"""

import numpy as np

# emotion -> action unit -> share of people who show it.
EMFACS = {
    "anger": {4: 0.9, 7: 0.9, 24: 0.8, 10: 0.26, 17: 0.52, 23: 0.29},
    "disgust": {9: 0.9, 10: 0.85, 17: 0.8, 4: 0.31, 24: 0.26},
    "fear": {1: 0.9, 4: 0.8, 20: 0.9, 25: 0.85, 2: 0.57, 5: 0.63, 26: 0.33},
    "happiness": {12: 0.98, 25: 0.8, 6: 0.51},
    "sadness": {4: 0.8, 15: 0.9, 1: 0.6, 6: 0.5, 11: 0.26, 17: 0.67},
    "surprise": {1: 0.95, 2: 0.95, 25: 0.95, 26: 0.9, 5: 0.66},
}
# Posed strength of the four levels of BU-3DFE, on the scale of FACS A-E = 0.2-1: from slight (B) to near the maximum
# (E).
LEVELS = (0.40, 0.60, 0.80, 1.0)


def personal_style(rng):
    """How one person shows emotions: emotion -> action unit -> strength (absent units are not shown).

    The same person keeps the same units through all levels; strengths differ by about a quarter between units and
    people.
    """
    style = {}
    for emotion, shares in EMFACS.items():
        gain = np.exp(rng.normal(-0.1, 0.18))
        units = {
            unit: float(gain * np.exp(rng.normal(0, 0.25))) for unit, share in shares.items() if rng.random() < share
        }
        if not units:  # nobody shows nothing when asked to pose: the most usual unit remains
            units = {max(shares, key=shares.get): float(gain)}
        style[emotion] = units
    return style


def sample_expression(emotion, level, rng, style=None):
    """Action units of one posed expression.

    Args:
        emotion: a key of `EMFACS`, or "neutral".
        level: 1 (slight) to 4 (strongest); a real number interpolates.
        rng: numpy Generator of this take.
        style: a `personal_style`; drawn anew when None.

    Returns:
        action unit -> (left, right) intensity in [0, 1.2]. Posed faces are asymmetric by about a tenth (Ekman et al.
        1981).
    """
    if emotion == "neutral":
        return {}
    style = personal_style(rng) if style is None else style
    strength = float(np.interp(level, (1, 2, 3, 4), LEVELS))
    tilt = rng.normal(0, 0.06)
    units = {}
    for unit, gain in style[emotion].items():
        value = strength * gain * np.exp(rng.normal(0, 0.15))
        left, right = value * (1 + tilt + rng.normal(0, 0.04)), value * (1 - tilt + rng.normal(0, 0.04))
        units[unit] = (float(np.clip(left, 0, 1.2)), float(np.clip(right, 0, 1.2)))
    if emotion == "surprise" and 26 in units and np.mean(units[26]) > 0.85:  # the strongest drop is a stretch (27)
        units[27] = tuple(0.5 * v for v in units[26])
    return units
