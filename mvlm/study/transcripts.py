"""What the paper states, as numbers: its tables, times and margins, typed once, and what its cited papers say.

The files lie in `paper/`, with section and table. A cell that the text does not state is empty there and is called so;
asking for it is an error, never a guess.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent / "paper"
TABLES = ("table1.csv", "table2.csv", "table3.csv")
CLAIMS, TIMES, GAPS, CITED, SIZES = "claims.csv", "times.csv", "gaps.csv", "cited.csv", "sizes.csv"
OURS = "MultiviewVLM"
MIFAR = "[49]"


class Paper(NamedTuple):
    """The transcribed numbers.

    Attributes:
        accuracies: item, section, method, supervision, benchmark, accuracy (percent, NaN where not stated), source,
            setting ("" where the table names none), reference ("[14]", or the method's name where it has none).
        times: item, section, quantity ("epoch", "500 epochs"), unit ("s", "h"), batch, gpus, value, qualifier, source.
        gaps: item, benchmark, reference, setting, gap: the distance to the paper's own method as printed beside an
            accuracy, in points without a sign.
        cited: reference, benchmark, accuracy (percent), source: what cited papers state themselves.
        sizes: benchmark, corpus, subjects, classes, repeats (scans of a subject and class), source.
        claims: claim (number), section, item, quote, check, stated, verdict, finding; the last two are empty where
            code decides.
    """

    accuracies: pd.DataFrame
    times: pd.DataFrame
    gaps: pd.DataFrame
    cited: pd.DataFrame
    sizes: pd.DataFrame
    claims: pd.DataFrame

    def accuracy(self, benchmark: str, reference: str = OURS, *, setting: str = "") -> float:
        """Percent, of the paper's own method by default; `setting` ("key-frame") where a reference has several rows.

        Raises:
            ValueError: not exactly one such row, or its cell is not stated.
        """
        rows = self.stated(benchmark)
        rows = rows[(rows["reference"] == reference) & rows["setting"].str.contains(setting, regex=False)]
        if len(rows) != 1:
            raise ValueError(f"{benchmark}, {reference} {setting}: expected one stated accuracy, found {len(rows)}")
        return float(rows["accuracy"].iloc[0])

    def stated(self, benchmark: str) -> pd.DataFrame:
        """The rows of `accuracies` of a benchmark whose cell is stated, in the table's order."""
        rows = self.accuracies
        return rows[(rows["benchmark"] == benchmark) & rows["accuracy"].notna()]

    def others(self, benchmark: str) -> pd.DataFrame:
        """`stated` without the paper's own method, the highest accuracy first."""
        rows = self.stated(benchmark)
        return rows[rows["reference"] != OURS].sort_values("accuracy", ascending=False, kind="stable")

    def benchmarks(self) -> list[str]:
        """The settings of the tables, in their order."""
        return list(self.accuracies["benchmark"].unique())

    def samples(self, benchmark: str) -> int:
        """Scans or sequences of a setting, by its protocol as described."""
        row = self.sizes.set_index("benchmark").loc[benchmark]
        return int(row["subjects"] * row["classes"] * row["repeats"])

    def seconds(self, gpus: int) -> dict[int, float]:
        """Seconds of an epoch by batch size, where they are stated."""
        return self._times("epoch", gpus)

    def hours(self, gpus: int) -> dict[int, float]:
        """Hours of 500 epochs by batch size, where they are stated."""
        return self._times("500 epochs", gpus)

    def _times(self, quantity: str, gpus: int) -> dict[int, float]:
        rows = self.times[(self.times["quantity"] == quantity) & (self.times["gpus"] == gpus)].dropna(subset="value")
        return dict(zip(rows["batch"].tolist(), rows["value"].tolist(), strict=True))


def read_paper(folder: Path = FOLDER) -> Paper:
    """Read the transcribed numbers.

    Raises:
        ValueError: a row that says "transcribed" has no number, or one that says otherwise has one.
    """
    import pandas as pd

    def read(name: str) -> pd.DataFrame:
        return pd.read_csv(folder / name)

    tables = pd.concat([read(name) for name in TABLES], ignore_index=True)
    named = tables["method"].str.extract(r"(\[\d+\])", expand=False).fillna(tables["method"])
    tables = tables.assign(reference=named, setting=tables["setting"].fillna(""))
    times = read(TIMES)
    for rows, column in ((tables, "accuracy"), (times, "value")):
        odd = rows[(rows["source"] == "transcribed") != rows[column].notna()]
        if len(odd):
            raise ValueError(f"{odd.iloc[0].to_dict()}: expected a number in {column} if transcribed, else none")
    gaps = read(GAPS)
    gaps["setting"] = gaps["setting"].fillna("")
    claims = read(CLAIMS)
    text = ["item", "stated", "verdict", "finding"]
    claims[text] = claims[text].fillna("")
    return Paper(tables, times, gaps, read(CITED), read(SIZES), claims)
