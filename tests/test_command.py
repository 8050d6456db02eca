"""The command `mvlm`: what it says of itself, data, views as pictures, what is kept, and the wheel that brings it."""

import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mvlm
from mvlm import settings
from mvlm.__main__ import main, parser
from mvlm.cache.kept import DAY, Kept, prune, sizes
from mvlm.faces.corpora.items import EMOTIONS
from mvlm.faces.formats.by_extension import read_mesh, write_mesh
from mvlm.faces.views import project
from mvlm.settings import ROOT, VARIABLES
from mvlm.twins.twin import Twin


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(settings, "RUNS", tmp_path / "runs")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    twin = Twin("BU-3DFE")
    path = tmp_path_factory.mktemp("scan") / "smile.ply"
    write_mesh(twin.read(next(scan for scan in twin.scans if scan.emotion == "happiness")), path)
    return path


def said(*arguments: object) -> tuple[int, str]:
    with redirect_stdout(io.StringIO()) as out:
        return main([str(of) for of in arguments]), out.getvalue()


def test_help_says_every_command_and_exit_status_and_needs_no_model():
    code = (
        "import sys\nfrom mvlm.__main__ import main\ntry: main(sys.argv[1:])\nexcept SystemExit as end: assert not "
        "end.code\nassert not {'numpy', 'torch', 'open3d', 'matplotlib'} & set(sys.modules)"
    )

    def help_of(*arguments: str) -> str:
        told = [sys.executable, "-c", code, *arguments]
        return subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    whole = help_of("--help")
    for command in ("classify", "check", "views", "cache"):
        assert f"    {command} " in whole and f"  mvlm {command}" in whole
    assert "exit status:\n  0  done\n  1  check" in whole
    assert "folder of frames" in help_of("classify", "--help")
    assert help_of("--version") == f"mvlm {mvlm.__version__}\n"


def test_the_script_is_the_module():
    source = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert source["project"]["scripts"] == {"mvlm": "mvlm.__main__:console"}
    assert parser().prog == "mvlm"


def test_verdicts_as_data(scan: Path, tmp_path: Path):
    status, out = said("classify", scan, "--json", "--out", tmp_path / "out")
    found = json.loads(out)
    assert status == 0 and found["model"] == "mvlm-tiny" and "synthetic faces alone" in found["about"]
    (one,) = found["scans"]
    assert one["name"] == "smile.ply" and one["face_found"] and one["person_removed"] is None
    assert list(one["probabilities"]) == list(EMOTIONS)
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)  # they are rounded
    assert one["best"] == max(one["probabilities"], key=one["probabilities"].get)
    assert Path(one["picture"]).is_file()


def test_views_are_those_that_project_makes(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    status, out = said("views", scan, "--size", 96, "--json")
    (one,) = json.loads(out)["scans"]
    assert status == 0 and list(one["views"]) == ["front", "left", "right"]
    drawn = [np.asarray(Image.open(path)) for path in one["views"].values()]
    assert np.array_equal(drawn, project(read_mesh(scan), size=96))
    assert Path(one["views"]["left"]) == tmp_path / "runs" / "views" / "smile-left.png"
    assert said("views", scan)[1].count("smile-") == 3
    assert main(["views", str(tmp_path / "gone.ply")]) == 2
    assert "gone.ply: expected a scan" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["views", str(scan), "--size", "5000"])
    assert end.value.code == 2 and "5000: expected 16 to 4096 pixels" in capsys.readouterr().err


def test_check_as_data(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["check", str(tmp_path), "--json"]) == 2
    assert "expected one of BU-3DFE" in capsys.readouterr().err
    (tmp_path / "BU-3DFE").mkdir()
    status, out = said("check", tmp_path, "--json")
    (finding, *_) = json.loads(out)["BU-3DFE"]
    assert status == 1 and set(finding) == {"level", "topic", "text", "advice"}


def kept(folder: Path) -> None:
    """Two values, an old and a new one, of each kind; and results, which are no cache."""
    now = 1_700_000_000.0
    for path, age in (
        ("cache/views/old/images.npy", 40), ("cache/views/old/index.json", 41), ("cache/views/read/images.npy", 40),
        ("cache/embeddings/old.npy", 40), ("cache/embeddings/new.npy", 3), ("records/old.json", 400),
    ):  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(bytes(1000))
        os.utime(folder / path, (now - age * DAY,) * 2)
    os.utime(folder / "cache/views/read/images.npy", (now - 2 * DAY, now - 40 * DAY))


def test_what_was_not_used_is_given_up_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs = tmp_path / "runs"
    assert sizes(runs) == []
    kept(runs)
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    assert sizes(runs) == [Kept("records", 1, 1000), Kept("cache/embeddings", 2, 2000), Kept("cache/views", 3, 3000)]
    assert prune(runs, 50) == Kept("cache", 0, 0)
    assert prune(runs, 30) == Kept("cache", 3, 3000)
    left = {path.relative_to(runs).as_posix() for path in runs.rglob("*") if path.is_file()}
    assert left == {"cache/views/read/images.npy", "cache/embeddings/new.npy", "records/old.json"}
    status, out = said("cache", "--prune", 2.5, "--json")
    assert status == 0 and json.loads(out)["pruned"] == {"name": "cache", "files": 1, "bytes": 1000}
    assert {of["name"] for of in json.loads(out)["kept"]} == {"records", "cache/views", "cache/embeddings"}
    assert "given up: 1 files" in said("cache", "--prune", 1)[1] and "records" in said("cache")[1]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("views", "a.ply", "--size", "big"), "big: expected 16 to 4096 pixels"),
        (("cache", "--prune", "x"), "x: expected a number of days"),
        (("app", "--port", "-1"), "-1: expected 1 to 65535"),
    ],
)
def test_what_is_no_number_is_told_what_was_expected(given, told, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as end:
        main(list(given))
    assert end.value.code == 2 and told in capsys.readouterr().err


def test_what_may_be_in_use_is_not_given_up(tmp_path: Path, capsys: pytest.CaptureFixture):
    kept(tmp_path / "runs")
    assert main(["cache", "--prune", "0"]) == 2
    assert "0 days: expected 1 or more" in capsys.readouterr().err
    assert sum(of.files for of in sizes(tmp_path / "runs")) == 6


def test_a_wheel_classifies_in_an_empty_folder(scan: Path, tmp_path: Path):
    """The wheel, of the tracked files alone, with the libraries of this environment and nothing of the checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0")[:-1]:
        if name.startswith("mvlm/") or "/" not in name:
            (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tmp_path / "tree" / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "wheels", "./tree"]
    subprocess.run(build, cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
        names = packed.namelist()
    # All that is data in the package.
    there = {name for name in listed.split("\0") if name.startswith("mvlm/") and Path(name).suffix != ".py"}
    assert there <= set(names)
    (scripts,) = (tmp_path / "site").glob("*.dist-info/entry_points.txt")
    assert "mvlm = mvlm.__main__:console" in scripts.read_text()
    (tmp_path / "empty").mkdir()
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    clean["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "site"), *filter(None, [clean.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mvlm", "classify", "--json", "--one-person", str(scan)],
        cwd=tmp_path / "empty", env=clean, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["scans"]
    assert one["person_removed"] and (tmp_path / "empty/runs/classify/smile.png").is_file()
    assert not (tmp_path / "runs").exists() and not (tmp_path / "site/runs").exists()
