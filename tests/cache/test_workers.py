"""The pool: workers do not outlive a killed parent, and one that dies takes no other's work along."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mvlm.cache import workers
from mvlm.method import Method
from mvlm.settings import ROOT, Settings
from mvlm.study import plan, runs
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.methods import METHODS
from mvlm.twins.twin import Twin

PARENT = """
import os, signal
from mvlm.cache import workers
workers.LIBRARIES = ()
print(*set(workers.each(lambda _: os.getpid(), range(8), jobs=2, title="")), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

pytestmark = pytest.mark.usefixtures("light")


def test_workers_follow_a_killed_parent():
    done = subprocess.run([sys.executable, "-c", PARENT], cwd=ROOT, capture_output=True, text=True, timeout=60)
    pids = [int(pid) for pid in done.stdout.split()]
    assert done.returncode == -9 and pids

    def alive(pid: int) -> bool:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                return file.read().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False

    deadline = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(map(alive, pids)), os.popen("ps").read()


def dies_once(item: tuple[int, Path]) -> int:
    """Twice the number; the first worker to be given 3 kills itself."""
    number, mark = item
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def always_dies(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def test_work_goes_on_when_a_worker_dies(tmp_path: Path):
    items = [(number, tmp_path / "died") for number in range(8)]
    assert list(workers.each(dies_once, items, jobs=2, title="work")) == list(range(0, 16, 2))
    assert (tmp_path / "died").exists()


def test_what_kills_every_worker_is_named():
    got = []
    with pytest.raises(workers.WorkerDiedError, match="^work: a worker process died, and another") as caught:
        got.extend(workers.each(always_dies, range(8), jobs=2, title="work"))
    assert caught.value.item == 3


def pairs_die(method: Method, prompts: str, **_rest: object) -> dict:
    """In place of a run: one method kills its worker until the file is there that stands where prompts do."""
    if method.name == "pairs" and not Path(prompts).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def test_a_worker_that_dies_loses_only_its_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    content = {"model": "fake", "profile": "quick"}
    part = plan.Experiment(BENCHMARKS["BU-4DFE"], Twin("BU-4DFE"), None, None, content, {})
    mark = tmp_path / "mark"
    monkeypatch.setattr(runs, "embedded", lambda *_: (SimpleNamespace(of=lambda _: None), str(mark)))
    kind = plan.Kind("runs", pairs_die)
    names = list(METHODS)[:6]
    missing = [
        plan.Planned(part, plan.Cell(METHODS[name], 0, 1, 0), [], [], tmp_path / "records" / f"{name}.json")
        for name in names
    ]
    with pytest.raises(ChildProcessError, match=r"BU-4DFE, pairs, fold 0\. All other runs are kept") as caught:
        runs.compute(missing, Settings(jobs=2), kind)
    assert isinstance(caught.value, OSError)  # said in words by whoever called, without a trace
    kept = {path.stem for path in (tmp_path / "records").iterdir()}
    assert kept == set(names) - {"pairs"}
    mark.touch()
    runs.compute([each for each in missing if not each.path.is_file()], Settings(jobs=2), kind)
    assert {path.stem for path in (tmp_path / "records").iterdir()} == set(names)
