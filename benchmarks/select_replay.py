"""Replays races on complete tables: regret against cost, whether P(best) is honest, whether the stated regret holds.

    python benchmarks/select_replay.py                      # every published table, 200 repetitions
    python benchmarks/select_replay.py --table FILE.csv --target finetune --repetitions 50

A table's values are taken for the truth. A training of the whole length shows the true value plus noise of `--noise`
points. Tables without curves have no shorter trainings, so these are simulated, in another way than the race believes:
checkpoint i lacks gap_i (exp(-5 f) - exp(-5)) points at the share f of the length, gap_i log-normal with a standard
deviation of 1.3 and a mean of 1.8 standard deviations of the targets, so that trainings of a ninth of the length
correlate 0.8 with whole ones. Ways that use whole trainings only do not depend on this.

Each task is left out of all past tables. `--strangers` also hides which checkpoint is which, as for weights of your
own: then the past only says how proxies and targets go together. Cost counts whole trainings, a shorter one its share,
each from the beginning; successive halving and Hyperband may continue theirs, as published. All proxies of a checkpoint
together cost half a percent of a training: one pass over the images against 30 epochs forward and backward for each of
three learning rates. The last training of the pick, on train and val, is due to everyone and not counted.
"""

import argparse
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmbnft.select.belief import Belief, Observation, Verdict
from mmbnft.select.past import Past, Prior, Table, standardised
from mmbnft.select.race import Race, Rules
from mmbnft.select.tables import read_table, related, shipped_tables

BUDGETS = (0.05, 0.1, 0.2, 0.3, 0.5)
# The budget that is looked at more closely.
SHOWN = 0.3
PROXY_COST = 0.005
Array = np.ndarray
# What has been spent, in whole trainings, and the pick from then on.
Picks = list[tuple[float, int]]


@dataclass(frozen=True)
class World:
    """One task of a table, with noise drawn for one repetition.

    Attributes:
        truth: (K,) targets.
        prior: What the past and the proxies say.
        linear: (K,) the first proxy, or None.
        others: (K,) mean of the standardised targets on other tasks, or None for strangers.
        noise: Standard deviation of a training's value.
        generator: Of all that is random.
        gap: (K,) points by which shorter trainings lag.
    """

    truth: Array
    prior: Prior
    linear: Array | None
    others: Array | None
    noise: float
    generator: np.random.Generator
    gap: Array

    def train(self, checkpoint: int, share: float = 1.0) -> float:
        """The value that a training shows."""
        lag = self.gap[checkpoint] * (np.exp(-5 * share) - np.exp(-5))
        return float(self.truth[checkpoint] - lag + self.noise * self.generator.standard_normal())

    @property
    def count(self) -> int:
        """Number of checkpoints."""
        return len(self.truth)


def take_top(world: World, score: Array | None) -> Picks:
    """The best by a score, nothing trained."""
    return [] if score is None else [(0.0, int(np.argmax(score)))]


def train_in_order(world: World, score: Array | None) -> Picks:
    """Whole trainings in the order of a score; the best so far is the pick."""
    if score is None:
        return []
    picks, seen = [(0.0, int(np.argmax(score)))], np.full(world.count, -np.inf)
    for spent, one in enumerate(np.argsort(-score, kind="stable"), 1):
        seen[one] = world.train(int(one))
        picks.append((float(spent), int(np.argmax(seen))))
    return picks


def successive_halving(world: World, budget: float) -> Picks:
    """K. Jamieson, A. Talwalkar (AISTATS 2016), with trainings that continue and are whole at most."""
    alive, length = list(world.generator.permutation(world.count)), 0.0
    rounds = max(1, int(np.ceil(np.log2(world.count))))
    for _ in range(rounds):
        length = min(1.0, length + budget * world.count / rounds / len(alive))
        values = [world.train(int(one), length) for one in alive]
        alive = [alive[n] for n in np.argsort(values)[::-1][: max(1, int(np.ceil(len(alive) / 2)))]]
    return [(0.0, int(alive[0]))]


def hyperband(world: World) -> Picks:
    """Optuna's Hyperband over the checkpoints in random order, nine steps a training."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    study = optuna.create_study(
        sampler=optuna.samplers.RandomSampler(), pruner=pruner, direction="maximize", study_name="replay"
    )
    picks, spent, reached = [(0.0, int(world.generator.integers(world.count)))], 0.0, {}
    for one in world.generator.permutation(world.count):
        trial = study.ask()
        for step in range(1, 10):
            value = world.train(int(one), step / 9)
            trial.report(value, step)
            spent += 1 / 9
            reached[int(one)] = (step, value)
            if trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, value)
        picks.append((spent, max(reached, key=lambda name: reached[name])))
    return picks


def race(world: World, rules: Rules, budget: float) -> Iterator[tuple[float, Verdict]]:
    """This project's race: what was spent, in whole trainings, and what is believed then."""
    state, seen, spent = Race(rules, set(range(world.count))), list[Observation](), PROXY_COST * world.count
    while True:
        belief = Belief(world.prior, seen)
        yield spent, state.judge(belief)
        options = state.ranked(belief, world.noise, budget * world.count - spent)
        if not options:
            return
        best = options[0]
        value = world.train(best.checkpoint, best.share)
        seen.append(Observation(best.checkpoint, best.share, value, world.noise))
        spent += best.share


def worlds(table: Table, tables: list[Table], noise: float, strangers: bool, repetitions: int) -> Iterator[World]:
    """Every task of a table, each as often as asked."""
    targets = np.stack([standardised(values[:, :1])[:, 0] for values in table.values])
    for number, task in enumerate(table.tasks):
        values = table.values[number]
        have = np.isfinite(values[:, 0])
        names = ["" if strangers else name for name, known in zip(table.checkpoints, have, strict=True) if known]
        proxies = {name: values[have, column] for column, name in enumerate(table.protocols) if column}
        past = Past([one.without(task) for one in related(tables, names)], table.protocols, table.protocols[0])
        prior = past.prior(names, proxies)
        others = None if strangers else np.nanmean(np.delete(targets, number, axis=0), axis=0)[have]
        truth = values[have, 0]
        linear = values[have, 1] if table.protocols[1:2] == ("linear",) else None
        for repetition in range(repetitions):
            generator = np.random.default_rng([number, repetition])
            spread = np.sqrt(np.log(1 + 0.75**2))
            gap = 1.8 * truth.std(ddof=1) * np.exp(spread * generator.standard_normal(len(truth)) - spread**2 / 2)
            yield World(truth, prior, linear, others, noise, generator, gap)


def at(picks: Picks, budget: float) -> int | None:
    """The pick when a budget is spent."""
    return next((pick for spent, pick in reversed(picks) if spent <= budget + 1e-9), None)


WAYS: dict[str, Callable[[World], Picks]] = {
    "random": lambda world: train_in_order(world, world.generator.random(world.count)),
    "linear, top": lambda world: take_top(world, world.linear),
    "linear, then whole": lambda world: train_in_order(world, world.linear),
    "other tasks, top": lambda world: take_top(world, world.others),
    "other tasks, then whole": lambda world: train_in_order(world, world.others),
}


def replay(found: Iterator[World], rules: Rules, hyperband_every: int) -> dict[str, pd.DataFrame]:
    """Everything that is to be known of one table.

    Returns:
        `regret`: one row for each way and budget of each replay; `stated`: what the race said at each budget;
        `chances`: each checkpoint's P(best) at 30 % and whether it is the best; `stops`: where the stop rule ends each
        race.
    """
    regrets, stated, chances, stops = [], [], [], []
    for number, world in enumerate(found):
        lost = world.truth.max() - world.truth
        ways = {name: way(world) for name, way in WAYS.items()}
        if number % hyperband_every == 0:
            ways["Hyperband (Optuna)"] = hyperband(world)
        for name, picks in ways.items():
            for budget in BUDGETS:
                pick = at(picks, budget * world.count)
                if pick is not None:
                    regrets.append((name, budget, lost[pick]))
        for budget in BUDGETS:
            regrets.append(("successive halving", budget, lost[successive_halving(world, budget)[0][1]]))
        everything = train_in_order(world, np.zeros(world.count))[-1][1]
        regrets.append(("fine-tune all", 1.0, lost[everything]))
        steps = list(race(world, rules, BUDGETS[-1]))
        for budget in BUDGETS:
            verdict = [told for spent, told in steps if spent <= budget * world.count + 1e-9][-1]
            true, (low, high) = lost[verdict.pick], verdict.interval
            regrets.append(("race", budget, true))
            stated.append((budget, verdict.regret, true, low - 1e-9 <= true <= high + 1e-9))
            if budget == SHOWN:
                chances += [(p, one == 0) for p, one in zip(verdict.best, lost, strict=True)]
        spent, verdict = next((step for step in steps if step[1].regret < rules.regret), steps[-1])
        stops.append((spent / world.count, verdict.regret, lost[verdict.pick]))
    return {
        "regret": pd.DataFrame(regrets, columns=["way", "budget", "regret"]),
        "stated": pd.DataFrame(stated, columns=["budget", "stated", "true", "covered"]),
        "chances": pd.DataFrame(chances, columns=["p", "best"]),
        "stops": pd.DataFrame(stops, columns=["cost", "stated", "true"]),
    }


def reliability(chances: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """Stated P(best) against how often it was the best, in bins of equal width."""
    number = np.minimum((chances["p"] * bins).astype(int), bins - 1)
    table = chances.groupby(number).agg(n=("p", "size"), stated=("p", "mean"), happened=("best", "mean"))
    return table.assign(gap=table["happened"] - table["stated"])


def show(name: str, found: dict[str, pd.DataFrame]) -> None:
    """Print one table's figures."""
    print(f"\n## {name}\n\nmean regret in points, by the share of the full cost\n")
    wide = found["regret"].pivot_table(index="way", columns="budget", values="regret", sort=False)
    print(wide.round(3).to_string(na_rep=""))
    at30 = wide[SHOWN].drop("race").dropna()
    best = at30.idxmin()
    print(f"\nat 30 %: race {wide.loc['race', SHOWN]:.3f}, best baseline {best} {at30[best]:.3f}")
    stated = found["stated"].groupby("budget").mean()
    print("\nthe race's stated regret, the true one, and the share within the stated interval\n")
    print(stated.round(3).to_string())
    table = reliability(found["chances"])
    weighted = (table["n"] * table["gap"].abs()).sum() / table["n"].sum()
    print(f"\nreliability of P(best) at 30 %: mean gap {100 * weighted:.1f} points over all checkpoints\n")
    print(table.round(3).to_string(index=False))
    stops = found["stops"].mean()
    print(
        f"\nstopping at an expected regret of 0.5: after {100 * stops['cost']:.0f} % of the full cost on average, "
        f"stated {stops['stated']:.3f}, true {stops['true']:.3f}"
    )


def main() -> None:
    """Replay the published tables, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, action="append", help="long CSV file; its past is then its other tasks")
    parser.add_argument("--target", default="finetune")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--noise", type=float, default=0.3, help="standard deviation of a value over seeds, in points")
    parser.add_argument("--strangers", action="store_true", help="hide which checkpoint is which")
    parser.add_argument("--hyperband-every", type=int, default=10, help="replays of Optuna, which is slow: one in N")
    parser.add_argument("--out", type=Path, help="folder for the figures as CSV files")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    tables = {path.stem: read_table(path, args.target) for path in args.table} if args.table else shipped_tables()
    for name, table in tables.items():
        past = [table] if args.table else list(tables.values())
        found = replay(worlds(table, past, args.noise, args.strangers, args.repetitions), Rules(), args.hyperband_every)
        show(name, found)
        for part, rows in found.items() if args.out else ():
            args.out.mkdir(parents=True, exist_ok=True)
            rows.to_csv(args.out / f"{name}_{part}.csv", index=False)
    print(json.dumps({"noise": args.noise, "repetitions": args.repetitions, "strangers": args.strangers}))


if __name__ == "__main__":
    main()
