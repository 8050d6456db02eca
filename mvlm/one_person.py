"""Several scans of one person: which expression each shows, once the person is removed.

How much of one face is the person, one scan cannot tell; several of one person can (`mvlm.labels.identity`). What reads
them is a linear discriminant, shipped beside the weights of the model and good for these alone. It was fitted without a
label: to frozen embeddings of twins, to who is shown in them, and to prompts. `python -m mvlm.one_person` makes it,
`make foundation` does so whenever it makes weights.

The twins are those of the two corpora of single scans, for single scans are what a newcomer brings. Two, since nobody
knows the newcomer's scanner: what one scanner does to a face and another does not is then seen within a class, and
counts for little. Films are left out: what they show is a dynamic image, another sort of picture.

Shapes: N training samples, K scans of one person, D embedding, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvlm.cache.files import write
from mvlm.faces.corpora.items import EMOTIONS
from mvlm.labels.clusters import aggregate
from mvlm.labels.identity import Discriminant, centred_on_few, discriminant_for_few, own_scans, relabel
from mvlm.labels.naming import Prompts
from mvlm.settings import Settings

if TYPE_CHECKING:
    from mvlm.model import MultiviewVLM

SHIPPED = Path(__file__).parent / "weights" / "mvlm-tiny-persons.safetensors"
TWINS = ("BU-3DFE", "Bosphorus")
CLASSES = EMOTIONS[:6]
DEGREE = "who"  # of knowledge: nobody promises that a newcomer shows every expression equally often
FEWEST = 4  # scans that are asked of a newcomer, and of whoever the discriminant is fitted to
# Share of random draws from a training person's scans that would be called alike. Not less: such a call only brings the
# plain verdict back, while to miss three smiles is to read them as something else.
ALIKE = 0.1
MOST = 12  # scans in such a draw; more than these are held to what is usual of as many

FEW = (
    "Few scans: {count}, and {fewest} or more are asked for. Their mean is partly their expressions, not the person "
    "alone, so that the plain verdict stands beside."
)
SAME = (
    "These scans look alike: what they have in common would be taken for the person and removed, an expression too (of "
    "three smiles no smile would be left), so that nobody is removed and the verdict is the plain one."
)


class Reader(NamedTuple):
    """What reads the scans of one person.

    Attributes:
        discriminant: of rows of `centred_on_few`, among `CLASSES`.
        mean: (D,) of the training rows.
        least: (MOST - 1,) the least `spread` of 2, 3, ... `MOST` scans that do not look alike.
        made: of what, and for what: the names and the hash of the weights, how views look, classes, twins, persons and
            scans, degree of knowledge.
    """

    discriminant: Discriminant
    mean: np.ndarray
    least: np.ndarray
    made: Mapping[str, Any]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(K, C) probabilities of the classes for unit rows (K, D) of scans of one person."""
        beside = np.tile(np.arange(len(rows)), (len(rows), 1))
        return self.discriminant.posterior(centred_on_few(rows, beside, self.mean))

    def doubts(self, rows: np.ndarray) -> tuple[str, ...]:
        """In words, why to doubt what is read of scans (K, D) of one person: they look alike, or are few."""
        if self.alike(rows):
            return (SAME,)
        count = len(rows)
        return (FEW.format(count=count, fewest=FEWEST),) if count < FEWEST else ()

    def alike(self, rows: np.ndarray) -> bool:
        """Whether scans (K, D) of one person show the same, so that to remove what they share would remove that."""
        count = len(rows)
        return bool(count > 1 and spread(rows) < self.least[min(count, MOST) - 2])

    def misfit(self, model: MultiviewVLM, chosen: Settings) -> str:
        """Why it cannot read what a model makes of views, in words; empty if it can."""
        from mvlm.weights import digest  # here and not above: it brings torch

        views = {"channel": chosen.channel, "yaws": list(chosen.yaws)}
        other = [f"{name} {self.made[name]}" for name, value in views.items() if self.made[name] != value]
        if self.made["model"] != model.name or self.made["weights"] != digest(model.clip):
            other = [f"the weights shipped as {self.made['model']}", *other]
        return f"Persons cannot be removed here: what does so was fitted to {' and '.join(other)}." if other else ""


def spread(rows: np.ndarray) -> np.ndarray:
    """How far scans (..., K, D) of one person, K being 2 or more, lie about their own mean: (...), their variance.

    Who is shown cancels, and what remains reads no label: small against what persons who show different things have, it
    says that these scans show the same.
    """
    return rows.var(-2, ddof=1).sum(-1)


def fit(rows: np.ndarray, subjects: np.ndarray, prompts: Prompts, made: Mapping[str, Any]) -> Reader:
    """The reader of training samples, unit rows (N, D) of subjects (N,), those with fewer than `FEWEST` left out.

    Labels are those of `relabel`; no true one enters. Scans of a newcomer look alike if they lie closer together than
    all but the share `ALIKE` of random draws of as many scans of one training person.

    Raises ValueError if nobody has so many scans, and as of `relabel`.
    """
    enough = _scans(subjects) >= FEWEST
    if not enough.any():
        raise ValueError(f"{len(np.unique(subjects))} persons: expected some with {FEWEST} scans or more, found none")
    rows, subjects = rows[enough], subjects[enough]
    labels = relabel(rows, subjects, prompts, degree=DEGREE).labels
    found = discriminant_for_few(rows, subjects, labels, len(prompts.prototypes()))
    scans, least = _scans(subjects), []
    for count in np.minimum(range(2, MOST + 1), scans.max()):
        drawn = own_scans(subjects[scans >= count], count, seed=0)
        least.append(np.quantile(spread(rows[scans >= count][drawn]), ALIKE))
    counts = {"persons": len(np.unique(subjects)), "scans": len(rows)}
    return Reader(found, rows.mean(0), np.array(least), {**made, **counts})


def save(path: Path, reader: Reader) -> None:
    """As safetensors, which `load` reads; whole or absent, and the same bytes for the same reader."""
    from safetensors.numpy import save as as_bytes

    tensors = {**reader.discriminant._asdict(), "mean": reader.mean, "least": reader.least}
    # One entry of metadata: the order of several is the writer's whim.
    told = {"mvlm": json.dumps(reader.made, sort_keys=True)}
    whole = as_bytes({name: np.ascontiguousarray(of) for name, of in tensors.items()}, told)
    write(path, lambda file: file.write(whole))


def load(path: Path = SHIPPED) -> Reader:
    """What `save` wrote.

    Raises:
        FileNotFoundError: nothing is there.
        ValueError: another sort of file.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; `python -m mvlm.one_person` makes it")
    try:
        with safe_open(path, framework="np") as file:
            weights, biases, mean, least = (file.get_tensor(name) for name in ("weights", "biases", "mean", "least"))
            made = json.loads(file.metadata()["mvlm"])
    except (SafetensorError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"{path}: expected what `python -m mvlm.one_person` writes ({error})") from error
    return Reader(Discriminant(weights, biases), mean, least, made)


def make(chosen: Settings, path: Path = SHIPPED) -> Reader:
    """Fits the reader of the shipped weights to `TWINS` and writes it. Views and embeddings are kept as any others."""
    from mvlm.samples import open_corpus
    from mvlm.study.embeddings import cached_model, frozen
    from mvlm.weights import digest

    rows, subjects = [], []
    for name in TWINS:
        every, prompts = frozen(open_corpus(name), CLASSES, chosen)
        rows.append(aggregate(every.views()[0]))
        subjects += [f"{name} {subject}" for subject in every.subjects]
    made = {
        "model": chosen.model,
        "weights": digest(cached_model(chosen.model, chosen.pretrained).clip),
        "channel": chosen.channel,
        "yaws": list(chosen.yaws),
        "classes": list(CLASSES),
        "twins": list(TWINS),
        "degree": DEGREE,
    }
    reader = fit(np.concatenate(rows), np.array(subjects), prompts, made)
    save(path, reader)
    return reader


def main() -> None:
    """Makes what is shipped; of the settings, jobs alone count."""
    made = make(Settings(jobs=Settings.from_environment().jobs)).made
    print(f"{SHIPPED.name}: {made['scans']:,} scans of {made['persons']} persons of {' and '.join(made['twins'])}")


def _scans(subjects: np.ndarray) -> np.ndarray:
    """(N,) how many scans there are of the subject of each."""
    _, place, count = np.unique(subjects, return_inverse=True, return_counts=True)
    return count[place]


if __name__ == "__main__":
    main()
