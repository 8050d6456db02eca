"""Many runs elsewhere, and at once: SCHEDULER= gives the same records, and so do two commands on one folder.

More than 20 s: a cluster and two commands, whose workers import torch and Lightning.
"""

import os
import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest

import mvlm.settings
from mvlm.cache import workers
from mvlm.labels.naming import Prompts
from mvlm.prompts import prompts_for
from mvlm.settings import Settings
from mvlm.study import plan, runs
from mvlm.study.embeddings import Embedded

WIDTH, COPIES = 16, 4


pytestmark = pytest.mark.usefixtures("light")


@pytest.fixture(scope="module")
def address(light: None, forks: ForkServerContext) -> Iterator[str]:  # noqa: ARG001
    """A scheduler of this machine with two workers, processes of one thread each."""
    import dask
    from distributed import LocalCluster

    quick = {"distributed.worker.multiprocessing-method": "forkserver", "distributed.worker.profile.enabled": False}
    workers_ = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        dask.config.set(quick),
        LocalCluster(**workers_, host="127.0.0.1", dashboard_address=None, silence_logs=50) as cluster,
    ):
        yield cluster.scheduler_address


def embeddings_in(folder: Path):
    """In place of a model's: every emotion has its direction, every sample its noise."""

    def embedded(part: plan.Experiment, _chosen: Settings, _film: str = "image") -> tuple[Embedded, Prompts]:
        rng, samples = np.random.default_rng(0), part.samples
        emotions = part.benchmark.emotions
        towards = rng.normal(size=(len(emotions), WIDTH))[[emotions.index(e) for e in samples.emotions]]
        noise = rng.normal(size=(COPIES, len(samples), 3, WIDTH))
        file = folder / f"{part.benchmark.name}.npy"
        np.save(file, (2 * towards[:, None] + noise).astype(np.float32))
        rows = np.arange(len(samples))
        _, classes = prompts_for(emotions)
        text = rng.normal(size=(len(classes), WIDTH))
        return Embedded(file, rows, samples.names, samples.subjects, samples.emotions), Prompts(text, classes, 0.07)

    return embedded


def test_a_scheduler_gives_the_same_records(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(runs, "embedded", embeddings_in(tmp_path))
    made = {}
    for place, scheduler in (("here", None), ("there", address)):
        monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path / place)
        settings = Settings(profile="smoke", jobs=1 if scheduler is None else 2, scheduler=scheduler)
        frame = runs.run(("BU-4DFE",), ("baseline", "pairs"), settings, seeds=(0,))
        made[place] = {path.name: path.read_bytes() for path in (tmp_path / place / "records").iterdir()}
    assert len(frame) == 4 and frame["weights"].nunique() == 2
    assert made["here"] == made["there"] and len(made["here"]) == 4


def made_by_hand(folder: str, own: str) -> None:
    """The same small plan, in a process of its own, its records in a folder that others write to."""
    workers.LIBRARIES = ()
    mvlm.settings.RUNS = Path(folder)
    runs.embedded = embeddings_in(Path(own))
    runs.run(("BU-4DFE",), ("baseline", "pairs"), Settings(profile="smoke", jobs=1), seeds=(0,))


def test_two_commands_at_once_do_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forks: ForkServerContext):
    own = [tmp_path / name for name in "abc"]
    for folder in own:
        folder.mkdir()
    monkeypatch.setattr(runs, "embedded", embeddings_in(own[0]))
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path / "one")
    runs.run(("BU-4DFE",), ("baseline", "pairs"), Settings(profile="smoke", jobs=1), seeds=(0,))
    both = [forks.Process(target=made_by_hand, args=(str(tmp_path / "two"), str(folder))) for folder in own[1:]]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / n / "records").iterdir()} for n in ("one", "two"))
    assert one == two and len(one) == 4


def process_of(_item: int) -> int:
    return os.getpid()


def dies_once(item: tuple[int, Path]) -> int:
    """Twice the number; the first worker to be given 3 kills itself."""
    number, mark = item
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def test_the_work_is_done_over_there_and_outlives_a_worker(address: str, tmp_path: Path):
    with workers.on(address):
        where = set(workers.each(process_of, range(8), jobs=2, title="where"))
        assert os.getpid() not in where
        items = [(number, tmp_path / "died") for number in range(6)]
        assert list(workers.each(dies_once, items, jobs=2, title="work")) == list(range(0, 12, 2))
    assert (tmp_path / "died").exists()
