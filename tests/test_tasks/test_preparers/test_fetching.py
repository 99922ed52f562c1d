import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mmbnft.tasks.preparers.archive_download import fetch_archive
from mmbnft.tasks.preparers.facts import Archive
from mmbnft.utils.errors import UserError

CONTENT = bytes(range(256)) * 400
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """A local server that serves `CONTENT` and notes the ranges it was asked for."""

    def __init__(self, ranges=True, stop_after=None):
        self.asked, self.ranges, self.stop_after = [], ranges, stop_after
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                outer.asked.append(wanted)
                if self.path == "/none":
                    return self.send_error(404)
                start = int(wanted[6:-1]) if wanted and outer.ranges else 0
                if start >= len(CONTENT):
                    return self.send_error(416)
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(CONTENT) - start))
                self.end_headers()
                return self.wfile.write(CONTENT[start : outer.stop_after])

            def log_message(self, *args):
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve():
    servers = []

    def start(**options):
        servers.append(Server(**options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_whole_file(tmp_path, serve):
    server = serve()
    path = fetch_archive(Archive("a.bin", f"{server.url}/a.bin", MD5), tmp_path)
    assert path == tmp_path / "a.bin"
    assert path.read_bytes() == CONTENT
    assert not (tmp_path / "a.bin.part").exists()
    fetch_archive(Archive("a.bin", f"{server.url}/a.bin", MD5), tmp_path)
    assert server.asked == [None]  # what is there is kept


@pytest.mark.parametrize("ranges", [True, False])
def test_interrupted_download_continues(tmp_path, serve, ranges):
    """A server that ignores the range sends the whole file again, which must not be appended."""
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    server = serve(ranges=ranges)
    assert fetch_archive(Archive("a.bin", f"{server.url}/a.bin", MD5), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]


def test_part_that_is_whole_already(tmp_path, serve):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch_archive(Archive("a.bin", f"{serve().url}/a.bin", MD5), tmp_path).read_bytes() == CONTENT


def test_connection_that_ends_early(tmp_path, serve):
    archive = Archive("a.bin", f"{serve(stop_after=5000).url}/a.bin", MD5)
    with pytest.raises(UserError, match="run it again to continue"):
        fetch_archive(archive, tmp_path)
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT[:5000]
    assert not (tmp_path / "a.bin").exists()


def test_other_content_is_not_kept(tmp_path, serve):
    with pytest.raises(UserError, match=f"arrived with MD5 {MD5}, expected {'0' * 32}"):
        fetch_archive(Archive("a.bin", f"{serve().url}/a.bin", "0" * 32), tmp_path)
    assert not list(tmp_path.iterdir())


def test_server_refuses(tmp_path, serve):
    with pytest.raises(UserError, match="404"):
        fetch_archive(Archive("a.bin", f"{serve().url}/none", MD5), tmp_path)


def test_no_public_address(tmp_path):
    with pytest.raises(UserError, match="images.zip has no public address"):
        fetch_archive(Archive("images.zip"), tmp_path)
