"""Figures 3 and 6: bars and gains of the same records, and the paper's numbers only where its text states them."""

import numpy as np
import pandas as pd
import pytest

from mvlm.measures.statistics import corrected_resampled_t
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items.fig3_fig6 import (
    FIG3_COLUMNS,
    FIG6_COLUMNS,
    asked,
    draw_ablation,
    draw_gains,
    fig3_table,
    fig6_table,
)
from mvlm.study.methods import LADDER
from tests.made_records import made_runs


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return made_runs(tuple(BENCHMARKS), LADDER)


def test_bars_are_the_tables_numbers_beside_the_papers(records: pd.DataFrame):
    frame = fig3_table(records)
    assert list(frame) == list(FIG3_COLUMNS)
    ours = frame[frame["source"] == "measured"]
    assert set(zip(ours["asked"], ours["method"], strict=True)) == {(a, m) for a in asked() for m in LADDER}
    full = records[(records["benchmark"] == "BU-4DFE") & (records["method"] == "full")]
    shares = [np.mean(np.array(r["zero_shot"]) == r["emotions"]) for r in full.to_dict("records")]
    row = ours[(ours["asked"] == "BU-4DFE") & (ours["method"] == "full")].iloc[0]
    assert row["mean"] == pytest.approx(100 * np.mean(shares)) and row["chance"] == pytest.approx(100 / 6)
    two = ours[ours["asked"] == "BU-4DFE-to-BP4D, 2-way"]
    assert set(two["chance"]) == {50}
    theirs = frame[frame["source"] != "measured"]
    stated = theirs.dropna(subset="paper").set_index("benchmark")["paper"].to_dict()
    assert stated == {"BU-3DFE-I": 89.29, "BU-3DFE-II": 83.98, "Bosphorus": 79.86, "BU-4DFE": 96.47, "BP4D": 88.34,
                      "BU-4DFE-to-BP4D": 80.36}  # fmt: skip
    assert set(theirs.loc[theirs["paper"].isna(), "source"]) == {"not stated"}
    assert set(theirs.loc[theirs["paper"].notna(), "method"]) == {"full"}


def test_gains_are_paired_and_only_one_is_stated(records: pd.DataFrame):
    frame = fig6_table(records)
    assert list(frame) == list(FIG6_COLUMNS)
    share = {
        method: np.array([np.mean(np.array(r["zero_shot"]) == r["emotions"]) for r in of.to_dict("records")])
        for method, of in records[records["benchmark"] == "BU-3DFE-II"].groupby("method")
    }
    expected = corrected_resampled_t(100 * (share["pairs"] - share["baseline"]), 1 / 3)
    ours = frame[frame["source"] == "measured"].set_index(["asked", "method"])
    row = ours.loc[("BU-3DFE-II", "pairs")]
    wanted = [expected.mean, expected.low, expected.high, expected.p]
    assert row[["difference", "low", "high", "p"]].tolist() == pytest.approx(wanted)
    assert row["excludes_zero"] == (expected.low > 0 or expected.high < 0)
    assert ours.loc[("BU-4DFE-to-BP4D, 2-way", "full"), "test"] == "subjects"
    stated = frame.dropna(subset="paper")[["benchmark", "method", "paper", "qualifier", "source"]]
    assert stated.to_numpy().tolist() == [["BU-3DFE-I", "full", 8, "over", "transcribed"]]


def test_both_are_drawn_also_where_a_corpus_is_absent(records: pd.DataFrame):
    some = records[records["benchmark"].isin(["BU-3DFE-I", "BU-4DFE-to-BP4D"])]
    for of, absent in ((records, 0), (some, 4)):
        bars = draw_ablation(fig3_table(of))
        texts = [text.get_text() for panel in bars.figure.axes for text in panel.texts]
        assert texts.count("absent") == absent and texts.count("n. s.") == 3 * 6 and "89.29" in texts
        heat = draw_gains(fig6_table(of))
        texts = [text.get_text() for panel in heat.figure.axes for text in panel.texts]
        assert texts.count("absent") == 3 * absent and texts.count("n. s.") == 3 * 6 - 1 and "over 8" in texts
        assert list(heat.columns) == list(heat.frame)
