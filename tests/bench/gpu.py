"""End-to-end training on a GPU, in less than eight minutes: `python -m tests.bench.gpu FILE`.

Four parts: bf16 against float32; images per second and MFU of a ViT-B/32; the gather over NCCL; a fold of
`PROFILE=full`. Each is a process of its own with a limit in seconds. A part that is cut off keeps the rows it had, and
the report says so; so it does of a part for which no time was left. Results: runs/gpu.json and runs/gpu.md, or where
`--out` says, rewritten after every part.

The machine may be a bare one, without a network, faces or weights:

1. Where this project is installed: `python -m tests.bench.gpu --make runs/gpu-views.npz` (a minute, 8 MB).
2. Copy the folders mvlm/ and tests/ and that file to the machine. It needs Python 3.11 or 3.12 and torch, torchvision,
   open_clip_torch, timm, pytorch-lightning and scikit-learn with what these require, in versions near
   pyproject.toml's; neither the rest of pyproject.toml nor an installed mvlm.
3. There, in the folder that holds both: `python -m tests.bench.gpu gpu-views.npz --out gpu`. If a package of another
   project hides the folder, `No module named tests.bench`, make an empty tests/__init__.py.

It ends with 0 where there is no GPU, after saying so, and with 1 where something failed or does not hold.
`--device cpu` takes the same code through a tiny tower on a processor, to test it; the numbers say nothing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from mvlm.settings import ROOT

from . import gpu_views
from .gpu_report import NO_DEVICE, Row, table, told_of

PACKAGES = {
    "torch": "torch", "torchvision": "torchvision", "open_clip": "open_clip_torch", "timm": "timm",
    "pytorch_lightning": "pytorch-lightning", "sklearn": "scikit-learn", "numpy": "numpy",
}  # fmt: skip
MEASURES = f"{__package__}.gpu_parts"  # imported in other processes alone: this one only waits
SECONDS = 440.0  # of all parts together
LIMITS = {"machine": 100.0, "precision": 110.0, "speed": 110.0, "gather": 60.0, "fold": 120.0}  # the first imports all
LEAST = 10.0  # seconds without which no part is begun
PATIENCE = 5.0  # seconds for a process that has said all to end
START = "forkserver"  # imports once, before any process has threads or a device


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE", help="archive of views, read or made")
    parser.add_argument("--make", action="store_true", help="make FILE; needs the whole project installed")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: tiny sizes, to test the code")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "gpu", help="path of both results, without ending")
    chosen = parser.parse_args(arguments)
    if chosen.make:
        gpu_views.save(chosen.file, gpu_views.make())
        print(f"{chosen.file}: {chosen.file.stat().st_size / 1e6:.1f} MB")
        return 0
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        print(f"missing packages: {', '.join(missing)}", file=sys.stderr)
        return 2
    if not chosen.file.is_file():
        print(f"{chosen.file}: no such file; `python -m tests.bench.gpu --make FILE` makes it", file=sys.stderr)
        return 2
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as ranks have it: else sums are not repeatable
    return measure(chosen.file, chosen.device, chosen.out)


def measure(file: Path, device: str, out: Path) -> int:
    """Run all parts within `SECONDS`; write and print what they found. Returns the status to end with."""
    until = time.monotonic() + SECONDS
    parts: dict[str, list[Row]] = {}
    seconds: dict[str, float] = {}
    machine: Mapping[str, object] = {}
    for part, limit in LIMITS.items():
        started = time.monotonic()
        found = []
        for row in rows(f"{MEASURES}:{part}", file, device, min(limit, until - started)):
            print(f"{part}: {row.what}: {told_of(row)}", flush=True)
            found.append(row)
        seconds[part] = round(time.monotonic() - started, 1)
        if part == "machine":
            if not (machine := found[0].values):
                return int(found[0].what != NO_DEVICE)
        else:
            parts[part] = found
            write(out, machine, parts, seconds)
    print(f"{out}.json, {out}.md: {sum(seconds.values()):.0f} s")
    return int(any(row.holds is False for found in parts.values() for row in found))


def rows(measure: str, file: Path, device: str, seconds: float) -> Iterator[Row]:
    """Rows of "module:function" from a process of its own, and why no more came, if it did not end by itself in time.

    Args:
        measure: a generator function of the archive of views, the device and an empty folder.
        file, device: its arguments.
        seconds: after which it is killed. Nothing less would end a process that waits for a device.
    """
    if seconds < LEAST:
        yield Row("left out", note=f"{max(0.0, seconds):.0f} s were left for it")
        return
    context = multiprocessing.get_context(START)
    context.set_forkserver_preload([MEASURES])
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="mvlm-gpu-", ignore_cleanup_errors=True) as folder:
        until = time.monotonic() + seconds
        process = context.Process(target=_work, args=(theirs, measure, file, device, folder), daemon=True)
        process.start()
        theirs.close()  # so that the death of the process ends the pipe
        try:
            while ours.poll(max(0.0, until - time.monotonic())):
                row = ours.recv()
                if row is None:
                    process.join(PATIENCE)
                    return
                yield row
            yield Row("left out: the rest of this part", note=f"it was stopped after {seconds:.0f} s")
        except EOFError:
            process.join()
            yield Row("failed", holds=False, note=f"the process ended with status {process.exitcode}")
        finally:
            process.kill()
            process.join()


def _work(pipe, measure: str, file: Path, device: str, folder: str) -> None:
    module, _, name = measure.partition(":")
    try:
        for row in getattr(import_module(module), name)(file, device, Path(folder)):
            pipe.send(row)
    except Exception as error:
        traceback.print_exc()
        pipe.send(Row("failed", holds=False, note=f"{type(error).__name__}: {str(error)[:300]}"))
    pipe.send(None)


def write(out: Path, machine: Mapping, parts: Mapping[str, list[Row]], seconds: Mapping[str, float]) -> None:
    """Both results, whole at any time."""
    told = {
        "machine": dict(machine),
        "seconds": dict(seconds),
        "parts": {part: [row._asdict() for row in found] for part, found in parts.items()},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    for ending, text in {".json": json.dumps(told, indent=1) + "\n", ".md": table(machine, parts)}.items():
        part = out.with_name(f"{out.name}{ending}.part")
        part.write_text(text, encoding="utf-8")
        os.replace(part, out.with_name(out.name + ending))


if __name__ == "__main__":
    sys.exit(main())
