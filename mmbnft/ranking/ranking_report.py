"""From a long table of results to a folder with every figure: the one entry point of this package."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mmbnft.ranking.catalogue import catalogue_facts
from mmbnft.ranking.controls import Facts
from mmbnft.ranking.report import write_report
from mmbnft.ranking.sources import Source, read_source, read_sources, results_source, with_names, with_targets
from mmbnft.ranking.study import Study, study
from mmbnft.ranking.table import score_table
from mmbnft.results import Result
from mmbnft.utils.errors import UserError


@dataclass(frozen=True)
class RankingReport:
    """What `rank` found and where it wrote it.

    Attributes:
        folder: Folder with all outputs.
        study: Every table and sentence of the report.
    """

    folder: Path
    study: Study


def rank(
    table: pd.DataFrame,
    target: str = "finetune",
    proxies: Sequence[str] | None = None,
    out: Path | str = "ranking",
    *,
    metric_scale: str = "percent",
    seed: int = 0,
    resamples: int = 10_000,
    facts: Facts | None = None,
    provenance: Mapping[str, Any] | None = None,
    doubts: Sequence[str] = (),
) -> RankingReport:
    """Judge every proxy of a long table and write the report.

    Args:
        table: Columns `checkpoint,task,protocol,value`, optionally `split,seed` and costs.
        target: Protocol the proxies should predict.
        proxies: Protocols that predict; all others in the table if None.
        out: Folder for the outputs, created if needed.
        metric_scale: `percent` or `fraction`, the scale of the values in `table`.
        seed: Seed of every resample; the same input and seed give the same files.
        resamples: Number of bootstrap resamples.
        facts: What control rankers may know of the checkpoints, e.g. `mmbnft.ranking.catalogue.catalogue_facts()`.
        provenance: What is known of the results, shown in the report.
        doubts: Further warnings to show in the report.

    Returns:
        The tables, and the folder that holds them as CSV, HTML, Markdown and JSON.

    Raises:
        UserError: The table cannot be judged; the sentence says why.
    """
    if resamples < 100:
        raise UserError(f"resamples must be at least 100, got {resamples}; 10,000 is a good number")
    scores = score_table(table, target, proxies, metric_scale)
    found = study(scores, facts or Facts(), seed, resamples, provenance or {}, doubts)
    write_report(found, Path(out))
    return RankingReport(Path(out), found)


def rank_results(
    results: Sequence[Result], target: str = "finetune", out: Path | str = "ranking", *, resamples: int = 10_000
) -> RankingReport:
    """`rank` for results at hand, with what they and the catalogue tell beyond the values.

    Args:
        results: Results of runs; failed ones leave gaps.
        target: Protocol the proxies should predict.
        out: Folder for the outputs.
        resamples: Number of bootstrap resamples.

    Raises:
        UserError: The results cannot be judged; the sentence says why.
    """
    return _rank_source(results_source(results), catalogue_facts(), target, out=out, resamples=resamples)


def _rank_source(
    source: Source,
    facts: Facts,
    target: str,
    proxies: Sequence[str] | None = None,
    *,
    out: Path | str,
    metric_scale: str = "percent",
    seed: int = 0,
    resamples: int,
) -> RankingReport:
    return rank(
        source.table,
        target,
        proxies,
        out,
        metric_scale=metric_scale,
        seed=seed,
        resamples=resamples,
        facts=dataclasses.replace(facts, parameters={**source.parameters, **facts.parameters}),
        provenance=source.provenance,
        doubts=source.doubts,
    )


def rank_sources(
    sources: Sequence[Path | str],
    target: str = "finetune",
    proxies: Sequence[str] | None = None,
    target_from: Path | str | None = None,
    wide: str | None = None,
    out: Path | str = "ranking",
    metric_scale: str = "percent",
    seed: int = 0,
    resamples: int = 10_000,
) -> RankingReport:
    """Read results folders or CSV files, join published targets, and `rank`.

    Args:
        sources: Results folders or CSV files.
        target: Protocol the proxies should predict.
        proxies: Protocols that predict; all others in the table if None.
        target_from: CSV file with published values of the target for checkpoints and tasks of the sources.
        wide: Protocol of CSV files with one column per task.
        out: Folder for the outputs.
        metric_scale: `percent` or `fraction`.
        seed: Seed of every resample.
        resamples: Number of bootstrap resamples.

    Raises:
        UserError: A source cannot be read or judged.
    """
    facts = catalogue_facts()
    source = read_sources(sources, facts.aliases, wide)
    if target_from is not None:
        targets = with_names(read_source(target_from).table, facts.aliases)
        table, unmatched = with_targets(source.table, targets, target)
        source = dataclasses.replace(source, table=table, doubts=(*source.doubts, *unmatched))
    return _rank_source(
        source, facts, target, proxies, out=out, metric_scale=metric_scale, seed=seed, resamples=resamples
    )
