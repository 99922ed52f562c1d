"""Past tables from files: the published ones that come with the project, and stores of results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmbnft.ranking.past import ALIASES, PUBLISHED, REPEATED, stored_tables
from mmbnft.result_files import read_results
from mmbnft.select.belief import SEED_NOISE, Array, Belief, Seen
from mmbnft.select.past import SCALE_PRIOR, Prior, Table
from mmbnft.select.shortest import LEAST_CHECKPOINTS, values_by_length
from mmbnft.utils.errors import UserError, choices

# Published tables with fine-tuning of several checkpoints on several tasks.
USED = ("ericsson2021_ssl_transfer", "sfda2022_ssl_finetune", "doerrich2025_medmnistplus")


@dataclass(frozen=True)
class Known:
    """What other tasks teach.

    Attributes:
        tables: Results of other tasks.
        curves: Weights of kinds of curves, see `Belief`; None where nothing is known of them.
        curve_tasks: From how many tasks.
    """

    tables: Sequence[Table] = ()
    curves: Array | None = None
    curve_tasks: int = 0


def table_of(rows: pd.DataFrame, target: str) -> Table:
    """A table from long rows; repeats are averaged, and tasks without the target are left out.

    Args:
        rows: Columns `checkpoint`, `task`, `protocol`, `value`.
        target: Name of the target.

    Raises:
        UserError: Nothing has the target.
    """
    protocols = [target, *sorted(set(rows["protocol"]) - {target}, key=_linear_first)]
    known = set(rows.loc[rows["protocol"] == target, "task"])
    if not known:
        raise UserError(f"no result of the target {target!r}; there are {choices(set(rows['protocol']))}")
    rows = rows[rows["task"].isin(known)]
    tasks, checkpoints = sorted(known), sorted(set(rows["checkpoint"]))
    cells = rows.groupby(["task", "checkpoint", "protocol"])["value"].mean()
    full = cells.reindex(pd.MultiIndex.from_product([tasks, checkpoints, protocols])).to_numpy(dtype=float)
    values = full.reshape(len(tasks), len(checkpoints), len(protocols))
    return Table(tuple(checkpoints), tuple(tasks), tuple(protocols), values)


def _linear_first(protocol: str) -> tuple[bool, str]:
    return protocol != "linear", protocol


def read_table(path: Path, target: str) -> Table:
    """A table from a long CSV file.

    Raises:
        UserError: The file is missing, lacks columns, or has no result of the target.
    """
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a CSV file: {error}") from error
    needed = ["checkpoint", "task", "protocol", "value"]
    if not set(needed) <= set(rows.columns):
        raise UserError(f"{path} needs the columns {choices(needed)}, it has {choices(rows.columns)}")
    rows = rows[~rows["task"].str.contains(REPEATED)]
    return table_of(rows.assign(protocol=rows["protocol"].replace(ALIASES)), target)


def shipped_tables(names: Iterable[str] = USED, target: str = "finetune") -> dict[str, Table]:
    """The published tables that come with the project and know the target; none where it was installed without them.

    Args:
        names: Stems of files in data/published.
        target: Name of the target.
    """
    paths = {name: PUBLISHED / f"{name}.csv" for name in names}
    return {
        name: read_table(path, target)
        for name, path in paths.items()
        if path.exists() and target in set(pd.read_csv(path)["protocol"])
    }


def store_tables(folders: Iterable[Path], target: str) -> list[Table]:
    """A table of each recipe in each folder of results; what was only read on val does not count.

    Args:
        folders: Folders of grids, or of their results.
        target: Name of the target; folders without it give nothing.

    Raises:
        UserError: A folder is missing, or has a damaged result.
    """
    tables = stored_tables(folders).values()
    return [table_of(rows, target) for rows in tables if target in set(rows["protocol"])]


def stored_curves(folders: Iterable[Path], target: str, without: str) -> tuple[Array | None, int]:
    """What stored training runs of several lengths say of how curves go, and from how many tasks.

    Each task counts for one, and what is believed without any for one more.

    Args:
        folders: Folders of grids or selections, or of their results.
        target: Name of the protocol.
        without: Name of the task that must not be looked at.

    Returns:
        (W, P) weights for `Belief`, None where no task has four checkpoints with two lengths, and the number of tasks.
    """
    found = []
    for folder in folders:
        tasks = values_by_length(read_results(folder), target)
        found += [curve for task, values in tasks.items() if task != without and (curve := _curve(values)) is not None]
    if not found:
        return None, 0
    total: Array = np.sum(found, axis=0)
    return (1 / total.size + total) / (1 + len(found)), len(found)


def _curve(values: Mapping[int, Mapping[str, float]]) -> Array | None:
    """Weights of one task, from its values by length and checkpoint."""
    lengths, names = sorted(values), sorted({name for own in values.values() for name in own})
    met = [name for name in names if sum(name in own for own in values.values()) > 1]
    if len(met) < LEAST_CHECKPOINTS:
        return None
    seen = Seen.nothing(1, len(names), len(lengths))
    for number, length in enumerate(lengths):
        for name, value in values[length].items():
            where = (np.array([0]), np.array([names.index(name)]), np.array([number]))
            seen.add(where, np.array([value]), SEED_NOISE)
    flat = Prior(np.zeros(len(names)), np.ones(len(names)), SCALE_PRIOR)
    found: Array = Belief(flat, [length / lengths[-1] for length in lengths], seen).curves[0]
    return found


def related(tables: Iterable[Table], checkpoints: Iterable[str]) -> list[Table]:
    """The tables that know any of some checkpoints, or all tables where none does.

    How far protocols go together differs between families of checkpoints, so strangers are asked only where there is
    no one else.
    """
    tables, names = list(tables), set(checkpoints)
    return [table for table in tables if names & set(table.checkpoints)] or tables
