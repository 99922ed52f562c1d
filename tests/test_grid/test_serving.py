"""The page of a running grid: what it says, and that it is read by nobody else and changes nothing."""

import threading
import urllib.error
import urllib.request

import pytest

from mmbnft.grid.serving import GridServer
from mmbnft.results import Result, write_result
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import write_json


def result(number, protocol="linear", **changes):
    values = dict(
        checkpoint=f"ckpt{number}", task="<dtd>", protocol=protocol, recipe="clean", split=1, seed=0,
        key=f"{protocol}{number}", status="ok", value=60.0 + number, metric="top1",
    )  # fmt: skip
    return Result(**(values | changes))


@pytest.fixture
def server(tmp_path):
    for number in range(4):
        write_result(tmp_path / "results", result(number))
    failed = dict(status="failed", value=None, kind="memory", reason="out of memory")
    write_result(tmp_path / "results", result(9, **failed))
    write_json(tmp_path / "grid.json", {"name": "mine", "runs": 12})
    with GridServer(tmp_path, 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def read(server, path="", **options):
    request = urllib.request.Request(server.address + path, **options)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def test_it_counts_what_is_done_failed_and_to_go_and_follows_the_folder(server):
    page = read(server)
    for part in ("4 runs done", "1 failed", "failed (memory): 1", "7 of 12 left", "out of memory", "&lt;dtd&gt;"):
        assert part in page
    write_result(server.folder, result(4))
    assert "5 runs done" in read(server)


def test_the_ranking_so_far_is_the_report(server):
    page = read(server, "report")
    assert "<h1>Fine-tune ckpt3, ckpt2 and ckpt1 next</h1>" in page
    write_result(server.folder, result(5))
    assert "<h1>Fine-tune ckpt5, ckpt3 and ckpt2 next</h1>" in read(server, "report")


@pytest.mark.parametrize(
    ("path", "options", "code"),
    [
        ("", {"headers": {"Host": "evil.example"}}, 403),
        ("", {"method": "POST", "data": b"x"}, 501),
        ("results/../../etc/passwd", {}, 404),
    ],
)
def test_nothing_else_is_answered_and_nothing_is_written(server, path, options, code):
    before = sorted(server.folder.parent.rglob("*"))
    with pytest.raises(urllib.error.HTTPError) as error:
        read(server, path, **options)
    assert error.value.code == code
    assert sorted(server.folder.parent.rglob("*")) == before


def test_a_port_that_is_taken_is_one_sentence(server):
    with pytest.raises(UserError, match="choose another with --port"):
        GridServer(server.folder, server.server_address[1])
