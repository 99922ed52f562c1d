"""Ways to spend a budget on choosing a checkpoint, and the worlds, made of a table of true values, that they play in.

What `select_replay.py` compares; how training runs are simulated and what they cost is said there.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmbnft.select.belief import Array, Belief, Seen, Verdict, lag
from mmbnft.select.past import Past, Prior, Table, standardised
from mmbnft.select.past_tables import related
from mmbnft.select.race import SHARES, Race, Rules

BUDGETS = (0.05, 0.1, 0.2, 0.3, 0.5)
# The budget that is looked at more closely.
SHOWN = 0.3
PROXY_COST = 0.005
RACE, ALL = "race", "fine-tune all"
# What is no baseline at the same prices: ways that know more or pay less.
BEYOND = ("told the two best", "told the three best")
Lack = Callable[[float], Array]
# Of races: the budget they were given, what each has spent, in full training runs, and what each believes.
Step = tuple[float, Array, list[Verdict]]


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
        lack: (R, K) points by which training runs of a share of the length lag.
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
        """(R, K) values that training runs of everyone would show."""
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
    """The best of full runs in the order of a score, as many as the budget pays for; its top where for none."""
    order = np.argsort(-np.broadcast_to(score, (world.races, world.count)), axis=1, kind="stable")
    order = order[:, : max(1, int(budget * world.count + 1e-9))]
    values = np.take_along_axis(world.train(), order, axis=1)
    return np.take_along_axis(order, values.argmax(axis=1)[:, None], axis=1)[:, 0]


def successive_halving(world: World, budget: float, continued: bool) -> Array:
    """K. Jamieson, A. Talwalkar (AISTATS 2016), with training runs that are whole at most."""
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


def race(world: World, rules: Rules, budgets: Sequence[float] = (SHOWN, BUDGETS[-1])) -> Iterator[Step]:
    """This project's races.

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
