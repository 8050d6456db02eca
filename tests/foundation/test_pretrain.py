"""The foundation: truthful captions in the words of the prompts, faces no twin uses, weights that can be remade."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from mvlm import prompts
from mvlm.faces import dynamics
from mvlm.foundation import captions, pretrain, random_faces
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


def many(count=6000, **shares):
    rng = np.random.default_rng(1)
    shares = {"word_share": 0.5, "wrong_share": 0.18} | shares
    for _ in range(count):
        face = random_faces.random_face(rng)
        units = {unit: float(np.mean(sides)) for unit, sides in face.units.items()}
        yield units, face.emotion, captions.caption(units, face.emotion, rng, **shares)


def test_every_word_of_every_prompt_occurs_in_the_captions():
    words = {word for _, _, text in many() for word in text.replace(",", "").split()}
    assert set(prompts.vocabulary()) <= words


def test_captions_say_only_what_the_face_does():
    said = {phrase: {unit} for unit, phrases in captions.PHRASES.items() for phrase in phrases if phrase != "smiling"}
    said |= {"brows raised": {1, 2}}
    mentioned = 0
    for units, _, text in many(2000):
        for phrase in text.partition(" with ")[2].replace(" and ", ", ").split(", "):
            if phrase:
                mentioned += 1
                assert all(units.get(unit, 0) >= captions.VISIBLE for unit in said[phrase]), (text, units)
    assert mentioned > 2000


def emotion_named(text):
    """The emotion whose word a caption uses, or None; "smiling" alone is an action."""
    head, _, _ = text.partition(" with ")
    for emotion in prompts.EMOTIONS:
        if any(
            f" {word} " in f" {head} "
            for word in (*captions.WORDS[emotion], *captions.FEELINGS[emotion])
            if word != "smiling"
        ):
            return emotion
    return None


def test_word_shares_are_those_of_the_recipe():
    shown = [
        (emotion, emotion_named(text)) for _, emotion, text in many() if emotion not in ("", "neutral", "happiness")
    ]
    named = [(emotion, name) for emotion, name in shown if name]
    # a wrong "smiling" or "neutral" escapes the count, hence the small margin
    assert len(named) / len(shown) == pytest.approx(0.5, abs=0.03)
    assert np.mean([emotion != name for emotion, name in named]) == pytest.approx(0.18, abs=0.03)
    assert all(emotion_named(text) is None for _, _, text in many(1000, word_share=0.0))
    assert all(emotion_named(text) is None for _, emotion, text in many(1000, word_share=1.0) if emotion == "")


def test_augmented_pictures_keep_black_background_and_shape():
    pictures = np.zeros((6, 64, 64, 3), np.uint8)
    pictures[:, 20:44, 20:44] = 128
    pixels = pretrain.augment(pictures, np.zeros(6, bool), np.random.default_rng(0))
    assert pixels.shape == (6, 3, 64, 64)
    assert pixels.min() == 0 and pixels[:, :, :8, :8].max() == 0
    assert len({round(float(one.max())) for one in pixels}) > 3  # each lit anew


def test_augmented_dynamic_images_rest_where_they_rested():
    pictures = np.full((6, 64, 64, 3), dynamics.REST, np.uint8)
    pictures[:, 20:44, 20:32], pictures[:, 20:44, 32:44] = 200, 50
    pixels = pretrain.augment(pictures, np.array([True] * 5 + [False]), np.random.default_rng(0))
    assert (pixels[:5, :, :8, :8] == dynamics.REST).all() and (pixels[5, :, :8, :8] != dynamics.REST).any()
    assert len({round(float(one.max())) for one in pixels[:5]}) > 3
    for one in pixels[:5]:  # brighter and darker by one factor
        brighter, darker = float(one.max()) - dynamics.REST, dynamics.REST - float(one.min())
        assert brighter / darker == pytest.approx(72 / 78, rel=1e-3)


def test_smoke_run_writes_weights_that_load_and_a_card_that_tells(made):
    _, path, card = made
    model = load_model(pretrained=path)
    assert path.stat().st_size < 10e6
    assert model.metadata["head"] == heads.fingerprint()
    assert model.metadata["twin_version"] == twins.VERSIONS["face"]
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
    assert model.metadata["twin_version"] == twins.VERSIONS["face"]
    assert model.metadata["recipe"] == card["recipe"]
    assert WEIGHTS.stat().st_size < 10e6
    known = model.clip.token_embedding.weight.abs().sum(dim=1) > 0
    assert all(known[token] for word in prompts.vocabulary() for token in model.tokenizer.encode(word))


def test_words_of_captions():
    has = captions.words_of(["a smiling face", "close-up of a face, sad"])
    assert has.shape == (2, 7) and has.sum(1).tolist() == [3, 6]
    assert (has.sum(0) == 2).sum() == 2  # "a" and "face"
