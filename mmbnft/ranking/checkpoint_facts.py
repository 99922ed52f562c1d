"""What the checkpoint catalogue knows that a ranking can use; the only place where ranking meets the catalogue."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmbnft.ranking.controls import Facts
from mmbnft.zoo.catalogue import entries


def facts(known: Mapping[str, Any]) -> Facts:
    """Names, aliases and published figures of catalogue entries.

    Args:
        known: Id to an entry with `id`, `aliases` and `imagenet_linear_top1` (percent), and optionally
            `parameters`; an entry without a figure is left out of that control.
    """
    aliases, imagenet, parameters = {}, {}, {}
    for name, entry in known.items():
        aliases.update(dict.fromkeys((name, *getattr(entry, "aliases", ())), name))
        if getattr(entry, "imagenet_linear_top1", None) is not None:
            imagenet[name] = float(entry.imagenet_linear_top1)
        if getattr(entry, "parameters", None) is not None:
            parameters[name] = float(entry.parameters)
    return Facts(aliases, imagenet, parameters)


def catalogue_facts(catalogue: Path | str = "") -> Facts:
    """Facts of the catalogue that ships with this package, and of the user's own.

    Args:
        catalogue: File of a user's catalogue, beside the one in `pretrained_models`.
    """
    return facts(entries(catalogue=catalogue))
