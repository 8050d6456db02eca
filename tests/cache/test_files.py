"""Files are whole or absent, whatever ends the process that writes them."""

import pytest

from mvlm.cache.files import replacing, write, write_text


def test_a_killed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "record.json"
    write(path, lambda file: file.write(b"old"))

    def killed(file):
        file.write(b"ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, killed)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_text_is_written_in_utf_8_in_a_folder_that_was_not_there(tmp_path):
    path = tmp_path / "new" / "text.md"
    write_text(path, "für\n")
    assert path.read_bytes() == "für\n".encode()


def test_what_fails_halfway_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="halfway"), replacing(tmp_path / "mesh.obj") as part:
        part.write_text("v 0 0")
        raise ValueError("halfway")
    assert list(tmp_path.iterdir()) == []
