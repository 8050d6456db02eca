"""Numbers in text, read all at once, against reading them one by one; polygons against a loop."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvlm.faces.formats.decimals import decimals
from mvlm.faces.formats.numbers import Misread, PolygonWarning, expect_polygons, fans, numbers

FEW = settings(max_examples=60, deadline=None, derandomize=True)


@lru_cache(maxsize=8)
def written(seed, size, whole, blanks=" "):
    """2,000 numbers with `size` digits behind the point and at most `whole` before it, and all kinds of signs."""
    rng, count = np.random.default_rng(seed), 2000
    digits, width = rng.integers(0, whole + 1, (2, count))
    values = rng.integers(10**digits), rng.integers(10**size, size=count)
    fronts = [f"{value:0{wide}d}"[:whole] for value, wide in zip(values[0], width, strict=True)]
    fronts = np.where(rng.integers(2, size=count), fronts, rng.choice(["", "0"], count))
    signs, between = rng.choice(["", "-", "+"], count), rng.choice(list(blanks), (count, 3))
    amount = rng.integers(1, 4, count)
    parts = zip(signs, fronts, values[1], between, amount, strict=True)
    return "".join(f"{sign}{front}.{behind:0{size}d}{''.join(b[:n])}" for sign, front, behind, b, n in parts)


@FEW
@given(seed=st.integers(0, 2**32), size=st.integers(1, 8), whole=st.integers(1, 7), strip=st.booleans())
def test_decimals_of_one_form_are_those_of_float(seed, size, whole, strip):
    text = written(seed, size, whole, " \n\t\r")
    text = text.strip() if strip else "\n" + text
    values, expected = decimals(text.encode()), np.array([float(word) for word in text.split()])
    assert np.array_equal(values.view(np.int64), expected.view(np.int64))  # bit for bit, -0.0 too
    assert np.array_equal(numbers(text.encode(), np.float64), expected)


@pytest.mark.parametrize("odd", [
    "1", "1.5", "1.1234567", "12345678.123456", "1.12345e", "1e2.123456", "-.", "--1.123456", "1-1.123456", "\x01",
    "nan", "1.123456\x1c", "1.123456.5", "1.123456x", "x1.123456", "1.1234 6", "1,123456", "1.123456/", "\x001.123456",
    "1.12345\x7f", "1.\u0661\u0661\u0661", "5.000000e1",
])  # fmt: skip
def test_numbers_of_another_form_are_left_to_the_usual_way(odd):
    text = (written(0, 6, 3) + odd + " " + written(1, 6, 3)).encode()
    assert decimals(text) is None
    assert decimals(written(0, 6, 3).encode()[:3000]) is None, "too few to be worth it"


@FEW
@given(seed=st.integers(0, 2**32), at=st.integers(0, 20_000), junk=st.binary(min_size=1, max_size=4))
def test_damage_is_read_as_float_reads_it_or_refused(seed, at, junk):
    text = written(seed % 5, 6, 3).encode()
    text = text[:at] + junk + text[at + len(junk) :]
    try:
        values = numbers(text, np.float64)
    except Misread as error:
        assert text[error.at :].split()[0]
    else:
        assert values.tolist() == [float(word) for word in text.split()]


@pytest.mark.parametrize(("text", "dtype", "message"), [
    (b"1 2 x", np.float64, "byte 4: expected a number, found 'x'"),
    (b"1 2 - 3", np.int64, "byte 4: expected an integer, found '-'"),
    (b"1 2 3.5", np.int64, "byte 4: expected an integer, found '3.5'"),
    (b"1 inf", np.float64, "byte 2: expected finite numbers, found inf"),
    (b"-nan 1", np.float64, "byte 0: expected finite numbers, found -nan"),
])  # fmt: skip
def test_what_is_no_number_is_named_with_its_place(text, dtype, message):
    with pytest.raises(Misread, match=message):
        numbers(text, dtype)


def test_what_is_not_finite_may_be_asked_for():
    assert numbers(b"1 nan -inf", np.float64, finite=False).tolist()[::2] == [1, -np.inf]
    with pytest.raises(Misread, match="byte 6: expected a number, found 'x'"):
        numbers(b"1 nan x", np.float64, finite=False)


def test_an_empty_text_has_no_numbers():
    assert numbers(b"", np.float64).shape == numbers(b" \n", np.int64).shape == (0,)


@FEW
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=20), gap=st.integers(0, 2), alike=st.booleans())
def test_fans_like_a_loop(sizes, gap, alike):
    sizes = np.array([3] * len(sizes) if alike else sizes, dtype=np.int32)
    starts = np.cumsum(sizes + gap) - (sizes + gap)
    corners = np.random.default_rng(0).integers(0, 99, int((sizes + gap).sum())).astype(np.int32)
    expected = [
        [corners[start], corners[start + i], corners[start + i + 1]]
        for start, size in zip(starts, sizes, strict=True)
        for i in range(1, size - 1)
    ]
    assert fans(corners, starts, sizes).tolist() == np.array(expected).tolist()


def test_polygons_without_a_surface_are_counted(tmp_path, recwarn):
    expect_polygons(tmp_path, np.array([3, 4]))
    assert not recwarn
    with pytest.warns(PolygonWarning, match=f"{tmp_path}: left out 3 of 4 polygons, which have fewer than 3 corners"):
        expect_polygons(tmp_path, np.array([2, 3, 0, 1]))
    for sizes, found in (([2, 1], "2 of fewer"), ([], "none")):
        with pytest.raises(ValueError, match=f"{tmp_path}: expected polygons of at least 3 corners, found {found}"):
            expect_polygons(tmp_path, np.array(sizes, dtype=int))
