"""What `mvlm classify` and `mvlm views` do: everything is known before anything is written, errors are one line."""

from __future__ import annotations

import io
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mvlm import settings
from mvlm.cache.files import write
from mvlm.classify.page import about, picture, report
from mvlm.classify.verdicts import Verdict, classify, frames_of, people, views_of
from mvlm.faces.corpora.items import EMOTIONS
from mvlm.faces.views import view_names
from mvlm.machine import expect_writable, reason
from mvlm.settings import Settings


def run(paths: Sequence[str], folder: str | None, *, one_person: bool = False, as_json: bool = False) -> int:
    """Prints the verdict on each path and writes its picture into a folder; returns the exit status.

    With `one_person`, the scans of a folder are of one person, and so are files.
    """
    try:
        chosen = Settings.from_environment()
        target = _folder(folder, "classify")
        given, persons = [Path(path) for path in paths], None
        if one_person:
            given, persons = people(given)
        names = _names(given)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            verdicts = classify(given, chosen, pool, persons=persons)
            pictures = list(pool.map(picture, verdicts, repeat(chosen)))
        files = [target / f"{name}.png" for name in names]
        for file, drawn in zip(files, pictures, strict=True):
            write(file, lambda to, drawn=drawn: to.write(drawn))
    except (ValueError, OSError) as error:
        return _refused(error)
    if as_json:
        scans = [_told(verdict) | {"picture": str(file)} for verdict, file in zip(verdicts, files, strict=True)]
        _print({"model": chosen.model, "about": about(chosen.model), "scans": scans})
        return 0
    for verdict, file in zip(verdicts, files, strict=True):
        print(f"{report(verdict)}\n  picture: {file}\n")
    print(about(chosen.model))
    return 0


def show(paths: Sequence[str], folder: str | None, size: int, *, as_json: bool = False) -> int:
    """Writes the views of each path, a PNG each, into a folder and prints where; returns the exit status."""
    from PIL import Image

    try:
        chosen = Settings.from_environment()
        target = _folder(folder, "views")
        given = [Path(path) for path in paths]
        names, scans, files = _names(given), [], {}
        for path, name, frames in zip(given, names, map(frames_of, given), strict=True):
            (views,), kind, lost = views_of(frames, chosen, (size,))
            own = {title: target / f"{name}-{title}.png" for title in view_names(chosen.yaws)}
            files |= dict(zip(own.values(), views, strict=True))
            told = {title: str(file) for title, file in own.items()}
            scans.append({"name": path.name, "kind": kind, "face_found": not lost, "views": told})
        for file, view in files.items():
            drawn = io.BytesIO()
            Image.fromarray(view).save(drawn, "png")
            write(file, lambda to, drawn=drawn: to.write(drawn.getbuffer()))
    except (ValueError, OSError) as error:
        return _refused(error)
    if as_json:
        _print({"scans": scans})
        return 0
    for scan in scans:
        print("\n  ".join([f"{scan['name']} ({scan['kind']})", *scan["views"].values()]))
    return 0


def _folder(given: str | None, usual: str) -> Path:
    folder = settings.RUNS / usual if given is None else Path(given)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder for the pictures, found a file")
    expect_writable(folder)
    return folder


def _refused(error: Exception) -> int:
    """Says what is wrong in one line: with the input, status 2, or with this machine, status 1."""
    machine = reason(error)
    print(" ".join((machine or str(error)).split()), file=sys.stderr)
    return 2 if machine is None else 1


def _told(verdict: Verdict) -> dict[str, Any]:
    """A verdict as data."""

    def shares(probabilities) -> dict[str, float]:
        return {name: round(float(of), 6) for name, of in zip(EMOTIONS, probabilities, strict=False)}

    return {
        "name": verdict.looked.name,
        "kind": verdict.looked.kind,
        "best": verdict.best,
        "probabilities": shares(verdict.probabilities),
        "person_removed": None if verdict.without is None else shares(verdict.without),
        "rest": round(float(verdict.rest), 6),
        "at_rest": verdict.at_rest,
        "doubts": list(verdict.doubts),
        "face_found": not verdict.looked.lost,
    }


def _print(found: Mapping[str, Any]) -> None:
    print(json.dumps(found, indent=1, ensure_ascii=False))


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each picture: that of the scan, and where two are alike with its extension, its folder, or both."""
    whole = [path.resolve() for path in paths]
    names = [(path.stem if path.is_file() else path.name, path.name) for path in whole]
    ways = [(*own, *(f"{path.parent.name}-{name}" for name in own)) for path, own in zip(whole, names, strict=True)]
    count = [Counter(found) for found in zip(*ways, strict=True)]
    chosen = [next((n for n, of in zip(way, count, strict=True) if of[n] == 1), way[-1]) for way in ways]
    for path, name in zip(paths, chosen, strict=True):
        if chosen.count(name) > 1:
            raise ValueError(f"{path}: expected scans that differ in name or folder, found two; give them apart")
    return chosen
