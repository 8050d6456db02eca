"""What a task of BP4D can be told from without any expression: `python -m mvlm.study.items.film_cues`.

Every task is a class, and tasks differ in more than what faces show: how long their films are, how much is said, how
the head moves. A method that is right about a task may have read nothing but that. So a linear probe is asked for the
task by each of these cues, and by all together, over the subject-independent folds of Table III.

With `DATA` it is asked of the corpus itself. The coded span needs the tables of AU_OCC alone, the length of a film its
folder's files, neither a mesh; head motion is that of the poses by which the views follow the head, and reads the
meshes that the quick profile reads. Without `DATA` it is asked of the twin. What a twin's task can be told from is what
this project put into it (`mvlm.twins.rosters`, `mvlm.twins.timing`): such a row says what our assumptions contain, and
nothing of BP4D.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

import mvlm.settings
from mvlm.faces.corpora.items import CODES
from mvlm.measures.statistics import chance, summary
from mvlm.report.results import Part, write_table
from mvlm.samples import folds
from mvlm.settings import Settings
from mvlm.study.items.film_cues_measured import CORPUS, Cues, cues
from mvlm.study.items.table_figures import Drawing
from mvlm.study.plan import FEWEST_SUBJECTS, FOLDS, SMOKE_FOLDS
from mvlm.twins.twin import Twin

if TYPE_CHECKING:
    import pandas as pd

TASKS = CODES[CORPUS]  # "T1" -> the emotion it stands for
CUES = {
    "length": "Length of the film",
    "coded": "Length of the coded span",
    "speech": "Speech rhythm",
    "motion": "Head motion",
}
TOGETHER = "together"
TITLES = CUES | {TOGETHER: "All that there are, together"}
STRENGTH = 1.0  # inverse L2 penalty of the probe, scikit-learn's usual one; of so few numbers none is chosen
# Columns of the CSV, with their units.
COLUMNS = {
    "cue": "what the task is told from",
    "title": "the row as the table shows it",
    "source": "where the cue comes from; where it is absent, why",
    "data_kind": "twin, sample or supplied",
    "numbers": "how many numbers a film's cue has",
    "accuracy": "percent, linear probe on labelled training subjects, mean over folds; empty where the cue is absent",
    "low": "percent, lower end of the 95 % interval by bootstrap over subjects",
    "high": "percent, upper end of that interval",
    "chance": "percent, a guess among the tasks",
    "n": "films",
    "subjects": "subjects",
    "folds": "folds, subject-independent",
}
RECALLED = {
    "cue": COLUMNS["cue"],
    "title": COLUMNS["title"],
    "data_kind": COLUMNS["data_kind"],
    "task": "of BP4D, with the emotion that it stands for",
    "recall": "percent of the task's films that the probe tells by the cue",
    "n": "films of the task",
}


def told(found: Cues, settings: Settings | None = None) -> pd.DataFrame:
    """The task that a linear probe tells by each cue, and by all together, of every film that has it.

    A logistic regression on standardised numbers, fitted on the films of the training subjects.

    Returns:
        Rows cue, name, subject, task, said, fold; cues in the order of `TITLES`.

    Raises:
        ValueError: fewer than four subjects.
    """
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chosen = Settings.from_environment() if settings is None else settings
    values = dict(found.values)
    if len(values) > 1:
        shared = set.intersection(*map(set, values.values()))
        values[TOGETHER] = {name: np.concatenate([of[name] for of in found.values.values()]) for name in shared}
    rows = []
    for cue in (cue for cue in TITLES if values.get(cue)):
        names = sorted(values[cue])
        subjects, tasks = np.array([name.split("_") for name in names]).T
        if (count := len(set(subjects.tolist()))) < FEWEST_SUBJECTS:
            raise ValueError(f"{TITLES[cue]}: {count} subjects have it, expected {FEWEST_SUBJECTS} or more")
        x = np.array([values[cue][name] for name in names], dtype=float)
        for fold, (train, test) in enumerate(folds(subjects, SMOKE_FOLDS if chosen.profile == "smoke" else FOLDS)):
            learn, asked = np.isin(subjects, train), np.isin(subjects, test)
            probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=1000))
            said = probe.fit(x[learn], tasks[learn]).predict(x[asked])
            for place, task in zip(np.flatnonzero(asked), said.tolist(), strict=True):
                rows.append((cue, names[place], subjects[place], tasks[place], task, fold))
    return pd.DataFrame(rows, columns=["cue", "name", "subject", "task", "said", "fold"])


def cue_table(found: Cues, said: pd.DataFrame) -> pd.DataFrame:
    """One row per cue, also of those that are absent, with `COLUMNS`.

    Args:
        found: what `cues` returns.
        said: what `told` returns of it.
    """
    import pandas as pd

    rows = []
    numbers = {cue: len(next(iter(films.values()))) for cue, films in found.values.items() if films}
    for cue, title in TITLES.items():
        row = {"cue": cue, "title": title, "data_kind": found.data_kind, "chance": 100 * chance(len(TASKS))}
        of = said[said["cue"] == cue]
        if of.empty:
            if cue != TOGETHER:
                rows.append(row | {"source": f"absent: {found.absent.get(cue, 'no film has it')}"})
            continue
        spread = summary((of["task"] == of["said"]).to_numpy(), of["fold"].to_numpy(), of["subject"].to_numpy())
        row["source"] = ", ".join(CUES[each].lower() for each in numbers) if cue == TOGETHER else found.sources[cue]
        row |= {"accuracy": 100 * spread.mean, "low": 100 * spread.low, "high": 100 * spread.high}
        row |= {"numbers": sum(numbers.values()) if cue == TOGETHER else numbers[cue]}
        rows.append(row | {"n": spread.n, "subjects": spread.subjects, "folds": spread.folds})
    whole = dict.fromkeys(("numbers", "n", "subjects", "folds"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def render_cues(frame: pd.DataFrame) -> list[Part]:
    """Render the table from its CSV."""
    import pandas as pd

    rows = []
    for row in frame.to_dict("records"):
        there = not pd.isna(row["accuracy"])
        cells = {"Told from": row["title"], "Which is": row["source"]}
        cells["Accuracy"] = f"{row['accuracy']:.1f} [{row['low']:.1f}, {row['high']:.1f}]" if there else "absent"
        rows.append(cells | {"Films": f"{row['n']} of {row['subjects']} subjects" if there else "–"})
    kind = frame["data_kind"].iloc[0]
    note = (
        f"Percent of the films whose task a linear probe tells, fitted on labelled training subjects, mean over "
        f"{frame['folds'].dropna().max()} subject-independent folds [95 % interval, bootstrap over subjects]; chance "
        f"{frame['chance'].iloc[0]:.1f}. No cue holds an expression. Data kind {kind}."
    )
    if kind == Twin.kind:
        note += (
            " On a twin the rows say only what this project's assumptions contain: they were put in, and nothing "
            "follows for BP4D. With DATA= the same command measures the corpus, the coded span from AU_OCC alone."
        )
    return [Part(f"What a task of {CORPUS} can be told from without any expression", pd.DataFrame(rows), note)]


def recalls(found: Cues, said: pd.DataFrame) -> pd.DataFrame:
    """One row per cue and task, with `RECALLED`; arguments as of `cue_table`."""
    import pandas as pd

    rows = [
        {"cue": cue, "title": TITLES[cue], "data_kind": found.data_kind, "task": f"{task} {TASKS[task]}"}
        | {"recall": 100 * (of["said"] == task).mean(), "n": len(of)}
        for (cue, task), of in said.groupby(["cue", "task"], sort=False)
    ]
    return pd.DataFrame(rows, columns=list(RECALLED)).sort_values(["cue", "task"], key=_order).reset_index(drop=True)


def _order(column: pd.Series) -> pd.Series:
    return column.map({cue: place for place, cue in enumerate(TITLES)}) if column.name == "cue" else column


def draw_cues(frame: pd.DataFrame, recalled: pd.DataFrame) -> Drawing:
    """Accuracy of each cue with its 95 % interval, the dashed line chance; beside it, which tasks it tells.

    Args:
        frame: what `cue_table` returns.
        recalled: what `recalls` returns.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    sns.set_theme(style="whitegrid", context="paper")
    rows = frame.dropna(subset="accuracy")
    titles = rows["title"].to_list()
    figure = Figure(figsize=(8.2, 0.45 * len(rows) + 1.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 3))
    spread = [rows["accuracy"] - rows["low"], rows["high"] - rows["accuracy"]]
    left.errorbar(rows["accuracy"], range(len(rows)), xerr=spread, fmt="o", ms=4, capsize=2)
    left.axvline(rows["chance"].iloc[0], ls="--", color="0.4", lw=1)
    left.set_yticks(range(len(rows)), titles)
    left.set(xlabel="accuracy, %", xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5))
    left.set_title(f"{CORPUS} ({frame['data_kind'].iloc[0]}), no expression read")
    cells = recalled.pivot(index="title", columns="task", values="recall").reindex(titles)
    sns.heatmap(cells, annot=True, fmt=".0f", ax=right, cbar=False, cmap="Blues", vmin=0, vmax=100)
    right.set(title="recall of each task, %", xlabel="", ylabel="", yticklabels=[])
    right.set_xticks(right.get_xticks(), cells.columns, rotation=35, ha="right")
    return Drawing(figure, recalled, RECALLED)


def main() -> int:
    """Print the table of what the environment names, and keep it under `runs/results`."""
    try:
        chosen = Settings.from_environment()
        found = cues(chosen)
        frame = cue_table(found, told(found, chosen))
    except (ValueError, OSError) as error:
        print(f"film_cues: {error}", file=sys.stderr)
        return 1
    folder = mvlm.settings.RUNS / "results" / chosen.results_name(found.data_kind)
    about = {"columns": COLUMNS, "data_kind": found.data_kind, "fingerprint": found.fingerprint, "bad": found.bad}
    paths = write_table(folder, "film-cues", frame, sidecar=about, render=render_cues)
    print(paths[1].read_text(encoding="utf-8"))
    print(f"film_cues: {folder / 'tables'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
