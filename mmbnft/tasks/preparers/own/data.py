"""What a person says about data of their own."""

from dataclasses import dataclass
from pathlib import Path

from mmbnft.tasks.metrics import METRICS
from mmbnft.utils.errors import UserError, choices


@dataclass(frozen=True)
class OwnData:
    """Where your data is and how it is to be divided.

    Attributes:
        images: Image folder; without lists and table its sub-folders are the classes, or `train/`, `val/` and `test/`
            with the classes in them; or `metadata.*` files as the Hub has them. For `arrays` the `.npz` file.
        name: Name of the task.
        lists: One list is divided 60/20/20. Two: train and test; 20 % of train become val. Three: train, val and test
            as they are. Lines are `RELATIVE/NAME CLASS`, separated by a space, tab, comma or semicolon.
        groups: File of `RELATIVE/NAME GROUP` lines; images of a group (one patient, one plant) stay in one part.
        metric: A key of `METRICS`; by default `top1`, or `roc_auc` if an image may carry several classes.
        seed: Seed of the draw.
        table: CSV file with a header that names at least a path and a label column; see `read_table`.
        arrays: Whether `images` is an `.npz` file; see `read_arrays_file`.
        separator: What separates several labels in one cell of the table; None to recognise it, empty for none.
        parquet: Parquet file, or a folder of them; see `read_parquet`.
        label_column: Title of the column of labels of a table, metadata or parquet file; None to recognise it.
        skip_damaged: Whether images that do not decode are left out instead of refused.
        min_images: Classes with fewer images are left out.
    """

    images: Path
    name: str
    lists: tuple[Path, ...] = ()
    groups: Path | None = None
    metric: str | None = None
    seed: int = 0
    table: Path | None = None
    arrays: bool = False
    separator: str | None = None
    parquet: Path | None = None
    label_column: str | None = None
    skip_damaged: bool = False
    min_images: int = 1

    def __post_init__(self) -> None:
        """Check what a person may have mistyped."""
        there = self.images.is_file() if self.arrays else self.images.is_dir()
        if not (self.images.exists() if self.parquet else there):
            what = "file" if self.arrays or self.parquet else "image folder"
            raise UserError(f"there is no {what} {self.images}; give the {what} of your images")
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name) or self.name.startswith("."):
            raise UserError(f"the name {self.name!r} must be letters, digits, '-', '_' or '.', as it names a folder")
        if len(self.lists) > 3:
            raise UserError(f"give at most three lists (train, val, test), got {len(self.lists)}")
        if self.groups is not None and len(self.lists) > 1:
            raise UserError("groups and lists both say how to divide the images; leave one of them out")
        if self.metric is not None and self.metric not in METRICS:
            raise UserError(f"unknown metric {self.metric!r}; allowed: {choices(METRICS)}")
        if self.min_images < 1:
            raise UserError(f"--min-images must be a whole number from 1, got {self.min_images}")
