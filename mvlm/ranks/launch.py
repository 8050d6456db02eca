"""Several processes, the ranks, for one training: which devices there are, and a clean start and end of all of them.

`launch` starts them, each as `python -m mvlm.ranks.launch MODULE:FUNCTION ARGUMENTS.json DEVICE`. Where `torchrun` or
`srun` start them instead, it is they who give ranks, addresses and ports (`mvlm.ranks.group.given_rank`). A notebook
calls `launch` and never opens a process group itself: a kernel that has run threads cannot be forked, and holds devices
for as long as it is open.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, NoReturn

from mvlm.cache.files import write_text
from mvlm.cache.workers import follow
from mvlm.settings import ROOT, usable_cores

ADDRESS = "127.0.0.1"  # ranks that `launch` starts are on one machine
ATTEMPTS = 3  # at a port, which may be taken between its choice and its use
LOOK = 0.1  # seconds between looks at the ranks
GRACE = 5.0  # seconds in which the others may say what they met after one has failed, and again in which they may end
# Freed memory stays with a rank: else the kernel clears new memory for the activations of every step, a fifth of its
# time on a processor, and ranks hold one another up at it. Names of glibc's; what the user has set comes before.
KEEPING = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**33)}
REPORTS = "MVLM_RANKS"  # the folder in which ranks say why they failed


class RankError(RuntimeError):
    """A rank failed; the message is that of the first that did."""


class Devices(NamedTuple):
    """What a training runs on.

    Attributes:
        device: "cuda" or "cpu".
        ranks: processes, one to a device; on the processor, of gloo.
        devices: CUDA devices or cores there are.
    """

    device: str
    ranks: int
    devices: int

    @property
    def oversubscribed(self) -> bool:
        """Whether there are more ranks than devices for them."""
        return self.ranks > self.devices


def find_devices(devices: str | None, *, oversubscribe: bool = False) -> Devices:
    """What `DEVICES` asks for: all CUDA devices by default, and where there is none, the processor as one rank.

    Args:
        devices: "2", "cuda", "cuda:2", "cpu", "cpu:2", or None.
        oversubscribe: allow more ranks than cores. Two ranks never share a CUDA device: NCCL refuses it.

    Raises:
        ValueError: no such device, or fewer than were asked for.
    """
    import torch

    kind, _, number = (devices or "").partition(":")
    if kind.isdecimal():
        kind, number = "", kind
    there = torch.cuda.device_count()
    if kind == "cuda" and not there:
        built = "" if torch.version.cuda else "; this torch is built without CUDA"
        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = "" if seen is None else f"; CUDA_VISIBLE_DEVICES={seen}"
        raise ValueError(f"DEVICES={devices}: expected a CUDA device, found none{built}{hidden}")
    kind = kind or ("cuda" if there else "cpu")
    most = there if kind == "cuda" else usable_cores()
    ranks = int(number) if number else (there if kind == "cuda" else 1)
    if ranks > most and (kind == "cuda" or not oversubscribe):
        what = "CUDA devices" if kind == "cuda" else "cores"
        raise ValueError(f"DEVICES={devices}: expected at most the {most} {what} there are, got {ranks}")
    return Devices(kind, ranks, most)


def free_port() -> int:
    """A port that nobody listens on, chosen by the system."""
    with socket.socket() as listener:
        listener.bind((ADDRESS, 0))
        return listener.getsockname()[1]


def launch(
    function: str,
    arguments: Mapping[str, object],
    planned: Devices,
    *,
    threads: int | None = None,
    seconds: float | None = None,
) -> None:
    """Run `function(**arguments)` on the ranks of these devices, each a process of its own, and wait for all of them.

    The progress of rank 0 comes to standard error. If a rank fails or is killed, the others are stopped and the first
    failure is raised; on an interrupt all are stopped. A port is bound by the system, and another one if it was taken
    meanwhile; `MASTER_PORT`, if it is set, is taken at its word.

    Args:
        function: "module:name"; called with the arguments, which JSON can hold, inside the process group.
        arguments: by name.
        planned: of `find_devices`.
        threads: of each rank; None shares the cores out.
        seconds: after which all is stopped.

    Raises:
        RankError: a rank failed, or all took too long.
        OSError: the port that `MASTER_PORT` names is taken.
    """
    said = os.environ.get("MASTER_PORT", "")
    if said and not _is_free(said):
        raise OSError(f"MASTER_PORT={said}: expected a free port on {ADDRESS}; without MASTER_PORT one is found")
    cores = {"OMP_NUM_THREADS": str(threads or max(1, usable_cores() // planned.ranks))}
    for attempt in range(1, ATTEMPTS + 1):
        with tempfile.TemporaryDirectory(prefix="mvlm-ranks-") as folder:
            path = Path(folder, "arguments.json")
            path.write_text(json.dumps(arguments), encoding="utf-8")
            port = said or str(free_port())
            failure = _run([function, str(path)], planned, {"MASTER_PORT": port, **cores}, Path(folder), seconds)
        if failure is None:
            return
        if said or attempt == ATTEMPTS or "MASTER_PORT=" not in failure:
            raise RankError(failure)


def _is_free(port: str) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, int(port)))
        except (OSError, ValueError, OverflowError):
            return False
    return True


def _run(
    command: list[str], planned: Devices, environ: Mapping[str, str], folder: Path, seconds: float | None
) -> str | None:
    """Starts the ranks and waits; what the first failure was, or None."""
    processes: list[subprocess.Popen] = []
    failed: dict[int, int] = {}  # exit statuses by rank, in the order they were seen

    def working() -> bool:
        for rank, process in enumerate(processes):
            if process.poll() not in (None, 0):
                failed.setdefault(rank, process.returncode)
        return any(process.returncode is None for process in processes)

    started, until = time.monotonic(), None
    try:
        for rank in range(planned.ranks):
            processes.append(_start(command, planned, environ, folder, rank))
        while working() and (until is None or time.monotonic() < until):
            if failed and until is None:
                until = time.monotonic() + GRACE
            if seconds is not None and time.monotonic() > started + seconds and not failed:
                return f"expected an end within {seconds:g} s; {planned.ranks} ranks were at work and were stopped"
            time.sleep(LOOK)
    finally:
        _stop(processes)
    return _first(failed, planned, folder, time.monotonic() - started) if failed else None


def _start(
    command: list[str], planned: Devices, environ: Mapping[str, str], folder: Path, rank: int
) -> subprocess.Popen:
    own = {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(planned.ranks),
        "LOCAL_WORLD_SIZE": str(planned.ranks),
        "MASTER_ADDR": ADDRESS,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it sums on CUDA are not repeatable
        REPORTS: str(folder),
    }
    with (folder / f"{rank}.txt").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "mvlm.ranks.launch", *command, planned.device],
            cwd=ROOT,
            env=KEEPING | os.environ | own | environ,
            stdin=subprocess.DEVNULL,
            stderr=None if rank == 0 else said,
            start_new_session=True,  # so that its loaders end with it
        )


def _stop(processes: list[subprocess.Popen]) -> None:
    """Ends every rank that is left, with the processes it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, number)
        until = time.monotonic() + GRACE
        while any(process.poll() is None for process in processes) and time.monotonic() < until:
            time.sleep(LOOK)


def _first(failed: Mapping[int, int], planned: Devices, folder: Path, seconds: float) -> str:
    """What failed first. A killed rank says nothing; those that then lose it do, so it comes before them."""
    of = f"of {planned.ranks}"
    killed = [rank for rank, status in failed.items() if status < 0]
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.report"))]
    if killed:
        name = signal.Signals(-failed[killed[0]]).name
        why = " (for lack of memory, or by hand)" if name == "SIGKILL" else _said(folder, killed[0])
        return f"rank {killed[0]} {of} was ended by {name}{why} after {seconds:.0f} s; the other ranks were stopped"
    if not reports:
        rank, status = next(iter(failed.items()))
        return f"rank {rank} {of} ended with status {status}{_said(folder, rank)}"
    first = min(reports, key=lambda report: report["time"])
    return f"rank {first['rank']} {of}: {first['message']}"


def _said(folder: Path, rank: int) -> str:
    """The last lines that a rank wrote to standard error, in brackets; those of rank 0 were shown."""
    lines = (folder / f"{rank}.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    return f" ({' '.join(lines[-3:])})" if lines else ""


def main(arguments: list[str]) -> NoReturn:
    """Be a rank: run FUNCTION with the ARGUMENTS of a JSON file inside the process group of all ranks, and end."""
    function, path, device = arguments
    folder = Path(os.environ[REPORTS])
    threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()
    try:
        import torch

        from mvlm.ranks.group import given_rank, group

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        module, _, name = function.partition(":")
        call = getattr(import_module(module), name)
        with group(given_rank(), device):
            call(**json.loads(Path(path).read_text(encoding="utf-8")))
    except Exception as error:
        explained = isinstance(error, (ValueError, OSError))  # bad input explains itself
        message = str(error) if explained else traceback.format_exc()
        said = {"rank": int(os.environ["RANK"]), "time": time.time(), "message": message}
        write_text(folder / f"{said['rank']}.report", json.dumps(said))
        sys.stderr.flush()
        os._exit(1)  # a farewell would wait for the others
    # Threads of the closed group can abort a process that takes itself down in order: all is written, so leave at once.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
