"""The paper's claims on time, recomputed from its seconds and hours: checks as in `mvlm.study.paper.claims`."""

from __future__ import annotations

from itertools import pairwise

from mvlm.study.paper.claims import (
    CONTRADICTED,
    DERIVED,
    HOLDS,
    INCONSISTENT,
    UNLIKELY,
    Check,
    Finding,
    Stated,
    equal,
)
from mvlm.study.paper.transcripts import Paper

EPOCHS = 500  # of the hours that the paper states
ROUNDING = 0.05  # h: hours are stated to one decimal


def speedups(paper: Paper, gpus: int, over: int) -> dict[int, float]:
    """How many times faster by batch size, where seconds of both are stated, else hours of both."""
    found = {}
    for fast, slow in ((paper.seconds(gpus), paper.seconds(over)), (paper.hours(gpus), paper.hours(over))):
        found |= {batch: slow[batch] / fast[batch] for batch in fast if batch in slow and batch not in found}
    return dict(sorted(found.items()))


def epoch_seconds(paper: Paper, gpus: int) -> dict[int, float]:
    """Seconds of an epoch by batch size, as stated, or as stated hours of 500 epochs mean."""
    meant = {batch: 3600 * hours / EPOCHS for batch, hours in paper.hours(gpus).items()}
    return dict(sorted((meant | paper.seconds(gpus)).items()))


def _in(batches: dict[int, float], decimals: int) -> str:
    return ", ".join(f"{value:.{decimals}f} ({batch})" for batch, value in batches.items())


def _percent(paper: Paper, said: Stated) -> Finding:
    gain = 100 * (speedups(paper, 3, 1)[int(said["batch"])] - 1)
    text = f"{gain:.1f} % faster; {gain / (1 + gain / 100):.1f} % of the time is saved"
    return Finding(text, HOLDS if equal(gain, said["percent"]) else CONTRADICTED)


def _percents(paper: Paper, said: Stated) -> Finding:
    batch = int(said["batch"])
    gains = {f"over {over} GPU{'s' * (over > 1)}": 100 * (speedups(paper, 3, over)[batch] - 1) for over in (2, 1)}
    right = all(equal(gain, said[name]) for name, gain in gains.items())
    return Finding(", ".join(f"{n} {g:.1f} %" for n, g in gains.items()), HOLDS if right else CONTRADICTED)


def _order(paper: Paper, _said: Stated) -> Finding:
    two, one = speedups(paper, 3, 2), speedups(paper, 3, 1)
    right = min(*two.values(), *one.values()) > 1
    text = f"3 GPUs over 2: {_in(two, 3)}; over 1: {_in(one, 3)} (batch size)"
    return Finding(f"{text}; nothing is stated of 2 GPUs at the other batch sizes", HOLDS if right else CONTRADICTED)


def _speedups_of_three(paper: Paper, said: Stated) -> Finding:
    found = {name: speedups(paper, 3, 1)[int(name.split()[1])] for name in said}
    right = all(equal(value, said[name]) for name, value in found.items())
    return Finding(", ".join(f"{n} {v:.3f}" for n, v in found.items()), HOLDS if right else CONTRADICTED)


def _range_of_two(paper: Paper, said: Stated) -> Finding:
    found = speedups(paper, 2, 1)
    right = equal(min(found.values()), said["least"]) and equal(max(found.values()), said["greatest"])
    return Finding(f"{_in(found, 3)} (batch size)", HOLDS if right else CONTRADICTED)


def _range_of_three_over_two(paper: Paper, said: Stated) -> Finding:
    found = speedups(paper, 3, 2)
    greatest = equal(max(found.values()), said["greatest"])
    text = f"{_in(found, 3)} (batch size)"
    if greatest and equal(min(found.values()), said["least"]):
        return Finding(text, HOLDS)
    # The least must then be at a batch size whose times on 2 GPUs are not stated: 3/2 = (3/1) / (2/1).
    bound = {b: v / float(said["2 over 1"]) for b, v in speedups(paper, 3, 1).items() if b not in found}
    possible = min(bound.values()) <= float(said["least"])
    text += f", so {said['least']} would be at another; but there 3 over 2 is at least {_in(bound, 3)}"
    return Finding(text, HOLDS if possible and greatest else INCONSISTENT)


def _range_of_three(paper: Paper, said: Stated) -> Finding:
    found = dict(list(speedups(paper, 3, 1).items())[1:])
    low, high = (float(said[name]) for name in ("least", "greatest"))
    hours = {batch: (paper.hours(1)[batch], paper.hours(3)[batch]) for batch in found if batch not in paper.seconds(3)}
    spread = {b: ((a - ROUNDING) / (c + ROUNDING), (a + ROUNDING) / (c - ROUNDING)) for b, (a, c) in hours.items()}
    rounded = ", ".join(f"{least:.2f} to {most:.2f} ({batch})" for batch, (least, most) in spread.items())
    outside = [batch for batch, value in found.items() if not (low - 0.05 <= value < high + 0.05)]
    text = f"{_in(found, 2)} (batch size); with the rounding of the hours {rounded}"
    return Finding(text, INCONSISTENT if outside else HOLDS)


def _hours_of_one(paper: Paper, said: Stated) -> Finding:
    low, high = (float(said[name]) for name in ("least", "greatest"))
    meant = [
        f"{low * hours:.1f} to {high * hours:.1f} h where {paper.hours(1)[batch]} h are stated (batch {batch})"
        for batch, hours in paper.hours(3).items()
    ]
    return Finding("; ".join(meant), DERIVED)


def _seconds_of_hours(paper: Paper, _said: Stated) -> Finding:
    def meant(gpus: int) -> str:
        seconds = epoch_seconds(paper, gpus)
        return _in({batch: seconds[batch] for batch in paper.hours(gpus)}, 1)

    return Finding(f"3 GPUs {meant(3)}; 1 GPU {meant(1)} s (batch size)", DERIVED)


def _growth(paper: Paper, _said: Stated) -> Finding:
    texts, steps = [], []
    for gpus in (3, 1):
        seconds = epoch_seconds(paper, gpus)
        step, batch = max((after / before, batch) for (_, before), (batch, after) in pairwise(seconds.items()))
        steps.append(step > 1)
        texts.append(f"{gpus} GPU{'s' * (gpus > 1)} {_in(seconds, 0)}, up {step:.1f} times at batch {batch}")
    text = f"seconds of an epoch (batch size): {'; '.join(texts)}. A larger batch should not be slower"
    return Finding(text, UNLIKELY if any(steps) else HOLDS)


def _hours_at_small_batches(paper: Paper, _said: Stated) -> Finding:
    texts, faster = [], []
    for gpus in (3, 1):
        seconds, hours = paper.seconds(gpus), paper.hours(gpus)
        batch = min(seconds)
        small = seconds[batch] * EPOCHS / 3600
        faster.append(small < min(hours.values()))
        ratios = f"{min(hours.values()) / small:.1f} to {max(hours.values()) / small:.1f}"
        texts.append(
            f"{gpus} GPU{'s' * (gpus > 1)} {small:.2f} h at batch {batch}, {ratios} times less than the stated hours"
        )
    return Finding("; ".join(texts), INCONSISTENT if any(faster) else HOLDS)


def _drop(paper: Paper, _said: Stated) -> Finding:
    seconds = epoch_seconds(paper, 3)
    rising = [batch for (_, before), (batch, after) in pairwise(seconds.items()) if after > before]
    text = f"seconds of an epoch: {_in(seconds, 0)} (batch size)"
    if not rising:
        return Finding(text, HOLDS)
    return Finding(f"{text}; it does drop after batch {max(rising)}, but rises up to it", INCONSISTENT)


def amdahl(twofold: float, workers: int) -> float:
    """Greatest speed-up of `workers` when two give `twofold`, by Amdahl's law: what is serial stays so."""
    parallel = 2 * (1 - 1 / twofold)
    return 1 / (1 - parallel + parallel / workers)


def _amdahl(paper: Paper, _said: Stated) -> Finding:
    two, three = speedups(paper, 2, 1), speedups(paper, 3, 1)
    allowed = {batch: amdahl(value, 3) for batch, value in two.items()}
    above = [batch for batch, bound in allowed.items() if three[batch] > bound]
    first = min(two)
    text = "; ".join(f"batch {b}: {three[b]:.2f} where at most {bound:.2f}" for b, bound in allowed.items())
    text += f"; efficiency at batch {first} {50 * two[first]:.0f} % on 2 GPUs and {100 * three[first] / 3:.0f} % on 3"
    return Finding(text, UNLIKELY if above else HOLDS)


def _gpu_hours(paper: Paper, _said: Stated) -> Finding:
    three, one = paper.hours(3), paper.hours(1)
    cost = [f"{3 * three[b]:.1f} against {one[b]} (batch {b}, efficiency {one[b] / three[b] / 3:.0%})" for b in three]
    possible = all(one[batch] <= 3 * three[batch] for batch in three)
    return Finding("; ".join(cost), HOLDS if possible else CONTRADICTED)


CHECKS: dict[int, Check] = {
    19: _percent,
    20: _percents,
    21: _order,
    22: _speedups_of_three,
    23: _range_of_two,
    24: _range_of_three_over_two,
    25: _range_of_three,
    26: _hours_of_one,
    27: _seconds_of_hours,
    28: _growth,
    29: _hours_at_small_batches,
    30: _drop,
    31: _amdahl,
    32: _gpu_hours,
}
