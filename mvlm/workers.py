"""Many like tasks on a few processes: one pool, one thread each, a progress bar, a word on the cost of long work."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

SAID_FROM = 60.0  # seconds of work from which its cost is said
PARENT_LOOK = 2.0  # seconds between a worker's looks for its parent
LIBRARIES = ("open3d", "torch", "open_clip", "pytorch_lightning", "sklearn.linear_model")


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

    Args:
        function: picklable, of one item.
        items: things to work on, of about equal cost.
        jobs: worker processes.
        title: of the progress bar.
        cost: what else the work takes, for the estimate, such as "2,400 scans, 0.1 GB".
    """
    import joblib
    from tqdm import tqdm

    # After an error in a task, which is said in words, the pool would add this of its own.
    warnings.filterwarnings("ignore", message=r"\d+ tasks which were still being processed", category=UserWarning)

    def run(chosen: Iterable[Item]) -> Iterator[tuple[Result, float]]:
        pool = joblib.Parallel(n_jobs=jobs, return_as="generator", initializer=_start)
        return pool(joblib.delayed(_timed)(function, item) for item in chosen)

    with tqdm(total=len(items), desc=title, disable=None) as bar:
        spent = 0.0
        for number, (result, seconds) in enumerate(chain(run(items[:jobs]), run(items[jobs:])), start=1):
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


def _start() -> None:
    """Imports, as a worker starts, what work of any kind needs.

    The pool takes a worker that grows by 300 MB after its first task for a leaking one and starts another: the first
    import of torch would be that. And an estimate should not count imports.
    """
    threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()
    for library in LIBRARIES:
        import_module(library)


def follow(parent: int) -> None:
    """Ends this process soon after its parent was killed; nobody else would, and each holds more than a gigabyte."""
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK)
    os._exit(1)


def _timed(function: Callable[[Item], Result], item: Item) -> tuple[Result, float]:
    import threadpoolctl

    started = time.perf_counter()
    with threadpoolctl.threadpool_limits(1):
        return function(item), time.perf_counter() - started
