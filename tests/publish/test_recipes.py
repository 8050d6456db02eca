"""The recipes of the site work as they stand, print what they say, and every one of the ten is there."""

import re
from pathlib import Path

import matplotlib
import pytest

from mvlm.losses import siblings
from mvlm.publish.frame import SITE
from mvlm.settings import ROOT, Settings
from mvlm.study import benchmarks, methods
from mvlm.study.items.summary import studied
from mvlm.study.methods import TABLE_METHODS
from mvlm.twins import twin

TEXT = (SITE / "how-to.md").read_text(encoding="utf-8")
SECTIONS = {part.splitlines()[0]: part for part in TEXT.split("\n## ")[1:]}
ASKED = ("corpus", "loss", "prompt", "method", "face model", "column of Table I", "angle", "folds", "colours", "8 GPUs")


def test_there_are_the_ten_things_that_people_want():
    assert len(SECTIONS) == len(ASKED)
    for title, asked in zip(SECTIONS, ASKED, strict=True):
        assert asked in title and "```python" in SECTIONS[title], title


@pytest.mark.parametrize("title", SECTIONS)
def test_its_code_works_as_it_stands(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(tmp_path)
    for module, name in (
        (siblings, "LOSSES"), (twin, "FACES"), (benchmarks, "BENCHMARKS"), (benchmarks, "TABLES")
    ):  # fmt: skip
        before = dict(getattr(module, name))
        monkeypatch.setattr(module, name, before)
    monkeypatch.setitem(twin.VERSIONS, "face", dict(twin.VERSIONS["face"]))
    assert matplotlib.get_backend().lower() == "agg"
    boxes = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", SECTIONS[title], flags=re.DOTALL)
    assert len(boxes) == SECTIONS[title].count("```python")
    assert sum(bool(said) for _, said in boxes) == SECTIONS[title].count("```text")
    for code, said in boxes:
        exec(compile(code, title, "exec"), {"__name__": "recipe"})
        assert capsys.readouterr().out == said


@pytest.mark.parametrize("title", SECTIONS)
def test_it_says_where_to_write_and_which_command_shows_it(title: str):
    words = re.sub(r"```python\n.*?```", "", SECTIONS[title], flags=re.DOTALL)
    assert "mvlm/" in words and re.search(r"make (tables|study)", words)


def test_what_is_written_into_methods_has_its_row_where_it_is_said():
    tuples = re.findall(r"`(_[A-Z]+)`", SECTIONS["Add a method"])
    assert tuples == ["_TABLES", "_RUNGS", "_PSEUDO", "_SIBLINGS"]
    for name in tuples:
        of = {method.name for method in getattr(methods, name)}
        assert of <= set(TABLE_METHODS if name == "_TABLES" else studied())


def test_places_of_results_are_those_of_the_settings_told():
    asked = ({"PROFILE": "smoke"}, {"YAWS": "0,30,-30"}, {"PROFILE": "full", "MODEL": "ViT-B-32-quickgelu"})
    for settings in asked:
        assert f"`runs/results/{Settings.from_environment(settings).results_name('twin')}/tables/`" in TEXT


def test_files_names_and_targets_of_the_recipes_exist():
    for path in re.findall(r"`((?:mvlm|tests)/[\w./-]+)`", TEXT):
        assert (ROOT / path).exists(), path
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z]+)", TEXT):
        assert f"\n{target}:" in makefile, target
    named = re.findall(r"`(\w+)`(?: of that package|,? in)? (?:in )?`(mvlm/[\w./]+\.py)`", TEXT)
    assert len(named) >= 3
    for name, path in named:
        assert re.search(rf"^{name}\b", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE), (name, path)
