"""Expressions in time: when each action unit rises, stays and falls.

A course is a list of bursts, each with an onset, an apex and an offset; a unit's intensity at a time is that of the
strongest burst. Onset and offset follow the minimum-jerk curve of voluntary movement (Flash & Hogan 1985, J Neurosci
5:1688).

posed          one slow burst that fills the sequence, "neutral - low - high - low - neutral" within about 4 s (Yin et
               al. 2008, of BU-4DFE). How the sequence divides, and that units lag one another by about 60 ms, is ours.
spontaneous    several bursts of 2/3 to 4 s (Ekman & Friesen 1982, J Nonverbal Behav 6:238, of felt smiles), with slower
               onsets (Schmidt et al. 2006, J Nonverbal Behav 30:37: spontaneous onsets are slower and smaller than
               deliberate ones). How often they come, their median length and their irregular spacing are ours. They
               are mixed with units that have another cause, so often that a coder sees each unit as often as in BP4D,
               and with speech where the task asks for it (Zhang et al. 2014): openings of the mouth at 2-7 Hz
               (Chandrasekaran et al. 2009, PLoS Comput Biol 5:e1000436).
micro          one burst of 0.17 to 0.5 s with an onset of 0.065 to 0.26 s (Yan et al. 2013, J Nonverbal Behav 37:217).

People blink about 17 times a minute at rest and 26 times talking (Bentivoglio et al. 1997, Mov Disord 12:1028).

The keywords of the functions are dials, see `mvlm.twins.twin.Dials`: factors of 1 that change nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mvlm.twins.expressions import SPONTANEOUS, Units

BLINKS = 17 / 60  # per second, at rest
TALKING_BLINKS = 26 / 60  # per second, while talking
# Tasks of BP4D in which people talk -> share of the time: interview, a film talked about, a silly song, an insult
# answered. The tasks are those of Zhang et al. 2014, the shares ours; a little is said in the others too.
TALKING = {"T1": 0.4, "T2": 0.2, "T4": 0.5, "T7": 0.3}
A_LITTLE = 0.05
# Share of frames in which a unit occurs in BP4D: occurrences among its 146,847 coded frames, as papers on the detection
# of units count them; the class weights that public code takes from the codes say the same, to 0.2 %.
BASE_RATES = {1: 0.211, 2: 0.171, 4: 0.203, 6: 0.461, 7: 0.549, 10: 0.594, 12: 0.562, 14: 0.466, 15: 0.169, 17: 0.343,
              23: 0.165, 24: 0.151}  # fmt: skip
# How many bursts of a unit that the task did not cause go on at a time, on average: as many as make up the base rates
# together with the displays.
OTHERS = {1: 0.14, 2: 0.15, 4: 0.02, 6: 0.69, 7: 0.95, 10: 1.13, 12: 0.96, 14: 0.82, 15: 0.16, 17: 0.40, 23: 0.20,
          24: 0.11}  # fmt: skip
BURST = 2.0  # s, the median length of a spontaneous burst, ours
SHORTEST, LONGEST = 2 / 3, 4.0  # s, of a spontaneous burst
# s between displays besides the first, on average: they come as often as the base rates allow, of which, with all of
# unit 4, which the tasks' emotions ask for most, they make a quarter.
EVERY = 2.5


@dataclass(frozen=True)
class Burst:
    """One rise and fall of some units.

    units                  action unit -> (left, right) intensity at the apex
    start                  s, when the onset begins
    onset, apex, offset    s, durations
    lags                   action unit -> s by which it is late (0 where not given)
    """

    units: Units
    start: float
    onset: float
    apex: float
    offset: float
    lags: dict[int, float] = field(default_factory=dict)

    @property
    def end(self) -> float:
        return self.start + self.onset + self.apex + self.offset


def envelope(burst: Burst, t: float) -> float:
    """Strength in [0, 1] at `t` seconds: 0 before the onset, 1 at the apex, 0 after the offset."""
    after = t - burst.start
    rise = _smooth(after / burst.onset)
    return rise if after < burst.onset + burst.apex else 1 - _smooth((after - burst.onset - burst.apex) / burst.offset)


def _smooth(s: float) -> float:
    s = min(max(s, 0.0), 1.0)
    return s * s * s * (10 - 15 * s + 6 * s * s)


def action_units(course: Sequence[Burst], t: float) -> Units:
    """Action unit -> (left, right) intensity at `t` seconds; units at rest are left out."""
    shown: Units = {}
    for burst in course:
        slack = max(burst.lags.values(), default=0.0)
        if not burst.start + min(burst.lags.values(), default=0.0) < t < burst.end + slack:
            continue
        for unit, (left, right) in burst.units.items():
            strength = envelope(burst, t - burst.lags.get(unit, 0.0))
            if strength > 0:
                before = shown.get(unit, (0.0, 0.0))
                shown[unit] = (max(before[0], strength * left), max(before[1], strength * right))
    return shown


def posed(
    units: Units, duration: float, rng: np.random.Generator, irregularity: float = 1.0, *, apex: float = 1.0
) -> tuple[Burst, ...]:
    """Rest, onset, apex, offset and rest over `duration` s, and blinks; `irregularity`: factor on what varies."""
    parts = np.array([0.08, 0.30, apex * 0.26, 0.28, 0.08]) * np.exp(irregularity * rng.normal(0, 0.25, 5))
    rest, onset, held, offset, _ = (float(part) for part in duration * parts / parts.sum())
    lags = {unit: float(np.clip(irregularity * rng.normal(0, 0.06), -0.12, 0.12)) for unit in units}
    return (Burst(units, rest, onset, held, offset, lags), *blinks(duration, rng))


def spontaneous(
    displays: Sequence[Units], duration: float, rng: np.random.Generator, *, speech: float, mixing: float = 1.0,
    irregularity: float = 1.0, length: float = 1.0, apex: float = 1.0,
) -> tuple[Burst, ...]:  # fmt: skip
    """Displays at irregular times over `duration` s, among other units, speech and blinks.

    Args:
        displays: the units of each display.
        duration: s.
        rng: numpy Generator of the sequence.
        speech: share of the time in which the person talks.
        mixing: factor on the frequency of other units and of speech.
        irregularity: factor on what varies in time.
        length: factor on the lengths of bursts, within their bounds.
        apex: factor on the part of a burst for which it stays.
    """
    speech *= mixing
    usual = length * BURST
    how = {"irregularity": irregularity, "usual": usual, "apex": apex}
    slot = duration / max(len(displays), 1)
    course = []
    for number, units in enumerate(displays):
        jitter = irregularity * rng.uniform(-0.5, 0.5)
        course.append(_display(units, slot * (number + 0.35 + jitter), rng, **how))
    for unit, count in OTHERS.items():
        for _ in range(rng.poisson(mixing * count * duration / np.clip(usual, SHORTEST, LONGEST))):
            level = rng.uniform(*SPONTANEOUS)
            course.append(_display({unit: (level, level)}, rng.uniform(-1, duration), rng, **how))
    rate = BLINKS + min(speech, 1.0) * (TALKING_BLINKS - BLINKS)
    return (*course, *_speech(duration, speech, rng), *blinks(duration, rng, rate))


def _display(
    units: Units, start: float, rng: np.random.Generator, *, irregularity: float, usual: float, apex: float
) -> Burst:
    whole = float(np.clip(usual * np.exp(irregularity * rng.normal(0, 0.5)), SHORTEST, LONGEST))
    parts = np.array([0.35, apex * 0.25, 0.40]) * np.exp(irregularity * rng.normal(0, 0.4, 3))
    onset, held, offset = (float(part) for part in whole * parts / parts.sum())
    lags = {unit: irregularity * abs(float(rng.normal(0, 0.15))) for unit in units}
    return Burst(units, float(start), onset, held, offset, lags)


def _speech(duration: float, share: float, rng: np.random.Generator) -> list[Burst]:
    """Syllables in phrases of about two seconds that fill a share of the time."""
    syllables = []
    for _ in range(rng.poisson(share * duration / 2.0)):
        t = rng.uniform(0, duration)
        end = t + rng.uniform(1.0, 3.0)
        while t < end:
            length = 1 / rng.uniform(2.0, 7.0)
            opening = rng.uniform(0.1, 0.45)
            units = {25: (opening, opening), 26: (0.6 * opening, 0.6 * opening)}
            if rng.random() < 0.3:  # a rounded vowel
                units[18] = (opening, opening)
            syllables.append(Burst(units, float(t), 0.45 * length, 0.1 * length, 0.45 * length))
            t += length
    return syllables


def syllables(course: Sequence[Burst]) -> list[Burst]:
    """The syllables of a course, by their beginnings: openings of the mouth shorter than any display."""
    spoken = [burst for burst in course if burst.units.keys() >= {25, 26} and burst.end - burst.start < SHORTEST]
    return sorted(spoken, key=lambda burst: burst.start)


def micro(
    units: Units, duration: float, rng: np.random.Generator, irregularity: float = 1.0, *, apex: float = 1.0
) -> tuple[Burst, ...]:
    """One brief burst within a clip of `duration` s (at least 0.6), and blinks.

    The rule of Yan et al. holds for every irregularity: at most 0.5 s, onset at most 0.26 s.
    """
    length = float(np.clip(0.335 + irregularity * rng.uniform(-0.165, 0.165), 0.17, 0.5))
    onset = float(np.clip((0.45 + irregularity * rng.uniform(-0.15, 0.15)) * length, 0.065, 0.26))
    held = min(apex * 0.2, 0.8) * (length - onset)
    lead = 0.05 + rng.uniform(0, 1) * (duration - length - 0.1)
    return (Burst(units, float(lead), onset, held, length - onset - held), *blinks(duration, rng))


def blinks(duration: float, rng: np.random.Generator, rate: float = BLINKS) -> list[Burst]:
    """`rate` blinks a second at random times in `duration` s, each a quarter of a second long (ours)."""
    starts = rng.uniform(0, duration, rng.poisson(rate * duration))
    return [Burst({43: (1.0, 1.0)}, float(start), 0.08, 0.03, 0.15) for start in starts]
