"""Labels without labels: remove the person, then let the prompts speak. No true label enters; who is shown does.

Why it works, as far as is known:

- People differ in their embeddings, the more so on faces that a model did not learn from, and clusters and matches with
  prompts follow people in part. Each person's mean, over their own scans, is what the expressions share: the person.
  Subtracting it leaves the expression. (Projecting out the directions in which people differ does not: expressions lie
  in these directions too.)
- What is left is anisotropic: a cosine weighs directions that only vary as much as those that tell classes apart. A
  discriminant with a full covariance divides by that variation.
- Prompts are weak, and need not be more: they say which class is which, a symmetry that images alone cannot break. From
  there on images teach: each round's discriminant is fitted to the labels of the round before.
- Where each person shows every class equally often, that is one small constraint a person, many together: labels that
  crowd into one class are pushed apart inside each person, where they are comparable. For a linear rule this removes
  the person by itself: its log-odds of a row with and without the person's mean differ by one number a person and
  class, and these are what the balance chooses.

Who is shown is known to whoever scans people, and is no label of what they show. That classes have equal shares in
each person is knowledge of another sort, which can be false; so there are three degrees, see `EXPONENTS`.

Shapes: N training and M test samples, D embedding, C classes, K own scans.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mvlm.labels.clusters import unit_rows
from mvlm.labels.naming import Prompts

# How far classes are held to equal shares inside each subject, by the degree of knowledge: see `balanced_within`.
EXPONENTS = {"who": 0.0, "spread": 0.8, "shares": 1.0}
BALANCING = 50  # rounds of scaling
ROUNDS = 30  # of labelling, at most; three to nine are usual
NOTHING = 1e-6  # length of what is left of a unit row where it is rounding (of float32) and no direction
PARTS = 5  # of the subjects, in cross-fitting
_LEAST = 1e-300  # a share that is none, as a number to divide by


class Discriminant(NamedTuple):
    """A linear discriminant with one covariance for all classes and equal priors: log-odds are `x w' + b`.

    Attributes:
        weights: (C, D).
        biases: (C,); -inf of a class that had no sample, which is then never predicted.
    """

    weights: np.ndarray
    biases: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray, labels: np.ndarray, count: int) -> Discriminant:
        """Of rows (N, D) and their labels (N,) among `count` classes.

        With class means m_c and the covariance S of the rows about their own class's mean, `w_c = S^-1 m_c` and `b_c =
        -m_c' S^-1 m_c / 2`. S is shrunk towards a multiple of the identity as far as Ledoit and Wolf (2004) estimate
        to be best, for D is about as large as N. scikit-learn's discriminant with automatic shrinkage is another one:
        it shrinks each class's covariance by itself, and standardised.

        Raises ValueError for shapes that do not agree, and if no class has two different rows.
        """
        from sklearn.covariance import ledoit_wolf

        rows, labels = np.asarray(rows, dtype=np.float64), np.asarray(labels)
        if rows.ndim != 2 or labels.shape != rows.shape[:1] or not np.isin(labels, np.arange(count)).all():
            raise ValueError(f"expected rows (N, D), labels (N,) of {count} classes, got {rows.shape}, {labels.shape}")
        of = labels == np.arange(count)[:, None]  # (C, N)
        sizes = of.sum(1)
        means = of @ rows / np.maximum(sizes, 1)[:, None]
        about = rows - means[labels]
        if np.abs(about).max() < NOTHING:
            raise ValueError(f"{len(rows)} samples of {count} classes: no class has two different ones")
        weights = np.linalg.solve(ledoit_wolf(about, assume_centered=True)[0], means.T).T
        return cls(weights, np.where(sizes > 0, -(weights * means).sum(1) / 2, -np.inf))

    def posterior(self, rows: np.ndarray) -> np.ndarray:
        """(M, C) probabilities of the classes for rows (M, D)."""
        return _softmax(rows @ self.weights.T + self.biases)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """(M,) the likeliest class of rows (M, D)."""
        return self.posterior(rows).argmax(1)


class Relabelled(NamedTuple):
    """Result of `relabel`."""

    labels: np.ndarray  # (N,) class of each sample
    posterior: np.ndarray  # (N, C) by the discriminant, before any balance
    discriminant: Discriminant  # for rows of `centred_on_subjects`
    rounds: int  # of labelling until no label changed; `ROUNDS` if some still did


def centred_on_subjects(rows: np.ndarray, subjects: np.ndarray, mean: np.ndarray | None = None) -> np.ndarray:
    """Unit rows (N, ..., D): what is left of each when the mean of its subject's rows is subtracted.

    A row that is its subject's mean, as that of someone's only scan, would leave nothing; it is centred on `mean`
    instead, as is done where nothing is known of who is shown. No other subject's rows have a part in a row, but by
    `mean`: of test subjects, that is the mean of the training rows.

    Args:
        rows: unit rows (N, ..., D): of samples (N, D), or of their views (N, V, D), each centred on its own kind.
        subjects: (N,) who is shown.
        mean: (..., D), by default that of the rows.

    Raises ValueError for other shapes, and for rows that are all alike.
    """
    rows, subjects = _told(rows, subjects)
    left = np.empty_like(rows)
    for subject in np.unique(subjects):
        own = subjects == subject
        left[own] = rows[own] - rows[own].mean(0)
    left = np.where(_is_nothing(left), rows - (rows.mean(0) if mean is None else mean), left)
    return unit_rows("rows without their subject", np.where(_is_nothing(left), 0, left))


def centred_on_few(rows: np.ndarray, beside: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Unit rows (M, D) of test samples of whom K own scans are at hand: `m - mean - (K - 1)/K (own mean - mean)`.

    The mean of few scans is partly their expressions, the more so the fewer they are; of one scan it is all of it. So
    the share (K - 1)/K of it is subtracted, and what remains is centred as if nothing were known of who is shown: with
    K = 1 all of the training rows' mean is, with many scans nearly all of the subject's own.

    Args:
        rows: unit rows (M, D).
        beside: (M, K) places, among the rows, of the scans that are at hand: see `own_scans`.
        mean: (D,) of the training rows.
    """
    rows = np.asarray(rows, dtype=np.float64)
    kept = 1 - 1 / beside.shape[1]
    return unit_rows("rows without their subject", rows - mean - kept * (rows[beside].mean(1) - mean))


def own_scans(subjects: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """(M, K) places of `count` scans of the same subject for each of (M,) scans: itself, then others drawn at random.

    Each subject is drawn for by itself, so that no other one changes who stands beside whom.

    Raises ValueError for a subject with fewer scans.
    """
    subjects = np.asarray(subjects)
    places = np.empty((len(subjects), count), dtype=np.int64)
    for subject in np.unique(subjects):
        own = np.flatnonzero(subjects == subject)
        if len(own) < count:
            raise ValueError(f"subject {subject}: expected {count} scans or more, found {len(own)}")
        rng = np.random.default_rng([seed, *str(subject).encode()])
        for place in own:
            places[place] = place, *rng.permutation(own[own != place])[: count - 1]
    return places


def relabel(rows: np.ndarray, subjects: np.ndarray, prompts: Prompts, *, degree: str) -> Relabelled:
    """Label samples whose subjects are known.

    1. Each row is centred on its subject, x (`centred_on_subjects`).
    2. Prompts begin: `p = softmax_c( s(x, t_c) / tau )`, t_c the prototypes without their mean.
    3. Inside each subject p is balanced as far as the degree of knowledge says (`balanced_within`).
    4. The likeliest class is the label; a discriminant is fitted to the labels, and p is now its posterior.
    5. Again from 3, until no label changes.

    Nothing is drawn at random, and no constant is tuned. Equal probabilities go to the first class: where prompts say
    nothing, all samples do.

    Args:
        rows: unit rows (N, D) of `aggregate`.
        subjects: (N,) who is shown.
        prompts: with the temperature tau.
        degree: "who": step 3 is left out; "spread": classes are about evenly spread in each subject; "shares": each
            subject shows every class equally often.

    Raises:
        ValueError: as of `centred_on_subjects` and `Discriminant.fit`, or prototypes that are all alike.
        KeyError: an unknown degree.
    """
    x = centred_on_subjects(rows, subjects)
    return settled(x, by_prompts(x, prompts), subjects, EXPONENTS[degree])


def by_prompts(x: np.ndarray, prompts: Prompts) -> np.ndarray:
    """Step 2 of `relabel`: (N, C) probabilities of centred unit rows x (N, D) by the prototypes without their mean.

    Raises ValueError for prototypes that are all alike.
    """
    prototypes = prompts.prototypes()
    if len(prototypes) > 1:  # of one class there is no mean to remove, and nothing to tell apart
        prototypes = unit_rows("centred prototypes", prototypes - prototypes.mean(0))
    return _softmax(x @ prototypes.T / prompts.temperature)


def settled(
    x: np.ndarray,
    posterior: np.ndarray,
    subjects: np.ndarray,
    exponent: float,
    fit: Callable[[np.ndarray, np.ndarray, int], Discriminant] = Discriminant.fit,
) -> Relabelled:
    """Steps 3 to 5 of `relabel`, from any first probabilities (N, C) of rows x (N, D).

    Args:
        x: rows as they are to be told apart.
        posterior: where the rounds begin.
        subjects: (N,) inside which classes are balanced.
        exponent: how far, see `EXPONENTS`.
        fit: of rows, labels and the number of classes; `Discriminant.fit`, or what is tried in its place.
    """
    count = posterior.shape[1]
    before, labels, rounds = None, balanced_within(posterior, subjects, exponent).argmax(1), 0
    while rounds < ROUNDS and not np.array_equal(labels, before):
        discriminant, rounds = fit(x, labels, count), rounds + 1
        posterior = discriminant.posterior(x)
        before, labels = labels, balanced_within(posterior, subjects, exponent).argmax(1)
    return Relabelled(labels, posterior, discriminant, rounds)


def balanced_within(probabilities: np.ndarray, subjects: np.ndarray, exponent: float) -> np.ndarray:
    """(N, C) the probabilities (N, C) scaled so that inside each subject (N,) the classes have equal shares.

    `BALANCING` rounds of `q = p u / sum_c p u` and `u_s <- (u_s / r_s)^exponent`, r_s being a class's share of the
    subject's q, times C. With exponent 1 these are Sinkhorn's, and r_s goes to 1. Below 1 they are those of unbalanced
    transport (Chizat et al. 2018, where the exponent is lambda / (lambda + epsilon)): shares are drawn towards equality
    and held away from it by what the probabilities say, up to `r_s = u_s^(1 - 1/exponent)`. At 0 nothing is scaled.

    A class that is impossible for all scans of a subject stays so. One scan shows one class and not an equal share of
    each, which would leave its label to rounding: the row of a subject's only scan is kept.

    Raises ValueError for other shapes.
    """
    p, subjects = _told(probabilities, subjects)
    if not exponent:
        return p
    known, place = np.unique(subjects, return_inverse=True)
    of = (place == np.arange(len(known))[:, None]).astype(float)  # (subjects, N)
    count = of.sum(1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_p = np.log(p)
    log_u = np.zeros((len(known), p.shape[1]))
    for _ in range(BALANCING):
        q = _softmax(log_p + log_u[place])
        scaled = exponent * (log_u - np.log(np.maximum(of @ q * (p.shape[1] / count), _LEAST)))
        log_u = np.where(count > 1, scaled, 0)
    return q


def discriminant_for_few(rows: np.ndarray, subjects: np.ndarray, labels: np.ndarray, count: int) -> Discriminant:
    """The discriminant that reads rows of `centred_on_few`, of however many scans.

    It is fitted to unit rows (N, D) centred on their subjects (N,) and to the same rows centred on the mean of all,
    with the same labels (N,) of `relabel`: so it has seen both ends of what few scans leave of a person.
    """
    rows = np.asarray(rows, dtype=np.float64)
    both = centred_on_subjects(rows, subjects), unit_rows("centred rows", rows - rows.mean(0))
    return Discriminant.fit(np.concatenate(both), np.concatenate([labels, labels]), count)


def moved_by_balance(
    rows: np.ndarray, subjects: np.ndarray, labels: np.ndarray, count: int, *, degree: str = "shares"
) -> float:
    """Share of samples whose class, told by others' labels, is moved by balance inside their subject.

    An idea for a guard that reads no true label: where subjects do show the classes equally often, balance has little
    to move; where they do not, it moves many. It was tried (`mvlm.study.items.identity_stress`) and DOES NOT TELL: few
    people or a weak model make it move as many. Each subject is told by a discriminant on `labels` (N,) of `relabel` of
    the other subjects, `PARTS` parts by turns, since one's own labels are balanced already.

    Args:
        rows: unit rows (N, D) of `aggregate`.
        subjects: (N,) of whom there are two or more.
        labels, count: (N,) of `count` classes.
        degree: of knowledge, as of `relabel`.

    Raises ValueError for a single subject, and as `Discriminant.fit` does.
    """
    x, (known, place) = centred_on_subjects(rows, subjects), np.unique(subjects, return_inverse=True)
    if len(known) < 2:
        raise ValueError("one subject: there are no others to learn from")
    posterior = np.empty((len(x), count))
    for part in range(min(PARTS, len(known))):
        told = place % PARTS == part
        posterior[told] = Discriminant.fit(x[~told], labels[~told], count).posterior(x[told])
    return float((balanced_within(posterior, subjects, EXPONENTS[degree]).argmax(1) != posterior.argmax(1)).mean())


def _is_nothing(rows: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rows, axis=-1, keepdims=True) < NOTHING


def _softmax(logits: np.ndarray) -> np.ndarray:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def _told(rows: np.ndarray, subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, subjects = np.asarray(rows, dtype=np.float64), np.asarray(subjects)
    if rows.ndim < 2 or not len(rows) or subjects.shape != rows.shape[:1]:
        raise ValueError(f"expected rows (N, ..., D) and subjects (N,), got {rows.shape} and {subjects.shape}")
    return rows, subjects
