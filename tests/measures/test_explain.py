"""Grad-CAM against its naive twin on every kind of tower, and the measures that say whether to believe it.

More than 20 s: nine kinds of tower, and a naive twin that takes one gradient after the other.
"""

import copy
import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from mvlm import layers
from mvlm.faces.pose import find_pose
from mvlm.faces.regions import PLACES, region_map, surface
from mvlm.faces.views import project
from mvlm.measures import explain
from mvlm.measures.explain import cascade, grad_cam, region_shares, view_agreement
from mvlm.model import MultiviewVLM, load_model
from mvlm.prompts import bank
from mvlm.training.adapter import Adapter
from mvlm.twins.twin import Twin
from mvlm.weights import digest

EMOTIONS = ("anger", "happiness", "surprise")
TEXT = {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8}
TOWERS = {
    "vit-token": VIT,
    "vit-average": VIT | {"patch_size": 16, "pool_type": "avg"},
    "vit-attentional": VIT | {"attentional_pool": True},
    "vit-custom": VIT | {"block_type": "custom"},
    "resnet": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16},
    "timm-convnext": {"image_size": 64, "timm_model_name": "convnext_atto", "timm_pool": "avg", "timm_proj": "linear"},
    "timm-resnet": {"image_size": 64, "timm_model_name": "resnet10t", "timm_pool": "avg", "timm_proj": "linear"},
    "timm-registers": {"image_size": 160, "timm_model_name": "test_vit2", "timm_pool": "avg", "timm_proj": "linear"},
    "timm-swin": {"image_size": 224, "timm_model_name": "swin_s3_tiny_224", "timm_pool": "avg", "timm_proj": "linear"},
}
CHECKED = ("vit-token", "vit-average", "vit-attentional", "vit-custom", "resnet")


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory):
    """Random models by the names of `TOWERS`, each made once."""
    folder, made = tmp_path_factory.mktemp("towers"), {}

    def make(name: str) -> MultiviewVLM:
        if name not in made:
            path: Path = folder / f"test-{name}.json"
            path.write_text(json.dumps({"embed_dim": 32, "vision_cfg": TOWERS[name], "text_cfg": TEXT}))
            open_clip.add_model_config(path)
            made[name] = load_model(path.stem, "random")
        return made[name]

    return make


@pytest.fixture(scope="module")
def tiny() -> MultiviewVLM:
    return load_model()


@pytest.fixture(scope="module")
def faces():
    """Meshes and (4, 3, 64, 64, 3) views of smiles and surprises of the BU-3DFE twin."""
    twin = Twin("BU-3DFE")
    chosen = [scan for scan in twin.scans if scan.level == 4 and scan.emotion in EMOTIONS[1:]][:4]
    meshes = [twin.read(scan) for scan in chosen]
    return meshes, np.stack([project(mesh) for mesh in meshes])


def noise(count: int, views: int = 3, size: int = 64) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, views, size, size, 3), dtype=np.uint8)


def an_adapter(model: MultiviewVLM) -> Adapter:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        adapter = Adapter(model.dimension, 0.2)
        torch.nn.init.normal_(adapter.out.weight, std=0.1)
    return adapter.eval().requires_grad_(False)


@torch.no_grad()
def prototype(model: MultiviewVLM, emotion: int) -> torch.Tensor:
    """(D,) mean direction of an emotion's prompts, one at a time."""
    rows = [model.clip.encode_text(model.tokenizer([prompt]))[0] for prompt in bank()[EMOTIONS[emotion]]]
    total = sum(row / row.norm() for row in rows)
    return total / total.norm()


@torch.no_grad()
def logit(model: MultiviewVLM, views: np.ndarray, wanted: torch.Tensor, adapter: Adapter | None) -> float:
    """The logit of one sample (V, H, H, 3) for a prototype, step by step."""
    total = torch.zeros_like(wanted)
    for row in model.clip.encode_image(model.prepare(views)):
        row = row / row.norm()
        if adapter is not None:
            row = adapter(row)
        total += row / row.norm()
    return float(total @ wanted / total.norm() / (adapter or model).temperature)


def naive(model: MultiviewVLM, views: np.ndarray, wanted: torch.Tensor, adapter: Adapter | None, form: str):
    """(V, g, g) class activation of one sample, channel by channel, by differences of the logit.

    "channels": the slope of the logit as the whole channel of one view is raised, over the number of its cells, is the
    channel's weight. "places": what the logit gains as the channel is raised at each place by its own value there,
    tried place by place.
    """
    layer, _ = explain.chosen_layer(model)
    raised, seen = (0, 0, 0.0), []

    def raise_it(_module, _inputs, output):
        view, channel, by = raised
        output = output.clone()
        maps = layer.maps(output)  # looks into it: what is no place, such as a class token, stays
        seen.append(maps.clone())
        maps[view, channel] += by
        return output

    hook = layer.module.register_forward_hook(raise_it)
    logit(model, views, wanted, adapter)
    maps = seen[0].numpy()

    def slope(view: int, channel: int, by: torch.Tensor) -> float:
        nonlocal raised
        found = []
        for sign in (1, -1):
            raised = (view, channel, sign * 1e-4 * by)
            found.append(logit(model, views, wanted, adapter))
        return (found[0] - found[1]) / 2e-4

    total = np.zeros((len(maps), *maps.shape[2:]))
    if form == "channels":
        for view, channel in np.ndindex(maps.shape[:2]):
            weight = slope(view, channel, torch.ones(maps.shape[2:])) / maps[view, channel].size
            total[view] += weight * maps[view, channel]
    else:
        for view, row, column in np.ndindex(total.shape):
            by = torch.zeros(maps.shape[1:], dtype=torch.float64)
            by[:, row, column] = seen[0][view, :, row, column]  # all channels at once: slopes add up
            total[view, row, column] = slope(view, slice(None), by)
    hook.remove()
    return np.maximum(total, 0)


def stretched(cells: np.ndarray, side: int, shift: float) -> np.ndarray:
    """(g, g) cells over (side, side) pixels, a line at a time."""
    middles = (np.arange(len(cells)) + 0.5) * side / len(cells) - 0.5 + shift
    tall = np.stack([np.interp(np.arange(side), middles, column) for column in cells.T], 1)
    return np.stack([np.interp(np.arange(side), middles, row) for row in tall])


@pytest.mark.parametrize("form", explain.FORMS)
@pytest.mark.parametrize("name", [*CHECKED, "mvlm-tiny", "mvlm-tiny, adapted"])
def test_heat_is_what_differences_of_the_logit_say(tower, tiny: MultiviewVLM, name: str, form: str):
    model = copy.deepcopy(tiny if name.startswith("mvlm") else tower(name))
    model.double()  # differences of single precision would be noise
    adapter = an_adapter(model) if name.endswith("adapted") else None
    side = model.image_size
    views = noise(1, views=2, size=side)
    found = grad_cam(model, views, EMOTIONS, np.array([1]), adapter=adapter, form=form)
    exact = copy.deepcopy(adapter).double() if adapter else None
    wanted = prototype(model, 1)
    raw = naive(model, views[0], wanted, exact, form)
    _, shift = explain.chosen_layer(model)
    expected = np.stack([stretched(cells, side, shift) for cells in raw])
    assert np.isclose(found.logits[0, 1], logit(model, views[0], wanted, exact), rtol=1e-4)
    assert expected.max() > 0
    assert np.allclose(found.mass[0], expected.mean((1, 2)), rtol=2e-3, atol=1e-3 * expected.mean())
    peaks = np.maximum(expected.max((1, 2), keepdims=True), 1e-30)
    assert np.abs(found.heat[0] - expected / peaks).max() < 2e-3


@pytest.mark.parametrize("name", TOWERS)
def test_every_tower_has_heat_of_its_own_grid(tower, name: str):
    model = tower(name)
    layer, _ = explain.chosen_layer(model)
    shapes = []
    hook = layer.module.register_forward_hook(lambda _m, _i, output: shapes.append(layer.maps(output).shape))
    found = grad_cam(model, noise(1), EMOTIONS)
    hook.remove()
    assert shapes[-1][2] == shapes[-1][3] >= min(explain.CELLS, model.image_size // 16)
    assert found.heat.shape == (1, 3, 64, 64) and found.heat.dtype == np.float32
    assert found.heat.min() >= 0 and found.heat.max() == 1 and (found.mass > 0).any()
    assert found.target.tolist() == found.logits.argmax(1).tolist()


def test_tokens_of_either_order_make_the_same_maps():
    tokens = torch.arange(2 * 21 * 5.0).view(2, 21, 5)  # two images, five others before 4 x 4 places, five channels
    first = layers._token_reader(5, batch_first=True)(tokens)
    second = layers._token_reader(5, batch_first=False)(tokens.transpose(0, 1))
    assert first.shape == (2, 5, 4, 4) and torch.equal(first, second)
    assert first[1, 2, 3, 0] == tokens[1, 5 + 3 * 4 + 0, 2]
    with pytest.raises(ValueError, match="square picture after 1 others, got 20"):
        layers._token_reader(1, batch_first=True)(tokens)


def test_samples_do_not_depend_on_their_company(tiny: MultiviewVLM, monkeypatch: pytest.MonkeyPatch):
    images = noise(5)
    together = grad_cam(tiny, images, EMOTIONS)
    alone = [grad_cam(tiny, images[n : n + 1], EMOTIONS) for n in range(5)]
    monkeypatch.setattr(explain, "CHUNK", 6)
    chunked = grad_cam(tiny, images, EMOTIONS)
    for field in ("heat", "mass", "logits", "target"):
        value = getattr(together, field)
        assert np.allclose(value, np.concatenate([getattr(one, field) for one in alone]), atol=1e-5)
        assert np.allclose(value, getattr(chunked, field), atol=1e-5)
    assert grad_cam(tiny, images[:0], EMOTIONS).heat.shape == (0, 3, 64, 64)


def test_heat_lies_on_what_matters(tiny: MultiviewVLM):
    """A grey picture with one odd patch, in a model that answers to it: the heat is on the patch, not beside it."""
    layer, shift = explain.chosen_layer(tiny)
    assert layer.module is tiny.clip.visual.trunk.features[2] and shift == -3.5  # cells look at pixels 0, 8, 16, ...
    images = np.full((16, 1, 64, 64, 3), 128, np.uint8)
    places = [(y, x) for y in (12, 24, 36, 48) for x in (12, 24, 36, 48)]
    rng = np.random.default_rng(0)
    for image, (y, x) in zip(images[:, 0], places, strict=True):
        image[y - 3 : y + 4, x - 3 : x + 4] = rng.integers(0, 256, (7, 7, 1))
    plain = grad_cam(tiny, np.full((1, 1, 64, 64, 3), 128, np.uint8), EMOTIONS, np.array([1]))
    found = grad_cam(tiny, images, EMOTIONS, np.ones(16, int))
    raw = found.heat * (found.mass / found.heat.mean((2, 3)))[..., None, None]
    change = np.abs(raw - plain.heat * plain.mass[..., None, None] / plain.heat.mean())[:, 0]
    share = change / change.sum((1, 2), keepdims=True)
    middles = np.stack([(share.sum(axis) * np.arange(64)).sum(1) for axis in (2, 1)], 1)  # (16, 2) row, column
    assert (np.median(np.abs(middles - places), axis=0) < 8).all()


def test_the_model_and_its_hooks_are_left_as_they_were(tiny: MultiviewVLM):
    before = digest(tiny)
    grad_cam(tiny, noise(1), EMOTIONS)
    [*cascade(tiny, an_adapter(tiny))]
    assert digest(tiny) == before
    assert not any(module._forward_hooks for module in tiny.modules())
    assert not any(value.requires_grad or value.grad is not None for value in tiny.parameters())


def test_both_forms_are_one_behind_average_pooling():
    maps, weights = torch.randn(2, 5, 4, 4), torch.randn(2, 5, 1, 1)
    gradients = (weights / 16).expand_as(maps)  # of a linear layer on the mean of the map
    both = [explain.activation(maps, gradients, form) for form in explain.FORMS]
    assert torch.allclose(*both) and torch.allclose(both[0].mean(), (weights * maps).sum(1).clamp(min=0).mean() / 16)


def test_greying_out_what_is_hot_takes_the_logit_away(tiny: MultiviewVLM, faces):
    _, images = faces
    found = grad_cam(tiny, images, EMOTIONS)
    face = images.any(-1)
    hot, cold = (explain.removal(tiny, images, face, sign * found.heat, EMOTIONS, found.target) for sign in (1, -1))
    assert hot.mean() > cold.mean() + 0.3
    assert (explain.removal(tiny, images, np.zeros_like(face), found.heat, EMOTIONS, found.target) == 0).all()


def test_a_fifth_of_the_face_gets_the_faces_mean(tiny: MultiviewVLM):
    images, face = noise(1, views=1), np.zeros((1, 1, 64, 64), bool)
    face[..., 10:30, 20:40] = True
    order = np.broadcast_to(-np.arange(64.0), face.shape)  # hotter to the left
    greyed = images.copy()
    greyed[:, :, 10:30, 20:24] = np.rint(images[0, 0, 10:30, 20:40].reshape(-1, 3).mean(0))
    with torch.no_grad():
        rows = [tiny.encode_views(of) for of in (images, greyed)]
        logits = [explain.class_logits(of, tiny.prototypes(EMOTIONS), tiny, None)[0, 2] for of in rows]
    before = images.copy()
    found = explain.removal(tiny, images, face, order, EMOTIONS, np.array([2]))
    assert np.isclose(found[0], float(logits[0] - logits[1]), atol=1e-5) and abs(found[0]) > 1e-3
    assert np.array_equal(images, before)


@pytest.mark.parametrize(
    ("target", "message"),
    [([0, 1], r"expected \(1,\) int, got \(2,\)"), ([0.0], "of float64"), ([3], r"expected 0..2, got 3..3")],
)
def test_wrong_targets_are_named(tiny: MultiviewVLM, target: list, message: str):
    with pytest.raises(ValueError, match=message):
        grad_cam(tiny, noise(1), EMOTIONS, np.array(target))


def test_an_unknown_form_is_named(tiny: MultiviewVLM):
    with pytest.raises(ValueError, match="form 'grad': expected one of places, channels"):
        grad_cam(tiny, noise(1), EMOTIONS, form="grad")


def test_an_unknown_tower_is_named(tiny: MultiviewVLM):
    odd = copy.deepcopy(tiny)
    odd.clip.visual = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match="MODEL=mvlm-tiny: no maps are known of a tower of type Linear"):
        explain.layers_of(odd)


@pytest.mark.parametrize("name", ["mvlm-tiny", "vit-token", "resnet"])
def test_the_cascade_goes_from_the_top_down(tower, tiny: MultiviewVLM, name: str):
    model = tiny if name == "mvlm-tiny" else tower(name)
    adapter = an_adapter(model)
    own = dict(model.clip.visual.named_parameters())
    changed = []
    for stage, other, its_adapter in cascade(model, adapter):
        values = dict(other.clip.visual.named_parameters())
        changed.append({key for key in own if not torch.equal(own[key], values[key])})
        assert all(torch.equal(own[key].flatten().sort()[0], values[key].flatten().sort()[0]) for key in own)
        assert stage == "adapter" or stage.endswith("of the tower")
        assert not torch.equal(its_adapter.out.weight, adapter.out.weight)
        assert its_adapter.temperature == adapter.temperature
    assert changed[0] == set() and all(a < b for a, b in zip(changed, changed[1:], strict=False))
    first = {"mvlm-tiny": "trunk.head.weight", "vit-token": "proj", "resnet": "attnpool.v_proj.weight"}[name]
    last = {"mvlm-tiny": "trunk.features.0.0.weight", "vit-token": "conv1.weight", "resnet": "conv1.weight"}[name]
    assert first in changed[1] and last not in changed[-2] and last in changed[-1]


def test_heat_changes_with_the_weights(tiny: MultiviewVLM, faces):
    from mvlm.measures.statistics import rank_correlation

    _, images = faces
    before = grad_cam(tiny, images, EMOTIONS, np.ones(4, int)).heat
    *_, (_, random, adapter) = cascade(tiny)
    after = grad_cam(random, images, EMOTIONS, np.ones(4, int), adapter=adapter).heat
    face = images.any(-1)
    assert abs(np.mean([rank_correlation(a[f], b[f]) for a, b, f in zip(before, after, face, strict=True)])) < 0.5


def test_shares_of_heat_by_region(faces):
    meshes, _ = faces
    places = region_map(meshes[0])
    even = region_shares(np.ones((3, 64, 64)), places)
    assert even.shape == (3, len(PLACES)) and np.allclose(even.sum(1), 1)
    assert np.allclose(even[1], [(places[1] == i).mean() for i in range(len(PLACES))])
    mouth = region_shares((places == PLACES.index("mouth")).astype(np.float32), places)
    assert np.allclose(mouth, np.eye(len(PLACES))[[PLACES.index("mouth")] * 3])
    assert (region_shares(np.zeros((3, 64, 64)), places) == 0).all()


def test_views_agree_where_heat_is_a_matter_of_the_surface(faces):
    meshes, _ = faces
    pose = find_pose(meshes[0])
    points, shown = pose.of(meshes[0].vertices), surface(meshes[0], pose=pose)
    height = np.nan_to_num(shown[..., 1] + 100)  # hotter towards the brow, in every view alike
    assert (view_agreement(height, height, points, shown) > 0.99).all()
    across = np.repeat(np.arange(64.0)[None], 64, 0)[None].repeat(3, 0)  # hotter to the right of every picture
    upside = view_agreement(height, -height, points, shown)
    assert (upside < -0.99).all() and abs(view_agreement(height, across, points, shown)[0, 0]) < 0.3
    assert (view_agreement(height, height, points[:20], shown) == 0).all()  # too few to say
