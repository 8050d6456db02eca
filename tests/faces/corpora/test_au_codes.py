"""Action-unit codes: columns by their header, 9 as not coded, frame numbers as written, what is refused."""

import numpy as np
import pytest

from mvlm.faces.corpora.au_codes import BP4D_PLUS, MISSING, code_files, read_occurrence


def test_columns_are_found_by_their_header(tmp_path):
    path = tmp_path / "F001_T1.csv"
    path.write_text("0,1,2,3,4\r\n415,0,1,9,0\r\n416,1,1,9,9\r\n418,9,9,9,9\r\n")
    codes = read_occurrence(path)
    assert codes.frames.tolist() == [415, 416, 418] and codes.units == (1, 2, 3, 4)
    assert codes.of(2).tolist() == [1, 1, MISSING] and codes.of(3).tolist() == [MISSING] * 3
    assert codes.coded.tolist() == [True, True, False] and codes.values.dtype == np.int8
    path.write_text("frame,AU12,AU04\n1,1,0\n")
    turned = read_occurrence(path)
    assert (turned.of(12).tolist(), turned.of(4).tolist()) == ([1], [0])
    with pytest.raises(ValueError, match="action unit 2: expected one of 12, 4"):
        turned.of(2)


@pytest.mark.parametrize("data", [
    b"\xef\xbb\xbf0,1,2\n5,1,0\n6,9,1\n", "0,1,2\n5,1,0\n6,9,1\n".encode("utf-16"),
    b"0;1;2\r\n5;1;0\r\n6;9;1\r\n\x1a", b"0,1,2,,\n5,1,0,,\n6,9,1,,\n,,\n", b"0.0,1,2\n5.0,1.0,0.0\n6.0,,1.0\n",
    b"# 2014\n0\t1\t2\n5\t1\t0\n6\tNaN\t1\n\0\0"])  # fmt: skip
def test_what_does_not_matter(tmp_path, data):
    (tmp_path / "F001_T1.csv").write_bytes(data)
    codes = read_occurrence(tmp_path / "F001_T1.csv")
    assert codes.frames.tolist() == [5, 6] and codes.of(1).tolist() == [1, MISSING] and codes.of(2).tolist() == [0, 1]


def test_a_header_of_words_has_the_columns_of_the_larger_corpus(tmp_path):
    # Listed by hand from the published order: 1,2,4,5,6,7,9-20,22,23,24,27-39.
    assert len(BP4D_PLUS) == 34 and BP4D_PLUS[5:7] == (7, 9) and BP4D_PLUS[-14:-12] == (24, 27)
    path = tmp_path / "F001_T1.csv"
    values = np.arange(34) % 2
    path.write_text("frame," + ",".join(f"unit {chr(97 + i % 26)}" for i in range(34)) + "\n7,"
                    + ",".join(map(str, values)) + "\n")
    codes = read_occurrence(path)
    assert codes.of(2).tolist() == [1] and codes.of(4).tolist() == [0] and codes.of(39).tolist() == [1]


@pytest.mark.parametrize(("text", "message"), [
    ("", "found an empty file"),
    ("0,1,2\n", "expected a row for each coded frame, found none"),
    ("0,1,2\n1,0\n", "line 2: expected a frame number and 2 codes, found 2 cells"),
    ("0,1,2\n1,0,1\n2,0,7\n", r"line 3: expected codes 0\.\.1 or 9, found 7"),
    ("0,1,2\n1,0,yes\n", "line 2: expected whole numbers, found 'yes'"),
    ("0,1,2\n1,0,-1\n", "line 2: expected whole numbers, found '-1'"),
    ("0,1,1\n1,0,1\n", "line 1: expected each action unit once"),
    ("frame,brow,smile\n1,0,1\n", "line 1: expected a header with the numbers of action units"),
    ("0,1\n5,0\n5,1\n", "line 3: expected ascending frame numbers, found 5 after 5"),
    ("0,1\n1,1\x000\n", "line 2: expected whole numbers|line 2: expected a row of a CSV file"),
])  # fmt: skip
def test_what_is_refused(tmp_path, text, message):
    path = tmp_path / "F001_T1.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_occurrence(path)
    assert str(caught.value).startswith(str(path))


def test_files_are_found_inside_and_beside_the_subjects_folder(tmp_path):
    folder = tmp_path / "Sequences(2D+3D)"
    (folder / "F001").mkdir(parents=True)
    assert code_files(folder) == {}
    occurrence, intensity = tmp_path / "aucoding/AU_OCC", tmp_path / "aucoding/Au_Int/AU06"
    occurrence.mkdir(parents=True)
    intensity.mkdir(parents=True)
    for path in (occurrence / "f001_t1.CSV", occurrence / "F001_T9.csv", occurrence / "notes.txt",
                 intensity / "F001_T1_AU06.csv"):
        path.touch()
    assert code_files(folder) == {"F001_T1": occurrence / "f001_t1.CSV"}
    assert code_files(tmp_path) == code_files(folder)
