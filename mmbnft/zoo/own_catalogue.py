"""A user's own catalogue: names, formats, networks and normalisations of own files, as TOML or JSON."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmbnft.utils.errors import UserError, choices
from mmbnft.zoo.architecture import AnyNetwork, LibraryNetwork, network_from_config, network_from_text
from mmbnft.zoo.entry import CatalogueEntry, Normalisation

FILES = ("catalogue.toml", "catalogue.json")
_PLAIN = ("method", "format", "branch", "epochs", "imagenet_linear_top1", "licence", "sha256", "aliases")
SETTINGS = ("file", "network", "pooling", "mean", "std", *_PLAIN)


def own_entries(path: Path) -> list[CatalogueEntry]:
    """The entries of a catalogue file: one table for each id, with `file` (or a source such as `hf:OWNER/NAME`).

    Args:
        path: `*.toml` or `*.json`; paths in it count from its folder.

    Raises:
        UserError: The file cannot be read, or an entry says what does not exist.
    """
    content = _read(path)
    if not isinstance(content, Mapping) or not all(isinstance(row, Mapping) for row in content.values()):
        raise UserError(f"{path} must hold one table of settings for each id, e.g. [my-model] with file = 'my.pth'")
    return [_entry(path, str(name), row) for name, row in content.items()]


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        import tomllib

        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ImportError as error:
        raise UserError(f"{path}: TOML needs Python 3.11; write the catalogue as JSON") from error
    except (OSError, ValueError) as error:
        raise UserError(f"the catalogue {path} cannot be read ({error}); correct it") from error


def _entry(path: Path, name: str, row: Mapping[str, Any]) -> CatalogueEntry:
    unknown = set(row) - set(SETTINGS)
    if unknown or not isinstance(row.get("file"), str):
        wrong = f"has unknown settings {choices(unknown)}" if unknown else "lacks file, a path or a source"
        raise UserError(f"{name!r} in {path} {wrong}; allowed: {choices(SETTINGS)}")
    values: dict[str, Any] = {
        key: tuple(row[key]) if isinstance(row[key], list) else row[key] for key in _PLAIN if key in row
    }
    normalisation = None
    if "mean" in row or "std" in row:
        try:
            normalisation = Normalisation.from_dict(row)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{name!r} in {path}: mean and std need three numbers each ({error})") from error
    try:
        network = _network(row)
    except UserError as error:
        raise UserError(f"{name!r} in {path}: {error}") from error
    entry = CatalogueEntry(name, "own", "", own=True, view="", architecture=network, normalisation=normalisation)
    return dataclasses.replace(entry, files=(_place(path, row["file"]),), **values)


def _network(row: Mapping[str, Any]) -> AnyNetwork | None:
    named, pooling = row.get("network"), row.get("pooling", "")
    if named is None and not pooling:
        return None
    network = network_from_config(named) if isinstance(named, Mapping) else network_from_text(str(named))
    if pooling and not isinstance(network, LibraryNetwork):
        raise UserError(f"pooling is for networks of timm and torchvision with tokens, got network {network}")
    return dataclasses.replace(network, pooling=pooling) if isinstance(network, LibraryNetwork) else network


def _place(path: Path, text: str) -> str:
    from mmbnft.zoo.origins import scheme_of

    return text if scheme_of(text) else str((path.parent / text).absolute())
