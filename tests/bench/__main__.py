"""`make bench`: all topics as a table, and as runs/bench.csv; ends with 1 if a bound does not hold."""

from __future__ import annotations

import csv
import os
import sys
from importlib import import_module

from tqdm import tqdm

from mvlm.settings import ROOT
from tests.bench import Row

TOPICS = ["readers", "views", "pooling", "losses", "engine", "identity", "page"]
FORM = "{:44} {:>10} {:>10}  {:40} {:>6} {:>6}  {}"


def main() -> int:
    rows: list[Row] = []
    for topic in tqdm(TOPICS, desc="bench", unit="topic"):
        rows.extend(import_module(f"tests.bench.{topic}").measure())
    print(FORM.format("what", "ours, ms", "peer, ms", "peer", "ratio", "bound", ""))
    for row in rows:
        bound = "" if row.bound is None else f"{row.bound:.2f}"
        print(FORM.format(row.what, f"{1e3 * row.ours:.2f}", f"{1e3 * row.theirs:.2f}", row.peer, f"{row.ratio:.2f}",
                          bound, "" if row.holds else "TOO SLOW"))
    target = ROOT / "runs" / "bench.csv"
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_suffix(".part")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*Row._fields, "ratio"])
        writer.writerows([*row, row.ratio] for row in rows)
    os.replace(temporary, target)
    return int(not all(row.holds for row in rows))


if __name__ == "__main__":
    sys.exit(main())
