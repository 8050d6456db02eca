"""The foundation: faces no twin uses, weights that can be remade."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mvlm import prompts
from mvlm.foundation import pretrain, random_faces
from mvlm.foundation.pretrain import Recipe
from mvlm.foundation.random_faces import UNITS, Face, Movement
from mvlm.model import WEIGHTS, load_model
from mvlm.twins import twin as twins
from mvlm.twins.head import head as heads

SMOKE = Recipe(faces=96, held_out=48, sequences=48, held_out_sequences=32, frames=4, epochs=1, batch=32, threads=1)


def stub(face: Face | Movement, _variant: int, rng: np.random.Generator) -> np.ndarray:
    """A renderer without a head: one grey square per action unit, in every view."""
    picture = rng.integers(0, 60, (64, 64))
    for place, unit in enumerate(UNITS):
        row, column = divmod(place, 5)
        picture[12 * row : 12 * row + 10, 12 * column : 12 * column + 10] += int(150 * np.mean(face.units.get(unit, 0)))
    return np.repeat(np.repeat(picture.clip(0, 255).astype(np.uint8)[None, ..., None], 3, axis=0), 3, axis=-1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foundation")
    path = folder / "weights" / "mvlm-tiny.safetensors"
    card = pretrain.make(SMOKE, path, jobs=1, cache=folder / "cache", renderer=stub)
    return folder, path, card


def test_smoke_run_writes_weights_that_load_and_a_card_that_tells(made):
    _, path, card = made
    model = load_model(pretrained=path)
    assert path.stat().st_size < 10e6
    assert model.metadata["head"] == heads.fingerprint()
    assert model.metadata["twin_version"] == twins.VERSIONS["face"]["formula"]
    assert model.metadata["recipe"]["word_share"] == SMOKE.word_share
    assert json.loads(path.with_suffix(".json").read_text()) == card
    assert len(card["losses"]) == SMOKE.epochs
    known = {"zero_shot_6", "zero_shot_8", "text_to_face_1", "text_to_face_10", "actions"}
    assert {kind: set(measures) for kind, measures in card["held_out"].items()} == {"stills": known, "dynamic": known}


def test_without_moving_faces_the_same_ones_are_still_asked_about(made):
    folder, _, card = made
    path = folder / "without.safetensors"
    still = replace(SMOKE, sequences=0)
    without = pretrain.make(still, path, jobs=1, cache=folder / "cache", renderer=stub)
    assert without["sha256"] != card["sha256"] and set(without["held_out"]) == {"stills", "dynamic"}
    draws = SMOKE.draws()["dynamic"], still.draws()["dynamic"]
    with_, alone = (random_faces.render_faces(draw, jobs=1, cache=folder / "cache", renderer=stub) for draw in draws)
    assert np.array_equal(with_.images[SMOKE.sequences :], alone.images) and len(alone.images) == 32


def test_unknown_words_say_nothing(made):
    folder, path, _ = made
    model = load_model(pretrained=path)
    rows = model.clip.token_embedding.weight
    texts = []
    for kind, draw in SMOKE.draws().items():
        faces = random_faces.render_faces(draw, cache=folder / "cache", renderer=stub)
        texts += pretrain.captions(faces.part(slice(draw.count)), SMOKE, kind)
    used = model.tokenizer(texts).unique()
    assert torch.equal(rows.abs().sum(dim=1).nonzero().flatten(), used[used > 0])
    assert torch.equal(model.encode_text(["a volcano"]), model.encode_text(["a parliament"]))


def test_the_same_recipe_makes_the_same_bytes_and_another_seed_others(made):
    folder, path, card = made
    again = folder / "again.safetensors"
    pretrain.make(SMOKE, again, jobs=1, cache=folder / "cache", renderer=stub)
    assert again.read_bytes() == path.read_bytes()
    other = pretrain.make(
        replace(SMOKE, seed=1), folder / "other.safetensors", jobs=1, cache=folder / "cache", renderer=stub
    )
    assert other["sha256"] != card["sha256"]


def test_training_learns(made):
    folder, _, card = made
    faces = random_faces.render_faces(SMOKE.draws()["stills"], cache=folder / "cache", renderer=stub)
    faces = faces.part(slice(SMOKE.faces))
    longer, moving = replace(SMOKE, epochs=8, rate=2e-3), np.zeros(SMOKE.faces, bool)
    _, means = pretrain.train(faces.images, moving, pretrain.captions(faces, SMOKE, "stills"), longer)
    assert means[-1] < means[0] - 0.1


def test_shipped_weights_belong_to_this_head_and_fit_in_the_repository():
    card = json.loads(WEIGHTS.with_suffix(".json").read_text())
    model = load_model()
    assert model.metadata["head"] == card["head"] == heads.fingerprint(), "run `make foundation`: the head has changed"
    assert model.metadata["twin_version"] == twins.VERSIONS["face"]["formula"]
    assert model.metadata["recipe"] == card["recipe"]
    assert WEIGHTS.stat().st_size < 10e6
    known = model.clip.token_embedding.weight.abs().sum(dim=1) > 0
    assert all(known[token] for word in prompts.vocabulary() for token in model.tokenizer.encode(word))
