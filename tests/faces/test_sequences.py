"""Moving corpora as folders: frames, their pictures and landmarks, spellings, what is dropped or refused."""

import os
import pickle
import time

import numpy as np
import pytest

from mvlm.faces import Corpus, Frame
from mvlm.faces.corpora.items import evenly_spaced
from mvlm.faces.dynamics import project_sequence
from mvlm.samples import Rendering, open_corpus

WRL = """#VRML V2.0 utf8
Shape { appearance Appearance { texture ImageTexture { url "elsewhere.jpg" } } geometry IndexedFaceSet {
coord Coordinate { point [ 0 0 %d, 1 0 0, 0 1 0 ] }
coordIndex [ 0 1 2 -1 ] texCoord TextureCoordinate { point [ 0 0, 1 0, 0 1 ] }
} }
"""
BND = "\n".join(f"{row % 3}\t\t{('0 0 %d', '1 0 0', '0 1 0')[row % 3]}" for row in range(83)).replace("%d", "{0}")
BU4DFE = {"Angry": "anger", "Disgust": "disgust", "Fear": "fear", "Happy": "happiness", "Sad": "sadness",
          "Surprise": "surprise"}  # fmt: skip
BP4D = {"T1": "happiness", "T2": "sadness", "T3": "surprise", "T4": "embarrassment", "T5": "fear", "T6": "pain",
        "T7": "anger", "T8": "disgust"}  # fmt: skip


def make_bu4dfe(folder, subjects=("F001", "F002", "M001"), frames=3, landmarks=None):
    """Subjects x 6 sequences; the z of the first vertex is the frame's number."""
    for subject in subjects:
        for code in BU4DFE:
            place = folder / subject / code
            place.mkdir(parents=True)
            for number in range(frames):
                (place / f"{number:03d}.wrl").write_text(WRL % number)
                (place / f"{number:03d}.jpg").touch()
                if landmarks:
                    marked = landmarks / subject / code
                    marked.mkdir(parents=True, exist_ok=True)
                    (marked / f"{number:03d}.bnd").write_text(BND.format(number))
    return folder


def make_bp4d(folder, subjects=("F001", "M001"), numbers=(1, 2, 3)):
    """Subjects x 8 tasks; numbers of four digits in odd tasks, of three in even ones."""
    for subject in subjects:
        for task in BP4D:
            place = folder / subject / task
            place.mkdir(parents=True)
            for number in numbers:
                stem = f"{number:0{4 if int(task[1]) % 2 else 3}d}"
                (place / f"{stem}.wrl").write_text(WRL % number)
                (place / f"{stem}.jpg").touch()
    return folder


def test_bu4dfe_sequences(tmp_path):
    folder = make_bu4dfe(tmp_path / "BU-4DFE")
    corpus = open_corpus("BU-4DFE", tmp_path)
    assert (corpus.name, corpus.kind, corpus.unknown, corpus.dropped) == ("BU-4DFE", "supplied", (), {})
    assert corpus.scans == () and corpus.items is corpus.sequences and len(corpus.sequences) == 18
    assert [s.name for s in corpus.sequences] == sorted(f"{s}_{c}" for s in ("F001", "F002", "M001") for c in BU4DFE)
    assert {s.code: s.emotion for s in corpus.sequences} == BU4DFE
    happy = next(s for s in corpus.sequences if s.name == "M001_Happy")
    assert (happy.subject, happy.level, happy.take, happy.fps) == ("M001", None, 0, 25.0)
    place = folder / "M001/Happy"
    assert happy.frames[2] == Frame(2, place / "002.wrl", None, place / "002.jpg")
    assert [corpus.read_frame(happy, at).vertices[0, 2] for at in range(3)] == [0, 1, 2]
    with pytest.raises(IndexError):
        corpus.read_frame(happy, 3)


def test_bp4d_sequences_of_three_and_four_digits(tmp_path):
    make_bp4d(tmp_path / "BP4D/Sequences(2D+3D)")
    corpus = open_corpus("BP4D", tmp_path)
    assert {s.code: s.emotion for s in corpus.sequences} == BP4D and len(corpus.sequences) == 16
    first, second = corpus.sequences[:2]
    assert (first.name, second.name) == ("F001_T1", "F001_T2")
    assert (first.frames[0].path.name, second.frames[0].path.name) == ("0001.wrl", "001.wrl")
    assert [frame.number for frame in first.frames] == [1, 2, 3] and first.fps == 25.0


@pytest.mark.parametrize("digits", [1, 2, 5])
def test_numbers_of_other_digits(tmp_path, digits):
    for name, kind, code in (("BP4D", "obj", "T1"), ("BU-4DFE", "wrl", "Angry")):
        place = tmp_path / name / "F001" / code
        place.mkdir(parents=True)
        for number in range(3):
            (place / f"{number:0{digits}d}.{kind}").touch()
            (place / f"{number:0{digits}d}.jpg").touch()
            (place / f"._{number:0{digits}d}.{kind}").touch()
        corpus = open_corpus(name, tmp_path)
        (sequence,) = corpus.sequences
        assert [frame.number for frame in sequence.frames] == [0, 1, 2]
        assert sequence.frames[2].texture == place / f"{2:0{digits}d}.jpg"
        assert corpus.unknown == () and corpus.dropped == {}


def test_a_folder_more_or_less(tmp_path):
    folder = make_bu4dfe(tmp_path / "BU-4DFE/data/F001", ["F001"], landmarks=tmp_path / "BU4DFE_BND_V1.1/F001/F001")
    (tmp_path / "BU4DFE_BND_V1.1/F001/F001/F001").rename(tmp_path / "moved")
    (tmp_path / "BU4DFE_BND_V1.1/F001/F001").rmdir()
    (tmp_path / "moved").rename(tmp_path / "BU4DFE_BND_V1.1/F001/F001")
    sad = folder / "F001/Sad"
    sad.rename(tmp_path / "Sad")
    sad.mkdir()
    (tmp_path / "Sad").rename(sad / "Sad")
    corpus = open_corpus("BU-4DFE", tmp_path / "BU-4DFE/data")
    assert len(corpus.sequences) == 6 and corpus.unknown == () and corpus.dropped == {}
    assert all(len(sequence.frames) == 3 for sequence in corpus.sequences)
    assert open_corpus("BU-4DFE", tmp_path / "BU-4DFE").folder == tmp_path / "BU-4DFE/data"
    with pytest.raises(FileNotFoundError, match=f"found Angry/, .*; {folder} holds it, name that folder"):
        open_corpus("BU-4DFE", folder / "F001")


def test_a_frame_has_its_own_picture_whatever_its_file_names(tmp_path):
    folder = make_bu4dfe(tmp_path, ["F001"])
    (folder / "F001/Angry/elsewhere.jpg").touch()  # a url that leads to another picture than the rule of names
    corpus = open_corpus("BU-4DFE", tmp_path)
    mesh = corpus.read_frame(corpus.sequences[0], 1)
    assert mesh.texture == folder / "F001/Angry/001.jpg"
    assert [path.name for path in corpus.unknown] == ["elsewhere.jpg"]


def test_a_material_names_the_picture_of_its_mesh(tmp_path):
    place = tmp_path / "F001/T1"
    place.mkdir(parents=True)
    for name in ("001.obj", "001.mtl", "001.jpg", "002.obj", "002.bmp", "003.obj"):
        (place / name).touch()
    (sequence,) = open_corpus("BP4D", tmp_path).sequences
    assert [frame.texture for frame in sequence.frames] == [None, place / "002.bmp", None]


@pytest.mark.parametrize("tree", ["BU-4DFE/BU4DFE_BND_V1.1", "BU4DFE_BND_V1.1", "BU-4DFE/bu4dfe_bnd_v1.1", None])
def test_landmarks_beside_the_mesh_or_in_a_tree(tmp_path, tree):
    folder = tmp_path / "BU-4DFE"
    marked = folder if tree is None else tmp_path / tree
    make_bu4dfe(folder, ["F001"], landmarks=marked)
    (marked / "F001/Sad/002.bnd").unlink()
    for root in (tmp_path, folder):
        corpus = open_corpus("BU-4DFE", root)
        assert corpus.unknown == () and corpus.dropped == {}
        sad = next(s for s in corpus.sequences if s.code == "Sad")
        paths = [marked / "F001/Sad/000.bnd", marked / "F001/Sad/001.bnd", None]
        assert [frame.landmarks for frame in sad.frames] == paths
        mesh = corpus.read_frame(sad, 1)
        assert len(mesh.landmarks) == 83 and mesh.landmarks["nose 0"].tolist() == [0, 0, 1]
        assert corpus.read_frame(sad, 2).landmarks == {}


@pytest.mark.parametrize("place", ["", "BU-4DFE", "BU4DFE", "bu_4dfe", "BU-4D", "BU-4DFE/BU_4DFE"])
def test_bu4dfe_is_found_below_the_root(tmp_path, place):
    folder = make_bu4dfe(tmp_path / place, ["F001"], frames=1)
    make_bp4d(tmp_path / "BP4D", ["F002"])
    assert open_corpus("BU-4DFE", tmp_path).folder == folder == open_corpus("BU-4DFE", str(folder)).folder


@pytest.mark.parametrize("place", [
    "", "BP4D", "BP4D-Spontaneous", "bp4d_spontaneous/Sequences(2D+3D)", "BP4D/Sequences", "Sequences(2D+3D)"])
def test_bp4d_is_found_below_the_root(tmp_path, place):
    folder = make_bp4d(tmp_path / place, ["F001"])
    make_bu4dfe(tmp_path / "BU-4DFE", ["F001"], frames=1)
    assert open_corpus("BP4D", tmp_path).folder == folder == open_corpus("BP4D", folder).folder


def test_case_does_not_matter(tmp_path):
    place = tmp_path / "m043/HAPPY"
    place.mkdir(parents=True)
    (place / "007.WRL").write_text(WRL % 7)
    (place / "007.JPG").touch()
    (sequence,) = open_corpus("BU-4DFE", tmp_path).sequences
    assert (sequence.name, sequence.subject, sequence.code) == ("M043_Happy", "M043", "Happy")
    assert sequence.frames == (Frame(7, place / "007.WRL", None, place / "007.JPG"),)


def test_frames_without_mesh_or_picture_are_dropped_and_listed(tmp_path):
    make_bu4dfe(tmp_path, ["F001"])
    for name in ("Angry/001.jpg", "Angry/002.wrl", *(f"Sad/{number:03d}.wrl" for number in range(3))):
        (tmp_path / "F001" / name).unlink()
    (tmp_path / "F001/Sad/009.bnd").touch()
    (tmp_path / "F002/Fear").mkdir(parents=True)
    corpus = open_corpus("BU-4DFE", tmp_path)
    angry = next(s for s in corpus.sequences if s.code == "Angry")
    assert [frame.number for frame in angry.frames] == [0]
    assert len(corpus.sequences) == 5  # neither F001_Sad nor F002_Fear
    said = {path.relative_to(tmp_path).as_posix(): why for path, why in corpus.dropped.items()}
    assert said == {
        "F001/Angry/001.wrl": "no .jpg of the same number",
        "F001/Angry/002.jpg": "no .wrl of the same number",
        "F001/Sad": "no frame with .wrl and picture",
        **{f"F001/Sad/{number:03d}.jpg": "no .wrl of the same number" for number in range(3)},
        "F002/Fear": "no frame with .wrl and picture",
    }


def test_gaps_stay_and_order_is_by_number(tmp_path):
    place = tmp_path / "F001/T1"
    place.mkdir(parents=True)
    for name in ("0010.obj", "999.obj", "1000.obj", "002.obj"):  # mixed digits, but no number twice
        (place / name).touch()
    (sequence,) = open_corpus("BP4D", tmp_path).sequences
    assert [frame.number for frame in sequence.frames] == [2, 10, 999, 1000]


@pytest.mark.parametrize(("names", "message"), [
    (["F001/T1/001.obj", "F001/T1/0001.obj"], r"001.obj: expected one .obj file for frame 1, found 0001.obj too"),
    (["F001/T1/001.obj", "F001/T1/001.OBJ"], r"expected one .obj file for frame 1"),
    (["F001/T1/001.obj", "F001/T1/001.wrl"], r"001.wrl: expected one .wrl file for frame 1, found 001.obj too"),
    (["F001/T1/001.obj", "F001/T1/001.jpg", "F001/T1/0001.jpg"], r"expected one .jpg file for frame 1"),
    (["F001/T1/001.obj", "F001/t1/001.obj"], r"t1: expected one folder for sequence F001_T1, found .*T1"),
    (["F001/T1/001.obj", "f001/T1/001.obj"], r"f001/T1: expected one folder for sequence F001_T1, found .*F001/T1"),
])  # fmt: skip
def test_two_files_of_one_frame_are_refused(tmp_path, names, message):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=message) as caught:
        open_corpus("BP4D", tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


def test_two_landmark_files_of_one_frame_are_refused(tmp_path):
    make_bu4dfe(tmp_path, ["F001"], frames=1, landmarks=tmp_path / "BU4DFE_BND_V1.1")
    (tmp_path / "BU4DFE_BND_V1.1/F001/Sad/000.BND").touch()
    with pytest.raises(ValueError, match="expected one .bnd file for frame 0"):
        open_corpus("BU-4DFE", tmp_path)


def test_unknown_files_are_listed_and_left_alone(tmp_path):
    make_bu4dfe(tmp_path, ["F001"])
    clean = open_corpus("BU-4DFE", tmp_path)
    strange = ["F001/Angry/0000001.wrl", "F001/Angry/00a.wrl", "F001/Angry/٠٠٤.wrl", "F001/Angry/000.wrl.bak",
               "F001/Angry/000", "F001/notes.txt", "readme.txt"]  # fmt: skip
    for name in strange:
        (tmp_path / name).write_text("left alone")
    (tmp_path / "F001/Bored").mkdir()
    (tmp_path / "F001/Angry/005.wrl").mkdir()
    (tmp_path / "F0001").mkdir()
    corpus = open_corpus("BU-4DFE", tmp_path)
    assert sorted(corpus.unknown) == sorted(
        tmp_path / name for name in [*strange, "F001/Bored", "F001/Angry/005.wrl", "F0001"])
    assert corpus.sequences == clean.sequences and corpus.fingerprint == clean.fingerprint
    assert all((tmp_path / name).read_text() == "left alone" for name in strange)


@pytest.mark.parametrize(("corpus", "files", "error", "message"), [
    ("BU-4DFE", [], FileNotFoundError, "expected BU-4DFE .F001/Angry/000.wrl with 000.jpg., found an empty folder"),
    ("BU-4DFE", ["F001/T1/001.obj"], FileNotFoundError, "expected BU-4DFE .*, found F001/"),
    ("BP4D", ["F001/Angry/000.wrl"], FileNotFoundError, "expected BP4D .*, found F001/"),
    ("BP4D", ["BP4D+/F001/T1/001.obj"], FileNotFoundError, r"expected BP4D .*, found BP4D\+/"),
    ("BU-4DFE", ["BU-4DFE/F0001/F0001_AN01WH_F3D.wrl"], ValueError, "expected the folders of BU-4DFE .* found F0001/"),
    ("BU-4DFE", ["BU-4DFE/F001/T1/001.obj"], ValueError, "BU-4DFE: expected the folders of BU-4DFE .*, found F001/"),
    ("BU-4DFE", ["BU-4DFE/F001/Angry/x.txt"], ValueError, "expected sequences of BU-4DFE such as F001/.*, found none"),
    ("BU-3DFE", ["BU-3DFE/F001/Angry/000.wrl"], ValueError, "expected the folders of BU-3DFE"),
])  # fmt: skip
def test_a_folder_without_the_corpus_is_one_error(tmp_path, corpus, files, error, message):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(error, match=message) as caught:
        open_corpus(corpus, tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


def test_links_are_followed_and_what_they_lead_to_must_be_a_mesh(tmp_path):
    disk = make_bu4dfe(tmp_path / "other disk", ["F001"], frames=2)
    folder = tmp_path / "BU-4DFE"
    folder.mkdir()
    (folder / "F001").symlink_to(disk / "F001")
    (folder / "F002").symlink_to(folder)  # in a circle
    (folder / "F003").symlink_to(tmp_path / "nowhere")
    corpus = open_corpus("BU-4DFE", tmp_path)
    assert len(corpus.sequences) == 6 and corpus.check() == {}
    secret = tmp_path / "secret"
    secret.write_text("a word that no error may say twice\n" * 50)
    frame = disk / "F001/Angry/001.wrl"
    frame.unlink()
    frame.symlink_to(secret)
    lost = disk / "F001/Sad/000.wrl"
    lost.unlink()
    lost.symlink_to(tmp_path / "nowhere")
    corpus = open_corpus("BU-4DFE", tmp_path)
    assert len(corpus.fingerprint) == 16
    bad = corpus.check()
    assert [path.relative_to(folder).as_posix() for path in bad] == ["F001/Angry/001.wrl", "F001/Sad/000.wrl"]
    assert all(len(reason) < 300 for reason in bad.values())


def test_check_reads_evenly_spaced_frames(tmp_path):
    make_bu4dfe(tmp_path, ["F001"], frames=21)
    place = tmp_path / "F001/Angry"
    for number in (0, 1, 20):
        (place / f"{number:03d}.wrl").write_text("")
    corpus = open_corpus("BU-4DFE", tmp_path)
    assert [path.name for path in corpus.check(frames=5)] == ["000.wrl", "020.wrl"]
    assert [path.name for path in corpus.check(frames=21)] == ["000.wrl", "001.wrl", "020.wrl"]


@pytest.mark.parametrize("frames", [3, 17, 100])
def test_check_reads_the_frames_that_the_quick_profile_pools(tmp_path, monkeypatch, frames):
    make_bu4dfe(tmp_path, ["F001"], frames=frames)
    corpus, read = open_corpus("BU-4DFE", tmp_path), []

    def unreadable(_, sequence, place):
        read.append((sequence.name, int(place)))
        raise OSError("no disk")

    monkeypatch.setattr(Corpus, "read_frame", unreadable)
    corpus.check()
    checked = read.copy()
    read.clear()
    for sequence in corpus.sequences:
        with pytest.raises(ValueError, match="found 0"):
            project_sequence(corpus, sequence, size=8, count=Rendering().frames)
    assert checked == read and len(read) == 6 * min(frames, 16)


def test_frames_are_evenly_spaced():
    np.testing.assert_array_equal(evenly_spaced(100, 16)[[0, 1, -1]], [0, 6, 99])
    np.testing.assert_array_equal(evenly_spaced(5, 16), np.arange(5))
    np.testing.assert_array_equal(evenly_spaced(7, None), np.arange(7))
    assert evenly_spaced(7, 1).tolist() == [3] and evenly_spaced(7, 2).tolist() == [0, 6]
    for count in (16, 17, 100, 2992):
        places = evenly_spaced(count, 16)
        steps = np.diff(places)
        assert len(places) == 16 and (places[0], places[-1]) == (0, count - 1)
        assert steps.max() - steps.min() <= 1 and steps.min() >= 1
    with pytest.raises(ValueError, match="at least one"):
        evenly_spaced(0, 4)


def test_fingerprint_follows_names_sizes_and_samples(tmp_path):
    def fingerprint(folder="a"):
        return open_corpus("BU-4DFE", tmp_path / folder).fingerprint

    make_bu4dfe(tmp_path / "a", frames=20)
    make_bu4dfe(tmp_path / "b", frames=20)
    first = fingerprint()
    assert len(first) == 16 and first == fingerprint() == fingerprint("b")
    seen = {first}
    place = tmp_path / "a/F001/Angry"
    (place / "000.jpg").write_bytes(b"JFIF")
    seen.add(fingerprint())
    (place / "019.wrl").write_text(WRL % 12345)
    seen.add(fingerprint())
    (place / "000.bnd").write_text("1")
    seen.add(fingerprint())
    (place / "009.wrl").unlink()  # not among the sampled sizes, but a name
    seen.add(fingerprint())
    (tmp_path / "a/M001/Sad").rename(tmp_path / "a/M001/away")
    seen.add(fingerprint())
    assert len(seen) == 6


def test_an_index_opens_no_file_and_is_quick(tmp_path, monkeypatch):
    make_bu4dfe(tmp_path, ["F001", "M001"], frames=100)
    monkeypatch.setattr("pathlib.Path.open", lambda *_: pytest.fail("a file was opened"))
    monkeypatch.setattr("pathlib.Path.stat", lambda *_: pytest.fail("a file was asked for its size"))
    real = os.scandir
    listed = []
    monkeypatch.setattr("os.scandir", lambda path: listed.append(path) or real(path))
    from mvlm.faces.corpora.layouts import LAYOUTS

    start = time.perf_counter()
    index = LAYOUTS["BU-4DFE"].index(tmp_path)
    took = time.perf_counter() - start
    assert sum(len(s.frames) for s in index.sequences) == 1200 and len(listed) < 40
    assert took < 1.0  # 2,400 files; the real corpus has 180,000


def test_in_another_process_a_corpus_reads_without_its_index(tmp_path):
    corpus = open_corpus("BU-4DFE", make_bu4dfe(tmp_path, ["F001"], frames=50))
    sent, sequence = pickle.loads(pickle.dumps((corpus, corpus.sequences[2])))
    assert sent.read_frame(sequence, 7).vertices[0, 2] == 7
    assert len(pickle.dumps(corpus)) < 1000 < len(pickle.dumps(corpus.sequences))
    with pytest.raises(TypeError):
        list(sent.sequences)


def test_a_frame_without_a_file_belongs_to_no_folder(tmp_path):
    corpus = open_corpus("BU-4DFE", make_bu4dfe(tmp_path, ["F001"]))
    from dataclasses import replace

    twin = replace(corpus.sequences[0], frames=(Frame(4, None, None),))
    with pytest.raises(ValueError, match="F001_Angry, frame 4: expected a frame of the corpus in"):
        corpus.read_frame(twin, 0)
