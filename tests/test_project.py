"""What holds for the project as a whole: its rooms, its metadata, its Makefile and what the README promises."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mvlm
from mvlm.publish.declared import NOTEBOOKS, declared, read
from mvlm.settings import ROOT, VARIABLES

# Places that are named but not called: what a value does not hang on, and where defaults are read.
NAMED_ONLY = {"cache/keys.py"}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in VARIABLES}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=clean, capture_output=True, text=True)


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split())


def test_importing_the_package_or_the_runner_is_light():
    code = (
        "import sys, mvlm, mvlm.settings, mvlm.publish.notebooks\n"
        "heavy = {'torch', 'open3d', 'open_clip', 'matplotlib', 'pandas', 'sklearn', 'papermill', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert 'MultiviewVLM' in mvlm.__all__\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_names_that_are_not_there_are_attribute_errors():
    import mvlm.study

    for package in (mvlm, mvlm.study):
        with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
            _ = package.nothing


def test_functions_that_are_named_by_strings_obey_the_same_order():
    """What "module:function" calls in another process is an import like any other."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    rooms = linter["contracts"][0]["layers"][::-1]
    package = ROOT / "mvlm"
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        own = path.relative_to(package).with_suffix("").parts[0]
        if name in NAMED_ONLY or own == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            said = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if found := re.fullmatch(r"mvlm\.(\w+)(\.\w+)*:(\w+)", said):
                assert rooms.index(found[1]) <= rooms.index(own), f"{name} names {said} from a room below"
                assert resolves(said), f"{name} names {said}, which is not there"


def resolves(said: str) -> bool:
    module, _, name = said.partition(":")
    return hasattr(import_module(module), name)


def test_files_stay_short_enough_to_be_read():
    long = [path.name for path in (ROOT / "mvlm").rglob("*.py") if len(path.read_text("utf-8").splitlines()) > 400]
    assert long == []


def test_the_environment_has_one_source():
    subprocess.run([sys.executable, ".ci/environment.py", "--check"], cwd=ROOT, check=True)
    source = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = source["project"]["optional-dependencies"]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^@]+)?", line) for line in lines)  # no address, no local build
    pins = [line.split(" ;")[0].split("==") for line in lines]
    for wanted in map(Requirement, [*source["project"]["dependencies"], *chain(*extras.values())]):
        versions = [number for name, number in pins if name == canonicalize_name(wanted.name)]
        assert versions, f"constraints.txt lacks {wanted.name}"
        assert all(wanted.specifier.contains(number) for number in versions), f"constraints.txt: {wanted} has another"
    pinned = dict(pins)
    assert (pinned["torch"], pinned["torchvision"]) == ("2.15.0", "0.29.2")  # a pair of one index
    # What uv leaves out of the environment is not in the lock either, and is nothing that the package asks for.
    left_out = source["tool"]["uv"]["exclude-dependencies"]
    assert left_out == ["warp-lang", "rfc3987-syntax"] and not {*left_out} & {*pinned}
    *_, conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert conda == {"pip": ["--constraint constraints.txt", f"--editable .[{','.join(extras)}]"]}


def test_what_is_installed_is_the_lock():
    lock = [Requirement(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    here = [pin for pin in lock if pin.marker is None or pin.marker.evaluate()]
    # A local build of a locked version ("2.15.0+cpu") is that version.
    other = {pin.name: version(pin.name) for pin in here if not pin.specifier.contains(version(pin.name))}
    assert other == {}


def test_pip_settings_reach_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    code = compile((ROOT / ".ci/environment.py").read_text(encoding="utf-8"), "environment.py", "exec")
    namespace = {"__name__": "environment", "__file__": str(ROOT / ".ci/environment.py")}
    exec(code, namespace)
    for name in ("UV_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_INDEX", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_SYSTEM_CERTS", "0")  # what the user says for uv stays
    index = "scheme://index.invalid/simple"
    found = namespace["uv_environment"](
        {
            "find-links": f"{tmp_path} {tmp_path}/gone",
            "index-url": index,
            "extra-index-url": f"{tmp_path.as_uri()} file:///gone/simple {index}",
            "default-timeout": "180",
        }
    )
    assert found == {
        "UV_FIND_LINKS": str(tmp_path),
        "UV_DEFAULT_INDEX": index,
        "UV_INDEX": f"{tmp_path.as_uri()} {index}",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_versions_and_licence_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == mvlm.__version__
    assert citation["license"] == "MIT" and (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_make_alone_lists_every_target_and_variable():
    said = make()
    assert said.returncode == 0 and said.stderr == ""
    for name in (*targets(), *VARIABLES):
        assert re.search(rf"^ *{name} ", said.stdout, flags=re.MULTILINE), f"help lacks {name}"


def test_make_refuses_a_variable_that_it_does_not_know():
    said = make("PROFIL=smoke")
    assert said.returncode != 0 and "PROFIL: no such variable; there are DATA PROFILE" in said.stderr


def test_transfer_without_data_says_so():
    said = make("transfer")
    assert said.returncode != 0 and "transfer needs DATA=, the root of a folder with BU-3DFE" in said.stderr


def test_the_readme_names_only_targets_and_files_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"`make((?: [a-z][a-z-]*)+)", readme)
    named = {target for command in commands for target in command.split()}
    assert {"tables", "test"} <= named <= targets()
    for path in re.findall(r"\]\((?!\w+:)([^)]+)\)|`((?:mvlm|tests|notebooks)/[\w./-]*)`", readme):
        assert (ROOT / "".join(path)).exists(), f"README names {''.join(path)}"


def test_the_readme_names_every_notebook_beside_a_target_that_runs_it():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    beside: dict[str, set[str]] = {}
    for line in lines:
        for name in re.findall(r"`notebooks/([\w-]+)\.ipynb`", line):
            beside.setdefault(name, set()).update(re.findall(r"`make ([a-z-]+)", line))
    for path in NOTEBOOKS.glob("*.ipynb"):
        assert beside.get(path.stem, set()) & set(declared(read(path))["targets"]), f"README: {path.stem}"


def test_make_runs_the_notebooks_of_every_target_that_one_declares():
    for target in {target for path in NOTEBOOKS.glob("*.ipynb") for target in declared(read(path))["targets"]}:
        assert f"mvlm.publish.notebooks {target}\n" in make("-n", target).stdout, f"make {target}"
    assert "mvlm.publish.verify tables figures study identity lessons\n" in make("-n", "verify").stdout


def test_the_tests_of_a_checkout_are_the_readmes_command():
    assert "exec make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_no_file_names_a_place_of_one_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    kinds = {".py", ".toml", ".txt", ".md", ".yml", ".csv", ""}
    texts = [ROOT / name for name in listed.stdout.splitlines() if Path(name).suffix in kinds]
    places = re.compile(r"(?<![\w.])/(?:home|root|work|opt|Users)/\w")
    for path in texts:
        if path.is_file():
            found = places.search(path.read_text(encoding="utf-8"))
            assert not found, f"{path.name}: {found[0]}"
