"""Time of a grid on warm worker processes, against one fresh process for each run.

    python benchmarks/grid_time.py [--config configs/benchmarks/quickstart.py] [--runs 24] [--workers 2]

Both sides execute the same runs of the plan, evenly taken from it, with the same number of processes and threads, into
a store of their own. The baseline starts an interpreter for every run, which imports the stack, builds the task and
caches nothing for the next: how the host's tools are used for a grid. Sides take turns; printed: seconds, their ratio.
"""

import argparse
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmbnft.grid.executors import LocalExecutor
from mmbnft.grid.plan import PlannedRun, plan_runs
from mmbnft.grid.request import benchmark_from_file
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings

ALONE = """
import pickle, sys
import torch
from mmbnft.grid.store import ResultStore
from mmbnft.grid.worker import WorkSettings, work
from pathlib import Path
torch.set_num_threads(int(sys.argv[3]))
out = Path(sys.argv[1])
work(pickle.loads(Path(sys.argv[2]).read_bytes()), ResultStore(out / "results"), WorkSettings(out))
"""


def alone(runs: Sequence[PlannedRun], out: Path, workers: int) -> None:
    """Execute every run in a process of its own, `workers` at a time."""

    def one(number: int) -> None:
        file, place = out / f"{number}.pickle", out / str(number)
        file.write_bytes(pickle.dumps(runs[number]))
        place.mkdir()
        subprocess.run([sys.executable, "-c", ALONE, str(place), str(file), "1"], check=True, capture_output=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, range(len(runs))))


def together(runs: Sequence[PlannedRun], out: Path, workers: int) -> None:
    """Execute the runs as a benchmark does."""
    store = ResultStore(out / "results")
    LocalExecutor(workers).execute(list(runs), store, WorkSettings(out), lambda run, done: None)
    failed = [result.reason for result in store.results() if result.status != "ok"]
    if failed:
        raise SystemExit(f"a run failed: {failed[0]}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("configs/benchmarks/quickstart.py"))
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    plan = plan_runs(benchmark_from_file(args.config, {}))
    runs = plan[:: max(1, len(plan) // args.runs)][: args.runs]
    seconds: dict[str, list[float]] = {"one process a run": [], "grid": []}
    for _ in range(args.repeats):
        for name, side in (("one process a run", alone), ("grid", together)):
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                side(runs, Path(folder), args.workers)
                seconds[name].append(time.perf_counter() - started)
    print(f"{len(runs)} of the {len(plan)} runs of {args.config}, {args.workers} processes, {args.repeats} repeats\n")
    print("| way | seconds | ratio |\n| --- | --- | --- |")
    for name, taken in seconds.items():
        ratios = [b / t for b, t in zip(seconds["one process a run"], taken, strict=True)]
        print(f"| {name} | {statistics.median(taken):.1f} | {statistics.median(ratios):.2f} |")


if __name__ == "__main__":
    main()
