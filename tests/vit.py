"""A real tower through the full profile: `python -m tests.vit [MODEL]`, ViT-B-32 with random weights by default.

One fold of the smoke twin of Bosphorus, end to end on one process: pseudo-labels, training with checkpoints, an
interruption and its resumption, scores, weights read back, Grad-CAM. Minutes and some GB on a processor, so it is no
part of the suite, which does the same with a small tower. The last line says how long it took and how much memory.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import mvlm.settings
from mvlm import weights
from mvlm.measures.explain import grad_cam
from mvlm.model import RANDOM, load_model
from mvlm.ranks import launch as ranks
from mvlm.settings import Settings, Training
from mvlm.study import full_profile, plan
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.methods import METHODS


def main(model: str) -> None:
    chosen = Settings(
        profile="smoke", model=model, pretrained=RANDOM, training=Training(epochs=1, batch=6, pieces=2, save=2)
    )
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mvlm-vit-") as folder:
        mvlm.settings.RUNS = Path(folder)
        (part,) = plan.present([BENCHMARKS["Bosphorus"]], chosen)
        split, cell = plan.split_subjects(part, chosen)[0], plan.Cell(replace(METHODS["full"], rounds=1), 0, 2, 0)
        path, told = Path(folder, "records", "run.json"), []
        full_profile.launch = lambda _name, arguments, _planned: told.extend(arguments["runs"])
        full_profile.compute([plan.Planned(part, cell, *split, path)], chosen)
        ranks.launch("tests.vit:interrupted", {"told": told}, ranks.find_devices("cpu"))
        left = sorted(of.name for of in Path(folder).rglob("step-*"))
        assert left == ["step-0000002"], left
        ranks.launch("mvlm.study.full_profile:execute", {"runs": told, "device": "cpu"}, ranks.find_devices("cpu"))
        record = json.loads(path.read_text(encoding="utf-8"))
        trained = load_model(model, Path(folder, "weights", "run.safetensors"))
        assert weights.digest(trained.clip) == record["weights"]
        test = told[0]["fold"]["test"]
        images = np.load(test["file"])[test["rows"][:2]]
        found = grad_cam(trained, images, told[0]["fold"]["emotions"])
        assert found.heat.shape == images.shape[:4] and found.mass.max() > 0
        print(f"{model}: {images.shape[2]} px, {len(told[0]['fold']['train']['rows'])} samples to train on, heat of "
              f"{found.heat.shape[1]} views")
    memory = max(resource.getrusage(of).ru_maxrss for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{time.perf_counter() - started:.0f} s, {memory * 1024 / 1e9:.1f} GB at the peak of one process")


def interrupted(told: list[dict]) -> None:
    """Ends the run after its first checkpoint, as an interrupt would."""
    from mvlm.training import checkpoints

    save = checkpoints.save

    def once(*arguments):
        save(*arguments)
        raise SystemExit(0)

    checkpoints.save = once
    full_profile.execute(told, "cpu")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "ViT-B-32")
