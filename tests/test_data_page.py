"""DATA.md: the folders, the manifest and the twins are as it says."""

import re
from textwrap import wrap

import pytest

from mvlm.faces.corpora.corpus import CORPORA
from mvlm.faces.corpora.manifest import read_manifest
from mvlm.samples import open_corpus
from mvlm.settings import ROOT
from mvlm.twins.cards import CARDS

PAGE = (ROOT / "DATA.md").read_text(encoding="utf-8")


def section(title):
    return re.search(rf"^### {re.escape(title)}\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)[1]


def files_of(tree):
    """Paths of the files of a tree by indentation; folders end in /."""
    folders, files = [], []
    for line in tree.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.strip()
        folders = [*folders[:depth], name.rstrip("/")]
        if not name.endswith("/"):
            files.append("/".join(folders))
    return files


@pytest.mark.parametrize("name", [name for name in CORPORA if name != "4DME"])
def test_every_file_of_the_trees_is_known(tmp_path, name):
    (tree,) = re.findall(r"```tree\n(.*?)```", section(name), re.DOTALL)
    files = files_of(tree)
    assert len(files) >= 5
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    corpus = open_corpus(name, tmp_path)
    assert corpus.unknown == () and corpus.dropped == {} and len({item.subject for item in corpus.items}) == 2
    meshes = sum(file.endswith((".wrl", ".bnt", ".obj")) for file in files)
    assert meshes == len(corpus.scans) + sum(len(sequence.frames) for sequence in corpus.sequences)
    marked = sum(frame.landmarks is not None for sequence in corpus.sequences for frame in sequence.frames)
    assert marked == (tree.count(".bnd") if corpus.sequences else 0)


def test_the_manifest_of_the_page_is_one(tmp_path):
    (text,) = re.findall(r"```csv\n(.*?)```", section("4DME"), re.DOTALL)
    (tmp_path / "manifest.csv").write_text(text)
    clips = read_manifest(tmp_path / "manifest.csv")
    assert len(clips) == 3 and clips[0].aus == (4, 7) and clips[2].emotions == ("positive", "surprise")
    for clip in clips:
        folder = (tmp_path / clip.mesh_glob).parent
        folder.mkdir(parents=True)
        for number in (3, 12, 31):
            (folder / f"{number:04d}{clip.mesh_glob[-4:]}").touch()
    assert [len(sequence.frames) for sequence in open_corpus("4DME", tmp_path).sequences] == [2, 3, 3]


def card(name):
    """The section of a twin as the page should have it."""
    titles = {"is_not": "What it is not"}
    rows = [f"- **{titles.get(field, field.capitalize())}:** {words}" for field, words in CARDS[name]._asdict().items()]
    lines = [line for row in rows for line in wrap(row, 118, subsequent_indent="  ", break_on_hyphens=False)]
    return "\n".join([f"### The twin of {name}", "", *lines]) + "\n"


@pytest.mark.parametrize("name", CORPORA)
def test_the_cards_of_the_twins_are_on_the_page(name):
    assert card(name) in PAGE, f"DATA.md should say, as cards.py does:\n\n{card(name)}"


def test_the_pages_addresses_and_promises():
    assert set(re.findall(r"https?://([\w.]+)/", PAGE)) == {
        "www.cs.binghamton.edu", "6gflagship.com", "pure.kfupm.edu.sa"}
    assert "python -m mvlm.faces.check" in PAGE and "make tables DATA=" in PAGE
    assert max(len(line) for line in PAGE.splitlines() if "|" not in line and "http" not in line) <= 120
