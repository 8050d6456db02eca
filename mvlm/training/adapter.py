"""Adaptation to unlabelled faces: the trainer of the quick profile.

Both towers stay frozen and are run once. What is trained is a residual projector on the image side, the identity at the
start, and the temperature. The text side stays fixed: the prompts are all that gives the classes their names, and if
they could move, images and prompts could agree on any exchange of names, and prompts never trained on would lose their
place.

Shapes: A augmented copies, N samples, B samples of a batch, V views, D embedding, P prompts, C classes.
"""

from __future__ import annotations

import hashlib
import logging
import math
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mvlm import losses
from mvlm.losses import siblings
from mvlm.losses.readings import PARTS, TEXT, Reading

STEPS = 150
# Batch, in samples, and AdamW are those of the author's public predecessor (MiT, 2021); its rate is for transformers.
BATCH, RATE, DECAY = 64, 1e-3, 0.05
COLDEST = 0.01  # CLIP's bound of the temperature


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

    def digest(self) -> str:
        """SHA-256 of names and bytes of all weights: equal digests, equal adapters."""
        hashed = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            hashed.update(name.encode() + value.numpy().tobytes())
        return hashed.hexdigest()


class Adaptation(pl.LightningModule):
    """Trains an `Adapter` on frozen embeddings with `mvlm.losses.objective`, or with a loss of `mvlm.losses.siblings`.

    A batch is three tensors: rows (B,) of samples, copies (B,) of the augmentation, and draws (B,) in [0, 1), which
    pick one prompt of the class of each view. So a step holds no chance of its own.

    Some readings learn more than the adapter: the query of 4E, from zero, and scale and bias of a learnt line. They
    serve training alone and are dropped with this module.

    Args:
        views: (A, N, V, D) frozen embeddings.
        text: (P, D) prompt embeddings.
        prompt_class: (P,) class of each prompt.
        labels: (N, V) class of each view.
        use: parts of the objective, losses of `siblings`.
        temperature: at the start.
        steps: length of the cosine that takes the rate to zero.
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
        steps: int,
        reading: Reading = TEXT,
        targets: Tensor | None = None,
        subjects: Tensor | None = None,
    ):
        super().__init__()
        self.adapter = Adapter(views.shape[-1], temperature)
        self.views, self.labels, self.use, self.steps = views, labels, set(use), steps
        self.consensus = consensus(labels)
        self.reading, self.targets, self.subjects = reading, targets, subjects
        self.reads_text = bool(self.use & {"contrastive", "multiview"})
        self.query = nn.Parameter(torch.zeros(views.shape[-1])) if reading.equations.multiview == "4E" else None
        line = torch.tensor([math.log(reading.line.scale), reading.line.bias])
        self.line = nn.Parameter(line) if reading.line.learnt else None  # the logarithm of scale, as SigLIP; bias
        order = prompt_class.argsort(stable=True)
        self.text = text[order]  # prompts of one class stand together, from `first` on
        self.count = torch.bincount(prompt_class)
        self.first = self.count.cumsum(0) - self.count

    def prompts(self, classes: Tensor, draws: Tensor) -> Tensor:
        """Embeddings (..., D) of one prompt for each class (...,), picked by draws of the same shape."""
        return self.text[self.first[classes] + (draws * self.count[classes]).long()]

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _index: int) -> Tensor:
        rows, copies, draws = batch
        views = self.adapter(self.views[copies, rows])  # (B, V, D)
        total = self.of_views(views)
        if self.targets is not None:
            total = total + self.softly(views, self.targets[rows], draws)
            return total + self.of_samples(views, rows, draws, self.use & {"pairs"})
        if "contrastive" in self.use:  # equations (1)-(3) on single views, each with a prompt of its own class
            classes = self.labels[rows]
            text = self.prompts(classes, draws[:, None].expand_as(classes))
            total = total + losses.objective(
                views.flatten(0, 1)[:, None],
                text.flatten(0, 1),
                temperature=self.adapter.temperature,
                labels=classes.flatten(),
                use=("contrastive",),
                weights=self.reading.weights,
                plain=self.reading.plain,
            ).total
        return total + self.of_samples(views, rows, draws, self.use & {"pairs", "multiview"})

    def of_samples(self, views: Tensor, rows: Tensor, draws: Tensor, use: set[str]) -> Tensor:
        """Equations (4)-(8), as far as in use, on samples (B, V, D)."""
        if not use:
            return views.new_zeros(())
        classes, reading = self.consensus[rows], self.reading
        # Pairs of views need no text; classes that no prompt names (instances) have none.
        text = self.prompts(classes, draws) if self.reads_text else views[:, 0].detach()
        scale, bias = self.scale_and_bias()
        return losses.objective(
            views,
            text,
            temperature=self.adapter.temperature,
            labels=classes,
            use=use,
            readings=reading.equations,
            weights=reading.weights,
            plain=reading.plain,
            subjects=self.subjects[rows] if reading.other_subjects else None,
            scale=scale,
            bias=bias,
            query=self.query,
        ).total

    def of_views(self, views: Tensor) -> Tensor:
        """Losses of sibling methods, as far as in use, on views (B, V, D) alone."""
        used = [loss for name, loss in siblings.LOSSES.items() if name in self.use]
        return sum((loss(views, *self.scale_and_bias()) for loss in used), start=views.new_zeros(()))

    def softly(self, views: Tensor, targets: Tensor, draws: Tensor) -> Tensor:
        """Equations (1)-(4), as far as in use, with soft targets (B, C): views against one drawn prompt of each class.

        A class takes its draw from the batch's, by turns where there are fewer.
        """
        classes = torch.arange(targets.shape[1])
        text, tau, total = self.prompts(classes, draws[classes % len(draws)]), self.adapter.temperature, 0
        if "contrastive" in self.use:
            of_each = targets.repeat_interleave(views.shape[1], 0)
            total = siblings.soft_contrastive(views.flatten(0, 1), text, targets=of_each, temperature=tau)
        if "multiview" in self.use:
            mean = F.normalize(views, dim=-1).mean(1)
            total = total + siblings.soft_contrastive(mean, text, targets=targets, temperature=tau)
        return total

    def scale_and_bias(self) -> tuple[Tensor | float, Tensor | float]:
        """The line inside the sigmoid of (6) and (8)."""
        return self.reading.line[:2] if self.line is None else (self.line[0].exp(), self.line[1])

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.AdamW(self.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def consensus(labels: Tensor) -> Tensor:
    """Class (N,) of each sample: what most of its views (N, V) are, the front view (the first) deciding a tie."""
    votes = F.one_hot(labels).sum(1).float()  # (N, C)
    votes[torch.arange(len(labels)), labels[:, 0]] += 0.5
    return votes.argmax(1)


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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # another count of threads gives other sums, and so other weights
    try:
        with torch.random.fork_rng(devices=[]), _quiet():
            pl.seed_everything(seed, verbose=False)
            module = Adaptation(
                torch.from_numpy(np.array(views, dtype=np.float32)),
                torch.from_numpy(np.array(text, dtype=np.float32)),
                torch.from_numpy(np.array(prompt_class, dtype=np.int64)),
                torch.from_numpy(np.array(labels, dtype=np.int64)),
                use=use,
                temperature=temperature,
                steps=steps,
                reading=reading,
                targets=None if targets is None else torch.from_numpy(np.array(targets, dtype=np.float32)),
                subjects=None if subjects is None else torch.from_numpy(np.array(subjects, dtype=np.int64)),
            )
            trainer = pl.Trainer(
                accelerator="cpu",
                devices=1,
                max_steps=steps,
                deterministic=True,
                logger=False,
                enable_progress_bar=False,
                enable_checkpointing=False,
                enable_model_summary=False,
            )
            batches = list(_batches(views.shape[1], len(views), steps, seed))
            trainer.fit(module, train_dataloaders=DataLoader(batches, batch_size=None))
    finally:
        torch.set_num_threads(threads)
    return module.adapter.eval().requires_grad_(False)


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the trainer's remarks on the machine and on loaders, which say nothing about a fit of one second."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
