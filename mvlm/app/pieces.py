"""Pieces of a page that its tabs share: words as they are, bars that are a table, a head to turn."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

ACCENT, GREY, SKIN = "#b4472f", "#b9c0c7", "#d3bfb0"
AWAY = 1.7  # of the camera, in sides of the box that a head fills


def plain(said: str) -> str:
    """Words as Markdown that shows them as they are: a file may be called like a link, or like a picture elsewhere."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", said)


def bars(shares: Mapping[str, float], *, what: str, marked: Sequence[str] = (), form: str = "{:.0%}") -> str:
    """A table, in HTML, of words and bars as long as their shares, which are at most 1; the marked ones in colour.

    Args:
        shares: word -> share, in the order in which they are shown; a negative one has no bar.
        what: it is a table of, for who listens to the page.
        form: of a share in words.
    """
    rows = "".join(
        f"<tr><th scope='row' style='{_CELL}font-weight:{600 if word in marked else 400};width:40%'>{escape(word)}</th>"
        f"<td style='{_CELL}'><div style='height:0.65rem;border-radius:0.2rem;width:{100 * max(0.0, share):.1f}%;"
        f"min-width:1px;background:{ACCENT if word in marked else GREY}'></div></td>"
        f"<td style='{_CELL}text-align:right;width:3.5rem'>{form.format(share)}</td></tr>"
        for word, share in shares.items()
    )
    return f"<table aria-label='{escape(what)}' style='width:100%;border-collapse:collapse'>{rows}</table>"


_CELL = "border:none;padding:0.16rem 0.5rem 0.16rem 0;text-align:left;line-height:1.3;"


def turned(vertices: np.ndarray, triangles: np.ndarray, yaw: float = 0.0) -> dict[str, Any]:
    """A figure of plotly's: an upright, frontal head (V, 3), (T, 3), seen from `yaw` degrees to the subject's left."""
    x, y, z = np.asarray(vertices, np.float32).round(1).T
    i, j, k = np.asarray(triangles, np.int32).T
    side, front = np.sin(np.radians(yaw)), np.cos(np.radians(yaw))
    light = {"ambient": 0.42, "diffuse": 0.75, "specular": 0.06, "roughness": 0.8, "fresnel": 0.05}
    mesh = {"type": "mesh3d", "x": x, "y": y, "z": z, "i": i, "j": j, "k": k, "color": SKIN, "hoverinfo": "skip",
            "lighting": light, "lightposition": {"x": 0, "y": 2000, "z": 4000}}  # fmt: skip
    camera = {"eye": {"x": AWAY * side, "y": 0, "z": AWAY * front}, "up": {"x": 0, "y": 1, "z": 0}}
    axes = {f"{axis}axis": {"visible": False} for axis in "xyz"}
    scene = {**axes, "aspectmode": "data", "camera": camera, "dragmode": "orbit"}
    layout = {"scene": scene, "margin": dict.fromkeys("lrtb", 0), "height": 380, "paper_bgcolor": "rgba(0,0,0,0)"}
    return {"data": [mesh], "layout": layout}
