"""The objective: equations (1)-(8), how they are read, their gradients, and what sibling methods minimise instead."""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "Contrastive": "equations",
    "Gather": "equations",
    "Learnt": "equations",
    "Terms": "equations",
    "contrastive": "equations",
    "identity": "equations",
    "multiview": "equations",
    "negative_loss": "equations",
    "objective": "equations",
    "positive_loss": "equations",
    "positive_pairs": "equations",
    "DEFAULT": "readings",
    "READINGS": "readings",
    "TEXT": "readings",
    "Reading": "readings",
    "Readings": "readings",
    "Weights": "readings",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
