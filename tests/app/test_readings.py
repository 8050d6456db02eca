"""What the page's other process does with scans, without the page."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps

from mvlm import prompts
from mvlm.app import readings
from mvlm.app.model import model
from mvlm.app.readings import EACH, EXAMPLES, FRAMES, PERSON, compare, example, explained, read, sentences_of
from mvlm.app.uploads import Upload
from mvlm.classify.page import heated
from mvlm.classify.verdicts import classify
from mvlm.faces.corpora.items import EMOTIONS, NEUTRAL
from mvlm.faces.formats.by_extension import write_mesh
from mvlm.faces.mesh import Mesh
from mvlm.measures.explain import grad_cam
from mvlm.settings import Settings
from mvlm.twins.twin import Twin
from tests.app.test_uploads import SCAN, zipped


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A person's smile, surprise and disgust."""
    twin, folder = Twin("BU-3DFE", face="formula"), tmp_path_factory.mktemp("scans")
    paths = []
    for emotion in ("happiness", "surprise", "disgust"):
        mesh = twin.read(next(of for of in twin.scans if of.emotion == emotion and of.level == 4))
        paths.append(folder / f"{emotion}.obj")
        write_mesh(Mesh(mesh.vertices, mesh.triangles), paths[-1])
    return paths


def uploads(scans: list[Path]) -> list[Upload]:
    return [Upload(path.name, path.read_bytes()) for path in scans]


def test_uploads_get_the_verdicts_of_the_command(scans: list[Path], tmp_path: Path):
    for kind, persons in ((EACH, None), (PERSON, [""] * 3)):
        found = read(str(tmp_path / kind), uploads(scans), kind)
        for ours, theirs in zip(found.verdicts, classify(sorted(scans), Settings(), persons=persons), strict=True):
            assert ours.looked.name == theirs.looked.name and ours.doubts == theirs.doubts
            assert np.array_equal(ours.looked.images, theirs.looked.images)
            assert np.allclose(ours.probabilities, theirs.probabilities, atol=1e-6)
            assert (ours.without is None) == (kind == EACH)
    assert len(found.heads) == 3 and found.notes == []
    for vertices, triangles in found.heads:
        assert 1000 < len(triangles) <= readings.TRIANGLES and triangles.max() < len(vertices)
        nose = vertices[np.linalg.norm(vertices, axis=1).argmin()]
        assert np.linalg.norm(nose) < 3  # mm: what lies at the origin is the nose's tip


def test_an_archive_of_frames_is_one_recording(scans: list[Path], tmp_path: Path):
    files = [(f"rec/{n}.obj", path.read_bytes()) for n, path in enumerate(scans)]
    found = read(str(tmp_path / "a"), [Upload("rec.zip", zipped(*files, ("rec/notes.txt", b"")))], FRAMES)
    assert [of.looked.name for of in found.verdicts] == ["rec.zip"]
    assert found.verdicts[0].looked.kind == "3 of 3 frames, as one dynamic image"
    assert found.notes == ["left out: notes.txt"] and len(found.heads) == 1


def test_what_is_lost_of_a_file_is_said_without_the_folder(scans: list[Path], tmp_path: Path):
    text = b"mtllib face.mtl\n" + scans[0].read_bytes().replace(b"\nf ", b"\nvt 0 0\nf ", 1)
    found = read(
        str(tmp_path / "in"), [Upload("face.obj", text), Upload("face.mtl", b"newmtl a\nmap_Kd x.jpg\n")], EACH
    )
    assert all(str(tmp_path) not in note for note in found.notes)


@pytest.mark.parametrize(
    ("files", "kind", "said"),
    [
        ([("a.obj", b"v 1 2 three\n")], EACH, "a.obj, line 1"),
        ([("a.obj", SCAN)], EACH, "a.obj: expected a face in millimetres"),
        ([("a.ply", b"no ply")], EACH, "a.ply"),
        ([("a.zip", zipped(("deep/a.bnt", b"\0" * 9)))], EACH, "deep/a.bnt"),
        ([("a.obj", SCAN)], FRAMES, "a.obj: expected two frames or more of a recording, found one"),
        ([("a.obj", SCAN), ("b.ply", b"")], FRAMES, "a.obj: expected frames of one kind in one folder"),
        ([(f"{n}.obj", SCAN) for n in range(25)], EACH, "25 scans: expected at most 24 at once"),
    ],
)
def test_what_is_no_face_is_refused_without_the_folder(tmp_path: Path, files: list, kind: str, said: str):
    with pytest.raises(ValueError) as refused:
        read(str(tmp_path / "in"), [Upload(*of) for of in files], kind)
    assert str(refused.value).startswith(said) and str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize("name", ["A face at rest", "A recording of disgust"])
def test_examples_are_read_as_uploads_are(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readings, "twin", lambda corpus: Twin(corpus, face="formula"))  # which takes no seconds
    found = example(str(tmp_path), name)
    assert found.notes == [f"synthetic, from the twin of {EXAMPLES[name][0]}: nobody was scanned"]
    assert len(found.verdicts) == len(found.heads) == 1


def test_heat_speaks_for_the_word_that_is_asked_for(scans: list[Path], tmp_path: Path):
    looked = read(str(tmp_path / "in"), uploads(scans[:1]), EACH).verdicts[0].looked
    words = (*EMOTIONS, NEUTRAL)
    for place in (2, 8):
        (heat,) = grad_cam(model(), looked.images[None], words, np.array([place])).heat
        for ours, view, hot in zip(explained(looked, words[place]), looked.shown, heat, strict=True):
            assert np.array_equal(ours, heated(view, hot))
    view = looked.shown[0]
    assert np.array_equal(heated(view, np.zeros((64, 64))), view)  # which is grey
    full = heated(view, np.ones((64, 64))).astype(float)
    assert np.allclose(full, 0.75 * 255 * np.array(colormaps["inferno"](1.0)[:3]) + 0.25 * view, atol=0.6)


def test_sentences_are_compared_by_the_cosines_of_their_embeddings(scans: list[Path], tmp_path: Path):
    looked = read(str(tmp_path / "in"), uploads(scans[:1]), EACH).verdicts[0].looked
    found = compare(looked.images, ["a smiling face", "a Purple elephant, purple"])
    rows = model().encode_views(looked.images[None])[0].mean(0).numpy()
    text = model().encode_text(["a smiling face", "a Purple elephant, purple"]).numpy()
    assert np.allclose(list(found.own.values()), text @ rows / np.linalg.norm(rows), atol=1e-6)
    assert list(found.nearest.values()) == sorted(found.nearest.values(), reverse=True)
    assert len(found.nearest) == readings.NEAREST and found.own["a smiling face"] <= max(found.nearest.values()) + 1e-6
    assert found.unknown == {"a Purple elephant, purple": ["purple", "elephant"]}


def test_every_word_of_the_prompts_is_learnt():
    assert not {
        word
        for prompt in prompts.prompts_for((*EMOTIONS, NEUTRAL))[0]
        for word in readings.unknown(prompt, readings.words())
    }
    assert {"astonished", "brows", "irritation", "portrait"} <= readings.words()


def test_sentences_are_lines_of_a_bounded_number_and_length():
    assert sentences_of("  a  face \n\na face\nanother") == ["a face", "another"]
    with pytest.raises(ValueError, match="9 sentences: expected at most 8, one a line"):
        sentences_of("\n".join("abcdefghi"))
    with pytest.raises(ValueError, match="expected a sentence of at most 120 letters, found 200"):
        sentences_of("a" * 200)
