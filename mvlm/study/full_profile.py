"""The full profile: each run trains both towers end to end on the ranks there are, then predicts and scores.

Ranks are started here, as many as `DEVICES` says, or are there already (`mvlm.study.grid`).

A run killed anywhere is taken up by the same command: at its last checkpoint, in the round it was in. Trained weights
stay in `runs/weights/`, a file for each record, which `PRETRAINED=` takes; logs of TensorBoard in `runs/logs/`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mvlm.cache import workers
from mvlm.labels.clusters import UNUSED
from mvlm.losses.readings import PARTS, TEXT
from mvlm.method import Method
from mvlm.ranks.launch import launch, plan
from mvlm.samples import Rendering, cache_folder, load_samples
from mvlm.settings import Settings, Training
from mvlm.study.embeddings import Embedded, write

if TYPE_CHECKING:
    from mvlm.labelling import Prompts
    from mvlm.model import MultiviewVLM

ENTRY = "mvlm.study.full_profile:one"  # what a run of this profile executes
LABELS = "labels.npz"


@dataclass(frozen=True)
class Run:
    """One run, as its ranks are told it; all of it JSON can hold.

    Attributes:
        record: where its record goes, `runs/records/<run>.json`.
        head: what the record says besides results.
        method: fields of `Method`, but for the reading, which is the default one.
        seed: of clusters, batches and augmentations.
        emotions, shown: as in `mvlm.study.record.record`.
        train, test: images.npy, and of each sample in use its row in it, name, subject and emotion.
        model, pretrained: the weights to start from.
        rendering: fields of `Rendering`.
        training: fields of `Training`.
    """

    record: str
    head: dict
    method: dict
    seed: int
    emotions: list[str]
    shown: list[str]
    train: dict
    test: dict
    model: str
    pretrained: str | None
    rendering: list
    training: dict

    @property
    def checkpoints(self) -> Path:
        """The folder of what an interrupted run has done."""
        path = Path(self.record)
        return path.parent.parent / "checkpoints" / path.stem

    @property
    def log(self) -> Path:
        """The folder of the log of TensorBoard."""
        path = Path(self.record)
        return path.parent.parent / "logs" / f"{self.head['benchmark']}-{self.head['method']}-{path.stem[:8]}"

    @property
    def weights(self) -> Path:
        """The file of the trained weights."""
        return weights_of(Path(self.record))


def weights_of(record: Path) -> Path:
    """Where the weights lie that a run with this record trained."""
    return record.parent.parent / "weights" / f"{record.stem}.safetensors"


def compute(missing: Sequence[tuple], heads: Sequence[Mapping], chosen: Settings) -> None:
    """Compute the missing records of a grid, one after the other, each on all ranks.

    Args:
        missing: `Part`, `Cell` (of `mvlm.study.runs`), (training subjects, test subjects) and path of each record.
        heads: what each record says besides results.
        chosen: settings.

    Raises:
        ValueError: a method whose labels, loss or samples are of the quick profile alone, devices that are not there,
            or a batch that the ranks cannot share.
        mvlm.ranks.launch.RankError: a rank failed; what is done stays, and the next call goes on from there.
    """
    from mvlm.ranks.group import given_rank

    for _, cell, *_ in missing:
        if not _trainable(cell.method):
            raise ValueError(f"PROFILE=full trains the methods of the tables; {cell.method.name} is of PROFILE=quick")
    rank = given_rank()
    planned = None if rank else plan(chosen.devices)
    ranks = rank.count if rank else planned.ranks
    if chosen.training.batch % ranks:
        raise ValueError(f"TRAINING=batch={chosen.training.batch}: expected a multiple of the {ranks} ranks")
    (size,) = workers.each(_image_size, [(chosen.model, chosen.pretrained)], jobs=chosen.jobs, title="model")
    shown: dict[str, tuple[Embedded, Embedded]] = {}  # by benchmark
    told = []
    for (part, cell, (train, test), path), head in zip(missing, heads, strict=True):
        name = part.benchmark.name
        if name not in shown:
            own = views_of(part, chosen, size)
            shown[name] = views_of(part.source, chosen, size) if part.source else own, own
        source, own = shown[name]
        told.append(
            asdict(
                Run(
                    record=str(path),
                    head=dict(head),
                    method={name: value for name, value in asdict(cell.method).items() if name != "reading"},
                    seed=cell.seed,
                    emotions=list(part.benchmark.emotions),
                    shown=list(part.benchmark.shown),
                    train=_told(source.of(train)),
                    test=_told(own.of(test)),
                    model=chosen.model,
                    pretrained=chosen.pretrained,
                    rendering=list(Rendering.of(chosen)),
                    training=asdict(chosen.training),
                )
            )
        )
    if rank:
        execute(told, device())
    else:
        launch("mvlm.study.full_profile:execute", {"runs": told, "device": planned.device}, planned)


def _trainable(method: Method) -> bool:
    plain = method.labelling == "plain" and method.reading == TEXT and not method.transductive
    return plain and set(method.use) <= set(PARTS)


def views_of(part, chosen: Settings, size: int) -> Embedded:
    """The samples of a part by where their views of `size` pixels lie, rendered now if they are not there."""
    shown = {"size": size, "subjects": part.subjects, "rendering": Rendering.of(chosen)}
    load_samples(part.corpus, jobs=chosen.jobs, skip_bad=chosen.skip_bad, **shown)
    folder = cache_folder(part.corpus, **shown)
    place = {name: row for row, name in enumerate(json.loads((folder / "index.json").read_text("utf-8"))["names"])}
    rows = np.array([place[name] for name in part.samples.names], dtype=np.int64)
    return Embedded(folder / "images.npy", rows, part.samples.names, part.samples.subjects, part.samples.emotions)


def device() -> str:
    """What ranks that others started run on: "cuda" where there is such a device."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def execute(runs: Sequence[Mapping], device: str) -> None:
    """Train, predict and score each run whose record is not there yet; on every rank, inside the process group."""
    from mvlm.ranks import group

    for number, told in enumerate(runs, start=1):
        run = Run(**told)
        if group.from_first(Path(run.record).is_file):
            continue
        title = f"{run.head['benchmark']}, {run.head['method']} ({number} of {len(runs)})"
        one(run, device, title)


def one(run: Run, device: str, title: str = "training") -> None:
    """Train, predict and score one run; rank 0 writes weights and record, then removes the checkpoints."""
    from mvlm.ranks import group
    from mvlm.training import checkpoints

    method = Method(**run.method | {"use": tuple(run.method["use"])})
    train, test = (_heard(of) for of in (run.train, run.test))
    images = {of.file: np.load(of.file, mmap_mode="r") for of in (train, test)}
    model, rounds, sizes = adapt(run, method, train, images[train.file], device, title)

    from mvlm.training.towers import embed

    views = [embed(model, images[of.file], of.rows, device) for of in (train, test)]

    def finish() -> None:
        if method.trains:
            told = json.dumps({"model": run.model, "run": Path(run.record).stem})
            checkpoints.save_weights(run.weights, model.clip, {"mvlm": told})
        found = results(run, method, model, train, test, views, rounds, sizes)
        text = json.dumps(run.head | found, ensure_ascii=False) + "\n"
        write(Path(run.record), lambda file: file.write(text.encode()))
        shutil.rmtree(run.checkpoints, ignore_errors=True)

    group.from_first(finish)


def adapt(
    run: Run, method: Method, train: Embedded, images: np.ndarray, device: str, title: str
) -> tuple[MultiviewVLM, list[np.ndarray], list[list[int]]]:
    """The model as a method trains it, the labels (N, V) of each round, and how many views or samples each class has.

    As in the cheap profile, each round labels the samples with the model of the round before and trains the first
    weights anew, so that the last model of every method has seen the same number of steps. Embeddings are made on all
    ranks, labels on the first, which tells them the others: every rank has the same.
    """
    import torch

    from mvlm.model import load_model
    from mvlm.prompts import prompts_for
    from mvlm.ranks import group
    from mvlm.training.batches import batch_order
    from mvlm.training.towers import FineTuning, embed, fit

    texts, prompt_class = prompts_for(run.emotions)
    channel, yaws, frames = run.rendering
    training, rendering = Training(**run.training), Rendering(channel, tuple(yaws), frames)
    folders = [run.checkpoints / f"round-{number}" for number in range(1, method.rounds + 1)]
    model = load_model(run.model, run.pretrained)
    rounds, sizes = [], []
    for number, folder in enumerate(folders):
        if not group.from_first((folder / LABELS).is_file):
            views = embed(model, images, train.rows, device)
            group.from_first(partial(_label, folder / LABELS, run, method, views, model, train))
        with np.load(folder / LABELS) as file:
            classes, kept, counted = file["classes"], file["kept"], file["sizes"].tolist()
        if method.supervision != "instance":  # an instance is no emotion, right or wrong
            rounds.append(classes)
            sizes.append(counted)
        if number + 1 < len(folders) and group.from_first((folders[number + 1] / LABELS).is_file):
            continue  # it was done before an interruption
        model = load_model(run.model, run.pretrained)
        many = group.count()
        batch = min(training.batch, int(kept.sum()) // many * many)  # a small corpus is one batch
        if batch < 2:
            raise ValueError(f"{title}: expected samples to train on for each of {many} ranks, found {int(kept.sum())}")
        order = batch_order(int(kept.sum()), batch, training.epochs, run.seed)
        module = FineTuning(
            model,
            texts,
            torch.from_numpy(np.asarray(prompt_class, dtype=np.int64)),
            torch.from_numpy(classes[kept]),
            use=method.use,
            training=training,
            steps=len(order),
        )
        named = f"{title}, round {number + 1} of {len(folders)}" if len(folders) > 1 else title
        options = {"seed": run.seed, "device": device, "folder": folder, "log": run.log / folder.name, "title": named}
        fit(module, images, train.rows[kept], order, rendering, **options)
        model.float().requires_grad_(False)
    return model, rounds, sizes


def _label(path: Path, run: Run, method: Method, views: np.ndarray, model: MultiviewVLM, train: Embedded) -> None:
    """Writes classes (N, V) of the training samples, which of them are kept (N,), and the sizes of the classes."""
    from mvlm.labelling import label

    truth = _classes(run, train) if method.supervision == "oracle" else None
    classes = label(method, views, _prompts(run, model), seed=run.seed, truth=truth).classes
    kept = classes[:, 0] != UNUSED
    counted = classes[kept, 0] if method.aggregate else classes.ravel()
    sizes = np.zeros(0, int) if method.supervision == "instance" else np.bincount(counted, minlength=len(run.emotions))
    found = {"classes": classes.astype(np.int64), "kept": kept, "sizes": sizes}
    write(path, lambda file: np.savez(file, **found))


def results(
    run: Run,
    method: Method,
    model: MultiviewVLM,
    train: Embedded,
    test: Embedded,
    views: Sequence[np.ndarray],
    rounds: Sequence[np.ndarray],
    sizes: Sequence[Sequence[int]],
) -> dict[str, object]:
    """What a record says, as `mvlm.study.run` describes it; computed in one process."""
    from mvlm.study.record import predict, represent, score

    prompts = _prompts(run, model)
    train_y, test_y = _classes(run, train), _classes(run, test)
    train_x, test_x = represent(method, None, *views)
    scores = score(train_x, train_y, train.subjects, test_x, test_y, method, prompts, seed=run.seed)
    among = np.array([run.emotions.index(emotion) for emotion in run.shown], dtype=int)
    named = {
        protocol: [run.emotions[c] for c in getattr(scores, protocol)]
        for protocol in ("zero_shot", "knn", "probe", "cluster")
    }
    return {
        "names": test.names.tolist(),
        "subjects": test.subjects.tolist(),
        "emotions": test.emotions.tolist(),
        **named,
        "among_shown": [run.emotions[c] for c in predict(method, test_x, prompts, among)] if run.shown else None,
        "ari": scores.ari,
        "nmi": scores.nmi,
        "naming": scores.naming,
        "change": [float((new != old).mean()) for old, new in pairwise(rounds)],
        "pseudo_labels": [float((labels == train_y[:, None])[labels != UNUSED].mean()) for labels in rounds],
        "cluster_sizes": list(sizes),
        "weights": digest(model) if method.trains else None,
    }


def digest(model: MultiviewVLM) -> str:
    """SHA-256 of names and bytes of all weights."""
    hashed = hashlib.sha256()
    for name, value in sorted(model.clip.state_dict().items()):
        hashed.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()


def _prompts(run: Run, model: MultiviewVLM) -> Prompts:
    import torch

    from mvlm.labelling import Prompts
    from mvlm.prompts import prompts_for

    texts, classes = prompts_for(run.emotions)
    with torch.no_grad():
        return Prompts(model.encode_text(texts).numpy(), classes, float(model.temperature))


def _classes(run: Run, of: Embedded) -> np.ndarray:
    return np.array([run.emotions.index(emotion) for emotion in of.emotions], dtype=np.int64)


def _told(of: Embedded) -> dict:
    return {"file": str(of.file)} | {name: getattr(of, name).tolist() for name in Embedded._fields[1:]}


def _heard(told: Mapping) -> Embedded:
    return Embedded(Path(told["file"]), *(np.array(told[name]) for name in Embedded._fields[1:]))


def _image_size(task: tuple[str, str | None]) -> int:
    from mvlm.model import load_model

    return load_model(*task).image_size
