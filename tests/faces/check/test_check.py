"""The first look at a licensed folder: each probe sees its own fault, and an intact folder gives none."""

import io
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mvlm.faces import Mesh, views
from mvlm.faces.check import measurements
from mvlm.faces.check.__main__ import look, main, report
from mvlm.faces.check.findings import Looked, turning
from mvlm.faces.corpora.items import Scan
from mvlm.faces.corpora.manifest import COLUMNS
from mvlm.faces.formats.bnt import MISSING, write_bnt
from mvlm.faces.formats.by_extension import write_mesh
from mvlm.faces.formats.landmarks import BND_NAMES, LM3_NAMES, read_lm2, write_lm3
from mvlm.faces.pose import find_pose
from mvlm.machine import command
from mvlm.settings import ROOT
from mvlm.twins.head.head import head, random_identity
from mvlm.twins.sensors import rotation

STEP, WIDE, HIGH = 5.0, 70.0, 90.0  # mm


@pytest.fixture(scope="module", autouse=True)
def found_once():
    """Folders here hold one face again and again; where it is in its files is found once."""
    poses = {}

    def known(mesh):
        shown = mesh.vertices.tobytes(), *((name, point.tobytes()) for name, point in mesh.landmarks.items())
        if shown not in poses:
            poses[shown] = find_pose(mesh)
        return poses[shown]

    with pytest.MonkeyPatch.context() as patch:
        for module in (measurements, views):
            patch.setattr(module, "find_pose", known)
        yield


def ring(x, y, across, up, count):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([x + across * np.cos(angle), y + up * np.sin(angle)], 1)


def face():
    """A bulging mask with a nose, 83 landmarks on vertices, and texture coordinates as seen from the front."""
    x, y = np.meshgrid(np.arange(-WIDE, WIDE + 1, STEP), np.arange(-HIGH, HIGH + 1, STEP))
    z = 60 * np.sqrt(1 - (x / 90) ** 2 * 0.9 - (y / 110) ** 2 * 0.5) + 25 * np.exp(-(x**2 + y**2) / 200)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    number = np.arange(x.size).reshape(x.shape)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    flat = np.concatenate([ring(30, 30, 15, 5, 8), ring(-30, 30, 15, 5, 8), ring(30, 50, 15, 0, 10),
                           ring(-30, 50, 15, 0, 10), ring(0, 5, 10, 5, 12), ring(0, -35, 20, 5, 20),
                           np.stack([np.linspace(-60, 60, 15), -80 + np.abs(np.linspace(-60, 60, 15))], 1)])
    nearest = np.linalg.norm(vertices[None, :, :2] - flat[:, None], axis=-1).argmin(1)
    coordinates = (vertices[:, :2] + [WIDE, HIGH]) / [2 * WIDE, 2 * HIGH]
    return Mesh(vertices, triangles, dict(zip(BND_NAMES, vertices[nearest], strict=True)), coordinates)


def picture():
    """(180, 140, 3) uint8, a pixel per mm, row 0 on top: skin, dark brows, red lips."""
    pixels = np.full((180, 140, 3), (200, 150, 120), np.uint8)
    pixels[34:46, 22:58] = pixels[34:46, 82:118] = (60, 40, 30)
    pixels[118:132, 46:94] = (200, 60, 60)
    return pixels


def turned(mesh, turn):
    """The mesh after x, y, z -> turn @ (x, y, z), of any determinant."""
    return replace(mesh, vertices=mesh.vertices @ turn.T,
                   landmarks={name: turn @ point for name, point in mesh.landmarks.items()})


def make_bu4dfe(root, mesh=None, subjects=("F001", "F002", "M001"), pixels=None, base=0, unmarked=()):
    mesh = face() if mesh is None else mesh
    for subject in subjects:
        for code in ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise"):
            place = root / "BU-4DFE" / subject / code
            place.mkdir(parents=True)
            for number in range(2):
                path = place / f"{number:03d}.wrl"
                write_mesh(mesh if subject not in unmarked else replace(mesh, landmarks={}), path)
                Image.fromarray(picture() if pixels is None else pixels).save(path.with_suffix(".jpg"), quality=95)
                if base and path.with_suffix(".bnd").exists():
                    rows = [line.split("\t\t") for line in path.with_suffix(".bnd").read_text().splitlines()]
                    path.with_suffix(".bnd").write_text(
                        "\n".join(f"{int(index) + base}\t\t{point}" for index, point in rows))
    return root


def levels(root):
    """topic -> level, of the only corpus there."""
    (findings,) = look(root).values()
    return {finding.topic: finding.level for finding in findings}


def looked_at(root):
    return {topic for topic, level in levels(root).items() if level == "LOOK"}


def test_an_intact_part_of_a_corpus(tmp_path, capsys):
    make_bu4dfe(tmp_path)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    assert main([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before  # it only looks
    assert "3 subjects of 101, 18 sequences of 606: a part" in said
    assert "outer eye corners 90 apart" in said and "83 in 12 of 12 meshes; .bnd count vertices from 0" in said
    assert "found with v as read" in said and "36 frames (quick" in said and "LOOK" not in said
    assert max(map(len, said.splitlines())) <= 120
    assert levels(tmp_path)["counts"] == "NOTE" and set(levels(tmp_path).values()) == {"OK", "NOTE"}


@pytest.mark.parametrize(("fault", "topics"), [
    ({"mesh": turned(face(), np.eye(3) * 0.001)}, {"unit"}),
    ({"mesh": turned(face(), np.diag([-1.0, -1.0, 1.0]))}, {"orientation"}),
    ({"mesh": turned(face(), np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]))}, {"orientation", "winding"}),
    ({"mesh": replace(face(), triangles=face().triangles[:, ::-1])}, {"winding"}),
    ({"pixels": picture()[::-1]}, {"texture"}),
])  # fmt: skip
def test_each_fault_is_seen_and_named(tmp_path, fault, topics):
    faults = [finding for finding in look(make_bu4dfe(tmp_path, **fault))["BU-4DFE"] if finding.level == "LOOK"]
    assert {finding.topic for finding in faults} == topics and all(finding.advice for finding in faults)


def test_the_base_of_landmarks_is_told(tmp_path):
    make_bu4dfe(tmp_path, subjects=("F001", "F002"), base=1)
    text = next(f.text for f in look(tmp_path)["BU-4DFE"] if f.topic == "landmarks")
    assert ".bnd count vertices from 1, coordinates" in text
    make_bu4dfe(tmp_path / "b", subjects=("M001", "M002"))
    for subject in ("M001", "M002"):
        (tmp_path / "b/BU-4DFE" / subject).rename(tmp_path / "BU-4DFE" / subject)
    assert "landmarks" in looked_at(tmp_path)  # two ways of counting in one copy


def test_without_landmarks_size_is_measured_across_the_face(tmp_path):
    make_bu4dfe(tmp_path, unmarked=("F001", "F002", "M001"))
    found = {finding.topic: finding for finding in look(tmp_path)["BU-4DFE"]}
    assert (found["landmarks"].level, found["texture"].level, found["unit"].level) == ("NOTE", "OK", "OK")
    assert "found with v as read" in found["texture"].text and "across" in found["unit"].text
    for path in tmp_path.rglob("*.jpg"):
        Image.fromarray(picture()[::-1]).save(path, quality=95)
    found = {finding.topic: finding for finding in look(tmp_path)["BU-4DFE"]}
    assert found["texture"].level == "NOTE" and "turned over" in found["texture"].text  # a hint, no proof
    for path in tmp_path.rglob("*.jpg"):
        Image.fromarray(np.full((180, 140, 3), 128, np.uint8)).save(path)
    found = {finding.topic: finding for finding in look(tmp_path)["BU-4DFE"]}
    assert found["texture"].level == "NOTE" and "do not tell" in found["texture"].text  # no brows, no lips, no answer


def test_files_that_cannot_be_read_and_names_that_are_not_known(tmp_path, capsys):
    make_bu4dfe(tmp_path)
    (tmp_path / "BU-4DFE/F001/Angry/001.wrl").write_text("")
    (tmp_path / "BU-4DFE/F001/Sad/001.jpg").unlink()
    for number in range(4):
        (tmp_path / f"BU-4DFE/F002/Fear/frame{number}.wrl").touch()
    assert main([str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "LOOK  reading      1 of 12 meshes cannot be read" in said and "SKIP_BAD=1" in said
    assert "LOOK  unknown" in said and "frame0.wrl" in said and "and 1 more" in said
    assert "F001/Sad/001.wrl (no .jpg of the same number)" in said and "2 to look at." in said


@pytest.mark.parametrize("content", [b"", b"no picture", b"P6 60000 60000 255 "])
def test_a_picture_that_is_none(tmp_path, content):
    make_bu4dfe(tmp_path)
    for path in tmp_path.rglob("*.jpg"):
        path.write_bytes(content)
    found = {finding.topic: finding for finding in look(tmp_path)["BU-4DFE"]}
    assert found["texture"].level == "LOOK" and ".jpg" in found["texture"].text


def test_folders_that_hold_no_corpus_or_a_contradiction(tmp_path, capsys):
    assert main([str(tmp_path / "none")]) == 2 and "no such folder" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 2
    assert "expected one of BU-3DFE, Bosphorus, BU-4DFE, BP4D, 4DME" in capsys.readouterr().err
    for name in ("001.obj", "0001.obj"):
        (tmp_path / "BP4D/F001/T1").mkdir(parents=True, exist_ok=True)
        (tmp_path / "BP4D/F001/T1" / name).touch()
    (tmp_path / "4DME").mkdir()
    assert main([str(tmp_path)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "expected one .obj file for frame 1, found 0001.obj too" in said
    assert "expected the folders of 4DME" in said and "2 to look at." in said
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_a_sequence_that_is_left_out_is_looked_at(tmp_path, capsys):
    make_bu4dfe(tmp_path)
    for path in (tmp_path / "BU-4DFE/F001/Sad").glob("*.jpg"):
        path.unlink()
    (tmp_path / "BU-4DFE/M001/Fear/001.jpg").unlink()
    (tmp_path / "BU-4DFE/M002").mkdir()
    assert main([str(tmp_path)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "LOOK left out 2 subjects or sequences take no part: F001/Sad (no frame with .wrl and picture), M002" in said
    assert "NOTE dropped 3 frames take no part" in said and "1 to look at." in said


NAMES = [b"f\xfcr.txt", b"a\nb.txt", b"\x1b[2J.txt", "ж.txt".encode(), b"x" * 251 + b".txt", b"\xe2\x80\xae.txt"]


def in_a_process(folder, letters):
    """Exit status, and what is shown, of the command on a terminal with such letters."""
    checked = subprocess.run([sys.executable, "-m", "mvlm.faces.check", folder], cwd=ROOT, text=False,
                             env=os.environ | {"PYTHONIOENCODING": f"{letters}:strict"}, capture_output=True)
    assert b"Traceback" not in checked.stderr
    return checked.returncode, checked.stdout.decode(letters)


def in_this_process(folder, letters):
    """The same, without another process: starting one takes longer than all else."""
    terminal = io.TextIOWrapper(io.BytesIO(), letters)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "stdout", terminal)
        command(main, [str(folder)])
    return ended.value.code, terminal.buffer.getvalue().decode(letters)


@pytest.mark.parametrize(("letters", "shown"), [
    ("ascii", in_a_process), ("latin-1", in_this_process), ("utf-8", in_this_process)
])  # fmt: skip
def test_names_of_any_letters_are_shown_on_any_terminal(tmp_path, letters, shown):
    place = tmp_path / "BU-3DFE" / "F0001"
    place.mkdir(parents=True)
    (place / "F0001_AN01WH_F3D.wrl").touch()
    for name in NAMES:
        (place / os.fsdecode(name)).touch()
        (tmp_path / "BU-3DFE" / os.fsdecode(name)).mkdir()
    status, said = shown(tmp_path / "BU-3DFE", letters)
    assert status == 1
    assert "LOOK  unknown      12 names are not of the corpus" in said and "and 9 more" in said
    assert all(character.isprintable() for line in said.splitlines() for character in line)
    assert max(map(len, said.splitlines())) <= 120


def test_a_folder_whose_name_cannot_be(capsys):
    for name in ("x" * 5000, "a\nb", os.fsdecode(b"f\xfcr")):
        assert main([name]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


# -- Bosphorus --------------------------------------------------------------------------------------------------------

EMOTIONS = ("ANGER", "DISGUST", "FEAR", "HAPPY", "SADNESS", "SURPRISE")


def make_bosphorus(root, from_top=True):
    """bs000 with six emotions and a scan to ignore, bs001 with five; .lm2 right if v counts from the top."""
    mesh = face()
    planes = np.zeros((5, 37, 29))
    planes[:3] = mesh.vertices.T.reshape(3, 37, 29)
    planes[3:] = mesh.texture_coordinates.T.reshape(2, 37, 29)
    planes[4] = 1 - planes[4]
    planes[:3, 0, :4] = MISSING
    planes[2, 36, 20] = MISSING  # partly missing
    at = {"outer left eyebrow": (40, 50), "middle left eyebrow": (30, 50), "inner left eyebrow": (20, 50),
          "inner right eyebrow": (-20, 50), "middle right eyebrow": (-30, 50), "outer right eyebrow": (-40, 50),
          "outer left eye corner": (45, 30), "inner left eye corner": (15, 30), "inner right eye corner": (-15, 30),
          "outer right eye corner": (-45, 30), "nose tip": (0, 0), "left mouth corner": (20, -35),
          "right mouth corner": (-20, -35), "upper lip outer middle": (0, -30), "chin middle": (0, -80)}
    assert set(at) < set(LM3_NAMES)
    rows = [np.linalg.norm(mesh.vertices[:, :2] - point, axis=1).argmin() for point in at.values()]
    labelled = dict(zip(at, mesh.vertices[rows], strict=True))
    for subject, emotions in (("bs000", EMOTIONS), ("bs001", EMOTIONS[:5])):
        place = root / "Bosphorus/BosphorusDB" / subject
        place.mkdir(parents=True)
        for code in ("N_N_0", *(f"E_{emotion}_0" for emotion in emotions), "IGN_IGN_0"):
            path = place / f"{subject}_{code}.bnt"
            write_bnt(planes, path)
            write_lm3(labelled, path.with_suffix(".lm3"))
            Image.fromarray(picture()).save(path.with_suffix(".png"))
            pixels = mesh.texture_coordinates[rows] * [140, 180]
            pixels[:, 1] = 180 - pixels[:, 1] if from_top else pixels[:, 1]
            text = ["# 2D landmarks", "", f"{len(at)} landmarks", "", "Labels:", *[name.capitalize() for name in at],
                    "", "2D Image coordinates:", *[f"{x:.6f} {y:.6f}" for x, y in pixels]]
            path.with_suffix(".lm2").write_text("\r\n".join(text) + "\r\n", newline="")
    return root


def test_bosphorus(tmp_path):
    found = {finding.topic: finding for finding in look(make_bosphorus(tmp_path))["Bosphorus"]}
    assert {f.topic for f in found.values() if f.level == "LOOK"} == set()
    assert "1 subjects show all six, 65 in the whole corpus" in found["six emotions"].text
    assert found["pixels"].level == "OK" and "15 in 12 of 12" in found["landmarks"].text
    assert "13 scans of 4,666" in found["counts"].text  # none of the two to ignore


def test_a_picture_counted_from_the_bottom_is_seen(tmp_path):
    assert "pixels" in looked_at(make_bosphorus(tmp_path, from_top=False))
    (tmp_path / "Bosphorus/BosphorusDB/bs000/bs000_N_N_0.lm2").write_text("Labels:\n2D Image coordinates:\n1 2\n")
    with pytest.raises(ValueError, match="bs000_N_N_0.lm2: expected `Labels:`"):
        read_lm2(tmp_path / "Bosphorus/BosphorusDB/bs000/bs000_N_N_0.lm2")


# -- BP4D and 4DME ----------------------------------------------------------------------------------------------------


def make_bp4d(root, first=1, codes=range(3, 6), mixed=False):
    """Two subjects, five frames; three digits in T1, four in the others; codes of a late start with 9s."""
    mesh = face()
    for subject in ("F001", "M001"):
        for task in range(1, 9):
            place = root / "BP4D/Sequences(2D+3D)" / subject / f"T{task}"
            place.mkdir(parents=True)
            for number in range(first, first + 5):
                digits = 3 if task == 1 or (mixed and number == first + 2) else 4
                path = place / f"{number:0{digits}d}.obj"
                write_mesh(replace(mesh, landmarks={}), path)
                Image.fromarray(picture()).save(path.with_suffix(".jpg"))
            if codes:
                coding = root / "BP4D/AUCoding/AU_OCC"
                coding.mkdir(parents=True, exist_ok=True)
                rows = [f"{number},0,{number % 2},9" for number in codes]
                (coding / f"{subject}_T{task}.csv").write_text("\n".join(["0,1,2,3", *rows]) + "\n")
    return root


def found_in(root, name="BP4D"):
    return {finding.topic: finding for finding in look(root)[name]}


def test_bp4d(tmp_path):
    found = found_in(make_bp4d(tmp_path))
    assert not [f for f in found.values() if f.level == "LOOK"]
    assert "4 digits (14), 3 digits (2); first frame 1 (16)" in found["numbers"].text
    assert "frame f is picture f," in found["action units"].text and "12 start late" in found["action units"].text
    assert found["action units"].level == "OK" and "16 sequences of 328" in found["counts"].text


def test_the_offset_of_the_codes(tmp_path):
    zero = found_in(make_bp4d(tmp_path / "zero", first=0, codes=range(1, 6)))
    assert zero["action units"].level == "OK" and "picture f - 1" in zero["action units"].text
    off = found_in(make_bp4d(tmp_path / "off", first=1, codes=range(4, 9)))["action units"]
    assert off.level == "LOOK" and "60%, 40%, 20%" in off.advice
    none = found_in(make_bp4d(tmp_path / "none", codes=(), mixed=True))
    assert none["action units"].level == "NOTE" and none["numbers"].level == "NOTE"
    assert "14 sequences mix digits" in none["numbers"].text
    (tmp_path / "zero/BP4D/AUCoding/AU_OCC/F001_T1.csv").write_text("0,1\n1,5\n")
    assert found_in(tmp_path / "zero")["action units"].level == "LOOK"


def test_a_manifest(tmp_path):
    folder = tmp_path / "4DME"
    for clip in ("a", "b"):
        for number in range(3):
            (folder / clip).mkdir(parents=True, exist_ok=True)
            write_mesh(replace(face(), landmarks={}), folder / clip / f"{number}.ply")
    shown = {"a": "positive", "b": "others"}
    rows = [f"c_{clip},s{clip},,,,{emotion},,{clip}/*.ply,,60" for clip, emotion in shown.items()]
    (folder / "manifest.csv").write_text("\n".join([",".join(COLUMNS), *rows]))
    found = found_in(tmp_path, "4DME")
    assert "2 subjects, 2 sequences in the manifest" in found["counts"].text
    assert "others 1, positive 1" in found["classes"].text and found["reading"].level == "OK"


# -- probes -----------------------------------------------------------------------------------------------------------


def test_facts_of_a_vrml_file(tmp_path):
    path = tmp_path / "a.wrl"
    write_mesh(replace(face(), landmarks={}), path)
    assert measurements.vrml(path) == (20, False, False)
    quad = ("#VRML V2.0 utf8\r\nShape { geometry IndexedFaceSet {\r\ncoord Coordinate { point [\r\n"
            "0 0 0, 1 0 0, 1 1 0, 0 1 0 ] }\r\ncoordIndex [ 0, 1, 2, 3, -1 ] } }\r\n")
    path.write_text(quad, newline="")
    assert measurements.vrml(path) == (4, True, True)


def test_measures_of_a_face():
    mesh = face()
    assert measurements.eyes_apart(mesh) == pytest.approx(90)
    assert measurements.face_across(mesh) == pytest.approx(140, abs=5)
    assert np.allclose(measurements.tip(mesh)[:2], 0, atol=5)
    assert measurements.upright(mesh) and measurements.outward(mesh)
    bare = replace(mesh, landmarks={})
    assert measurements.eyes_apart(bare) is None and measurements.upright(bare) is None
    assert report({"4DME": []}).endswith("ready for `make tables DATA=...`.")


@pytest.mark.parametrize("kept", [True, False])
def test_how_far_faces_are_turned(tmp_path, kept):
    person = head(random_identity(np.random.default_rng(1)), {})
    straight = person if kept else replace(person, landmarks={})
    around = find_pose(straight).turn.T  # how this person leans by the definition
    for angles in ((12, 0, 0), (0, -9, 0), (0, 0, 7)):
        found = measurements.turned(turned(straight, rotation(*angles) @ around.T))
        np.testing.assert_allclose(found, angles, atol=1.5)
    assert measurements.turned(replace(face(), landmarks={}, vertices=face().vertices * (1, 1, 0))) is None
    looked = [
        Looked(Scan(f"s{yaw}", "s", None, None, None, "N"), None, tmp_path,
               turned(straight, rotation(yaw, 0, 0) @ around.T), 0.0)
        for yaw in (0, 4, -20)
    ]  # fmt: skip
    finding = turning(looked)
    assert finding.level == "OK" and "most s-20 (yaw -20, pitch " in finding.text.replace("-19", "-20")
    assert turning([looked[0]._replace(mesh=replace(face(), landmarks={}))]).level == "NOTE"
