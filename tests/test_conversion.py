"""Foreign weights become safetensors that load (checkpoints, TorchScript, other names), or one line says why not."""

import datetime
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mvlm import weights
from mvlm.conversion import main
from mvlm.model import load_model
from mvlm.settings import Settings


@pytest.fixture(scope="module")
def model():
    return load_model()


class Archive(torch.nn.Module):
    """What OpenAI publishes, as far as loading goes: parameters, and three numbers among them."""

    def __init__(self, clip: torch.nn.Module):
        super().__init__()
        for name in ("visual", "transformer", "token_embedding", "ln_final"):
            self.add_module(name, _Holding(getattr(clip, name)))
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            self.register_parameter(name, torch.nn.Parameter(getattr(clip, name).detach().clone()))
        self.register_buffer("context_length", torch.tensor(32))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


class _Holding(torch.nn.Module):
    """The parameters of a module in its tree of names, without what it computes."""

    def __init__(self, of: torch.nn.Module):
        super().__init__()
        for name, value in of.named_parameters(recurse=False):
            self.register_parameter(name, torch.nn.Parameter(value.detach().clone()))
        for name, child in of.named_children():
            self.add_module(name, _Holding(child))


def state(model, prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + name: value.clone() for name, value in model.clip.state_dict().items()}


MAKERS = {
    "plain.pt": lambda model, path: torch.save(state(model), path),
    "ddp.pt": lambda model, path: torch.save(
        {"epoch": 1, "state_dict": state(model, "module."), "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}},
        path,
    ),
    "lightning.ckpt": lambda model, path: torch.save({"state_dict": state(model, "model.clip."), "loops": {}}, path),
    "compiled.bin": lambda model, path: torch.save({"model": state(model, "_orig_mod.")}, path),
    "ViT-B-32.pt": lambda model, path: torch.jit.script(Archive(model.clip)).save(path),
    "named.safetensors": lambda model, path: save_file(state(model, "module."), path),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_recipe_that_a_refusal_gives_works(model, tmp_path: Path, capsys: pytest.CaptureFixture, name: str):
    path = tmp_path / name
    MAKERS[name](model, path)
    with pytest.raises(ValueError, match=rf"PRETRAINED=.*{name}: .*convert it once: .*mvlm\.conversion") as refused:
        Settings.from_environment({"PRETRAINED": str(path)})
    recipe = shlex.split(str(refused.value).partition("mvlm.conversion ")[2])
    assert main(recipe) == 0
    said = capsys.readouterr().out
    target = Settings.from_environment({"PRETRAINED": said.strip().partition("PRETRAINED=")[2]}).pretrained
    assert weights.digest(load_model(pretrained=target).clip) == weights.digest(model.clip)
    assert f"{len(state(model))} tensors" in said


def test_what_cannot_be_converted_is_one_line_and_leaves_nothing(model, tmp_path: Path, capsys: pytest.CaptureFixture):
    files = {
        "code.pt": {"state_dict": state(model), "when": datetime.timedelta(1)},
        "two.pt": {"model": state(model), "ema": state(model)},
        "other.pt": {"fc.weight": torch.zeros(2, 2)},
    }
    for name, content in files.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "cut.pt").write_bytes((tmp_path / "two.pt").read_bytes()[:5000])
    (tmp_path / "page.pt").write_text("<!DOCTYPE html>")
    for name, message in {
        "code.pt": "expected a checkpoint of PyTorch, TorchScript or safetensors with nothing but tensors",
        "two.pt": "found those below 'ema.', 'model.'",
        "other.pt": "expected the weights of a CLIP, with a tensor logit_scale; found fc.weight",
        "cut.pt": "expected a checkpoint of PyTorch",
        "page.pt": "expected a checkpoint of PyTorch",
        "gone.pt": "no such file",
    }.items():
        assert main([str(tmp_path / name)]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and name in said.err and message in said.err, said.err
    assert not list(tmp_path.glob("*.safetensors"))
    assert main([str(tmp_path / "two.pt"), "--prefix", "ema."]) == 0
    assert (tmp_path / "two-mvlm.safetensors").is_file()
