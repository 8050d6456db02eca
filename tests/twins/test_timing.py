"""Courses of expressions: the curve of a burst, posed, spontaneous and micro."""

from collections import Counter

import numpy as np
import pytest

from mvlm.twins.expressions import (
    EMFACS,
    MICRO,
    micro_expression,
    personal_style,
    sample_expression,
    spontaneous_expression,
)
from mvlm.twins.timing import (
    BASE_RATES,
    LONGEST,
    OTHERS,
    SHORTEST,
    Burst,
    action_units,
    envelope,
    micro,
    posed,
    spontaneous,
)

SMILE = {6: (0.5, 0.5), 12: (0.8, 1.0)}


def unblinking(course):
    return [burst for burst in course if 43 not in burst.units]


def test_burst_rises_stays_and_falls():
    burst = Burst(SMILE, start=1.0, onset=0.5, apex=0.4, offset=0.8)
    strength = np.array([envelope(burst, t) for t in np.linspace(0, 4, 401)])
    assert (strength[:101] == 0).all() and (strength[150:190] == 1).all() and (strength[271:] == 0).all()
    assert (np.diff(strength[100:151]) > 0).all() and (np.diff(strength[190:271]) < 0).all()
    assert envelope(burst, 1.25) == pytest.approx(0.5) and envelope(burst, 2.3) == pytest.approx(0.5)  # half way
    # Minimum jerk: at rest at both ends, fastest in the middle at 1.875 of the mean speed (Flash & Hogan).
    assert np.diff(strength).max() / 0.01 * 0.5 == pytest.approx(1.875, rel=0.01)


def test_action_units_are_those_of_the_strongest_burst():
    course = (Burst({12: (0.4, 0.2), 6: (0.3, 0.3)}, 0, 1, 1, 1), Burst({12: (0.3, 0.9)}, 0, 1, 1, 1, {12: 0.5}))
    assert action_units(course, 1.75) == {12: (0.4, 0.9), 6: (0.3, 0.3)}
    assert action_units(course, 0.0) == {} and action_units(course, 3.6) == {}
    assert action_units(course, 3.25) == {12: pytest.approx((0.3 * envelope(course[0], 2.75),
                                                             0.9 * envelope(course[0], 2.75)))}  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_posed_sequence_goes_from_rest_to_rest(seed):
    course = unblinking(posed(SMILE, 4.0, np.random.default_rng(seed)))
    assert len(course) == 1
    strength = [sum(action_units(course, t).get(12, (0, 0))) for t in np.linspace(0, 4, 101)]
    peak = int(np.argmax(strength))
    assert strength[0] == strength[-1] == 0 and max(strength) == pytest.approx(1.8)
    assert (np.diff(strength[: peak + 1]) >= 0).all() and (np.diff(strength[peak:]) <= 1e-12).all()
    assert 0.15 < peak / 100 < 0.7 and course[0].onset > 0.5  # slow: people were asked to go through low to high


def test_spontaneous_displays_are_weaker_partial_and_mixed():
    rng = np.random.default_rng(0)
    styles = [personal_style(rng) for _ in range(300)]
    shown = [spontaneous_expression("sadness", rng, style) for style in styles]
    strengths = [np.mean(pair) for units in shown for pair in units.values()]
    assert 0.2 < np.mean(strengths) < 0.5  # A to C
    assert np.mean([len(u) for u in shown]) < 0.75 * np.mean([len(style["sadness"]) for style in styles])
    assert all(set(units) <= set(style["sadness"]) for units, style in zip(shown, styles, strict=True))

    course = spontaneous([SMILE, SMILE, SMILE], 1000.0, rng, speech=0.0)
    others = {unit for burst in course for unit in burst.units}
    assert set(BASE_RATES) <= others and 25 not in others
    for unit in (1, 6, 10):  # of another cause: so many at a time, bursts of about 2 s
        seconds = sum(b.end - b.start for b in course if set(b.units) == {unit})
        assert seconds / 1000 == pytest.approx(OTHERS[unit], rel=0.35)
    assert all(SHORTEST - 1e-9 <= b.end - b.start <= LONGEST + 1e-9 for b in unblinking(course))
    assert np.mean([b.onset for b in unblinking(course)]) < np.mean([b.offset for b in unblinking(course)])
    assert len(spontaneous([SMILE], 1000.0, np.random.default_rng(1), speech=0.0, mixing=0.0)) < 500  # blinks alone


def test_speech_opens_the_mouth_at_the_rate_of_syllables():
    course = spontaneous([], 400.0, np.random.default_rng(0), speech=0.4, mixing=1.0)
    syllables = [burst for burst in course if 26 in burst.units]
    rates = [1 / (s.end - s.start) for s in syllables]
    assert 2.0 <= min(rates) and max(rates) <= 7.0 + 1e-9
    assert sum(s.end - s.start for s in syllables) / 400 == pytest.approx(0.4, abs=0.12)


@pytest.mark.parametrize("category", MICRO)
def test_micro_expressions_are_brief_and_faint(category):
    rng = np.random.default_rng(0)
    for _ in range(100):
        units = micro_expression(category, rng)
        burst = unblinking(micro(units, 0.8, rng, irregularity=3.0))[0]
        assert 0.17 - 1e-9 <= burst.end - burst.start <= 0.5 + 1e-9 and 0.065 <= burst.onset <= 0.26
        assert burst.start > 0 and burst.end < 0.8
        assert len(units) <= 3 and all(max(pair) < 0.8 for pair in units.values())


def test_everybody_is_alike_without_variation():
    rng = np.random.default_rng(0)
    first, second = personal_style(rng, 0.0), personal_style(rng, 0.0)
    assert first == second
    assert all(set(units) <= set(EMFACS[emotion]) for emotion, units in first.items())


def test_every_emotion_can_be_posed_by_a_stranger():
    for emotion, shares in EMFACS.items():
        faces = [sample_expression(emotion, 4, np.random.default_rng(seed)) for seed in range(60)]
        counts = Counter(unit for units in faces for unit in units)
        assert max(counts, key=counts.get) in shares and len({tuple(sorted(units)) for units in faces}) > 5
        assert all(0 <= value <= 1.2 for units in faces for pair in units.values() for value in pair)


def test_a_quarter_of_what_people_show_is_their_own():
    rng = np.random.default_rng(0)
    styles = [personal_style(rng) for _ in range(500)]
    own = sum(unit not in EMFACS[e] for style in styles for e, units in style.items() for unit in units)
    total = sum(len(units) for style in styles for units in style.values())
    assert own / total == pytest.approx(0.25, abs=0.06)  # less what clashes with the shared units
