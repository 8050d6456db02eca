"""Checkpoints of a training: weights as safetensors, the state of the optimiser beside them; whole or absent."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn

from mvlm import weights
from mvlm.ranks import group

WEIGHTS, STATE = "weights.safetensors", "state.pt"
NAME = "step-{:07d}"


class Saving(pl.Callback):
    """Rank 0 writes a checkpoint every so many steps and after the last one, and keeps the newest alone."""

    def __init__(self, folder: Path, every: int, last: int):
        self.folder, self.every, self.last = folder, every, last

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_rest: object) -> None:
        step = module.first + trainer.global_step
        if group.number() == 0 and (step % self.every == 0 or step == self.last):
            save(self.folder, step, module.model.clip, trainer.optimizers[0])


def save(folder: Path, step: int, clip: nn.Module, optimizer: torch.optim.Optimizer) -> Path:
    """Writes the checkpoint after `step` steps, then removes older ones; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    growing, whole = folder / f".{uuid.uuid4().hex}", folder / NAME.format(step)
    growing.mkdir()
    weights.save(growing / WEIGHTS, clip)
    torch.save({"step": step, "optimizer": optimizer.state_dict()}, growing / STATE)
    if whole.exists():
        shutil.rmtree(whole)
    os.replace(growing, whole)
    for other in [*folder.glob("step-*"), *folder.glob(".*")]:
        if other != whole and other.is_dir():
            shutil.rmtree(other)
    return whole


def newest(folder: Path) -> str | None:
    """The folder of the last checkpoint, None where there is none."""
    return max((str(path) for path in folder.glob("step-*")), default=None)


def load(checkpoint: str | Path, clip: nn.Module) -> tuple[int, dict]:
    """Fills a model with the weights of a checkpoint; returns the steps done and the state of the optimiser.

    Raises:
        ValueError: the weights are not those of such a model, or the state is damaged.
    """
    path = Path(checkpoint)
    weights.fill(clip, "this model", path / WEIGHTS, exact=True)
    try:
        state = torch.load(path / STATE, map_location="cpu", weights_only=True)
        return int(state["step"]), state["optimizer"]
    except Exception as error:  # torch raises many kinds
        message = f"{path / STATE}: expected the state of an optimiser ({type(error).__name__}); "
        raise ValueError(message + f"remove {path} to start from the weights before") from error
