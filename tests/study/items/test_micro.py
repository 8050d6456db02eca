"""Micro-expressions: how clips are cut, that one subject is left out, that labels stay out, and the table."""

import pickle

import numpy as np
import pytest

from mvlm.faces.corpora.items import Frame
from mvlm.labels.naming import Prompts
from mvlm.prompts import MICRO, prompts_for
from mvlm.samples import catalogue, open_corpus
from mvlm.settings import Settings
from mvlm.study import plan
from mvlm.study.benchmarks import BENCHMARKS, MICRO_EXPRESSIONS, TABLES
from mvlm.study.items import micro, micro_table
from mvlm.study.items.micro import ASKED, COMMONEST, EXTRA, PROBE, WAYS, cut, of_clips, said
from mvlm.study.methods import METHODS
from mvlm.twins.export import export
from mvlm.twins.twin import Twin, apex_frame

pytestmark = pytest.mark.usefixtures("drawn_once", "few_draws")

TWIN = Twin("4DME")


@pytest.mark.parametrize("name", list(MICRO_EXPRESSIONS))
def test_the_twin_has_the_numbers_of_the_benchmark(name):
    benchmark = MICRO_EXPRESSIONS[name]
    every = catalogue(TWIN)
    mask = benchmark.select(every)
    assert (mask.sum(), len(set(every.subjects[mask]))) == (benchmark.expected, benchmark.subjects)
    assert set(every.emotions[mask]) == set(benchmark.emotions) and prompts_for(benchmark.emotions, MICRO)
    assert name not in BENCHMARKS and all(name not in table.benchmarks for table in TABLES.values())


def test_each_subject_is_left_out_once(monkeypatch):
    monkeypatch.setattr(plan, "model_key", lambda _: "model")
    for chosen, count in ((Settings(), 41), (Settings(profile="smoke"), 6)):
        (experiment,) = plan.present([MICRO_EXPRESSIONS["4DME-5"]], chosen)
        split = plan.split_subjects(experiment, chosen)
        assert len(split) == count and sorted(test for _, (test,) in split) == sorted(set(experiment.samples.subjects))
        assert all(len(train) == count - 1 and test[0] not in train for train, test in split)
        assert experiment.content["prompts"] == prompts_for(experiment.benchmark.emotions, MICRO)[0]


def test_windows_lie_where_they_should():
    frames = tuple(Frame(number, None) for number in range(101, 161))  # a second
    even = WAYS["windows"].windows(frames, 60.0, None)
    numbers = [[frame.number for frame in window] for window in even]
    assert [len(window) for window in numbers] == [5] * 4
    assert numbers[0][0] == 101 and numbers[-1][-1] == 160
    assert all(max(window) - min(window) <= 15 for window in numbers)
    rise, fall = ([frame.number for frame in window] for window in WAYS["apex-windows"].windows(frames, 60.0, 120))
    assert rise[-1] == fall[0] == 120 and (rise[0], fall[-1]) == (105, 135)
    assert [[frame.number for frame in window] for window in WAYS["apex-frame"].windows(frames, 60.0, 99)] == [[101]]
    assert WAYS["apex-windows"].windows(frames, 60.0, 101)[0] == ()  # the clip begins at its apex: no rise is there


@pytest.mark.parametrize(("way", "each"), [("windows", 4), ("apex-windows", 2), ("apex-frame", 1)])
def test_a_cut_twin_is_the_same_clips(way, each):
    films = cut(TWIN, way)
    assert films.kind == "twin" and films.fingerprint.startswith(TWIN.fingerprint) and not films.scans
    whole = {clip.name: clip for clip in TWIN.sequences}
    found = [name.partition("@")[0] for name in (film.name for film in films.sequences)]
    assert set(found) == set(whole) and len(found) <= each * len(whole)
    film = films.sequences[-1]
    clip = whole[film.name.partition("@")[0]]
    place = clip.frames.index(film.frames[-1])
    seen, drawn = films.read_frame(film, len(film.frames) - 1), TWIN.read_frame(clip, place)
    np.testing.assert_array_equal(seen.vertices, drawn.vertices)  # the same noise too
    assert pickle.loads(pickle.dumps(films)) == films
    assert cut(TWIN, "clip") is TWIN
    assert len({cut(TWIN, name).fingerprint for name in WAYS}) == len(WAYS)


def test_a_folder_is_cut_by_its_manifest(tmp_path):
    export(TWIN, tmp_path, subjects=1, frames=12)
    corpus = open_corpus("4DME", tmp_path)
    apexes = {clip.name: apex_frame(TWIN, clip) for clip in TWIN.sequences}
    stills = cut(corpus, "apex-frame")
    assert len(stills.sequences) == len(corpus.sequences) and stills.fingerprint != corpus.fingerprint
    for still in stills.sequences:
        (frame,), clip = still.frames, next(one for one in corpus.sequences if one.name == still.name[:-2])
        apart = [abs(each.number - apexes[clip.name]) for each in clip.frames]
        assert abs(frame.number - apexes[clip.name]) == min(apart)
    manifest = tmp_path / "4DME/manifest.csv"
    lines = [line.split(",") for line in manifest.read_text().splitlines()]
    for cells in lines[1:]:
        cells[3] = ""
    manifest.write_text("\n".join(map(",".join, lines)) + "\n")
    unmarked = open_corpus("4DME", tmp_path)
    assert cut(unmarked, "apex-windows").sequences == () and cut(unmarked, "windows").sequences


def test_windows_are_averaged_clip_by_clip():
    rng = np.random.default_rng(0)
    views, names = rng.normal(size=(5, 2, 3)), ["b@0", "a@0", "b@2", "b@1", "a@1"]
    expected = np.stack([views[[name[0] == clip for name in names]].mean(0) for clip in "ab"])
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(of_clips(views, names), expected)
    np.testing.assert_allclose(of_clips(views, list("abcde")), views / np.linalg.norm(views, axis=-1, keepdims=True))


def planted(people=8, clips=6):
    """Clips of people who differ, of three classes, seen by three views, and prompts beside the classes."""
    rng = np.random.default_rng(0)
    classes = np.tile(np.arange(clips) % 3, people)
    subjects = np.repeat([f"s{number:02d}" for number in range(people)], clips)
    effect, person = np.eye(12)[:3], np.repeat(rng.normal(size=(people, 12)), clips, axis=0)
    views = (effect[classes] + 0.8 * person)[:, None] + 0.1 * rng.normal(size=(len(classes), 3, 12))
    prompts = Prompts(np.eye(12)[:3], np.arange(3), 0.07)
    every = sorted(set(subjects.tolist()))
    split = [([other for other in every if other != one], [one]) for one in every]
    return views, classes, subjects, prompts, split


def test_no_label_reaches_what_reads_none():
    methods = [METHODS[name] for name in ASKED]
    views, classes, subjects, prompts, split = planted()
    found = said(methods, views, classes, subjects, prompts, split, (1.0,))
    assert set(found) == {*ASKED, *EXTRA} and all(of.shape == classes.shape for of in found.values())
    assert (found["subject-centred"] == classes).mean() > 0.9 > (found["baseline"] == classes).mean()
    other = said(methods, views, np.roll(classes, 1), subjects, prompts, split, (1.0,))
    for name in ASKED:
        np.testing.assert_array_equal(found[name], other[name])
    assert (found[PROBE] != other[PROBE]).any()


def test_the_commonest_is_counted_among_others_alone():
    views, classes, subjects, prompts, split = planted(people=4, clips=3)
    classes = np.array([0, 0, 0, 1, 1, 2, 1, 2, 2, 1, 0, 1])
    found = said([METHODS["baseline"]], views, classes, subjects, prompts, split, (1.0,))[COMMONEST]
    for who in np.unique(subjects):
        assert set(found[subjects == who]) == {np.bincount(classes[subjects != who]).argmax()}


def made_records():
    rng, records = np.random.default_rng(0), []
    for name, benchmark in MICRO_EXPRESSIONS.items():
        emotions = rng.choice(benchmark.emotions, 60)
        for way in WAYS:
            told = {method: rng.choice(benchmark.emotions, 60).tolist() for method in (*ASKED, *EXTRA)}
            records.append({
                "benchmark": name, "way": way, "data_kind": "twin", "fingerprint": "f", "profile": "smoke", "folds": 10,
                "names": [f"c{number}" for number in range(60)], "subjects": [f"s{n % 10}" for n in range(60)],
                "emotions": emotions.tolist(), "said": told | {"subject-centred": emotions.tolist()},
            })  # fmt: skip
    return records


def test_the_table_says_what_each_row_knows_and_how_many_clips_there_are():
    records = made_records()
    frame = micro_table.micro_table(records)
    assert list(frame) == list(micro_table.COLUMNS) and len(frame) == len(records) * (len(ASKED) + 1) + 2
    knows = frame.set_index(["benchmark", "way", "method"])["knows"]
    assert knows["4DME-3", "clip", "baseline"] == "nothing" and knows["4DME-3", "windows", "centred"] == "nothing"
    assert knows["4DME-5", "apex-windows", "relabelled-who"] == "subjects, apex"
    assert frame.loc[frame["method"] == COMMONEST, ["encoded", "knows"]].to_numpy().tolist() == [["nothing"] * 2] * 2
    right = frame[frame["method"] == "subject-centred"]
    assert (right[["accuracy", "uf1", "uar", "uf1_low", "uar_high"]] == 100).all().all()
    assert frame["uar_guess"].round(1).unique().tolist() == [33.3, 20.0]
    parts = micro_table.render_micro(frame)
    assert [part.title for part in parts] == ["Micro-expressions: 4DME-3", "Micro-expressions: 4DME-5"]
    count = records[0]["emotions"].count("negative")
    assert f"negative {count}" in parts[0].note and "each subject left out in turn" in parts[0].note


def test_the_figures_draw_the_table_and_the_confusions():
    records = made_records()
    frame = micro_table.micro_table(records)
    drawing = micro_table.draw_micro(frame)
    assert len(drawing.figure.axes) == 4 and list(drawing.columns) == list(drawing.frame)
    confused = micro_table.draw_confusions(records)
    cells = confused.frame
    assert len(confused.figure.axes) == 4 * 3 and len(cells) == 2 * 3 * (9 + 25)
    assert np.allclose(cells.groupby(["benchmark", "way", "method", "true"])["percent"].sum(), 100)
    assert cells["clips"].sum() == 4 * 3 * 60


def test_the_full_profile_has_none():
    with pytest.raises(ValueError, match="PROFILE=full has no micro-expressions"):
        micro.micro_expressions(Settings(profile="full"))
