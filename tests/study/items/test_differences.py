"""Methods against the baseline: differences on the same folds, tested with the folds' dependence."""

import numpy as np
import pandas as pd
import pytest

from mvlm.measures.statistics import corrected_resampled_t
from mvlm.study.items.differences import COLUMNS, against_baseline, render_against_baseline


def records(rights: dict[str, list[int]], labels: dict[str, list[float]]) -> pd.DataFrame:
    """Ten samples a fold, so many of them right."""
    rows = []
    for method, counts in rights.items():
        for fold, count in enumerate(counts):
            rows.append({
                "benchmark": "BU-3DFE-I", "method": method, "fold": fold, "folds": len(counts), "seed": 0,
                "supervision": "none", "data_kind": "twin", "emotions": ["anger"] * 10,
                "zero_shot": ["anger"] * count + ["fear"] * (10 - count), "pseudo_labels": labels[method],
            })  # fmt: skip
    return pd.DataFrame(rows)


def test_differences_are_paired_by_fold():
    rights = {"full": [9, 8, 10], "baseline": [8, 6, 7]}
    frame = against_baseline(records(rights, {"full": [0.5, 0.9], "baseline": []})).set_index("method")
    expected = corrected_resampled_t(np.array([10.0, 20.0, 30.0]), 1 / 3)
    full = frame.loc["full"]
    assert full[["difference", "low", "high", "p"]].tolist() == pytest.approx(
        [20.0, expected.low, expected.high, expected.p]
    )
    assert full["labels_right"] == pytest.approx(90) and full["folds"] == 3
    assert frame.loc["baseline", "labels_right"] == pytest.approx(70) and pd.isna(frame.loc["baseline", "difference"])
    assert list(frame.reset_index()[list(COLUMNS)].columns) == list(COLUMNS)


def test_a_fold_counts_once_however_many_seeds_it_was_run_with():
    base = records({"baseline": [8, 6, 7]}, {"baseline": []})
    seeds = [records({"full": right}, {"full": [0.5]}).assign(seed=seed) for seed, right in
             enumerate([[9, 8, 10], [3, 8, 8], [9, 5, 9]])]  # fmt: skip
    got = against_baseline(pd.concat([base, *seeds], ignore_index=True)).set_index("method").loc["full"]
    expected = corrected_resampled_t(np.array([-10.0, 10.0, 20.0]), 1 / 3)  # of 7, 7 and 9 right on average
    assert got[["difference", "low", "high", "p"]].tolist() == pytest.approx([20 / 3, *expected[1:3], expected.p])
    assert (got["folds"], got["seeds"]) == (3, 3)


def test_methods_on_other_folds_are_not_compared():
    both = records({"baseline": [8, 6, 7], "full": [9, 8, 10]}, {"baseline": [], "full": [0.5]})
    with pytest.raises(ValueError, match=r"expected runs of the same folds, got \[0, 1\] and \[0, 1, 2\]"):
        against_baseline(both.drop(both.index[-1]))


def test_rendering_shows_sign_interval_and_nothing_for_the_baseline():
    rights = {"baseline": [8, 6], "instance": [7, 6]}
    (part,) = render_against_baseline(against_baseline(records(rights, {"instance": [], "baseline": []})))
    shown = part.cells.set_index("Method")
    assert shown.iloc[0]["against the baseline"] == "–" and shown.iloc[1]["labels right"] == "–"
    text = shown.iloc[1]["against the baseline"]
    assert text.startswith("-5.0 [") and "p = " in text


def test_a_run_without_folds_is_compared_subject_by_subject():
    shared = {"benchmark": "BU-4DFE-to-BP4D", "fold": 0, "folds": 1, "seed": 0, "supervision": "none"}
    shared |= {"data_kind": "twin", "emotions": ["fear"] * 6, "subjects": list("112233"), "pseudo_labels": []}
    said = {"baseline": "ffaaaf", "full": "fffafa"}
    frame = against_baseline(
        pd.DataFrame(
            [shared | {"method": name, "zero_shot": [{"f": "fear", "a": "anger"}[letter] for letter in letters]}
             for name, letters in said.items()]  # fmt: skip
        )
    ).set_index("method")
    expected = corrected_resampled_t(np.array([0.0, 50.0, 0.0]), 0)
    got = frame.loc["full"]
    assert got[["difference", "low", "high", "p"]].tolist() == pytest.approx(list(expected[:3]) + [expected.p])
    assert (got["test"], got["folds"]) == ("subjects", 1) and got["difference"] == pytest.approx(50 / 3)


def test_seeds_of_a_run_without_folds_are_averaged_subject_by_subject():
    shared = {"benchmark": "BU-4DFE-to-BP4D", "fold": 0, "folds": 1, "supervision": "none", "data_kind": "twin"}
    shared |= {"emotions": ["fear"] * 4, "subjects": list("1122"), "pseudo_labels": []}
    said = [("baseline", 0, "ffaa"), ("full", 0, "fffa"), ("full", 1, "aaff")]
    rows = [shared | {"method": method, "seed": seed, "zero_shot": [{"f": "fear", "a": "anger"}[c] for c in letters]}
            for method, seed, letters in said]  # fmt: skip
    got = against_baseline(pd.DataFrame(rows)).set_index("method").loc["full"]
    expected = corrected_resampled_t(np.array([-50.0, 75.0]), 0)
    assert got[["difference", "low", "high"]].tolist() == pytest.approx(list(expected[:3]))
