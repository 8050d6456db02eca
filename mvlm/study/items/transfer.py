"""From the twin to other people's faces: BU-3DFE under `DATA`, read by halves.

Subjects of odd number may guide work on the foundation and the method, and are what is read by default. Those of even
number are kept for one reading, when that work is done; earlier work has read those of the sample corpora, where they
confirm and no more. "Inductive" means that nothing of the half that is read is used before it is predicted;
"transductive" adapts to it, without its labels.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.cache.keys import key, source_key
from mvlm.labels.naming import Prompts, named_clusters
from mvlm.measures import evaluate
from mvlm.method import adapt, predict, represent
from mvlm.samples import folds
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.methods import METHODS, reach, recipe
from mvlm.study.plan import Experiment, present, training
from mvlm.study.runs import embedded

if TYPE_CHECKING:
    import pandas as pd

TARGETS = ("BU-3DFE-I", "BU-3DFE-II")
MODELS = ("foundation", "trained on the twin")
HALVES = ("even", "odd")
ADAPTED = "full"  # what both models are adapted by
USED = (ADAPTED, "baseline", "centred")
PROBE_SUBJECTS = 4  # folds of one subject, three others to train on
PROTOCOLS = {  # protocol -> supervision, and what it is adapted on
    "zero-shot": ("none", ""),
    "zero-shot, centred": ("none", "{other} half"),
    "adapted, inductive": ("cluster", "{other} half"),
    "adapted, transductive": ("cluster", "{half} half, unlabelled"),
    "clusters, named by labels": ("oracle", "{other} half"),
    "linear probe": ("labels", "{half} half, folds"),
}


def transfer(settings: Settings | None = None, *, half: str = "odd", seed: int = 0) -> pd.DataFrame:
    """Accuracy on one half of the subjects of a corpus the twin's model never saw.

    Both models are measured: "foundation", frozen, and "trained on the twin", by the full method on all subjects of the
    twin, no label read. Protocols:

    - zero-shot: prompts on the mean view.
    - zero-shot, centred: the same with the mean of the other half removed.
    - adapted, inductive: the full method's rounds on the other half, without labels, then zero-shot.
    - adapted, transductive: the rounds on the half that is read.
    - clusters, named by labels: k-means of the other half, named by its true labels. What naming costs.
    - linear probe: on the same embeddings, by subject-independent folds within the half that is read. Supervised.

    Args:
        settings: None reads them from the environment; `data` must be set.
        half: of the subjects, "odd", or "even", which is read once.
        seed: of clustering and training.

    Returns:
        One row per benchmark, model and protocol: benchmark, model, protocol, supervision, adapted_on, data_kind,
        profile, half; mean, low, high: accuracy and its 95 % interval over subjects, in [0, 1]; chance, n, subjects;
        names, emotions, predicted: lists over samples.

    Raises:
        ValueError: no `DATA`, the full profile, an unknown half, too few subjects.
        FileNotFoundError: no BU-3DFE under `DATA`.
    """
    import pandas as pd

    from mvlm.measures.statistics import chance, summary

    chosen = Settings.from_environment() if settings is None else settings
    if chosen.data is None:
        raise ValueError("transfer needs DATA=, the root of a folder with BU-3DFE")
    if chosen.profile == "full":
        raise ValueError("PROFILE=full has no transfer; it is of PROFILE=quick")
    if half not in HALVES:
        raise ValueError(f"half {half!r}: expected one of {', '.join(HALVES)}")
    twin = replace(chosen, data=None)
    with workers.on(chosen.scheduler):
        targets = present([BENCHMARKS[name] for name in TARGETS], chosen)
        sources = present([target.benchmark for target in targets], twin)
        paths = [_record_path(*pair, half, seed) for pair in zip(sources, targets, strict=True)]
        tasks = [
            {"path": path, "half": half, "seed": seed, "how": training(chosen)}
            | {"target": _embedded(target, chosen), "source": _embedded(source, twin)}
            for source, target, path in zip(sources, targets, paths, strict=True)
            if not path.is_file()
        ]
        for _ in workers.each(_execute, tasks, jobs=chosen.jobs, title="transfer") if tasks else ():
            pass
    rows = []
    for target, path in zip(targets, paths, strict=True):
        found = json.loads(path.read_text(encoding="utf-8"))
        for row in found["rows"]:
            right = np.array(row["predicted"]) == np.array(found["emotions"])
            spread = summary(right, np.zeros(len(right), int), np.array(found["subjects"]))
            rows.append(
                {"benchmark": target.benchmark.name}
                | {name: row[name] for name in ("model", "protocol", "supervision", "adapted_on")}
                | {"data_kind": target.corpus.kind, "profile": chosen.profile, "half": half}
                | {"mean": spread.mean, "low": spread.low, "high": spread.high}
                | {"chance": chance(len(target.benchmark.emotions)), "n": spread.n, "subjects": spread.subjects}
                | {"names": found["names"], "emotions": found["emotions"], "predicted": row["predicted"]}
            )
    return pd.DataFrame(rows)


def halves(subjects: np.ndarray) -> np.ndarray:
    """(N,) whether the number in each subject's name is even: F0002 is, bs001 is not."""
    return np.array([int(re.sub(r"\D", "", subject)) % 2 == 0 for subject in subjects], dtype=bool)


def _record_path(source: Experiment, target: Experiment, half: str, seed: int) -> Path:
    content = {
        "half": half,
        "seed": seed,
        "trained": source.content,
        "shown": target.content,
        "methods": [recipe(METHODS[name]) for name in USED],
        "source": source_key("mvlm.study.items.transfer:_measure", **reach(METHODS[ADAPTED])),
    }
    return mvlm.settings.RUNS / "records" / f"{key(content)}.json"


def _embedded(experiment: Experiment, chosen: Settings) -> dict[str, object]:
    samples, prompts = embedded(experiment, chosen)
    return {"samples": samples, "classes": experiment.benchmark.emotions, "prompts": prompts}


def _execute(task: dict) -> None:
    text = json.dumps(_measure(**{name: task[name] for name in ("source", "target", "half", "seed", "how")})) + "\n"
    write_text(task["path"], text)


def _measure(source: dict, target: dict, half: str, seed: int, how: dict) -> dict[str, object]:
    """The record of a benchmark: every protocol by both models, on embeddings of the twin and of the target."""
    samples, prompts = target["samples"], target["prompts"]
    reported = halves(samples.subjects) == (half == "even")
    y = np.array([target["classes"].index(emotion) for emotion in samples.emotions])
    trained, _ = adapt(METHODS[ADAPTED], source["samples"].views(), prompts, seed=seed, **how)
    rows = []
    for model, adapter in zip(MODELS, (None, trained), strict=True):
        views = samples.views() if adapter is None else adapter.apply(samples.views())
        for protocol, predicted in _by_protocol(views, y, reported, samples.subjects, prompts, seed, how).items():
            supervision, adapted_on = PROTOCOLS[protocol]
            rows.append(
                {
                    "model": model,
                    "protocol": protocol,
                    "supervision": supervision,
                    "adapted_on": adapted_on.format(half=half, other="odd" if half == "even" else "even"),
                    "predicted": [target["classes"][c] for c in predicted],
                }
            )
    return {
        "names": samples.names[reported].tolist(),
        "subjects": samples.subjects[reported].tolist(),
        "emotions": samples.emotions[reported].tolist(),
        "rows": rows,
    }


def _by_protocol(
    views: np.ndarray, y: np.ndarray, reported: np.ndarray, subjects: np.ndarray, prompts: Prompts, seed: int, how: dict
) -> dict[str, np.ndarray]:
    """Protocol -> predictions (M,) of the reported samples, of embeddings (A, N, V, D)."""
    full, plain, centred = (METHODS[name] for name in USED)
    mine, others = views[:, reported], views[:, ~reported]
    train_x, test_x = represent(plain, others[0], mine[0])
    found = {
        "zero-shot": predict(plain, test_x, prompts),
        "zero-shot, centred": predict(centred, represent(centred, others[0], mine[0])[1], prompts),
    }
    for protocol, unlabelled in (("adapted, inductive", others), ("adapted, transductive", mine)):
        adapted = adapt(full, unlabelled, prompts, seed=seed, **how)[0].apply(mine[0])
        found[protocol] = predict(plain, represent(plain, adapted, adapted)[1], prompts)
    clusters, _ = named_clusters(train_x, prompts, seed=seed)
    names = evaluate.hungarian_names(clusters.assignment, y[~reported])
    found["clusters, named by labels"] = names[(test_x @ clusters.centres.T).argmax(1)]
    who = subjects[reported]
    if len(set(who.tolist())) >= PROBE_SUBJECTS:
        predicted = np.zeros(len(test_x), dtype=int)
        for train, test in folds(who):
            fit, check = np.isin(who, train), np.isin(who, test)
            predicted[check] = evaluate.linear_probe(test_x[fit], y[reported][fit], who[fit], test_x[check])
        found["linear probe"] = predicted
    return found
