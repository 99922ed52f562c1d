"""How lists and times are put into words."""

from collections.abc import Sequence


def joined(names: Sequence[str], word: str = "and", most: int = 0) -> str:
    """`a, b and c`.

    Args:
        names: What to list.
        word: Before the last one.
        most: Names before the rest becomes a number; all if 0.
    """
    if most and len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} others"]
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return counted(round(seconds), "second")


def counted(number: int, noun: str) -> str:
    """`1 task`, `3 tasks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
