"""Your own data: folders, lists, tables or arrays, divided by a seeded draw or as they say themselves."""

from mmbnft.tasks.preparers.own.data import OwnData
from mmbnft.tasks.preparers.own.own_task import prepare_own

__all__ = ["OwnData", "prepare_own"]
