"""Commands start at once: what each start loads is counted in modules, in processes of their own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmbnft.results import Coordinates, write_result

ROOT = Path(__file__).parents[1]
HOST = ("mmcv", "mmcls", "mmselfsup", "torchvision")
HEAVY = (*HOST, "torch", "pandas", "scipy", "sklearn", "matplotlib", "timm", "wandb", "ray")


def loaded(code: str) -> set[str]:
    """Names of the modules loaded after `code`, in a process of its own."""
    last = "\nimport sys, json\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code + last], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return set(json.loads(done.stdout.splitlines()[-1]))


def modules(*folders: str) -> list[str]:
    """Every module of some folders of the package."""
    paths = [path for folder in folders for path in sorted((ROOT / "mmbnft" / folder).rglob("*.py"))]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


def test_the_package_itself_loads_nothing():
    assert not loaded("import mmbnft; assert mmbnft.__version__") & set(HEAVY)


def test_help_of_every_command_loads_nothing_heavy():
    code = """
import contextlib, io
from mmbnft.__main__ import main
from mmbnft.commands import summaries
assert {"train", "prepare-data"} < set(summaries())
for name in summaries():
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main([name, "--help"])
"""
    assert not loaded(code) & {*HEAVY, "numpy", "PIL"}


def test_listing_checkpoints_needs_no_torch():
    code = """
from mmbnft.__main__ import main
main(["checkpoints", "list"])
"""
    assert not loaded(code) & set(HEAVY)


@pytest.mark.parametrize(("words", "wanted"), [("list", {"pandas"}), ("failures", set())])
def test_looking_at_results_needs_no_torch(tmp_path, words, wanted):
    where = ("tiny-simclr", "digits", "bn", "small", 0, 0)
    write_result(tmp_path, Coordinates(*where, key="a" * 64, metric="top1").succeeded(50.0, {"seconds": 1.0}, {}))
    found = loaded(f"from mmbnft.__main__ import main\nmain(['results', {words!r}, {str(tmp_path)!r}])")
    assert found & set(HEAVY) == wanted


def test_ranking_needs_no_torch():
    found = loaded("\n".join(f"import {name}" for name in [*modules("ranking"), "mmbnft.results"]))
    assert not found & {*HOST, "torch", "sklearn"}


def test_ranking_loads_matplotlib_only_to_draw():
    assert "matplotlib" not in loaded("import mmbnft.ranking, mmbnft.ranking.report")


# What an episode run needs of the host is the building of networks and the reading of images.
EPISODE_RUNS = {"mmbnft.fewshot.arm", "mmbnft.fewshot.episode_run", "mmbnft.fewshot.episode_images"}


def test_rooms_that_must_outlive_the_host_do_not_load_it():
    names = (
        set(modules("protocols", "zoo", "ranking", "fewshot", "evaluation/solvers", "recipes", "utils")) - EPISODE_RUNS
    )
    assert not loaded("\n".join(f"import {name}" for name in sorted(names))) & set(HOST)


def test_the_host_is_imported_in_one_place():
    wanted = re.compile(rf"^\s*(?:from|import) (?:{'|'.join(HOST)})\b", re.MULTILINE)
    found = [path.name for path in (ROOT / "mmbnft").rglob("*.py") if wanted.search(path.read_text())]
    # Networks and weights of torchvision come from the library itself, when one is asked for.
    assert sorted(found) == ["host.py", "library.py", "origins.py"]


@pytest.fixture(scope="module")
def with_host():
    """What importing everything that a run and a worker need has loaded, and how noisily."""
    code = "import mmbnft.plugin, mmbnft.evaluation.single, mmbnft.grid.worker, mmbnft.grid.grid"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(json.loads(done.stdout)), done.stderr


def test_the_host_loads_without_what_no_run_needs(with_host):
    found, _ = with_host
    assert {"mmcv", "mmcls", "mmselfsup"} <= found
    assert not found & {"torch._dynamo", "timm", "wandb", "matplotlib.pyplot", "sklearn", "ray"}


def test_training_never_imports_the_compiler():
    code = """
import mmbnft.host, torch
from mmbnft.evaluation.cost import multiply_adds
for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
    layer = torch.nn.Linear(2, 3)
    optimizer = kind(layer.parameters(), lr=0.1)
    optimizer.zero_grad()
    assert multiply_adds(lambda: layer(torch.ones(5, 2)).sum().backward()) == 2 * 5 * 2 * 3
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
"""
    assert "torch._dynamo" not in loaded(code)


def test_the_host_says_nothing_at_import(with_host):
    assert with_host[1] == ""
