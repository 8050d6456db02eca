"""The recipes of the site work as they stand, and every one of the ten is there."""

import re
from pathlib import Path

import matplotlib
import pytest

from mvlm.losses import siblings
from mvlm.publish.frame import SITE
from mvlm.settings import ROOT
from mvlm.study import benchmarks
from mvlm.twins import twin

TEXT = (SITE / "how-to.md").read_text(encoding="utf-8")
SECTIONS = {part.splitlines()[0]: part for part in TEXT.split("\n## ")[1:]}
ASKED = ("corpus", "loss", "prompt", "method", "face model", "column of Table I", "angle", "folds", "colours", "8 GPUs")


def test_there_are_the_ten_things_that_people_want():
    assert len(SECTIONS) == len(ASKED)
    for title, asked in zip(SECTIONS, ASKED, strict=True):
        assert asked in title and "```python" in SECTIONS[title], title


@pytest.mark.parametrize("title", SECTIONS)
def test_its_code_works_as_it_stands(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for module, name in (
        (siblings, "LOSSES"), (twin, "FACES"), (benchmarks, "BENCHMARKS"), (benchmarks, "TABLES")
    ):  # fmt: skip
        before = dict(getattr(module, name))
        monkeypatch.setattr(module, name, before)
    monkeypatch.setitem(twin.VERSIONS, "face", dict(twin.VERSIONS["face"]))
    assert matplotlib.get_backend().lower() == "agg"
    for code in re.findall(r"```python\n(.*?)```", SECTIONS[title], flags=re.DOTALL):
        exec(compile(code, title, "exec"), {"__name__": "recipe"})


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
