"""Training end to end: two ranks against one, and the whole trainer against the bare towers.

The first is in seconds of an epoch, a thread to each rank, 64 samples a rank, in turns of both, so that a machine that
slows down meets both: two ranks must take at most 1 / 1.8 of one's. The second is a step of 64 samples on one thread,
in a process of its own: loader, flips and crops, loss, log and Lightning on the one side; on the other the same towers
and optimiser on a batch that is there.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch

from mvlm.model import load_model
from mvlm.ranks.launch import find_devices, launch
from mvlm.samples import Rendering
from mvlm.settings import Settings, Training
from mvlm.study.items import fig4_fig5
from mvlm.training.batches import Batches, batch_order
from mvlm.training.step import unfilled
from mvlm.training.towers import FineTuning, fit
from mvlm.training.vocabulary import only_used
from tests.bench import Row

BATCH, SAMPLES = 64, 768
TEXTS = [f"{word} face" for word in ("a happy", "a sad", "an angry", "a scared", "a surprised", "a disgusted")]
TURNS, EPOCHS, STEPS = 5, 3, 12  # of both sides by turns; epochs of a turn, and steps
FASTER, DEARER = 1.8, 1.05


class Clock(pl.Callback):
    """Seconds from the end of a step to the end of the next."""

    def __init__(self):
        self.last, self.steps = None, []

    def on_train_batch_end(self, *_arguments: object) -> None:
        now = time.perf_counter()
        if self.last is not None:
            self.steps.append(now - self.last)
        self.last = now


def steps(path: str) -> None:
    """Writes the median seconds of a step: of the trainer, and of the towers alone."""
    images = np.random.default_rng(0).integers(0, 256, (SAMPLES, 3, 64, 64, 3), dtype=np.uint8)
    order = batch_order(SAMPLES, BATCH, 2, seed=0)[: STEPS + 1]
    settings = Training(batch=BATCH)

    def module() -> FineTuning:
        labels = torch.arange(SAMPLES)[:, None].expand(-1, 3) % len(TEXTS)
        use = ("contrastive", "pairs", "multiview")
        return FineTuning(
            load_model(), TEXTS, torch.arange(len(TEXTS)), labels, use=use, training=settings, steps=len(order)
        )

    batch = Batches(images, np.arange(SAMPLES), order, Rendering(), seed=0)[0]
    towers, whole, alone = module(), [], []
    with only_used(towers.model.clip, towers.tokens), unfilled():  # on both sides memory is as it comes
        optimizer = towers.configure_optimizers()
        for _ in range(TURNS):
            clock = Clock()
            with tempfile.TemporaryDirectory() as folder:
                watched = {"seed": 0, "device": "cpu", "callbacks": [clock], "log": Path(folder)}
                fit(module(), images, np.arange(SAMPLES), order, Rendering(), **watched)
            whole += clock.steps
            for _ in range(STEPS):
                start = time.perf_counter()
                forward_backward(towers, batch.images, optimizer)
                alone.append(time.perf_counter() - start)
    Path(path).write_text(json.dumps([statistics.median(whole), statistics.median(alone)]), encoding="utf-8")


def forward_backward(towers: FineTuning, images: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    """A step of the towers alone, on images and prompts, for a loss that costs nothing."""
    optimizer.zero_grad()
    pixels = towers.model.prepare(images.flatten(0, 1))
    (towers.model.clip.encode_image(pixels).sum() + towers.model.clip.encode_text(towers.tokens).sum()).backward()
    optimizer.step()


def measure() -> Iterator[Row]:
    found = fig4_fig5.measure(Settings(), ranks=(1, 2) * TURNS, batches=(BATCH,), samples=SAMPLES, epochs=EPOCHS)
    one, two = (
        statistics.median(seconds for row in found["rows"] if row["ranks"] == ranks for seconds in row["seconds"])
        for ranks in (1, 2)
    )
    yield Row(f"epoch of {SAMPLES} samples, 2 ranks", two, "1 rank", one, 1 / FASTER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "steps.json")
        launch("tests.bench.engine:steps", {"path": str(path)}, find_devices("cpu"), threads=1)
        whole, alone = json.loads(path.read_text(encoding="utf-8"))
    yield Row(f"step of {BATCH} samples, trained", whole, "towers forward, backward, AdamW", alone, DEARER)
