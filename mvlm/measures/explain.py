"""Where a model looks: class activation maps of the views of a face, and whether they can be believed.

What is explained is a logit, the cosine between the normalised mean of a sample's views and an emotion's prototype over
the temperature; never a probability, whose gradient vanishes where the model is sure. The maps of all views of a sample
belong to the one logit that classifies it, so that they can be compared with each other.

Maps are taken from where they still have places: of a convolutional tower the last feature map that is fine enough, of
a transformer the tokens that enter its last attention (behind it, all but the class token have no gradient). The last
map of mvlm-tiny has 4x4 cells, each a quarter of the face, so the one before it is taken, 8x8.

Two forms. "channels" is Grad-CAM (Selvaraju et al. 2017), which the paper names: a channel weighs as much as its mean
gradient says. "places" multiplies gradient and map place by place (HiResCAM, Draelos & Carin 2020). Behind average
pooling both are the same. mvlm-tiny has none: it flattens its map, so that what a channel means depends on the place,
and the mean forgets it. There Grad-CAM is hot on the outline of any face, and greying out its hottest places does
little more to the logit than greying out others (`removal`). So "places" is the default.

Shapes: N samples, V views, H side of a view in pixels, C emotions, D embedding, S side of the tower's input, K channels
of a map, g its side.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mvlm.faces.regions import PLACES, sampled
from mvlm.layers import Layer, layers_of
from mvlm.measures.statistics import rank_correlation
from mvlm.model import CHUNK, MultiviewVLM
from mvlm.settings import YAWS

if TYPE_CHECKING:
    from mvlm.training.adapter import Adapter

FORMS = ("places", "channels")
REMOVED = 0.2  # share of the face's pixels that `removal` greys out
CELLS = 7  # across a map, as many as those of CLIP's ViT-B-32 and ResNets; fewer do not tell brows from eyes
FEWEST = 30  # points of the surface that two views must share to be compared
NOISE_IMAGES = 4  # that show which pixels a cell of a map depends on


class Heat(NamedTuple):
    """What of N samples' views speaks for an emotion.

    Attributes:
        heat: (N, V, H, H) float32 in [0, 1]; the hottest place of each view is 1, a view without any heat is all 0.
        mass: (N, V) float32, mean over a view of its heat before that division: how much each view has to say.
        logits: (N, C) float32.
        target: (N,) int, the emotion explained.
    """

    heat: np.ndarray
    mass: np.ndarray
    logits: np.ndarray
    target: np.ndarray


def grad_cam(
    model: MultiviewVLM,
    images: np.ndarray,
    emotions: Sequence[str],
    target: np.ndarray | None = None,
    *,
    adapter: Adapter | None = None,
    form: str = "places",
) -> Heat:
    """Class activation of samples' views; what speaks against the emotion is cut.

    What a sample gets does not depend on the others.

    Args:
        model: any model of `mvlm.model`, in evaluation mode; it is left as it was.
        images: (N, V, H, H, 3) uint8.
        emotions: the C classes; their prompts are those of `mvlm.prompts`.
        target: (N,) int, the emotion to explain of each sample; None: the one with the largest logit.
        adapter: trained on top of the model, with a temperature of its own.
        form: one of `FORMS`.

    Raises:
        ValueError: arguments that do not fit each other, no such form, or a tower whose maps are not known.
    """
    if form not in FORMS:
        raise ValueError(f"form {form!r}: expected one of {', '.join(FORMS)}")
    wanted = None if target is None else np.asarray(target)
    if wanted is not None and (wanted.shape != (len(images),) or wanted.dtype.kind not in "iu"):
        raise ValueError(f"target: expected ({len(images)},) int, got {wanted.shape} of {wanted.dtype}")
    if wanted is not None and len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(emotions):
        raise ValueError(f"target: expected 0..{len(emotions) - 1}, got {wanted.min()}..{wanted.max()}")
    with torch.no_grad():
        prototypes = model.prototypes(emotions)
    if not len(images):
        heat, mass = (np.zeros(images.shape[:n], np.float32) for n in (4, 2))
        return Heat(heat, mass, np.zeros((0, len(emotions)), np.float32), np.zeros(0, np.int64))
    layer, shift = chosen_layer(model)
    step = max(1, CHUNK // images.shape[1])
    parts = []
    for start in range(0, len(images), step):
        part = None if wanted is None else torch.as_tensor(wanted[start : start + step]).long()
        parts.append(_explained(model, layer, shift, images[start : start + step], prototypes, part, adapter, form))
    return Heat(*(np.concatenate(of) for of in zip(*parts, strict=True)))


def chosen_layer(model: MultiviewVLM) -> tuple[Layer, float]:
    """The last layer whose maps are at least `CELLS` cells wide, or else the last; and its shift in pixels."""
    layers = layers_of(model)
    measured = [_cells_and_shift(model, layers[-1])]
    for layer in layers[-2::-1]:
        if measured[-1][0] >= CELLS:
            break
        measured.append(_cells_and_shift(model, layer))
    fine = next((place for place, (cells, _) in enumerate(measured) if cells >= CELLS), 0)
    return layers[-1 - fine], measured[fine][1]


def _explained(
    model: MultiviewVLM,
    layer: Layer,
    shift: float,
    images: np.ndarray,
    prototypes: Tensor,
    target: Tensor | None,
    adapter: Adapter | None,
    form: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    outputs: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: tuple, output: Tensor) -> Tensor:
        outputs.append(output.detach().requires_grad_())
        return outputs[-1].clone()  # what follows may write into it

    hook = layer.module.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = class_logits(model.encode_views(images), prototypes, adapter or model, adapter)
            chosen = logits.detach().argmax(1) if target is None else target.to(logits.device)
            gradients = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), outputs)
    finally:
        hook.remove()
    pairs = zip(outputs, gradients, strict=True)
    raw = torch.cat([activation(layer.maps(output.detach()), layer.maps(slope), form) for output, slope in pairs])
    shown = _over_pictures(raw, images.shape[2], shift * images.shape[2] / model.image_size)
    shown = shown.unflatten(0, tuple(images.shape[:2]))
    peak = shown.amax((2, 3), keepdim=True)
    heat = torch.where(peak > 0, shown / peak.clamp(min=torch.finfo(peak.dtype).tiny), 0.0)
    arrays = (heat.clamp(0, 1), shown.mean((2, 3)), logits.detach(), chosen)
    return tuple(array.cpu().numpy() for array in arrays)


def class_logits(rows: Tensor, prototypes: Tensor, tempered: MultiviewVLM | Adapter, adapter: Adapter | None) -> Tensor:
    """(N, C) logits of samples from the frozen rows (N, V, D) of their views, through an adapter if there is one.

    Cosine of the normalised mean of the views' unit rows with prototypes (C, D), over `tempered.temperature`.
    """
    if adapter is not None:
        rows = functional.normalize(adapter(rows), dim=-1)
    return functional.normalize(rows.mean(1), dim=1) @ prototypes.T / tempered.temperature


def activation(maps: Tensor, gradients: Tensor, form: str) -> Tensor:
    """Class activation (n, g, g) of maps (n, K, g, g) and the gradients of a logit by them, negative places cut."""
    weights = gradients.mean((2, 3), keepdim=True) if form == "channels" else gradients
    return (weights * maps).sum(1).clamp(min=0)


def _cells_and_shift(model: MultiviewVLM, layer: Layer) -> tuple[int, float]:
    """Cells across a layer's maps, and how far, in pixels of the tower's input, from their middles they look.

    Strided convolutions with padding look up and left of where a map stretched over the picture has its cells: by 7.5
    of 64 pixels in mvlm-tiny's last map. Measured on the middle cell: the pixels that it depends on have a middle. A
    cell that sees the picture's border has seen all it could, and is left where it is.
    """
    size, outputs = model.image_size, []
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(NOISE_IMAGES, 3, size, size, generator=generator).to(model.mean).requires_grad_()
    hook = layer.module.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        with torch.enable_grad():
            model.clip.encode_image(pixels)
            maps = layer.maps(outputs[0])
            cells = maps.shape[-1]
            (gradient,) = torch.autograd.grad(maps[:, :, cells // 2, cells // 2].square().sum(), pixels)
    finally:
        hook.remove()
    seen = torch.nonzero(gradient.abs().sum((0, 1, 2)))  # columns; rows are the same
    first, last = int(seen.min()), int(seen.max())
    if first == 0 or last == size - 1:
        return cells, 0.0
    return cells, (first + last) / 2 - ((cells // 2 + 0.5) * size / cells - 0.5)


def _over_pictures(raw: Tensor, side: int, shift: float) -> Tensor:
    """Maps (n, g, g) over pictures (n, side, side): linear between the places that cells look at, constant beyond."""
    cells = raw.shape[-1]
    step = side / cells
    pixels = torch.arange(side, device=raw.device, dtype=raw.dtype)
    places = ((pixels + 0.5 - shift) / step - 0.5).clamp(0, cells - 1)
    weights = (1 - (places[:, None] - torch.arange(cells, device=raw.device)).abs()).clamp(min=0)  # (side, g)
    return weights @ raw @ weights.T


@torch.no_grad()
def removal(
    model: MultiviewVLM,
    images: np.ndarray,
    face: np.ndarray,
    heat: np.ndarray,
    emotions: Sequence[str],
    target: np.ndarray,
    *,
    adapter: Adapter | None = None,
) -> np.ndarray:
    """How much a logit falls when the hottest fifth of the face is greyed out: (N,), the larger the truer the heat.

    In each view `REMOVED` of the face's pixels get the mean colour of them all.

    Args:
        images: (N, V, H, H, 3) uint8.
        face: (N, V, H, H) bool, where no background is.
        heat: (N, V, H, H), any numbers; their order counts.
        model, emotions, target, adapter: as of `grad_cam`.
    """
    without = np.array(images)
    for n, v in np.ndindex(images.shape[:2]):
        shown = np.flatnonzero(face[n, v])
        hottest = shown[np.argsort(-heat[n, v].ravel()[shown], kind="stable")[: round(REMOVED * len(shown))]]
        pixels = without[n, v].reshape(-1, 3)  # looks into it
        if len(shown):
            pixels[hottest] = np.rint(pixels[shown].mean(0))
    prototypes, rows = model.prototypes(emotions), np.arange(len(images))
    whole, greyed = (
        class_logits(model.encode_views(of), prototypes, adapter or model, adapter).cpu().numpy()[rows, target]
        for of in (images, without)
    )
    return whole - greyed


def region_shares(heat: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Which share of each view's heat lies where: (V, 7), in the order of `mvlm.faces.regions.PLACES`.

    Rows sum to 1; a view without heat has a row of 0. Of heat that is the same everywhere the shares are areas.

    Args:
        heat: (V, H, H), not negative.
        places: (V, H, H), of `mvlm.faces.regions.region_map`.
    """
    sums = np.stack([np.bincount(p.ravel(), h.ravel(), len(PLACES)) for h, p in zip(heat, places, strict=True)])
    return sums / np.maximum(sums.sum(1, keepdims=True), np.finfo(float).tiny)


def view_agreement(
    heat: np.ndarray, other: np.ndarray, points: np.ndarray, shown: np.ndarray, yaws: Sequence[float] = YAWS
) -> np.ndarray:
    """Whether views point at the same places of the face: (V, V) rank correlations of heat on its surface.

    Entry i, j compares view i of `heat` with view j of `other` over the points that both views show; 0 where they share
    fewer than `FEWEST`. With `other` of the same sample and i != j that is consistency. With that of another sample it
    is what coarse maps of faces have in common in any case.

    Args:
        heat, other: (V, H, H) of two upright faces, or of one.
        points: (N, 3) of the surface, mm, as `mvlm.faces.pose.Pose.of` has them.
        shown: (V, H, H, 3), of `mvlm.faces.regions.surface`.
        yaws: angles of the V views.
    """
    first, second = (sampled(of, points, shown, yaws) for of in (heat, other))
    found = np.zeros((len(heat), len(heat)))
    for i, j in np.ndindex(found.shape):
        both = np.isfinite(first[i]) & np.isfinite(second[j])
        if both.sum() >= FEWEST:
            found[i, j] = rank_correlation(first[i][both], second[j][both])
    return found


def cascade(
    model: MultiviewVLM, adapter: Adapter | None = None, *, stages: int = 5, seed: int = 0
) -> Iterator[tuple[str, MultiviewVLM, Adapter | None]]:
    """The model with ever more of its image side made random, from the top down (Adebayo et al. 2018).

    If a map does not change with the weights, it shows the picture's edges and nothing that the model has learnt. Here
    every tensor's numbers are shuffled among themselves: their distribution stays, what was learnt goes.

    Args:
        model, adapter: left as they are.
        stages: groups of about equal numbers of layers that the tower is divided into.
        seed: of the shuffles.

    Yields:
        name of the stage, the model, the adapter: first "adapter" if there is one, then "1/5 of the tower" and so on.
    """
    generator = torch.Generator().manual_seed(seed)
    model, adapter = copy.deepcopy(model), copy.deepcopy(adapter)
    if adapter is not None:
        _shuffle([value for name, value in adapter.named_parameters() if name != "log_temperature"], generator)
        yield "adapter", model, adapter
    layers = _from_the_top(model)
    bounds = np.linspace(0, len(layers), min(stages, len(layers)) + 1).astype(int)
    for number in range(1, len(bounds)):
        for layer in layers[bounds[number - 1] : bounds[number]]:
            _shuffle(layer, generator)
        yield f"{number}/{len(bounds) - 1} of the tower", model, adapter


def _from_the_top(model: MultiviewVLM) -> list[list[nn.Parameter]]:
    """Parameters of the image tower, layer by layer, from the one that is done last to the one that is done first."""
    visual, done = model.clip.visual, []
    names = {module: name for name, module in visual.named_modules()}

    def note(module: nn.Module, _inputs: tuple, _output: object) -> None:
        done.append(names[module])

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        with torch.no_grad():
            model.clip.encode_image(torch.zeros(1, 3, model.image_size, model.image_size, device=model.mean.device))
    finally:
        for hook in hooks:
            hook.remove()
    layers: dict[str, list[nn.Parameter]] = {name: [] for name in reversed(done)}
    for name, value in visual.named_parameters():
        owner = name
        while owner not in layers:  # some parts are never called, only their weights are used: they go with the whole
            owner = owner.rpartition(".")[0]
        layers[owner].append(value)
    return [values for values in layers.values() if values]


@torch.no_grad()
def _shuffle(values: Sequence[Tensor], generator: torch.Generator) -> None:
    for value in values:
        order = torch.randperm(value.numel(), generator=generator).to(value.device)
        value.copy_(value.flatten()[order].view_as(value))
