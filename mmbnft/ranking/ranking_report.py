"""From a long table of results to a folder with every figure: the one entry point of this package."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mmbnft.ranking.checkpoint_facts import catalogue_facts
from mmbnft.ranking.checks import reported
from mmbnft.ranking.controls import Facts
from mmbnft.ranking.cost_trust import MARGIN
from mmbnft.ranking.names import joined_names
from mmbnft.ranking.past import own_tables, published_tables, stored_tables
from mmbnft.ranking.report import write_report
from mmbnft.ranking.run_facts import runs_of_table
from mmbnft.ranking.scales import AUTO
from mmbnft.ranking.study import Study, study
from mmbnft.ranking.table import DEFAULT_TARGET, score_table
from mmbnft.ranking.table_files import Source, read_source, read_sources, results_source, with_targets
from mmbnft.results import Result
from mmbnft.utils.errors import UserError
from mmbnft.utils.wording import counted


@dataclass(frozen=True)
class RankingReport:
    """What `rank` found and where it wrote it.

    Attributes:
        folder: Folder with all outputs.
        study: Every table and sentence of the report.
    """

    folder: Path
    study: Study

    @property
    def summary(self) -> list[str]:
        """The answer in sentences, for the end of a command: what, why, at what risk, which checks fired, and where."""
        found, said = self.study, self.study.answer
        codes = list(dict.fromkeys(finding.code for finding in found.findings))
        fired = f"{counted(len(codes), 'check')} fired{': ' if codes else ''}{', '.join(codes)}"
        sentences = [f"{said.headline}.", said.pick, said.regret, said.trust, found.advice, said.cost, f"{fired}."]
        return [*(sentence for sentence in sentences if sentence), f"report: {self.folder / 'report.html'}"]


def rank(
    table: pd.DataFrame | Source,
    target: str | None = None,
    proxies: Sequence[str] | None = None,
    out: Path | str = "ranking",
    *,
    metric_scale: str = AUTO,
    lower_is_better: Sequence[str] = (),
    margin: float = MARGIN,
    ignore: Sequence[str] = (),
    seed: int = 0,
    resamples: int = 10_000,
    facts: Facts | None = None,
    made: Mapping[str, str] | None = None,
    past: Path | Sequence[Path] = (),
) -> RankingReport:
    """Judge every proxy of a long table and write the report.

    Args:
        table: Columns `checkpoint,task,protocol,value`, optionally `split,seed`, `scale` and costs; alone or with what
            is known of where it came from.
        target: Protocol the proxies should predict; if None `finetune`, which the table then need not have.
        proxies: Protocols that predict; all others in the table if None.
        out: Folder for the outputs, created if needed.
        metric_scale: `auto`, `percent` or `fraction`, the scale of values whose row states none.
        lower_is_better: Protocols such as losses and error rates.
        margin: How much of the best proxy's tau a cheaper one may lose and still be recommended, 0 to 1.
        ignore: Codes of checks that are not reported.
        seed: Seed of every resample; the same input and seed give the same files.
        resamples: Number of bootstrap resamples.
        facts: What control rankers may know of the checkpoints, e.g. `checkpoint_facts.catalogue_facts()`.
        made: How and when the report is made, e.g. `command` and `when`, for the page.
        past: Folders of past results, or one folder that holds such, which with the published tables say how far the
            proxies can be trusted where this table has no target to judge them by.

    Returns:
        The tables, and the folder that holds them as CSV, HTML, Markdown and JSON.

    Raises:
        UserError: The table cannot be judged; the sentence says why.
    """
    if resamples < 100:
        raise UserError(f"resamples must be at least 100, got {resamples}; 10,000 is a good number")
    if not 0 <= margin <= 1:
        raise UserError(f"margin must lie between 0 and 1 of Kendall's tau, got {margin:g}; {MARGIN} is the default")
    reported([], ignore)
    source = table if isinstance(table, Source) else Source(table, runs=runs_of_table(table))
    scores = score_table(source.table, target, proxies, metric_scale, lower_is_better)
    tables = {} if scores.is_judged else _past(past)
    found = study(
        scores, facts or Facts(), seed, resamples, source.provenance, source.findings,
        margin=margin, ignore=ignore, past=tables,
    )  # fmt: skip
    behind = tuple(sorted(source.runs, key=lambda run: run[:4]))
    found = dataclasses.replace(found, runs=behind, made=dict(made or {}))
    write_report(found, Path(out))
    return RankingReport(Path(out), found)


def _past(where: Path | Sequence[Path]) -> dict[str, pd.DataFrame]:
    return published_tables() | (own_tables(where) if isinstance(where, Path) else stored_tables(where))


def rank_results(
    results: Sequence[Result],
    target: str = DEFAULT_TARGET,
    out: Path | str = "ranking",
    *,
    resamples: int = 10_000,
    made: Mapping[str, str] | None = None,
    past: Path | Sequence[Path] = (),
    catalogue: Path | str = "",
) -> RankingReport:
    """`rank` for results at hand, with what they and the catalogue tell beyond the values.

    Args:
        results: Results of runs; failed ones leave gaps. None of them need have the target yet.
        target: Protocol the proxies should predict.
        out: Folder for the outputs.
        resamples: Number of bootstrap resamples.
        made: As in `rank`.
        past: As in `rank`.
        catalogue: File of a user's catalogue, whose published figures are controls too.

    Raises:
        UserError: The results cannot be ranked; the sentence says why.
    """
    source = results_source(results)
    present = target if target in set(source.table["protocol"]) else None
    facts = _with_networks(catalogue_facts(catalogue), source)
    return rank(source, present, out=out, resamples=resamples, facts=facts, made=made, past=past)


def _with_networks(facts: Facts, source: Source) -> Facts:
    """With what results say of their checkpoints' networks; the catalogue's own figures come first."""
    parameters, multiply_adds = (
        {name: float(network[figure]) for name, network in source.networks.items() if network.get(figure)}
        for figure in ("parameters", "multiply_adds")
    )
    return dataclasses.replace(
        facts, parameters={**parameters, **facts.parameters}, multiply_adds=multiply_adds, networks=source.networks
    )


def rank_sources(
    sources: Sequence[Path | str],
    target: str | None = None,
    proxies: Sequence[str] | None = None,
    target_from: Path | str | None = None,
    wide: str | None = None,
    out: Path | str = "ranking",
    catalogue: Path | str = "",
    **settings: Any,
) -> RankingReport:
    """Read results folders or CSV files, join published targets, and `rank`.

    Args:
        sources: Results folders, folders of grids, or CSV files.
        target: Protocol the proxies should predict; if None `finetune`, which the sources then need not have.
        proxies: Protocols that predict; all others in the table if None.
        target_from: CSV file with published values of the target for checkpoints and tasks of the sources.
        wide: Protocol of CSV files with one column per task.
        out: Folder for the outputs.
        catalogue: File of a user's catalogue, whose aliases and published figures count too.
        **settings: As in `rank`: `metric_scale`, `lower_is_better`, `margin`, `ignore`, `seed`, `resamples`, `made`,
            `past`.

    Raises:
        UserError: A source cannot be read or judged.
    """
    facts = catalogue_facts(catalogue)
    source = read_sources(sources, facts.aliases, wide)
    if target_from is not None:
        published = read_source(target_from)
        (ours, theirs), joined = joined_names([source.table, published.table], facts.aliases)
        table, unmatched = with_targets(ours, theirs, target or DEFAULT_TARGET)
        findings = (*source.findings, *published.findings, *joined, *unmatched)
        source = dataclasses.replace(source, table=table, findings=findings)
    return rank(source, target, proxies, out, facts=_with_networks(facts, source), **settings)
