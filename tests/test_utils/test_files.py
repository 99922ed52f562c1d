import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from mmbnft.utils import files
from mmbnft.utils.errors import UserError


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="stop"), files.atomic_file(path) as stream:
        stream.write(b"half of the new")
        raise ValueError("stop")
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_nan_never_gets_into_a_file(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_file_mode_follows_the_umask(tmp_path):
    files.write_text(tmp_path / "a", "x")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


def test_unwritable_place_is_one_sentence(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file/x/a: .*choose a folder"):
        files.write_text(blocker / "x" / "a", "text")
    with pytest.raises(UserError, match="cannot write"):
        files.check_writable(blocker / "x")


def test_hash_of_equal_content_is_equal_and_order_does_not_matter(tmp_path):
    assert files.sha256_json({"a": 1, "b": [1.5, "x"]}) == files.sha256_json({"b": [1.5, "x"], "a": 1})
    (tmp_path / "f").write_bytes(b"abc")
    # FIPS 180-2 test vector for "abc"
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256_file(tmp_path / "f") == expected


def test_damaged_json_is_one_sentence(tmp_path):
    (tmp_path / "a.json").write_text('{"half": ')
    with pytest.raises(UserError, match=r"a\.json is not valid JSON"):
        files.read_json(tmp_path / "a.json")


def test_kill_during_writing_leaves_whole_files_only(tmp_path):
    target = tmp_path / "a.json"
    code = (
        "import importlib.util, sys, types\n"
        "sys.modules['mmbnft'] = types.ModuleType('mmbnft'); sys.modules['mmbnft'].__path__ = ['mmbnft']\n"
        "from mmbnft.utils import files\n"
        "n = 0\n"
        "while True:\n"
        f"    files.write_json({str(target)!r}, {{'n': n, 'fill': 'x' * 20000, 'again': n}}); n += 1\n"
    )
    for delay in (0.3, 0.45, 0.6):
        process = subprocess.Popen([sys.executable, "-c", code])
        deadline = time.time() + 20
        while not target.exists() and time.time() < deadline:
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        content = json.loads(target.read_text())
        assert content["n"] == content["again"]


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_writes_stays(tmp_path):
    writers = [_writer(tmp_path / name) for name in "ab"]
    os.kill(writers[0], signal.SIGKILL)
    os.waitpid(writers[0], 0)
    unfinished = {path.name[1]: path for path in tmp_path.glob(".*.part")}
    assert set(unfinished) == {"a", "b"}
    assert files.remove_abandoned(tmp_path) == 0  # of a writer of now, maybe before it could lock
    for path in unfinished.values():
        os.utime(path, (time.time() - 3600,) * 2)
    files.check_writable(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [unfinished["b"].name]
    os.kill(writers[1], signal.SIGKILL)
    os.waitpid(writers[1], 0)


def _writer(path):
    """The id of a process that is in the middle of writing a file."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        with files.atomic_file(path) as stream:
            stream.write(b"half")
            os.write(told, b"x")
            time.sleep(60)
    os.read(ready, 1)
    return child


def test_where_files_cannot_be_locked_only_what_is_a_day_old_is_removed(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    part = tmp_path / ".a.json.x.part"
    for age, removed in ((3600, 0), (2 * 86_400, 1)):
        part.write_text("half")
        os.utime(part, (time.time() - age,) * 2)
        assert files.remove_abandoned(tmp_path) == removed
    files.write_text(tmp_path / "whole", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
