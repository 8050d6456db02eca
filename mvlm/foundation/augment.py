"""Pictures of random faces, changed as no head draws them: moved, bent, blurred, lit anew, covered in part.

A tower that sees each face anew in every epoch learns what an expression does to any face, not to this head: on the
odd subjects of a scan-based face model the area under the ROC curve of single units rises by a tenth. Which changes
there are, and how far they go, was chosen there.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mvlm.faces import dynamics

CROPPED = 0.2  # of a picture's side at most, before sides are scaled by about 5 %
TURN, ASPECT = 4.0, 0.06  # standard deviations: degrees in the picture's plane; of the log of width over height
SHIFT = 2.0  # pixels at most, and where the crop lies
BEND, KNOTS = 3.0, 5  # pixels, standard deviation at each of 5 x 5 knots for the most bent picture
BLUR = 1.0  # pixels, standard deviation for the most blurred one
TONE = 0.3  # standard deviation of the log of gamma; of a dynamic image's contrast
GAIN, OFFSET = 0.15, 15.0  # contrast and grey levels, at most
COVERED, SIDES = 0.5, (6, 20)  # share of pictures that lose a rectangle, pixels of its sides


def augment(images: np.ndarray, moving: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Grey pictures (N,S,S,3) uint8 -> grey levels (N,3,S,S) float32, each changed by itself.

    Whatever happens, the background of a still face stays black, and what does not move in the dynamic image of a
    `moving` one (N,) stays at the grey of rest: contrast changes about it.
    """
    moving = torch.from_numpy(moving).view(-1, 1, 1, 1)
    rest = moving * float(dynamics.REST)
    pixels = torch.from_numpy(images[..., 0]).unsqueeze(1).float() - rest
    pixels = functional.grid_sample(pixels, _places(len(images), images.shape[1], rng), align_corners=False)
    pixels = _lit(_blurred(pixels, rng), moving, rng)
    pixels = torch.where(_covered(len(images), images.shape[1], rng), 0.0, pixels)
    return (pixels + rest).clamp(0, 255).expand(-1, 3, -1, -1)


def _places(count: int, size: int, rng: np.random.Generator) -> Tensor:
    """(N,S,S,2) where each pixel is taken from, in [-1, 1]: cropped, scaled, turned, mirrored, shifted, bent."""
    crop = 1 - CROPPED * rng.random(count)
    scale = crop * np.exp(rng.normal(0, 0.05, count))
    turn = np.radians(rng.normal(0, TURN, count))
    mirrored = np.where(rng.random(count) < 0.5, 1.0, -1.0)
    aspect = np.exp(rng.normal(0, ASPECT, count))
    middle = rng.uniform(-1, 1, (2, count)) * (2 * SHIFT / size + 1 - crop)
    rows = [
        [scale * mirrored * np.cos(turn) * aspect, -scale * np.sin(turn), middle[0]],
        [scale * mirrored * np.sin(turn), scale * np.cos(turn) / aspect, middle[1]],
    ]
    affine = torch.from_numpy(np.array(rows, np.float32)).permute(2, 0, 1)
    places = functional.affine_grid(affine, [count, 1, size, size], align_corners=False)
    bend = BEND * rng.random((count, 1, 1, 1)) * rng.normal(size=(count, 2, KNOTS, KNOTS)) * 2 / size
    smooth = _smooth(size)
    return places + (smooth @ torch.from_numpy(bend.astype(np.float32)) @ smooth.T).permute(0, 2, 3, 1)


@lru_cache(maxsize=2)
def _smooth(size: int) -> Tensor:
    """(S, KNOTS) weights of the knots along a side: bicubic."""
    knots = torch.eye(KNOTS).view(1, 1, KNOTS, KNOTS)
    return functional.interpolate(knots, size=(size, KNOTS), mode="bicubic", align_corners=True)[0, 0]


def _blurred(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    count, _, size, _ = pixels.shape
    spread = BLUR * rng.random((count, 1)) + 0.05
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / spread) ** 2)
    kernel = torch.from_numpy((kernel / kernel.sum(1, keepdims=True)).astype(np.float32))
    pixels = pixels.view(1, count, size, size)  # a picture a channel, each with its own kernel
    pixels = functional.conv2d(pixels, kernel.view(count, 1, 5, 1), padding=(2, 0), groups=count)
    return functional.conv2d(pixels, kernel.view(count, 1, 1, 5), padding=(0, 2), groups=count).view(-1, 1, size, size)


def _lit(pixels: Tensor, moving: Tensor, rng: np.random.Generator) -> Tensor:
    """Still faces by another gamma, contrast and brightness, but black stays black; moving ones by contrast alone."""
    draws = rng.normal(0, TONE, len(pixels)), rng.uniform(-1, 1, len(pixels)), rng.uniform(-1, 1, len(pixels))
    tone, gain, offset = (torch.from_numpy(draw.astype(np.float32)).view(-1, 1, 1, 1) for draw in draws)
    still = 255 * (pixels.clamp(0, 255) / 255) ** tone.exp()
    contrast = torch.where(moving, pixels * tone.exp(), still) * (1 + GAIN * gain)
    return contrast + OFFSET * offset * ((pixels > 2) & ~moving)


def _covered(count: int, size: int, rng: np.random.Generator) -> Tensor:
    """(N,1,S,S) bool: a rectangle of some pictures, which hair, a hand or a hole hides."""
    middle, sides = size * rng.random((2, count, 1, 1)), rng.uniform(*SIDES, (2, count, 1, 1))
    along = np.arange(size)
    inside = (abs(along[:, None] - middle[0]) < sides[0] / 2) & (abs(along - middle[1]) < sides[1] / 2)
    return torch.from_numpy(inside & (rng.random((count, 1, 1)) < COVERED)).unsqueeze(1)
