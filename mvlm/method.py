"""A method as data: what is trained, on whose labels, by which parts of the objective."""

from __future__ import annotations

from dataclasses import dataclass

from mvlm.losses.readings import TEXT, Reading


@dataclass(frozen=True)
class Method:
    """A recipe.

    Attributes:
        name, title: for records and for tables.
        supervision: "none", "cluster", "zero-shot", "instance" or "oracle".
        use: what it minimises: parts of `mvlm.losses.objective`, losses of `mvlm.losses.siblings`; empty: it trains
            nothing.
        rounds: how often samples are labelled and a fresh adapter is fitted to the labels.
        aggregate: cluster the aggregated views, so that all views of a sample share a class. Otherwise each view is
            clustered on its own among the views of all samples and has the class of its cluster; where one class for
            the sample is needed (negatives of equation 7), its views vote, ties going to the front view.
        agreed: train only on samples whose cluster has the name that the prompts give the sample itself.
        centred: match prompts after removing the means of training subjects and of prototypes.
        labelling: "plain", as the supervision says and no more, or how labels are refined: see
            `mvlm.labelling.LABELLINGS`.
        reading: how the objective is read.
        transductive: the test subjects' embeddings, without labels, take part in clustering and training. Otherwise no
            statistic sees them.
    """

    name: str
    title: str
    supervision: str
    use: tuple[str, ...] = ()
    rounds: int = 0
    aggregate: bool = False
    agreed: bool = False
    centred: bool = False
    labelling: str = "plain"
    reading: Reading = TEXT
    transductive: bool = False

    @property
    def trains(self) -> bool:
        return bool(self.use)
