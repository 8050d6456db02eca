"""`mvlm classify`: one's own scans, and what is wrong with them, in one line."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mvlm import one_person
from mvlm.__main__ import main
from mvlm.classify import command, page, verdicts
from mvlm.classify.verdicts import classify
from mvlm.faces.corpora.items import EMOTIONS, NEUTRAL
from mvlm.faces.dynamics import project_sequence
from mvlm.faces.formats.by_extension import read_mesh, write_mesh
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import find_pose
from mvlm.faces.views import project, view_names
from mvlm.labels.clusters import aggregate
from mvlm.model import load_model
from mvlm.settings import VARIABLES, Settings
from mvlm.twins.twin import Twin


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch):
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smile as .wrl with landmarks and as .ply without, and five frames of a surprise."""
    folder = tmp_path_factory.mktemp("scans")
    twin, moving = Twin("BU-3DFE"), Twin("BU-4DFE")
    mesh = twin.read(next(scan for scan in twin.scans if scan.emotion == "happiness" and scan.level == 4))
    write_mesh(mesh, folder / "smile.wrl")
    write_mesh(Mesh(mesh.vertices, mesh.triangles), folder / "bare.ply")
    write_mesh(Mesh(mesh.vertices / 1000, mesh.triangles), folder / "metres.ply")
    sequence = next(s for s in moving.sequences if s.emotion == "surprise")
    (folder / "surprise").mkdir()
    for place in range(0, len(sequence.frames), len(sequence.frames) // 5 + 1):
        # Written without leading zeros: the order is that of the numbers.
        write_mesh(moving.read_frame(sequence, place), folder / "surprise" / f"{sequence.frames[place].number}.obj")
    return folder


@pytest.fixture
def drawn_here(monkeypatch: pytest.MonkeyPatch):
    """Pictures are drawn in this process: starting the one that does it takes longer than most tests."""
    monkeypatch.setattr(command, "ProcessPoolExecutor", lambda count, **_: ThreadPoolExecutor(count))


def test_scans_and_frames_get_their_verdicts(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    out = tmp_path / "new" / "folder"
    given = [str(scans / name) for name in ("smile.wrl", "bare.ply", "surprise")]
    assert main(["classify", *given, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["bare.png", "smile.png", "surprise.png"]
    for path in out.iterdir():
        with Image.open(path) as picture:
            assert picture.size[0] > 900 and picture.size[1] > 500
    assert re.search(rf"smile\.wrl \(a scan\)\n  ({'|'.join(EMOTIONS)}) ", said)
    assert "surprise (5 of 5 frames, as one dynamic image)" in said
    assert "has learnt from synthetic faces alone" in said and "do not measure what anybody feels" in said
    shares = [float(line.split()[1]) for line in said.splitlines() if line[2:].split(" ")[0] in EMOTIONS]
    assert np.allclose(np.array(shares).reshape(3, len(EMOTIONS)).sum(1), 100, atol=0.5)


@pytest.mark.usefixtures("drawn_here")
def test_scans_of_one_person_are_read_without_the_person(tmp_path: Path, capsys: pytest.CaptureFixture):
    twin = Twin("BU-3DFE")
    own = [scan for scan in twin.scans if scan.subject == "F0001" and scan.level == 4]
    for scan in own[:5]:
        (tmp_path / "her").mkdir(exist_ok=True)
        write_mesh(twin.read(scan), tmp_path / "her" / f"{scan.emotion}.ply")
    assert main(["classify", "--one-person", str(tmp_path / "her"), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.count("with the person removed") == 5 and "plain" not in said and "Few scans" not in said
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == sorted(scan.emotion for scan in own[:5])

    paths = sorted((tmp_path / "her").glob("*.ply"))
    together = classify(paths, Settings(), persons=[""] * 5)
    model = load_model()
    rows = aggregate(model.encode_views(np.stack([of.looked.images for of in together])).numpy())
    assert np.allclose([of.without for of in together], one_person.load().read(rows), atol=1e-6)
    assert all(of.best == one_person.CLASSES[of.without.argmax()] for of in together)
    # Who stands beside whom counts, and nobody else does; what is plain stays so.
    mixed = classify(paths, Settings(), persons=["a", "a", "a", "b", "b"])
    alone = classify(paths[3:], Settings(), persons=["b", "b"])
    assert np.allclose([of.without for of in mixed[3:]], [of.without for of in alone], atol=1e-5)
    assert not np.allclose(mixed[0].without, together[0].without)
    assert np.allclose(mixed[0].probabilities, together[0].probabilities)
    assert mixed[0].doubts[0].startswith("Few scans: 3") and mixed[4].doubts[0].startswith("Few scans: 2")
    assert "with the person removed" in page.report(mixed[0]) and "\n  plain\n" in page.report(mixed[0])
    titles = [axes.get_title() for axes in page.draw(mixed[0], Settings()).axes]
    assert titles[-2:] == ["with the person removed", "plain"]

    (plain,) = classify(paths[:1], Settings(yaws=(0.0, 30.0, -30.0)), persons=[""])
    assert plain.without is None and plain.doubts[0].startswith("Persons cannot be removed here")
    assert plain.doubts[0] in page.report(plain)


def test_a_folder_is_a_person_and_files_are_one(tmp_path: Path):
    for name in ("b/2.obj", "b/10.obj", "a/1.ply", "x.wrl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scans, persons = verdicts.people([tmp_path / name for name in ("x.wrl", "b", "a", "a/1.ply")])
    assert [path.name for path in scans] == ["x.wrl", "2.obj", "10.obj", "1.ply", "1.ply"]
    assert persons == ["", str(tmp_path / "b"), str(tmp_path / "b"), str(tmp_path / "a"), ""]


def test_scans_that_look_alike_are_read_as_they_are(scans: Path):
    smile = scans / "bare.ply"
    alike = classify([smile] * 3, Settings(), persons=[""] * 3)
    (plain,) = classify([smile], Settings())
    assert all(of.without is None and of.doubts == (one_person.SAME,) and of.best == plain.best for of in alike)
    assert "with the person removed" not in page.report(alike[0])


def test_pictures_of_scans_of_one_name_have_names_of_their_own(tmp_path: Path):
    *paths, odd = [tmp_path / name for name in ("a/1.wrl", "a/1.obj", "b/1.obj", "b/2.obj", "1.wrl.obj")]
    odd.touch()
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert command._names(paths[2:]) == ["1", "2"] and command._names(paths[:2]) == ["1.wrl", "1.obj"]
    assert command._names(paths[1:3]) == ["a-1", "b-1"]
    assert command._names(paths) == ["1.wrl", "a-1.obj", "b-1", "2"]
    with pytest.raises(ValueError, match="expected scans that differ in name or folder, found two"):
        command._names([odd, *paths[:2]])  # by its extension one would be what the other is without


def test_a_recording_in_which_nothing_moves_says_so(scans: Path, tmp_path: Path):
    for number in range(3):
        shutil.copy(scans / "bare.ply", tmp_path / f"{number}.ply")
    still, moving = classify([tmp_path, scans / "surprise"], Settings())
    assert "they hardly differ" in still.looked.kind and "differ" not in moving.looked.kind


def test_the_picture_names_its_views():
    yaws = (0.0, 30.0, -30.0, 60.0, -60.0)
    pictures = np.zeros((5, verdicts.SIDE, verdicts.SIDE, 3), np.uint8)
    looked = verdicts.Looked("scan.wrl", "a scan", pictures, pictures, False)
    verdict = verdicts.Verdict(looked, np.full(len(EMOTIONS), 1 / len(EMOTIONS)), np.zeros((5, 8, 8)), 0.1)
    titles = [axes.get_title() for axes in page.draw(verdict, Settings(yaws=yaws)).axes]
    assert [title for title in titles if title] == view_names(yaws)


def test_probabilities_are_the_models_own(scans: Path):
    smile, moving = classify([scans / "smile.wrl", scans / "surprise"], Settings())
    model = load_model()
    views = project(read_mesh(scans / "smile.wrl"), size=model.image_size)
    assert np.array_equal(smile.looked.images, views)
    assert np.allclose(smile.probabilities, model.classify(views[None], EMOTIONS).numpy()[0], atol=1e-5)
    assert smile.heat.shape == (3, 64, 64) and smile.heat.max() == 1
    twin = Twin("BU-4DFE")
    sequence = next(s for s in twin.sequences if s.emotion == "surprise")
    step = len(sequence.frames) // 5 + 1
    wanted = type(sequence)(
        sequence.name, sequence.subject, sequence.emotion, sequence.code, sequence.frames[::step], sequence.fps
    )
    pictures, bad = project_sequence(twin, wanted, size=64)
    assert not bad and np.abs(moving.looked.images.astype(int) - pictures).mean() < 0.5  # .obj rounds to 1e-6


def test_whether_a_face_is_at_rest_is_told_beside(scans: Path):
    (smile,) = classify([scans / "smile.wrl"], Settings())
    nine = load_model().classify(smile.looked.images[None], (*EMOTIONS, NEUTRAL)).numpy()[0]
    assert smile.rest == pytest.approx(nine[-1], abs=1e-5) and smile.at_rest == (nine.argmax() == 8)
    said = "It may be at rest, and show none of these (beside them, rest has 40 %)."
    for rest, called in ((0.4, True), (0.3, False)):  # the best emotion has half of what rest leaves
        verdict = smile._replace(rest=rest, probabilities=np.array([0.5, *[0.5 / 7] * 7]))
        assert verdict.at_rest is called and (said in page.report(verdict)) is called


def test_frames_are_ordered_by_number_and_names_by_folder(tmp_path: Path):
    for name in ("b/2.obj", "b/10.obj", "b/1.obj", "a/1.obj", "a/.hidden.ply"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in verdicts.frames_of(tmp_path / "b")] == ["1.obj", "2.obj", "10.obj"]
    paths = [tmp_path / name for name in ("a/1.obj", "b/1.obj", "b/2.obj", "a")]
    assert command._names(paths) == ["a-1", "b-1", "2", "a"]


@pytest.mark.usefixtures("drawn_here")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.wrl", "gone.wrl: expected a scan (.wrl, .obj, .bnt, .ply) or a folder of frames, found nothing"),
        ("photo.jpg", "photo.jpg: expected a scan with the extension .wrl, .obj, .bnt, .ply, found '.jpg'"),
        ("empty", "empty: expected a folder of frames (.wrl, .obj, .bnt, .ply), found none"),
        ("mixed", "mixed: expected frames of one kind, found .obj and .ply"),
        ("broken.obj", "broken.obj, line 1"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture, name: str, said: str
):
    for path in ("photo.jpg", "mixed/1.obj", "mixed/2.ply", "empty/notes.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "broken.obj").write_text("v 1 2 three\n")
    out = tmp_path / "out"
    assert main(["classify", str(scans / "smile.wrl"), str(tmp_path / name), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and said in captured.err
    assert not out.exists()


def test_the_folder_for_pictures_must_not_be_a_file(scans: Path, capsys: pytest.CaptureFixture):
    assert main(["classify", str(scans / "smile.wrl"), "--out", str(scans / "bare.ply")]) == 2
    assert "bare.ply: expected a folder for the pictures, found a file" in capsys.readouterr().err
    assert main(["classify", *[str(scans / "smile.wrl")] * 2]) == 2
    assert "expected scans that differ in name or folder, found two" in capsys.readouterr().err


def test_what_cannot_be_shown_is_named(scans: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    message = r"metres.ply: expected a face in millimetres, 80 to 600 of them across, found 0.1\d+; is it in metres\?"
    with pytest.raises(ValueError, match=message):
        classify([scans / "metres.ply"], Settings())
    with pytest.raises(ValueError, match="bare.ply: channel 'texture': expected a mesh with a picture"):
        classify([scans / "bare.ply"], Settings(channel="texture"))
    monkeypatch.setenv("CHANNEL", "colour")
    assert main(["classify", str(scans / "bare.ply")]) == 2
    assert "CHANNEL=colour: expected one of" in capsys.readouterr().err


def test_what_is_no_face_is_said_to_be_none():
    side = np.arange(0, 200.0, 5)
    x, y = (of.ravel() for of in np.meshgrid(side, side))
    rows = np.arange(1600).reshape(40, 40)
    corners = [rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]]
    triangles = np.concatenate([np.stack([corners[i] for i in of], -1).reshape(-1, 3) for of in ((0, 1, 2), (0, 2, 3))])
    wall = Mesh(np.column_stack([x, y, 0 * x]), triangles)
    assert verdicts.is_lost(wall, find_pose(wall))
    assert "in the eyes of this model" in page.about("mvlm-tiny")
    assert "made for photographs" in page.about("ViT-B-32")
    assert "always chooses among 8 emotions" in page.about("mvlm-tiny")
