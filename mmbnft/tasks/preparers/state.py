"""What was done already in a task folder, so that a second call confirms instead of repeating."""

from pathlib import Path
from typing import Any

from mmbnft.utils import files
from mmbnft.utils.errors import UserError

NAME = "prepared.json"


class State:
    """Archives that were unpacked and images that decoded, by size and date of the file.

    Args:
        folder: The task folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        content: dict[str, Any] = {}
        if self.path.is_file():
            try:
                content = dict(files.read_json(self.path))
            except (UserError, TypeError, ValueError):
                content = {}  # a record of finished work only: without it the work is confirmed anew
        self.archives: dict[str, dict[str, Any]] = dict(content.get("archives", {}))
        self._images: dict[str, list[int]] = dict(content.get("images", {}))

    def is_known(self, folder: Path, name: str) -> bool:
        """Whether image `name` decoded before and has not changed since."""
        return name in self._images and self._images[name] == stamp(folder / name)

    def remember(self, folder: Path, name: str) -> None:
        """Image `name` decoded."""
        self._images[name] = stamp(folder / name)

    def forget_images(self) -> None:
        """Have every image decoded again."""
        self._images.clear()

    def save(self) -> None:
        """Write the record atomically."""
        files.write_json(self.path, {"archives": self.archives, "images": self._images})


def stamp(path: Path) -> list[int]:
    """Size in bytes and date in nanoseconds of a file; both -1 if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return [-1, -1]
    return [status.st_size, status.st_mtime_ns]
