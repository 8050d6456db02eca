"""Seen or not: one roster by two faces, what was left to gain, and sentences that say what the rows say."""

import numpy as np
import pandas as pd
import pytest

from mvlm.measures.statistics import corrected_resampled_t
from mvlm.settings import Settings
from mvlm.study.items import seen_or_not
from mvlm.study.items.seen_or_not import ASKED, COLUMNS, ON, SEEN, draw_seen, render_seen, seen_table, sentences
from mvlm.twins.twin import Twin
from tests.made_records import FOLDS, made_runs


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    """Both faces; where the model has seen the face, the baseline gets everything right, and so does true labels."""
    faces = []
    for number, face in enumerate(SEEN):
        runs = made_runs(ON, ASKED, seed=number)
        if SEEN[face] == "yes":
            runs["zero_shot"] = [list(true) for true in runs["emotions"]]
        full = runs["method"] == "full"
        faces.append(pd.concat([runs, runs[full].assign(seed=1)]).assign(face=face))
    return pd.concat(faces, ignore_index=True)


@pytest.fixture(scope="module")
def frame(records) -> pd.DataFrame:
    return seen_table(records)


def test_every_benchmark_has_every_row_by_both_faces(frame):
    assert list(frame) == list(COLUMNS) and len(frame) == len(ON) * len(SEEN) * (len(ASKED) + 1)
    assert frame["benchmark"].unique().tolist() == list(ON) and set(frame["seen"]) == {"yes", "no"}
    assert ((frame["low"] <= frame["accuracy"]) & (frame["accuracy"] <= frame["high"])).all()
    assert frame.groupby("method")["seeds"].first().to_dict() == dict.fromkeys(ASKED, 1) | {"full": 2}


def test_what_was_left_to_gain_is_paired_by_fold(records, frame):
    runs = records[(records["benchmark"] == "Bosphorus") & (records["face"] == "anny")]
    right = {
        method: np.array([np.mean(np.array(r["zero_shot"]) == r["emotions"]) for r in of.to_dict("records")])
        for method, of in runs.groupby("method")
    }
    expected = corrected_resampled_t(100 * (right["oracle"] - right["baseline"]), 1 / FOLDS)
    row = frame.query("benchmark == 'Bosphorus' and seen == 'no' and method == 'oracle'").iloc[0]
    assert row[["gained", "gained_low", "gained_high"]].tolist() == pytest.approx(list(expected[:3]))
    seen = frame.query("seen == 'yes' and protocol == 'zero-shot' and method != 'baseline'")
    assert (seen[["gained", "gained_low", "gained_high"]] == 0).all(axis=None)  # all that can be known is known
    assert (
        frame.query("method == 'baseline' and protocol == 'zero-shot' and seen == 'yes'")["labels_right"] == 100
    ).all()


def test_pages_set_face_beside_face(frame):
    accuracy, gains = render_seen(frame)
    assert list(accuracy.cells)[2:] == [f"{name}, seen: {seen}" for name in ON for seen in ("yes", "no")]
    assert len(accuracy.cells) == len(ASKED) + 1 and len(gains.cells) == 2 * len(ON)
    shown = gains.cells.set_index(["Benchmark", "Seen"])
    assert shown.loc[("BU-4DFE", "yes"), "left to gain"] == "+0.0 [+0.0, +0.0]"
    assert shown.loc[("BU-4DFE", "no"), "labels right, full"] == "60.0"


def test_sentences_say_what_the_rows_say(frame):
    said = sentences(frame)
    assert len(said) == len(ON)
    for benchmark, sentence in zip(ON, said, strict=True):
        seen, unseen = sentence.removesuffix(".").split("; ")
        assert seen.startswith(f"{benchmark}. Face model seen: nothing certain was left to gain (+0.0")
        row = frame.query("benchmark == @benchmark and seen == 'no' and method == 'oracle'").iloc[0]
        assert unseen.startswith("not seen: " + ("something" if row["gained_low"] > 0 else "nothing certain"))
        assert f"({row['gained']:+.1f} [{row['gained_low']:+.1f}" in unseen and "made no certain difference" in seen


def test_the_figure_draws_both_faces_in_every_panel(frame):
    drawing = draw_seen(frame)
    drawing.figure.canvas.draw()
    assert len(drawing.figure.axes) == len(ON) and list(drawing.columns) == list(drawing.frame)
    assert all(len(panel.containers) == len(SEEN) for panel in drawing.figure.axes)


def test_both_faces_are_asked_of_the_same_methods_whatever_data_says(monkeypatch, tmp_path):
    asked = []

    def run(benchmarks, methods, settings, *, corpora):
        asked.append((benchmarks, methods, settings, corpora))
        return pd.DataFrame({"benchmark": benchmarks})

    monkeypatch.setattr(seen_or_not, "run", run)
    frame = seen_or_not.both_faces(Settings(data=tmp_path))
    assert frame["face"].tolist() == [face for face in SEEN for _ in ON]
    for face, (benchmarks, methods, settings, corpora) in zip(SEEN, asked, strict=True):
        assert (benchmarks, methods, settings) == (ON, ASKED, Settings())
        assert corpora == {name: Twin(name, face=face) for name in ("BU-3DFE", "Bosphorus", "BU-4DFE")}
