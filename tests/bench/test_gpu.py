"""The prepared measurement on a GPU: all of it on a processor, by an interpreter as bare as the machine may be.

More than 20 s: a bare interpreter imports torch and Lightning before it measures anything.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.metadata import distribution
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from packaging.requirements import Requirement

from bench import gpu, gpu_report, gpu_views
from bench.gpu_report import Row
from mvlm.settings import ROOT
from mvlm.study.benchmarks import BENCHMARKS

EMOTIONS = BENCHMARKS[gpu_views.BENCHMARK].emotions
# First where it finds no device, then on a processor.
TWICE = "import sys; from tests.bench import gpu; sys.exit(gpu.main(sys.argv[1:2]) or gpu.main(sys.argv[1:]))"


def bare_packages() -> list[Path]:
    """What the packages that a bare machine has install, and those they require."""
    found, wanted = {}, list(gpu.PACKAGES.values())
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name not in found:
            found[name] = distribution(name)
            needs = map(Requirement, found[name].requires or ())
            wanted += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    tops = {Path(of.locate_file(file.parts[0])) for of in found.values() for file in of.files or ()}
    return sorted(path for path in tops if path.exists() and path.name != "..")


def synthetic() -> gpu_views.Views:
    """Four subjects by six emotions, twice each: a bright patch in noise, whose place is the emotion."""
    shown = [(f"F{subject:04}", emotion, level) for subject in range(4) for emotion in EMOTIONS for level in (3, 4)]
    images = np.random.default_rng(0).integers(0, 60, (len(shown), 3, 64, 64, 1), dtype=np.uint8)
    for image, (_, emotion, _) in zip(images, shown, strict=True):
        top = 8 * EMOTIONS.index(emotion)
        image[:, top : top + 16, 20:44] += 150
    names = np.array(["_".join(map(str, of)) for of in shown])
    subjects, emotions = (np.array([of[column] for of in shown]) for column in (0, 1))
    return gpu_views.Views(np.repeat(images, 3, axis=-1), names, subjects, emotions)


@pytest.fixture(scope="module", autouse=True)
def started(tmp_path_factory: pytest.TempPathFactory):
    """The measurement, begun at once: the tests that do not need it go on beside it."""
    folder = tmp_path_factory.mktemp("gpu")
    site = folder / "site"
    site.mkdir()
    for package in bare_packages():
        (site / package.name).symlink_to(package)
    gpu_views.save(folder / "views.npz", synthetic())
    environ = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": f"{site}:{ROOT}",
    }  # fmt: skip
    # -S leaves out the packages that are installed here.
    command = [sys.executable, "-S", "-c", TWICE, "views.npz", "--device", "cpu", "--out", "results/gpu"]
    with (folder / "stdout").open("wb") as said, (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=said, stderr=errors)
    yield process, folder
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def measured(started) -> tuple[dict, str, str]:
    """The JSON file, the table and what was printed."""
    process, folder = started
    assert process.wait(120) == 0, (folder / "stderr").read_text() + (folder / "stdout").read_text()
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("results/gpu.json", "results/gpu.md", "stdout")]
    assert "Traceback" not in (folder / "stderr").read_text()
    return json.loads(texts[0]), *texts[1:]


def values(report: dict, part: str, what: str) -> dict:
    """Values of the one row of a part whose text has these words."""
    (found,) = (row["values"] for row in report["parts"][part] if what in row["what"])
    return found


def test_views_of_the_twin_are_read_as_they_were_made(tmp_path: Path):
    views = gpu_views.make(subjects=1)
    assert views.images.shape == (12, 3, 64, 64, 3) and set(views.emotions) == set(EMOTIONS)
    assert len(set(views.names)) == 12 and len(set(views.subjects)) == 1
    assert 0.2 < (views.images > 0).mean() < 0.9  # a face before nothing
    gpu_views.save(tmp_path / "views.npz", views)
    assert all(np.array_equal(one, two) for one, two in zip(gpu_views.read(tmp_path / "views.npz"), views, strict=True))
    per_sample = (tmp_path / "views.npz").stat().st_size / 12
    assert per_sample * BENCHMARKS[gpu_views.BENCHMARK].expected < 20e6
    views.images[0, 0, 0, 0, 1] += 1
    with pytest.raises(ValueError, match="coloured.npz: expected grey images"):
        gpu_views.save(tmp_path / "coloured.npz", views)


def slow(*_arguments):
    yield Row("first", {"x": 1.0})
    time.sleep(60)


def broken(*_arguments):
    yield Row("first", {"x": 1.0})
    raise ZeroDivisionError("by nothing")


def killed(*_arguments):
    yield Row("first", {"x": 1.0})
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("measure", "last"),
    [
        (slow, Row("left out: the rest of this part", note="it was stopped after 2 s")),
        (broken, Row("failed", holds=False, note="ZeroDivisionError: by nothing")),
        (killed, Row("failed", holds=False, note="the process ended with status -9")),
    ],
)
def test_a_part_that_does_not_end_well_keeps_its_rows_and_says_so(measure, last, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gpu, "START", "fork")  # at once, and without the server that ranks of other tests start
    monkeypatch.setattr(gpu, "LEAST", 1.0)
    began = time.monotonic()
    found = list(gpu.rows(f"{__name__}:{measure.__name__}", Path("views.npz"), "cpu", 2.0))
    assert found == [Row("first", {"x": 1.0}), last] and time.monotonic() - began < 20


def test_a_part_without_time_is_left_out():
    assert list(gpu.rows("no.module:at_all", Path("views.npz"), "cpu", 3.0)) == [
        Row("left out", note="3 s were left for it")
    ]


def test_parts_that_take_all_their_time_end_within_eight_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given = []

    def all_of_it(_measure, _file, _device, seconds):
        given.append(seconds)
        yield Row("anything", {"device": "X"})

    monkeypatch.setattr(gpu, "rows", all_of_it)
    monkeypatch.setattr(gpu, "time", SimpleNamespace(monotonic=lambda: sum(given)))
    assert gpu.measure(tmp_path / "views.npz", "cuda", tmp_path / "gpu") == 0
    assert len(given) == 5 and sum(given) == gpu.SECONDS and gpu.SECONDS + gpu.PATIENCE < 8 * 60 - 20
    assert given[:-1] == list(gpu.LIMITS.values())[:-1] and given[-1] > gpu.LEAST


@pytest.mark.parametrize(("first", "status"), [(gpu_report.NO_DEVICE, 0), ("left out", 1), ("failed", 1)])
def test_nothing_is_written_where_no_device_is_found(first, status, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "rows", lambda *_: [Row(first, note="why")])
    assert gpu.measure(tmp_path / "views.npz", "cuda", tmp_path / "gpu") == status
    assert capsys.readouterr().out == f"machine: {first}: why\n" and not list(tmp_path.iterdir())


def test_shares_of_the_peak_are_of_known_devices_alone():
    assert gpu_report.mfu(989e12, 2.0, "NVIDIA H200") == gpu_report.mfu(756e12, 2.0, "NVIDIA H100 PCIe") == 0.5
    assert gpu_report.mfu(989e12, 2.0, "NVIDIA H100 80GB HBM3") == 0.5
    assert gpu_report.mfu(989e12, 2.0, "NVIDIA A100") is None


def test_the_table_says_what_is_missing_and_what_does_not_hold():
    rows = [
        Row("fast", {"images/s": 12345.6, "MFU": None, "ms": 0.012345, "steps": 3.0}),
        Row("gather", {"error": float("nan")}, holds=False, note="a | b\nc"),
        Row("left out", note="no time"),
    ]
    lines = gpu_report.table({"device": "X", "torch": "2", "driver": None}, {"speed": rows}).splitlines()
    assert lines[0] == "# On X" and lines[2] == "torch 2."
    assert lines[-3:] == [
        "| speed | fast | images/s 12,346; MFU –; ms 0.0123; steps 3 |",
        "| speed | gather | error nan; **does not hold**; a / b c |",
        "| speed | left out | no time |",
    ]


@pytest.mark.parametrize("there", [True, False])
def test_what_cannot_be_measured_is_said(there, tmp_path, monkeypatch, capsys):
    if there:
        monkeypatch.setitem(gpu.PACKAGES, "no_such_module", "no-such-package")
    assert gpu.main([str(tmp_path / "views.npz")]) == 2
    expected = "missing packages: no-such-package" if there else "views.npz: no such file; .*--make FILE"
    assert re.search(expected, capsys.readouterr().err)


def test_a_bare_machine_measures_every_part(measured, started):
    report, table, said = measured
    there = set(os.listdir(started[1] / "site"))
    assert {"torch", "open_clip", "sklearn"} <= there
    assert not there & {"mvlm", "open3d", "pandas", "matplotlib", "papermill", "tensorboard", "anny"}
    assert said.startswith("machine: no CUDA device here: nothing is measured (torch ")
    assert list(report["parts"]) == ["precision", "speed", "gather", "fold"]
    rows = [(part, row) for part, found in report["parts"].items() for row in found]
    assert all(row["values"] or row["holds"] for _, row in rows) and all(row["holds"] is not False for _, row in rows)
    lines = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    assert [(part, row["what"]) for part, row in rows] == [(line[0][2:], line[1]) for line in lines]
    assert table.startswith("# On the processor") and f"torch {report['machine']['torch']}" in table
    assert [len(report["parts"][part]) for part in report["parts"]] == [8, 2, 5, 3]


def test_bf16_is_near_float32_and_float32_is_itself(measured):
    report, *_ = measured
    for what, most in (("error of bf16 losses", 0.02), ("error of bf16 gradients", 0.2), ("1 - cosine", 0.01)):
        assert all(0 < value < most for value in values(report, "precision", what).values()), what
    assert set(values(report, "precision", "1 - cosine")) == {"image", "text"}
    assert set(values(report, "precision", "bf16 losses")) == {
        "total", "contrastive", "multiview", "positive", "negative",
    }  # fmt: skip
    (row,) = (row for row in report["parts"]["precision"] if row["curves"])
    curves = row["curves"]
    assert [len(curve) for curve in curves.values()] == [6, 6, 6]
    assert curves["float32"] == curves["float32 again"] != curves["bf16"]
    assert np.allclose(curves["bf16"], curves["float32"], rtol=0.02)
    same, half = (values(report, "precision", f"{name} against float32") for name in ("float32", "bf16"))
    assert list(same.values()) == [0, 0, 1]
    assert 0 < half["relative error of what was learnt"] < 0.5 and half["equal predictions"] > 0.7


def test_operations_are_those_of_the_towers(measured):
    report, *_ = measured
    found = [row["values"] for row in report["parts"]["speed"]]
    for batch, row in zip((2, 4), found, strict=True):
        assert row["MFU"] is None and row["images/s"] == pytest.approx(3 * batch / row["ms a step"] * 1e3)
        # By hand, products of rows alone: 2 layers of 12 x 32 x 32 weights; 17 tokens a view, 32 a text of each sample.
        linear = 2 * 2 * 12 * 32 * 32 * (3 * 17 + 32) * batch
        # Forward and backward are three times that; patches, attention and projections are some more.
        assert 3 * linear < row["TFLOP a step"] * 1e12 < 1.5 * 3 * linear
        assert row["fastest"] <= row["ms a step"] <= row["slowest"]
    assert found[1]["TFLOP a step"] == pytest.approx(2 * found[0]["TFLOP a step"], rel=0.01)


def test_a_gather_of_one_rank_changes_nothing(measured):
    report, *_ = measured
    for name in ("gather of rows", "gather_even of rows"):
        assert values(report, "gather", name) == {"largest error": 0, "of gradients": 0}
    assert all(row["holds"] for row in report["parts"]["gather"][:4])
    trained = values(report, "gather", "with DDP against none")
    assert trained["largest relative error of a loss"] < 1e-5 and trained["equal predictions"] > 0.9


def test_a_fold_is_trained_and_scored(measured):
    report, *_ = measured
    assert values(report, "fold", "the fold") == {"samples to train on": 36, "samples to test on": 12}
    baseline, full = (values(report, "fold", name) for name in ("baseline", "full, 1 x 1"))
    assert baseline["linear probe"] > 0.6 and full["linear probe"] > 0.6  # the patches are easy to tell apart
    assert baseline["right pseudo-labels"] is None and 0 <= full["right pseudo-labels"] <= 1
    assert full["seconds"] > 0 and full["GB at the peak"] > 0.1


def test_the_committed_table_is_of_the_committed_measurement():
    for path in sorted((ROOT / "results" / "gpu").glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        parts = {part: [Row(**row) for row in rows] for part, rows in found["parts"].items()}
        assert path.with_suffix(".md").read_text(encoding="utf-8") == gpu_report.table(found["machine"], parts)
        assert all(row.holds is not False for rows in parts.values() for row in rows)
