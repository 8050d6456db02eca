"""Nine ways to let every rank see the rows of all, and the gradient that comes out of each.

`python -m mvlm.study.items.ways_to_gather RANKS` measures them on real ranks of this machine and prints JSON: a process
of its own, because ranks that are started from a notebook's kernel are its most frequent way to hang.

The trial: one linear encoder for both sides, the contrastive loss with a learnt temperature, eight samples shared out
evenly, float64. A rank takes its loss and the ranks average their gradients, as DDP does; right is what one process
finds on all eight. Letters in shapes: B samples of a rank, W ranks.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed._functional_collectives import all_gather_tensor_autograd
from torch.distributed.nn.functional import all_gather

from mvlm import losses
from mvlm.ranks.gather import gather

ROWS = 8
EXACT = 1e-10


class KeepOwnSlice(torch.autograd.Function):
    """All rows; on the way back, the gradient of this rank's loss by its own rows, and nobody else's."""

    @staticmethod
    def forward(_ctx, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_ctx, grad: Tensor) -> Tensor:
        return grad.chunk(dist.get_world_size())[dist.get_rank()]


def put_back(x: Tensor) -> Tensor:
    """All rows without gradients, then this rank's own in their place again, with them."""
    parts = list(KeepOwnSlice.apply(x.detach()).chunk(dist.get_world_size()))
    parts[dist.get_rank()] = x
    return torch.cat(parts)


def detached(x: Tensor) -> Tensor:
    """All rows, none with a gradient."""
    return KeepOwnSlice.apply(x.detach())


def by_torch(x: Tensor) -> Tensor:
    """PyTorch's differentiable gather."""
    with _no_future_warnings():
        return torch.cat(all_gather(x))


def by_collective(x: Tensor) -> Tensor:
    """PyTorch's newer one, with which open_clip replaced its own."""
    with _no_future_warnings():
        return all_gather_tensor_autograd(x, 0, dist.group.WORLD)


@contextmanager
def _no_future_warnings() -> Iterator[None]:
    """Both are to be renamed one day, says PyTorch, once a rank and call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


class Way(NamedTuple):
    """How a rank's loss comes about: from its own rows against all, or from all rows against all."""

    what: str
    gather: Callable[[Tensor], Tensor]
    every_row: bool = False
    times_ranks: bool = False

    def loss(self, image: Tensor, text: Tensor, temperature: Tensor) -> Tensor:
        if self.every_row:
            image, text = self.gather(image), self.gather(text)
            factor = dist.get_world_size() if self.times_ranks else 1
            return factor * losses.contrastive(image, text, temperature=temperature).loss
        return losses.contrastive(image, text, temperature=temperature, gather=self.gather).loss


WAYS = {
    "A": Way("all rows, own put back", put_back, every_row=True),
    "B": Way("A, times the ranks", put_back, every_row=True, times_ranks=True),
    "C": Way("own rows, others detached", detached),
    "D": Way("own rows, backward sums (ours)", gather),
    "E": Way("all rows, backward sums", gather, every_row=True),
    "F": Way("own rows, backward keeps own slice", KeepOwnSlice.apply),
    "G": Way("all rows, backward keeps own slice", KeepOwnSlice.apply, every_row=True),
    "H": Way("own rows, torch.distributed.nn", by_torch),
    "I": Way("own rows, functional collectives", by_collective),
}


class Trial(nn.Module):
    """One linear encoder for both sides and a temperature."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.encoder = nn.Parameter(torch.randn(4, 6, generator=generator, dtype=torch.float64))
        self.log_temperature = nn.Parameter(torch.tensor(-1.5, dtype=torch.float64))
        self.rows = torch.randn(2, ROWS, 6, generator=generator, dtype=torch.float64)

    def gradients(self, loss: Callable[..., Tensor], part: slice) -> dict[str, Tensor]:
        """The loss of some rows, and its gradients."""
        image, text = self.rows[:, part] @ self.encoder.T
        value = loss(image, text, self.log_temperature.exp())
        by_encoder, by_temperature = torch.autograd.grad(value, [self.encoder, self.log_temperature])
        return {"loss": value.detach(), "encoder": by_encoder, "temperature": by_temperature}


def averaged(way: str) -> dict[str, Tensor]:
    """On each rank of a process group: means over the ranks of the loss and of the gradients that a way gives."""
    count = ROWS // dist.get_world_size()
    start = dist.get_rank() * count
    found = Trial().gradients(WAYS[way].loss, slice(start, start + count))
    for value in found.values():
        dist.all_reduce(value)
        value /= dist.get_world_size()
    return found


def compared(way: str, found: dict[str, Tensor]) -> dict[str, object]:
    """A way beside one process: how long loss and gradients are along the right ones, and the encoder's direction."""
    right = Trial().gradients(lambda i, t, tau: losses.contrastive(i, t, temperature=tau).loss, slice(None))
    row: dict[str, object] = {"way": way, "what": WAYS[way].what}
    for name, expected in right.items():
        row[f"{name}_size"] = float((found[name] * expected).sum() / expected.square().sum())
    row["encoder_cosine"] = float(row["encoder_size"] * right["encoder"].norm() / found["encoder"].norm())
    row["exact"] = all(float((found[name] - right[name]).abs().max()) < EXACT for name in ("encoder", "temperature"))
    return row


def _work(rank: int, ranks: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=ranks)
    torch.set_num_threads(1)
    found = {way: averaged(way) for way in WAYS}
    if rank == 0:
        torch.save(found, f"{folder}/found.pt")
    dist.destroy_process_group()


def main(ranks: int) -> None:
    """Print one row for each way."""
    if ranks < 2 or ROWS % ranks:
        raise SystemExit(f"expected a number of ranks that {ROWS} samples can be shared out to, got {ranks}")
    importlib.import_module("torch._dynamo")  # the last way loads it: here once, and not in every rank
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.start_processes(_work, (ranks, folder), nprocs=ranks, start_method="fork")
        found = torch.load(f"{folder}/found.pt", weights_only=True)
    print(json.dumps([compared(way, of_way) for way, of_way in found.items()]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
