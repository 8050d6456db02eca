"""Pretrains `mvlm-tiny` on captioned random faces: ``python -m mvlm.foundation``, or ``make foundation``.

It stands in for CLIP's pretraining on the web. Its faces are heads of variants that no twin uses, with random action
units or one of the patterns that people show with an emotion, under the nuisances of a scanner. Its captions read like
alternative text: facial actions and, noisily, everyday emotion words, since web text has them. The share of captions
with such a word (`Recipe.word_share`) is a setting, and stands in the card beside the weights.

The same recipe on the same machine gives the same weights, byte for byte: the thread count is part of the recipe.
"""

import argparse
import hashlib
import inspect
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mvlm import losses, prompts
from mvlm.captions import PHRASES, VISIBLE, caption, words_of
from mvlm.faces import expressions, sensors, twins, views
from mvlm.faces import head as heads
from mvlm.model import RANDOM, TINY, WEIGHTS, MultiviewVLM, load_model
from mvlm.settings import ROOT, RUNS

CACHE = RUNS / "cache" / "foundation"
FAMILY = 16  # faces, each another identity, that share one variant of the head
HELD_OUT_VARIANTS = 1_000_000  # far from any variant to learn from
UNITS = tuple(sorted(heads.ACTION_UNITS))
# Pairs that the face can't do at once, or that hide one another
CLASHES = ((5, 43), (24, 25), (24, 26), (24, 27), (23, 25), (26, 27), (18, 20), (20, 22), (12, 18), (12, 22), (17, 27))
# Two expressions beside the six of EMFACS: action unit -> share of people who show it. The units are those of Keltner
# (1995), JPSP 68:441 (a smile under control; closed eyes stand for the averted gaze), and of Prkachin & Solomon (2008),
# Pain 139:267; the shares are ours.
SOCIAL = {
    "embarrassment": {12: 0.85, 24: 0.55, 23: 0.3, 14: 0.35, 43: 0.5, 6: 0.25},
    "pain": {4: 0.85, 6: 0.6, 7: 0.6, 9: 0.4, 10: 0.5, 43: 0.65, 20: 0.25},
}


@dataclass(frozen=True)
class Recipe:
    """What the foundation is made from; with the head, all that its weights depend on.

    Attributes:
        faces: random faces to learn from; held_out: further ones to measure on.
        word_share: share of captions of an emotion's faces that name an emotion; wrong_share: of those, the share that
            names another one.
        epochs (one of its views per face), batch, rate, decay: of AdamW with a warm-up and a cosine.
        words: weight of the loss of telling the caption's words.
        seed: of faces, captions, initial weights and batches; threads: of torch, since sums depend on their order.
    """

    faces: int = 12_000
    held_out: int = 1_000
    word_share: float = 0.5
    wrong_share: float = 0.18
    epochs: int = 30
    batch: int = 128
    rate: float = 2e-3
    words: float = 20.0
    decay: float = 0.05
    seed: int = 0
    threads: int = 2


class Face(NamedTuple):
    """One random face: `units`, action unit -> (left, right) intensity, and the emotion they show, or "" for none."""

    units: dict[int, tuple[float, float]]
    emotion: str


class Faces(NamedTuple):
    """Rendered faces: `images` (N,V,S,S,3) uint8, `units` (N,A) mean intensities of `UNITS`, `emotions` (N,) str."""

    images: np.ndarray
    units: np.ndarray
    emotions: np.ndarray


# ----------------------------------------------------------------------------------------------------------- the faces


def random_face(rng: np.random.Generator, emotion: str | None = None) -> Face:
    """Draws action units: those of `emotion` ("" for units at random), or of any kind when it is None."""
    if emotion is None:
        emotion = rng.choice(["", rng.choice(prompts.EMOTIONS), "neutral"], p=[0.45, 0.47, 0.08])
    if emotion:
        return Face(_expression(str(emotion), rng), str(emotion))
    count, units = rng.integers(1, 7), {}
    for unit in rng.permutation(UNITS)[:count].tolist():
        if not any({unit, other} == set(pair) for pair in CLASHES for other in units):
            tilt = rng.normal(0, 0.15)
            left_right = rng.uniform(0.25, 1.0) * np.clip([1 + tilt, 1 - tilt], 0, 1.3)
            units[unit] = (float(left_right[0]), float(left_right[1]))
    return Face(units, "")


def _expression(emotion: str, rng: np.random.Generator) -> dict[int, tuple[float, float]]:
    """The units of a stranger who shows an emotion at any of the four levels."""
    style = None
    if emotion in SOCIAL:
        shown = {unit: np.exp(rng.normal(-0.1, 0.3)) for unit, share in SOCIAL[emotion].items() if rng.random() < share}
        style = {emotion: {unit: float(gain) for unit, gain in shown.items()}}
    return expressions.sample_expression(emotion, int(rng.integers(1, 5)), rng, style)


def render(face: Face, variant: int, rng: np.random.Generator) -> np.ndarray:
    """Three views (3,64,64,3) uint8 of a stranger making `face`, as some scanner under some light delivers them.

    The stranger's head is of a `variant` of proportions and muscles, which no twin uses.
    """
    mesh = heads.head(heads.random_identity(rng, variant), face.units)
    if rng.random() < 0.3:  # one viewpoint, as of a structured-light scanner: steep skin is missing
        mesh = _from_the_front(mesh, steepest=rng.uniform(65, 80))
    sensor = sensors.Sensor(
        noise=rng.uniform(0, 0.4),
        ripple=rng.uniform(0, 0.5),
        holes=rng.uniform(0, 2),
        pose=5.0,
        placement=8.0,
        landmark=rng.uniform(0, 2),
    )
    mesh = sensors.scan(mesh, sensor, rng)
    if rng.random() < 0.5:  # without landmarks the pose error stays
        mesh = replace(mesh, landmarks={})
    light = (rng.uniform(-0.4, 0.4), rng.uniform(0.2, 0.8), 0.85)
    return views.project(mesh, light=light)


def _from_the_front(mesh, steepest: float):
    """The mesh without triangles whose normal is more than `steepest` degrees off the viewing direction."""
    corners = mesh.vertices[mesh.triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = normal[:, 2] > np.cos(np.radians(steepest)) * np.linalg.norm(normal, axis=1)
    return replace(mesh, triangles=mesh.triangles[facing])


def _some_faces(indices: Sequence[int], recipe: Recipe, renderer: Callable) -> Faces:
    images, units, emotions = [], [], []
    kinds = ("", *prompts.EMOTIONS)
    for index in indices:
        rng = np.random.default_rng([recipe.seed, index])  # of this face alone: any share of the work gives the same
        held_out = index >= recipe.faces
        # half of the held-out faces move at random, the others show the emotions in equal numbers
        kind = None if not held_out else kinds[1 + index // 2 % len(prompts.EMOTIONS)] if index % 2 else ""
        face = random_face(rng, kind)
        variant = 1 + index // FAMILY + (HELD_OUT_VARIANTS if held_out else 0)
        images.append(renderer(face, variant, rng))
        units.append([np.mean(face.units.get(unit, 0.0)) for unit in UNITS])
        emotions.append(face.emotion)
    return Faces(np.stack(images), np.array(units, np.float32), np.array(emotions, "U16"))


def render_faces(recipe: Recipe, *, jobs: int = 2, cache: Path = CACHE, renderer=render) -> Faces:
    """All faces of a recipe, those to learn from first; cached by everything that they depend on."""
    from joblib import Parallel, delayed
    from tqdm import tqdm

    sources = [inspect.getsource(part) for part in (views, sensors, expressions, random_face, _some_faces, renderer)]
    drawn = (recipe.faces, recipe.held_out, recipe.seed, heads.fingerprint(), FAMILY, CLASHES, SOCIAL, sources)
    key = hashlib.sha256(repr(drawn).encode()).hexdigest()[:16]
    folder = cache / key
    if not folder.is_dir():
        count = recipe.faces + recipe.held_out
        shares = np.array_split(np.arange(count), -(-count // (4 * FAMILY)))
        work = (delayed(_some_faces)(share.tolist(), recipe, renderer) for share in shares)
        done = Parallel(n_jobs=jobs, return_as="generator")(work)
        parts = list(tqdm(done, total=len(shares), desc="rendering", unit=f"{4 * FAMILY} faces"))
        staged = cache / f"{key}.{os.getpid()}"
        staged.mkdir(parents=True)
        for name, *values in zip(Faces._fields, *parts, strict=True):
            np.save(staged / f"{name}.npy", np.concatenate(values))
        try:
            staged.rename(folder)
        except OSError:  # another process was first, with the same faces
            shutil.rmtree(staged)
    return Faces(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in Faces._fields))


# -------------------------------------------------------------------------------------------------------- the captions


def captions(faces: Faces, recipe: Recipe) -> list[str]:
    """One caption for each face, as a picture on the web has one, for all its views."""
    rng = np.random.default_rng([recipe.seed, 1 << 40])
    shares = {"word_share": recipe.word_share, "wrong_share": recipe.wrong_share}
    return [
        caption(dict(zip(UNITS, row.tolist(), strict=True)), str(emotion), rng, **shares)
        for row, emotion in zip(faces.units, faces.emotions, strict=True)
    ]


# -------------------------------------------------------------------------------------------------------- the training


def augment(images: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """uint8 (N,S,S,3) -> grey levels (N,3,S,S) float32: each shifted, flipped, lit anew; all zoomed by one factor."""
    count, size = images.shape[:2]
    window = int(rng.integers(size * 9 // 10, size + 1))
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    top, left = rng.integers(0, size + 5 - window, (2, count))
    columns = np.where(rng.random(count)[:, None] < 0.5, np.arange(window), np.arange(window)[::-1]) + left[:, None]
    rows = np.arange(window) + top[:, None]
    cut = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    pixels = torch.from_numpy(cut).permute(0, 3, 1, 2).float()
    if window != size:
        pixels = functional.interpolate(pixels, size=(size, size), mode="bilinear")
    gain, offset = torch.from_numpy(rng.uniform([[0.85], [-15]], [[1.15], [15]], (2, count)).astype(np.float32))
    offset = offset.view(-1, 1, 1, 1) * (pixels > 0)  # the background stays black
    return (pixels * gain.view(-1, 1, 1, 1) + offset).clamp(0, 255)


@contextmanager
def _deterministic(threads: int):
    """Deterministic algorithms and a fixed thread count, whatever the environment says; both restored afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def train(images: np.ndarray, texts: list[str], recipe: Recipe) -> tuple[MultiviewVLM, list[float]]:
    """Trains both towers from seeded random weights on pictures and captions.

    The loss is CLIP's contrastive one between pictures and captions, plus the cross-entropy of telling from a picture
    which words its caption has (Mahajan et al. 2018; Huang et al. 2024, "SuperClass"): the first alone stays on its
    plateau for most of a budget of minutes, and the second leads it off. A step sees one random view of each of its
    faces; faces whose captions are equal are positives of each other.

    Args:
        images: (N,V,S,S,3) uint8; texts: N captions.

    Returns:
        the model, frozen again, and the mean contrastive loss of each epoch.
    """
    from tqdm import tqdm

    rng = np.random.default_rng([recipe.seed, 1 << 41])
    model = load_model(pretrained=RANDOM).requires_grad_(True).train()
    tower, has = model.clip.visual.trunk, torch.from_numpy(words_of(texts))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        readout = nn.Linear(tower.head.out_features, has.shape[1])
    tower.normalise()
    model.clip.visual.to(memory_format=torch.channels_last)  # a third faster on a CPU
    distinct, groups = np.unique(texts, return_inverse=True)
    tokens = model.tokenizer(distinct.tolist())
    weights = [*model.parameters(), *readout.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.decay)
    steps = recipe.epochs * -(-len(images) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, steps, pct_start=0.1, cycle_momentum=False)
    means = []
    with _deterministic(recipe.threads), tqdm(total=steps, desc="training", unit="step") as bar:
        for _ in range(recipe.epochs):
            order, epoch = rng.permutation(len(images)), []
            for start in range(0, len(images), recipe.batch):
                chosen = order[start : start + recipe.batch]
                pixels = augment(images[chosen, rng.integers(0, images.shape[1], len(chosen))], rng)
                pixels = ((pixels / 255 - model.mean) / model.std).contiguous(memory_format=torch.channels_last)
                shown, of_face = np.unique(groups[chosen], return_inverse=True)
                rows = torch.from_numpy(of_face)
                faces = model.clip.encode_image(pixels)
                loss = losses.contrastive(
                    faces, model.clip.encode_text(tokens[shown])[rows], temperature=model.temperature, groups=rows
                ).loss
                words = functional.binary_cross_entropy_with_logits(readout(faces), has[chosen])
                optimizer.zero_grad()
                (loss + recipe.words * words).backward()
                optimizer.step()
                schedule.step()
                with torch.no_grad():
                    model.clip.logit_scale.clamp_(max=float(np.log(100)))  # as in CLIP
                epoch.append(loss.item())
                bar.update()
                bar.set_postfix(loss=f"{epoch[-1]:.3f}", refresh=False)
            means.append(float(np.mean(epoch)))
    tower.fold()
    model.clip.visual.to(memory_format=torch.contiguous_format)
    return model.requires_grad_(False).eval(), means


def export(model: MultiviewVLM, texts: list[str], said: dict, path: Path) -> None:
    """Writes weights as float16 safetensors, whole or not at all; `said` becomes their metadata.

    Rows of words that no caption uses are written as zeros: an unknown word says nothing.
    """
    from safetensors.torch import save

    state = {key: value.detach().half().contiguous() for key, value in model.clip.state_dict().items()}
    known = torch.zeros(len(state["token_embedding.weight"]), 1, dtype=torch.bool)
    known[model.tokenizer(sorted(set(texts))).unique()] = True
    known[0] = False  # padding, which lies behind the end of every text
    state["token_embedding.weight"] = state["token_embedding.weight"] * known
    # one entry, since the order of several is not fixed and neither were the bytes of the file
    data = save(state, metadata={"mvlm": json.dumps(said, sort_keys=True)})
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(f".{os.getpid()}")
    staged.write_bytes(data)
    os.replace(staged, path)


def measure(model: MultiviewVLM, faces: Faces, texts: list[str]) -> dict[str, float]:
    """What the model knows of faces it has not seen, every figure on the normalised mean of the views.

    ``zero_shot_6``, ``zero_shot_8``: accuracy by the prompts of the six basic and of all eight emotions.
    ``text_to_face_1``, ``text_to_face_10``: share of captions of random action units that find a face so captioned
    first, or among the first ten. ``actions``: mean over the action units of the probability that a face with the unit
    lies nearer to its phrase than one without (area under the ROC curve), on the same faces.
    """
    from sklearn.metrics import roc_auc_score

    rows = functional.normalize(model.encode_views(faces.images).mean(dim=1), dim=1)
    known = {}
    for count in (6, 8):
        asked = prompts.EMOTIONS[:count]
        chosen = np.isin(faces.emotions, asked)
        predicted = (rows[chosen] @ model.prototypes(asked).T).argmax(dim=1).numpy()
        known[f"zero_shot_{count}"] = float(np.mean(np.array(asked)[predicted] == faces.emotions[chosen]))
    chosen = np.flatnonzero(faces.emotions == "")
    distinct, group = np.unique(np.array(texts)[chosen], return_inverse=True)
    ranked = group[(model.encode_text(distinct.tolist()) @ rows[chosen].T).argsort(dim=1, descending=True).numpy()]
    for first in (1, 10):
        found = (ranked[:, :first] == np.arange(len(distinct))[:, None]).any(axis=1)
        known[f"text_to_face_{first}"] = float(found.mean())
    areas = []
    for unit, phrase in PHRASES.items():
        shown = faces.units[chosen, UNITS.index(unit)] >= VISIBLE
        if 0 < shown.sum() < len(shown):
            nearness = (rows[chosen] @ model.encode_text([f"a face with {phrase[0]}"])[0]).numpy()
            areas.append(roc_auc_score(shown, nearness))
    known["actions"] = float(np.mean(areas))
    return {name: round(value, 4) for name, value in known.items()}


def make(recipe: Recipe, path: Path = WEIGHTS, *, jobs: int = 2, cache: Path = CACHE, renderer=render) -> dict:
    """Renders, captions, trains, writes the weights to `path` and the card beside them; returns the card."""
    faces = render_faces(recipe, jobs=jobs, cache=cache, renderer=renderer)
    texts = captions(faces, recipe)
    model, means = train(faces.images[: recipe.faces], texts[: recipe.faces], recipe)
    said = {"model": TINY, "head": heads.fingerprint(), "twin_version": twins.VERSION, "recipe": asdict(recipe)}
    export(model, texts[: recipe.faces], said, path)
    unseen = Faces(*(values[recipe.faces :] for values in faces))
    card = said | {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "losses": [round(mean, 4) for mean in means],
        "captions": len(set(texts[: recipe.faces])),
        "held_out": measure(load_model(pretrained=path), unseen, texts[recipe.faces :]),
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")
    return card


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: every value of the recipe, and where the weights go."""
    parser = argparse.ArgumentParser(prog="python -m mvlm.foundation", description=__doc__.split("\n", 1)[0])
    for field in fields(Recipe):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(field.default), default=field.default, help=f"default {field.default}")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="file to write; its card lies beside it")
    parser.add_argument("--jobs", type=int, default=2, help="processes that render; changes no value")
    chosen = vars(parser.parse_args(arguments))
    path, jobs = chosen.pop("weights"), chosen.pop("jobs")
    recipe = Recipe(**chosen)
    count = recipe.faces + recipe.held_out
    rendering, training = count * 0.02 / jobs / 60, recipe.epochs * recipe.faces / 800 / 60  # of two cores
    room = count * 3 * 64 * 64 * 3 / 1e9
    print(
        f"{count} faces: about {rendering:.0f} min to render unless they are there, {room:.1f} GB "
        f"under {CACHE.relative_to(ROOT)}; {recipe.epochs} epochs: about {training:.0f} min on {recipe.threads} threads"
    )
    print(json.dumps(make(recipe, path, jobs=jobs), indent=1))


if __name__ == "__main__":
    main()
