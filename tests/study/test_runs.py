"""Runs: records by what they depend on, folds, what is absent or bad, and labels that reach no weight.

More than 20 s: every method runs on two folds, most of them several times.
"""

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

import mvlm.settings
from mvlm.cache import workers
from mvlm.cache.files import write_text
from mvlm.faces import views
from mvlm.faces.corpora.items import Scan
from mvlm.labelling import pseudo_labels
from mvlm.labels.naming import Prompts
from mvlm.method import adapt
from mvlm.samples import Rendering
from mvlm.settings import Settings
from mvlm.study import embeddings, plan, runs
from mvlm.study.benchmarks import BASIC
from mvlm.study.items import transfer
from mvlm.study.methods import FILMS, GROUPS, IDENTITY, METHODS, READINGS, TABLE_METHODS
from mvlm.training import adapter
from mvlm.training.adapter import fit

SUBJECTS = 8
TRAINED = [name for name in TABLE_METHODS if METHODS[name].trains]
KNOWING_FILMS = [name for name in FILMS if name.startswith(("subject-centred", "impersonal-shares"))]
BESIDE = list(dict.fromkeys(name for group in GROUPS.values() for name in group if name not in TABLE_METHODS))


@dataclass(frozen=True)
class FakeCorpus:
    """Coloured noise: each emotion has its colour, each picture a shade. A "mesh" is what is needed to paint it."""

    name: str = "BU-3DFE"
    kind: str = "twin"
    subjects: int = SUBJECTS
    bad: tuple[str, ...] = ()
    permuted: bool = False  # emotions exchanged between the scans of each subject, pictures as before
    repainted: tuple[str, ...] = ()  # subjects with other pictures
    scans: tuple[Scan, ...] | None = None
    files: tuple[Path, ...] = ()
    unknown: tuple[Path, ...] = ()
    sequences: tuple[()] = ()
    dropped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        if self.scans is None:
            object.__setattr__(self, "scans", self.index())

    @property
    def items(self):
        return self.scans

    @property
    def fingerprint(self):
        return f"{self.name} {self.kind} {self.subjects} {self.bad} {self.permuted} {self.repainted}"

    def index(self):
        found = []
        for number in range(1, self.subjects + 1):
            for place, emotion in enumerate(BASIC):
                shown = BASIC[(place + number) % 6] if self.permuted else emotion
                for level in (3, 4):
                    subject, code = f"F{number:04d}", f"{emotion[:2].upper()}{level:02d}"
                    found.append(Scan(f"{subject}_{code}WH", subject, shown, level, Path(f"{code}.wrl"), code))
        return tuple(sorted(found, key=lambda scan: scan.name))

    def read(self, scan):
        if scan.name in self.bad:
            raise ValueError(f"{scan.path}: cut short")
        return scan.name, scan.subject in self.repainted


def paint(mesh, yaws=views.YAWS, size=64, channel="shaded"):  # noqa: ARG001 - as of project
    name, repainted = mesh
    rng = np.random.default_rng(int.from_bytes(name.encode(), "little") + repainted)
    emotion = [e[:2].upper() for e in BASIC].index(name[6:8])
    colour = np.random.default_rng(emotion).uniform(60, 190, 3)
    noise = rng.normal(0, 40, (len(yaws), size, size, 3)) + rng.normal(0, 25, 3)
    return np.clip(colour + noise, 0, 255).astype(np.uint8)


class FakeModel:
    """A random projection of pixels, and random rows for texts."""

    image_size, temperature = 8, 0.07

    def encode_views(self, images):
        small = torch.as_tensor(images).float().mean((2, 3)) / 255 - 0.5  # (B, V, 3)
        projection = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
        return torch.nn.functional.normalize(torch.tanh(3 * small @ projection), dim=-1)

    def encode_text(self, texts):
        return torch.nn.functional.normalize(
            torch.stack(
                [torch.randn(16, generator=torch.Generator().manual_seed(len(t) * 31 + ord(t[-1]))) for t in texts]
            ),
            dim=-1,
        )


@pytest.fixture
def corpora(monkeypatch, tmp_path):
    """Fakes in place of corpora, ray casting and model, short fits, few probes, and a folder of runs of its own."""
    known = {(name, None): FakeCorpus(name) for name in ("BU-3DFE",)}

    def open_corpus(name, root=None):
        if (name, root) not in known:
            raise FileNotFoundError(f"{name}: not there")
        return known[name, root]

    monkeypatch.setattr(plan, "open_corpus", open_corpus)
    monkeypatch.setattr(views, "project", paint)
    monkeypatch.setattr(embeddings, "cached_model", lambda *_: FakeModel())
    monkeypatch.setattr(embeddings, "model_key", lambda _: "fake")
    monkeypatch.setattr(plan, "model_key", lambda _: "fake")
    monkeypatch.setattr(adapter, "fit", lambda *of, **how: fit(*of, **how | {"steps": 3}))
    monkeypatch.setattr(runs, "cheaper", lambda _: {"strengths": (1.0,)})
    monkeypatch.setattr(plan, "FOLDS", 2)
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)
    return known


def run(*methods, settings=None, benchmarks=("BU-3DFE-I",), seeds=(0,)):
    return runs.run(benchmarks, methods or TABLE_METHODS, settings or Settings(), seeds=seeds)


def contents(folder):
    return {path.name: path.read_bytes() for path in (folder / "records").iterdir()}


def test_a_frame_of_one_row_per_method_and_fold(corpora):
    frame = run()
    assert frame["method"].tolist() == [name for name in TABLE_METHODS for _ in range(2)]
    assert frame["fold"].tolist() == [0, 1] * len(TABLE_METHODS) and set(frame["folds"]) == {2}
    assert set(frame["data_kind"]) == {"twin"} and set(frame["seed"]) == {0}
    scans = {scan.name: scan for scan in corpora["BU-3DFE", None].scans}
    for name, of in frame.groupby("method"):
        assert sorted(sum(of["names"], [])) == sorted(scans)  # every sample is tested once
        assert not set(of["subjects"].iloc[0]) & set(of["subjects"].iloc[1])
        for row in of.to_dict("records"):
            assert row["supervision"] == METHODS[name].supervision and row["knows"] == METHODS[name].knowledge
            assert row["emotions"] == [scans[scan].emotion for scan in row["names"]]
            for protocol in ("zero_shot", "knn", "probe", "cluster"):
                assert len(row[protocol]) == 48 and set(row[protocol]) <= set(BASIC)
            assert -1 <= row["ari"] <= 1 and 0 <= row["nmi"] <= 1 and 0 <= row["naming"] <= 1
            rounds = METHODS[name].rounds if name != "instance" else 0  # an instance is no emotion
            assert len(row["pseudo_labels"]) == len(row["cluster_sizes"]) == rounds
            assert len(row["change"]) == max(rounds - 1, 0)
            views_clustered = 48 if METHODS[name].aggregate else 144
            for sizes in row["cluster_sizes"]:
                assert sum(sizes) == views_clustered or (METHODS[name].agreed and 0 < sum(sizes) < views_clustered)
    assert frame[frame["method"] == "oracle"]["pseudo_labels"].tolist() == [[1.0], [1.0]]
    assert frame["weights"].notna().tolist() == [METHODS[name].trains for name in frame["method"]]
    probe = [np.mean(np.array(row["probe"]) == row["emotions"]) for row in frame.to_dict("records")]
    assert min(probe) > 0.4  # the colours can be told apart: predictions stand beside their samples


@pytest.mark.usefixtures("corpora")
def test_records_are_kept_and_do_not_depend_on_order_or_interruption(monkeypatch, tmp_path):
    first = run("baseline", "pairs")
    whole = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "compute", lambda *_: pytest.fail("nothing is missing"))
        assert run("baseline", "pairs").equals(first)

    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path / "other")
    done = []

    def dies(path, text):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(path)
        write_text(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "write_text", dies)
        with pytest.raises(KeyboardInterrupt):
            run("pairs", "baseline")
    assert set(contents(tmp_path / "other")) == {path.name for path in done} and len(done) == 2
    assert run("baseline", "pairs").equals(first)
    assert contents(tmp_path / "other") == whole


def test_permuted_labels_change_no_weight_below_oracle(corpora):
    before = run(*TRAINED).set_index(["method", "fold"]).sort_index()
    corpora["BU-3DFE", None] = FakeCorpus(permuted=True)
    after = run(*TRAINED).set_index(["method", "fold"]).sort_index()
    same = before["weights"] == after["weights"]
    assert same.drop("oracle").all() and not same.loc["oracle"].any()
    assert (before["zero_shot"] == after["zero_shot"]).drop("oracle").all()
    assert (before["emotions"] != after["emotions"]).all()


def test_no_method_beside_the_tables_reads_a_true_label_unless_it_says_so(corpora):
    """One run without folds for each: all of one corpus is trained on."""
    unlabelled = [name for name in BESIDE if METHODS[name].supervision != "oracle"]
    assert {name for name in BESIDE if name not in unlabelled} < {*READINGS, *IDENTITY}  # upper bounds
    corpora["BU-4DFE", None], corpora["BP4D", None] = FakeCorpus("BU-4DFE", subjects=4), FakeCorpus("BP4D", subjects=4)
    before = run(*unlabelled, benchmarks=("BU-4DFE-to-BP4D",))
    corpora["BU-4DFE", None] = FakeCorpus("BU-4DFE", subjects=4, permuted=True)
    after = run(*unlabelled, benchmarks=("BU-4DFE-to-BP4D",))
    assert before["weights"].notna().tolist() == [METHODS[name].trains for name in unlabelled]
    assert before["weights"].nunique() > len(before) / 2
    assert (before["fingerprint"] != after["fingerprint"]).all()
    for column in ("weights", "zero_shot", "cluster_sizes"):
        assert before[column].fillna("").tolist() == after[column].fillna("").tolist()
    for row in before.to_dict("records"):
        rounds = 0 if row["supervision"] == "instance" else METHODS[row["method"]].rounds
        assert len(row["pseudo_labels"]) == len(row["cluster_sizes"]) == rounds
        assert (row["knows"] != "nothing") == (row["method"] in {*IDENTITY, *KNOWING_FILMS})


def test_only_a_transductive_method_sees_the_test_subjects_and_not_their_labels(corpora):
    before = run("full", "transductive")
    (unseen,) = sorted(set(before["subjects"].iloc[1]))[:1]
    corpora["BU-3DFE", None] = FakeCorpus(permuted=True)
    assert (run("transductive")["weights"].tolist()) == before["weights"].tolist()[2:]
    corpora["BU-3DFE", None] = FakeCorpus(repainted=(unseen,))
    assert (before["weights"] != run("full", "transductive")["weights"]).tolist() == [True, False, True, True]
    sizes = before["cluster_sizes"].map(lambda rounds: sum(rounds[0]))
    assert sizes.tolist() == [48, 48, 96, 96]


def test_test_subjects_reach_no_weight_and_no_statistic(corpora):
    methods = ("centred", *TRAINED)
    before = run(*methods)
    unseen = tuple(sorted(set(before["subjects"].iloc[1])))  # of the second fold
    corpora["BU-3DFE", None] = FakeCorpus(repainted=unseen[:1])
    after = run(*methods)
    second = before["fold"] == 1
    assert (before["weights"] == after["weights"])[second & before["weights"].notna()].all()
    assert (before["weights"] != after["weights"])[~second & before["weights"].notna()].all()
    for old, new in zip(before[second].to_dict("records"), after[second].to_dict("records"), strict=True):
        kept = [i for i, subject in enumerate(old["subjects"]) if subject != unseen[0]]
        for protocol in ("zero_shot", "knn", "probe", "cluster"):
            assert [old[protocol][i] for i in kept] == [new[protocol][i] for i in kept]


def test_the_address_of_a_record_moves_with_all_it_depends_on(corpora):
    def address(method="pairs", fold=0, seed=0, settings=None, subjects=SUBJECTS):
        corpora["BU-3DFE", None] = FakeCorpus(subjects=subjects)
        (part,) = plan.present([runs.BENCHMARKS["BU-3DFE-I"]], settings or Settings())
        source = plan.run_source(METHODS[method], runs.RUN, "quick")
        return plan.record_path(part, plan.Cell(METHODS[method], fold, 2, seed), runs.RUN, source)

    others = [
        address(method="full"),
        address(fold=1),
        address(seed=1),
        address(settings=Settings(profile="smoke")),
        address(settings=Settings(yaws=(0.0, 20.0, -20.0))),
        address(subjects=7),
    ]
    assert len({address(), *others}) == 7 and address() == address(settings=Settings(jobs=5))


@pytest.mark.usefixtures("corpora")
def test_without_seeds_each_method_has_its_own():
    frame = run("baseline", "pairs", seeds=None)
    assert frame.groupby("method")["seed"].agg(list).to_dict() == {"baseline": [0, 0], "pairs": [0, 1, 2] * 2}
    assert runs.seeds_used(frame) == {"baseline": [0], "pairs": [0, 1, 2]}
    assert run("pairs", seeds=(1,)).equals(frame[(frame["seed"] == 1)].reset_index(drop=True))


@pytest.mark.usefixtures("corpora")
def test_another_seed_is_another_row_on_the_same_folds():
    frame = run("full", seeds=(0, 1))
    assert frame["seed"].tolist() == [0, 1, 0, 1] and frame["weights"].nunique() == 4
    assert frame["names"].iloc[0] == frame["names"].iloc[1]


def test_a_corpus_that_is_given_stands_in_for_the_one_at_hand(corpora):
    usual = run("baseline", "pairs")
    painted = FakeCorpus(repainted=tuple(f"F{number:04d}" for number in range(1, SUBJECTS + 1)))
    given = runs.run(("BU-3DFE-I",), ("baseline", "pairs"), Settings(), seeds=(0,), corpora={"BU-3DFE": painted})
    assert set(given["fingerprint"]) == {painted.fingerprint} != set(usual["fingerprint"])
    assert (given["names"] == usual["names"]).all() and (given["zero_shot"] != usual["zero_shot"]).any()
    before = contents(mvlm.settings.RUNS)
    same = runs.run(("BU-3DFE-I",), ("pairs",), Settings(), seeds=(0,), corpora={"BU-3DFE": corpora["BU-3DFE", None]})
    assert contents(mvlm.settings.RUNS) == before  # the same corpus has the same records
    assert same.equals(usual[usual["method"] == "pairs"].reset_index(drop=True))


@pytest.mark.usefixtures("corpora")
def test_the_smoke_profile_takes_a_few_subjects_and_two_folds(monkeypatch):
    monkeypatch.setattr(plan, "FOLDS", 10)
    frame = run("baseline", settings=Settings(profile="smoke"))
    assert len(frame) == 2
    assert sorted(set(sum(frame["subjects"], []))) == [f"F{number:04d}" for number in range(1, 7)]
    assert len(run("baseline")) == SUBJECTS  # as many folds as subjects


@pytest.mark.parametrize("subjects, count", [(4, 4), (5, 3), (6, 2)])
def test_small_corpora_have_as_many_smoke_folds_as_leave_three_subjects_to_train_on(corpora, subjects, count):
    smoke = Settings(profile="smoke")
    corpora["BU-3DFE", None] = FakeCorpus(subjects=subjects)
    (part,) = plan.present([runs.BENCHMARKS["BU-3DFE-I"]], smoke)
    split = plan.split_subjects(part, smoke)
    assert len(split) == count and min(len(train) for train, _ in split) >= 3


def test_with_data_what_is_not_there_is_absent(corpora, tmp_path):
    settings = Settings(data=tmp_path)
    with pytest.raises(FileNotFoundError, match="expected at least one of BU-3DFE, Bosphorus, found none"):
        run("baseline", settings=settings, benchmarks=("Bosphorus", "BU-3DFE-I"))
    corpora["BU-3DFE", tmp_path] = FakeCorpus(kind="supplied")
    frame = run("baseline", settings=settings, benchmarks=("Bosphorus", "BU-3DFE-I"))
    assert set(frame["benchmark"]) == {"BU-3DFE-I"} and set(frame["data_kind"]) == {"supplied"}


def test_one_corpus_is_learnt_from_and_another_one_tested_whole(corpora):
    """Both corpora name their subjects alike, so that a mixture of the two would show."""
    corpora["BU-4DFE", None], corpora["BP4D", None] = FakeCorpus("BU-4DFE", subjects=5), FakeCorpus("BP4D", subjects=4)
    frame = run("baseline", "pairs", "oracle", benchmarks=("BU-4DFE-to-BP4D",)).set_index("method")
    assert frame["folds"].tolist() == [1] * 3 and set(map(len, frame["names"])) == {4 * 2 * 2}
    assert {emotion for said in frame["emotions"] for emotion in said} == {"happiness", "disgust"}
    for row in frame.to_dict("records"):
        assert set(row["among_shown"]) <= {"happiness", "disgust"} and set(row["zero_shot"]) <= set(BASIC)
        for wide, narrow in zip(row["zero_shot"], row["among_shown"], strict=True):
            assert wide == narrow or wide not in ("happiness", "disgust")  # the best of six is the best of fewer
    assert frame["cluster_sizes"]["oracle"] == [[10] * 6]  # all of BU-4DFE: five subjects, two pictures an emotion
    corpora["BP4D", None] = FakeCorpus("BP4D", subjects=4, repainted=("F0002",))
    other = run("pairs", "oracle", benchmarks=("BU-4DFE-to-BP4D",)).set_index("method")
    assert (other["weights"] == frame["weights"].drop("baseline")).all()  # the tested corpus reaches no weight
    corpora["BU-4DFE", None] = FakeCorpus("BU-4DFE", subjects=5, repainted=("F0002",))
    again = run("pairs", "oracle", benchmarks=("BU-4DFE-to-BP4D",)).set_index("method")
    assert (again["weights"] != frame["weights"].drop("baseline")).all()


def test_without_the_corpus_to_learn_from_the_benchmark_is_absent(corpora, tmp_path):
    corpora["BP4D", tmp_path] = FakeCorpus("BP4D", kind="supplied")
    with pytest.raises(plan.AbsentError, match="expected at least one of BP4D, BU-4DFE, found none"):
        run("baseline", settings=Settings(data=tmp_path), benchmarks=("BU-4DFE-to-BP4D",))


def test_bad_scans_stop_the_run_or_are_listed_beside_the_results(corpora, tmp_path):
    corpora["BU-3DFE", tmp_path] = FakeCorpus(kind="supplied", bad=("F0001_AN03WH", "F0003_HA04WH"))
    settings = Settings(data=tmp_path)
    with pytest.raises(ValueError, match=r"2 of 96 scans are bad[\s\S]*F0001_AN03WH[\s\S]*F0003_HA04WH"):
        run("baseline", settings=settings)
    assert not (tmp_path / "records").exists()
    settings = replace(settings, skip_bad=True)
    frame = run("baseline", settings=settings)
    assert len(sum(frame["names"], [])) == 94
    listed = settings.results_folder("supplied") / "skipped.csv"
    assert listed.read_text().splitlines() == [
        "corpus,scan,reason",
        "BU-3DFE,F0001_AN03WH,AN03.wrl: cut short",
        "BU-3DFE,F0003_HA04WH,HA04.wrl: cut short",
    ]
    corpora["BU-3DFE", tmp_path] = FakeCorpus(kind="supplied")
    run("baseline", settings=settings)
    assert not listed.exists()


def test_what_cannot_be_run_is_said(corpora):
    with pytest.raises(ValueError, match="unknown benchmark 'BU3DFE-II'; the nearest known one is 'BU-3DFE-II'"):
        run(benchmarks=("BU3DFE-II",))
    with pytest.raises(ValueError, match="unknown method 'fulll'; the nearest known one is 'full'"):
        run("fulll")
    corpora["BU-3DFE", None] = FakeCorpus(subjects=3)
    with pytest.raises(ValueError, match="BU-3DFE-I: 3 subjects of BU-3DFE can take part .*expected 4 or more"):
        run("baseline")


def test_reading_records_needs_no_torch():
    code = (
        "import sys, mvlm.study.runs, mvlm.study.items.transfer\n"
        "sys.exit(any(m in sys.modules for m in ('torch', 'open3d')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_copies_are_flipped_with_their_views_exchanged_and_cropped_alike():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16, 3), np.uint8)
    offsets = np.array([[0.0, 1.0], [0.5, 0.0]])
    np.testing.assert_array_equal(embeddings.augmented(images, 0, offsets, Rendering()), images)
    flipped = embeddings.augmented(images, 1, offsets, Rendering())
    np.testing.assert_array_equal(flipped[:, 0], images[:, 0, :, ::-1])
    np.testing.assert_array_equal(flipped[:, 1], images[:, 2, :, ::-1])
    np.testing.assert_array_equal(flipped[:, 2], images[:, 1, :, ::-1])
    cropped = embeddings.augmented(images, 2, offsets, Rendering())
    np.testing.assert_array_equal(cropped[0], images[0, :, 0:14, 2:16])
    np.testing.assert_array_equal(cropped[1], images[1, :, 1:15, 0:14])
    np.testing.assert_array_equal(embeddings.augmented(images, 3, offsets, Rendering())[0], flipped[0, :, 0:14, 2:16])
    images[0, 0] = 0  # background
    turned = embeddings.augmented(images, 1, offsets, Rendering(channel="normals"))
    np.testing.assert_array_equal(turned[1, 2, ..., 0], 255 - images[1, 1, :, ::-1, 0])
    np.testing.assert_array_equal(turned[1, 2, ..., 1:], images[1, 1, :, ::-1, 1:])
    assert not turned[0, 0].any()


@pytest.fixture
def clustered():
    """Two samples of each of three classes, and prompts beside them; the last view of the last sample is another's."""
    rng = np.random.default_rng(0)
    centres = np.eye(3, 12)
    rows = centres[[0, 0, 1, 1, 2, 2]][:, None] + 0.05 * rng.normal(size=(6, 3, 12))
    rows[5, 2] = centres[0] + 0.05 * rng.normal(size=12)
    text = centres[[2, 0, 1, 2]] + 0.1 * rng.normal(size=(4, 12))
    return rows.astype(np.float32), Prompts(text, np.array([2, 0, 1, 2]), 0.07)


def test_views_are_labelled_by_their_own_cluster_or_with_their_sample(clustered):
    rows, prompts = clustered
    own = pseudo_labels(rows, prompts, pooled=True, seed=0)
    assert own[:5].tolist() == [[c] * 3 for c in (0, 0, 1, 1, 2)] and own[5].tolist() == [2, 2, 0]
    together = pseudo_labels(rows, prompts, pooled=False, seed=0)
    assert together.tolist() == [[c] * 3 for c in (0, 0, 1, 1, 2, 2)]


def test_true_labels_are_taken_by_oracle_alone(clustered):
    rows, prompts = clustered
    labels = np.array([0, 0, 1, 1, 2, 2])
    with pytest.raises(ValueError, match="full: true labels are for supervision oracle, this is cluster"):
        adapt(METHODS["full"], rows[None], prompts, seed=0, truth=labels)
    with pytest.raises(ValueError, match="oracle: true labels"):
        adapt(METHODS["oracle"], rows[None], prompts, seed=0)


def test_long_work_says_its_cost_and_keeps_its_order(monkeypatch, capsys):
    assert list(workers.each(abs, [-3, -1, -2], jobs=1, title="work")) == [3, 1, 2]
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(workers, "SAID_FROM", 0.0)
    assert list(workers.each(abs, [-1] * 5, jobs=1, title="work", cost="5 scans, 0.1 GB")) == [1] * 5
    assert capsys.readouterr().out == "work: about 0 min, 5 scans, 0.1 GB\n"
    assert list(workers.each(abs, [], jobs=2, title="nothing")) == []


def test_a_scheduler_without_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ImportError, match="SCHEDULER=tcp://here:1 needs the package distributed"),
        workers.on("tcp://here:1"),
    ):
        pass


def test_transfer_reports_one_half_by_each_protocol(corpora, monkeypatch, tmp_path):
    monkeypatch.setattr(transfer, "TARGETS", ("BU-3DFE-I",))
    corpora["BU-3DFE", tmp_path] = FakeCorpus(kind="sample")
    frame = transfer.transfer(Settings(data=tmp_path))
    assert len(frame) == 2 * 6 and frame["model"].unique().tolist() == list(transfer.MODELS)
    assert set(frame["subjects"]) == {4} and set(frame["n"]) == {48} and set(frame["data_kind"]) == {"sample"}
    assert {name[4] for name in sum(frame["names"], [])} == set("1357") and set(frame["half"]) == {"odd"}
    even = transfer.transfer(Settings(data=tmp_path), half="even")
    assert {name[4] for name in sum(even["names"], [])} == set("2468")
    right = [np.mean(np.array(p) == e) for p, e in zip(frame["predicted"], frame["emotions"], strict=True)]
    np.testing.assert_allclose(frame["mean"], right)
    assert ((frame["low"] <= frame["mean"]) & (frame["mean"] <= frame["high"])).all()
    corpora["BU-3DFE", tmp_path] = FakeCorpus(kind="sample", permuted=True)
    permuted = transfer.transfer(Settings(data=tmp_path))
    unsupervised = frame["supervision"].isin(["none", "cluster"])
    assert (frame["predicted"] == permuted["predicted"])[unsupervised].all() and unsupervised.sum() == 8
    assert (frame["predicted"] != permuted["predicted"])[~unsupervised].any()


def test_halves_go_by_the_number_of_the_subject():
    assert transfer.halves(np.array(["F0002", "M0013", "bs000", "F010"])).tolist() == [True, False, True, True]


def test_transfer_needs_a_folder_and_a_half(corpora, tmp_path):
    with pytest.raises(ValueError, match="needs DATA="):
        transfer.transfer(Settings())
    with pytest.raises(ValueError, match="PROFILE=full has no transfer"):
        transfer.transfer(Settings(data=tmp_path, profile="full"))
    with pytest.raises(ValueError, match="half 'both': expected one of even, odd"):
        transfer.transfer(Settings(data=tmp_path), half="both")
    with pytest.raises(FileNotFoundError, match="expected at least one of BU-3DFE"):
        transfer.transfer(Settings(data=tmp_path))
    assert corpora.keys() == {("BU-3DFE", None)}
