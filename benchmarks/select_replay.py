"""Replays races on complete tables: regret against cost, whether P(best) is honest, whether the stated regret holds.

    python benchmarks/select_replay.py                      # every published table, 200 repetitions
    python benchmarks/select_replay.py --table FILE.csv --target finetune --repetitions 50

A table's values are taken for the truth. A training of the whole length shows the true value plus noise of `--noise`
points. Tables without curves have no shorter trainings, so these are simulated, by `--curves`:

- exponential: checkpoint i lacks gap_i (exp(-5 f) - exp(-5)) points at the share f of the length, gap_i log-normal,
  with a mean of 1.8 standard deviations of the targets and a standard deviation of 1.3, so that trainings of a ninth of
  the length correlate 0.8 with whole ones. The race believes in other curves.
- walk: what checkpoint i lacks is a random walk that correlates 0.8 at a ninth too, so that nothing is extrapolated.

Ways that use whole trainings only do not depend on this. Each task is left out of all past tables. `--strangers` also
hides which checkpoint is which, as for weights of your own: then the past only says how proxies and targets go
together. Several values of `--thrift`, the one setting of the race that was compared on tables, are chosen from for
each table by the regret on the others under both kinds of curves.

Cost counts whole trainings, a shorter one its share. The same prices for all: each training starts from the beginning,
as this project's recipes need it; `--continue` lets everyone pay only for what a longer training adds. Successive
halving and Hyperband continue as published, and are given so too. All proxies of a checkpoint together cost half a
percent of a training: one pass over the images against 30 epochs forward and backward for each of three learning rates.
The last training of the pick, on train and val, is due to everyone and not counted.

"told the two best" knows which two checkpoints are the best, and spends the whole budget on repeating these: what it
loses is lost to the noise alone, whatever the method.
"""

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mmbnft.ranking.report.figures import STYLE
from mmbnft.select.belief import Array, Belief, Seen, Verdict, lag
from mmbnft.select.past import Past, Prior, Table, standardised
from mmbnft.select.race import SHARES, Race, Rules
from mmbnft.select.tables import read_table, related, shipped_tables

BUDGETS = (0.05, 0.1, 0.2, 0.3, 0.5)
# The budget that is looked at more closely.
SHOWN = 0.3
PROXY_COST = 0.005
# Of each table and kind of curves, to choose a setting by.
CHOICE_REPETITIONS = 8
RACE, ALL = "race", "fine-tune all"
# What is no baseline at the same prices: ways that know more or pay less.
BEYOND = ("told the two best", "told the three best")
Lack = Callable[[float], Array]


@dataclass(frozen=True)
class World:
    """One task of a table in R repetitions.

    Attributes:
        truth: (K,) targets.
        prior: What the past and the proxies say.
        linear: (K,) the first proxy, or None.
        others: (K,) mean of the standardised targets on other tasks, or None for strangers.
        noise: Standard deviation of a training's value.
        generator: Of all that is random.
        lack: (R, K) points by which trainings of a share of the length lag.
        races: R.
        continued: Whether a longer training only pays for what it adds.
    """

    truth: Array
    prior: Prior
    linear: Array | None
    others: Array | None
    noise: float
    generator: np.random.Generator
    lack: Lack
    races: int
    continued: bool

    def train(self, share: float = 1.0) -> Array:
        """(R, K) values that trainings of everyone would show."""
        shape = (self.races, self.count)
        return self.truth - self.lack(share) + self.noise * self.generator.standard_normal(shape)

    @property
    def count(self) -> int:
        """Number of checkpoints."""
        return len(self.truth)

    def lost(self, picks: Array) -> Array:
        """(R,) regret of picks."""
        return self.truth.max() - self.truth[picks]


def exponential(truth: Array, races: int, generator: np.random.Generator) -> Lack:
    """Saturating exponentials, see above."""
    spread = np.sqrt(np.log(1 + 0.75**2))
    shape = (races, len(truth))
    gap = 1.8 * truth.std(ddof=1) * np.exp(spread * generator.standard_normal(shape) - spread**2 / 2)
    return lambda share: gap * (np.exp(-5 * share) - np.exp(-5))


def walk(truth: Array, races: int, generator: np.random.Generator) -> Lack:
    """A random walk in the logarithm of the length through `SHARES`, see above."""
    shares = np.array(SHARES)
    steps = np.sqrt(0.14 * -np.diff(lag(shares))) * truth.std(ddof=1)
    moves = steps * generator.standard_normal((races, len(truth), len(steps)))
    path = np.concatenate([np.flip(np.cumsum(np.flip(moves, 2), 2), 2), np.zeros((races, len(truth), 1))], axis=2)

    def lack(share: float) -> Array:
        place = np.interp(np.log(share), np.log(shares), np.arange(len(shares)))
        low = min(int(place), len(shares) - 2)
        return path[..., low] * (low + 1 - place) + path[..., low + 1] * (place - low)

    return lack


CURVES = {"exponential": exponential, "walk": walk}


def worlds(table: Table, tables: list[Table], args: argparse.Namespace) -> Iterator[World]:
    """Every task of a table."""
    targets = np.stack([standardised(values[:, :1])[:, 0] for values in table.values])
    for number, task in enumerate(table.tasks):
        values = table.values[number]
        have = np.isfinite(values[:, 0])
        names = ["" if args.strangers else name for name, known in zip(table.checkpoints, have, strict=True) if known]
        proxies = {name: values[have, column] for column, name in enumerate(table.protocols) if column}
        past = Past([one.without(task) for one in related(tables, names)], table.protocols, table.protocols[0])
        others = None if args.strangers else np.nanmean(np.delete(targets, number, axis=0), axis=0)[have]
        truth, generator = values[have, 0], np.random.default_rng([number, args.seed])
        linear = values[have, 1] if table.protocols[1:2] == ("linear",) else None
        lack = CURVES[args.curves](truth, args.repetitions, generator)
        prior = past.prior(names, proxies)
        yield World(truth, prior, linear, others, args.noise, generator, lack, args.repetitions, args.continued)


def then_whole(world: World, score: Array, budget: float) -> Array:
    """The best of whole trainings in the order of a score, as many as the budget pays for; its top where for none."""
    order = np.argsort(-np.broadcast_to(score, (world.races, world.count)), axis=1, kind="stable")
    order = order[:, : max(1, int(budget * world.count + 1e-9))]
    values = np.take_along_axis(world.train(), order, axis=1)
    return np.take_along_axis(order, values.argmax(axis=1)[:, None], axis=1)[:, 0]


def successive_halving(world: World, budget: float, continued: bool) -> Array:
    """K. Jamieson, A. Talwalkar (AISTATS 2016), with trainings that are whole at most."""
    rounds, alive, length = max(1, int(np.ceil(np.log2(world.count)))), world.count, 0.0
    racing = np.ones((world.races, world.count), dtype=bool)
    for _ in range(rounds):
        length = min(1.0, (length if continued else 0.0) + budget * world.count / rounds / alive)
        alive = max(1, int(np.ceil(alive / 2)))
        order = np.argsort(-np.where(racing, world.train(length), -np.inf), axis=1)[:, :alive]
        racing = np.zeros_like(racing)
        np.put_along_axis(racing, order, True, axis=1)
    return order[:, 0]


def told(world: World, known: int, budget: float) -> Array:
    """What is lost by one who knows which checkpoints are the best, but not their order, and only repeats these."""
    best = np.sort(world.truth)[::-1][:known]
    runs = np.full(known, int(budget * world.count + 1e-9) // known)
    runs[: int(budget * world.count + 1e-9) % known] += 1
    # Who gets the odd training is a matter of chance; without any, its value is as unknown as can be.
    error = world.noise / np.sqrt(np.maximum(runs, 1e-12))
    order = world.generator.permuted(np.tile(np.arange(known), (world.races, 1)), axis=1)
    shown = best[order] + error * world.generator.standard_normal(order.shape)
    shown[:, runs == 0] = -np.inf
    return best[0] - best[order[np.arange(world.races), shown.argmax(axis=1)]]


def hyperband(world: World, races: int) -> Iterator[tuple[float, Array]]:
    """Optuna's Hyperband over the checkpoints in random order, nine steps a training, continued.

    Yields:
        Each budget and what is lost then, in as many repetitions as asked.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    curves = np.stack([world.train(step / 9)[:races] for step in range(1, 10)], axis=2)
    lost: dict[float, list[float]] = defaultdict(list)
    for own in curves:
        pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
        sampler = optuna.samplers.RandomSampler()
        study = optuna.create_study(sampler=sampler, pruner=pruner, direction="maximize", study_name="replay")
        order = world.generator.permutation(world.count)
        picks, spent, reached = [(0.0, int(order[0]))], 0, dict[int, tuple[int, float]]()
        for one in order:
            trial, step, pruned = study.ask(), 0, False
            while step < 9 and not pruned:
                step += 1
                trial.report(own[one, step - 1], step)
                pruned = trial.should_prune()
            spent += step
            reached[int(one)] = (step, own[one, step - 1])
            study.tell(
                trial,
                own[one, step - 1] if step == 9 else None,
                state=optuna.trial.TrialState.COMPLETE if step == 9 else optuna.trial.TrialState.PRUNED,
            )
            picks.append((spent / 9, max(reached, key=lambda name: reached[name])))
        for budget in BUDGETS:
            pick = [one for cost, one in picks if cost <= budget * world.count + 1e-9][-1]
            lost[budget].append(float(world.lost(np.array(pick))))
    yield from ((budget, np.array(found)) for budget, found in lost.items())


def race(
    world: World, rules: Rules, budgets: Sequence[float] = (SHOWN, BUDGETS[-1])
) -> Iterator[tuple[float, Array, list[Verdict]]]:
    """This project's races: the budget they were given, what they spent, in whole trainings, and what they believe.

    They are led to the first budget and then on to the next, as by a person who continues a selection.
    """
    seen = Seen.nothing(world.races, world.count, len(rules.shares))
    state, spent = (
        Race(rules, np.ones((world.races, world.count), dtype=bool)),
        np.full(world.races, PROXY_COST * world.count),
    )
    shares = np.array(rules.shares)
    for budget in budgets:
        while True:
            belief = Belief(world.prior, rules.shares, seen)
            yield budget, spent.copy(), state.judge(belief)
            paid = np.zeros(seen.count.shape)
            if world.continued:
                paid += (np.where(seen.count > 0, shares, 0.0).max(axis=2) % 1.0)[..., None]
            ratio = rules.ratios(belief, state.racing, world.noise, budget * world.count - spent, paid)[1].reshape(
                world.races, -1
            )
            going = np.flatnonzero(np.isfinite(ratio).any(axis=1))
            if not len(going):
                break
            one, length = np.divmod(ratio[going].argmax(axis=1), len(shares))
            values = np.stack([world.train(share) for share in rules.shares], axis=2)
            seen.add((going, one, length), values[going, one, length], world.noise)
            spent[going] += shares[length] - paid[going, one, length]


def replay(found: Iterator[World], rules: Rules, hyperband_every: int) -> dict[str, pd.DataFrame]:
    """Everything that is to be known of one table.

    Returns:
        `regret`: one row for each way and budget of each replay; `stated`: what the race said at each budget;
        `chances`: each checkpoint's P(best) at 30 % and whether it is the best; `stops`: where the stop rule ends each
        race.
    """
    regrets, stated, chances, stops = [], [], [], []
    for number, world in enumerate(found):
        for name, budget, lost in baselines(world, hyperband_every):
            regrets.append(pd.DataFrame({"task": number, "way": name, "budget": budget, "regret": lost}))
        steps = list(race(world, rules))
        for budget in BUDGETS:
            rows = []
            for one in range(world.races):
                within = [
                    v[one]
                    for given, spent, v in steps
                    if spent[one] <= budget * world.count + 1e-9 and (given == SHOWN or budget > SHOWN)
                ]
                verdict = within[-1]
                true = float(world.lost(np.array(verdict.pick)))
                rows.append((number, budget, verdict.regret, true, true <= verdict.upper + 1e-9))
                if budget == SHOWN:
                    chances += [
                        (p, best) for p, best in zip(verdict.best, world.truth == world.truth.max(), strict=True)
                    ]
            stated += rows
            lost = np.array([row[3] for row in rows])
            regrets.append(pd.DataFrame({"task": number, "way": RACE, "budget": budget, "regret": lost}))
        for one in range(world.races):
            told_then = [(spent[one], v[one]) for _, spent, v in steps]
            cost, verdict = next((s for s in told_then if s[1].regret < rules.regret), told_then[-1])
            stops.append((cost / world.count, verdict.regret, float(world.lost(np.array(verdict.pick)))))
    return {
        "regret": pd.concat(regrets, ignore_index=True),
        "stated": pd.DataFrame(stated, columns=["task", "budget", "stated", "true", "covered"]),
        "chances": pd.DataFrame(chances, columns=["p", "best"]),
        "stops": pd.DataFrame(stops, columns=["cost", "stated", "true"]),
    }


def baselines(world: World, hyperband_every: int) -> Iterator[tuple[str, float, Array]]:
    """Name, budget and what is lost in each repetition."""
    scores = {"linear": world.linear, "other tasks": world.others}
    for budget in BUDGETS:
        yield (
            "random, whole",
            budget,
            world.lost(then_whole(world, world.generator.random((world.races, world.count)), budget)),
        )
        for name, score in scores.items():
            if score is not None:
                yield f"{name}, top", budget, np.full(world.races, world.lost(np.array(score.argmax())))
                yield f"{name}, then whole", budget, world.lost(then_whole(world, score, budget))
        yield "successive halving", budget, world.lost(successive_halving(world, budget, world.continued))
        if not world.continued:
            yield "successive halving, continued", budget, world.lost(successive_halving(world, budget, True))
        for known, name in ((2, BEYOND[0]), (3, BEYOND[1])):
            yield name, budget, told(world, known, budget)
    for budget, lost in hyperband(world, -(-world.races // hyperband_every)):
        yield "Hyperband (Optuna), continued", budget, lost
    yield ALL, 1.0, world.lost(world.train().argmax(axis=1))


def reliability(chances: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """Stated P(best) against how often it was the best, in bins of equal width."""
    number = np.minimum((chances["p"] * bins).astype(int), bins - 1)
    table = chances.groupby(number).agg(n=("p", "size"), stated=("p", "mean"), happened=("best", "mean"))
    return table.assign(gap=table["happened"] - table["stated"])


def summary(found: dict[str, pd.DataFrame]) -> dict[str, float | str]:
    """The figures that are aimed at, at `SHOWN`."""
    wide = means(found)[SHOWN].dropna()
    base = wide.drop([RACE, *BEYOND])
    stated = found["stated"][found["stated"]["budget"] == SHOWN]
    table = reliability(found["chances"])
    return {
        "race": wide[RACE],
        "best baseline": str(base.idxmin()),
        "its regret": base.min(),
        "goal": base.min() / 2,
        BEYOND[0]: wide[BEYOND[0]],
        "stated": stated["stated"].mean(),
        "covered": stated["covered"].mean(),
        "gap of P(best), points": 100 * (table["n"] * table["gap"].abs()).sum() / table["n"].sum(),
    }


def means(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean regret of each way at each budget; every task counts the same."""
    return found["regret"].pivot_table(index="way", columns="budget", values="regret", sort=False)


def show(name: str, found: dict[str, pd.DataFrame]) -> None:
    """Print one table's figures."""
    print(f"\n## {name}\n\nmean regret in points, by the share of the full cost\n")
    print(means(found).round(3).to_string(na_rep=""))
    print(f"\nat {SHOWN:.0%} of the full cost\n")
    print(pd.Series(summary(found)).to_string(float_format="{:.3f}".format))
    print("\nthe race's stated regret, the true one, and how often the true one is within the stated 95 % bound\n")
    print(found["stated"].groupby("budget")[["stated", "true", "covered"]].mean().round(3).to_string())
    print(f"\nreliability of P(best) at {SHOWN:.0%}\n")
    print(reliability(found["chances"]).round(3).to_string(index=False))
    stops = found["stops"].mean()
    print(
        f"\nstopping at an expected regret of 0.5: after {100 * stops['cost']:.0f} % of the full cost on average, "
        f"stated {stops['stated']:.3f}, true {stops['true']:.3f}",
        flush=True,
    )


def compare(tables: dict[str, Table], args: argparse.Namespace) -> pd.DataFrame:
    """Mean regret at `SHOWN` by table and kind of curves (rows) and by thrift (columns), in a few repetitions."""
    rows = {}
    for name, table in tables.items():
        for curves in CURVES:
            few = argparse.Namespace(**vars(args) | {"curves": curves, "repetitions": CHOICE_REPETITIONS, "seed": 1})
            found = list(worlds(table, list(tables.values()), few))
            rows[name, curves] = {thrift: _regret(found, Rules(thrift=thrift)) for thrift in args.thrift}
    judged = pd.DataFrame(rows).T
    print(f"mean regret at {SHOWN:.0%} by thrift, {CHOICE_REPETITIONS} repetitions\n\n{judged.round(3).to_string()}")
    return judged


def _regret(found: list[World], rules: Rules) -> float:
    lost = []
    for world in found:
        *_, (_, _, verdicts) = race(world, rules, (SHOWN,))
        lost.append(world.lost(np.array([verdict.pick for verdict in verdicts])).mean())
    return float(np.mean(lost))


def choose(judged: pd.DataFrame, name: str) -> float:
    """The thrift with the least regret on other tables, each line relative to its mean."""
    others = judged.drop(name, level=0, errors="ignore")
    return float(others.div(others.mean(axis=1), axis=0).mean().idxmin())


def save(out: Path, name: str, found: dict[str, pd.DataFrame]) -> None:
    """Means by way and budget, the reliability, and what was stated, as CSV files."""
    out.mkdir(parents=True, exist_ok=True)
    grouped = found["regret"].groupby(["way", "budget"], sort=False)["regret"]
    grouped.agg(replays="size", regret="mean", error="sem").round(4).to_csv(out / f"{name}_regret.csv")
    reliability(found["chances"]).round(4).to_csv(out / f"{name}_reliability.csv", index=False)
    stated = found["stated"].groupby("budget")[["stated", "true", "covered"]].mean()
    stated.round(4).to_csv(out / f"{name}_stated.csv")


def draw(out: Path, names: Sequence[str]) -> None:
    """Regret against cost of each table, from the saved files, as one SVG picture."""
    colours: dict[str, str] = {}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.4 * len(names), 3.2), layout="constrained")
        for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
            for way, rows in pd.read_csv(out / f"{name}_regret.csv").groupby("way", sort=False):
                if not str(way).endswith("top") and way != ALL:
                    colour = colours.setdefault(str(way), f"C{len(colours)}")
                    strong = {"color": "black", "linewidth": 2} if way == RACE else {"color": colour, "linewidth": 1}
                    dashes = ":" if way in BEYOND else "-"
                    axes.plot(100 * rows["budget"], rows["regret"], dashes, label=way, **strong)
            axes.set(title=name.partition("_")[0], xlabel="cost, % of fine-tuning all", yscale="log")
        figure.axes[0].set_ylabel("mean regret, points")
        handles = {
            label: line for axes in figure.axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
        figure.savefig(out / "regret.svg", metadata={"Date": None})


def main() -> None:
    """Replay the published tables, or the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, action="append", help="long CSV file; its past is then its other tasks")
    parser.add_argument("--target", default="finetune")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--noise", type=float, default=0.3, help="standard deviation of a value over seeds, in points")
    parser.add_argument("--curves", choices=CURVES, default="exponential", help="how shorter trainings are simulated")
    parser.add_argument(
        "--continue", dest="continued", action="store_true", help="longer trainings continue shorter ones"
    )
    parser.add_argument("--strangers", action="store_true", help="hide which checkpoint is which")
    parser.add_argument("--hyperband-every", type=int, default=10, help="replays of Optuna, which is slow: one in N")
    parser.add_argument("--thrift", type=float, nargs="+", default=[Rules().thrift], help="values to choose from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for the figures as CSV files, and their picture")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    shipped = shipped_tables()
    tables = {path.stem: read_table(path, args.target) for path in args.table} if args.table else shipped
    judged = compare(shipped, args) if len(args.thrift) > 1 else pd.DataFrame()
    for name, table in tables.items():
        past = [table] if args.table else list(tables.values())
        thrift = choose(judged, name) if len(args.thrift) > 1 else args.thrift[0]
        found = replay(worlds(table, past, args), Rules(thrift=thrift), args.hyperband_every)
        show(name, found)
        print(f"thrift {thrift:g}, chosen on the other tables" if len(args.thrift) > 1 else f"thrift {thrift:g}")
        if args.out:
            save(args.out, name, found)
    if args.out:
        draw(args.out, list(tables))
    settings = {"noise": args.noise, "curves": args.curves, "continued": args.continued, "strangers": args.strangers}
    print(json.dumps(settings | {"repetitions": args.repetitions}))


if __name__ == "__main__":
    main()
