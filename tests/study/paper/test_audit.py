"""The audit: what the paper states, recomputed; verdicts follow from numbers, and move when a number does."""

import math
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mvlm.study.paper import claims, claims_on_counts, claims_on_time
from mvlm.study.paper.audit import COLUMNS, DRAWN_COLUMNS, audit, evidence, printed_gaps, render_audit
from mvlm.study.paper.claims import VERDICTS, stated, z_test
from mvlm.study.paper.claims_on_time import amdahl, epoch_seconds, speedups
from mvlm.study.paper.transcripts import FOLDER, Paper, read_paper


@pytest.fixture(scope="module")
def paper() -> Paper:
    return read_paper()


@pytest.fixture(scope="module")
def audited(paper: Paper) -> pd.DataFrame:
    return audit(paper)


def mistyped(paper: Paper, part: str, where: dict[str, object], column: str, value: object) -> Paper:
    """The paper with one cell changed."""
    frame = getattr(paper, part).copy()
    rows = (frame[list(where)] == pd.Series(where)).all(axis=1)
    assert rows.sum() == 1
    frame.loc[rows, column] = value
    return paper._replace(**{part: frame})


def verdict(paper: Paper, number: int) -> str:
    return audit(paper).set_index("claim")["verdict"][number]


def test_every_claim_has_a_verdict_with_its_basis(audited: pd.DataFrame):
    frame = audited
    assert list(frame.columns) == list(COLUMNS) and frame["claim"].tolist() == list(range(1, 45))
    assert frame.notna().all(axis=None) and (frame[["quote", "check", "recomputed"]] != "").all(axis=None)
    by_verdict = {name: set(rows["claim"]) for name, rows in frame.groupby("verdict")}
    assert by_verdict == {  # by hand, before the code was written
        "holds": {3, 4, 8, 9, 12, 14, 19, 20, 21, 22, 23, 32},
        "slip": {1, 2, 38},
        "contradicted": {5, 6, 11, 18},
        "inconsistent": {7, 13, 15, 16, 24, 25, 29, 30, 34, 36, 37, 43, 44},
        "unlikely": {28, 31, 40, 42},
        "not checkable": {10, 17, 33, 35, 39},
        "derived": {26, 27, 41},
    }
    assert set(frame.loc[frame["basis"] == "read", "claim"]) == {10, 33, 34, 35, 36, 37, 38, 39}


@pytest.mark.parametrize(
    ("number", "found"),
    [
        (1, "[14] has 86.32 in the table; 89.31 is Oyedotun et al. [20]; gap 0.02"),
        (2, "differ by 3.96"),
        (2, "z = 0.59, p = 0.55 at n = 1200"),
        (5, "highest in 1 of 6 settings"),
        (7, "[47] 99.69"),
        (8, "+1.34 over its key-frame row, +2.29 over its full sequence row"),
        (14, "rank 2 of the 4 stated"),
        (17, "under 81.29"),
        (19, "168.0 % faster; 62.7 % of the time"),
        (24, "1.705 (64), 1.654 (128), 1.403 (256)"),
        (25, "2.59 (64), 2.51 (128), 2.13 (256)"),
        (26, "20.4 to 25.1 h where 40.7"),
        (27, "113.0 (64), 97.9 (128), 87.1 (256); 1 GPU 293.0 (64), 246.2 (128), 185.8 (256)"),
        (29, "3.47 h at batch 8, 3.5 to 4.5 times less"),
        (31, "batch 8: 2.68 where at most 1.84; batch 16: 1.65 where at most 1.32; batch 32: 1.33 where at most 1.21"),
        (32, "47.1 against 40.7 (batch 64, efficiency 86%)"),
        (40, "BU-3DFE-I 89.29 neither"),
        (40, "BU-4DFE 96.47 a mean of folds (67 % of all numbers are)"),
        (40, "5 of 6 are not of one run"),
        (
            41,
            "4 of 4 are counts of 2400 (Li et al. [14] 1930, Yang et al. [40] 1931, Li et al. [19] 1952, MiFaR",
        ),
        (41, "BP4D 1 of 3 are counts of 328 (Yao et al. [52] 284; by chance 0.095)"),
        (42, "[14] 287, [40] 279, [19] 288 of 360: all are shares at 60 subjects and at no other number up to 105"),
        (42, "no accuracy of either kind: [49] 78.84 and MultiviewVLM 79.86"),
        (43, "[40] states 84.8 and 82.7 by two protocols; the table has 84.80 alone; [20] 89.31 is 643 of 720"),
        (44, "[55] calls itself unsupervised, and has 88.56 where MultiviewVLM has 88.34"),
    ],
)
def test_what_a_claim_recomputes_to(audited: pd.DataFrame, number: int, found: str):
    assert found in audited.set_index("claim")["recomputed"][number]


def test_a_verdict_follows_the_numbers(paper: Paper):
    on = {"benchmark": "BU-3DFE-I", "reference": "[49]"}
    assert verdict(mistyped(paper, "accuracies", on, "accuracy", 85.33), 2) == "contradicted"  # as the prose has it
    best = {"benchmark": "BU-4DFE", "reference": "[54]"}
    assert verdict(mistyped(paper, "accuracies", best, "accuracy", 96.4), 6) == "holds"
    other = {"benchmark": "BP4D", "reference": "[55]"}
    lower = mistyped(paper, "accuracies", other, "accuracy", 86.0)
    assert [verdict(lower, number) for number in (11, 12, 13)] == ["holds", "contradicted", "holds"]
    seconds = {"quantity": "epoch", "batch": 8, "gpus": 3}
    assert verdict(mistyped(paper, "times", seconds, "value", 26), 19) == "contradicted"
    hours = {"quantity": "500 epochs", "batch": 64, "gpus": 1}
    assert verdict(mistyped(paper, "times", hours, "value", 15.7 * 1.4), 24) == "holds"  # 3 over 2 may be 1.13 there
    linear = mistyped(paper, "times", {"quantity": "epoch", "batch": 8, "gpus": 2}, "value", 33.5)
    assert "batch 8: 2.68 where at most 3.00" in audit(linear).set_index("claim")["recomputed"][31]
    assert verdict(mistyped(paper, "sizes", {"benchmark": "BU-3DFE-I"}, "subjects", 101), 18) == "contradicted"
    one = {"benchmark": "Bosphorus", "reference": "[14]"}  # 311 of 390: now of 65 subjects, and no longer of 60
    assert verdict(mistyped(paper, "accuracies", one, "accuracy", 79.74), 42) == "not checkable"
    both = {"benchmark": "BU-3DFE-I", "reference": "[40]"}
    assert verdict(mistyped(paper, "accuracies", both, "accuracy", 82.7), 43) == "holds"


def test_printed_distances_guard_the_transcription(paper: Paper):
    found = printed_gaps(paper)
    assert len(found) == len(paper.accuracies.dropna(subset="accuracy").query("item != 'Table III'")) - 4  # own rows
    assert found["agrees"].all()
    wrong = mistyped(paper, "accuracies", {"benchmark": "BU-4DFE", "reference": "[53]"}, "accuracy", 92.4)
    assert printed_gaps(wrong).query("not agrees")["reference"].tolist() == ["[53]"]


def test_what_the_text_does_not_state_is_asked_for_in_vain(paper: Paper):
    with pytest.raises(ValueError, match=r"BP4D, \[56\] : expected one stated accuracy, found 0"):
        paper.accuracy("BP4D", "[56]")
    with pytest.raises(ValueError, match=r"BU-4DFE, \[45\] : expected one stated accuracy, found 2"):
        paper.accuracy("BU-4DFE", "[45]")
    assert set(paper.seconds(2)) == {8, 16, 32} and paper.hours(2) == {}


def test_a_number_where_none_is_stated_is_refused(tmp_path: Path):
    shutil.copytree(FOLDER, tmp_path / "paper")
    text = (FOLDER / "times.csv").read_text()
    (tmp_path / "paper/times.csv").write_text(text.replace("epoch,s,64,2,,,not", "epoch,s,64,2,90,,not"))
    with pytest.raises(ValueError, match="'batch': 64.*expected a number in value if transcribed, else none"):
        read_paper(tmp_path / "paper")


def test_a_claim_is_computed_or_read_and_not_both(paper: Paper):
    with pytest.raises(ValueError, match="claim 19: expected a check, or a finding by reading, and not both"):
        audit(mistyped(paper, "claims", {"claim": 19}, "finding", "fast"))
    with pytest.raises(ValueError, match="claim 39: expected a check"):
        audit(mistyped(paper, "claims", {"claim": 39}, "finding", ""))
    with pytest.raises(ValueError, match="claim 39: no verdict 'wrong', expected one of holds"):
        audit(mistyped(paper, "claims", {"claim": 39}, "verdict", "wrong"))
    checks = [set(module.CHECKS) for module in (claims, claims_on_counts, claims_on_time)]
    assert len(set.union(*checks)) == sum(map(len, checks))


def test_numbers_of_a_claim():
    assert stated("margin=0.76; [49]=85.33") == {"margin": "0.76", "[49]": "85.33"} and stated("") == {}


def test_sampling_noise_of_two_proportions():
    z, p = z_test(60, 50, 100)
    assert z == pytest.approx(0.1 / math.sqrt(0.6 * 0.4 / 100 + 0.5 * 0.5 / 100))
    assert p == pytest.approx(0.154, abs=1e-3)  # of z = 1.4286, by a table of the normal distribution
    assert z_test(50, 60, 100)[0] == pytest.approx(-z)


def test_times_and_their_limits(paper: Paper):
    assert amdahl(2, 3) == pytest.approx(3) and amdahl(1, 3) == pytest.approx(1)
    assert amdahl(1.5, 4) == pytest.approx(1 / (1 / 3 + 2 / 3 / 4))  # a third is serial
    assert list(speedups(paper, 3, 1)) == [8, 16, 32, 64, 128, 256] and list(speedups(paper, 2, 1)) == [8, 16, 32]
    assert epoch_seconds(paper, 1)[64] == pytest.approx(40.7 * 3600 / 500) and epoch_seconds(paper, 1)[8] == 67


def test_sizes_are_those_of_the_benchmarks(paper: Paper):
    from mvlm.study.benchmarks import BENCHMARKS

    subjects = paper.sizes.set_index("benchmark")["subjects"]
    known = {name: (one.subjects, one.expected) for name, one in BENCHMARKS.items() if name in subjects}
    here = {name: (int(subjects[name]), paper.samples(name)) for name in known}
    assert here == known and len(known) >= 3 and set(paper.benchmarks()) == set(subjects.index)


def test_evidence_is_drawn_with_its_noise(paper: Paper):
    frame = evidence(paper)
    assert list(frame.columns) == list(DRAWN_COLUMNS)
    margins = frame[frame["panel"] == "margin"]
    assert len(margins) == 12 and ((margins["low"] < 0) & (margins["high"] > 0)).all()  # none beyond the noise
    row = margins.query("place == 'Bosphorus' and series == 'MiFaR'").iloc[0]
    assert row["value"] == 1.02 and row["high"] - row["value"] == pytest.approx(1.96 * 1.02 / 0.352, rel=0.01)
    assert len(frame[frame["panel"] == "epoch"]) == 15
    people = frame[frame["panel"] == "people"]
    assert people.loc[people["value"] == 3, "place"].tolist() == [60] and people["place"].tolist() == [*range(10, 106)]


def test_the_page_counts_every_claim_once(audited: pd.DataFrame):
    summary, every = render_audit(audited)
    numbers = [int(number) for cell in summary.cells["Numbers"] for number in cell.split(", ")]
    assert sorted(numbers) == list(range(1, 45)) and summary.cells["Claims"].sum() == 44
    assert list(summary.cells["Verdict"]) == [name for name in VERDICTS if name in set(every.cells["Verdict"])]
    assert every.cells["Place"].tolist()[0] == "III-A · Table I" and every.cells["Place"].tolist()[17] == "III-A"
