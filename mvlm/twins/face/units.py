"""Facial action units as MakeHuman's facial actions: which of them a unit is, how strongly, and how units combine.

A unit at intensity 1, FACS level E, is its facial action at weight 1, the full excursion that the artists of these
targets gave it. `OTHERWISE` holds every weight that is not 1, and why; no weight was chosen by what any method makes
of the faces.
"""

from collections.abc import Mapping

import numpy as np

PRESS = "lips pressed flat"  # of our own, for no target is it: see `model`
# Unit -> its name and the facial actions that it is. "{}" stands for Left and Right; an action without it moves both
# halves and is split at the midline. 26 and 27 turn the jaw, 43 closes the lids: see `OPENING` and `slits`.
ACTIONS = {
    1: ("inner brow raiser", ("browInnerUp",)), 2: ("outer brow raiser", ("browOuterUp{}",)),
    4: ("brow lowerer", ("browDown{}",)), 5: ("upper lid raiser", ("eyeWide{}",)),
    6: ("cheek raiser", ("cheekSquint{}",)), 7: ("lid tightener", ("eyeSquint{}",)),
    9: ("nose wrinkler", ("noseSneer{}", "mouthUpperUp{}")), 10: ("upper lip raiser", ("mouthUpperUp{}",)),
    11: ("nasolabial deepener", ()), 12: ("lip corner puller", ("mouthSmile{}",)), 14: ("dimpler", ("mouthDimple{}",)),
    15: ("lip corner depressor", ("mouthFrown{}",)), 16: ("lower lip depressor", ("mouthLowerDown{}",)),
    17: ("chin raiser", ("mouthShrugLower",)), 18: ("lip pucker", ("mouthPucker",)),
    20: ("lip stretcher", ("mouthStretch{}",)), 22: ("lip funneler", ("mouthFunnel",)),
    23: ("lip tightener", ("mouthRollUpper", "mouthRollLower", "mouthPucker")),
    24: ("lip pressor", (PRESS, "mouthRollUpper", "mouthRollLower")),
    25: ("lips part", ("mouthLowerDown{}", "mouthUpperUp{}")), 26: ("jaw drop", ()), 27: ("mouth stretch", ()),
    43: ("eyes closed", ("eyeBlink{}",)),
}  # fmt: skip
ACTION_UNITS = {unit: name for unit, (name, _) in ACTIONS.items()}
# Twelve people lifted their brows by 10.6 mm (sd 2.5), measured by markers ("Objective computorized evaluation of
# normal patterns of facial muscles contraction", Brazilian Journal of Otorhinolaryngology); at weight 1 the targets of
# 1 and 2 together lift the middle of a brow by 5.5 mm.
_BROWS = 1.9
OTHERWISE = {
    (1, "browInnerUp"): _BROWS,
    (2, "browOuterUp{}"): _BROWS,
    # The strand of the levator beside the nose lifts the middle of the lip too, less than 10 does (FACS, unit 9).
    (9, "mouthUpperUp{}"): 0.5,
    # Rolled in fully, lips are sucked in, which is unit 28. In 23 they roll in slightly and the mouth narrows; in 24
    # they are pressed flat and do not narrow (FACS, units 23, 24 and 28). The targets "mouthPress" are neither: they
    # draw the corners up and out by 8 mm.
    (23, "mouthRollUpper"): 0.3, (23, "mouthRollLower"): 0.4, (23, "mouthPucker"): 0.3,
    (24, "mouthRollUpper"): 0.2, (24, "mouthRollLower"): 0.3,
    # 25 is what 16 and 10 are too, as far as it takes to part relaxed lips (FACS, unit 25).
    (25, "mouthLowerDown{}"): 0.5, (25, "mouthUpperUp{}"): 0.3,
}  # fmt: skip
# mm between the incisors at intensity 1. A mouth opens by about 50 mm at most; a jaw that drops without being pulled
# open reaches about half of it (26 and 27 at level E; FACS: 26 is relaxed, 27 stretches). All three are degrees of one
# movement, of which FACS scores the widest: of several, it alone counts.
OPENING = {25: 2.0, 26: 25.0, 27: 50.0}
WIDEST = 50.0  # mm
PARTING = (9, 10, 16, 22, 25, 26, 27)  # units that part the lips; under all others closed lips stay closed
LOWERING = "4, the lowering"  # part of unit 4 that unit 1 overcomes
LARGEST = 1.5  # intensity


def sides(action_units: Mapping[int, object]) -> dict:
    """Intensities of the left and the right half, by unit, after FACS' rules of combination.

    1 + 4: the brows draw together and their inner ends rise; the lifting wins over most of the lowering. 9 + 10: the
    lip that 9 has lifted is not lifted again, so 10 adds only what it lifts beyond.

    Args:
        action_units: FACS number -> intensity in [0, 1.5], one number or (left, right) of the subject.

    Returns:
        unit -> (left, right) for those not 0; among them `LOWERING`.

    Raises:
        ValueError: an unknown action unit or an intensity outside [0, 1.5].
    """
    levels: dict = {}
    for unit, value in action_units.items():
        left, right = (float(side) for side in (value if np.ndim(value) else (value, value)))
        if unit not in ACTIONS or not (0 <= left <= LARGEST and 0 <= right <= LARGEST):
            raise ValueError(
                f"action unit {unit} = {value}: expected one of {sorted(ACTIONS)}, intensity in [0, {LARGEST:g}]"
            )
        if left or right:
            levels[unit] = (left, right)
    if 4 in levels:
        raised = levels.get(1, (0.0, 0.0))
        levels[LOWERING] = tuple(low * (1 - 0.8 * min(high, 1)) for low, high in zip(levels[4], raised, strict=True))
    if 9 in levels and 10 in levels:
        lifted = OTHERWISE[9, "mouthUpperUp{}"]
        levels[10] = tuple(max(lip - lifted * nose, 0.0) for lip, nose in zip(levels[10], levels[9], strict=True))
    return levels


def opening(levels: Mapping) -> float:
    """mm between the incisors, of what `sides` returns."""
    wide = [full * sum(levels[unit]) / 2 for unit, full in OPENING.items() if unit in levels]
    return min(max(wide, default=0.0), WIDEST)


def fields(actions: Mapping[str, np.ndarray], x: np.ndarray) -> dict:
    """Displacements of each unit at intensity 1.

    Args:
        actions: facial action -> (C, 3) mm.
        x: (C,) mm on the average face, the subject's left positive.

    Returns:
        unit -> (2, C, 3) mm of the subject's left and right half; 4 without its `LOWERING`, which has an entry.
    """
    halves = np.stack([half(x), half(-x)])[..., None]
    moved: dict = {}
    for unit, (_, parts) in ACTIONS.items():
        for part in parts:
            weight = OTHERWISE.get((unit, part), 1.0)
            two_sided = "{}" in part
            field = (
                np.stack([actions[part.format(side)] for side in ("Left", "Right")])
                if two_sided
                else halves * actions[part]
            )
            moved[unit] = moved.get(unit, 0.0) + weight * field
    lowering = np.zeros_like(moved[4])
    lowering[..., 1] = np.minimum(moved[4][..., 1], 0)
    return moved | {4: moved[4] - lowering, LOWERING: lowering}


def half(x: np.ndarray, width: float = 6.0) -> np.ndarray:
    """0 to 1 across the midline: the share of the subject's left half at `x` mm."""
    t = np.clip((x + width) / (2 * width), 0, 1)
    return t * t * (3 - 2 * t)
