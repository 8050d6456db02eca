"""Single moments of films: the person is removed over all of theirs, missing ones are passed over, the picture."""

import numpy as np
import pandas as pd
import pytest

from mvlm.labels.clusters import unit_rows
from mvlm.study.items.film_moments import COLUMNS, draw_moments, told_by_moment


def naive(rows, subjects, prototypes):
    said = np.full(rows.shape[:2], -1)
    for film, moments in enumerate(rows):
        own = [r / np.linalg.norm(r) for f, of in enumerate(rows) if subjects[f] == subjects[film] for r in of
               if not np.isnan(r).any()]  # fmt: skip
        for place, row in enumerate(moments):
            if not np.isnan(row).any():
                left = row / np.linalg.norm(row) - np.mean(own, axis=0)
                said[film, place] = int(np.argmax([left @ p / np.linalg.norm(p) for p in prototypes]))
    return said


def test_moments_are_told_as_by_hand_and_missing_ones_are_not():
    rng = np.random.default_rng(0)
    rows, subjects = rng.normal(size=(7, 5, 6)), np.array(list("aabbbca"))
    rows[2, 1] = rows[5, 4] = np.nan
    prototypes = unit_rows("prototypes", rng.normal(size=(4, 6)))
    said = told_by_moment(rows, subjects, prototypes)
    assert np.array_equal(said, naive(rows, subjects, prototypes))
    assert np.argwhere(said < 0).tolist() == [[2, 1], [5, 4]]


def test_a_person_that_outweighs_every_expression_does_not_hide_it():
    expressions, persons = np.eye(4), 5 * np.eye(8)[4:]
    rows = np.array([[np.r_[expressions[e], np.zeros(4)] + persons[p] for e in range(4)] for p in range(4)])
    said = told_by_moment(rows, np.arange(4), np.eye(4, 8))
    assert np.array_equal(said, np.tile(np.arange(4), (4, 1)))


def test_the_picture_has_every_moment_and_the_one_image_across():
    row = {"data_kind": "twin", "low": 10.0, "high": 30.0, "accuracy": 20.0, "chance": 12.5, "n": 4, "subjects": 2}
    moments = pd.DataFrame(
        [row | {"benchmark": b, "film": cut, "moment": m, "place": m / 3, "profile": "smoke"}
         for b in ("BP4D", "BU-4DFE") for cut in ("windows", "frames") for m in (1, 2)], columns=list(COLUMNS),
    )  # fmt: skip
    films = pd.DataFrame(
        [{"benchmark": b, "film": "image", "method": "subject-centred", "asked": "zero-shot", "accuracy": a}
         for b, a in (("BP4D", 40.0), ("BU-4DFE", 70.0))]
    )  # fmt: skip
    drawing = draw_moments(moments, films)
    assert len(drawing.figure.axes) == 2 and drawing.frame.equals(moments)
    across = [[line.get_ydata()[0] for line in panel.lines if len(set(line.get_ydata())) == 1]
              for panel in drawing.figure.axes]  # fmt: skip
    assert 40.0 in across[0] and 70.0 in across[1]
    with pytest.raises(ValueError, match="unpack"):
        draw_moments(moments, films[films["benchmark"] == "BP4D"])
