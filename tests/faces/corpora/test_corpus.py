"""Folders of corpora: grammar of names, where they are looked for, what is refused, check and fingerprint."""

import struct
from dataclasses import replace

import numpy as np
import pytest

import mvlm.faces
from mvlm.faces import EMOTIONS, Scan
from mvlm.samples import open_corpus

WRL = """#VRML V2.0 utf8
Shape { geometry IndexedFaceSet {
coord Coordinate { point [ 0 0 %d, 1 0 0, 0 1 0 ] }
coordIndex [ 0 1 2 -1 ]
} }
"""


def make_bu3dfe(folder, subjects=("F0001WH", "F0012AE", "M0001BL")):
    """Subjects x (neutral + 6 x 4), each scan with its picture; RAW files for the sake of their names."""
    count = 0
    for subject, ethnicity in ((name[:5], name[5:]) for name in subjects):
        place = folder / subject
        place.mkdir(parents=True)
        for code in ("NE00", *(f"{e}0{level}" for e in ("AN", "DI", "FE", "HA", "SA", "SU") for level in (1, 2, 3, 4))):
            (place / f"{subject}_{code}{ethnicity}_F3D.wrl").write_text(WRL % count)
            (place / f"{subject}_{code}{ethnicity}_F2D.bmp").touch()
            count += 1
        (place / f"{subject}_NE00{ethnicity}_RAW.wrl").touch()
        (place / f"{subject}_NE00{ethnicity}_RAW.pse").touch()
    return folder


BOSPHORUS = {
    "bs000": ["N_N_0", "N_N_3", "E_ANGER_0", "E_DISGUST_0", "E_FEAR_0", "E_HAPPY_0", "E_HAPPY_1", "E_SADNESS_0",
              "E_SURPRISE_0", "LFAU_9_0", "LFAU_12LW_0", "UFAU_4_0", "CAU_A26A12lw_0", "YR_R90_0", "CR_RU_0",
              "O_EYE_0"],
    "bs001": ["N_N_0", "E_ANGER_0", "E_DISGUST_0", "E_FEAR_0", "E_HAPPY_0", "E_SADNESS_0"],
    "bs104": ["E_HAPPY_1", "E_HAPPY_10", "E_HAPPY_2", "IGN_IGN_0"],
}  # fmt: skip


def make_bosphorus(folder):
    planes = np.zeros((5, 2, 2))
    planes[0, :, 1] = planes[1, 1] = 1
    for subject, codes in BOSPHORUS.items():
        (folder / subject).mkdir(parents=True)
        for code in codes:
            name = f"{subject}_{code}.png".encode()
            header = struct.pack("<HHdH", 2, 2, -1e9, len(name)) + name + struct.pack("<I", 20)
            (folder / subject / f"{subject}_{code}.bnt").write_bytes(header + planes.astype("<f8").tobytes())
            (folder / subject / f"{subject}_{code}.png").touch()
            (folder / subject / f"{subject}_{code}.lm2").touch()
    return folder


def test_bu3dfe_scans(tmp_path):
    make_bu3dfe(tmp_path / "BU-3DFE")
    corpus = open_corpus("BU-3DFE", tmp_path)
    assert (corpus.name, corpus.kind, corpus.unknown) == ("BU-3DFE", "supplied", ())
    assert len(corpus.scans) == 75 and len(corpus.files) == 156
    assert [scan.name for scan in corpus.scans] == sorted(scan.name for scan in corpus.scans)
    by_name = {scan.name: scan for scan in corpus.scans}
    path = tmp_path / "BU-3DFE/F0012/F0012_SU03AE_F3D.wrl"
    assert by_name["F0012_SU03AE"] == Scan("F0012_SU03AE", "F0012", "surprise", 3, path, "SU")
    assert by_name["M0001_NE00BL"].emotion == "neutral" and by_name["M0001_NE00BL"].level == 0
    shown = [(scan.emotion, scan.level) for scan in corpus.scans if scan.subject == "F0001" and scan.level]
    assert sorted(shown) == [(emotion, level) for emotion in EMOTIONS[:6] for level in (1, 2, 3, 4)]
    assert {scan.code: scan.emotion for scan in corpus.scans} == {
        "AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happiness", "NE": "neutral", "SA": "sadness",
        "SU": "surprise"}
    # Each scan's z says which file it came from.
    assert [corpus.read(scan).vertices[0, 2] for scan in corpus.scans[:3]] == [1, 2, 3]


def test_bosphorus_scans(tmp_path):
    make_bosphorus(tmp_path / "Bosphorus/BosphorusDB")
    corpus = open_corpus("Bosphorus", tmp_path)
    assert corpus.unknown == () and len(corpus.files) == 3 * 26
    by_name = {scan.name: scan for scan in corpus.scans}
    named = {f"{subject}_{code}" for subject, codes in BOSPHORUS.items() for code in codes}
    assert set(by_name) == named - {"bs104_IGN_IGN_0"}
    happy = by_name["bs000_E_HAPPY_1"]
    assert (happy.subject, happy.emotion, happy.level) == ("bs000", "happiness", None)
    assert (happy.code, happy.take) == ("E_HAPPY", 1)
    assert by_name["bs000_N_N_3"].emotion == "neutral" and by_name["bs000_N_N_3"].take == 3
    unit = by_name["bs000_CAU_A26A12lw_0"]
    assert (unit.emotion, unit.code) == (None, "CAU_A26A12LW")
    assert min((s for s in corpus.scans if s.subject == "bs104"), key=lambda s: s.take).name == "bs104_E_HAPPY_1"
    emotions = [scan for scan in corpus.scans if scan.code.startswith("E_")]
    distinct = {subject: len({scan.code for scan in emotions if scan.subject == subject})
                for subject in BOSPHORUS}
    assert distinct == {"bs000": 6, "bs001": 5, "bs104": 1}
    assert corpus.check() == {} and len(corpus.read(happy).triangles) == 2


@pytest.mark.parametrize("place", ["", "BU-3DFE", "bu3dfe", "BU_3DFE", "BU-3DFE/BU_3DFE"])
def test_bu3dfe_is_found_below_the_root(tmp_path, place):
    folder = make_bu3dfe(tmp_path / place, ["F0001WH"])
    (tmp_path / "BU-4DFE/F001").mkdir(parents=True)
    assert open_corpus("BU-3DFE", tmp_path).folder == folder
    assert open_corpus("BU-3DFE", str(folder)).folder == folder


@pytest.mark.parametrize("place", ["", "Bosphorus", "BosphorusDB", "bosphorus/bosphorusdb", "Bosphorus/BosphorusDB"])
def test_bosphorus_is_found_below_the_root(tmp_path, place):
    folder = make_bosphorus(tmp_path / place)
    assert open_corpus("Bosphorus", tmp_path).folder == folder
    assert open_corpus("Bosphorus", folder).folder == folder


def test_case_does_not_matter(tmp_path):
    folder = tmp_path / "f0001"
    folder.mkdir()
    (folder / "f0001_an01wh_f3d.WRL").write_text(WRL % 0)
    assert [scan.name for scan in open_corpus("BU-3DFE", tmp_path).scans] == ["F0001_AN01WH"]
    make_bosphorus(tmp_path / "B")
    place = tmp_path / "B/bs000"
    (place / "bs000_E_ANGER_0.bnt").rename(place / "BS000_e_anger_0.BNT")
    place.rename(tmp_path / "B/BS000")
    scans = {scan.name: scan for scan in open_corpus("Bosphorus", tmp_path / "B").scans}
    assert scans["bs000_E_ANGER_0"].emotion == "anger" and scans["bs000_E_ANGER_0"].subject == "bs000"


LEFT_BEHIND = ["._F0001", "__MACOSX/BU-3DFE/F0001/._F0001_AN01WH_F3D.wrl", ".DS_Store", "Thumbs.db", "DESKTOP.INI",
               "F0001/._F0001_AN01WH_F3D.wrl", "F0001/.DS_Store", "F0001/Thumbs.db", "F0001/desktop.ini",
               "F0001/._F0001_AN01WH_F2D.bmp"]  # fmt: skip


def test_what_systems_leave_behind_is_nobodys(tmp_path):
    make_bu3dfe(tmp_path / "BU-3DFE")
    clean = open_corpus("BU-3DFE", tmp_path)
    for name in (*LEFT_BEHIND, "._F0013"):
        for place in (tmp_path, tmp_path / "BU-3DFE"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).touch()
    corpus = open_corpus("BU-3DFE", tmp_path)
    assert (corpus.scans, corpus.unknown, corpus.dropped) == (clean.scans, (), {})
    assert corpus.fingerprint == clean.fingerprint


@pytest.mark.parametrize("place", [
    "Bosphorus/BosphorusDB/BosphorusDB", "Bosphorus/Bosphorus/BosphorusDB/BosphorusDB", "BosphorusDB/files",
    "my data/Bosphorus", "download/unpacked/here"])
def test_further_folders_above(tmp_path, place):
    folder = make_bosphorus(tmp_path / place)
    for root in (tmp_path, *(folder.parents[n] for n in range(place.count("/")))):
        assert open_corpus("Bosphorus", root).folder == folder
    for subject in BOSPHORUS:  # each subject packed by itself
        (folder / subject).rename(tmp_path / "subject")
        (folder / subject).mkdir()
        (tmp_path / "subject").rename(folder / subject / subject)
        (folder / subject / ".DS_Store").touch()
    corpus = open_corpus("Bosphorus", tmp_path)
    assert len(corpus.scans) == 25 and corpus.unknown == () and corpus.dropped == {}
    assert corpus.check() == {}


def test_all_scans_in_one_folder_and_the_folder_of_one_subject(tmp_path):
    make_bu3dfe(tmp_path / "BU-3DFE")
    for path in list((tmp_path / "BU-3DFE").rglob("*.*")):
        path.rename(tmp_path / "BU-3DFE" / path.name)
    for name in ("F0001", "F0012", "M0001"):
        (tmp_path / "BU-3DFE" / name).rmdir()
    (tmp_path / "BU-3DFE/notes.txt").touch()
    corpus = open_corpus("BU-3DFE", tmp_path)
    assert len(corpus.scans) == 75 and len({scan.subject for scan in corpus.scans}) == 3
    assert [path.name for path in corpus.unknown] == ["notes.txt"]
    make_bu3dfe(tmp_path / "b")
    assert len(open_corpus("BU-3DFE", tmp_path / "b/F0012").scans) == 25


def test_another_corpus_is_not_entered_for_being_alone(tmp_path):
    make_bu3dfe(tmp_path / "BU-3DFE+", ["F0001WH"])
    with pytest.raises(FileNotFoundError, match="expected BU-3DFE .* found BU-3DFE"):
        open_corpus("BU-3DFE", tmp_path)


def test_two_folders_of_one_corpus_are_refused(tmp_path):
    make_bu3dfe(tmp_path / "BU-3DFE", ["F0001WH"])
    make_bu3dfe(tmp_path / "bu_3dfe", ["F0001WH"])
    with pytest.raises(ValueError, match="BU-3DFE: expected one folder of BU-3DFE, found .*bu_3dfe too"):
        open_corpus("BU-3DFE", tmp_path)


def test_a_subject_without_scans_is_dropped_and_a_circle_of_links_ends(tmp_path):
    make_bu3dfe(tmp_path, ["F0001WH"])
    (tmp_path / "F0002").mkdir()
    (tmp_path / "F0003").symlink_to("F0003")
    corpus = open_corpus("BU-3DFE", tmp_path)
    assert corpus.dropped == {tmp_path / "F0002": "no scan such as F0001/F0001_AN01WH_F3D.wrl"}
    assert corpus.unknown == (tmp_path / "F0003",)


def test_two_files_of_one_scan_are_refused(tmp_path):
    make_bu3dfe(tmp_path, ["F0001WH"])
    (tmp_path / "F0001/f0001_an01wh_f3d.wrl").write_text(WRL % 0)
    with pytest.raises(ValueError, match="expected one file for scan F0001_AN01WH, found .*F0001_AN01WH_F3D.wrl"):
        open_corpus("BU-3DFE", tmp_path)


def test_unknown_files_are_listed_and_left_alone(tmp_path):
    make_bu3dfe(tmp_path, ["F0001WH"])
    strange = ["F0001/F0001_AN05WH_F3D.wrl", "F0001/F0001_NE01WH_F3D.wrl", "F0001/F0001_AN00WH_F3D.wrl",
               "F0001/F0001_XX01WH_F3D.wrl", "F0001/F0001_AN01XX_F3D.wrl", "F0001/F0002_AN01WH_F3D.wrl",
               "F0001/F0001_AN01WH_F3D.wrl.bak", "F0001/F٠٠٠1_AN01WH_F3D.wrl", "F0001/notes.txt",
               "readme.txt"]  # fmt: skip
    clean = open_corpus("BU-3DFE", tmp_path)
    for name in strange:
        (tmp_path / name).write_text("left alone")
    (tmp_path / "F0001/old").mkdir()
    (tmp_path / "F0001/F0001_AN01BL_F3D.wrl").mkdir()
    (tmp_path / "F001").mkdir()
    corpus = open_corpus("BU-3DFE", tmp_path)
    expected = [*strange, "F0001/old", "F0001/F0001_AN01BL_F3D.wrl", "F001"]
    assert sorted(corpus.unknown) == sorted(tmp_path / name for name in expected)
    assert corpus.scans == clean.scans and corpus.fingerprint == clean.fingerprint
    assert all((tmp_path / name).read_text() == "left alone" for name in strange)


def test_check_lists_every_bad_file(tmp_path):
    make_bu3dfe(tmp_path, ["F0001WH"])
    empty, broken, lost = (tmp_path / f"F0001/F0001_{code}WH_F3D.wrl" for code in ("AN01", "DI02", "SU04"))
    empty.write_text("")
    broken.write_text((WRL % 0).replace("2 -1", "7 -1"))
    lost.unlink()
    lost.symlink_to(tmp_path / "nowhere")
    (tmp_path / "F0001/F0001_HA01WH_F3D.bnd").write_text("1 2 3")
    corpus = open_corpus("BU-3DFE", tmp_path)
    bad = corpus.check()
    assert list(bad) == [empty, broken, tmp_path / "F0001/F0001_HA01WH_F3D.wrl", lost]
    assert [str(path) in reason for path, reason in bad.items()] == [True, True, False, True]
    assert "F0001_HA01WH_F3D.bnd" in bad[tmp_path / "F0001/F0001_HA01WH_F3D.wrl"]
    assert "an empty file" in bad[empty] and "found 7" in bad[broken]
    good = replace(corpus, scans=tuple(scan for scan in corpus.scans if scan.path not in bad))
    assert good.check() == {} and len(good.scans) == 21
    assert good.fingerprint != corpus.fingerprint


@pytest.mark.parametrize(("files", "error", "message"), [
    ([], FileNotFoundError, r"expected BU-3DFE \(F0001/F0001_AN01WH_F3D.wrl\), found an empty folder"),
    (["BU-4DFE/F001/Angry/000.wrl", "x.txt"], FileNotFoundError, r"expected BU-3DFE .*, found BU-4DFE/, x.txt"),
    (["F001/Angry/000.wrl"], FileNotFoundError, r"expected BU-3DFE .*, found F001/"),
    (["BU-3DFE/F001/Angry/000.wrl"], ValueError, r"BU-3DFE: expected the folders of BU-3DFE .*, found F001/"),
    (["BU-3DFE/bs000/bs000_N_N_0.bnt"], ValueError, r"expected the folders of BU-3DFE .*, found bs000/"),
    (["BU-3DFE/F0001/000.wrl"], ValueError, r"BU-3DFE: expected scans of BU-3DFE such as F0001/.*, found none"),
    (["F0001"], FileNotFoundError, r"expected BU-3DFE .*, found F0001$"),
])  # fmt: skip
def test_a_folder_without_the_corpus_is_one_error(tmp_path, files, error, message):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(error, match=message) as caught:
        open_corpus("BU-3DFE", tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


def test_a_root_that_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="none: expected a folder with Bosphorus .*, found nothing"):
        open_corpus("Bosphorus", tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="found a file"):
        open_corpus("Bosphorus", tmp_path / "file")


@pytest.mark.parametrize(("name", "near"), [("bu3dfe", "BU-3DFE"), ("BU-3DFE-I", "BU-3DFE"), ("bosporus", "Bosphorus"),
                                          ("bu4dfe", "BU-4DFE"), ("4DMER", "4DME")])
def test_an_unknown_name_meets_its_nearest(tmp_path, name, near):
    known = "BU-3DFE, Bosphorus, BU-4DFE, BP4D, 4DME"
    with pytest.raises(ValueError, match=f"corpus '{name}': expected one of {known}; did you mean '{near}'"):
        open_corpus(name, tmp_path)


def test_sample_corpora_are_known_by_their_truth(tmp_path):
    make_bosphorus(tmp_path / "Bosphorus/BosphorusDB")
    make_bu3dfe(tmp_path / "BU-3DFE")
    (tmp_path / "Bosphorus.truth.json").touch()
    for root in (tmp_path, tmp_path / "Bosphorus", tmp_path / "Bosphorus/BosphorusDB"):
        assert open_corpus("Bosphorus", root).kind == "sample"
    assert open_corpus("BU-3DFE", tmp_path).kind == "supplied"


def test_fingerprint_follows_names_sizes_and_samples(tmp_path):
    def fingerprint():
        return open_corpus("BU-3DFE", tmp_path / "a").fingerprint

    make_bu3dfe(tmp_path / "a")
    first = fingerprint()
    assert len(first) == 16 and first == fingerprint()
    make_bu3dfe(tmp_path / "b")
    assert open_corpus("BU-3DFE", tmp_path / "b").fingerprint == first  # where it lies does not matter

    seen = {first}
    picture = tmp_path / "a/F0012/F0012_HA02AE_F2D.bmp"
    picture.write_bytes(b"BM")
    seen.add(fingerprint())
    picture.rename(picture.with_name("F0012_HA02LA_F2D.bmp"))
    seen.add(fingerprint())
    first_scan = tmp_path / "a/F0001/F0001_AN01WH_F3D.wrl"  # always sampled
    first_scan.write_text(first_scan.read_text().replace("1 0 0", "2 0 0"))
    seen.add(fingerprint())
    (tmp_path / "a/M0001/M0001_SU04BL_F3D.wrl").unlink()
    seen.add(fingerprint())
    assert len(seen) == 5


def test_a_scan_without_a_file_belongs_to_no_folder(tmp_path):
    corpus = open_corpus("BU-3DFE", make_bu3dfe(tmp_path))
    with pytest.raises(ValueError, match="F0001_AN01WH: expected a scan of the corpus in"):
        corpus.read(Scan("F0001_AN01WH", "F0001", "anger", 1, None, "AN"))


def test_without_a_root_it_is_the_twin():
    for name, count in (("BU-3DFE", 2500), ("Bosphorus", None), ("BU-4DFE", 606), ("BP4D", 328), ("4DME", 267)):
        twin = open_corpus(name)
        assert (twin.name, twin.kind, twin.unknown) == (name, "twin", ())
        assert count in (None, len(twin.items)) and all(scan.path is None for scan in twin.scans)
        assert all(frame.path is None for sequence in twin.sequences for frame in sequence.frames)


def test_exports_are_lazy_and_complete():
    assert mvlm.faces.read_mesh.__module__ == "mvlm.faces.formats.by_extension"
    assert set(mvlm.faces.__all__) <= set(dir(mvlm.faces))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mvlm.faces.nothing  # noqa: B018
