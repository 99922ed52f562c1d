"""The sections of a report, one module each; a module with a `SECTION` is found by itself."""

import importlib
import pkgutil

from mmbnft.ranking.report.section import Section


def sections() -> tuple[Section, ...]:
    """Every section in its order."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return tuple(sorted((module.SECTION for module in modules), key=lambda section: section.order))
