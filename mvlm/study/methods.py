"""Named recipes as data: the ladder of the paper's ablation with its controls, and what is compared with it.

`mvlm.method` says what a method is and does. Methods come in groups (`GROUPS`). Those of "tables" stand in Tables I to
III; the others ask one question each, and share supervision, rounds and aggregation with the row that they are compared
with, so that one thing differs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from mvlm.losses.readings import PARTS, TEXT, Line, Reading, Readings, Weights
from mvlm.method import Method


def recipe(method: Method) -> dict[str, object]:
    """What a method does, as data for the address of a record: its fields without the title.

    What it does not ask for (False, "", 0, none) is left out, so that a further field which no method had before moves
    no record.
    """

    def asked(values: object) -> object:
        if isinstance(values, dict):
            return {name: asked(value) for name, value in values.items() if asked(value)}
        return asked(values._asdict()) if hasattr(values, "_asdict") else values

    return {name: asked(value) for name, value in vars(method).items() if name != "title" and asked(value)}


def reach(method: Method) -> dict[str, object]:
    """Which entries of the tables of the code a method takes: arguments of `mvlm.cache.keys.source_key`."""
    without = () if method.trains else ("mvlm.training.adapter", "mvlm.training.step", "mvlm.losses.equations")
    return {
        "choices": {"mvlm.labelling:LABELLINGS": {method.labelling}, "mvlm.losses.siblings:LOSSES": set(method.use)},
        "without": without if method.knows else (*without, "mvlm.labels.identity"),
    }


FULL = Method("full", "+ multiview loss (full)", "cluster", PARTS, rounds=3, aggregate=True)
ORACLE = Method("oracle", "Full, true labels", "oracle", PARTS, rounds=1, aggregate=True)
ZERO_SHOT = Method("zero-shot-labels", "Full, zero-shot labels", "zero-shot", PARTS, rounds=1, aggregate=True)
INSTANCE = Method(
    "instance", "Pairs alone, every sample its own class", "instance", ("pairs",), rounds=1, aggregate=True
)

# What is known of who is shown: each degree of it by a frozen model, as labels for the full objective, and the same
# where no view shows the person. Beside them, the same on true labels.
_DEGREES = {
    "who": ("subjects", "who"),
    "spread": ("class shares", "about equal shares"),
    "shares": ("class shares", "equal shares"),
}


def _relabelled(base: Method, name: str, title: str) -> tuple[Method, ...]:
    """A method on labels of each degree."""
    return tuple(
        replace(base, name=f"{name}-{degree}", title=f"{title} ({said})", labelling=f"relabelled-{degree}", knows=knows)
        for degree, (knows, said) in _DEGREES.items()
    )


_SUBJECT_CENTRED = Method("subject-centred", "Baseline, subject-centred", "none", centred=True, knows="subjects")
_DISCRIMINANT = replace(_SUBJECT_CENTRED, rounds=1, aggregate=True, discriminant=True)
_IMPERSONAL = _relabelled(replace(ZERO_SHOT, impersonal=True), "impersonal", "Full, persons removed, relabelled")

_TABLES = (
    Method("baseline", "Baseline", "none"),
    Method("centred", "Baseline, centred", "none", centred=True),
    Method("pseudo-labels", "+ pseudo-labels", "cluster", ("contrastive",), rounds=1),
    Method("pairs", "+ positive-negative alignment", "cluster", ("contrastive", "pairs"), rounds=1),
    FULL,
    replace(FULL, name="agreed", title="Full, only where cluster and prompts agree", agreed=True),
    ZERO_SHOT,
    INSTANCE,
    ORACLE,
    _SUBJECT_CENTRED,
    _IMPERSONAL[-1],  # by their protocols, each subject shows the classes of these tables equally often
)

# Each part alone, and all but it. What is left out, or left, is all that differs from the full method.
_RUNGS = tuple(
    replace(FULL, name=f"full-{name}", title=f"Full, {title}", use=use)
    for part, equations in (("contrastive", "(1)-(3)"), ("pairs", "(5)-(8)"), ("multiview", "(4)"))
    for name, title, use in (
        (part, f"{equations} alone", (part,)),
        (f"without-{part}", f"without {equations}", tuple(other for other in PARTS if other != part)),
    )
)

# Pseudo-labels that are refined or weighted. Those of one sort of supervision differ from its plain row in the
# labelling alone, but that labels by prompts are remade in three rounds where the labelling looks at the images.
_PSEUDO = (
    replace(
        ZERO_SHOT,
        name="text-classifier",
        title="Full, a text classifier's surest labels",
        labelling="classifier",
        rounds=3,
    ),
    replace(ZERO_SHOT, name="balanced", title="Full, balanced zero-shot labels", labelling="balanced"),
    replace(
        ZERO_SHOT,
        name="neighbours",
        title="Full, zero-shot labels smoothed over neighbours and weighted",
        labelling="neighbours",
        rounds=3,
    ),
    replace(FULL, name="seeded", title="Full, clusters started at the prompts", labelling="seeded"),
    replace(FULL, name="consensus", title="Full, names by consensus of clusterings", labelling="consensus"),
    replace(FULL, name="soft", title="Full, soft labels of prompts and clusters", labelling="soft"),
)

# What other methods minimise, on the same towers, adapter, batches and steps.
_SIBLINGS = (
    replace(INSTANCE, name="nt-xent", title="SimCLR over views", use=("nt-xent",)),
    replace(INSTANCE, name="barlow-twins", title="Barlow Twins over views (as MiFaR)", use=("barlow-twins",)),
    replace(
        INSTANCE,
        name="siglip",
        title="SigLIP over views",
        use=("siglip",),
        reading=Reading(line=Line(10.0, -10.0, learnt=True)),
    ),
    replace(FULL, name="smile", title="Barlow Twins and (4) (as SMILE-VLM)", use=("barlow-twins", "multiview")),
)

_IDENTITY = (
    _SUBJECT_CENTRED,
    *_relabelled(replace(_DISCRIMINANT, supervision="zero-shot"), "relabelled", "Relabelled"),
    replace(_DISCRIMINANT, name="relabelled-oracle", title="The same discriminant, true labels", supervision="oracle"),
    *_relabelled(ZERO_SHOT, "full-relabelled", "Full, relabelled"),
    *_IMPERSONAL,
    replace(
        ORACLE, name="impersonal-oracle", title="Full, persons removed, true labels", knows="subjects", impersonal=True
    ),
)

_TRANSDUCTIVE = (replace(FULL, name="transductive", title="Full, adapted to the test subjects too", transductive=True),)

# What of a film is encoded: each row beside a row of the tables, from which it differs in this alone.
FILM_BASES = {
    "baseline": "prompts",
    "centred": "prompts, centred",
    "subject-centred": "prompts, subject-centred",
    "impersonal-shares": "full, persons removed, relabelled",
}
_SHOWN = {
    "windows": "windows",
    "windows-max": "windows, their maximum",
    "frames": "frames",
    "windows+frames": "windows and frames",
}


def of_film(base: str, film: str) -> str:
    """The name of a method of `FILM_BASES` where another thing of a film is encoded than one "image"."""
    return base if film == "image" else f"{base}-{film}"


_FILMS = tuple(
    replace(base, name=of_film(base.name, film), title=f"{base.title}, {said}", film=film)
    for film, said in _SHOWN.items()
    for base in _TABLES
    if base.name in FILM_BASES
)


class Variant(NamedTuple):
    """One other reading of the objective."""

    equation: str  # what is read
    title: str
    reading: Reading = TEXT
    use: tuple[str, ...] = PARTS


# Equations (6) and (8) are read alike: the text gives them one sentence. At the start (3) is about log B and (6) + (8)
# is 2 log 2; three times that is log 64, and 64 is the batch.
VARIANTS: dict[str, Variant] = {
    "one-hot": Variant("(1)-(4)", "as printed: only a row's own text is its positive", Reading(plain=True)),
    "4A": Variant("(4)", "4A: distance of the mean view", Reading(Readings(multiview="4A"))),
    "4C": Variant("(4)", "4C: mean distance of the views", Reading(Readings(multiview="4C"))),
    "4D": Variant("(4)", "4D: 4B, and views agree", Reading(Readings(multiview="4D"))),
    "4E": Variant("(4)", "4E: 4B, views weighed by a learnt query", Reading(Readings(multiview="4E"))),
    "6B-8B": Variant("(6), (8)", "6B, 8B: cosine over temperature", Reading(Readings("4B", "6B", "8B"))),
    "6C-8C": Variant("(6), (8)", "6C, 8C: no logarithm", Reading(Readings("4B", "6C", "8C"))),
    "6D-8D": Variant("(6), (8)", "6D, 8D: logarithm of the mean", Reading(Readings("4B", "6D", "8D"))),
    "learnt-line": Variant(
        "(6), (8)", "SigLIP's line: scale 10, bias -10, learnt", Reading(line=Line(10.0, -10.0, learnt=True))
    ),
    "other-subjects": Variant("(7)", "negatives of other subjects alone", Reading(other_subjects=True)),
    "scaled-pairs": Variant("total", "(6) and (8) three times", Reading(weights=Weights(positive=3.0, negative=3.0))),
    "without-multiview": Variant("total", "without (4)", use=("contrastive", "pairs")),
}
_READINGS = {
    base.name: tuple(
        replace(
            base,
            name=f"{base.name}-{key}",
            title=f"{'Full' if base is FULL else base.title}, {variant.title}",
            reading=variant.reading,
            use=variant.use,
        )
        for key, variant in VARIANTS.items()
    )
    for base in (FULL, ORACLE)
}


def _names(methods: tuple[Method, ...]) -> tuple[str, ...]:
    return tuple(method.name for method in methods)


METHODS: dict[str, Method] = {
    method.name: method
    for group in (_TABLES, _RUNGS, _PSEUDO, _SIBLINGS, _TRANSDUCTIVE, *_READINGS.values(), _IDENTITY, _FILMS)
    for method in group
}
LADDER = ("baseline", "pseudo-labels", "pairs", "full")
SEEDS = (0, 1, 2)
TABLE_METHODS = _names(_TABLES)
RUNGS = ("full", *_names(_RUNGS))
SUPERVISION = ("full", "zero-shot-labels", "instance", "oracle")
PSEUDO = ("full", "zero-shot-labels", *_names(_PSEUDO))
SIBLINGS = ("full", "instance", *_names(_SIBLINGS))
TRANSDUCTIVE = ("full", *_names(_TRANSDUCTIVE))
IDENTITY = _names(_IDENTITY)
FILMS = _names(_FILMS)
READINGS = tuple(name for base, variants in _READINGS.items() for name in (base, *_names(variants)))
GROUPS: dict[str, tuple[str, ...]] = {
    "tables": TABLE_METHODS,
    "rungs": RUNGS,
    "supervision": SUPERVISION,
    "pseudo-labels": PSEUDO,
    "siblings": SIBLINGS,
    "transductive": TRANSDUCTIVE,
    "readings": READINGS,
    "identity": IDENTITY,
    "films": FILMS,
}


def seeds_of(method: Method) -> tuple[int, ...]:
    """Seeds that a method is run with where none are asked for: several where names of clusters can swap, else one.

    That is the paper's ladder. Variants of its rungs keep one: each costs as much as its rung, and there are many.
    """
    return SEEDS if method.supervision == "cluster" and method.name in LADDER else SEEDS[:1]
