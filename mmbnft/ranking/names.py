"""One checkpoint, several spellings: names stay as they are written unless two sources have to be joined."""

from collections.abc import Mapping, Sequence

import pandas as pd

from mmbnft.ranking.checks import Finding


def plain(name: str) -> str:
    """`name` without regard to case, spaces, `_` and `-`."""
    return name.strip().lower().replace("_", "-").replace(" ", "-")


def identities(names: Sequence[str], aliases: Mapping[str, str]) -> dict[str, str]:
    """Name to catalogue id, for the names that stand for an entry which no other of `names` stands for.

    Args:
        names: Names of checkpoints.
        aliases: Any spelling of a checkpoint to its id.
    """
    known = {plain(alias): entry for alias, entry in aliases.items()}
    by_entry: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        if plain(name) in known:
            by_entry.setdefault(known[plain(name)], []).append(name)
    # Of two names for one entry (two files of one's own, say) only the id itself is surely that entry.
    return {name: e for e, found in by_entry.items() for name in found if len(found) == 1 or name == e}


def joined_names(
    tables: Sequence[pd.DataFrame], aliases: Mapping[str, str]
) -> tuple[list[pd.DataFrame], list[Finding]]:
    """Give a checkpoint one name over several sources: the catalogue's id where they spell it differently.

    Args:
        tables: One long table per source.
        aliases: Any spelling of a checkpoint to its id.

    Returns:
        The tables with the joined names, and one finding for each name that was changed or could have been.
    """
    known = {plain(alias): entry for alias, entry in aliases.items()}
    spelt: dict[str, list[set[str]]] = {}
    for table in tables:
        mine: dict[str, set[str]] = {}
        for name in set(table["checkpoint"]):
            mine.setdefault(known.get(plain(name), plain(name)), set()).add(name)
        for entry, names in mine.items():
            spelt.setdefault(entry, []).append(names)
    changes, findings = {}, []
    for entry, sides in sorted(spelt.items()):
        listed = ", ".join(sorted(set().union(*sides)))
        if any(len(names) > 1 for names in sides):
            findings.append(Finding("MB206", f"{listed} name the same catalogue entry but are kept apart"))
        elif len(set().union(*sides)) > 1:
            name = entry if entry in aliases else sorted(sides[0])[0]
            changes.update(dict.fromkeys(set().union(*sides), name))
            findings.append(Finding("MB206", f"{listed} are taken as one checkpoint, {name}"))
    renamed = [table.assign(checkpoint=[changes.get(n, n) for n in table["checkpoint"]]) for table in tables]
    return renamed, findings
