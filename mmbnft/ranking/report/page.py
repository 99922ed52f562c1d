"""The page for people: one HTML file that needs nothing else."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources

import jinja2

from mmbnft.ranking.report.figures import Picture
from mmbnft.ranking.report.section import Section
from mmbnft.ranking.study import Study


def page(study: Study, parts: Sequence[Section], pictures: Mapping[str, Picture]) -> str:
    """The whole HTML text.

    Args:
        study: What was found.
        parts: The sections.
        pictures: Figures by name.
    """
    folder = resources.files(__package__)
    files = {name: folder.joinpath(name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")}
    surroundings = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    surroundings.filters["key"] = _key
    provenance = json.dumps(study.provenance, indent=1, sort_keys=True, default=str) if study.provenance else ""
    return surroundings.from_string(files["page.html"]).render(
        study=study,
        scores=study.scores,
        parts=[part for part in parts if part.sentence(study) or part.parts(study)],
        all_parts=[part for part in parts if part.has_tasks],
        pictures=pictures,
        provenance=provenance,
        style=files["page.css"],
        script=files["page.js"],
    )


def _key(value: object) -> str:
    """What a cell sorts by, as text."""
    return "" if isinstance(value, float) and math.isnan(value) else str(value)
