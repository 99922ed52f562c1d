"""The page for people: one HTML file that needs nothing else."""

import json
import math
import platform
import sys
from collections.abc import Sequence
from importlib import resources
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd
import scipy

import mmbnft
from mmbnft.ranking.checks import EXPLANATIONS, LEVELS
from mmbnft.ranking.report import charts, glossary
from mmbnft.ranking.report.details import details
from mmbnft.ranking.report.marks import PALETTE, SHAPES
from mmbnft.ranking.report.section import Section, Shown
from mmbnft.ranking.report.sections.checks import by_kind
from mmbnft.ranking.study import Study


class _Part(NamedTuple):
    """A section with what it says and shows, computed once."""

    section: Section
    sentence: str
    tables: list[tuple[str, Shown]]


def page(study: Study, parts: Sequence[Section]) -> str:
    """The whole HTML text.

    Args:
        study: What was found.
        parts: The sections.
    """
    folder = resources.files(__package__)
    files = {name: folder.joinpath(name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")}
    surroundings = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    surroundings.filters.update(key=_key, json=_json, pieces=glossary.split, definition=glossary.definition)
    shown = [_Part(part, part.sentence(study), part.parts(study)) for part in parts if part.name != "checks"]
    shown = [part for part in shown if part.sentence or part.tables]
    used = " ".join([*vars(study.answer).values(), *(str([s.head for _, s in part.tables]) for part in shown)])
    return surroundings.from_string(files["page.html"]).render(
        study=study,
        scores=study.scores,
        parts=shown,
        checks=by_kind(study),
        explanations=EXPLANATIONS,
        worst=next(iter(LEVELS)),
        trust=charts.trust(study),
        words={word: text for word, text in glossary.DEFINITIONS.items() if word in used},
        details={**details(study, parts), "shapes": SHAPES, "colours": len(PALETTE)},
        facts=_facts(study),
        provenance=json.dumps(study.provenance, indent=1, sort_keys=True, default=str) if study.provenance else "",
        style=files["page.css"],
        script=files["page.js"],
    )


def _facts(study: Study) -> dict[str, str]:
    """What else a person needs to make the same report again."""
    versions = {
        "mmbnft": mmbnft.__version__,
        "NumPy": np.__version__,
        "SciPy": scipy.__version__,
        "pandas": pd.__version__,
    }
    return {
        **study.made,
        "seed": f"{study.seed}, {study.resamples:,} resamples",
        "target": study.scores.target,
        "proxies": ", ".join(study.scores.proxies),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "on": f"Python {platform.python_version()}, {sys.platform}, {platform.machine()}",
    }


def _key(value: object) -> str:
    """What a cell sorts by, as text."""
    return "" if isinstance(value, float) and math.isnan(value) else str(value)


def _json(value: Any) -> str:
    """JSON that may stand inside a script element: no text in it can end the element."""
    plain = json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return plain.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
