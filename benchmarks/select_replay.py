"""Replays races on complete tables: regret against cost, whether P(best) is honest, whether the stated regret holds.

    python benchmarks/select_replay.py                      # every published table, 200 repetitions
    python benchmarks/select_replay.py --table FILE.csv --target finetune --repetitions 50

A table's values are taken for the truth. A training of the whole length shows the true value plus noise of `--noise`
points. Tables without curves have no shorter training runs, so these are simulated, by `--curves`:

- exponential: checkpoint i lacks gap_i (exp(-5 f) - exp(-5)) points at the share f of the length, gap_i log-normal,
  with a mean of 1.8 standard deviations of the targets and a standard deviation of 1.3, so that runs of a ninth of
  the length correlate 0.8 with whole ones. The race believes in other curves.
- walk: what checkpoint i lacks is a random walk that correlates 0.8 at a ninth too, so that nothing is extrapolated.

Ways that use full runs only do not depend on this. Each task is left out of all past tables. `--strangers` also
hides which checkpoint is which, as for weights of your own: then the past only says how proxies and targets go
together. Several values of `--thrift`, the one setting of the race that was compared on tables, are chosen from for
each table by the regret on the others under both kinds of curves.

Cost counts full runs, a shorter one its share. The same prices for all: each training starts from the beginning,
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
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from select_ways import ALL, BEYOND, BUDGETS, CURVES, RACE, SHOWN, Step, World, baselines, race, worlds

from mmbnft.ranking.report.figures import STYLE
from mmbnft.select.belief import Verdict
from mmbnft.select.past import Table
from mmbnft.select.past_tables import read_table, shipped_tables
from mmbnft.select.race import Rules

# Of each table and kind of curves, to choose a setting by.
CHOICE_REPETITIONS = 8


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
            verdicts = [_last(steps, one, budget * world.count, budget > SHOWN) for one in range(world.races)]
            lost = world.lost(np.array([verdict.pick for verdict in verdicts]))
            regrets.append(pd.DataFrame({"task": number, "way": RACE, "budget": budget, "regret": lost}))
            for verdict, true in zip(verdicts, lost, strict=True):
                stated.append((number, budget, verdict.regret, true, true <= verdict.upper + 1e-9))
                if budget == SHOWN:
                    chances += zip(verdict.best, world.truth == world.truth.max(), strict=True)
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


def _last(steps: list[Step], one: int, budget: float, continued: bool) -> Verdict:
    """What one of the races said last within a budget, in full training runs, before or after it was given more."""
    return [v[one] for given, spent, v in steps if spent[one] <= budget + 1e-9 and (given == SHOWN or continued)][-1]


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
