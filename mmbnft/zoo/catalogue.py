"""Look up what is known about a checkpoint: published models, and this project's own small ones."""

import dataclasses
import difflib
import importlib.metadata
from pathlib import Path
from typing import Any

from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json
from mmbnft.utils.shipped import SHIPPED
from mmbnft.zoo.architecture import Architecture
from mmbnft.zoo.entry import PIP, CatalogueEntry, Normalisation
from mmbnft.zoo.own_catalogue import FILES, own_entries
from mmbnft.zoo.published import PUBLISHED

DEFAULT_ROOT = Path("pretrained_models")
SAME_PADDING = "@same-padding"
# The twelve SSL checkpoints of Shao et al., "Not All Models Are Equal" (ECCV 2022), by this catalogue's ids.
STUDY_TWELVE = (
    "byol",
    "deepcluster-v2",
    "infomin",
    "insdis",
    "moco-v1",
    "moco-v2",
    "pcl-v1",
    "pcl-v2",
    "sela-v2",
    "simclr-v1",
    "simclr-v2",
    "swav",
)
# Folders of this project's own small files; a folder's name is that of its group, and begins the ids in it.
TINY_GROUPS = ("tiny", "tiny-early")
GROUPS = ("study12", *TINY_GROUPS)
# Ids that are named where a name is unknown.
_NEAREST = 3


def entries(root: Path | str = DEFAULT_ROOT, catalogue: Path | str = "") -> dict[str, CatalogueEntry]:
    """Every entry by id: the published ones, the tiny ones of `ROOT` or of the package, the user's own.

    Args:
        root: Folder of checkpoints; a `catalogue.toml` or `catalogue.json` in it is a user's.
        catalogue: Another file of a user's.

    Raises:
        UserError: A catalogue is damaged or repeats an id.
    """
    found = {entry.id: entry for entry in PUBLISHED}
    parts = [(_tiny_file(Path(root), name), _tiny_entries(Path(root), name)) for name in TINY_GROUPS]
    own = [Path(root) / name for name in FILES if (Path(root) / name).exists()] + (
        [Path(catalogue)] if catalogue else []
    )
    parts += [(path, own_entries(path)) for path in own]
    taken = {alias: entry.id for entry in PUBLISHED for alias in entry.aliases}
    for path, rows in parts:
        for entry in rows:
            for name in (entry.id, *entry.aliases):
                if name in found or name in taken:
                    raise UserError(f"{path} repeats the id {name!r}; every id must be unique")
            found[entry.id] = entry
    return found


def get_entry(name: str, root: Path | str = DEFAULT_ROOT, catalogue: Path | str = "") -> CatalogueEntry:
    """The entry called `name`: an id, an alias, or `ID@same-padding` for the entry with that option on.

    Args:
        name: What to look up.
        root: Folder of weight files.
        catalogue: Another file of a user's.

    Raises:
        UserError: There is no such entry, or it has no padding to emulate.
    """
    known = entries(root, catalogue)
    plain = name.removesuffix(SAME_PADDING)
    aliases = {alias: entry.id for entry in known.values() for alias in entry.aliases}
    entry = known.get(aliases.get(plain, plain))
    if entry is None:
        near = difflib.get_close_matches(plain.lower(), [*known, *aliases, "random"], n=len(known), cutoff=0.0)
        ids = list(dict.fromkeys(aliases.get(match, match) for match in near))[:_NEAREST]
        raise UserError(
            f"no checkpoint is called {name!r}; nearest first: {', '.join(ids)} (all: mmbnft checkpoints list)"
        )
    if plain == name:
        return entry
    if not entry.same_padding:
        raise UserError(f"{plain!r} has no SAME padding to emulate; load it as {plain!r}")
    return dataclasses.replace(entry, id=entry.id + SAME_PADDING, emulate_same_padding=True)


def group(name: str, root: Path | str = DEFAULT_ROOT) -> tuple[str, ...]:
    """The ids of a named group: `study12` (published study), or one of `TINY_GROUPS` (this project's own).

    Raises:
        UserError: There is no such group.
    """
    if name == "study12":
        return STUDY_TWELVE
    if name in TINY_GROUPS:
        return tuple(entry.id for entry in _tiny_entries(Path(root), name))
    raise UserError(f"no group of checkpoints is called {name!r}; known groups: {', '.join(GROUPS)}")


def catalogue_file(root: Path | str, name: str) -> Path:
    """A file of the folder of checkpoints, or the one of its name that comes with the package."""
    own, shipped = Path(root) / name, SHIPPED / "pretrained_models" / name
    return own if own.exists() or not shipped.exists() else shipped


def _tiny_file(root: Path, group: str) -> Path:
    return catalogue_file(root, f"{group}/catalogue.json")


def _tiny_entries(root: Path, group: str) -> list[CatalogueEntry]:
    path = _tiny_file(root, group)
    if not path.exists():
        return []
    rows = read_json(path)
    if not isinstance(rows, list):
        raise UserError(f"{path} must hold a list of entries, got {type(rows).__name__}; make it again")
    return [_tiny_entry(path, row) for row in rows]


def _tiny_entry(path: Path, row: Any) -> CatalogueEntry:
    group = path.parent.name
    try:
        return CatalogueEntry(
            id=str(row["id"]),
            method=str(row["method"]),
            format="tiny",
            files=(f"{group}/{Path(row['file']).name}",),
            architecture=Architecture.from_config(row["architecture"]),
            normalisation=Normalisation.from_dict(row["normalisation"]),
            input_size=int(row.get("input_size", 64)),
            view="as the task's own evaluation transform",
            epochs=row["epochs"],
            licence="Apache-2.0",
            sha256=str(row["sha256"]),
            record=str(row["record"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{path} has an entry that cannot be read ({reason}); make the file again") from error


def is_here(entry: CatalogueEntry, root: Path | str = DEFAULT_ROOT) -> bool:
    """Whether the files of an entry are on this machine, as far as that can be told without opening them.

    Args:
        entry: The entry.
        root: Folder of checkpoints.
    """
    if entry.url.startswith(PIP):
        try:
            return bool(importlib.metadata.version(entry.url.removeprefix(PIP)))
        except importlib.metadata.PackageNotFoundError:
            return False
    return bool(entry.files) and all(catalogue_file(root, name).exists() for name in entry.files)
