"""Workers that start at once: tests of who works where, and what becomes of it, need neither model nor ray caster."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from mvlm.cache import workers


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Workers import what they need when they need it, and find an empty module where Open3D is asked for."""
    folder = tmp_path_factory.mktemp("light")
    (folder / "open3d.py").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "LIBRARIES", ())
        patch.syspath_prepend(folder)  # which workers of a pool and of a cluster take over; other processes take this:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield
    if getattr(sys.modules.get("open3d"), "__file__", None) == str(folder / "open3d.py"):
        del sys.modules["open3d"]  # work of this process itself found it, too
