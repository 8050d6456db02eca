"""How the objective is read, as data: readings of single equations, weights of the total, and all of these together.

Where the text leaves an equation open, each way to read it is a *reading* with a name (`READINGS`). The defaults are
chosen by the text, never by accuracy. `mvlm.losses` says what each of them is.
"""

from typing import NamedTuple

PARTS = ("contrastive", "pairs", "multiview")


class Readings(NamedTuple):
    """One reading for each equation that the text leaves open: (4), (6) and (8)."""

    multiview: str = "4B"
    positive: str = "6A"
    negative: str = "8A"


READINGS = Readings(("4A", "4B", "4C", "4D", "4E"), ("6A", "6B", "6C", "6D"), ("8A", "8B", "8C", "8D"))
DEFAULT = Readings()


class Weights(NamedTuple):
    """Weight of each summand of the objective. The paper never writes the total; all 1 is the default."""

    contrastive: float = 1.0
    multiview: float = 1.0
    positive: float = 1.0
    negative: float = 1.0


UNWEIGHTED = Weights()


class Line(NamedTuple):
    """The line `scale * s + bias` inside the sigmoid of (6) and (8), where it starts if it is learnt."""

    scale: float = 1.0
    bias: float = 0.0
    learnt: bool = False


class Reading(NamedTuple):
    """The whole objective, read in one way."""

    equations: Readings = DEFAULT
    weights: Weights = UNWEIGHTED
    plain: bool = False  # (1)-(3) as printed, where only a row's own text is its positive
    other_subjects: bool = False  # negatives of (7) show another subject, as in the paper's figure
    line: Line = Line()


TEXT = Reading()
