"""Training of both towers end to end, on one device or many: the trainer of the full profile.

Every rank encodes its share of a batch and compares it with the embeddings of all (`mvlm.ranks.gather.gather_even`), so
that the contrastive batch is that of all ranks together, and many ranks learn what one process would.

Towers stay in evaluation mode: no dropout, and normalisation with the statistics of pretraining. Otherwise what a
sample contributes would depend on which others are on its rank.

Shapes: N samples, b samples of a rank's batch, V views, D embedding, P prompts.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import ClusterEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader

from mvlm import losses
from mvlm.layers import layers_of
from mvlm.model import MultiviewVLM
from mvlm.ranks import group
from mvlm.ranks.gather import gather_even, in_order
from mvlm.samples import Rendering
from mvlm.settings import ALL, NONE, Training
from mvlm.training import checkpoints, step
from mvlm.training.batches import Batch, Batches
from mvlm.training.progress import Progress, quiet
from mvlm.training.step import COLDEST
from mvlm.training.vocabulary import only_used

CHUNK = 64  # samples that are embedded at once; the same on any number of ranks, so that embeddings are the same bits


class FineTuning(pl.LightningModule):
    """Trains a `MultiviewVLM` with `mvlm.losses.objective`; a batch is a `mvlm.training.batches.Batch`.

    Parameters that the settings leave out, and those that the loss does not reach, are frozen: there is nothing to
    exchange for them between ranks.

    Args:
        model: with its weights; trained in place.
        texts: the P prompts.
        prompt_class: (P,) class of each.
        labels: (N, V) class of each view.
        use: parts of the objective.
        training: settings.
        steps: of the whole training, over which the rate rises and falls.

    Raises:
        ValueError: nothing is left to train, or a tower whose blocks are not known is asked for some of them.
    """

    def __init__(
        self,
        model: MultiviewVLM,
        texts: Sequence[str],
        prompt_class: Tensor,
        labels: Tensor,
        *,
        use: Collection[str],
        training: Training,
        steps: int,
    ):
        super().__init__()
        self.model, self.training_settings, self.steps = model, training, steps
        self.use, self.first, self.resumed = set(use), 0, None
        self.reads_text = bool(self.use & {"contrastive", "multiview"})
        bank = step.Bank.of(prompt_class)
        for name, value in {
            "tokens": model.tokenizer([texts[i] for i in bank.order.tolist()]),
            "amount": bank.amount,
            "begin": bank.begin,
            "labels": labels,
            "majority": step.majority(labels),
        }.items():
            self.register_buffer(name, value, persistent=False)
        if training.checkpointing:
            model.clip.set_grad_checkpointing(True)
        self._freeze()

    def train(self, mode: bool = True) -> FineTuning:  # noqa: ARG002 - Lightning passes it
        """Evaluation mode, whatever is asked for."""
        return super().train(False)

    def loss(self, batch: Batch, gather: losses.Gather = gather_even) -> Tensor:
        """The objective () of a rank's batch; its mean over the ranks is that of the whole batch."""
        pixels = self.model.prepare(batch.images.flatten(0, 1))  # (b*V, 3, S, S)
        views = self._in_pieces(pixels).unflatten(0, batch.images.shape[:2])  # (b, V, D)
        of_views, of_samples = self.labels[batch.rows], self.majority[batch.rows]
        temperature, text = 1 / self.model.clip.logit_scale.clamp(max=-math.log(COLDEST)).exp(), None
        if self.reads_text:
            # One prompt for each view and one for the sample; a prompt that several need is encoded once.
            classes = torch.cat([of_views, of_samples[:, None]], 1)
            picked = step.drawn(classes, batch.draws[:, None], self.begin, self.amount)
            wanted, place = picked.unique(return_inverse=True)
            text = self.model.clip.encode_text(self.tokens[wanted])[place]  # (b, V + 1, D)
        return step.loss(views, text, of_views, of_samples, temperature=temperature, use=self.use, gather=gather)

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        return self.loss(batch)

    def rate(self, number: int) -> float:
        """Of the optimiser in a step, from 0: rises over the warm-up, then a cosine."""
        rise = max(1, round(self.training_settings.warmup * self.steps))
        if number < rise:
            return self.training_settings.rate * (number + 1) / rise
        done = (number - rise) / max(1, self.steps - rise)
        return self.training_settings.rate * (1 + math.cos(math.pi * done)) / 2

    def on_train_batch_start(self, _batch: Batch, _index: int) -> None:
        for parameters in self.optimizers().param_groups:
            parameters["lr"] = self.rate(self.first + self.trainer.global_step)

    @torch.no_grad()
    def on_train_batch_end(self, _outputs: object, _batch: Batch, _index: int) -> None:
        self.model.clip.logit_scale.clamp_(max=-math.log(COLDEST))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        decayed, plain = ([p for p in trained if (p.ndim > 1) == wanted] for wanted in (True, False))
        decays = {self.training_settings.decay: decayed, 0.0: plain} if self.training_settings.decay else {0.0: trained}
        groups = [{"params": params, "weight_decay": decay} for decay, params in decays.items()]
        optimizer = torch.optim.AdamW(groups, lr=self.training_settings.rate, fused=True)
        if self.resumed is not None:
            optimizer.load_state_dict(self.resumed)
        return optimizer

    def _in_pieces(self, pixels: Tensor) -> Tensor:
        """Image embeddings (n, D). Pieces but for their embeddings are forgotten, and computed again going back."""
        encode = self.model.clip.encode_image
        if self.training_settings.pieces == 1:
            return encode(pixels)
        pieces = pixels.chunk(self.training_settings.pieces)
        return torch.cat([checkpoint(encode, piece, use_reentrant=False) for piece in pieces])

    def _freeze(self) -> None:
        """Leaves only those parameters to be trained that the settings name and a gradient reaches."""
        self.model.requires_grad_(True)
        wanted = {"image": self.training_settings.image, "text": self.training_settings.text}
        for name, parameter in self.model.clip.named_parameters():
            tower = "image" if name.startswith("visual.") else "text"
            if wanted[tower] == NONE and not name.startswith("logit_"):
                parameter.requires_grad_(False)
        size, views = self.model.image_size, self.labels.shape[1]
        noise = torch.randint(256, (2, views, size, size, 3), generator=torch.Generator().manual_seed(0))
        batch = Batch(noise.to(torch.uint8), torch.tensor([0, len(self.labels) - 1]), torch.zeros(2))
        with ExitStack() as hooks, torch.enable_grad():
            for tower, count in wanted.items():
                if count not in (ALL, NONE):
                    hook = _last_block(self.model, tower, int(count)).register_forward_pre_hook(_detached)
                    hooks.callback(hook.remove)
            trained = {n: p for n, p in self.model.clip.named_parameters() if p.requires_grad}
            found = torch.autograd.grad(self.loss(batch, losses.identity), trained.values(), allow_unused=True)
        for parameter, gradient in zip(trained.values(), found, strict=True):
            parameter.requires_grad_(gradient is not None)
        if not any(p.requires_grad and not n.startswith("logit_") for n, p in trained.items()):
            raise ValueError(f"TRAINING=image={wanted['image']} text={wanted['text']}: nothing is left to train")


def _detached(_module: nn.Module, arguments: tuple) -> tuple:
    return tuple(x.detach() if isinstance(x, Tensor) else x for x in arguments)


def _last_block(model: MultiviewVLM, tower: str, count: int) -> nn.Module:
    """The first of the last `count` blocks of a tower: what is trained begins there."""
    if tower == "image":
        names = {module: name for name, module in model.clip.visual.named_modules()}
        # A transformer's maps are read behind a normalisation, which is the first thing in its block.
        found = [names[layer.module].removesuffix(".ln_1").removesuffix(".norm1") for layer in layers_of(model)]
        blocks = [model.clip.visual.get_submodule(name) for name in found]
    else:
        text = getattr(model.clip, "text", model.clip)
        transformer = text.transformer
        parts = getattr(transformer, "encoder", transformer)  # Hugging Face's, or open_clip's
        layers = getattr(parts, "resblocks", None) or getattr(parts, "layer", None)
        if layers is None:
            raise ValueError(f"TRAINING=text={count}: no blocks are known in a {type(transformer).__name__}")
        blocks = list(layers)
    if count > len(blocks):
        raise ValueError(f"TRAINING={tower}={count}: expected at most the {len(blocks)} blocks of {model.name}")
    return blocks[-count]


def fit(
    module: FineTuning,
    images: np.ndarray,
    places: np.ndarray,
    order: Sequence[np.ndarray],
    rendering: Rendering,
    *,
    seed: int,
    device: str,
    folder: Path | None = None,
    log: Path | None = None,
    title: str = "training",
    callbacks: Sequence[pl.Callback] = (),
) -> None:
    """Train a module over the steps of `order`; what is in `folder` from an interrupted training is taken up.

    Call it on every rank, inside `mvlm.ranks.group.group`. Afterwards the weights of `module.model` are the trained
    ones, on the processor.

    Args:
        module: what is trained.
        images: (M, V, H, H, 3) uint8.
        places: (N,) where in `images` the samples lie.
        order: rows (B,) of each step.
        rendering: what the images show.
        seed: of prompts, flips and crops.
        device: "cuda" or "cpu".
        folder: for checkpoints; None: none are kept.
        log: folder for the log of TensorBoard; None: none is kept.
        title: of the progress bar.
        callbacks: of Lightning, besides.

    Raises:
        ValueError: batches that the ranks cannot share evenly, a checkpoint that does not fit.
        RuntimeError: the loss is not a number.
    """
    settings = module.training_settings
    newest = group.from_first(lambda: checkpoints.newest(folder)) if folder else None
    with only_used(module.model.clip, module.tokens), quiet(), step.unfilled():
        if newest:
            module.first, module.resumed = checkpoints.load(newest, module.model.clip)
        batches = Batches(
            images, places, order, rendering, seed=seed, first=module.first, rank=group.number(),
            count=group.count(),
        )  # fmt: skip
        if not len(batches):
            return
        watching = [Progress(title, len(order), log), *callbacks]
        if folder:
            watching.append(checkpoints.Saving(folder, settings.save, len(order)))
        loader = DataLoader(
            batches, batch_size=None, num_workers=settings.loaders, pin_memory=device == "cuda",
            multiprocessing_context="spawn" if settings.loaders else None,
        )  # fmt: skip
        pl.seed_everything(seed, verbose=False)
        trainer(device, settings.precision, len(batches), watching).fit(module, train_dataloaders=loader)
        module.to("cpu")


def trainer(device: str, precision: str, steps: int, callbacks: Sequence[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer with the strategy for what this process is: a rank of several (DDP), or alone."""
    half = device == "cuda" and torch.cuda.is_bf16_supported()
    names = {"auto": "bf16-mixed" if half else "32-true", "bf16": "bf16-mixed", "float32": "32-true"}
    rank = group.here()
    placed: dict[str, object] = {"devices": rank.local_count, "num_nodes": rank.count // rank.local_count}
    if group.grouped():
        placed["strategy"] = DDPStrategy(
            process_group_backend="nccl" if device == "cuda" else "gloo",
            broadcast_buffers=False,
            gradient_as_bucket_view=True,
        )
    return pl.Trainer(
        accelerator=device,
        precision=names.get(precision, "64-true"),
        max_steps=steps,
        plugins=[_Given(rank)],
        use_distributed_sampler=False,  # batches are shared out already, and each rank needs every step
        callbacks=list(callbacks),
        deterministic=True if device == "cpu" else "warn",  # on CUDA not every operation has a repeatable form
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        **placed,
    )


@torch.no_grad()
def embed(model: MultiviewVLM, images: np.ndarray, places: np.ndarray, device: str) -> np.ndarray:
    """Unit rows (N, V, D) float32 of samples, in their order, on every rank; each encodes a share of the chunks."""
    starts = range(0, len(places), CHUNK)[group.number() :: group.count()]
    model.to(torch.device(device, group.here().local) if device == "cuda" else device)
    parts = [model.encode_views(np.ascontiguousarray(images[places[at : at + CHUNK]])) for at in starts]
    rows = torch.cat([model.mean.new_zeros((0, images.shape[1], model.dimension), dtype=torch.float32), *parts])
    own = [torch.arange(at, min(at + CHUNK, len(places))) for at in starts]
    found = in_order(rows, torch.cat([torch.zeros(0, dtype=torch.int64), *own]), len(places))
    model.to("cpu")
    return found.cpu().numpy()


class _Given(ClusterEnvironment):
    """Ranks as they are given, whoever opened their group: Lightning's own environments ask variables for them."""

    def __init__(self, rank: group.Rank):
        super().__init__()
        self.rank = rank

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return self.rank.address

    @property
    def main_port(self) -> int:
        return self.rank.port

    @staticmethod
    def detect() -> bool:
        return False  # never chosen by Lightning itself

    def world_size(self) -> int:
        return self.rank.count

    def set_world_size(self, size: int) -> None:
        """Nothing: it is given."""

    def global_rank(self) -> int:
        return self.rank.number

    def set_global_rank(self, rank: int) -> None:
        """Nothing: it is given."""

    def local_rank(self) -> int:
        return self.rank.local

    def node_rank(self) -> int:
        return self.rank.number // self.rank.local_count
