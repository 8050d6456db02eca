"""What is proven of every method that knows who is shown, on made embeddings in which people differ most.

True labels reach nothing, other subjects destroy the gain, no test subject reaches another, and the same bytes come
again, from other processes too.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from mvlm.cache import workers
from mvlm.labels.clusters import aggregate
from mvlm.labels.identity import centred_on_few, discriminant_for_few, own_scans, relabel
from mvlm.labels.naming import Prompts
from mvlm.study import runs
from mvlm.study.embeddings import Embedded
from mvlm.study.methods import IDENTITY, METHODS
from mvlm.study.record import Fold, record
from tests.labels.crowd import crowd, unit

EMOTIONS = ("anger", "disgust", "fear", "happiness")
PEOPLE, STRANGERS = 12, 3  # of whom the last are tested
PROTOCOLS = ("zero_shot", "knn", "probe", "cluster")
CHEAP = {"steps": 3, "strengths": (1.0,)}
TRUTHFUL = [name for name in IDENTITY if METHODS[name].supervision == "oracle"]
UNLABELLED = [name for name in IDENTITY if name not in TRUTHFUL]


class Made:
    """Views of people who show each emotion twice, in a file of embeddings; prompts beside the emotions."""

    def __init__(self, folder: Path):
        people = crowd(2, people=PEOPLE, classes=len(EMOTIONS), width=32, identity=6, noise=0.5, texts=0.8)
        rng = np.random.default_rng(0)
        self.views = people.rows[None, :, None] + 0.01 * rng.normal(size=(2, len(people.rows), 3, 32))
        self.views = unit(self.views).astype(np.float32)
        self.subjects = np.array([f"F{number:03d}" for number in people.subjects])
        self.classes, self.folder = people.classes, folder
        self.prompts = Prompts(people.prototypes, np.arange(len(EMOTIONS)), 0.07)
        self.tested = people.subjects >= PEOPLE - STRANGERS

    def fold(self, *, classes=None, subjects=None, views=None, tested=None) -> Fold:
        """The fold with what is given in place of its own."""
        file = self.folder / f"{len(list(self.folder.iterdir()))}.npy"
        np.save(file, self.views if views is None else views)
        emotions = np.array(EMOTIONS)[self.classes if classes is None else classes]
        names = np.array([f"{subject}, {place}" for place, subject in enumerate(self.subjects)])
        shown = self.subjects if subjects is None else subjects
        every = Embedded(file, np.arange(len(names)), names, shown, emotions)
        test = self.tested if tested is None else tested
        return Fold(every._where(~self.tested), every._where(test), EMOTIONS, (), 0)

    def records(self, fold: Fold, methods=IDENTITY) -> dict[str, dict]:
        return {name: record(METHODS[name], fold, self.prompts, **CHEAP) for name in methods}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("embeddings"))


@pytest.fixture(scope="module")
def usual(made):
    return made.records(made.fold())


def right(found: dict) -> float:
    return np.mean(np.array(found["zero_shot"]) == found["emotions"])


def test_permuted_labels_change_no_weight_and_no_prediction(made, usual):
    rng, classes = np.random.default_rng(1), made.classes.copy()
    for subject in np.unique(made.subjects):  # inside each, so that shares stay equal
        classes[made.subjects == subject] = rng.permutation(classes[made.subjects == subject])
    permuted = made.records(made.fold(classes=classes))
    assert permuted["subject-centred"]["emotions"] != usual["subject-centred"]["emotions"]
    for name in UNLABELLED:
        for what in ("weights", "zero_shot", "cluster_sizes", "change"):
            assert permuted[name][what] == usual[name][what], (name, what)
    for name in TRUTHFUL:  # what reads them, says so
        what = "weights" if METHODS[name].trains else "zero_shot"
        assert permuted[name][what] != usual[name][what]
    assert [usual[name]["weights"] is not None for name in IDENTITY] == [METHODS[name].trains for name in IDENTITY]


def test_other_subjects_destroy_the_gain(made, usual):
    """Groups at random among those who train and among those who are tested, as large as the people are."""
    rng, subjects = np.random.default_rng(2), made.subjects.copy()
    for side in (made.tested, ~made.tested):
        subjects[side] = rng.permutation(subjects[side])
    wrong = made.records(made.fold(subjects=subjects), UNLABELLED)
    for name in UNLABELLED:
        if METHODS[name].labelling.startswith("relabelled"):
            assert usual[name]["pseudo_labels"][-1] > 0.95 and wrong[name]["pseudo_labels"][-1] < 0.6, name
        if not METHODS[name].trains or METHODS[name].impersonal:  # three steps move no view that shows its person
            assert right(usual[name]) > right(wrong[name]) + 0.25, name


@pytest.mark.parametrize("gone", [False, True], ids=["other scans", "gone"])
def test_no_test_subject_reaches_another(made, usual, gone):
    """All scans of a test subject are other ones, or nobody's."""
    subject = made.subjects[-1]
    changed, views = made.subjects == subject, made.views.copy()
    views[:, changed] = unit(np.random.default_rng(3).normal(size=views[:, changed].shape))
    fold = made.fold(tested=made.tested & ~changed) if gone else made.fold(views=views)
    others = ~changed[made.tested]
    for name, found in made.records(fold).items():
        assert found["weights"] == usual[name]["weights"]
        for protocol in PROTOCOLS:
            now, before = np.array(found[protocol]), np.array(usual[name][protocol])
            np.testing.assert_array_equal(now if gone else now[others], before[others], err_msg=f"{name}, {protocol}")
            assert gone or (now[~others] != before[~others]).any() or protocol == "cluster"


def test_nor_by_the_few_scans_that_stand_beside_his_own(made):
    rows, subjects = aggregate(made.views[0]), made.subjects
    train, test = rows[~made.tested], rows[made.tested]
    labels = relabel(train, subjects[~made.tested], made.prompts, degree="shares").labels
    fitted = discriminant_for_few(train, subjects[~made.tested], labels, len(EMOTIONS))
    other, who = test.copy(), subjects[made.tested]
    changed = who == who[0]
    other[changed] = unit(np.random.default_rng(4).normal(size=other[changed].shape))
    for count in (1, 2, 4, 8):
        beside = own_scans(who, count, seed=0)
        told, now = (fitted.posterior(centred_on_few(of, beside, train.mean(0))) for of in (test, other))
        np.testing.assert_array_equal(now[~changed], told[~changed])
        assert (now[changed] != told[changed]).all()


def test_the_same_bytes_from_other_processes(made, usual, tmp_path):
    names = ("subject-centred", "relabelled-spread", "full-relabelled-shares", "impersonal-who")
    again = {"compute": record, "arguments": {"fold": made.fold(), "prompts": made.prompts} | CHEAP, "head": {}}
    tasks = [
        again | {"path": tmp_path / f"{name}.json", "arguments": again["arguments"] | {"method": METHODS[name]}}
        for name in names
    ]
    assert len(list(workers.each(runs._execute, tasks, jobs=2, title=""))) == len(names)
    for name in names:
        assert (tmp_path / f"{name}.json").read_text(encoding="utf-8") == json.dumps(usual[name]) + "\n"
