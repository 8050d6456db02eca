"""The lesson on the person: its four reasons on made embeddings whose answer is known, with and without the reason."""

import numpy as np
import pytest

from mvlm.labels.identity import EXPONENTS, balanced_within, by_prompts, relabel
from mvlm.labels.naming import Prompts
from mvlm.measures.nuisance import means_of
from mvlm.study.items import identity_lesson_figures as figures
from mvlm.study.items.identity_lesson import PLANE, SHARES, People, plane, shares
from mvlm.study.items.identity_why import (
    AFTER,
    BEFORE,
    BEST,
    BY_LOT,
    LEARNT,
    LEFT_IN,
    LEFT_OF_EMOTIONS,
    LEFT_OF_PEOPLE,
    MATCHED,
    OWN,
    PROMPTS,
    TRUE,
    WHY,
    anisotropy,
    balance,
    constraints,
    labellings,
    orthogonality,
    rounds,
    starts,
)
from tests.labels.crowd import crowd, unit

C = 6


def made(rows, classes, subjects, prototypes, face="anny") -> People:
    n = len(rows)
    names, emotions = np.char.add("scan ", np.arange(n).astype(str)), np.char.add("emotion ", classes.astype(str))
    prompts = Prompts(unit(prototypes), np.arange(C), 0.07)
    images, places = np.zeros((n, 3, 4, 4, 3), np.uint8), np.arange(n)
    who = np.char.add("F", subjects.astype(str))
    return People(
        "BU-3DFE-I", face, "smoke", names, who, emotions, places % 2, classes, unit(rows), prompts, images, places
    )


def people(face="anny", **how) -> People:
    found = crowd(**how)
    return made(found.rows, found.classes, found.subjects, found.prototypes, face)


def planted(seed=0, *, stretched=1.0, shared=0.0, count=24, width=32, noise=0.2) -> People:
    """People and emotions along axes of their own, or `shared`; noise that is `stretched` along eight other axes."""
    rng, axes = np.random.default_rng(seed), np.eye(width)
    emotions = axes[:C] - axes[:C].mean(0)
    along = axes[:8] if shared else axes[8:16]
    persons = 2 * rng.normal(size=(count, 8)) @ along
    classes, subjects = np.tile(np.repeat(np.arange(C), 2), count), np.repeat(np.arange(count), 2 * C)
    size = np.full(width, noise)
    size[16:24] *= stretched
    mixed = np.linalg.qr(rng.normal(size=(width, width)))[0]  # or cosines would see axes of numbers
    rows = 8 * axes[-1] + emotions[classes] + persons[subjects] + size * rng.normal(size=(len(classes), width))
    return made(rows @ mixed, classes, subjects, (8 * axes[-2] + emotions) @ mixed)


def value(frame, series, at=None):
    of = frame[(frame["series"] == series) & ((frame["at"] == at) if at is not None else True)]
    return of["percent"].iloc[-1]


@pytest.mark.parametrize("degree", EXPONENTS)
def test_the_rounds_of_the_lesson_are_those_of_the_method(degree):
    of = people(people=12, noise=2.5, texts=2.0)
    x = of.without_person
    found = labellings(x, by_prompts(x, of.prompts), *balance(of, degree))
    expected = relabel(of.rows, of.subjects, of.prompts, degree=degree)
    np.testing.assert_array_equal(found[-1], expected.labels)
    assert len(found) == expected.rounds > 1


def test_rounds_say_how_many_labels_are_right():
    of = people(people=12, noise=2.5, texts=2.0)
    frame = rounds([of])
    assert list(frame) == list(WHY) and (frame["low"] <= frame["percent"]).all()
    x = of.without_person
    for number, labels in enumerate(labellings(x, by_prompts(x, of.prompts), *balance(of, "shares"))):
        assert value(frame, "inside each person", number) == pytest.approx(100 * (labels == of.classes).mean())
    assert set(LEFT_IN.values()) < set(frame["series"])


def test_balance_inside_a_person_removes_the_person_from_the_odds():
    """Log-odds of a row with and without its person's mean differ by what balance chooses; over the corpus it can't."""
    of, rng = people(people=12, identity=2.0), np.random.default_rng(0)
    weights = rng.normal(size=(of.rows.shape[1], C))
    odds = [np.exp(6 * x @ weights) for x in (of.rows, of.rows - means_of(of.rows, of.subjects))]
    p = [each / each.sum(1, keepdims=True) for each in odds]
    inside, corpus = (
        np.abs(np.subtract(*(balanced_within(each, *balance(of, how)) for each in p))).max()
        for how in ("shares", "corpus")
    )
    assert inside < 1e-6 and corpus > 0.5


def test_anisotropy_is_what_a_cosine_loses_by():
    alike, stretched = anisotropy(planted()), anisotropy(planted(stretched=8))
    for source in (TRUE, LEARNT):
        lost = [value(frame, "discriminant", source) - value(frame, "nearest centre", source)
                for frame in (alike, stretched)]  # fmt: skip
        assert abs(lost[0]) < 5 and lost[1] > 15


def test_directions_of_people_take_the_emotion_along_only_where_they_share_them():
    for shared, least, most in ((0, 94, 100), (1, 0, 4)):
        frame = orthogonality(planted(shared=shared))
        assert value(frame, LEFT_OF_PEOPLE, 10) < 5 and least <= value(frame, LEFT_OF_EMOTIONS, 10) <= most
        assert value(frame, LEFT_OF_PEOPLE, OWN) == pytest.approx(0, abs=1e-9)
        assert value(frame, LEFT_OF_EMOTIONS, OWN) == pytest.approx(100)
        assert value(frame, MATCHED, OWN) > 90 and value(frame, LEFT_OF_EMOTIONS, 0) == pytest.approx(100)
    assert value(frame, MATCHED, 10) < 50


def test_images_find_the_groups_and_nothing_but_prompts_names_them():
    of = planted()
    frame = starts([of], range(4))
    prompts, lot = (frame[frame["series"] == series] for series in (PROMPTS, BY_LOT))
    assert value(prompts, PROMPTS, AFTER) > 95 and value(prompts, PROMPTS, BEST) == value(prompts, PROMPTS, AFTER)
    best = lot[lot["at"] == BEST]["percent"].to_numpy()
    named = lot[lot["at"] == AFTER]["percent"].to_numpy()
    assert best.max() > 95 and (best > named + 30).all()
    assert set(frame["at"]) == {BEFORE, AFTER, BEST}


def test_another_order_of_the_names_gives_the_same_groups_in_that_order():
    """No round knows one class from another: whatever tells them apart came with the start."""
    of = people(people=12, noise=2.5, texts=2.0)
    x, order = of.without_person, np.array([3, 0, 5, 1, 2, 4])
    plain, renamed = (
        labellings(x, start, *balance(of, "shares"))
        for start in (by_prompts(x, of.prompts), by_prompts(x, of.prompts)[:, order])
    )
    assert len(plain) == len(renamed) > 1
    for one, two in zip(plain, renamed, strict=True):
        np.testing.assert_array_equal(one, order[two])


def test_balance_helps_where_it_holds_in_each_person():
    found = crowd(people=40, noise=2.5, texts=0.5, identity=0.5)
    crowding = found.prototypes.copy()
    crowding[[1, 3]] = 0.9 * crowding[[0, 2]] + 0.1 * crowding[[1, 3]]  # prompts that hardly tell two pairs apart
    of = made(found.rows, found.classes, found.subjects, crowding)
    frame = constraints(of)
    assert frame["at"].tolist() == [1, 2, 5, 10, 25, 40, ""]
    assert (value(frame, "balanced among", 1) > frame["percent"][4:] + 3).all()
    # Where people show other shares than are said, it is worth nothing.
    frame = constraints(of.of(np.isin(of.classes, [0, 4])))
    assert value(frame, "balanced among", 1) < value(frame, "not balanced") - 20


def test_shares_and_neighbours_before_and_after():
    of = people(people=12, identity=2.0)
    frame = shares([of])
    assert list(frame) == list(SHARES)
    np.testing.assert_allclose(frame.groupby(["removed", "measure"])["percent"].sum(), 100)
    before, after = (frame[frame["removed"] == removed].set_index("kind") for removed in frame["removed"].unique())
    person, same = "person", "same person, another emotion"
    assert before.loc[person, "percent"] > 40 and after.loc[person, "percent"] < 5
    assert before.loc[same, "percent"] > 50 > 20 > after.loc[same, "percent"]
    assert before.loc[same, "by_lot"] == pytest.approx(100 * 10 / (144 - 2))


def test_the_plane_is_fitted_to_all_and_shows_a_few():
    of = people(people=12, identity=2.0)
    frame = plane(of, ["F1", "F5"])
    assert list(frame) == list(PLANE) and len(frame) == 2 * 24 and set(frame["subject"]) == {"F1", "F5"}
    about = of.rows - of.rows.mean(0)
    size = np.linalg.svd(about, compute_uv=False) ** 2
    np.testing.assert_allclose(frame["x_percent"].iloc[0], 100 * size[0] / size.sum())
    whole = plane(of, np.unique(of.subjects))
    part = whole[whole["removed"] == "nothing"]
    np.testing.assert_allclose(part["x"].var(ddof=0), size[0] / len(about))


def test_every_figure_draws_its_rows():
    two = [people(people=6), people("formula", people=6)]
    one = two[0]
    drawn = {
        figures.draw_shares: shares(two),
        figures.draw_plane: plane(one, ["F0", "F1"]),
        figures.draw_rounds: rounds(two),
        figures.draw_anisotropy: anisotropy(one),
        figures.draw_orthogonality: orthogonality(one),
        figures.draw_starts: starts(two, [0]),
        figures.draw_constraints: constraints(one),
    }
    for draw, frame in drawn.items():
        drawing = draw(frame)
        assert drawing.frame is frame and list(drawing.columns) == list(frame) and drawing.figure.axes
    steps = {"first": np.eye(C), "last": np.full((C, C), 1 / C)}
    drawing = figures.draw_steps(steps, one.fronts()[:C], [f"emotion {c}" for c in range(C)])
    assert len(drawing.frame) == 2 * C * C and list(drawing.columns) == list(drawing.frame)
    assert [panel.get_title().splitlines()[-1] for panel in drawing.figure.axes[1:]] == ["6 of 6 right", "1 of 6 right"]
