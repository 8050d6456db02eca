"""Every number in results/ resolves: to its notebook, its content key, its kind of data, and what its columns mean."""

import csv
import json
from pathlib import Path

import pytest

from mvlm.settings import RESULTS
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.notebooks import NOTEBOOKS

KINDS = {"twin", "sample", "supplied"}
BEARING = {".csv", ".md", ".tex", ".png", ".pdf"}


def bearing() -> list[Path]:
    """Files that show numbers or are drawn from them."""
    return [path for path in sorted(RESULTS.rglob("*")) if path.is_file() and path.suffix in BEARING]


def about(path: Path) -> dict:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", bearing(), ids=lambda path: path.relative_to(RESULTS).as_posix())
def test_a_result_resolves_through_its_sidecar(path: Path):
    assert path.with_suffix(".json").is_file(), "no sidecar"
    sidecar = about(path)
    assert sidecar["item"] == path.stem
    notebook = NOTEBOOKS / f"{sidecar['notebook']}.ipynb"
    assert notebook.is_file(), f"no notebook {sidecar['notebook']}"
    declared = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["mvlm"]
    assert path.relative_to(RESULTS).as_posix() in declared["outputs"]
    assert len(sidecar["content_key"]) == 64 and set(sidecar["content_key"]) <= set("0123456789abcdef")
    assert sidecar["data_kind"] == "twin"  # nothing else is written here
    settings = sidecar["settings"]
    assert (settings["profile"], settings["model"], settings["pretrained"]) == ("quick", "mvlm-tiny", None)
    assert set(sidecar["fingerprints"]) == set(declared.get("corpora", []))
    assert "absent" not in sidecar["fingerprints"].values()


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
    for path in RESULTS.rglob("*.json"):
        assert path.with_suffix(".csv").is_file(), f"{path.name} describes nothing"
