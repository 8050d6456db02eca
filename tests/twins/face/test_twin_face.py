"""Twins by either face: the same roster, and files that read back as they were."""

import pickle

import numpy as np
import pytest

from mvlm.samples import open_corpus
from mvlm.twins.export import export
from mvlm.twins.twin import Dials, Twin


@pytest.mark.parametrize("name", ["BU-3DFE", "Bosphorus", "BU-4DFE", "BP4D", "4DME"])
def test_only_the_face_differs(name):
    formula, anny = Twin(name, face="formula"), Twin(name)
    assert anny == Twin(name, face="anny") != formula
    assert [item.name for item in formula.items] == [item.name for item in anny.items]
    for item in formula.items[:: len(formula.items) // 4]:
        assert formula.action_units(item, 0.5) == anny.action_units(item, 0.5)
    (roster, one), (same, other) = (twin.fingerprint.split("-") for twin in (formula, anny))
    assert roster == same and one != other
    assert pickle.loads(pickle.dumps(formula)) == formula
    assert anny.version == {"face": "anny 1", "roster": 3} and formula.version == {"face": "formula 2", "roster": 3}


@pytest.mark.parametrize("name", ["BU-3DFE", "Bosphorus", "BU-4DFE", "BP4D", "4DME"])
def test_files_of_the_formula_head_read_back_as_they_were(name, tmp_path):
    twin = Twin(name, face="formula")
    export(twin, tmp_path, subjects=1, frames=1)
    real, own = open_corpus(name, tmp_path), {item.name: item for item in twin.items}
    for item in real.items[:3]:
        wanted = own[item.name]
        if twin.scans:
            read, made = real.read(item), twin.read(wanted)
        else:
            place = [frame.number for frame in wanted.frames].index(item.frames[0].number)
            read, made = real.read_frame(item, 0), twin.read_frame(wanted, place)
        np.testing.assert_array_equal(read.vertices, made.vertices)
        np.testing.assert_array_equal(read.triangles, made.triangles)
        np.testing.assert_allclose(read.texture_coordinates, made.texture_coordinates, rtol=0, atol=1e-12)
        assert read.landmarks.keys() == made.landmarks.keys()
        assert all(np.array_equal(read.landmarks[mark], made.landmarks[mark]) for mark in read.landmarks)


def test_the_dial_of_identity_reaches_the_face():
    scans = [scan for scan in Twin("BU-3DFE").scans if scan.name.startswith("F") and scan.name.endswith("NE00WH")][:12]
    shapes = {}
    for factor in (0.0, 1.0):
        twin = Twin("BU-3DFE", Dials(identity=factor, noise=0, holes=0, pose=0, landmark=0))
        shapes[factor] = np.std([twin.read(scan).landmarks["nose 0"] for scan in scans], axis=0).mean()
    assert shapes[0.0] < 0.5 * shapes[1.0]
