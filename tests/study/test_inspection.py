"""What an embedding is asked besides emotions, on embeddings that are known to know it, or not to."""

import numpy as np

from mvlm.labels.naming import Prompts
from mvlm.study import inspection
from mvlm.study.embeddings import Embedded
from mvlm.study.methods import METHODS
from mvlm.study.record import Fold

SUBJECTS, CLASSES, WIDTH = 12, 3, 24
EMOTIONS = ("anger", "disgust", "fear")


def world(*, who: float, what: float, where: float = 0.0, noise: float = 0.1, seed: int = 0):
    """Unit views (N, 3, D) of subjects and emotions, each with a direction of its own, and who and what they show."""
    rng = np.random.default_rng(seed)
    people, shown, sides = (rng.normal(size=(count, WIDTH)) for count in (SUBJECTS, CLASSES, 3))
    subject, emotion = (grid.ravel() for grid in np.meshgrid(np.arange(SUBJECTS), np.arange(CLASSES), indexing="ij"))
    rows = who * people[subject] + what * shown[emotion]
    views = rows[:, None] + where * sides + noise * rng.normal(size=(len(rows), 3, WIDTH))
    names = np.array([f"F{number:03d}" for number in subject])
    return views / np.linalg.norm(views, axis=-1, keepdims=True), names, emotion, shown


def fused(views: np.ndarray) -> np.ndarray:
    rows = views.mean(1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_nearest_is_another_one():
    rows = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]])
    assert inspection.nearest(rows / np.linalg.norm(rows, axis=1, keepdims=True)).tolist() == [1, 0, 3, 2]


def test_people_are_known_again_by_the_face_and_not_by_the_smile():
    views, names, emotion, _ = world(who=1.0, what=0.5)
    nearest, probe = inspection.identity(fused(views), names, np.array(EMOTIONS)[emotion])
    assert nearest == names.tolist() and probe == names.tolist()
    views, names, emotion, _ = world(who=0.0, what=1.0)
    nearest, _ = inspection.identity(fused(views), names, np.array(EMOTIONS)[emotion])
    assert np.mean(np.array(nearest) == names) < 0.4


def test_directions_are_told_where_they_are_there():
    views, names, _, _ = world(who=0.5, what=0.5, where=1.0)
    told = inspection.yaw(views[:24], views[24:], names[:24], seed=0)
    assert told.shape == (12, 3) and (told == [0, 1, 2]).all()
    views, names, _, _ = world(who=0.5, what=0.5)
    assert (inspection.yaw(views[:24], views[24:], names[:24], seed=0) == [0, 1, 2]).mean() < 0.8


def test_few_labels_are_whole_subjects_and_the_same_every_time():
    views, names, emotion, _ = world(who=0.2, what=1.0)
    rows = fused(views)
    found = inspection.labelled(rows, emotion, names, rows, seed=0)
    assert {share: count for share, (count, _) in found.items()} == {1: 1, 5: 1, 10: 1}
    many = np.array([f"{name}{number % 4}" for number, name in enumerate(np.repeat(names, 4))])
    found = inspection.labelled(np.repeat(rows, 4, axis=0), np.repeat(emotion, 4), many, rows, seed=0)
    assert {share: count for share, (count, _) in found.items()} == {1: 1, 5: 2, 10: 5}
    assert np.mean([np.mean(said == emotion) for said in found[10][1]]) > 0.9
    again = inspection.labelled(np.repeat(rows, 4, axis=0), np.repeat(emotion, 4), many, rows, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(found[5][1], again[5][1], strict=True))


def test_clear_clusters_keep_their_names():
    views, _, emotion, shown = world(who=0.0, what=1.0)
    rows, prompts = fused(views), Prompts(shown, np.arange(CLASSES), 0.07)
    found = inspection.restarts(rows, emotion, rows, emotion, prompts, seed=0)
    assert len(found) == inspection.RESTARTS
    best = min(found, key=lambda restart: restart["inertia"])
    assert best["quality"] == best["naming"] == 1 and best["renamed"] == 0


def test_an_inspection_has_an_answer_to_every_question(tmp_path):
    views, names, emotion, shown = world(who=0.3, what=1.0, where=0.3)
    np.save(tmp_path / "e.npy", np.stack([views] * 4).astype(np.float32))
    every = Embedded(tmp_path / "e.npy", np.arange(len(views)), names, names, np.array(EMOTIONS)[emotion])
    people = np.unique(names)
    prompts = Prompts(shown, np.arange(CLASSES), 0.07)
    fold = Fold(every.of(people[:8]), every.of(people[8:]), EMOTIONS, (), 0)
    record = inspection.inspect(METHODS["baseline"], fold, prompts)
    assert len(record["views"]) == 3 and np.shape(record["yaw"]) == (12, 3)
    assert record["views"][0] == record["emotions"] and record["subject_probe"] is not None
    fold = Fold(every.of(people[:11]), every.of(people[11:]), EMOTIONS, (), 0)
    alone = inspection.inspect(METHODS["baseline"], fold, prompts)
    assert alone["subject_probe"] is None and len(alone["nearest"]) == 3
