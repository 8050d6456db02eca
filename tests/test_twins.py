"""Twins: the index of the real corpora, faces of their own, native files that read back the same."""

from collections import Counter

import numpy as np
import pytest

from mvlm.faces import open_corpus
from mvlm.faces.corpora import EMOTIONS
from mvlm.faces.twins import Twin, export


@pytest.fixture(scope="module", params=["BU-3DFE", "Bosphorus"])
def twin(request):
    return Twin(request.param)


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


def test_export_reads_back_the_same(twin, tmp_path):
    export(twin, tmp_path, subjects=1)
    real, own = open_corpus(twin.name, tmp_path), {s.name: s for s in twin.scans}
    assert real.kind == "supplied" and len(real.scans) == sum(s.subject == real.scans[0].subject for s in twin.scans)
    for scan in real.scans:
        wanted = own[scan.name]
        assert (scan.subject, scan.emotion, scan.level) == (wanted.subject, wanted.emotion, wanted.level)
        read, made = real.read(scan), twin.read(wanted)
        np.testing.assert_array_equal(read.vertices, made.vertices)
        np.testing.assert_array_equal(read.triangles, made.triangles)
        assert read.landmarks.keys() == made.landmarks.keys()
        assert all(np.array_equal(read.landmarks[name], made.landmarks[name]) for name in read.landmarks)
    with pytest.raises(FileExistsError, match="only written into a new folder"):
        export(twin, tmp_path)


def test_scans_are_made_alone_and_differ(twin):
    first, other = twin.scans[0], twin.scans[1]
    again, neighbour = Twin(twin.name).read(first), twin.read(other)
    np.testing.assert_array_equal(twin.read(first).vertices, again.vertices)
    assert not np.array_equal(neighbour.vertices, again.vertices)
    assert len(again.triangles) < 9_000


def test_a_twin_is_its_own_kind(twin):
    assert twin.kind == "twin" and twin.check() == {} and open_corpus(twin.name) == twin
    assert twin.fingerprint == Twin(twin.name).fingerprint


def test_unknown_twin():
    with pytest.raises(ValueError, match="no twin of 'BU-5DFE': expected one of BU-3DFE, Bosphorus"):
        Twin("BU-5DFE")
