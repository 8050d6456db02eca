"""A method, from unlabelled views to predictions: label, fit, label again (the rounds of II-F), match with prompts.

Open this file first. From here the paper can be followed by its parts:

- views of a face, and one image for the frames of a sequence (II-A): `mvlm.faces.views`, `mvlm.faces.dynamics`
- prompts (II-A): `mvlm.prompts`; the two towers: `mvlm.model.MultiviewVLM`
- pseudo-labels (II-F): clusters of aggregated views, `mvlm.labels.clusters`, and their names by prompts,
  `mvlm.labels.naming`; all ways to label, `mvlm.labelling`
- the objective, (1)-(8): `mvlm.losses.equations`; their gradients, (9)-(15): `mvlm.losses.gradients`
- which of it a step minimises: `mvlm.training.step`; the trainers, `mvlm.training.adapter` and `mvlm.training.towers`
- the gather between ranks (II-G): `mvlm.ranks.gather`
- beside the paper, what of an embedding is the person: `mvlm.labels.identity`

Supervision says where a training sample's class comes from, and stands in every record and table:

- "none": nothing is trained; prompts are matched with the frozen model.
- "cluster": from clusters of the training subjects' embeddings, named by prompts. No true label is read.
- "zero-shot": from the prompts that the frozen model matches. No true label is read.
- "instance": every sample is its own class. No prompt names an instance, so only the views are left to learn from:
  equations (5)-(8) with every other sample as a negative, or a sibling's loss. No true label is read.
- "oracle": from the true labels. An upper bound, not unsupervised.

What a method *knows* beside images stands there, too: nothing; "subjects", who is shown, never what; or "class shares",
besides, that every subject shows the classes about equally often.

Shapes: A copies, N training and M test samples, V views, D embedding, P prompts, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from mvlm.labelling import along_views, label
from mvlm.labels.clusters import UNUSED, Labels, aggregate, unit_rows
from mvlm.labels.identity import Discriminant, centred_on_subjects
from mvlm.labels.naming import Prompts
from mvlm.losses.readings import TEXT, Reading
from mvlm.measures.evaluate import zero_shot

if TYPE_CHECKING:
    from mvlm.training.adapter import Adapter


@dataclass(frozen=True)
class Method:
    """A recipe.

    Attributes:
        name, title: for records and for tables.
        supervision: "none", "cluster", "zero-shot", "instance" or "oracle".
        use: what it minimises: parts of `mvlm.losses.objective`, losses of `mvlm.losses.siblings`; empty: it trains
            nothing.
        rounds: how often samples are labelled and, if it trains, the first weights are fitted to the labels.
        aggregate: cluster the aggregated views, so that all views of a sample share a class. Otherwise each view is
            clustered on its own among the views of all samples and has the class of its cluster; where one class for
            the sample is needed (negatives of equation 7), its views vote, ties going to the front view.
        agreed: train only on samples whose cluster has the name that the prompts give the sample itself.
        centred: match prompts after removing the means of training subjects and of prototypes; if it knows subjects,
            each subject's own mean, of a test subject that of all its scans.
        labelling: "plain", as the supervision says and no more, or how labels are refined: see
            `mvlm.labelling.LABELLINGS` and `RELABELLINGS`.
        reading: how the objective is read.
        transductive: the test subjects' embeddings, without labels, take part in clustering and training. Otherwise no
            statistic sees them.
        knows: "" for nothing, "subjects" or "class shares".
        impersonal: sees no view but without its subject's mean of such views, in training and test.
        discriminant: predicts by a linear discriminant on its last labels, in place of prompts.
        film: what of a sequence is encoded: "image", one dynamic image of each view, as in the paper; or its windows,
            each by itself, and then pooled: "windows", "windows-max", "frames", "windows+frames", see
            `mvlm.study.films.FILMS`. Of scans it says nothing.
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
    knows: str = ""
    impersonal: bool = False
    discriminant: bool = False
    film: str = "image"

    @property
    def trains(self) -> bool:
        return bool(self.use)

    @property
    def knowledge(self) -> str:
        """What it knows, in words: for records and tables."""
        return self.knows or "nothing"

    def may_know(self, truth: np.ndarray) -> np.ndarray | None:
        """True labels for "oracle", for any other supervision None: what is given to `rounds` as `truth`."""
        return truth if self.supervision == "oracle" else None


class Trainer(Protocol):
    """What `rounds` asks of a trainer of one method on one set of samples."""

    def labelled(self, number: int, by: Callable[[np.ndarray, Prompts], Labels]) -> Labels:
        """The labels of a round, from 0: those that `by` gives to the views (N, V, D) and prompts as they now are."""

    def fit(self, number: int, labels: Labels) -> None:
        """Trains the first weights, not those of the round before, on the labels of a round."""


class Rounds(NamedTuple):
    """What the rounds trained on.

    Attributes:
        labels: of each round, (N, V) the emotion each view was trained as, or UNUSED; none of instances, which are no
            emotion, right or wrong.
        sizes: of each round, how many views had each class; samples, where these were labelled as a whole.
    """

    labels: list[np.ndarray]
    sizes: list[list[int]]


def rounds(
    method: Method,
    trainer: Trainer,
    *,
    classes: int,
    seed: int,
    truth: np.ndarray | None = None,
    subjects: np.ndarray | None = None,
) -> Rounds:
    """Label the samples and fit to the labels, as often as the method says (II-F).

    Each round labels with the model of the round before and fits the first weights anew. So the last model of every
    method has seen the same number of steps, and an error of an early round lives on only as far as labels repeat it.

    Args:
        trainer: has the samples.
        classes: C.
        seed: of clusters.
        truth: (N,) true classes, for supervision "oracle" alone. This is the only way of a true label into training:
            with them for another supervision, or without them for this one, it is an error.
        subjects: (N,) who is shown, for a method that knows it.

    Raises:
        ValueError: see `truth`; no subjects where the method knows them.
    """
    if (truth is not None) != (method.supervision == "oracle"):
        raise ValueError(f"{method.name}: true labels are for supervision oracle, this is {method.supervision}")
    if method.knows and subjects is None:
        raise ValueError(f"{method.name} knows {method.knows}: it needs the subjects, got none")
    who = subjects if method.knows else None

    def by(views: np.ndarray, prompts: Prompts) -> Labels:
        if truth is not None:
            return Labels(along_views(truth, views.shape[1]))
        return label(method, views, prompts, seed=seed, subjects=who)

    found = Rounds([], [])
    for number in range(method.rounds):
        labels = trainer.labelled(number, by)
        if method.supervision != "instance":
            kept = labels.classes[:, 0] != UNUSED
            counted = labels.classes[kept, 0] if method.aggregate else labels.classes.ravel()
            found.labels.append(labels.classes)
            found.sizes.append(np.bincount(counted, minlength=classes).tolist())
        if method.trains:
            trainer.fit(number, labels)
    return found


class Untrained(NamedTuple):
    """Labels samples as the frozen model sees them: a `Trainer` of a method that trains nothing."""

    views: np.ndarray  # (N, V, D)
    prompts: Prompts

    def labelled(self, _number: int, by: Callable[[np.ndarray, Prompts], Labels]) -> Labels:
        return by(self.views, self.prompts)


def adapt(
    method: Method,
    views: np.ndarray,
    prompts: Prompts,
    *,
    seed: int,
    truth: np.ndarray | None = None,
    subjects: np.ndarray | None = None,
    steps: int | None = None,
) -> tuple[Adapter | None, Rounds]:
    """Train an adapter as a method says on frozen embeddings (A, N, V, D); None where nothing is trained.

    Args:
        seed: of clusters, weights, batches and prompts.
        truth: (N,), see `rounds`.
        subjects: (N,) who is shown, for a method that knows it and a reading that asks for it.
        steps: of each round's training; None: as usual.

    Raises:
        ValueError: see `rounds`; no subjects where the reading asks for them.
    """
    told = {"classes": prompts.classes.max() + 1, "seed": seed, "truth": truth, "subjects": subjects}
    if not method.trains:
        return None, rounds(method, Untrained(views[0], prompts), **told)
    if method.reading.other_subjects and subjects is None:
        raise ValueError(f"{method.name}: negatives of other subjects alone need the subjects, got none")
    who = np.unique(subjects, return_inverse=True)[1] if method.reading.other_subjects else None
    from mvlm.training.adapter import AdapterTrainer  # here and not above: it brings torch

    how = {"use": method.use, "reading": method.reading, "subjects": who, "seed": seed, "steps": steps}
    trainer = AdapterTrainer(views, prompts, **how)
    found = rounds(method, trainer, **told)
    return trainer.adapter, found


def seen(method: Method, views: Sequence[np.ndarray], subjects: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Frozen embeddings (A, N, V, D) and (A, M, V, D) of training and test samples, as a method is shown them.

    An impersonal one is shown what is left of each when its subject's (N,), (M,) mean is removed: of the same copy and
    view, over all scans of the subject that there are.
    """
    if not method.impersonal:
        return list(views)
    first = [np.moveaxis(of, 1, 0) for of in views]  # samples
    mean = first[0].mean(0, dtype=np.float64)
    left = (centred_on_subjects(of, who, mean) for of, who in zip(first, subjects, strict=True))
    return [np.ascontiguousarray(np.moveaxis(of, 0, 1), dtype=np.float32) for of in left]


def represent(
    method: Method, train: np.ndarray, test: np.ndarray, subjects: Sequence[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Unit rows (N, D) and (M, D) of training and test samples: the normalised mean of their views.

    A centred method removes the mean of the training rows from both; if it knows subjects, (N,) and (M,), from each row
    the mean of its own subject's rows.
    """
    rows = [aggregate(views) for views in (train, test)]
    if not method.centred:
        return rows
    mean = rows[0].mean(0)
    if method.knows:
        return [centred_on_subjects(x, who, mean) for x, who in zip(rows, subjects, strict=True)]
    return [unit_rows("centred rows", x - mean) for x in rows]


def discriminant(method: Method, rows: np.ndarray, rounds: Rounds, prompts: Prompts) -> Discriminant | None:
    """What a method predicts by, if not by prompts: fitted to training rows (N, D) of `represent` and its labels."""
    if not method.discriminant:
        return None
    return Discriminant.fit(rows, rounds.labels[-1][:, 0], prompts.classes.max() + 1)


def predict(
    method: Method,
    rows: np.ndarray,
    prompts: Prompts,
    among: np.ndarray | None = None,
    fitted: Discriminant | None = None,
) -> np.ndarray:
    """(M,) the class of the nearest prototype to each row (M, D), `among` these or all classes.

    Every method of the paper predicts in the same way, plainly, as `MultiviewVLM.classify` does. What differs from
    method to method is then in the weights alone, and one needs nothing but its weights to classify one scan. Removing
    the mean of the training subjects (and of the prototypes) before matching helps a model across domains; it is no
    part of the paper's method, and has a method of its own, "centred". So has prediction by what is fitted to labels
    that know who is shown, see `discriminant`: it takes the likeliest class.

    Raises ValueError for a method that predicts by a discriminant, without it.
    """
    if method.discriminant:
        if fitted is None:
            raise ValueError(f"{method.name} predicts by a discriminant, got none")
        posterior = fitted.posterior(rows)
        return posterior.argmax(1) if among is None else among[posterior[:, among].argmax(1)]
    prototypes = prompts.prototypes()
    if method.centred:
        prototypes = prototypes - prototypes.mean(0)
    if among is None:
        return zero_shot(rows, prototypes)
    return among[zero_shot(rows, prototypes[among])]
