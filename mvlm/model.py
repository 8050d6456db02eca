"""Two towers and one space: any open_clip model, and the embedded ``mvlm-tiny``, encoding several views of a face.

``mvlm-tiny`` is built by open_clip's own factory from ``mvlm-tiny.json``: its image tower is registered with timm, its
text tower is open_clip's transformer over CLIP's vocabulary. Its weights come from ``mvlm.foundation.pretrain``,
never from the web: it stands in for CLIP (Radford et al. 2021) where none can be downloaded, and is not CLIP.
"""

import logging
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mvlm import prompts, weights
from mvlm.weights import RANDOM

TINY = "mvlm-tiny"
CONFIG = Path(__file__).with_name(f"{TINY}.json")
WEIGHTS = Path(__file__).parent / "weights" / f"{TINY}.safetensors"


CHUNK = 256  # images encoded at once; bounds memory, changes no value
HOLDING_WEIGHTS = ("hf-hub:", "local-dir:")


class Tower(nn.Module):
    """Convolutional image tower of stride 16: (N,3,64,64) -> (N,num_classes).

    Four stride-2 blocks, then a linear head on the flattened 4x4 map, which keeps *where* on the face something moved.
    Nothing is normalised, so that one process equals many: the foundation trains with batch normalisation between
    convolution and activation and ships it folded into the convolutions. ``features`` ends with the last map
    (N,width,4,4), the layer a class activation map is drawn from.
    """

    def __init__(self, num_classes: int, widths: tuple[int, ...] = (32, 64, 128, 256), size: int = 64):
        super().__init__()
        blocks, channels = [], 3
        for width in widths:
            blocks.append(nn.Sequential(nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.GELU()))
            channels = width
        self.features = nn.Sequential(*blocks)
        self.num_features = channels * (size // 2 ** len(widths)) ** 2
        self.head = nn.Linear(self.num_features, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images).flatten(1))

    def normalise(self) -> None:
        """Puts a batch normalisation between convolution and activation of every block, for pretraining."""
        for place, (convolution, activation) in enumerate(self.features):
            self.features[place] = nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), activation)

    def fold(self) -> None:
        """Folds what `normalise` put in, with its running statistics, into the convolutions."""
        for place, (convolution, norm, activation) in enumerate(self.features):
            self.features[place] = nn.Sequential(fuse_conv_bn_eval(convolution.eval(), norm.eval()), activation)


def mvlm_tower(pretrained: bool = False, *, num_classes: int, **_timm) -> Tower:
    """timm's entry point of the tower; `pretrained` weights exist for the whole model only."""
    if pretrained:
        raise ValueError(f"the image tower has no weights of its own: load {TINY} by mvlm.model.load_model")
    return Tower(num_classes)


class MultiviewVLM(nn.Module):
    """A vision-language model over views of a face; all outputs are unit rows in one space.

    Built by `load_model`: in evaluation mode with frozen parameters; training calls ``requires_grad_(True)`` and
    gradients then flow through `encode_views` and `encode_text`.

    Attributes: `name`; `clip`, the open_clip model (``clip.logit_scale`` is the log of the inverse temperature);
    `image_size`, pixels; `dimension`, D; `metadata`, what the weights file says about itself.
    """

    def __init__(self, name: str, clip: nn.Module, tokenizer, metadata: dict):
        super().__init__()
        self.name, self.clip, self.tokenizer, self.metadata = name, clip, tokenizer, metadata
        size = clip.visual.image_size
        self.image_size = size if isinstance(size, int) else size[0]
        statistics = clip.visual.preprocess_cfg
        for key in ("mean", "std"):
            values = torch.tensor(statistics[key], dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(key, values, persistent=False)
        self.requires_grad_(False).eval()
        with torch.no_grad():
            self.dimension = self.encode_text(["a face"]).shape[1]

    @property
    def temperature(self) -> torch.Tensor:
        """The learned temperature of the softmax, a scalar."""
        return 1 / self.clip.logit_scale.exp()

    def prepare(self, images) -> torch.Tensor:
        """uint8 images (N,H,H,3) -> float32 (N,3,S,S): antialiased bicubic to S = `image_size`, own mean and std."""
        if not isinstance(images, torch.Tensor):
            images = torch.tensor(images)  # a copy: arrays may be memory-mapped and read-only
        pixels = images.to(self.mean.device).permute(0, 3, 1, 2).float()
        if pixels.shape[-1] != self.image_size:
            size = (self.image_size, self.image_size)
            pixels = functional.interpolate(pixels, size=size, mode="bicubic", antialias=True).clamp(0, 255)
        return (pixels / 255 - self.mean) / self.std

    def encode_views(self, images) -> torch.Tensor:
        """Views (B,V,H,H,3) uint8, array or tensor -> unit rows (B,V,D) float32.

        Raises:
            ValueError: another shape or another type.
        """
        if len(images.shape) != 5 or images.shape[-1] != 3 or images.shape[2] != images.shape[3]:
            raise ValueError(f"views: expected (batch, views, size, size, 3), got {tuple(images.shape)}")
        if str(images.dtype).removeprefix("torch.") != "uint8":
            raise ValueError(f"views: expected uint8 pixels 0-255, got {images.dtype}")
        batch, views = images.shape[:2]
        flat = images.reshape(batch * views, *images.shape[2:])
        rows = [
            self.clip.encode_image(self.prepare(flat[start : start + CHUNK]), normalize=True).float()
            for start in range(0, len(flat), CHUNK)
        ]
        encoded = torch.cat(rows) if rows else self.mean.new_zeros(0, self.dimension)
        return encoded.reshape(batch, views, self.dimension)

    def encode_text(self, texts: list[str]) -> torch.Tensor:
        """P texts -> unit rows (P,D) float32; a text longer than the model's context is cut, as in CLIP."""
        tokens = self.tokenizer(list(texts)).to(self.mean.device)
        return self.clip.encode_text(tokens, normalize=True).float()

    def prototypes(self, emotions) -> torch.Tensor:
        """Unit rows (C,D): each emotion's normalised mean of its prompts' unit rows (CLIP's prompt ensemble)."""
        texts, classes = prompts.prompts_for(emotions)
        rows = self.encode_text(texts)
        classes = torch.as_tensor(classes, device=rows.device)
        sums = rows.new_zeros(len(emotions), rows.shape[1]).index_add(0, classes, rows)
        return functional.normalize(sums, dim=1)

    def classify(self, images, emotions) -> torch.Tensor:
        """Zero-shot probabilities (B,C) of C emotions for views (B,V,H,H,3) uint8.

        Softmax, at the learned temperature, of the cosine between the normalised mean of the views' unit rows and each
        emotion's prototype.
        """
        faces = functional.normalize(self.encode_views(images).mean(dim=1), dim=1)
        return (faces @ self.prototypes(emotions).T / self.temperature).softmax(dim=1)


def load_model(name: str = TINY, pretrained: str | Path | None = None) -> MultiviewVLM:
    """The model `name` with its weights, in evaluation mode, frozen, on the CPU.

    Args:
        name: ``mvlm-tiny``, any name that ``open_clip.list_models()`` knows, or open_clip's ``hf-hub:...`` and
            ``local-dir:...``, which hold their own weights.
        pretrained: a tag of open_clip for that name (fetched from its source), or the path of a ``.safetensors`` file,
            or ``"random"`` (seeded, untrained: the floor of every comparison). None: the shipped weights of
            ``mvlm-tiny``; other names need one.

    Raises:
        ValueError: unknown name or tag, weights that do not fit, a pickle file, weights of another activation function.
        FileNotFoundError: weights that are not there or can't be fetched.
    """
    import open_clip

    _register(open_clip)
    if name.startswith(HOLDING_WEIGHTS):
        return _from_repository(open_clip, name, pretrained)
    known = open_clip.list_models()
    if name not in known:
        raise ValueError(f"MODEL={name}: no such model; nearest: {weights.nearest(name, known)}")
    if name == TINY and pretrained is None:
        if not WEIGHTS.is_file():
            raise FileNotFoundError(
                f"{TINY} has no weights yet: {WEIGHTS.name} is missing from mvlm/weights; run `make foundation` to "
                "train them, or name a file by PRETRAINED="
            )
        pretrained = WEIGHTS
    source = weights.source(name, pretrained, open_clip.list_pretrained_tags_by_model(name))
    if isinstance(source, str) and source != RANDOM:
        clip, metadata = _from_tag(open_clip, name, source), {}
    else:
        clip = _fetching(name, lambda: _untrained(open_clip, name))
        metadata = weights.fill(clip, name, source) if isinstance(source, Path) else {}
    return MultiviewVLM(name, clip, _fetching(name, lambda: open_clip.get_tokenizer(name)), metadata)


def _register(open_clip) -> None:
    """Makes `mvlm-tiny` known to timm and to open_clip's factory, once per process."""
    if TINY not in open_clip.list_models():
        import timm

        timm.models.register_model(mvlm_tower)
        open_clip.add_model_config(CONFIG)


def _from_repository(open_clip, name: str, pretrained) -> MultiviewVLM:
    """A model whose configuration and weights lie together, on a hub or in a folder."""
    if pretrained is not None:
        raise ValueError(f"MODEL={name} holds its own weights: leave PRETRAINED={pretrained} out")
    if name.startswith("local-dir:") and not list(Path(name.removeprefix("local-dir:")).glob("*.safetensors")):
        raise FileNotFoundError(f"MODEL={name}: expected open_clip_config.json and a .safetensors file in that folder")
    clip = _fetching(name, lambda: open_clip.create_model(name, require_pretrained=True))
    return MultiviewVLM(name, clip, _fetching(name, lambda: open_clip.get_tokenizer(name)), {})


def _from_tag(open_clip, name: str, tag: str) -> nn.Module:
    """The model with the weights of one of open_clip's tags."""
    # QuickGELU weights in a GELU model (or the reverse) load without an error and give wrong features
    model, weights = open_clip.get_model_config(name), open_clip.get_pretrained_cfg(name, tag)
    computed, trained = (("GELU", "QuickGELU")[bool(part.get("quick_gelu"))] for part in (model, weights))
    if computed != trained:
        other = f"{name}-quickgelu" if trained == "QuickGELU" else name.removesuffix("-quickgelu")
        raise ValueError(
            f"MODEL={name} PRETRAINED={tag}: the weights were trained with {trained}, the model computes {computed}: "
            f"features would be wrong; use MODEL={other}"
        )
    return _fetching(name, lambda: open_clip.create_model(name, pretrained=tag), tag)


def _fetching(name: str, fetch, tag: str | None = None):
    """`fetch()`, whose failure (no network, no cache) becomes one message that says what to do."""
    try:
        return fetch()
    except (OSError, RuntimeError, ImportError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        what = f"weights '{tag}' of {name}" if tag else f"parts of {name}"
        raise FileNotFoundError(
            f"{what} could not be fetched ({reason}). With a network, run the same command again (the file is cached); "
            f"without, copy the model's .safetensors here and name it by PRETRAINED=, or use MODEL={TINY}"
        ) from error


def _untrained(open_clip, name: str) -> nn.Module:
    """The model with seeded random weights; the caller's random state is left alone."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # open_clip warns of random weights, which are filled or wanted here
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return open_clip.create_model(name, pretrained_text=False)
    finally:
        logging.disable(level)
