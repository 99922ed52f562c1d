"""Options of the command train that say how a run is executed reach it."""

import pytest

from mmbnft.commands import train
from mmbnft.evaluation import single


class Reached(Exception):
    pass


def test_execution_is_said_on_the_command_line(monkeypatch):
    seen = []

    def run_single(_spec, options, *_arguments):
        seen.append(options)
        raise Reached

    monkeypatch.setattr(single, "run_single", run_single)
    command = ["configs/digits/tiny18.py", "--protocol", "bn"]
    for options in ([], ["--save-memory", "--val-interval", "2", "--cache-limit", "0.5", "--workers", "3"]):
        with pytest.raises(Reached):
            train.main([*command, *options])
    names = ("save_memory", "val_interval", "cache_limit", "workers")
    found = [tuple(getattr(one, name) for name in names) for one in seen]
    assert found == [
        (False, 0, 20 * 2**30, None),
        (True, 2, 2**29, 3),
    ]
