"""Ranks as processes: what is asked for and what there is, taken ports, and the first error of many.

More than 20 s: every test starts ranks of its own, which import torch, to see how they meet and end.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mvlm.ranks import group, launch
from mvlm.ranks.gather import gather
from mvlm.ranks.launch import Devices, RankError
from mvlm.settings import ROOT, usable_cores

TWO = Devices("cpu", 2, 2)
HERE = "tests.ranks.test_launch"


def greet(folder: str) -> None:
    rank = group.number()
    total = group.from_first(lambda: 40 + group.count())
    said = f"{rank} of {group.count()}, {total}, {torch.get_num_threads()}"
    Path(folder, f"{rank}.txt").write_text(said)


def fail(folder: str, rank: int) -> None:
    Path(folder, f"{group.number()}.pid").write_text(str(os.getpid()))
    if group.number() == rank:
        raise ValueError(f"scan {rank} is bad")
    gather(torch.ones(1))  # waits for a rank that will not come


def die(folder: str) -> None:
    Path(folder, f"{group.number()}.pid").write_text(str(os.getpid()))
    if group.number() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    gather(torch.ones(1))


def hang() -> None:
    time.sleep(600)


def ended(folder: Path) -> bool:
    return all(not Path("/proc", path.read_text()).exists() for path in folder.glob("*.pid"))


def test_ranks_meet_at_a_port_of_the_systems_choice_and_at_another_where_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        ports = [taken.getsockname()[1], launch.free_port()]
        monkeypatch.setattr(launch, "free_port", lambda: ports.pop(0))
        launch.launch(f"{HERE}:greet", {"folder": str(tmp_path)}, TWO, threads=1, seconds=120)
    assert not ports  # the second one was the system's choice
    assert [(tmp_path / f"{n}.txt").read_text() for n in (0, 1)] == ["0 of 2, 42, 1", "1 of 2, 42, 1"]


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as taken:
        taken.bind((launch.ADDRESS, 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("MASTER_PORT", str(port))
        with pytest.raises(OSError, match=f"^MASTER_PORT={port}: expected a free port on 127.0.0.1"):
            launch.launch(f"{HERE}:hang", {}, TWO)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_error_is_the_one_that_is_shown(tmp_path: Path, rank: int):
    started = time.monotonic()
    with pytest.raises(RankError, match=f"^rank {rank} of 2: scan {rank} is bad$"):
        launch.launch(f"{HERE}:fail", {"folder": str(tmp_path), "rank": rank}, TWO)
    assert time.monotonic() - started < 60 and ended(tmp_path)


def test_a_killed_rank_ends_all(tmp_path: Path):
    started = time.monotonic()
    with pytest.raises(RankError, match=r"^rank 1 of 2 was ended by SIGKILL \(for lack of memory, or by hand\) after"):
        launch.launch(f"{HERE}:die", {"folder": str(tmp_path)}, TWO)
    assert time.monotonic() - started < 60 and ended(tmp_path)


def test_too_long_is_an_error():
    with pytest.raises(RankError, match="^expected an end within 1 s; 1 ranks were at work and were stopped"):
        launch.launch(f"{HERE}:hang", {}, Devices("cpu", 1, 1), seconds=1)


def test_what_there_is_is_taken(monkeypatch: pytest.MonkeyPatch):
    cores = usable_cores()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for said in (None, "cpu", "1"):
        assert launch.find_devices(said) == Devices("cpu", 1, cores)
    assert launch.find_devices(f"cpu:{cores}").ranks == cores
    assert launch.find_devices(str(cores + 1), oversubscribe=True).oversubscribed
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert launch.find_devices(None) == launch.find_devices("cuda") == Devices("cuda", 4, 4)
    assert launch.find_devices("2") == launch.find_devices("cuda:2") == Devices("cuda", 2, 4)
    assert launch.find_devices("cpu").ranks == 1


def test_what_there_is_not_is_said(monkeypatch: pytest.MonkeyPatch):
    cores = usable_cores()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ValueError, match="^DEVICES=cuda:2: expected a CUDA device, found none.*CUDA_VISIBLE_DEVICES=$"):
        launch.find_devices("cuda:2")
    message = f"^DEVICES={cores + 1}: expected at most the {cores} cores there are, got {cores + 1}$"
    with pytest.raises(ValueError, match=message):
        launch.find_devices(str(cores + 1))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="^DEVICES=3: expected at most the 2 CUDA devices there are, got 3$"):
        launch.find_devices("3", oversubscribe=True)


TORCHRUN = {
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node0",
    "MASTER_PORT": "29400",
}  # fmt: skip
SLURM = {
    "SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4", "SLURM_LOCALID": "1", "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_STEP_NODELIST": "gpu[07-08]", "SLURM_JOB_ID": "1234567",
}  # fmt: skip


def test_ranks_of_torchrun_and_slurm_are_taken_as_given():
    assert group.given_rank({}) is None
    assert group.given_rank({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None  # no srun
    assert group.given_rank(TORCHRUN) == (3, 4, 1, 2, "node0", 29400)
    assert group.given_rank(SLURM) == (3, 4, 1, 2, "gpu07", 19567)
    assert group.given_rank(SLURM | {"MASTER_ADDR": "other", "MASTER_PORT": "29999"})[4:] == ("other", 29999)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"RANK": "4"}, "got 4 of 4, 1 of 2"),
        ({"RANK": "first"}, "got RANK=first"),
        ({"MASTER_ADDR": ""}, "got MASTER_ADDR="),
        ({"WORLD_SIZE": "5"}, "as many on every machine, got 3 of 5"),
    ],
)
def test_ranks_that_cannot_be_are_refused(wrong: dict, said: str):
    with pytest.raises(ValueError, match=f"^ranks: expected .*{said}"):
        group.given_rank(TORCHRUN | wrong)


def test_ranks_that_torchrun_starts_meet_where_it_says(tmp_path: Path):
    environ = {name: value for name, value in os.environ.items() if name not in TORCHRUN}
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*start, "-m", HERE, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=environ | {"OMP_NUM_THREADS": "1"}, check=True, timeout=300)
    assert [(tmp_path / f"{n}.txt").read_text() for n in (0, 1)] == ["0 of 2, 42, 1", "1 of 2, 42, 1"]


if __name__ == "__main__":  # a rank of the test above
    with group.group(group.given_rank(), "cpu"):
        greet(sys.argv[1])
