"""The pool: workers do not outlive a killed parent."""

import os
import subprocess
import sys
import time

from mvlm.settings import ROOT

PARENT = """
import os, signal
from mvlm import workers
workers.LIBRARIES = ()
print(*set(workers.each(lambda _: os.getpid(), range(8), jobs=2, title="")), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


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
