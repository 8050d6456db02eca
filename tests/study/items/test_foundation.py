"""What the foundation knows: cards hold what was measured, the table shows every foundation and what is missing."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mvlm.cache.keys import data_files, reached
from mvlm.measures.statistics import summary
from mvlm.settings import ROOT, Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items import foundation
from mvlm.study.items.table_figures import draw_foundation


def card(value: float = 0.5) -> dict:
    """A card as `measure` makes it, every share of it `value`."""
    spread = {"mean": value, "low": value - 0.1, "high": value + 0.1, "n": 12, "subjects": 2}
    return {
        "sha256": "0" * 64, "head": "h", "twin_version": 2, "recipe": {"sequences": 4},
        "held_out": {kind: dict.fromkeys(foundation.MEASURES, value) for kind in foundation.KINDS},
        "twins": {name: dict.fromkeys(foundation.PROTOCOLS, spread) for name in BENCHMARKS},
    }  # fmt: skip


def records(settings: Settings) -> pd.DataFrame:
    """Two folds of two subjects on each of two benchmarks; of eight samples five are right, by the probe all."""
    rows = []
    for benchmark in ("BU-4DFE", "BP4D"):
        for fold, said in ((0, ["anger"] * 4), (1, ["anger", "fear", "fear", "fear"])):
            rows.append(
                {
                    "benchmark": benchmark,
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
        return records(settings)

    monkeypatch.setattr(foundation, "run", run)
    weights = tmp_path / "without-sequences.safetensors"
    weights.with_suffix(".json").write_text(json.dumps({"sha256": "1", "held_out": {}}))
    made = foundation.measure(weights, Settings(data=tmp_path, profile="smoke"))
    assert asked == [(("baseline",), Settings(profile="smoke", pretrained=str(weights)))]  # of the twins, whatever DATA
    assert made["sha256"] == "1" and set(made["twins"]) == {"BU-4DFE", "BP4D"}
    right = np.array([True] * 5 + [False] * 3)
    expected = summary(right, np.repeat([0, 1], 4), np.repeat(list("abcd"), 2))
    found = made["twins"]["BP4D"]["zero_shot"]
    assert (found["mean"], found["low"], found["high"]) == pytest.approx(expected[:1] + expected[2:4], abs=1e-4)
    assert (found["n"], found["subjects"]) == (8, 4) and made["twins"]["BP4D"]["probe"]["mean"] == 1
    foundation.measure(foundation.SHIPPED, Settings())
    assert asked[1][1].pretrained is None  # so that its records are those of the tables


def test_the_command_writes_cards_beside_one_another(monkeypatch, tmp_path: Path, capsys):
    monkeypatch.setattr(foundation, "FOLDER", tmp_path / "foundations")
    monkeypatch.setattr(foundation, "measure", lambda weights, _: card() | {"of": weights.name})
    foundation.main(["elsewhere/without-sequences.safetensors"])
    assert list(foundation.cards(tmp_path / "foundations")) == ["still faces alone"]
    foundation.main([])
    both = foundation.cards(tmp_path / "foundations")
    assert list(both) == ["still and moving faces", "still faces alone"]
    assert both["still and moving faces"]["of"] == "mvlm-tiny.safetensors"
    with pytest.raises(SystemExit):
        foundation.main(["mine.safetensors"])
    assert "mine.safetensors: expected a file whose card is called mvlm-tiny.json or" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match="expected mvlm-tiny.json or without-sequences.json or .*, found none"):
        foundation.cards(tmp_path)


def test_the_table_shows_both_foundations_and_says_which_one_is_absent():
    both = {"still and moving faces": card(0.8), "still faces alone": card(0.3)}
    frame = foundation.foundation_table(both)
    assert list(frame.columns) == list(foundation.COLUMNS)
    assert len(frame) == 2 * (2 * len(foundation.MEASURES) + len(BENCHMARKS) * len(foundation.PROTOCOLS))
    row = frame.query("asked_about == 'BP4D' and measure == 'zero-shot' and value < 50").iloc[0]
    assert row[["value", "low", "high", "chance", "n"]].tolist() == pytest.approx([30, 20, 40, 12.5, 12])
    assert frame.loc[frame["data_kind"] == "strangers", "low"].isna().all()
    (part,) = foundation.render_foundation(frame)
    shown = part.cells.set_index(["Asked about", "Measure"]).loc[("BU-4DFE (twin)", "linear probe")]
    assert shown.tolist() == ["80.0 [70.0, 90.0]", "30.0 [20.0, 40.0]", "absent", "absent", "16.7"]
    (part,) = foundation.render_foundation(frame[frame["pretrained_on"] == "still faces alone"])
    assert set(part.cells["pretrained on still and moving faces"]) == {"absent"}
    drawing = draw_foundation(frame, foundation.COLUMNS)
    assert len(drawing.figure.axes) == 2 and set(drawing.frame["data_kind"]) == {"twin"}
    assert list(drawing.columns) == list(drawing.frame.columns)


def test_cards_are_data_of_this_room_alone():
    """What a card says must not make any record or embedding stale."""
    found = ROOT / "mvlm" / "study" / "items" / "foundations"
    for name in ("record", "embeddings", "runs", "items.tables", "items.dials"):
        assert not [path for path in data_files(reached(f"mvlm.study.{name}")) if path.is_relative_to(found)]
    assert data_files(reached("mvlm.study.record:record")) == []
    assert [path for path in data_files(reached("mvlm.study.items.foundation")) if path.is_relative_to(found)]
