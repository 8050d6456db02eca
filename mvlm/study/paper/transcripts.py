"""What the paper states, as numbers: its tables, times and margins, typed once, and what its cited papers say.

The files lie beside this one, with section and table. A cell that the text does not state is empty there and is called
so; asking for it is an error, never a guess.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent
FILES = {"table1": "table1.csv", "table2": "table2.csv", "table3": "table3.csv"}  # by whole names: see mvlm.cache.keys
GAINS = "ablation.csv"
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

    tables = pd.concat([read(name) for name in FILES.values()], ignore_index=True)
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


def paper_table(item: str) -> pd.DataFrame:
    """One of the paper's tables as printed: a row for each method and benchmark, accuracy in percent.

    Cells that the paper's text does not give are empty, and their source is "not stated". Where the paper names the
    setting of an experiment, the method's name has it in brackets.
    """
    import pandas as pd

    frame = pd.read_csv(FOLDER / FILES[item])
    if "setting" in frame:
        settings = frame.pop("setting")
        frame["method"] = [
            name if name == "MultiviewVLM" else f"{name} ({setting})"
            for name, setting in zip(frame["method"], settings, strict=True)
        ]
    return frame


def paper_gains() -> pd.DataFrame:
    """The gains over the baseline that the paper's text states, in points: method, benchmark, qualifier, source."""
    import pandas as pd

    return pd.read_csv(FOLDER / GAINS)
