"""Runs a selection: proxies for all, training runs for those in the race, one look at test for the pick.

Nothing is kept beside the results of the runs. What to do next follows from them alone, so the same command continues a
selection that was killed: it decides again what it decided before, and finds those runs done.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmbnft.grid.executors import Executor
from mmbnft.grid.filters import Part
from mmbnft.grid.grid import check_environment, open_jobs
from mmbnft.grid.job import Job
from mmbnft.grid.plan import PlannedRun
from mmbnft.grid.progress import outcome
from mmbnft.grid.store import ResultStore, storing
from mmbnft.grid.worker import ALL, NONE, Done, WorkSettings
from mmbnft.results import Result, results_table
from mmbnft.select.belief import SEED_NOISE, Belief, Seen, Verdict
from mmbnft.select.budget import Budget, Spent
from mmbnft.select.past import Past, Prior
from mmbnft.select.past_tables import Known
from mmbnft.select.race import Race, Rules, Training
from mmbnft.select.runs import RaceRuns, values_of
from mmbnft.utils import files
from mmbnft.utils.errors import UserError
from mmbnft.utils.wording import counted

# Cost of a trained proxy such as `bn` in whole trainings: forward, and backward without the gradients of most weights.
RUNG_COST = 2 / 3
# Who is this likely to be as good as the best belongs to the tier not separable from the best.
TOLD_APART = 0.05


@dataclass(frozen=True)
class Step:
    """What was known after some training runs.

    Attributes:
        cost: What had been spent, in full training runs.
        trainings: Number of training runs finished.
        verdict: What was believed.
        left: Numbers of the checkpoints that left then, and why.
    """

    cost: float
    trainings: int
    verdict: Verdict
    left: dict[int, str]


@dataclass
class Selected:
    """What a selection found.

    Attributes:
        runs: What it could run.
        steps: What was known after each batch of training runs.
        trainings: Number of the checkpoint, share, value on val, and cost after it, for each training.
        spent: What everything cost but the evaluation of the pick.
        reason: Why it stopped.
        further: The training that would be next, or None.
        final: The pick's result on test, or None where it failed.
        mean: (K,) expected targets on val.
        relatives: Past tables and tasks that were learned from.
        rungs: What was decided of each further proxy, and why.
    """

    runs: RaceRuns
    steps: list[Step] = field(default_factory=list)
    trainings: list[tuple[int, float, float, float]] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    reason: str = ""
    further: Training | None = None
    final: Result | None = None
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    relatives: str = ""
    rungs: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The last one."""
        return self.steps[-1].verdict

    @property
    def tier(self) -> list[str]:
        """Names of the checkpoints not separable from the best, the likeliest first."""
        close = self.verdict.close
        chosen = [n for n in np.argsort(-close) if close[n] >= TOLD_APART or n == self.verdict.pick]
        return [self.runs.checkpoints[n] for n in chosen]


class Selection:
    """One selection on a store.

    Args:
        runs: What can be run.
        rules: How the race is run; its shares are those of `runs`.
        budget: What may be spent.
        known: What other tasks teach.
        out: Folder of the selection.
        executor: Where runs are executed.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        batch: Training runs that are executed at the same time.
        say: Takes each line for the person who waits.
    """

    def __init__(
        self,
        runs: RaceRuns,
        rules: Rules,
        budget: Budget,
        known: Known,
        out: Path,
        executor: Executor,
        device: str = "cpu",
        batch: int = 1,
        say: Callable[[str], None] = print,
    ) -> None:
        self.runs, self.rules, self.budget, self.known = runs, rules, budget, known
        self.out, self.executor, self.device, self.batch, self.say = out, executor, device, batch, say
        self.store = ResultStore(out / "results")
        self.results: dict[str, Result] = {}

    def run(self) -> Selected:
        """Go on until the expected regret is small, the budget is spent, or nothing is left to train.

        Raises:
            MachineError: The machine lacks what every run needs.
            UserError: No checkpoint could be trained.
        """
        check_environment(self.executor, WorkSettings(self.out, self.device))
        found = Selected(self.runs)
        proxies = dict(self.runs.proxies)
        self._execute([run for runs in proxies.values() for run in runs])
        for name, runs in self.runs.rungs.items():
            pays, why = self._pays(name, proxies)
            self.say(why)
            found.rungs.append(why)
            if pays:
                self._execute(runs)
                proxies[name] = runs
        prior, found.relatives = self._prior(proxies)
        results = [self.results[run.key] for runs in proxies.values() for run in runs]
        self._race(found, prior, proxy_seconds(results))
        pick = found.verdict.pick
        whole = self.results.get(self.runs.training(pick, 1.0, 0).key)
        final = self.runs.final(pick, whole)
        self._execute([final], keep_weights=ALL)
        found.final = self.results[final.key]
        with storing(self.out):
            table = results_table(list(self.results.values()))
            files.write_text(self.out / "results.csv", table.to_csv(index=False))
        return found

    def _race(self, found: Selected, prior: Prior, proxy_seconds: float) -> None:
        count = len(self.runs.checkpoints)
        race, noise = Race(self.rules, np.ones((1, count), dtype=bool)), self._noise(80.0)
        seen = Seen.nothing(1, count, len(self.rules.shares))
        found.spent = Spent(proxy_seconds)
        failed: set[int] = set()
        news: dict[int, str] = {}
        while True:
            belief = Belief(prior, self.rules.shares, seen, failed, self.known.curves)
            before = race.racing[0].copy()
            verdict = race.judge(belief)[0]
            left = {int(n): self._why(int(n), verdict) for n in np.flatnonzero(before & ~race.racing[0])} | news
            found.steps.append(Step(found.spent.whole, len(found.trainings), verdict, left))
            found.mean = belief.expected[0]
            self._tell(found, left)
            whole, number = self.budget.left(found.spent, count)
            options = race.ranked(belief, noise)
            found.further = options[0] if options else None
            batch = self._affordable(options, whole, number, meeting=not race.all_met(belief))
            if race.is_over(verdict, belief) or not batch:
                found.reason = self._reason(race, verdict, belief, options)
                return
            news = self._train(batch, found, seen)
            failed |= set(news)
            race.racing[0, list(news)] = False
            if len(failed) == count:
                raise UserError(f"no checkpoint could be trained; the last: {next(iter(news.values()))}")

    def _train(self, batch: Sequence[Training], found: Selected, seen: Seen) -> dict[int, str]:
        """Execute some training runs and count what they show; who failed, and why."""
        jobs = [self.runs.training(one.checkpoint, one.share, one.seed) for one in batch]
        self._execute(jobs)
        news = {}
        for one, job in zip(batch, jobs, strict=True):
            result = self.results[job.key]
            length = 0.0 if result.value is None else one.share
            trainings = [*found.spent.trainings, (length, _seconds(result))]
            found.spent = Spent(found.spent.proxy_seconds, trainings)
            if result.value is None:
                news[one.checkpoint] = f"failed: {result.reason}"
                continue
            where = (np.array([0]), np.array([one.checkpoint]), np.array([one.length]))
            seen.add(where, np.array([result.value]), self._noise(result.value))
            found.trainings.append((one.checkpoint, one.share, result.value, found.spent.whole))
        return news

    def _affordable(self, options: Sequence[Training], whole: float, number: float, meeting: bool) -> list[Training]:
        """The best options that fit the budget together, one of each checkpoint; all short ones while all are met."""
        batch: list[Training] = []
        size = len(options) if meeting else self.batch
        for one in options:
            taken = {other.checkpoint for other in batch}
            if one.checkpoint not in taken and one.share <= whole + 1e-9 and len(batch) < min(size, number):
                batch.append(one)
                whole -= one.share
        return batch

    def _pays(self, name: str, proxies: dict[str, tuple[PlannedRun, ...]]) -> tuple[bool, str]:
        """Whether a further proxy of all checkpoints is worth more than full runs for the same cost, and why."""
        past = Past(self.known.tables, (*proxies, name), self.runs.target)
        values = {other: values_of(runs, self.results) for other, runs in proxies.items()}
        count = len(self.runs.checkpoints)
        trainings = int(RUNG_COST * count)
        gain, other = past.gains(self.runs.checkpoints, values, name, trainings)
        affordable = self.budget.unit != "share" or self.budget.amount > RUNG_COST
        pays = gain > other and affordable
        return pays, (
            f"{name} {'is run for all' if pays else 'is skipped'}: expected gain {gain:.2f} points, {other:.2f} for "
            f"{counted(trainings, 'full-length run')} at the same cost{'' if affordable else '; it exceeds the budget'}"
        )

    def _prior(self, proxies: dict[str, tuple[PlannedRun, ...]]) -> tuple[Prior, str]:
        past = Past(self.known.tables, tuple(proxies), self.runs.target)
        values = {name: values_of(runs, self.results) for name, runs in proxies.items()}
        tables = self.known.tables
        names = {name for table in tables for name in table.checkpoints} & set(self.runs.checkpoints)
        tasks = sum(len(table.tasks) for table in tables)
        told = (
            f"learned from {counted(tasks, 'past task')}, which include {len(names)} of the "
            f"{len(self.runs.checkpoints)} checkpoints"
            if tasks
            else "flat, as there are no past results"
        )
        curves = self.known.curve_tasks
        told += f", and from curves on {counted(curves, 'past task')}" if curves else ""
        return past.prior(self.runs.checkpoints, values), told

    def _noise(self, value: float) -> float:
        """Standard deviation of a value on val, in points: seeds, and a percentage of so many images."""
        share = min(max(value / 100, 0.01), 0.99)
        return math.hypot(SEED_NOISE, 100 * math.sqrt(share * (1 - share) / self.runs.val_images))

    def _execute(self, jobs: Sequence[PlannedRun], keep_weights: str = NONE) -> None:
        """Take jobs to results; done ones are found, each other gives a line."""
        self.executor.check_device(self.device, jobs)
        names = {job.key: job.names for job in jobs}
        self.store.adopt(names)
        plan = open_jobs(jobs, self.store, Part())
        settings = WorkSettings(self.out, self.device, keep_weights=keep_weights)

        def finished(job: Job, done: Done) -> None:
            self.say(f"{job.label}: {outcome(done.result)}")

        if plan.left:
            self.executor.execute(plan.left, self.store, settings, finished)
        self.results |= {result.key: result for result in self.store.select(names)}

    def _tell(self, found: Selected, left: dict[int, str]) -> None:
        for number, why in sorted(left.items()):
            self.say(f"{self.runs.checkpoints[number]} drops out: {why}")
        if not found.trainings:
            return
        verdict, cost = found.verdict, found.spent.whole / len(self.runs.checkpoints)
        self.say(
            f"{100 * cost:.0f} % of the cost of fine-tuning all; leader: {self.runs.checkpoints[verdict.pick]}, "
            f"P(best) {verdict.best[verdict.pick]:.2f}, expected regret {verdict.regret:.2f} points"
        )

    def _why(self, number: int, verdict: Verdict) -> str:
        bound = self.rules.leaves_below / len(self.runs.checkpoints)
        return (
            f"its probability of being within {self.rules.regret:g} points of the best is "
            f"{100 * verdict.close[number]:.1f} %, below {100 * bound:.1f} %"
        )

    def _reason(self, race: Race, verdict: Verdict, belief: Belief, options: Sequence[Training]) -> str:
        if race.is_over(verdict, belief):
            return f"the expected regret of {verdict.regret:.2f} points is below --regret {self.rules.regret:g}"
        return "the budget is spent" if options else "no runs are left"


def proxy_seconds(results: Sequence[Result]) -> float:
    """What some proxies took; work they share, the features of a checkpoint, counts once."""
    shared: dict[str, float] = {}
    own = 0.0
    for result in results:
        part = float(result.cost.get("shared_seconds") or 0.0)
        own += _seconds(result) - part
        shared[result.checkpoint] = max(part, shared.get(result.checkpoint, 0.0))
    return own + sum(shared.values())


def _seconds(result: Result) -> float:
    return float(result.cost.get("seconds") or 0.0)
