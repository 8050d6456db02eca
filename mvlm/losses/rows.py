"""Rows of embeddings as the equations take them: checked, of unit length, in at least single precision.

Every function raises ValueError, printing what came.
"""

import math

import torch
from torch import Tensor

SAFE = 1e-15, 1e15  # lengths of rows whose squares stay within float32


def unit_rows(name: str, x: Tensor, dimensions: int) -> Tensor:
    """`x`, which must be `(B, D)` or `(B, V, D)` as `dimensions` says, with rows of length 1 in at least float32."""
    expect_shape(name, x, dimensions)
    x = x.to(precision(x))
    length = x.norm(dim=-1, keepdim=True)
    shortest, longest = map(float, length.detach().aminmax())
    if not (SAFE[0] < shortest and longest < SAFE[1]):  # as NaN is neither
        largest = x.detach().abs().amax(-1, keepdim=True)
        usable = (largest > 0) & largest.isfinite()
        if not usable.all():
            where = tuple(int(i) for i in (~usable[..., 0]).nonzero()[0])
            raise ValueError(f"{name} {shape_of(x)}: the row at {where} is zero or not finite, so it has no direction")
        x = x / largest
        length = x.norm(dim=-1, keepdim=True)
    return x / length


def dots(a: Tensor, b: Tensor, shift: Tensor | None = None) -> Tensor:
    """Every product of a row (N, D) with a row (M, D), plus a shift (): (N, M)."""
    with torch.autocast(a.device.type, enabled=False):  # autocast would round the cosines to half precision
        return a @ b.T if shift is None else torch.addmm(shift, a, b.T)


def precision(x: Tensor) -> torch.dtype:
    """The type in which the losses of `x` are computed."""
    return torch.promote_types(x.dtype, torch.float32)


def expect_shape(name: str, x: Tensor, dimensions: int) -> None:
    """Hold that `x` is floating point, `(B, D)` or `(B, V, D)`, and not empty."""
    expected = {2: "(B, D)", 3: "(B, V, D)"}[dimensions]
    if x.ndim != dimensions or 0 in x.shape or not x.is_floating_point():
        raise ValueError(f"{name} must be floating point of shape {expected}, got {x.dtype} of shape {shape_of(x)}")


def same_samples(views: Tensor, text: Tensor) -> None:
    """Hold that views `(B, V, D)` and text `(B, D)` fit each other."""
    if (views.shape[0], views.shape[2]) != tuple(text.shape):
        raise ValueError(f"views (B, V, D) and text (B, D) must agree, got {shape_of(views)} and {shape_of(text)}")


def integers(name: str, ids: Tensor, rows: Tensor) -> Tensor:
    """`ids` on the device of `rows`, one integer for each of them."""
    ids = torch.as_tensor(ids, device=rows.device)
    if tuple(ids.shape) != (rows.shape[0],) or ids.is_floating_point():
        raise ValueError(f"{name} must be ({rows.shape[0]},) integers, got {ids.dtype} of shape {shape_of(ids)}")
    return ids


def number(name: str, value: Tensor | float, like: Tensor, *, positive: bool = False) -> Tensor:
    """One finite number as a tensor () of the type and device of `like`; a tensor keeps its gradient."""
    found = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
    if isinstance(found, Tensor) or not math.isfinite(found) or (positive and found <= 0):
        raise ValueError(f"{name} must be one {'positive ' if positive else ''}finite number, got {value}")
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(())


def shape_of(x: Tensor) -> tuple[int, ...]:
    """The shape as messages print it."""
    return tuple(x.shape)
