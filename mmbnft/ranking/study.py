"""Everything one analysis found, before it is written anywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mmbnft.ranking.table import ScoreTable


@dataclass(frozen=True)
class Study:
    """The tables and sentences of a report.

    Attributes:
        scores: The values that were judged.
        correlations: One row per (task, proxy, statistic).
        warnings: One sentence each.
        seed: Seed of the resamples.
        resamples: Number of resamples.
        provenance: What is known of the results.
    """

    scores: ScoreTable
    correlations: pd.DataFrame
    warnings: tuple[str, ...]
    seed: int
    resamples: int
    provenance: Mapping[str, Any] = field(default_factory=dict)
