"""Are the intervals and tests of the ranking as good as they say? Simulation with known truth, n = 12.

Writes a table of coverage (of nominal 95 % intervals) and of false positives (of the verdict at 5 %).
Example: python benchmarks/ranking_calibration.py --out benchmarks/ranking_calibration.csv
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from mmbnft.ranking import comparison
from mmbnft.ranking.resampling import checkpoint_draws, interval, jackknife, percentile, summary
from mmbnft.ranking.statistics import STATISTICS, Array, midranks
from mmbnft.utils import files

N = 12
CORRELATIONS = (0.0, 0.4, 0.8)
# Correlation of the two proxies with each other in the test of equal proxies.
BETWEEN = 0.7


def truth(name: str, rho: float, rng: np.random.Generator) -> float:
    """What the statistic estimates: rho for Pearson, else the mean over very many samples of n = 12."""
    if name == "pearson":
        return rho
    a, b = normal(np.array([[1, rho], [rho, 1]]), 50_000, rng)
    return float(np.nanmean(STATISTICS[name](a, b)))


def normal(covariance: Array, samples: int, rng: np.random.Generator) -> list[Array]:
    """One (samples, 12) array per variable."""
    drawn = rng.multivariate_normal(np.zeros(len(covariance)), covariance, (samples, N))
    return [drawn[..., i] for i in range(len(covariance))]


def coverage(rho: float, samples: int, resamples: int, rng: np.random.Generator) -> list[tuple[object, ...]]:
    """Share of intervals that hold the truth, per statistic."""
    proxies, targets = normal(np.array([[1, rho], [rho, 1]]), samples, rng)
    rows: list[tuple[object, ...]] = []
    for name, statistic in STATISTICS.items():
        known, hits, plain = truth(name, rho, rng), 0, 0
        for proxy, target in zip(proxies, targets, strict=True):
            draws = checkpoint_draws(rng.random((resamples, N)), N)
            boot = statistic(proxy[draws], target[draws])
            value = float(statistic(proxy, target))
            low, high = interval(name, value, boot, jackknife(statistic, proxy, target))
            hits += low <= known <= high
            low, high = percentile(boot)
            plain += low <= known <= high
        rows.append(("coverage", rho, name, hits / samples, plain / samples, samples))
    return rows


def false_positives(rho: float, samples: int, resamples: int, rng: np.random.Generator) -> list[tuple[object, ...]]:
    """Share of verdicts `better` for two equally good proxies, per statistic; and of the p-value alone."""
    covariance = np.array([[1, BETWEEN, rho], [BETWEEN, 1, rho], [rho, rho, 1]])
    data = list(zip(*normal(covariance, samples, rng), strict=True))
    swap = comparison.swaps(N, rng, resamples)
    rows: list[tuple[object, ...]] = []
    for name, statistic in STATISTICS.items():
        verdicts, rejected = 0, 0
        for a, b, target in data:
            difference = float(statistic(a, target) - statistic(b, target))
            if name == "pearson":
                (low, high), p_value = comparison.zou_interval(a, b, target), comparison.williams_p(a, b, target)
            else:
                draws = checkpoint_draws(rng.random((resamples, N)), N)
                boot = statistic(a[draws], target[draws]) - statistic(b[draws], target[draws])
                low, high = summary(boot)
                differences = comparison.swapped_differences(statistic, -midranks(a), -midranks(b), target, swap)
                p_value = max(comparison.swap_p(differences), comparison.bootstrap_p(boot))
            rejected += p_value <= comparison.SIGNIFICANT
            found = comparison.verdict(difference, low, high, p_value)
            verdicts += found in (comparison.A_BETTER, comparison.B_BETTER)
        rows.append(("false positives", rho, name, verdicts / samples, rejected / samples, samples))
    return rows


def main() -> None:
    """Simulate and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    args = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    for i, rho in enumerate(CORRELATIONS):
        for j, simulate in enumerate((coverage, false_positives)):
            rows += simulate(rho, args.samples, args.resamples, np.random.default_rng([args.seed, i, j]))
            print(*rows[-len(STATISTICS) :], sep="\n", flush=True)
    # `plain` is the percentile interval for coverage, and the p-value alone for false positives.
    table = pd.DataFrame(rows, columns=["figure", "correlation", "statistic", "reported", "plain", "samples"])
    files.write_text(args.out, table.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    main()
