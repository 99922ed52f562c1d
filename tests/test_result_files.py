import io
import tarfile

import pytest

from mmbnft.commands.results import main
from mmbnft.grid.listing import open_results
from mmbnft.grid.merging import Merged, merge_stores
from mmbnft.ranking.table_files import read_source
from mmbnft.result_files import read_results, write_archive
from mmbnft.results import write_result
from mmbnft.utils.errors import UserError

CURVE = [{"epoch": 1, "loss": 2.0, "moved": {"head": 0.1}, "sizes": {"head": [1, 2]}}]


@pytest.fixture
def store(make_result, tmp_path):
    write_result(tmp_path / "store/results", make_result("a", value=1.0, details={"curve": CURVE, "chosen": {"lr": 1}}))
    write_result(tmp_path / "store/results", make_result("b", value=None))
    return tmp_path / "store"


def test_an_archive_merges_back_to_the_results_without_movement(store, tmp_path):
    write_archive(tmp_path / "runs.tar.xz", open_results(store))
    assert merge_stores([tmp_path / "runs.tar.xz"], tmp_path / "back") == Merged(2, 0, 0)
    first, second = open_results(tmp_path / "back")
    assert first.details == {"curve": [{"epoch": 1, "loss": 2.0}], "chosen": {"lr": 1}}
    assert (first.value, second.status, second.reason) == (1.0, "failed", open_results(store)[1].reason)
    assert merge_stores([tmp_path / "runs.tar.xz"], store) == Merged(0, 0, 2)
    assert open_results(store)[0].details["curve"] == CURVE


def test_missing_folder(tmp_path):
    with pytest.raises(UserError, match="there is no folder .*none; name the folder of a benchmark"):
        read_results(tmp_path / "none")


def test_an_archive_is_read_where_a_folder_is(store, tmp_path, capsys):
    runs = tmp_path / "runs.tar.xz"
    write_archive(runs, open_results(store))
    assert main(["list", str(runs), "--only", "status=ok"]) == 0
    assert "a" in capsys.readouterr().out.split()
    assert main(["export", str(runs), "--only", "checkpoint=a", "--csv", str(tmp_path / "a.csv")]) == 0
    assert (tmp_path / "a.csv").read_text().count("\n") == 2
    assert read_source(runs).table["value"].tolist() == [1.0]
    assert read_results(runs)[0].predictions is None
    with pytest.raises(UserError, match="there is no folder .*runs.tar.xz"):
        main(["remove", str(runs), "--only", "checkpoint=a"])


def test_a_file_in_an_archive_that_is_no_result_is_named(tmp_path):
    with tarfile.open(tmp_path / "runs.tar.xz", "w:xz") as archive:
        entry = tarfile.TarInfo("results/odd.json")
        entry.size = 2
        archive.addfile(entry, io.BytesIO(b"{}"))
    with pytest.raises(UserError, match=r"runs\.tar\.xz: results/odd\.json is not a result of schema 2"):
        read_results(tmp_path / "runs.tar.xz")


def test_a_folder_counts_before_an_archive_which_holds_less(store, tmp_path):
    write_archive(tmp_path / "runs.tar.xz", open_results(store))
    merge_stores([tmp_path / "runs.tar.xz", store], tmp_path / "both")
    assert open_results(tmp_path / "both")[0].details["curve"] == CURVE


def test_the_same_results_give_the_same_bytes(store, tmp_path):
    found = open_results(store)
    write_archive(tmp_path / "1.tar.xz", found)
    write_archive(tmp_path / "2.tar.xz", found[::-1])
    assert (tmp_path / "1.tar.xz").read_bytes() == (tmp_path / "2.tar.xz").read_bytes()


def test_other_names_and_damaged_files_are_rejected_in_one_sentence(store, tmp_path):
    with pytest.raises(UserError, match=r"is a \.tar\.xz file, got .*runs\.zip"):
        write_archive(tmp_path / "runs.zip", open_results(store))
    write_archive(tmp_path / "runs.tar.xz", open_results(store))
    whole = (tmp_path / "runs.tar.xz").read_bytes()
    for content in (b"", b"not an archive", whole[: len(whole) // 2]):
        (tmp_path / "bad.tar.xz").write_bytes(content)
        with pytest.raises(UserError, match="is not an archive of results"):
            merge_stores([tmp_path / "bad.tar.xz"], tmp_path / "into")
    with tarfile.open(tmp_path / "bad.tar.xz", "w:xz") as archive:
        archive.addfile(tarfile.TarInfo("other.txt"))
    with pytest.raises(UserError, match="holds no results"):
        merge_stores([tmp_path / "bad.tar.xz"], tmp_path / "into")
    assert not (tmp_path / "into").exists()
    with pytest.raises(UserError, match=r"there is no archive .*none\.tar\.xz"):
        read_source(tmp_path / "none.tar.xz")


def test_nothing_is_merged_into_an_archive(store, tmp_path):
    for name in ("there.tar.xz", "new.tar.xz"):
        write_archive(tmp_path / "there.tar.xz", open_results(store))
        with pytest.raises(UserError, match=f"merged into a folder, got the archive .*{name}"):
            merge_stores([store], tmp_path / name)
    assert not (tmp_path / "new.tar.xz").exists()


def test_a_file_that_would_leave_the_folder_is_rejected(tmp_path):
    with tarfile.open(tmp_path / "evil.tar.xz", "w:xz") as archive:
        archive.addfile(tarfile.TarInfo("../outside.json"))
    with pytest.raises(UserError, match="is not an archive of results"):
        read_results(tmp_path / "evil.tar.xz")
    assert not (tmp_path.parent / "outside.json").exists()
