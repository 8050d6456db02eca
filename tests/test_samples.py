import errno
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import mvlm.settings
from mvlm.faces import dynamics, views
from mvlm.faces.corpora.items import Frame, Scan, Sequence, evenly_spaced
from mvlm.faces.dynamics import dynamic_image
from mvlm.faces.pose import Pose
from mvlm.samples import Rendering, cache_folder, catalogue, folds, load_samples
from mvlm.study.benchmarks import BENCHMARKS

BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")


@dataclass(frozen=True)
class FakeCorpus:
    """Scans whose "mesh" is their name, and one or more that cannot be read."""

    scans: tuple[Scan, ...]
    bad: tuple[str, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    name: str = "BU-3DFE"
    kind: str = "twin"
    fingerprint: str = "fake"

    @property
    def items(self):
        return self.scans or self.sequences

    def read(self, scan):
        if scan.name in self.bad:
            raise ValueError(f"{scan.path}: line 7: expected three numbers, got 'x'")
        return scan.name

    def read_frame(self, sequence, place):
        frame = sequence.frames[place]
        if f"{sequence.name} {frame.number}" in self.bad:
            raise ValueError(f"{frame.path}: cut short")
        return f"{sequence.name} {frame.number}"


def grid(subjects=5, levels=(1, 2, 3, 4)):
    """BU-3DFE in small: each subject neutral and with six emotions at each level."""
    scans = []
    for number in range(subjects):
        subject = f"F{number:04d}"
        scans.append(Scan(f"{subject}_NE00WH", subject, "neutral", 0, None, "NE"))
        for emotion in BASIC:
            code = emotion[:2].upper()
            scans += [
                Scan(f"{subject}_{code}{v:02d}WH", subject, emotion, v, Path(f"{code}{v}.wrl"), code) for v in levels
            ]
    return tuple(sorted(scans, key=lambda scan: scan.name))


def film(subjects=2, frames=20):
    """BU-4DFE in small."""
    sequences = []
    for number in range(1, subjects + 1):
        for emotion in BASIC:
            name = f"F{number:03d}_{emotion.title()}"
            shots = tuple(Frame(i, Path(f"{emotion}/{i:03d}.wrl")) for i in range(frames))
            sequences.append(Sequence(name, name[:4], emotion, emotion.title(), shots, 25.0))
    return FakeCorpus((), sequences=tuple(sequences), name="BU-4DFE")


def picture(mesh, yaws, size):
    seed = int.from_bytes(mesh.encode(), "little")
    grey = np.random.default_rng(seed).integers(0, 256, (len(yaws), size, size, 1), np.uint8)
    return np.repeat(grey, 3, axis=-1)


class Follower:
    """In place of a pose, the first frame that it was shown and the one that it is shown."""

    def __init__(self):
        self.first = None

    def __call__(self, mesh):
        self.first = self.first or mesh
        return Pose(self.first, mesh)


@pytest.fixture
def rendering(monkeypatch, tmp_path):
    """Random pictures in place of ray casting, in a cache of their own; counts what was rendered."""
    seen, shown = [], []

    def project(mesh, yaws=views.YAWS, size=64, *, channel="shaded", pose=None):
        seen.append(mesh)
        shown.append((channel, pose))
        if mesh == "F0000_AN01WH" and project.faceless:
            raise ValueError("no face to align")
        return picture(mesh, yaws, size)

    project.faceless = False
    project.seen, project.shown = seen, shown
    monkeypatch.setattr(views, "project", project)
    monkeypatch.setattr(dynamics, "Track", Follower)
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)
    return project


def test_views_stand_in_the_order_of_scans_without_neutral(rendering):
    corpus = FakeCorpus(grid())
    loaded = load_samples(corpus, size=8, jobs=1)
    assert loaded.images.shape == (120, 3, 8, 8, 3) and loaded.images.dtype == np.uint8
    assert loaded.names.tolist() == [scan.name for scan in corpus.scans if scan.emotion != "neutral"]
    for row in (0, 17, 63, 119):  # rows of different chunks
        np.testing.assert_array_equal(loaded.images[row], picture(loaded.names[row], views.YAWS, 8))
    assert isinstance(loaded.images, np.memmap)
    assert len(rendering.seen) == 120


def test_the_cache_is_used_and_moves_with_content_size_and_subjects(rendering):
    corpus = FakeCorpus(grid(2))
    first = load_samples(corpus, size=8, jobs=1)
    again = load_samples(corpus, size=8, jobs=1)
    np.testing.assert_array_equal(first.images, again.images)
    assert len(rendering.seen) == 48
    load_samples(corpus, size=16, jobs=1)
    assert len(rendering.seen) == 96
    load_samples(replace(corpus, fingerprint="other"), size=8, jobs=1)
    assert len(rendering.seen) == 144
    few = load_samples(corpus, size=8, jobs=1, subjects=["F0001"])
    assert set(few.subjects) == {"F0001"} and len(rendering.seen) == 168


def test_the_cache_moves_with_how_samples_are_shown(rendering):
    still, moving = FakeCorpus(grid(1)), film(1)
    ways = [Rendering(), Rendering(channel="depth"), Rendering(yaws=(0.0, 20.0, -20.0)), Rendering(frames=5)]
    assert len({cache_folder(moving, size=8, rendering=way) for way in ways}) == 4
    assert len({cache_folder(still, size=8, rendering=way) for way in ways}) == 3  # a scan has no frames
    load_samples(still, size=8, jobs=1, rendering=ways[1])
    assert set(rendering.shown) == {("depth", None)}
    assert load_samples(still, size=8, jobs=1, rendering=Rendering(yaws=(0.0,))).images.shape[1] == 1


def cut_short(monkeypatch, corpus, at):
    """A rendering that is interrupted at one mesh."""
    whole = views.project

    def interrupted(mesh, **how):
        if mesh == at:
            raise KeyboardInterrupt
        return whole(mesh, **how)

    with monkeypatch.context() as patch:
        patch.setattr(views, "project", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load_samples(corpus, size=8, jobs=1)
    assert not [folder for folder in (mvlm.settings.RUNS / "cache" / "views").iterdir() if folder.name[0] != "."]


@pytest.mark.parametrize(
    ("corpus", "at", "lost"), [(FakeCorpus(grid(2)), "F0001_HA02WH", 32), (film(), "F001_Surprise 13", 5 * 16)]
)
def test_a_rendering_cut_short_is_taken_up(rendering, monkeypatch, corpus, at, lost):
    cut_short(monkeypatch, corpus, at)
    (journal,) = (mvlm.settings.RUNS / "cache" / "views").glob(".*/done.jsonl")
    kept = journal.read_text()
    journal.write_text(kept + kept.splitlines()[-1][:7])  # as a kill in the middle of a line leaves it
    before = len(rendering.seen)
    images = load_samples(corpus, size=8, jobs=1).images
    meshes = 48 if corpus.scans else 12 * 16
    assert len(rendering.seen) - before == meshes - lost  # whole chunks are not rendered again
    assert not list((mvlm.settings.RUNS / "cache" / "views").glob(".*/done.jsonl"))
    rendered = len(rendering.seen)
    again = load_samples(replace(corpus, fingerprint="elsewhere"), size=8, jobs=1).images
    np.testing.assert_array_equal(images, again)
    assert len(rendering.seen) == rendered + meshes


def test_a_full_disk_is_said_before_any_mesh_is_read(rendering, monkeypatch):
    def full(*_file):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.posix_fallocate", full)
        with pytest.raises(OSError, match="No space left"):
            load_samples(FakeCorpus(grid(2)), size=8, jobs=1)
    assert not rendering.seen
    assert len(load_samples(FakeCorpus(grid(2)), size=8, jobs=1)) == 48  # the same command goes on with more room


def test_a_sequence_is_a_dynamic_image_whose_views_follow_the_head_from_its_first_frame(rendering):
    corpus = film()
    loaded = load_samples(corpus, size=8, jobs=1)
    assert loaded.images.shape == (12, 3, 8, 8, 3) and set(loaded.levels) == set(loaded.takes) == {0}
    assert loaded.names.tolist() == catalogue(corpus).names.tolist() == [s.name for s in corpus.sequences]
    for row in (0, 7):
        numbers = evenly_spaced(20, 16)
        frames = np.stack([picture(f"{loaded.names[row]} {n}", views.YAWS, 8) for n in numbers])
        np.testing.assert_array_equal(loaded.images[row, ..., :1], dynamic_image(frames[..., :1]))
    assert len(rendering.seen) == 12 * 16
    followed = [tuple(pose) for _, pose in rendering.shown]
    assert followed[:16] == [("F001_Anger 0", f"F001_Anger {n}") for n in evenly_spaced(20, 16)]
    assert {first for first, _ in followed[16:32]} == {"F001_Disgust 0"}


def test_a_sequence_goes_on_without_bad_frames_while_two_remain(rendering):
    names = [sequence.name for sequence in film().sequences]
    wanted = evenly_spaced(20, 16).tolist()
    lost = [f"{names[0]} {n}" for n in wanted[:1]] + [f"{names[3]} {n}" for n in wanted[:-2]]
    lost += [f"{names[5]} {n}" for n in wanted[:-1]]
    corpus = replace(film(), bad=tuple(lost))
    with pytest.raises(ValueError, match="BU-4DFE: 1 of 12 sequences and 15 frames of others are bad") as error:
        load_samples(corpus, size=8, jobs=1)
    assert f"{names[0]}, frame 0: anger/000.wrl: cut short" in str(error.value).replace("\\", "/")
    assert f"{names[5]}: expected at least 2 of 16 frames, found 1 (frame 0: " in str(error.value)
    rendered = len(rendering.seen)
    loaded = load_samples(corpus, size=8, jobs=1, skip_bad=True)
    assert len(rendering.seen) == rendered and len(loaded) == 11 and names[5] not in loaded.names
    frames = np.stack([picture(f"{names[0]} {n}", views.YAWS, 8) for n in wanted[1:]])
    np.testing.assert_array_equal(loaded.images[0, ..., :1], dynamic_image(frames[..., :1]))
    firsts = {pose.turn for _, pose in rendering.shown if pose.tip.startswith(names[0])}
    assert firsts == {f"{names[0]} {wanted[1]}"}  # the first that could be read


def test_all_bad_scans_are_listed_then_left_out_if_asked(rendering):
    rendering.faceless = True
    corpus = FakeCorpus(grid(2), bad=("F0000_DI02WH", "F0001_SU04WH"))
    with pytest.raises(ValueError, match="3 of 48 scans are bad") as error:
        load_samples(corpus, size=8, jobs=1)
    for part in ("F0000_DI02WH: DI2.wrl: line 7: expected three", "F0001_SU04WH", "F0000_AN01WH: AN1.wrl: no face to"):
        assert part in str(error.value)
    rendered = len(rendering.seen)
    good = load_samples(corpus, size=8, jobs=1, skip_bad=True)
    assert len(rendering.seen) == rendered  # what was good is kept
    assert len(good) == 45 and set(good.bad) == {"F0000_AN01WH", "F0000_DI02WH", "F0001_SU04WH"}
    for row in (0, 1, 44):
        np.testing.assert_array_equal(good.images[row], picture(good.names[row], views.YAWS, 8))


def test_a_corpus_without_a_usable_scan_is_an_error(rendering):
    neutral = tuple(scan for scan in grid(2) if scan.emotion == "neutral")
    with pytest.raises(ValueError, match="no readable scan that shows an emotion"):
        load_samples(FakeCorpus(neutral), size=8, jobs=1)
    assert rendering.seen == []


@pytest.mark.parametrize(("count", "sizes"), [(100, {10}), (101, {10, 11}), (65, {6, 7}), (41, {4, 5})])
def test_ten_folds_share_out_the_subjects(count, sizes):
    subjects = [f"F{number:04d}" for number in range(count)]
    split = folds(subjects * 3)
    tests = [subject for _, test in split for subject in test]
    assert len(split) == 10 and sorted(tests) == subjects
    assert {len(test) for _, test in split} == sizes
    assert all(sorted(train + test) == subjects for train, test in split)


def test_folds_follow_the_written_rule_whatever_the_order():
    subjects = np.array(["M0002", "F0002", "F0001", "M0001", "F0010", "F0011", "M0003"])
    expected = np.array_split(np.random.default_rng(3).permutation(np.sort(subjects)), 3)
    for given in (subjects, subjects[::-1], np.repeat(subjects, 2)):
        assert [test for _, test in folds(given, 3, seed=3)] == [sorted(part) for part in expected]
    assert folds(subjects, 3, seed=3) != folds(subjects, 3, seed=4)


def test_few_subjects_make_few_folds_and_one_none():
    assert [len(test) for _, test in folds(["F0001", "F0002", "M0001"])] == [1, 1, 1]
    with pytest.raises(ValueError, match="expected at least two"):
        folds(["F0001", "F0001"])
    with pytest.raises(ValueError, match="expected at least two"):
        folds(["F0001", "F0002"], 1)


def test_subsets_of_bu3dfe():
    every = catalogue(FakeCorpus(grid(3)))
    assert BENCHMARKS["BU-3DFE-II"].select(every).all() and len(every) == 72
    one = every.select(BENCHMARKS["BU-3DFE-I"].select(every))
    assert len(one) == 36 and set(one.levels) == {3, 4}
    np.testing.assert_array_equal(BENCHMARKS["BU-3DFE-I"].labels(np.array(["surprise", "anger"])), [5, 0])


def test_bosphorus_needs_six_distinct_expressions_and_takes_the_lowest():
    def subject(number, emotions, takes):
        name = f"bs{number:03d}"
        words = {"happiness": "HAPPY"}
        return [
            Scan(f"{name}_E_{words.get(e, e.upper())}_{t}", name, e, None, None, f"E_{words.get(e, e.upper())}")
            for e, t in zip(emotions, takes, strict=True)
        ]

    scans = [
        *subject(0, BASIC, (0,) * 6),
        *subject(1, (*BASIC[:5], "anger"), (0, 0, 0, 0, 0, 1)),  # six scans of five expressions
        *subject(2, (*BASIC, "fear", "fear"), (0, 0, 11, 0, 0, 0, 2, 10)),  # takes compare as numbers
        *subject(3, BASIC[:5], (0,) * 5),
        Scan("bs003_LFAU_9_0", "bs003", None, None, None, "LFAU_9"),
        Scan("bs000_N_N_0", "bs000", "neutral", None, None, "N"),
    ]
    every = catalogue(FakeCorpus(tuple(sorted(scans, key=lambda scan: scan.name)), name="Bosphorus"))
    chosen = every.select(BENCHMARKS["Bosphorus"].select(every))
    assert set(chosen.subjects) == {"bs000", "bs002"} and len(chosen) == 12
    assert "bs002_E_FEAR_2" in chosen.names and set(chosen.levels) == {0}


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_the_twins_have_the_numbers_of_the_real_corpora(name):
    from mvlm.samples import open_corpus

    benchmark = BENCHMARKS[name]
    every = catalogue(open_corpus(benchmark.corpus))
    mask = benchmark.select(every)
    assert mask.sum() == benchmark.expected
    assert len(set(every.subjects[mask])) == benchmark.subjects
