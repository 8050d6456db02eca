"""Keys by use: what a function reaches, what of it counts, and that a run executes nothing beyond what was found."""

import ast
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import mvlm
from mvlm import samples
from mvlm.cache import keys
from mvlm.cache.definitions import _bound
from mvlm.cache.keys import NO_CONTENT, code_key, data_files, reached, source_key
from mvlm.faces import dynamics
from mvlm.faces.windows import CUTS
from mvlm.labels.naming import Prompts
from mvlm.samples import Rendering
from mvlm.settings import ROOT
from mvlm.study import inspection
from mvlm.study.embeddings import Embedded
from mvlm.study.methods import IDENTITY, METHODS, reach, recipe
from mvlm.study.record import Fold, record
from mvlm.twins.twin import Twin

FILES = {
    "__init__.py": "def __getattr__(name):\n    from mvlm.losses import contrastive as MultiviewVLM\n",
    "letters.py": "A = 0\nB = 1\n",
    "letters.csv": "b\n",
    "losses.py": '''"""Equations."""
import numpy as np
from mvlm import letters
from mvlm.faces.mesh import M

def contrastive(x: "M" = letters.B):
    """(1)"""
    return np.exp(letters.B * x)  # (1)

def pairs(letters):
    return letters.A + _own()

def _own():
    from mvlm.faces import project
    return project

TABLE = {"first": contrastive, "second": pairs}

def by_name(name):
    return TABLE[name]

def of_all():
    from mvlm.faces import mesh
    return letters.B, vars(letters), mesh.M

class Loss:
    scale = letters.A

    def value(self):
        return contrastive(self.scale)
''',
    "faces/__init__.py": "_HOMES = {'project': 'views', 'M': 'mesh'}\n",
    "faces/mesh.py": "M = 1\nN = 2\n",
    "faces/views.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mvlm.letters import A\n"
    "from mvlm.faces.mesh import M\n\ndef project(a: A):\n    return M\n",
    "study/__init__.py": "",
    "study/runs.py": "COMMAND = ['-m', 'mvlm.letters']\nHOOK = 'mvlm.losses:by_name'\n"
    "READ = 'table1.csv'\nGRID = [M for M in HOOK]\n",
    "study/paper/table1.csv": "n\n",
    "study/paper/table2.csv": "n\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package whose imports and uses are of every kind that the project has."""
    for path, text in FILES.items():
        (tmp_path / "mvlm" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mvlm" / path).write_text(text)
    monkeypatch.setattr(keys, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("mvlm.letters:A", "letters:A"),
        ("mvlm.letters", "letters:A letters:B"),
        ("mvlm.losses:contrastive", "losses:contrastive letters:B"),
        ("mvlm.losses:pairs", "losses:pairs losses:_own faces.views:project faces.mesh:M"),  # its letters are its own
        ("mvlm.losses:of_all", "losses:of_all letters:A letters:B faces.mesh:M"),  # a module that is handed on
        ("mvlm.losses:Loss", "losses:Loss losses:contrastive letters:A letters:B"),
        ("mvlm.study.runs:HOOK", "study.runs:HOOK losses:by_name losses:TABLE losses:contrastive losses:pairs "
                                 "losses:_own letters:B faces.views:project faces.mesh:M"),
        ("mvlm.study.runs:COMMAND", "study.runs:COMMAND letters:A letters:B"),
        ("tests.elsewhere:anything", ""),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("package")
def test_what_is_reached_is_what_is_named_and_no_more(entry: str, found: str):
    assert {f"{place.module}:{place.name}" for place in reached(entry)} == {f"mvlm.{name}" for name in found.split()}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from mvlm.faces import project", "faces.views:project faces.mesh:M"),
        ("from mvlm import MultiviewVLM", "losses:contrastive letters:B"),
        ("import mvlm.letters\nprint(mvlm.letters.A)", "letters:A"),
        ("import mvlm.letters as l\nprint([l.B for _ in 'ab'])", "letters:B"),
        ("import numpy, json", ""),
    ],
)
def test_cells_reach_what_they_name(package: Path, code: str, found: str):
    def moves(name: str) -> bool:
        module, _, name = name.partition(":")
        path = package / "mvlm" / f"{module.replace('.', '/')}.py"
        text, first = path.read_text(), code_key([code])
        path.write_text(text.replace(f"def {name}(", f"def {name}(*_, ").replace(f"{name} = ", f"{name} = 10 + "))
        second = code_key([code])
        path.write_text(text)
        return first != second

    every = "losses:contrastive losses:pairs letters:A letters:B faces.views:project faces.mesh:M faces.mesh:N".split()
    assert {name for name in every if moves(name)} == set(found.split())


@pytest.mark.usefixtures("package")
def test_of_a_table_only_the_chosen_entries_count():
    def chosen(*names: str) -> set[str]:
        return {place.name for place in reached("mvlm.losses:by_name", choices={"mvlm.losses:TABLE": names})}

    assert chosen("first") == {"by_name", "TABLE", "contrastive", "B"}
    assert chosen() == {"by_name", "TABLE"} and "pairs" in chosen("first", "second")
    assert {place.name for place in reached("mvlm.losses:by_name", without=["mvlm.losses:contrastive"])} == {
        "by_name", "TABLE", "pairs", "_own", "project", "M",
    }  # fmt: skip


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("place", ["mvlm.losses:nothing", "mvlm.nowhere", "mvlm.losses:np"])
def test_a_place_that_is_not_there_is_refused(place: str):
    with pytest.raises(ValueError, match=f"{place}: expected a module of mvlm, or a definition in one"):
        source_key(place)
    with pytest.raises(ValueError, match=f"{place}: expected"):
        source_key("mvlm.letters", without=[place])


def test_only_what_code_does_moves_its_hash(package: Path):
    losses, found = package / "mvlm/losses.py", []

    def now() -> str:
        found.append(source_key("mvlm.losses:contrastive"))
        return found[-1]

    first = now()
    losses.write_text(losses.read_text().replace("Equations.", "The equations.").replace("# (1)", "# equation (1)"))
    losses.write_text(losses.read_text().replace('"""(1)"""', '"""Equation (1)."""') + "\nADDED = 1\n")
    (package / "mvlm/faces/mesh.py").write_text("M = 2\n")
    (package / "mvlm/study/paper/table1.csv").write_text("n\n1\n")
    assert now() == first
    for path, old, new in (
        ("letters.py", "B = 1", "B = 2"),  # a constant that it uses
        ("letters.csv", "b", "c"),  # a file that none names may be read by any
        ("losses.py", "numpy as np", "cupy as np"),  # the same words for another thing
        ("losses.py", "np.exp(letters.B", "np.exp(letters.A"),
        ("letters.py", "A = 0", "print(0)\nA = 0"),  # what loading does
    ):
        text = (package / "mvlm" / path).read_text()
        assert old in text
        (package / "mvlm" / path).write_text(text.replace(old, new))
        now()
    assert len(set(found)) == 6


def test_a_file_may_move_and_nothing_else_takes_its_place(package: Path):
    first = source_key("mvlm.losses:contrastive")
    (package / "mvlm/faces/letters.py").write_text((package / "mvlm/letters.py").read_text())
    losses = package / "mvlm/losses.py"
    text = losses.read_text()
    losses.write_text(text.replace("from mvlm import letters", "from mvlm.faces import letters"))
    (package / "mvlm/letters.csv").rename(package / "mvlm/faces/letters.csv")
    assert source_key("mvlm.losses:contrastive") == first
    (package / "mvlm/faces/letters.py").write_text("A = 0\nB = 3\n")
    assert source_key("mvlm.losses:contrastive") != first


@pytest.mark.usefixtures("package")
def test_data_files_count_for_whoever_names_them():
    names = {"mvlm.study.runs:READ": {"table1.csv", "table2.csv"}, "mvlm.study.runs:GRID": {"table2.csv"}}
    for entry, files in names.items():
        found = {place: what for place, what in reached(entry).items() if place.module == "mvlm.study.runs"}
        assert {path.name for path in data_files(found)} == files  # none names the second, so that any may read it


# ------------------------------------------------------------------------- what is executed is within what was found


@cache
def _statements(path: str) -> list[ast.stmt]:
    return ast.parse(Path(path).read_bytes()).body


def executed(call: Callable[[], object]) -> set[str]:
    """The definitions of the package, "mvlm.losses.equations:pairs", whose code a call runs."""
    folder, seen = str(Path(mvlm.__file__).parent), set()

    def note(frame, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(folder) and code.co_name != "<module>":
            seen.add((code.co_filename, code.co_firstlineno))

    call()  # imports, and the bodies of classes
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    found = set()
    for path, line in seen:
        module = ".".join(Path(path).relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        (statement,) = [s for s in _statements(path) if _first_line(s) <= line <= s.end_lineno]
        (named, *_) = _bound(statement)
        found.add(f"{module}:{named}")
    # A package that hands on a name computes nothing.
    found = {name for name in found if not name.endswith(":__getattr__")}
    return {name for name in found if name not in NO_CONTENT and name.partition(":")[0] not in NO_CONTENT}


def _first_line(statement: ast.stmt) -> int:
    return min([statement.lineno, *(decorator.lineno for decorator in getattr(statement, "decorator_list", ()))])


def known(*entries: str, **how: object) -> set[str]:
    return {f"{place.module}:{place.name}" for place in reached(*entries, **how)}


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a run is told: embeddings of eight people, half to train on, and prompts of three emotions."""
    rng, emotions = np.random.default_rng(0), ("anger", "disgust", "fear")
    truth, subjects = np.tile(np.arange(3), 16), np.repeat([f"F{n:04d}" for n in range(8)], 6)
    centres = rng.normal(size=(3, 16))
    views = centres[truth][None, :, None] + 0.8 * rng.normal(size=(4, 48, 3, 16))
    text = np.repeat(centres, 2, 0) + 0.8 * rng.normal(size=(6, 16))
    views, text = ((x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32) for x in (views, text))
    path = tmp_path_factory.mktemp("views") / "views.npy"
    np.save(path, views)
    every = Embedded(path, np.arange(48), np.arange(48).astype(str), subjects, np.array(emotions)[truth])
    people = np.unique(subjects)
    fold = Fold(every.of(people[:5]), every.of(people[5:]), emotions, (), 0)
    return {"fold": fold, "prompts": Prompts(text, np.repeat(np.arange(3), 2), 0.07), "steps": 2}


@pytest.mark.parametrize(
    "name",
    [
        "baseline",
        "oracle",
        "balanced",
        "neighbours",
        "siglip",
        "full-4E",
        "transductive",
        "relabelled-who",
        "impersonal-who",
    ],
)
def test_a_run_executes_what_its_address_hangs_on(arguments: dict[str, object], name: str):
    method = METHODS[name]
    for entry, function in (("record:record", record), ("inspection:inspect", inspection.inspect)):
        if function is inspection.inspect and name != "oracle":
            continue
        within = known(f"mvlm.study.{entry}", **reach(method))
        ran = executed(lambda function=function: function(method, **arguments))
        assert f"mvlm.study.{entry}" in ran and ran <= within
    # and on nothing of another method: of the tables, what it takes
    others = {f"mvlm.losses.siblings.{loss}:{loss}" for loss in ("nt_xent", "barlow_twins", "siglip")} - ran
    assert not others & within or name == "neighbours"


@pytest.mark.parametrize("corpus", ["BU-3DFE", "Bosphorus", "BU-4DFE"])
def test_drawing_views_executes_what_their_address_hangs_on(corpus: str):
    twin = Twin(corpus)
    item, how = twin.items[3], Rendering(frames=3)
    ran = executed(lambda: samples._views((Twin(corpus), [item], 32, how)))
    still = () if twin.sequences else ("mvlm.faces.dynamics",)
    within = known("mvlm.samples:_views", "mvlm.twins.twin:Twin", without=still)
    assert "mvlm.faces.views:project" in ran and ran <= within
    assert not {name for name in within if name.split(":")[0] in dynamics_and_readers(twin)}


@pytest.mark.parametrize("cut", CUTS)
def test_drawing_windows_executes_what_their_address_hangs_on(cut: str):
    twin, how = Twin("BU-4DFE"), Rendering(yaws=(0.0,), frames=1)
    row = (1, 1, 32, 32, 1)  # one window and one view
    ran = executed(lambda: samples._windows((Twin("BU-4DFE"), [twin.items[3]], 32, how, cut, row)))
    within = known("mvlm.samples:_windows", "mvlm.twins.twin:Twin", choices={"mvlm.faces.windows:CUTS": {cut}})
    assert "mvlm.faces.windows:project_windows" in ran and ran <= within
    assert not {f"mvlm.faces.windows:{other.__name__}" for name, other in CUTS.items() if name != cut} & within


def dynamics_and_readers(twin: Twin) -> set[str]:
    readers = {f"mvlm.faces.formats.{name}" for name in ("by_extension", "vrml", "obj", "ply")}
    readers |= {"mvlm.faces.corpora.manifest", "mvlm.twins.cards", "mvlm.twins.export"}
    return readers | (set() if twin.sequences else {dynamics.__name__})


def test_a_recipe_says_what_is_asked_for_and_no_more():
    assert recipe(METHODS["baseline"]) == {
        "name": "baseline",
        "supervision": "none",
        "labelling": "plain",
        "reading": {
            "equations": {"multiview": "4B", "positive": "6A", "negative": "8A"},
            "weights": dict.fromkeys(("contrastive", "multiview", "positive", "negative"), 1.0),
            "line": {"scale": 1.0},
        },
        "film": "image",
    }
    for name, method in METHODS.items():  # what only some know moves no record of the others
        base = name.removesuffix(f"-{method.film}")  # shown films in another way
        assert bool({"knows", "impersonal", "discriminant"} & set(recipe(method))) == (base in IDENTITY)
    assert recipe(METHODS["full"])["rounds"] == 3 and recipe(METHODS["full"])["aggregate"] is True
    said = [str(recipe(method)) for method in METHODS.values()]
    assert len(set(said)) == len(METHODS)
