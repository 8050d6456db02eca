import numpy as np
import pytest
import torch

from mvlm.losses import siblings
from mvlm.losses.equations import Learnt, objective
from mvlm.losses.readings import Line, Reading, Readings, Weights
from mvlm.training.adapter import Adaptation, Adapter, fit
from mvlm.training.step import majority
from mvlm.weights import digest

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
    def fitted(seed=0, **changed):
        return digest(fit(*toy, use=USE, temperature=0.07, seed=seed, steps=5, **changed))

    torch.manual_seed(5)
    first = fitted()
    drawn = torch.rand(1)
    assert fitted() == first != fitted(seed=1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert fitted() == first and torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


def test_a_step_on_samples_of_one_class_is_the_objective_itself(toy):
    views, text, classes, labels = (torch.from_numpy(x) for x in toy)
    module = Adaptation(views, text, classes, labels, use=USE, temperature=0.1)
    rows, copies, draws = torch.arange(0, 60, 4), torch.tensor([0, 1, 1] * 5), torch.linspace(0, 0.999, 15)
    chosen = torch.stack([text[classes == c][int(d * 3)] for c, d in zip(labels[rows, 0], draws, strict=True)])
    expected = objective(views[copies, rows], chosen, temperature=0.1, labels=labels[rows, 0]).total
    assert module.loss(rows, copies, draws).item() == pytest.approx(expected.item(), abs=1e-5)


def test_each_view_gets_a_prompt_of_its_own_class_and_pairs_the_class_of_the_vote(toy):
    views, text, classes, _ = (torch.from_numpy(x) for x in toy)
    labels = torch.tensor([[0, 1, 1], [2, 2, 2], [1, 0, 2]]).repeat(20, 1)
    module = Adaptation(views, text, classes, labels, use=USE[:2], temperature=0.1)
    rows = torch.arange(6)
    loss = module.loss(rows, torch.zeros(6, dtype=torch.long), torch.zeros(6))
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
    assert majority(labels).tolist() == [1, 2, 1, 2]
    assert majority(torch.tensor([[3, 5]])).tolist() == [3]


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


def module(toy, use=USE, labels=None, **further):
    views, text, classes, of_views = (torch.from_numpy(x) for x in toy)
    return Adaptation(views, text, classes, of_views if labels is None else labels, use=use, temperature=0.1,
                      **further)  # fmt: skip


def stepped(of):
    rows, copies = torch.arange(0, 60, 4), torch.tensor([0, 1, 1] * 5)
    draws = torch.linspace(0, 0.999, 15)[torch.arange(15) * 7 % 15]  # all prompts of each class
    return of.views[copies, rows], rows, draws, of.loss(rows, copies, draws)


READ = {
    "one-hot": Reading(plain=True),
    "4D": Reading(Readings(multiview="4D")),
    "6B-8B": Reading(Readings("4B", "6B", "8B")),
    "weights": Reading(weights=Weights(0.5, 2.0, 3.0, 4.0)),
    "other subjects": Reading(other_subjects=True),
    "line": Reading(line=Line(10.0, -10.0, learnt=True)),
    "fixed line": Reading(line=Line(2.0, 1.0)),
    "4E": Reading(Readings(multiview="4E")),
}


@pytest.mark.parametrize("name", READ)
def test_a_step_of_a_reading_is_the_objective_read_that_way(toy, name):
    reading, subjects = READ[name], torch.arange(60) % 7
    of = module(toy, reading=reading, subjects=subjects)
    views, rows, draws, loss = stepped(of)
    labels = of.labels[rows, 0]
    expected = objective(
        views,
        of.prompts(labels, draws),
        temperature=0.1,
        labels=labels,
        reading=reading,
        learnt=Learnt(reading.line.scale, reading.line.bias, torch.zeros(32) if name == "4E" else None),
        subjects=subjects[rows] if reading.other_subjects else None,
    ).total
    assert loss.item() == pytest.approx(expected.item(), abs=1e-4)
    assert name == "fixed line" or loss.item() != pytest.approx(stepped(module(toy))[3].item()) or name == "4E"


@pytest.mark.parametrize(("name", "learnt"), [("4E", "query"), ("line", "line")])
def test_what_a_reading_learns_beside_the_adapter_is_trained_and_dropped(toy, name, learnt):
    of = module(toy, reading=READ[name], subjects=torch.arange(60))
    of.adapter.requires_grad_(False)
    stepped(of)[3].backward()
    assert getattr(of, learnt).grad.abs().min() > 0
    optimised = {id(x) for x in of.parameters()}
    assert id(getattr(of, learnt)) in optimised and len(optimised) == 6
    arguments = {"use": USE, "temperature": 0.07, "seed": 0, "steps": 4, "reading": READ[name]}
    assert fit(*toy, **arguments).state_dict().keys() == Adapter(32, 0.07).state_dict().keys()


@pytest.mark.parametrize("use", siblings.LOSSES)
def test_a_step_of_a_sibling_is_its_loss(toy, use):
    of = module(toy, use=(use,), reading=Reading(line=Line(10.0, -10.0, learnt=True)))
    views, *_, loss = stepped(of)
    expected = {
        "nt-xent": lambda: siblings.nt_xent(views),
        "barlow-twins": lambda: siblings.barlow_twins(views),
        "siglip": lambda: siblings.siglip(views, scale=10.0, bias=-10.0),
    }
    assert loss.item() == pytest.approx(expected[use]().item(), rel=1e-4)
    views_alone = fit(*toy, use=(use,), temperature=0.07, seed=0, steps=3)
    assert views_alone.temperature.item() == pytest.approx(0.07)
    assert not np.allclose(views_alone.apply(toy[0][0]), unit(toy[0][0]), atol=1e-4)


def test_soft_targets_take_the_place_of_classes_where_text_is_read(toy):
    targets = torch.rand(60, 3, generator=torch.Generator().manual_seed(1))
    of = module(toy, targets=targets)
    views, rows, draws, loss = stepped(of)
    text = of.prompts(torch.arange(3), draws[:3])
    arguments = {"text": text, "temperature": 0.1}
    each = siblings.soft_contrastive(views.flatten(0, 1), targets=targets[rows].repeat_interleave(3, 0), **arguments)
    of_mean = siblings.soft_contrastive(views.mean(1), targets=targets[rows], **arguments)
    pairs = objective(views, views[:, 0], temperature=0.1, labels=of.labels[rows, 0], use=("pairs",)).total
    assert loss.item() == pytest.approx((each + of_mean + pairs).item(), abs=1e-5)
    one_sample = of.loss(rows[:1], torch.zeros(1, dtype=torch.long), draws[:1])  # fewer draws than classes
    assert one_sample.isfinite()


def test_soft_targets_bring_views_to_the_likeliest_class(toy):
    views, text, classes, labels = toy
    targets = 0.8 * np.eye(3)[labels[:, 0]] + 0.2 / 3
    adapter = fit(*toy, use=USE, temperature=0.07, seed=0, steps=80, targets=targets)
    assert (matches(adapter.apply(views[0]), text, classes) == labels[:, 0]).mean() > 0.95
    untrusted = np.where(np.arange(60)[:, None] % 2, targets, 0)  # every other sample weighs nothing
    again = fit(*toy, use=USE[:1], temperature=0.07, seed=0, steps=3, targets=untrusted)
    other = np.where(np.arange(60)[:, None] % 2, labels, (labels + 1) % 3)
    same = fit(views, text, classes, other, use=USE[:1], temperature=0.07, seed=0, steps=3, targets=untrusted)
    assert digest(again) == digest(same)


def test_what_does_not_fit_beside_the_labels_is_named(toy):
    arguments = {"use": USE, "temperature": 0.07, "seed": 0}
    with pytest.raises(ValueError, match=r"use must name some of contrastive, .*, siglip, got \['pair'\]"):
        fit(*toy, **arguments | {"use": ("contrastive", "pair")})
    with pytest.raises(ValueError, match="got none"):
        fit(*toy, **arguments | {"use": ()})
    with pytest.raises(ValueError, match=r"expected targets \(60, 3\), got \(60, 2\)"):
        fit(*toy, targets=np.ones((60, 2)), **arguments)
    with pytest.raises(ValueError, match=r"soft targets are of the default reading of \(1\)-\(4\)"):
        fit(*toy, targets=np.ones((60, 3)), reading=READ["4D"], **arguments)
    with pytest.raises(ValueError, match=r"need subjects \(60,\), got None"):
        fit(*toy, reading=READ["other subjects"], **arguments)
