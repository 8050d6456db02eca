"""The process beside the page: in turn, in time, in its room, and alive after whatever a task does to it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mvlm.app.worker import WAITING, Refused, Worker
from mvlm.settings import ROOT

ROOM = 2**29


def nothing() -> None:
    pass


def unready() -> None:
    raise ValueError("MODEL=x: no such model")


def size(data: bytes) -> int:
    return len(data)


def process() -> int:
    return os.getpid()


def resident() -> int:
    """kB of memory in use."""
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])


def fail(error: BaseException) -> None:
    raise error


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker(nothing, room=ROOM)
    yield made
    made.stop()


def test_one_process_does_all_and_says_when_it_is_ready(worker: Worker):
    first = worker.ask(process)
    assert worker.loaded and worker.pid == first == worker.ask(process) != os.getpid()


def test_errors_of_tasks_are_words(worker: Worker):
    before = worker.ask(process)
    with pytest.raises(Refused, match="^a.obj, line 1: expected numbers$"):
        worker.ask(fail, ValueError("a.obj, line 1:\n expected numbers"))
    with pytest.raises(Refused, match="No space left on device; nothing is left half written"):
        worker.ask(fail, OSError(28, "No space left on device"))
    with pytest.raises(Refused, match="a fault of the program"):
        worker.ask(fail, KeyError("x"))
    with pytest.raises(Refused, match="more memory than the page allows"):
        worker.ask(np.ones, 2 * ROOM // 8)
    assert worker.ask(process) == before


def test_a_task_that_takes_too_long_or_ends_the_process_costs_a_sentence(worker: Worker):
    with pytest.raises(Refused, match="^This took longer than 0.2 seconds, and was given up.$"):
        worker.ask(time.sleep, 60, seconds=0.2)
    with pytest.raises(Refused, match="broke down over this, and starts anew"):
        worker.ask(os._exit, 1)
    before = worker.ask(process)
    os.kill(before, 9)
    worker._process.join(10)  # it is gone before anybody asks
    assert worker.ask(process) != before


def test_two_at_once_both_get_their_answers_and_a_crowd_is_told_to_wait(worker: Worker):
    answers, refused = [], []

    def ask(number: int) -> None:
        try:
            worker.ask(time.sleep, 0.2)
            answers.append(number)
        except Refused as error:
            refused.append(str(error))

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(WAITING + 2)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(answers) == WAITING
    assert refused == ["Too many are waiting for an answer; please try again in a minute."] * 2


def test_what_cannot_get_ready_says_why_to_everyone(capsys: pytest.CaptureFixture):
    made = Worker(unready)
    for _ in range(2):
        with pytest.raises(Refused, match="MODEL=x: no such model"):
            made.ask(process)
    assert not made.loaded and made.pid is None and made.failed == "MODEL=x: no such model"
    made._warm()
    assert "MODEL=x: no such model" in capsys.readouterr().err


def test_two_hundred_uploads_leave_its_memory_flat(worker: Worker):
    upload = bytes(2**20)

    def hundred() -> int:
        assert {worker.ask(size, upload) for _ in range(100)} == {2**20}
        return worker.ask(resident)

    first, second = hundred(), hundred()
    assert second - first < 2000  # kB, of the 100,000 that were sent


def test_a_server_that_ends_waits_for_no_task():
    code = (
        "import threading, time\nfrom mvlm.app.worker import Worker\nfrom tests.app.test_worker import nothing\n"
        "worker = Worker(nothing)\nworker.ask(nothing)\n"
        "threading.Thread(target=worker.ask, args=(time.sleep, 1000), kwargs={'seconds': 1000}).start()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0 and "was given up" in ended.stderr
