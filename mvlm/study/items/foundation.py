"""What a foundation knows before any adaptation: of strangers, by its card, and of the twins, measured here.

``python -m mvlm.study.items.foundation [WEIGHTS ...]`` measures weights (by default the shipped ones) on the twins
of all benchmarks and writes their cards, with what was found, into `foundations/`. Cards lie there and not beside the
weights, since whatever lies there counts as a part of the model.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvlm.measures.statistics import chance, summary
from mvlm.report.results import Part
from mvlm.settings import MODEL, ROOT, Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.runs import run

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent / "foundations"
SHIPPED = ROOT / "mvlm" / "weights" / f"{MODEL}.safetensors"
# Card -> which foundation it is; by whole names, so that no other module of the study depends on them.
FOUNDATIONS = {
    "mvlm-tiny.json": "still and moving faces",
    "without-sequences.json": "still faces alone",
    "without-words.json": "still and moving faces, no emotion words",
    "words-always.json": "still and moving faces, emotion words in all captions of emotions",
}
PROTOCOLS = {"zero_shot": "zero-shot", "probe": "linear probe"}
MEASURES = {
    "zero_shot_6": ("zero-shot, six emotions", 6),
    "zero_shot_8": ("zero-shot, eight emotions", 8),
    "text_to_face_1": ("caption finds its face first", None),
    "text_to_face_10": ("caption finds its face among the first ten", None),
    "actions": ("action units told apart (area under the ROC curve)", 2),
}
KINDS = {"stills": "held-out strangers, still", "dynamic": "held-out strangers, moving"}
# Columns of the CSV, with their units.
COLUMNS = {
    "pretrained_on": "what the foundation learnt from",
    "asked_about": "faces that no foundation has seen",
    "measure": "what is asked",
    "data_kind": "strangers or twin",
    "value": "percent",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects; strangers have no repeated subject",
    "high": "percent, upper end of it",
    "chance": "percent, a guess; empty where it depends on the captions",
    "n": "samples",
    "subjects": "subjects",
}


def measure(weights: Path, chosen: Settings) -> dict[str, Any]:
    """The card of a foundation with ``twins``: benchmark -> protocol -> accuracy in [0, 1], its interval, n, subjects.

    Args:
        weights: a file that `mvlm.foundation.pretrain` wrote, its card beside it.
        chosen: profile and jobs; data is always the twins.

    Raises:
        ValueError, FileNotFoundError: no weights or no card there.
    """
    import numpy as np

    card = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    asked = replace(chosen, data=None, pretrained=None if weights == SHIPPED else str(weights))
    records = run(methods=("baseline",), settings=asked)
    found: dict[str, Any] = {}
    for benchmark, runs in records.groupby("benchmark", sort=False):
        fold = np.repeat(runs["fold"], runs["names"].map(len))
        subjects, true = (np.concatenate(runs[name].to_list()) for name in ("subjects", "emotions"))
        found[benchmark] = {"fingerprint": runs["fingerprint"].iloc[0], "profile": runs["profile"].iloc[0]}
        for protocol in PROTOCOLS:
            spread = summary(np.concatenate(runs[protocol].to_list()) == true, fold, subjects)
            known = {name: round(getattr(spread, name), 4) for name in ("mean", "low", "high")}
            found[benchmark][protocol] = known | {"n": spread.n, "subjects": spread.subjects}
    return card | {"twins": found}


def cards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The cards of a folder that are known: what each foundation learnt from -> card.

    Raises:
        FileNotFoundError: none is there.
    """
    there = {title: folder / name for name, title in FOUNDATIONS.items() if (folder / name).is_file()}
    if not there:
        raise FileNotFoundError(f"{folder}: expected {' or '.join(FOUNDATIONS)}, found none")
    return {title: json.loads(path.read_text(encoding="utf-8")) for title, path in there.items()}


def foundation_table(known: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Cards, by what the foundation learnt from, as rows with `COLUMNS`."""
    import pandas as pd

    rows = []
    for title, card in known.items():
        for kind, measured in card["held_out"].items():
            for name, (measure, ways) in MEASURES.items():
                row = {"pretrained_on": title, "asked_about": KINDS[kind], "measure": measure, "data_kind": "strangers"}
                rows.append(row | {"value": 100 * measured[name], "chance": 100 * chance(ways) if ways else None})
        for benchmark, measured in card["twins"].items():
            for name, protocol in PROTOCOLS.items():
                row = {"pretrained_on": title, "asked_about": benchmark, "measure": protocol, "data_kind": "twin"}
                spread = measured[name]
                row |= {"value": 100 * spread["mean"], "low": 100 * spread["low"], "high": 100 * spread["high"]}
                row |= {"chance": 100 * chance(len(BENCHMARKS[benchmark].emotions))}
                rows.append(row | {count: spread[count] for count in ("n", "subjects")})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"n": "Int64", "subjects": "Int64"})


def render_foundation(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV: a row for each question, a column for each foundation."""
    import pandas as pd

    rows = []
    for (about, measure, kind), group in frame.groupby(["asked_about", "measure", "data_kind"], sort=False):
        row = {"Asked about": f"{about} ({kind})" if kind == "twin" else about, "Measure": measure}
        values = {cell["pretrained_on"]: _shown(cell) for cell in group.to_dict("records")}
        row |= {f"pretrained on {title}": values.get(title, "absent") for title in FOUNDATIONS.values()}
        guess = group["chance"].iloc[0]
        rows.append(row | {"Chance": "–" if pd.isna(guess) else f"{guess:.1f}"})
    note = (
        "Percent, of the frozen model on the mean view, nothing adapted [95 % interval, bootstrap over subjects]. "
        "Strangers are random faces of head variants that neither the pretraining nor any twin has; moving ones are "
        "dynamic images. All foundations are of one recipe but for what the column names; the first one is shipped. "
        "The linear probe is fitted on labelled training subjects: it tells what the embedding holds, whatever the "
        "prompts make of it. Absent: not pretrained and measured."
    )
    return [Part("What foundations know, by what they were pretrained on", pd.DataFrame(rows), note)]


def _shown(cell: Mapping[str, Any]) -> str:
    interval = f" [{cell['low']:.1f}, {cell['high']:.1f}]" if cell["low"] == cell["low"] else ""
    return f"{cell['value']:.1f}{interval}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: the weights to measure; their cards keep their names."""
    about = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m mvlm.study.items.foundation", description=about)
    parser.add_argument("weights", nargs="*", type=Path, default=[SHIPPED], help="files of make foundation")
    chosen = Settings.from_environment()
    for weights in parser.parse_args(arguments).weights:
        name = f"{weights.stem}.json"
        if name not in FOUNDATIONS:
            parser.error(f"{weights}: expected a file whose card is called {' or '.join(FOUNDATIONS)}")
        card = measure(weights, chosen)
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / name).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(card["twins"], indent=1))


if __name__ == "__main__":
    main()
