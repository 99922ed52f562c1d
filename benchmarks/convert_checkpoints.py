"""Tensors matched and time to convert for every format, on full-size synthetic files.

The files reproduce the published layouts (see tests/test_zoo/published_files.py) with random values; published files
that lie in pretrained_models/ are converted too.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "test_zoo")]

import published_files as files  # noqa: E402

from mmbnft.utils.command import run_command  # noqa: E402
from mmbnft.zoo import Architecture, entries  # noqa: E402
from mmbnft.zoo.conversion import convert  # noqa: E402
from mmbnft.zoo.sources import resolve  # noqa: E402

TORCH: dict[str, Callable] = {
    "pycontrast": lambda state: files.pycontrast(state, "infomin"),
    "moco": lambda state: files.moco(state, 2),
    "multicrop": lambda state: files.multicrop(state, 3),
    "flat": lambda state: state,
    "torchvision": lambda state: files.without_counters(state) | files.linear("fc.", 10),
    "barlowtwins-full": files.barlow_full,
    "vicreg-full": files.vicreg_full,
    "simsiam-full": files.simsiam,
    "dino-full": files.dino_full,
    "simclr-v1-converted": files.simclr_v1_converted,
    "simclr-v2-converted": files.simclr_v2_converted,
    "mmselfsup": files.mmselfsup,
    "mmselfsup-extracted": files.extracted,
    "tiny": files.tiny,
}


def synthetic(folder: Path) -> Iterator[Path]:
    """One full-size file after the other."""
    state = files.truth(Architecture())
    for name, content in TORCH.items():
        yield files.save(content(type(state)(state)), folder / f"{name}.pth")
    yield files.write_bundle(folder / "model.ckpt-1", files.tf_variables(state))
    yield files.write_byol(folder / "byol.pkl", state)


def main() -> int:
    """Convert each file once, read from a warm cache, and print the table."""
    parser = argparse.ArgumentParser(description="Time the conversion of every checkpoint format.")
    parser.add_argument("--root", type=Path, default=ROOT / "pretrained_models", help="folder of published files")
    args = parser.parse_args()
    table = Table("file", "format", "in file", "matched", "filled", "dropped", "load result (s)", "convert (s)")

    def add(source: str | Path, out: Path) -> None:
        start = time.perf_counter()
        found = convert(resolve(source, None, args.root), out)
        whole = time.perf_counter() - start
        start = time.perf_counter()
        torch.load(out, weights_only=True)
        plain = time.perf_counter() - start
        counts = (found.tensors_in_file, found.matched, found.filled, sum(found.dropped.values()))
        table.add_row(found.file, found.format, *map(str, counts), f"{plain:.2f}", f"{whole:.2f}")
        out.unlink()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in synthetic(folder):
            add(path, folder / "out.pth")
            path.unlink()
        for entry in entries(args.root).values():
            if entry.files and entry.format != "tiny" and (args.root / entry.files[0]).exists():
                add(entry.id, folder / "out.pth")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
