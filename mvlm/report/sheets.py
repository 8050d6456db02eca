"""Contact sheets: many small pictures of faces on one page, with names along both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP = 2  # pixels between pictures


def contact_sheet(
    pictures: np.ndarray, rows: Sequence[str], columns: Sequence[str], *, groups: Sequence[str] = (), inch: float = 0.95
) -> Figure:
    """A page of pictures.

    Args:
        pictures: (R, C, H, W) or (R, C, H, W, 3) uint8.
        rows, columns: R and C names; "" leaves a place unnamed.
        groups: names over equal shares of the columns.
        inch: height of a picture on the page.

    Raises:
        ValueError: names and pictures differ in number.
    """
    from matplotlib.figure import Figure

    pictures = np.asarray(pictures)
    if pictures.shape[:2] != (len(rows), len(columns)):
        raise ValueError(f"expected {len(rows)} x {len(columns)} pictures, got {pictures.shape}")
    colour = pictures if pictures.ndim == 5 else np.repeat(pictures[..., None], 3, axis=-1)
    padded = np.pad(colour, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255)
    height, width = padded.shape[2:4]
    page = padded.transpose(0, 2, 1, 3, 4).reshape(len(rows) * height, len(columns) * width, 3)
    left, top = (0.9 if any(rows) else 0.1), (0.28 if any(columns) else 0.1) + (0.25 if groups else 0.0)
    across, down = inch * len(columns) * width / height, inch * len(rows)
    figure = Figure(figsize=(left + across + 0.05, top + down + 0.05))
    axes = figure.add_axes((left / (left + across + 0.05), 0.05 / (top + down + 0.05),
                            across / (left + across + 0.05), down / (top + down + 0.05)))  # fmt: skip
    axes.imshow(page, interpolation="nearest", aspect="auto")
    axes.set_xticks((np.arange(len(columns)) + 0.5) * width - GAP, columns, fontsize=7)
    axes.set_yticks((np.arange(len(rows)) + 0.5) * height - GAP, rows, fontsize=7)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for i, name in enumerate(groups):
        share = page.shape[1] / len(groups)
        axes.text((i + 0.5) * share, -0.27 * height / inch, name, ha="center", va="bottom", fontsize=8, weight="bold")
    return figure
