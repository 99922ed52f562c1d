"""CPU time that starting each command takes, as a ratio to `import torch` on the same machine.

Example: python benchmarks/startup_time.py --repeats 3

Each start is a process of its own. The interpreter's own start is taken off, and the least of the repeats is shown:
what else the machine does can only add to it.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "data/published/kanavati2021_medical_auc.csv"
CHECKPOINT = "tiny-simclr"


def starts(out: Path) -> dict[str, list[str]]:
    """The commands by what to call them; `out` is for what they write."""
    tools = sorted((ROOT / "tools").glob("*.py"))
    helps = {f"{tool.name} --help": [str(tool), "--help"] for tool in tools}
    run = "import mmbnft.evaluation.single, mmbnft.evaluation.run_spec, mmbnft.evaluation.tracking"
    step = "import torch; one = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1); one.zero_grad(); one.step()"
    return helps | {
        "checkpoints.py list": ["tools/checkpoints.py", "list"],
        "checkpoints.py verify": ["tools/checkpoints.py", "verify", CHECKPOINT],
        "rank.py, imports": ["-c", "import mmbnft.ranking"],
        "rank.py on a CSV file, with its report": ["tools/rank.py", str(PUBLISHED), "--resamples=200", f"--out={out}"],
        "train.py, imports": ["-c", run],
        "train.py, imports and the first step": ["-c", f"{run}; {step}"],
        "benchmark.py, imports": ["-c", "import mmbnft.grid.grid, mmbnft.grid.request"],
        "worker, imports": ["-c", "import mmbnft.grid.worker"],
        "few_shot.py, imports": ["-c", "import mmbnft.grid.episode_jobs"],
        "plugin": ["-c", "import mmbnft.plugin"],
    }


def cpu_seconds(arguments: list[str], repeats: int) -> float:
    """Least CPU seconds of a process and its children."""
    spent = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


def main() -> None:
    """Print one line for each start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="starts of each (default: 3)")
    repeats = parser.parse_args().repeats
    bare = cpu_seconds(["-c", "pass"], repeats)
    torch = cpu_seconds(["-c", "import torch"], repeats) - bare
    print(f"{'import torch':40}{torch:7.2f} s   1.00")
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in starts(Path(folder)).items():
            seconds = cpu_seconds(arguments, repeats) - bare
            print(f"{name:40}{seconds:7.2f} s {seconds / torch:6.2f}", flush=True)


if __name__ == "__main__":
    main()
