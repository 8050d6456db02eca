"""The audit: the paper's checkable claims with what its own numbers give, as a table, and the drawn evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mvlm.report.results import Part
from mvlm.study.paper import claims, claims_on_counts, claims_on_time
from mvlm.study.paper.claims import SIGNIFICANT, VERDICTS, points, stated, z_test
from mvlm.study.paper.transcripts import MIFAR, Paper

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "claim": "number of the claim",
    "section": "section of the paper",
    "item": "its table, figure or equation",
    "quote": "the paper's words, shortened at …",
    "check": "what is compared",
    "stated": "numbers of the claim",
    "recomputed": "what the paper's other numbers give, or a reader finds",
    "verdict": "; ".join(f"{name}: {meaning}" for name, meaning in VERDICTS.items()),
    "basis": "computed: code decides from transcribed numbers; read: a reader does",
}

DRAWN_COLUMNS = {
    "panel": "margin: of the paper's method above another; people: of Bosphorus; speed-up: of 3 GPUs; epoch: its time",
    "series": "the other method; whose accuracies; which times; GPUs",
    "place": "setting, number of subjects, or batch size",
    "value": "percentage points; how many accuracies are shares of the samples; times faster; seconds",
    "low": "lower end of the 95 % interval of independent samples",
    "high": "upper end of it",
    "basis": "stated, or derived from stated numbers",
}


def audit(paper: Paper) -> pd.DataFrame:
    """Every claim with its verdict, `COLUMNS`.

    Raises:
        ValueError: a claim has both a check and a finding by reading, or neither, or a verdict that is none.
    """
    import pandas as pd

    known = claims.CHECKS | claims_on_time.CHECKS | claims_on_counts.CHECKS
    rows = []
    for claim in pd.concat([paper.claims, claims_on_counts.claims_on_counts()]).to_dict("records"):
        number = claim["claim"]
        if (number in known) == bool(claim["finding"]):
            raise ValueError(f"claim {number}: expected a check, or a finding by reading, and not both")
        if number in known:
            recomputed, verdict = known[number](paper, stated(claim["stated"]))
            basis = "computed"
        else:
            recomputed, verdict, basis = claim["finding"], claim["verdict"], "read"
        if verdict not in VERDICTS:
            raise ValueError(f"claim {number}: no verdict {verdict!r}, expected one of {', '.join(VERDICTS)}")
        rows.append(claim | {"recomputed": recomputed, "verdict": verdict, "basis": basis})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def printed_gaps(paper: Paper) -> pd.DataFrame:
    """The distances that the tables print beside the accuracies, each with the one recomputed and whether they agree.

    They also guard the transcription: a mistyped accuracy no longer agrees.
    """
    found = []
    for row in paper.gaps.to_dict("records"):
        other = paper.accuracy(row["benchmark"], row["reference"], setting=row["setting"])
        found.append(abs(points(paper.accuracy(row["benchmark"]) - other)))
    return paper.gaps.assign(recomputed=found, agrees=[g == f for g, f in zip(paper.gaps["gap"], found, strict=True)])


def evidence(paper: Paper) -> pd.DataFrame:
    """What the figure draws, `DRAWN_COLUMNS`: margins with their sampling noise, people, speed-ups, seconds."""
    import pandas as pd

    rows = []
    for benchmark in paper.benchmarks():
        ours, n, best = paper.accuracy(benchmark), paper.samples(benchmark), paper.others(benchmark).iloc[0]
        for series, other in (("highest other", best["accuracy"]), ("MiFaR", paper.accuracy(benchmark, MIFAR))):
            margin = points(ours - other)
            half = SIGNIFICANT * abs((ours - other) / z_test(ours, other, n)[0])
            spread = {"low": margin - half, "high": margin + half, "basis": "derived"}
            rows.append({"panel": "margin", "series": series, "place": benchmark, "value": margin} | spread)
    of = stated(claims_on_counts.claims_on_counts().set_index("claim")["stated"][42])["of"]
    for people, hits in claims_on_counts.possible_subjects(paper, "Bosphorus", int(of)).items():
        row = {"panel": "people", "series": "supervised", "place": people, "value": hits}
        rows.append(row | {"basis": "derived"})
    for batch, value in claims_on_time.speedups(paper, 3, 1).items():
        series = "from seconds" if batch in paper.seconds(3) else "from hours"
        rows.append({"panel": "speed-up", "series": series, "place": batch, "value": value, "basis": "derived"})
    for gpus in (1, 2, 3):
        for batch, value in claims_on_time.epoch_seconds(paper, gpus).items():
            basis = "stated" if batch in paper.seconds(gpus) else "derived"
            rows.append({"panel": "epoch", "series": f"{gpus} GPU", "place": batch, "value": value, "basis": basis})
    return pd.DataFrame(rows, columns=list(DRAWN_COLUMNS))


def render_audit(frame: pd.DataFrame) -> list[Part]:
    """Render the audit from its CSV: how many claims have which verdict, then all of them."""
    import pandas as pd

    counts = frame.groupby("verdict")["claim"].agg(list)
    shown = [name for name in VERDICTS if name in counts.index]
    summary = {
        "Verdict": shown,
        "Meaning": [VERDICTS[name] for name in shown],
        "Claims": [len(counts[name]) for name in shown],
        "Numbers": [", ".join(map(str, counts[name])) for name in shown],
    }
    note = (
        "The source is the paper's text as published; cells and figures that it does not hold were not guessed. A "
        "verdict is on the wording of one claim: it says nothing about the method, nor that a result is untrue."
    )
    items = " · " + frame["item"]
    every = frame.assign(place=frame["section"] + items.fillna("").replace(" · ", ""))
    every = every[["claim", "place", "quote", "check", "recomputed", "verdict", "basis"]].astype(str)
    every.columns = ["No.", "Place", "The paper says", "Compared", "Recomputed or found", "Verdict", "Basis"]
    return [Part("The verdicts", pd.DataFrame(summary), note), Part("The claims", every, _NOTE)]


_NOTE = (
    "Accuracies in percent, margins in percentage points. Sampling noise: the z of two proportions with as many "
    "independent samples as the protocol has scans or sequences, the least that chance adds; the paper gives no spread "
    "of its own. The number of samples follows the corpora's descriptions and is not stated in the paper."
)
