"""What a training says while it runs: rate, time left and memory on a bar, and a log to draw curves from."""

from __future__ import annotations

import logging
import resource
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytorch_lightning as pl
import torch
from tqdm import tqdm

from mvlm.cache.workers import SAID_FROM
from mvlm.ranks import group

EVERY = 10  # steps from one line of the log to the next
FIRST = 3  # steps before the time that is left can be said


class Progress(pl.Callback):
    """A bar and a log of rank 0: loss over all ranks, images per second of all ranks, memory of this one.

    The log is TensorBoard's; a training that is taken up gets a curve of its own.

    Args:
        title: of the bar.
        steps: of the whole training.
        folder: for the log; None: none.
    """

    def __init__(self, title: str, steps: int, folder: Path | None):
        self.title, self.steps, self.folder, self.lines, self.bar = title, steps, folder, None, None

    def on_train_start(self, _trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.since, self.images, self.loss = time.perf_counter(), 0, float("nan")
        if group.number() == 0:
            self.bar = tqdm(total=self.steps, initial=module.first, desc=self.title, unit="step", disable=None)
            if self.folder is not None:
                self.lines = pl.loggers.TensorBoardLogger(self.folder, "", f"from-step-{module.first}")

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, outputs, batch, _index: int) -> None:
        done = trainer.global_step
        step = module.first + done
        self.images += batch.images.shape[0] * batch.images.shape[1] * group.count()
        if done == FIRST and self.bar is not None:
            left = (time.perf_counter() - self.since) / FIRST * (self.steps - step)
            if left > SAID_FROM:
                tqdm.write(f"{self.title}: {self.steps:,} steps, about {left / 60:.0f} min")
        if step % EVERY == 0 or step == self.steps:
            loss = outputs["loss"].detach().clone()
            if group.grouped():
                torch.distributed.all_reduce(loss)
            self.loss = loss.item() / group.count()
            if self.loss != self.loss:
                raise RuntimeError(f"step {step}: the loss is not a number; a lower TRAINING=rate= may help")
            self._say(module, step)
        if self.bar is not None:
            self.bar.update()

    def on_train_end(self, _trainer: pl.Trainer, _module: pl.LightningModule) -> None:
        self._close()

    def on_exception(self, _trainer: pl.Trainer, _module: pl.LightningModule, _exception: BaseException) -> None:
        self._close()

    def _say(self, module: pl.LightningModule, step: int) -> None:
        if self.bar is None:
            return
        now = time.perf_counter()
        rate, held = self.images / (now - self.since), memory(module.device)
        self.since, self.images = now, 0
        self.bar.set_postfix_str(f"loss {self.loss:.3f}, {rate:.0f} images/s, {held:.1f} GB", refresh=False)
        if self.lines is not None:
            values = {
                "loss": self.loss,
                "learning_rate": module.rate(step - 1),
                "temperature": 1 / module.model.clip.logit_scale.detach().exp().item(),
                "images_per_second": rate,
                "memory_gb": held,
            }
            self.lines.log_metrics(values, step=step)

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        if self.lines is not None:
            self.lines.save()
            self.lines.finalize("success")


def memory(device: torch.device) -> float:
    """GB at the peak: of a CUDA device as allocated, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


@contextmanager
def quiet() -> Iterator[None]:
    """Silences what Lightning remarks on machine and loaders: the settings that it advises are chosen here."""
    said = logging.getLogger("pytorch_lightning")
    level = said.level
    said.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
            yield
    finally:
        said.setLevel(level)
