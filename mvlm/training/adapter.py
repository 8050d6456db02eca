"""Adaptation to unlabelled faces: the trainer of the quick profile.

Both towers stay frozen and are run once. What is trained is a residual projector on the image side, the identity at the
start, and the temperature. The text side stays fixed: the prompts are all that gives the classes their names, and if
they could move, images and prompts could agree on any exchange of names, and prompts never trained on would lose their
place.

Shapes: A augmented copies, N samples, B samples of a batch, V views, D embedding, P prompts, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvlm import losses
from mvlm.labels.clusters import UNUSED, Labels
from mvlm.labels.naming import Prompts
from mvlm.losses import siblings
from mvlm.losses.readings import PARTS, TEXT, Reading
from mvlm.training import step
from mvlm.training.step import COLDEST

STEPS = 150
# Batch, in samples, and AdamW are those of the author's public predecessor (MiT, 2021); its rate is for transformers.
BATCH, RATE, DECAY = 64, 1e-3, 0.05


class Adapter(nn.Module):
    """What training changes: `v + W2 gelu(W1 v + b1) + b2` with W2 = b2 = 0 at the start, and the temperature."""

    def __init__(self, dimension: int, temperature: float):
        super().__init__()
        self.hidden = nn.Linear(dimension, 2 * dimension)
        self.out = nn.Linear(2 * dimension, dimension)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))

    @property
    def temperature(self) -> Tensor:
        """() tau, kept above CLIP's bound."""
        return self.log_temperature.clamp(min=math.log(COLDEST)).exp()

    def forward(self, views: Tensor) -> Tensor:
        """Embeddings (..., D) -> (..., D), not of unit length."""
        return views + self.out(F.gelu(self.hidden(views)))

    @torch.no_grad()
    def apply(self, views: np.ndarray) -> np.ndarray:
        """Frozen embeddings (N, V, D) -> adapted unit rows (N, V, D) float32."""
        return F.normalize(self(torch.from_numpy(np.array(views, dtype=np.float32))), dim=-1).numpy()


class Adaptation(nn.Module):
    """An `Adapter` in training on frozen embeddings: its loss is `mvlm.training.step.loss`, or of sibling methods.

    Some readings learn more than the adapter: the query of 4E, from zero, and scale and bias of a learnt line. They
    serve training alone and are dropped with this module.

    Args:
        views: (A, N, V, D) frozen embeddings.
        text: (P, D) prompt embeddings.
        prompt_class: (P,) class of each prompt.
        labels: (N, V) class of each view.
        use: parts of the objective, losses of `mvlm.losses.siblings`.
        temperature: at the start.
        reading: how the objective is read.
        targets: (N, C) soft, weighted classes in place of `labels` in equations (1)-(4); (5)-(8) keep to the labels.
        subjects: (N,) who each sample shows, for a reading that asks for it.
    """

    def __init__(
        self,
        views: Tensor,
        text: Tensor,
        prompt_class: Tensor,
        labels: Tensor,
        *,
        use: Collection[str],
        temperature: float,
        reading: Reading = TEXT,
        targets: Tensor | None = None,
        subjects: Tensor | None = None,
    ):
        super().__init__()
        self.adapter = Adapter(views.shape[-1], temperature)
        self.views, self.labels, self.use = views, labels, set(use)
        self.majority = step.majority(labels)
        self.reading, self.targets, self.subjects = reading, targets, subjects
        self.reads_text = bool(self.use & {"contrastive", "multiview"})
        self.query = nn.Parameter(torch.zeros(views.shape[-1])) if reading.equations.multiview == "4E" else None
        line = torch.tensor([math.log(reading.line.scale), reading.line.bias])
        self.line = nn.Parameter(line) if reading.line.learnt else None  # the logarithm of scale, as SigLIP; bias
        self.bank = step.Bank.of(prompt_class)
        self.text = text[self.bank.order]

    def prompts(self, classes: Tensor, draws: Tensor) -> Tensor:
        """Embeddings (..., D) of one prompt for each class (...,), picked by draws of the same shape."""
        return self.text[step.drawn(classes, draws, self.bank.begin, self.bank.amount)]

    def loss(self, rows: Tensor, copies: Tensor, draws: Tensor) -> Tensor:
        """What a step minimises ().

        Args:
            rows: (B,) the samples.
            copies: (B,) the augmented copy that each shows.
            draws: (B,) in [0, 1), which pick one prompt of each class. So a step holds no chance of its own.
        """
        views = self.adapter(self.views[copies, rows])  # (B, V, D)
        scale, bias = self.reading.line[:2] if self.line is None else (self.line[0].exp(), self.line[1])
        total = step.sibling_loss(views, self.use, scale, bias)
        use, tau, text = self.use & set(PARTS), self.adapter.temperature, None
        of_views, of_samples = self.labels[rows], self.majority[rows]
        if self.targets is not None:
            # A class takes its draw from the batch's, by turns where there are fewer.
            classes = torch.arange(self.targets.shape[1])
            text_of_classes = self.prompts(classes, draws[classes % len(draws)])
            total = total + step.soft_loss(views, text_of_classes, self.targets[rows], temperature=tau, use=use)
            use &= {"pairs"}
        if self.reads_text:
            text = self.prompts(torch.cat([of_views, of_samples[:, None]], 1), draws[:, None])
        return total + step.loss(
            views,
            text,
            of_views,
            of_samples,
            temperature=tau,
            use=use,
            reading=self.reading,
            learnt=losses.Learnt(scale, bias, self.query),
            subjects=self.subjects[rows] if self.reading.other_subjects else None,
        )


def fit(
    views: np.ndarray,
    text: np.ndarray,
    prompt_class: np.ndarray,
    labels: np.ndarray,
    *,
    use: Collection[str],
    temperature: float,
    seed: int,
    steps: int = STEPS,
    reading: Reading = TEXT,
    targets: np.ndarray | None = None,
    subjects: np.ndarray | None = None,
) -> Adapter:
    """Fit an adapter to classes of views, on one thread: equal arguments give equal weights.

    Args:
        views: (A, N, V, D) frozen embeddings of A augmented copies; each sample of a batch shows one of them.
        text: (P, D) prompt embeddings.
        prompt_class: (P,) class of each prompt; every class in `labels` has one, unless nothing in use reads text.
        labels: (N, V) class of each view; equal along V where the sample was labelled as a whole.
        use: parts of `mvlm.losses.objective`, losses of `mvlm.losses.siblings`.
        temperature: of the frozen model, where training starts.
        seed: of weights, batches, copies and prompts.
        steps: of the optimiser.
        reading: how the objective is read.
        targets: (N, C) soft, weighted classes, or None: see `Adaptation`. Only the readings of (6) and (8) then count.
        subjects: (N,) integers, where the reading asks for other subjects.

    Raises:
        ValueError: arrays that do not fit each other, a class without a prompt, or an unknown loss.
    """
    _check(views, text, prompt_class, labels, use)
    _check_beside(labels, prompt_class, reading, targets, subjects)
    with torch.random.fork_rng(devices=[]), _repeatable(), step.unfilled():
        torch.manual_seed(seed)
        module = Adaptation(
            torch.from_numpy(np.array(views, dtype=np.float32)),
            torch.from_numpy(np.array(text, dtype=np.float32)),
            torch.from_numpy(np.array(prompt_class, dtype=np.int64)),
            torch.from_numpy(np.array(labels, dtype=np.int64)),
            use=use,
            temperature=temperature,
            reading=reading,
            targets=None if targets is None else torch.from_numpy(np.array(targets, dtype=np.float32)),
            subjects=None if subjects is None else torch.from_numpy(np.array(subjects, dtype=np.int64)),
        )
        optimizer = torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for batch in _batches(views.shape[1], len(views), steps, seed):
            optimizer.zero_grad()
            module.loss(*batch).backward()
            optimizer.step()
            schedule.step()
    return module.adapter.eval().requires_grad_(False)


@contextmanager
def _repeatable() -> Iterator[None]:
    """One thread and deterministic operations: another count of threads gives other sums, and so other weights."""
    threads, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.set_num_threads(threads)


class AdapterTrainer:
    """Labels and fits an adapter in rounds: a `mvlm.method.Trainer` on frozen embeddings (A, N, V, D).

    Arguments are those of `fit`; steps None: as usual. `adapter` is that of the last round, None before the first.
    """

    def __init__(
        self,
        views: np.ndarray,
        prompts: Prompts,
        *,
        use: Collection[str],
        reading: Reading,
        subjects: np.ndarray | None,
        seed: int,
        steps: int | None = None,
    ):
        self.views, self.prompts, self.use, self.reading, self.subjects = views, prompts, use, reading, subjects
        self.seed, self.steps, self.adapter = seed, steps or STEPS, None

    def labelled(self, _number: int, by: Callable[[np.ndarray, Prompts], Labels]) -> Labels:
        return by(self.views[0] if self.adapter is None else self.adapter.apply(self.views[0]), self.prompts)

    def fit(self, _number: int, labels: Labels) -> None:
        kept = labels.classes[:, 0] != UNUSED
        self.adapter = fit(
            self.views[:, kept],
            self.prompts.text,
            self.prompts.classes,
            labels.classes[kept],
            use=self.use,
            temperature=self.prompts.temperature,
            seed=self.seed,
            steps=self.steps,
            reading=self.reading,
            targets=None if labels.targets is None else labels.targets[kept],
            subjects=None if self.subjects is None else self.subjects[kept],
        )


def _batches(samples: int, copies: int, steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    size = min(BATCH, samples)
    epochs = math.ceil(steps * size / samples)
    order = torch.cat([torch.randperm(samples, generator=generator) for _ in range(epochs)])
    for rows in order[: steps * size].split(size):
        yield rows, torch.randint(copies, (size,), generator=generator), torch.rand(size, generator=generator)


def _check(
    views: np.ndarray, text: np.ndarray, prompt_class: np.ndarray, labels: np.ndarray, use: Collection[str]
) -> None:
    if (unknown := sorted(set(use) - {*PARTS, *siblings.LOSSES})) or not use:
        raise ValueError(f"use must name some of {', '.join((*PARTS, *siblings.LOSSES))}, got {unknown or 'none'}")
    if views.ndim != 4 or text.ndim != 2 or views.shape[-1] != text.shape[-1]:
        raise ValueError(f"expected views (A, N, V, D) and text (P, D), got {views.shape} and {text.shape}")
    if labels.shape != views.shape[1:3] or prompt_class.shape != text.shape[:1]:
        raise ValueError(
            f"expected labels {views.shape[1:3]} and prompt_class {text.shape[:1]}, "
            f"got {labels.shape} and {prompt_class.shape}"
        )
    silent = sorted(set(np.unique(labels).tolist()) - set(np.unique(prompt_class).tolist()))
    if silent and set(use) & {"contrastive", "multiview"}:
        raise ValueError(f"labels {silent} have no prompt")


def _check_beside(
    labels: np.ndarray,
    prompt_class: np.ndarray,
    reading: Reading,
    targets: np.ndarray | None,
    subjects: np.ndarray | None,
) -> None:
    samples, count = len(labels), int(prompt_class.max()) + 1
    if targets is not None and targets.shape != (samples, count):
        raise ValueError(f"expected targets {(samples, count)}, got {targets.shape}")
    if targets is not None and (reading.plain or reading.equations.multiview != TEXT.equations.multiview):
        raise ValueError(f"soft targets are of the default reading of (1)-(4), got {reading}")
    if reading.other_subjects and (subjects is None or subjects.shape != (samples,)):
        came = None if subjects is None else subjects.shape
        raise ValueError(f"negatives of other subjects need subjects {(samples,)}, got {came}")
