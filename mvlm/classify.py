"""One's own scan of a face, or a recording: which words for its expression fit, and what in its views says so."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from importlib import import_module
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvlm.cache.files import replacing
from mvlm.faces import dynamics
from mvlm.faces.corpora.items import EMOTIONS, evenly_spaced
from mvlm.faces.formats.by_extension import read_mesh
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import Pose
from mvlm.faces.tracking import Track
from mvlm.faces.views import project, view_names
from mvlm.labels.clusters import aggregate
from mvlm.machine import expect_ray_caster, expect_writable
from mvlm.samples import Rendering
from mvlm.settings import MODEL, RUNS, Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mvlm.model import MultiviewVLM

FOLDER = RUNS / "classify"
KINDS = (".wrl", ".obj", ".bnt", ".ply")
SIDE = 256  # pixels of a view that is drawn; the model sees its own size
ACROSS = (80.0, 600.0)  # mm that scans of faces and of heads measure
UNITS = {"metres": 1000.0, "centimetres": 10.0, "micrometres": 0.001}
BAR = 30  # characters of 100 %
WITHOUT, PLAIN = "with the person removed", "plain"
ABOUT = (
    "{name} compares the shape of a face with sentences such as \u201ca smiling face\u201d{origin} "
    "It must choose among {count} emotions, and knows no neutral face: a face at rest gets one of them too. "
    "The numbers say which words fit best, in the eyes of this model. They do not measure what anybody feels."
)
ORIGIN = {MODEL: " and has learnt from synthetic faces alone, so that on scanned ones it may well be wrong."}
LOST = "No face was recognised by its shape; it was taken as it lies, frontal and upright: the answer may mean nothing."


class Looked(NamedTuple):
    """The views of one input.

    Attributes:
        name: of the file or folder.
        kind: in words: "a scan", "16 of 94 frames".
        images: (V, S, S, 3) uint8, as the model sees them.
        shown: (V, SIDE, SIDE, 3) uint8, for the picture.
        lost: whether nothing told where the face is.
    """

    name: str
    kind: str
    images: np.ndarray
    shown: np.ndarray
    lost: bool


class Verdict(NamedTuple):
    """What the model makes of one input.

    Attributes:
        looked: its views.
        probabilities: (8,) of `EMOTIONS`, which sum to 1.
        heat: (V, S, S) in [0, 1], what speaks for `best`.
        without: (6,) of `mvlm.one_person.CLASSES`, with the person removed; None where nothing is known of who it is,
            or what removes the person does not fit the model.
        doubts: in words, why to doubt that, or why there is none.
    """

    looked: Looked
    probabilities: np.ndarray
    heat: np.ndarray
    without: np.ndarray | None = None
    doubts: tuple[str, ...] = ()

    @property
    def best(self) -> str:
        """The most probable emotion: with the person removed, if that is known."""
        return EMOTIONS[int((self.probabilities if self.without is None else self.without).argmax())]


def classify(
    paths: Sequence[Path], chosen: Settings, pool: Executor | None = None, *, persons: Sequence[str] | None = None
) -> list[Verdict]:
    """The verdict on each scan (.wrl, .obj, .bnt, .ply) and on each folder of frames, which are one sequence.

    Args:
        paths: files and folders.
        chosen: model, channel and angles of the views.
        pool: processes that read, show and draw, and get ready while the model loads; None does it here.
        persons: who is shown in each, where that is known; the scans of one are read together (`mvlm.one_person`).

    Raises:
        ValueError, FileNotFoundError: what cannot be read or is no face in millimetres; each error names the file.
    """
    found = [(path, _frames(path)) for path in paths]  # what is missing is said before the model loads
    if pool is not None:
        pool.submit(_ready)
    from mvlm.measures.explain import grad_cam
    from mvlm.model import load_model

    model = load_model(chosen.model, chosen.pretrained)
    each = map if pool is None else pool.map
    looked = list(each(look, *zip(*found, strict=True), repeat(chosen), repeat(model.image_size)))
    images = np.stack([of.images for of in looked])
    without, doubts = [None] * len(images), [()] * len(images)
    if persons is not None:
        without, doubts = _without_persons(model, images, np.asarray(persons), chosen)
    target = None if without[0] is None else np.argmax(without, 1)
    explained = grad_cam(model, images, EMOTIONS, target)
    odds = np.exp(explained.logits - explained.logits.max(1, keepdims=True))
    probabilities = odds / odds.sum(1, keepdims=True)
    return [Verdict(*of) for of in zip(looked, probabilities, explained.heat, without, doubts, strict=True)]


def _without_persons(
    model: MultiviewVLM, images: np.ndarray, persons: np.ndarray, chosen: Settings
) -> tuple[list[np.ndarray | None], list[tuple[str, ...]]]:
    """Probabilities with the person removed and doubts of each of views (N, V, H, H, 3); without the first, if none."""
    from mvlm import one_person

    reader = one_person.load()
    if misfit := reader.misfit(model, chosen):
        return [None] * len(images), [(misfit,)] * len(images)
    rows = aggregate(model.encode_views(images).numpy())
    without, doubts = np.empty((len(rows), len(one_person.CLASSES))), [()] * len(rows)
    for person in np.unique(persons):
        own = np.flatnonzero(persons == person)
        without[own] = reader.read(rows[own])
        for place in own:
            doubts[place] = reader.doubts(rows[own])
    return list(without), doubts


def look(path: Path, frames: Sequence[Path], chosen: Settings, size: int) -> Looked:
    """The views of a scan, or the dynamic images of frames, at the model's size and larger."""
    expect_ray_caster()
    places = evenly_spaced(len(frames), Rendering.of(chosen).frames)
    track, lost, views = Track(), False, {size: [], SIDE: []}
    for place in places:
        mesh = read_mesh(frames[place])
        if place == places[0]:
            _check_size(frames[place], mesh)
        pose = track(mesh)
        lost = lost or is_lost(mesh, pose)
        for side, pictures in views.items():
            pictures.append(_shown(frames[place], mesh, pose, chosen, side))
    images, shown = (dynamics.dynamic_image(np.stack(pictures)) for pictures in views.values())
    kind = "a scan" if len(frames) == 1 else f"{len(places)} of {len(frames)} frames, as one dynamic image"
    return Looked(path.name, kind, images, shown, lost)


def is_lost(mesh: Mesh, pose: Pose) -> bool:
    """Whether nothing told where the face is, so that `find_pose` took it as it lies."""
    return not mesh.landmarks and np.array_equal(pose.turn, np.eye(3))


def report(verdict: Verdict) -> str:
    """Probabilities in percent with bars, the largest first; the plain ones beside, where the others are in doubt."""
    looked = verdict.looked
    lines = [
        f"{looked.name} ({looked.kind})",
        *(f"  {title}\n{_bars(of)}" if title else _bars(of) for title, of in _shares(verdict)),
    ]
    return "\n".join([*lines, *(f"  {said}" for said in _said(verdict))])


def _shares(verdict: Verdict) -> list[tuple[str, np.ndarray]]:
    """What to show of a verdict: titles, empty where there is no other, and probabilities of the first emotions."""
    if verdict.without is None:
        return [("", verdict.probabilities)]
    shown = [(WITHOUT, verdict.without)]
    return [*shown, (PLAIN, verdict.probabilities)] if verdict.doubts else shown


def _bars(probabilities: np.ndarray) -> str:
    lines = []
    for place in np.argsort(-probabilities, kind="stable"):
        share = float(probabilities[place])
        lines.append(f"  {EMOTIONS[place]:<14}{100 * share:5.1f} %  {'#' * round(BAR * share)}".rstrip())
    return "\n".join(lines)


def _said(verdict: Verdict) -> tuple[str, ...]:
    return (*verdict.doubts, LOST) if verdict.looked.lost else verdict.doubts


def about(name: str) -> str:
    """What the model is and what it is not, in words for whoever sees a number."""
    origin = ORIGIN.get(name, ". It was made for photographs; nobody has said how it does on shaded scans.")
    return ABOUT.format(name=name, origin=origin, count=len(EMOTIONS))


def draw(verdict: Verdict, chosen: Settings) -> Figure:
    """A page: the views, their heat below, bars of the probabilities beside them, and words on what it all means."""
    import textwrap

    from matplotlib.figure import Figure

    count = len(chosen.yaws)
    figure = Figure(figsize=(2.0 * count + 4.4, 5.4), facecolor="white")
    grid = figure.add_gridspec(
        2, count + 1, width_ratios=[*[1] * count, 1.25], left=0.015, right=0.965, top=0.84, bottom=0.17,
        wspace=0.04, hspace=0.04,
    )  # fmt: skip
    for i, name in enumerate(view_names(chosen.yaws)):
        plain, hot = (figure.add_subplot(grid[row, i]) for row in (0, 1))
        plain.set_title(name, fontsize=9, color="0.3", pad=4)
        grey = verdict.looked.shown[i].mean(-1)
        plain.imshow(verdict.looked.shown[i])
        hot.imshow(grey, cmap="gray", vmin=0, vmax=255)
        hot.imshow(
            verdict.heat[i], cmap="inferno", vmin=0, vmax=1, alpha=0.75 * verdict.heat[i] ** 0.7,
            extent=(-0.5, SIDE - 0.5, SIDE - 0.5, -0.5), interpolation="bilinear",
        )  # fmt: skip
        for axes in (plain, hot):
            axes.set_axis_off()
    shares = _shares(verdict)
    for row, (title, of) in enumerate(shares):
        _draw_bars(figure.add_subplot(grid[row if len(shares) > 1 else slice(None), count]), of, title)
    figure.text(0.02, 0.95, verdict.looked.name, fontsize=13, weight="bold", va="center")
    figure.text(0.02, 0.905, verdict.looked.kind, fontsize=9, color="0.35", va="center")
    below = f"below: what in the views speaks for {verdict.best} (gradient times activation, as in HiResCAM)"
    figure.text(0.02, 0.142, below, fontsize=9, color="0.35", va="center")
    words = " ".join([about(chosen.model), *_said(verdict)])
    width = round(17.5 * figure.get_figwidth())
    figure.text(0.02, 0.115, textwrap.fill(words, width), fontsize=8, color="0.25", va="top", linespacing=1.4)
    return figure


def _draw_bars(bars: Axes, probabilities: np.ndarray, title: str) -> None:
    order = np.argsort(probabilities, kind="stable")
    percent = 100 * probabilities[order]
    colours = ["#9aa5b1"] * (len(order) - 1) + ["#c8553d"]
    bars.barh([EMOTIONS[place] for place in order], percent, color=colours, height=0.62)
    for row, value in enumerate(percent):
        bars.text(value + 1.5, row, f"{value:.0f} %", va="center", fontsize=9, color="0.2")
    bars.set(xlim=(0, 115), xticks=[])
    bars.set_title(title, fontsize=9, color="0.3", pad=4)
    bars.tick_params(length=0, labelsize=9.5)
    bars.spines[:].set_visible(False)
    box = bars.get_position()
    bars.set_position([box.x0 + 0.105, box.y0, box.width - 0.105, box.height])


def people(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The scans among paths, and who is shown in each: a folder is a person, files are all of one.

    Raises ValueError, FileNotFoundError as of `classify`.
    """
    scans, persons = [], []
    for path in paths:
        own = _frames(path)
        scans += own
        persons += [str(path) if path.is_dir() else ""] * len(own)
    return scans, persons


def run(paths: Sequence[str], folder: str | None, *, one_person: bool = False) -> int:
    """Prints the verdict on each path and writes its picture into a folder; returns the exit status.

    With `one_person`, the scans of a folder are of one person, and so are files. Nothing is written before all is
    known; whatever is wrong is one line on standard error, and status 2.
    """
    import sys

    try:
        chosen = Settings.from_environment()
        target = FOLDER if folder is None else Path(folder)
        if target.exists() and not target.is_dir():
            raise ValueError(f"{target}: expected a folder for the pictures, found a file")
        expect_writable(target)
        given, persons = [Path(path) for path in paths], None
        if one_person:
            given, persons = people(given)
        names = _names(given)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            verdicts = classify(given, chosen, pool, persons=persons)
            pictures = list(pool.map(picture, verdicts, repeat(chosen)))
        target.mkdir(parents=True, exist_ok=True)
        for name, drawn in zip(names, pictures, strict=True):
            with replacing(target / f"{name}.png") as temporary:
                temporary.write_bytes(drawn)
    except (ValueError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 2
    for verdict, name in zip(verdicts, names, strict=True):
        print(f"{report(verdict)}\n  picture: {target / f'{name}.png'}\n")
    print(about(chosen.model))
    return 0


def _ready() -> None:
    """Imports what takes a process seconds before it can show a mesh, and draw."""
    for library in ("open3d", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        import_module(library)


def _frames(path: Path) -> list[Path]:
    """The file itself, or the meshes of a folder in the order of the numbers in their names."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a scan ({', '.join(KINDS)}) or a folder of frames, found nothing")
    if not path.is_dir():
        if path.suffix.lower() not in KINDS:
            raise ValueError(f"{path}: expected a scan with the extension {', '.join(KINDS)}, found {path.suffix!r}")
        return [path]
    frames = [file for file in path.iterdir() if file.suffix.lower() in KINDS and not file.name.startswith(".")]
    if not frames:
        raise ValueError(f"{path}: expected a folder of frames ({', '.join(KINDS)}), found none")
    kinds = sorted({file.suffix.lower() for file in frames})
    if len(kinds) > 1:
        raise ValueError(f"{path}: expected frames of one kind, found {' and '.join(kinds)}")
    return sorted(frames, key=lambda file: ([int(digits) for digits in re.findall(r"\d+", file.stem)], file.name))


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each picture: that of the scan, with its folder's before it where two are alike."""
    stems = [path.resolve().stem if path.is_file() else path.resolve().name for path in paths]
    count = Counter(stems)
    parents = [path.resolve().parent.name for path in paths]
    names = [s if count[s] == 1 else f"{parent}-{s}" for parent, s in zip(parents, stems, strict=True)]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"{twice[0]}: expected scans that differ in name or folder, found two; give them apart")
    return names


def _check_size(path: Path, mesh: Mesh) -> None:
    low, high = np.percentile(mesh.vertices, [2, 98], axis=0)
    across = float((high - low).max())
    if not ACROSS[0] <= across <= ACROSS[1]:
        fits = [unit for unit, factor in UNITS.items() if ACROSS[0] <= across * factor <= ACROSS[1]]
        hint = f"; is it in {fits[0]}?" if fits else ""
        raise ValueError(
            f"{path}: expected a face in millimetres, {ACROSS[0]:g} to {ACROSS[1]:g} of them across, "
            f"found {across:.3g}{hint}"
        )


def _shown(path: Path, mesh: Mesh, pose: Pose, chosen: Settings, size: int) -> np.ndarray:
    try:
        return project(mesh, chosen.yaws, size, channel=chosen.channel, pose=pose)
    except ValueError as error:
        raise ValueError(str(error) if str(path) in str(error) else f"{path}: {error}") from error


def picture(verdict: Verdict, chosen: Settings) -> bytes:
    """The page of `draw` as PNG."""
    written = io.BytesIO()
    draw(verdict, chosen).savefig(written, format="png", dpi=130, metadata={"Software": None})
    return written.getvalue()
