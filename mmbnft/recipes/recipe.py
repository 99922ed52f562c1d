"""A recipe: how every arm of a comparison sees images, trains, searches and probes."""

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any

from mmbnft.recipes.halving import Ladder
from mmbnft.recipes.settings import Images, Probe, Search, Training
from mmbnft.utils.errors import UserError, choices, meant

WORKERS_MOVED = (
    "workers is no setting of a recipe, because results do not depend on it; remove it from the recipe, and give the "
    "number of data-loading processes as --workers of mmbnft train"
)


@dataclass(frozen=True)
class Recipe(Images, Training, Search, Probe):
    """One recipe; its settings are those of `Images`, `Training`, `Search` and `Probe`.

    Attributes:
        name: Recipe name, as it appears in results.
        remark: What a reader of the result has to know about these settings; changes nothing.

    Raises:
        UserError: A value is out of range.
    """

    name: str
    remark: str = ""

    def __post_init__(self) -> None:
        """Refuse values no run could use."""
        owner = f"recipe {self.name!r}"
        self.check_training(owner)
        self.check_images(owner)
        self.check_search(owner)
        self.check_probe(owner)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Recipe":
        """Build a recipe from a configuration that spells it out.

        Raises:
            UserError: A setting is unknown, missing or out of range.
        """
        known = {entry.name for entry in dataclasses.fields(cls)}
        unknown = set(config) - known
        if "workers" in unknown:
            raise UserError(WORKERS_MOVED)
        if unknown:
            raise UserError(
                f"unknown recipe settings {choices(unknown)}; allowed: {choices(known)}{meant(unknown, known)}"
            )
        try:
            return cls(**config)
        except TypeError as error:
            raise UserError(f"the recipe is incomplete: {error}") from error

    def changed(self, changes: dict[str, Any]) -> "Recipe":
        """This recipe with some settings replaced; its remark names them.

        Args:
            changes: The new values. Dictionaries are replaced entry by entry; an empty one empties.

        Raises:
            UserError: A setting is unknown or out of range.
        """
        remark = "; ".join(part for part in (self.remark, f"changed: {choices(changes)}") if part)
        return Recipe.from_config(_merged({**dataclasses.asdict(self), "remark": remark}, changes))

    def shortened(self, length: int) -> "Recipe":
        """This recipe for another number of epochs or steps."""
        return dataclasses.replace(self, epochs=length) if self.epochs else dataclasses.replace(self, steps=length)

    @property
    def duration(self) -> str:
        """Its length in words."""
        unit = "epoch" if self.epochs else "step"
        return f"{self.length} {unit}{'' if self.length == 1 else 's'}"

    def rounds(self) -> Ladder:
        """The rounds of its search."""
        return self.ladder(self.length)

    def optimizer_arguments(self, trial: dict[str, float], lr_scale: float = 1.0) -> dict[str, Any]:
        """Type and arguments of the optimiser of one phase.

        Args:
            trial: One of `trials`.
            lr_scale: The phase's factor on the learning rate.
        """
        arguments = copy.deepcopy(self.optimizer) | {name: value for name, value in trial.items() if name != "steps"}
        arguments["lr"] *= lr_scale
        if self.weight_decay_over_lr:
            arguments["weight_decay"] = arguments.get("weight_decay", 0.0) / arguments["lr"]
        return arguments


def _merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, value in changes.items():
        entries = isinstance(value, dict) and value and isinstance(settings.get(name), dict)
        merged[name] = _merged(settings[name], value) if entries else value
    return merged
