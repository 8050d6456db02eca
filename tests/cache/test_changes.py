"""What a change touches: only what depends on it is made again, by the addresses of everything that is kept.

On a copy of the package, each test makes one edit and sees which addresses move: of views, of image and text
embeddings, of records, and the content keys of notebooks. `EDITS` says for each exactly what has to.

More than 20 s: two dozen edits, after each of which every address is made anew.
"""

import functools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mvlm import prompts, samples
from mvlm.cache import keys
from mvlm.foundation import random_faces
from mvlm.publish import notebooks
from mvlm.settings import ROOT, Settings
from mvlm.study import embeddings, plan, runs
from mvlm.study.benchmarks import BENCHMARKS, MICRO_EXPRESSIONS
from mvlm.study.items import micro, summary_inspections
from mvlm.study.methods import METHODS
from mvlm.twins.twin import Twin

SETTINGS = Settings(profile="smoke")
PLAN = random_faces.Draw(4, 2, 0)
IN_USE = {
    "BU-3DFE-I": ("baseline", "full", "oracle", "balanced", "nt-xent", "relabelled-who"),
    "BP4D": ("full", "baseline-windows", "baseline-frames"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The package, the notebooks and the lock in a folder, every address made of them, and these addresses."""
    root = tmp_path_factory.mktemp("copy")
    with pytest.MonkeyPatch.context() as patch:
        for module in (keys, notebooks):
            patch.setattr(module, "ROOT", root)
        patch.setattr(prompts, "FOLDER", root / "mvlm/prompts")
        for module in (embeddings, plan):
            patch.setattr(module, "model_key", lambda _: "model")
        restore(root)
        yield root, addresses(root)
    prompts._shipped.cache_clear()


def restore(root: Path) -> None:
    """The files as they are, but for the weights."""
    skipped = shutil.ignore_patterns("__pycache__", "weights", ".ipynb_checkpoints")
    for folder in ("mvlm", "notebooks"):
        shutil.rmtree(root / folder, ignore_errors=True)
        shutil.copytree(ROOT / folder, root / folder, ignore=skipped)
    shutil.copy2(ROOT / "constraints.txt", root)


def addresses(root: Path) -> dict[str, str]:
    """What is kept -> its address; between two addresses nothing changes, so the package is looked at once."""
    prompts._shipped.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "package_at", functools.cache(keys.package_at))
        return _addresses(root)


def _addresses(root: Path) -> dict[str, str]:
    found = {"strangers": random_faces.address(PLAN)}
    for name, methods in IN_USE.items():
        benchmark = BENCHMARKS[name]
        views = samples.cache_folder(Twin(benchmark.corpus), size=64)
        found[f"views of {name}"] = views.name
        found[f"images of {name}"] = embeddings.image_path(views, [], SETTINGS).name
        found[f"text of {name}"] = embeddings.text_path(*prompts.prompts_for(benchmark.emotions), SETTINGS).name
        (part,) = plan.present([benchmark], SETTINGS)
        for method in methods:
            cell = plan.Cell(METHODS[method], 0, 2, 0)
            for what, kind in {"": runs.RUN, "inspection of ": summary_inspections.KIND}.items():
                source = plan.run_source(cell.method, kind, SETTINGS.profile)
                found[f"{what}{method} on {name}"] = plan.record_path(part, cell, kind, source).name
    (part,) = plan.present([MICRO_EXPRESSIONS["4DME-3"]], SETTINGS)
    found["clips"] = micro._path(part, "clip").name
    for path in (root / "notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        found[path.stem[:2]] = notebooks._dependencies(path.stem, notebook, {}, SETTINGS)["content_key"]
    return found


def change(path: str, pattern: str, new: str) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        text = (root / path).read_text(encoding="utf-8")
        changed, count = re.subn(pattern, new, text, count=1, flags=re.DOTALL)
        assert count == 1, f"{path} has no {pattern}"
        (root / path).write_text(changed, encoding="utf-8")

    return edit


def with_a_line(path: str, function: str) -> Callable[[Path], None]:
    """A further statement in a function."""
    return change(path, rf'(\ndef {function}\(.*?"""\n)', r"\1    added = 1  # noqa: F841\n")


def say_otherwise(root: Path) -> None:
    for name in (
        "losses/equations.py",
        "training/adapter.py",
        "study/record.py",
        "report/results.py",
        "faces/views.py",
        "twins/twin.py",
    ):
        path = root / "mvlm" / name
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"""', '"""Said otherwise. ', 1) + "\n# A remark.\n", encoding="utf-8")


def move(root: Path) -> None:
    """A file of the method goes to a room of its own."""
    (root / "mvlm/grouping").mkdir()
    (root / "mvlm/grouping/__init__.py").write_text('"""Grouping."""\n')
    (root / "mvlm/labels/clusters.py").rename(root / "mvlm/grouping/clusters.py")
    for path in [*(root / "mvlm").rglob("*.py"), *(root / "notebooks").glob("*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("mvlm.labels.clusters", "mvlm.grouping.clusters"), encoding="utf-8")


ANY = "(inspection of )?"
EVERY = (r"\w.* on .*",)
EVERY_RUN = (r"(?!inspection)\w.* on .*",)
LEARNT = (rf"{ANY}(full|oracle|balanced|nt-xent) on .*",)
VIEWS = ("views of .*", "images of .*", "clips", *EVERY)
FACES = ("strangers", *VIEWS)
# Notebooks by number. Those of runs know every method and how it trains; 90 cites settings all over the package.
OF_RUNS = ("05", "09", "10", "11", "12", "13", "14", "15", "17", "19", "20", "22")
OF_PROMPTS = ("02", "04", "08", "18", "21", *OF_RUNS)
OF_PROTOCOLS = ("05", "09", "10", "11", "12", "13", "15", "17", "20")
OF_TABLES = ("00", "02", "05", "09", "10", "11", "12", "13", "14", "15", "17", "18", "19", "90")
OF_FACES = ("01", "04", "07", "08", "18", *OF_RUNS)
# What is edited -> how, and patterns of all that has to be made again.
EDITS: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "nothing": (lambda _: None, ()),
    "docstrings and comments": (say_otherwise, ()),
    "a file's place": (move, ()),
    "what reads the even half": (with_a_line("mvlm/study/items/even_half.py", "read"), ()),
    "the summary of reproducibility": (with_a_line("mvlm/study/items/reproducibility.py", "filled"), ()),
    "the machine": (with_a_line("mvlm/machine.py", "reason"), ()),
    "the conversion of weights": (with_a_line("mvlm/conversion.py", "convert"), ()),
    "what a setting may be": (with_a_line("mvlm/settings.py", "_pretrained"), ()),
    "a reader": (with_a_line("mvlm/faces/formats/ply.py", "read_ply"), ()),
    "a card": (change("mvlm/twins/cards.py", "2,500 scans", "2,500 meshes"), ()),
    "the export of twins": (with_a_line("mvlm/twins/export.py", "export"), ()),
    "a plot": (with_a_line("mvlm/study/items/summary_figures.py", "draw_forest"), ("13",)),
    "how tables are written": (with_a_line("mvlm/report/results.py", "write_table"), OF_TABLES),
    "a number of the paper": (
        change("mvlm/study/paper/table2.csv", "96.47", "96.48"),
        ("00", "10", "11", "12", "20", "21"),
    ),
    "a count behind a number": (with_a_line("mvlm/study/paper/claims_on_counts.py", "fold_means"), ("00",)),
    "a claim on counts": (change("mvlm/study/paper/claims_on_counts.csv", "folds=10", "folds=9"), ("00",)),
    "an equation": (with_a_line("mvlm/losses/equations.py", "_positive"), (*LEARNT, "03", "04", "21", *OF_RUNS)),
    "the trainer": (change("mvlm/training/adapter.py", "1e-3, 0.05", "2e-3, 0.05"), (*LEARNT, "04", "90", *OF_RUNS)),
    "a sibling's loss": (with_a_line("mvlm/losses/siblings/nt_xent.py", "nt_xent"), (f"{ANY}nt-xent on .*", *OF_RUNS)),
    "a labelling": (with_a_line("mvlm/labels/refined.py", "balanced"), (f"{ANY}balanced on .*", *OF_RUNS)),
    "how a person is removed": (
        with_a_line("mvlm/labels/identity.py", "centred_on_subjects"),
        (f"{ANY}relabelled-who on .*", "clips", "09", *OF_RUNS),
    ),
    "how runs are scored": (with_a_line("mvlm/study/record.py", "score"), (*EVERY_RUN, *OF_PROTOCOLS)),
    "a measure": (with_a_line("mvlm/measures/nuisance.py", "spread"), ("09",)),
    "a probe": (change("mvlm/study/inspection.py", r"\nDRAWS = 5", "\nDRAWS = 6"), ("inspection of .*", "13")),
    "a prompt of one class": (
        change("mvlm/prompts/own.csv", r"\Z", "happiness,a face that beams\n"),
        ("text of .*", *EVERY, *OF_PROMPTS),
    ),
    "a prompt of another benchmark's class": (
        change("mvlm/prompts/own.csv", r"\Z", "pain,a face that aches\n"),
        ("text of BP4D", f"{ANY}.* on BP4D", *OF_PROMPTS),
    ),
    "a prompt of a bank that nothing asks": (
        change("mvlm/prompts/described.csv", r"\Z", "happiness,a face that beams\n"),
        (),
    ),
    "a prompt of micro-expressions": (
        change("mvlm/prompts/micro.csv", r"\Z", "positive,a face that beams\n"),
        ("clips", "19"),
    ),
    "a measure of micro-expressions": (with_a_line("mvlm/measures/unweighted.py", "uf1"), ("19",)),
    "what counts as a syllable": (with_a_line("mvlm/twins/timing.py", "syllables"), ("19",)),
    "one more method": (
        change("mvlm/study/methods.py", r"\n\)\n\n_TRANS", '\n    replace(FULL, name="x", title="X"),\n)\n\n_TRANS'),
        OF_RUNS,
    ),
    "one more sibling": (
        change(
            "mvlm/losses/siblings/__init__.py",
            '\n    "siglip": ',
            '\n    "new": lambda v, _s, _b: nt_xent(v),\n    "siglip": ',
        ),
        OF_RUNS,
    ),
    "one more labelling": (
        change("mvlm/labelling.py", '\n    "soft": ', '\n    "new": _soft,\n    "soft": '),
        OF_RUNS,
    ),
    "a method's title": (change("mvlm/study/methods.py", "Full, true labels", "Full with true labels"), OF_RUNS),
    "the face of the twins": (with_a_line("mvlm/twins/face/face.py", "pose"), (*VIEWS, *OF_FACES)),
    "the head of the strangers": (with_a_line("mvlm/twins/head/head.py", "pose"), (*FACES, *OF_FACES)),
    "a mesh": (change("mvlm/faces/mesh.py", r"\nFARTHEST = ", "\nFARTHEST = 1 + "), (*FACES, "90", *OF_FACES)),
    "the usual angles": (
        change("mvlm/settings.py", r"YAWS = \(0.0, 45", "YAWS = (0.0, 40"),
        (*FACES, "21", "90", *OF_FACES),
    ),
    "rank pooling": (
        with_a_line("mvlm/faces/dynamics.py", "dynamic_image"),
        ("strangers", "(views|images) of BP4D", f"{ANY}.* on BP4D", "clips", "90", *(set(OF_FACES) - {"01"})),
    ),
    "how a film is cut": (
        with_a_line("mvlm/faces/windows.py", "windows"),
        (f"{ANY}baseline-windows on BP4D", "04", "08", "18", *OF_RUNS),
    ),
    "how windows are pooled": (
        with_a_line("mvlm/study/films.py", "pooled"),
        (f"{ANY}baseline-(windows|frames) on BP4D", "clips", *OF_RUNS),
    ),
    "a package that does not compute": (change("constraints.txt", "\ntqdm==", "\ntqdm==0."), ()),
    "a package that computes": (change("constraints.txt", "\nnumpy==", "\nnumpy==0."), (r"\d\d",)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_moves_what_depends_on_it_and_nothing_else(copy: tuple[Path, dict[str, str]], edit: str):
    root, before = copy
    do, expected = EDITS[edit]
    try:
        do(root)
        after = addresses(root)
    finally:
        restore(root)
    moved = {name for name in before if before[name] != after[name]}
    assert before.keys() == after.keys()
    assert moved == {name for name in before if any(re.fullmatch(pattern, name) for pattern in expected)}
