"""What inputs a checkpoint needs, and how that is known: proven by its file, known from a catalogue, or stated."""

from mmbnft.utils.errors import UserError
from mmbnft.zoo.certificate import AnyCertificate
from mmbnft.zoo.entry import CatalogueEntry, Normalisation
from mmbnft.zoo.formats import CLASSIFIER, FORMATS
from mmbnft.zoo.published import PUBLISHED
from mmbnft.zoo.sources import Source

CATALOGUE, FILE, STATED = "catalogue", "file", "stated"
_LEAST_DIGITS = 8  # of a published hash, to know a file by


def known_normalisation(
    source: Source, digest: str, form: str, proven: Normalisation | None
) -> tuple[Normalisation | None, str]:
    """The input normalisation of a checkpoint, and how it is known.

    Args:
        source: The checkpoint, with what a person states.
        digest: Hex SHA-256 of its content.
        form: Id of the format it is read in; empty if only its network can tell.
        proven: What the file itself says.

    Returns:
        The normalisation and `file`, `catalogue` or `stated`; None and an empty text where nothing tells it.

    Raises:
        UserError: What is stated contradicts the file or the catalogue.
    """
    if source.stated is not None:
        return _stated(source, source.stated, proven)
    if source.entry is not None and source.entry.normalisation is not None:
        return source.entry.normalisation, CATALOGUE
    if proven is not None:
        return proven, FILE
    published = _published(digest)
    if published is not None and published.normalisation is not None:
        return published.normalisation, CATALOGUE
    known = FORMATS.get(form)
    if known is not None and known.normalisation is not None:
        # A file that proves its format is one that only its authors' code writes; otherwise the user says so.
        return known.normalisation, STATED if source.form is not None and (known.alone or known.proof) else CATALOGUE
    return None, ""


def _stated(source: Source, stated: Normalisation, proven: Normalisation | None) -> tuple[Normalisation, str]:
    entry = source.entry
    known, who = proven, f"{source.path.name} itself"
    if source.named and entry is not None and entry.normalisation is not None:
        known, who = entry.normalisation, f"the catalogue's entry {entry.id!r}"
    if known is None:
        return stated, STATED
    if known != stated:
        raise UserError(
            f"{who} says that inputs are normalised with mean {list(known.mean)} and std {list(known.std)}, but you "
            f"stated mean {list(stated.mean)} and std {list(stated.std)}; leave --mean and --std out"
        )
    return known, FILE if known is proven else CATALOGUE


def _published(digest: str) -> CatalogueEntry | None:
    """The published checkpoint whose hash a file has."""
    known = (entry for entry in PUBLISHED if len(entry.sha256) >= _LEAST_DIGITS)
    return next((entry for entry in known if digest.startswith(entry.sha256)), None)


def how_to_state(name: str, form: str) -> str:
    """The sentence that refuses a run for an unknown normalisation and says how to state it."""
    converted = "simclr-v1-converted"
    other = f", or with --format {converted} if it is that converter's file" if form == CLASSIFIER else ""
    return (
        f"{name} does not say what its inputs are normalised with (format {form!r} proves only the architecture); "
        "state it with --mean R G B --std R G B on a 0..1 scale (ImageNet: --mean 0.485 0.456 0.406 "
        f"--std 0.229 0.224 0.225; SimCLR's own weights: --mean 0 0 0 --std 1 1 1){other}"
    )


def needed(certificate: AnyCertificate) -> dict[str, list[float]]:
    """The normalisation that a load certificate holds.

    Raises:
        UserError: Nothing tells it; the sentence says how to state it.
    """
    if certificate.normalisation is None:
        raise UserError(how_to_state(getattr(certificate, "file", certificate.format), certificate.format))
    return certificate.normalisation


def stated_normalisation(mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> Normalisation | None:
    """A normalisation as stated on the command line; None if none is.

    Args:
        mean: Of red, green and blue in [0, 1].
        std: Standard deviation of the same.

    Raises:
        UserError: Only one of the two is given, or they are not three numbers of which deviations are positive.
    """
    if mean is None and std is None:
        return None
    try:
        found = Normalisation.from_dict({"mean": mean, "std": std})
    except (TypeError, ValueError) as error:
        raise UserError(
            f"--mean and --std need three numbers each (red, green, blue; std above 0), got {mean} and {std}; give both"
        ) from error
    if max(found.mean) > 1 or min(found.mean) < -1 or max(found.std) > 2:
        raise UserError(
            f"--mean and --std use a 0..1 scale, got {list(found.mean)} and {list(found.std)}; divide by 255"
        )
    return found
