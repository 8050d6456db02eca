"""Chunks: the same gradients from memory that grows with the rows, not with their square."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mvlm import losses
from mvlm.losses import chunks
from mvlm.losses.chunks import sum_over_rows


class Largest(TorchDispatchMode):
    """Entries of the largest tensor that any operation returns."""

    entries = 0

    def __torch_dispatch__(self, function, _types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for x in out if isinstance(out, tuple | list) else [out]:
            if isinstance(x, torch.Tensor):
                self.entries = max(self.entries, x.numel())
        return out


def test_no_matrix_of_all_pairs_is_ever_held(monkeypatch):
    batch, views, width = 96, 3, 4

    def largest() -> int:
        v = torch.randn(batch, views, width, requires_grad=True)
        t = torch.randn(batch, width, requires_grad=True)
        with Largest() as seen:
            terms = losses.objective(
                v, t, temperature=0.1, labels=torch.arange(batch) % 6, subjects=torch.arange(batch)
            )
            terms.total.backward()
        return seen.entries

    assert largest() >= (batch * views) ** 2
    monkeypatch.setattr(chunks, "ENTRIES", 4000)
    assert largest() <= 4000


def summed(rows, others):
    return sum_over_rows(lambda r, o: (r @ o.T).exp().sum(), (rows,), others, width=len(others))


def test_a_sum_in_chunks_is_the_sum(monkeypatch):
    torch.manual_seed(0)
    rows, others = torch.randn(7, 2, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    expected = (rows @ others.T).exp().sum()
    for entries in (1, 10, 34, 35):  # one row, two with one left over, all but one, all
        monkeypatch.setattr(chunks, "ENTRIES", entries)
        torch.testing.assert_close(summed(rows, others), expected, rtol=1e-14, atol=0)
        with torch.no_grad():
            torch.testing.assert_close(summed(rows.requires_grad_(), others), expected, rtol=1e-14, atol=0)
        assert torch.autograd.gradcheck(summed, (rows, others.clone().requires_grad_()))
        assert torch.autograd.gradcheck(lambda r: 3 * summed(r, others), (rows,))  # others without a gradient


def test_chunks_have_no_second_derivative_and_say_so(monkeypatch):
    rows, others = torch.ones(4, 2, requires_grad=True), torch.ones(3, 2)
    (whole,) = torch.autograd.grad(summed(rows, others), rows, create_graph=True)
    whole.sum().backward()
    assert rows.grad.any()
    monkeypatch.setattr(chunks, "ENTRIES", 3)
    (cut,) = torch.autograd.grad(summed(rows, others), rows, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        cut.sum().backward()
