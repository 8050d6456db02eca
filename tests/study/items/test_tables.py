"""Tables I to III: the paper's rows as printed, ours recomputed from predictions, both apart; what is missing said."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mvlm.report.results import write_table
from mvlm.study.benchmarks import BENCHMARKS, TABLES
from mvlm.study.items import tables
from mvlm.study.items.table_figures import draw_ladder
from mvlm.study.items.tables import AMONG_SHOWN, COLUMNS, accuracy_table, render_table, table_records
from mvlm.study.paper.transcripts import paper_table

SIDECAR = {"seeds": [0], "folds": 2, "supervision": ["none", "cluster"], "columns": COLUMNS}
render_table1 = partial(render_table, item="table1")


def table1(frame: pd.DataFrame) -> pd.DataFrame:
    return accuracy_table(frame, paper_table("table1"))


def records(methods: tuple[str, ...] = ("baseline", "full"), benchmarks: tuple[str, ...] = TABLES["table1"].benchmarks):
    """Two folds of two subjects; `full` is right but for one sample of fold 0, `baseline` always says anger."""
    rows = []
    for benchmark in benchmarks:
        for method in methods:
            for fold in (0, 1):
                classes = BENCHMARKS[benchmark].emotions
                subjects = [f"S{fold}{number // len(classes)}" for number in range(2 * len(classes))]
                true = list(classes) * 2
                said = true if method == "full" else ["anger"] * len(true)
                if method == "full" and fold == 0:
                    said = ["pain", *true[1:]]
                rows.append(
                    {
                        "benchmark": benchmark,
                        "method": method,
                        "fold": fold,
                        "seed": 0,
                        "supervision": "cluster" if method == "full" else "none",
                        "data_kind": "twin",
                        "profile": "quick",
                        "names": [f"{subject}_{number}" for number, subject in enumerate(subjects)],
                        "subjects": subjects,
                        "emotions": true,
                        "zero_shot": said,
                        "among_shown": None,
                        "knn": true,
                        "probe": true,
                        "cluster": said,
                        "nmi": 0.5 + fold / 10,
                        "ari": 0.25,
                        "naming": 0.5,
                        "pseudo_labels": [0.5, 0.75] if method == "full" else [],
                        "change": [0.25] if method == "full" else [],
                    }
                )
    return pd.DataFrame(rows)


def test_the_papers_table_is_transcribed_whole():
    """The paper prints, beside each accuracy, its distance to MultiviewVLM: both must agree."""
    stated = {
        "BU-3DFE-I": [4.79, 4.49, 2.97, 2.43, 0.02, 0.76, 0],
        "BU-3DFE-II": [3.56, 3.52, 2.65, 1.31, 0],
        "Bosphorus": [0.14, 2.36, 0.14, 1.02, 0],
    }
    paper = paper_table("table1")
    assert set(paper["source"]) == {"transcribed"}
    for benchmark, gaps in stated.items():
        rows = paper[paper["benchmark"] == benchmark].set_index("method")
        assert (rows["accuracy"] - rows["accuracy"]["MultiviewVLM"]).abs().round(2).tolist() == gaps


def test_measured_and_transcribed_numbers_share_no_column():
    frame = table1(records())
    assert list(frame.columns) == list(COLUMNS)
    measured = frame["source"] == "measured"
    assert frame.loc[measured, "paper"].isna().all()
    assert frame.loc[~measured, ["mean", "std", "low", "high", "chance", "n", "folds"]].isna().all(axis=None)
    assert frame["method"].tolist().index("baseline") > frame["method"].tolist().index("MultiviewVLM")
    head = list(render_table1(frame)[0].cells.columns)
    assert head[:4] == ["Method", "Supervision", "Knows", "Source"] and head[4:] == [
        f"{name}, {what}" for what in ("paper", "measured on twin") for name in TABLES["table1"].benchmarks
    ]


def test_table1_recomputes_from_the_predictions():
    frame = table1(records())
    row = frame.query("method == 'full' and benchmark == 'BU-3DFE-I' and protocol == 'zero-shot'").iloc[0]
    folds = np.array([100 * 11 / 12, 100.0])
    assert row["mean"] == pytest.approx(folds.mean()) and row["std"] == pytest.approx(folds.std(ddof=1))
    assert row["low"] <= row["mean"] <= row["high"] and row["chance"] == pytest.approx(100 / 6)
    assert (row["n"], row["subjects"], row["folds"], row["supervision"]) == (24, 4, 2, "cluster")
    assert row["knows"] == "nothing" and frame.loc[frame["source"] == "transcribed", "knows"].isna().all()
    told = table1(records(("subject-centred", "relabelled-shares"))).dropna(subset="knows")
    assert told.groupby("method")["knows"].unique().map(list).to_dict() == {
        "subject-centred": ["subjects"],
        "relabelled-shares": ["class shares"],
    }
    nmi = frame.query("method == 'full' and benchmark == 'Bosphorus' and protocol == 'nmi'").iloc[0]
    assert nmi["mean"] == pytest.approx(55) and nmi["std"] == pytest.approx(100 * np.std([0.5, 0.6], ddof=1))
    last = frame.query("method == 'full' and protocol == 'pseudo-labels'")
    assert last["mean"].tolist() == [75.0] * 3  # of the last round
    assert frame.query("method == 'baseline' and protocol in ['pseudo-labels', 'change']").empty


def test_a_ladder_of_people_who_all_score_alike_is_drawn():
    """Eight people, a fold for each, every one with as many right: intervals without length."""
    emotions = list(BENCHMARKS["BU-4DFE"].emotions)
    (first,) = records(("baseline",), ("BU-4DFE",)).query("fold == 0").to_dict("records")
    runs = pd.DataFrame(
        [
            first
            | {"method": method, "fold": fold, "subjects": [f"F00{fold}"] * 6, "emotions": emotions}
            | {"names": [f"F00{fold}_{emotion}" for emotion in emotions], "knn": emotions, "probe": emotions}
            | {"zero_shot": [*emotions[:right], *emotions[:1] * (6 - right)], "cluster": emotions}
            for method, right in (("baseline", 1), ("pseudo-labels", 2), ("pairs", 4), ("full", 5), ("oracle", 6))
            for fold in range(8)
        ]
    )
    frame = accuracy_table(runs, paper_table("table2"))
    drawing = draw_ladder(frame, COLUMNS)
    drawing.figure.canvas.draw()
    assert drawing.frame["mean"].tolist() == pytest.approx([100 * right / 6 for right in (1, 2, 4, 5, 6)])
    assert (drawing.frame["low"] == drawing.frame["mean"]).all()
    assert (drawing.frame["high"] == drawing.frame["mean"]).all()


def test_a_rung_that_a_benchmark_was_not_asked_is_said_and_no_bar_of_nothing():
    asked = pd.concat([records(("baseline", "full"), ("Bosphorus",)), records(("baseline",), ("BU-3DFE-I",))])
    drawing = draw_ladder(table1(asked), COLUMNS)
    bars = [[bar.get_width() for bar in panel.patches if bar.get_height()] for panel in drawing.figure.axes]
    said = [[text.get_text() for text in panel.texts] for panel in drawing.figure.axes]
    assert sorted(zip(map(len, bars), said, strict=True)) == [(1, ["not asked"]), (2, [])]


def test_repeated_seeds_are_more_folds_of_the_same_samples():
    once = records(("full",), ("Bosphorus",))
    twice = pd.concat([once, once.assign(seed=1)])
    row = table1(twice).query("protocol == 'zero-shot'").iloc[0]
    assert (row["n"], row["subjects"], row["folds"], row["seeds"]) == (24, 4, 2, 2)
    assert row["mean"] == pytest.approx(100 * (11 / 12 + 1) / 2)


def test_seeds_that_differ_widen_the_interval_and_the_note_says_which():
    once = records(("baseline", "full"), ("Bosphorus",))
    full = once["method"] == "full"
    swapped = once[full].assign(seed=1, zero_shot=once.loc[full, "emotions"].map(lambda true: true[::-1]))
    frame = table1(pd.concat([once, swapped], ignore_index=True)).query("protocol == 'zero-shot'").set_index("method")
    before = table1(once).query("protocol == 'zero-shot'").set_index("method")
    assert frame.loc["full", "mean"] == pytest.approx(100 * (11 / 12 + 1 + 0 + 0) / 4)
    assert frame.loc["full", "low"] == 0 and frame.loc["full", "high"] == pytest.approx(before.loc["full", "high"])
    assert frame.loc["baseline"].equals(before.loc["baseline"])
    note = render_table1(frame.reset_index())[0].note
    assert "+ multiview loss (full) were run with 2 seeds" in note and "Baseline were" not in note
    assert "seeds" not in render_table1(before.reset_index())[0].note


def test_a_corpus_that_is_missing_is_absent_and_never_a_twin():
    frame = table1(records(benchmarks=("Bosphorus",)).assign(data_kind="supplied"))
    accuracy, qualities = render_table1(frame)
    ours = accuracy.cells[accuracy.cells["Source"] == "measured"]
    assert set(ours["BU-3DFE-I, measured on supplied"]) == {"absent"}
    assert not set(ours["Bosphorus, measured on supplied"]) & {"absent"}
    assert set(qualities.cells["Data"]) == {"supplied"} and set(qualities.cells["Benchmark"]) == {"Bosphorus"}
    mixed = records(benchmarks=("Bosphorus",))
    mixed.loc[0, "data_kind"] = "supplied"
    with pytest.raises(ValueError, match="of Bosphorus, baseline: expected one data_kind, found supplied, twin"):
        table1(mixed)


@pytest.mark.parametrize("there", [("BP4D", "BU-4DFE-to-BP4D"), ("BP4D",), ("BU-4DFE-to-BP4D",)])
def test_a_further_row_is_of_its_benchmark_alone_and_not_asked_is_not_absent(monkeypatch, there: tuple[str, ...]):
    def run(benchmarks, methods=("baseline", "full"), *_settings, **_seeds):
        return records(methods, tuple(name for name in benchmarks if name in there))

    monkeypatch.setattr(tables, "run", run)
    (further,) = TABLES["table3"].further
    found = table_records("table3")
    asked = set(zip(found["benchmark"], found["method"], strict=True))
    plain = {(benchmark, method) for benchmark in there for method in ("baseline", "full")}
    assert asked == plain | ({further} if "BP4D" in there else set())
    cells = render_table(accuracy_table(found, paper_table("table3")), "table3")[0].cells.set_index("Method")
    for column in cells.columns[cells.columns.str.contains(", measured on")]:
        absent = not column.startswith(tuple(f"{name}," for name in there))
        assert (cells.loc["Baseline", column] == "absent") == absent
    if len(there) == 2:
        row = cells.loc["Baseline, subject-centred, frames"]
        assert row["BU-4DFE-to-BP4D, 6-way, measured on twin"] == "–" and row["BP4D, measured on twin"][0].isdigit()


def test_a_table_is_written_whole_and_rendered_from_its_own_csv(tmp_path: Path):
    frame = table1(records())
    paths = write_table(tmp_path, "table1", frame, sidecar=SIDECAR, render=render_table1)
    assert [path.name for path in paths] == ["table1.csv", "table1.md", "table1.tex", "table1.json"]
    read = pd.read_csv(paths[0])
    assert np.array_equal(read["mean"], frame["mean"], equal_nan=True)  # full precision, bit for bit
    assert b"\r" not in b"".join(path.read_bytes() for path in paths)
    page = paths[1].read_text()
    assert "| MultiviewVLM | unsupervised | – | transcribed | 89.29 | 83.98 | 79.86 | – | – | – |" in page
    assert "95.8 ± 5.9 [87.5, 100.0]" in page and "Chance 16.7" in page and "profile quick" in page
    assert "BU-3DFE-I 24 samples of 4 subjects in 2 folds" in page
    tex = paths[2].read_text()
    assert tex.count("\\toprule") == 2 and "95.8 $\\pm$ 5.9" in tex and "[95 \\% interval" in tex
    assert json.loads(paths[3].read_text()) == {"item": "table1", **SIDECAR}
    again = write_table(tmp_path / "again", "table1", frame, sidecar=SIDECAR, render=render_table1)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_tables_2_and_3_are_transcribed_as_far_as_the_text_goes():
    """Table II with the distance printed beside each accuracy; Table III with the distances that the prose states."""
    second = paper_table("table2")
    gaps = [31.87, 20.65, 17.67, 12.77, 9.41, 8.86, 5.47, 4.25, 3.26, 2.29, 2.27, 1.34, 0.03, 0.71, 0]
    ours = second.set_index("method")["accuracy"]["MultiviewVLM"]
    assert (second["accuracy"] - ours).abs().round(2).tolist() == gaps and second["method"].is_unique
    third = paper_table("table3")
    silent = third["source"] == "not stated"
    assert third.loc[silent, "accuracy"].isna().all() and third.loc[~silent, "accuracy"].notna().all()
    for benchmark, stated in {"BP4D": [-1.75, 0.22, -1.2, 0], "BU-4DFE-to-BP4D": [-9.36, 1.34, -1.31, 0]}.items():
        rows = third[~silent & (third["benchmark"] == benchmark)].set_index("method")["accuracy"]
        assert (rows - rows["MultiviewVLM"]).round(2).tolist() == stated


def test_a_run_without_folds_is_asked_about_all_emotions_and_about_those_shown():
    shown = ["happiness", "disgust"]
    run = {
        "benchmark": "BU-4DFE-to-BP4D", "method": "full", "fold": 0, "seed": 0, "supervision": "cluster",
        "data_kind": "twin", "profile": "quick", "names": list("abcdef"), "subjects": list("112233"),
        "emotions": shown * 3, "zero_shot": ["happiness", "anger"] * 3, "among_shown": ["happiness", "disgust"] * 3,
        "knn": shown * 3, "probe": shown * 3, "cluster": shown * 3, "nmi": 1.0, "ari": 1.0, "naming": 1.0,
        "pseudo_labels": [0.5], "change": [],
    }  # fmt: skip
    frame = accuracy_table(pd.DataFrame([run]), paper_table("table3"))
    asked = frame[frame["source"] == "measured"].set_index("protocol")
    assert asked.loc["zero-shot", ["mean", "chance", "folds"]].tolist() == pytest.approx([50, 100 / 6, 1])
    assert asked.loc[AMONG_SHOWN, ["mean", "chance"]].tolist() == [100, 50]
    assert np.isnan(asked.loc["zero-shot", "std"])
    accuracy = render_table(frame, "table3")[0]
    (row,) = accuracy.cells[accuracy.cells["Source"] == "measured"].to_dict("records")
    assert row["BU-4DFE-to-BP4D, 6-way, measured on twin"] == "50.0 [50.0, 50.0]"
    assert row["BU-4DFE-to-BP4D, 2-way, measured on twin"] == "100.0 [100.0, 100.0]"
    assert row["BP4D, measured on twin"] == "absent"
    zhen = accuracy.cells.set_index("Method").loc["Zhen et al. [56]"]
    assert (zhen["BP4D, paper"], zhen["BU-4DFE-to-BP4D, paper"]) == ("n. s.", "81.70")
    assert "2-way 50.0" in accuracy.note and "in one run" in accuracy.note and "n. s.: its text" in accuracy.note
