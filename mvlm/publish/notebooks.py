"""Run notebooks by content: `python -m mvlm.publish.notebooks tables 14-transfer`, targets of make or names.

A notebook is a function of its parameters that writes the files it promises (`mvlm/publish/declared.py`). It runs only
when something it depends on has changed or its outputs are not on the disk as it left them; its outputs appear all
together or not at all. What it reads is computed before its kernel starts (`mvlm/study/needed.py`).

The content key in its sidecars is of what the outputs depend on: data, settings, what its code and the package's do,
and the versions of packages that compute. Its words count for its page alone: a notebook whose text has changed runs
again, and its sidecars stay as they were.

In the cell tagged `parameters` stand the names that it takes; `STAGE` is the folder for its outputs.
"""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvlm.cache.files import write_text
from mvlm.cache.keys import code_key, file_hash
from mvlm.machine import MachineError, command, expect_writable, reason
from mvlm.publish.declared import NOTEBOOKS, declared, named, promises, read
from mvlm.publish.pages import page as page_of
from mvlm.settings import ROOT, RUNS, Settings

# Packages whose version can change a number or a picture; the others of the lock cannot.
COMPUTING = (
    "torch", "torchvision", "open-clip-torch", "timm", "pytorch-lightning", "numpy", "scipy", "scikit-learn", "open3d",
    "pillow", "pandas", "matplotlib", "seaborn",
)  # fmt: skip
# What twins do without, and so all readers.
FOLDERS = ("mvlm.faces.corpora.corpus:Corpus", "mvlm.faces.corpora.corpus:in_folder")
TOWERS = ("mvlm.study.full_profile",)  # which is of the full profile


class NotebookError(RuntimeError):
    """A notebook that cannot be run, failed, or did not write what it promised."""


class NoDataError(NotebookError):
    """A notebook none of whose corpora is under `DATA`: there is nothing to report, and nothing is wrong."""


@dataclass(frozen=True)
class Outcome:
    """What became of a notebook: whether it ran, the files it stands for, its page, and the seconds this took."""

    name: str
    ran: bool
    outputs: tuple[Path, ...]
    page: Path
    seconds: float


def run_notebook(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    folder: Path = NOTEBOOKS,
    results: Path | None = None,
    runs: Path = RUNS,
) -> Outcome:
    """Bring a notebook's outputs up to date; the settings come from the environment, as in its kernel.

    Args:
        name: file name without `.ipynb`.
        parameters: values for names of the cell tagged `parameters`, other than `STAGE`.
        folder: where notebooks lie.
        results: where outputs go; by default as the settings say.
        runs: where state, executed copies and pages go.

    Raises:
        NoDataError: `DATA` has none of its corpora.
        NotebookError: the notebook is missing, takes no such parameter, fails, or breaks its promise.
        ValueError, FileNotFoundError: a setting is wrong.
        MachineError: what the machine lacks; no other notebook would fare better.
    """
    start = time.monotonic()
    settings = Settings.from_environment()
    kind = settings.results_name(settings.data_kind())
    results = results or settings.results_folder(settings.data_kind())
    parameters = dict(parameters or {})
    notebook, promised = _load(name, folder, parameters)
    sidecar = _dependencies(name, notebook, parameters, settings)

    page = runs / "html" / kind / f"{name}.html"
    executed = runs / "executed" / kind / f"{name}.ipynb"
    state = runs / "state" / kind / f"{name}.json"
    outputs = tuple(results / path for path in promised)
    expect_writable(results, runs)

    def outcome(ran: bool) -> Outcome:
        return Outcome(name, ran, outputs, page, time.monotonic() - start)

    with _alone(state.with_suffix(".lock"), name):
        products = (*outputs, executed)
        if _is_current(state, current := _state_key(sidecar, folder / f"{name}.ipynb"), products):
            if not page.is_file():  # which is of the executed copy alone; the site has another frame around it
                write_text(page, page_of(executed))
            return outcome(ran=False)
        print(f"{name}: running", flush=True)
        _compute_needed(name, settings)
        stage = results / ".stage" / name
        shutil.rmtree(stage, ignore_errors=True)  # of a run that was killed
        try:
            for path in promised:
                (stage / path).parent.mkdir(parents=True, exist_ok=True)
            staged = {"STAGE": str(_shown(stage))} if promised else {}
            _execute(name, folder, parameters | staged, executed)
            _check(name, stage, promised)
            _complete(stage, promised, sidecar)
            write_text(page, page_of(executed))
            for path, target in zip(promised, outputs, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(stage / path, target)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            if stage.parent.is_dir() and not any(stage.parent.iterdir()):
                stage.parent.rmdir()
        done = outcome(ran=True)
        record = {"key": current, "products": _hashes(products), "seconds": done.seconds}
        write_text(state, json.dumps(record, indent=1))
    return done


def _load(name: str, folder: Path, parameters: Mapping[str, Any]) -> tuple[dict, list[str]]:
    """Read a notebook and hold it to its own declaration; return it with the paths it promises."""
    path = folder / f"{name}.ipynb"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in folder.glob("*.ipynb"))) or "none"
        raise NotebookError(f"{name}: no such notebook in {folder.name}/; there are {known}")
    notebook = read(path)
    promised = promises(notebook)
    wanted = set(parameters) | ({"STAGE"} if promised else set())
    tagged = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if wanted and len(tagged) != 1:
        raise NotebookError(f"{name}: expected one cell tagged `parameters`, found {len(tagged)}")
    taken = {target for cell in tagged for target in _assigned(_source(cell))}
    if unknown := wanted - taken:
        listed = ", ".join(sorted(taken)) or "none"
        raise NotebookError(f"{name}: no parameter {', '.join(sorted(unknown))}; its parameters are {listed}")
    return notebook, promised


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _assigned(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _dependencies(name: str, notebook: dict, parameters: dict, settings: Settings) -> dict[str, Any]:
    """Return what a notebook's outputs depend on, as it stands in their sidecars, under one content key."""
    said = declared(notebook)
    weights = Path(settings.pretrained or "")
    data = {
        "notebook": name,
        "parameters": parameters,
        "settings": {
            "profile": settings.profile,
            "model": settings.model,
            "pretrained": file_hash(weights) if weights.is_file() else settings.pretrained,
            "skip_bad": settings.skip_bad,
        },
        "data_kind": settings.data_kind(),
        "fingerprints": {corpus: _fingerprint(corpus, settings) for corpus in said.get("corpora", [])},
    }
    if settings.profile == "full":
        data["settings"]["training"] = settings.training.content()
    if said.get("measured"):
        kind = settings.results_name(settings.data_kind())
        files = [RUNS / path.format(kind=kind) for path in said["measured"]]
        data["measurements"] = {path.name: file_hash(path) if path.is_file() else "absent" for path in files}
    try:
        return data | {"content_key": content_key(notebook, data)}
    except SyntaxError as error:
        raise NotebookError(f"{name}: {error.msg} in `{(error.text or '').strip()}`") from error


def content_key(notebook: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """The content key of a notebook's outputs.

    Args:
        notebook: the notebook, read.
        data: notebook, parameters, settings, data_kind, fingerprints and, where it declares some, measurements, as they
            stand in its sidecars.

    Raises:
        SyntaxError: a cell is not Python.
    """
    code = [_source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    unused = FOLDERS * (data["data_kind"] == "twin") + TOWERS * (data["settings"]["profile"] != "full")
    done = code_key(code, without=unused)
    said = {name: declared(notebook).get(name, []) for name in ("corpora", "measured")}
    whole = json.dumps([dict(data), said | {"outputs": promises(notebook)}, done, versions()], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def versions() -> list[str]:
    """The lines of the lock that are of `COMPUTING`; all of them, whichever interpreter this is."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.partition("==")[0] in COMPUTING]


def _state_key(sidecar: Mapping[str, Any], notebook: Path) -> str:
    return hashlib.sha256(f"{sidecar['content_key']} {file_hash(notebook)}".encode()).hexdigest()


def _fingerprint(corpus: str, settings: Settings) -> str:
    from mvlm.samples import open_corpus

    try:
        return open_corpus(corpus, settings.data).fingerprint
    except FileNotFoundError:
        return "absent"


def _is_current(state: Path, key: str, products: tuple[Path, ...]) -> bool:
    try:
        known = json.loads(state.read_text(encoding="utf-8"))
        return known["key"] == key and known["products"].items() >= _hashes(products).items()
    except (OSError, ValueError, KeyError):
        return False  # never run here, or its record or a product was lost


def _hashes(products: tuple[Path, ...]) -> dict[str, str]:
    return {str(_shown(path)): file_hash(path) for path in products}


def _compute_needed(name: str, settings: Settings) -> None:
    """Compute what a notebook reads in this process, so that progress bars reach the terminal."""
    from mvlm.study import needed, plan  # here and not above: the runner must start at once

    try:
        if compute := needed.NEEDED.get(name):
            compute(settings)
    except (ValueError, OSError) as error:  # bad input explains itself; anything else is a fault and keeps its trace
        if reason(error):
            raise
        kind = NoDataError if isinstance(error, plan.AbsentError) else NotebookError
        raise kind(f"{name}: {error}") from error


def _execute(name: str, folder: Path, parameters: dict, executed: Path) -> None:
    """Run the notebook in a fresh kernel of this environment, its standard error shown as it comes."""
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")  # a kernel named python3 in the user's home must not win
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.ERROR)  # its warnings are of widgets that libraries bring along
    executed.parent.mkdir(parents=True, exist_ok=True)
    failed = executed.with_suffix(".failed.ipynb")
    with tempfile.TemporaryDirectory(prefix="mvlm-") as sockets:
        # Sockets are files: no port to collide on when several notebooks start at once.
        connection = {"transport": "ipc", "connection_file": str(Path(sockets, "kernel.json"))}
        try:
            papermill.execute_notebook(
                folder / f"{name}.ipynb",
                failed,
                parameters,
                kernel_name="python3",
                language="python",
                cwd=ROOT,
                progress_bar=False,
                stderr_file=sys.stderr,
                config=Config({"KernelManager": connection}),
            )
        except PapermillExecutionError as error:
            if lacking := reason(error):
                raise MachineError(f"{name}: {lacking}") from error
            raise NotebookError(f"{name}: {_in_a_few_lines(error)}\n  executed copy: {failed}") from error
        except DeadKernelError as error:
            raise NotebookError(f"{name}: its kernel died, most often for lack of memory; try JOBS=1") from error
    _strip(failed)
    os.replace(failed, executed)


def _in_a_few_lines(error: Any) -> str:
    """Say which cell of a notebook failed, with the line and the message."""
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    arrows = re.findall(r"^-+> *\d+ (.*)$", trace, flags=re.MULTILINE)  # the outermost is the cell's own line
    where = f"\n  at: {arrows[0].strip()}" if arrows else ""
    return f"cell [{error.exec_count}] failed{where}\n  {error.ename}: {error.evalue}"


def _strip(executed: Path) -> None:
    """Take times and temporary paths out of an executed notebook, so that two equal runs are equal files."""
    notebook = json.loads(executed.read_text(encoding="utf-8"))
    notebook["metadata"].pop("papermill", None)
    for cell in notebook["cells"]:
        cell["metadata"].pop("papermill", None)
        cell["metadata"].pop("execution", None)
    executed.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _check(name: str, stage: Path, promised: list[str]) -> None:
    written = {path.relative_to(stage).as_posix(): path.stat().st_size for path in stage.rglob("*") if path.is_file()}
    for fault, paths in {
        "did not write": [path for path in promised if path not in written],
        "wrote nothing into": [path for path in promised if written.get(path) == 0],
        "does not declare": sorted(set(written) - set(promised)),
    }.items():
        if paths:
            raise NotebookError(f"{name}: {fault} {', '.join(paths)}; the outputs stay as they were")


def _complete(stage: Path, promised: list[str], sidecar: dict) -> None:
    """Add to the sidecars what the notebook cannot know: its own content key, settings and data."""
    for path in promised:
        if path.endswith(".json"):
            own = json.loads((stage / path).read_text(encoding="utf-8"))
            text = json.dumps(own | sidecar, indent=2, sort_keys=True, ensure_ascii=False)
            (stage / path).write_text(text + "\n", encoding="utf-8")


@contextmanager
def _alone(path: Path, name: str) -> Iterator[None]:
    """Hold the notebook's lock; a second run waits, and then finds the first one's outputs."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{name}: waiting for another run of it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def main(arguments: list[str]) -> int:
    """Run notebooks, print their tables, and return the exit status: a notebook without data is passed over.

    But if all are, there was nothing to do, and that is an error.

    Args:
        arguments: names of notebooks and of targets of make.
    """
    if not arguments:
        print("usage: python -m mvlm.publish.notebooks NAME|TARGET [NAME|TARGET ...]", file=sys.stderr)
        return 2
    try:
        names = named(arguments)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    status, absent = 0, 0
    for name in names:
        try:
            outcome = run_notebook(name)
        except NoDataError as error:
            absent += 1
            print(error, file=sys.stderr)
            continue
        except (NotebookError, ValueError, FileNotFoundError) as error:
            print(error, file=sys.stderr)
            status = 1
            continue
        except KeyboardInterrupt:
            print(f"\n{name}: interrupted; outputs stay as they were, the same command goes on", file=sys.stderr)
            return 130
        for path in outcome.outputs:
            if path.suffix == ".md":
                print(f"\n{path.read_text(encoding='utf-8')}")
        done = f"done in {outcome.seconds:.0f} s" if outcome.ran else "up to date"
        place = outcome.outputs[0].parent if outcome.outputs else outcome.page
        print(f"{name}: {done}; {_shown(place)}", flush=True)
    return status or int(absent == len(names))


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    command(main, sys.argv[1:])
