"""The paper's experiments, as data: benchmarks, methods, runs, and the reports made of them."""

from __future__ import annotations

__all__ = ["run"]


def __getattr__(name: str) -> object:
    if name == "run":  # here and not above: runs bring torch, and the notebook runner must start at once
        from mvlm.study.runs import run

        return run
    raise AttributeError(f"module 'mvlm.study' has no attribute {name!r}")
