"""A page of a grid while it runs, on this machine's loopback only: what is done, what failed, the ranking so far."""

import html
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mmbnft.grid.store import PLAN
from mmbnft.ranking import rank_results
from mmbnft.result_files import read_results, results_folder
from mmbnft.results import Result
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json
from mmbnft.utils.wording import counted, duration

_RELOAD_SECONDS = 15
# The ranking so far has coarser intervals than the report at the end.
_RESAMPLES = 1000
_HOSTS = ("127.0.0.1", "localhost")
_LATEST = 12


class GridServer(ThreadingHTTPServer):
    """Shows one folder of results; reads only.

    Args:
        store: Folder of a benchmark, or its results folder.
        port: Port on 127.0.0.1; 0 for a free one.

    Raises:
        UserError: There is no such folder, or the port is taken.
    """

    daemon_threads = True

    def __init__(self, store: Path, port: int) -> None:
        self.folder, self._lock, self._report = results_folder(store), threading.Lock(), ("", "")
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise UserError(f"port {port} cannot be used ({error.strerror}); choose another with --port") from error

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def status(self) -> str:
        """The page about the runs."""
        results = read_results(self.folder)
        done = [result for result in results if result.status == "ok"]
        kinds = Counter(result.kind for result in results if result.status == "failed")
        lines = [f"{counted(len(done), 'run')} done", f"{sum(kinds.values())} failed"]
        lines += [f"failed ({kind}): {number}" for kind, number in kinds.most_common()]
        plan = self.folder.parent / PLAN
        if plan.exists():
            total = int(read_json(plan)["runs"])
            lines += [f"{max(0, total - len(results))} of {total} left{self._left(results, total)}"]
        latest = sorted(results, key=lambda result: self._time(result), reverse=True)[:_LATEST]
        rows = [(r.checkpoint, r.task, r.protocol, r.shown_value if r.status == "ok" else r.reason) for r in latest]
        return _page(lines, rows)

    def report(self) -> str:
        """The ranking of what is there, made anew when results came in."""
        results = read_results(self.folder)
        state = str(sorted(result.key for result in results))
        with self._lock:
            if self._report[0] != state:
                with tempfile.TemporaryDirectory() as folder:
                    rank_results(results, out=folder, resamples=_RESAMPLES)
                    self._report = state, (Path(folder) / "report.html").read_text("utf-8")
            return self._report[1]

    def _time(self, result: Result) -> float:
        path = self.folder / result.file_name
        return path.stat().st_mtime if path.exists() else 0.0

    def _left(self, results: Sequence[Result], total: int) -> str:
        """Remaining time by the rate of the last results, if they came lately."""
        times = sorted(self._time(result) for result in results)[-_LATEST:]
        if len(times) < 2 or total <= len(results) or times[-1] == times[0]:
            return ""
        seconds = (times[-1] - times[0]) / (len(times) - 1) * (total - len(results))
        return f", about {duration(seconds)} at the rate of the last {len(times)} runs"


class _Handler(BaseHTTPRequestHandler):
    server: GridServer

    def do_GET(self) -> None:
        """Answer with one of two pages; only to this machine under its own name, so that no web page can read them."""
        pages = {"/": self.server.status, "/report": self.server.report}
        if self.headers.get("Host", "").partition(":")[0] not in _HOSTS:
            return self.send_error(403)
        if self.path not in pages:
            return self.send_error(404)
        try:
            body = pages[self.path]()
        except UserError as error:  # e.g. nothing to rank yet
            body = _page([str(error)], [])
        content = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    def log_message(self, format: str, *args: object) -> None:
        """Requests of one's own browser are no news."""


def _page(lines: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    listed = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    cells = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    head = "".join(f"<th scope=col>{name}</th>" for name in ("checkpoint", "task", "protocol", "value"))
    table = f"<h2>Latest</h2><table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>" if rows else ""
    now = time.strftime("%H:%M:%S")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Grid</title><link rel="icon" href="data:,">'
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="{_RELOAD_SECONDS}">'
        "<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:auto;"
        "padding:1rem}td,th{text-align:left;padding:.2rem .8rem .2rem 0}</style></head><body><h1>Grid</h1>"
        f'<ul>{listed}</ul><p><a href="/report">Current ranking</a></p>{table}<p>at {now}</p></body></html>'
    )
