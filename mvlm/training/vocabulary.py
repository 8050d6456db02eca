"""The words of the prompts: of a text tower's table of token embeddings, only their rows are trained.

Prompts hold some hundred of CLIP's 49,408 tokens. The other rows have no gradient; weight decay would shrink them, an
optimiser would keep moments for them, and ranks would exchange zeros: for a small model more than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional


class UsedTokens(nn.Module):
    """A token embedding that is trained where it is used; to `state_dict` it is the whole table, as it was.

    Args:
        table: of all tokens; its memory is taken over.
        tokens: those in use, in any shape; no others may be looked up.
    """

    def __init__(self, table: nn.Embedding, tokens: Tensor):
        super().__init__()
        used = tokens.unique()
        place = torch.full((table.num_embeddings,), -1, dtype=torch.int64)
        place[used] = torch.arange(len(used))
        self.register_buffer("weight", table.weight.detach())  # (tokens, D); current after `write_back`
        self.register_buffer("used", used)
        self.register_buffer("place", place)
        self.rows = nn.Parameter(self.weight[used])

    def forward(self, tokens: Tensor) -> Tensor:
        return functional.embedding(self.place[tokens], self.rows)

    @torch.no_grad()
    def write_back(self) -> Tensor:
        """The whole table, with the rows in use as they are now."""
        self.weight[self.used] = self.rows.to(self.weight)
        return self.weight

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:  # noqa: ARG002 - torch's
        destination[f"{prefix}weight"] = self.write_back()

    @torch.no_grad()
    def _load_from_state_dict(self, state: dict, prefix: str, _local: dict, _strict: bool, missing: list, *_) -> None:
        name = f"{prefix}weight"
        if name not in state:
            missing.append(name)
            return
        self.weight.copy_(state[name])
        self.rows.copy_(self.weight[self.used])


@contextmanager
def only_used(clip: nn.Module, tokens: Tensor) -> Iterator[None]:
    """Inside, only the rows of `tokens` are trained; of towers with such a table, if it is trained at all."""
    tower = getattr(clip, "text", clip)
    table = getattr(tower, "token_embedding", None)
    if not isinstance(table, nn.Embedding) or not table.weight.requires_grad:
        yield
        return
    tower.token_embedding = used = UsedTokens(table, tokens)
    try:
        yield
    finally:
        table.weight = nn.Parameter(used.write_back())
        tower.token_embedding = table
