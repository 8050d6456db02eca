"""Ways without labels on embeddings of known make: who is shown is strong, what is shown is weak."""

import numpy as np
import pytest

from mvlm.labels.naming import Prompts
from mvlm.measures.evaluate import zero_shot
from mvlm.study import label_free, label_free_peers, label_free_stress
from mvlm.study.embeddings import Embedded
from mvlm.study.label_free import WITHOUT_LABELS, Rows, without_labels
from mvlm.study.label_free_peers import ABLATED, OF_PEERS, nearest_mean, peers
from mvlm.study.label_free_stress import CONDITIONS, FEW_PEOPLE, WAYS, stressed
from mvlm.study.methods import METHODS
from mvlm.study.record import Fold

EMOTIONS = ("anger", "disgust", "fear", "happiness")
WIDTH, TRAINING, TESTED, TAKES = 16, 14, 4, 3
METHOD = METHODS["subject-centred"]


def embedded(folder, rng, people, said, spread):
    """Views of people who each show everything `TAKES` times; a person is twice as strong as what they show."""
    who, what = (grid.ravel() for grid in np.meshgrid(np.arange(people), np.tile(np.arange(4), TAKES), indexing="ij"))
    offset = rng.normal(size=(people, WIDTH)) * 2
    rows = offset[who] + said[what] + rng.normal(size=(len(who), WIDTH)) * spread
    views = rows[None, :, None] + 0.02 * rng.normal(size=(1, len(rows), 3, WIDTH))
    views /= np.linalg.norm(views, axis=-1, keepdims=True)
    path = folder / f"{people}.npy"
    np.save(path, views.astype(np.float32))
    names = np.array([f"{people}-{i}" for i in range(len(who))])
    subjects = np.array([f"F{i:03d}" for i in who])  # both sides name theirs alike
    return Embedded(path, np.arange(len(who)), names, subjects, np.array(EMOTIONS)[what])


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    rng = np.random.default_rng(0)
    said = rng.normal(size=(4, WIDTH)) * 0.5
    spread = np.geomspace(0.1, 2, WIDTH)  # anisotropic: what varies most tells least
    folder = tmp_path_factory.mktemp("embeddings")
    train, test = (embedded(folder, rng, people, said, spread) for people in (TRAINING, TESTED))
    prompts = Prompts(said + rng.normal(size=said.shape) * 0.25 + 3, np.arange(4), 0.1)
    return Fold(train, test, EMOTIONS, (), 0), prompts


@pytest.fixture(scope="module")
def of_peers(world):
    return peers(METHOD, *world)["predicted"]


def right(fold, said):
    return {way: np.mean(np.array(classes) == fold.classes(fold.test)) for way, classes in said.items()}


def test_every_way_answers_and_those_that_remove_the_person_are_right(world):
    fold, prompts = world
    found = without_labels(METHOD, fold, prompts)
    assert set(found["predicted"]) == set(WITHOUT_LABELS) and found["among_shown"] is None
    assert found["subjects"] == fold.test.subjects.tolist() and found["emotions"] == fold.test.emotions.tolist()
    scores = right(fold, found["predicted"])
    assert scores["zero-shot"] < 0.6 < scores["subject-centred"] < scores["relabelled-shares"]
    assert scores["relabelled-shares"] > 0.9 and scores["discriminant"] > 0.9
    assert scores["relabelled-shares"] >= scores["relabelled-shares-4"] >= scores["relabelled-shares-1"] > 0.3
    assert found["labels_right"]["shares"] > 0.9 and 0 <= found["moved"] <= 1
    assert found == without_labels(METHOD, fold, prompts)


def test_no_way_but_the_bounds_is_told_a_label(world, of_peers):
    fold, prompts = world
    shuffled = fold.train._replace(emotions=np.random.default_rng(1).permutation(fold.train.emotions))
    moved = fold._replace(train=shuffled, test=fold.test._replace(emotions=fold.test.emotions[::-1]))
    before, after = (without_labels(METHOD, each, prompts)["predicted"] for each in (fold, moved))
    assert {way for way in before if before[way] != after[way]} == {"discriminant", "probe", "probe-centred"}
    assert peers(METHOD, moved, prompts)["predicted"] == of_peers


def test_scores_are_those_of_the_plain_functions(world):
    fold, prompts = world
    rows = Rows.of(fold, prompts)
    said = without_labels(METHOD, fold, prompts)["predicted"]
    assert said["zero-shot"] == zero_shot(rows.test, prompts.prototypes()).tolist()
    centred = rows.test - rows.train.mean(0)
    prototypes = prompts.prototypes() - prompts.prototypes().mean(0)
    assert said["centred"] == zero_shot(centred, prototypes).tolist()
    assert not set(rows.who) & set(rows.tested)  # though both sides name their people alike


def test_more_own_scans_than_there_are_is_no_way(world):
    fold, prompts = world
    first = np.unique(fold.test.subjects, return_index=True)[1]
    two = np.sort(np.concatenate([first, first + 1]))
    few = fold._replace(test=Embedded(fold.test.file, *(values[two] for values in fold.test[1:])))
    missing = set(WITHOUT_LABELS) - set(without_labels(METHOD, few, prompts)["predicted"])
    assert missing == {f"relabelled-{degree}-4" for degree in ("who", "spread", "shares")}


def test_those_that_are_shown_are_asked_alone(world):
    fold, prompts = world
    shown = fold._replace(shown=("disgust", "happiness"))
    found = without_labels(METHOD, shown, prompts)
    assert set(found["among_shown"]) == set(found["predicted"])
    assert all(set(said) <= {1, 3} for said in found["among_shown"].values())


def test_peers_and_parts_answer_and_fall_behind(world, of_peers):
    fold, prompts = world
    assert set(of_peers) == {*OF_PEERS, *ABLATED}
    scores = right(fold, of_peers)
    whole = right(fold, without_labels(METHOD, fold, prompts)["predicted"])["relabelled-shares"]
    assert max(scores[part] for part in ("without-centring", "nearest-centre", "random-people")) < whole - 0.1
    assert scores["transclip-centred"] > scores["transclip"]


def test_the_nearest_mean_is_a_discriminant_with_one_variance():
    rng = np.random.default_rng(3)
    rows, labels = rng.normal(size=(30, 4)), np.arange(30) % 3
    found = nearest_mean(rows, labels, 4)  # of one class there is no sample
    means = np.stack([rows[labels == c].mean(0) for c in range(3)])
    distance = np.linalg.norm(rows[:, None] - means, axis=-1)
    assert found.predict(rows).tolist() == distance.argmin(1).tolist()


def test_conditions_leave_what_they_say():
    who, what = (g.ravel() for g in np.meshgrid(np.arange(30), np.tile(np.arange(6), 2), indexing="ij"))
    who = np.char.add("F", who.astype(str))
    left = {name: each.train(who, what, 6, np.random.default_rng(0)) for name, each in CONDITIONS.items()}
    tested = {name: each.test(who, what, 6, np.random.default_rng(1)) for name, each in CONDITIONS.items()}

    def per_person(side):
        return [len(set(what[side.kept][side.names == person])) for person in set(side.names)]

    assert len(left["complete"].kept) == 360
    for name, count in (("two-thirds", 4), ("one-third", 2)):
        assert set(per_person(left[name])) == {count}
        assert set(what[left[name].kept]) == set(what[tested[name].kept])  # the same ones on both sides
    assert set(per_person(left["half-each"])) == {3} and len(set(what[left["half-each"].kept])) == 6
    sizes = np.sort(np.bincount(what[left["unequal"].kept]))
    assert sizes[-1] == 60 and 4 <= sizes[0] <= 22
    assert len(left["half-missing"].kept) == 180
    assert len(set(left["few-people"].names)) == FEW_PEOPLE and len(tested["few-people"].kept) == 360
    assert len(left["one-scan"].kept) == len(set(left["one-scan"].names)) == 30 and len(tested["one-scan"].kept) == 360
    wrong = left["wrong-names"].names != who
    assert wrong.sum() == 36 and set(left["wrong-names"].names) <= set(who)
    assert sorted(left["random-names"].names) == sorted(who) and (left["random-names"].names != who).mean() > 0.9


def test_stress_reads_every_way_where_enough_is_left(world):
    fold, prompts = world
    found = stressed(METHOD, fold, prompts)["conditions"]
    assert set(found) == set(CONDITIONS)
    assert {name for name, said in found.items() if not said["predicted"]} == set()
    for said in found.values():
        assert set(said["predicted"]) == set(WAYS)
        assert {len(classes) for classes in said["predicted"].values()} == {len(said["emotions"])}
    whole, random = (
        np.mean(np.array(EMOTIONS)[found[name]["predicted"]["relabelled-shares"]] == found[name]["emotions"])
        for name in ("complete", "random-names")
    )
    assert whole > random + 0.2
    assert found["half-each"]["moved"] > found["complete"]["moved"]
    few = fold._replace(train=fold.train.of(["F000"]))
    assert stressed(METHOD, few, prompts)["conditions"]["one-scan"]["predicted"] == {}
    assert stressed(METHOD, few, prompts)["conditions"]["complete"]["moved"] is None


def test_ways_are_named_once():
    assert not set(WITHOUT_LABELS) & {*OF_PEERS, *ABLATED}
    titles = [way.title for way in (label_free.FROZEN | label_free.OURS | OF_PEERS | ABLATED).values()]
    assert len(set(titles)) == len(titles)
    assert {way.knows for way in (WITHOUT_LABELS | OF_PEERS | ABLATED).values()} == {
        label_free.NOTHING, label_free.SUBJECTS, label_free.SHARES,
    }  # fmt: skip
    assert label_free_peers.PEERS.keys() == {"transclip", "stata", "zlap", "reclip", "otter", "em-dirichlet"}
    assert label_free_stress.WAYS.keys() <= set(WITHOUT_LABELS)
