"""Batches of views for end-to-end training: which samples, in which order, flipped or cropped how.

Everything about a step follows from the seed and the number of the step, never from what came before it or from the
number of ranks: so a training can be taken up at any step, by any number of ranks, and goes on as it would have.

Shapes: N samples, B samples of the batch of all ranks, b of one rank, V views, H side of an image, S of the tower's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mvlm.model import MultiviewVLM
from mvlm.samples import Rendering

CROP = 7 / 8  # of a view's side; as in the cheap profile


class Batch(NamedTuple):
    """What one rank sees in one step.

    Attributes:
        images: (b, V, H, H, 3) uint8.
        rows: (b,) the samples, as rows of the labels.
        draws: (b,) in [0, 1), which pick a prompt of each sample's class.
        flipped: (b,) bool, the whole face.
        cropped: (b, V) bool, each view by itself.
        corners: (b, V, 2) in [0, 1], where in the room there is a crop lies: down, across.
    """

    images: Tensor
    rows: Tensor
    draws: Tensor
    flipped: Tensor
    cropped: Tensor
    corners: Tensor


def batch_order(samples: int, batch: int, epochs: int, seed: int) -> list[np.ndarray]:
    """Rows (B,) of the samples of each step: every epoch in another order, all batches full.

    A batch may reach over the end of an epoch, so that no sample is left out and none is repeated to fill one up; after
    the last full batch less than one remains.

    Raises:
        ValueError: a batch that is larger than all samples.
    """
    if batch > samples:
        raise ValueError(f"TRAINING=batch={batch}: expected at most the {samples} samples to train on")
    generator = np.random.default_rng(seed)
    order = np.concatenate([generator.permutation(samples) for _ in range(epochs)])
    return list(order[: len(order) // batch * batch].reshape(-1, batch))


class Batches(Dataset):
    """The steps of a training from one step on, as a rank sees them: its even share of each batch, in one piece.

    Args:
        images: (M, V, H, H, 3) uint8, memory-mapped or not.
        places: (N,) where in `images` the samples lie.
        order: rows (B,) of each step, as `batch_order` gives them.
        seed: of prompts, flips and crops.
        first: the step to begin with.
        rank, count: of the ranks.

    Raises:
        ValueError: a batch that the ranks cannot share evenly: a mean of their means would weigh samples unequally.
    """

    def __init__(
        self, images: np.ndarray, places: np.ndarray, order: Sequence[np.ndarray], *, seed: int, first: int = 0,
        rank: int = 0, count: int = 1,
    ):  # fmt: skip
        uneven = sorted({len(rows) for rows in order if len(rows) % count})
        if uneven:
            raise ValueError(f"TRAINING=batch={uneven[-1]}: expected a multiple of the {count} ranks")
        self.images, self.places, self.order, self.seed = images, places, order, seed
        self.first, self.rank, self.count = first, rank, count

    def __len__(self) -> int:
        return len(self.order) - self.first

    def __getitem__(self, index: int) -> Batch:
        step = self.first + index
        rows, views = self.order[step], self.images.shape[1]
        generator = np.random.default_rng([self.seed, step])  # for all ranks: each takes its share of the same draws
        draws, flipped = generator.random(len(rows), dtype=np.float32), generator.random(len(rows)) < 0.5
        cropped = generator.random((len(rows), views)) < 0.5
        corners = generator.random((len(rows), views, 2), dtype=np.float32)
        share = len(rows) // self.count
        own = slice(self.rank * share, (self.rank + 1) * share)
        images = np.ascontiguousarray(self.images[self.places[rows[own]]])
        parts = (images, rows[own], draws[own], flipped[own], cropped[own], corners[own])
        return Batch(*(torch.from_numpy(np.array(part)) for part in parts))


def flip(images: Tensor, rendering: Rendering) -> Tensor:
    """The views (b, V, H, H, 3) of mirrored faces.

    A mirrored face shows its right side on the left: views of opposite angles are exchanged, and of normals the
    horizontal part is turned round.
    """
    images = images[:, [rendering.yaws.index(-yaw) for yaw in rendering.yaws]].flip(3)
    if rendering.channel == "normals":
        across = torch.where(images.any(dim=-1).bool(), 255 - images[..., 0], 0)
        images = torch.cat([across[..., None], images[..., 1:]], dim=-1)
    return images


def prepared(batch: Batch, model: MultiviewVLM, rendering: Rendering) -> Tensor:
    """Images of a batch, flipped and cropped as it says, ready for the tower: (b, V, 3, S, S)."""
    images = batch.images
    if batch.flipped.any():
        images = images.clone()
        images[batch.flipped] = flip(images[batch.flipped], rendering)
    count, views, side = images.shape[:3]
    flat, cropped = images.flatten(0, 1), batch.cropped.flatten()
    small = round(side * CROP)
    pixels = model.prepare(flat)
    if cropped.any():
        corners = (batch.corners.flatten(0, 1)[cropped] * (side - small)).round().long()
        windows = flat[cropped].unfold(1, small, 1).unfold(2, small, 1)  # (n, rows, columns, 3, small, small)
        windows = windows[torch.arange(len(corners), device=flat.device), corners[:, 0], corners[:, 1]]
        pixels[cropped] = model.prepare(windows.permute(0, 2, 3, 1)).to(pixels)
    return pixels.unflatten(0, (count, views))
