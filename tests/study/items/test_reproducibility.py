"""The summary of reproducibility says what the tables say, and its script gives their numbers without the package."""

import ast
import csv
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mvlm.cache.keys import file_hash
from mvlm.measures.statistics import summary
from mvlm.samples import folds
from mvlm.settings import RESULTS, ROOT, Settings
from mvlm.study.embeddings import image_source, model_key
from mvlm.study.items import protocol
from mvlm.study.items.reproducibility import PAGE, PARTS, _told, filled
from mvlm.study.paper.claims_on_counts import fold_means, hundredths, shares
from mvlm.study.paper.transcripts import read_paper

SCRIPT = RESULTS / "protocol/protocol.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("script_of_the_protocol", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured(method: str) -> dict[str, str]:
    with (RESULTS / "tables/table1.csv").open(encoding="utf-8", newline="") as file:
        wanted = {"method": method, "benchmark": protocol.BENCHMARK, "protocol": "zero-shot", "source": "measured"}
        (row,) = (row for row in csv.DictReader(file) if wanted.items() <= row.items())
    return row


def test_the_page_says_what_the_tables_say():
    page = PAGE.read_text(encoding="utf-8")
    assert filled(page) == page, f"{PAGE.name}: other tables; run python -m mvlm.study.items.reproducibility"
    assert len(page.splitlines()) < 140
    for path in re.findall(r"\]\((?!\w+:)([^)]+)\)", page):
        assert (PAGE.parent / path).is_file(), path
    assert "**None took place.**" in page


def test_the_page_follows_the_tables(tmp_path: Path):
    for path in ("tables", "figures/fig5.csv", "even-half/tables/even-half.csv"):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (RESULTS / path).is_dir() else shutil.copy2)(RESULTS / path, target)
    with (tmp_path / "tables/table1-differences.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    for row in rows:
        if row[:2] == ["BU-3DFE-I", "full"]:
            row[head.index("difference") : head.index("high") + 1] = ["8.25", "1.24", "15.26"]
    with (tmp_path / "tables/table1-differences.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    page = filled(PAGE.read_text(encoding="utf-8"), tmp_path)
    assert "its twin has +8.2 [+1.2, +15.3]" in " ".join(page.split())
    assert "the full method is above in 1 (BU-3DFE-I)" in " ".join(page.split())


def test_a_page_without_a_part_is_refused():
    page = PAGE.read_text(encoding="utf-8")
    for broken in (page.replace("results/: audit", "results/: audits"), page.replace("results/: times", "")):
        with pytest.raises(ValueError, match=f"expected the parts {', '.join(PARTS)}, once each, found protocol"):
            filled(broken)


def test_words_follow_the_intervals():
    intervals = {"A": (0.1, 2), "B": (-3, -0.1), "C": (-1, 1), "D": (-2, 0)}
    found = {name: {"m": {"low": str(low), "high": str(high)}} for name, (low, high) in intervals.items()}
    assert _told(found, "m") == "above in 1 (A), below in 1 (B), not told apart in 2 of 4 settings"


def test_the_letter_asks_of_the_numbers_that_are_of_no_one_run():
    paper, asked = (
        read_paper(),
        re.search(r"We could not get ([\d., and]+) as one run", " ".join(PAGE.read_text().split())),
    )
    sizes = paper.sizes.set_index("benchmark")
    missed = []
    for name in paper.benchmarks():
        size, ours = sizes.loc[name], hundredths(paper.accuracy(name))
        means = fold_means(int(size["subjects"]), int(size["classes"] * size["repeats"]), 10)
        run = shares(paper.samples(name)) | (frozenset() if name == "BU-4DFE-to-BP4D" else means)
        missed += [f"{ours / 100:.2f}"] * (ours not in run)
    assert re.findall(r"\d+\.\d+", asked[1]) == missed


def test_the_script_gives_the_numbers_of_table_one(tmp_path: Path):
    """Alone in a folder, without the package: what it prints is the table's, to the last digit."""
    shutil.copytree(SCRIPT.parent, tmp_path / "alone")
    command = [sys.executable, "-I", "protocol.py"]
    said = subprocess.run(command, cwd=tmp_path / "alone", capture_output=True, text=True, check=True).stdout
    rows = [measured(method) for method in ("baseline", "centred")]
    assert said.splitlines() == [
        "{title}: {0:.1f} ± {1:.1f} [{2:.1f}, {3:.1f}]".format(
            *(float(row[name]) for name in ("mean", "std", "low", "high")), title=row["title"]
        )
        for row in rows
    ]


def test_the_script_is_a_page_and_asks_for_numpy_alone():
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert {getattr(node, "module", None) or node.names[0].name for node in imports} == {"sys", "pathlib", "numpy"}


def test_the_script_and_the_package_are_one_protocol(script):
    rng = np.random.default_rng(3)
    subjects = rng.permutation(np.repeat([f"F{number:04d}" for number in range(23)], 4))
    fold, right = script.fold_of(subjects), rng.random(len(subjects)) < 0.4
    for number, (_, tested) in enumerate(folds(subjects)):
        assert np.unique(subjects[fold == number]).tolist() == tested
    ours = summary(right, fold, subjects)
    assert script.accuracy(right, fold, subjects) == pytest.approx([100 * value for value in ours[:4]], abs=1e-9)


def test_the_script_fits_to_no_tested_row(script):
    rng = np.random.default_rng(4)
    rows, prototypes, fold = (
        script.unit(rng.normal(size=(40, 8))),
        script.unit(rng.normal(size=(3, 8))),
        np.arange(40) % 10,
    )
    before = script.predicted(rows, prototypes, fold, centred=True)
    other = rows.copy()
    other[fold == 3] = script.unit(rng.normal(size=(4, 8)))  # only as test rows of fold 3 may they count for themselves
    mean = rows[fold != 3].mean(0)
    expected = (script.unit(other[fold == 3] - mean) @ script.unit(prototypes - prototypes.mean(0)).T).argmax(1)
    assert (script.predicted(other, prototypes, fold, centred=True)[fold == 3] == expected).all()
    assert (before == script.predicted(rows, prototypes, fold, centred=True)).all()


def test_kept_embeddings_say_what_they_are():
    path = SCRIPT.with_name("embeddings.npz")
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    table = json.loads((RESULTS / "tables/table1.json").read_text(encoding="utf-8"))
    assert path.stat().st_size <= 2_000_000 and about["sha256"] == file_hash(path)
    assert about["data_kind"] == table["data_kind"] == "twin"
    made_by = {"model": model_key(Settings()), "source": image_source()}
    assert made_by.items() <= about.items(), "made by other code; run python -m mvlm.study.items.reproducibility"
    assert about["fingerprints"].items() <= table["fingerprints"].items()
    with np.load(path) as kept:
        assert kept.files == list(protocol.ARRAYS) and about["arrays"].keys() == protocol.ARRAYS.keys()
        assert kept["images"].dtype == kept["text"].dtype == np.float32
        assert len(kept["images"]) == len(kept["labels"]) == int(measured("baseline")["n"])
        assert len(np.unique(kept["subjects"])) == int(measured("baseline")["subjects"])


@pytest.mark.skipif(" avx2 " not in Path("/proc/cpuinfo").read_text(), reason="another kind of processor")
def test_make_gives_texts_the_kept_bytes_on_processors_with_avx_512_too():
    code = (
        "import sys; from mvlm.model import load_model; from mvlm.prompts import prompts_for; "
        "from mvlm.study.benchmarks import BASIC; "
        "sys.stdout.buffer.write(load_model().encode_text(prompts_for(BASIC)[0]).numpy().tobytes())"
    )
    command = ["make", "--silent", "--eval", 'encoded: ; @"$$PYTHON" -c "$$CODE"', "encoded"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = environ | {"PYTHON": sys.executable, "CODE": code, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, check=True).stdout
    with np.load(SCRIPT.with_name("embeddings.npz")) as kept:
        assert found == kept["text"].tobytes()


def test_only_the_defaults_embeddings_are_kept(tmp_path: Path):
    for settings in (Settings(profile="smoke"), Settings(model="ViT-B-32"), Settings(data=tmp_path)):
        with pytest.raises(ValueError, match="expected no DATA, PROFILE, MODEL or PRETRAINED"):
            protocol.export(settings, tmp_path)
    assert not any(tmp_path.iterdir())
