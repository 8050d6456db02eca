"""How hard the twins are: what the frozen foundation makes of them when one of their dials is turned.

It describes and changes nothing: every number of the tables is measured at 1, the value of all dials. The same people,
takes and errors are drawn at every setting, so that settings can be compared person by person.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.cache.keys import key, source_key
from mvlm.labels.clusters import aggregate
from mvlm.labels.naming import Prompts
from mvlm.measures import evaluate
from mvlm.measures.statistics import chance, corrected_resampled_t, summary
from mvlm.prompts import prompts_for
from mvlm.samples import Rendering, catalogue, view_source
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.embeddings import image_source, model_key, plain
from mvlm.twins.twin import Dials, Twin

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


class Turned(NamedTuple):
    """What is turned on the twin of a benchmark.

    Attributes:
        dials: those that can matter there, in the order of the figure.
        subjects: how many people are shown, all that they do.
        values: of each dial, 1 among them.
    """

    dials: tuple[str, ...]
    subjects: int
    values: tuple[float, ...] = (0.5, 1.0, 2.0)


# On one core a setting costs about 8 s of BU-3DFE, 9 s of BU-4DFE and 14 s of BP4D, whose films have no landmarks to
# align them by; so there are fewer people in films, and BP4D's dials are turned up alone.
ASKED = {
    "BU-3DFE-II": Turned(
        ("strength", "variation", "identity", "levels", "takes", "asymmetry", "own", "noise", "holes", "pose",
         "landmark"), 12,
    ),
    "BU-4DFE": Turned(
        ("strength", "variation", "takes", "asymmetry", "own", "irregularity", "apex", "noise", "pose", "rim"), 6
    ),
    "BP4D": Turned(
        ("strength", "variation", "mixing", "missing", "displays", "length", "speech", "irregularity", "apex"), 6,
        (1.0, 2.0),
    ),
}  # fmt: skip
SMOKE_SUBJECTS, SMOKE_DIALS = 3, 1
# Columns of the CSV, with their units.
COLUMNS = {
    "benchmark": "corpus and subset",
    "data_kind": "twin",
    "dial": "what is turned, see mvlm.twins.twin.Dials",
    "value": "factor; 1 is the twin itself",
    "accuracy": "percent, zero-shot prompts on the mean view, frozen foundation",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects",
    "high": "percent, upper end of it",
    "difference": "percentage points above the twin itself, same people and takes; empty at 1",
    "difference_low": "points, lower end of the 95 % interval by the paired t over subjects",
    "difference_high": "points, upper end of it",
    "chance": "percent, a guess among the classes",
    "n": "samples",
    "subjects": "subjects",
    "profile": "smoke, quick or full",
}


class Setting(NamedTuple):
    """The twin of a benchmark with one dial at one value."""

    benchmark: str
    dial: str
    value: float

    @property
    def twin(self) -> Twin:
        return Twin(BENCHMARKS[self.benchmark].corpus, replace(Dials(), **{self.dial: self.value}))


def turned(chosen: Settings | None = None) -> pd.DataFrame:
    """Accuracy of the frozen foundation at every setting, computing what is missing; rows with `COLUMNS`.

    Args:
        chosen: None reads the settings from the environment. `data` plays no part: only a twin has dials.
    """
    import pandas as pd

    chosen = replace(Settings.from_environment() if chosen is None else chosen, data=None)
    count = SMOKE_DIALS if chosen.profile == "smoke" else None
    settings = [
        Setting(name, dial, value)
        for name, asked in ASKED.items()
        for dial in asked.dials[:count]
        for value in asked.values
    ]
    with workers.on(chosen.scheduler):
        found = {setting: _record(setting, chosen) for setting in settings}
    rows = []
    for setting, record in found.items():
        usual = found[setting._replace(value=1.0)]
        correct, subjects = np.array(record["correct"]), np.array(record["subjects"])
        spread = summary(correct, np.zeros(len(correct), int), subjects)
        row = {"benchmark": setting.benchmark, "data_kind": "twin", "dial": setting.dial, "value": setting.value}
        row |= {"accuracy": 100 * spread.mean, "low": 100 * spread.low, "high": 100 * spread.high}
        if setting.value != 1:
            gains = 100.0 * (correct.astype(int) - np.array(usual["correct"]))
            test = corrected_resampled_t(np.array([gains[subjects == each].mean() for each in np.unique(subjects)]), 0)
            row |= {"difference": test.mean, "difference_low": test.low, "difference_high": test.high}
        row |= {"chance": 100 * chance(len(BENCHMARKS[setting.benchmark].emotions)), "n": spread.n}
        rows.append(row | {"subjects": spread.subjects, "profile": chosen.profile})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _record(setting: Setting, chosen: Settings) -> dict[str, list]:
    """Names, subjects and whether the frozen foundation is right, of the samples of a few people at one setting."""
    benchmark, twin = BENCHMARKS[setting.benchmark], setting.twin
    every = sorted({item.subject for item in twin.items})
    wanted = SMOKE_SUBJECTS if chosen.profile == "smoke" else ASKED[setting.benchmark].subjects
    subjects = [every[place] for place in np.linspace(0, len(every) - 1, wanted).round().astype(int)]
    path = _path(setting, twin, subjects, chosen)
    if not path.is_file():
        samples, views, prompts = plain(twin, benchmark.emotions, chosen, subjects)
        asked = benchmark.select(samples)
        of, said = replace(samples, images=None).select(asked), _predicted(views[asked], prompts)
        record = {
            "names": of.names.tolist(),
            "subjects": of.subjects.tolist(),
            "correct": (np.array(benchmark.emotions)[said] == of.emotions).tolist(),
        }
        write_text(path, json.dumps(record))
    return json.loads(path.read_text(encoding="utf-8"))


def _path(setting: Setting, twin: Twin, subjects: list[str], chosen: Settings) -> Path:
    content = {
        "benchmark": setting.benchmark,
        "samples": catalogue(twin, subjects).names.tolist(),
        "corpus": twin.fingerprint,
        "model": model_key(chosen),
        "rendering": Rendering.of(chosen),
        "views": view_source(twin),
        "images": image_source(),
        "prompts": prompts_for(BENCHMARKS[setting.benchmark].emotions)[0],
        "source": source_key("mvlm.study.items.dials:_predicted", "mvlm.study.benchmarks:Benchmark"),
    }
    return mvlm.settings.RUNS / "records" / f"{key(content)}.json"


def _predicted(views: np.ndarray, prompts: Prompts) -> np.ndarray:
    """(N,) class whose prompts are nearest to the mean view of each of the samples (N, V, D)."""
    return evaluate.zero_shot(aggregate(views), prompts.prototypes())
