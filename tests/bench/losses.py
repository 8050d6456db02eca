"""The whole objective against open_clip's contrastive loss alone, on the same embeddings: time and memory.

`python -m tests.bench.losses` measures how both grow as the batch doubles, up to 16,384 samples of three views (takes
minutes and some GB), and writes runs/bench-losses.csv.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.loss import ClipLoss

from mvlm import losses
from mvlm.settings import ROOT
from tests.bench import Row, race

BATCH, VIEWS, WIDTH, CLASSES = 1024, 3, 512, 6
DOUBLINGS = [1024, 2048, 4096, 8192, 16384]
TAU = 0.07


def ours(batch: int) -> Callable[[], None]:
    """Forward and backward of the full objective: raw embeddings in, their gradients and the temperature's out."""
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(batch, VIEWS, WIDTH, generator=generator, requires_grad=True)
    text = torch.randn(batch, WIDTH, generator=generator, requires_grad=True)
    labels, tau = torch.arange(batch) % CLASSES, torch.tensor(TAU, requires_grad=True)

    def step() -> None:
        total = losses.objective(views, text, temperature=tau, labels=labels).total
        torch.autograd.grad(total, (views, text, tau))

    return step


def open_clips(batch: int) -> Callable[[], None]:
    """Forward and backward of `ClipLoss` on every view with its text: unit rows in, so that it need not normalise."""
    generator = torch.Generator().manual_seed(0)
    image = F.normalize(torch.randn(batch * VIEWS, WIDTH, generator=generator), dim=1).requires_grad_()
    text = F.normalize(torch.randn(batch, WIDTH, generator=generator), dim=1)
    text = text.repeat_interleave(VIEWS, 0).requires_grad_()
    scale, loss = torch.tensor(1 / TAU, requires_grad=True), ClipLoss()

    def step() -> None:
        torch.autograd.grad(loss(image, text, scale), (image, text, scale))

    return step


def cost(make: Callable[[int], Callable[[], None]], batch: int, threads: int) -> tuple[float, float]:
    """Seconds and GB that one step takes above what is held before it, in a process of its own."""
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(_cost, make, batch, threads).result()


def _cost(make: Callable[[int], Callable[[], None]], batch: int, threads: int) -> tuple[float, float]:
    torch.set_num_threads(threads)
    make(8)()  # what the libraries keep for good
    step = make(batch)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
    before, start = _kilobytes("VmRSS"), time.perf_counter()
    step()
    return time.perf_counter() - start, (_kilobytes("VmHWM") - before) * 1024 / 1e9


def _kilobytes(name: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])


def measure() -> Iterator[Row]:
    rows = f"{BATCH:,} x {VIEWS} views"
    yield race(f"objective, {rows}", ours(BATCH), "open_clip ClipLoss", open_clips(BATCH), 1.5, rounds=7)
    threads = torch.get_num_threads()
    (_, memory), (_, theirs) = (cost(make, BATCH, threads) for make in (ours, open_clips))
    # In GB, which the table prints in thousandths: MB.
    yield Row(f"objective, {rows}, peak in MB", memory, "open_clip ClipLoss", theirs, 2.0)


def main() -> None:
    threads = torch.get_num_threads()
    form = "{:>8} {:>10} {:>8} {:>9} {:>9}"
    print(f"{threads} threads\n" + form.format("samples", "seconds", "GB", "exponent", "of GB"))
    rows: list[tuple[int, float, float, float | str, float | str]] = []
    for batch in DOUBLINGS:
        now = cost(ours, batch, threads)
        growth = [math.log2(new / old) for new, old in zip(now, rows[-1][1:3], strict=True)] if rows else ["", ""]
        rows.append((batch, *now, *growth))
        print(form.format(*(f"{value:.2f}" if isinstance(value, float) else value for value in rows[-1])), flush=True)
    target = ROOT / "runs" / "bench-losses.csv"
    target.parent.mkdir(exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("samples", "seconds", "gigabytes", "exponent_seconds", "exponent_gigabytes"))
        writer.writerows(rows)


if __name__ == "__main__":
    main()
