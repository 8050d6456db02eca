"""Every number in results/ resolves: to its notebook, its content key, its kind of data, and what its columns mean."""

import csv
import json
from functools import cache
from pathlib import Path

import pytest

from mvlm.publish.declared import NOTEBOOKS, declared, promises, read
from mvlm.publish.notebooks import content_key
from mvlm.publish.verify import OTHERS
from mvlm.samples import open_corpus
from mvlm.settings import RESULTS, ROOT, Settings
from mvlm.study.benchmarks import BENCHMARKS

KINDS = {"twin", "sample", "supplied"}
KIND = Settings().results_name("twin")
BEARING = {".csv", ".md", ".tex", ".png", ".pdf"}


def made() -> list[Path]:
    """Files that notebooks made, whole."""
    every = ((path, path.relative_to(RESULTS).parts[0]) for path in sorted(RESULTS.rglob("*")) if path.is_file())
    return [path for path, folder in every if folder not in OTHERS]


def bearing() -> list[Path]:
    """Files that show numbers or are drawn from them."""
    return [path for path in made() if path.suffix in BEARING]


def about(path: Path) -> dict:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def data_of(sidecar: dict) -> dict:
    """What a sidecar says that the results depend on."""
    names = ("notebook", "parameters", "settings", "data_kind", "fingerprints", "measurements")
    return {name: sidecar[name] for name in names if name in sidecar}


@cache
def key_now(notebook: str, data: str) -> str:
    """The content key of a notebook with the code as it is and such data."""
    return content_key(read(NOTEBOOKS / f"{notebook}.ipynb"), json.loads(data))


@pytest.mark.parametrize("path", bearing(), ids=lambda path: path.relative_to(RESULTS).as_posix())
def test_a_result_resolves_through_its_sidecar(path: Path):
    assert path.with_suffix(".json").is_file(), "no sidecar"
    sidecar = about(path)
    assert sidecar["item"] == path.stem
    notebook = NOTEBOOKS / f"{sidecar['notebook']}.ipynb"
    assert notebook.is_file(), f"no notebook {sidecar['notebook']}"
    assert path.relative_to(RESULTS).as_posix() in promises(read(notebook))
    said = declared(read(notebook))
    assert sidecar["content_key"] == key_now(sidecar["notebook"], json.dumps(data_of(sidecar))), "made by other code"
    assert sidecar["data_kind"] == "twin"  # nothing else is written here
    settings = sidecar["settings"]
    assert (settings["profile"], settings["model"], settings["pretrained"]) == ("quick", "mvlm-tiny", None)
    assert set(sidecar["fingerprints"]) == set(said.get("corpora", []))
    assert sidecar["fingerprints"] == {name: open_corpus(name).fingerprint for name in said.get("corpora", [])}
    measured = {Path(name).name.format(kind=KIND) for name in said.get("measured", [])}
    assert set(sidecar.get("measurements", {})) == measured


@pytest.mark.parametrize(
    "path", [path for path in bearing() if path.suffix == ".csv"], ids=lambda path: path.relative_to(RESULTS).as_posix()
)
def test_every_column_is_described_and_every_row_says_its_data(path: Path):
    sidecar = about(path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows and list(sidecar["columns"]) == sorted(rows[0])  # sidecars are sorted by name
    assert all(isinstance(meaning, str) for meaning in sidecar["columns"].values())
    allowed = KINDS | {"paper", "strangers", "twin and twin"}
    for row in rows:
        if "data_kind" in row:
            assert row["data_kind"] in allowed - {"sample", "supplied"}
        if row.get("source") in ("transcribed", "not stated"):
            assert all(not row.get(measured) for measured in ("mean", "difference", "low", "high"))
        if row.get("source") == "measured":
            assert not row.get("paper")
        if "folds" in sidecar and row.get("benchmark") in BENCHMARKS and row.get("folds"):
            assert int(row["folds"]) == sidecar["folds"][row["benchmark"]]


def test_no_sidecar_is_alone():
    for path in made():
        assert path.suffix != ".json" or path.with_suffix(".csv").is_file(), f"{path.name} describes nothing"


def test_the_readme_shows_both_faces_as_the_table_has_them():
    lines = {tuple(line.split(" | ")[:2]): line for line in (ROOT / "README.md").read_text("utf-8").splitlines()}
    with (RESULTS / "tables" / "seen-or-not.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] in ("baseline", "full", "oracle")]
    shown = [row for row in rows if row["protocol"] == "zero-shot"]
    assert len(shown) == 18
    for row in shown:
        accuracy, low, high = (f"{float(row[name]):.1f}" for name in ("accuracy", "low", "high"))
        assert f"{accuracy} [{low}, {high}]" in lines[f"| {row['benchmark']}", row["seen"]]


def test_the_readme_shows_what_helps_without_a_label_as_the_table_has_it():
    ways = ("zero-shot", "full", "subject-centred", "relabelled-who", "relabelled-shares", "impersonal-shares",
            "impersonal-oracle")  # fmt: skip
    with (RESULTS / "tables" / "identity.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["benchmark"], row["way"]): row for row in csv.DictReader(file) if row["protocol"] == "zero-shot"}
    readme = (ROOT / "README.md").read_text("utf-8")
    for benchmark in ("BU-3DFE-I", "BU-3DFE-II", "Bosphorus", "BU-4DFE", "BP4D"):
        said = ([f"{float(rows[benchmark, way][name]):.1f}" for name in ("accuracy", "low", "high")] for way in ways)
        cells = " | ".join(f"{accuracy} [{low}, {high}]" for accuracy, low, high in said)
        assert f"| {benchmark} | {cells} |" in readme, benchmark


def test_the_ladder_of_the_shipped_foundation_is_that_of_the_tables():
    def rows_of(name: str) -> list[dict[str, str]]:
        with (RESULTS / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    tables = [row for number in (1, 2, 3) for row in rows_of(f"table{number}-differences")]
    known = {(row["benchmark"], row["title"]): row for row in tables}
    shipped = [row for row in rows_of("foundation") if row["pretrained_on"] == "still and moving faces"]
    ladder = [row for row in shipped if row["measure"] == "zero-shot, above the frozen model"]
    assert len(ladder) == 4 * len(BENCHMARKS)
    for row in ladder:
        told = known[row["asked_about"], row["method"]]
        for mine, theirs in (("value", "difference"), ("low", "low"), ("high", "high")):
            assert float(row[mine]) == pytest.approx(float(told[theirs]))
