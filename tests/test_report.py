"""Tables and figures: numbers at full precision with their source, rendered once, byte for byte the same again."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.report import COLUMNS, Part, paper_table1, render_table1, table1, write_figure, write_table

SIDECAR = {"seeds": [0], "folds": 2, "supervision": ["none", "cluster"], "columns": COLUMNS}


def records(methods: tuple[str, ...] = ("baseline", "full"), benchmarks: tuple[str, ...] = tuple(BENCHMARKS)):
    """Two folds of two subjects; `full` is right but for one sample of fold 0, `baseline` always says anger."""
    rows = []
    for benchmark in benchmarks:
        for method in methods:
            for fold in (0, 1):
                subjects = [f"S{fold}{number // 6}" for number in range(12)]
                true = list(BENCHMARKS[benchmark].emotions) * 2
                said = true if method == "full" else ["anger"] * 12
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
    paper = paper_table1()
    assert set(paper["source"]) == {"transcribed"}
    for benchmark, gaps in stated.items():
        rows = paper[paper["benchmark"] == benchmark].set_index("method")
        assert (rows["accuracy"] - rows["accuracy"]["MultiviewVLM"]).abs().round(2).tolist() == gaps


def test_measured_and_transcribed_numbers_share_no_column():
    frame = table1(records(), paper_table1())
    assert list(frame.columns) == list(COLUMNS)
    measured = frame["source"] == "measured"
    assert frame.loc[measured, "paper"].isna().all()
    assert frame.loc[~measured, ["mean", "std", "low", "high", "chance", "n", "folds"]].isna().all(axis=None)
    assert frame["method"].tolist().index("baseline") > frame["method"].tolist().index("MultiviewVLM")
    head = list(render_table1(frame)[0].cells.columns)
    assert head[3:] == [f"{name}, {what}" for what in ("paper", "measured on twin") for name in BENCHMARKS]


def test_table1_recomputes_from_the_predictions():
    frame = table1(records(), paper_table1())
    row = frame.query("method == 'full' and benchmark == 'BU-3DFE-I' and protocol == 'zero-shot'").iloc[0]
    folds = np.array([100 * 11 / 12, 100.0])
    assert row["mean"] == pytest.approx(folds.mean()) and row["std"] == pytest.approx(folds.std(ddof=1))
    assert row["low"] <= row["mean"] <= row["high"] and row["chance"] == pytest.approx(100 / 6)
    assert (row["n"], row["subjects"], row["folds"], row["supervision"]) == (24, 4, 2, "cluster")
    nmi = frame.query("method == 'full' and benchmark == 'Bosphorus' and protocol == 'nmi'").iloc[0]
    assert nmi["mean"] == pytest.approx(55) and nmi["std"] == pytest.approx(100 * np.std([0.5, 0.6], ddof=1))
    last = frame.query("method == 'full' and protocol == 'pseudo-labels'")
    assert last["mean"].tolist() == [75.0] * 3  # of the last round
    assert frame.query("method == 'baseline' and protocol in ['pseudo-labels', 'change']").empty


def test_repeated_seeds_are_more_folds_of_the_same_samples():
    once = records(("full",), ("Bosphorus",))
    twice = pd.concat([once, once.assign(seed=1)])
    row = table1(twice, paper_table1()).query("protocol == 'zero-shot'").iloc[0]
    assert (row["n"], row["subjects"], row["folds"]) == (24, 4, 2)
    assert row["mean"] == pytest.approx(100 * (11 / 12 + 1) / 2)


def test_a_corpus_that_is_missing_is_absent_and_never_a_twin():
    frame = table1(records(benchmarks=("Bosphorus",)).assign(data_kind="supplied"), paper_table1())
    accuracy, qualities = render_table1(frame)
    ours = accuracy.cells[accuracy.cells["Source"] == "measured"]
    assert set(ours["BU-3DFE-I, measured on supplied"]) == {"absent"}
    assert not set(ours["Bosphorus, measured on supplied"]) & {"absent"}
    assert set(qualities.cells["Data"]) == {"supplied"} and set(qualities.cells["Benchmark"]) == {"Bosphorus"}
    mixed = records(benchmarks=("Bosphorus",))
    mixed.loc[0, "data_kind"] = "supplied"
    with pytest.raises(ValueError, match="of Bosphorus, baseline: expected one data_kind, found supplied, twin"):
        table1(mixed, paper_table1())


def test_a_table_is_written_whole_and_rendered_from_its_own_csv(tmp_path: Path):
    frame = table1(records(), paper_table1())
    paths = write_table(tmp_path, "table1", frame, sidecar=SIDECAR, render=render_table1)
    assert [path.name for path in paths] == ["table1.csv", "table1.md", "table1.tex", "table1.json"]
    read = pd.read_csv(paths[0])
    assert np.array_equal(read["mean"], frame["mean"], equal_nan=True)  # full precision, bit for bit
    assert b"\r" not in b"".join(path.read_bytes() for path in paths)
    page = paths[1].read_text()
    assert "| MultiviewVLM | unsupervised | transcribed | 89.29 | 83.98 | 79.86 | – | – | – |" in page
    assert "95.8 ± 5.9 [87.5, 100.0]" in page and "Chance 16.7" in page and "profile quick" in page
    assert "BU-3DFE-I 24 samples of 4 subjects in 2 folds" in page
    tex = paths[2].read_text()
    assert tex.count("\\toprule") == 2 and "95.8 $\\pm$ 5.9" in tex and "[95 \\% interval" in tex
    assert json.loads(paths[3].read_text()) == {"item": "table1", **SIDECAR}
    again = write_table(tmp_path / "again", "table1", frame, sidecar=SIDECAR, render=render_table1)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]


def test_signs_of_markdown_and_latex_stay_signs(tmp_path: Path):
    frame = pd.DataFrame({"n_1": [1]})

    def render(rows: pd.DataFrame) -> list[Part]:
        return [Part("50 % & more", rows.astype(str).assign(**{"a|b": "x_y"}))]

    _, page, tex, _ = write_table(tmp_path, "t", frame, sidecar={"columns": {"n_1": "count"}}, render=render)
    assert "| n_1 | a\\|b |" in page.read_text()
    assert "50 \\% \\& more" in tex.read_text() and "x\\_y" in tex.read_text()


def test_columns_without_a_description_are_refused(tmp_path: Path):
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    with pytest.raises(ValueError, match=r"t: the sidecar describes the columns \['a'\], the rows have \['a', 'b'\]"):
        write_table(tmp_path, "t", frame, sidecar={"columns": {"a": "mm"}}, render=lambda _frame: [])
    with pytest.raises(ValueError, match="t: no rows"):
        write_table(tmp_path, "t", frame[:0], sidecar={"columns": {"a": "mm", "b": "mm"}}, render=lambda _frame: [])


def test_an_unchanged_figure_is_an_unchanged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from matplotlib.figure import Figure

    frame = pd.DataFrame({"x": [0.0, 1.0], "y": [0.1, 0.3]})
    monkeypatch.setattr("mvlm.study.report.RUNS", tmp_path)
    written = []
    for stage in (tmp_path / "one", None):  # None: a notebook opened by hand
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot(frame["x"], frame["y"])
        sidecar = {"columns": {"x": "s", "y": "mm"}}
        written.append([path.read_bytes() for path in write_figure(stage, "fig0", figure, frame, sidecar=sidecar)])
    assert written[0] == written[1]
    assert (tmp_path / "lab/figures/fig0.csv").read_text() == "x,y\n0.0,0.1\n1.0,0.3\n"
    png, pdf = written[0][:2]
    assert png.startswith(b"\x89PNG") and b"Software" not in png and b"Date" not in pdf and b"Matplotlib" not in pdf
