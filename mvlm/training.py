"""How the towers are trained end to end (`PROFILE=full`): one value for each setting, read from `TRAINING=`."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, fields, replace

ALL, NONE = "all", "none"
PRECISIONS = ("auto", "bf16", "float32", "float64")
WITHOUT_EFFECT = ("save", "loaders")  # on what is learnt


@dataclass(frozen=True)
class Training:
    """Settings of end-to-end training.

    Batch, decay and the cosine with its warm-up are those of the author's public predecessor (MiT, 2021). Its rate
    trains classifiers, and a rate of 1e-5 is the usual one for fine-tuning CLIP.

    Attributes:
        epochs: passes over the training samples, in each round of clustering.
        batch: samples (with all their views) that the contrastive losses compare: those of all ranks together.
        rate: of AdamW, reached after the warm-up, then taken to zero by a cosine.
        decay: weight decay of matrices; gains, biases and the temperature have none.
        warmup: share of the steps in which the rate rises.
        image, text: what of each tower is trained: "all", "none", or the number of its last blocks, with all that
            comes after them.
        pieces: a rank encodes its batch in so many pieces and keeps the activations of one: they are computed again on
            the way back. Gradients stay those of the whole batch, which plain accumulation of gradients could not give:
            its contrastive losses would compare the samples of one piece only.
        checkpointing: keep no activations inside a tower's blocks, for towers of open_clip and timm.
        precision: "bf16" computes in bfloat16 on float32 weights; "auto" does so on CUDA devices that have it, and is
            float32 otherwise; "float64" is for comparisons.
        save: steps from one checkpoint to the next.
        loaders: processes that load images, for each rank.
    """

    epochs: int = 20
    batch: int = 64
    rate: float = 1e-5
    decay: float = 0.05
    warmup: float = 0.1
    image: str = ALL
    text: str = ALL
    pieces: int = 1
    checkpointing: bool = False
    precision: str = PRECISIONS[0]
    save: int = 200
    loaders: int = 0

    @classmethod
    def parse(cls, text: str) -> Training:
        """Settings from "epochs=5 batch=256 image=4", the others as they are by default.

        Raises:
            ValueError: an unknown name, with the nearest known one, or a value that cannot be.
        """
        given = {}
        for word in text.replace(",", " ").split():
            name, sign, value = word.partition("=")
            known = [field.name for field in fields(cls)]
            if name not in known or not sign:
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
                raise ValueError(f"TRAINING={word}: expected {near}=VALUE or another of {', '.join(known)}")
            try:
                given[name] = _read(getattr(cls, name), value)
            except ValueError:
                kind = "0 or 1" if isinstance(getattr(cls, name), bool) else type(getattr(cls, name)).__name__
                raise ValueError(f"TRAINING={word}: expected {name}= {kind}, such as {name}={_default(name)}") from None
        return replace(cls(), **given)

    def __post_init__(self) -> None:
        for name, least in {"epochs": 1, "batch": 2, "pieces": 1, "save": 1, "loaders": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"TRAINING={name}={getattr(self, name)}: expected {least} or more")
        for name, most in {"rate": float("inf"), "decay": 1.0, "warmup": 1.0}.items():
            if not 0 <= getattr(self, name) <= most or getattr(self, name) == float("inf"):
                raise ValueError(f"TRAINING={name}={getattr(self, name)}: expected a number from 0 to {most:g}")
        for name in ("image", "text"):
            value = getattr(self, name)
            if value not in (ALL, NONE) and not (value.isdecimal() and int(value) > 0):
                raise ValueError(f"TRAINING={name}={value}: expected all, none, or a number of blocks")
        if self.precision not in PRECISIONS:
            near = difflib.get_close_matches(self.precision, PRECISIONS, n=1, cutoff=0.0)[0]
            raise ValueError(f"TRAINING=precision={self.precision}: did you mean precision={near}?")

    def content(self) -> dict[str, object]:
        """What trained weights depend on."""
        return {name: value for name, value in asdict(self).items() if name not in WITHOUT_EFFECT}


def _read(like: object, value: str) -> object:
    if isinstance(like, bool):
        if value not in ("0", "1"):
            raise ValueError(value)
        return value == "1"
    return type(like)(value)


def _default(name: str) -> str:
    value = getattr(Training, name)
    return str(int(value) if isinstance(value, bool) else value)
