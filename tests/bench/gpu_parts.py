"""What is measured on a device: generators of rows, each of a file of views, a device and an empty folder.

Nothing is imported here that a machine without faces, plots and notebooks lacks. "cpu" has tiny sizes.

Shapes: N samples, b samples of a batch, V views, H side of a view, S side of a tower's input.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from mvlm import losses
from mvlm.model import TINY
from mvlm.ranks import gather as gathers
from mvlm.ranks import group
from mvlm.samples import Rendering, folds
from mvlm.settings import Training
from mvlm.study import full_profile, record
from mvlm.study.embeddings import Embedded
from mvlm.study.methods import METHODS
from mvlm.training import towers
from mvlm.training.batches import Batch, Batches
from mvlm.training.progress import Progress, memory
from mvlm.training.towers import FineTuning
from mvlm.training.vocabulary import only_used

from .gpu_report import NO_DEVICE, PEAKS, Row, mfu
from .gpu_towers import (
    EMOTIONS,
    SMALL,
    against,
    apart,
    autocast,
    classes,
    cosine,
    module,
    on_device,
    train,
    weights_of,
)
from .gpu_views import BENCHMARK, Views, read

VIT = "ViT-B-32"
PROTOCOLS = {"zero_shot": "zero-shot", "knn": "kNN", "probe": "linear probe", "cluster": "clusters"}
EXACT = 1e-12  # in float64, of sums in another order


class Fold(NamedTuple):
    """A method of the tables, in fewer rounds or epochs."""

    tower: str
    method: str
    rounds: int
    epochs: int


class Sizes(NamedTuple):
    """How much is measured.

    Attributes:
        towers: that are trained in either precision.
        batch: samples of a batch, there and in folds.
        fast: the tower whose speed is measured.
        batches: samples of its batches.
        warm, timed: steps before the clock, and on it.
        folds: what is done of a fold.
    """

    towers: tuple[str, ...]
    batch: int
    fast: str
    batches: tuple[int, ...]
    warm: int
    timed: int
    folds: tuple[Fold, ...]


SIZES = {
    "cuda": Sizes(
        (TINY, VIT), 64, VIT, (32, 128, 512, 1024, 2048), 3, 10,
        (Fold(TINY, "baseline", 0, 1), Fold(TINY, "full", 3, 5), Fold(VIT, "full", 1, 2)),
    ),
    "cpu": Sizes((SMALL,), 8, SMALL, (2, 4), 1, 2, (Fold(SMALL, "baseline", 0, 1), Fold(SMALL, "full", 1, 1))),
}  # fmt: skip


def machine(_file: Path, device: str, _folder: Path) -> Iterator[Row]:
    """The device and the software, or a note that there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        built = f"torch {torch.__version__}, built {'for' if torch.version.cuda else 'without'} CUDA"
        yield Row(NO_DEVICE, note=f"nothing is measured ({built})")
        return
    cuda = device == "cuda"
    name = torch.cuda.get_device_name() if cuda else f"the processor ({platform.machine()}), at tiny sizes"
    packages = ("open_clip_torch", "timm", "pytorch-lightning", "scikit-learn", "numpy")
    yield Row(
        "device",
        {
            "device": name,
            "memory in GB": round(torch.cuda.get_device_properties(0).total_memory / 1e9, 1) if cuda else None,
            "peak in bf16 TFLOP/s": PEAKS[name] / 1e12 if name in PEAKS else None,
            "driver": driver() if cuda else None,
            "CUDA": torch.version.cuda if cuda else None,
            "torch": torch.__version__,
            **{package: version(package) for package in packages},
            "Python": platform.python_version(),
            "float32 products": torch.get_float32_matmul_precision(),
            "TF32 convolutions": str(torch.backends.cudnn.allow_tf32).lower() if cuda else None,
        },
    )


def driver() -> str | None:
    """Version of NVIDIA's driver, None where its tool is not there or does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    asked = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return said.strip().split("\n")[0] or None


def precision(file: Path, device: str, folder: Path) -> Iterator[Row]:
    """bf16 against float32, and float32 against itself: what a device that is not repeatable does anyway."""
    views, sizes = read(file), SIZES[device]
    for tower in sizes.towers:
        weights = weights_of(tower, folder)
        yield from one_batch(tower, weights, views, sizes.batch, device)
        yield from one_epoch(tower, weights, views, sizes.batch, device)


def one_batch(tower: str, weights: tuple, views: Views, batch: int, device: str) -> Iterator[Row]:
    """Losses and gradients of the same batch and weights, in both precisions."""
    trained = module(weights, classes(views), Training(batch=batch), 1).to(device)
    rows = np.linspace(0, len(views.names) - 1, batch).astype(int)  # of many subjects
    shown = on_device(Batches(views.images, np.arange(len(views.names)), [rows], Rendering(), seed=0)[0], device)
    (exact, exact_gradients), (half, half_gradients) = (terms(trained, shown, bf16) for bf16 in (False, True))
    what = f"{tower}, one batch of {batch}"
    yield Row(f"{what}: losses in float32", exact)
    yield Row(f"{what}: relative error of bf16 losses", {name: apart(half[name], exact[name]) for name in exact})
    parts = {name: (half_gradients[name], exact_gradients[name]) for name in exact_gradients}
    yield Row(f"{what}: relative error of bf16 gradients", {name: apart(*pair) for name, pair in parts.items()})
    towers = {name: pair for name, pair in parts.items() if pair[0].numel() > 1}
    yield Row(f"{what}: 1 - cosine of gradients", {name: 1 - cosine(*pair) for name, pair in towers.items()})


def terms(trained: FineTuning, shown: Batch, bf16: bool) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Summands of the objective by name, and the gradients of each tower and of the temperature as one row."""
    trained.zero_grad(set_to_none=True)
    plain, found = losses.objective, []

    def recorded(*given, **options) -> losses.Terms:
        found.append(plain(*given, **options))
        return found[-1]

    with mock.patch.object(losses, "objective", recorded), autocast(shown.images.device.type, bf16):
        total = trained.loss(shown)
    total.backward()
    gradients: dict[str, list[Tensor]] = {"image": [], "text": [], "temperature": []}
    for name, parameter in trained.model.clip.named_parameters():
        tower = "image" if name.startswith("visual.") else "temperature" if name.startswith("logit_") else "text"
        if parameter.grad is not None:
            gradients[tower].append(parameter.grad.flatten().clone())
    # The objective is taken twice, of views and of samples; a summand that is not in use is 0.
    summed = {name: float(sum(getattr(one, name).detach() for one in found)) for name in losses.Terms._fields}
    return summed, {tower: torch.cat(of) for tower, of in gradients.items()}


def one_epoch(tower: str, weights: tuple, views: Views, batch: int, device: str) -> Iterator[Row]:
    """An epoch by the settings of the full profile from the same weights, over the same batches."""
    exact, again, half = (
        train(weights, views, Training(epochs=1, batch=batch, precision=name), device)
        for name in ("float32", "float32", "bf16")
    )
    what = f"{tower}, an epoch of {len(exact.curve)} steps"
    runs = {"float32": exact, "float32 again": again, "bf16": half}
    ends = {f"{name}, last": statistics.fmean(run.curve[-3:]) for name, run in runs.items()}
    curves = {name: run.curve for name, run in runs.items()}
    yield Row(f"{what}: loss, mean of the last three", {"first": exact.curve[0], **ends}, curves=curves)
    yield Row(f"{what}: bf16 against float32", against(half, exact))
    yield Row(f"{what}: float32 against float32", against(again, exact))
    yield Row(f"{what}: seconds, loader and all", {name: run.seconds for name, run in runs.items()})


def speed(file: Path, device: str, folder: Path) -> Iterator[Row]:
    """Steps of training in bf16 on batches that lie on the device: forward, backward, optimiser.

    Operations are those that torch counts, of both towers and the objective: matrix products, convolutions and
    attention, forward and backward. What is computed again or element by element is none.
    """
    views, sizes = read(file), SIZES[device]
    rows = np.arange(max(sizes.batches)) % len(views.names)
    trained = module(weights_of(sizes.fast, folder), classes(views)[rows], Training(), 1)
    _as_the_trainer_does(device)
    enough = True
    with only_used(trained.model.clip, trained.tokens):  # on the processor still, as `fit` has it
        trained.to(device)
        optimizer = trained.configure_optimizers()
        for batch in sizes.batches:
            side, count = trained.model.image_size, views.images.shape[1]
            what = f"{sizes.fast}, {batch:,} samples, {batch * count:,} images of {side} px"
            try:
                found = enough and paces(trained, optimizer, views.images[rows[:batch]], sizes, device)
            except torch.OutOfMemoryError:
                enough = False
                optimizer.zero_grad()
            if not enough:
                torch.cuda.empty_cache()
                yield Row(what, note="left out: the memory of the device is too small")
                continue
            operations, seconds, held = found
            middle = statistics.median(seconds)
            yield Row(
                what,
                {
                    "images/s": batch * count / middle,
                    "MFU": mfu(operations, middle, torch.cuda.get_device_name() if device == "cuda" else ""),
                    "TFLOP/s": operations / middle / 1e12,
                    "TFLOP a step": operations / 1e12,
                    "ms a step": 1e3 * middle,
                    "fastest": 1e3 * min(seconds),
                    "slowest": 1e3 * max(seconds),
                    "GB at the peak": held,
                },
            )


def paces(
    trained: FineTuning, optimizer: torch.optim.Optimizer, images: np.ndarray, sizes: Sizes, device: str
) -> tuple[float, list[float], float]:
    """Floating point operations of a step, seconds of each timed one, and GB at the peak.

    Args:
        trained, optimizer: on the device.
        images: (b, V, H, H, 3) uint8; brought to the tower's size before the clock starts.
        sizes: says how many steps.
        device: "cuda" or "cpu".
    """
    rows = torch.arange(len(images))
    shown = on_device(Batch(enlarged(images, trained.model.image_size, device), rows, rows / len(rows)), device)

    def step() -> None:
        optimizer.zero_grad()
        with autocast(device, True):
            loss = trained.loss(shown)
        loss.backward()
        optimizer.step()

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with FlopCounterMode(display=False) as counter:
        step()
    for _ in range(sizes.warm):
        step()
    seconds = clocked(step, sizes.timed, device)
    return float(counter.get_total_flops()), seconds, memory(torch.device(device))


def enlarged(images: np.ndarray, side: int, device: str) -> Tensor:
    """Images (b, V, H, H, 3) uint8 with S pixels a side, on the device; chunk by chunk, for they are large."""
    found = []
    for chunk in torch.from_numpy(images).flatten(0, 1).split(256):
        pixels = chunk.to(device).permute(0, 3, 1, 2).float()
        pixels = functional.interpolate(pixels, size=(side, side), mode="bicubic", antialias=True)
        found.append(pixels.clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous())
    return torch.cat(found).unflatten(0, images.shape[:2])


def clocked(step: Callable[[], None], count: int, device: str) -> list[float]:
    """Seconds of each of so many steps: between events of the device, where it has any."""
    if device != "cuda":
        times = [time.perf_counter()]
        for _ in range(count):
            step()
            times.append(time.perf_counter())
        return np.diff(times).tolist()
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
    torch.cuda.synchronize()
    events[0].record()
    for event in events[1:]:
        step()
        event.record()
    torch.cuda.synchronize()
    return [first.elapsed_time(last) / 1e3 for first, last in zip(events[:-1], events[1:], strict=True)]


def gather(file: Path, device: str, folder: Path) -> Iterator[Row]:
    """One rank of NCCL, or of gloo on a processor, against no process group at all."""
    views, sizes = read(file), SIZES[device]
    weights = weights_of(sizes.towers[0], folder)
    few = Views(*(of[: 3 * sizes.batch] for of in views))
    settings = Training(epochs=2, batch=sizes.batch, precision="float32")
    alone = train(weights, few, settings, device)
    backend = "nccl" if device == "cuda" else "gloo"
    if device == "cuda":
        torch.cuda.set_device(0)
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")  # a machine without a network has no other
    meet, patience = f"file://{folder / 'meet'}", timedelta(seconds=50)
    dist.init_process_group(backend, init_method=meet, rank=0, world_size=1, timeout=patience)
    try:
        for name in ("gather", "gather_even"):
            yield Row(f"{backend}, {name} of rows", *of_rows(getattr(gathers, name), device))
        yield Row(f"{backend}, objective in float64", *of_objective(device))
        yield Row(f"{backend}, from_first and in_order", holds=agreed(device))
        grouped = train(weights, few, settings, device)
    finally:
        dist.destroy_process_group()
    steps = f"{len(alone.curve)} steps of {sizes.towers[0]}"
    yield Row(f"{backend}, {steps} with DDP against none", against(grouped, alone))


def of_rows(gathered: losses.Gather, device: str) -> tuple[dict[str, float], bool]:
    """How far gathered rows and their gradients are from the rows themselves; both must be the same bits."""
    draw = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(64, 3, 512, generator=draw).to(device) for _ in range(2))
    x.requires_grad_()
    rows = gathered(x)
    (found,) = torch.autograd.grad((rows * weight).sum(), x)
    errors = {"largest error": (rows - x).detach(), "of gradients": found - weight}
    values = {name: float(error.abs().max()) for name, error in errors.items()}
    return values, rows is not x and not any(values.values())


def of_objective(device: str) -> tuple[dict[str, float], bool]:
    """How far the objective and its gradients are from those without a gather, in float64."""

    def value_and_gradients(gathered: losses.Gather) -> list[Tensor]:
        draw = torch.Generator().manual_seed(0)
        views, text = (torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((64, 3, 128), (64, 128)))
        given = [x.to(device).requires_grad_() for x in (views, text, torch.tensor(0.07, dtype=torch.float64))]
        labels = torch.arange(64, device=device) % len(EMOTIONS)
        total = losses.objective(*given[:2], temperature=given[2], labels=labels, gather=gathered).total
        return [total.detach(), *torch.autograd.grad(total, given)]

    pairs = zip(value_and_gradients(gathers.gather), value_and_gradients(losses.identity), strict=True)
    names = ("relative error", "of gradients of views", "of texts", "of the temperature")
    values = {name: apart(*pair) for name, pair in zip(names, pairs, strict=True)}
    return values, max(values.values()) <= EXACT


def agreed(device: str) -> bool:
    """Whether what the first rank says and what the ranks put together comes out as it went in."""
    rows = torch.arange(12.0, device=device).view(4, 3)
    mixed = torch.tensor([2, 0, 3, 1])
    whole = gathers.in_order(rows[mixed], mixed, 4)
    return torch.equal(whole, rows) and group.from_first(lambda: {"said": [1, "a"]}) == {"said": [1, "a"]}


def fold(file: Path, device: str, folder: Path) -> Iterator[Row]:
    """The first of ten folds by the code of the full profile: labels, training, embeddings, scores, and a record."""
    views, sizes = read(file), SIZES[device]
    images = folder / "images.npy"
    np.save(images, views.images)
    train, test = (shown(views, images, subjects) for subjects in folds(views.subjects)[0])
    yield Row(f"the fold, of {len(set(views.subjects))} subjects",
              {"samples to train on": len(train.rows), "samples to test on": len(test.rows)})  # fmt: skip
    for number, planned in enumerate(sizes.folds):
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        weights, started = weights_of(planned.tower, folder), time.perf_counter()
        found = scored(planned, train, test, folder / str(number), sizes.batch, weights, device)
        seconds, true = time.perf_counter() - started, np.array(found["emotions"])
        length = f", {planned.rounds} x {planned.epochs} epochs" if planned.rounds else ""
        yield Row(
            f"{planned.tower}, {planned.method}{length}",
            {
                **{said: float((np.array(found[name]) == true).mean()) for name, said in PROTOCOLS.items()},
                "right pseudo-labels": found["pseudo_labels"][-1] if found["pseudo_labels"] else None,
                "seconds": seconds,
                "GB at the peak": memory(torch.device(device)),
            },
        )


def scored(
    planned: Fold, train: Embedded, test: Embedded, folder: Path, batch: int, weights: tuple, device: str
) -> dict[str, object]:
    """The record of a run; no log is kept, which would need TensorBoard."""
    method = replace(METHODS[planned.method], rounds=planned.rounds)
    run = full_profile.Run(
        record=str(folder / "records" / "run.json"),
        head={"benchmark": BENCHMARK, "method": method.name},
        method={name: value for name, value in asdict(method).items() if name != "reading"},
        fold=full_profile.told_of(record.Fold(train, test, EMOTIONS, (), 0)),
        model=weights[0],
        pretrained=weights[1],
        rendering=list(Rendering()),
        training=asdict(Training(epochs=planned.epochs, batch=batch)),
    )
    with mock.patch.object(towers, "Progress", lambda title, steps, _log: Progress(title, steps, None)):
        full_profile.one(run, device)
    return json.loads(Path(run.record).read_text(encoding="utf-8"))


def shown(views: Views, images: Path, subjects: Sequence[str]) -> Embedded:
    """The samples of some subjects, by where their views lie."""
    return Embedded(images, np.arange(len(views.names)), views.names, views.subjects, views.emotions).of(subjects)


def _as_the_trainer_does(device: str) -> None:
    """Deterministic operations where there are any, without filling new memory first; see `mvlm.training.towers`."""
    torch.use_deterministic_algorithms(True, warn_only=device == "cuda")
    torch.utils.deterministic.fill_uninitialized_memory = False
