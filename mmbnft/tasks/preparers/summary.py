"""What a preparation tells the person who asked for it, as lines of text."""

from typing import Any

from mmbnft.tasks.preparers.preparation import Prepared
from mmbnft.tasks.preparers.verification import class_balance
from mmbnft.utils import files

PAIRS_SHOWN = 5


def summary_lines(prepared: Prepared) -> list[str]:
    """Folder, sizes, metric, terms, and the readings taken where a fact is not verified."""
    facts = files.read_json(prepared.folder / "task.json")
    total = len(prepared.reading.names())
    lines = [
        f"{prepared.folder}: {facts['title']} ({facts['version']})",
        f"  {len(facts['classes'])} classes, {total:,} images, metric {facts['metric']}",
        f"  {prepared.decoded:,} images decoded now, {total - prepared.decoded:,} confirmed by size and date",
        f"  licence: {facts['licence']}",
    ]
    for number, (name, lists) in enumerate(prepared.reading.splits.items()):
        sizes = ", ".join(f"{part} {len(entries):,}" for part, entries in lists._asdict().items())
        lines.append(f"  split {number} ({name}): {sizes}")
    return lines + [f"  not verified: {point}" for point in facts["unverified"]]


def balance_lines(prepared: Prepared) -> list[str]:
    """Images of every class in train, val and test, and how far apart the largest and the smallest class are."""
    rows = class_balance(prepared.reading, next(iter(prepared.reading.splits)))
    width = max(len("class"), *(len(row[0]) for row in rows))
    lines = [f"  {'class':<{width}} {'train':>7} {'val':>7} {'test':>7}"]
    lines += [f"  {name:<{width}} {train:>7} {val:>7} {test:>7}" for name, train, val, test in rows]
    sizes = [sum(row[1:]) for row in rows]
    ratio = max(sizes) / min(sizes)
    advice = "; mean_per_class counts every class alike" if ratio > 2 else ""
    return [*lines, f"  the largest class has {ratio:.1f} times the images of the smallest{advice}"]


def leakage_lines(outcome: dict[str, dict[str, Any]]) -> list[str]:
    """Duplicates across splits: their numbers and the first few by name."""
    lines = []
    for number, found in outcome.items():
        lines.append(f"  split {number}: {found['exact']} exact and {found['near']} near duplicates across its lists")
        for pair in found["pairs"][:PAIRS_SHOWN]:
            first, second = (f"{split}: {name}" for split, name in zip(pair["splits"], pair["names"], strict=True))
            lines.append(f"    {first} = {second}")
    return lines
