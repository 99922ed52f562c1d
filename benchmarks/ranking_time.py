"""How long does the report of a full study take? Simulated 12 checkpoints x 11 tasks x 6 proxies.

Example: python benchmarks/ranking_time.py --resamples 10000
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from mmbnft.ranking import rank


def table(checkpoints: int, tasks: int, proxies: int, seed: int) -> pd.DataFrame:
    """A long table in which proxy i follows fine-tuning less and less."""
    rng = np.random.default_rng(seed)
    rows = []
    for task in range(tasks):
        truth = 50 + 4 * task + 3 * rng.normal(size=checkpoints)
        columns = {"finetune": truth}
        columns |= {f"proxy{i}": truth - 8 + (1 + i) * rng.normal(size=checkpoints) for i in range(proxies)}
        rows += [
            (f"ckpt{i:02d}", f"task{task:02d}", protocol, value, 10.0 * (1 + len(protocol)))
            for protocol, values in columns.items()
            for i, value in enumerate(np.clip(values, 0, 100))
        ]
    return pd.DataFrame(rows, columns=["checkpoint", "task", "protocol", "value", "cost_seconds"])


def main() -> None:
    """Time one report and say how large its page is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=12)
    parser.add_argument("--tasks", type=int, default=11)
    parser.add_argument("--proxies", type=int, default=6)
    parser.add_argument("--resamples", type=int, default=10_000)
    args = parser.parse_args()
    rows = table(args.checkpoints, args.tasks, args.proxies, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        start, busy = time.perf_counter(), time.process_time()
        report = rank(rows, out=Path(folder), resamples=args.resamples)
        wall, busy = time.perf_counter() - start, time.process_time() - busy
        size = (report.folder / "report.html").stat().st_size
    print(
        f"{args.checkpoints} checkpoints x {args.tasks} tasks x {args.proxies} proxies, {args.resamples} resamples: "
        f"{wall:.1f} s ({busy:.1f} s of processor time), report.html {size / 1e6:.2f} MB"
    )


if __name__ == "__main__":
    main()
