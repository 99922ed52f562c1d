"""Exact key rules: which tensors of a file are the backbone, which are dropped by which rule, which have no place."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor


@dataclass
class Sorted:
    """The tensors of a file, sorted by a format's rules.

    Attributes:
        kept: Backbone tensors by their names in the target layout.
        dropped: Number of tensors dropped, by rule.
        unexpected: Keys of the file that no rule names.
        absent: Names of required drops that the file does not hold.
    """

    kept: dict[str, Tensor] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def keep(self, key: str, name: str, value: Tensor) -> None:
        """Give the file's `key` the target `name`; a second claim on a name is unexpected.

        Args:
            key: The file's key.
            name: The network's name for it.
            value: The tensor.
        """
        if name in self.kept:
            self.unexpected.append(key)
        else:
            self.kept[name] = value


class SortRules(Protocol):
    """How a format sorts its tensors."""

    @property
    def prefix(self) -> str:
        """What backbone keys begin with in the file, for the certificate."""
        ...

    def sort(self, tensors: Mapping[str, Tensor]) -> Sorted:
        """Sort the tensors of a file, by key."""
        ...


@dataclass(frozen=True)
class Drop:
    """One rule that names tensors beside the backbone.

    Attributes:
        prefix: What the keys begin with; also the rule's name in the certificate.
        tails: The allowed complete sets of what follows the prefix; empty allows anything.
        required: Whether the file must hold one of these sets.
    """

    prefix: str
    tails: tuple[frozenset[str], ...] = ()
    required: bool = False

    def fits(self, keys: set[str]) -> bool:
        """Whether `keys`, all of which begin with the prefix, are a set that the rule names."""
        return not self.tails or frozenset(key[len(self.prefix) :] for key in keys) in self.tails

    def stray(self, keys: set[str]) -> set[str]:
        """The keys that make `keys` differ from the nearest set that the rule names."""
        tails = {key[len(self.prefix) :] for key in keys}
        nearest = min(self.tails, key=lambda allowed: len(tails ^ allowed))
        return {self.prefix + tail for tail in tails - nearest}


@dataclass(frozen=True)
class PrefixRules:
    """Strip one prefix; drop what the rules name; anything else is unexpected.

    Attributes:
        prefix: What every backbone key begins with; may be empty.
        drops: Rules for the rest, tried in order before the prefix.
        mirrors: Prefixes under which the file may repeat the backbone; repeated tensors must be equal.
    """

    prefix: str = ""
    drops: tuple[Drop, ...] = ()
    mirrors: tuple[str, ...] = ()

    def sort(self, tensors: Mapping[str, Tensor]) -> Sorted:
        """Sort the tensors of a file, by key."""
        result = Sorted()
        claimed: dict[str, set[str]] = {drop.prefix: set() for drop in self.drops}
        for key, value in tensors.items():
            if mirror := next((m for m in self.mirrors if key.startswith(m)), None):
                self._mirror(result, key, mirror, tensors)
            elif rule := next((d for d in self.drops if key.startswith(d.prefix)), None):
                claimed[rule.prefix].add(key)
            elif key.startswith(self.prefix):
                result.keep(key, key[len(self.prefix) :], value)
            else:
                result.unexpected.append(key)
        for drop in self.drops:
            _account(result, drop, claimed[drop.prefix])
        return result

    def _mirror(self, result: Sorted, key: str, mirror: str, tensors: Mapping[str, Tensor]) -> None:
        original = tensors.get(self.prefix + key[len(mirror) :])
        if original is not None and original.dtype == tensors[key].dtype and torch.equal(original, tensors[key]):
            result.dropped[f"{mirror} (equal to {self.prefix})"] += 1
        else:
            result.unexpected.append(key)


def _account(result: Sorted, drop: Drop, keys: set[str]) -> None:
    """Count the keys a rule has claimed, or report what makes them differ from what it names."""
    if not keys:
        if drop.required:
            result.absent.append(drop.prefix + "*")
    elif drop.fits(keys):
        result.dropped[drop.prefix] += len(keys)
    else:
        stray = drop.stray(keys)
        result.unexpected.extend(sorted(stray))
        result.dropped[drop.prefix] += len(keys) - len(stray)
        if not stray:
            result.absent.append(drop.prefix + "* (the rest of the set)")


def affine(*indices: str) -> frozenset[str]:
    """`{i}.weight` and `{i}.bias` of each index; an empty index names the bare pair."""
    return frozenset(f"{index}.{name}".lstrip(".") for index in indices for name in ("weight", "bias"))


def norm(index: str, *, learned: bool = True) -> frozenset[str]:
    """The five tensors of one batch normalisation, or three without affine."""
    names = ("running_mean", "running_var", "num_batches_tracked") + (("weight", "bias") if learned else ())
    return frozenset(f"{index}.{name}".lstrip(".") for name in names)
