"""The paper's checkable claims, each recomputed from the numbers it states elsewhere: one function for a claim.

A check gets the transcribed paper and the numbers of the claim itself, and says what comes out and how that stands to
the claim. It knows no number of its own. Claims that only reading can judge have their finding in `claims.csv`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mvlm.study.paper.transcripts import MIFAR, OURS, Paper

HOLDS = "holds"
SLIP = "slip"
CONTRADICTED = "contradicted"
INCONSISTENT = "inconsistent"
UNLIKELY = "unlikely"
UNCHECKABLE = "not checkable"
DERIVED = "derived"
VERDICTS = {
    HOLDS: "recomputes from the paper's own numbers",
    SLIP: "an evident slip of the pen; what was meant is clear",
    CONTRADICTED: "a number of the paper, or of the corpus it uses, says otherwise",
    INCONSISTENT: "two statements of the text do not go together as worded",
    UNLIKELY: "possible, but against what is known of the thing measured",
    UNCHECKABLE: "the text gives nothing to check it with",
    DERIVED: "no claim of its own: numbers that follow from others, which neighbouring claims use",
}
SIGNIFICANT = 1.96  # |z| of a two-sided test at 5 %

Stated = Mapping[str, str]


class Finding(NamedTuple):
    """What a check found."""

    recomputed: str
    verdict: str


Check = Callable[[Paper, Stated], Finding]


def stated(text: str) -> dict[str, str]:
    """The numbers of a claim: "margin=0.76; [49]=85.33" -> {"margin": "0.76", "[49]": "85.33"}."""
    return dict(part.split("=") for part in text.split("; ")) if text else {}


def z_test(percent: float, other: float, n: int) -> tuple[float, float]:
    """z and its two-sided p of the difference of two accuracies in percent, each of n independent samples.

    The paper gives no spread. This is the least that chance alone adds where both methods are scored on n samples;
    samples of one subject are not independent, so the truth is wider. A paired test might be sharper, but needs the
    predictions.
    """
    p, q = percent / 100, other / 100
    z = (p - q) / math.sqrt((p * (1 - p) + q * (1 - q)) / n)
    return z, math.erfc(abs(z) / math.sqrt(2))


def points(value: float) -> float:
    """A difference of two accuracies in percentage points."""
    return round(value, 2)  # as many decimals as the tables print; without it 89.31 - 89.29 is 0.0199999...


def equal(value: float, said: str) -> bool:
    """Whether a value rounds to a stated number, at that number's own decimals."""
    decimals = len(said.partition(".")[2])
    return abs(value - float(said)) <= 0.5 * 10**-decimals + 1e-9


def _noise(paper: Paper, benchmark: str) -> str:
    z, p = z_test(paper.accuracy(benchmark), paper.accuracy(benchmark, MIFAR), paper.samples(benchmark))
    word = "beyond" if abs(z) > SIGNIFICANT else "within"
    return f"against MiFaR z = {z:.2f}, p = {p:.2f} at n = {paper.samples(benchmark)}: {word} sampling noise"


def _margins(paper: Paper, benchmark: str, said: Stated) -> Finding:
    """Stated margins over references, such as "[49]=1.31"."""
    found = {name: points(paper.accuracy(benchmark) - paper.accuracy(benchmark, name)) for name in said}
    right = all(equal(value, said[name]) for name, value in found.items())
    return Finding("; ".join(f"over {n} {v:+.2f}" for n, v in found.items()), HOLDS if right else CONTRADICTED)


def _highest(paper: Paper, benchmark: str, said: Stated) -> Finding:
    """A stated "highest accuracy"."""
    best, ours = paper.others(benchmark).iloc[0], paper.accuracy(benchmark)
    right = equal(ours, said["accuracy"]) and ours >= best["accuracy"]
    text = f"the highest listed is {best['accuracy']:.2f}, {best['method']}; {OURS} has {ours:.2f}"
    return Finding(text, HOLDS if right else CONTRADICTED)


def _gap_to_the_best(paper: Paper, said: Stated) -> Finding:
    listed = paper.accuracy("BU-3DFE-I", said["reference"])
    rows = paper.stated("BU-3DFE-I")
    meant = rows[rows["accuracy"].map(lambda value: equal(value, said["accuracy"]))]
    gap = points(float(said["accuracy"]) - paper.accuracy("BU-3DFE-I"))
    text = f"{said['reference']} has {listed:.2f} in the table; "
    text += f"{said['accuracy']} is {', '.join(meant['method']) or 'of no method'}; gap {gap:.2f}"
    if equal(listed, said["accuracy"]):
        return Finding(text, HOLDS)
    return Finding(text, SLIP if len(meant) == 1 and equal(gap, said["gap"]) else CONTRADICTED)


def _margin_of_two(paper: Paper, said: Stated) -> Finding:
    worded = points(float(said["ours"]) - float(said["MiFaR"]))
    listed = paper.accuracy("BU-3DFE-I", MIFAR)
    margin = points(paper.accuracy("BU-3DFE-I") - listed)
    text = f"the two accuracies differ by {worded:.2f}; the table has {listed:.2f} for MiFaR: {margin:.2f}; "
    verdict = HOLDS if equal(worded, said["margin"]) else SLIP if equal(margin, said["margin"]) else CONTRADICTED
    return Finding(text + _noise(paper, "BU-3DFE-I"), verdict)


def _first_on_subset_two(paper: Paper, said: Stated) -> Finding:
    margins = _margins(paper, "BU-3DFE-II", said)
    first = paper.accuracy("BU-3DFE-II") > paper.others("BU-3DFE-II")["accuracy"].max()
    text = f"{margins.recomputed}; {'the' if first else 'not the'} highest of the table; {_noise(paper, 'BU-3DFE-II')}"
    return Finding(text, margins.verdict if first else CONTRADICTED)


def _close_on_bosphorus(paper: Paper, _said: Stated) -> Finding:
    ours, others = paper.accuracy("Bosphorus"), paper.others("Bosphorus")
    best = others[others["supervision"] == "supervised"].iloc[0]
    near = abs(z_test(ours, best["accuracy"], paper.samples("Bosphorus"))[0]) < SIGNIFICANT
    above = ours - paper.accuracy("Bosphorus", MIFAR)
    text = f"{ours - best['accuracy']:+.2f} to {best['method']}, {above:+.2f} to MiFaR; {_noise(paper, 'Bosphorus')}"
    return Finding(text, HOLDS if near and above > 0 else CONTRADICTED)


def _first_everywhere(paper: Paper, _said: Stated) -> Finding:
    above = {}
    for benchmark in paper.benchmarks():
        best, ours = paper.others(benchmark).iloc[0], paper.accuracy(benchmark)
        if best["accuracy"] > ours:
            above[benchmark] = f"{benchmark} {ours - best['accuracy']:+.2f} to {best['reference']}"
    count = len(paper.benchmarks())
    text = f"highest in {count - len(above)} of {count} settings; below a listed method on {', '.join(above.values())}"
    return Finding(text, CONTRADICTED if above else HOLDS)


def _highest_on_bu4dfe(paper: Paper, said: Stated) -> Finding:
    return _highest(paper, "BU-4DFE", said)


def _left_out(paper: Paper, _said: Stated) -> Finding:
    listed = set(paper.stated("BU-4DFE")["reference"])
    rows = paper.cited[(paper.cited["benchmark"] == "BU-4DFE") & ~paper.cited["reference"].isin(listed)]
    higher = rows[rows["accuracy"] > paper.accuracy("BU-4DFE")]
    text = "; ".join(f"{r['reference']} {r['accuracy']:.2f} ({r['source']})" for r in higher.to_dict("records"))
    text = f"higher and left out: {text or 'none'}; their settings were not compared here"
    return Finding(text, INCONSISTENT if len(higher) else HOLDS)


def _over_zhen(paper: Paper, said: Stated) -> Finding:
    found = {
        setting: points(paper.accuracy("BU-4DFE") - paper.accuracy("BU-4DFE", "[45]", setting=setting))
        for setting in ("key-frame", "full sequence")
    }
    right = any(equal(value, said["[45]"]) for value in found.values())
    text = ", ".join(f"{value:+.2f} over its {setting} row" for setting, value in found.items())
    return Finding(f"{text}; {OURS} is a full-sequence row", HOLDS if right else CONTRADICTED)


def _over_mifar_on_bu4dfe(paper: Paper, said: Stated) -> Finding:
    margins = _margins(paper, "BU-4DFE", said)
    return Finding(f"{margins.recomputed}; {_noise(paper, 'BU-4DFE')}", margins.verdict)


def _highest_on_bp4d(paper: Paper, said: Stated) -> Finding:
    return _highest(paper, "BP4D", said)


def _margins_on_bp4d(paper: Paper, said: Stated) -> Finding:
    margins = _margins(paper, "BP4D", said)
    return Finding(f"{margins.recomputed}; {_noise(paper, 'BP4D')}", margins.verdict)


def _who_is_supervised(paper: Paper, said: Stated) -> Finding:
    best, other = (paper.accuracy("BP4D", said[name]) for name in ("best supervised", "other"))
    text = f"{said['other']} {other:.2f} is above {said['best supervised']} {best:.2f}: were it supervised, it would be"
    text += f" the best of these; were it unsupervised, {said['unsupervised']} would not be the only such method"
    return Finding(text, INCONSISTENT if other > best else HOLDS)


def _margins_of_transfer(paper: Paper, said: Stated) -> Finding:
    name = "BU-4DFE-to-BP4D"
    margins = _margins(paper, name, {key: value for key, value in said.items() if key.startswith("[")})
    ours, rows = paper.accuracy(name), paper.stated(name)
    rank = int((rows["accuracy"] > ours).sum()) + 1
    text = f"{margins.recomputed}; rank {rank} of the {len(rows)} stated; a guess between {said['tasks']} tasks is "
    text += f"right in {100 / int(said['tasks']):.0f} %, which is not stated; {_noise(paper, name)}"
    return Finding(text, margins.verdict)


def _unsupervised_rows(paper: Paper, said: Stated) -> Finding:
    rows = paper.accuracies[paper.accuracies["supervision"] == "unsupervised"]
    names = sorted(set(rows["method"]) - {OURS})
    more = len(names) > int(said["also mentioned"])
    return Finding(f"unsupervised rows of the tables: {', '.join(names)}", HOLDS if more else INCONSISTENT)


def _four_or_six(paper: Paper, said: Stated) -> Finding:
    corpora, settings = paper.sizes["corpus"].nunique(), len(paper.benchmarks())
    same = said["first"] == said["second"]
    text = f"{corpora} data sets in {settings} settings: a matter of wording"
    return Finding(text, HOLDS if same else INCONSISTENT)


def _implied_baseline(paper: Paper, said: Stated) -> Finding:
    implied, lowest = paper.accuracy("BU-3DFE-I") - float(said["gain"]), paper.others("BU-3DFE-I").iloc[-1]
    word = "below every method" if implied < lowest["accuracy"] else "not below every method"
    text = f"a baseline under {implied:.2f}, {word} of the table (lowest {lowest['accuracy']:.2f}, "
    return Finding(f"{text}{lowest['reference']}); no value of the figure is in the text", UNCHECKABLE)


def _subjects(paper: Paper, said: Stated) -> Finding:
    known = paper.sizes.set_index("benchmark")["subjects"]
    of_3d, of_4d = int(known["BU-3DFE-I"]), int(known["BU-4DFE"])
    right = said["subjects"] == said["neutral"] == str(of_3d)
    text = f"BU-3DFE has {of_3d} subjects by its own description, each with one neutral scan; {of_4d} is BU-4DFE"
    return Finding(text, HOLDS if right else CONTRADICTED)


CHECKS: dict[int, Check] = {
    1: _gap_to_the_best,
    2: _margin_of_two,
    3: _first_on_subset_two,
    4: _close_on_bosphorus,
    5: _first_everywhere,
    6: _highest_on_bu4dfe,
    7: _left_out,
    8: _over_zhen,
    9: _over_mifar_on_bu4dfe,
    11: _highest_on_bp4d,
    12: _margins_on_bp4d,
    13: _who_is_supervised,
    14: _margins_of_transfer,
    15: _unsupervised_rows,
    16: _four_or_six,
    17: _implied_baseline,
    18: _subjects,
}
