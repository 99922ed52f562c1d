"""What the catalogue knows about one published checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mmbnft.zoo.architecture import AnyNetwork, Architecture

RANDOM = "random"  # the control without weights: what it is called, and the format of its load certificate


@dataclass(frozen=True)
class Normalisation:
    """Per-channel (RGB) mean and standard deviation that images in [0, 1] are normalised with.

    Mean 0 and deviation 1 mean that the network takes [0, 1] as it is.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Normalisation":
        """Read `mean` and `std` of three numbers each.

        Raises:
            KeyError, TypeError, ValueError: They are not there, or not that, or a deviation is not positive.
        """
        mean = tuple(float(value) for value in content["mean"])
        std = tuple(float(value) for value in content["std"])
        if len(mean) != 3 or len(std) != 3 or not all(math.isfinite(v) for v in mean + std) or min(std) <= 0:
            raise ValueError("mean and std need three finite numbers each, std above 0")
        return cls((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))

    def to_dict(self) -> dict[str, list[float]]:
        """As lists, for JSON and configurations."""
        return {"mean": list(self.mean), "std": list(self.std)}


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SWAV = Normalisation((0.485, 0.456, 0.406), (0.228, 0.224, 0.225))
HALF = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
PIP = "pip:"  # addresses of files in Python distributions
UNIT = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class CatalogueEntry:
    """One published checkpoint.

    Attributes:
        id: Name in results.
        method: Pre-training method as its authors spell it.
        format: Format id of the file.
        url: Source address; a folder (ending in `/`) when there are several files; empty if there is no one source.
        files: Local names under the root of checkpoints, the one to open first; empty for a family of files.
        aliases: Names used by published tables.
        architecture: What the file must hold; None where files of the family differ.
        normalisation: What inputs must be normalised with; None when a file of this family does not say.
        input_size: Side of the square evaluation crop in pixels.
        view: How the authors cut that crop.
        epochs: Pre-training epochs; None if not applicable or not stated.
        imagenet_linear_top1: The authors' ImageNet top-1 in percent (linear probe; of the trained classifier itself
            for supervised).
        licence: SPDX id or name, where known.
        sha256: Published hex prefix (or whole) of the SHA-256; empty if none.
        md5: Published hex prefix of the MD5; empty if none.
        tensors: Allowed numbers of tensors in the file's state dict; empty if not known.
        same_padding: Operations that the authors' graph pads TensorFlow's way: "", "pool" or "strided".
        emulate_same_padding: Whether to pad so too; `ID@same-padding` is the entry with this option on.
        unverified: What has not been checked on the real file, one sentence each.
        record: For our own files, the path of the record of how they were made.
        branch: Name of the backbone to read where the file holds several.
        revision: Of a source that another package keeps: commit, version, or the name that holds a hash.
        own: Whether it is from a user's catalogue.
    """

    id: str
    method: str
    format: str
    url: str = ""
    files: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    architecture: AnyNetwork | None = Architecture()  # noqa: RUF009  (frozen)
    normalisation: Normalisation | None = IMAGENET
    input_size: int = 224
    view: str = "shorter side to 256 (bilinear), centre crop 224"
    epochs: int | None = None
    imagenet_linear_top1: float | None = None
    licence: str = ""
    sha256: str = ""
    md5: str = ""
    tensors: tuple[int, ...] = ()
    same_padding: str = ""
    emulate_same_padding: bool = False
    unverified: tuple[str, ...] = ()
    record: str = ""
    branch: str = ""
    revision: str = ""
    own: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        content = asdict(self)
        content["normalisation"] = self.normalisation.to_dict() if self.normalisation else None
        return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}

    @property
    def downloads(self) -> tuple[tuple[str, str], ...]:
        """(address, local name) of every file; empty if there is no one source."""
        if not self.url or self.url.startswith(PIP):
            return ()
        if self.url.endswith("/"):
            return tuple((self.url + name.rsplit("/", 1)[-1], name) for name in self.files)
        return ((self.url, self.files[0]),)
