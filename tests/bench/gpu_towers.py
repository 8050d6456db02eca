"""Towers to measure on, and two trainings of them compared.

Shapes: N samples, V views, H side of a view.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import open_clip
import pytorch_lightning as pl
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from mvlm.labels.clusters import aggregate
from mvlm.losses.readings import PARTS
from mvlm.measures.evaluate import zero_shot
from mvlm.model import RANDOM, TINY, load_model
from mvlm.prompts import prompts_for
from mvlm.samples import Rendering
from mvlm.settings import Training
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.training.batches import Batch, batch_order
from mvlm.training.towers import FineTuning, embed, fit

from .gpu_views import BENCHMARK, Views

EMOTIONS = BENCHMARKS[BENCHMARK].emotions
SMALL = "small ViT"


def weights_of(tower: str, folder: Path) -> tuple[str, str | None]:
    """Arguments of `mvlm.model.load_model`; weights of the small tower are made in the folder."""
    if tower != SMALL:
        return tower, None if tower == TINY else RANDOM
    place = folder / "small-vit"
    if not place.is_dir():
        image = {"layers": 2, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 32}
        text = {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
        parts = {"embed_dim": 24, "vision_cfg": image, "text_cfg": text}
        place.mkdir()
        config = json.dumps({"model_cfg": parts, "preprocess_cfg": {}})
        (place / "open_clip_config.json").write_text(config, encoding="utf-8")
        torch.manual_seed(0)
        state = open_clip.model.CLIP(24, image, text).state_dict()
        save_file({name: value.clone() for name, value in state.items()}, place / "model.safetensors")
    return f"local-dir:{place}", None


def module(weights: tuple[str, str | None], labels: np.ndarray, settings: Training, steps: int) -> FineTuning:
    """What the full profile trains, on the processor: the whole objective with labels (N, V)."""
    texts, prompt_class = prompts_for(EMOTIONS)
    options = {"use": PARTS, "training": settings, "steps": steps}
    return FineTuning(load_model(*weights), texts, torch.from_numpy(prompt_class), torch.from_numpy(labels), **options)


def classes(views: Views) -> np.ndarray:
    """(N, V) the emotion of each view as a number."""
    of = np.array([EMOTIONS.index(emotion) for emotion in views.emotions], dtype=np.int64)
    return np.repeat(of[:, None], views.images.shape[1], axis=1)


def flat(trained: FineTuning) -> Tensor:
    """All weights as one row, on the processor."""
    return torch.cat([p.detach().float().flatten().cpu() for p in trained.model.clip.parameters()])


def on_device(shown: Batch, device: str) -> Batch:
    return Batch(*(part.to(device) for part in shown))


def autocast(device: str, bf16: bool) -> torch.autocast:
    return torch.autocast(device, torch.bfloat16, enabled=bf16)


def apart(found: Tensor | float, expected: Tensor | float) -> float:
    """Length of the difference of two tensors over that of the second."""
    found, expected = (torch.as_tensor(x, dtype=torch.float64) for x in (found, expected))
    return float((found - expected).norm() / expected.norm())


def cosine(one: Tensor, other: Tensor) -> float:
    """Of two rows, summed in double precision."""
    return float(functional.cosine_similarity(one.double(), other.double(), dim=0))


class Trained(NamedTuple):
    """What a training came to."""

    curve: list[float]  # loss of each step
    seconds: float
    predicted: np.ndarray  # (N,) class of each sample
    learnt: Tensor  # all weights minus those before, as one row


class Watch(pl.Callback):
    """Loss of every step, and the seconds of all."""

    def on_train_start(self, _trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        self.losses, self.started = [], time.perf_counter()

    def on_train_batch_end(self, _trainer: pl.Trainer, _module: pl.LightningModule, outputs, *_rest: object) -> None:
        self.losses.append(outputs["loss"].detach().clone())

    def on_train_end(self, _trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        self.curve = [float(loss) for loss in self.losses]  # waits for the device
        self.seconds = time.perf_counter() - self.started


def train(weights: tuple, views: Views, settings: Training, device: str) -> Trained:
    """Train as the full profile does, with the true emotions as labels."""
    places = np.arange(len(views.names))
    order = batch_order(len(places), settings.batch, settings.epochs, seed=0)
    trained, watch = module(weights, classes(views), settings, len(order)), Watch()
    before = flat(trained)
    fit(trained, views.images, places, order, Rendering(), seed=0, device=device, callbacks=[watch])
    model = trained.model.float().requires_grad_(False)
    found = zero_shot(aggregate(embed(model, views.images, places, device)), model.prototypes(EMOTIONS).numpy())
    return Trained(watch.curve, watch.seconds, found, flat(trained) - before)


def against(run: Trained, other: Trained) -> dict[str, float]:
    """How far two trainings over the same batches are apart."""
    errors = [apart(*pair) for pair in zip(run.curve, other.curve, strict=True)]
    return {
        "largest relative error of a loss": max(errors),
        "relative error of what was learnt": apart(run.learnt, other.learnt),
        "equal predictions": float((run.predicted == other.predicted).mean()),
    }
