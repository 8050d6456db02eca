"""Faces in three dimensions: reading and writing them, corpora of them, pictures of them."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "Mesh": "mesh", "read_mesh": "formats", "write_mesh": "formats", "project": "views",
    "EMOTIONS": "corpora", "Corpus": "corpora", "Scan": "corpora", "Sequence": "corpora", "Frame": "corpora",
    "open_corpus": "corpora", "Twin": "twins",
}  # fmt: skip
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
