"""Are the intervals, tests, tiers and chances of the ranking as good as they say? Simulation with known truth.

Twelve checkpoints unless a row says otherwise. Figures (all nominal 95 % or 5 %, `said` is what the report claims):
coverage of a correlation's interval; coverage of the interval of regret on one task; false verdicts `better` for two
equal proxies; share of tasks with a second tier though all checkpoints are equal; how often the checkpoint with the
highest P(best) is the best, beside what P(best) says.

Example: python benchmarks/ranking_calibration.py --samples 400 --out benchmarks/ranking_calibration.csv
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mmbnft.ranking import comparison, tiers
from mmbnft.ranking.regret import regret_intervals
from mmbnft.ranking.resampling import checkpoint_draws, interval, jackknife, percentile, summary
from mmbnft.ranking.shortlists import shortlists
from mmbnft.ranking.statistics import STATISTICS, Array, midranks
from mmbnft.utils import files

N = 12
CORRELATIONS = (0.0, 0.7)
LENGTHS = (1, 3)
# Correlation of the two proxies with each other in the test of equal proxies.
BETWEEN = 0.7
# Name to (degrees of freedom of Student's t or None for normal, repeats, whether values are rounded into ties).
DATA = {
    "normal, 1 run": (None, 1, False),
    "normal, ties, 3 runs": (None, 3, True),
    "heavy tails, 1 run": (3, 1, False),
    "heavy tails, ties, 3 runs": (3, 3, True),
}
# Deviation of the checkpoints' true values and of one run about them, points.
SPREAD, NOISE = 5.0, 2.0
COLUMNS = ("figure", "data", "correlation", "statistic", "said", "reported", "plain", "samples")
Rows = Iterator[tuple[object, ...]]


def observed(data: str, covariance: Array, samples: int, rng: np.random.Generator) -> list[Array]:
    """One (samples, 12) array of means over runs per variable."""
    freedom, repeats, ties = DATA[data]
    drawn = rng.multivariate_normal(np.zeros(len(covariance)), covariance, (samples, N))
    if freedom is not None:
        drawn = drawn / np.sqrt(rng.chisquare(freedom, (samples, N, 1)) / freedom)
    runs = (70 + SPREAD * drawn)[..., None]
    if repeats > 1:
        runs = runs + NOISE * rng.normal(size=(*drawn.shape, repeats))
    runs = np.round(runs) if ties else runs
    return [runs[..., i, :].mean(axis=-1) for i in range(len(covariance))]


def coverage(data: str, rho: float, samples: int, resamples: int, rng: np.random.Generator) -> Rows:
    """Intervals of correlations; `plain` is the percentile interval."""
    covariance = np.array([[1, rho], [rho, 1]])
    many, few = (observed(data, covariance, number, rng) for number in (20_000, samples))
    for name, statistic in STATISTICS.items():
        known, hits, plain = float(np.nanmean(statistic(*many))), 0, 0
        for proxy, target in zip(*few, strict=True):
            draws = checkpoint_draws(rng.random((resamples, N)), N)
            boot = statistic(proxy[draws], target[draws])
            low, high = interval(name, float(statistic(proxy, target)), boot, jackknife(statistic, proxy, target))
            hits += low <= known <= high
            low, high = percentile(boot)
            plain += low <= known <= high
        yield "coverage", data, rho, name, 0.95, hits / samples, plain / samples, samples


def regret(data: str, rho: float, samples: int, resamples: int, rng: np.random.Generator) -> Rows:
    """Intervals of regret on one task; `plain` resamples the checkpoints."""
    covariance = np.array([[1, rho], [rho, 1]])
    many, few = (observed(data, covariance, number, rng) for number in (20_000, samples))
    everyone = np.broadcast_to(np.arange(N), many[0].shape)
    known = shortlists(*many, everyone, LENGTHS, rng)[0].mean(axis=1)
    hits, plain = np.zeros(len(LENGTHS)), np.zeros(len(LENGTHS))
    for proxy, target in zip(*few, strict=True):
        own = shortlists(proxy[None], target[None], np.arange(N)[None], LENGTHS, rng)[0][:, 0]
        spans = np.array(regret_intervals(proxy, target, LENGTHS, rng, resamples))
        hits += (np.fmin(spans[:, 0], own) <= known) & (known <= np.fmax(spans[:, 1], own))
        draws = checkpoint_draws(rng.random((resamples, N)), N)
        boots = shortlists(proxy[draws], target[draws], draws, LENGTHS, rng)[0]
        plain += [low <= value <= high for (low, high), value in zip(map(percentile, boots), known, strict=True)]
    for i, k in enumerate(LENGTHS):
        yield "coverage", data, rho, f"regret at {k}", 0.95, hits[i] / samples, plain[i] / samples, samples


def false_positives(data: str, rho: float, samples: int, resamples: int, rng: np.random.Generator) -> Rows:
    """Verdicts `better` for two equally good proxies; `plain` is the p-value alone."""
    covariance = np.array([[1, BETWEEN, rho], [BETWEEN, 1, rho], [rho, rho, 1]])
    sets = list(zip(*observed(data, covariance, samples, rng), strict=True))
    swap = comparison.swaps(N, rng, resamples)
    for name, statistic in STATISTICS.items():
        verdicts, rejected = 0, 0
        for a, b, target in sets:
            difference = float(statistic(a, target) - statistic(b, target))
            if name == "pearson":
                (low, high), p_value = comparison.zou_interval(a, b, target), comparison.williams_p(a, b, target)
            else:
                draws = checkpoint_draws(rng.random((resamples, N)), N)
                boot = statistic(a[draws], target[draws]) - statistic(b[draws], target[draws])
                low, high = summary(boot, value=difference)
                differences = comparison.swapped_differences(statistic, -midranks(a), -midranks(b), target, swap)
                p_value = max(comparison.swap_p(differences), comparison.bootstrap_p(boot))
            rejected += p_value <= comparison.SIGNIFICANT
            found = comparison.verdict(difference, low, high, p_value)
            verdicts += found in (comparison.A_BETTER, comparison.B_BETTER)
        yield "false positives", data, rho, name, 0.05, verdicts / samples, rejected / samples, samples


def second_tiers(samples: int, rng: np.random.Generator) -> Rows:
    """Tasks with a second tier though all checkpoints are equal, for several sizes and numbers of runs."""
    for n, repeats in ((3, 3), (6, 3), (12, 3), (12, 2), (24, 3)):
        for heavy in (False, True):
            shape = (samples, n, repeats)
            values = rng.standard_t(3, shape) if heavy else rng.normal(size=shape)
            many = [tiers.tukey_tiers(_sample(runs)).max() > 1 for runs in values]
            data = f"{'heavy tails' if heavy else 'normal'}, {n} equal checkpoints, {repeats} runs"
            yield "second tier", data, np.nan, "tier", 0.05, np.mean(many), np.nan, samples


def best(samples: int, resamples: int, rng: np.random.Generator) -> Rows:
    """How often the checkpoint with the highest P(best) is the best; `said` is P(best), `plain` that unshrunk."""
    populations = {
        "spread as wide as 2 runs": rng.normal(0, 2, (samples, N)),
        "close": rng.normal(0, 0.4, (samples, N)),
        "close, one far behind": np.c_[rng.normal(0, 0.3, (samples, N - 1)), np.full(samples, -25)],
        "skewed": -rng.exponential(3, (samples, N)),
    }
    for name, truth in populations.items():
        for repeats in (2, 3):
            said, right, unshrunk = [], [], []
            for values in truth:
                runs = values[:, None] + rng.normal(size=(N, repeats)) + rng.normal(size=repeats)
                sample = _sample(runs)
                for group, chances in ((tiers.tukey_tiers(sample) == 1, said), (np.zeros(N, bool), unshrunk)):
                    draws = tiers.likely_values(sample, group, resamples, rng)
                    chance = tiers.standings(draws, midranks(sample.means))[2]
                    chances.append(chance.max())
                    if chances is said:
                        right.append(chance.argmax() == values.argmax())
            data = f"{name}, {repeats} runs"
            yield "P(best)", data, np.nan, "P(best)", np.mean(said), np.mean(right), np.mean(unshrunk), samples


def _sample(runs: Array) -> tiers.Repeated:
    sample = tiers.repeated(runs, aligned=True)
    assert sample is not None
    return sample


def main() -> None:
    """Simulate and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".csv"))
    args = parser.parse_args()
    rows: list[tuple[object, ...]] = []
    rows += second_tiers(5 * args.samples, np.random.default_rng([args.seed, 0]))
    rows += best(args.samples, args.resamples, np.random.default_rng([args.seed, 1]))
    print(*rows, sep="\n", flush=True)
    for i, data in enumerate(DATA):
        for rho in CORRELATIONS:
            for j, simulate in enumerate((coverage, regret, false_positives), 2):
                rng = np.random.default_rng([args.seed, j, i, int(10 * rho)])
                found = list(simulate(data, rho, args.samples, args.resamples, rng))
                print(*found, sep="\n", flush=True)
                rows += found
    table = pd.DataFrame(rows, columns=list(COLUMNS)).round(4)
    files.write_text(args.out, table.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    main()
