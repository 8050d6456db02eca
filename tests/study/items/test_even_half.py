"""The even half: what of the subjects is opened, that labels reach nothing, and that it is read once."""

import json
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from mvlm.labels.naming import Prompts
from mvlm.samples import Samples
from mvlm.settings import RESULTS, Settings
from mvlm.study.benchmarks import BASIC
from mvlm.study.embeddings import Embedded
from mvlm.study.items import even_half
from mvlm.study.items.even_half import COLUMNS, SHAPED, half_table, publish, read, render_half
from mvlm.study.items.transfer import halves
from tests.labels.crowd import crowd, unit

ON = ("BU-3DFE-I",)
PEOPLE = 12
LABELLED = {"oracle", "labels"}  # supervision that reads true labels


class Made:
    """People who show six emotions twice, in place of a corpus, its views and the model; it keeps who was opened."""

    def __init__(self, folder):
        people = crowd(1, people=PEOPLE, width=32, identity=2, noise=0.5, texts=0.8)
        self.classes, self.folder, self.opened = people.classes, folder, []
        self.subjects = np.array([f"F{number + 1:04d}" for number in people.subjects])
        self.names = np.array([f"{subject}, {place}" for place, subject in enumerate(self.subjects)])
        self.prompts = Prompts(people.prototypes, np.arange(6), 0.07)
        views = people.rows[None, :, None] + 0.01 * np.random.default_rng(0).normal(size=(2, len(people.rows), 3, 32))
        np.save(folder / "views.npy", unit(views).astype(np.float32))

    def open_corpus(self, name, root):
        assert root == self.folder
        return SimpleNamespace(name=name, kind="sample", fingerprint=f"{name} as it is")

    def catalogue(self, _):
        levels = np.tile([3, 4], len(self.names) // 2)
        return Samples(
            None, self.names, self.subjects, np.array(BASIC)[self.classes], levels, np.zeros(len(levels), int)
        )

    def frozen(self, _, emotions, settings, subjects):
        assert emotions == BASIC and settings.data == self.folder
        self.opened += subjects
        rows = np.flatnonzero(np.isin(self.subjects, subjects))
        shown = np.array(BASIC)[self.classes[rows]]
        return Embedded(self.folder / "views.npy", rows, self.names[rows], self.subjects[rows], shown), self.prompts


@pytest.fixture
def made(monkeypatch, tmp_path):
    found = Made(tmp_path)
    for name in ("open_corpus", "catalogue", "frozen"):
        monkeypatch.setattr(even_half, name, getattr(found, name))
    monkeypatch.setattr(even_half, "model_key", lambda _: "model")
    return found


@pytest.fixture
def command(made, monkeypatch):
    """`main` on a folder of its own, by a made commit, on one benchmark."""
    monkeypatch.setattr(even_half, "FOLDER", made.folder / "results")
    monkeypatch.setattr(even_half, "commit", lambda: "0123abc")
    monkeypatch.setattr(even_half, "read", lambda settings, half: read(settings, half, ON))
    monkeypatch.setenv("DATA", str(made.folder))
    (made.folder / "BU-3DFE.truth.json").touch()
    return even_half.main


def shown(made):
    """True emotions of the odd half."""
    return np.array(BASIC)[made.classes[~halves(made.subjects)]]


def test_the_halves_are_of_other_subjects_and_neither_opens_the_other(made):
    odd, even = (read(Settings(data=made.folder), half, ON)["benchmarks"]["BU-3DFE-I"] for half in ("odd", "even"))
    assert made.opened == sorted(set(odd["subjects"])) + sorted(set(even["subjects"]))
    assert {name[4] for name in odd["names"]} == {"1", "3", "5", "7", "9"} == {name[-1] for name in odd["subjects"]}
    assert not {*odd["subjects"]} & {*even["subjects"]} and not {*odd["names"]} & {*even["names"]}
    assert sorted(odd["names"] + even["names"]) == sorted(made.names)
    for of in (odd, even):  # each subject is told in one fold, by others
        assert len({*zip(of["subjects"], of["fold"], strict=True)}) == len({*of["fold"]}) == PEOPLE / 2


def test_rows_of_the_table_and_what_reads_true_labels(made):
    found = read(Settings(data=made.folder), "odd", ON)
    frame = half_table(found)
    assert list(frame.columns) == list(COLUMNS) and len(frame) == 7 + 2 + 4
    assert not frame.duplicated(["method", "protocol", "own_scans"]).any()
    assert set(frame["half"]) == {"odd"} and set(frame["data_kind"]) == {"sample"} and set(frame["n"]) == {72}
    alone = [("baseline", "prompts"), ("baseline", "linear probe"), ("centred", "prompts")]
    alone += [(f"relabelled-{labels}", "discriminant") for labels in ("who", "spread", "shares", "oracle")]
    found_alone = frame.loc[frame["own_scans"] == "one", ["method", "protocol"]]
    assert list(found_alone.itertuples(index=False, name=None)) == alone
    mean = frame.set_index(["method", "protocol", "own_scans"])["mean"]
    assert mean["relabelled-shares", "discriminant", "all"] > mean["baseline", "prompts", "one"] + 20
    right = np.array(found["benchmarks"]["BU-3DFE-I"]["rows"][0]["predicted"]) == shown(made)
    assert mean["baseline", "prompts", "one"] == pytest.approx(100 * right.mean())

    rng = np.random.default_rng(0)
    for subject in np.unique(made.subjects):
        made.classes[made.subjects == subject] = rng.permutation(made.classes[made.subjects == subject])
    permuted = read(Settings(data=made.folder), "odd", ON)
    for row, before, after in zip(
        frame.to_dict("records"), *(of["benchmarks"]["BU-3DFE-I"]["rows"] for of in (found, permuted)), strict=True
    ):
        assert (before["predicted"] == after["predicted"]) == (row["supervision"] not in LABELLED), row["title"]
    (part,) = render_half(frame)
    assert SHAPED in part.note and "odd half" in part.title and len(part.cells) == len(frame)


def test_it_is_read_once(made, command, monkeypatch, capsys):
    assert command() == 0 and {int(subject[-1]) % 2 for subject in made.opened} == {0}
    folder = made.folder / "results"
    log = json.loads((folder / "log.json").read_text(encoding="utf-8"))
    assert (
        log["commit"] == "0123abc" and log["half"] == "even" and log["fingerprints"] == {"BU-3DFE": "BU-3DFE as it is"}
    )
    table = {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}
    assert set(table) == {f"even-half.{suffix}" for suffix in ("csv", "md", "tex", "json")}
    assert SHAPED.encode() in table["even-half.md"] and SHAPED.encode() in table["even-half.json"]

    monkeypatch.setattr(even_half, "read", lambda *_: pytest.fail("read again"))
    (folder / "tables/even-half.csv").unlink()
    before = (folder / "log.json").read_bytes()
    assert command() == 1 and f"was read on {log['read']} by commit 0123abc" in capsys.readouterr().err
    assert (folder / "log.json").read_bytes() == before
    assert {path.name: path.read_bytes() for path in (folder / "tables").iterdir()} == table


@pytest.mark.parametrize("where", ["read", "write_text"])
def test_an_interrupted_reading_leaves_no_log_and_no_number(made, command, monkeypatch, where):
    def ends(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(even_half, where, ends)
        with pytest.raises(KeyboardInterrupt):
            command()
    assert not (made.folder / "results").exists()
    assert command() == 0


def test_what_would_waste_the_reading_is_refused(made, command, monkeypatch, capsys):
    monkeypatch.setenv("PROFILE", "smoke")
    assert command() == 1 and "no variable but DATA, JOBS and SCHEDULER" in capsys.readouterr().err
    monkeypatch.delenv("PROFILE")
    (made.folder / "BU-3DFE.truth.json").unlink()
    assert command() == 1 and "expected the folder of the sample corpora" in capsys.readouterr().err
    monkeypatch.delenv("DATA")
    assert command() == 1 and "expected the folder of the sample corpora" in capsys.readouterr().err
    assert not (made.folder / "results").exists() and made.opened == []
    with pytest.raises(ValueError, match="half 'both': expected one of even, odd"):
        read(Settings(data=made.folder), "both", ON)
    made.subjects[made.subjects > "F0006"] = "F0008"
    with pytest.raises(ValueError, match="BU-3DFE-I: 3 subjects of the odd half can take part .*, expected 4 or more"):
        read(Settings(data=made.folder), "odd", ON)


def test_code_that_is_in_no_commit_reads_nothing(monkeypatch, tmp_path):
    def git(*asked):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *asked], cwd=tmp_path, check=True)

    monkeypatch.setattr(even_half, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ValueError, match="git rev-parse HEAD: .*not a git repository"):
        even_half.commit()
    (tmp_path / "mvlm").mkdir()
    (tmp_path / "mvlm/code.py").write_text("x = 1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    assert len(even_half.commit()) == 40
    (tmp_path / "mvlm/code.py").write_text("x = 2\n")
    with pytest.raises(ValueError, match=r"not as committed(.|\n)*mvlm/code.py"):
        even_half.commit()


@pytest.mark.skipif(not (RESULTS / "even-half").is_dir(), reason="the even half is not read yet")
def test_what_is_committed_is_what_the_log_says(tmp_path):
    log = json.loads((RESULTS / "even-half/log.json").read_text(encoding="utf-8"))
    assert log["half"] == "even" and log["data_kind"] == "sample" and list(log["benchmarks"]) == list(even_half.ON)
    assert {int(subject[-1]) % 2 for of in log["benchmarks"].values() for subject in of["subjects"]} == {0}
    for path in publish(log, tmp_path):
        assert path.read_bytes() == (RESULTS / "even-half/tables" / path.name).read_bytes()
