"""The order in which a run may see the splits of a task: val is for choosing, test is read once, at the end."""

from typing import Any

from mmbnft.tasks.images import Images, ListedImages
from mmbnft.tasks.task import Task
from mmbnft.utils.errors import UserError

COPIES_ALLOWED = 0.05  # of a list; CIFAR-100, Food-101 and others were published with a few equal images


class SplitLedger:
    """A task as one run may see it: test is out of reach until choosing is closed, and then handed out once.

    It reads like the task itself.

    Args:
        task: The task.

    Raises:
        UserError: See `refuse_shared_images`.
    """

    def __init__(self, task: Task) -> None:
        refuse_shared_images(task)
        self._task = task
        self._is_closed = False
        self._is_reported = False
        self.name, self.classes, self.metric = task.name, task.classes, task.metric
        self.split, self.multi_label, self.hashes = task.split, task.multi_label, task.hashes

    def images(self, split: str) -> Images:
        """The images of `train`, `val` or `trainval` before choosing is closed, those of `test` after it, once.

        Raises:
            RuntimeError: Asked for in another order.
            UserError: There is no such split.
        """
        if split != "test":
            if self._is_closed:
                raise RuntimeError(f"{split} of task {self.name} was asked for after choosing had been closed")
            return self._task.images(split)
        if not self._is_closed or self._is_reported:
            when = "twice" if self._is_reported else "while it could still influence a choice"
            raise RuntimeError(f"test of task {self.name} was asked for {when}; it is read once, at the end")
        self._is_reported = True
        return self._task.images(split)

    @property
    def content_hash(self) -> str:
        """See `Task`."""
        return self._task.content_hash

    @property
    def leakage(self) -> dict[str, Any] | None:
        """See `Task`."""
        return self._task.leakage

    def close_choosing(self) -> None:
        """From now on nothing is trained or chosen any more, and test may be read."""
        self._is_closed = True

    def record(self, trained: str, chosen: str | None) -> dict[str, dict[str, str]]:
        """Hex hashes by name of the lists that a result rests on, as `trained`, `chosen` and `reported`.

        Args:
            trained: What the weights or the score were fitted on: `train` or `trainval`.
            chosen: What settings were chosen on; None if there was nothing to choose.
        """
        parts = {
            "trained": ("train", "val") if trained == "trainval" else (trained,),
            "chosen": (chosen,) if chosen else (),
            "reported": ("test",) if self._is_reported else (),
        }
        return {use: {name: self.hashes[name] for name in names} for use, names in parts.items()}


def refuse_shared_images(task: Task) -> None:
    """Refuse a task whose test images are also trained or chosen on, or whose val images are also trained on.

    A file that two lists reach, by whatever name, link or hard link, is refused at once. Equal contents in different
    files are refused from `COPIES_ALLOWED` of the smaller list on: public data sets hold a few copies, which the
    leakage check reports.

    Raises:
        UserError: Two lists share images.
    """
    for first, second in (("train", "test"), ("val", "test"), ("train", "val")):
        shared, example = _shared(task.splits[first], task.splits[second])
        if shared:
            use = "trained" if first == "train" else "chosen"
            means = "a result" if second == "test" else "a choice"
            raise UserError(
                f"task {task.name}: {shared:,} of {len(task.splits[second]):,} {second} images are in {first} too"
                f"{example}; {means} on images that were {use} on means nothing, so take them out of one of the two "
                "('mmbnft prepare-data folder --lists TRAIN TEST' makes a val list from a part of train)"
            )


def _shared(first: Images, second: Images) -> tuple[int, str]:
    """How many images of `second` are in `first`, if more than may be, and which one, for a message."""
    known = set(_files(first))
    same = [index for index, file in enumerate(_files(second)) if file in known]
    if not same:
        mine, others = first.contents(), second.contents()
        contents = set(mine)
        same = [index for index, content in enumerate(others) if content in contents]
        if len(same) <= COPIES_ALLOWED * min(len(mine), len(others)):
            return 0, ""
    example = f", e.g. {second.folder / second.name(same[0])}" if isinstance(second, ListedImages) else ""
    return len(same), example


def _files(images: Images) -> list[tuple[int, int]]:
    """Device and inode of each file, which are the same through every link to it; empty for images in memory."""
    if not isinstance(images, ListedImages):
        return []
    try:
        states = [(images.folder / name).stat() for name in images.annotations.names]
    except OSError as error:
        raise UserError(f"image {error.filename} cannot be read ({error.strerror}); prepare the task again") from error
    return [(state.st_dev, state.st_ino) for state in states]
