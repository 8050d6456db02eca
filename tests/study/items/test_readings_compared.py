"""The table of readings: each against the default of its supervision, on the same folds."""

import numpy as np
import pandas as pd
import pytest

from mvlm.measures.statistics import corrected_resampled_t
from mvlm.settings import Settings
from mvlm.study.items import readings_compared
from mvlm.study.items.readings_compared import COLUMNS, draw_readings, readings_table, render_readings
from mvlm.study.methods import METHODS, READINGS, VARIANTS

FOLDS = 3


def records(rights: dict[str, list[int]]) -> pd.DataFrame:
    """Ten samples a fold, so many of them right; 5 where nothing is said."""
    rows = []
    for benchmark in ("BU-3DFE-I", "Bosphorus"):
        for method in READINGS:
            for fold, count in enumerate(rights.get(method, [5, 5, 5])):
                shares = [0.5, 0.8] if METHODS[method].supervision == "cluster" else [1.0]
                rows.append({
                    "benchmark": benchmark, "method": method, "fold": fold, "folds": FOLDS, "seed": 0,
                    "supervision": METHODS[method].supervision, "data_kind": "twin", "profile": "quick",
                    "emotions": ["anger"] * 10, "zero_shot": ["anger"] * count + ["fear"] * (10 - count),
                    "pseudo_labels": shares,
                })  # fmt: skip
    return pd.DataFrame(rows)


def test_a_reading_is_compared_with_the_default_of_its_supervision():
    rights = {"full": [6, 7, 8], "full-4A": [7, 9, 8], "oracle": [9, 9, 9], "oracle-4A": [8, 9, 7]}
    frame = readings_table(records(rights))
    assert list(frame.columns) == list(COLUMNS) and len(frame) == 2 * len(READINGS)
    rows = frame[frame["benchmark"] == "Bosphorus"].set_index("method")
    for method, gains in (("full-4A", [10.0, 20, 0]), ("oracle-4A", [-10.0, 0, -20])):
        expected = corrected_resampled_t(np.array(gains), 1 / FOLDS)
        found = rows.loc[method, ["difference", "low", "high", "p"]].tolist()
        assert found == pytest.approx([expected.mean, expected.low, expected.high, expected.p])
        assert rows.loc[method, "equation"] == "(4)" and rows.loc[method, "reading"] == VARIANTS["4A"].title
    assert rows.loc["full", "accuracy"] == 70 and rows.loc["full", "std"] == pytest.approx(10)
    assert rows.loc[["full", "oracle"], "difference"].isna().all() and rows["difference"].isna().sum() == 2
    assert rows.loc[["full-4A", "oracle-4A"], "labels_right"].tolist() == pytest.approx([80, 100])


def test_runs_that_are_not_paired_are_refused():
    frame = records({})
    with pytest.raises(ValueError, match="BU-3DFE-I: full-4A was not run on the folds and seeds of full"):
        readings_table(frame[~((frame["method"] == "full-4A") & (frame["fold"] == 1))])


def test_the_page_and_the_figure_show_every_reading():
    frame = readings_table(records({"full-4A": [7, 9, 8]}))
    (part,) = render_readings(frame)
    assert len(part.cells) == 1 + len(VARIANTS) and len(part.cells.columns) == 2 + 4
    line = part.cells.set_index("Reading").loc[VARIANTS["4A"].title]
    assert line["BU-3DFE-I (twin), cluster"].startswith("+30.0 [")
    assert line["Bosphorus (twin), oracle"].startswith("+0.0 [")
    drawing = draw_readings(frame)
    assert len(drawing.frame) == 2 * 2 * len(VARIANTS) and list(drawing.columns) == list(drawing.frame.columns)
    panels = drawing.figure.axes
    assert [panel.get_title() for panel in panels] == ["BU-3DFE-I (twin)", "Bosphorus (twin)"]
    shown = [label.get_text() for label in panels[0].get_yticklabels()]
    assert shown == [f"{variant.equation} {variant.title}" for variant in VARIANTS.values()]


def test_smoke_asks_about_one_benchmark(monkeypatch):
    asked = []
    ask = lambda benchmarks, methods, *_, **__: asked.append((benchmarks, methods))  # noqa: E731
    monkeypatch.setattr(readings_compared, "run", ask)
    readings_compared.reading_records(Settings())
    readings_compared.reading_records(Settings(profile="smoke"))
    assert asked == [(readings_compared.ASKED, READINGS), (readings_compared.SMOKE_ASKED, READINGS)]
