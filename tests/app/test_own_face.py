"""A face of one's own: who is drawn, what moves, what the model sees of it, and the files that it is saved as."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvlm.app import own_face
from mvlm.app.own_face import (
    CLASSES,
    FEATURES,
    FORMATS,
    GROUPS,
    JAW,
    YEARS,
    draw,
    explained,
    identity,
    look,
    mesh,
    preset,
    views,
)
from mvlm.classify.page import heated
from mvlm.classify.verdicts import classify
from mvlm.faces.corpora.items import EMOTIONS
from mvlm.faces.formats.by_extension import read_mesh, write_mesh
from mvlm.settings import Settings
from mvlm.twins.expressions import clash
from mvlm.twins.face.face import ACTION_UNITS
from mvlm.twins.face.people import OLDEST, YOUNGEST, random_identity

SMILE = {12: (0.9, 0.7), 25: (0.5, 0.5), 6: (0.4, 0.4)}


@pytest.fixture(scope="module")
def somebody():
    return draw(3)


@pytest.fixture(autouse=True)
def as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of the suite says."""
    monkeypatch.setattr(own_face, "chosen", Settings)


def test_a_number_is_a_person_and_who_is_not_changed_is_as_drawn():
    for number in (0, 3, 4711):
        drawn, who = random_identity(np.random.default_rng(number)), identity(draw(number))
        assert who.ancestry == drawn.ancestry
        assert np.abs(who.sliders - drawn.sliders).max() < 0.026 and abs(who.male - drawn.male) < 0.026
        assert abs(who.old - drawn.old) * 65 <= 0.51  # to a year
        assert who.traits["age"] == pytest.approx(drawn.traits["age"], abs=0.04)
    assert draw(0) != draw(1)
    with pytest.raises(ValueError, match="person 10000: expected a number from 0 to 9999"):
        draw(10_000)


def test_every_slider_of_a_person_moves_the_face(somebody):
    assert YEARS == (YOUNGEST, OLDEST)
    at_rest = mesh(somebody, {}).vertices
    for name, (low, high) in {"male": (0.0, 1.0), "years": YEARS}.items():
        some, others = (mesh(replace(somebody, **{name: end}), {}).vertices for end in (low, high))
        assert np.abs(some - others).max() > 1.0, name
    for place, name in enumerate(FEATURES):
        features = [*somebody.features]
        features[place] = 1.0 if features[place] < 0.5 else -1.0
        changed = replace(somebody, features=tuple(features))
        assert np.abs(mesh(changed, {}).vertices - at_rest).max() > 1.0, name


def test_all_units_are_on_the_page_once_and_have_the_sides_that_it_gives_them(somebody):
    units = [unit for group in GROUPS.values() for unit in group]
    assert sorted(units) == sorted(ACTION_UNITS)
    for unit in units:
        left, right = (mesh(somebody, {unit: sides}).vertices for sides in ((0.8, 0.0), (0.0, 0.8)))
        assert (np.abs(left - right).max() > 0.2) == (unit not in JAW), unit


def test_presets_are_what_faces_can_do_and_grow_with_their_level():
    assert preset("neutral") == {}
    for emotion in EMOTIONS:
        faint, strong = preset(emotion, 1), preset(emotion)
        assert all(left == right <= 1 for left, right in strong.values())
        assert all(strong[unit] > faint[unit] for unit in faint)
        done = {*strong} - {27}  # which goes with 26, of which it is the stretched end
        assert not any(clash(unit, done - {unit}) for unit in done)
    assert 12 in preset("happiness") and {1, 2, 5} <= {*preset("surprise")}
    assert preset("anger", 2) == preset("anger", 2)


def test_the_model_is_shown_what_it_is_shown_of_a_file(somebody, tmp_path: Path):
    seen = look(somebody, SMILE)
    assert seen.images.shape == (3, 64, 64, 3) and seen.probabilities.shape == (len(CLASSES),)
    assert seen.best == CLASSES[int(seen.probabilities.argmax())]
    write_mesh(mesh(somebody, SMILE), tmp_path / "face.ply")
    (verdict,) = classify([tmp_path / "face.ply"], Settings())
    assert np.array_equal(verdict.looked.images, seen.images)
    expected = [*(1 - verdict.rest) * verdict.probabilities, verdict.rest]
    assert seen.probabilities == pytest.approx(expected, abs=1e-5)
    own = explained(somebody, SMILE, verdict.best)
    for view, hot, ours in zip(verdict.looked.shown, verdict.heat, own, strict=True):
        assert np.abs(heated(view, hot).astype(int) - ours).max() <= 1


def test_left_is_the_left_of_the_subject(somebody):
    one_sided, at_rest = (views(mesh(somebody, units), 64)[0].astype(int) for units in ({16: (1.0, 0.0)}, {}))
    changed = (np.abs(one_sided - at_rest) > 30).any(-1).sum(0)  # in the front view, whose right is their left
    assert changed[32:].sum() > 5 * changed[:32].sum()


@pytest.mark.filterwarnings("error")  # such as one of a picture that is not there
@pytest.mark.parametrize("extension", FORMATS)
def test_a_face_is_saved_in_every_native_format_and_read_again(somebody, tmp_path: Path, extension: str):
    path = tmp_path / own_face.file_name(somebody, extension)
    path.write_bytes(own_face.saved(somebody, SMILE, extension))
    face, again = mesh(somebody, SMILE), read_mesh(path)
    if extension == ".bnt":
        low, high = face.vertices.min(0), face.vertices.max(0)
        assert (again.vertices >= low - 1e-3).all() and (again.vertices <= high + 1e-3).all()
        assert len(again.vertices) > 20_000 and again.vertices[:, 2].max() == pytest.approx(high[2], abs=0.2)
    else:
        assert np.array_equal(again.triangles, face.triangles)
        assert np.abs(again.vertices - face.vertices).max() <= (0 if extension == ".ply" else 5e-7)
    assert again.landmarks == {} and again.texture is None
