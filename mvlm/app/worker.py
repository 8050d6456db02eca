"""The one process beside the page's: it holds the model, and does what takes time, room or trust.

What a stranger uploads is read there and nowhere else. A task that takes too long, or that ends the process, costs its
asker a sentence and everybody else the seconds in which another process gets ready.
"""

from __future__ import annotations

import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from mvlm import machine
from mvlm.app.model import ready

LOADING = 600  # s that the process may take to get ready
SECONDS = 60  # s that a task may take, if it does not say
WAITING = 8  # tasks that may wait for their turn
ROOM = 4 * 2**30  # bytes that tasks may take beside what the model does
Answer = TypeVar("Answer")


class Refused(Exception):
    """What was not done, in words for the page."""


class Worker:
    """A process that does one task after another, in the order in which they are asked for; started when needed.

    Args:
        ready: called first in the process, once.
        room: bytes that the process may take beside what it has then.
    """

    def __init__(self, ready: Callable[[], object], room: int = ROOM):
        self._ready, self._room = ready, room
        self._turn, self._counting, self._waiting = threading.Lock(), threading.Lock(), 0
        self._process, self._pipe, self._loaded, self._failed = None, None, False, ""

    @property
    def failed(self) -> str:
        """Why it could not get ready when it last tried, in words."""
        return self._failed

    @property
    def loaded(self) -> bool:
        """Whether it is ready, so that a task begins at once."""
        return self._loaded

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Lets the process get ready, in the background."""
        threading.Thread(target=self._warm, daemon=True).start()

    def ask(self, task: Callable[..., Answer], *arguments: object, seconds: float = SECONDS) -> Answer:
        """What `task(*arguments)` returns in the process; `task` is a function of a module, all is pickled.

        Raises Refused, in words: what the task raised as ValueError or OSError; that it took too long or too much
        memory, or ended the process; that too many wait.
        """
        with self._in_turn():
            pipe = self._running()
            return self._answer(pipe, seconds, lambda: pipe.send((task, arguments)))

    def stop(self) -> None:
        """Ends the process; another is started when needed."""
        with self._turn:
            self._end()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with self._counting:
            if self._waiting >= WAITING:
                raise Refused("Too many are waiting for an answer; please try again in a minute.")
            self._waiting += 1
        try:
            with self._turn:
                yield
        finally:
            with self._counting:
                self._waiting -= 1

    def _warm(self) -> None:
        with self._turn:
            try:
                self._running()
            except Refused:
                print(self._failed, file=sys.stderr)

    def _running(self) -> Connection:
        if self._process is not None and not self._process.is_alive():
            self._end()
        if self._process is None:
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._ready, self._room), daemon=True)
            self._process.start()
            theirs.close()  # so that a process that dies ends the pipe
            try:
                self._answer(self._pipe, LOADING, lambda: None, again=False)
            except Refused as error:
                self._end()
                self._failed = str(error)
                raise
            self._loaded, self._failed = True, ""
        return self._pipe

    def _answer(self, pipe: Connection, seconds: float, send: Callable[[], object], *, again: bool = True) -> object:
        lost = None
        try:
            send()
            if _arrives(pipe, seconds):
                words, answer = pipe.recv()
            else:
                lost = f"This took longer than {seconds:g} seconds, and was given up."
        except (EOFError, ConnectionError):
            lost = "What reads and draws broke down over this, and starts anew."
        if lost is not None:
            self._end()
            if again and threading.main_thread().is_alive():
                self.start()
            raise Refused(lost)
        if words is not None:
            raise Refused(words)
        return answer

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process, self._pipe, self._loaded = None, None, False


def _arrives(pipe: Connection, seconds: float) -> bool:
    """Whether something does in time. A server that ends waits for its threads; then they wait for nothing more."""
    end = time.monotonic() + seconds
    while not pipe.poll(min(1.0, max(0.0, end - time.monotonic()))):
        if time.monotonic() >= end or not threading.main_thread().is_alive():
            return False
    return True


def _serve(pipe: Connection, ready: Callable[[], object], room: int) -> None:
    """The life of the process; it ends with the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the page's, whose end closes the pipe
    pipe.send(_done(ready, ()))
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + room,) * 2)
    while True:
        try:
            task, arguments = pipe.recv()
        except EOFError:
            return
        answer = _done(task, arguments)
        del arguments
        pipe.send(answer)


def _done(task: Callable[..., object], arguments: tuple) -> tuple[str | None, object]:
    """Why a task was not done, in words, or None and what it returns."""
    try:
        return None, task(*arguments)
    except (Refused, ValueError, OSError) as error:
        return " ".join((machine.reason(error) or str(error)).split()), None
    except MemoryError:
        return "This takes more memory than the page allows.", None
    except Exception:
        traceback.print_exc()
        return "This failed by a fault of the program; its terminal has the details.", None


shared = Worker(ready)
