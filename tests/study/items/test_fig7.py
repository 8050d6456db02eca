"""Fig. 7: what is measured on the heat of sequences, and how it is put together.

More than 20 s: towers are trained end to end by a rank, and explained.
"""

from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import mvlm.settings
from mvlm.faces.pose import find_pose
from mvlm.faces.regions import PLACES, region_map
from mvlm.faces.views import YAWS, project
from mvlm.measures import explain
from mvlm.model import TINY, load_model
from mvlm.settings import Settings, Training
from mvlm.study import full_profile
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items import fig7, fig7_heat
from mvlm.study.items.fig7 import AREAS, SHARES, Attention
from mvlm.study.methods import METHODS
from mvlm.study.plan import present
from mvlm.training.adapter import Adapter
from mvlm.twins.twin import Twin

EMOTIONS = ("anger", "happiness")


@pytest.fixture(scope="module")
def task() -> fig7_heat.Task:
    """Two subjects of the BU-4DFE twin, two emotions each, one frame of each."""
    return made(4, YAWS)


def made(count: int, yaws: tuple[float, ...]) -> fig7_heat.Task:
    twin = Twin("BU-4DFE")
    chosen = [s for s in twin.sequences if s.emotion in EMOTIONS][:count]
    torch.manual_seed(2)
    adapter = Adapter(128, 0.1)
    torch.nn.init.normal_(adapter.out.weight, std=0.02)
    return fig7_heat.Task(
        adapter=adapter.eval().requires_grad_(False),
        model=(TINY, None),
        foundation=(TINY, None),
        images=np.stack([project(twin.read_frame(s, len(s.frames) // 2), yaws) for s in chosen]),
        recordings=tuple(chosen),
        classes=np.array([EMOTIONS.index(s.emotion) for s in chosen]),
        corpus=twin,
        emotions=EMOTIONS,
        yaws=yaws,
        randomised=frozenset([chosen[0].subject]),
        seed=0,
    )


def twin_face(task: fig7_heat.Task, recording) -> np.ndarray:
    mesh = task.corpus.read_frame(recording, 0)
    return region_map(mesh, pose=find_pose(mesh)) > 0


def test_rows_say_what_is_measured_of_each_view(task: fig7_heat.Task):
    done = fig7_heat.explained(task)
    model = load_model()
    found = explain.grad_cam(model, task.images, EMOTIONS, task.classes, adapter=task.adapter)
    views = pd.DataFrame(done.views)
    assert views["view"].tolist() == ["front", "left", "right"] * 4
    assert np.allclose(views["mass"], found.mass.ravel())
    assert np.allclose(views["logit"][::3], found.logits[range(4), task.classes])
    guesses = model.classify(task.images, EMOTIONS).argmax(1)
    assert views["frozen"][::3].tolist() == [EMOTIONS[c] for c in guesses]
    mesh = task.corpus.read_frame(task.recordings[1], 0)
    places = region_map(mesh, pose=find_pose(mesh))
    row = views[(views["name"] == task.recordings[1].name) & (views["view"] == "left")].iloc[0]
    mouth = places[1] == PLACES.index("mouth")
    assert np.isclose(row["share: mouth"], found.heat[1, 1][mouth].sum() / found.heat[1, 1].sum())
    assert np.isclose(row["area: mouth"], mouth.mean())
    assert np.allclose(views[SHARES].sum(axis=1), 1) and np.allclose(views[AREAS].sum(axis=1), 1)
    pairs = pd.DataFrame(done.pairs)
    assert pairs["of"].tolist() == ["front, left", "front, right", "left, right"] * 4
    assert pairs[["own", "reference"]].abs().max().max() <= 1 and (pairs["own"] != pairs["reference"]).any()
    stages = pd.DataFrame(done.stages)
    assert stages["of"].unique().tolist() == ["adapter", *(f"{i}/5 of the tower" for i in range(1, 6))]
    assert set(stages["subject"]) == set(task.randomised) and len(stages) == 6 * 2 * 3
    assert np.allclose(done.heat[1], found.heat[task.classes == 1].sum(0)) and done.count.tolist() == [2, 2]
    cam = explain.grad_cam(model, task.images, EMOTIONS, task.classes, adapter=task.adapter, form="channels").heat
    assert np.allclose(done.cam[0], cam[task.classes == 0].sum(0)) and not np.allclose(done.cam, done.heat)
    removals = pd.DataFrame(done.removals).pivot(index="name", columns="of", values="own")
    faces = [twin_face(task, recording) for recording in task.recordings]
    shown = (task.images, np.stack(faces), found.heat)
    falls = explain.removal(model, *shown, EMOTIONS, task.classes, adapter=task.adapter)
    assert np.allclose(removals.loc[[r.name for r in task.recordings], fig7_heat.HOTTEST], falls)
    assert removals.shape == (4, 4) and not removals[fig7_heat.HOTTEST].equals(removals["coldest"])
    first = task.classes.tolist().index(1)
    assert np.allclose(done.first_heat[1], found.heat[first])
    assert np.array_equal(done.first_images[1], task.images[first])


def test_subjects_can_be_explained_apart(task: fig7_heat.Task):
    together = fig7_heat.explained(task)
    one, two = (task._replace(images=task.images[part], recordings=task.recordings[part], classes=task.classes[part])
                for part in (np.s_[:2], np.s_[2:]))  # fmt: skip
    apart = [fig7_heat.explained(one), fig7_heat.explained(two)]
    for name in fig7.TABLES:
        rows, whole = [row for part in apart for row in getattr(part, name)], getattr(together, name)
        by = {"views": ("name", "view")}.get(name, ("name", "of"))
        rows, whole = (sorted(of, key=lambda row: [row[key] for key in by]) for of in (rows, whole))
        for mine, theirs in zip(rows, whole, strict=True):
            numbers = {key for key, value in mine.items() if isinstance(value, float)}
            # Ranks of places without heat turn on the last digit of a sum.
            assert [mine[key] for key in numbers] == pytest.approx([theirs[key] for key in numbers], abs=0.02)
            assert all(mine[key] == theirs[key] for key in mine.keys() - numbers)
    assert np.allclose(together.heat, apart[0].heat + apart[1].heat, atol=1e-4)


def test_the_full_profile_explains_towers_that_were_trained(
    task: fig7_heat.Task, ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(full_profile, "launch", ranks.launch)
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)
    monkeypatch.setitem(METHODS, fig7.METHOD, replace(METHODS[fig7.METHOD], rounds=1))
    chosen = Settings(profile="smoke", training=Training(epochs=1, batch=4, rate=1e-3), devices="cpu")
    (source,) = present([BENCHMARKS[fig7.SOURCE]], chosen)
    record = tmp_path / "records" / "fig7.json"
    weights = fig7._trained_towers(source, record, chosen)
    monkeypatch.setattr(full_profile, "compute", None)
    assert fig7._trained_towers(source, record, chosen) == weights  # not trained again

    trained, before = load_model(TINY, weights), load_model()
    done = fig7_heat.explained(task._replace(adapter=None, model=(TINY, str(weights))))
    found = explain.grad_cam(trained, task.images, EMOTIONS, task.classes)
    views = pd.DataFrame(done.views)[::3]
    assert np.allclose(views["logit"], found.logits[range(4), task.classes])
    for column, model in (("predicted", trained), ("frozen", before)):
        assert views[column].tolist() == [EMOTIONS[c] for c in model.classify(task.images, EMOTIONS).argmax(1)]
    moved = trained.classify(task.images, EMOTIONS) - before.classify(task.images, EMOTIONS)
    assert moved.abs().max() > 1e-3
    assert {row["of"] for row in done.stages} == {f"{i}/5 of the tower" for i in range(1, 6)}


def test_another_sequence_is_of_the_same_subject():
    subjects = np.array(["a", "b", "a", "a", "b"])
    assert [fig7_heat._another(n, subjects) for n in range(5)] == [2, 4, 3, 0, 1]


@pytest.fixture
def found() -> Attention:
    """Four subjects, two emotions, two views; the heat of anger is on the brows, that of happiness on the mouth."""
    views, pairs, stages, removals = [], [], [], []
    hot = {"anger": "brows", "happiness": "mouth"}
    for number in range(4):
        for emotion in EMOTIONS:
            about = {"name": f"s{number} {emotion}", "subject": f"s{number}", "emotion": emotion}
            predicted = "anger" if number == 3 else emotion
            for view, mass in (("front", 3.0), ("left", 1.0)):
                share = {place: 0.0 for place in PLACES}
                share[hot[emotion] if view == "front" else "cheeks"] = 1.0
                shares = {f"share: {place}": value for place, value in share.items()}
                areas = {f"area: {place}": 1 / len(PLACES) for place in PLACES}
                guess = {"predicted": predicted, "frozen": "anger", "view": view, "logit": 1.0}
                views.append(about | guess | {"mass": mass} | shares | areas)
                stages.append(about | {"of": "adapter", "own": 0.1 * number})
            pairs.append(about | {"of": "front, left", "own": 0.5, "reference": 0.25})
            removals += [about | {"of": of, "own": by} for of, by in (("hottest", 2.0), ("coldest", -0.5))]
    images, warmth = np.full((2, 2, 8, 8, 3), 100, np.uint8), np.zeros((2, 2, 8, 8))
    warmth[..., 4:] = 1
    tables = (pd.DataFrame(rows) for rows in (views, pairs, stages, removals))
    return Attention(*tables, images, warmth, images, warmth / 2, warmth / 3, EMOTIONS, "twin")


def test_measures_weigh_views_by_their_heat(found: Attention):
    table = fig7.measures(found)
    assert list(table.columns) == list(fig7.COLUMNS)
    regions = table[table["measure"] == "region"].set_index(["of", "place"])
    assert regions.loc[("anger", "brows"), "mean"] == pytest.approx(0.75)  # 3 of 4 parts of the heat are in front
    assert regions.loc[("happiness", "cheeks"), "mean"] == pytest.approx(0.25)
    assert regions.loc[("anger", "mouth"), "mean"] == 0
    assert regions.loc[("anger", "mouth"), "reference"] == pytest.approx(1 / 7)
    assert (regions["n"] == 4).all() and (regions["subjects"] == 4).all()
    accuracy = table[table["measure"] == "accuracy"].set_index("of")
    assert accuracy["mean"].to_dict() == {"trained on BP4D": 7 / 8, "frozen": 0.5}
    assert (accuracy["reference"] == 0.5).all() and accuracy.loc["trained on BP4D", "low"] < 7 / 8
    random = table[table["measure"] == "randomisation"].iloc[0]
    assert random["mean"] == pytest.approx(0.15) and random["low"] < 0.15 < random["high"] and random["n"] == 16
    fallen = table[table["measure"] == "removal"].set_index("of")["mean"]
    assert fallen.to_dict() == {"hottest": 2.0, "coldest": -0.5}
    agreed = table[table["measure"] == "consistency"].iloc[0]
    assert (agreed["mean"], agreed["reference"], agreed["low"], agreed["high"]) == (0.5, 0.25, 0.5, 0.5)


def test_sequences_without_heat_have_no_shares(found: Attention):
    cold = found.views["name"] == "s0 anger"
    found.views.loc[cold, [*SHARES, "mass"]] = 0.0
    table = fig7.measures(found)
    anger = table[(table["measure"] == "region") & (table["of"] == "anger")]
    assert (anger["n"] == 3).all() and anger["mean"].sum() == pytest.approx(1)


def test_drawings_hold_what_they_draw(found: Attention):
    table = fig7.measures(found)
    sheet = fig7.draw_sheet(found)
    assert sheet.frame["name"].unique().tolist() == ["s0 anger", "s0 happiness"] and len(sheet.frame) == 4
    for drawing in (sheet, fig7.draw_regions(table), fig7.draw_checks(table)):
        assert list(drawing.frame.columns) == list(drawing.columns)
        drawing.figure.canvas.draw()
    assert "background" not in set(fig7.draw_regions(table).frame["place"])
    labels = [tick.get_text() for tick in sheet.figure.axes[0].get_xticklabels()]
    assert labels == ["front", "left"] * 4


def test_five_views_are_told_apart_and_drawn():
    task = made(2, (0.0, 30.0, -30.0, 60.0, -60.0))
    names = ["front", "left 30°", "right 30°", "left 60°", "right 60°"]
    done = fig7_heat.explained(task)
    views, pairs, stages, removals = (pd.DataFrame(getattr(done, name)) for name in fig7.TABLES)
    assert views["view"].tolist() == names * 2
    mesh = task.corpus.read_frame(task.recordings[0], 0)
    places = region_map(mesh, task.yaws, pose=find_pose(mesh))
    areas = [(places[v] == PLACES.index("mouth")).mean() for v in range(5)]
    assert len(set(areas)) == 5 and views["area: mouth"][:5].tolist() == pytest.approx(areas)

    sums = (done.images.astype(np.uint8), done.heat, done.cam)  # one sequence of each emotion
    found = Attention(views, pairs, stages, removals, *sums[:2], *sums, EMOTIONS, "twin")
    table = fig7.measures(found)
    agreed = table[table["measure"] == "consistency"]
    assert agreed["of"].tolist() == [", ".join(pair) for pair in combinations(names, 2)] and (agreed["n"] == 2).all()
    sheet = fig7.draw_sheet(found)
    assert [tick.get_text() for tick in sheet.figure.axes[0].get_xticklabels()] == names * 4
    assert sheet.frame["view"].tolist() == names * 2
    fig7.draw_regions(table).figure.canvas.draw()
    checks = fig7.draw_checks(table).figure
    checks.canvas.draw()
    ticks = [tick.get_window_extent() for tick in checks.axes[2].get_xticklabels()]
    assert len(ticks) == 10 and all(one.x1 < other.x0 for one, other in pairwise(ticks))


def test_a_picture_without_heat_stays_as_it_is():
    image = np.full((2, 4, 4, 3), 90, np.uint8)
    warmth = np.zeros((2, 4, 4))
    warmth[1, 2, 3] = 1
    shown = fig7.overlaid(image, warmth)
    assert (shown[0] == 90).all() and (shown[1].reshape(-1, 3) != 90).all(1).sum() == 1
