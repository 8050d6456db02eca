"""Films in layers: what pooling leaves of true action units, the table of what is lost where, heat over time, cost."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import mvlm.settings
from mvlm.cache import workers
from mvlm.faces.dynamics import pooling_weights
from mvlm.faces.windows import CUTS, project_windows
from mvlm.measures import explain
from mvlm.model import TINY, load_model
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.items import film_cost, film_heat, film_units, films
from mvlm.study.items.differences import difference
from mvlm.study.items.film_units import ALL_IMAGE, ALL_MEAN, POOLINGS, true_units
from mvlm.study.items.films import DIFFERENCES, EMBEDDING, LAYERS, REPRESENTATIONS, UNITS, UNLABELLED
from mvlm.study.items.table_figures import draw_confusions
from mvlm.study.methods import FILM_BASES, FILMS
from mvlm.twins.twin import Twin
from tests.made_records import made_runs

SMOKE = Settings(profile="smoke", jobs=1)


def naive(course: np.ndarray, fps: float, frames: int) -> dict[str, np.ndarray]:
    """Every pooling by loops over moments and units."""

    def ranked(places: list[int]) -> list[float]:
        weights = pooling_weights(len(places))
        return [sum(w * course[place, u] for w, place in zip(weights, places, strict=True)) for u in range(2)]

    def mean(places: list[int]) -> list[float]:
        return [sum(course[place, u] for place in places) / len(places) for u in range(2)]

    moments = [number * (len(course) - 1) // (frames - 1) for number in range(frames)]
    windows = [ranked(places) for places in CUTS["windows"](len(course), fps, frames).tolist()]
    parts = [[max(value, 0) for value in window] + [max(-value, 0) for value in window] for window in windows]
    averaged = [sum(column) / len(parts) for column in zip(*parts, strict=True)]
    both = [np.add(part, film_units.FAINT) for part in (averaged, mean(moments))]
    found = {
        ALL_MEAN: mean(range(len(course))),
        ALL_IMAGE: ranked(range(len(course))),
        "image": ranked(moments),
        "windows": averaged,
        "windows-max": [max(column) for column in zip(*parts, strict=True)],
        "frames": mean(moments),
        "windows+frames": np.concatenate([part / np.linalg.norm(part) for part in both]),
    }
    return {film: np.array(values) for film, values in found.items()}


@pytest.mark.parametrize("length", [100, 27, 5])
def test_poolings_of_true_units_against_loops(length: int):
    course = np.random.default_rng(length).uniform(0, 1, (length, 2))
    expected = naive(course, 25.0, 4)
    assert expected.keys() == POOLINGS.keys()
    for film, pool in POOLINGS.items():
        np.testing.assert_allclose(pool(course, 25.0, 4), expected[film], atol=1e-5)


def test_what_comes_and_goes_is_lost_to_one_image_alone():
    """A display that begins and ends with the film: windows and frames tell it from rest, what grows does not."""
    course = np.zeros((100, 2))
    course[:, 0] = np.sin(np.linspace(0, 8 * np.pi, 100)) ** 2
    found = {film: pool(course, 25.0, 16) for film, pool in POOLINGS.items()}
    scale = np.abs(pooling_weights(16)).sum() / 2
    assert abs(found["image"][0]) / scale < 0.25 < 0.4 < found["frames"][0]
    assert found["windows"][0] > 0.3 and found["windows"][2] > 0.3 and not found["windows"][[1, 3]].any()


def test_true_units_are_told_on_the_folds_of_the_runs_and_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)
    found = true_units(["BU-4DFE"], SMOKE)
    assert found.groupby("film", sort=False).size().to_dict() == dict.fromkeys(POOLINGS, 2)
    assert sorted(sum(found.query("film == 'frames'")["names"], []))[0].startswith("F001_")
    right = {
        (film, column): np.mean(np.concatenate([np.array(row[column]) == row["emotions"] for row in of]))
        for film, of in ((film, of.to_dict("records")) for film, of in found.groupby("film"))
        for column in ("plain", "subject_centred")
    }
    assert min(right.values()) > 0.4 and right[ALL_MEAN, "plain"] > 0.6  # posed: every pooling keeps it
    monkeypatch.setattr(workers, "each", lambda *_, **__: pytest.fail("it is kept"))
    assert true_units(["BU-4DFE"], SMOKE).equals(found)
    assert true_units(["BU-4DFE"], Settings(profile="smoke", data=tmp_path)).empty


@pytest.fixture(scope="module")
def records() -> pd.DataFrame:
    return made_runs(films.ON, (*FILM_BASES, *FILMS))


@pytest.fixture(scope="module")
def units() -> pd.DataFrame:
    runs = made_runs(films.FOLDED, ["oracle"])
    columns = {"zero_shot": "plain", "probe": "subject_centred"}
    return pd.concat([runs.rename(columns=columns).assign(film=film) for film in POOLINGS], ignore_index=True)


def test_every_representation_has_every_layer_that_it_can_have(records, units):
    frame = films.films_table(records, units)
    assert list(frame) == list(films.COLUMNS)
    assert ((frame["low"] <= frame["accuracy"]) & (frame["accuracy"] <= frame["high"])).all()
    count = frame.groupby(["benchmark", "layer"], sort=False).size().to_dict()
    kinds, bases = len(REPRESENTATIONS) - 2, len(FILM_BASES)  # two are of true units alone
    for name in films.FOLDED:
        assert count[name, UNITS] == 2 * len(POOLINGS)
        assert count[name, EMBEDDING] == 2 * kinds and count[name, UNLABELLED] == bases * kinds
    cross = films.ON[2]
    assert (cross, UNITS) not in count and count[cross, UNLABELLED] == 2 * bases * kinds
    asked = frame[(frame["benchmark"] == cross) & (frame["layer"] == UNLABELLED)].groupby("asked")["chance"].unique()
    assert [float(each[0]) for each in asked] == [pytest.approx(100 / 6), 50.0]
    known = frame.groupby("method")["knows"].first()
    assert known["centred-frames"] == "nothing" and known["subject-centred-windows"] == "subjects"
    assert known["impersonal-shares-windows+frames"] == "class shares"


def test_pages_have_a_part_for_each_way_to_ask(records, units):
    parts = films.render_films(films.films_table(records, units))
    assert len(parts) == 4 and "BU-4DFE-to-BP4D, 2-way" in parts[3].title
    assert len(parts[0].cells) == len(REPRESENTATIONS) and len(parts[2].cells) == len(REPRESENTATIONS) - 2
    assert list(parts[0].cells)[1:] == [f"{layer.layer}: {layer.measure}" for layer in LAYERS]
    assert (parts[0].cells.iloc[0, 3:] == "–").all() and (parts[0].cells.iloc[2:] != "–").all(axis=None)
    assert (parts[3].cells.iloc[:, 1:5] == "–").all(axis=None) and "Chance 50.0" in parts[3].note
    real = films.render_films(films.films_table(records, pd.DataFrame()))  # of corpora nobody knows the true units
    assert len(real[0].cells) == len(REPRESENTATIONS) - 2 and (real[0].cells.iloc[:, 1:3] == "–").all(axis=None)


def test_differences_are_to_the_same_recipe_on_one_image(records):
    frame = films.against_image(records)
    assert list(frame) == list(DIFFERENCES)
    assert len(frame) == len(films.ON) * (len(LAYERS) - 2) * (len(REPRESENTATIONS) - 3)
    row = frame.query("benchmark == 'BU-4DFE' and method == 'subject-centred-windows' and layer == @UNLABELLED").iloc[0]
    of = records[records["benchmark"] == "BU-4DFE"]
    expected = difference(of[of["method"] == "subject-centred-windows"], of[of["method"] == "subject-centred"])
    assert row[list(expected)].to_dict() == expected
    parts = films.render_against_image(frame)
    assert [part.title.split(" (")[0] for part in parts] == list(films.ON)
    assert list(parts[0].cells)[2:] == [REPRESENTATIONS[film] for film in list(REPRESENTATIONS)[3:]]


def test_figures_draw_what_stands_in_the_table(records, units):
    frame = films.films_table(records, units)
    drawing = films.draw_layers(frame)
    assert len(drawing.figure.axes) == 3 and len(drawing.frame) == 2 * (len(POOLINGS) + 4 * 5) + 4 * 5
    confused = draw_confusions(records, films.CONFUSED)
    assert len(confused.figure.axes) == len(films.CONFUSED) * 3
    assert set(confused.frame["method"]) == set(films.CONFUSED)


def test_heat_is_shared_out_among_windows_and_regions():
    twin = Twin("BP4D")
    recording = twin.sequences[0]
    places = CUTS["windows"](len(recording.frames), recording.fps, 4)
    images, _ = project_windows(twin, recording, places)
    images = np.concatenate([images, np.zeros_like(images[:1])])  # a window that is missing
    emotions = BENCHMARKS["BP4D"].emotions
    yaws = (0.0, 45.0, -45.0)
    task = film_heat.Task(recording, images, places, emotions, 3, twin, yaws, (TINY, None))
    rows, fronts, heat = film_heat._looked(task)
    frame = pd.DataFrame(rows)
    assert list(frame) == list(film_heat.COLUMNS) and frame["window"].unique().tolist() == [1, 2]
    flat = np.repeat(images[:2].reshape(1, 6, 64, 64, 1), 3, axis=-1)
    mass = explain.grad_cam(load_model(), flat, emotions, np.array([3])).mass.reshape(2, 3)
    np.testing.assert_allclose(frame.groupby("window")["share"].sum(), mass.sum(1) / mass.sum(), atol=1e-5)
    assert frame["start"].unique()[0] == 0 and frame["end"].max() == pytest.approx((len(recording.frames) - 1) / 25)
    assert not heat[2].any() and heat.max() == 1 and (fronts == images[:, 0, ..., 0]).all()
    found = film_heat.Looked(frame, fronts[None], heat[None], "twin")
    assert len(film_heat.draw_over_time(found).figure.axes) == 1
    assert film_heat.draw_film_heat(found).frame.equals(frame)


def test_the_cost_is_told_from_the_index(monkeypatch):
    prompts = SimpleNamespace(text=np.zeros((1, 128)))
    monkeypatch.setattr(film_cost, "sized_prompts", lambda *_: (64, prompts))
    frame = film_cost.cost_of_films(SMOKE)
    assert list(frame) == list(film_cost.COLUMNS) and frame["films"].tolist() == [48] * 5 + [36] * 5
    rows = frame[frame["corpus"] == "BP4D"].set_index("film")
    assert rows["frames"].to_dict() == {
        "image": 4, "windows": 10, "windows-max": 10, "frames": 4, "windows+frames": 14
    }  # fmt: skip
    assert rows["pictures"].tolist() == [3, 6, 6, 12, 18]
    assert rows["views"]["image"] == pytest.approx(48 * 3 * 64 * 64 * 3 / 1e9)
    assert rows["views"]["image"] == pytest.approx(rows["views"]["windows"] * 1.5)  # one grey channel of two windows
    assert rows["embeddings"]["frames"] == pytest.approx(48 * 12 * 4 * 128 * 4 / 1e9)
    (part,) = film_cost.render_cost(frame)
    assert len(part.cells) == 10 and "BP4D 48 films; BU-4DFE 36 films" in part.note
