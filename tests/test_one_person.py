"""Scans of one person: the discriminant that reads them, when it is in doubt, and whose weights it is for."""

import json

import numpy as np
import pytest

import mvlm.settings
from mvlm import one_person
from mvlm.labels.naming import Prompts
from mvlm.model import load_model
from mvlm.one_person import ALIKE, CLASSES, FEW, FEWEST, MOST, SAME, fit, load, make, save, spread
from mvlm.settings import Settings
from mvlm.study import embeddings

D = 24


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


class People:
    """Who shows each of six expressions four times, by a larger effect of who it is; prompts that are far off."""

    def __init__(self, count=30, seed=0):
        self.rng = np.random.default_rng(seed)
        self.effect = np.random.default_rng(99).normal(size=(6, D))
        self.truth = np.tile(np.repeat(np.arange(6), 4), count)
        self.subjects = np.repeat([f"F{n:03d}" for n in range(count)], 24)
        self.rows = np.concatenate([self.scans(np.repeat(np.arange(6), 4)) for _ in range(count)])
        text = self.effect + np.random.default_rng(98).normal(size=(3, 6, D)) - 4
        self.prompts = Prompts(unit(text.reshape(-1, D)), np.tile(np.arange(6), 3), 0.07)

    def scans(self, shown):
        """Of one further person."""
        person = 2 * self.rng.normal(size=D)
        return unit(5 + person + self.effect[np.asarray(shown)] + 0.4 * self.rng.normal(size=(len(shown), D)))


@pytest.fixture(scope="module")
def people():
    return People()


@pytest.fixture(scope="module")
def reader(people):
    return fit(people.rows, people.subjects, people.prompts, {})


def test_strangers_are_read_better_together_than_alone(people, reader):
    shown, together, alone = np.arange(6), [], []
    for _ in range(50):
        rows = people.scans(shown)
        probabilities = reader.read(rows)
        assert np.allclose(probabilities.sum(1), 1)
        together.append((probabilities.argmax(1) == shown).mean())
        alone.append(np.mean([reader.read(rows[k : k + 1])[0].argmax() == k for k in shown]))
    assert np.mean(together) > np.mean(alone) + 0.1 and np.mean(together) > 0.85


def test_no_scan_of_another_has_a_part_in_a_reading(people, reader):
    rows = people.scans([0, 1, 2, 3])
    assert np.array_equal(reader.read(rows), reader.read(rows.copy()))
    assert not np.allclose(reader.read(rows)[:3], reader.read(rows[:3]))  # one's own do
    turned = reader.read(rows[::-1])[::-1]
    assert np.allclose(reader.read(rows), turned)


def test_few_scans_and_like_ones_are_doubted_and_others_are_not(people, reader):
    few = FEW.format(count=3, fewest=FEWEST)
    smiles = [reader.doubts(people.scans([3, 3, 3])) for _ in range(50)]
    assert np.mean([said == (SAME,) for said in smiles]) > 0.9
    assert np.mean([reader.doubts(people.scans([1, 3, 5])) == (few,) for _ in range(50)]) > 0.9
    assert np.mean([reader.doubts(people.scans([3] * 5)) == (SAME,) for _ in range(50)]) > 0.9
    assert np.mean([reader.doubts(people.scans(range(6))) == () for _ in range(50)]) > 0.95
    assert reader.doubts(people.scans([3])) == (FEW.format(count=1, fewest=FEWEST),)  # one is like no other
    assert np.mean([SAME in reader.doubts(people.scans(np.arange(20) % 6)) for _ in range(20)]) < 0.15


def test_the_spread_is_that_about_the_mean_by_a_loop(people):
    rows = people.scans([0, 1, 2, 3, 4])
    mean = sum(rows) / 5
    wanted = sum(float((row - mean) @ (row - mean)) for row in rows) / 4
    assert spread(rows) == pytest.approx(wanted)
    assert np.allclose(spread(np.stack([rows, rows + 7])), wanted)  # who it is cancels


def test_so_many_draws_of_a_training_person_would_be_called_alike(people, reader):
    assert len(reader.least) == MOST - 1 and (np.diff(reader.least) > 0).all()
    rng = np.random.default_rng(1)
    rows = people.rows.reshape(30, 24, D)
    drawn = [rows[rng.integers(30)][rng.permutation(24)[:5]] for _ in range(2000)]
    assert np.mean([spread(of) < reader.least[3] for of in drawn]) == pytest.approx(ALIKE, abs=0.04)


def test_whoever_has_too_few_scans_is_not_learnt_from(people, reader):
    rows = np.concatenate([people.rows, people.scans([0, 1, 2])])
    more = fit(rows, np.append(people.subjects, ["Z"] * (FEWEST - 1)), people.prompts, {})
    assert np.array_equal(more.mean, reader.mean) and more.made == reader.made == {"persons": 30, "scans": 720}
    with pytest.raises(ValueError, match="720 persons: expected some with 4 scans or more, found none"):
        fit(people.rows, np.arange(720), people.prompts, {})


def test_what_is_made_of_a_small_tower_is_the_same_twice(tiny_vit, monkeypatch, tmp_path):
    frozen = embeddings.frozen
    monkeypatch.setattr(
        embeddings, "frozen", lambda corpus, *told: frozen(corpus, *told, [s.subject for s in corpus.scans[:25:24]])
    )
    chosen, written = Settings(model=tiny_vit), []
    for name in ("first", "second"):
        monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path / name)
        reader = make(chosen, tmp_path / name / "persons.safetensors")
        written.append((tmp_path / name / "persons.safetensors").read_bytes())
    assert written[0] == written[1]
    kept = load(tmp_path / "first" / "persons.safetensors")
    assert kept.made == reader.made and kept.made["twins"] == ["BU-3DFE", "Bosphorus"]
    for mine, theirs in zip(kept.discriminant, reader.discriminant, strict=True):
        assert np.array_equal(mine, theirs)
    model = load_model(tiny_vit)
    assert kept.misfit(model, chosen) == ""
    assert "fitted to channel shaded" in kept.misfit(model, Settings(model=tiny_vit, channel="depth"))
    next(model.clip.parameters()).data.add_(1)
    assert f"fitted to the weights shipped as {tiny_vit}." in kept.misfit(model, chosen)


def test_what_is_shipped_is_of_the_shipped_weights():
    reader = load()
    assert reader.misfit(load_model(), Settings()) == ""
    assert reader.made["classes"] == list(CLASSES) and reader.made["degree"] == "who"
    assert reader.made["persons"] > 150 and reader.mean.shape == reader.discriminant.weights[0].shape
    assert one_person.SHIPPED.stat().st_size < 20_000
    assert "/" not in json.dumps(reader.made)


def test_what_is_not_there_or_another_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone.safetensors: no such file; `python -m mvlm.one_person` makes"):
        load(tmp_path / "gone.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(ValueError, match="text.safetensors: expected what `python -m mvlm.one_person` writes"):
        load(tmp_path / "text.safetensors")
    save(tmp_path / "kept.safetensors", load())
    assert (tmp_path / "kept.safetensors").read_bytes() == one_person.SHIPPED.read_bytes()
