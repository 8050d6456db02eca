"""A replication of MultiviewVLM: unsupervised multiview vision-language learning for 3D and 4D facial expressions."""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"
_HOMES = {"MultiviewVLM": "model", "open_corpus": "samples"}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Here and not above: the model brings torch, and `import mvlm` is light.
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
