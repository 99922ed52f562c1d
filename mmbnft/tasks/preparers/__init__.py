"""Preparers: one module per public data set, from its archives to a task folder that `list_task` reads."""

from typing import TYPE_CHECKING

from mmbnft.utils.lazy import lazy_names

if TYPE_CHECKING:
    from mmbnft.tasks.preparers.base import Entry as Entry
    from mmbnft.tasks.preparers.base import Lists as Lists
    from mmbnft.tasks.preparers.base import Preparer as Preparer
    from mmbnft.tasks.preparers.base import Reading as Reading
    from mmbnft.tasks.preparers.facts import Archive as Archive
    from mmbnft.tasks.preparers.facts import Counts as Counts
    from mmbnft.tasks.preparers.facts import Facts as Facts
    from mmbnft.tasks.preparers.own import OwnData as OwnData
    from mmbnft.tasks.preparers.own import prepare_own as prepare_own
    from mmbnft.tasks.preparers.preparation import Prepared as Prepared
    from mmbnft.tasks.preparers.preparation import prepare as prepare
    from mmbnft.tasks.preparers.public import PREPARERS as PREPARERS
    from mmbnft.tasks.preparers.public import build_preparer as build_preparer
    from mmbnft.tasks.preparers.titles import TITLES as TITLES

_HOMES = {
    "base": ("Entry", "Lists", "Preparer", "Reading"),
    "facts": ("Archive", "Counts", "Facts"),
    "own": ("OwnData", "prepare_own"),
    "preparation": ("Prepared", "prepare"),
    "public": ("PREPARERS", "build_preparer"),
    "titles": ("TITLES",),
}
__getattr__ = lazy_names(__name__, _HOMES)
