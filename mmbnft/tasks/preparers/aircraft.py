"""FGVC-Aircraft, the 100 variants, on the official train, val and test lists."""

from pathlib import Path

from mmbnft.tasks.preparers.base import Lists, Preparer, Reading
from mmbnft.tasks.preparers.facts import Archive, Counts, Facts
from mmbnft.tasks.preparers.readers import torchvision_entries
from mmbnft.tasks.preparers.titles import TITLES

TOP = "fgvc-aircraft-2013b"


class Aircraft(Preparer):
    """Lines are `IMAGEID CLASS NAME`; a name may hold spaces and slashes. Numbers follow `variants.txt`."""

    facts = Facts(
        name="aircraft",
        title=TITLES["aircraft"],
        version="2013b",
        source="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
        classes=100,
        metric="mean_per_class",
        counts={"official": Counts(3334, 3333, 3333)},
        images=10000,
        archives=(
            Archive(f"{TOP}.tar.gz", f"https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/{TOP}.tar.gz"),
        ),
        licence="non-commercial research only; the photographers keep their copyright",
        unverified=(
            "train 3,334 and val 3,333 are taken singly; only their sum is confirmed",
            "the copyright banner at the bottom of every image is kept, as in the published protocols",
        ),
    )

    def read(self, images: Path) -> Reading:
        """See `Preparer`."""
        from mmbnft.host import FGVCAircraft  # starts the whole stack, which the facts can do without

        parts = []
        classes: tuple[str, ...] = ()
        for part in ("train", "val", "test"):
            classes, entries = torchvision_entries(
                lambda part=part: FGVCAircraft(images, part, "variant"),  # type: ignore[misc]
                images,
                images / TOP / "data",
            )
            parts.append(entries)
        return Reading(classes, {"official": Lists(*parts)})
