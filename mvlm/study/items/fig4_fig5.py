"""Fig. 4 and 5: how long an epoch takes, by ranks and batch size.

`python -m mvlm.study.items.fig4_fig5` measures it on this machine.

The paper's "batch size" may be that of a GPU or of all of them; it does not say. Here it is that of a rank, as in the
loaders of Lightning, and the batch of all ranks stands beside it. An epoch is the same samples for every number of
ranks and every batch: those of a last, smaller batch are shared out evenly too. Pictures are noise of the model's size,
since time does not depend on what they show.

Every rank has one thread (and its CUDA device, where there are enough for all; gloo ranks on the processor otherwise).
More ranks than cores are marked as oversubscribed: they share what there is, and no speed-up is to be expected of them.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import mvlm.settings
from mvlm.cache.files import write, write_text
from mvlm.machine import command
from mvlm.ranks.launch import RankError, find_devices, launch
from mvlm.settings import Settings, Training
from mvlm.study.items.table_figures import Drawing
from mvlm.study.paper.claims_on_time import epoch_seconds
from mvlm.study.paper.transcripts import Paper
from mvlm.study.plan import AbsentError

if TYPE_CHECKING:
    import pandas as pd

RANKS = (1, 2, 3)
BATCHES = (8, 16, 32, 64, 128, 256)  # of a rank
SAMPLES = 768  # a multiple of every batch of one rank and of three, and of every rest of two
EPOCHS = 5
WARM = 4  # a fourth of an epoch comes before, unmeasured
TEXTS, CLASSES = ["a smiling face", "a sad face", "an angry face"], 3
PAIRS = ((3, 1), (3, 2), (2, 1))  # of Fig. 5

STATED = "stated"  # source of a number of the paper's

COLUMNS_4 = {
    "ranks": "processes; GPUs in the paper",
    "batch": "samples of a rank; in the paper of one GPU or of all, it does not say",
    "global_batch": "samples of all ranks",
    "oversubscribed": "whether there are more ranks than devices for them",
    "seconds": "of an epoch here, median",
    "fastest": "seconds of the fastest epoch",
    "slowest": "seconds of the slowest epoch",
    "epochs": "measured",
    "paper_seconds": "of an epoch in the paper, on its GPUs and data; empty where it states none",
    "paper_source": "stated, or computed from the stated hours of 500 epochs",
}
COLUMNS_5 = {
    "ranks": "processes; GPUs in the paper",
    "over": "against so many",
    "batch": "samples of a rank",
    "oversubscribed": "whether there are more ranks than devices for them",
    "speedup": "times faster here, at equal batch of a rank",
    "paper_speedup": "times faster in the paper, where both times can be had; else empty",
}


def record_path(chosen: Settings) -> Path:
    """Where the last measurement under such settings lies."""
    return mvlm.settings.RUNS / "timings" / f"{chosen.results_name(chosen.data_kind())}.json"


def measure(
    chosen: Settings,
    *,
    ranks: Sequence[int] = RANKS,
    batches: Sequence[int] = BATCHES,
    samples: int = SAMPLES,
    epochs: int = EPOCHS,
) -> dict:
    """Seconds of every epoch, for each number of ranks and each batch: the record, as `record_path` keeps it.

    Args:
        chosen: model and training; the batch is overridden.
        ranks: numbers of ranks; one launch each.
        batches: of a rank.
        samples: of an epoch; the ranks must be able to share them and every rest of them.
        epochs: that are measured.

    Raises:
        mvlm.ranks.launch.RankError: a rank failed.
    """
    import torch

    kind = "cuda" if torch.cuda.device_count() >= max(ranks) else "cpu"
    rows = []
    for number in ranks:
        planned = find_devices(f"{kind}:{number}", oversubscribe=True)
        with tempfile.TemporaryDirectory(prefix="mvlm-timings-") as folder:
            told = {
                "path": str(Path(folder, "seconds.json")),
                "device": kind,
                "model": chosen.model,
                "pretrained": chosen.pretrained,
                "views": len(chosen.yaws),
                "training": asdict(chosen.training),
                "batches": list(batches),
                "samples": samples,
                "epochs": epochs,
            }
            launch("mvlm.study.items.fig4_fig5:epochs_on_a_rank", told, planned, threads=1)
            seconds = json.loads(Path(told["path"]).read_text(encoding="utf-8"))
        rows += [
            {
                "ranks": number,
                "batch": batch,
                "global_batch": number * batch,
                "oversubscribed": planned.oversubscribed,
                "seconds": of,
            }
            for batch, of in zip(batches, seconds, strict=True)
        ]
    machine = {"device": _device(kind), "devices": planned.devices, "system": platform.system()}
    return {
        "model": chosen.model,
        "samples": samples,
        "views": len(chosen.yaws),
        "threads": 1,
        "training": {name: value for name, value in chosen.training.content().items() if name != "batch"},
        "machine": machine | {"torch": version("torch"), "backend": "nccl" if kind == "cuda" else "gloo"},
        "rows": rows,
    }


def epochs_on_a_rank(
    path: str,
    device: str,
    model: str,
    pretrained: str | None,
    views: int,
    training: Mapping,
    batches: Sequence[int],
    samples: int,
    epochs: int,
) -> None:
    """Train on noise with each batch of a rank in turn; rank 0 writes the seconds of all epochs. See `measure`."""
    import torch

    from mvlm.model import load_model
    from mvlm.ranks import group
    from mvlm.samples import Rendering
    from mvlm.training.towers import FineTuning, fit

    generator = np.random.default_rng(0)
    found = []
    for batch in batches:
        towers = load_model(model, pretrained)
        side = towers.image_size
        images = generator.integers(0, 256, (samples, views, side, side, 3), dtype=np.uint8)
        order, ends = epochs_of(samples, batch * group.count(), epochs)
        module = FineTuning(
            towers,
            TEXTS,
            torch.arange(CLASSES),
            torch.arange(samples)[:, None].expand(-1, views) % CLASSES,
            use=("contrastive", "pairs", "multiview"),
            training=replace(Training(**training), batch=batch * group.count()),
            steps=len(order),
        )
        watch = stopwatch(ends)
        title = f"{group.count()} ranks, batch {batch}"
        options = {"seed": 0, "device": device, "title": title, "callbacks": [watch]}
        fit(module, images, np.arange(samples), order, Rendering(yaws=_yaws(views)), **options)
        found.append(np.diff(watch.times).tolist())
    if group.number() == 0:
        write(Path(path), lambda file: file.write(json.dumps(found).encode()))


def epochs_of(samples: int, batch: int, epochs: int) -> tuple[list[np.ndarray], list[int]]:
    """Rows of each step, and the steps after which an epoch is over; the first of these ends the warm-up.

    The last batch of an epoch is what remains of the samples.
    """
    generator = np.random.default_rng(0)
    warm = max(1, samples // WARM // batch)
    order = [generator.permutation(samples)[:batch] for _ in range(warm)]
    ends = [warm]
    for _ in range(epochs):
        shuffled = generator.permutation(samples)
        order += [shuffled[start : start + batch] for start in range(0, samples, batch)]
        ends.append(len(order))
    return order, ends


def stopwatch(ends: Sequence[int]):
    """A callback of Lightning whose `times` are those, in seconds, at which the steps `ends` were over."""
    import time

    import pytorch_lightning as pl
    import torch

    class Stopwatch(pl.Callback):
        def __init__(self):
            self.times: list[float] = []

        def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_rest: object) -> None:
            if trainer.global_step in ends:
                if module.device.type == "cuda":
                    torch.cuda.synchronize()
                self.times.append(time.perf_counter())

    return Stopwatch()


def read_record(chosen: Settings) -> dict:
    """The last measurement.

    Raises:
        AbsentError: nothing was measured here under such settings.
    """
    path = record_path(chosen)
    if not path.is_file():
        raise AbsentError("no times were measured on this machine yet; `make timings` does (about 5 minutes)")
    return json.loads(path.read_text(encoding="utf-8"))


def epoch_table(record: Mapping, paper: Paper) -> pd.DataFrame:
    """Fig. 4 as rows, with `COLUMNS_4`: ranks and batch, seconds here, and the paper's in columns of their own."""
    import pandas as pd

    rows = []
    for row in record["rows"]:
        said = epoch_seconds(paper, row["ranks"]).get(row["batch"])
        stated = row["batch"] in paper.seconds(row["ranks"])
        rows.append(
            row
            | {
                "seconds": statistics.median(row["seconds"]),
                "fastest": min(row["seconds"]),
                "slowest": max(row["seconds"]),
                "epochs": len(row["seconds"]),
                "paper_seconds": said,
                "paper_source": "" if said is None else STATED if stated else "from hours of 500 epochs",
            }
        )
    return pd.DataFrame(rows)[list(COLUMNS_4)]


def speedup_table(epochs: pd.DataFrame) -> pd.DataFrame:
    """Fig. 5 as rows, with `COLUMNS_5`, from the rows of Fig. 4."""
    import pandas as pd

    by = epochs.set_index(["ranks", "batch"])
    rows = []
    for ranks, over in PAIRS:
        for batch in epochs["batch"].unique():
            if (ranks, batch) in by.index and (over, batch) in by.index:
                fast, slow = by.loc[(ranks, batch)], by.loc[(over, batch)]
                rows.append(
                    {
                        "ranks": ranks,
                        "over": over,
                        "batch": int(batch),
                        "oversubscribed": bool(fast["oversubscribed"]),
                        "speedup": slow["seconds"] / fast["seconds"],
                        "paper_speedup": slow["paper_seconds"] / fast["paper_seconds"],
                    }
                )
    return pd.DataFrame(rows)[list(COLUMNS_5)]


def draw_epochs(epochs: pd.DataFrame) -> Drawing:
    """Seconds of an epoch: here by batch of a rank and by batch of all ranks, and the paper's."""
    panels = [
        ("batch", "seconds", "here", "samples of a rank's batch"),
        ("global_batch", "seconds", "here", "samples of the batch of all ranks"),
        ("batch", "paper_seconds", "the paper, its GPUs and data", "batch, the paper does not say whose"),
    ]
    figure, axes = _panels(len(panels), "seconds of an epoch")
    for axis, (across, up, title, label) in zip(axes, panels, strict=True):
        for ranks, part in epochs.groupby("ranks"):
            many = "GPU" if up == "paper_seconds" else "rank"
            extra = " (oversubscribed)" if many == "rank" and part["oversubscribed"].any() else ""
            name = f"{ranks} {many}{'s' * (ranks > 1)}{extra}"
            (line,) = axis.plot(part[across], part[up], marker="o", ms=4, label=name)
            if many == "rank":
                axis.fill_between(part[across], part["fastest"], part["slowest"], alpha=0.2, lw=0)
            else:
                derived = part[part["paper_source"] != STATED].dropna(subset=[up])
                hollow = {"mfc": "white", "color": line.get_color(), "label": None}
                axis.plot(derived[across], derived[up], ls="", marker="o", ms=4, **hollow)
        if up == "paper_seconds":
            axis.plot([], [], ls="", marker="o", ms=4, mfc="white", color="0.4", label="hours / 500 epochs")
        _finish(axis, title, label, epochs[across])
    return Drawing(figure, epochs, COLUMNS_4)


def draw_speedups(speedups: pd.DataFrame) -> Drawing:
    """How many times faster, here and in the paper; the dashes are as fast, and as fast as there are ranks more."""
    figure, axes = _panels(2, "times faster")
    for axis, up, title in zip(axes, ("speedup", "paper_speedup"), ("here", "the paper"), strict=True):
        for (ranks, over), part in speedups.groupby(["ranks", "over"], sort=False):
            extra = " (oversubscribed)" if up == "speedup" and part["oversubscribed"].any() else ""
            name = f"{ranks} over {over}{extra}"
            (line,) = axis.plot(part["batch"], part[up], marker="o", ms=4, label=name)
            axis.axhline(ranks / over, ls=":", lw=1, color=line.get_color())
        axis.axhline(1, ls="--", lw=1, color="0.4")
        _finish(axis, title, "batch of a rank" if up == "speedup" else "batch", speedups["batch"])
    return Drawing(figure, speedups, COLUMNS_5)


def _panels(count: int, label: str) -> tuple:
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper", palette="colorblind")
    figure = Figure(figsize=(3.1 * count, 3.0), layout="constrained")
    axes = figure.subplots(1, count)
    axes[0].set_ylabel(label)
    return figure, axes


def _finish(axis, title: str, label: str, across: pd.Series) -> None:
    ticks = sorted(across.unique())
    axis.set_xscale("log", base=2)
    shown = ticks if len(ticks) <= len(BATCHES) else ticks[::2]
    axis.set_xticks(shown, [str(tick) for tick in shown], fontsize=7)
    axis.minorticks_off()
    axis.set(title=title, xlabel=label, ylim=(0, 1.3 * axis.dataLim.y1))  # room for the legend
    axis.legend(fontsize=7)


def _yaws(views: int) -> tuple[float, ...]:
    """Some angles in mirrored pairs: noise has none, but flips exchange the views of a pair."""
    sides = [sign * (number + 1.0) for number in range(views // 2) for sign in (1, -1)]
    return (0.0, *sides)


def _device(kind: str) -> str:
    if kind == "cuda":
        import torch

        return torch.cuda.get_device_name(0)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> int:
    """Measure, and keep the record whole or not at all."""
    try:
        chosen = Settings.from_environment()
        record = measure(chosen)
    except (ValueError, OSError, RankError) as error:
        print(f"timings: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntimings: interrupted; the last record stays", file=sys.stderr)
        return 130
    path = record_path(chosen)
    write_text(path, (json.dumps(record, indent=1) + "\n"))
    for row in record["rows"]:
        many = "ranks" if row["ranks"] > 1 else "rank "
        more = ", oversubscribed" if row["oversubscribed"] else ""
        print(f"{row['ranks']} {many}, batch {row['batch']:3} each ({row['global_batch']:3} in all): "
              f"{statistics.median(row['seconds']):6.2f} s{more}")
    print(f"timings: {path.relative_to(mvlm.settings.ROOT)}")
    return 0


if __name__ == "__main__":
    command(main)
