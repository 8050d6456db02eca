"""The notebook runner: fresh by content, outputs all or none, faults in a few lines. And the notebooks themselves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from mvlm.publish.declared import NOTEBOOKS, declared, named, promises, read
from mvlm.publish.notebooks import NotebookError, main, run_notebook
from mvlm.settings import ROOT, VARIABLES, Settings
from mvlm.study.needed import NEEDED
from mvlm.study.plan import AbsentError

ITEMS = {"tables": ["t"]}
OUTPUTS = ["tables/t.csv", "tables/t.md", "tables/t.tex", "tables/t.json"]
WRITE = """
from pathlib import Path
stage = Path(STAGE, "tables")
(stage / "t.csv").write_text(f"n\\n{N}\\n")
(stage / "t.json").write_text('{"item": "t"}')
(stage / "t.md").write_text(f"| n |\\n|---|\\n| {N} |\\n")
(stage / "t.tex").write_text(f"{N}\\n")
"""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, name: str, *code: str, tag: bool = True, **declared) -> None:
    cells = [nbformat.v4.new_code_cell(text, id=f"cell-{index}") for index, text in enumerate(code)]
    if tag:
        cells[0].metadata["tags"] = ["parameters"]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"mvlm": {"items": ITEMS, **declared}})
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")


def places(root: Path) -> dict[str, Path]:
    return {"folder": root / "notebooks", "results": root / "results", "runs": root / "runs"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    """One notebook that ran once with N=3: its outcome, and a root whose copies tests may spoil."""
    root = tmp_path_factory.mktemp("ran")
    write(root / "notebooks", "10-t", "STAGE = None\nN = 2", WRITE)
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        return root, run_notebook("10-t", {"N": 3}, **places(root))


def test_a_run_moves_what_the_notebook_promised_and_leaves_no_stage(ran):
    root, outcome = ran
    assert outcome.ran and [path.relative_to(root / "results").as_posix() for path in outcome.outputs] == OUTPUTS
    assert (root / "results/tables/t.csv").read_text() == "n\n3\n"
    assert sorted(path.name for path in (root / "results").rglob("*")) == ["t.csv", "t.json", "t.md", "t.tex", "tables"]
    sidecar = json.loads((root / "results/tables/t.json").read_text())
    assert sidecar["item"] == "t" and sidecar["notebook"] == "10-t" and sidecar["parameters"] == {"N": 3}
    assert sidecar["data_kind"] == "twin" and len(sidecar["content_key"]) == 64
    assert outcome.page.read_text().startswith("<!DOCTYPE html>")
    executed = json.loads((root / "runs/executed/twin-quick-mvlm-tiny/10-t.ipynb").read_text())
    assert "papermill" not in executed["metadata"]
    assert all(not {"papermill", "execution"} & set(cell["metadata"]) for cell in executed["cells"])


def test_an_unchanged_notebook_starts_nothing_and_imports_nothing_heavy(ran):
    root, _ = ran
    code = f"""
import sys, time
from pathlib import Path
start = time.process_time()
from mvlm.publish.notebooks import run_notebook
root = Path({str(root)!r})
outcome = run_notebook("10-t", {{"N": 3}}, folder=root/"notebooks", results=root/"results", runs=root/"runs")
assert not outcome.ran
heavy = {{"torch", "papermill", "nbconvert", "jupyter_client", "pandas", "open3d"}} & set(sys.modules)
assert not heavy, heavy
assert time.process_time() - start < 2
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_state_and_times_do_not_count_but_contents_and_parameters_do(ran, monkeypatch: pytest.MonkeyPatch):
    root, _ = ran
    monkeypatch.setattr("mvlm.publish.notebooks._execute", _would_run)
    csv = root / "results/tables/t.csv"
    os.utime(csv)
    os.utime(root / "notebooks/10-t.ipynb")
    assert not run_notebook("10-t", {"N": 3}, **places(root)).ran
    with pytest.raises(WouldRun):
        run_notebook("10-t", {"N": 4}, **places(root))
    monkeypatch.setenv("PROFILE", "smoke")
    with pytest.raises(WouldRun):
        run_notebook("10-t", {"N": 3}, **places(root))
    monkeypatch.delenv("PROFILE")
    csv.write_text("n\n99\n")  # edited by hand
    with pytest.raises(WouldRun):
        run_notebook("10-t", {"N": 3}, **places(root))
    csv.write_text("n\n3\n")
    assert not run_notebook("10-t", {"N": 3}, **places(root)).ran


def test_a_page_is_made_again_of_the_executed_copy_alone(ran, monkeypatch: pytest.MonkeyPatch):
    root, outcome = ran
    monkeypatch.setattr("mvlm.publish.notebooks._execute", _would_run)
    outcome.page.write_text("in the frame of the site")
    assert not run_notebook("10-t", {"N": 3}, **places(root)).ran
    assert outcome.page.read_text() == "in the frame of the site"
    outcome.page.unlink()
    assert not run_notebook("10-t", {"N": 3}, **places(root)).ran
    assert outcome.page.read_text().startswith("<!DOCTYPE html>")


class WouldRun(Exception):
    pass


def _would_run(*_arguments) -> None:
    raise WouldRun


def test_a_failing_notebook_says_where_and_leaves_the_last_good_outputs(ran, tmp_path: Path):
    root, _ = ran
    (tmp_path / "results/tables").mkdir(parents=True)
    good = tmp_path / "results/tables/t.csv"
    good.write_bytes((root / "results/tables/t.csv").read_bytes())
    write(tmp_path / "notebooks", "10-t", "STAGE = None\nN = 2", WRITE, "ratio = N / (N - 2)")
    with pytest.raises(NotebookError) as caught:
        run_notebook("10-t", **places(tmp_path))
    said = str(caught.value)
    assert "10-t: cell [4] failed\n  at: ratio = N / (N - 2)\n  ZeroDivisionError: division by zero" in said
    assert len(said.splitlines()) <= 5
    assert good.read_text() == "n\n3\n"
    assert [path.name for path in (tmp_path / "results").rglob("*")] == ["tables", "t.csv"]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ({"tables/t.csv": "n"}, "did not write tables/t.md, tables/t.tex, tables/t.json"),
        (dict.fromkeys(OUTPUTS, ""), "wrote nothing into tables/t.csv"),
        ({**dict.fromkeys(OUTPUTS, "{}"), "tables/extra.csv": "n"}, "does not declare tables/extra.csv"),
    ],
)
def test_a_broken_promise_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: dict, fault: str):
    def execute(_name: str, _folder: Path, parameters: dict, _executed: Path) -> None:
        for path, text in written.items():
            Path(parameters["STAGE"], path).write_text(text)

    monkeypatch.setattr("mvlm.publish.notebooks._execute", execute)
    write(tmp_path / "notebooks", "10-t", "STAGE = None\nN = 2")
    with pytest.raises(NotebookError, match=fault):
        run_notebook("10-t", **places(tmp_path))
    assert not list((tmp_path / "results").rglob("*"))


def test_what_a_notebook_does_not_take_is_an_error(tmp_path: Path):
    write(tmp_path / "notebooks", "10-t", "STAGE = None\nN = 2", WRITE)
    write(tmp_path / "notebooks", "11-untagged", "STAGE = None", WRITE, tag=False)
    write(tmp_path / "notebooks", "12-stageless", "N = 2", WRITE)
    write(tmp_path / "notebooks", "13-magic", "STAGE = None", "%time 1")
    for name, parameters, message in [
        ("10-t", {"M": 1}, "no parameter M; its parameters are N, STAGE"),
        ("11-untagged", {}, "expected one cell tagged `parameters`, found 0"),
        ("12-stageless", {}, "no parameter STAGE; its parameters are N"),
        ("13-magic", {}, "in `%time 1`"),
        ("14-t", {}, "no such notebook in notebooks/; there are 10-t, "),
    ]:
        with pytest.raises(NotebookError, match=message):
            run_notebook(name, parameters, **places(tmp_path))


def test_runs_needed_are_computed_in_this_process_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def compute(settings: Settings) -> None:
        raise FileNotFoundError(f"{settings.profile}: no scans")

    monkeypatch.setitem(NEEDED, "10-t", compute)
    write(tmp_path / "notebooks", "10-t", "STAGE = None")
    with pytest.raises(NotebookError, match="^10-t: quick: no scans$"):
        run_notebook("10-t", **places(tmp_path))


def test_a_notebook_without_its_corpora_is_passed_over(tmp_path: Path, ran, monkeypatch: pytest.MonkeyPatch, capsys):
    def compute(_settings: Settings) -> None:
        raise AbsentError("none found")

    monkeypatch.setitem(NEEDED, "11-t", compute)
    write(tmp_path / "notebooks", "11-t", "STAGE = None")

    def of_both(name):
        return run_notebook(name, **places(tmp_path)) if name == "11-t" else ran[1]

    monkeypatch.setattr("mvlm.publish.notebooks.run_notebook", of_both)
    assert main(["11-t", "10-t"]) == 0
    said = capsys.readouterr()
    assert said.err == "11-t: none found\n" and "| 3 |" in said.out
    assert main(["11-t"]) == 1  # nothing at all was there


def test_two_runs_at_once_share_one_execution(tmp_path: Path):
    write(tmp_path / "notebooks", "10-t", "STAGE = None\nN = 2", WRITE)
    code = f"""
from pathlib import Path
from mvlm.publish.notebooks import run_notebook
root = Path({str(tmp_path)!r})
print(run_notebook("10-t", folder=root/"notebooks", results=root/"results", runs=root/"runs").ran)
"""
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    said = [process.communicate(timeout=60)[0].split() for process in both]
    assert sorted(words[-1] for words in said) == ["False", "True"]
    assert (tmp_path / "results/tables/t.csv").read_text() == "n\n2\n"


def test_the_command_prints_the_tables_and_fails_in_words(ran, monkeypatch: pytest.MonkeyPatch, capsys):
    root, outcome = ran
    monkeypatch.setattr("mvlm.publish.notebooks.run_notebook", lambda _name: outcome)
    assert main(["10-t"]) == 0
    assert "| n |\n|---|\n| 3 |" in capsys.readouterr().out
    monkeypatch.undo()
    assert main(["no-such"]) == 1
    assert capsys.readouterr().err.startswith("no-such: no such notebook")
    monkeypatch.setenv("PROFILE", "quik")
    assert main(["no-such"]) == 1
    assert "did you mean PROFILE=quick?" in capsys.readouterr().err
    assert main([]) == 2


def notebooks() -> list[Path]:
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def test_committed_notebooks_are_stripped_tagged_and_free_of_this_machine():
    for path in notebooks():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert notebook["metadata"]["kernelspec"]["name"] == "python3", path.name
        identities = [cell["id"] for cell in notebook["cells"]]
        assert len(set(identities)) == len(identities), path.name
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code), f"{path.name} has outputs"
        text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
        assert "/home/" not in text and "/root/" not in text and "/work/" not in text, path.name
        assert "import mvlm\n" not in text, f"{path.name}: import by `from mvlm.x import y`"
    if names := [path.name for path in notebooks()]:
        subprocess.run([sys.executable, "-m", "nbstripout", "--keep-id", "--verify", *names], cwd=NOTEBOOKS, check=True)


def test_what_a_notebook_declares_is_known_and_in_the_order_that_jupyter_writes():
    known = {"corpora", "in_the_paper", "items", "measured", "targets"}
    for path in notebooks():
        text = path.read_text(encoding="utf-8")
        said = declared(read(path))
        assert {"in_the_paper", "items", "targets"} <= set(said) <= known and list(said) == sorted(said), path.name
        assert set(said["items"]) <= {"tables", "figures"}, path.name
        assert json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n" == text, path.name


def test_no_two_notebooks_promise_the_same_file():
    every = [output for path in notebooks() for output in promises(read(path))]
    assert len(set(every)) == len(every)


def test_a_target_stands_for_its_notebooks_in_the_order_of_their_names(tmp_path: Path):
    for name, targets in (("20-b", ["figures"]), ("10-a", ["figures", "lessons"]), ("30-c", []), ("40-d", ["tables"])):
        write(tmp_path, name, "STAGE = None", targets=targets)
    assert named(["figures"], tmp_path) == ["10-a", "20-b"]
    assert named(["tables", "30-c", "lessons", "figures"], tmp_path) == ["40-d", "30-c", "10-a", "20-b"]
    assert named(["tabels"], tmp_path) == ["tabels"]  # which the runner refuses, with the names that there are
    (tmp_path / "50-e.ipynb").write_text('{"cells": [<<<<<<<')
    with pytest.raises(ValueError, match=r"^50-e\.ipynb: not a notebook, Expecting value: line 1"):
        named(["figures"], tmp_path)
