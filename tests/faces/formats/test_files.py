"""The picture beside a mesh, by whatever spelling the file has of its name; texts of every encoding."""

import codecs
import gzip
import os
import warnings
from unicodedata import normalize

import pytest

from mvlm.faces.formats.files import PictureWarning, picture_beside, read_text, spellings

NAMES = {
    "as it is": ("skin.png", "skin.png"),
    "case": ("SKIN.Png", "skin.png"),
    "blanks and brackets": ("my skin (2).png", "my skin (2).png"),
    "quotes": ('"my skin.png"', "my skin.png"),
    "a sharp": ("skin#2.png", "skin#2.png"),
    "a percent sign": ("50%20.png", "50%20.png"),
    "another machine's folder": (r"C:\scans\new\skin.png", "skin.png"),
    "a folder above": ("../../skin.png", "skin.png"),
    "a way without end": ("x" * 10**6 + "/skin.png", "skin.png"),
    "an address": ("http://host/a%20b/my%20skin.png?v=3#top", "my skin.png"),
    "composed": (normalize("NFC", "gesicht_ä.png").encode(), normalize("NFD", "gesicht_ä.png")),
    "decomposed": (normalize("NFD", "Gesicht_Ä.png").encode(), normalize("NFC", "gesicht_ä.png")),
    "a letter that case makes two": ("STRASSE.png", "straße.png"),
    "latin-1": ("gesicht_ä.png".encode("latin-1"), "gesicht_ä.png"),
    "DOS": ("gesicht_ä.png".encode("cp850"), "gesicht_ä.png"),
    "an old Macintosh": ("gesicht_ä.png".encode("mac-roman"), "gesicht_ä.png"),
    "Chinese": ("面孔.png".encode("gb18030"), "面孔.png"),
    "Japanese, with a byte that is a backslash": ("表.png".encode("shift-jis"), "表.png"),
    "UTF-8 taken for latin-1 in a copy": ("gesicht_ä.png".encode(), "gesicht_Ã¤.png"),
    "another extension": ("skin.tif", "skin.webp"),
    "no extension": ("skin", "skin.tiff"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_found_by_any_spelling_of_its_name(tmp_path, name):
    reference, listed = NAMES[name]
    (tmp_path / listed).touch()
    (tmp_path / "a.png").touch()
    assert picture_beside(tmp_path / "a.wrl", [reference], ["a.png"]) == tmp_path / listed


def test_a_name_that_is_no_text_is_found(tmp_path):
    (tmp_path / os.fsdecode(b"gesicht_\xe4.png")).touch()
    for reference in ("gesicht_ä.png", b"gesicht_\xe4.png", "gesicht_ä.png".encode()):
        assert os.fsencode(picture_beside(tmp_path / "a.wrl", [reference], []).name) == b"gesicht_\xe4.png"


def test_the_first_reference_that_leads_somewhere_counts(tmp_path):
    for name in ("b.png", "c.png", "a.jpg"):
        (tmp_path / name).touch()
    mesh = tmp_path / "a.wrl"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture_beside(mesh, ["x.png", "c.png", "b.png"], ["a.png"]).name == "c.png"
        assert picture_beside(mesh, ["x.png"], ["a.png", "b.png"]).name == "b.png"
        assert picture_beside(mesh, ["x.png"], ["a.png"]).name == "a.jpg"
        assert picture_beside(mesh, [""], ["d.png"]) is None


def test_a_reference_that_leads_nowhere_is_one_warning_with_the_name(tmp_path):
    (tmp_path / "skin.obj").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.png").touch()
    for names in (["gone.png"], [r"d:\x\gone.png", b"g\xe4.png"], ["../secret.png"], ["skin.obj"], [".."], ["a.mov"]):
        with pytest.warns(PictureWarning) as caught:
            assert picture_beside(tmp_path / "in" / "a.wrl", names, ["a.png"]) is None
        assert len(caught) == 1
        said = str(caught[0].message)
        assert said.startswith(f"{tmp_path / 'in' / 'a.wrl'}: expected the picture '") and "found none" in said
        last = names[0].replace("\\", "/").split("/")[-1]
        assert repr(last) in said


TEXT = "v 0 0 0\nmtllib gesicht_ä.mtl\n"
ENCODED = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a mark": codecs.BOM_UTF8 + TEXT.encode(),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16, the other way round": codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "UTF-16 without a mark, the other way round": TEXT.encode("utf-16-be"),
    "UTF-16 and half a character": TEXT.encode("utf-16") + b"\n",
    "UTF-32": TEXT.encode("utf-32"),
    "gzip": gzip.compress(TEXT.encode()),
    "gzip of UTF-16": gzip.compress(TEXT.encode("utf-16")),
    "a tail of zeros": TEXT.encode() + bytes(4096),
    "an end of DOS": TEXT.encode() + b"\x1a",
    "ends of every kind": TEXT.encode() + b"\x1a\r\n\x00\x00\x1a\n",
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_text_is_read_whatever_it_is_wrapped_in(tmp_path, name):
    (tmp_path / "a").write_bytes(ENCODED[name])
    assert read_text(tmp_path / "a").rstrip() == TEXT.encode().rstrip()


def test_what_is_no_whole_text_is_refused(tmp_path):
    path, packed = tmp_path / "a", gzip.compress(TEXT.encode() * 99, compresslevel=1)
    for data, message in {
        packed[:-9]: "expected a whole gzip file of at most .* unpacked, found a part of it",
        packed[:10] + b"\xff" + packed[11:]: "expected a whole gzip file, found",
        gzip.compress(bytes(10**7)): "expected a whole gzip file of at most .* unpacked, found more",
        codecs.BOM_UTF16_LE + b"\x00\xd8v\x00": ", byte 2: expected text in utf-16",
    }.items():
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message):
            read_text(path)


def test_a_name_without_end_is_cut_before_anything_is_made_of_it():
    assert max(len(name) for reference in ("ä" * 10**6, b"\xe4" * 10**6) for name in spellings(reference)) <= 4096
