"""Is a face at rest? What `mvlm classify` says of it, measured on twins, whose resting scans no benchmark uses.

A face is called at rest if the prompts for it are nearer to the mean view than those of every emotion: if its *margin*
is 0 or more. So there is no threshold that anybody chose. What twins show, from the weakest level on, says what that
costs; the curve, what another threshold would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm.faces.corpora.items import EMOTIONS, NEUTRAL, Scan
from mvlm.labels.clusters import aggregate
from mvlm.measures.statistics import mean_over_subjects
from mvlm.report.results import Part
from mvlm.settings import Settings
from mvlm.study.embeddings import frozen
from mvlm.study.items.table_figures import Drawing
from mvlm.twins.twin import Twin

if TYPE_CHECKING:
    import pandas as pd

ON = ("BU-3DFE", "Bosphorus")
AT_REST = "at rest"
ASKED = (*EMOTIONS, NEUTRAL)
THRESHOLD = 0.0
SMOKE_SUBJECTS = 6
CURVE = 101  # thresholds, from all called at rest to one
COLUMNS = {
    "corpus": "corpus",
    "data_kind": "twin",
    "shown": "what the scans show: at rest, or emotions, by intensity level where the corpus has levels",
    "threshold": "margin from which a face is called at rest: difference of cosines",
    "chosen": "whether it is the threshold of mvlm classify, the nearest prompt",
    "called": "percent of the scans that are called at rest",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects; at that threshold alone",
    "high": "percent, upper end of it",
    "area": "percent, area under the ROC curve against scans at rest of the same corpus; empty for these",
    "n": "scans",
    "subjects": "subjects",
    "profile": "smoke, quick or full",
}


class Margins(NamedTuple):
    """Scans of a twin: what each shows, who it is, and its margin of `rest_margin`, (N,) each."""

    shown: np.ndarray
    subjects: np.ndarray
    margins: np.ndarray


@dataclass(frozen=True)
class Resting:
    """The scans at rest of a twin under another name: what is called neutral has no views (`mvlm.samples`)."""

    twin: Twin

    kind, sequences = "twin", ()

    @property
    def name(self) -> str:
        return self.twin.name

    @cached_property
    def scans(self) -> tuple[Scan, ...]:
        return tuple(replace(scan, emotion=AT_REST) for scan in self.twin.scans if scan.emotion == NEUTRAL)

    @property
    def items(self) -> tuple[Scan, ...]:
        return self.scans

    @property
    def fingerprint(self) -> str:
        return f"rest-{self.twin.fingerprint}"

    def read(self, scan: Scan):
        return Twin.read(self.twin, replace(scan, emotion=NEUTRAL))


def rest_margin(rows: np.ndarray, prototypes: np.ndarray) -> np.ndarray:
    """(N,) how much nearer unit rows (N, D) are to rest than to the nearest emotion: a difference of cosines.

    Prototypes (C + 1, D) are unit rows, the last of a face at rest.
    """
    cosines = rows @ prototypes.T
    return cosines[:, -1] - cosines[:, :-1].max(1)


def area(resting: np.ndarray, showing: np.ndarray) -> float:
    """Area under the ROC curve: how often, of two, the face at rest has the larger margin; ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([resting, showing]))[: len(resting)]
    return float((ranks.sum() - len(resting) * (len(resting) + 1) / 2) / (len(resting) * len(showing)))


def margins_of(name: str, chosen: Settings) -> Margins:
    """Of a twin's scans at rest and of those of emotions; with profile "smoke" of a few subjects."""
    twin, found = Twin(name), []
    people = sorted({scan.subject for scan in twin.scans})
    subjects = people[:SMOKE_SUBJECTS] if chosen.profile == "smoke" else None
    levels = {scan.name: scan.level for scan in twin.scans}
    for corpus in (Resting(twin), twin):
        every, prompts = frozen(corpus, ASKED, chosen, subjects)
        shown = [_shown(emotion, levels[scan]) for emotion, scan in zip(every.emotions, every.names, strict=True)]
        margins = rest_margin(aggregate(every.views()[0]), prompts.prototypes())
        found.append((np.array(shown), every.subjects, margins))
    return Margins(*map(np.concatenate, zip(*found, strict=True)))


def _shown(emotion: str, level: int | None) -> str:
    if emotion == AT_REST:
        return AT_REST
    return f"level {level}" if level else "emotions"


def rest_table(found: dict[str, Margins], profile: str) -> pd.DataFrame:
    """Rows with `COLUMNS`: of each twin and what it shows, at `THRESHOLD` and along the curve.

    Args:
        found: corpus -> what `margins_of` returns.
        profile: of the settings.
    """
    import pandas as pd

    rows = []
    for name, of in found.items():
        curve = np.quantile(of.margins, np.linspace(0, 1, CURVE))
        resting = of.margins[of.shown == AT_REST]
        for shown in sorted(set(of.shown.tolist()), key=lambda shown: (shown != AT_REST, shown)):
            own = of.shown == shown
            row = {"corpus": name, "data_kind": "twin", "shown": shown, "n": int(own.sum()), "profile": profile}
            row["subjects"] = len(np.unique(of.subjects[own]))
            if shown != AT_REST:
                row["area"] = 100 * area(resting, of.margins[own])
            spread = mean_over_subjects(100.0 * (of.margins[own] >= THRESHOLD), of.subjects[own])
            at = {"called": spread.mean, "low": spread.low, "high": spread.high}
            rows.append(row | at | {"threshold": THRESHOLD, "chosen": True})
            for margin in curve:
                called = 100 * float((of.margins[own] >= margin).mean())
                rows.append(row | {"threshold": float(margin), "chosen": False, "called": called})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def render_rest(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV: what `mvlm classify` calls at rest."""
    import pandas as pd

    cells = []
    for row in frame[frame["chosen"]].to_dict("records"):
        told = "–" if pd.isna(row["area"]) else f"{row['area']:.1f}"
        called = f"{row['called']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
        cells.append(
            {"Twin": row["corpus"], "Shown": row["shown"], "called at rest": called, "told from rest": told}
            | {"n": row["n"], "subjects": row["subjects"]}
        )
    first = frame.iloc[0]
    note = (
        "Percent of the scans that are called at rest by the frozen model [95 % interval, bootstrap over subjects]: at "
        "rest, the more the better; of emotions, weakest level first, the fewer. Told from rest: area under the ROC "
        "curve, whatever the threshold, chance 50. Called is whose nearest prompt is one for rest: no threshold was "
        f"chosen. Data kind {first['data_kind']}, profile {first['profile']}."
    )
    return [Part("Faces at rest", pd.DataFrame(cells), note)]


def draw_rest(frame: pd.DataFrame) -> Drawing:
    """Scans at rest that are called so over those of emotions that are: a line for what is shown, a panel a corpus.

    The points are what `mvlm classify` says; the dashed line is a guess.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    corpora = frame["corpus"].unique()
    figure = Figure(figsize=(3.0 * len(corpora) + 0.4, 3.2), layout="constrained")
    for panel, name in zip(figure.subplots(1, len(corpora), sharey=True, squeeze=False)[0], corpora, strict=True):
        part = frame[frame["corpus"] == name]
        resting = part[part["shown"] == AT_REST]
        groups = part[part["shown"] != AT_REST].groupby("shown", sort=False)
        palette = sns.color_palette("viridis", len(groups))
        for colour, (shown, group) in zip(palette, groups, strict=True):
            x, y = (of.loc[~of["chosen"], "called"] for of in (group, resting))
            panel.plot(x, y, color=colour, lw=1.4, label=shown)
            at = [of.loc[of["chosen"], "called"].iloc[0] for of in (group, resting)]
            panel.plot(*at, "o", color=colour, ms=5)
        panel.plot([0, 100], [0, 100], ls="--", color="0.4", lw=1)
        panel.set(title=f"{name} ({part['data_kind'].iloc[0]})", xlabel="of these scans called at rest, %",
                  xlim=(-2, 102), ylim=(-2, 102))  # fmt: skip
        panel.legend(loc="lower right")
    figure.axes[0].set_ylabel("of scans at rest called so, %")
    return Drawing(figure, frame, COLUMNS)
