"""What the page shows of the paper: all of it; beside each number where it comes from, and whose it is."""

from pathlib import Path

import pandas as pd
import pytest

from mvlm.app import paper
from mvlm.report.results import FILES
from mvlm.settings import RESULTS
from mvlm.study.paper.transcripts import read_paper


def item(name: str, kind: str = "tables") -> paper.Item:
    return next(of for of in paper.items() if (of.name, of.kind) == (name, kind))


def test_outside_a_checkout_it_says_so(tmp_path: Path):
    assert paper.lacking() is None
    assert paper.lacking(tmp_path) == paper.OUTSIDE


def test_everything_in_results_is_there_the_papers_first():
    found = paper.items()
    titles = [of.title for of in found if of.in_the_paper]
    assert titles == ["Table I", "Table II", "Table III", "Fig. 3", "Fig. 4", "Fig. 5", "Fig. 6", "Fig. 7"]
    assert titles == [of.title for of in found[: len(titles)]]
    listed = {(of.kind, of.name) for of in found}
    assert listed == {(kind, path.stem) for kind in FILES for path in (RESULTS / kind).glob("*.csv")}
    for of in found:
        assert paper.sidecar(of)["notebook"] == of.notebook  # what the notebook declares and what made the file agree
    assert (item("table1").command, item("fig7", "figures").command) == ("make tables", "make figures")


def test_what_the_paper_printed_and_what_was_measured_never_share_a_grid():
    table = item("table1")
    rows, said, stated = paper.frame(table), paper.sidecar(table), read_paper()
    sheets = paper.tables(rows, "zero-shot")
    assert list(sheets) == [paper.LICENSED, "Measured here on synthetic twins"]
    printed, ours = (of.cells.set_index("Method") for of in sheets.values())
    assert float(printed.loc["MultiviewVLM", "BU-3DFE-I"]) == stated.accuracy("BU-3DFE-I")
    assert "MultiviewVLM" not in ours.index and "Baseline" not in printed.index and "Knows" not in printed
    for heading, sheet in sheets.items():
        expected = paper.PRINTED if heading == paper.LICENSED else paper.TWIN
        for place in sheet.places.values():
            assert paper.origin(table, rows, said, place).whose == expected


@pytest.mark.parametrize("name", ["table1", "table2", "table3"])
def test_every_number_of_a_table_leads_to_its_line(name: str):
    table = item(name)
    rows, said = paper.frame(table), paper.sidecar(table)
    lines = paper.file(table, "csv").read_text(encoding="utf-8").splitlines()
    for protocol in paper.protocols(rows):
        for sheet in paper.tables(rows, protocol).values():
            shown = sheet.cells.drop(columns=["Method", "Supervision", "Knows"], errors="ignore")
            assert (shown != paper.NONE).sum().sum() == len(sheet.places)
            for (line, benchmark), place in sheet.places.items():
                found = paper.origin(table, rows, said, place)
                told = lines[int(found.row.rpartition(" ")[2]) - 1]
                assert told.startswith((rows["method"][place[0]], f'"{rows["method"][place[0]]}'))
                assert benchmark in told
                cell = sheet.cells[benchmark][line]
                if cell == "n. s.":
                    assert found.whose == paper.UNSAID and found.value == paper.NONE
                else:
                    assert float(cell.split(" ")[0]) == pytest.approx(float(found.value), abs=0.051)


def test_numbers_of_figures_and_of_other_tables_do_so_too():
    figure = item("fig3", "figures")
    rows, said = paper.frame(figure), paper.sidecar(figure)
    sheet = paper.sheet(rows)
    place = rows.index[rows["mean"].notna()][0]
    line = next(line for (line, column), of in sheet.places.items() if of == (place, "mean"))
    found = paper.origin(figure, rows, said, sheet.places[line, "mean"])
    assert found.whose == paper.TWIN and found.row == f"results/figures/fig3.csv, line {place + 2}"
    assert found.facts["mean"] == (found.value, said["columns"]["mean"])
    printed = rows.index[rows["paper"].notna()][0]
    assert paper.origin(figure, rows, said, (printed, "paper")).whose == paper.PRINTED
    assert sheet.cells["paper"][line] == paper.NONE  # no "nan" on the page
    for column in ("benchmark", "mean"):
        assert f"{column}, {said['columns'][column]}" in paper.alternative(figure, rows, said)
    audit = item("audit")
    rows, said = paper.frame(audit), paper.sidecar(audit)
    assert paper.origin(audit, rows, said, (0, "stated")).whose == paper.PRINTED
    assert paper.origin(audit, rows, said, (0, "recomputed")).whose == paper.WHOLE.format("synthetic twins")


def test_a_table_keeps_what_a_reader_must_know():
    first, second = paper.notes(item("table1"))
    assert first.startswith("Accuracy in percent.") and "Measured: on synthetic twins, profile" in first
    assert "data kind" not in first and "kNN" in second
    assert paper.notes(item("fig3", "figures")) == []


def test_what_was_measured_on_is_said_by_the_data_kind():
    assert paper.measured_on("twin") == "synthetic twins"
    assert paper.measured_on("strangers or twin") == "strangers or synthetic twins"
    assert paper.beneath({"data_kind": "supplied"}).startswith("What was measured here was measured on scans that were")
    rows = pd.DataFrame({"source": ["measured"], "data_kind": ["sample"], "x": [1.0]})
    found = paper.origin(item("table1"), rows, {"columns": dict.fromkeys(rows, "")}, (0, "x"))
    assert found.whose == "Measured here on sample corpora, which no real person is in."


@pytest.mark.parametrize(
    ("name", "kind", "column"),
    [("fig3", "figures", "mean"), ("fig6", "figures", "difference"), ("audit", "tables", "verdict")],
)
def test_what_a_csv_tells_is_in_sight_at_once(name: str, kind: str, column: str):
    rows = paper.frame(item(name, kind))
    cells = paper.sheet(rows).cells
    assert set(cells) == set(rows) and len(cells) == len(rows)
    widths = paper.size(cells).widths
    assert sum(widths[of] for of in list(cells)[: list(cells).index(column) + 1]) <= paper.WIDE
    assert name == "audit" or cells["source"][0] != "not stated" == cells["source"].iloc[-1]


@pytest.mark.parametrize("name", ["table1", "table2", "table3"])
def test_a_table_of_the_paper_is_in_sight_whole(name: str):
    rows = paper.frame(item(name))
    for protocol in paper.protocols(rows):
        for sheet in paper.tables(rows, protocol).values():
            size = paper.size(sheet.cells)
            assert sum(size.widths.values()) <= paper.WIDE and size.more is None


def test_a_grid_cuts_no_row_and_says_what_is_below():
    long = paper.size(pd.DataFrame({"n": range(100), "said": ["word " * 60] * 100}))
    assert (long.height - paper.HEAD) % long.row == 0 and long.height <= paper.HIGHEST and long.row > paper.ROW
    assert long.widths["said"] == paper.WIDEST > long.widths["n"]
    assert long.more == "100 rows, 2 columns: the grid scrolls. A cell that is cut is shown whole when it is chosen."
    short = paper.size(pd.DataFrame({"n": [1.5]}))
    assert (short.height, short.row, short.more) == (paper.HEAD + paper.ROW, paper.ROW, None)
