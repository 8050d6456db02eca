"""The two towers: shapes, units, batch independence, and every way in which weights can be missing or wrong."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mvlm import model as module
from mvlm import weights
from mvlm.model import Tower, load_model


@pytest.fixture(scope="module")
def model():
    return load_model(pretrained="random")


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def test_rows_are_unit_and_independent_of_batch_and_chunk(model, monkeypatch):
    views = pictures(5, 3, 64, 64)
    rows = model.encode_views(views)
    assert rows.shape == (5, 3, model.dimension) and rows.dtype == torch.float32
    torch.testing.assert_close(rows.norm(dim=2), torch.ones(5, 3))
    torch.testing.assert_close(model.encode_views(views[3:4, 1:2])[0, 0], rows[3, 1], rtol=0, atol=1e-5)
    monkeypatch.setattr(module, "CHUNK", 4)
    torch.testing.assert_close(model.encode_views(torch.from_numpy(views)), rows, rtol=0, atol=1e-5)
    assert model.encode_views(views[:0]).shape == (0, 3, model.dimension)


def test_pixels_are_resized_and_normalised_like_open_clip(model):
    import open_clip
    from PIL import Image

    # 128 px, twice the model's size, and grey enough for no overshoot: PIL clips between its two passes, torch after
    picture = (64 + pictures(16, 16)[None] // 2).repeat(8, axis=1).repeat(8, axis=2)
    reference = open_clip.image_transform(64, is_train=False)(Image.fromarray(picture[0]))
    grey = 1 / 255 / model.std.min().item()  # and it rounds to whole grey values
    torch.testing.assert_close(model.prepare(picture)[0], reference, rtol=0, atol=1.1 * grey)


@pytest.mark.parametrize(
    ("views", "place"),
    [
        (pictures(2, 64, 64), "batch, views"),
        (pictures(2, 3, 64, 32), "size, size"),
        (pictures(1, 3, 8, 8).astype(np.float32), "uint8"),
    ],
)
def test_wrong_views_are_named(model, views, place):
    with pytest.raises(ValueError, match=place):
        model.encode_views(views)


def test_classify_is_the_softmax_over_prompt_means(model):
    from mvlm.prompts import bank

    emotions, views = ("pain", "anger", "happiness"), pictures(2, 3, 64, 64)
    probabilities = model.classify(views, emotions)
    faces = model.encode_views(views).mean(dim=1)
    faces = faces / faces.norm(dim=1, keepdim=True)
    for row, face in zip(probabilities, faces, strict=True):
        means = [model.encode_text(bank()[emotion]).mean(dim=0) for emotion in emotions]
        logits = torch.stack([face @ mean / mean.norm() for mean in means]) * model.clip.logit_scale.exp()
        torch.testing.assert_close(row, logits.exp() / logits.exp().sum(), rtol=1e-4, atol=1e-6)


def test_frozen_until_asked_then_gradients_reach_both_towers():
    model = load_model(pretrained="random")
    assert not model.encode_views(pictures(1, 2, 64, 64)).requires_grad
    model.requires_grad_(True)
    (model.encode_views(pictures(1, 2, 64, 64)).sum() + model.encode_text(["a sad face"]).sum()).backward()
    named = dict(model.clip.named_parameters())
    assert named["visual.trunk.features.0.0.weight"].grad.abs().sum() > 0
    assert named["token_embedding.weight"].grad.abs().sum() > 0


def test_text_keeps_the_models_own_context(model):
    assert model.tokenizer(["a face"]).shape == (1, 32)
    assert model.clip.positional_embedding.shape[0] == 32
    long = "a face with " + "brows lowered " * 40
    assert torch.equal(model.encode_text([long]), model.encode_text([long + "smiling"]))  # cut, as in CLIP


def test_every_prompt_fits_the_context(model):
    from mvlm.prompts import EMOTIONS, prompts_for

    lengths = (model.tokenizer(prompts_for(EMOTIONS)[0]) != 0).sum(dim=1)
    assert lengths.max() < model.clip.context_length


def test_random_weights_are_seeded_and_leave_the_callers_generator_alone(model):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    again = load_model(pretrained="random")
    assert torch.equal(torch.rand(1), expected)
    assert weights.digest(again) == weights.digest(model)
    with torch.no_grad():
        again.clip.logit_scale += 0.1
    assert weights.digest(again) != weights.digest(model)


def test_weights_from_a_file_come_with_what_it_says_of_itself(model, tmp_path):
    state = {key: value.clone() for key, value in model.clip.state_dict().items()}
    state["logit_scale"] += 1
    save_file(state, tmp_path / "mine.safetensors", metadata={"mvlm": '{"head": "abc"}'})
    loaded = load_model(pretrained=tmp_path / "mine.safetensors")
    assert loaded.metadata == {"head": "abc"}
    torch.testing.assert_close(loaded.temperature, model.temperature / np.e)


def test_a_folder_of_open_clip_holds_its_own_weights(model, tmp_path):
    configuration = {"model_cfg": json.loads(module.CONFIG.read_text()), "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(configuration))
    save_file({key: value.clone() for key, value in model.clip.state_dict().items()}, tmp_path / "model.safetensors")
    torch.testing.assert_close(
        load_model(f"local-dir:{tmp_path}").encode_text(["a sad face"]), model.encode_text(["a sad face"])
    )


def test_weights_that_do_not_fit_are_one_error(model, tmp_path):
    state = {key: value.clone() for key, value in model.clip.state_dict().items()}
    state["positional_embedding"] = torch.zeros(77, 64)
    state["surplus"] = state.pop("ln_final.bias")
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other.safetensors.*ln_final.bias \[64\] is missing.*3 tensors"):
        load_model(pretrained=tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes()[:1000])
    with pytest.raises(ValueError, match="cut.safetensors: not a readable safetensors file"):
        load_model(pretrained=tmp_path / "cut.safetensors")


@pytest.mark.parametrize(
    ("name", "pretrained", "kind", "message"),
    [
        ("mvlm-tinny", None, ValueError, "nearest: mvlm-tiny"),
        ("vit-b-32", "openai", ValueError, "nearest: ViT-B-32"),
        ("ViT-B-32", None, ValueError, "PRETRAINED= a tag .openai"),
        ("ViT-B-32", "laion2b", ValueError, "nearest: laion2b_e16"),
        ("ViT-B-32", "openai", ValueError, "MODEL=ViT-B-32-quickgelu"),
        ("ViT-B-32-quickgelu", "laion2b_e16", ValueError, "no such tag"),
        ("mvlm-tiny", "weights.pt", ValueError, "pickle.*convert it once"),
        ("local-dir:nowhere", None, FileNotFoundError, "open_clip_config.json and a .safetensors"),
        ("hf-hub:someone/model", "openai", ValueError, "leave PRETRAINED=openai out"),
        ("mvlm-tiny", "absent.safetensors", FileNotFoundError, "absent.safetensors: no such file"),
    ],
)
def test_wrong_names_say_what_to_do(name, pretrained, kind, message):
    with pytest.raises(kind, match=message):
        load_model(name, pretrained)


def test_weights_out_of_reach_are_one_message(monkeypatch):
    import open_clip.factory

    def unplugged(*_args, **_kwargs):
        raise OSError("Name or service not known\nand a long trace")

    monkeypatch.setattr(open_clip.factory, "download_pretrained", unplugged)
    with pytest.raises(FileNotFoundError, match="'openai' of ViT-B-32-quickgelu.*MODEL=mvlm-tiny") as error:
        load_model("ViT-B-32-quickgelu", "openai")
    assert "trace" not in str(error.value)


def test_missing_shipped_weights_name_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "mvlm-tiny.safetensors")
    with pytest.raises(FileNotFoundError, match="make foundation"):
        load_model()


def test_folding_keeps_the_function_and_leaves_no_normalisation():
    torch.manual_seed(0)
    tower, images = Tower(8), torch.rand(6, 3, 64, 64)
    tower.normalise()
    for _ in range(20):  # running statistics of its own
        tower.train()(images * torch.rand(()) + torch.rand(()))
    expected = tower.eval()(images)
    tower.fold()
    torch.testing.assert_close(tower(images), expected, atol=1e-5, rtol=1e-4)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in tower.modules())
