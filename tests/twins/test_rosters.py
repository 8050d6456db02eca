"""Rosters: as they were frozen, by their sources, and the dials of what no source says.

More than 5 s: the courses of all 328 films of BP4D are looked at.
"""

from collections import Counter

import numpy as np
import pytest

from mvlm.faces.corpora.corpus import CORPORA
from mvlm.twins import rosters, timing
from mvlm.twins.export import CODED, TRACE
from mvlm.twins.expressions import EMFACS, LEVELS, MICRO
from mvlm.twins.twin import Dials, Twin

# What was frozen before any result was seen; only a new version of the roster or the face may take these along.
FINGERPRINTS = {
    "BU-3DFE": "d72d3bd91dba-90b17392ca41",
    "Bosphorus": "604f5e6369de-4c3cdfc62544",
    "BU-4DFE": "7a0636e53c63-2984d1898b46",
    "BP4D": "2fc4b26881b4-aaa5d489a9b5",
    "4DME": "1cefc3199007-4d3f4cbbf535",
}
# BP4D, counted in public lists of coded frames: least, median, largest of each task; all together.
FRAMES = {"T1": (311, 487, 744), "T2": (376, 498, 634), "T3": (214, 314, 450), "T4": (404, 496, 590),
          "T5": (464, 498, 768), "T6": (211, 494, 740), "T7": (432, 491, 626), "T8": (90, 272, 535)}  # fmt: skip
ALL_FRAMES = 146_847
BP4D = Twin("BP4D")


def seconds(sequence):
    return (len(sequence.frames) - 1) / sequence.fps


def bursts(course):
    """Displays and other units of a film: neither speech nor blinks lag."""
    return [burst for burst in course if burst.lags]


def blink(burst):
    return set(burst.units) == {43} and not burst.lags


def talk(burst):
    return {25, 26} <= set(burst.units) and not burst.lags


@pytest.mark.parametrize("name", CORPORA)
def test_a_twin_stays_as_it_was_frozen(name):
    assert Twin(name).fingerprint == FINGERPRINTS[name]


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("BU-3DFE", {"WH": 51, "AE": 24, "BL": 9, "LA": 8, "IN": 6, "AM": 2}),
        ("Bosphorus", {"WH": 105}),
        ("BU-4DFE", {"WH": 62, "AE": 28, "BL": 8, "LA": 3}),
        ("BP4D", {"WH": 20, "AE": 11, "BL": 6, "LA": 4}),
        ("4DME", {None: 41}),
    ],
)
def test_ancestries_and_ages_are_as_published(name, shares):
    twin = Twin(name)
    subjects = sorted({item.subject for item in twin.items})
    assert Counter(rosters.ancestry(name, subject, twin.stream) for subject in subjects) == shares
    youngest, oldest = rosters.AGES[name]
    ages = np.array([rosters.age(name, subject, twin.stream) for subject in subjects])
    assert youngest <= ages.min() < np.median(ages) < ages.max() <= oldest
    assert len(set(ages.tolist())) == len(subjects)
    sexes = {"BU-3DFE": (56, 44), "Bosphorus": (45, 60), "BU-4DFE": (58, 43), "BP4D": (23, 18), "4DME": (0, 0)}[name]
    found = Counter(rosters.sex(name, subject, twin.stream) for subject in subjects)
    assert (found["F"], found["M"]) == sexes


def test_an_ancestry_is_that_of_the_names():
    twin = Twin("BU-3DFE")
    assert all(scan.name[-2:] == rosters.ancestry(twin.name, scan.subject, twin.stream) for scan in twin.scans[::25])


def test_bosphorus_has_the_published_scans_of_each_emotion():
    scans = [scan for scan in Twin("Bosphorus").scans if scan.code.startswith("E_")]
    assert Counter(scan.emotion for scan in scans) == {
        "anger": 71, "disgust": 69, "fear": 70, "happiness": 106, "sadness": 66, "surprise": 71}  # fmt: skip
    shown = {}
    for scan in scans:
        shown.setdefault(scan.subject, set()).add(scan.emotion)
    assert len(shown) == 105 and sum(len(emotions) == 6 for emotions in shown.values()) == 65
    assert sum(scan.take == 1 for scan in scans) == 1


def test_bp4d_has_the_published_lengths():
    lengths = {}
    for sequence in BP4D.sequences:
        lengths.setdefault(sequence.code, []).append(len(sequence.frames))
    for task, (least, median, largest) in FRAMES.items():
        assert least <= min(lengths[task]) < max(lengths[task]) <= largest
        assert np.median(lengths[task]) == pytest.approx(median, rel=0.03)
    assert sum(map(sum, lengths.values())) == pytest.approx(ALL_FRAMES, rel=0.02)


def test_coders_see_units_as_often_as_in_bp4d():
    seen, frames = Counter(), 0
    for sequence in BP4D.sequences:
        for place in range(0, len(sequence.frames), 12):
            frames += 1
            shown = BP4D.action_units(sequence, place / sequence.fps)
            seen.update(unit for unit, sides in shown.items() if np.mean(sides) >= TRACE)
    assert tuple(timing.BASE_RATES) == CODED
    for unit, rate in timing.BASE_RATES.items():
        assert seen[unit] / frames == pytest.approx(rate, abs=0.03)


def test_bursts_last_as_long_as_felt_smiles_and_come_as_often_as_said():
    alone = Twin("BP4D", Dials(mixing=0.0))
    counts = []
    for sequence in BP4D.sequences:
        assert all(2 / 3 - 1e-9 <= b.end - b.start <= 4 + 1e-9 for b in bursts(BP4D.course(sequence)))
        displays = bursts(alone.course(sequence))
        assert bursts(BP4D.course(sequence))[: len(displays)] == displays
        counts.append(len(displays) - seconds(sequence) / timing.EVERY)
    assert np.mean(counts) == pytest.approx(1.0, abs=0.45)  # three standard errors; the first, and then as said


def test_people_blink_more_when_they_talk():
    blinks, spent = Counter(), Counter()
    for sequence in BP4D.sequences:
        talking = sequence.code in timing.TALKING
        blinks[talking] += sum(map(blink, BP4D.course(sequence)))
        spent[talking] += seconds(sequence)
    shares = {True: np.mean(list(timing.TALKING.values())), False: timing.A_LITTLE}
    for talking, share in shares.items():
        rate = 60 * blinks[talking] / spent[talking]
        assert rate == pytest.approx(17 + share * (26 - 17), rel=0.08)


def test_micro_expressions_follow_the_criteria_of_casme():
    assert MICRO["surprise"] == ((1, 2), (2,), (25,)) and MICRO["repression"] == ((15,), (17,), (15, 17))


# The dials of what is this project's own.


def posed(emotion="fear", **dials):
    """Units of one person's four levels."""
    twin = Twin("BU-3DFE", Dials(**dials))
    scans = [scan for scan in twin.scans if scan.subject == "F0003" and scan.emotion == emotion]
    return [twin.action_units(scan) for scan in scans]


def test_levels_move_the_lower_levels_alone():
    for usual, spread, power in zip(posed(), posed(levels=2.0), LEVELS, strict=True):
        assert spread == {unit: pytest.approx(tuple(power * side for side in sides)) for unit, sides in usual.items()}
    assert posed(levels=2.0)[3] == posed()[3]


def test_takes_and_sides_can_be_alike():
    alike = posed(takes=0.0, asymmetry=0.0)
    for units, level in zip(alike, LEVELS, strict=True):
        assert all(left == right for left, right in units.values())
        grown = {unit: level / LEVELS[0] * left for unit, (left, _) in alike[0].items()}
        assert units == {unit: pytest.approx([min(side, 1.2)] * 2) for unit, side in grown.items()}
    even, usual = posed(asymmetry=0.0), posed()
    assert [set(units) for units in even] == [set(units) for units in usual]
    assert not any(left == right for units in usual for left, right in units.values())
    strong = [Twin("BU-4DFE", Dials(takes=takes))._strong(np.random.default_rng(0)) for takes in (0.0, 1.0)]
    assert strong[0] == 3.5 and strong[1] == np.random.default_rng(0).uniform(3.0, 4.0)


def test_own_units_can_be_faint_or_strong():
    for emotion in ("happiness", "fear", "sadness"):
        for usual, without in zip(posed(emotion), posed(emotion, own=0.0), strict=True):
            own = set(usual) - set(EMFACS[emotion])
            assert all(without[unit] == ((0, 0) if unit in own else usual[unit]) for unit in usual if unit != 27)
    assert any(set(units) - set(EMFACS[each]) for each in ("happiness", "fear", "sadness") for units in posed(each))


def film(place=4, **dials):
    twin = Twin("BP4D", Dials(**dials))
    return twin.course(twin.sequences[place])


def test_displays_can_be_complete_and_rare():
    complete, usual = (film(mixing=0.0, missing=share) for share in (0.0, 1.0))
    sizes = [[len(b.units) for b in bursts(course)] for course in (complete, usual)]
    assert len(sizes[0]) == len(sizes[1]) and set(sizes[0]) == {max(sizes[0])} and sum(sizes[1]) < sum(sizes[0])
    counts = {share: sum(len(bursts(film(place, mixing=0.0, displays=share))) for place in range(40))
              for share in (0.0, 1.0, 2.0)}  # fmt: skip
    assert counts[0.0] == 40 and counts[2.0] - 40 == pytest.approx(2 * (counts[1.0] - 40), rel=0.25)


def test_bursts_can_be_longer_and_fill_the_same_time():
    spans = {length: [b.end - b.start for place in range(20) for b in bursts(film(place, length=length))]
             for length in (0.5, 1.0, 1.5)}  # fmt: skip
    assert [np.median(spans[length]) for length in spans] == pytest.approx([1.0, 2.0, 3.0], rel=0.1)
    assert max(spans[1.5]) <= 4 + 1e-9 and min(spans[0.5]) >= 2 / 3 - 1e-9
    assert sum(spans[1.5]) == pytest.approx(sum(spans[1.0]), rel=0.15)


def test_speech_is_turned_alone():
    usual, silent, full = film(0), film(0, speech=0.0), film(0, speech=2.0)
    talked = [sum(b.end - b.start for b in course if talk(b)) for course in (silent, usual, full)]
    assert talked[0] == 0 < talked[1] < talked[2]
    units = [bursts(course) for course in (silent, usual, full)]
    assert units[0] == units[1] == units[2]


@pytest.mark.parametrize("name", ["BU-4DFE", "BP4D", "4DME"])
def test_nothing_stays_at_the_apex_unless_asked(name):
    usual, passing = (Twin(name, Dials(apex=apex)) for apex in (1.0, 0.0))
    for sequence in usual.sequences[:40:8]:
        one, other = usual.course(sequence)[0], passing.course(sequence)[0]
        assert other.apex == 0 < one.apex and other.units == one.units and len(other.units) == len(one.units)
        if name != "BU-4DFE":  # there the rest before and after grows with the rise and the fall
            assert other.end - other.start == pytest.approx(one.end - one.start)


def test_frames_may_all_end_at_the_same_rim():
    usual, whole = (Twin("BU-4DFE", Dials(rim=rim, holes=0)) for rim in (1.0, 0.0))
    sequence = usual.sequences[0]
    assert usual.course(sequence) == whole.course(sequence)
    counts = [{len(twin.read_frame(sequence, place).triangles) for place in range(6)} for twin in (usual, whole)]
    assert len(counts[0]) > 3 and len(counts[1]) == 1 and max(counts[0]) < max(counts[1])
