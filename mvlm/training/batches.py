"""Batches of views for end-to-end training: which samples, in which order, flipped or cropped how.

Everything about a step follows from the seed and the number of the step, never from what came before it or from the
number of ranks: so a training can be taken up at any step, by any number of ranks, and goes on as it would have.

Shapes: N samples, B samples of the batch of all ranks, b of one rank, V views, H side of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from mvlm.samples import Rendering
from mvlm.training.augment import flip, windows


class Batch(NamedTuple):
    """What one rank sees in one step.

    Attributes:
        images: (b, V, H, H, 3) uint8, half of the faces flipped and half of the views cropped.
        rows: (b,) the samples, as rows of the labels.
        draws: (b,) in [0, 1), which pick a prompt of each sample's class.
    """

    images: Tensor
    rows: Tensor
    draws: Tensor


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
        rendering: what the images show.
        seed: of prompts, flips and crops.
        first: the step to begin with.
        rank, count: of the ranks.

    Raises:
        ValueError: a batch that the ranks cannot share evenly: a mean of their means would weigh samples unequally.
    """

    def __init__(
        self, images: np.ndarray, places: np.ndarray, order: Sequence[np.ndarray], rendering: Rendering, *, seed: int,
        first: int = 0, rank: int = 0, count: int = 1,
    ):  # fmt: skip
        uneven = sorted({len(rows) for rows in order if len(rows) % count})
        if uneven:
            raise ValueError(f"TRAINING=batch={uneven[-1]}: expected a multiple of the {count} ranks")
        self.images, self.places, self.order, self.seed = images, places, order, seed
        self.rendering, self.first, self.rank, self.count = rendering, first, rank, count

    def __getstate__(self) -> dict:
        """A loading process maps the file of images anew, where a copy would hold all of them."""
        mapped = isinstance(self.images, np.memmap) and self.images.filename
        return self.__dict__ | ({"images": str(self.images.filename)} if mapped else {})

    def __setstate__(self, state: dict) -> None:
        self.__dict__ |= state
        if isinstance(self.images, str):
            self.images = np.load(self.images, mmap_mode="r")

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
        images = np.array(self.images[self.places[rows[own]]])
        images[flipped[own]] = flip(images[flipped[own]], self.rendering)
        images[cropped[own]] = crop(images[cropped[own]], corners[own][cropped[own]])
        return Batch(*(torch.from_numpy(part.copy()) for part in (images, rows[own], draws[own])))


def crop(images: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Windows of images (n, H, H, 3) uint8, antialiased bicubic to the side they had.

    Args:
        images: each cropped by itself.
        corners: (n, 2) in [0, 1], where in the room there is a window lies: down, across.
    """
    if not len(images):
        return images
    side = images.shape[1]
    pixels = torch.from_numpy(windows(images, corners)).permute(0, 3, 1, 2)
    whole = functional.interpolate(pixels, size=(side, side), mode="bicubic", antialias=True)
    return whole.permute(0, 2, 3, 1).numpy()
