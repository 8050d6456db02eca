"""What a notebook says about itself, once, in its metadata; runner, index, `make verify` and tests read it here.

    "mvlm": {"targets": ["tables"],                   of make that run it; the index names the first
             "in_the_paper": "Table I",               what of the paper it stands for
             "items": {"tables": ["table1"],          what it writes under STAGE, each item as the files of its kind
                       "figures": ["table1-ladder"]},
             "corpora": ["BU-3DFE"],                  whose fingerprints it depends on
             "measured": ["timings/{kind}.json"]}     files under runs/ that it reads, made by another command
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mvlm.report.results import FILES
from mvlm.settings import ROOT

NOTEBOOKS = ROOT / "notebooks"


def read(path: Path) -> dict[str, Any]:
    """A notebook as its JSON; ValueError, with its name, where it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # a merge left open, a file cut off
        raise ValueError(f"{path.name}: not a notebook, {error}") from error


def declared(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration of a notebook that was read; empty where it has none."""
    return notebook["metadata"].get("mvlm", {})


def promises(notebook: Mapping[str, Any]) -> list[str]:
    """The files that a notebook promises, below the folder of results: ["tables/table1.csv", ...]."""
    items = declared(notebook).get("items", {})
    return [f"{kind}/{item}.{suffix}" for kind in FILES for item in items.get(kind, ()) for suffix in FILES[kind]]


def named(names: Iterable[str], folder: Path = NOTEBOOKS) -> list[str]:
    """Names of notebooks, each once; that of a target stands for all notebooks it runs, in the order of their names."""
    runs: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.ipynb")):
        for target in declared(read(path)).get("targets", ()):
            runs.setdefault(target, []).append(path.stem)
    return list(dict.fromkeys(notebook for name in names for notebook in runs.get(name, [name])))
