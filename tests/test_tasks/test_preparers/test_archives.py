import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from preparer_case import tar, zipped

from mmbnft.tasks.preparers.archives import unpack
from mmbnft.utils.errors import UserError


def tar_with(path, *infos):
    with tarfile.open(path, "w:gz") as archive:
        for info, content in infos:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("make", [tar, zipped], ids=["tar", "zip"])
@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "..\\out.txt", "C:\\out.txt"])
def test_no_member_leaves_the_target(tmp_path, name, make):
    archive = make(tmp_path / "evil.tar.gz", {"fine.txt": b"1", name: b"2"})
    with pytest.raises(UserError, match=r"evil.tar.gz: the member .* would land outside"):
        unpack(archive, tmp_path / "deep" / "target")
    assert not list(tmp_path.rglob("out.txt"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "nowhere"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
def test_no_link_leads_out(tmp_path, target, kind):
    (tmp_path / "secret").write_bytes(b"secret")
    archive = tar_with(tmp_path / "evil.tgz", link("images/a.jpg", target, kind))
    with pytest.raises(UserError, match=r"evil.tgz: the link 'images/a.jpg' leads to .* outside the archive"):
        unpack(archive, tmp_path / "target" / "images")
    assert not files_below(tmp_path / "target")


def test_link_then_write_through_it(tmp_path):
    """A link to a folder outside, then a member below it: neither may take effect."""
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = tar_with(tmp_path / "evil.tgz", link("sub", str(outside)), (tarfile.TarInfo("sub/a.txt"), b"x"))
    with pytest.raises(UserError, match="outside the archive"):
        unpack(archive, tmp_path / "target")
    assert not list(outside.iterdir())


def test_link_that_is_there_already(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "sub").symlink_to(outside)
    with pytest.raises(UserError, match="is a link that leads outside"):
        unpack(tar(tmp_path / "a.tgz", {"sub/a.txt": b"x"}), tmp_path / "target")
    assert not list(outside.iterdir())


def test_link_within_the_archive_becomes_a_copy(tmp_path):
    archive = tar_with(tmp_path / "a.tgz", (tarfile.TarInfo("images/a.jpg"), b"pixels"), link("images/b.jpg", "a.jpg"))
    assert unpack(archive, tmp_path / "target") == 2
    assert files_below(tmp_path / "target") == {"images/a.jpg": b"pixels", "images/b.jpg": b"pixels"}
    assert not (tmp_path / "target" / "images" / "b.jpg").is_symlink()


def test_device_and_zip_link_are_refused(tmp_path):
    device = tarfile.TarInfo("fifo")
    device.type = tarfile.FIFOTYPE
    with pytest.raises(UserError, match="'fifo' is neither file, folder nor link"):
        unpack(tar_with(tmp_path / "a.tgz", (device, b"")), tmp_path / "target")
    info = zipfile.ZipInfo("a.jpg")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UserError, match="holds the link 'a.jpg'"):
        unpack(tmp_path / "a.zip", tmp_path / "target")


def test_what_a_mac_adds_is_left_out(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a.jpg": b"1", "__MACOSX/._a.jpg": b"2"})
    assert unpack(archive, tmp_path / "target") == 1
    assert files_below(tmp_path / "target") == {"a.jpg": b"1"}


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar", "a.zip"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_truncated(tmp_path, name, share):
    make = zipped if name.endswith("zip") else tar
    noise = {f"{i}.bin": os.urandom(3000) for i in range(5)}
    archive = make(tmp_path / name, noise)
    archive.write_bytes(archive.read_bytes()[: int(share * archive.stat().st_size)])
    with pytest.raises(UserError, match=f"{name} is (truncated|not a readable archive)"):
        unpack(archive, tmp_path / "target")


def test_flipped_byte_in_a_zip(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a.bin": os.urandom(3000)})
    content = bytearray(archive.read_bytes())
    content[1500] ^= 255
    archive.write_bytes(content)
    with pytest.raises(UserError, match="truncated or damaged"):
        unpack(archive, tmp_path / "target")


def test_zip_with_a_password(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a.bin": b"x"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # the flag in the local header
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and in the directory
    archive.write_bytes(content)
    with pytest.raises(UserError, match="password"):
        unpack(archive, tmp_path / "target")


def test_same_content_is_not_written_again(tmp_path):
    archive = tar(tmp_path / "a.tgz", {"same.txt": b"1", "changed.txt": b"2"})
    unpack(archive, tmp_path / "target")
    before = (tmp_path / "target" / "same.txt").stat()
    (tmp_path / "target" / "changed.txt").write_bytes(b"9")  # of the same size
    unpack(archive, tmp_path / "target")
    after = (tmp_path / "target" / "same.txt").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert (tmp_path / "target" / "changed.txt").read_bytes() == b"2"


def test_nothing_half_written_stays(tmp_path):
    archive = tar(tmp_path / "a.tgz", {f"{i}.bin": os.urandom(2000) for i in range(3)})
    archive.write_bytes(archive.read_bytes()[:4000])
    with pytest.raises(UserError):
        unpack(archive, tmp_path / "target")
    assert all(len(content) == 2000 for content in files_below(tmp_path / "target").values())


def test_folder_is_taken_as_it_is(tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "sub" / "a b.jpg").write_bytes(b"1")
    assert unpack(source, tmp_path / "target") == 1
    assert files_below(tmp_path / "target") == {"sub/a b.jpg": b"1"}
    (tmp_path / "target" / "sub" / "a b.jpg").unlink()
    assert files_below(source) == {"sub/a b.jpg": b"1"}


def test_folder_with_a_link_that_leads_out(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (source / "a.jpg").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match="a.jpg is a link that leads to"):
        unpack(source, tmp_path / "target")


def test_folder_with_a_linked_folder_is_not_skipped_in_silence(tmp_path):
    (tmp_path / "source" / "real").mkdir(parents=True)
    (tmp_path / "source" / "linked").symlink_to(tmp_path / "source" / "real")
    with pytest.raises(UserError, match="linked is a link that leads to"):
        unpack(tmp_path / "source", tmp_path / "target")


def test_folder_that_holds_the_target(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"1")
    with pytest.raises(UserError, match="holds the prepared folder"):
        unpack(tmp_path, tmp_path / "data" / "images")


def test_single_file_and_missing_file(tmp_path):
    (tmp_path / "setid.mat").write_bytes(b"1")
    assert unpack(tmp_path / "setid.mat", tmp_path / "target") == 1
    with pytest.raises(UserError, match="there is no archive"):
        unpack(Path(tmp_path / "none.zip"), tmp_path / "target")
