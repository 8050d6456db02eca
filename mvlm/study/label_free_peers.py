"""What others published, and the parts of the relabelling, on the same embeddings and folds as `mvlm.study.label_free`.

Shapes: N training and M test samples, D embedding, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from mvlm.labels import identity
from mvlm.labels.identity import EXPONENTS, Discriminant
from mvlm.labels.naming import Prompts, named_clusters
from mvlm.labels.peers import assignment, dirichlet, mixtures, propagation
from mvlm.measures import evaluate
from mvlm.method import Method
from mvlm.study.label_free import NOTHING, SHARES, SUBJECTS, Rows, Way, said
from mvlm.study.record import Fold

# Peers were published on CLIP, whose logits are 100 cosines: here they take the temperature of the model itself. The
# features of EM-Dirichlet are softer than CLIP's probabilities, 30 cosines, and are so here by the same factor.
SOFTER = 100 / 30


class Peer(NamedTuple):
    """A published way: `together` judges all rows at once; `alone`, where there is one, learns from training rows."""

    title: str
    together: Callable[..., np.ndarray]
    alone: Callable[..., np.ndarray] | None
    neighbours: bool = True  # asks who is near, and can be told who is the same person
    softer: float = 1.0  # of its probabilities, against the model's own


PEERS = {
    "transclip": Peer("TransCLIP", mixtures.transclip, mixtures.transclip_inductive),
    "stata": Peer("StatA", mixtures.stata, mixtures.stata_inductive),
    "zlap": Peer("ZLaP", propagation.zlap, propagation.zlap_inductive),
    "reclip": Peer("ReCLIP, labels", propagation.reclip, propagation.reclip_inductive),
    "otter": Peer("OTTER", assignment.otter, None, neighbours=False),
    "em-dirichlet": Peer(
        "EM-Dirichlet", dirichlet.em_dirichlet, dirichlet.em_dirichlet_inductive, neighbours=False, softer=SOFTER
    ),
}


def _ways(name: str, peer: Peer) -> Iterator[tuple[str, Way]]:
    shares = name == "otter"
    for suffix, said_, knows, scans in (("", "", NOTHING, "1"), ("-centred", ", subject-centred", SUBJECTS, "all")):
        if peer.alone:
            yield f"{name}{suffix}", Way(peer.title + said_, knows, scans)
        together = Way(f"{peer.title}{said_}, transductive", SHARES if shares else knows, "all subjects")
        yield f"{name}{suffix}-transductive", together


OF_PEERS = {way: of for name, peer in PEERS.items() for way, of in _ways(name, peer)}
# What each step of the relabelling gives: one thing is left out or done otherwise, all else is as with equal shares.
ABLATED = {
    "without-centring": Way("without removing persons", SHARES),
    "nearest-centre": Way("nearest class mean in place of the discriminant", SHARES, "all"),
    "over-the-corpus": Way("balanced over the corpus, not inside persons", SHARES, "all"),
    "from-clusters": Way("begun at named clusters, not at the prompts", SHARES, "all"),
    "random-people": Way("with random groups in place of persons", SHARES, "all"),
}


def peers(
    method: Method,  # noqa: ARG001 - all ways are run
    fold: Fold,
    prompts: Prompts,
    steps: int | None = None,  # noqa: ARG001 - nothing is trained
    strengths: tuple[float, ...] = evaluate.STRENGTHS,  # noqa: ARG001 - nor probed
) -> dict[str, object]:
    """Predictions of a fold's test samples by the peers (`OF_PEERS`) and by the parts of relabelling (`ABLATED`).

    A peer that is told of subjects gets rows and prototypes without their means, and has no neighbour of the same
    person: that helps it, and is knowledge of the same sort. ReCLIP's prototypes are not centred, since its projection
    takes their common direction out.

    Args:
        fold, prompts: what is run.

    Returns:
        names, subjects, emotions, predicted, among_shown, as of `without_labels`.
    """
    rows = Rows.of(fold, prompts)
    scores = {}
    for name, peer in PEERS.items():
        told = {"temperature": prompts.temperature * peer.softer}
        if name == "otter":
            told["shares"] = np.full(len(fold.emotions), 1 / len(fold.emotions))
        for suffix, (train, test) in (("", (rows.train, rows.test)), ("-centred", rows.impersonal)):
            centred, who = bool(suffix) and name != "reclip", suffix and peer.neighbours
            prototypes = rows.shifted if centred else rows.prototypes
            if peer.alone:
                people = {"subjects": rows.who} if who else {}
                scores[f"{name}{suffix}"] = peer.alone(train, test, prototypes, **told, **people)
            people = {"subjects": np.concatenate([rows.who, rows.tested])} if who else {}
            both = peer.together(np.concatenate([train, test]), prototypes, **told, **people)
            scores[f"{name}{suffix}-transductive"] = both[len(train) :]
    return said(fold, scores | _ablated(rows))


def _ablated(rows: Rows) -> dict[str, np.ndarray]:
    """Scores (M, C) by the relabelling with one of its parts left out or done otherwise."""
    settle = partial(identity.settled, exponent=EXPONENTS["shares"])
    x, test = rows.impersonal
    begun = identity.by_prompts(x, rows.prompts)
    rng = np.random.default_rng([rows.seed, len(x)])
    groups = rng.permutation(rows.who), rng.permutation(rows.tested)
    random, random_test = rows.without(*groups)
    clusters, names = named_clusters(x, rows.prompts, seed=rows.seed)
    from_clusters = Discriminant.fit(x, names[clusters.assignment], len(names)).posterior(x)
    plain, plain_test = rows.centred
    found = {
        "without-centring": (settle(plain, identity.by_prompts(plain, rows.prompts), rows.who), plain_test),
        "nearest-centre": (settle(x, begun, rows.who, fit=nearest_mean), test),
        "over-the-corpus": (settle(x, begun, np.zeros(len(x))), test),
        "from-clusters": (settle(x, from_clusters, rows.who), test),
        "random-people": (settle(random, identity.by_prompts(random, rows.prompts), groups[0]), random_test),
    }
    return {way: of.discriminant.posterior(side) for way, (of, side) in found.items()}


def nearest_mean(rows: np.ndarray, labels: np.ndarray, count: int) -> Discriminant:
    """A discriminant that knows one variance for all directions: the nearest class mean, of rows (N, D)."""
    of = labels == np.arange(count)[:, None]
    sizes = of.sum(1)
    means = of @ rows / np.maximum(sizes, 1)[:, None]
    variance = np.square(rows - means[labels]).mean()
    return Discriminant(means / variance, np.where(sizes > 0, -np.square(means).sum(1) / (2 * variance), -np.inf))
