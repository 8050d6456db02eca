"""What the foundation knows: cards hold what was measured, the table shows every foundation and what is missing."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import mvlm.settings
from mvlm.cache.keys import data_files, reached
from mvlm.measures.statistics import summary
from mvlm.samples import load_samples, open_corpus
from mvlm.settings import ROOT, Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items import foundation
from mvlm.study.items.table_figures import draw_foundation
from mvlm.twins.twin import Twin


def card(value: float = 0.5) -> dict:
    """A card as `measure` makes it, every share of it `value`."""
    spread = {"mean": value, "low": value - 0.1, "high": value + 0.1, "n": 12, "subjects": 2}
    return {
        "sha256": "0" * 64, "head": "h", "twin_version": 2, "recipe": {"sequences": 4},
        "held_out": {kind: dict.fromkeys(foundation.MEASURES, value) for kind in foundation.KINDS},
        "twins": {name: dict.fromkeys(foundation.PROTOCOLS, spread) for name in BENCHMARKS},
    }  # fmt: skip


def records(settings: Settings, methods: tuple[str, ...] = ("baseline",)) -> pd.DataFrame:
    """Two folds of two subjects on each of two benchmarks; of eight samples five are right, by the probe all."""
    rows = []
    for benchmark, method in product(("BU-4DFE", "BP4D"), methods):
        for fold, said in ((0, ["anger"] * 4), (1, ["anger", "fear", "fear", "fear"])):
            if method == "oracle" and fold:
                said = ["anger"] * 3 + ["fear"]
            rows.append(
                {
                    "benchmark": benchmark,
                    "method": method,
                    "seed": 0,
                    "data_kind": "twin",
                    "folds": 2,
                    "fold": fold,
                    "names": [f"{fold}{n}" for n in range(4)],
                    "subjects": [f"F{fold}{n // 2}" for n in range(4)],
                    "emotions": ["anger"] * 4,
                    "zero_shot": said,
                    "probe": ["anger"] * 4,
                    "fingerprint": "f",
                    "profile": settings.profile,
                }
            )
    return pd.DataFrame(rows)


def test_a_card_gains_what_was_measured_on_the_twins(monkeypatch, tmp_path: Path):
    asked = []

    def run(methods, settings):
        asked.append((methods, settings))
        return records(settings, methods)

    monkeypatch.setattr(foundation, "run", run)
    monkeypatch.setattr(foundation, "strangers_told", lambda card, _: {"of": card["sha256"]})
    monkeypatch.setattr(foundation, "twins_told", lambda settings: {"formula": settings})
    weights = tmp_path / "without-sequences.safetensors"
    weights.with_suffix(".json").write_text(json.dumps({"sha256": "1", "held_out": {}}))
    made = foundation.measure(weights, Settings(data=tmp_path, profile="smoke"))
    assert asked == [(("baseline",), Settings(profile="smoke", pretrained=str(weights)))]  # of the twins, whatever DATA
    assert made["sha256"] == "1" and set(made["twins"]) == {"BU-4DFE", "BP4D"}
    assert made["units"] == {"strangers": {"of": "1"}, "formula": asked[0][1]}
    right = np.array([True] * 5 + [False] * 3)
    expected = summary(right, np.repeat([0, 1], 4), np.repeat(list("abcd"), 2))
    found = made["twins"]["BP4D"]["zero_shot"]
    assert (found["mean"], found["low"], found["high"]) == pytest.approx(expected[:1] + expected[2:4], abs=1e-4)
    assert (found["n"], found["subjects"]) == (8, 4) and made["twins"]["BP4D"]["probe"]["mean"] == 1
    assert "ladder" not in made
    adapted = foundation.measure(foundation.SHIPPED, Settings(), ladder=True)
    assert asked[1][1].pretrained is None  # so that its records are those of the tables
    assert adapted["twins"]["BP4D"]["zero_shot"] == made["twins"]["BP4D"]["zero_shot"]  # the frozen one's, as before
    assert list(adapted["ladder"]["BP4D"]) == list(foundation.ADAPT)
    one, bound = (adapted["ladder"]["BP4D"][method] for method in ("full", "oracle"))
    assert one["above_difference"] == 0 and bound["above_difference"] == 25  # 0 and 50 by fold
    assert bound["accuracy"] == 87.5 and (bound["n"], bound["subjects"]) == (8, 4)


def test_the_command_writes_cards_beside_one_another(monkeypatch, tmp_path: Path, capsys):
    monkeypatch.setattr(foundation, "FOLDER", tmp_path / "foundations")
    monkeypatch.setattr(foundation, "measure", lambda weights, _, ladder: card() | {"of": weights.name, "too": ladder})
    foundation.main(["--ladder", "elsewhere/without-sequences.safetensors"])
    assert foundation.cards(tmp_path / "foundations")["still faces alone"]["too"] is True
    assert list(foundation.cards(tmp_path / "foundations")) == ["still faces alone"]
    foundation.main([])
    both = foundation.cards(tmp_path / "foundations")
    assert list(both) == ["still and moving faces", "still faces alone"]
    assert both["still and moving faces"]["of"] == "mvlm-tiny.safetensors"
    assert both["still and moving faces"]["too"] is False
    with pytest.raises(SystemExit):
        foundation.main(["mine.safetensors"])
    assert "mine.safetensors: expected a file whose card is called mvlm-tiny.json or" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match="expected mvlm-tiny.json or again.json or .*, found none"):
        foundation.cards(tmp_path)


def test_the_table_shows_both_foundations_and_says_which_were_not_measured():
    both = {"still and moving faces": card(0.8), "still faces alone": card(0.3)}
    frame = foundation.foundation_table(both)
    assert list(frame.columns) == list(foundation.COLUMNS)
    assert len(frame) == 2 * (2 * len(foundation.MEASURES) + len(BENCHMARKS) * len(foundation.PROTOCOLS))
    row = frame.query("asked_about == 'BP4D' and measure == 'zero-shot' and value < 50").iloc[0]
    assert row[["value", "low", "high", "chance", "n"]].tolist() == pytest.approx([30, 20, 40, 12.5, 12])
    assert frame.loc[frame["data_kind"] == "strangers", "low"].isna().all()
    (part,) = foundation.render_foundation(frame)
    set_aside = [title for title in foundation.FOUNDATIONS.values() if title not in both]
    shown = part.cells.set_index(["Asked about", "Measure"]).loc[("BU-4DFE (twin)", "linear probe")]
    assert shown.tolist() == ["80.0 [70.0, 90.0]", "30.0 [20.0, 40.0]", "16.7"]
    assert part.note.endswith("measured here: " + "; ".join(set_aside) + ".")
    (part,) = foundation.render_foundation(frame[frame["pretrained_on"] == "still faces alone"])
    assert [name for name in part.cells if "pretrained" in name] == ["pretrained on still faces alone"]
    everywhere = foundation.foundation_table(dict.fromkeys(foundation.FOUNDATIONS.values(), card(0.8)))
    assert "measured here" not in foundation.render_foundation(everywhere)[0].note
    drawing = draw_foundation(frame, foundation.COLUMNS)
    assert len(drawing.figure.axes) == 2 and set(drawing.frame["data_kind"]) == {"twin"}
    assert list(drawing.columns) == list(drawing.frame.columns)


def test_the_ladder_is_a_part_of_its_own_with_a_column_for_each_training():
    rung = {"accuracy": 40.0, "low": 35.0, "high": 45.0, "n": 12, "subjects": 2}
    rung |= {"title": "+ pseudo-labels", "supervision": "cluster"}
    gains = {"above_difference": 5.0, "above_low": 1.0, "above_high": 9.0}
    bound = {"title": "Full, true labels", "supervision": "oracle"}
    lost = {"above_difference": -5.0, "above_low": -12.0, "above_high": 2.0}
    both = {
        title: card() | {"ladder": {"BU-4DFE": {"pseudo-labels": rung | of, "oracle": rung | gains | bound}}}
        for title, of in (("still and moving faces", gains), ("still and moving faces, trained again", lost))
    }
    frame = foundation.foundation_table(both | {"still faces alone": card()})
    plain = foundation.foundation_table(dict.fromkeys([*both, "still faces alone"], card()))
    known, part = foundation.render_foundation(frame)
    assert known.cells.equals(foundation.render_foundation(plain)[0].cells)
    assert part.title == "The ladder, by the training of the foundation" and len(part.cells) == 2
    assert part.cells.iloc[0].tolist() == [
        "BU-4DFE (twin)", "+ pseudo-labels", "cluster",
        "40.0 [35.0, 45.0]", "+5.0 [+1.0, +9.0] *", "40.0 [35.0, 45.0]", "-5.0 [-12.0, +2.0]",
    ]  # fmt: skip
    assert len(draw_foundation(frame, foundation.COLUMNS).figure.axes) == 2


def told(units: dict[int, float], n: int = 8) -> dict:
    found = {str(unit): {"area": area, "n": n} for unit, area in units.items()}
    return {"mean": float(np.mean(list(units.values()))), "n": 20, "subjects": 5, "units": found}


def test_units_are_a_part_of_their_own_face_beside_face():
    units = {"strangers": {"stills": told({4: 0.8, 12: 1.0}), "dynamic": told({4: 0.6}, 4)}}
    units["formula"] = {"BU-3DFE": told({12: 0.9}), "BU-4DFE": told({12: 0.7}), foundation.ALONE: told({4: 0.3})}
    both = {"still and moving faces": card() | {"units": units}, "still faces alone": card()}
    frame = foundation.foundation_table(both)
    assert frame["unit"].notna().sum() == 6 and list(frame.columns) == list(foundation.COLUMNS)
    assert not frame.loc[frame["unit"].notna(), ["value", "chance", "n", "subjects"]].isna().any(axis=None)
    known, part = foundation.render_foundation(frame)
    assert known.cells.equals(
        foundation.render_foundation(foundation.foundation_table(dict.fromkeys(both, card())))[0].cells
    )
    assert list(part.cells)[2:] == [
        "held-out strangers",
        "twins, formula face (seen: yes)",
        "twins, anny face (seen: no)",
    ]
    shown = part.cells.set_index("Action unit").iloc[:, 1:]
    assert shown.loc["4"].tolist() == ["70.0 (n = 12)", "–", "–"]
    assert shown.loc["12"].tolist() == ["100.0 (n = 8)", "80.0 (n = 16)", "–"]
    assert shown.loc["4, alone"].tolist() == ["–", "30.0 (n = 8)", "–"]
    assert len(draw_foundation(frame, foundation.COLUMNS).figure.axes) == 2


def test_the_area_counts_pairs_in_order():
    rows = np.array([[np.cos(a), np.sin(a)] for a in (0.1, 0.5, 0.3, 0.9, 0.9)])
    shown = {12: np.array([True, True, False, False, False]), 4: np.zeros(5, bool), 1: np.ones(5, bool)}
    found = foundation.areas(rows, shown, dict.fromkeys((12, 4, 1), np.array([1.0, 0.0])))
    assert found == {12: pytest.approx(5 / 6)}  # one pair of six is the wrong way round; 4 and 1 have none


@pytest.fixture
def seeing(monkeypatch, tmp_path):
    """A model that sees what the fake embedding tells it: unit 12 nearest to its phrase, every other row elsewhere."""
    phrases = list(foundation.PHRASES)
    asked = []

    def frozen(corpus, _emotions, _chosen, subjects):
        items = [item for item in corpus.items if subjects is None or item.subject in subjects]
        asked.append((corpus, items))
        rows = np.zeros((len(items), len(phrases) + 1))
        for row, item in zip(rows, items, strict=True):
            row[phrases.index(foundation._unit(item.code)) if foundation._unit(item.code) else -1] = 1
        columns = (np.array([getattr(item, name) for item in items]) for name in ("name", "subject", "emotion"))
        return SimpleNamespace(
            views=lambda: rows[None, :, None], **dict(zip(("names", "subjects", "emotions"), columns, strict=True))
        ), None

    monkeypatch.setattr(foundation, "frozen", frozen)
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(foundation, "texts", lambda said, _: np.eye(len(said), len(said) + 1))
    return asked


def test_single_units_of_a_twin_are_asked_against_one_another(seeing):
    twin = Twin("Bosphorus", face="formula")
    found = foundation.units_told(twin, Settings(), single=True, subjects=["bs000", "bs001", "bs002"])
    assert found == {"mean": 1, "n": 6, "subjects": 3, "units": {u: {"area": 1, "n": 3} for u in ("4", "9")}}
    ((corpus, items),) = seeing
    assert {item.code for item in items} == {"LFAU_9", "UFAU_4"} and corpus.fingerprint != twin.fingerprint
    mesh, plain = corpus.read(items[0]), twin.read(replace(items[0], emotion=None))
    np.testing.assert_array_equal(mesh.vertices, plain.vertices)
    assert load_samples(corpus, size=8, jobs=1, subjects=["bs001"]).names.tolist() == [
        "bs001_LFAU_9_0",
        "bs001_UFAU_4_0",
    ]


def test_supplied_scans_are_read_by_odd_subjects_and_whole_units(seeing, tmp_path):
    for subject in ("bs000", "bs001", "bs003"):
        for code in ("E_ANGER", "LFAU_12", "LFAU_12LW", "UFAU_4", "CAU_A22A25", "N_N", "YR_R10"):
            for suffix in ("bnt", "lm3", "png"):
                path = tmp_path / "Bosphorus" / subject / f"{subject}_{code}_0.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"-")
    corpus = open_corpus("Bosphorus", tmp_path)
    found = foundation.units_told(corpus, Settings(), single=True)
    assert (found["n"], found["subjects"], set(found["units"])) == (4, 2, {"4", "12"})
    assert {item.subject for item in seeing[0][1]} == {"bs001", "bs003"}
    assert seeing[0][0].fingerprint != corpus.fingerprint


def test_units_of_posed_twins_are_those_that_they_really_show(seeing):
    twin = Twin("BU-4DFE", face="formula")
    found = foundation.units_told(twin, Settings(), subjects=["F001", "F002"])
    assert found["n"] == 12 and {each["area"] for each in found["units"].values()} == {0.5}  # nothing is seen
    strengths = [foundation.strongest(twin, item) for item in seeing[0][1]]
    assert found["units"]["12"]["n"] == sum(of.get(12, 0) >= 0.2 for of in strengths)
    happy = next(of for of, item in zip(strengths, seeing[0][1], strict=True) if item.emotion == "happiness")
    assert happy[12] > 0.4 and found["units"]["12"]["n"] >= 2


def test_cards_are_data_of_this_room_alone():
    """What a card says must not make any record or embedding stale."""
    found = ROOT / "mvlm" / "study" / "items" / "foundations"
    for name in ("record", "embeddings", "runs", "items.tables", "items.dials"):
        assert not [path for path in data_files(reached(f"mvlm.study.{name}")) if path.is_relative_to(found)]
    assert data_files(reached("mvlm.study.record:record")) == []
    assert [path for path in data_files(reached("mvlm.study.items.foundation")) if path.is_relative_to(found)]
