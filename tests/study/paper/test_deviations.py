"""What the paper leaves open: a table whose values come from the code, and whose evidence exists."""

import subprocess
import sys
from pathlib import Path

import pytest

from mvlm.cache.keys import reached
from mvlm.publish.declared import NOTEBOOKS, promises, read
from mvlm.settings import ROOT
from mvlm.study.paper.deviations import COLUMNS, FOLDER, SILENCES, VALUES, deviations, render_deviations, value


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A package with one module that sets values in every way that is read."""
    (tmp_path / "mvlm").mkdir()
    (tmp_path / "mvlm/made.py").write_text(
        "STEPS = 150\nBATCH, RATE = 64, 1e-3\nANGLES: tuple[float, ...] = (0.0, -45.0)\nSIDE = 7 / 8\n"
        "class Recipe:\n    share: float = 0.5\n    name: str\n\n"
        "def pool(frames, form='harmonic', *, size=64, seed):\n    STEPS = 1\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("place", "part", "expected"),
    [
        ("mvlm.made:STEPS", "", 150),
        ("mvlm.made:RATE", "", 1e-3),
        ("mvlm.made:ANGLES", "", (0.0, -45.0)),
        ("mvlm.made:Recipe", "share", 0.5),
        ("mvlm.made:pool", "form", "harmonic"),
        ("mvlm.made:pool", "size", 64),
    ],
)
def test_values_are_read_from_the_source(module: Path, place: str, part: str, expected: object):
    assert value(place, part, root=module) == expected


@pytest.mark.parametrize(
    ("place", "part", "count"),
    [
        ("mvlm.made:NONE", "", 0),
        ("mvlm.made:Recipe", "name", 0),  # has no default
        ("mvlm.made:pool", "frames", 0),
        ("mvlm.made:pool", "seed", 0),
        ("mvlm.made:SIDE", "", 1),  # is not plain
    ],
)
def test_a_value_that_is_not_there_is_an_error(module: Path, place: str, part: str, count: int):
    with pytest.raises(ValueError, match=f"{place} {part}: expected one plain value in the source, found {count}"):
        value(place, part, root=module)


def test_values_are_those_that_the_code_uses():
    import inspect

    from mvlm import losses, samples
    from mvlm.faces import views
    from mvlm.training import adapter as train

    said = deviations().set_index("topic")["values"]
    assert said["equation (4)"] == f"multiview = {losses.DEFAULT.multiview!r}"
    trained = f"STEPS = {train.STEPS}, BATCH = {train.BATCH}, RATE = {train.RATE}, DECAY = {train.DECAY}"
    assert said["optimiser and schedule"] == trained
    assert said["frames of a sequence"] == f"FRAMES = {samples.FRAMES!r}"
    channel = inspect.signature(views.project).parameters["channel"].default
    assert said["what a view shows"] == f"channel = {channel!r}"


def test_reading_values_imports_nothing_heavy():
    code = (
        "import sys\nfrom mvlm.study.paper.deviations import deviations\ndeviations()\n"
        "heavy = {'torch', 'open3d', 'open_clip', 'sklearn', 'pytorch_lightning'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_every_definition_that_a_value_comes_from_counts_as_a_dependency():
    known = {f"{place.module}:{place.name}" for place in reached("mvlm.study.paper.deviations:deviations")}
    assert {place for places in VALUES.values() for place, _ in places} <= known


def test_every_silence_is_told_whole_and_its_evidence_exists():
    frame = deviations()
    assert list(frame.columns) == list(COLUMNS) and frame["topic"].is_unique
    assert (frame[["topic", "section", "silence", "choice", "effect"]] != "").all(axis=None)
    for topic in ("BP4D: classes", "equation (6)", "gather between ranks", "naming of clusters", "folds"):
        assert topic in set(frame["topic"])
    promised = {f"results/{output}" for path in NOTEBOOKS.glob("*.ipynb") for output in promises(read(path))}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for measured in set(frame["measured"]) - {""}:
        known = measured in promised or f"\n{measured.removeprefix('make ')}:" in makefile
        assert known, f"{measured}: no notebook promises it, and no target is so called"


def test_a_value_without_its_row_is_refused(tmp_path: Path):
    text = (FOLDER / SILENCES).read_text(encoding="utf-8")
    (tmp_path / SILENCES).write_text(text.replace("\ntotal loss,", "\nsum of losses,"), encoding="utf-8")
    with pytest.raises(ValueError, match="silences.csv: no row for total loss, whose values are known"):
        deviations(tmp_path)


def test_the_page_says_what_is_not_measured():
    (part,) = render_deviations(deviations().replace("", None))  # as an empty cell is read back
    cells = part.cells.set_index("Topic")
    assert cells.loc["total loss", "Measured in"] == "not measured"
    weights = "contrastive = 1.0, multiview = 1.0, positive = 1.0, negative = 1.0"
    assert cells.loc["total loss", "Chosen here"] == f"the plain sum ({weights})"
    assert cells.loc["folds", "Measured in"] == "results/tables/table1.md" and not cells.isna().any(axis=None)
