"""Kills the tables at random instants and compares what comes out in the end: `python -m tests.crash [KILLS]`.

A copy of the project makes Tables I to III at smoke size: once undisturbed, once by two commands at the same time, and
then again and again with SIGKILL to the process group; the same command takes up what is left. Whenever one comes
through, its results are compared byte by byte, and the next begins from nothing. Kernels have a session of their own
and outlive the group for a moment: they must do no harm either. The instants come from a fixed seed; what is done at
each of them depends on the machine.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mvlm.settings import ROOT, VARIABLES

KILLS, SEED = 20, 0
NOTEBOOKS = ("10-table1", "11-table2", "12-table3")
NEEDED = ("mvlm", "notebooks", "constraints.txt", "pyproject.toml")
LEAST = 0.2  # seconds before a kill


def copied(folder: Path) -> Path:
    """Copy what a run needs into a folder, so that its caches, records and results are there alone."""
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        else:
            shutil.copy(source, folder / name)
    return folder


def start(command: Sequence[str], root: Path) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, at smoke size and with no other setting; its words go to a log."""
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    env = clean | {"PROFILE": "smoke", "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg"}
    with (root / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=root, env=env, stdout=log, stderr=log, start_new_session=True)


def products(root: Path) -> dict[str, bytes]:
    """Every result by its path."""
    folder = root / "runs" / "results"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def crash(command: Sequence[str], root: Path, *, kills: int, seed: int) -> list[str]:
    """Run a command whole, then twice at once, then kill it `kills` times; whatever differs from the whole run.

    Args:
        command: makes everything under `runs/` of `root`, and goes on where it was.
        root: its working folder.
        kills: how often it is killed.
        seed: of the instants, each of equal chance over the time that the whole run took.
    """
    began = time.monotonic()
    if start(command, root).wait():
        return [f"undisturbed: {_last_words(root)}"]
    whole, duration = products(root), time.monotonic() - began
    print(f"undisturbed: {len(whole)} files in {duration:.0f} s", flush=True)
    if not whole:
        return ["undisturbed: no results"]
    shutil.rmtree(root / "runs")
    both = [start(command, root) for _ in range(2)]
    status = max(abs(process.wait()) for process in both)
    faults = [f"two at once: {fault}" for fault in _faults(root, whole, status)]
    shutil.rmtree(root / "runs")
    print(f"two at once: {'differs' if faults else 'the same bytes'}", flush=True)
    instants = random.Random(seed)
    killed, finished = 0, False
    while killed < kills or not finished:
        process = start(command, root)
        limit = None
        if killed < kills:
            limit = max(LEAST, instants.uniform(0, duration))
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            print(f"kill {killed} after {limit:.1f} s", flush=True)
            continue
        finished = killed == kills
        found = _faults(root, whole, status)
        faults += [f"after {killed} kills: {fault}" for fault in found]
        print(f"came through after {killed} kills: {'differs' if found else 'the same bytes'}", flush=True)
        shutil.rmtree(root / "runs")
    return faults


def _faults(root: Path, whole: dict[str, bytes], status: int) -> list[str]:
    if status:
        return [_last_words(root)]
    found = products(root)
    faults = [f"{name} differs" for name in sorted(whole) if name in found and whole[name] != found[name]]
    faults += [f"{name} is there in one of both" for name in sorted(set(whole) ^ set(found))]
    for record in (root / "runs" / "records").glob("*.json"):
        try:
            json.loads(record.read_text(encoding="utf-8"))
        except ValueError:
            faults.append(f"{record.name} is no whole record")
    return faults


def _last_words(root: Path) -> str:
    lines = (root / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    return "failed: " + " / ".join(lines[-5:])


def main(arguments: Sequence[str]) -> int:
    """Command line: how often to kill."""
    kills = int(arguments[0]) if arguments else KILLS
    with tempfile.TemporaryDirectory(prefix="mvlm-crash-") as folder:
        root = copied(Path(folder))
        command = [sys.executable, "-m", "mvlm.publish.notebooks", *NOTEBOOKS]
        faults = crash(command, root, kills=kills, seed=SEED)
    print("\n".join(faults) or f"crash-test: two at once, then {kills} kills: the same bytes")
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
