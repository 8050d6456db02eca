"""Twins: the index of the real corpora, faces of their own, native files that read back the same."""

import pickle
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image

from mvlm.faces.corpora.au_codes import MISSING, code_files, read_occurrence
from mvlm.faces.corpora.corpus import CORPORA
from mvlm.faces.corpora.items import EMOTIONS
from mvlm.faces.corpora.manifest import FIVE, read_manifest
from mvlm.samples import open_corpus
from mvlm.twins import rosters
from mvlm.twins import twin as twins
from mvlm.twins.cards import CARDS, card
from mvlm.twins.export import CODED, export
from mvlm.twins.twin import Dials, Twin

STATIC, MOVING = ("BU-3DFE", "Bosphorus"), ("BU-4DFE", "BP4D", "4DME")


@pytest.fixture(scope="module", params=CORPORA)
def twin(request):
    return Twin(request.param)


def face(twin, item, place=None):
    if twin.scans:
        return twin.read(item)
    return twin.read_frame(item, len(item.frames) // 2 if place is None else place)


def test_bu3dfe_counts():
    scans = Twin("BU-3DFE").scans
    assert len(scans) == 2500 and len({s.name for s in scans}) == 2500
    assert Counter(s.subject[0] for s in scans if s.emotion == "neutral") == {"F": 56, "M": 44}
    assert Counter((s.emotion, s.level) for s in scans) == {
        ("neutral", 0): 100, **{(e, level): 100 for e in EMOTIONS[:6] for level in (1, 2, 3, 4)}}  # fmt: skip
    assert len({(s.subject, s.name[-2:]) for s in scans}) == 100  # one ancestry a subject


def test_bosphorus_counts():
    scans = Twin("Bosphorus").scans
    shown = {}
    for s in scans:
        if s.code.startswith("E_"):
            shown.setdefault(s.subject, set()).add(s.emotion)
    assert len({s.subject for s in scans}) == 105
    assert sum(len(e) == 6 for e in shown.values()) == 65
    assert any(s.take == 1 for s in scans) and {s.code for s in scans} > {"N_N", "LFAU_9"}
    sexes = Counter(rosters.sex("Bosphorus", subject, Twin("Bosphorus").stream) for subject in shown)
    assert sexes == {"F": 45, "M": 60}


def test_bu4dfe_counts():
    sequences = Twin("BU-4DFE").sequences
    assert len(sequences) == 606 and sequences[0].name == "F001_Angry"
    assert Counter(s.subject[0] for s in sequences) == {"F": 58 * 6, "M": 43 * 6}
    assert Counter(s.emotion for s in sequences) == dict.fromkeys(EMOTIONS[:6], 101)
    lengths = [len(s.frames) for s in sequences]
    assert 60 <= min(lengths) < 80 and 120 < max(lengths) <= 126 and np.mean(lengths) == pytest.approx(100, abs=2)
    assert all(s.fps == 25 and s.frames[0].number == 0 for s in sequences)


def test_bp4d_counts():
    sequences = Twin("BP4D").sequences
    assert len(sequences) == 328 and len({s.subject for s in sequences}) == 41
    assert Counter(s.emotion for s in sequences) == dict.fromkeys(EMOTIONS, 41)
    assert {s.code: s.emotion for s in sequences}["T6"] == "pain"
    median = {code: np.median([len(s.frames) for s in sequences if s.code == code]) for code in ("T1", "T8")}
    assert 400 < median["T1"] < 620 and 220 < median["T8"] < 400
    assert all(90 <= len(s.frames) <= 768 for s in sequences)


def test_4dme_counts():
    sequences = Twin("4DME").sequences
    assert len(sequences) == 267 and len({s.subject for s in sequences}) == 41
    assert set(Counter(s.emotion for s in sequences)) == set(FIVE)
    assert all(s.fps == 60 and len(s.frames) <= 66 for s in sequences)


def test_every_twin_has_a_card():
    assert tuple(CARDS) == CORPORA and all(all(card) for card in CARDS.values())
    for name in CORPORA:
        assert CARDS[name].subjects.startswith(str(len({item.subject for item in Twin(name).items})))
        assert card(name, Twin(name).face) == CARDS[name] and "artists" in CARDS[name].is_not
        other = card(name, "formula")
        assert "parametric" in other.is_not and "artists" not in other.is_not and other[:-1] == CARDS[name][:-1]


def test_export_reads_back_the_same(twin, tmp_path):
    export(twin, tmp_path, subjects=1, frames=2)
    real, own = open_corpus(twin.name, tmp_path), {item.name: item for item in twin.items}
    assert real.kind == "supplied" and not real.unknown
    assert len(real.items) == sum(item.subject == real.items[0].subject for item in twin.items)
    for item in real.items:
        wanted = own[item.name]
        assert (item.subject, item.emotion, item.level, item.code) == (
            wanted.subject, wanted.emotion, wanted.level, wanted.code)  # fmt: skip
        if twin.scans:
            pairs = [(real.read(item), twin.read(wanted))]
        else:
            assert item.fps == wanted.fps and len(item.frames) == 2
            assert [f.number for f in item.frames] == [wanted.frames[0].number, wanted.frames[-1].number]
            pairs = [(real.read_frame(item, k), twin.read_frame(wanted, -k)) for k in (0, 1)]
        for read, made in pairs:
            same(read, made)
    with pytest.raises(FileExistsError, match="only written into a new folder"):
        export(twin, tmp_path)


def same(read, made):
    np.testing.assert_array_equal(read.vertices, made.vertices)
    np.testing.assert_array_equal(read.triangles, made.triangles)
    assert read.landmarks.keys() == made.landmarks.keys()
    assert all(np.array_equal(read.landmarks[name], made.landmarks[name]) for name in read.landmarks)
    np.testing.assert_allclose(read.texture_coordinates, made.texture_coordinates, rtol=0, atol=1e-12)
    assert read.texture_triangles is made.texture_triangles is None
    picture = np.asarray(Image.open(read.texture).convert("RGB")).astype(int)
    assert picture.std() > 5  # not one colour
    away = np.abs(picture - made.texture)
    assert away.mean() < 2.5 if read.texture.suffix == ".jpg" else not away.any()


def test_bad_numbers_of_an_export(tmp_path):
    with pytest.raises(ValueError, match="frames = 0: expected at least 1"):
        export(Twin("BP4D"), tmp_path, frames=0)
    assert not any(tmp_path.iterdir())


def test_codes_of_bp4d_are_what_the_face_does(tmp_path):
    twin = Twin("BP4D")
    real = open_corpus("BP4D", export(twin, tmp_path, subjects=1, frames=1))
    files, own = code_files(real.folder), {s.name: s for s in twin.sequences}
    assert sorted(files) == [s.name for s in real.sequences]
    starts = {}
    for name, path in files.items():
        codes, sequence = read_occurrence(path), own[name]
        starts[name[-2:]] = codes.frames[0]
        assert codes.frames[-1] == sequence.frames[-1].number
        assert all(((codes.of(unit) == MISSING).all()) == (unit not in CODED) for unit in codes.units)
        assert (codes.of(12) == MISSING).sum() in range(1, 11)  # a hand before the mouth for a moment
        truth = [np.mean(twin.action_units(sequence, (n - 1) / 25).get(6, 0)) >= 0.1 for n in codes.frames]
        np.testing.assert_array_equal(codes.of(6), truth)
    assert starts["T3"] == starts["T8"] == 1 and min(starts[t] for t in ("T1", "T2", "T4", "T5", "T6", "T7")) > 5


def test_manifest_of_4dme_says_when_the_apex_is(tmp_path):
    twin = Twin("4DME")
    clips = read_manifest(export(twin, tmp_path, subjects=2, frames=1) / "manifest.csv")
    own = {s.name: s for s in twin.sequences}
    for clip in clips:
        sequence = own[clip.clip_id]
        shown = [sum(np.mean(twin.action_units(sequence, (n - 1) / 60).get(unit, 0)) for unit in clip.aus)
                 for n in range(clip.start, clip.end + 1)]  # fmt: skip
        assert len(shown) == len(sequence.frames) and shown[clip.apex - clip.start] == pytest.approx(max(shown))


def test_items_are_made_alone_and_differ(twin):
    first, other = twin.items[0], twin.items[1]
    again = face(Twin(twin.name), first)
    np.testing.assert_array_equal(face(twin, first).vertices, again.vertices)
    assert not np.array_equal(face(twin, other).vertices, again.vertices)
    assert len(again.triangles) < 9_000


@pytest.mark.parametrize("name", MOVING)
def test_any_frame_is_the_same_alone_and_in_order(name):
    twin = Twin(name)
    sequence = twin.sequences[5]
    in_order = [twin.read_frame(sequence, place) for place in range(12)]
    twins._person.cache_clear()
    twins._recording.cache_clear()
    few = replace(sequence, frames=sequence.frames[7:9])  # a part of the frames keeps their times
    for alone in (Twin(name).read_frame(sequence, 7), Twin(name).read_frame(few, 0)):
        np.testing.assert_array_equal(alone.vertices, in_order[7].vertices)
        np.testing.assert_array_equal(alone.triangles, in_order[7].triangles)
        np.testing.assert_array_equal(alone.texture, in_order[7].texture)
    assert len({len(frame.vertices) for frame in in_order}) > 3  # every frame has a topology of its own


def strengths(twin, sequence):
    """(T,) summed intensities, blinks left out."""
    return np.array([
        sum(np.mean(pair) for unit, pair in twin.action_units(sequence, place / sequence.fps).items() if unit != 43)
        for place in range(len(sequence.frames))
    ])  # fmt: skip


def test_posed_sequences_rise_to_one_apex_and_fall():
    twin = Twin("BU-4DFE")
    for sequence in twin.sequences[::60]:
        shown = strengths(twin, sequence)
        smooth = np.convolve(shown, np.ones(5) / 5, "same")
        peak = int(smooth.argmax())
        assert shown[0] == shown[-1] == 0 and 0.1 < peak / len(shown) < 0.8
        assert (np.diff(smooth[2 : peak + 1]) > -0.02).all() and (np.diff(smooth[peak:-2]) < 0.02).all()


def test_spontaneous_and_micro_expressions_are_weaker_than_posed_ones():
    peaks = {}
    for name in MOVING:
        twin = Twin(name)
        own = [twin.course(sequence)[0] for sequence in twin.sequences[::9]]  # the display itself comes first
        peaks[name] = np.mean([np.mean([np.mean(pair) for pair in burst.units.values()]) for burst in own])
    assert peaks["4DME"] < peaks["BP4D"] < 0.6 * peaks["BU-4DFE"]
    assert peaks["4DME"] == pytest.approx(0.275, abs=0.05)  # A to B


def test_a_twin_is_its_own_kind(twin):
    assert twin.kind == "twin" and twin.check() == {} and open_corpus(twin.name) == twin
    assert twin.fingerprint == Twin(twin.name).fingerprint
    assert bool(twin.scans) != bool(twin.sequences)
    for each in (twin, Twin(twin.name, Dials(speech=2.0), "formula")):
        kept = pickle.dumps(each)
        assert pickle.loads(kept) == each and len(kept) < 1000  # workers get no index


def test_fingerprint_tells_another_face_from_another_roster(twin, monkeypatch):
    def halves(dials=Dials(), **versions):  # noqa: B008 - immutable
        with monkeypatch.context() as patch:
            patch.setattr(twins, "VERSIONS", twins.VERSIONS | versions)
            forget()
            found = Twin(twin.name, dials).fingerprint.split("-")
        forget()
        return found

    def forget():
        for cache in (twins._person, twins._recording, twins._fingerprint):
            cache.cache_clear()

    roster, face = halves()
    assert [len(roster), len(face)] == [12, 12]
    for other in (halves(face={"anny": 9}), halves(Dials(noise=2)), halves(Dials(pose=0.5))):
        assert other[0] == roster and other[1] != face  # the same people do the same, and look otherwise
    for other in (halves(roster=4), halves(Dials(strength=0.5))):
        assert other[0] != roster and other[1] != face


def test_dials_at_one_are_the_twin_itself(twin):
    ones = Twin(twin.name, dials=Dials(**{field.name: 1.0 for field in fields(Dials)}))
    assert ones == twin
    np.testing.assert_array_equal(face(ones, twin.items[3]).vertices, face(twin, twin.items[3]).vertices)


@pytest.mark.parametrize("dial", [field.name for field in fields(Dials)])
def test_each_dial_moves_faces_or_marks(dial):
    moving = ("mixing", "irregularity", "missing", "displays", "length", "speech", "apex", "rim")
    name = "BP4D" if dial in moving else "BU-3DFE"
    twin, turned = Twin(name), Twin(name, dials=Dials(**{dial: 2.0}))
    if dial == "rim":
        pairs = [face(each, each.sequences[0]).vertices for each in (twin, turned)]
        assert len(pairs[0]) != len(pairs[1])
        return
    if name == "BP4D":
        sequence = twin.sequences[0]
        assert not np.array_equal(strengths(turned, sequence), strengths(twin, sequence))
        return
    pairs = [(twin._scanned(s), turned._scanned(s)) for s in twin.scans[1:13]]  # before a mark becomes a vertex
    faces = any(not np.array_equal(one.vertices, other.vertices) for one, other in pairs)
    marks = any(not np.array_equal(one.landmarks[name], other.landmarks[name])
                for one, other in pairs for name in one.landmarks)  # fmt: skip
    assert (faces, marks) == (dial != "landmark", dial not in ("noise", "holes"))


def test_an_expression_dial_leaves_the_sensor_as_it_was():
    twin, turned = Twin("BU-3DFE"), Twin("BU-3DFE", dials=Dials(variation=0))
    neutral = next(s for s in twin.scans if s.emotion == "neutral")
    np.testing.assert_array_equal(twin.read(neutral).vertices, turned.read(neutral).vertices)
    posed = next(s for s in twin.scans if s.level == 2)
    assert twin.action_units(posed) != turned.action_units(posed)

    def errors(**dials):
        """Of marked points, in a head as the sensor turns it."""
        ways = (Twin("BU-3DFE", Dials(**dials, landmark=factor)) for factor in (1.0, 0.0))
        marked, true = (np.array([*way._scanned(posed).landmarks.values()]) for way in ways)
        return marked - true

    np.testing.assert_allclose(errors(), errors(variation=0), atol=1e-9)


def test_dials_have_bounds_and_turn_off():
    with pytest.raises(ValueError, match=r"dial noise = -1: expected a factor in \[0, 10\]"):
        Dials(noise=-1)
    still = Twin("BU-4DFE", dials=Dials(strength=0))
    assert strengths(still, still.sequences[0]).max() == 0
    alike = Twin("BU-3DFE", dials=Dials(identity=0, noise=0, holes=0, pose=0, variation=0, strength=0))
    one, other = (alike.read(next(s for s in alike.scans if s.subject == who)) for who in ("F0001", "F0002"))
    assert np.abs(one.vertices - other.vertices).max() < 0.5


def test_unknown_twin():
    with pytest.raises(ValueError, match="no twin of 'BU-5DFE': expected one of BU-3DFE, Bosphorus"):
        Twin("BU-5DFE")
    with pytest.raises(ValueError, match="no face 'clay': expected one of anny, formula"):
        Twin("BU-3DFE", face="clay")
