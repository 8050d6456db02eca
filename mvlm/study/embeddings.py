"""Frozen embeddings of a corpus, encoded once: its views, a few augmented copies of them, and the prompts.

Shapes: A copies, N samples, V views, D embedding, P prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write
from mvlm.cache.keys import file_hash, key, source_key
from mvlm.labels.naming import Prompts
from mvlm.prompts import OWN, prompts_for
from mvlm.samples import Rendering, Samples, cache_folder, load_samples
from mvlm.settings import MODEL, Settings
from mvlm.training.augment import flip, windows

if TYPE_CHECKING:
    from mvlm.faces.corpora.corpus import Corpus
    from mvlm.model import MultiviewVLM

CHUNK = 64  # samples a worker takes at once
# Copy 0 is the plain one. "Classically flipped or cropped", says the paper.
COPIES = (("plain", False, False), ("flipped", True, False), ("cropped", False, True), ("both", True, True))


class Embedded(NamedTuple):
    """Samples by where they lie, in a file of all samples of a corpus, and what they show.

    Attributes:
        file: .npy, frozen embeddings (A, all samples, V, D) float32 of unit length; for training end to end, which
            makes its embeddings itself, images (all samples, V, H, H, 3) uint8.
        rows: (n,) of that file.
        names, subjects, emotions: (n,) str.
    """

    file: Path
    rows: np.ndarray
    names: np.ndarray
    subjects: np.ndarray
    emotions: np.ndarray

    def of(self, subjects: Sequence[str]) -> Embedded:
        """The samples of some subjects."""
        return self._where(np.isin(self.subjects, subjects))

    def named(self, names: Sequence[str]) -> Embedded:
        """The samples of these names."""
        return self._where(np.isin(self.names, names))

    def _where(self, chosen: np.ndarray) -> Embedded:
        return Embedded(self.file, *(values[chosen] for values in self[1:]))

    def views(self) -> np.ndarray:
        """(A, n, V, D) float32."""
        return np.ascontiguousarray(np.load(self.file, mmap_mode="r")[:, self.rows])


def model_key(chosen: Settings) -> str:
    """What stands for the model and its weights in a content key, without loading either.

    Raises:
        FileNotFoundError: the weights are a file that is not there.
    """
    path = _weights(chosen)
    return f"{chosen.model}/{chosen.pretrained if path is None else file_hash(path)}"


def image_source() -> str:
    """The code that augments and encodes views, as a hash. It reads no prompt; its weights are named by `model_key`."""
    return source_key("mvlm.study.embeddings:_encode", without=("mvlm.prompts:prompts_for", "mvlm.model:WEIGHTS"))


def image_path(views: Path, skipped: Sequence[str], chosen: Settings) -> Path:
    """Where the embeddings of a folder of views lie, all but the skipped ones."""
    parts = {"views": views.name, "skipped": skipped, "model": model_key(chosen), "source": image_source()}
    return mvlm.settings.RUNS / "cache" / "embeddings" / f"{key(parts)}.npy"


def text_path(prompts: Sequence[str], classes: np.ndarray, chosen: Settings) -> Path:
    """Where the embeddings of prompts lie, each with its class: of these texts, whatever else a bank of prompts has."""
    without = ("mvlm.prompts:prompts_for", "mvlm.model:WEIGHTS")
    source = source_key("mvlm.study.embeddings:_encoded_text", without=without)
    parts = {"prompts": prompts, "classes": classes.tolist(), "model": model_key(chosen), "source": source}
    return mvlm.settings.RUNS / "cache" / "embeddings" / f"{key(parts)}.npz"


def shown(
    corpus: Corpus, emotions: Sequence[str], chosen: Settings, subjects: Sequence[str] | None = None, bank: str = OWN
) -> Samples:
    """All that shows an emotion in a corpus, in views of the size that the model takes; arguments as of `frozen`."""
    how = shown_as(emotions, chosen, subjects, bank)
    return load_samples(corpus, jobs=chosen.jobs, skip_bad=chosen.skip_bad, **how)


def frozen(
    corpus: Corpus, emotions: Sequence[str], chosen: Settings, subjects: Sequence[str] | None = None, bank: str = OWN
) -> tuple[Embedded, Prompts]:
    """Embeddings of all that shows an emotion in a corpus and of the prompts of some, from the cache or made now.

    Args:
        corpus: any corpus or twin.
        emotions: classes of the prompts, in order.
        chosen: model, weights, jobs, how views look, and what to do with bad scans.
        subjects: only these.
        bank: of `mvlm.prompts`, that has the classes.

    Raises:
        ValueError, FileNotFoundError: bad scans, or a model that cannot be loaded.
    """
    samples = shown(corpus, emotions, chosen, subjects, bank)
    path = image_path(cache_folder(corpus, **shown_as(emotions, chosen, subjects, bank)), sorted(samples.bad), chosen)
    if not path.is_file():
        _encode(samples, chosen, path, corpus.name)
    every = Embedded(path, np.arange(len(samples)), samples.names, samples.subjects, samples.emotions)
    return every, sized_prompts(emotions, chosen, bank)[1]


def plain(
    corpus: Corpus, emotions: Sequence[str], chosen: Settings, subjects: Sequence[str] | None = None, bank: str = OWN
) -> tuple[Samples, np.ndarray, Prompts]:
    """What `frozen` embeds, without augmented copies and not kept: for what is looked at once and trains nothing.

    Returns:
        the samples, their views (N, V, D) as those of copy 0 of `frozen`, and the prompts.

    Raises:
        ValueError, FileNotFoundError: as of `frozen`.
    """
    samples = shown(corpus, emotions, chosen, subjects, bank)
    uncropped = np.zeros((len(samples), 2))
    tasks = [
        (samples.images[rows], 0, uncropped[rows], Rendering.of(chosen), chosen.model, chosen.pretrained)
        for rows in (slice(start, start + CHUNK) for start in range(0, len(samples), CHUNK))
    ]
    views = np.concatenate(list(workers.each(_encoded, tasks, jobs=chosen.jobs, title=f"embeddings of {corpus.name}")))
    return samples, views, sized_prompts(emotions, chosen, bank)[1]


def shown_as(
    emotions: Sequence[str], chosen: Settings, subjects: Sequence[str] | None, bank: str = OWN
) -> dict[str, object]:
    """How views are shown: arguments of `load_samples` and `cache_folder`."""
    return {"size": sized_prompts(emotions, chosen, bank)[0], "subjects": subjects, "rendering": Rendering.of(chosen)}


def augmented(images: np.ndarray, copy: int, offsets: np.ndarray, rendering: Rendering) -> np.ndarray:
    """One augmented copy of views: (N, V, H, H, 3) uint8 -> (N, V, h, h, 3) uint8, h = H or the side of a crop.

    All views of a sample are cropped alike, at `offsets` (N, 2) in [0, 1] of the room there is.
    """
    _, flipped, cropped = COPIES[copy]
    images = flip(images, rendering) if flipped else images
    return windows(images, offsets) if cropped else images


def _weights(chosen: Settings) -> Path | None:
    """The file of the weights; None for a tag of open_clip."""
    if chosen.pretrained is None:
        path = Path(__file__).parent.parent / "weights" / f"{chosen.model}.safetensors"
        if chosen.model == MODEL and not path.is_file():
            raise FileNotFoundError(f"{path.name}: {chosen.model} has no weights; `make foundation` trains them")
        return path if path.is_file() else None
    path = Path(chosen.pretrained)
    return path if path.is_file() else None


def _encode(samples: Samples, chosen: Settings, path: Path, name: str) -> None:
    offsets = np.random.default_rng(0).random((len(COPIES), len(samples), 2))
    tasks = [
        (samples.images[rows], copy, offsets[copy, rows], Rendering.of(chosen), chosen.model, chosen.pretrained)
        for copy in range(len(COPIES))
        for rows in (slice(start, start + CHUNK) for start in range(0, len(samples), CHUNK))
    ]
    parts = list(workers.each(_encoded, tasks, jobs=chosen.jobs, title=f"embeddings of {name}"))
    together = np.concatenate(parts)
    write(path, lambda file: np.save(file, together.reshape(len(COPIES), len(samples), *together.shape[1:])))


def _encoded(task: tuple[np.ndarray, int, np.ndarray, Rendering, str, str | None]) -> np.ndarray:
    images, copy, offsets, rendering, name, pretrained = task
    return cached_model(name, pretrained).encode_views(np.array(augmented(images, copy, offsets, rendering))).numpy()


def sized_prompts(emotions: Sequence[str], chosen: Settings, bank: str = OWN) -> tuple[int, Prompts]:
    """Image size of the model, and the prompts of emotions as it embeds them, cached too."""
    return _kept_text(*prompts_for(tuple(emotions), bank), chosen)


def texts(said: Sequence[str], chosen: Settings) -> np.ndarray:
    """(P, D) unit rows of any texts, from the cache or made now; arguments and errors as of `frozen`."""
    return _kept_text(list(said), np.arange(len(said)), chosen)[1].text


def _kept_text(prompts: list[str], classes: np.ndarray, chosen: Settings) -> tuple[int, Prompts]:
    path = text_path(prompts, classes, chosen)
    if not path.is_file():
        # On a worker: this process needs no model, and the workers are about to.
        task = (prompts, classes, chosen.model, chosen.pretrained)
        (found,) = workers.each(_encoded_text, [task], jobs=chosen.jobs, title="prompts")
        write(path, lambda file: np.savez(file, **found))
    with np.load(path) as file:
        return int(file["size"]), Prompts(file["text"], file["prompt_class"], float(file["temperature"]))


def _encoded_text(task: tuple[list[str], np.ndarray, str, str | None]) -> dict[str, np.ndarray]:
    prompts, classes, name, pretrained = task
    model = cached_model(name, pretrained)
    return {
        "size": np.array(model.image_size),
        "temperature": np.array(float(model.temperature)),
        "text": model.encode_text(prompts).numpy(),
        "prompt_class": classes,
    }


@lru_cache(maxsize=2)
def cached_model(name: str, pretrained: str | None) -> MultiviewVLM:
    """A worker's own model, on one thread, loaded once."""
    import torch

    from mvlm.model import load_model

    torch.set_num_threads(1)
    return load_model(name, pretrained)
