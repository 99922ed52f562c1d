"""The order in which a run may see the splits of a task: val is for choosing, test is read once, at the end."""

import os

from mmbnft.tasks.images import Images, ListedImages
from mmbnft.tasks.task import Task
from mmbnft.utils.errors import UserError


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
    """Refuse a task whose test images are also trained or chosen on.

    Compared are the names of files, and arrays as a whole; copies under another name are what
    `mmbnft.tasks.duplicates` finds.

    Raises:
        UserError: Test shares images with train or val.
    """
    test = task.splits["test"]
    names = _file_names(test)
    for split in ("train", "val"):
        other = task.splits[split]
        shared = names & _file_names(other)
        same_arrays = not names and other.identity == test.identity
        if shared or same_arrays:
            count, example = (len(test), "") if same_arrays else (len(shared), f", e.g. {min(shared)}")
            raise UserError(
                f"task {task.name}: {count:,} of {len(test):,} test images are in {split} too{example}; a result on "
                f"images that were {'trained' if split == 'train' else 'chosen'} on means nothing, so take them out of "
                f"{split} ('tools/prepare_data.py folder --lists TRAIN TEST' makes a val list from a part of train)"
            )


def _file_names(images: Images) -> set[str]:
    if not isinstance(images, ListedImages):
        return set()
    return {os.path.normpath(images.folder / name) for name in images.annotations.names}
