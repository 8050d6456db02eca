"""The summary: every question answered once for each method and benchmark, with its interval, and drawn."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mvlm.measures.statistics import corrected_resampled_t
from mvlm.settings import Settings
from mvlm.study.items import summary, summary_inspections
from mvlm.study.items.foundation import FOUNDATIONS, cards
from mvlm.study.items.summary import COLUMNS, FOUNDATION, LEVELS, QUESTIONS, render_summary, studied, summary_table
from mvlm.study.items.summary_figures import draw_curves, draw_forest, draw_knows, draw_names
from mvlm.study.items.summary_inspections import INSPECTED, KNOWS, LABELS, NAMES, ON, VIEWS
from mvlm.study.methods import TABLE_METHODS
from tests.made_records import FOLDS, SUBJECTS, made_inspections, made_runs

pytestmark = pytest.mark.usefixtures("few_draws")


@pytest.fixture(scope="module")
def both() -> tuple[pd.DataFrame, pd.DataFrame]:
    runs = made_runs((*ON, "BU-4DFE-to-BP4D"), studied())
    beside = runs[runs["benchmark"].isin(ON) & runs["method"].isin(INSPECTED)]
    return runs, made_inspections(beside)


@pytest.fixture(scope="module")
def frame(both) -> pd.DataFrame:
    return summary_table(*both, Settings(profile="smoke"))


def test_every_question_has_its_rows(frame: pd.DataFrame):
    assert list(frame) == list(COLUMNS)
    assert set(frame["question"]) == {q.title for q in QUESTIONS} | {LEVELS, VIEWS, LABELS, KNOWS, NAMES, FOUNDATION}
    for question in QUESTIONS:
        rows = frame[(frame["question"] == question.title) & (frame["benchmark"] == "BU-4DFE")]
        pairs = set(zip(rows["method"], rows["against"].fillna(""), strict=True))
        assert pairs == {(m, a) for m in question.methods for a in ("", *question.against) if a != m}
    assert set(frame.loc[frame["benchmark"] == "BU-4DFE-to-BP4D, 2-way", "chance"].dropna()) == {50}
    assert set(frame.loc[frame["question"] == LEVELS, "at"]) == {f"level {n}" for n in (1, 2, 3, 4)}


def test_a_difference_is_paired_by_fold(both, frame: pd.DataFrame):
    runs = both[0][both[0]["benchmark"] == "BU-4DFE"]
    share = {
        method: np.array([np.mean(np.array(r["zero_shot"]) == r["emotions"]) for r in of.to_dict("records")])
        for method, of in runs.groupby("method")
    }
    expected = corrected_resampled_t(100 * (share["instance"] - share["oracle"]), 1 / FOLDS)
    rows = frame[(frame["benchmark"] == "BU-4DFE") & (frame["method"] == "instance") & (frame["against"] == "oracle")]
    assert rows[["value", "low", "high", "p"]].iloc[0].tolist() == pytest.approx(
        [expected.mean, expected.low, expected.high, expected.p]
    )
    assert set(rows["unit"]) == {"points"}


def test_levels_make_up_the_whole(both, frame: pd.DataFrame):
    rows = frame[(frame["question"] == LEVELS) & (frame["method"] == "full")]
    assert rows["n"].tolist() == [SUBJECTS * 6] * 4
    runs = both[0]
    full = runs[(runs["benchmark"] == "BU-3DFE-II") & (runs["method"] == "full")]
    whole = np.mean([np.mean(np.array(r["zero_shot"]) == r["emotions"]) for r in full.to_dict("records")])
    assert rows["value"].mean() == pytest.approx(100 * whole)  # as many of each level in every fold


def test_probes_are_read_as_they_were_asked(frame: pd.DataFrame):
    rows = frame[(frame["benchmark"] == "BU-4DFE") & (frame["method"] == "full")].set_index(["measure", "at"])
    assert rows.loc[(summary_inspections.WHERE, ""), ["value", "chance"]].tolist() == pytest.approx([100, 100 / 3])
    assert rows.loc[(summary_inspections.WHO_PROBE, ""), ["value", "chance"]].tolist() == [100, 50]
    assert rows.loc[(summary_inspections.NAMING, ""), "value"] == pytest.approx(100 * np.mean(np.arange(20) / 20))
    assert rows.loc[(summary_inspections.SWAPPED, ""), "value"] == 65  # n / 40 >= 1 / 6 for n of 7 to 19
    assert rows.loc[(summary_inspections.SAME_SUBJECT, ""), "chance"] == pytest.approx(100 * 5 / 11)
    labels = rows[rows["question"] == LABELS]
    assert labels.index.get_level_values("at").tolist() == ["1 %", "5 %", "10 %", "100 %"]
    assert labels["note"].iloc[1] == "subjects labelled: 2; draws: 5" and set(labels["n"]) == {SUBJECTS * 6}


def test_a_fold_that_tests_one_subject_is_not_asked_who(both):
    runs, inspections = both
    silent = inspections.assign(subject_nearest=None, subject_probe=None)
    rows = summary_inspections.probe_rows(silent, runs)
    assert not {summary_inspections.WHO_NEAREST, summary_inspections.WHO_PROBE} & {row["measure"] for row in rows}
    assert summary_inspections.SAME_SUBJECT in {row["measure"] for row in rows}


def test_restarts_that_are_all_alike_lie_in_their_own_range(both):
    runs, inspections = both
    alike = [{"inertia": 1.0, "quality": 5 / 6, "naming": 1 / 6, "renamed": 0.0}] * 20
    rows = pd.DataFrame(summary_inspections.probe_rows(inspections.assign(clusters=[alike] * len(inspections)), runs))
    for measure, share in ((summary_inspections.QUALITY, 5 / 6), (summary_inspections.NAMING, 1 / 6)):
        ends = rows.loc[rows["measure"] == measure, ["value", "low", "high"]]
        assert len(ends) and (ends == 100 * share).all(axis=None)


def test_names_of_many_views_have_room(both):
    runs, inspections = both
    seen = [[*said, *said[1:]] for said in inspections["views"]]
    told = [[[0, 1, 2, 3, 4]] * len(names) for names in inspections["names"]]
    yaws = (0.0, 30.0, -30.0, 60.0, -60.0)
    rows = summary_inspections.probe_rows(inspections.assign(views=seen, yaw=told), runs, yaws)
    figure = draw_curves(pd.DataFrame(rows)).figure
    figure.canvas.draw()
    ticks = figure.axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == [
        "front", "left\n30°", "right\n30°", "left\n60°", "right\n60°", "fused"
    ]  # fmt: skip
    places = [tick.get_window_extent() for tick in ticks]
    assert all(one.x1 < other.x0 for one, other in pairwise(places))


def test_pages_have_a_table_for_each_question(frame: pd.DataFrame):
    parts = {part.title: part for part in render_summary(frame)}
    assert len(parts) == len(QUESTIONS) + 6
    ladder = parts["Summary: the ladder"].cells
    assert list(ladder["Measure"][:2]) == ["zero-shot accuracy", "above full"] and "BU-4DFE-to-BP4D, 2-way" in ladder
    known = parts[f"Summary: {FOUNDATION}"].cells
    assert list(known)[2:] == list(cards())  # one that was not pretrained here has no card
    others = [title for title in FOUNDATIONS.values() if title not in cards()]
    assert all(title in parts[f"Summary: {FOUNDATION}"].note for title in others)
    assert ladder.iloc[:, 3:].map(lambda cell: cell != "absent").all(axis=None)
    assert list(parts[f"Summary: {VIEWS}"].cells)[2:] == ["front", "left", "right", "fused"]


def test_several_seeds_are_one_row_and_stand_in_its_interval(both):
    runs, inspections = both
    runs = runs[runs["benchmark"].isin(["BU-4DFE", "BU-3DFE-II"])]
    inspections = inspections[inspections["benchmark"] == "BU-4DFE"]
    full = runs["method"] == "full"
    swapped = runs[full].assign(seed=1, zero_shot=runs.loc[full, "probe"].map(lambda said: [said[-1], *said[:-1]]))
    frame = summary_table(pd.concat([runs, swapped]), inspections, Settings(profile="smoke"))
    once = summary_table(runs, inspections, Settings(profile="smoke"))
    place = ["question", "benchmark", "method", "measure", "at", "against"]
    assert frame[place].equals(once[place])
    rows = frame[(frame["benchmark"] == "BU-4DFE") & frame["measure"].eq("zero-shot accuracy")]
    ladder = rows[(rows["question"] == "the ladder") & (rows["method"] == "full")]
    assert ladder["seeds"].tolist() == [2, 2] and ladder["interval"].iloc[0] == "bootstrap over subjects and seeds"
    accuracy = rows[rows["against"].isna() & (rows["question"] == "the ladder")].set_index("method")["value"]
    assert ladder["value"].iloc[1] == pytest.approx(accuracy["full"] - accuracy["baseline"])
    levels = frame[(frame["question"] == LEVELS) & (frame["method"] == "full")]
    assert set(levels["seeds"]) == {2} and set(levels["n"]) == {SUBJECTS * 6}
    beside = frame["question"].isin([VIEWS, LABELS])  # of the seed that was inspected
    assert frame.loc[beside, "value"].equals(once.loc[beside, "value"])
    (note,) = (part.note for part in render_summary(frame) if part.title == "Summary: the ladder")
    assert "over seeds where there are several (+ multiview loss (full): 2)" in note


def test_every_figure_is_drawn_from_rows_of_the_summary(frame: pd.DataFrame):
    for draw in (draw_forest, draw_curves, draw_knows, draw_names):
        drawing = draw(frame)
        assert len(drawing.frame) and list(drawing.columns) == list(drawing.frame)
        drawing.figure.canvas.draw()


def test_methods_that_stand_in_no_table_are_run_where_their_corpora_are(monkeypatch: pytest.MonkeyPatch, both):
    asked = []

    def run(benchmarks=("BP4D", "BU-4DFE", "BU-3DFE-I"), methods=TABLE_METHODS, settings=None, *, seeds):
        asked.append((tuple(benchmarks), tuple(methods), settings))
        assert seeds is None  # each method's own
        return pd.DataFrame({"benchmark": benchmarks})

    monkeypatch.setattr(summary, "run", run)
    summary.study_records(Settings())
    others = tuple(name for name in studied() if name not in TABLE_METHODS)
    assert asked[0][1] == TABLE_METHODS and asked[1] == (("BU-3DFE-I", "BU-4DFE"), others, Settings())  # what is there
    assert len(asked) == 2 and set(INSPECTED) <= {*TABLE_METHODS}
    cost = summary.cost(*both)
    assert cost["count"].tolist() == [len(both[0]), len(both[1])]
    assert cost["fits"].iloc[1] == len(ON) * FOLDS * (1 + 1 + 3 + 1)  # pairs, instance, full, oracle
