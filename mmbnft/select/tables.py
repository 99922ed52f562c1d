"""Past tables from files: the published ones that come with the project, and stores of results."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mmbnft.ranking.past import ALIASES, PUBLISHED, REPEATED, stored_tables
from mmbnft.select.past import Table
from mmbnft.utils.errors import UserError, choices

# Published tables with fine-tuning of several checkpoints on several tasks.
USED = ("ericsson2021_ssl_transfer", "sfda2022_ssl_finetune", "doerrich2025_medmnistplus")


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
    """The published tables that come with the project; none where it was installed without them.

    Args:
        names: Stems of files in data/published.
        target: Name of the target.
    """
    paths = {name: PUBLISHED / f"{name}.csv" for name in names}
    return {name: read_table(path, target) for name, path in paths.items() if path.exists()}


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


def related(tables: Iterable[Table], checkpoints: Iterable[str]) -> list[Table]:
    """The tables that know any of some checkpoints, or all tables where none does.

    How far protocols go together differs between families of checkpoints, so strangers are asked only where there is
    no one else.
    """
    tables, names = list(tables), set(checkpoints)
    return [table for table in tables if names & set(table.checkpoints)] or tables
