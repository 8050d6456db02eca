"""Many like tasks on a few processes: one pool, one thread each, a progress bar, a word on the cost of long work."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from mvlm.machine import expect_ray_caster

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

SAID_FROM = 60.0  # seconds of work from which its cost is said
PARENT_LOOK = 2.0  # seconds between a worker's looks for its parent
LIBRARIES = ("open3d", "torch", "open_clip", "sklearn.linear_model")


class WorkerDiedError(ChildProcessError):
    """The worker on one item died, and so did the one that tried again; `item` is that item."""

    def __init__(self, title: str, item: object):
        super().__init__(f"{title}: a worker process died, and another on the same work; most often for lack of memory")
        self.item = item


def each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    jobs: int,
    title: str,
    cost: str = "",
) -> Iterator[Result]:
    """Results of `function` for each item, in the order of the items, computed on worker processes.

    The pool is joblib's own, which outlives the call and serves the next one; a joblib configuration around the call
    (see `on`) takes its place. With one job the work is done here. The first items, one for each job, come
    ahead: if they say that all will take more than a minute, the estimate is printed before the rest starts.

    A worker that dies (killed, or out of memory) takes the others' unfinished work with it; all of that is done again.

    Args:
        function: picklable, of one item.
        items: things to work on, of about equal cost.
        jobs: worker processes.
        title: of the progress bar.
        cost: what else the work takes, for the estimate, such as "2,400 scans, 0.1 GB".

    Raises:
        WorkerDiedError: a worker died on an item twice, the second time with nothing else to do.
        MachineError: a library of the system is missing where a task was to run.
    """
    import joblib
    from tqdm import tqdm

    # After an error in a task, which is said in words, the pool would add this of its own.
    warnings.filterwarnings("ignore", message=r"\d+ tasks which were still being processed", category=UserWarning)

    def run(chosen: Iterable[Item]) -> Iterator[tuple[Result, float]]:
        begin = {"initializer": _start, "initargs": (LIBRARIES, os.getpid())}  # of joblib's own pool alone
        pool = joblib.Parallel(n_jobs=jobs, return_as="generator", **begin)
        return pool(joblib.delayed(_timed)(function, item) for item in chosen)

    with tqdm(total=len(items), desc=title, disable=None) as bar:
        spent = 0.0
        for number, (result, seconds) in enumerate(_lasting(run, items, jobs, title), start=1):
            spent += seconds
            left = spent / number * (len(items) - number) / jobs
            if number == jobs and left > SAID_FROM:
                tqdm.write(", ".join(filter(None, [f"{title}: about {left / 60:.0f} min", cost])))
            bar.update()
            yield result


@contextmanager
def on(scheduler: str | None) -> Iterator[None]:
    """Sends the work of `each` to a running Dask scheduler; None leaves it on this machine.

    Raises:
        ImportError: `distributed` is not installed.
    """
    if scheduler is None:
        yield
        return
    import joblib

    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(f"SCHEDULER={scheduler} needs the package distributed: pip install distributed") from error
    with Client(scheduler), joblib.parallel_config(backend="dask"):
        yield


def _lasting(
    run: Callable[[Sequence[Item]], Iterator[Result]], items: Sequence[Item], jobs: int, title: str
) -> Iterator[Result]:
    """Results of `run` in the order of the items, the first `jobs` of them ahead, beyond the death of a worker.

    A broken pool does not tell whose worker died. So the next item then has a pool to itself: if it comes through, the
    rest follows; if not, it is the one.
    """
    done, alone = 0, False
    while done < len(items):
        chosen = items[done : done + 1] if alone else items[done:] if done else items[:jobs]
        try:
            for result in run(chosen):
                done += 1
                yield result
        except _deaths() as error:
            if alone:
                raise WorkerDiedError(title, items[done]) from error
            alone = True
        else:
            alone = False


def _deaths() -> tuple[type[Exception], ...]:
    """What a pool raises when a worker died; Dask tries elsewhere first, a few times."""
    scheduler = sys.modules.get("distributed.scheduler")
    return (BrokenExecutor, scheduler.KilledWorker) if scheduler else (BrokenExecutor,)


def _start(libraries: Sequence[str], parent: int) -> None:
    """Imports, as a worker starts, what work of any kind needs.

    The pool takes a worker that grows by 300 MB after its first task for a leaking one and starts another: the first
    import of torch would be that. And an estimate should not count imports.
    """
    threading.Thread(target=follow, args=(parent,), daemon=True).start()
    for library in libraries:
        with suppress(ImportError, OSError):  # the first task says it, in words
            import_module(library)


def follow(parent: int) -> None:
    """Ends this process soon after its parent was killed; nobody else would, and each holds more than a gigabyte."""
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK)
    os._exit(1)


def _timed(function: Callable[[Item], Result], item: Item) -> tuple[Result, float]:
    expect_ray_caster()  # a task that reads scans would call each of them bad
    started = time.perf_counter()
    with _pools(len(sys.modules)).limit(limits=1):
        return function(item), time.perf_counter() - started


@lru_cache(maxsize=1)
def _pools(modules: int) -> ThreadpoolController:  # noqa: ARG001
    """The libraries with threads of their own; the search for them takes some ms, so it is made again after imports."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
