"""Who runs what, and what the whole suite shares: ranks, real processes that are started once, and a small tower.

Two workers share the suite (`make test`), each test file whole, so that nothing of a module is made twice. What owns
processes (ranks, pools, a cluster, kernels) is one group on one worker, and so there is one pool of ranks; what looks
at the page in a browser is another, and so there is one server. The longest come first, so that the workers end
together. No test depends on the order.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import pickle
import traceback
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app.browser import NO_BROWSER

if TYPE_CHECKING:
    from xdist.remote import Producer

    from mvlm.ranks.launch import Devices

TESTS = Path(__file__).parent
MOST, SECONDS = 4, 300
PROCESSES = """study/test_full_profile ranks/test_launch training/test_towers cache/test_scheduler
    study/items/test_fig4_fig5 cache/test_workers publish/test_crash ranks/test_gather publish/test_notebooks
    bench/test_gpu study/test_identity_methods study/items/test_fig7 app/test_worker""".split()
# What processes of the tests' own begin with; DDP needs the first.
PRELOADED = """torch._dynamo mvlm.training.towers open_clip distributed mvlm.study.runs sklearn.linear_model""".split()
LONGEST = ("publish/test_committed_notebooks", "processes")
WORKERS: dict[str, set[str]] = {}  # who did each group, as the one process knows that hands out the work


def group(nodeid: str) -> str:
    """What one worker does alone: a file of tests, or all that own processes, or all that use the browser."""
    name = nodeid.partition("::")[0].removeprefix("tests/").removesuffix(".py")
    return "browser" if name.startswith("app/test_browser") else "processes" if name in PROCESSES else name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: group(item.nodeid) not in LONGEST)  # stable: the others stay in their order


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer):
    """By `group`. Those of xdist 3.8 itself, written into the ids of tests, are lost on pytest 9.2 without a word."""
    from xdist.scheduler import LoadScopeScheduling

    class Grouped(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    config.option.loadscopereorder = False  # in the order of the items, not by how many there are
    return Grouped(config, log)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if (worker := getattr(report, "worker_id", None)) is not None:
        WORKERS.setdefault(group(report.nodeid), set()).add(worker)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _split():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _split() -> list[str]:
    """Groups that two workers did, each with fixtures of its own."""
    return [name for name, workers in WORKERS.items() if len(workers) > 1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all that were skipped for lack of a browser, and one for groups that fell apart."""
    if split := _split():
        terminalreporter.write_line(f"expected one worker for each group, found two for {', '.join(split)}", red=True)
    skipped = [of for of in terminalreporter.stats.get("skipped", ()) if NO_BROWSER in str(of.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests of the page in a browser skipped: {NO_BROWSER}")


class Ranks:
    """Up to `MOST` processes, each of which runs what it is given inside a process group of gloo."""

    def __init__(self, folder: Path, context: ForkServerContext):
        self.folder, self.tasks, self.pipes = folder, 0, []
        for rank in range(MOST):
            ours, theirs = context.Pipe()
            context.Process(target=_work, args=(rank, theirs), daemon=True).start()
            theirs.close()  # a rank that dies ends its pipe
            self.pipes.append(ours)

    def run(self, function, *arguments, size: int) -> list:
        """`function(*arguments)` on `size` ranks at once; what each returned, by rank. An error of any is raised."""
        self.tasks += 1
        task = pickle.dumps((function, arguments, size, self.folder / str(self.tasks)))
        for pipe in self.pipes[:size]:
            pipe.send_bytes(task)
        returned = []
        for rank, pipe in enumerate(self.pipes[:size]):
            assert pipe.poll(SECONDS), f"rank {rank} of {size} is silent"
            returned.append(pickle.loads(pipe.recv_bytes()))
        errors = [value for failed, value in returned if failed]
        assert not errors, "\n".join(errors)
        return [value for _, value in returned]

    def launch(self, function: str, told: dict, planned: Devices, *, threads: int = 1) -> None:
        """In place of `mvlm.ranks.launch.launch`, whose ranks would import torch first."""
        assert threads == 1  # as in the pool
        module, _, name = function.partition(":")
        call = partial(getattr(import_module(module), name), **json.loads(json.dumps(told)))
        self.run(call, size=planned.ranks)


def _work(rank: int, pipe: Connection) -> None:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    while True:
        try:
            function, arguments, size, meet = pickle.loads(pipe.recv_bytes())
        except EOFError:  # the suite is over
            return
        timeout = timedelta(seconds=SECONDS / 2)
        dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=size, timeout=timeout)
        try:
            answer = False, function(*arguments)
        except Exception:
            answer = True, f"rank {rank}: {traceback.format_exc()}"
        dist.destroy_process_group()
        pipe.send_bytes(pickle.dumps(answer))


@pytest.fixture(scope="session")
def forks() -> ForkServerContext:
    """Processes that need not import what takes seconds: it is there before they fork."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()  # whoever sets another list comes too late
    return context


@pytest.fixture(scope="session")
def ranks(tmp_path_factory: pytest.TempPathFactory, forks: ForkServerContext) -> Iterator[Ranks]:
    """A pool that `run`s functions of test modules on 1 to `MOST` ranks."""
    pool = Ranks(tmp_path_factory.mktemp("ranks"), forks)
    yield pool
    for pipe in pool.pipes:
        pipe.close()


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A vision transformer of open_clip's that is small enough for a test, with random weights: its model name."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    tower = {"layers": 2, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 32}
    text = {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    parts = {"embed_dim": 24, "vision_cfg": tower, "text_cfg": text}
    folder = tmp_path_factory.mktemp("tiny-vit")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": parts, "preprocess_cfg": {}}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        clip = open_clip.model.CLIP(24, tower, text)
    save_file({name: value.clone() for name, value in clip.state_dict().items()}, folder / "model.safetensors")
    return f"local-dir:{folder}"


@pytest.fixture(scope="module")
def drawn_once() -> Iterator[None]:
    """Who is in each twin and what they do, drawn once for a whole module; usually a few at a time are kept."""
    from mvlm.twins import rosters, twin

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_person", "_recording"):
            patch.setattr(twin, name, functools.cache(getattr(twin, name).__wrapped__))
        for name in ("scans", "sequences"):
            patch.setattr(rosters, name, functools.cache(getattr(rosters, name)))
        yield


@pytest.fixture(scope="module")
def few_draws() -> Iterator[None]:
    """Intervals by a bootstrap of a few hundred draws: there, and about right, in tests that ask for no more."""
    from mvlm.measures import statistics, unweighted

    with pytest.MonkeyPatch.context() as patch:
        for module in (statistics, unweighted):
            patch.setattr(module, "DRAWS", 400)
        yield
