"""Contact sheets: every picture at its place, names that fit."""

import numpy as np
import pytest

from mvlm.report.sheets import GAP, contact_sheet


def test_pictures_stand_in_rows_and_columns():
    pictures = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1) * np.ones((1, 1, 5, 4), np.uint8) * 10
    figure = contact_sheet(pictures, ["a", "b"], ["x", "y", "z"], groups=["all"])
    axes = figure.axes[0]
    page = axes.images[0].get_array()
    assert page.shape == (2 * (5 + GAP), 3 * (4 + GAP), 3)
    assert (page[0, 0] == 0).all() and (page[5 + GAP, 2 * (4 + GAP)] == 50).all() and (page[5, 0] == 255).all()
    assert [t.get_text() for t in axes.get_xticklabels()] == ["x", "y", "z"]
    assert [t.get_text() for t in axes.texts] == ["all"]


def test_colours_stay():
    red = np.zeros((1, 1, 5, 4, 3), np.uint8) + np.array([200, 10, 0], np.uint8)
    page = contact_sheet(red, ["a"], ["x"]).axes[0].images[0].get_array()
    np.testing.assert_array_equal(page[2, 2], [200, 10, 0])


def test_names_and_pictures_must_fit():
    with pytest.raises(ValueError, match=r"expected 1 x 2 pictures, got \(2, 3, 5, 4\)"):
        contact_sheet(np.zeros((2, 3, 5, 4), np.uint8), ["a"], ["x", "y"])
