"""What the relabelling does where its assumptions are false: people, classes or scans are missing, or names are wrong.

Both sides of a fold are put under the same condition. A condition may look at true labels to say which scans there are,
as a badly made corpus would; no way is told more than the scans and the names that are left.

Shapes: N training and M test samples, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mvlm.labels.identity import Discriminant
from mvlm.labels.naming import Prompts
from mvlm.measures import evaluate
from mvlm.method import Method
from mvlm.study.label_free import BOUNDS, FROZEN, OURS, Rows, guard
from mvlm.study.record import Fold

FEW_PEOPLE = 10
FEWEST = 2  # training scans a class that a condition must leave
WRONG = 0.1  # of the scans are said to show somebody else
RAREST = 0.2  # of the scans of the rarest class are there, of the most frequent all
WAYS = {name: (FROZEN | OURS | BOUNDS)[name] for name in ("zero-shot", "subject-centred", *OURS, "discriminant")}


class Side(NamedTuple):
    """Training or test samples as a condition leaves them: which there are, (n,), and the names on them, (n,)."""

    kept: np.ndarray
    names: np.ndarray


Change = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], Side]


class Condition(NamedTuple):
    """Something that is not as in the paper's protocols.

    Attributes:
        title: as tables show it.
        shares: whether equal shares of the classes in each person are still true, about.
        train, test: what becomes of either side, from who is shown (n,), true classes (n,), C, and a generator.
    """

    title: str
    shares: bool
    train: Change
    test: Change


def _as_it_is(who: np.ndarray, _truth: np.ndarray, _count: int, _rng: np.random.Generator) -> Side:
    return Side(np.arange(len(who)), who)


def _where(mask: np.ndarray, who: np.ndarray) -> Side:
    kept = np.flatnonzero(mask)
    return Side(kept, who[kept])


def _of_classes(share: float) -> Change:
    """The same classes for everyone; which, is drawn once for all folds, so that both sides have the same ones."""

    def change(who: np.ndarray, truth: np.ndarray, count: int, _rng: np.random.Generator) -> Side:
        present = np.random.default_rng(count).permutation(count)[: round(share * count)]
        return _where(np.isin(truth, present), who)

    return change


def _half_of_the_classes_each(who: np.ndarray, truth: np.ndarray, count: int, rng: np.random.Generator) -> Side:
    mask = np.zeros(len(who), bool)
    for person in np.unique(who):
        mask |= (who == person) & np.isin(truth, rng.permutation(count)[: count // 2])
    return _where(mask, who)


def _unequal(who: np.ndarray, truth: np.ndarray, count: int, rng: np.random.Generator) -> Side:
    there = np.linspace(1, RAREST, count)[np.random.default_rng(count).permutation(count)]
    return _where(rng.random(len(who)) < there[truth], who)


def _half_of_the_scans(who: np.ndarray, _truth: np.ndarray, _count: int, rng: np.random.Generator) -> Side:
    return _where(rng.permutation(len(who)) < len(who) / 2, who)


def _few_people(who: np.ndarray, _truth: np.ndarray, _count: int, rng: np.random.Generator) -> Side:
    return _where(np.isin(who, rng.permutation(np.unique(who))[:FEW_PEOPLE]), who)


def _one_scan_each(who: np.ndarray, _truth: np.ndarray, _count: int, rng: np.random.Generator) -> Side:
    order = rng.permutation(len(who))
    kept = np.sort(order[np.unique(who[order], return_index=True)[1]])
    return Side(kept, who[kept])


def _wrong_names(who: np.ndarray, _truth: np.ndarray, _count: int, rng: np.random.Generator) -> Side:
    wrong = rng.permutation(len(who)) < WRONG * len(who)
    people = np.unique(who)
    place = np.searchsorted(people, who)
    # Another person, each other one as likely.
    other = (place + rng.integers(1, max(2, len(people)), len(who))) % len(people)
    return Side(np.arange(len(who)), people[np.where(wrong, other, place)])


def _random_names(who: np.ndarray, _truth: np.ndarray, _count: int, rng: np.random.Generator) -> Side:
    return Side(np.arange(len(who)), rng.permutation(who))


def _both(title: str, shares: bool, change: Change) -> Condition:
    return Condition(title, shares, change, change)


CONDITIONS = {
    "complete": _both("as in the protocol", True, _as_it_is),
    "two-thirds": _both("two thirds of the classes (4 of 6) present", False, _of_classes(2 / 3)),
    "one-third": _both("a third of the classes (2 of 6) present", False, _of_classes(1 / 3)),
    "half-each": _both("half of the classes in each person, others in others", False, _half_of_the_classes_each),
    "unequal": _both("classes of unequal shares, 5 to 1", False, _unequal),
    "half-missing": _both("half of the scans missing at random", False, _half_of_the_scans),
    "few-people": Condition(f"{FEW_PEOPLE} people to learn from", True, _few_people, _as_it_is),
    "one-scan": Condition("one scan of each person to learn from", False, _one_scan_each, _as_it_is),
    "wrong-names": _both("a tenth of the scans under another's name", True, _wrong_names),
    "random-names": _both("names at random", False, _random_names),
}


def stressed(
    method: Method,  # noqa: ARG001 - all ways are run
    fold: Fold,
    prompts: Prompts,
    steps: int | None = None,  # noqa: ARG001 - nothing is trained
    strengths: tuple[float, ...] = evaluate.STRENGTHS,  # noqa: ARG001 - nor probed
) -> dict[str, object]:
    """Predictions of a fold's test samples by `WAYS`, under each condition.

    Args:
        fold, prompts: what is run.

    Returns:
        Condition -> subjects, emotions of the test samples that are left; predicted: way -> list of classes, none where
        fewer than `FEWEST` training scans a class are left; moved: what the guard says, see
        `mvlm.study.label_free.guard`. All under the one name "conditions".
    """
    rows, count = Rows.of(fold, prompts), len(fold.emotions)
    truth, tested = fold.classes(fold.train), fold.classes(fold.test)
    found = {}
    for place, (name, condition) in enumerate(CONDITIONS.items()):
        rng = np.random.default_rng([fold.seed, len(truth), place])
        train = condition.train(rows.who, truth, count, rng)
        test = condition.test(rows.tested, tested, count, rng)
        left = replace(
            rows, train=rows.train[train.kept], test=rows.test[test.kept], who=train.names, tested=test.names
        )
        enough = len(train.kept) >= FEWEST * count and len(test.kept)
        found[name] = {
            "subjects": fold.test.subjects[test.kept].tolist(),
            "emotions": fold.test.emotions[test.kept].tolist(),
            "predicted": _predicted(left, truth[train.kept], count) if enough else {},
            "moved": guard(left, count) if enough else None,
        }
    return {"conditions": found}


def _predicted(rows: Rows, truth: np.ndarray, count: int) -> dict[str, list[int]]:
    scores = {"zero-shot": rows.test @ rows.prototypes.T, "subject-centred": rows.impersonal[1] @ rows.shifted.T}
    for degree, found in rows.relabelled.items():
        scores[f"relabelled-{degree}"] = found.discriminant.posterior(rows.impersonal[1])
    scores["discriminant"] = Discriminant.fit(rows.impersonal[0], truth, count).posterior(rows.impersonal[1])
    return {way: scores[way].argmax(1).tolist() for way in WAYS}
