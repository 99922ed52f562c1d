"""The checkpoints command: downloads from a local server, conversion, verification and exit statuses."""

import functools
import http.server
import json
import threading

import published_files as files
import pytest
import torch

from mmbnft import commands
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import sha256_file
from mmbnft.zoo import ResNet, load_backbone
from mmbnft.zoo.entry import CatalogueEntry
from mmbnft.zoo.fetch import fetch, receipt_path

BODY = bytes(range(256)) * 9000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves BODY with ranges; can break off, change its tag, or serve a web page."""

    def do_GET(self):
        mode = self.server.mode
        self.server.ranges.append(self.headers.get("Range"))
        if mode == "page":
            return self._answer(200, b"<!DOCTYPE html><html></html>", "application/octet-stream")
        if mode == "html":
            return self._answer(200, b"hello", "text/html")
        if mode == "absent":
            return self.send_error(404)
        wanted, start = self.headers.get("Range"), 0
        if wanted and self.headers.get("If-Range") == self.server.tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        cut = 1_500_000 if mode == "cut" else None
        return self._answer(206 if start else 200, BODY[start:], "application/octet-stream", cut)

    def _answer(self, status, body, kind, cut=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", self.server.tag)
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.mode, found.tag, found.ranges = "", '"1"', []
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def entry(server):
    return CatalogueEntry("x", "X", "flat", f"http://127.0.0.1:{server.server_port}/x.pth", ("deep/x.pth",))


def test_download_is_recorded_and_kept(server, entry, tmp_path):
    seen = []
    (receipt,) = fetch(entry, tmp_path, lambda done, total: seen.append((done, total)))
    target = tmp_path / "deep" / "x.pth"
    assert target.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert (receipt.size, receipt.sha256, receipt.checked) == (len(BODY), sha256_file(target), "")
    assert fetch(entry, tmp_path) == [receipt]
    assert len(server.ranges) == 1
    assert sorted(p.name for p in target.parent.iterdir()) == ["x.pth", "x.pth.receipt.json"]
    target.write_bytes(b"other")
    with pytest.raises(UserError, match="differs from its receipt"):
        fetch(entry, tmp_path)
    receipt_path(target).unlink()
    with pytest.raises(UserError, match="without a receipt"):
        fetch(entry, tmp_path)


@pytest.mark.parametrize("changed", [False, True])
def test_download_resumes_only_the_same_source(server, entry, tmp_path, changed):
    server.mode = "cut"
    with pytest.raises(UserError, match="run it again to continue where it stopped"):
        fetch(entry, tmp_path)
    part = tmp_path / "deep" / "x.pth.part"
    assert part.stat().st_size == 1_500_000
    if changed:
        part.write_bytes(b"?" * 1_500_000)
        server.tag = '"2"'
    server.mode = ""
    fetch(entry, tmp_path)
    assert (tmp_path / "deep" / "x.pth").read_bytes() == BODY
    assert server.ranges == [None, "bytes=1500000-"]


@pytest.mark.parametrize(("mode", "message"), [("page", "web page"), ("html", "web page"), ("absent", "404")])
def test_what_is_no_file(server, entry, tmp_path, mode, message):
    server.mode = mode
    with pytest.raises(UserError, match=message):
        fetch(entry, tmp_path)
    assert not (tmp_path / "deep" / "x.pth").exists()


def test_published_hashes_are_checked(server, entry, tmp_path):
    import dataclasses
    import hashlib

    right = hashlib.sha256(BODY).hexdigest()[:8]
    (receipt,) = fetch(dataclasses.replace(entry, sha256=right), tmp_path)
    assert receipt.checked == "sha256"
    for wrong in ({"sha256": "0" * 8}, {"md5": "0" * 8}):
        with pytest.raises(UserError, match="published is 00000000"):
            fetch(dataclasses.replace(entry, files=("y.pth",), **wrong), tmp_path)
        assert not list(tmp_path.glob("y.pth*"))


def run(*arguments):
    return commands.run("checkpoints", [*map(str, arguments)])


def test_verify_and_convert(tmp_path, capsys):
    state = files.truth()
    path = files.save(files.moco(state, 2), tmp_path / "moco.pth")
    assert run("verify", path, "--json") == 0
    certificate = json.loads(capsys.readouterr().out)
    assert certificate["complete"]
    assert (certificate["format"], certificate["matched"]) == ("moco", 318)
    out = tmp_path / "out.pth"
    assert run("convert", path, out) == 0
    assert run("convert", path, out) == 2  # never overwritten
    content = torch.load(out, weights_only=True)
    assert all(torch.equal(content["state_dict"][name], value) for name, value in state.items())
    converted = load_backbone(ResNet(files.NARROW), out)
    assert converted.fingerprint == certificate["fingerprint"]
    assert converted.normalisation == certificate["normalisation"]


def test_exit_status_is_zero_only_for_a_full_match(tmp_path, capsys):
    state = {k: v for k, v in files.truth().items() if k != "conv1.weight"}
    path = files.save(files.moco(state, 2), tmp_path / "moco.pth")
    assert run("verify", path) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert run("verify", path, "--json") == 1
    assert "conv1.weight" in json.loads(capsys.readouterr().out)["reason"]
    assert run("verify", path, "--allow-partial", "--format", "moco") == 1
    assert run("verify", path, "--format", "simsiam-full") == 2


def test_list_and_show(tmp_path, capsys):
    assert run("--root", tmp_path, "list", "--group", "study12") == 0
    assert "deepcluster-v2" in capsys.readouterr().out
    assert run("show", "byol") == 0
    assert json.loads(capsys.readouterr().out)["same_padding"] == "strided"
    assert run("show", "byoll") == 2


def test_fetch_prints_what_it_checked(server, entry, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "mmbnft.commands.checkpoints.get_entry", functools.partial(lambda found, name, root, catalogue: found, entry)
    )
    assert run("--root", tmp_path, "fetch", "x") == 0
    assert "no published hash" in capsys.readouterr().out
