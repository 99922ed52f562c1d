import fcntl
import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from mmbnft.utils import disk_cache
from mmbnft.utils.disk_cache import CacheError, DiskCache
from mmbnft.utils.errors import UserError

KEY = "ab" * 32
VALUES = np.arange(60, dtype=np.float32).reshape(20, 3)


def refuse():
    raise AssertionError("made again")


def entry(folder, key=KEY):
    return folder / f"{key}.array"


def test_an_entry_is_made_once_and_read_as_it_was(tmp_path):
    first = DiskCache(tmp_path / "new" / "folder", 10_000).array(KEY, lambda: VALUES)
    again = DiskCache(tmp_path / "new" / "folder", 10_000).array(KEY, refuse)
    for values in (first, again):
        np.testing.assert_array_equal(values, VALUES)
        assert values.dtype == np.float32
        assert isinstance(values, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == [f"{KEY}.array"]


def test_blocks_are_joined_in_order_without_being_held(tmp_path):
    cache = DiskCache(tmp_path, 10_000)
    values = cache.blocks(KEY, lambda: (VALUES[start : start + 7] for start in range(0, 20, 7)))
    np.testing.assert_array_equal(values, VALUES)
    with pytest.raises(ValueError, match="alike"):
        cache.blocks("cd", lambda: iter([VALUES, VALUES.astype(np.float64)]))
    with pytest.raises(ValueError, match="no values"):
        cache.blocks("cd", lambda: iter([]))
    assert cache.find("cd") is None


def test_values_may_be_strided_or_of_any_type(tmp_path):
    cache = DiskCache(tmp_path, 10_000)
    np.testing.assert_array_equal(cache.array("a", lambda: VALUES.T), VALUES.T)
    np.testing.assert_array_equal(cache.array("b", lambda: np.array([True, False])), [True, False])
    np.testing.assert_array_equal(cache.array("c", lambda: VALUES.astype(">i2")[::2]), VALUES[::2])


@pytest.mark.parametrize("place", [0, 100, -1, -9, -15, -25, -32, -40, -60, -100])
def test_one_changed_byte_anywhere_is_noticed_and_mended(tmp_path, caplog, place):
    DiskCache(tmp_path, 10_000).array(KEY, lambda: VALUES)
    content = bytearray(entry(tmp_path).read_bytes())
    content[place] ^= 1
    entry(tmp_path).write_bytes(content)
    cache = DiskCache(tmp_path, 10_000)
    with caplog.at_level(logging.WARNING, "mmbnft.cache"):
        assert cache.find(KEY) is None
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(cache.array(KEY, lambda: VALUES), VALUES)
    np.testing.assert_array_equal(DiskCache(tmp_path, 10_000).array(KEY, refuse), VALUES)


@pytest.mark.parametrize("kept", [0, 1, 15, 16, 200, -1])
def test_a_truncated_or_renamed_entry_is_not_used(tmp_path, kept):
    DiskCache(tmp_path, 10_000).array(KEY, lambda: VALUES)
    whole = entry(tmp_path).read_bytes()
    entry(tmp_path, "other").write_bytes(whole)
    assert DiskCache(tmp_path, 10_000).find("other") is None
    entry(tmp_path).write_bytes(whole[:kept])
    assert DiskCache(tmp_path, 10_000).find(KEY) is None


def test_what_was_not_used_longest_goes_first_but_never_what_is_held(tmp_path):
    size = VALUES.nbytes + 100
    writer = DiskCache(tmp_path, 1_000_000)
    for number, key in enumerate(("a", "b", "c")):
        writer.array(key, lambda: VALUES)
        os.utime(entry(tmp_path, key), ns=(number, entry(tmp_path, key).stat().st_mtime_ns))
    assert writer.size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
    reader = DiskCache(tmp_path, int(3.5 * size))
    held = reader.find("a")  # now the latest used
    reader.array("d", lambda: VALUES)
    assert sorted(path.stem for path in tmp_path.glob("*.array")) == ["a", "c", "d"]
    assert reader.size_bytes <= reader.limit_bytes
    np.testing.assert_array_equal(held, VALUES)
    tight = DiskCache(tmp_path, int(1.5 * size))
    kept = tight.array("d", refuse)
    with pytest.raises(CacheError, match=r"does not fit .* raise the limit"):
        tight.blocks("e", lambda: [VALUES])
    assert tight.find("d") is not None
    np.testing.assert_array_equal(kept, VALUES)
    np.testing.assert_array_equal(held, VALUES)  # its file is gone, its values are not
    assert not entry(tmp_path, "a").exists()


def test_what_cannot_be_kept_is_handed_out_all_the_same_with_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "mmbnft.cache"):
        values = DiskCache(tmp_path, 100).array(KEY, lambda: VALUES)
    np.testing.assert_array_equal(values, VALUES)
    assert "limit" in caplog.text
    assert list(tmp_path.iterdir()) == []
    blocker = tmp_path / "file"
    blocker.write_text("")
    with caplog.at_level(logging.WARNING, "mmbnft.cache"):
        np.testing.assert_array_equal(DiskCache(blocker / "x", 10_000).array(KEY, lambda: VALUES), VALUES)
    assert "cannot write to the cache" in caplog.text
    with pytest.raises(UserError, match="at least 1 byte"):
        DiskCache(tmp_path, 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_is_one_sentence_and_leaves_no_litter(tmp_path, monkeypatch):
    class Full:
        def __init__(self, handle, mode):
            os.close(handle)
            self.stream = Path("/dev/full").open("wb")  # noqa: SIM115

        def __enter__(self):
            return self.stream

        def __exit__(self, *error):
            self.stream.close()  # fails a second time, like any stream with unwritten content

    monkeypatch.setattr(os, "fdopen", Full)
    with pytest.raises(CacheError, match="No space left on device.*; free space"):
        DiskCache(tmp_path, 10**9).blocks(KEY, lambda: [np.zeros(1_000_000)] * 2)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_making_leaves_nothing(tmp_path):
    cache = DiskCache(tmp_path, 10_000)
    with pytest.raises(UserError, match="the image is damaged"):
        cache.array(KEY, lambda: (_ for _ in ()).throw(UserError("the image is damaged")))
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(cache.array(KEY, lambda: VALUES), VALUES)


def make_slowly(folder, log, crew, hang):
    def note(line):
        with log.open("a") as stream:
            stream.write(line)

    def make():
        note("made\n")
        yield VALUES[:10]
        deadline = time.monotonic() + 30
        while hang or (log.read_text().count("ready") < crew and time.monotonic() < deadline):
            time.sleep(0.01)
        time.sleep(0.3)
        yield VALUES[10:]

    note("ready\n")
    values = DiskCache(folder, 10_000).blocks(KEY, make)
    assert np.array_equal(values, VALUES)


def start(folder, log, crew=1, hang=False):
    process = multiprocessing.get_context("fork").Process(target=make_slowly, args=(folder, log, crew, hang))
    process.start()
    return process


def test_of_many_writers_one_makes_and_none_sees_half(tmp_path):
    log = tmp_path / "log"
    crew = [start(tmp_path / "cache", log, crew=6) for _ in range(6)]
    for process in crew:
        process.join(60)
    assert [process.exitcode for process in crew] == [0] * 6
    assert log.read_text().count("made") == 1
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".array"]


def test_without_locks_either_writer_wins_and_the_entry_is_whole(tmp_path, monkeypatch):
    def unsupported(stream, kind):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    log = tmp_path / "log"
    crew = [start(tmp_path / "cache", log, crew=3) for _ in range(3)]
    for process in crew:
        process.join(60)
    assert [process.exitcode for process in crew] == [0] * 3
    np.testing.assert_array_equal(DiskCache(tmp_path / "cache", 10_000).array(KEY, refuse), VALUES)


def test_a_killed_writer_neither_blocks_nor_misleads(tmp_path):
    log, folder = tmp_path / "log", tmp_path / "cache"
    victim = start(folder, log, hang=True)
    deadline = time.monotonic() + 30
    while not (log.exists() and list(folder.glob(".*.part"))) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join(30)
    assert not entry(folder).exists()
    litter = next(folder.glob(".*.part"))
    cache = DiskCache(folder, 10_000)
    np.testing.assert_array_equal(cache.array(KEY, lambda: VALUES), VALUES)
    assert litter.exists()  # might belong to a writer that is at work
    os.utime(litter, (0, 0))
    cache.array("other", lambda: VALUES)
    assert not litter.exists()


def test_a_file_that_was_replaced_is_checked_anew(tmp_path):
    cache = DiskCache(tmp_path, 10_000)
    before = cache.array(KEY, lambda: VALUES)
    DiskCache(tmp_path / "b", 10_000).array(KEY, lambda: VALUES + 1)
    entry(tmp_path / "b").replace(entry(tmp_path))
    np.testing.assert_array_equal(cache.find(KEY), VALUES + 1)
    np.testing.assert_array_equal(before, VALUES)
    assert disk_cache._description.cache_info().currsize > 0
