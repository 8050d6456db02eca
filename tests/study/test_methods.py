"""Recipes as data: groups name what there is, a row differs from its neighbour in one thing, and results stand."""

from dataclasses import asdict, fields

import numpy as np
import pytest

from mvlm.labelling import LABELLINGS
from mvlm.labels.naming import Prompts
from mvlm.losses.readings import PARTS, READINGS
from mvlm.losses.siblings import LOSSES
from mvlm.method import adapt
from mvlm.study import methods
from mvlm.study.methods import GROUPS, METHODS
from mvlm.weights import digest


def test_groups_name_methods_and_leave_none_out():
    assert {name for group in GROUPS.values() for name in group} == set(METHODS)
    for group in GROUPS.values():
        assert len(set(group)) == len(group)
    assert set(methods.LADDER) < set(methods.TABLE_METHODS) == set(GROUPS["tables"])
    assert tuple(METHODS)[: len(methods.TABLE_METHODS)] == methods.TABLE_METHODS
    assert len({method.title for method in METHODS.values()}) == len(METHODS)


def test_a_recipe_is_made_of_what_there_is():
    for name, method in METHODS.items():
        assert method.name == name and set(method.use) <= {*PARTS, *LOSSES}
        assert method.labelling in {"plain", *LABELLINGS} and method.trains == (method.rounds > 0)
        assert method.supervision in {"none", "cluster", "zero-shot", "instance", "oracle"}
        for reading, known in zip(method.reading.equations, READINGS, strict=True):
            assert reading in known
    assert {method.labelling for method in METHODS.values()} == {"plain", *LABELLINGS}
    assert {loss for method in METHODS.values() for loss in method.use} == {*PARTS, *LOSSES}


def test_several_seeds_are_for_the_rungs_whose_names_can_swap():
    several = {name for name, method in METHODS.items() if len(methods.seeds_of(method)) > 1}
    assert several == {"pseudo-labels", "pairs", "full"}
    assert all(methods.seeds_of(method)[0] == 0 for method in METHODS.values())


def differs(name: str, other: str) -> set[str]:
    a, b = asdict(METHODS[name]), asdict(METHODS[other])
    return {field.name for field in fields(METHODS[name]) if a[field.name] != b[field.name]} - {"name", "title"}


def test_a_row_differs_in_one_thing_from_the_row_it_is_compared_with():
    for name in methods.RUNGS[1:]:
        assert differs(name, "full") == {"use"}
    for name in methods.READINGS:
        base = "oracle" if METHODS[name].supervision == "oracle" else "full"
        assert name == base or len(differs(name, base)) == 1
    for name in ("seeded", "consensus", "soft"):
        assert differs(name, "full") == {"labelling"}
    for name in ("text-classifier", "neighbours", "balanced"):
        assert differs(name, "zero-shot-labels") - {"rounds"} == {"labelling"}
    assert differs("transductive", "full") == {"transductive"}
    assert len(methods.READINGS) == 2 * (1 + len(methods.VARIANTS))


@pytest.fixture
def faces():
    """Thirty samples of three classes, hard to tell apart, and twelve prompts that lie wide: views, prompts, truth."""
    rng = np.random.default_rng(7)
    truth = np.repeat(np.arange(3), 10)
    centres = rng.normal(size=(3, 16))
    views = centres[truth][None, :, None] + 1.6 * rng.normal(size=(2, 30, 3, 16))
    classes = np.repeat(np.arange(3), 4)
    text = centres[classes] + 3.0 * rng.normal(size=(12, 16))
    unit = [(x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32) for x in (views, text)]
    return unit[0], Prompts(unit[1], classes, 0.07), truth


# What 20 steps made of `faces` before there was any method but these: a sum over the adapted views with weights from -1
# to 1, the temperature, and how many views had each class in the last round.
KNOWN = {
    "pseudo-labels": (6.886901, 0.07083434, [27, 37, 26]),
    "pairs": (6.903383, 0.07083438, [27, 37, 26]),
    "full": (6.943096, 0.07083576, [10, 10, 10]),
    "agreed": (6.485206, 0.07083014, [10, 10, 8]),
    "zero-shot-labels": (6.750554, 0.07083699, [10, 12, 8]),
    "instance": (7.008041, 0.07, None),
    "oracle": (6.943096, 0.07083576, [10, 10, 10]),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_methods_of_the_tables_do_what_they_did(faces, name):
    views, prompts, truth = faces
    told = truth if name == "oracle" else None
    adapter, rounds = adapt(METHODS[name], views, prompts, seed=3, steps=20, truth=told)
    rows = adapter.apply(views[0]).astype(float)
    weights = np.linspace(-1, 1, rows.size).reshape(rows.shape)
    found, temperature, sizes = KNOWN[name]
    assert (rows * weights).sum() == pytest.approx(found, abs=1e-4)  # other processors round otherwise
    assert adapter.temperature.item() == pytest.approx(temperature, abs=1e-6)
    assert (rounds.sizes[-1] if rounds.sizes else None) == sizes


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.labelling != "plain"])
def test_a_refined_labelling_is_the_same_every_time_and_trains_something_else(faces, name):
    views, prompts, _ = faces
    adapter, rounds = adapt(METHODS[name], views, prompts, seed=3, steps=5)
    assert digest(adapter) == digest(adapt(METHODS[name], views, prompts, seed=3, steps=5)[0])
    assert len(rounds.labels) == METHODS[name].rounds
    if name != "seeded":  # which may well end where the best of random starts does
        plain = "zero-shot-labels" if METHODS[name].supervision == "zero-shot" else "full"
        assert digest(adapter) != digest(adapt(METHODS[plain], views, prompts, seed=3, steps=5)[0])


def test_negatives_of_other_subjects_need_the_subjects(faces):
    views, prompts, _ = faces
    with pytest.raises(ValueError, match="full-other-subjects: negatives of other subjects alone need the subjects"):
        adapt(METHODS["full-other-subjects"], views, prompts, seed=0)
