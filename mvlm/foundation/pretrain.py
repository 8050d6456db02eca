"""Pretrains `mvlm-tiny` on captioned random faces: ``python -m mvlm.foundation.pretrain``, or ``make foundation``.

It stands in for CLIP's pretraining on the web. Its faces are those of `mvlm.foundation.random_faces`, still ones and,
as dynamic images, moving ones, which no twin shows. Its captions read like alternative text: facial actions and,
noisily, everyday emotion words, since web text has them. The share of captions with such a word (`Recipe.word_share`)
and the number of moving faces (`Recipe.sequences`) are settings, and stand in the card beside the weights.

The same recipe and code on the same machine give the same weights, byte for byte: the thread count is part of the
recipe. The shipped ones were trained before `mvlm.losses` took its sums in another order; made anew they are others.
What both know of the twins stands in their cards, of `mvlm.study.items.foundation`, beside those of further foundations
whose weights are not shipped, such as one without moving faces,
``python -m mvlm.foundation.pretrain --sequences 0 --weights runs/foundation/without-sequences.safetensors``.
"""

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mvlm import losses, prompts
from mvlm.cache.files import write
from mvlm.foundation.augment import augment
from mvlm.foundation.captions import PHRASES, VISIBLE, caption, words_of
from mvlm.foundation.random_faces import CACHE, UNITS, Draw, Faces, render, render_faces
from mvlm.machine import command
from mvlm.model import RANDOM, TINY, WEIGHTS, MultiviewVLM, load_model
from mvlm.settings import ROOT
from mvlm.twins import twin as twins
from mvlm.twins.head import head as heads


@dataclass(frozen=True)
class Recipe:
    """What the foundation is made from; with the head, all that its weights depend on.

    Attributes:
        faces: random still faces to learn from; held_out: further ones to measure on.
        sequences: random moving faces to learn from, each one dynamic image; held_out_sequences: further ones;
            frames: of each.
        word_share: share of captions of an emotion's faces that name an emotion; wrong_share: of those, the share that
            names another one.
        epochs (one of its views per face, still and moving ones mixed), batch, rate, decay: of AdamW with a warm-up and
            a cosine.
        words: weight of the loss of telling the caption's words.
        seed: of faces, captions, initial weights and batches; threads: of torch, since sums depend on their order.
    """

    faces: int = 12_000
    held_out: int = 1_000
    sequences: int = 2_000
    held_out_sequences: int = 400
    frames: int = 8
    word_share: float = 0.5
    wrong_share: float = 0.18
    epochs: int = 30
    batch: int = 128
    rate: float = 2e-3
    words: float = 60.0
    decay: float = 0.05
    seed: int = 0
    threads: int = 2

    def draws(self) -> dict[str, Draw]:
        """The faces to draw, by kind: "stills" or "dynamic"."""
        return {
            "stills": Draw(self.faces, self.held_out, self.seed),
            "dynamic": Draw(self.sequences, self.held_out_sequences, self.seed, self.frames),
        }


# -------------------------------------------------------------------------------------------------------- the captions


def captions(faces: Faces, recipe: Recipe, name: str) -> list[str]:
    """One caption for each face, as a picture on the web has one, for all its views; by a stream of this `name`."""
    rng = np.random.default_rng([recipe.seed, *name.encode()])
    shares = {"word_share": recipe.word_share, "wrong_share": recipe.wrong_share}
    return [
        caption(dict(zip(UNITS, row.tolist(), strict=True)), str(emotion), rng, **shares)
        for row, emotion in zip(faces.units, faces.emotions, strict=True)
    ]


# -------------------------------------------------------------------------------------------------------- the training


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


def train(images: np.ndarray, moving: np.ndarray, texts: list[str], recipe: Recipe) -> tuple[MultiviewVLM, list[float]]:
    """Trains both towers from seeded random weights on pictures and captions.

    The loss is CLIP's contrastive one between pictures and captions, plus the cross-entropy of telling from a picture
    which words its caption has (Mahajan et al. 2018; Huang et al. 2024, "SuperClass"): the first alone stays on its
    plateau for most of a budget of minutes, and the second leads it off. A step sees one random view of each of its
    faces; faces whose captions are equal are positives of each other.

    Args:
        images: (N,V,S,S,3) uint8; moving: (N,) whether they are dynamic images; texts: N captions.

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
                seen = images[chosen, rng.integers(0, images.shape[1], len(chosen))]
                pixels = augment(seen, moving[chosen], rng)
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
    write(path, lambda file: file.write(data))


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


def make(
    recipe: Recipe, path: Path = WEIGHTS, *, jobs: int = 2, cache: Path = CACHE, renderer: Callable = render
) -> dict:
    """Renders, captions, trains, writes the weights to `path` and the card beside them; returns the card."""
    seen, unseen = {}, {}
    for kind, draw in recipe.draws().items():
        faces = render_faces(draw, jobs=jobs, cache=cache, renderer=renderer)
        learnt, held_out = faces.part(slice(draw.count)), faces.part(slice(draw.count, None))
        seen[kind] = learnt, captions(learnt, recipe, kind)
        unseen[kind] = held_out, captions(held_out, recipe, f"{kind} held out")
    images = np.concatenate([faces.images for faces, _ in seen.values()])
    moving = np.repeat([kind == "dynamic" for kind in seen], [len(said) for _, said in seen.values()])
    texts = [text for _, said in seen.values() for text in said]
    model, means = train(images, moving, texts, recipe)
    versions = {"head": heads.fingerprint(), "twin_version": twins.VERSIONS["face"]["formula"]}
    said = {"model": TINY, **versions, "recipe": asdict(recipe)}
    export(model, texts, said, path)
    exported = load_model(pretrained=path)
    card = said | {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "losses": [round(mean, 4) for mean in means],
        "captions": len(set(texts)),
        "held_out": {kind: measure(exported, faces, own) for kind, (faces, own) in unseen.items()},
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")
    return card


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: every value of the recipe, and where the weights go."""
    parser = argparse.ArgumentParser(prog="python -m mvlm.foundation.pretrain", description=__doc__.split("\n", 1)[0])
    for field in fields(Recipe):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=type(field.default), default=field.default, help=f"default {field.default}")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="file to write; its card lies beside it")
    parser.add_argument("--jobs", type=int, default=2, help="processes that render; changes no value")
    chosen = vars(parser.parse_args(arguments))
    path, jobs = chosen.pop("weights"), chosen.pop("jobs")
    recipe = Recipe(**chosen)
    learnt, total, rendering = 0, 0, 0.0
    for draw in recipe.draws().values():
        learnt, total = learnt + draw.count, total + len(draw.indices)
        rendering += len(draw.indices) * (0.008 + 0.03 * max(draw.frames, 1)) / jobs / 60
    training = recipe.epochs * learnt / 450 / 60
    room = total * 3 * 64 * 64 * 3 / 1e9
    print(
        f"{total} faces: about {rendering:.0f} min to render unless they are there, {room:.1f} GB "
        f"under {CACHE.relative_to(ROOT)}; {recipe.epochs} epochs: about {training:.0f} min on {recipe.threads} threads"
    )
    print(json.dumps(make(recipe, path, jobs=jobs), indent=1))


if __name__ == "__main__":
    command(main)
