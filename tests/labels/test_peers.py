"""What all peers share: whom they beat, what they refuse, and that nothing but their arguments decides."""

from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mvlm.labels.peers import assignment, dirichlet, mixtures, neighbours, propagation
from mvlm.labels.peers.zero_shot import one_thread
from mvlm.labels.refined import posterior
from tests.labels.crowd import accuracy, crowd, unit

EQUAL = np.full(6, 1 / 6)
GRAPHS = {
    "TransCLIP": (mixtures.transclip, mixtures.transclip_inductive),
    "StatA": (mixtures.stata, mixtures.stata_inductive),
    "ZLaP": (propagation.zlap, propagation.zlap_inductive),
    "ReCLIP": (propagation.reclip, propagation.reclip_inductive),
}
FITTED = GRAPHS | {"EM-Dirichlet": (dirichlet.em_dirichlet, dirichlet.em_dirichlet_inductive)}
TOGETHER = {name: peer for name, (peer, _) in FITTED.items()} | {"OTTER": partial(assignment.otter, shares=EQUAL)}


@pytest.mark.parametrize("name", TOGETHER)
def test_each_beats_zero_shot_where_samples_tell_of_each_other(name):
    gains = []
    for seed in range(2):
        rows, texts, classes, _ = crowd(seed)
        found = TOGETHER[name](rows, texts)
        np.testing.assert_allclose(found.sum(1), 1)
        assert (found >= 0).all()
        gains.append(accuracy(found, classes) - accuracy(posterior(rows, texts, temperature=0.01), classes))
    assert min(gains) > 0.01


@pytest.mark.parametrize("name", FITTED)
def test_inductive_forms_beat_zero_shot_and_judge_each_row_by_itself(name):
    rows, texts, classes, subjects = crowd()
    inductive = FITTED[name][1]
    seen = subjects < 30
    found = inductive(rows[seen], rows[~seen], texts)
    zero_shot = posterior(rows[~seen], texts, temperature=0.01)
    assert accuracy(found, classes[~seen]) > accuracy(zero_shot, classes[~seen])
    np.testing.assert_allclose(inductive(rows[seen], rows[~seen][3:4], texts), found[3:4], rtol=1e-9)


@pytest.mark.parametrize("name", GRAPHS)
def test_who_is_who_matters_and_what_they_are_called_does_not(name):
    rows, texts, classes, subjects = crowd(identity=2.0, noise=0.7, people=20)
    for peer in (GRAPHS[name][0], lambda *a, **k: GRAPHS[name][1](a[0], *a, **k)):
        known = peer(rows, texts, subjects=subjects)
        np.testing.assert_array_equal(known, peer(rows, texts, subjects=np.array([f"F{99 - s:04}" for s in subjects])))
        assert np.abs(known - peer(rows, texts)).max() > 1e-6
        singles = peer(rows, texts, subjects=np.arange(len(rows)))  # everybody once
        np.testing.assert_array_equal(singles, peer(rows, texts))
        with pytest.raises(ValueError, match="expected a subject of each of"):
            peer(rows, texts, subjects=subjects[1:])


def test_labels_spread_along_persons_unless_these_are_known():
    gains = []
    for seed in range(2):
        rows, texts, classes, subjects = crowd(seed, identity=2.0, noise=0.7)
        plain, known = propagation.zlap(rows, texts), propagation.zlap(rows, texts, subjects=subjects)
        gains.append(accuracy(known, classes) - accuracy(plain, classes))
    assert min(gains) > 0.1


def test_neighbours_are_the_nearest_of_other_subjects():
    rows, _, _, subjects = crowd(identity=2.0, people=10)
    plain = neighbours.neighbour_graph(rows, 3)
    first, second = plain.nonzero()
    assert len(first) == 3 * len(rows) and (first != second).all()
    assert (subjects[first] == subjects[second]).mean() > 0.5  # what is to be left out is there
    graph = neighbours.neighbour_graph(rows, 3, subjects)
    first, second = graph.nonzero()
    assert len(first) == 3 * len(rows) and (subjects[first] != subjects[second]).all()
    for i, row in enumerate(rows):
        others = np.flatnonzero(subjects != subjects[i])
        nearest = others[np.argsort(-(rows[others] @ row))[:3]]
        assert set(second[first == i]) == set(nearest)
        assert graph[i, nearest[0]] == pytest.approx(row @ rows[nearest[0]])
    pair = neighbours.neighbour_graph(unit(rows[:5]), 3, np.array([0, 0, 0, 0, 1]))  # fewer others than asked for
    assert np.bincount(pair.nonzero()[0]).tolist() == [1, 1, 1, 1, 3]
    assert neighbours.neighbour_graph(rows, 3, np.zeros(len(rows))).nnz == 0


def test_of_equally_near_samples_the_first_are_neighbours():
    graph = neighbours.neighbour_graph(np.ones((5, 1)), 2)
    assert [sorted(graph.indices[2 * i : 2 * i + 2].tolist()) for i in range(5)] == [[1, 2], [0, 2], *[[0, 1]] * 3]


@pytest.mark.parametrize("name", TOGETHER)
def test_the_same_rows_give_the_same_bytes(name):
    rows, texts, *_ = crowd(people=20)
    assert TOGETHER[name](rows, texts).tobytes() == TOGETHER[name](rows, texts).tobytes()


def test_peers_compute_on_one_thread_and_give_the_others_back():
    """On more, the last bits of sums differ; computing there would tell it by luck, and slowly where cores are few."""

    def threads():
        return np.array([pool["num_threads"] for pool in threadpool_info()])

    with threadpool_limits(2):
        assert (one_thread(threads)() == 1).all()
        assert (threads() == 2).any()
    for peer in (assignment.otter, *(form for forms in FITTED.values() for form in forms)):
        assert peer.__code__ is one_thread(threads).__code__


@pytest.mark.parametrize("name", TOGETHER)
def test_only_directions_count(name):
    rows, texts, *_ = crowd(people=5)
    lengths = 2.0 ** np.random.default_rng(0).integers(-8, 8, size=(len(rows), 1))
    np.testing.assert_array_equal(TOGETHER[name](rows * lengths, texts * 4), TOGETHER[name](rows, texts))


@pytest.mark.parametrize("name", TOGETHER)
@pytest.mark.parametrize(
    ("rows", "texts", "message"),
    [
        (np.ones((30, 3)), np.ones((1, 3)), "a sample and two classes at least, got 30 and 1"),
        (np.ones((0, 3)), np.eye(3), "a sample and two classes at least, got 0 and 3"),
        (np.ones((30, 4)), np.eye(3), r"rows \(N, D\) and prototypes \(C, D\), got \(30, 4\) and \(3, 3\)"),
        (np.ones(3), np.eye(3), r"got \(3,\) and \(3, 3\)"),
        (np.diag([1.0, 0, 1]), np.eye(3), r"rows \(3, 3\): the row at \(1,\)"),
        (np.eye(3), np.diag([1.0, 1, np.nan]), r"prototypes \(3, 3\): the row at \(2,\)"),
    ],
)
def test_bad_rows_are_named(name, rows, texts, message):
    with pytest.raises(ValueError, match=message):
        TOGETHER[name](rows, texts)
    if name in FITTED:
        with pytest.raises(ValueError, match=message):
            FITTED[name][1](rows, rows, texts)


@pytest.mark.parametrize(
    ("name", "samples", "message"),
    [
        ("TransCLIP", 7, "at least 8 samples"),
        ("StatA", 3, "more than 3 samples, each with 3 neighbours, got 3"),
        ("ZLaP", 5, "more than 5 samples, each with 5 neighbours, got 5"),
        ("ReCLIP", 14, "more than 20 samples and texts, each with 20 neighbours, got 20"),
    ],
)
def test_fewer_samples_than_neighbours_are_refused(name, samples, message):
    rows, texts, *_ = crowd(people=3)
    assert GRAPHS[name][0](rows[: samples + 1], texts).shape == (samples + 1, 6)
    for call in (lambda x: GRAPHS[name][0](x, texts), lambda x: GRAPHS[name][1](x, rows, texts)):
        with pytest.raises(ValueError, match=message):
            call(rows[:samples])
