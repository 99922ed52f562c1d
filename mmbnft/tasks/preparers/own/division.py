"""From the images that were found to the three lists: as the data say, or by a seeded draw."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mmbnft.tasks.preparers.base import Entry, Lists, single_labels
from mmbnft.tasks.preparers.draws import hold_out, pick, stratified
from mmbnft.tasks.preparers.own.found import Found, Sample
from mmbnft.utils.errors import UserError
from mmbnft.utils.wording import counted

SHARE = 5  # one image of so many is drawn for val, and one for test
LEAST = 3  # images of a class that a draw needs, one each for train, val and test


def divide(found: Found, seed: int) -> tuple[Lists, list[str]]:
    """The lists, and remarks about how they were made.

    Raises:
        UserError: Only some images name a split, a group is in two splits, or a class is too small.
    """
    splits = {sample.split for sample in found.samples}
    if "" in splits and len(splits) > 1:
        without = [sample.name for sample in found.samples if not sample.split]
        raise UserError(
            f"{len(without)} images have no split while others do, e.g. {without[0]}; give all of them one, or none"
        )
    if splits == {""}:
        return _drawn(found, seed)
    if "train" not in splits or len(splits) == 1:
        raise UserError(f"the data name the split {', '.join(sorted(splits))} only; name train and test, and maybe val")
    _refuse_crossing_groups(found.samples)
    parts = {split: [sample for sample in found.samples if sample.split == split] for split in ("train", "val", "test")}
    remarks = []
    if not parts["test"]:
        parts["test"], parts["val"] = parts["val"], []
        remarks.append("there is no test: val is taken as test, as published validation sets are")
    if parts["val"]:
        remarks.append("train, val and test as given")
    else:
        parts["train"], parts["val"] = _hold_out(parts["train"], seed)
        remarks.append(f"there is no val: {len(parts['val']):,} train images are drawn for it with seed {seed}")
    return Lists(*(entries(parts[split], found) for split in ("train", "val", "test"))), remarks


def entries(samples: Sequence[Sample], found: Found) -> list[Entry]:
    """Samples with class numbers."""
    number = {name: k for k, name in enumerate(found.classes)}
    if found.multi_label:
        return [Entry(sample.name, tuple(sorted(number[label] for label in sample.labels))) for sample in samples]
    return [Entry(sample.name, number[sample.labels[0]]) for sample in samples]


def _drawn(found: Found, seed: int) -> tuple[Lists, list[str]]:
    groups = [sample.group for sample in found.samples] if any(sample.group for sample in found.samples) else None
    if groups is not None and "" in groups:
        missing = [sample.name for sample in found.samples if not sample.group]
        raise UserError(f"{len(missing)} of {len(groups)} images have no group, the first {missing[0]!r}; give it one")
    everything = entries(found.samples, found)
    if found.multi_label:
        lists = _drawn_without_strata(found, everything, groups, seed)
    else:
        _refuse_small_classes(found)
        lists = pick(everything, stratified(single_labels(everything), groups, seed))
        _refuse_classes_of_few_groups(lists, found.classes)
    how = "groups kept together" if groups else ("" if found.multi_label else "every class alike")
    return lists, [f"divided 60/20/20 with seed {seed}" + (f", {how}" if how else "")]


def _drawn_without_strata(found: Found, everything: list[Entry], groups: list[str] | None, seed: int) -> Lists:
    """Images with several classes have no strata: units, images or groups, are drawn as they come."""
    units = groups or [sample.name for sample in found.samples]
    order = np.random.RandomState(seed).permutation(len(dict.fromkeys(units)))
    place = dict(zip(dict.fromkeys(units), order.tolist(), strict=True))
    size = max(1, len(place) // SHARE)
    if len(place) < LEAST:
        raise UserError(f"a split needs at least {LEAST} images or groups, got {len(place)}")
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for k, unit in enumerate(units):
        parts[2 if place[unit] < size else 1 if place[unit] < 2 * size else 0].append(k)
    return pick(everything, parts)


def _hold_out(samples: list[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """A fifth of the images, or of the groups if there are any, by the rule that public data sets take, too."""
    if not any(sample.group for sample in samples):
        kept, held = hold_out(len(samples), seed=seed)
        return [samples[k] for k in kept], [samples[k] for k in held]
    units = list(dict.fromkeys(sample.group for sample in samples))
    chosen = {units[k] for k in hold_out(len(units), seed=seed)[1]}
    return [s for s in samples if s.group not in chosen], [s for s in samples if s.group in chosen]


def _refuse_small_classes(found: Found) -> None:
    counts = Counter(sample.labels[0] for sample in found.samples)
    small = [f"class {name!r} has {counted(counts[name], 'image')}" for name in found.classes if counts[name] < LEAST]
    if small:
        raise UserError(
            f"{', '.join(small)}; a split needs at least {LEAST} of each class, so add images, or leave such classes "
            f"out with --min-images {LEAST}"
        )


def _refuse_classes_of_few_groups(lists: Lists, classes: Sequence[str]) -> None:
    for part in ("train", "test"):
        empty = set(range(len(classes))) - set(single_labels(getattr(lists, part)))
        if empty:
            raise UserError(
                f"class {classes[min(empty)]!r} has too few groups to be in train, val and test; add groups to it, "
                "leave it out, or give lists of your own"
            )


def _refuse_crossing_groups(samples: Sequence[Sample]) -> None:
    seen: dict[str, str] = {}
    for sample in samples:
        if sample.group and seen.setdefault(sample.group, sample.split) != sample.split:
            raise UserError(
                f"the group {sample.group!r} is in {seen[sample.group]} and in {sample.split}; images of one group "
                "belong to one split, so correct the splits, or leave the split column out to have them drawn"
            )
