"""The one gather between ranks.

Of the ways in use to write it, several give wrong gradients that no glance at the loss shows: the encoder's too small
by the number of ranks, or in a wrong direction, or a learnt temperature's too large. This one is exact where each rank
computes the loss of its own rows against the rows of all, and gradients are averaged over the ranks, as DDP does.
"""

import torch
import torch.distributed as dist
from torch import Tensor

from mvlm.ranks.group import grouped


def in_order(rows: Tensor, places: Tensor, total: int) -> Tensor:
    """Rows (n, ...) of each rank, put together as (total, ...): row i of a rank comes to `places[i]`, on every rank.

    Ranks may hold different numbers of rows. Nothing is padded or repeated in what comes out, and without gradients.

    Raises:
        ValueError: the places of all ranks are not 0 to total - 1, each once.
    """
    rows = rows.detach()
    if grouped():
        sizes = _all_rows(torch.tensor([len(rows)], device=rows.device))
        most = int(sizes.max())
        padded = rows.new_zeros(most, *rows.shape[1:])
        padded[: len(rows)] = rows
        marked = torch.full((most,), -1, dtype=torch.int64, device=rows.device)
        marked[: len(rows)] = places.to(rows.device)
        rows, places = _all_rows(padded), _all_rows(marked)
        rows, places = rows[places >= 0], places[places >= 0]
    places = places.to(rows.device)
    if not torch.equal(places.sort().values, torch.arange(total, device=rows.device)):
        raise ValueError(f"expected every place of 0 to {total - 1} once, got {sorted(places.tolist())[:10]} ...")
    return rows[places.argsort()]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x: Tensor) -> Tensor:
        return _all_rows(x)

    @staticmethod
    def backward(_ctx, grad: Tensor) -> Tensor:
        # The rows of this rank enter the loss of every rank, so that each rank holds a part of their gradient.
        grad = grad.contiguous().clone()
        dist.all_reduce(grad)
        return grad.chunk(dist.get_world_size())[dist.get_rank()]


def gather(x: Tensor) -> Tensor:
    """The rows `(B, ...)` of all W ranks in the order of ranks, `(W*B, ...)`; `x` itself without a process group.

    Differentiable: the gradient of a row is the sum over the ranks. All ranks must call it in the same order, and go
    backward through it together. Raises ValueError on every rank if their B differ: a mean of the ranks' means would
    weigh rows unequally.
    """
    if not grouped():
        return x
    sizes = _all_rows(torch.tensor([len(x)], device=x.device)).tolist()
    if len(set(sizes)) > 1:
        raise ValueError(f"every rank needs a batch of the same size, got {sizes}")
    return _Gather.apply(x)


def gather_even(x: Tensor) -> Tensor:
    """As `gather`, for ranks that know their B to be equal, as in `mvlm.training.batches`: one exchange, not two."""
    return _Gather.apply(x) if grouped() else x


def _all_rows(x: Tensor) -> Tensor:
    parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, x.contiguous())
    return torch.cat(parts)
