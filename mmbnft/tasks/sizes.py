"""The one check that embedded tasks share: how many images each split may have."""

from mmbnft.utils.errors import UserError


def check_sizes(name: str, sizes: tuple[int, int, int], classes: int, limit: int | None = None) -> None:
    """Refuse split sizes that leave a class empty or exceed the data.

    Args:
        name: Task name, for the message.
        sizes: Images of train, val and test.
        classes: Number of classes; each split needs at least one image of each.
        limit: Images there are, if limited.

    Raises:
        UserError: A size does not fit.
    """
    for split, size in zip(("train", "val", "test"), sizes, strict=True):
        if size < classes:
            raise UserError(f"task {name}: {split}_size must be at least {classes}, one image per class, got {size}")
    if limit is not None and sum(sizes) > limit:
        raise UserError(f"task {name}: train, val and test sizes add up to {sum(sizes)}; there are {limit} images")
