import numpy as np
import pytest
import torch

from mvlm.losses import objective
from mvlm.train import Adaptation, Adapter, consensus, fit

USE = ("contrastive", "pairs", "multiview")


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def toy():
    """Three classes that fall apart, whose prompts lie elsewhere: (2, 60, 3, 32) views, 9 prompts."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 20)
    views = rng.normal(size=(3, 32))[labels][None, :, None] + 0.4 * rng.normal(size=(2, 60, 3, 32))
    text, classes = rng.normal(size=(9, 32)), np.tile(np.arange(3), 3)
    return unit(views), unit(text), classes, np.repeat(labels[:, None], 3, axis=1)


def matches(views, text, classes):
    prototypes = np.stack([text[classes == c].mean(0) for c in range(3)])
    return (views.mean(1) @ unit(prototypes).T).argmax(1)


def test_an_adapter_starts_as_the_identity():
    views = unit(np.random.default_rng(1).normal(size=(4, 3, 8)))
    np.testing.assert_allclose(Adapter(8, 0.07).apply(views), views, atol=1e-6)
    assert Adapter(8, 0.07).temperature.item() == pytest.approx(0.07)


@pytest.mark.parametrize("use", [USE[:1], USE[:2], USE])
def test_fitting_brings_views_to_the_prompts_of_their_class(toy, use):
    views, text, classes, labels = toy
    before = (matches(views[0], text, classes) == labels[:, 0]).mean()
    adapter = fit(views, text, classes, labels, use=use, temperature=0.07, seed=0, steps=80)
    adapted = adapter.apply(views[0])
    assert adapted.shape == views[0].shape and adapted.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(adapted, axis=-1), 1, atol=1e-5)
    assert before < 0.7 and (matches(adapted, text, classes) == labels[:, 0]).mean() == 1


def test_equal_arguments_give_equal_weights_and_leave_no_trace(toy):
    def digest(seed=0, **changed):
        return fit(*toy, use=USE, temperature=0.07, seed=seed, steps=5, **changed).digest()

    torch.manual_seed(5)
    first = digest()
    drawn = torch.rand(1)
    assert digest() == first != digest(seed=1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert digest() == first and torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


def test_a_step_on_samples_of_one_class_is_the_objective_itself(toy):
    views, text, classes, labels = (torch.from_numpy(x) for x in toy)
    module = Adaptation(views, text, classes, labels, use=USE, temperature=0.1, steps=1)
    rows, copies, draws = torch.arange(0, 60, 4), torch.tensor([0, 1, 1] * 5), torch.linspace(0, 0.999, 15)
    chosen = torch.stack([text[classes == c][int(d * 3)] for c, d in zip(labels[rows, 0], draws, strict=True)])
    expected = objective(views[copies, rows], chosen, temperature=0.1, labels=labels[rows, 0]).total
    assert module.training_step((rows, copies, draws), 0).item() == pytest.approx(expected.item(), abs=1e-5)


def test_each_view_gets_a_prompt_of_its_own_class_and_pairs_the_class_of_the_vote(toy):
    views, text, classes, _ = (torch.from_numpy(x) for x in toy)
    labels = torch.tensor([[0, 1, 1], [2, 2, 2], [1, 0, 2]]).repeat(20, 1)
    module = Adaptation(views, text, classes, labels, use=USE[:2], temperature=0.1, steps=1)
    rows = torch.arange(6)
    loss = module.training_step((rows, torch.zeros(6, dtype=torch.long), torch.zeros(6)), 0)
    first = torch.stack([text[classes == c][0] for c in range(3)])  # draws of zero pick the first prompt
    flat = labels[rows].flatten()
    single = objective(
        views[0, rows].flatten(0, 1)[:, None], first[flat], temperature=0.1, labels=flat, use=("contrastive",)
    )
    votes = torch.tensor([1, 2, 1]).repeat(2)
    pairs = objective(views[0, rows], first[votes], temperature=0.1, labels=votes, use=("pairs",))
    assert loss.item() == pytest.approx((single.total + pairs.total).item(), abs=1e-5)


def test_views_vote_and_the_front_view_decides_a_tie():
    labels = torch.tensor([[0, 1, 1], [2, 1, 0], [1, 1, 0], [0, 2, 2]])
    assert consensus(labels).tolist() == [1, 2, 1, 2]
    assert consensus(torch.tensor([[3, 5]])).tolist() == [3]


def test_the_temperature_is_trained_and_stays_above_clips_bound(toy):
    adapter = fit(*toy, use=USE, temperature=0.07, seed=0, steps=5)
    assert adapter.temperature.item() != pytest.approx(0.07, abs=1e-7)
    assert Adapter(8, 1e-4).temperature.item() == pytest.approx(0.01)


def test_a_corpus_smaller_than_a_batch_is_no_obstacle(toy):
    views, text, classes, labels = toy
    adapter = fit(views[:, :5], text, classes, labels[:5], use=USE, temperature=0.07, seed=0, steps=3)
    assert np.isfinite(adapter.apply(views[0])).all()


def test_arrays_that_do_not_fit_are_named(toy):
    views, text, classes, labels = toy
    arguments = {"use": USE, "temperature": 0.07, "seed": 0}
    with pytest.raises(ValueError, match=r"views \(A, N, V, D\) and text \(P, D\), got \(60, 3, 32\)"):
        fit(views[0], text, classes, labels, **arguments)
    with pytest.raises(ValueError, match=r"expected labels \(60, 3\).*got \(60,\)"):
        fit(views, text, classes, labels[:, 0], **arguments)
    with pytest.raises(ValueError, match=r"labels \[7\] have no prompt"):
        fit(views, text, classes, np.where(labels == 2, 7, labels), **arguments)
