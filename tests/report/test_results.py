"""Tables and figures are written whole, described, and byte for byte the same again."""

from pathlib import Path

import pandas as pd
import pytest

from mvlm.report.results import Part, write_figure, write_table


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
    monkeypatch.setattr("mvlm.report.results.RUNS", tmp_path)
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
