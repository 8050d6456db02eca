"""Named recipes as data: the ladder of the paper's ablation, with a floor and an upper bound.

Supervision says where a training sample's class comes from, and stands in every record and table:

- "none": nothing is trained; prompts are matched with the frozen model.
- "cluster": from clusters of the training subjects' embeddings, named by prompts. No true label is read.
- "zero-shot": the prompt that the frozen model matches best. No true label is read.
- "instance": every sample is its own class. No prompt names an instance, so only the pairs of views are left to learn
  from: equations (5)-(8) with every other sample as a negative. No true label is read.
- "oracle": from the true labels. An upper bound, not unsupervised.

Every row predicts in the same way: the nearest prompt prototype to the normalised mean of a sample's views, plainly, as
`MultiviewVLM.classify` does. What differs from row to row is then in the weights alone, and a row needs nothing but its
weights to classify one scan. Removing the mean of the training subjects (and of the prototypes) before matching helps a
model across domains; it is no part of the paper's method, and has the row "centred" to itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A recipe.

    Attributes:
        name, title: for records and for tables.
        supervision: "none", "cluster", "zero-shot", "instance" or "oracle".
        use: parts of `mvlm.losses.objective` it trains with; empty: it trains nothing.
        rounds: how often samples are clustered and a fresh adapter is fitted to the clusters' names.
        aggregate: cluster the aggregated views, so that all views of a sample share a class. Otherwise each view is
            clustered on its own among the views of all samples and has the class of its cluster; where one class for
            the sample is needed (negatives of equation 7), its views vote, ties going to the front view.
        agreed: train only on samples whose cluster has the name that the prompts give the sample itself.
        centred: match prompts after removing the means of training subjects and of prototypes.
    """

    name: str
    title: str
    supervision: str
    use: tuple[str, ...] = ()
    rounds: int = 0
    aggregate: bool = False
    agreed: bool = False
    centred: bool = False

    @property
    def trains(self) -> bool:
        return bool(self.use)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("baseline", "Baseline", "none"),
        Method("centred", "Baseline, centred", "none", centred=True),
        Method("pseudo-labels", "+ pseudo-labels", "cluster", ("contrastive",), rounds=1),
        Method("pairs", "+ positive-negative alignment", "cluster", ("contrastive", "pairs"), rounds=1),
        Method(
            "full",
            "+ multiview loss (full)",
            "cluster",
            ("contrastive", "pairs", "multiview"),
            rounds=3,
            aggregate=True,
        ),
        Method(
            "agreed",
            "Full, only where cluster and prompts agree",
            "cluster",
            ("contrastive", "pairs", "multiview"),
            rounds=3,
            aggregate=True,
            agreed=True,
        ),
        Method(
            "zero-shot-labels",
            "Full, zero-shot labels",
            "zero-shot",
            ("contrastive", "pairs", "multiview"),
            rounds=1,
            aggregate=True,
        ),
        Method("instance", "Pairs alone, every sample its own class", "instance", ("pairs",), rounds=1, aggregate=True),
        Method(
            "oracle",
            "Full, true labels",
            "oracle",
            ("contrastive", "pairs", "multiview"),
            rounds=1,
            aggregate=True,
        ),
    )
}
