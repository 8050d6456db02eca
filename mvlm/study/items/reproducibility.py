"""`python -m mvlm.study.items.reproducibility`: the numbers of REPRODUCIBILITY.md, and what its script reads, anew.

The page is written by hand but for the parts between two marks, which are made from the tables in `results/`: numbers,
and words that follow from numbers. Run it after these have been made again.
"""

from __future__ import annotations

import csv
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from mvlm.cache.files import write_text
from mvlm.settings import RESULTS, ROOT, Settings
from mvlm.study.benchmarks import TABLES
from mvlm.study.items import protocol
from mvlm.study.paper.claims import VERDICTS
from mvlm.study.paper.transcripts import OURS, paper_gains

PAGE = ROOT / "REPRODUCIBILITY.md"
MARKED = re.compile(r"(<!-- made from results/: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)
RUNGS = {"pseudo-labels": "pseudo-labels are", "pairs": "alignment added is"}  # up to the full method
WAYS = ("zero-shot", "relabelled-who", "relabelled-shares")
BEYOND = ("BU-3DFE-I", "BU-4DFE", "BP4D")
Row = Mapping[str, str]


def filled(page: str, results: Path = RESULTS) -> str:
    """The page with what is between its marks made from the tables of a folder.

    Raises:
        ValueError: a part that is unknown, missing or there twice.
        FileNotFoundError: a table that is not there.
    """
    found = [name for _, name, _ in MARKED.findall(page)]
    if sorted(found) != sorted(PARTS):
        raise ValueError(f"{PAGE.name}: expected the parts {', '.join(PARTS)}, once each, found {', '.join(found)}")
    return MARKED.sub(lambda mark: f"{mark[1]}{PARTS[mark[2]](results)}\n{mark[3]}", page)


def _rows(path: Path, **chosen: str) -> list[Row]:
    """The rows of a CSV whose cells are as chosen."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if all(row[name] == value for name, value in chosen.items())]


def _one(path: Path, **chosen: str) -> Row:
    rows = _rows(path, **chosen)
    if len(rows) != 1:
        raise ValueError(f"{path.name}: expected one row with {chosen}, found {len(rows)}")
    return rows[0]


def _accuracy(row: Row, of: str = "mean") -> str:
    return f"{float(row[of]):.1f} [{float(row['low']):.1f}, {float(row['high']):.1f}]"


def _points(row: Row) -> str:
    return f"{float(row['difference']):+.1f} [{float(row['low']):+.1f}, {float(row['high']):+.1f}]"


def _sign(row: Row) -> int:
    """1 or -1 for a difference whose interval lies above or below 0, else 0."""
    return (float(row["low"]) > 0) - (float(row["high"]) < 0)


def _protocol(results: Path) -> str:
    table = results / "tables/table1.csv"
    cells = {"source": "measured", "protocol": "zero-shot", "benchmark": protocol.BENCHMARK}
    rows = [_one(table, method=method, **cells) for method in ("baseline", "centred")]
    named = " and ".join(f"{row['title']}, {_accuracy(row)}" for row in rows)
    return textwrap.fill(
        f"`python results/protocol/protocol.py` reads {rows[0]['n']} kept embeddings and gives two rows of Table I on "
        f"the twin of {protocol.BENCHMARK}: {named}.",
        120,
        break_on_hyphens=False,
    )


def _ladder(results: Path) -> str:
    cells = {"source": "measured", "protocol": "zero-shot"}
    lines, differences = [], {}
    for item, table in TABLES.items():
        path = results / f"tables/{item}.csv"
        for name in table.benchmarks:
            paper = _one(path, benchmark=name, method=OURS)["paper"]
            own = [_accuracy(_one(path, benchmark=name, method=m, **cells)) for m in ("baseline", "full", "oracle")]
            rows = _rows(path.with_stem(f"{item}-differences"), benchmark=name)
            differences[name] = {row["method"]: row for row in rows}
            apart = [_points(differences[name][method]) for method in ("full", "oracle")]
            lines.append(f"| {name} | {float(paper):.2f} | {' | '.join([*own, *apart])} |")
    heads = ("setting", "paper", "frozen", "full", "true labels", "full over frozen", "true labels over frozen")
    head = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    room = [float(of["oracle"]["difference"]) for of in differences.values() if _sign(of["oracle"]) > 0]
    right, asked = ([float(of[m]["labels_right"]) for of in differences.values()] for m in ("full", "baseline"))
    gain = paper_gains().iloc[0]
    own_gain = _points(differences[gain["benchmark"]][gain["method"]])
    told = partial(_told, differences)
    by = f", by {_range(room)} points where above" if room else ""
    note = "Accuracy in percent: the paper's on licensed corpora, ours zero-shot on twins, not to be compared with it"
    said = [
        f"**Claim 1.** Against the frozen model the full method is {told('full')}. On {gain['benchmark']}, where the "
        f"paper states a gain of {gain['qualifier']} {gain['points']} points, its twin has {own_gain}.",
        f"With true labels the same objective is {told('oracle')}{by}. Of the full method's last labels "
        f"{_range(right)} % are right; of the frozen prompts, {_range(asked)} %.",
        f"**Claim 2.** Against the frozen model {'; '.join(f'{name} {told(rung)}' for rung, name in RUNGS.items())}.",
    ]
    return "\n".join([*head, *lines, "", f"{note}.", "", *map(_bullet, said)])


def _told(differences: Mapping[str, Mapping[str, Row]], method: str) -> str:
    """In how many settings a method's interval lies above, below or around the frozen model, in words."""
    texts = []
    for sign, words in ((1, "above in"), (-1, "below in"), (0, "not told apart in")):
        names = [name for name, of in differences.items() if _sign(of[method]) == sign]
        if names:
            texts.append(f"{words} {len(names)}" + (f" ({', '.join(names)})" if sign else ""))
    return f"{', '.join(texts)} of {len(differences)} settings"


def _bullet(text: str) -> str:
    return textwrap.fill(text, 120, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    least, most = (f"{value:.0f}" for value in (found[0], found[-1]))
    return least if least == most else f"{least} to {most}"


def _times(results: Path) -> str:
    rows = _rows(results / "figures/fig5.csv", ranks="3", over="1")
    ours, theirs = ([float(row[name]) for row in rows] for name in ("speedup", "paper_speedup"))
    shared = " that shared fewer cores" if any(row["oversubscribed"] == "True" for row in rows) else ""
    return _bullet(
        f"**Claim 5.** Not tested on three GPUs. Three processes{shared} were {min(ours):.2f} to {max(ours):.2f} times "
        f"as fast as one, the paper's GPUs {min(theirs):.2f} to {max(theirs):.2f} times. That the gather between ranks "
        "leaves every gradient as it is in one process is tested ([06-ranks](notebooks/06-ranks.ipynb))."
    )


def _audit(results: Path) -> str:
    rows = _rows(results / "tables/audit.csv")
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS}
    listed = ", ".join(f"{verdict} {count}" for verdict, count in counts.items() if count)
    return _bullet(
        f"**The paper's own numbers.** {len(rows)} statements were held against them and against what it cites: "
        f"{listed} ([audit](results/tables/audit.md)). A verdict is on a wording, not on the method, nor on a result."
    )


def _beyond(results: Path) -> str:
    lines = []
    for name in BEYOND:
        cells = {"benchmark": name, "protocol": "zero-shot", "data_kind": "twin"}
        found = [_accuracy(_one(results / "tables/identity.csv", way=way, **cells), "accuracy") for way in WAYS]
        lines.append(f"{name} {' / '.join(found)}")
    half = results / "even-half/tables/even-half.csv"
    before, after = _rows(half, method="baseline", protocol="prompts"), _rows(half, method=WAYS[1], own_scans="all")
    frozen, who = (_range(float(row["mean"]) for row in rows) for rows in (before, after))
    people = _range(int(row["subjects"]) for row in before)
    return _bullet(
        "**Beyond the paper.** An embedding holds who is shown beside what, and who is known without a label. With "
        "persons removed and samples relabelled in rounds, accuracy of the frozen model / knowing who / knowing equal "
        f"shares is {'; '.join(lines)} ([identity](results/tables/identity.md)). On {people} people a set of a "
        "scan-based face model, who had shaped the procedure in trials and were read once, "
        f"{frozen} % become {who} knowing who ([even half](results/even-half/tables/even-half.md))."
    )


PARTS: dict[str, Callable[[Path], str]] = {
    "protocol": _protocol,
    "ladder": _ladder,
    "times": _times,
    "audit": _audit,
    "beyond": _beyond,
}


def main() -> int:
    """Make the embeddings of the script and the numbers of the page again; 1 if the settings are not the default's."""
    try:
        written = protocol.export(Settings.from_environment())
        write_text(PAGE, filled(PAGE.read_text(encoding="utf-8")))
    except (ValueError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print(", ".join(path.relative_to(ROOT).as_posix() for path in (*written, PAGE)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
