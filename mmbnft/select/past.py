"""What past tables say of checkpoints and proxies: a hierarchical Gaussian model of standardised results.

The results of a checkpoint on a task under all protocols, each standardised over the checkpoints of the task, are

    x = u + v,    u ~ N(0, between), one for each checkpoint,    v ~ N(0, within), one for each checkpoint and task.

The two covariances are fitted by expectation maximisation (Dempster, Laird, Rubin 1977), which lets any cell be
missing, with an inverse Wishart prior. Its centre lets protocols be independent, so that a proxy nothing is known of is
not trusted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

ITERATIONS = 40
# A standardised column says nothing of fewer checkpoints.
LEAST_CHECKPOINTS = 4
# Standard deviations below the median from which on a value is an outlier.
FAR = 3.0
# Share of a standardised result's variance that the prior gives to the checkpoint, the rest to checkpoint and task.
BETWEEN_SHARE = 0.5
# Checkpoints (for `between`) and cells (for `within`) that the prior counts for, beside one for each protocol.
PRIOR_WEIGHT = 2.0
# Of the log of the standard deviation of targets over the checkpoints of a task, in points, where no task is known.
SCALE_PRIOR = (0.7, 1.0)
# Over which the gain of a proxy is averaged.
DRAWS = 2000


@dataclass(frozen=True)
class Table:
    """Results of some checkpoints on some tasks.

    Attributes:
        checkpoints: Names of the K rows.
        tasks: Names of the T tasks.
        protocols: Names of the C columns, the target first.
        values: (T, K, C), larger is better, NaN where there is none.
    """

    checkpoints: tuple[str, ...]
    tasks: tuple[str, ...]
    protocols: tuple[str, ...]
    values: Array

    def without(self, task: str) -> "Table":
        """The table without one task."""
        keep = [number for number, name in enumerate(self.tasks) if name != task]
        return Table(self.checkpoints, tuple(self.tasks[n] for n in keep), self.protocols, self.values[keep])


@dataclass(frozen=True)
class Prior:
    """What is known of a task's checkpoints before any is trained to its target.

    Attributes:
        mean: (K,) expected target, standardised over the task's checkpoints.
        variance: (K,) of it.
        log_scale: Mean and standard deviation of the log of the targets' standard deviation, in points.
    """

    mean: Array
    variance: Array
    log_scale: tuple[float, float]


def without_low_outliers(values: Array) -> Array:
    """Values with those far below the median raised to the lowest that is not: how far they lag is of no interest.

    Far is `FAR` standard deviations as estimated from the median absolute deviation.

    Args:
        values: (K,) of one protocol or length; fewer than `LEAST_CHECKPOINTS` stay as they are.
    """
    if len(values) < LEAST_CHECKPOINTS:
        return values
    median = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - median))
    return np.maximum(values, median - FAR * spread) if spread > 0 else values


def standardised(values: Array) -> Array:
    """Each column, its low outliers drawn in, less its mean over the rows that have it, by their standard deviation.

    Args:
        values: (K, C) results of one task, NaN where there is none.

    Returns:
        (K, C); columns with fewer than `LEAST_CHECKPOINTS` values, or with equal ones, are NaN.
    """
    found = np.full(values.shape, np.nan)
    for column in range(values.shape[1]):
        have = np.isfinite(values[:, column])
        chosen = values[have, column]
        if have.sum() >= LEAST_CHECKPOINTS and np.ptp(chosen) > 0:
            chosen = without_low_outliers(chosen)
            found[have, column] = (chosen - chosen.mean()) / chosen.std(ddof=1)
    return found


@dataclass(frozen=True)
class _Cells:
    """Cells of tables with the same protocols missing.

    Attributes:
        have: (C,) which protocols they have.
        owner: (N,) number of the checkpoint of each cell.
        values: (N, number of protocols they have), standardised.
    """

    have: Array
    owner: Array
    values: Array


class Past:
    """Covariances fitted to tables, and what they predict for a new task.

    Args:
        tables: Past results; names of checkpoints mean the same in all.
        protocols: The target and the proxies that will be known of the new task.
        target: Name of the target.
    """

    def __init__(self, tables: Sequence[Table], protocols: Sequence[str], target: str) -> None:
        self.protocols = (target, *(name for name in protocols if name != target))
        self._numbers: dict[str, int] = {}
        self._cells = self._read(tables)
        size = len(self.protocols)
        self.between, self.within = BETWEEN_SHARE * np.eye(size), (1 - BETWEEN_SHARE) * np.eye(size)
        if self._cells:
            self._fit()

    def prior(self, checkpoints: Sequence[str], proxies: Mapping[str, Array]) -> Prior:
        """What the past and a task's proxies say of its targets.

        Args:
            checkpoints: Names of the K checkpoints.
            proxies: (K,) values by protocol, NaN where there is none.
        """
        count = len(checkpoints)
        values = np.full((count, len(self.protocols)), np.nan)
        for column, name in enumerate(self.protocols[1:], 1):
            values[:, column] = proxies.get(name, np.nan)
        values = standardised(values)
        means, covariances = self._effects()
        mean, variance = np.zeros(count), np.zeros(count)
        for row, name in enumerate(checkpoints):
            number = self._numbers.get(name)
            known = number is not None
            centre = means[number] if known else np.zeros(len(self.protocols))
            cover = self.within + (covariances[number] if known else self.between)
            have = np.isfinite(values[row])
            mean[row], variance[row] = _conditional(centre, cover, have, values[row, have])
        return Prior(mean, variance, self._log_scale)

    def gains(
        self, checkpoints: Sequence[str], proxies: Mapping[str, Array], more: str, trainings: int
    ) -> tuple[float, float]:
        """Points by which the target of the pick is expected to rise, by one more proxy or by full training runs.

        Args:
            checkpoints: Names of the K checkpoints.
            proxies: (K,) values by protocol of what is known already.
            more: Name of the proxy, one of the protocols, which all checkpoints would get.
            trainings: Number of full training runs, of those with the best prospects, that would cost the same.
        """
        before = self.prior(checkpoints, proxies)
        # What a Gaussian's variance shrinks by does not depend on the value that will be seen.
        shown = {**proxies, more: np.arange(float(len(checkpoints)))}
        left = self.prior(checkpoints, shown).variance
        whole = before.variance.copy()
        whole[np.argsort(before.mean + np.sqrt(before.variance))[::-1][:trainings]] = 0.0
        draws = np.random.default_rng(0).standard_normal((DRAWS, len(checkpoints)))
        centre, width = self._log_scale
        points = np.exp(centre + width**2 / 2)
        by_proxy, by_training = (
            float((before.mean + np.sqrt((before.variance - rest).clip(min=0.0)) * draws).max(axis=1).mean())
            for rest in (left, whole)
        )
        return points * (by_proxy - before.mean.max()), points * (by_training - before.mean.max())

    def _read(self, tables: Sequence[Table]) -> list[_Cells]:
        patterns: dict[tuple[bool, ...], list[tuple[int, Array]]] = {}
        scales = []
        for table in tables:
            columns = [table.protocols.index(name) if name in table.protocols else None for name in self.protocols]
            for values in table.values:
                chosen = np.full((len(values), len(columns)), np.nan)
                for column, source in enumerate(columns):
                    if source is not None:
                        chosen[:, column] = values[:, source]
                targets = chosen[:, 0][np.isfinite(chosen[:, 0])]
                if len(targets) >= LEAST_CHECKPOINTS and np.ptp(targets) > 0:
                    scales.append(np.log(without_low_outliers(targets).std(ddof=1)))
                for name, row in zip(table.checkpoints, standardised(chosen), strict=True):
                    have = np.isfinite(row)
                    if have.any():
                        number = self._numbers.setdefault(name, len(self._numbers))
                        patterns.setdefault(tuple(have), []).append((number, row[have]))
        self._log_scale = _log_scale(scales)
        return [
            _Cells(np.array(have), np.array([number for number, _ in cells]), np.array([row for _, row in cells]))
            for have, cells in patterns.items()
        ]

    def _effects(self) -> tuple[Array, Array]:
        """Posterior means (N, C) and covariances (N, C, C) of the checkpoints' effects."""
        count, size = len(self._numbers), len(self.protocols)
        precision = np.tile(np.linalg.inv(self.between), (count, 1, 1))
        weighted = np.zeros((count, size))
        for cells in self._cells:
            inverse = np.linalg.inv(self.within[np.ix_(cells.have, cells.have)])
            full = np.zeros((size, size))
            full[np.ix_(cells.have, cells.have)] = inverse
            np.add.at(precision, cells.owner, full)
            message = np.zeros((len(cells.owner), size))
            message[:, cells.have] = cells.values @ inverse
            np.add.at(weighted, cells.owner, message)
        covariances = np.linalg.inv(precision)
        return np.einsum("nij,nj->ni", covariances, weighted), covariances

    def _fit(self) -> None:
        size = len(self.protocols)
        weight = size + PRIOR_WEIGHT
        for _ in range(ITERATIONS):
            means, covariances = self._effects()
            between = np.einsum("ni,nj->ij", means, means) + covariances.sum(axis=0)
            within, cells = np.zeros((size, size)), 0
            for pattern in self._cells:
                within += self._scatter(pattern, means, covariances)
                cells += len(pattern.owner)
            self.between = (between + weight * BETWEEN_SHARE * np.eye(size)) / (len(means) + weight)
            self.within = (within + weight * (1 - BETWEEN_SHARE) * np.eye(size)) / (cells + weight)

    def _scatter(self, cells: _Cells, means: Array, covariances: Array) -> Array:
        """Expected sum of v v' over some cells, missing protocols included."""
        have = cells.have
        seen = np.ix_(have, have)
        fill = self.within[:, have] @ np.linalg.inv(self.within[seen])
        left = self.within - fill @ self.within[have]
        rest = cells.values - means[cells.owner][:, have]
        spread = rest.T @ rest + covariances[cells.owner].sum(axis=0)[seen]
        return fill @ spread @ fill.T + len(cells.owner) * left


def _conditional(centre: Array, cover: Array, have: Array, values: Array) -> tuple[float, float]:
    """Mean and variance of the first coordinate of a Gaussian, given others."""
    if not have.any():
        return float(centre[0]), float(cover[0, 0])
    gain = np.linalg.solve(cover[np.ix_(have, have)], cover[have, 0])
    return float(centre[0] + gain @ (values - centre[have])), float(cover[0, 0] - gain @ cover[have, 0])


def _log_scale(scales: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of the next log scale, the prior counting as one task."""
    mean, deviation = SCALE_PRIOR
    centre = (mean + sum(scales)) / (1 + len(scales))
    squares = deviation**2 + (mean - centre) ** 2 + sum((scale - centre) ** 2 for scale in scales)
    return float(centre), float(np.sqrt(squares / (1 + len(scales))))
