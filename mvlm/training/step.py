"""One step of the objective, as both trainers minimise it: which prompt a view is compared with, and what is summed.

Every view is compared with a prompt of its own class, equations (1)-(3), and every sample with one of its class, (4);
its views are compared with each other and with those of other samples, (5)-(8). Whether the embeddings come from an
adapter on frozen towers (`mvlm.training.adapter`) or from the towers themselves on many ranks (`mvlm.training.towers`)
makes no difference here.

Shapes: B samples of a batch (of a rank's batch, where there are many), V views, D embedding, P prompts, C classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mvlm import losses
from mvlm.losses import siblings
from mvlm.losses.readings import TEXT, Reading

COLDEST = 0.01  # CLIP's bound of the temperature


class Bank(NamedTuple):
    """Prompts in the order of their classes, so that one of a class can be drawn.

    Attributes:
        order: (P,) the prompts in that order.
        begin: (C,) where those of each class begin.
        amount: (C,) how many each class has.
    """

    order: Tensor
    begin: Tensor
    amount: Tensor

    @classmethod
    def of(cls, prompt_class: Tensor) -> Bank:
        """The bank of prompts with these classes (P,)."""
        amount = torch.bincount(prompt_class)
        return cls(prompt_class.argsort(stable=True), amount.cumsum(0) - amount, amount)


@contextmanager
def unfilled() -> Iterator[None]:
    """Deterministic operations without what torch adds to find faults: it would fill all new memory with NaN first."""
    before = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.utils.deterministic.fill_uninitialized_memory = before


def drawn(classes: Tensor, draws: Tensor, begin: Tensor, amount: Tensor) -> Tensor:
    """Places (...), in the order of a `Bank`, of one prompt for each class (...), picked by draws (...) in [0, 1)."""
    return begin[classes] + (draws * amount[classes]).long()


def majority(labels: Tensor) -> Tensor:
    """Class (N,) of each sample: what most of its views (N, V) are, the front view (the first) deciding a tie."""
    votes = F.one_hot(labels).sum(1).float()  # (N, C)
    votes[torch.arange(len(labels)), labels[:, 0]] += 0.5
    return votes.argmax(1)


def loss(
    views: Tensor,
    text: Tensor | None,
    of_views: Tensor,
    of_samples: Tensor,
    *,
    temperature: Tensor,
    use: Collection[str],
    reading: Reading = TEXT,
    learnt: losses.Learnt | None = None,
    subjects: Tensor | None = None,
    gather: losses.Gather = losses.identity,
) -> Tensor:
    """The objective () of a batch; over ranks, the mean of theirs is that of the whole batch.

    Args:
        views: (B, V, D) embeddings.
        text: (B, V + 1, D) a prompt for each view and, last, one for the sample; None where nothing in use reads text,
            as in training on instances, which no prompt names.
        of_views, of_samples: (B, V) and (B,) classes.
        temperature: ().
        use: parts of `mvlm.losses.objective`.
        reading, learnt, subjects, gather: as of `mvlm.losses.objective`.
    """
    how = {"temperature": temperature, "reading": reading, "gather": gather}
    total = views.new_zeros((), dtype=temperature.dtype)
    if "contrastive" in use:
        rows, own = views.flatten(0, 1)[:, None], text[:, :-1].flatten(0, 1)
        total = total + losses.objective(rows, own, labels=of_views.flatten(), use=("contrastive",), **how).total
    if rest := set(use) - {"contrastive"}:
        own = views[:, 0].detach() if text is None else text[:, -1]  # pairs of views need no text
        how |= {"learnt": learnt, "subjects": subjects}
        total = total + losses.objective(views, own, labels=of_samples, use=rest, **how).total
    return total


def soft_loss(views: Tensor, text: Tensor, targets: Tensor, *, temperature: Tensor, use: Collection[str]) -> Tensor:
    """Equations (1)-(4), as far as in use, with soft targets (B, C): views (B, V, D) against a text (C, D) a class."""
    total = 0
    if "contrastive" in use:
        of_each = targets.repeat_interleave(views.shape[1], 0)
        total = siblings.soft_contrastive(views.flatten(0, 1), text, targets=of_each, temperature=temperature)
    if "multiview" in use:
        mean = F.normalize(views, dim=-1).mean(1)
        total = total + siblings.soft_contrastive(mean, text, targets=targets, temperature=temperature)
    return total


def sibling_loss(views: Tensor, use: Collection[str], scale: Tensor | float, bias: Tensor | float) -> Tensor:
    """Losses () of sibling methods, as far as in use, on views (B, V, D) alone; scale and bias are SigLIP's."""
    used = [of for name, of in siblings.LOSSES.items() if name in use]
    return sum((of(views, scale, bias) for of in used), start=views.new_zeros(()))
