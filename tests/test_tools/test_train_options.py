"""Options of tools/train.py that say how a run is executed reach it."""

import importlib.util
import sys
from pathlib import Path

from mmbnft.evaluation import single

TOOL = Path(__file__).parents[2] / "tools" / "train.py"


class Reached(Exception):
    pass


def test_execution_is_said_on_the_command_line(monkeypatch):
    seen = []

    def run_single(*_arguments, **execution):
        seen.append(execution)
        raise Reached

    monkeypatch.setattr(single, "run_single", run_single)
    spec = importlib.util.spec_from_file_location("train_command", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    command = ["train.py", "configs/digits/tiny18.py", "--protocol", "bn"]
    for options in ([], ["--save-memory", "--val-interval", "2", "--cache-limit", "0.5", "--workers", "3"]):
        monkeypatch.setattr(sys, "argv", [*command, *options])
        try:
            module.main()
        except Reached:
            continue
    names = ("save_memory", "val_interval", "cache_limit", "workers")
    assert [tuple(one[name] for name in names) for one in seen] == [(False, 0, 20 * 2**30, None), (True, 2, 2**29, 3)]
