import hashlib
import json
import os
import threading
import time

import pytest

from mmbnft.tasks import file_hashes
from mmbnft.tasks.file_hashes import NAME, FileHashes
from mmbnft.utils import files
from mmbnft.utils.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An image folder whose files look settled, and a cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(FileHashes, "_known", {})
    monkeypatch.setattr(file_hashes, "SETTLED", -1)
    (tmp_path / "task" / "images").mkdir(parents=True)
    for name in ("a", "b c", "d"):
        (tmp_path / "task" / "images" / name).write_bytes(name.encode())
    return tmp_path / "task" / "images"


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that are read."""
    seen = []
    monkeypatch.setattr(files, "sha256_file", lambda path: seen.append(path.name) or sha(path.read_bytes()))
    return seen


def sha(content):
    return hashlib.sha256(content).hexdigest()


def test_files_are_read_once_and_again_by_another_process_only_if_changed(folder, reads):
    names = ("b c", "a")
    assert FileHashes(folder).of(names) == FileHashes(folder).of(names) == (sha(b"b c"), sha(b"a"))
    assert reads == ["b c", "a"]
    FileHashes._known.clear()  # as a new process begins
    assert FileHashes(folder).of(names) == (sha(b"b c"), sha(b"a"))
    assert len(reads) == 2
    (folder / "a").write_bytes(b"x")  # the same size
    assert FileHashes(folder).of(names) == (sha(b"b c"), sha(b"x"))
    assert reads[2:] == ["a"]


def test_a_change_that_keeps_size_and_date_is_noticed(folder):
    before = (folder / "a").stat()
    FileHashes(folder).of(["a"])
    time.sleep(0.02)  # beyond a tick of the file system's clock
    (folder / "a").write_bytes(b"x")
    os.utime(folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert FileHashes(folder).of(["a"]) == (sha(b"x"),)


def test_a_file_changed_a_moment_ago_is_not_trusted_yet(folder, reads, monkeypatch):
    monkeypatch.setattr(file_hashes, "SETTLED", 10**12)
    FileHashes(folder).of(["a"])
    FileHashes(folder).of(["a"])
    assert reads == ["a", "a"]
    assert not (folder.parent / NAME).exists()


def test_where_the_folder_cannot_be_written_the_users_cache_keeps_them(folder, reads, tmp_path, monkeypatch):
    write = files.write_text

    def refuse(path, text):
        if path.parent == folder.parent:
            raise UserError("read-only")
        write(path, text)

    monkeypatch.setattr(files, "write_text", refuse)
    FileHashes(folder).of(["a"])
    FileHashes._known.clear()
    FileHashes(folder).of(["a"])
    assert reads == ["a"]
    assert len(list((tmp_path / "cache" / "mmbnft" / "content_hashes").iterdir())) == 1
    assert not (folder.parent / NAME).exists()


def test_where_nothing_can_be_written_they_are_computed(folder, monkeypatch):
    def refuse(path, text):
        raise UserError("read-only")

    monkeypatch.setattr(files, "write_text", refuse)
    assert FileHashes(folder).of(["a"]) == (sha(b"a"),)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 0}', '{"format": 1, "files": {"a": 3}}'])
def test_a_damaged_record_is_made_anew(folder, content):
    (folder.parent / NAME).write_text(content)
    assert FileHashes(folder).of(["a"]) == (sha(b"a"),)
    assert json.loads((folder.parent / NAME).read_text())["files"]["a"][-1] == sha(b"a")


def test_two_writers_keep_what_the_other_wrote(folder):
    FileHashes(folder).of(["a"])
    FileHashes._known.clear()
    other = FileHashes(folder)
    other._known[other.folder] = {}  # began before the first one wrote
    other.of(["d"])
    assert set(json.loads((folder.parent / NAME).read_text())["files"]) == {"a", "d"}


def test_many_writers_at_once_leave_a_whole_record(folder):
    threads = [threading.Thread(target=FileHashes(folder).of, args=(["a", "b c", "d"],)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(json.loads((folder.parent / NAME).read_text())["files"]) == {"a", "b c", "d"}
    assert [path.name for path in folder.parent.iterdir() if path.name.endswith(".part")] == []


def test_a_missing_file_is_one_sentence(folder):
    with pytest.raises(UserError, match=r"image .*/none cannot be read \(No such file"):
        FileHashes(folder).of(["none"])
