"""The command `mvlm`, or `python -m mvlm`: one's own scans and folders of corpora, without a line of Python."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mvlm import __version__, machine, settings

SCANS = ".wrl, .obj, .bnt, .ply, or a folder of frames, which are one recording"
AFTER = """examples:
  mvlm classify scan.wrl recording/       which words fit, and a picture of why
  mvlm classify --one-person her/ him/    scans of one person in each folder, without the person
  mvlm views scan.ply --size 512          what the model looks at, larger
  mvlm check corpora/                     is this copy of a licensed corpus whole, and as published?
  mvlm app                                all of this and more as a page in the browser
  mvlm cache --prune 30                   give up what was not used for 30 days

exit status:
  0  done
  1  check found something to look at, or this machine lacks something
  2  the command line, a setting or a file is wrong; one line on standard error says what
"""
ENVIRONMENT = "The variables MODEL, PRETRAINED, CHANNEL and YAWS of the environment mean what they mean to make."


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="mvlm", description="Facial expressions in three dimensions.", epilog=AFTER, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    found.add_argument("--version", action="version", version=f"mvlm {__version__}")
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, brief: str, description: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=brief, description=description, allow_abbrev=False)
        added.add_argument("--json", action="store_true", help="print data, not prose")
        return added

    classify = command(
        "classify",
        "say which words for the expression of a scan fit",
        "Prints the probability of each emotion and writes a picture with the views, what in them speaks for the most "
        f"probable emotion, and the probabilities. {ENVIRONMENT}",
    )
    classify.add_argument("scans", nargs="+", metavar="SCAN", help=SCANS)
    classify.add_argument(
        "--one-person",
        action="store_true",
        help="the scans, or those of each folder, are of one person, who is removed before they are read: best are "
        "four or more, each with another expression",
    )
    classify.add_argument("--out", metavar="FOLDER", help="for the pictures [runs/classify]")
    check = command(
        "check", "look over a folder of licensed corpora", "Says what is there, what is not as published, what to do."
    )
    check.add_argument("folder", help="holds one or several corpora, or is one; DATA.md shows the trees")
    views = command("views", "write the views of a scan as pictures", f"Writes a PNG for each view. {ENVIRONMENT}")
    views.add_argument("scans", nargs="+", metavar="SCAN", help=SCANS)
    views.add_argument("--size", type=_size, default=256, metavar="PIXELS", help="of a side, 16 to 4096 [256]")
    views.add_argument("--out", metavar="FOLDER", help="for the pictures [runs/views]")
    cache = command("cache", "say how much runs/ holds, or make it less", "Prints files and bytes of each folder.")
    cache.add_argument(
        "--prune", type=_days, metavar="DAYS", help="first delete what of the cache was not used for so many days"
    )
    app = commands.add_parser(
        "app", help="show the live page", allow_abbrev=False,
        description=f"Starts the page and opens it in the browser; Ctrl-C ends it. {ENVIRONMENT}",
    )  # fmt: skip
    app.add_argument("--port", type=_port, help="to listen on [8501, or the next that is free]")
    app.add_argument("--address", default="127.0.0.1", help="to listen on; 0.0.0.0 lets others in [127.0.0.1]")
    app.add_argument("--no-browser", action="store_true", help="do not open it")
    return found


def main(arguments: Sequence[str]) -> int:
    """Runs a command and returns the exit status; what a command imports, which takes seconds, it alone does."""
    chosen = parser().parse_args(arguments)
    if not (settings.ROOT / "pyproject.toml").is_file():  # installed, and not a checkout: `runs/` is here
        settings.RUNS = Path.cwd() / "runs"
    if chosen.command == "check":
        from mvlm.faces.check.__main__ import main as check

        return check([chosen.folder, *(["--json"] if chosen.json else [])])
    if chosen.command == "app":
        from mvlm.app.serve import run as serve

        return serve(chosen.port, chosen.address, browser=not chosen.no_browser)
    if chosen.command == "cache":
        return _cache(chosen.prune, chosen.json)
    from mvlm.classify.command import run, show

    if chosen.command == "views":
        return show(chosen.scans, chosen.out, chosen.size, as_json=chosen.json)
    return run(chosen.scans, chosen.out, one_person=chosen.one_person, as_json=chosen.json)


def _cache(days: float | None, as_json: bool) -> int:
    from mvlm.cache.kept import Kept, prune, sizes

    try:
        gone = None if days is None else prune(settings.RUNS, days)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    kept = sizes(settings.RUNS)
    if as_json:
        told = {"runs": str(settings.RUNS), "kept": [of._asdict() for of in kept]}
        print(json.dumps(told | ({} if gone is None else {"pruned": gone._asdict()}), indent=1))
        return 0
    if gone is not None:
        print(f"given up: {gone.files:,} files, {gone.bytes / 1e6:,.1f} MB")
    together = Kept(str(settings.RUNS), sum(of.files for of in kept), sum(of.bytes for of in kept))
    for name, files, size in (*kept, together):
        print(f"{files:>9,} files {size / 1e6:>12,.1f} MB  {name}")
    return 0


def _size(said: str) -> int:
    if not (said.isdecimal() and 16 <= int(said) <= 4096):
        raise argparse.ArgumentTypeError(f"{said}: expected 16 to 4096 pixels")
    return int(said)


def _port(said: str) -> int:
    if not (said.isdecimal() and 1 <= int(said) <= 65535):
        raise argparse.ArgumentTypeError(f"{said}: expected 1 to 65535")
    return int(said)


def _days(said: str) -> float:
    try:
        return float(said)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{said}: expected a number of days") from None


def console() -> NoReturn:
    """The script `mvlm`."""
    machine.command(main, sys.argv[1:])


if __name__ == "__main__":
    console()
