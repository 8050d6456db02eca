"""Tables and figures of labels without labels, from made records."""

import numpy as np
import pandas as pd
import pytest

from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items import identity, identity_stress
from mvlm.study.items.identity import RELATIONS, SORTS, TRAINED, Study, identity_table, relations, render_identity
from mvlm.study.items.identity_figures import draw_guard, draw_scans, draw_stress, draw_ways
from mvlm.study.items.identity_stress import OWN, SHAPING, Stress, guard_table, separation, stress_table, threshold
from mvlm.study.label_free import WITHOUT_LABELS
from mvlm.study.label_free_peers import ABLATED, OF_PEERS
from mvlm.study.label_free_stress import CONDITIONS, WAYS
from tests.made_records import made_runs

ASKED = ("BU-3DFE-I", "BU-4DFE-to-BP4D")
GOOD = {"relabelled-shares": 0.9, "relabelled-who": 0.7, "discriminant": 0.92, "transclip-centred": 0.6}


def said(rng, true, emotions, ways):
    """Predictions that are right as often as `GOOD` says, else 0.3."""
    return {
        way: [
            int(emotions.index(t)) if rng.random() < GOOD.get(way, 0.3) else int(rng.integers(len(emotions)))
            for t in true
        ]
        for way in ways
    }


def made(ways, partitions):
    """Records of the folds of `made_runs`, as if every partition had cut the same ones."""
    rng, rows = np.random.default_rng(0), []
    for row in made_runs(ASKED, ["subject-centred"]).to_dict("records"):
        benchmark = BENCHMARKS[row["benchmark"]]
        for partition in range(1 if benchmark.trains_on else partitions):
            predicted = said(rng, row["emotions"], benchmark.emotions, ways)
            told = {"predicted": predicted, "among_shown": predicted if benchmark.shown else None}
            told["labels_right"] = {"who": 0.7, "spread": 0.8, "shares": 0.9}
            rows.append(row | told | {"partition": partition})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def study():
    few = [way for way in WITHOUT_LABELS if not way.endswith("-4")]
    ways = made(WITHOUT_LABELS, 2)
    cross = ways["benchmark"] == ASKED[1]  # whose test subjects bring two scans each
    ways.loc[cross, "predicted"] = ways.loc[cross, "predicted"].map(lambda of: {way: of[way] for way in few})
    ways.loc[cross, "among_shown"] = ways.loc[cross, "predicted"]
    runs = made_runs(ASKED, TRAINED)
    return Study(ways, made({**OF_PEERS, **ABLATED}, 1), runs)


@pytest.fixture(scope="module")
def table(study):
    return identity_table(study)


def test_a_row_for_each_way_and_benchmark(study, table):
    assert list(table["sort"].unique()) == list(SORTS)
    first = table[(table["benchmark"] == ASKED[0])]
    assert set(first["way"]) == {*WITHOUT_LABELS, *OF_PEERS, *ABLATED, *TRAINED} and not first["way"].duplicated().any()
    of = first.set_index("way")
    right = study.ways[study.ways["benchmark"] == ASKED[0]]
    emotions = BENCHMARKS[ASKED[0]].emotions
    shares = [
        np.mean([emotions[c] == t for c, t in zip(row["predicted"]["relabelled-shares"], row["emotions"], strict=True)])
        for row in right.to_dict("records")
    ]
    assert of.loc["relabelled-shares", "accuracy"] == pytest.approx(100 * np.mean(shares))
    assert of.loc["relabelled-shares", "labels_right"] == pytest.approx(90) and of.loc["relabelled-shares", "n"] == 72
    assert of.loc["relabelled-shares", "partitions"] == 2 and of.loc["transclip", "partitions"] == 1
    assert ((of["low"] <= of["accuracy"] + 1e-9) & (of["accuracy"] <= of["high"] + 1e-9)).all()
    cross = table[table["benchmark"] == ASKED[1]]
    assert "relabelled-who-4" not in set(cross["way"]) and "relabelled-who-2" in set(cross["way"])
    assert cross.groupby("way")["protocol"].nunique().loc["zero-shot"] == 2  # six-way and two-way
    parts = render_identity(table)
    assert [part.title for part in parts] == list(SORTS.values())
    few = parts[list(SORTS).index("few")].cells
    assert (few[few["Scans"] == "4"].iloc[:, -1] == "–").all()
    assert "(90)" in parts[1].cells.iloc[2]["BU-3DFE-I"]


def test_relations_are_paired_and_favour_the_best_peer(study, table):
    found = relations(study, table)
    assert set(found["relation"]) == set(RELATIONS) and set(found["benchmark"]) == set(ASKED)
    row = found[(found["relation"] == "who, less the best peer") & (found["benchmark"] == ASKED[0])].iloc[0]
    assert row["second"] == "transclip-centred" and row["test"] == "folds"
    first = study.ways[(study.ways["benchmark"] == ASKED[0]) & (study.ways["partition"] == 0)]
    emotions = np.array(BENCHMARKS[ASKED[0]].emotions)
    gains = [
        np.mean(emotions[of["predicted"]["relabelled-who"]] == of["emotions"])
        - np.mean(emotions[peer["predicted"]["transclip-centred"]] == peer["emotions"])
        for of, peer in zip(first.to_dict("records"), study.peers.to_dict("records"), strict=False)
    ]
    assert row["difference"] == pytest.approx(100 * np.mean(gains)) and row["low"] < row["difference"] < row["high"]
    assert set(found[found["benchmark"] == ASKED[1]]["test"]) == {"subjects"}
    cells = identity.render_relations(found)[0].cells
    assert "transclip-centred" in cells.set_index("Points of accuracy").loc["who, less the best peer", ASKED[0]]


def test_ways_and_scans_are_drawn(table):
    for drawing in (draw_ways(table), draw_scans(table)):
        assert list(drawing.columns) == list(drawing.frame.columns) and len(drawing.frame)
    panels = draw_ways(table).figure.axes
    assert [panel.get_title() for panel in panels if panel.get_visible()] == [f"{name} (twin)" for name in ASKED]


def stressed(moved):
    """Records of four folds; `moved` gives what the guard says under a condition."""
    rng, rows = np.random.default_rng(1), []
    emotions = BENCHMARKS["BU-3DFE-I"].emotions
    for fold in range(4):
        told = {}
        for name in CONDITIONS:
            true = np.repeat(emotions, 2).tolist()
            there = {} if name == "one-scan" else said(rng, true, emotions, WAYS)
            told[name] = {"subjects": [f"F{fold}{i % 3}" for i in range(12)], "emotions": true, "predicted": there}
            told[name]["moved"] = moved(name, fold) if there else None
        row = {"benchmark": "BU-3DFE-I", "fold": fold, "data_kind": "twin", "profile": "quick", "conditions": told}
        rows.append(row)
    return pd.DataFrame(rows)


def test_stress_and_the_guard_that_is_shaped_on_one_face_and_read_on_the_other():
    shaping = stressed(lambda name, fold: (0.1 if CONDITIONS[name].shares else 0.3) + 0.01 * fold)
    own = stressed(lambda name, _: 0.1 if CONDITIONS[name].shares else 0.3 if name != "unequal" else 0.15)
    found = Stress(own, shaping)
    table = stress_table(found)
    assert set(table["condition"]) == set(CONDITIONS) - {"one-scan"} and set(table["way"]) == set(WAYS)
    assert len(identity_stress.render_stress(table)) == 1
    guard = guard_table(found)
    assert guard["threshold"].iloc[0] == pytest.approx(21.5)  # between 13 and 30 percent
    assert separation(guard[guard["face"] == SHAPING]) == {"caught": 100, "false alarms": 0, "area": 1}
    of_own = separation(guard[guard["face"] == OWN])
    assert of_own["false alarms"] == 0 and 0 < of_own["caught"] < 100 and of_own["area"] == 1
    assert "Above 22 the guard" in identity_stress.render_guard(guard)[0].note
    for drawing in (draw_stress(table), draw_guard(guard)):
        assert list(drawing.columns) == list(drawing.frame.columns)


def test_a_threshold_parts_best_and_needs_both_sorts():
    told = [(0.1, True), (0.2, True), (0.5, True), (0.4, False), (0.6, False)]
    assert 0.2 < threshold(told) < 0.4 or threshold(told) == pytest.approx(0.55)
    assert threshold([(0.1, True), (0.3, False)]) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="one sort only"):
        threshold([(0.1, True), (0.2, True)])
