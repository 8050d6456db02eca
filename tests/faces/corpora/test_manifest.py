"""The manifest of a moving corpus: its rows, its frames, and how little a hostile one may do."""

import os

import pytest

from mvlm.faces.corpora.manifest import COLUMNS, FIVE, read_manifest
from mvlm.samples import open_corpus

PLY = "ply\nformat ascii 1.0\nelement vertex 0\nend_header\n"
OBJ = "v 0 0 {0}\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
HEADER = ",".join(COLUMNS)
ROW = "s01_c01,s01,12,14,16,negative,4;AU7,clips/a/*.obj,clips/a/*.jpg,60"


def make(folder, *rows, header=HEADER, name="manifest.csv"):
    """Clip a: meshes 10 .. 19 with pictures of even numbers; clip b: three meshes of two kinds."""
    for place, names in (("clips/a", [f"mesh_{n:04d}.obj" for n in range(10, 20)]
                          + [f"tex_{n:04d}.jpg" for n in range(10, 20, 2)]),
                         ("clips/b", ["1.obj", "2.ply", "3.WRL", "notes.txt"])):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for file in names:
            digits = "".join(c for c in file if c.isdigit())
            (folder / place / file).write_text(OBJ.format(int(digits or 0)))
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder


def opened(folder):
    return open_corpus("4DME", folder).sequences


def test_a_row_is_a_sequence(tmp_path):
    folder = make(tmp_path / "4DME", ROW, "s02_c01,s02,,,,positive,,clips/b/*,,30")
    first, second = opened(tmp_path)
    assert (first.name, first.subject, first.emotion, first.code, first.fps) == (
        "s01_c01", "s01", "negative", "negative", 60.0)
    assert [frame.number for frame in first.frames] == [12, 13, 14, 15, 16]
    assert first.frames[0].path == folder / "clips/a/mesh_0012.obj"
    assert [frame.texture and frame.texture.name for frame in first.frames] == [
        "tex_0012.jpg", None, "tex_0014.jpg", None, "tex_0016.jpg"]
    assert [frame.path.name for frame in second.frames] == ["1.obj", "2.ply", "3.WRL"] and second.fps == 30.0
    clip = read_manifest(folder / "manifest.csv")[0]
    assert (clip.start, clip.apex, clip.end, clip.aus) == (12, 14, 16, (4, 7))


def test_the_picture_of_the_manifest_is_the_meshs(tmp_path):
    make(tmp_path, ROW)
    corpus = open_corpus("4DME", tmp_path)
    mesh = corpus.read_frame(corpus.sequences[0], 2)
    assert mesh.vertices[0, 2] == 14 and mesh.texture == tmp_path / "clips/a/tex_0014.jpg"


def test_label_sets(tmp_path):
    assert len(FIVE) == 5
    rows = [f"c{n},s{n},,,,{emotion},,clips/b/*,,30" for n, emotion in enumerate([*FIVE, "negative;surprise"])]
    make(tmp_path, *rows)
    emotions = {s.name: (s.emotion, s.code) for s in opened(tmp_path)}
    assert [emotions[f"c{n}"] for n in range(5)] == [(word, word) for word in FIVE]
    assert emotions["c5"] == (None, "negative;surprise")  # of no single category


def test_columns_are_found_by_name_and_others_left_alone(tmp_path):
    header = "Notes,fps," + ",".join(reversed(COLUMNS[:-1]))
    make(tmp_path, "\"a, b\",60,,clips/b/*,,surprise,,,,s03,c9", header="\ufeff" + header, name="Manifest.CSV")
    (sequence,) = opened(tmp_path)
    assert (sequence.name, sequence.subject, sequence.emotion, len(sequence.frames)) == ("c9", "s03", "surprise", 3)


@pytest.mark.parametrize(("row", "message"), [
    (ROW.replace("negative", "negativ"), "line 2: expected emotions .*, found 'negativ'; did you mean 'negative'"),
    (ROW.replace("12,14,16", "12,17,16"), r"line 2: expected start <= apex <= end, found \[12, 17, 16\]"),
    (ROW.replace("12,", "1.5,"), "line 2: expected a frame number or nothing as start, found '1.5'"),
    (ROW.replace(",60", ",0"), "line 2: expected frames per second above 0 as fps, found '0'"),
    (ROW.replace(",60", ",nan"), "line 2: expected frames per second above 0"),
    (ROW.replace("AU7", "frown"), "line 2: expected action units such as 4;7, found 'frown'"),
    (ROW.replace("s01,", ",", 1), "line 2: expected a value of|line 2: expected letters"),
    (ROW.replace("s01_c01", "../c01"), "line 2: expected letters, digits and .* in clip_id"),
    (ROW + ",more", "line 2: expected 10 cells as in the header, found 11"),
    (ROW.replace(",60", ""), "line 2: expected 10 cells as in the header, found 9"),
    (ROW + "\n" + ROW, "line 3: clip_id 's01_c01' is there twice"),
    ("", "expected a row for each clip below the header, found none"),
    (ROW.replace("clips/a/*.obj", "../*.obj"), "line 2: expected mesh_glob relative to the manifest's folder"),
    (ROW.replace("clips/a/*.obj", r"clips\..\..\*.obj"), "line 2: expected mesh_glob relative"),
    (ROW.replace("clips/a/*.obj", "/etc/*"), "line 2: expected mesh_glob relative"),
    (ROW.replace("clips/a/*.obj", "C:/data/*.obj"), "line 2: expected mesh_glob relative"),
    (ROW.replace("clips/a/*.obj", "**/*.obj"), "line 2: expected mesh_glob relative"),
    (ROW.replace("clips/a/*.jpg", "clips/../../*.jpg"), "line 2: expected texture_glob relative"),
    (ROW.replace("clips/a/*.obj", "clips/none/*.obj"), "clip s01_c01: expected frames 12 to 16 .*, found no .obj"),
    (ROW.replace("12,14,16", "40,41,42"), "clip s01_c01: expected frames 40 to 42 .*, found frames 10 to 19"),
    (ROW.replace("clips/a/*.obj", "*/*/*.obj").replace("12,14,16", ",,"), "clip s01_c01: expected"),
])  # fmt: skip
def test_what_is_refused(tmp_path, row, message):
    make(tmp_path / "4DME", row)
    (tmp_path / "4DME/clips/c").mkdir()
    (tmp_path / "4DME/clips/c/mesh_0010.obj").touch()  # the number of another clip's mesh
    (tmp_path / "stray.obj").touch()
    with pytest.raises(ValueError, match=message) as caught:
        open_corpus("4DME", tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "4DME/manifest.csv"))


AS_FOUND = {
    "float numbers": HEADER + "\n" + ROW.replace("12,14,16", "12.0,14.,16.00").replace("4;AU7", "4.0;AU7.0"),
    "empty cells as words": HEADER + "\n" + ROW.replace("14", "NaN"),
    "commas behind": f"{HEADER},,\n{ROW},,,\n,,,\n",
    "commas behind the rows alone": f"{HEADER}\n{ROW},,",
    "commas behind the header alone": f"{HEADER},,\n{ROW}",
    "remarks and empty lines": f"# made by hand, 2024\n\n{HEADER}\n\n# {ROW}\n{ROW}\n",
    "semicolons": f"{HEADER}\n{ROW}".replace(",", "\t").replace("4;AU7", '"4;AU7"').replace("\t", ";"),
    "tabs": f"{HEADER}\n{ROW}".replace(",", "\t"),
    "carriage returns": f"{HEADER}\r{ROW}\r",
    "Ctrl-Z": f"{HEADER}\n{ROW}\n\x1a",
    "NUL": f"{HEADER}\n{ROW}\n\0\0\0",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", AS_FOUND.values(), ids=AS_FOUND)
def test_what_does_not_matter(tmp_path, text, encoding):
    folder = make(tmp_path / "4DME", ROW)
    (expected,) = read_manifest(folder / "manifest.csv")
    (folder / "manifest.csv").write_bytes(text.encode(encoding))
    (clip,) = read_manifest(folder / "manifest.csv")
    assert clip == (expected._replace(apex=None) if "NaN" in text else expected)
    for name in ("._mesh_0012.obj", "._tex_0012.jpg", ".DS_Store"):
        (folder / "clips/a" / name).write_text("left behind by a Mac")
    assert [frame.path.name for frame in opened(tmp_path)[0].frames] == [f"mesh_{n:04d}.obj" for n in range(12, 17)]


def test_names_of_meshes_in_any_letters(tmp_path):
    folder = make(tmp_path, "a,s,,,,surprise,,clips/c/*,,25")
    (folder / "clips/c").mkdir()
    first = open_corpus_with(folder, b"f\xfcr_1.obj").fingerprint
    (folder / "clips/c" / os.fsdecode(b"f\xfcr_1.obj")).unlink()
    assert open_corpus_with(folder, "für_1.obj".encode()).fingerprint != first


def open_corpus_with(folder, name):
    (folder / "clips/c" / os.fsdecode(name)).write_text(OBJ.format(1))
    return open_corpus("4DME", folder)


def test_a_link_that_leads_out_is_refused(tmp_path):
    folder = make(tmp_path / "4DME", ROW)
    outside = tmp_path / "secret.obj"
    outside.write_text(OBJ)
    (folder / "clips/a/mesh_0013.obj").unlink()
    (folder / "clips/a/mesh_0013.obj").symlink_to(folder / "clips/a/mesh_0012.obj")  # stays inside
    assert len(opened(tmp_path)[0].frames) == 5
    (folder / "clips/a/mesh_0013.obj").unlink()
    (folder / "clips/a/mesh_0013.obj").symlink_to(outside)
    with pytest.raises(ValueError, match="clip s01_c01: .*, found .*mesh_0013.obj, a link that leads out of it"):
        opened(tmp_path)


def test_a_file_without_a_number_is_refused(tmp_path):
    folder = make(tmp_path, ROW)
    (folder / "clips/a/mean.obj").touch()
    with pytest.raises(ValueError, match="expected a frame number in each file's name, found mean.obj"):
        opened(tmp_path)


@pytest.mark.parametrize(("content", "message"), [
    (b"clip_id,subject\n", "line 1: expected the columns clip_id,.*found none of the name start, apex"),
    (b"clip_id\xff\n", "byte 7: expected UTF-8, found 0xff"),
    (b"clip_id," * 20_000, "line 1: expected the columns"),
    (HEADER.encode() + b'\n"' + b"x" * 200_000, "line 2: expected a row of a CSV file|line 2: expected 10 cells"),
    (HEADER.encode() + b",start\n", "line 1: expected each column once, found start again"),
    (b"# clip_id\n\n" + HEADER[1:].encode(), "line 3: expected the columns clip_id,.*none of the name clip_id"),
])  # fmt: skip
def test_a_manifest_that_is_none(tmp_path, content, message):
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        opened(tmp_path)


def test_where_it_is_looked_for(tmp_path):
    (tmp_path / "manifest.csv").write_text("file,checksum\n")  # another tool's
    with pytest.raises(FileNotFoundError, match="expected 4DME .manifest.csv with a row for each clip."):
        opened(tmp_path)
    (tmp_path / "4DME").mkdir()
    with pytest.raises(ValueError, match="4DME: expected the folders of 4DME .*, found an empty folder"):
        opened(tmp_path)
    make(tmp_path / "4DME", ROW)
    assert len(opened(tmp_path)) == len(opened(tmp_path / "4DME")) == 1
