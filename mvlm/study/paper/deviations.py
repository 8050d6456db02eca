"""Where the paper is silent: what was chosen here, what else could have been, and what it changes.

`paper/silences.csv` holds the words. The values of a choice are read from the source where they are set, so that the
table cannot say one thing and the code do another; nothing is imported for it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mvlm.report.results import Part
from mvlm.settings import ROOT

if TYPE_CHECKING:
    import pandas as pd

SILENCES = "silences.csv"
FOLDER = Path(__file__).parent
COLUMNS = {
    "topic": "what is left open",
    "section": "section of the paper",
    "silence": "what its text does not say",
    "choice": "what is done here",
    "values": "settings of the choice, as they stand in the code",
    "others": "what else could have been done",
    "effect": "what the choice changes, as far as known",
    "measured": "file or command that measures it; empty: not measured",
}

# Topic -> settings: a module and the name of a constant, or of a class or function there and its field or argument.
# Whole strings, so that this module counts as depending on what they name (`mvlm.cache.keys`).
VALUES = {
    "clustering": [("mvlm.labels.clusters:cluster", "restarts")],
    "equation (4)": [("mvlm.losses.readings:Readings", "multiview")],
    "equation (6)": [("mvlm.losses.readings:Readings", "positive")],
    "equation (8)": [("mvlm.losses.readings:Readings", "negative")],
    "total loss": [
        ("mvlm.losses.readings:Weights", name) for name in ("contrastive", "multiview", "positive", "negative")
    ],
    "temperature": [("mvlm.training.step:COLDEST", "")],
    "backbone and pretraining": [("mvlm.settings:MODEL", "")],
    "optimiser and schedule": [
        ("mvlm.training.adapter:STEPS", ""),
        ("mvlm.training.adapter:BATCH", ""),
        ("mvlm.training.adapter:RATE", ""),
        ("mvlm.training.adapter:DECAY", ""),
    ],
    "angles of the views": [("mvlm.settings:YAWS", "")],
    "what a view shows": [("mvlm.faces.views:project", "channel")],
    "alignment": [("mvlm.faces.views:WINDOW", "")],
    "frames of a sequence": [("mvlm.samples:FRAMES", "")],
    "form of rank pooling": [("mvlm.faces.dynamics:dynamic_image", "form")],
    "scaling of dynamic images": [("mvlm.faces.dynamics:REST", ""), ("mvlm.faces.dynamics:SHARE", "")],
    "accuracy of an unsupervised model": [("mvlm.study.record:NEIGHBOURS", "")],
    "folds": [("mvlm.study.plan:FOLDS", ""), ("mvlm.samples:folds", "seed")],
    "repetitions and spread": [("mvlm.study.methods:SEEDS", ""), ("mvlm.measures.statistics:DRAWS", "")],
    "emotion words in pretraining": [
        ("mvlm.foundation.pretrain:Recipe", name) for name in ("word_share", "wrong_share")
    ],
}


def deviations(folder: Path = FOLDER) -> pd.DataFrame:
    """Every silence with its choice, `COLUMNS`.

    Raises:
        ValueError: a topic of `VALUES` is not in the file, or a value is not in its module.
    """
    import pandas as pd

    rows = pd.read_csv(folder / SILENCES, keep_default_na=False)
    if strange := sorted(set(VALUES) - set(rows["topic"])):
        raise ValueError(f"{SILENCES}: no row for {', '.join(strange)}, whose values are known")
    said = {topic: ", ".join(_shown(place, part) for place, part in places) for topic, places in VALUES.items()}
    return rows.assign(values=rows["topic"].map(said).fillna(""))[list(COLUMNS)]


def _shown(place: str, part: str) -> str:
    return f"{part or place.partition(':')[2]} = {value(place, part)!r}"


def value(place: str, part: str = "", root: Path = ROOT) -> object:
    """A value as the source of a module says it, such as `value("mvlm.training.adapter:STEPS")`.

    Args:
        place: module and name of a constant, or of a class or function that has `part`.
        part: field with a default, or argument with a default; "" for a constant.
        root: folder that holds the package.

    Raises:
        ValueError: the module does not set it, or not to a plain value.
    """
    module, _, name = place.partition(":")
    tree = ast.parse(root.joinpath(*module.split(".")).with_suffix(".py").read_bytes())
    found = [node for owner in tree.body for key, node in _defaults(owner, name, part) if key == (part or name)]
    try:
        (node,) = found
        return ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(f"{place} {part}: expected one plain value in the source, found {len(found)}") from error


def _defaults(owner: ast.stmt, name: str, part: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a statement sets, with what it sets them to: its own, or those inside `name`."""
    if not part:
        yield from _assigned(owner)
    elif isinstance(owner, ast.ClassDef) and owner.name == name:
        for statement in owner.body:
            yield from _assigned(statement)
    elif isinstance(owner, ast.FunctionDef) and owner.name == name:
        arguments = owner.args
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = [*zip(reversed(positional), reversed(arguments.defaults), strict=False)]
        pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        yield from ((argument.arg, default) for argument, default in pairs if default is not None)


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None:
        return
    for target in targets:
        both = isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple)
        names, values = (target.elts, statement.value.elts) if both else ([target], [statement.value])
        yield from ((n.id, v) for n, v in zip(names, values, strict=True) if isinstance(n, ast.Name))


def render_deviations(frame: pd.DataFrame) -> list[Part]:
    """Render the silences from their CSV."""
    cells = frame.fillna("")
    cells = cells.assign(
        choice=cells["choice"] + cells["values"].map(lambda text: f" ({text})" if text else ""),
        measured=cells["measured"].replace("", "not measured"),
    ).drop(columns="values")
    cells.columns = ["Topic", "Section", "Not said", "Chosen here", "Also possible", "It changes", "Measured in"]
    note = (
        "Choices were made by the text, by the author's published code, or by plain reasons, never by accuracy on test "
        "labels. Values in brackets are read from the code. Not measured: no file here says how much it matters."
    )
    return [Part("What the paper leaves open", cells, note)]
