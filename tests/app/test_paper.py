"""What the page shows of the paper: all of it; beside each number where it comes from, and whose it is."""

from pathlib import Path

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


def test_what_the_paper_printed_and_what_was_measured_never_share_a_column():
    table = item("table1")
    rows, said, stated = paper.frame(table), paper.sidecar(table), read_paper()
    sheet = paper.table(rows, "zero-shot")
    own = sheet.cells.set_index("Method")
    assert float(own.loc["MultiviewVLM", "BU-3DFE-I, paper"]) == stated.accuracy("BU-3DFE-I")
    assert own.loc["MultiviewVLM", "BU-3DFE-I, twin"] == own.loc["Baseline", "BU-3DFE-I, paper"] == paper.NONE
    for (_, head), place in sheet.places.items():
        whose = paper.origin(table, rows, said, place).whose
        assert whose == (paper.PRINTED if head.endswith(", paper") else paper.TWIN)


@pytest.mark.parametrize("name", ["table1", "table2", "table3"])
def test_every_number_of_a_table_leads_to_its_line(name: str):
    table = item(name)
    rows, said = paper.frame(table), paper.sidecar(table)
    lines = paper.file(table, "csv").read_text(encoding="utf-8").splitlines()
    for protocol in paper.protocols(rows):
        sheet = paper.table(rows, protocol)
        shown = sheet.cells.drop(columns=["Method", "Supervision", "Knows"])
        assert (shown != paper.NONE).sum().sum() == len(sheet.places)
        for (line, head), place in sheet.places.items():
            found = paper.origin(table, rows, said, place)
            told = lines[int(found.row.rpartition(" ")[2]) - 1]
            assert told.startswith((rows["method"][place[0]], f'"{rows["method"][place[0]]}'))
            assert head.split(", ")[0] in told
            cell = sheet.cells[head][line]
            if cell == "n. s.":
                assert found.whose == paper.UNSAID and found.value == paper.NONE
            else:
                assert float(cell.split(" ")[0]) == pytest.approx(float(found.value), abs=0.051)


def test_numbers_of_figures_and_of_other_tables_do_so_too():
    figure = item("fig3", "figures")
    rows, said = paper.frame(figure), paper.sidecar(figure)
    sheet = paper.sheet(rows)
    place = rows.index[rows["mean"].notna()][0]
    found = paper.origin(figure, rows, said, sheet.places[place, "mean"])
    assert found.whose == paper.TWIN and found.row == f"results/figures/fig3.csv, line {place + 2}"
    assert found.facts["mean"] == (found.value, said["columns"]["mean"])
    printed = rows.index[rows["paper"].notna()][0]
    assert paper.origin(figure, rows, said, (printed, "paper")).whose == paper.PRINTED
    assert sheet.cells["paper"][place] == paper.NONE  # no "nan" on the page
    for column in ("benchmark", "mean"):
        assert f"{column}, {said['columns'][column]}" in paper.alternative(figure, rows, said)
    audit = item("audit")
    rows, said = paper.frame(audit), paper.sidecar(audit)
    assert paper.origin(audit, rows, said, (0, "stated")).whose == paper.PRINTED
    assert paper.origin(audit, rows, said, (0, "recomputed")).whose == paper.WHOLE.format("twin")


def test_a_table_keeps_what_a_reader_must_know():
    first, second = paper.notes(item("table1"))
    assert first.startswith("Accuracy in percent.") and "data kind twin" in first and "kNN" in second
    assert paper.notes(item("fig3", "figures")) == []
