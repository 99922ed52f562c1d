"""Hashes of image files, kept between calls as long as a file is the same."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from mmbnft.tasks.progress_bars import in_threads
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

logger = logging.getLogger("mmbnft.cache")

NAME = "content_hashes.json"
FORMAT = 1
# A file may be changed twice within one tick of the file system's clock, and then looks as it did between the changes.
SETTLED = 100_000_000  # nanoseconds since the last change after which a hash is worth keeping

Stamp = tuple[int, ...]


class FileHashes:
    """SHA-256 of the files of one folder; a file is read again only if its size, times or inode changed.

    What is known stands in `content_hashes.json` in the folder above the images, or, where that cannot be written, in
    the user's cache folder. Of two processes that write at once the last one wins; what the other one knew is computed
    again when it is asked for.

    Args:
        folder: Folder that names are relative to.
    """

    _known: ClassVar[dict[Path, dict[str, tuple[Stamp, str]]]] = {}  # by folder, for all tasks of the process

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))  # noqa: PTH100 - a link must not be followed out of the folder

    def of(self, names: Sequence[str]) -> tuple[str, ...]:
        """Hex hashes of the files `names`, in their order.

        Raises:
            UserError: A file is missing or cannot be read.
        """
        if self.folder not in self._known:
            self._known[self.folder] = self._read()
        known = self._known[self.folder]
        stamps = {name: _stamp(self.folder / name) for name in names}
        todo = [name for name, stamp in stamps.items() if known.get(name, ((), ""))[0] != stamp]
        hashes = in_threads(lambda name: files.sha256_file(self.folder / name), todo, "hashing images")
        fresh = dict(zip(todo, hashes, strict=True))
        now = time.time_ns()
        settled = {name: (stamps[name], value) for name, value in fresh.items() if now - stamps[name][3] > SETTLED}
        if settled:
            known.update(settled)
            self._write(known)
        return tuple(fresh[name] if name in fresh else known[name][1] for name in names)

    @property
    def _places(self) -> list[Path]:
        """Where hashes may be kept, the best place first."""
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
        unique = hashlib.sha256(str(self.folder).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return [self.folder.parent / NAME, base / "mmbnft" / "content_hashes" / f"{unique}.json"]

    def _read(self) -> dict[str, tuple[Stamp, str]]:
        known: dict[str, tuple[Stamp, str]] = {}
        for place in reversed(self._places):
            try:
                content = json.loads(place.read_text(encoding="utf-8"))
                if content["format"] == FORMAT:
                    known |= {name: (tuple(stamp), str(value)) for name, (*stamp, value) in content["files"].items()}
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # a record of finished work only: without it the files are read again
        return known

    def _write(self, known: dict[str, tuple[Stamp, str]]) -> None:
        merged = self._read() | known  # with what others wrote meanwhile
        text = json.dumps(
            {"format": FORMAT, "files": {name: [*stamp, value] for name, (stamp, value) in merged.items()}}
        )
        for place in self._places:
            try:
                files.write_text(place, text)
                return
            except (UserError, OSError):
                continue
        logger.info("hashes of the images of %s cannot be kept anywhere; they are computed anew each time", self.folder)


def _stamp(path: Path) -> Stamp:
    """Size, inode, and the times of the last change of content and of the file itself."""
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"image {path} cannot be read ({error.strerror}); prepare the task again") from error
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns
