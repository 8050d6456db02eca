"""Views flipped or cropped: the augmentation of the paper ("classically flipped or cropped"), for both trainers.

Shapes: n samples or images, V views, H side of an image, h side of a window.
"""

from __future__ import annotations

import numpy as np

from mvlm.samples import Rendering

CROP = 7 / 8  # of a view's side


def flip(images: np.ndarray, rendering: Rendering) -> np.ndarray:
    """The views (n, V, H, H, 3) of mirrored faces.

    A mirrored face shows its right side on the left: views of opposite angles are exchanged, and of normals the
    horizontal part is turned round.
    """
    images = images[:, [rendering.yaws.index(-yaw) for yaw in rendering.yaws], :, ::-1]
    if rendering.channel == "normals":
        across = np.where(images.any(axis=-1), 255 - images[..., 0], 0)
        images = np.concatenate([across[..., None], images[..., 1:]], axis=-1)
    return images


def windows(images: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Windows (n, ..., h, h, 3) of images (n, ..., H, H, 3), h being `CROP` of H.

    Args:
        images: all that belongs to one of the n is cropped alike.
        corners: (n, 2) in [0, 1], where in the room there is a window lies: down, across.
    """
    side = images.shape[-2]
    small = round(side * CROP)
    at = np.rint(corners * (side - small)).astype(int)
    return np.stack([image[..., y : y + small, x : x + small, :] for image, (y, x) in zip(images, at, strict=True)])
