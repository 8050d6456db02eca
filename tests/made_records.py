"""Records as `study.run` and `summary_inspections.inspected` return them, made up: for tests of what reads them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mvlm.samples import catalogue, folds
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.methods import METHODS
from mvlm.twins.twin import Twin

SUBJECTS, FOLDS = 6, 3
# How often each method is right; of any other, as often as the baseline.
RIGHT = {"baseline": 0.5, "pseudo-labels": 0.6, "pairs": 0.65, "full": 0.8, "oracle": 0.95}


def made_runs(benchmarks: Sequence[str], methods: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """One row per benchmark, method and fold, of the first subjects of the twin."""
    rng, rows = np.random.default_rng(seed), []
    for name in benchmarks:
        known = BENCHMARKS[name]
        samples = catalogue(Twin(known.corpus))
        samples = samples.select(known.select(samples))
        samples = samples.select(np.isin(samples.subjects, np.unique(samples.subjects)[:SUBJECTS]))
        tests = [test for _, test in folds(samples.subjects, FOLDS)] if not known.trains_on else [samples.subjects]
        for method in methods:
            for fold, subjects in enumerate(tests):
                of = samples.select(np.isin(samples.subjects, subjects))
                said = [_said(of.emotions, classes, RIGHT.get(method, 0.5), rng)
                        for classes in (known.emotions, known.shown or known.emotions)]  # fmt: skip
                rows.append({
                    "benchmark": name, "method": method, "fold": fold, "folds": len(tests), "seed": 0,
                    "supervision": METHODS[method].supervision, "knows": METHODS[method].knowledge,
                    "data_kind": "twin", "fingerprint": "f", "model": "m", "profile": "smoke",
                    "names": of.names.tolist(), "subjects": of.subjects.tolist(),
                    "emotions": of.emotions.tolist(), "zero_shot": said[0], "knn": said[0], "probe": said[0],
                    "cluster": said[0], "among_shown": said[1] if known.shown else None, "ari": 0.4, "nmi": 0.5,
                    "naming": 0.7, "change": [], "pseudo_labels": [0.6] * METHODS[method].rounds, "cluster_sizes": [],
                    "weights": None,
                })  # fmt: skip
    return pd.DataFrame(rows)


def made_inspections(runs: pd.DataFrame, seed: int = 1) -> pd.DataFrame:
    """An inspection beside each run."""
    rng, rows = np.random.default_rng(seed), []
    for run in runs.to_dict("records"):
        classes, count = BENCHMARKS[run["benchmark"]].emotions, len(run["names"])
        right = RIGHT.get(run["method"], 0.5)
        who = sorted(set(run["subjects"]))
        others = [int(rng.choice(np.delete(np.arange(count), place))) for place in range(count)]
        restarts = [{"inertia": float(n), "quality": right, "naming": n / 20, "renamed": n / 40} for n in range(20)]
        head = ("benchmark", "method", "fold", "folds", "seed", "supervision", "knows", "data_kind", "fingerprint",
                "model", "profile", "names", "subjects", "emotions")  # fmt: skip
        rows.append({name: run[name] for name in head} | {
            "views": [_said(run["emotions"], classes, right - loss, rng) for loss in (0, 0.1, 0.2)],
            "nearest": others, "subject_nearest": rng.choice(who, count).tolist(),
            "subject_probe": list(run["subjects"]), "yaw": [[0, 1, 2]] * count,
            "labelled": {share: {"subjects": 1 + number, "predicted": [
                _said(run["emotions"], classes, 0.3 + 0.1 * number, rng) for _ in range(5)
            ]} for number, share in enumerate(("1", "5", "10"))},
            "clusters": restarts,
        })  # fmt: skip
    return pd.DataFrame(rows)


def _said(true: Sequence[str], classes: Sequence[str], right: float, rng: np.random.Generator) -> list[str]:
    guesses = rng.choice(np.array(classes), len(true))
    return np.where(rng.random(len(true)) < right, np.array(true), guesses).tolist()
