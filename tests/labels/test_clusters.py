"""Clusters against brute force over all partitions; names against brute force over all permutations."""

from itertools import permutations, product

import numpy as np
import pytest

from mvlm.labels import clusters as pseudo_labels
from mvlm.labels import naming


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def planted(rng, samples=120, classes=6, width=16, noise=0.1):
    """Directions of the classes, samples around them, and the class of each."""
    directions = unit(rng.normal(size=(classes, width)))
    labels = rng.permutation(np.arange(samples) % classes)
    return directions, unit(directions[labels] + noise * rng.normal(size=(samples, width))), labels


def test_aggregate_is_the_normalised_mean_of_normalised_views():
    views = np.random.default_rng(0).normal(size=(5, 3, 4))
    expected = []
    for sample in views:
        mean = sum(view / np.sqrt((view**2).sum()) for view in sample) / 3
        expected.append(mean / np.sqrt((mean**2).sum()))
    np.testing.assert_allclose(pseudo_labels.aggregate(views), expected, atol=1e-12)
    np.testing.assert_allclose(pseudo_labels.aggregate(views * [[[1], [7], [0.1]]]), expected, atol=1e-12)


def test_aggregate_refuses_views_that_cancel_out():
    views = np.ones((2, 2, 3))
    views[1, 0] = -1
    with pytest.raises(ValueError, match=r"mean of the views \(2, 3\): the row at \(1,\)"):
        pseudo_labels.aggregate(views)
    with pytest.raises(ValueError, match=r"\(N, V, D\), got \(2, 3\)"):
        pseudo_labels.aggregate(views[0, :, :])


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_inertia_is_the_least_of_all_partitions(count, seed):
    """For a given partition the best unit centres are the directions of the sums: N minus the lengths of the sums."""
    x = unit(np.random.default_rng(seed).normal(size=(8, 3)))
    least = min(
        len(x) - sum(np.linalg.norm(x[np.array(parts) == c].sum(0)) for c in range(count))
        for parts in product(range(count), repeat=len(x))
    )
    clusters = pseudo_labels.cluster(x, count, seed=0)
    assert clusters.inertia == pytest.approx(least, abs=1e-9)
    assert clusters.inertia == pytest.approx((1 - (x * clusters.centres[clusters.assignment]).sum(1)).sum())


def test_planted_clusters_are_found():
    _, x, labels = planted(np.random.default_rng(1))
    clusters = pseudo_labels.cluster(x, 6, seed=0)
    assert len({*zip(labels, clusters.assignment, strict=True)}) == 6
    np.testing.assert_allclose(np.linalg.norm(clusters.centres, axis=1), 1)
    np.testing.assert_array_equal(clusters.assignment, (x @ clusters.centres.T).argmax(1))


def test_the_seed_decides_and_lengths_do_not_matter():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(100, 8)).astype(np.float32)
    first, again = (pseudo_labels.cluster(x, 5, seed=3, restarts=2) for _ in range(2))
    np.testing.assert_array_equal(first.assignment, again.assignment)
    np.testing.assert_array_equal(first.centres, again.centres)
    scaled = pseudo_labels.cluster(x * 2.0 ** rng.integers(-8, 8, size=(100, 1)), 5, seed=3, restarts=2)
    np.testing.assert_array_equal(first.assignment, scaled.assignment)


def test_more_restarts_are_never_worse():
    x = unit(np.random.default_rng(3).normal(size=(150, 6)))
    inertia = [pseudo_labels.cluster(x, 8, seed=0, restarts=restarts).inertia for restarts in (1, 5, 20)]
    assert inertia[0] >= inertia[1] >= inertia[2]


def test_no_cluster_is_empty():
    rng = np.random.default_rng(4)
    close = unit(np.ones(4) + 1e-9 * rng.normal(size=(5, 4)))
    copies = np.concatenate([np.repeat(close, 10, 0), unit(rng.normal(size=(1, 4)))])
    for x, count in ((close, 5), (copies, 6), (unit(rng.normal(size=(7, 3))), 7)):
        clusters = pseudo_labels.cluster(x, count, seed=0)
        assert (np.bincount(clusters.assignment, minlength=count) > 0).all()
    x = unit(rng.normal(size=(9, 3)))
    clusters = pseudo_labels._lloyd(x, np.repeat(x[None, :1], 4, 1))  # all samples go to the first of four equal ones
    assert (np.bincount(clusters.assignment, minlength=4) > 0).all()


def test_an_empty_cluster_takes_the_worst_fit_that_leaves_none_empty():
    assignment, cosine = np.array([0, 0, 2, 0, 4, 4]), np.array([0.9, 0.1, -1.0, 0.3, 0.2, 0.8])
    pseudo_labels._fill_empty(assignment, cosine, 5)
    assert assignment.tolist() == [0, 1, 2, 0, 3, 4]


def test_no_two_first_centres_are_alike_and_far_samples_are_likelier():
    x = np.repeat(np.eye(4), 50, 0)
    rng = np.random.default_rng(9)
    for _ in range(50):
        assert len(np.unique(pseudo_labels._spread(x, 4, rng), axis=0)) == 4
    # From (1, 0), 1 - cosine is 2 for (-1, 0) and 1 for (0, 1): drawn as second in a ratio of 2 to 1.
    x = np.array([[1.0, 0], [0, 1], [-1, 0]])
    drawn = [pseudo_labels._spread(x, 2, rng) for _ in range(3000)]
    second = [pair[1] for pair in drawn if pair[0, 0] == 1]
    assert np.mean([row[0] == -1 for row in second]) == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.parametrize(
    ("x", "count", "message"),
    [
        (np.ones((4, 3)), 2, r"between 1 and 1 clusters .*\(4, 3\).*got 2"),
        (np.eye(3), 0, "got 0"),
        (np.ones(3), 1, r"\(N, D\), got \(3,\)"),
        (np.diag([1.0, 0, 1]), 2, r"row at \(1,\)"),
        (np.diag([1.0, np.nan, 1]), 2, r"row at \(0,\)|row at \(1,\)"),
    ],
)
def test_bad_embeddings_are_named(x, count, message):
    with pytest.raises(ValueError, match=message):
        pseudo_labels.cluster(x, count, seed=0)


def prompts_of(rng, directions, per_class, noise=0.3):
    classes = np.repeat(np.arange(len(directions)), per_class)
    return directions[classes] + noise * rng.normal(size=(len(classes), directions.shape[1])), classes


def test_names_are_the_best_of_all_permutations():
    rng = np.random.default_rng(5)
    for _ in range(20):
        centres, mean_view = unit(rng.normal(size=(4, 5))), rng.normal(size=5)
        text, classes = prompts_of(rng, rng.normal(size=(4, 5)), [1, 2, 5, 3])
        text = unit(text)
        mean_text = sum(text[classes == c].mean(0) for c in range(4)) / 4

        def match(cluster, label, centres=centres, text=text, classes=classes, mean=mean_view, mean_text=mean_text):
            own = [t - mean_text for t in text[classes == label]]
            centre = centres[cluster] - mean
            return sum(unit(centre) @ unit(t) for t in own) / len(own)

        best = max(permutations(range(4)), key=lambda names: sum(match(k, c) for k, c in enumerate(names)))
        got = naming.name_clusters(centres, text, classes, mean_view=mean_view)
        assert tuple(got) == best


def test_names_survive_the_shift_between_images_and_texts():
    rng = np.random.default_rng(6)
    directions, x, labels = planted(rng)
    text, classes = prompts_of(rng, directions, 14, noise=0.1)
    x = unit(x + 2 * unit(rng.normal(size=16)))
    text = unit(text + 2 * unit(rng.normal(size=16)))
    clusters = pseudo_labels.cluster(x, 6, seed=0)
    names = naming.name_clusters(clusters.centres, text, classes, mean_view=x.mean(0))
    np.testing.assert_array_equal(names[clusters.assignment], labels)


def test_names_do_not_depend_on_how_clusters_are_numbered_or_how_often_prompts_repeat():
    rng = np.random.default_rng(7)
    directions, x, _ = planted(rng, noise=0.8)
    text, classes = prompts_of(rng, directions, 5, noise=1.0)
    centres, mean = pseudo_labels.cluster(x, 6, seed=0).centres, x.mean(0)
    names = naming.name_clusters(centres, text, classes, mean_view=mean)
    assert sorted(names) == list(range(6))
    order = rng.permutation(6)
    np.testing.assert_array_equal(
        naming.name_clusters(centres[order], text, classes, mean_view=mean), names[order]
    )
    twice = np.concatenate([np.arange(30), np.flatnonzero(classes == 2)])
    np.testing.assert_array_equal(
        naming.name_clusters(centres, text[twice], classes[twice], mean_view=mean), names
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": np.ones((6, 4))}, r"\(3, 3\), \(6, 4\), \(6,\) and \(3,\)"),
        ({"classes": np.arange(5)}, r"\(5,\)"),
        ({"mean_view": np.zeros(4)}, r"and \(4,\)"),
        ({"classes": np.array([0, 0, 1, 1, 1, 1])}, r"3 clusters need prompts of the classes 0 to 2, got \[0 1\]"),
        ({"centres": np.eye(3)[:2]}, r"2 clusters need prompts of the classes 0 to 1, got \[0 1 2\]"),
        ({"mean_view": np.array([0.0, 1, 0])}, r"centred centres \(3, 3\): the row at \(1,\)"),
    ],
)
def test_bad_naming_input_is_named(change, message):
    rng = np.random.default_rng(8)
    arguments = {"centres": np.eye(3), "text": rng.normal(size=(6, 3)), "classes": np.arange(6) % 3}
    arguments |= {"mean_view": np.zeros(3)} | change
    with pytest.raises(ValueError, match=message):
        naming.name_clusters(**arguments)
