"""The average face: what poses and regions fall back on where a face has no landmarks.

`average.npz` is made by the room of the formula head, `python -m mvlm.twins.head.average`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("average.npz")


@lru_cache(maxsize=1)
def average() -> dict[str, np.ndarray]:
    """The average face as the formula head makes it, nose tip at the origin, mm.

    Returns:
        points, normals: (N, 3) of its upper half, see `mvlm.faces.registration.Patch`;
        corners: (4, 3) outer and inner corner of the left eye, then of the right eye;
        names, landmarks: (L,) and (L, 3) of its landmarks.
    """
    with np.load(FILE) as file:
        return dict(file)
