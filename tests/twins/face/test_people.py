"""The people: adults whose measures spread as published ones do, of the sex and ancestry asked for."""

import numpy as np
import pytest

from mvlm.twins.face import face
from mvlm.twins.face.model import model
from mvlm.twins.face.people import MIXTURES

# Mean and standard deviation in mm, women and men. Bizygomatic breadth, menton-sellion and subnasale-sellion length,
# nose breadth, lip length: 3,997 US workers of all ancestries (Zhuang & Bradtmiller 2005, J Occup Environ Hyg 2:567).
# Canthi: North American whites (Farkas 1994); pooled means of the inner ones are 31.4 (white), 36.4 (Asian) and 38.5
# (African), so the mixture's are wider (review in PMC9029890).
PUBLISHED = {
    "face width": ((135.1, 6.5), (143.5, 6.9)),
    "face height": ((113.4, 6.1), (122.7, 7.0)),
    "nose length": ((48.2, 3.8), (52.0, 4.1)),
    "nose width": ((33.2, 3.9), (36.6, 4.1)),
    "mouth width": ((48.0, 4.0), (51.1, 4.2)),
    "inner canthi": ((35.0, 2.9), (36.0, 3.0)),
    "outer canthi": ((87.8, 4.0), (91.2, 4.0)),
}


def measures(mesh):
    at, skin = mesh.landmarks, mesh.vertices[: len(model().nostrils)]
    sellion, base = ((at[a] + at[b])[1:] / 2 for a, b in (("nose 0", "nose 11"), ("nose 5", "nose 6")))
    middle = skin[(skin[:, 1] > -5) & (skin[:, 1] < 25), 0]

    def apart(one, other):
        return np.linalg.norm(at[one] - at[other])

    return {
        "face width": np.ptp(middle),
        "face height": np.linalg.norm(sellion - at["contour 7"][1:]),
        "nose length": np.linalg.norm(sellion - base),
        "nose width": apart("left nose peak", "right nose peak"),
        "mouth width": apart("left mouth corner", "right mouth corner"),
        "inner canthi": apart("inner left eye corner", "inner right eye corner"),
        "outer canthi": apart("outer left eye corner", "outer right eye corner"),
    }


@pytest.fixture(scope="module")
def faces():
    return {sex: [face.pose(face.sculpt(face.random_identity(np.random.default_rng(seed), sex=sex)), {})
                  for seed in range(100)] for sex in "FM"}  # fmt: skip


def test_measures_spread_as_published(faces):
    for place, sex in enumerate("FM"):
        found = [measures(mesh) for mesh in faces[sex]]
        for name, known in PUBLISHED.items():
            mean, sd = known[place]
            values = np.array([row[name] for row in found])
            assert abs(values.mean() - mean) < 0.08 * mean, (sex, name, values.mean())
            assert 0.7 * sd < values.std() < 1.35 * sd, (sex, name, values.std())


def test_faces_are_asymmetric_as_people_are(faces):
    """The middle of the chin lies about a millimetre beside the plane between the eyes."""
    off = []
    for mesh in faces["F"]:
        at = mesh.landmarks
        eyes = (at["inner left eye corner"] + at["inner right eye corner"]) / 2
        off.append(abs(at["chin middle"][0] - eyes[0]))
    assert 0.5 < np.mean(off) < 2.5 and max(off) < 7


def test_the_same_stream_is_the_same_person_and_another_is_another():
    one, same, other = (face.sculpt(face.random_identity(np.random.default_rng(seed))).coarse for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert np.linalg.norm(one - other, axis=1).max() > 3


def test_sex_and_ancestry_are_as_asked():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        assert face.random_identity(rng, sex="F").male < 0.5 < face.random_identity(rng, sex="M").male
    for place, code in enumerate(("BL", "AE", "WH")):
        drawn = [face.random_identity(np.random.default_rng(seed), ancestry=code) for seed in range(20)]
        assert {int(np.argmax(who.ancestry)) for who in drawn} == {place}
        assert all(abs(sum(who.ancestry) - 1) < 1e-9 for who in drawn)
    dark, light = (
        np.mean([face.texture(face.random_identity(np.random.default_rng(seed), ancestry=code), 32)[5:20].mean()
                 for seed in range(8)]) for code in ("BL", "WH")
    )  # fmt: skip
    assert dark < 0.6 * light


def test_everybody_is_an_adult():
    drawn = [face.random_identity(np.random.default_rng(seed)) for seed in range(200)]
    assert all(0 <= who.old < 0.75 and 0 <= who.heavy <= 1 and np.abs(who.sliders).max() <= 1 for who in drawn)
    assert 0.3 < np.mean([who.male > 0.5 for who in drawn]) < 0.7


def test_without_spread_people_of_a_sex_and_an_ancestry_are_one():
    shapes = [face.shape(face.random_identity(np.random.default_rng(seed), sex="F", ancestry="WH", spread=0.0))
              for seed in range(3)]  # fmt: skip
    np.testing.assert_allclose(shapes[1], shapes[0], atol=1e-9)
    np.testing.assert_allclose(shapes[2], shapes[0], atol=1e-9)
    wider = [face.shape(face.random_identity(np.random.default_rng(seed), sex="F", spread=1.5)) for seed in range(30)]
    usual = [face.shape(face.random_identity(np.random.default_rng(seed), sex="F")) for seed in range(30)]
    assert 1.2 < np.std(wider, axis=0).mean() / np.std(usual, axis=0).mean() < 1.8


@pytest.mark.parametrize(("wrong", "said"), [({"sex": "X"}, "'F', 'M' or None"), ({"ancestry": "XX"}, "WH, AE, BL")])
def test_other_words_are_said(wrong, said):
    with pytest.raises(ValueError, match=said):
        face.random_identity(np.random.default_rng(0), **wrong)


def test_the_codes_are_those_of_the_roster():
    from mvlm.twins.twin import Twin

    assert {scan.name[-2:] for scan in Twin("BU-3DFE").scans} == set(MIXTURES)
