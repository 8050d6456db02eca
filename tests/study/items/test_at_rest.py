"""Faces at rest: which scans, how often they are called so, and what is drawn, on margins that are planted."""

import numpy as np
import pytest

from mvlm.study.items.at_rest import (
    AT_REST,
    COLUMNS,
    CURVE,
    Margins,
    Resting,
    area,
    draw_rest,
    render_rest,
    rest_margin,
    rest_table,
)
from mvlm.twins.twin import Twin


@pytest.fixture(scope="module")
def frame():
    """Ten people: at rest all above 0, level 4 none, level 1 half of the people."""
    people = np.array([f"F{n:03d}" for n in range(10)])
    margins = [np.linspace(0.6, 1, 10), np.where(np.arange(10) < 5, 0.8, -0.1), np.linspace(-0.4, -0.2, 10)]
    shown = np.repeat([AT_REST, "level 1", "level 4"], 10)
    return rest_table({"BU-3DFE": Margins(shown, np.tile(people, 3), np.concatenate(margins))}, "quick")


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_the_margin_is_rest_less_the_nearest_emotion():
    rng = np.random.default_rng(0)
    rows, prototypes = unit(rng.normal(size=(20, 16))), unit(rng.normal(size=(9, 16)))
    wanted = [float(row @ prototypes[8]) - max(float(row @ prototypes[c]) for c in range(8)) for row in rows]
    assert np.allclose(rest_margin(rows, prototypes), wanted)
    assert rest_margin(prototypes[8:], prototypes) > 0 > rest_margin(prototypes[:1], prototypes)


def test_the_area_by_pairs():
    rng = np.random.default_rng(2)
    resting, showing = rng.integers(0, 6, 40), rng.integers(0, 5, 30)  # with ties
    pairs = [(r > s) + 0.5 * (r == s) for r in resting for s in showing]
    assert area(resting, showing) == pytest.approx(np.mean(pairs))


def test_resting_scans_are_the_twins_own_under_another_name():
    twin = Twin("BU-3DFE")
    resting = Resting(twin)
    assert len(resting.scans) == 100 and {scan.emotion for scan in resting.items} == {AT_REST}
    assert resting.fingerprint != twin.fingerprint
    scan = resting.scans[3]
    same = next(other for other in twin.scans if other.name == scan.name)
    assert np.array_equal(resting.read(scan).vertices, twin.read(same).vertices)


def test_what_is_called_at_rest_is_counted(frame):
    assert list(frame.columns) == list(COLUMNS) and len(frame) == 3 * (CURVE + 1)
    chosen = frame[frame["chosen"]].set_index("shown")
    assert chosen["called"].to_dict() == {AT_REST: 100, "level 1": 50, "level 4": 0}
    assert chosen.loc["level 4", "area"] == 100 and np.isnan(chosen.loc[AT_REST, "area"])
    assert chosen.loc["level 1", "low"] < 50 < chosen.loc["level 1", "high"]
    curve = frame[~frame["chosen"]]
    for _, part in curve.groupby("shown"):
        assert part["called"].is_monotonic_decreasing and part["called"].iloc[0] == 100
    assert curve["low"].isna().all()


def test_the_table_and_the_figure_show_it(frame):
    (part,) = render_rest(frame)
    assert part.cells["called at rest"].iloc[0] == "100.0 [100.0, 100.0]"
    assert part.cells["told from rest"].tolist()[0] == "–" and "no threshold was chosen" in part.note
    drawing = draw_rest(frame)
    (axes,) = drawing.figure.axes
    assert [line.get_label() for line in axes.lines if not line.get_label().startswith("_")] == ["level 1", "level 4"]
    points = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert points == [[[50, 100]], [[0, 100]]]
