"""The full profile: each run trains both towers end to end on the ranks there are, then predicts and scores.

Ranks are started here, as many as `DEVICES` says, or are there already (`mvlm.study.grid`).

A run killed anywhere is taken up by the same command: at its last checkpoint, in the round it was in. Trained weights
stay in `runs/weights/`, a file for each record, which `PRETRAINED=` takes; logs of TensorBoard in `runs/logs/`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mvlm.cache import workers
from mvlm.cache.files import write, write_text
from mvlm.labelling import RELABELLINGS
from mvlm.labels.clusters import UNUSED, Labels
from mvlm.labels.naming import Prompts
from mvlm.losses.readings import PARTS, TEXT
from mvlm.method import Method, represent, rounds
from mvlm.prompts import prompts_for
from mvlm.ranks.launch import find_devices, launch
from mvlm.samples import Rendering, cache_folder, load_samples
from mvlm.settings import Settings, Training
from mvlm.study.embeddings import Embedded
from mvlm.study.films import IMAGE
from mvlm.study.plan import Experiment, Planned
from mvlm.study.record import Fold, results

LABELS = "labels.npz"


@dataclass(frozen=True)
class Run:
    """One run, as its ranks are told it; all of it JSON can hold.

    Attributes:
        record: where its record goes, `runs/records/<run>.json`.
        head: what the record says besides results.
        method: fields of `Method`, but for the reading, which is the default one.
        fold: a `mvlm.study.record.Fold`, as `told` says it: samples lie where their images do.
        model, pretrained: the weights to start from.
        rendering: fields of `Rendering`.
        training: fields of `Training`.
    """

    record: str
    head: dict
    method: dict
    fold: dict
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


def compute(missing: Sequence[Planned], chosen: Settings) -> None:
    """Compute the missing records of a plan, one after the other, each on all ranks.

    Raises:
        ValueError: a method whose labels, loss or samples are of the quick profile alone, devices that are not there,
            or a batch that the ranks cannot share.
        mvlm.ranks.launch.RankError: a rank failed; what is done stays, and the next call goes on from there.
    """
    from mvlm.ranks.group import given_rank

    for each in missing:
        if not _trainable(each.cell.method):
            name = each.cell.method.name
            raise ValueError(f"PROFILE=full trains the methods of the tables; {name} is of PROFILE=quick")
    rank = given_rank()
    machine = None if rank else find_devices(chosen.devices)
    ranks = rank.count if rank else machine.ranks
    if chosen.training.batch % ranks:
        raise ValueError(f"TRAINING=batch={chosen.training.batch}: expected a multiple of the {ranks} ranks")
    (size,) = workers.each(_image_size, [(chosen.model, chosen.pretrained)], jobs=chosen.jobs, title="model")
    shown: dict[str, tuple[Embedded, Embedded]] = {}  # by benchmark
    told = []
    for each in missing:
        experiment, method = each.experiment, each.cell.method
        name = experiment.benchmark.name
        if name not in shown:
            own = views_of(experiment, chosen, size)
            shown[name] = views_of(experiment.source, chosen, size) if experiment.source else own, own
        run = Run(
            record=str(each.path),
            head=each.head,
            method={name: value for name, value in asdict(method).items() if name != "reading"},
            fold=told_of(each.fold(*shown[name])),
            model=chosen.model,
            pretrained=chosen.pretrained,
            rendering=list(Rendering.of(chosen)),
            training=asdict(chosen.training),
        )
        told.append(asdict(run))
    if rank:
        execute(told, device())
    else:
        launch("mvlm.study.full_profile:execute", {"runs": told, "device": machine.device}, machine)


def _trainable(method: Method) -> bool:
    labelled = method.labelling in {"plain", *RELABELLINGS}
    # It embeds anew what a step shows it, a few at a time, and of a film one image.
    shown = not method.transductive and not method.impersonal and method.film == IMAGE
    return labelled and shown and method.reading == TEXT and set(method.use) <= set(PARTS)


def views_of(experiment: Experiment, chosen: Settings, size: int) -> Embedded:
    """The samples of a benchmark by where their views of `size` pixels lie, rendered now if they are not there."""
    shown = {"size": size, "subjects": experiment.subjects, "rendering": Rendering.of(chosen)}
    load_samples(experiment.corpus, jobs=chosen.jobs, skip_bad=chosen.skip_bad, **shown)
    folder = cache_folder(experiment.corpus, **shown)
    place = {name: row for row, name in enumerate(json.loads((folder / "index.json").read_text("utf-8"))["names"])}
    samples = experiment.samples
    rows = np.array([place[name] for name in samples.names], dtype=np.int64)
    return Embedded(folder / "images.npy", rows, samples.names, samples.subjects, samples.emotions)


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
    from mvlm import weights
    from mvlm.ranks import group
    from mvlm.training.towers import embed

    method = Method(**run.method | {"use": tuple(run.method["use"])})
    trainer = TowersTrainer(run, method, device, title)
    fold = trainer.fold
    truth = fold.classes(fold.train)
    who = fold.train.subjects, fold.test.subjects
    told = {"truth": method.may_know(truth), "subjects": fold.train.subjects}
    trained = rounds(method, trainer, classes=len(fold.emotions), seed=fold.seed, **told)
    views = [embed(trainer.model, np.load(of.file, mmap_mode="r"), of.rows, device) for of in (fold.train, fold.test)]

    def finish() -> None:
        if method.trains:
            about = json.dumps({"model": run.model, "run": Path(run.record).stem})
            weights.save(run.weights, trainer.model.clip, {"mvlm": about})
        found = results(method, fold, trainer.prompts(), represent(method, *views, who), trained, truth)
        found |= {"weights": weights.digest(trainer.model.clip) if method.trains else None}
        write_text(Path(run.record), json.dumps(run.head | found, ensure_ascii=False) + "\n")
        shutil.rmtree(run.checkpoints, ignore_errors=True)

    group.from_first(finish)


class TowersTrainer:
    """Labels and trains towers in rounds: a `mvlm.method.Trainer`, on every rank.

    Embeddings are made on all ranks, labels on the first, which tells them the others: every rank has the same. What an
    interrupted run has done, labels and checkpoints, is taken up.
    """

    def __init__(self, run: Run, method: Method, device: str, title: str):
        from mvlm.model import load_model

        self.run, self.method, self.device, self.title = run, method, device, title
        self.fold = heard(run.fold)
        self.images = np.load(self.fold.train.file, mmap_mode="r")
        self.model = load_model(run.model, run.pretrained)

    def prompts(self) -> Prompts:
        """The prompts as the model embeds them now."""
        import torch

        texts, classes = prompts_for(self.fold.emotions)
        with torch.no_grad():
            return Prompts(self.model.encode_text(texts).numpy(), classes, float(self.model.temperature))

    def labelled(self, number: int, by: Callable[[np.ndarray, Prompts], Labels]) -> Labels:
        from mvlm.ranks import group
        from mvlm.training.towers import embed

        path = self._folder(number) / LABELS
        if not group.from_first(path.is_file):
            views = embed(self.model, self.images, self.fold.train.rows, self.device)
            group.from_first(
                lambda: write(path, lambda file: np.savez(file, classes=by(views, self.prompts()).classes))
            )
        with np.load(path) as file:
            return Labels(file["classes"])

    def fit(self, number: int, labels: Labels) -> None:
        import torch

        from mvlm.model import load_model
        from mvlm.ranks import group
        from mvlm.training.batches import batch_order
        from mvlm.training.towers import FineTuning, fit

        run, count = self.run, self.method.rounds
        if number + 1 < count and group.from_first((self._folder(number + 1) / LABELS).is_file):
            return  # it was done before an interruption
        training, many = Training(**run.training), group.count()
        channel, yaws, frames = run.rendering
        kept = labels.classes[:, 0] != UNUSED
        batch = min(training.batch, int(kept.sum()) // many * many)  # a small corpus is one batch
        if batch < 2:
            found = int(kept.sum())
            raise ValueError(f"{self.title}: expected samples to train on for each of {many} ranks, found {found}")
        order = batch_order(int(kept.sum()), batch, training.epochs, self.fold.seed)
        texts, prompt_class = prompts_for(self.fold.emotions)
        self.model = load_model(run.model, run.pretrained)
        module = FineTuning(
            self.model,
            texts,
            torch.from_numpy(np.asarray(prompt_class, dtype=np.int64)),
            torch.from_numpy(labels.classes[kept].astype(np.int64)),
            use=self.method.use,
            training=training,
            steps=len(order),
        )
        folder = self._folder(number)
        fit(
            module,
            self.images,
            self.fold.train.rows[kept],
            order,
            Rendering(channel, tuple(yaws), frames),
            seed=self.fold.seed,
            device=self.device,
            folder=folder,
            log=run.log / folder.name,
            title=f"{self.title}, round {number + 1} of {count}" if count > 1 else self.title,
        )
        self.model.float().requires_grad_(False)

    def _folder(self, number: int) -> Path:
        return self.run.checkpoints / f"round-{number + 1}"


def told_of(fold: Fold) -> dict[str, object]:
    """A fold as JSON can hold it."""
    samples = {
        name: {"file": str(of.file)} | {field: getattr(of, field).tolist() for field in Embedded._fields[1:]}
        for name, of in (("train", fold.train), ("test", fold.test))
    }
    return fold._asdict() | samples


def heard(told: Mapping) -> Fold:
    """The fold that `told_of` says."""
    train, test = (
        Embedded(Path(of["file"]), *(np.array(of[field]) for field in Embedded._fields[1:]))
        for of in (told["train"], told["test"])
    )
    return Fold(train, test, tuple(told["emotions"]), tuple(told["shown"]), told["seed"])


def _image_size(task: tuple[str, str | None]) -> int:
    from mvlm.model import load_model

    return load_model(*task).image_size
