"""Weights from elsewhere as safetensors: `python -m mvlm.conversion FILE [--prefix PREFIX]`, once for each file.

A checkpoint of PyTorch is a pickle, which can run code when it is opened. Here nothing but tensors and plain containers
is taken from it (`weights_only`); from an archive of TorchScript, as OpenAI publishes CLIP, its parameters and buffers.

Trainers put a model's tensors below names of their own: `state_dict`, `module.` (DDP), `model.` (Lightning),
`_orig_mod.` (compiled). Every CLIP has one tensor `logit_scale` at its top, and whatever stands before it is theirs.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from mvlm.cache.files import replacing
from mvlm.machine import command

TOP = "logit_scale"
SIZES = ("input_resolution", "context_length", "vocab_size")  # numbers that OpenAI's archives keep among the weights


def convert(path: Path, target: Path, prefix: str | None = None) -> tuple[str, int]:
    """Writes the weights of one model, whole or not at all.

    Args:
        path: a checkpoint of PyTorch, an archive of TorchScript, or .safetensors with other names.
        target: the .safetensors file.
        prefix: what stands before the names of the model's tensors; None finds it.

    Returns:
        The prefix and the number of tensors.

    Raises:
        FileNotFoundError: no such file.
        ValueError: what cannot be read, or is no CLIP, or several.
    """
    from safetensors.torch import save_file

    found = dict(_tensors(_opened(path)))
    known = sorted(name.removesuffix(TOP) for name in found if name == TOP or name.endswith(f".{TOP}"))
    if not known:
        some = ", ".join(sorted(found)[:3]) or "no tensors"
        raise ValueError(f"{path}: expected the weights of a CLIP, with a tensor {TOP}; found {some}")
    if prefix not in known and (prefix is not None or len(known) > 1):
        listed = ", ".join(map(repr, known))
        raise ValueError(f"{path}: expected one model, or --prefix to say which; found those below {listed}")
    prefix = known[0] if prefix is None else prefix
    below = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    state = {name: value.detach().cpu().clone().contiguous() for name, value in below.items() if name not in SIZES}
    with replacing(target) as part:
        save_file(state, part)
    return prefix, len(state)


def _opened(path: Path) -> object:
    """What is in a file, as far as it is data."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if _is_torchscript(path):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # that this form is out of use: its archives are not
                return torch.jit.load(path, map_location="cpu").state_dict()
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError, SafetensorError) as error:
        kind = "with nothing but tensors and plain containers" if isinstance(error, pickle.UnpicklingError) else ""
        expected = " ".join(["expected a checkpoint of PyTorch, TorchScript or safetensors", kind]).strip()
        raise ValueError(f"{path}: {expected}, found {str(error).strip().splitlines()[0][:200]}") from error


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _tensors(value: object, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors in nested mappings, by the names that lead to them."""
    if isinstance(value, torch.Tensor):
        yield name.removesuffix("."), value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _tensors(inner, f"{name}{key}.")


def main(arguments: Sequence[str]) -> int:
    """Converts a file into one beside it, and says how to use it; 2 where it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m mvlm.conversion", description="Foreign weights as safetensors.")
    parser.add_argument("file", type=Path, help="a checkpoint of PyTorch, TorchScript, or .safetensors of other names")
    parser.add_argument("--prefix", help="of the names of one model's tensors, where there are several models")
    chosen = parser.parse_args(arguments)
    target = chosen.file.with_name(f"{chosen.file.stem}-mvlm.safetensors")
    try:
        prefix, count = convert(chosen.file, target, chosen.prefix)
    except (ValueError, FileNotFoundError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    print(f"{count} tensors{f' below {prefix}' if prefix else ''}; use them by PRETRAINED={target}")
    return 0


if __name__ == "__main__":
    command(main, sys.argv[1:])
