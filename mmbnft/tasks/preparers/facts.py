"""What is officially known about a data set, as data: the one place for class counts, split sizes, hashes and terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Counts(NamedTuple):
    """Images of one official split; None where no figure is published."""

    train: int | None
    val: int | None
    test: int | None


@dataclass(frozen=True)
class Archive:
    """One file a person has to obtain.

    Attributes:
        name: Its file name, or a pattern such as `images_*.tar.gz`.
        url: Where it is published; empty if it needs a form, an account or an e-mail.
        md5: Its published hash; empty if none is.
        into: Folder below `images/` that it is unpacked to.
        nested: Archives inside it that are unpacked as well, relative to `into`.
        required: Whether the data set cannot be prepared without it.
    """

    name: str
    url: str = ""
    md5: str = ""
    into: str = ""
    nested: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Facts:
    """A data set's official figures and terms.

    Attributes:
        name: Task name and folder below the data root.
        title: Full name.
        version: Label of the release these figures belong to.
        source: Home page.
        classes: Number of classes.
        metric: A key of `mmbnft.tasks.METRICS`.
        counts: Images per split by split name; the position of a name is the split's number.
        archives: What has to be obtained.
        licence: Terms, as far as known.
        registration: What must be signed or filled in before a download; empty if nothing.
        images_per_class: Images of every class over all lists, one number or one per class; None if not published.
        images: Distinct images over all lists; None if not published.
        multi_label: Whether an image may carry several classes.
        unverified: Which reading was taken where the sources leave a point open.
        remarks: What was understood of own data, and what was left out and why.
    """

    name: str
    title: str
    version: str
    source: str
    classes: int
    metric: str
    counts: Mapping[str, Counts]
    archives: tuple[Archive, ...]
    licence: str
    registration: str = ""
    images_per_class: int | Mapping[str, int] | None = None
    images: int | None = None
    multi_label: bool = False
    unverified: tuple[str, ...] = field(default=())
    remarks: tuple[str, ...] = field(default=())
