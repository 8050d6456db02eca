"""What a user may set: the variables of the Makefile, read once from the environment and checked."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
RUNS = ROOT / "runs"

VARIABLES = (
    "DATA", "PROFILE", "MODEL", "PRETRAINED", "JOBS", "SCHEDULER", "SKIP_BAD", "CHANNEL", "YAWS", "DEVICES", "TRAINING",
)  # fmt: skip
PROFILES = ("smoke", "quick", "full")
MODEL = "mvlm-tiny"
CHANNELS = ("shaded", "texture", "depth", "normals")  # what a view shows; see `mvlm.faces.views`
YAWS = (0.0, 45.0, -45.0)  # degrees: front, left, right
ALL, NONE = "all", "none"
PRECISIONS = ("auto", "bf16", "float32", "float64")
WITHOUT_EFFECT = ("save", "loaders")  # on what is learnt
HEADER = 1 << 20  # bytes of a .safetensors file that are looked at for the names of its tensors


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest to a mistyped one, whatever its case."""
    spelled = {each.lower(): each for each in known}
    return spelled[difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=0.0)[0]]


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
                near = nearest(name, known)
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
            near = nearest(self.precision, PRECISIONS)
            raise ValueError(f"TRAINING=precision={self.precision}: did you mean precision={near}?")

    def content(self) -> dict[str, object]:
        """What trained weights depend on."""
        return {name: value for name, value in asdict(self).items() if name not in WITHOUT_EFFECT}


@dataclass(frozen=True)
class Settings:
    """The resolved settings of one command.

    Attributes:
        data: root of the licensed corpora in their native formats; None means twins.
        profile: "smoke" (tests), "quick" (the whole protocol made cheap) or "full" (end-to-end training).
        model: "mvlm-tiny" or any open_clip model name.
        pretrained: open_clip tag or weight file for `model`; None means the weights shipped with it.
        jobs: worker processes, at least 1.
        scheduler: address of a running Dask scheduler; None means processes of this machine.
        skip_bad: go on without unreadable scans instead of stopping before any work.
        channel: what views show, one of `CHANNELS`.
        yaws: angles of the views in degrees, positive on the subject's left; the front first, then mirrored pairs.
        devices: what end-to-end training runs on: "cuda", "cpu", a number of them, or both as in "cpu:2"; None takes
            all CUDA devices, or else the processor as one.
        training: how towers are trained end to end.
    """

    data: Path | None = None
    profile: str = "quick"
    model: str = MODEL
    pretrained: str | None = None
    jobs: int = 1
    scheduler: str | None = None
    skip_bad: bool = False
    channel: str = CHANNELS[0]
    yaws: tuple[float, ...] = YAWS
    devices: str | None = None
    training: Training = Training()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read what `VARIABLES` names; an empty value is no value.

        Raises:
            ValueError: a value is wrong; the message names the nearest right one.
            FileNotFoundError: DATA names no folder.
        """
        value = {name: environ.get(name, "").strip() for name in VARIABLES}
        return cls(
            data=_folder(value["DATA"]),
            profile=_one_of("PROFILE", value["PROFILE"] or "quick", PROFILES),
            model=_model(value["MODEL"] or MODEL),
            pretrained=_pretrained(value["PRETRAINED"]) if value["PRETRAINED"] else None,
            jobs=_count("JOBS", value["JOBS"]) if value["JOBS"] else usable_cores(),
            scheduler=value["SCHEDULER"] or None,
            skip_bad=_one_of("SKIP_BAD", value["SKIP_BAD"] or "0", ("0", "1")) == "1",
            channel=_one_of("CHANNEL", value["CHANNEL"] or CHANNELS[0], CHANNELS),
            yaws=_yaws(value["YAWS"]) if value["YAWS"] else YAWS,
            devices=_devices(value["DEVICES"]) if value["DEVICES"] else None,
            training=Training.parse(value["TRAINING"]),
        )

    def data_kind(self) -> str:
        """Return "twin" without DATA, "sample" for the sample corpora, else "supplied".

        The sample corpora ship `<corpus>.truth.json` beside the corpus' folder; DATA may name the root or that folder.
        """
        if self.data is None:
            return "twin"
        truths = (path for place in (self.data, self.data.parent) for path in place.glob("*.truth.json"))
        return "sample" if any(truths) else "supplied"

    def results_name(self, data_kind: str) -> str:
        """Return the folder name `<kind>-<profile>-<model>` that results, records of state and pages share.

        Views other than the default add their channel and their angles: `twin-quick-mvlm-tiny-depth-0+20-20`.
        """
        parts = [data_kind, self.profile, self.model]
        if self.channel != CHANNELS[0]:
            parts.append(self.channel)
        if self.yaws != YAWS:
            parts.append("".join(f"{yaw:+g}" for yaw in self.yaws).removeprefix("+"))
        return re.sub(r"[^\w.+-]+", "_", "-".join(parts))

    def results_folder(self, data_kind: str) -> Path:
        """Return where results go: the committed `results/` for the default alone, else a git-ignored folder."""
        usual = replace(self, profile="quick", model=MODEL, pretrained=None, channel=CHANNELS[0], yaws=YAWS)
        if data_kind == "twin" and self == usual:
            return RESULTS
        return RUNS / "results" / self.results_name(data_kind)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        near = nearest(value, choices)
        raise ValueError(f"{name}={value}: expected one of {', '.join(choices)}; did you mean {name}={near}?")
    return value


def _folder(value: str) -> Path | None:
    if not value:
        return None
    folder = Path(value).expanduser().resolve()
    if not folder.is_dir():
        beside = [path.name for path in folder.parent.glob("*") if path.is_dir()] if folder.parent.is_dir() else []
        near = difflib.get_close_matches(folder.name, beside, n=1)
        hint = f"; did you mean DATA={folder.parent / near[0]}?" if near else ""
        raise FileNotFoundError(f"DATA={value}: no such folder; expected the root of the corpora{hint}")
    return folder


def _model(value: str) -> str:
    """Check a model name against open_clip's configuration files, without importing open_clip (it costs seconds)."""
    if value == MODEL or value.startswith("hf-hub:"):
        return value
    if value.startswith("local-dir:"):
        return _with_its_tokenizer(value, Path(value.removeprefix("local-dir:"), "open_clip_config.json"))
    spec = find_spec("open_clip")
    folders = spec.submodule_search_locations if spec else []
    known = {path.stem: path for folder in folders for path in Path(folder, "model_configs").glob("*.json")}
    if value in known:
        return _with_its_tokenizer(value, known[value])
    near = nearest(value, sorted({*known, MODEL}))
    raise ValueError(f"MODEL={value}: neither {MODEL} nor an open_clip model; did you mean MODEL={near}?")


def _with_its_tokenizer(value: str, path: Path) -> str:
    """The name of a model, if what its configuration reads text by is installed: for a third of them, transformers."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if re.search(r'"hf_(tokenizer|model)_name": *"[^"]', text) and find_spec("transformers") is None:
        raise ValueError(
            f"MODEL={value} reads text by the package transformers, which is not installed: "
            ".venv/bin/python -m pip install transformers sentencepiece"
        )
    return value


def _pretrained(value: str) -> str:
    """Check that a file of weights is safetensors whose names begin as open_clip's do."""
    path = Path(value)
    if not path.is_file():
        return value  # a tag of open_clip, or nothing: the model says which
    convert = f"convert it once: .venv/bin/python -m mvlm.conversion {shlex.quote(value)}"
    if path.suffix != ".safetensors":
        raise ValueError(
            f"PRETRAINED={value}: expected .safetensors, for other files can run code when they are opened; {convert}"
        )
    with path.open("rb") as file:
        found = re.findall(rb'"([^"]*\.)?logit_scale"', file.read(HEADER))
    if found and b"" not in found:
        theirs = found[0].decode(errors="replace")
        raise ValueError(f"PRETRAINED={value}: the names of its tensors begin with {theirs}; {convert}")
    return value


def _count(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise ValueError(f"{name}={value}: expected a whole number of 1 or more, such as {name}={usable_cores()}")
    return int(value)


def _yaws(value: str) -> tuple[float, ...]:
    """Angles from "0,45,-45". A flipped face needs the mirror image of every angle."""
    try:
        yaws = tuple(float(part) + 0.0 for part in value.split(","))
    except ValueError:
        yaws = ()
    fits = yaws and yaws[0] == 0 and len(set(yaws)) == len(yaws) and all(-yaw in yaws and yaw <= 90 for yaw in yaws)
    if not fits:
        raise ValueError(
            f"YAWS={value}: expected degrees such as YAWS=0,30,-30: the front first, then every angle of up to 90 "
            "with its mirror image, none twice"
        )
    return yaws


def _devices(value: str) -> str:
    if not re.fullmatch(r"(cpu|cuda)(:[1-9]\d*)?|[1-9]\d*", value):
        raise ValueError(f"DEVICES={value}: expected a number, cuda, cpu, or both as in DEVICES=cpu:2")
    return value


def usable_cores() -> int:
    """Cores that this process may use."""
    # A container or batch system may grant fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read(like: object, value: str) -> object:
    if isinstance(like, bool):
        if value not in ("0", "1"):
            raise ValueError(value)
        return value == "1"
    return type(like)(value)


def _default(name: str) -> str:
    value = getattr(Training, name)
    return str(int(value) if isinstance(value, bool) else value)
