"""A replication of MultiviewVLM: unsupervised multiview vision-language learning for 3D and 4D facial expressions."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["MultiviewVLM", "__version__"]


def __getattr__(name: str) -> object:
    if name == "MultiviewVLM":  # here and not above: the model brings torch, and `import mvlm` is light
        from mvlm.model import MultiviewVLM

        return MultiviewVLM
    raise AttributeError(f"module 'mvlm' has no attribute {name!r}")
