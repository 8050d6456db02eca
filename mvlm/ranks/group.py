"""Who the ranks are, the process group around them, and what they agree on."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

Value = TypeVar("Value")
MEETING = timedelta(minutes=5)  # within which all ranks must have come
NUMBERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
PATIENCE = timedelta(minutes=60)  # of a rank that waits for the others, which may be clustering or rendering


class Rank(NamedTuple):
    """The place of this process among all: which of how many, here and on the machine it is on, and where they meet."""

    number: int
    count: int
    local: int
    local_count: int
    address: str
    port: int


def given_rank(environ: Mapping[str, str] = os.environ) -> Rank | None:
    """The rank that `torchrun`, `srun` or `mvlm.ranks.launch` gave this process; None if nobody did.

    A batch script of SLURM that is not started by `srun` is one process, however many tasks its job has.

    Raises:
        ValueError: a part of it is missing or wrong.
    """
    if "RANK" in environ or "WORLD_SIZE" in environ:
        told = {name: environ.get(name, "") for name in (*NUMBERS, "MASTER_PORT")}
        told["LOCAL_WORLD_SIZE"] = told["LOCAL_WORLD_SIZE"] or told["WORLD_SIZE"]  # one machine, if it is not said
        told["LOCAL_RANK"] = told["LOCAL_RANK"] or told["RANK"]
        address = environ.get("MASTER_ADDR", "")
    elif environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        from lightning_fabric.plugins.environments import SLURMEnvironment

        nodes = SLURMEnvironment.resolve_root_node_address(environ.get("SLURM_STEP_NODELIST", "127.0.0.1"))
        address = environ.get("MASTER_ADDR", nodes)
        told = {
            "RANK": environ.get("SLURM_PROCID", ""),
            "WORLD_SIZE": environ["SLURM_STEP_NUM_TASKS"],
            "LOCAL_RANK": environ.get("SLURM_LOCALID", ""),
            "LOCAL_WORLD_SIZE": environ.get("SLURM_STEP_TASKS_PER_NODE", "").partition("(")[0],
            # Every rank must find the same without asking: the job's number says it.
            "MASTER_PORT": environ.get("MASTER_PORT", str(15000 + int(environ.get("SLURM_JOB_ID", "0")) % 10000)),
        }
    else:
        return None
    wrong = [f"{name}={value}" for name, value in told.items() if not value.isdecimal()]
    wrong += [] if address else ["MASTER_ADDR="]
    if wrong:
        raise ValueError(f"ranks: expected numbers and an address from torchrun or srun, got {', '.join(wrong)}")
    rank = Rank(*(int(told[name]) for name in NUMBERS), address, int(told["MASTER_PORT"]))
    if not (rank.number < rank.count and rank.local < rank.local_count and rank.count % rank.local_count == 0):
        raise ValueError(
            f"ranks: expected RANK below WORLD_SIZE, LOCAL_RANK below LOCAL_WORLD_SIZE, and as many on every machine, "
            f"got {rank.number} of {rank.count}, {rank.local} of {rank.local_count}"
        )
    return rank


def here() -> Rank:
    """The rank of this process, alone or in a process group that is open, however it was opened."""
    alone = Rank(number(), count(), number(), count(), "", 0)
    return (given_rank() or alone) if grouped() else alone


@contextmanager
def group(rank: Rank | None, device: str) -> Iterator[None]:
    """A process group of all ranks around what is done inside; nothing for a rank that is alone.

    NCCL between CUDA devices, which cannot serve the processor, and gloo there. On success all ranks leave together;
    on an error this one leaves at once, for a farewell would wait for ranks that are gone.

    Args:
        rank: of this process.
        device: "cuda" or "cpu".

    Raises:
        OSError: the port is taken, or the others did not come.
    """
    if rank is None or rank.count == 1:
        yield
        return
    os.environ |= {"MASTER_ADDR": rank.address, "MASTER_PORT": str(rank.port)}
    os.environ |= {"RANK": str(rank.number), "WORLD_SIZE": str(rank.count)}
    if device == "cuda":
        torch.cuda.set_device(rank.local)
    try:
        store, *_ = next(rendezvous("env://", timeout=MEETING))
    except (dist.DistError, RuntimeError) as error:
        if "EADDRINUSE" in str(error) or "address already in use" in str(error).lower():
            raise OSError(f"MASTER_PORT={rank.port}: expected a free port on {rank.address}, it is taken") from error
        raise OSError(
            f"rank {rank.number} of {rank.count}: expected all ranks at {rank.address}:{rank.port} within "
            f"{MEETING.seconds} s; {str(error).splitlines()[0]}"
        ) from error
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank.number, world_size=rank.count, timeout=PATIENCE)
    yield
    dist.barrier()
    dist.destroy_process_group()


def grouped() -> bool:
    """Whether this process is one of several ranks."""
    return dist.is_available() and dist.is_initialized()


def number() -> int:
    """The rank of this process, 0 if it is alone."""
    return dist.get_rank() if grouped() else 0


def count() -> int:
    """How many ranks there are, 1 without a process group."""
    return dist.get_world_size() if grouped() else 1


def from_first(compute: Callable[[], Value]) -> Value:
    """What `compute` returns on rank 0, on every rank; the others do not call it. An error there is one everywhere."""
    if not grouped():
        return compute()
    said: list = [None]
    error: Exception | None = None
    if number() == 0:
        try:
            said = [(True, compute())]
        except Exception as caught:
            error, said = caught, [(False, f"{type(caught).__name__}: {caught}")]
    dist.broadcast_object_list(said, src=0)
    done, value = said[0]
    if error is not None:
        raise error
    if not done:
        raise RuntimeError(f"rank 0: {value}")
    return value
