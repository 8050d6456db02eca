"""Sums over rows, some rows at a time: what a matrix of all pairs would need in memory, one chunk of it needs.

A loss over pairs is a sum over rows of something that sees every column. Its gradient is a sum as well, so that value
and gradient of a chunk are taken together and the chunk's matrix is dropped. Nothing is computed twice.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ENTRIES = 2**22  # of the matrix held at a time: 16 MiB in float32, a few of them while its gradient is taken


def sum_over_rows(function: Callable[..., Tensor], rows: tuple[Tensor, ...], *others: Tensor, width: int) -> Tensor:
    """Sum of `function` over chunks of rows, with exact gradients of first order.

    Args:
        function: `function(*chunk of rows, *others) -> ()`, a sum over the rows of the chunk; it may use no other
            tensor that needs a gradient.
        rows: tensors `(N, ...)` that are cut together.
        others: tensors that every chunk sees whole.
        width: entries that one row brings to the largest matrix in `function`.

    Returns:
        `()`. A sum that fits into one chunk is plain autograd, to any order.
    """
    size = max(1, ENTRIES // width)
    if size >= len(rows[0]):
        return function(*rows, *others)
    if not torch.is_grad_enabled():
        return sum(function(*chunk, *others) for chunk in zip(*(x.split(size) for x in rows), strict=True))
    return _Sum.apply(function, size, len(rows), *rows, *others)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, function: Callable[..., Tensor], size: int, cut: int, *tensors: Tensor) -> Tensor:
        needed = ctx.needs_input_grad[3:]
        gradients = [torch.zeros_like(x) if need else None for x, need in zip(tensors, needed, strict=True)]
        total = 0
        for start in range(0, len(tensors[0]), size):
            parts = [x[start : start + size] if k < cut else x for k, x in enumerate(tensors)]
            parts = [x.detach().requires_grad_(need) for x, need in zip(parts, needed, strict=True)]
            with torch.enable_grad():
                value = function(*parts)
            total = total + value.detach()
            wanted = [k for k, need in enumerate(needed) if need]
            found = torch.autograd.grad(value, [parts[k] for k in wanted], materialize_grads=True) if wanted else ()
            for k, gradient in zip(wanted, found, strict=True):
                target = gradients[k]
                (target[start : start + size] if k < cut else target).add_(gradient)
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, outer: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, None, *(None if x is None else outer * x for x in ctx.saved_tensors)
