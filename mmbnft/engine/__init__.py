"""Executes one run on an mmcv runner."""

from mmbnft.engine.description import describe_run
from mmbnft.engine.recipe import Recipe
from mmbnft.engine.recipes import named_recipe, resolve_recipe
from mmbnft.engine.run import RunOptions, execute
from mmbnft.engine.single import run_single
from mmbnft.engine.spec import RANDOM, RunSpec, load_config, spec_from_config
from mmbnft.engine.tracking import Tracking

__all__ = [
    "RANDOM",
    "Recipe",
    "RunOptions",
    "RunSpec",
    "Tracking",
    "describe_run",
    "execute",
    "load_config",
    "named_recipe",
    "resolve_recipe",
    "run_single",
    "spec_from_config",
]
