"""Recipes by name: this project's own, and published ones so that their numbers can be run again."""

from collections.abc import Callable
from typing import Any

from mmbnft.protocols import Protocol, get_protocol, name_of
from mmbnft.recipes.cdfsl import cdfsl
from mmbnft.recipes.clean import clean
from mmbnft.recipes.ericsson import ericsson
from mmbnft.recipes.recipe import Recipe
from mmbnft.recipes.vpulab import vpulab
from mmbnft.utils.errors import UserError, choices, meant

NAMED: dict[str, Callable[[str, str | Protocol], Recipe]] = {
    "clean": clean,
    "vpulab": vpulab,
    "ericsson": ericsson,
    "cdfsl": cdfsl,
}


def named_recipe(name: str, task: str, protocol: str | Protocol) -> Recipe:
    """The recipe of a name for one task and one protocol; several of them differ from task to task.

    Args:
        name: A key of `NAMED`.
        task: Name of the task.
        protocol: The protocol or its name, or the name of a training-free score.

    Raises:
        UserError: There is no such recipe or protocol.
    """
    if not isinstance(name, str) or name not in NAMED:
        raise UserError(f"unknown recipe {name!r}; allowed: {choices(NAMED)}{meant(str(name), NAMED)}")
    return NAMED[name](task, protocol)


def resolve_recipe(recipe: Recipe | dict[str, Any], task: str, protocol: str | Protocol) -> Recipe:
    """The recipe a configuration means for one task and one protocol.

    Args:
        recipe: Settings spelt out, or `dict(named=NAME)` with settings that replace those of the named recipe; in
            both, `protocols` maps names of protocols to settings that replace others for this protocol alone. A recipe
            is passed on.
        task: Name of the task.
        protocol: The protocol or its name, or the name of a training-free score.

    Raises:
        UserError: There is no such recipe, or a setting is unknown, missing or out of range.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, dict):
        raise UserError(f"a recipe must be dict(named=...) or the settings themselves, got {recipe!r}")
    own = _own_settings(recipe.get("protocols") or {}, protocol)
    common = {key: value for key, value in recipe.items() if key != "protocols"}
    found = _common_recipe(common, task, protocol)
    return found.changed(own) if own else found


def _own_settings(protocols: Any, protocol: str | Protocol) -> dict[str, Any]:
    """The settings of a recipe's `protocols` that hold for one protocol."""
    if not isinstance(protocols, dict) or not all(isinstance(settings, dict) for settings in protocols.values()):
        raise UserError(
            f"protocols of a recipe must be a dict of settings for each protocol, such as "
            f"dict(bn=dict(search=dict(lr=[0.1]))), got {protocols!r}"
        )
    # A misspelt name would have no effect; partial and partial:4 are one protocol.
    own = {get_protocol(name).name: settings for name, settings in protocols.items()}
    return dict(own.get(name_of(protocol), {}))


def _common_recipe(recipe: dict[str, Any], task: str, protocol: str | Protocol) -> Recipe:
    if "named" not in recipe:
        return Recipe.from_config(recipe)
    changes = {key: value for key, value in recipe.items() if key != "named"}
    if "name" in changes:
        raise UserError(
            f"the recipe is both named={recipe['named']!r} and spelt out as {changes['name']!r}; to replace what a "
            "_base_ file spells out write dict(_delete_=True, named=...)"
        )
    found = named_recipe(recipe["named"], task, protocol)
    return found.changed(changes) if changes else found
