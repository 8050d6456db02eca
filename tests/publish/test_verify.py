"""`make verify`: equal results pass, and whatever differs is named with its file, place and both values."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from mvlm.publish.notebooks import run_notebook
from mvlm.publish.verify import Difference, compare, main, report, verify
from mvlm.settings import VARIABLES

ITEMS = {"tables": ["t"]}
OUTPUTS = ["tables/t.csv", "tables/t.md", "tables/t.tex", "tables/t.json"]
WRITE = """
from pathlib import Path
stage = Path(STAGE, "tables")
(stage / "t.csv").write_text("method,n,mean\\nbaseline,60,71.25\\nfull,60,72.5\\n")
for suffix in ("md", "tex"):
    (stage / f"t.{suffix}").write_text("Accuracy of 60 samples\\nbaseline & 71.2\\nfull & 72.5\\n")
(stage / "t.json").write_text('{"item": "t", "seeds": [0, 1], "columns": {"n": "samples"}}')
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one notebook and its results, `committed`, and again in `again`, at smoke size."""
    root = tmp_path_factory.mktemp("made")
    parameters = nbformat.v4.new_code_cell("STAGE = None", id="a", metadata={"tags": ["parameters"]})
    cells = [parameters, nbformat.v4.new_code_cell(WRITE, id="b")]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"mvlm": {"items": ITEMS}})
    (root / "notebooks").mkdir()
    nbformat.write(notebook, root / "notebooks/10-t.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        patch.setenv("PROFILE", "smoke")
        run_notebook("10-t", folder=root / "notebooks", results=root / "committed", runs=root / "runs")
        files, found = verify(["10-t"], root / "committed", root / "scratch", folder=root / "notebooks")
    assert files == OUTPUTS and found == []
    return root


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    """A copy of the committed results that a test may spoil."""
    shutil.copytree(made / "committed", tmp_path / "committed")
    return tmp_path / "committed"


def differences(made: Path, results: Path) -> list[Difference]:
    return list(compare(results, made / "scratch/results", OUTPUTS))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("t.csv", "72.5", "72.6", ("row 3 (full), column mean", "72.6", "72.5")),
        ("t.csv", "72.5", "72.5001", ("row 3 (full), column mean", "72.5001", "72.5")),
        ("t.csv", "baseline,60", "baseline,61", ("row 2 (baseline), column n", "61", "60")),
        ("t.csv", "full,", "Full,", ("row 3 (Full), column method", "Full", "full")),
        ("t.csv", "full,60,72.5", "full,60,", ("row 3 (full), column mean", "", "72.5")),
        ("t.csv", "full,60,72.5\n", "", ("row 3", "nothing", "full, 60, 72.5")),
        ("t.csv", "72.5\n", "72.5\noracle,60,99.0\n", ("row 4", "oracle, 60, 99.0", "nothing")),
        ("t.csv", "method,n", "method,N", ("columns", "method, N, mean", "method, n, mean")),
        ("t.csv", "full,60,72.5", "full,60", ("the file itself", "unreadable: row 3: expected 3 cells", "a file")),
        ("t.md", "72.5", "72.7", ("line 3", "full & 72.7", "full & 72.5")),
        ("t.md", "of 60", "of 61", ("line 1", "Accuracy of 61 samples", "Accuracy of 60 samples")),
        ("t.tex", "full", "best", ("line 3", "best & 72.5", "full & 72.5")),
        ("t.tex", "baseline & 71.2\n", "", ("line 2", "full & 72.5", "baseline & 71.2")),
        ("t.json", '"smoke"', '"quick"', ("field settings.profile", "quick", "smoke")),
        ("t.json", "    1\n", "    2\n", ("field seeds.1", "2", "1")),
        ("t.json", '"seeds"', '"SEEDS"', ("field SEEDS.0", "0", "nothing")),
        ("t.json", '"item": "t"', '"item": "t', ("the file itself", "unreadable: ", "a file")),
    ],
)
def test_a_fabricated_difference_is_named(made: Path, results: Path, file: str, old: str, new: str, expected: tuple):
    replace(results / "tables" / file, old, new)
    found = differences(made, results)
    assert found and {difference.file for difference in found} == {f"tables/{file}"}
    first = found[0]
    assert (first.place, first.regenerated) == (expected[0], expected[2]) and first.committed.startswith(expected[1])


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("t.csv", "72.5", "72.50000001"),  # another processor
        ("t.csv", "72.5", "7.25e1"),
        ("t.md", "71.2", "71.3"),  # 71.25, rounded up
    ],
)
def test_what_is_equal_within_the_tolerance_passes(made: Path, results: Path, file: str, old: str, new: str):
    replace(results / "tables" / file, old, new)
    assert differences(made, results) == []


def test_code_that_changed_since_is_said(made: Path, results: Path):
    about = json.loads((results / "tables/t.json").read_text())
    replace(results / "tables/t.json", about["content_key"], "0" * 64)
    (found,) = differences(made, results)
    assert (found.place, found.committed) == ("field content_key", "0" * 64)


def test_what_is_missing_on_either_side_is_listed(made: Path, results: Path, capsys):
    (results / "tables/t.md").unlink()
    (results / "tables/old.csv").write_text("n\n1\n")
    shutil.copytree(made / "notebooks", results.parent / "notebooks")
    replace(results.parent / "notebooks/10-t.ipynb", "full,60,72.5", "full,60,72.6")
    files, found = verify(["10-t"], results, results.parent / "scratch", folder=results.parent / "notebooks")
    by_file = {difference.file: difference for difference in found}
    assert files == OUTPUTS and set(by_file) == {"tables/t.md", "tables/old.csv", "tables/t.csv", "tables/t.json"}
    assert by_file["tables/t.md"][1:] == ("the file itself", "nothing", "a file")
    assert by_file["tables/old.csv"][3] == "promised by no notebook"
    assert by_file["tables/t.csv"][2:] == ("72.5", "72.6")
    assert not (results / "tables/t.md").exists() and "72.5" in (results / "tables/t.csv").read_text()  # untouched
    capsys.readouterr()
    verify([], results, results.parent / "scratch", folder=results.parent / "notebooks")
    assert capsys.readouterr().err == "not verified: the results of 10-t\n"


def test_a_notebook_that_fails_is_a_difference(made: Path, results: Path):
    _, found = verify(["11-none"], results, results.parent / "scratch", folder=made / "notebooks")
    assert found[0].file == "11-none" and "no such notebook" in found[0].regenerated


def test_the_report_is_short_and_counts():
    many = [Difference("tables/t.csv", f"row {row}", "1", "2") for row in range(2, 14)]
    said = report(["tables/t.csv", "tables/t.md"], many).splitlines()
    assert said[0] == "tables/t.csv: row 2: committed 1, regenerated 2" and len(said) == 12
    assert said[-2:] == ["tables/t.csv: and 2 more", "verify: 2 files compared, 1 differ"]
    assert report(["tables/t.csv"], []) == "verify: 1 files compared, 0 differ"


def test_the_command_fails_where_anything_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    found = [Difference("tables/t.csv", "row 2", "1", "2")]

    def pretend(names, committed, scratch):
        assert names == ["10-t"] and committed.parts[-2:] == ("results", "twin-smoke-mvlm-tiny")
        scratch.mkdir(exist_ok=True)
        return OUTPUTS, found

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PROFILE", "smoke")
    monkeypatch.setattr("mvlm.publish.verify.RUNS", tmp_path)
    monkeypatch.setattr("mvlm.publish.verify.verify", pretend)
    assert main(["10-t"]) == 1
    assert "tables/t.csv: row 2: committed 1, regenerated 2" in capsys.readouterr().out
    written = (tmp_path / "verify/differences.csv").read_text()
    assert written == "file,place,committed,regenerated\ntables/t.csv,row 2,1,2\n"
    found.clear()
    assert main(["10-t"]) == 0
    assert main([]) == 2
    monkeypatch.setenv("PROFILE", "smok")
    assert main(["10-t"]) == 1 and "did you mean PROFILE=smoke" in capsys.readouterr().err
