"""What a foundation knows before any adaptation: of strangers, by its card, and of the twins, measured here.

Beside accuracies it is asked about single action units, which no prompt of an emotion names: `units_told`.

``python -m mvlm.study.items.foundation [--ladder] [WEIGHTS ...]`` measures weights (by default the shipped ones) on the
twins of all benchmarks and writes their cards, with what was found, into `foundations/`. Cards lie there and not beside
the weights, since whatever lies there counts as a part of the model. With ``--ladder`` they are adapted, too: what the
method gains on another training of the same foundation, which no interval of the tables holds.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mvlm.faces.corpora.items import Scan, evenly_spaced
from mvlm.foundation.captions import PHRASES, VISIBLE
from mvlm.labels.clusters import aggregate
from mvlm.machine import command
from mvlm.measures.statistics import chance, summary
from mvlm.report.results import Part
from mvlm.settings import MODEL, ROOT, Settings
from mvlm.study.benchmarks import BASIC, BENCHMARKS
from mvlm.study.embeddings import frozen, texts
from mvlm.study.items.differences import AGAINST
from mvlm.study.items.foundation_ladder import ADAPT, ladder_parts, ladder_rows, rungs, shown
from mvlm.study.items.seen_or_not import SEEN
from mvlm.study.items.transfer import halves
from mvlm.study.runs import run
from mvlm.twins.twin import Twin

if TYPE_CHECKING:
    import pandas as pd

    from mvlm.faces.corpora.corpus import Corpus

FOLDER = Path(__file__).parent / "foundations"
SHIPPED = ROOT / "mvlm" / "weights" / f"{MODEL}.safetensors"
# Card -> which foundation it is; by whole names, so that no other module of the study depends on them.
FOUNDATIONS = {
    "mvlm-tiny.json": "still and moving faces",
    "again.json": "still and moving faces, trained again",
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
POSED = ("BU-3DFE", "Bosphorus", "BU-4DFE")  # whose samples show units together, in expressions
SINGLE = "Bosphorus"  # which has scans of single units, too
ALONE = f"{SINGLE}, single units"
SINGLE_CODE = re.compile(r"(?:LFAU|UFAU)_(\d+)", re.IGNORECASE)  # on both sides and at full strength: no 12L, no 12LW
FRAMES = 16  # of a film, at the strongest of which a unit is taken
KINDS = {"stills": "held-out strangers, still", "dynamic": "held-out strangers, moving"}
# Columns of the CSV, with their units.
COLUMNS = {
    "pretrained_on": "what the foundation learnt from",
    "asked_about": "faces that no foundation has seen",
    "face": "what draws them; of action units alone",
    "measure": "what is asked",
    "unit": "action unit (FACS); empty where none is asked about",
    "method": "how the foundation was adapted, knowing nothing beside images; empty where it is frozen",
    "supervision": "where a training sample's class comes from; empty where it is frozen",
    "data_kind": "strangers or twin",
    "value": "percent; above the frozen model, percentage points",
    "low": "lower end of the 95 % interval by bootstrap over subjects, and over seeds where there are several; above "
    "the frozen model by the corrected resampled t over folds, or a paired t over subjects; strangers have no interval",
    "high": "upper end of it",
    "chance": "percent, a guess; empty where it depends on the captions",
    "n": "samples; of a unit, those that show it",
    "subjects": "subjects",
}
UNIT = "told apart by its phrase (area under the ROC curve)"


def measure(weights: Path, chosen: Settings, *, ladder: bool = False) -> dict[str, Any]:
    """The card of a foundation with ``twins``: benchmark -> protocol -> accuracy in [0, 1], its interval, n, subjects.

    And with ``units``: "strangers", or the face of a twin -> who is asked about -> what `units_told` returns. With
    ``ladder``, if it is asked for: what `rungs` returns.

    Args:
        weights: a file that `mvlm.foundation.pretrain` wrote, its card beside it.
        chosen: profile and jobs; data is always the twins.
        ladder: whether to adapt it, too; it takes as long as the tables.

    Raises:
        ValueError, FileNotFoundError: no weights or no card there.
    """
    card = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
    asked = replace(chosen, data=None, pretrained=None if weights == SHIPPED else str(weights))
    records = run(methods=(AGAINST, *(ADAPT if ladder else ())), settings=asked)
    found: dict[str, Any] = {}
    for benchmark, runs in records[records["method"] == AGAINST].groupby("benchmark", sort=False):
        fold = np.repeat(runs["fold"], runs["names"].map(len))
        subjects, true = (np.concatenate(runs[name].to_list()) for name in ("subjects", "emotions"))
        found[benchmark] = {"fingerprint": runs["fingerprint"].iloc[0], "profile": runs["profile"].iloc[0]}
        for protocol in PROTOCOLS:
            spread = summary(np.concatenate(runs[protocol].to_list()) == true, fold, subjects)
            known = {name: round(getattr(spread, name), 4) for name in ("mean", "low", "high")}
            found[benchmark][protocol] = known | {"n": spread.n, "subjects": spread.subjects}
    card |= {"twins": found, "units": {"strangers": strangers_told(card, asked)} | twins_told(asked)}
    return card | {"ladder": rungs(records)} if ladder else card


def areas(rows: np.ndarray, shown: Mapping[int, np.ndarray], phrases: Mapping[int, np.ndarray]) -> dict[int, float]:
    """Action unit -> area under the ROC curve of nearness to its phrase, samples that show it against all others.

    The probability that a sample with the unit lies nearer to the phrase than one without, 0.5 by chance. Units that
    all samples or none show are left out.

    Args:
        rows: (N, D) unit rows.
        shown: unit -> (N,) bool.
        phrases: unit -> (D,) unit row.
    """
    from sklearn.metrics import roc_auc_score

    asked = [unit for unit, of in shown.items() if unit in phrases and 0 < of.sum() < len(of)]
    return {unit: float(roc_auc_score(shown[unit], rows @ phrases[unit])) for unit in asked}


def units_told(
    corpus: Corpus | Twin, chosen: Settings, *, single: bool = False, subjects: Sequence[str] | None = None
) -> dict[str, Any]:
    """What a frozen model tells of single action units, each asked as "a face with" its first phrase.

    Args:
        corpus: with `single`, Bosphorus or its twin: of scans that show one unit each, those with the unit against all
            others. Else a posed twin: of all its samples, those that show the unit at 0.2 or more (mean of the sides;
            of a film, at the strongest of a few frames) against the rest.
        chosen: model, weights, jobs, how views look.
        subjects: only these; None: of a supplied or sample corpus those of odd number, since the even ones are kept
            (`mvlm.study.items.transfer`); of a twin all.

    Returns:
        mean: of the areas, in [0, 1]; n, subjects: samples and subjects; units: unit -> {"area", "n" that show it}.

    Raises:
        ValueError: no unit is shown by some samples and not by others.
    """
    if subjects is None and corpus.kind != "twin":
        every = np.unique([item.subject for item in corpus.items])
        subjects = every[~halves(every)].tolist()
    asked = single_units(corpus) if single else corpus
    every, _ = frozen(asked, BASIC, chosen, subjects)
    items = {item.name: item for item in asked.items}
    if single:
        by_name = {name: {_unit(items[name].code): 1.0} for name in every.names}
    else:
        by_name = {name: strongest(corpus, items[name]) for name in every.names}
    shown = {unit: np.array([by_name[name].get(unit, 0.0) >= VISIBLE for name in every.names]) for unit in PHRASES}
    found = _told(every.views()[0], shown, chosen)
    if not found["units"]:
        raise ValueError(f"{corpus.name}: no action unit that some samples show and others do not")
    return found | {"subjects": len(set(every.subjects.tolist()))}


def twins_told(chosen: Settings) -> dict[str, dict[str, Any]]:
    """Face of the twins -> who is asked about -> what `units_told` returns."""
    found: dict[str, dict[str, Any]] = {}
    for face in SEEN:
        twins = {name: Twin(name, face=face) for name in POSED}
        found[face] = {name: units_told(twin, chosen) for name, twin in twins.items()}
        found[face][ALONE] = units_told(twins[SINGLE], chosen, single=True)
    return found


def strangers_told(card: Mapping[str, Any], chosen: Settings) -> dict[str, Any]:
    """Kind of the held-out strangers -> what `units_told` returns: the random units that the card's mean is of."""
    from mvlm.foundation.pretrain import Recipe  # here and not above: it brings torch
    from mvlm.foundation.random_faces import UNITS, render_faces
    from mvlm.study.embeddings import cached_model

    found = {}
    for kind, draw in Recipe(**card["recipe"]).draws().items():
        faces = render_faces(draw._replace(count=0), jobs=chosen.jobs)
        at_random = faces.emotions == ""
        views = cached_model(chosen.model, chosen.pretrained).encode_views(faces.images[at_random]).numpy()
        strengths = dict(zip(UNITS, faces.units[at_random].T, strict=True))
        shown = {unit: strengths[unit] >= VISIBLE for unit in PHRASES}
        found[kind] = _told(views, shown, chosen) | {"subjects": len(views)}
    return found


def _told(views: np.ndarray, shown: Mapping[int, np.ndarray], chosen: Settings) -> dict[str, Any]:
    said = texts([f"a face with {phrases[0]}" for phrases in PHRASES.values()], chosen)
    found = areas(aggregate(views), shown, dict(zip(PHRASES, said, strict=True)))
    return {
        "mean": round(float(np.mean(list(found.values()))), 4) if found else None,
        "n": len(views),
        "units": {str(unit): {"area": round(area, 4), "n": int(shown[unit].sum())} for unit, area in found.items()},
    }


def strongest(twin: Twin, item: Any) -> dict[int, float]:
    """What an item of a twin shows, action unit -> mean intensity of the sides; of a film, at its strongest."""
    frames = getattr(item, "frames", None)
    if frames is None:
        return {unit: float(np.mean(sides)) for unit, sides in twin.action_units(item).items()}
    found: dict[int, float] = {}
    for place in evenly_spaced(len(frames), FRAMES):
        t = (frames[place].number - frames[0].number) / item.fps
        for unit, sides in twin.action_units(item, t).items():
            found[unit] = max(found.get(unit, 0.0), float(np.mean(sides)))
    return found


def _unit(code: str) -> int | None:
    """The action unit that a code of Bosphorus names; None where it names no single one."""
    found = SINGLE_CODE.fullmatch(code)
    return int(found[1]) if found else None


def single_units(corpus: Corpus | Twin) -> Corpus | UnitScans:
    """A corpus of the scans that show a single action unit, each with its code where the others have an emotion.

    What shows no emotion has no views otherwise (`mvlm.samples`).
    """
    scans = tuple(replace(scan, emotion=scan.code) for scan in corpus.scans if _unit(scan.code) is not None)
    return UnitScans(corpus, scans) if isinstance(corpus, Twin) else replace(corpus, scans=scans)


@dataclass(frozen=True)
class UnitScans:
    """The single units of a twin, which would look for an expression of the code's name."""

    twin: Twin
    scans: tuple[Scan, ...]

    kind, sequences = "twin", ()

    @property
    def name(self) -> str:
        return self.twin.name

    @property
    def items(self) -> tuple[Scan, ...]:
        return self.scans

    @cached_property
    def fingerprint(self) -> str:
        return f"units-{self.twin.fingerprint}"

    def read(self, scan: Scan):
        return Twin.read(self.twin, replace(scan, emotion=None))


def cards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The cards of a folder that are known: what each foundation learnt from -> card.

    Raises:
        FileNotFoundError: none is there.
    """
    there = {title: folder / name for name, title in FOUNDATIONS.items() if (folder / name).is_file()}
    if not there:
        raise FileNotFoundError(f"{folder}: expected {' or '.join(FOUNDATIONS)}, found none")
    return {title: json.loads(path.read_text(encoding="utf-8")) for title, path in there.items()}


def columns_of(titles: Collection[str]) -> tuple[list[str], str]:
    """Which foundations have a column, in the order of `FOUNDATIONS`, and a sentence on the others, "" without any.

    Args:
        titles: what was measured learnt from.
    """
    there = set(titles)
    rest = [title for title in FOUNDATIONS.values() if title not in there]
    said = f"Not pretrained and measured here: {'; '.join(rest)}." if rest else ""
    return [title for title in FOUNDATIONS.values() if title in there], said


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
        rows += ladder_rows(title, card.get("ladder", {}))
        for face, groups in card.get("units", {}).items():
            for about, told in groups.items():
                row = {"pretrained_on": title, "asked_about": KINDS.get(about, about), "measure": UNIT}
                row |= {"face": "" if face == "strangers" else face, "chance": 50.0, "subjects": told["subjects"]}
                row["data_kind"] = "strangers" if face == "strangers" else "twin"
                for unit, found in told["units"].items():
                    rows.append(row | {"unit": int(unit), "value": 100 * found["area"], "n": found["n"]})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(("n", "subjects", "unit"), "Int64"))


def render_foundation(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV: a row for each question, a column for each foundation."""
    import pandas as pd

    rows = []
    columns, rest = columns_of(frame["pretrained_on"])
    keys = ["asked_about", "measure", "data_kind"]
    frozen_rows = frame[frame["unit"].isna() & frame["method"].isna()]
    for (about, measure, kind), group in frozen_rows.groupby(keys, sort=False):
        row = {"Asked about": f"{about} ({kind})" if kind == "twin" else about, "Measure": measure}
        values = {cell["pretrained_on"]: shown(cell) for cell in group.to_dict("records")}
        row |= {f"pretrained on {title}": values.get(title, "absent") for title in columns}
        guess = group["chance"].iloc[0]
        rows.append(row | {"Chance": "–" if pd.isna(guess) else f"{guess:.1f}"})
    note = (
        "Percent, of the frozen model on the mean view, nothing adapted [95 % interval, bootstrap over subjects]. "
        "Strangers are random faces of head variants that neither the pretraining nor any twin has; moving ones are "
        "dynamic images. All foundations are of one recipe but for what the column names; the one of still and moving "
        "faces is shipped. Trained again, it has the same recipe, pictures, start and batches; the sums of its losses "
        "are taken in another order, so that two columns differ by what rounding comes to in a training. No interval "
        "holds that: smaller differences between columns say nothing. Each of the others was trained once. The linear "
        "probe is fitted on labelled training subjects: it tells what the embedding "
        f"holds, whatever the prompts make of it. {rest}"
    ).strip()
    known = Part("What foundations know, by what they were pretrained on", pd.DataFrame(rows), note)
    adapted = ladder_parts(frame[frame["method"].notna()], columns)
    return [known, *adapted, *_unit_parts(frame[frame["unit"].notna()])]


def _unit_parts(frame: pd.DataFrame) -> list[Part]:
    """What the shipped foundation tells of each action unit; no part where its card was made without."""
    import pandas as pd

    frame = frame[frame["pretrained_on"] == FOUNDATIONS[f"{MODEL}.json"]]
    if frame.empty:
        return []
    groups = {"held-out strangers": frame["data_kind"] == "strangers"}
    groups |= {f"twins, {face} face (seen: {seen})": frame["face"] == face for face, seen in SEEN.items()}
    alone = frame["asked_about"] == ALONE
    rows = []
    for part, suffix in ((frame[~alone], ""), (frame[alone], ", alone")):
        for unit, of in part.groupby("unit"):
            row = {"Action unit": f"{unit}{suffix}", "Phrase": PHRASES[unit][0]}
            for name, mask in groups.items():
                found = of[mask[of.index]]
                row[name] = f"{found['value'].mean():.1f} (n = {found['n'].sum()})" if len(found) else "–"
            rows.append(row)
    note = (
        "Area under the ROC curve in percent, chance 50: how often a face that shows the unit lies nearer to 'a face "
        "with' its phrase than one that does not (n that show it). Strangers show units at random, up to six at once; "
        "mean of still and moving ones. Twins show them within posed expressions, where some units always come "
        f"together; mean over {', '.join(POSED)}. Alone: scans of {SINGLE} that show one unit, against those of "
        "another. Seen: whether the foundation learnt from the face model. Each corpus by itself is in the CSV."
    )
    return [Part("Action units, one by one", pd.DataFrame(rows), note)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: the weights to measure; their cards keep their names."""
    about = __doc__.split("\n", 1)[0]
    parser = argparse.ArgumentParser(prog="python -m mvlm.study.items.foundation", description=about)
    parser.add_argument("weights", nargs="*", type=Path, default=[SHIPPED], help="files of make foundation")
    parser.add_argument("--ladder", action="store_true", help="adapt them, too; as long as make tables")
    chosen, asked = Settings.from_environment(), parser.parse_args(arguments)
    for weights in asked.weights:
        name = f"{weights.stem}.json"
        if name not in FOUNDATIONS:
            parser.error(f"{weights}: expected a file whose card is called {' or '.join(FOUNDATIONS)}")
        card = measure(weights, chosen, ladder=asked.ladder)
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / name).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(card["twins"], indent=1))


if __name__ == "__main__":
    command(import_module("mvlm.study.items.foundation").main)  # by its own name, at which workers look for its classes
