"""A first look at a folder of licensed corpora: `python -m mvlm.faces.check FOLDER`.

Says on one page what is there, whether it is what the readers take it for, what is left out and why, what a full run
costs, and what to do about each finding. It reads a few files of each corpus and writes nothing.

OK    as published
NOTE  differs from the publication, or could not be measured; work goes on, and the line says what follows from it
LOOK  results would be wrong or missing; the line below says what to do

Exit status: 0, 1 with any LOOK or on a machine that lacks something, 2 for a wrong command line or no corpus there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mvlm.faces.check.findings import (
    Finding,
    Looked,
    landmarks,
    native,
    orientation,
    read_a_few,
    reading,
    some,
    texture,
    turning,
    unit,
    winding,
)
from mvlm.faces.corpora.corpus import CORPORA, SAMPLED_FRAMES, Corpus, in_folder
from mvlm.machine import command, expect_ray_caster

VIEWS, SIZE = 3, 64  # of the cost: quick profile
SUBJECTS = {"BU-3DFE": 100, "Bosphorus": 105, "BU-4DFE": 101, "BP4D": 41}
ITEMS = {"BU-3DFE": 2500, "Bosphorus": 4666, "BU-4DFE": 606, "BP4D": 328}
COMPLETE = 65  # subjects of Bosphorus with all six emotions
_LONGEST_NAME = 80  # letters
_OPEN = "check that the copy is complete and unpacked; DATA.md shows the tree of folders"


def look(folder: Path | str) -> dict[str, list[Finding]]:
    """Findings by corpus, for each that the folder holds, named or as itself. Raises FileNotFoundError for none."""
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise _nothing(folder, "no such folder")
    inside = sorted(os.listdir(folder))
    found: dict[str, list[Finding]] = {}
    for name in CORPORA:
        try:
            corpus = in_folder(name, folder)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            found[name] = [Finding("LOOK", "folder", str(error), _OPEN)]
        else:
            found[name] = list(_findings(corpus))
    if not found:
        raise _nothing(folder, some(inside, 5) or "an empty folder")
    return found


def _nothing(folder: Path, found: str) -> FileNotFoundError:
    said = f"{str(folder):.400}: expected one of {', '.join(CORPORA)} as DATA.md shows it, found {found}"
    return FileNotFoundError(said)


def report(found: dict[str, list[Finding]]) -> str:
    """The page of `look`'s findings."""
    lines = []
    for name, findings in found.items():
        lines.append(name)
        for finding in findings:
            head = f"  {finding.level:<5} {finding.topic:<12} "
            lines += textwrap.wrap(_shown(finding.text), 116, initial_indent=head, subsequent_indent=" " * len(head))
            if finding.advice:
                lines += textwrap.wrap(_shown(finding.advice), 116, initial_indent=" " * len(head) + "-> ",
                                       subsequent_indent=" " * (len(head) + 3))
        lines.append("")
    count = sum(finding.level == "LOOK" for findings in found.values() for finding in findings)
    lines.append(f"{count} to look at." if count else "Nothing to look at: ready for `make tables DATA=...`.")
    return "\n".join(lines)


def _shown(text: str) -> str:
    """A text as it can be shown: what stands for no letter, or would move the terminal's cursor, as its number."""
    return re.sub(r"[^ ]", lambda one: one[0] if one[0].isprintable() else ascii(one[0])[1:-1], text)


def _findings(corpus: Corpus) -> Iterator[Finding]:
    yield Finding("OK", "folder", f"{corpus.folder} ({corpus.kind}, fingerprint {corpus.fingerprint})")
    yield from _counts(corpus)
    yield from _left_out(corpus)
    looked, bad = read_a_few(corpus)
    yield reading(corpus, looked, bad)
    if looked:
        meshes = [one.mesh for one in looked]
        yield unit(meshes)
        yield orientation(meshes)
        yield winding(meshes)
        yield turning(looked)
        yield landmarks(looked)
        yield texture(meshes)
        yield from native(corpus, looked)
        yield _cost(corpus, looked)


# -- the index --------------------------------------------------------------------------------------------------------


def _counts(corpus: Corpus) -> Iterator[Finding]:
    subjects = sorted({item.subject for item in corpus.items})
    kinds = "scans" if corpus.scans else "sequences"
    wanted, items = SUBJECTS.get(corpus.name), ITEMS.get(corpus.name)
    if wanted is None:
        yield Finding("OK", "counts", f"{len(subjects)} subjects, {len(corpus.items)} {kinds} in the manifest")
    else:
        text = f"{len(subjects)} subjects of {wanted}, {len(corpus.items):,} {kinds} of {items:,}"
        if (len(subjects), len(corpus.items)) == (wanted, items):
            yield Finding("OK", "counts", text)
        else:
            more = len(subjects) > wanted or len(corpus.items) > items
            yield Finding("NOTE", "counts", f"{text}: {'more than published' if more else 'a part'}; protocols run on "
                          "what is there, and tables say how much that is")
    classes = Counter(item.emotion for item in corpus.items if item.emotion is not None)
    yield Finding("OK" if classes else "LOOK", "classes",
                  ", ".join(f"{emotion} {count}" for emotion, count in sorted(classes.items())) or "none",
                  "" if classes else "no file name says an emotion: is this the corpus that it is called?")
    if corpus.name == "Bosphorus":
        shown: dict[str, set[str]] = {}
        for scan in corpus.scans:
            if scan.code.startswith("E_"):
                shown.setdefault(scan.subject, set()).add(scan.code)
        complete = sum(len(codes) == 6 for codes in shown.values())
        yield Finding("OK" if complete == COMPLETE else "NOTE", "six emotions",
                      f"{complete} subjects show all six, {COMPLETE} in the whole corpus; these are the benchmark")
    if corpus.sequences:
        lengths = [len(sequence.frames) for sequence in corpus.sequences]
        gaps = sum(s.frames[-1].number - s.frames[0].number + 1 != len(s.frames) for s in corpus.sequences)
        yield Finding("OK" if gaps == 0 else "NOTE", "frames",
                      f"{sum(lengths):,}; {min(lengths)} to {max(lengths)} in a sequence, median "
                      f"{int(np.median(lengths))}; {gaps or 'no'} sequences with gaps in the numbers"
                      + ("; the frames that are there count as evenly spaced" if gaps else ""))


def _left_out(corpus: Corpus) -> Iterator[Finding]:
    lost = {path for path in corpus.dropped if path.is_dir()}
    what = "subjects" if corpus.scans else "subjects or sequences"
    for level, topic, kind, chosen in (("LOOK", "left out", what, lost),
                                       ("NOTE", "dropped", "frames", corpus.dropped.keys() - lost)):
        if chosen:
            said = [f"{_short(path, corpus)} ({why})" for path, why in corpus.dropped.items() if path in chosen]
            yield Finding(level, topic, f"{len(chosen)} {kind} take no part: {some(said)}", "" if level == "NOTE" else
                          "complete these folders if the corpus has more there; DATA.md shows the names of the files")
    if corpus.unknown:
        share = len(corpus.unknown) / (len(corpus.unknown) + len(corpus.files)
                                       + sum(len(sequence.frames) for sequence in corpus.sequences))
        yield Finding("LOOK" if share > 0.01 else "NOTE", "unknown",
                      f"{len(corpus.unknown)} names are not of the corpus and left alone: "
                      + some([_short(path, corpus) for path in corpus.unknown]),
                      "more than 1 % of all names: if scans are among them, their names differ from the published "
                      "grammar (DATA.md); report it with a few of the names" if share > 0.01 else "")
    if not corpus.dropped and not corpus.unknown:
        yield Finding("OK", "names", "every file is of the corpus")


def _short(path: Path, corpus: Corpus) -> str:
    name = path.relative_to(corpus.folder).as_posix()
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME // 2]}...{name[-_LONGEST_NAME // 2:]}"


# -- the cost ---------------------------------------------------------------------------------------------------------


def _cost(corpus: Corpus, looked: list[Looked]) -> Finding:
    from mvlm.faces.views import project

    seconds, chosen = [], looked[:4]
    for number, one in enumerate([chosen[0], *chosen]):
        start = time.perf_counter()
        try:
            project(one.mesh, size=SIZE)
        except ValueError as error:
            return Finding("LOOK", "views", f"{one.path}: {error}", "no view can be made of this mesh; look at it")
        if number:  # the first call loads the ray caster
            seconds.append(one.seconds + time.perf_counter() - start)
    each = float(np.median(seconds))
    labelled = [item for item in corpus.items if item.emotion not in (None, "neutral")]
    gigabytes = len(labelled) * VIEWS * SIZE**2 * 3 / 1e9
    if corpus.scans:
        return Finding("OK", "cost", f"{each:.2f} s a scan on one core: {_hours(each * len(labelled))} for views of "
                       f"{len(labelled):,} scans, {gigabytes:.2g} GB of cache; make it once, use all cores with JOBS=")
    few = sum(min(SAMPLED_FRAMES, len(sequence.frames)) for sequence in labelled)
    every = sum(len(sequence.frames) for sequence in labelled)
    return Finding("OK", "cost", f"{each:.2f} s a frame on one core: {_hours(each * few)} for {few:,} frames (quick, "
                   f"{SAMPLED_FRAMES} a sequence), {_hours(each * every)} for all {every:,} (full); {gigabytes:.2g} GB "
                   "of cache; make it once, use all cores with JOBS=")


def _hours(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def main(arguments: list[str] | None = None) -> int:
    """Prints the report of a folder; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mvlm.faces.check", description="A first look at licensed corpora.")
    parser.add_argument("folder", type=Path, help="holds one or several corpora, or is one; DATA.md shows the trees")
    parser.add_argument("--json", action="store_true", help="print data, not prose")
    chosen = parser.parse_args(arguments)
    folder = chosen.folder
    try:
        expect_ray_caster()
        found = look(folder)
    except OSError as error:
        print(_shown(str(error)), file=sys.stderr)
        return 2 if isinstance(error, FileNotFoundError) else 1
    if chosen.json:
        print(json.dumps({name: [of._asdict() for of in findings] for name, findings in found.items()}, indent=1))
    else:
        print(report(found))
    return int(any(finding.level == "LOOK" for findings in found.values() for finding in findings))


if __name__ == "__main__":
    command(main)
