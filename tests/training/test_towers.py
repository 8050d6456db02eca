"""End-to-end training: many ranks against one process, pieces against the whole, an interruption against none.

More than 20 s: towers are trained in ten tests, on two ranks and alone.
"""

import pickle
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional

from mvlm import losses
from mvlm.labels.clusters import aggregate, cluster
from mvlm.model import load_model
from mvlm.ranks import group
from mvlm.samples import Rendering
from mvlm.settings import Training
from mvlm.study.embeddings import augmented
from mvlm.training import towers
from mvlm.training.augment import flip
from mvlm.training.batches import Batches, batch_order, crop
from mvlm.weights import save

USE = ("contrastive", "pairs", "multiview")
TEXTS = ["a smiling face", "a happy person", "a sad face", "a person in grief", "an angry face"]
CLASSES = torch.tensor([0, 0, 1, 1, 2])
SAMPLES, SIDE = 24, 32
TOLERANCE = 1e-10


def faces(side=SIDE, samples=SAMPLES):
    return np.random.default_rng(0).integers(0, 256, (samples, 3, side, side, 3), dtype=np.uint8)


def labelled(samples=SAMPLES):
    """Views of a sample may differ in class, as clusters of single views do."""
    return torch.randint(3, (samples, 3), generator=torch.Generator().manual_seed(1))


def module(settings, steps, use=USE, model=None, kind=towers.FineTuning):
    return kind(
        model or load_model(), TEXTS, CLASSES, labelled(), use=use, training=settings, steps=steps
    )


class Descent(towers.FineTuning):
    """Plain gradient descent: Adam would divide a constant factor away."""

    def configure_optimizers(self):
        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], lr=1.0)


class Stop(pl.Callback):
    def __init__(self, after):
        self.after = after

    def on_train_batch_end(self, trainer, *_rest):
        if trainer.global_step == self.after:
            raise InterruptedError("stopped")


def run(settings, steps, folder=None, callbacks=(), **options):
    trained = module(settings, steps, **options)
    order = batch_order(SAMPLES, settings.batch, 100, seed=5)[:steps]
    places = np.arange(SAMPLES)
    log = folder and folder / "log"
    options = {"seed": 3, "device": "cpu", "folder": folder, "log": log, "callbacks": callbacks}
    towers.fit(trained, faces(), places, order, Rendering(), **options)
    return trained


def weights(trained):
    return {name: value.clone() for name, value in trained.model.clip.state_dict().items()}


def twenty_steps(path):
    """Weights after 20 steps of descent in double precision, embeddings by float32, and clusters of these."""
    torch.set_num_threads(1)
    trained = run(Training(batch=8, rate=0.01, precision="float64"), 20, kind=Descent)
    before = towers.embed(load_model(), faces(samples=150), np.arange(150), "cpu")
    after = towers.embed(trained.model, faces(), np.arange(SAMPLES), "cpu")
    found = group.from_first(lambda: cluster(aggregate(after), 3, seed=0).assignment)
    if path and group.number() == 0:
        save(Path(path), trained.model.clip)
    return weights(trained) if path is None else (before, after, found)


def test_two_ranks_learn_what_one_process_does(ranks, tmp_path):
    path = tmp_path / "ranks.safetensors"
    first, second = ranks.run(twenty_steps, str(path), size=2)
    alone = twenty_steps(str(tmp_path / "alone.safetensors"))
    got, expected = load_file(path), load_file(tmp_path / "alone.safetensors")
    start = load_model().clip.state_dict()
    moved = {name for name in expected if (expected[name] - start[name].double()).abs().max() > 1e-4}
    assert {"visual.trunk.features.0.0.weight", "token_embedding.weight", "logit_scale"} <= moved
    assert max(float((got[name] - expected[name]).abs().max()) for name in expected) <= TOLERANCE
    for one, two in zip(first, second, strict=True):
        assert np.array_equal(one, two)
    assert np.array_equal(first[0], alone[0])  # the same weights give the same bits, however samples are shared out
    assert np.array_equal(first[2], alone[2]) and len(set(alone[2])) == 3


@pytest.mark.parametrize("changed", [{"pieces": 3}, {"checkpointing": True}])
def test_pieces_and_checkpointing_change_memory_alone(changed, tiny_vit):
    batch = Batches(faces(), np.arange(SAMPLES), [np.arange(8)], Rendering(), seed=0)[0]

    def gradients(settings):
        trained = module(settings, 1, model=load_model(tiny_vit)).double()
        trained.loss(batch).backward()
        return {name: p.grad for name, p in trained.named_parameters() if p.grad is not None}

    whole, parts = gradients(Training()), gradients(Training(**changed))
    assert set(whole) == set(parts) and len(whole) > 40
    assert max(float((whole[name] - parts[name]).abs().max()) for name in whole) < TOLERANCE


def test_an_interruption_leaves_no_trace_in_the_weights(tmp_path):
    settings = Training(batch=6, rate=1e-3, save=3)
    whole = weights(run(settings, 10, tmp_path / "whole"))
    with pytest.raises(InterruptedError):
        run(settings, 10, tmp_path / "cut", [Stop(5)])
    assert [path.name for path in (tmp_path / "cut").glob("step-*")] == ["step-0000003"]
    resumed = run(settings, 10, tmp_path / "cut")
    assert resumed.first == 3
    assert all(torch.equal(value, whole[name]) for name, value in weights(resumed).items())
    again = run(settings, 10, tmp_path / "cut")  # nothing is left to do
    assert again.first == 10 and all(torch.equal(v, whole[name]) for name, v in weights(again).items())


def test_the_log_is_one_that_tensorboard_reads(tmp_path):
    settings = Training(batch=6, rate=1e-3, save=10)
    run(settings, 10, tmp_path)
    run(settings, 20, tmp_path)
    of = {}
    for first in (0, 10):
        log = EventAccumulator(str(tmp_path / f"log/from-step-{first}")).Reload()
        of[first] = {tag: [(point.step, point.value) for point in log.Scalars(tag)] for tag in log.Tags()["scalars"]}
        assert {"images_per_second", "learning_rate", "loss", "memory_gb", "temperature"} <= set(of[first])
    assert [step for step, _ in of[0]["loss"]] == [10] and [step for step, _ in of[10]["loss"]] == [20]
    assert of[10]["learning_rate"][0][1] == pytest.approx(module(settings, 20).rate(19))
    assert 0 < of[10]["loss"][0][1] < 10 and of[10]["memory_gb"][0][1] > 0.1


def test_bf16_learns_what_float32_does_within_its_precision():
    start = load_model().clip.state_dict()
    moved = {}
    for precision in ("float32", "bf16"):
        found = weights(run(Training(batch=8, rate=0.01, precision=precision), 1, kind=Descent))  # more would part them
        assert all(value.dtype == start[name].dtype for name, value in found.items())
        moved[precision] = torch.cat([(found[name] - start[name]).flatten() for name in start])
    exact, half = moved["float32"], moved["bf16"]
    assert 0 < (half - exact).norm() < 0.05 * exact.norm()
    assert functional.cosine_similarity(exact, half, dim=0) > 0.999


def test_words_that_no_prompt_holds_stay_as_they_are():
    start = load_model().clip.state_dict()["token_embedding.weight"].clone()
    trained = run(Training(batch=6, rate=1e-2, decay=0.5), 4)
    table = trained.model.clip.token_embedding
    assert type(table) is torch.nn.Embedding and table.weight.requires_grad
    used = torch.zeros(len(start), dtype=torch.bool)
    used[trained.tokens.unique()] = True
    assert torch.equal(table.weight[~used], start[~used]) and not used.all()
    assert (table.weight[used] != start[used]).any(1)[1:].all()  # the first is the padding, which nothing reads


def test_the_rows_in_use_learn_what_they_would_in_the_whole_table(monkeypatch):
    settings = Training(batch=6, rate=1e-3, decay=0.0)
    rows = weights(run(settings, 4))
    monkeypatch.setattr(towers, "only_used", lambda *_: nullcontext())
    whole = weights(run(settings, 4))
    assert set(rows) == set(whole) and all(torch.equal(value, whole[name]) for name, value in rows.items())


def test_a_damaged_checkpoint_is_named(tmp_path):
    run(Training(batch=6, save=1), 2, tmp_path)
    (state,) = tmp_path.rglob("state.pt")
    state.write_bytes(b"no state")
    with pytest.raises(ValueError, match="state.pt: expected the state of an optimiser.*remove .*step-0000002"):
        run(Training(batch=6, save=1), 3, tmp_path)
    (path,) = tmp_path.rglob("weights.safetensors")
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="weights.safetensors: not a readable safetensors file"):
        run(Training(batch=6, save=1), 3, tmp_path)


def trained_names(settings, model, **options):
    found = module(settings, 1, model=model, **options)
    return {name for name, p in found.model.clip.named_parameters() if p.requires_grad}


def test_towers_are_trained_as_far_as_is_said(tiny_vit):
    tiny = trained_names(Training(image="1", text="none"), load_model())
    kept = {"visual.trunk.features.3.0.weight", "visual.trunk.features.3.0.bias", "visual.trunk.head.weight"}
    assert tiny == kept | {"visual.trunk.head.bias", "logit_scale"}
    some = trained_names(Training(image="1", text="1"), load_model(tiny_vit))
    assert {"visual.transformer.resblocks.1.mlp.c_fc.weight", "visual.proj", "visual.ln_post.weight"} <= some
    assert {"transformer.resblocks.1.ln_1.weight", "ln_final.weight", "text_projection", "logit_scale"} <= some
    assert not any("resblocks.0" in name or "embedding" in name or "conv1" in name for name in some)
    whole = load_model(tiny_vit)
    assert trained_names(Training(), whole) == {name for name, _ in whole.clip.named_parameters()}


def test_what_the_loss_does_not_reach_is_frozen():
    assert all(name.startswith("visual.") for name in trained_names(Training(), load_model(), use=("pairs",)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image": "none", "text": "none"}, "TRAINING=image=none text=none: nothing is left to train"),
        ({"image": "5"}, "TRAINING=image=5: expected at most the 4 blocks of mvlm-tiny"),
        ({"text": "3"}, "TRAINING=text=3: expected at most the 2 blocks of mvlm-tiny"),
    ],
)
def test_what_cannot_be_trained_is_said(settings, said):
    with pytest.raises(ValueError, match=said):
        module(Training(**settings), 1)


def test_rates_rise_and_fall():
    trained = module(Training(rate=1.0, warmup=0.2), 10)
    rates = [trained.rate(step) for step in range(10)]
    assert rates[:3] == pytest.approx([0.5, 1, 1]) and rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)
    assert 0 < rates[-1] < 0.05


def test_every_epoch_shows_every_sample_once_in_full_batches():
    order = batch_order(10, 4, epochs=2, seed=0)
    rows = np.concatenate(order)
    assert [len(step) for step in order] == [4] * 5
    assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10)) and list(rows[:10]) != list(rows[10:])
    assert [len(batch_order(10, 4, 1, 0)), len(batch_order(10, 10, 3, 0))] == [2, 3]
    with pytest.raises(ValueError, match="TRAINING=batch=11: expected at most the 10 samples"):
        batch_order(10, 11, 1, 0)


def test_ranks_share_one_batch_and_steps_know_no_past():
    order, places = batch_order(SAMPLES, 6, 2, seed=0), np.arange(SAMPLES)[::-1]
    whole = Batches(faces(), places, order, Rendering(), seed=1)
    assert len(whole) == 8
    for step in (0, 5):
        parts = [Batches(faces(), places, order, Rendering(), seed=1, first=step, rank=n, count=3)[0] for n in range(3)]
        for one, *shares in zip(whole[step], *parts, strict=True):
            assert torch.equal(one, torch.cat(shares))
    with pytest.raises(ValueError, match="TRAINING=batch=6: expected a multiple of the 4 ranks"):
        Batches(faces(), places, order, Rendering(), seed=1, count=4)


def test_loading_processes_map_the_images_anew(tmp_path):
    np.save(tmp_path / "images.npy", faces())
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    batches = Batches(images, np.arange(SAMPLES), [np.arange(4)], Rendering(), seed=0)
    sent = pickle.dumps(batches)
    assert len(sent) < 10_000 and isinstance(pickle.loads(sent).images, np.memmap)
    assert all(torch.equal(one, two) for one, two in zip(batches[0], pickle.loads(sent)[0], strict=True))


@pytest.mark.parametrize("channel", ["shaded", "normals"])
def test_faces_are_mirrored_as_in_the_cheap_profile(channel):
    images, rendering = faces(), Rendering(channel=channel)
    expected = augmented(images, 1, np.zeros((len(images), 2)), rendering)
    assert np.array_equal(flip(images, rendering), expected)


def test_faces_are_flipped_and_each_view_is_cropped_by_itself():
    images, rendering = faces(), Rendering()
    seen = Batches(images, np.arange(SAMPLES)[::-1], [np.arange(SAMPLES)], rendering, seed=0)[0].images.numpy()
    there = images[::-1]
    plain, mirrored = ((seen == of).all((2, 3, 4)) for of in (there, flip(there, rendering)))
    cropped = ~(plain | mirrored)
    assert 0.3 < cropped.mean() < 0.7 and cropped.any(1).sum() > cropped.all(1).sum() > 0
    assert 0.2 < plain.any(1).mean() < 0.7 and not (plain.any(1) & mirrored.any(1)).any()


def test_crops_are_windows_at_full_size():
    images = np.zeros((2, 64, 64, 3), np.uint8)
    images[:, :8, :8] = 200
    first, last = crop(images, np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    assert (first[:7, :7] > 190).all() and not first[12:].any()  # the corner has grown
    assert not last.any()  # 7/8 from the other end begins behind it
    assert crop(images[:0], np.zeros((0, 2))).shape == (0, 64, 64, 3)


def test_half_precision_is_near_single(tiny_vit):
    batch = Batches(faces(), np.arange(SAMPLES), [np.arange(8)], Rendering(), seed=0)[0]
    trained = module(Training(), 1, model=load_model(tiny_vit))
    with torch.autocast("cpu", torch.bfloat16):
        half = trained.loss(batch, losses.identity)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, trained.loss(batch, losses.identity), rtol=0.02, atol=0.02)
    with pytest.raises(ValueError, match="not finite"):
        with torch.no_grad():
            trained.model.clip.visual.proj.fill_(float("nan"))
        trained.loss(batch)
