"""One name for one image, however a list writes it."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from mmbnft.utils.errors import UserError

# Tried in this order where a table names images without a suffix.
SUFFIXES = (".jpg", ".png", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".JPG", ".PNG", ".JPEG")


class Naming:
    """Names of images as they are below an image folder.

    `./a.png`, `x/../a.png` and the absolute name of `a.png` are one name. Where absolute names begin with a folder that
    is not the image folder (a list from another machine), the part that all have too much is taken away.

    Args:
        images: The image folder.
        names: All names of a list, as written.
    """

    def __init__(self, images: Path, names: Iterable[str]) -> None:
        self.images = images
        self.remarks: list[str] = []
        known = list(names)
        self._prefix = self._foreign_prefix([name for name in known if _is_absolute(name)])
        self._suffix = self._missing_suffix(known)

    def name(self, written: str, where: str) -> str:
        """The name below the image folder, with forward slashes.

        Raises:
            UserError: It leads out of the folder.
        """
        path = self._below(written)
        normal = os.path.normpath(path.as_posix())
        if normal.startswith("..") or _is_absolute(normal) or normal == ".":
            raise UserError(
                f"{where}: {written!r} is not below the image folder {self.images}; give --images a folder that holds "
                "all images, or names relative to it"
            )
        return normal + self._suffix

    def _below(self, written: str) -> PurePosixPath:
        text = written if "\\" not in written or (self.images / written).is_file() else written.replace("\\", "/")
        if not _is_absolute(text):
            return PurePosixPath(text)
        if self._prefix:
            return PurePosixPath(text[len(self._prefix) :]) if text.startswith(self._prefix) else PurePosixPath(text)
        inside = os.path.relpath(os.path.normpath(text), os.path.abspath(self.images))  # noqa: PTH100
        return PurePosixPath(inside)

    def _foreign_prefix(self, names: list[str]) -> str:
        """What absolute names begin with in the place of the image folder; empty if they begin with the folder."""
        root = os.path.abspath(self.images) + "/"  # noqa: PTH100
        if not names or os.path.normpath(names[0]).startswith(root):
            return ""
        parts = PurePosixPath(names[0].replace("\\", "/")).parts
        for start in range(1, len(parts)):
            tail = "/".join(parts[start:])
            prefix = names[0].replace("\\", "/")[: -len(tail)]
            if (self.images / tail).is_file() and all(name.replace("\\", "/").startswith(prefix) for name in names):
                self.remarks.append(f"absolute names: {prefix} stands for {self.images}")
                return prefix
        return ""

    def _missing_suffix(self, names: list[str]) -> str:
        """The suffix that all names lack, e.g. `.jpg` where a table gives numbers of images."""
        first = next((name for name in names if not PurePosixPath(name).suffix), None)
        if first is None or any(PurePosixPath(name).suffix for name in names):
            return ""
        if _is_absolute(first) or (self.images / first).is_file():
            return ""
        suffix = next((suffix for suffix in SUFFIXES if (self.images / f"{first}{suffix}").is_file()), "")
        if suffix:
            self.remarks.append(f"names have no suffix: {suffix} is added")
        return suffix


def _is_absolute(name: str) -> bool:
    return name.startswith("/") or bool(PureWindowsPath(name).drive)
