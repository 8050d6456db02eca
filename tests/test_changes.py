"""What a change touches: only what depends on it is made again, by the addresses of everything that is kept.

On a copy of the package, each test makes one edit and sees which addresses move: of views, of image and text
embeddings, of runs and inspections, and of notebooks.
"""

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mvlm import samples, sources
from mvlm.faces.twins import Twin
from mvlm.settings import ROOT, Settings
from mvlm.sources import digest, source_key
from mvlm.study import notebooks, probes, runs
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.methods import METHODS

SETTINGS = Settings(profile="smoke")
TABLES = {"10-table1", "11-table2", "12-table3"}
READ_RECORDS = TABLES | {"13-summary", "20-fig3-fig6"}
RECORDS = {"runs", "inspections"}
IMAGES = {"views", "dynamic images", "image embeddings"}


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package and the notebooks without weights, and every address made of them."""
    skipped = shutil.ignore_patterns("__pycache__", "weights", ".ipynb_checkpoints")
    for folder in ("mvlm", "notebooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=skipped)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "digest", partial(digest, root=tmp_path))
    monkeypatch.setattr(runs, "model_key", lambda _: "model")
    return tmp_path


def addresses(root: Path) -> dict[str, str]:
    """What is kept -> its address."""
    found = {
        "views": samples.cache_folder(Twin("BU-3DFE"), size=64).name,
        "dynamic images": samples.cache_folder(Twin("BU-4DFE"), size=64).name,
        "image embeddings": source_key("mvlm.model", "mvlm.study.embeddings", without=("mvlm.prompts",)),
        "text embeddings": source_key("mvlm.model", "mvlm.prompts"),
    }
    (part,) = runs.present([BENCHMARKS["BU-3DFE-I"]], SETTINGS)
    cell = runs.Cell(METHODS["full"], 0, 2, 0)
    found |= {"runs": runs.record_path(part, cell).name, "inspections": runs.record_path(part, cell, probes.KIND).name}
    for path in (root / "notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        sidecar = notebooks._dependencies(path.stem, notebook, {}, SETTINGS)
        found[path.stem] = sidecar["content_key"]
    return found


def moved(root: Path, edit: Callable[[], None]) -> set[str]:
    """What an edit moves."""
    before = addresses(root)
    edit()
    after = addresses(root)
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def replace(path: Path, pattern: str, new: str) -> Callable[[], None]:
    def edit() -> None:
        text = path.read_text(encoding="utf-8")
        changed, count = re.subn(pattern, new, text, count=1)
        assert count == 1, f"{path.name} has no {pattern}"
        path.write_text(changed, encoding="utf-8")

    return edit


def test_without_an_edit_nothing_moves(copy: Path):
    assert moved(copy, lambda: None) == set()


def test_a_prompt_moves_text_and_training_but_no_image(copy: Path):
    touched = moved(copy, replace(copy / "mvlm/prompts.csv", r"\n$", "\nhappiness,a face that beams\n"))
    assert {"text embeddings"} | RECORDS | READ_RECORDS <= touched and not IMAGES & touched
    assert not {"00-audit", "06-ranks"} & touched


def test_a_loss_moves_training_and_no_embedding(copy: Path):
    touched = moved(copy, replace(copy / "mvlm/losses.py", r"\Z", "\nADDED = 1\n"))
    assert RECORDS | READ_RECORDS | {"03-loss-by-hand"} <= touched
    assert not (IMAGES | {"text embeddings", "00-audit", "08-dials"}) & touched


def test_a_plot_moves_the_notebooks_that_draw_and_no_run(copy: Path):
    assert moved(copy, replace(copy / "mvlm/study/plots.py", r"\Z", "\nADDED = 1\n")) == {"13-summary", "20-fig3-fig6"}
    touched = moved(copy, replace(copy / "mvlm/study/drawings.py", r"\Z", "\nADDED = 1\n"))
    assert TABLES <= touched and not (RECORDS | IMAGES) & touched and "00-audit" not in touched


def test_a_report_moves_tables_and_no_run(copy: Path):
    touched = moved(copy, replace(copy / "mvlm/study/report.py", r"\Z", "\nADDED = 1\n"))
    assert READ_RECORDS | {"00-audit"} <= touched and not (RECORDS | IMAGES | {"text embeddings"}) & touched


def test_a_probe_moves_inspections_and_no_run(copy: Path):
    touched = moved(copy, replace(copy / "mvlm/study/inspection.py", r"\nDRAWS = 5", "\nDRAWS = 6"))
    assert touched == {"inspections", "13-summary", "20-fig3-fig6"}  # both notebooks draw with mvlm.study.plots


def test_a_docstring_or_a_comment_moves_nothing(copy: Path):
    def edit() -> None:
        for name in ("losses.py", "train.py", "study/adaptation.py", "study/report.py", "faces/views.py"):
            path = copy / "mvlm" / name
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace('"""', '"""Said otherwise. ', 1) + "\n# A remark.\n", encoding="utf-8")

    assert moved(copy, edit) == set()


def test_a_notebooks_text_moves_that_notebook_alone(copy: Path):
    assert moved(copy, replace(copy / "notebooks/11-table2.ipynb", "# 11 ·", "# 11:")) == {"11-table2"}


def test_a_paper_number_moves_what_shows_it(copy: Path):
    touched = moved(copy, replace(copy / "mvlm/study/paper/ablation.csv", ",8,", ",9,"))
    assert touched == {"13-summary", "20-fig3-fig6"}
    touched = moved(copy, replace(copy / "mvlm/study/paper/table2.csv", "96.47", "96.48"))
    assert {"11-table2", "00-audit"} <= touched and not (RECORDS | IMAGES) & touched


def test_the_head_moves_every_picture_of_a_twin_and_a_reader_none(copy: Path):
    touched = moved(copy, replace(copy / "mvlm/faces/head.py", r"\Z", "\nADDED = 1\n"))
    assert {"views", "dynamic images"} | RECORDS <= touched
    touched = moved(copy, replace(copy / "mvlm/faces/dynamics.py", r"\Z", "\nADDED = 1\n"))
    assert "dynamic images" in touched and "views" not in touched
