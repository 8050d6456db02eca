"""The crash test itself, on a small command: it kills, compares, and tells a command that does not take up its work."""

import sys
from pathlib import Path

import pytest

from mvlm.settings import ROOT
from tests.crash import NEEDED, copied, crash, products

STEPS = """
import time
from pathlib import Path
from mvlm.cache.files import write
for number in range(5):
    record = Path(f"runs/records/{number}.json")
    if not record.is_file():
        time.sleep(0.3)
        write(record, lambda file: file.write(b"[1]"))
result = Path("runs/results/t.csv")
write(result, lambda file: file.write(RESULT))
"""
# Counts its own starts, as a command would that appends where it should replace.
COUNTS = """
from pathlib import Path
count = Path("runs/count")
count.parent.mkdir(exist_ok=True)
with count.open("ab") as file:
    file.write(b"x")
"""


@pytest.mark.parametrize(("code", "differs"), [
    (STEPS.replace("RESULT", "b'n\\n1\\n'"), False),
    (COUNTS + STEPS.replace("RESULT", "count.read_bytes()"), True),
])  # fmt: skip
def test_a_killed_command_ends_in_the_same_bytes_or_is_found_out(tmp_path: Path, code: str, differs: bool, capsys):
    (tmp_path / "mvlm").symlink_to(ROOT / "mvlm")
    faults = crash([sys.executable, "-c", code], tmp_path, kills=3, seed=1)
    assert bool(faults) == differs
    assert all("t.csv differs" in fault for fault in faults)
    said = capsys.readouterr().out
    assert ("two at once: the same bytes" in said) != differs
    assert said.count("\nkill ") == 3 and said.splitlines()[-1].startswith("came through after 3 kills")


def test_a_command_that_fails_is_a_fault(tmp_path: Path):
    (fault,) = crash([sys.executable, "-c", "raise SystemExit('no scans')"], tmp_path, kills=1, seed=0)
    assert fault == "undisturbed: failed: no scans"


def test_the_copy_is_the_project_without_its_caches(tmp_path: Path):
    root = copied(tmp_path)
    assert {path.name for path in root.iterdir()} == set(NEEDED)
    assert (root / "mvlm/weights/mvlm-tiny.safetensors").is_file() and not list(root.rglob("__pycache__"))
    assert products(root) == {}
