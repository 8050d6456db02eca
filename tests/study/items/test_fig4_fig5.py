"""Fig. 4 and 5: what is measured, what is drawn, and what is said where nothing was measured.

More than 20 s: ranks that train for five epochs, and a notebook in a kernel.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mvlm.settings
from mvlm.publish import notebooks
from mvlm.ranks.launch import RankError
from mvlm.settings import VARIABLES, Settings
from mvlm.study.items import fig4_fig5
from mvlm.study.paper.transcripts import read_paper
from mvlm.study.plan import AbsentError


def made(ranks=fig4_fig5.RANKS, batches=fig4_fig5.BATCHES) -> dict:
    """A record of a machine on which ranks share the work perfectly, and a third has no core."""
    rows = [
        {
            "ranks": number, "batch": batch, "global_batch": number * batch, "oversubscribed": number > 2,
            "seconds": [(8.0 + 64 / batch) / min(number, 2) * noise for noise in (1.1, 0.9, 1.0, 1.0, 1.3)],
        }
        for number in ranks for batch in batches
    ]  # fmt: skip
    return {"model": "mvlm-tiny", "samples": 768, "views": 3, "threads": 1, "training": {}, "machine": {}, "rows": rows}


def test_epochs_are_the_same_samples_for_every_number_of_ranks():
    for ranks in fig4_fig5.RANKS:
        for batch in fig4_fig5.BATCHES:
            order, ends = fig4_fig5.epochs_of(fig4_fig5.SAMPLES, ranks * batch, 2)
            assert all(len(rows) % ranks == 0 for rows in order) and len(ends) == 3 and ends[0] >= 1
            for first, last in zip(ends[:-1], ends[1:], strict=True):
                seen = np.concatenate(order[first:last])
                assert np.array_equal(np.sort(seen), np.arange(fig4_fig5.SAMPLES))


def test_ranks_are_measured_one_launch_each(ranks, monkeypatch: pytest.MonkeyPatch):
    launches = []

    def launch(*told, threads: int) -> None:
        launches.append(told[-1].ranks)
        ranks.launch(*told, threads=threads)

    monkeypatch.setattr(fig4_fig5, "launch", launch)
    record = fig4_fig5.measure(Settings(), ranks=(1, 2), batches=(4, 8), samples=24, epochs=5)
    assert [(row["ranks"], row["batch"], row["global_batch"]) for row in record["rows"]] == [
        (1, 4, 4), (1, 8, 8), (2, 4, 8), (2, 8, 16),
    ]  # fmt: skip
    assert all(len(row["seconds"]) == 5 and min(row["seconds"]) > 0 for row in record["rows"])
    assert launches == [1, 2]
    assert record["threads"] == 1 and record["machine"]["backend"] == "gloo" and record["machine"]["device"]
    assert "batch" not in record["training"] and record["training"]["image"] == "all"
    json.dumps(record)


def test_more_ranks_than_cores_are_marked(monkeypatch: pytest.MonkeyPatch):
    from mvlm.ranks import launch

    monkeypatch.setattr(launch, "usable_cores", lambda: 2)
    found = [launch.find_devices(f"cpu:{n}", oversubscribe=True) for n in fig4_fig5.RANKS]
    assert [devices.oversubscribed for devices in found] == [False, False, True]


def test_measured_and_stated_seconds_stand_apart():
    epochs = fig4_fig5.epoch_table(made(), read_paper())
    assert list(epochs) == list(fig4_fig5.COLUMNS_4) and len(epochs) == 18
    row = epochs.set_index(["ranks", "batch"]).loc[(3, 8)]
    assert (row["seconds"], row["paper_seconds"], row["paper_source"]) == (8.0, 25, "stated")
    assert row["global_batch"] == 24 and row["oversubscribed"]
    row = epochs.set_index(["ranks", "batch"]).loc[(1, 64)]
    assert row["paper_seconds"] == pytest.approx(293, abs=0.1) and row["paper_source"] == "from hours of 500 epochs"
    assert np.isnan(epochs.set_index(["ranks", "batch"]).loc[(2, 256)]["paper_seconds"])


def test_ratios_are_those_of_fig_5():
    speedups = fig4_fig5.speedup_table(fig4_fig5.epoch_table(made(), read_paper()))
    assert list(speedups) == list(fig4_fig5.COLUMNS_5) and len(speedups) == 18
    by = speedups.set_index(["ranks", "over", "batch"])
    assert by.loc[(2, 1, 8), "speedup"] == pytest.approx(2) and by.loc[(3, 2, 8), "speedup"] == pytest.approx(1)
    assert by.loc[(3, 1, 8), "paper_speedup"] == pytest.approx(2.68)
    assert np.isnan(by.loc[(2, 1, 64), "paper_speedup"]) and not np.isnan(by.loc[(3, 1, 64), "paper_speedup"])


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PROFILE", "smoke")
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)
    monkeypatch.setattr(notebooks, "RUNS", tmp_path)
    return fig4_fig5.record_path(Settings.from_environment())


def test_the_notebook_draws_the_last_record_and_a_new_one_anew(runner: Path, tmp_path: Path):
    runner.parent.mkdir(parents=True)
    runner.write_text(json.dumps(made()))
    options = {"results": tmp_path / "results", "runs": tmp_path / "runs"}
    outcome = notebooks.run_notebook("21-fig4-fig5", {"RECORD": str(runner)}, **options)
    assert outcome.ran and len(outcome.outputs) == 8
    fig4 = pd.read_csv(tmp_path / "results/figures/fig4.csv")
    assert fig4["oversubscribed"].sum() == 6 and {"seconds", "paper_seconds"} <= set(fig4)
    first = json.loads((tmp_path / "results/figures/fig5.json").read_text())
    assert first["measured"]["samples"] == 768 and len(first["content_key"]) == 64
    runner.write_text(json.dumps(made(batches=(8, 16))))
    assert notebooks._dependencies(
        "21-fig4-fig5", json.loads((notebooks.NOTEBOOKS / "21-fig4-fig5.ipynb").read_text()),
        {"RECORD": str(runner)}, Settings.from_environment(),
    )["content_key"] != first["content_key"]  # fmt: skip


def test_without_a_record_the_notebook_is_passed_over_in_words(
    runner: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    with pytest.raises(AbsentError, match="no times were measured on this machine yet; `make timings` does"):
        fig4_fig5.read_record(Settings.from_environment())
    with pytest.raises(notebooks.NoDataError, match="^21-fig4-fig5: no times were measured"):
        notebooks.run_notebook("21-fig4-fig5", results=tmp_path / "results", runs=tmp_path / "runs")
    assert not runner.exists() and capsys.readouterr().out == "21-fig4-fig5: running\n"


def test_a_measurement_that_fails_keeps_the_last_record(
    runner: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def fail(_chosen):
        raise RankError("rank 1 of 2: no memory")

    monkeypatch.setattr(fig4_fig5, "measure", fail)
    assert fig4_fig5.main() == 1 and capsys.readouterr().err == "timings: rank 1 of 2: no memory\n"
    monkeypatch.setattr(fig4_fig5, "measure", lambda _chosen: made(ranks=(1, 3), batches=(8,)))
    monkeypatch.setattr(mvlm.settings, "ROOT", runner.parent.parent)
    assert fig4_fig5.main() == 0
    said = capsys.readouterr().out
    assert "3 ranks, batch   8 each ( 24 in all):   8.00 s, oversubscribed" in said
    assert json.loads(runner.read_text())["rows"][0]["ranks"] == 1
