"""Dials: the same people at every setting, each compared with themselves; the twin itself stands once for all dials."""

import numpy as np
import pandas as pd
import pytest

import mvlm.settings
from mvlm.labels.naming import Prompts
from mvlm.measures.statistics import corrected_resampled_t
from mvlm.samples import Samples, catalogue
from mvlm.settings import Settings
from mvlm.study.items import dials
from mvlm.study.items.table_figures import draw_dials
from mvlm.twins.twin import Dials, Twin

ASKED = {"BU-3DFE-II": dials.Turned(("strength", "noise"), 12), "BU-4DFE": dials.Turned(("pose",), 6, (1.0, 2.0))}


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """A foundation that gets the first half of each setting's samples wrong when a dial is turned up."""
    seen = []

    def plain(twin: Twin, emotions, _chosen, subjects):
        seen.append((twin, subjects))
        samples: Samples = catalogue(twin, subjects)
        views = np.eye(8)[[emotions.index(e) for e in samples.emotions]][:, None]
        if max(vars(twin.dials).values()) > 1:
            views[: len(samples) // 2] = np.roll(views[: len(samples) // 2], 1, axis=-1)
        return samples, views, Prompts(np.eye(8)[: len(emotions)], np.arange(len(emotions)), 0.07)

    monkeypatch.setattr(dials, "plain", plain)
    monkeypatch.setattr(dials, "model_key", lambda _: "fake")
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)
    monkeypatch.setattr(dials, "ASKED", ASKED)
    return seen


def test_each_person_is_compared_with_themselves(asked):
    frame = dials.turned(Settings())
    assert list(frame.columns) == list(dials.COLUMNS) and len(frame) == 8
    assert len(asked) == 7  # the twin itself once for each benchmark
    assert all(len(subjects) == {"BU-3DFE": 12, "BU-4DFE": 6}[twin.name] for twin, subjects in asked)
    assert {subject[0] for _, subjects in asked for subject in subjects} == {"F", "M"}
    assert frame["value"].tolist() == [0.5, 1.0, 2.0] * 2 + [1.0, 2.0]
    assert frame["chance"].tolist() == pytest.approx([100 / 6] * 8)
    up = frame[(frame["value"] == 2) & (frame["benchmark"] == "BU-3DFE-II")]
    # half of the people are all wrong
    test = corrected_resampled_t(np.repeat([-100.0, 0.0], 6), 0)
    for row in up.to_dict("records"):
        assert (row["accuracy"], row["n"], row["subjects"]) == (50, 24 * 12, 12)
        got = [row[name] for name in ("difference", "difference_low", "difference_high")]
        assert got == pytest.approx([test.mean, test.low, test.high])
    assert frame.loc[frame["value"] == 1, "difference"].isna().all()
    assert (frame.loc[frame["value"] == 0.5, "difference"] == 0).all()
    again = dials.turned(Settings())
    assert len(asked) == 7 and again.equals(frame)  # records are kept


def test_the_smoke_size_is_small(asked):
    frame = dials.turned(Settings(profile="smoke"))
    assert set(frame["subjects"]) == {dials.SMOKE_SUBJECTS} and len(frame) == 5 and len(asked) == 5


def test_every_dial_that_is_turned_is_one_of_the_twins():
    for name, turned in dials.ASKED.items():
        assert len(set(turned.dials)) == len(turned.dials) and 1 in turned.values
        for dial in turned.dials:
            assert dials.Setting(name, dial, 1.0).twin.dials == Dials()
            assert vars(dials.Setting(name, dial, 2.0).twin.dials)[dial] == 2


def test_the_figure_has_a_panel_for_each_dial():
    rows = [
        {"benchmark": benchmark, "data_kind": "twin", "dial": dial, "value": value, "accuracy": 60.0, "low": 50.0,
         "high": 70.0, "chance": 16.7}
        for benchmark, asked in dials.ASKED.items() for dial in asked.dials for value in asked.values
    ]  # fmt: skip
    drawing = draw_dials(pd.DataFrame(rows), dials.COLUMNS)
    panels = drawing.figure.axes
    assert [panel.get_title() for panel in panels] == [dial for asked in dials.ASKED.values() for dial in asked.dials]
    drawing.figure.canvas.draw()
    assert all(label.get_text() for label in panels[-1].get_xticklabels())
    lines = {round(panel.get_position().y0, 3) for panel in panels}
    assert len(lines) == 6 and drawing.figure.get_figwidth() < 10  # readable on a page
