"""The paper's benchmarks as data: which corpus, which scans, which classes. Folds come from `mvlm.samples.folds`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvlm.faces.corpora.items import FIVE, THREE
from mvlm.prompts import EMOTIONS, MICRO, OWN
from mvlm.samples import Samples

BASIC = EMOTIONS[:6]


@dataclass(frozen=True)
class Benchmark:
    """One of the paper's settings.

    Attributes:
        name: as in the paper's tables.
        corpus: name of the corpus it draws from.
        emotions: its classes, in the order of every class index.
        levels: intensity levels that take part; empty where the corpus has none.
        complete: only subjects who show every emotion, each by the lowest take.
        subjects, expected: how many subjects and samples the complete corpus gives.
        rule: the selection in words.
        trains_on: another benchmark, all of which is trained on; this one is then tested whole, in one run without
            folds. Empty: both come from this one, fold by fold.
        shown: the emotions that its samples show, where these are fewer than the classes it is asked about.
    """

    name: str
    corpus: str
    emotions: tuple[str, ...]
    levels: tuple[int, ...]
    complete: bool
    subjects: int
    expected: int
    rule: str
    trains_on: str = ""
    shown: tuple[str, ...] = ()

    def select(self, samples: Samples) -> np.ndarray:
        """Mask (N,) of the samples of the corpus that take part."""
        mask = np.isin(samples.emotions, self.shown or self.emotions)
        if self.levels:
            mask &= np.isin(samples.levels, self.levels)
        return self._lowest_takes(samples, mask) if self.complete else mask

    def labels(self, emotions: np.ndarray) -> np.ndarray:
        """Class index (N,) of emotion names (N,)."""
        return np.array([self.emotions.index(emotion) for emotion in emotions], dtype=np.int64)

    def _lowest_takes(self, samples: Samples, mask: np.ndarray) -> np.ndarray:
        # Counting scans would let two takes of one emotion stand in for a missing one.
        first: dict[tuple[str, str], int] = {}
        for index in np.flatnonzero(mask):
            item = (samples.subjects[index], samples.emotions[index])
            if item not in first or samples.takes[index] < samples.takes[first[item]]:
                first[item] = index
        shown: dict[str, int] = {}
        for subject, _ in first:
            shown[subject] = shown.get(subject, 0) + 1
        chosen = np.zeros(len(mask), dtype=bool)
        chosen[[index for (subject, _), index in first.items() if shown[subject] == len(self.emotions)]] = True
        return chosen


BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            name="BU-3DFE-I",
            corpus="BU-3DFE",
            emotions=BASIC,
            levels=(3, 4),
            complete=False,
            subjects=100,
            expected=1200,
            rule="all subjects, six expressions, the two higher of four intensity levels",
        ),
        Benchmark(
            name="BU-3DFE-II",
            corpus="BU-3DFE",
            emotions=BASIC,
            levels=(1, 2, 3, 4),
            complete=False,
            subjects=100,
            expected=2400,
            rule="all subjects, six expressions, all four intensity levels, neutral left out",
        ),
        Benchmark(
            name="Bosphorus",
            corpus="Bosphorus",
            emotions=BASIC,
            levels=(),
            complete=True,
            subjects=65,
            expected=390,
            rule="subjects with all six expressions, the lowest take of each",
        ),
        Benchmark(
            name="BU-4DFE",
            corpus="BU-4DFE",
            emotions=BASIC,
            levels=(),
            complete=False,
            subjects=101,
            expected=606,
            rule="all subjects, six expressions, whole sequences",
        ),
        Benchmark(
            name="BP4D",
            corpus="BP4D",
            emotions=EMOTIONS,
            levels=(),
            complete=False,
            subjects=41,
            expected=328,
            rule="all subjects, eight tasks, each task a class",
        ),
        Benchmark(
            name="BU-4DFE-to-BP4D",
            corpus="BP4D",
            emotions=BASIC,
            levels=(),
            complete=False,
            subjects=41,
            expected=82,
            rule="trained on all of BU-4DFE, tested on tasks 1 (happiness) and 8 (disgust) of BP4D",
            trains_on="BU-4DFE",
            shown=("happiness", "disgust"),
        ),
    )
}


@dataclass(frozen=True)
class LeftOut(Benchmark):
    """One beside the paper's, whose field leaves one subject out in turn and has words of its own for its classes.

    Attributes:
        bank: of `mvlm.prompts`, that describes them.
    """

    bank: str = OWN


def bank_of(benchmark: Benchmark) -> str:
    """The bank that describes the classes of a benchmark."""
    return benchmark.bank if isinstance(benchmark, LeftOut) else OWN


# Micro-expressions, in no table of the paper. A clip of several categories takes no part.
MICRO_EXPRESSIONS: dict[str, LeftOut] = {
    benchmark.name: benchmark
    for benchmark in (
        LeftOut(
            name="4DME-3",
            corpus="4DME",
            emotions=THREE,
            levels=(),
            complete=False,
            subjects=41,
            expected=227,
            rule="all subjects, clips of three categories, whole",
            bank=MICRO,
        ),
        LeftOut(
            name="4DME-5",
            corpus="4DME",
            emotions=FIVE,
            levels=(),
            complete=False,
            subjects=41,
            expected=267,
            rule="all subjects, clips of five categories, whole",
            bank=MICRO,
        ),
    )
}


@dataclass(frozen=True)
class Table:
    """One of the paper's tables: its title there, what it is about, and the benchmarks that are its columns.

    Attributes:
        further: cells of rows that it has besides those of every table, as (benchmark, method).
    """

    title: str
    about: str
    benchmarks: tuple[str, ...]
    further: tuple[tuple[str, str], ...] = ()


TABLES: dict[str, Table] = {
    "table1": Table("Table I", "3D expression recognition", ("BU-3DFE-I", "BU-3DFE-II", "Bosphorus")),
    "table2": Table("Table II", "4D expression recognition", ("BU-4DFE",)),
    "table3": Table(
        "Table III",
        "spontaneous 4D expression recognition",
        ("BP4D", "BU-4DFE-to-BP4D"),
        # What one image per film loses there: the same frames, each encoded; `mvlm.study.items.films` has all of it.
        (("BP4D", "subject-centred-frames"),),
    ),
}
