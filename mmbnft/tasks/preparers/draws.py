"""Seeded draws for data sets that publish no validation list, or no split at all."""

from collections.abc import Sequence

import numpy as np

from mmbnft.tasks.preparers.base import Entry, Lists
from mmbnft.utils.errors import UserError

Parts = tuple[list[int], list[int], list[int]]


def hold_out(count: int, share: float = 0.2, seed: int = 0) -> tuple[list[int], list[int]]:
    """Positions 0..count-1 shuffled by NumPy's legacy generator; the first floor(share * count) are held out.

    The rule of Ericsson et al. (How Well Do Self-Supervised Models Transfer?, 2021). What is held out depends on the
    order of the list.

    Args:
        count: Number of positions.
        share: Fraction held out.
        seed: Of the generator.

    Returns:
        Kept and held-out positions, each ascending.
    """
    order = np.arange(count)
    np.random.RandomState(seed).shuffle(order)
    size = int(share * count)
    return sorted(order[size:].tolist()), sorted(order[:size].tolist())


def with_validation(trainval: Sequence[Entry], test: Sequence[Entry]) -> Lists:
    """The lists of a split without an official val: 20 % of `trainval` by `hold_out`."""
    kept, held = hold_out(len(trainval))
    return Lists([trainval[i] for i in kept], [trainval[i] for i in held], list(test))


def with_grouped_validation(trainval: Sequence[Entry], groups: Sequence[str], test: Sequence[Entry]) -> Lists:
    """Like `with_validation`, but whole groups (e.g. patients) are held out: 20 % of them, in order of appearance.

    Args:
        trainval: Images and labels to divide.
        groups: The group of each.
        test: Images and labels of test.
    """
    units = list(dict.fromkeys(groups))
    held = {units[i] for i in hold_out(len(units))[1]}
    train = [entry for entry, group in zip(trainval, groups, strict=True) if group not in held]
    val = [entry for entry, group in zip(trainval, groups, strict=True) if group in held]
    return Lists(train, val, list(test))


def stratified(labels: Sequence[int], groups: Sequence[str] | None = None, seed: int = 0) -> Parts:
    """Divide positions 60/20/20 into train, val and test, each class alike.

    Without groups each class gives floor(n/5), at least one, of its n images to test and as many to val. With groups
    a group stays in one part, and the shares hold as well as the groups allow.

    Args:
        labels: (N,) class of each position.
        groups: (N,) group of each position; None for none.
        seed: Of the draw.

    Raises:
        UserError: A class has fewer than three images, or there are fewer than five groups.
    """
    if groups is not None:
        return _stratified_groups(np.asarray(labels), groups, seed)
    generator = np.random.RandomState(seed)
    train: list[int] = []
    val: list[int] = []
    test: list[int] = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(np.asarray(labels) == label)).tolist()
        if len(members) < 3:
            raise UserError(
                f"class {label} has {len(members)} images; a split needs at least 3, one each for train, val and test"
            )
        size = max(1, len(members) // 5)
        test += members[:size]
        val += members[size : 2 * size]
        train += members[2 * size :]
    return sorted(train), sorted(val), sorted(test)


def _stratified_groups(labels: np.ndarray, groups: Sequence[str], seed: int) -> Parts:
    if len(set(groups)) < 5:
        raise UserError(f"a split by groups needs at least 5 groups, got {len(set(groups))}")
    from sklearn.model_selection import StratifiedGroupKFold  # takes seconds, which few draws need

    folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=seed).split(labels, labels, groups)
    parts = [sorted(held.tolist()) for _, held in folds]
    return sorted(parts[2] + parts[3] + parts[4]), parts[1], parts[0]


def pick(entries: Sequence[Entry], parts: Parts) -> Lists:
    """The entries at the positions of `parts`."""
    train, val, test = ([entries[i] for i in part] for part in parts)
    return Lists(train, val, test)
