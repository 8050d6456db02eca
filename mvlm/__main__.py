"""`python -m mvlm classify SCAN [SCAN ...]`: the face of the package for one's own scans."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mvlm.machine import command


def main(arguments: Sequence[str]) -> int:
    """Runs a command and returns the exit status: 2 where the input is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m mvlm", description="Facial expressions in three dimensions.", allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True)
    classify = commands.add_parser(
        "classify",
        help="say which words for the expression of a scan fit",
        description="Prints the probability of each emotion and writes a picture with the views, what in them speaks "
        "for the most probable emotion, and the probabilities. The variables MODEL, PRETRAINED, CHANNEL and YAWS of "
        "the environment mean what they mean to make.",
    )
    classify.add_argument("scans", nargs="+", metavar="SCAN", help=".wrl, .obj, .bnt, .ply, or a folder of frames")
    classify.add_argument(
        "--one-person",
        action="store_true",
        help="the scans, or those of each folder, are of one person, who is removed before they are read: best are "
        "four or more, each with another expression",
    )
    classify.add_argument("--out", metavar="FOLDER", help="for the pictures [runs/classify]")
    chosen = parser.parse_args(arguments)
    from mvlm.classify import run  # here and not above: what it brings takes seconds

    return run(chosen.scans, chosen.out, one_person=chosen.one_person)


if __name__ == "__main__":
    command(main, sys.argv[1:])
