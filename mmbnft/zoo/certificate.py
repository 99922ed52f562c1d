"""The load certificate: what was read from a file, so that every result can prove which weights it used."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Certificate:
    """What a load has read, dropped, filled and checked.

    Attributes:
        file: File name, without folder.
        sha256: Of the file; for a TensorFlow checkpoint, of its index and data files together.
        format: Format id.
        entry: Catalogue id, or empty for a bare file.
        architecture: Keyword arguments of the backbone that the tensors are; for other networks its class only.
        format_known_from: `file` (recognised by the keys), `catalogue`, or `stated` by the user.
        branch: Where in the file the state dict lies, and for a wrapped backbone its prefix too; empty for a bare one.
        prefix: What backbone keys begin with in the file.
        tensors_in_file: Number of tensors in the file's state dict.
        matched: Number of tensors taken from the file.
        expected: Number of tensors of the backbone.
        dropped: Number of tensors dropped, by rule.
        missing: Backbone tensors that the file lacks or has in another shape.
        unexpected: File keys without a place.
        filled: Number of batch counters that the format lacks and that were set to 0.
        parameters: Number of trained values loaded: everything but running statistics and counters.
        float_tensors: Number of float tensors loaded.
        floats: Number of values in them.
        finite: Whether all of them are finite.
        running_var_ok: Whether every running variance is at least 0.
        dtypes: Number of tensors by dtype, as they are in the file.
        cast: Which of them became float32 without loss, e.g. `float16`; empty if they were float32.
        normalisation: `mean` and `std` for RGB in [0, 1]; None where nothing tells them.
        normalisation_known_from: `file` (it proves them), `catalogue` (of checkpoints, or of formats that only their
            authors' code writes), `stated` by the user; empty where nothing tells them.
        same_padding: Operations padded TensorFlow's way, or empty.
        stem_padding: Padding of the first convolution where the file's framework has another than the network; else 0.
        partial: Whether the load was incomplete and allowed to be.
        fingerprint: Known answer of the loaded network; empty until it is loaded.
    """

    file: str
    sha256: str
    format: str
    format_known_from: str
    entry: str
    architecture: dict[str, Any]
    branch: str
    prefix: str
    tensors_in_file: int
    matched: int
    expected: int
    dropped: dict[str, int]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    filled: int
    parameters: int
    float_tensors: int
    floats: int
    finite: bool
    running_var_ok: bool
    dtypes: dict[str, int]
    cast: str
    normalisation: dict[str, list[float]] | None
    normalisation_known_from: str
    same_padding: str = ""
    stem_padding: int = 0
    partial: bool = False
    fingerprint: str = ""

    @property
    def padded(self) -> bool:
        """Whether the network pads otherwise than its configuration says, which no tensor of it can tell."""
        return bool(self.same_padding or self.stem_padding)

    @property
    def complete(self) -> bool:
        """Whether every expected tensor came from the file (or is a counter it cannot have) and nothing was left."""
        whole = not self.missing and not self.unexpected and self.matched + self.filled == self.expected
        return whole and self.finite and self.running_var_ok

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-able values, with `complete`."""
        content = asdict(self)
        content["missing"], content["unexpected"] = list(self.missing), list(self.unexpected)
        return {**content, "complete": self.complete}


@dataclass(frozen=True)
class ControlCertificate:
    """What results hold in the place of a load certificate for random weights.

    Attributes:
        normalisation: `mean` and `std` for RGB in [0, 1].
        normalisation_known_from: As in `Certificate`.
        format: `random`.
        partial: Random weights leave nothing unfilled.
        sha256: They come from no file.
        padded: Nor is there a framework to pad as.
    """

    normalisation: dict[str, list[float]] | None
    normalisation_known_from: str
    format: str = "random"
    partial: bool = False
    sha256: str | None = None
    padded: ClassVar[bool] = False

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {name: value for name, value in asdict(self).items() if value is not None}


AnyCertificate = Certificate | ControlCertificate


def certificate_of(content: Mapping[str, Any]) -> AnyCertificate:
    """The certificate that a result holds, see `to_dict`."""
    kind = ControlCertificate if content["format"] == ControlCertificate.format else Certificate
    return kind(**{entry.name: content[entry.name] for entry in fields(kind) if entry.name in content})
