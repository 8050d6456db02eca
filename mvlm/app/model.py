"""The model of the page: loaded once, in the process that `mvlm.app.worker` keeps; nothing here is for another."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from mvlm.settings import Settings

if TYPE_CHECKING:
    from mvlm.model import MultiviewVLM


@cache
def chosen() -> Settings:
    """Model, channel and angles of the views, as the environment of the command says."""
    return Settings.from_environment()


@cache
def model() -> MultiviewVLM:
    """The model, which takes seconds to load."""
    from mvlm.model import load_model

    return load_model(chosen().model, chosen().pretrained)


def ready() -> None:
    """Loads what any answer needs: the model, and what draws views and heat."""
    for library in ("open3d", "mvlm.measures.explain"):
        import_module(library)
    model()
