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
