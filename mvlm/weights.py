"""Weights of a model: what names them, filled in tensor by tensor, saved whole, and hashed."""

from __future__ import annotations

import difflib
import hashlib
import json
from pathlib import Path

import torch
from torch import nn

from mvlm.cache.files import replacing

RANDOM = "random"

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")


def nearest(word: str, words) -> str:
    """The known words nearest to a mistyped one, ready to print."""
    spelled = {known.lower(): known for known in words}
    near = difflib.get_close_matches(word.lower(), spelled, n=4, cutoff=0.3)
    return ", ".join(spelled[key] for key in near) or ", ".join(sorted(words)) or "none"


def source(name: str, pretrained: str | Path | None, tags: list[str]) -> str | Path:
    """What `pretrained` means: a tag, `RANDOM`, or the path of a safetensors file."""
    if pretrained is None:
        listed = ", ".join(tags) or "none"
        raise ValueError(f"MODEL={name} needs PRETRAINED= a tag ({listed}) or the path of a .safetensors file")
    path = Path(pretrained)
    if path.suffix in PICKLES:
        raise ValueError(
            f"PRETRAINED={pretrained}: a pickle file can run code when opened and is refused; convert it once, e.g. "
            'python -c "import torch, safetensors.torch as s; d = torch.load(FILE, weights_only=True); '
            "s.save_file({k: v.contiguous() for k, v in d.get('state_dict', d).items()}, 'weights.safetensors')\""
        )
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise FileNotFoundError(f"PRETRAINED={pretrained}: no such file")
        return path
    if pretrained != RANDOM and str(pretrained).lower().replace("-", "_") not in tags:
        raise ValueError(
            f"PRETRAINED={pretrained}: {name} has no such tag (nearest: {nearest(str(pretrained), tags)}), and it is "
            "not the path of a .safetensors file"
        )
    return str(pretrained)


def fill(clip: nn.Module, name: str, path: Path, *, exact: bool = False) -> dict:
    """Loads a safetensors file into the model `name`, every tensor by name and shape; returns the file's metadata.

    Args:
        exact: in the precision of the file, where that is float64; else in that of the model.

    Raises:
        ValueError: unreadable, or the weights of another model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("mvlm", "{}"))
            state = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
    expected = {key: tuple(value.shape) for key, value in clip.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    wrong = [f"{key} {list(expected[key])} is missing" for key in expected if key not in found]
    wrong += [f"{key} {list(found[key])} is not in the model" for key in found if key not in expected]
    wrong += [
        f"{key} is {list(found[key])}, expected {list(expected[key])}"
        for key in expected
        if key in found and found[key] != expected[key]
    ]
    if wrong:
        raise ValueError(f"{path}: weights do not fit {name}: {'; '.join(wrong[:3])} ({len(wrong)} tensors in all)")
    if exact and any(value.dtype == torch.float64 for value in state.values()):
        clip.double()
    clip.load_state_dict(state)
    return metadata


def save(path: Path, clip: nn.Module, metadata: dict[str, str] | None = None) -> None:
    """Every parameter and buffer as safetensors, which `mvlm.model.load_model` reads; whole or absent."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().clone().contiguous() for name, value in clip.state_dict().items()}
    with replacing(path) as part:
        save_file(state, part, metadata=metadata)


def digest(module: nn.Module) -> str:
    """SHA-256 of names and bytes of all parameters and buffers: equal digests, equal weights."""
    hashed = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        hashed.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()
