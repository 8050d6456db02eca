"""The .mtl beside an .obj: of each material, the picture that colours it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mvlm.faces.formats.files import read_text

_LINE = re.compile(rb"^[ \t]*(newmtl|map_\w+)[ \t]+([^\n]*)", re.MULTILINE | re.IGNORECASE)
_MAPS = (b"map_kd", b"map_ka", b"map_ke")  # the diffuse colour, or else what stands for it: ambient, or glowing
_NUMBER = rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_OPTION = re.compile(
    rb"-(?:([ost])((?:[ \t]+" + _NUMBER + rb"(?=[ \t]|\Z)){1,3})|mm[ \t]+\S+[ \t]+\S+|"
    rb"(blendu|blendv|cc|clamp|texres|imfchan|bm|type|colorspace)[ \t]+(\S+))(?=[ \t]|\Z)",
    re.IGNORECASE,
)
_BEHIND = 12  # options behind a name; there are eleven kinds


class Map(NamedTuple):
    """The picture of a material: its name as it is written, with and without what looks like options, and the latter.

    Texture coordinates are multiplied by `scale`, then moved by `offset`; beyond [0, 1] the picture repeats, unless it
    is to `clamp`.
    """

    reference: bytes
    whole: bytes
    scale: tuple[float, ...] = (1.0, 1.0)
    offset: tuple[float, ...] = (0.0, 0.0)
    clamp: bool = False

    def applied(self, coordinates: np.ndarray) -> np.ndarray:
        """Texture coordinates (U, 2) as the options change them."""
        if (self.scale, self.offset) != ((1.0, 1.0), (0.0, 0.0)):
            coordinates = coordinates * self.scale + self.offset
        return coordinates.clip(0, 1) if self.clamp else coordinates


def read_mtl(path: Path) -> dict[bytes, Map | None]:
    """Name of each material, b"" before the first -> its picture, if it has one; the first of several.

    Raises ValueError if it is no text.
    """
    text = re.sub(rb"\r\n?", b"\n", read_text(path))
    found: dict[bytes, dict[bytes, bytes]] = {b"": {}}
    maps = found[b""]
    for match in _LINE.finditer(text):
        word, rest = match[1].lower(), match[2].strip()
        if word == b"newmtl":
            maps = found.setdefault(rest, {})
        elif rest:
            maps.setdefault(word, rest)
    return {name: next((_map(maps[word]) for word in _MAPS if word in maps), None) for name, maps in found.items()}


def _map(rest: bytes) -> Map:
    options, name = _leading(rest)
    for match in list(re.finditer(rb"[ \t]+(?=-[a-zA-Z])", name))[-_BEHIND:]:
        behind, left = _leading(name[match.end() :])
        if behind and not left:
            options, name = [*options, *behind], name[: match.start()]
            break
    found = Map(name, rest)
    for letter, values, word, value in options:
        numbers = tuple(map(float, values.split()[:2]))
        if letter.lower() == b"s":
            found = found._replace(scale=(*numbers, 1.0)[:2])
        elif letter.lower() == b"o":
            found = found._replace(offset=(*numbers, 0.0)[:2])
        elif word.lower() == b"clamp":
            found = found._replace(clamp=value.lower() == b"on")
    return found


def _leading(text: bytes) -> tuple[list[tuple[bytes, ...]], bytes]:
    """The options with which a text begins, and what is left of it."""
    options = []
    while match := _OPTION.match(text):
        options.append(match.groups(default=b""))
        text = text[match.end() :].lstrip()
    return options, text
