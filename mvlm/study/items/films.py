"""Table III told in layers: what is lost of a film where, by what of it is encoded.

From what a face really did (`mvlm.study.items.film_units`) over what the frozen embedding holds of it, which a probe on
true labels tells, to what is read from it without a label. Each column stands beside the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvlm.measures.statistics import chance, summary
from mvlm.report.results import Part
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.films import IMAGE
from mvlm.study.items.differences import difference
from mvlm.study.items.film_units import ALL_IMAGE, ALL_MEAN, true_units
from mvlm.study.items.table_figures import Drawing, whiskers
from mvlm.study.items.tables import AMONG_SHOWN, column_title
from mvlm.study.methods import FILM_BASES, FILMS, METHODS, of_film
from mvlm.study.runs import run

if TYPE_CHECKING:
    import pandas as pd

ON = ("BP4D", "BU-4DFE", "BU-4DFE-to-BP4D")
FOLDED = ON[:2]  # with folds: the others train on another corpus, and have no probe of the true units
REPRESENTATIONS = {
    ALL_MEAN: "All frames, mean over time",
    ALL_IMAGE: "One image of all frames",
    IMAGE: "One image, as in the paper",
    "windows": "Windows, mean",
    "windows-max": "Windows, maximum",
    "frames": "Frames, mean",
    "windows+frames": "Windows and frames, mean",
}
# Whose confusions are drawn.
CONFUSED = ("baseline", "subject-centred", "subject-centred-windows", "subject-centred-frames")
UNITS, EMBEDDING, UNLABELLED = "true action units", "frozen embedding", "without a label"
PROBE, PROBE_LEFT = "probe", "probe, subject-centred"


class Layer(NamedTuple):
    """A column of the table.

    Attributes:
        layer: what is told from.
        measure: how.
        base: the method that it is of, by its name on one image; "" for the true units.
        column: of the records.
    """

    layer: str
    measure: str
    base: str
    column: str


LAYERS = (
    Layer(UNITS, PROBE, "", "plain"),
    Layer(UNITS, PROBE_LEFT, "", "subject_centred"),
    Layer(EMBEDDING, PROBE, "baseline", "probe"),
    Layer(EMBEDDING, PROBE_LEFT, "subject-centred", "probe"),
    *(Layer(UNLABELLED, said, base, "zero_shot") for base, said in FILM_BASES.items()),
)
# Columns of the CSV, with their units.
COLUMNS = {
    "benchmark": "corpus and subset",
    "film": "what of a film is encoded, see mvlm.faces.windows; image: one dynamic image, as in the paper",
    "layer": "what is told from: the twin's true action units, the frozen embedding, or the latter without a label",
    "measure": "how: by a linear probe on labelled training subjects, plain or without each subject's mean; or by "
    "which recipe",
    "asked": "zero-shot, where no label is used: among all emotions of the benchmark, or among those that are shown",
    "method": "recipe; none of the true action units",
    "supervision": "where a training sample's class comes from",
    "knows": "what the method is told beside images: nothing, subjects, class shares",
    "data_kind": "twin, sample or supplied",
    "accuracy": "percent, mean over folds",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects",
    "high": "percent, upper end of that interval",
    "chance": "percent, a guess among the classes",
    "n": "samples",
    "subjects": "subjects",
    "folds": "folds, subject-independent; 1: one run, trained on another corpus",
    "profile": "smoke, quick or full",
}
DIFFERENCES = {
    "benchmark": "corpus and subset",
    "film": "what of a film is encoded",
    "layer": "what is told from",
    "measure": "how",
    "method": "recipe",
    "data_kind": "twin, sample or supplied",
    "difference": "percentage points above the same on one dynamic image, the paper's, mean over the same folds",
    "low": "points, lower end of the 95 % interval by the test",
    "high": "points, upper end of the 95 % interval by the test",
    "p": "two-sided, by the test",
    "test": "corrected resampled t over folds (Nadeau and Bengio 2003), or paired t over subjects where there are none",
    "folds": "folds, subject-independent; 1: one run, trained on another corpus",
}


def film_records(settings: Settings | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records of all films' methods beside their rows on one image, and of the true units; computes what is missing.

    Args:
        settings: None reads them from the environment.

    Returns:
        What `mvlm.study.run` returns, and what `mvlm.study.items.film_units.true_units` does.
    """
    return run(ON, (*FILM_BASES, *FILMS), settings), true_units(FOLDED, settings)


def films_table(records: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """One row for each benchmark, representation and layer, with `COLUMNS`, of what `film_records` returns."""
    import pandas as pd

    rows = [row for layer in LAYERS for row in _rows(layer, records, units)]
    order = {name: place for place, name in enumerate(ON)}, {name: place for place, name in enumerate(REPRESENTATIONS)}
    rows.sort(key=lambda row: (order[0][row["benchmark"]], order[1][row["film"]]))
    whole = dict.fromkeys(("n", "subjects", "folds"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def _rows(layer: Layer, records: pd.DataFrame, units: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Rows of a layer, in the order of what they are of."""
    shared = {"layer": layer.layer, "measure": layer.measure}
    if not layer.base:
        if len(units):
            for (benchmark, film), of in units.groupby(["benchmark", "film"], sort=False):
                told = {"benchmark": benchmark, "film": film, "supervision": "labels", "knows": "nothing"}
                if layer.measure == PROBE_LEFT:
                    told["knows"] = "subjects"
                yield shared | told | _measured(of, layer.column, len(BENCHMARKS[benchmark].emotions))
        return
    for film in (IMAGE, *dict.fromkeys(METHODS[name].film for name in FILMS)):
        method = METHODS[of_film(layer.base, film)]
        for benchmark, of in records[records["method"] == method.name].groupby("benchmark", sort=False):
            known = BENCHMARKS[benchmark]
            told = shared | {"benchmark": benchmark, "film": film, "method": method.name, "knows": method.knowledge}
            if layer.layer == EMBEDDING:
                yield told | {"supervision": "labels"} | _measured(of, layer.column, len(known.emotions))
                continue
            told["supervision"] = method.supervision
            yield told | {"asked": "zero-shot"} | _measured(of, layer.column, len(known.emotions))
            if known.shown:
                yield told | {"asked": AMONG_SHOWN} | _measured(of, "among_shown", len(known.shown))


def _measured(of: pd.DataFrame, column: str, classes: int) -> dict[str, object]:
    fold = np.repeat(of["fold"], of["names"].map(len))
    said, true, subjects = (np.concatenate(of[name].to_list()) for name in (column, "emotions", "subjects"))
    found = summary(said == true, fold, subjects)
    row = {"accuracy": 100 * found.mean, "low": 100 * found.low, "high": 100 * found.high}
    row |= {"chance": 100 * chance(classes), "n": found.n, "subjects": found.subjects, "folds": found.folds}
    return row | {name: of[name].iloc[0] for name in ("data_kind", "profile")}


def render_films(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV: a part for each benchmark, representations down, layers across."""
    import pandas as pd

    parts = []
    for (benchmark, asked), of in _asked(frame):
        cells = []
        for film in of["film"].unique():
            found = of[of["film"] == film].set_index(["layer", "measure"]).to_dict("index")
            row = {"What of a film is encoded": REPRESENTATIONS[film]}
            for layer in LAYERS:
                cell = found.get((layer.layer, layer.measure))
                row[f"{layer.layer}: {layer.measure}"] = "–" if cell is None else _spread(cell)
            cells.append(row)
        first = of.iloc[0]
        folds = f"in {first['folds']} folds" if first["folds"] > 1 else f"trained on {BENCHMARKS[benchmark].trains_on}"
        note = (
            "Accuracy in percent [95 % interval, bootstrap over subjects] on the data kind "
            f"{first['data_kind']}, profile {first['profile']}: {first['n']} films of {first['subjects']} subjects, "
            f"{folds}. Chance {first['chance']:.1f}. Probes are fitted on labelled training subjects; what stands "
            f"without a label knows nothing ({_knowing('')}), who is shown ({_knowing('subjects')}), or besides that "
            f"everyone shows the classes equally often ({_knowing('class shares')}). True action units are a twin's "
            "alone, pooled at the moments that the representation sees."
        )
        parts.append(Part(f"{column_title(benchmark, asked)}: what is lost where", pd.DataFrame(cells), note))
    return parts


def _spread(row: Mapping[str, Any]) -> str:
    return f"{row['accuracy']:.1f} [{row['low']:z.1f}, {row['high']:.1f}]"  # an end of 0 may be rounded from below


def _knowing(what: str) -> str:
    return ", ".join(said for base, said in FILM_BASES.items() if METHODS[base].knows == what)


def _asked(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """The rows of each benchmark and way to ask about it; what has been asked in no such way belongs to the first."""
    for benchmark, of in frame.groupby("benchmark", sort=False):
        for asked in ("zero-shot", AMONG_SHOWN) if BENCHMARKS[benchmark].shown else ("zero-shot",):
            own = of["asked"] == asked
            yield (benchmark, asked), of[own | of["asked"].isna()] if asked == "zero-shot" else of[own]


def against_image(records: pd.DataFrame) -> pd.DataFrame:
    """Differences of every representation to one dynamic image, by the same recipe on the same folds: `DIFFERENCES`.

    Args:
        records: what `mvlm.study.run` returns.
    """
    import pandas as pd

    rows = []
    for layer in LAYERS:
        for name in FILMS if layer.base else ():
            method = METHODS[name]
            if name != of_film(layer.base, method.film):
                continue
            for benchmark in ON:
                of = records[records["benchmark"] == benchmark]
                runs, base = (of[of["method"] == each] for each in (name, layer.base))
                if len(runs):
                    row = {"benchmark": benchmark, "film": method.film, "layer": layer.layer, "measure": layer.measure}
                    row |= {"method": name, "data_kind": runs["data_kind"].iloc[0], "folds": runs["fold"].nunique()}
                    rows.append(row | difference(runs, base, layer.column))
    return pd.DataFrame(rows, columns=list(DIFFERENCES))


def render_against_image(frame: pd.DataFrame) -> list[Part]:
    """Render the differences from their CSV: a part for each benchmark, representations across."""
    import pandas as pd

    note = (
        "Percentage points above the same recipe on one dynamic image of each view, on the same folds [95 % interval], "
        "by the corrected resampled t-test; where there is one run without folds, by the paired t-test over subjects."
    )
    parts = []
    for benchmark, of in frame.groupby("benchmark", sort=False):
        cells = []
        for (layer, measure), group in of.groupby(["layer", "measure"], sort=False):
            found = {row["film"]: row for row in group.to_dict("records")}
            cells.append({"Told from": layer, "by": measure} | {
                REPRESENTATIONS[film]: f"{row['difference']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]"
                for film, row in found.items()
            })  # fmt: skip
        title = f"{benchmark} ({of['data_kind'].iloc[0]}): against one image"
        parts.append(Part(title, pd.DataFrame(cells), note))
    return parts


DRAWN = ((UNITS, PROBE), (EMBEDDING, PROBE), (EMBEDDING, PROBE_LEFT), (UNLABELLED, "prompts"),
         (UNLABELLED, "prompts, subject-centred"))  # fmt: skip


def draw_layers(frame: pd.DataFrame) -> Drawing:
    """Accuracy by representation, a panel for each benchmark and a mark for each layer, with 95 % intervals.

    Args:
        frame: what `films_table` returns.
    """
    import pandas as pd
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame[frame["asked"].isna() | (frame["asked"] == "zero-shot")]
    benchmarks = rows["benchmark"].unique()
    films = [film for film in REPRESENTATIONS if film in set(rows["film"])]
    figure = Figure(figsize=(2.5 * len(benchmarks) + 2.2, 0.62 * len(films) + 1.3), layout="constrained")
    panels = figure.subplots(1, len(benchmarks), sharey=True, squeeze=False)[0]
    drawn = []
    for panel, benchmark in zip(panels, benchmarks, strict=True):
        part = rows[rows["benchmark"] == benchmark]
        for number, (layer, measure) in enumerate(DRAWN):
            group = part[(part["layer"] == layer) & (part["measure"] == measure)]
            drawn.append(group)
            places = [films.index(film) + 0.15 * (number - 2) for film in group["film"]]
            look = {"fmt": "osD^v"[number], "ms": 4, "capsize": 2, "lw": 1, "label": f"{layer}: {measure}"}
            panel.errorbar(group["accuracy"], places, xerr=whiskers(group, "accuracy"), **look)
        panel.axvline(part["chance"].iloc[0], ls="--", color="0.4", lw=1)
        panel.set_yticks(range(len(films)), [REPRESENTATIONS[film] for film in films])
        panel.set(title=f"{benchmark}\n({part['data_kind'].iloc[0]})", xlabel="accuracy, %", xlim=(-3, 103),
                  ylim=(len(films) - 0.5, -0.5))  # fmt: skip
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return Drawing(figure, pd.concat(drawn, ignore_index=True), COLUMNS)
