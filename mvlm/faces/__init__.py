"""Faces in three dimensions: reading and writing them, corpora of them, pictures of them."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "Mesh": "mesh",
    "read_mesh": "formats.by_extension",
    "write_mesh": "formats.by_extension",
    "project": "views",
    "EMOTIONS": "corpora.items",
    "Corpus": "corpora.corpus",
    "Scan": "corpora.items",
    "Sequence": "corpora.items",
    "Frame": "corpora.items",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
