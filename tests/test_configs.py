"""Every configuration builds and means what its name says."""

from pathlib import Path

import pytest

from mmbnft.benchmark import Benchmark
from mmbnft.engine import describe_run, load_config, spec_from_config

RUNS = sorted(str(path) for folder in ("digits", "own") for path in Path("configs", folder).glob("*.py"))
BENCHMARKS = sorted(str(path) for path in Path("configs/benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", [path for path in RUNS if "mmselfsup" not in path])
def test_run_configurations_follow_their_names(path):
    spec = spec_from_config(load_config(path))
    model, protocol = Path(path).stem.split("_", 1)
    assert spec.protocol == protocol
    assert spec.model["backbone"]["depth"] == {"tiny18": 18, "resnet50": 50}[model]
    assert len(Path(path).read_text().splitlines()) < 15


@pytest.mark.parametrize("path", BENCHMARKS)
def test_benchmark_configurations_are_grids(path):
    benchmark = Benchmark.from_config(load_config(path))
    assert benchmark.name == Path(path).stem
    assert benchmark.target in benchmark.protocols


def test_arms_of_one_task_differ_in_nothing_but_the_protocol():
    for folder in ("digits", "own"):
        paths = [path for path in RUNS if f"/{folder}/" in path and "mmselfsup" not in path]
        specs = [spec_from_config(load_config(path)) for path in paths]
        assert len({spec.protocol for spec in specs}) == len(specs) == 4
        assert all(spec.recipe == specs[0].recipe and spec.model == specs[0].model for spec in specs)


def test_description_names_layers_and_totals():
    text = describe_run(spec_from_config(load_config("configs/own/resnet50_bn_paper.py")))
    assert "vpulab/bn_finetuning" in text
    assert "values that train: 37,888 of 23,508,032 (0.1612 % of the backbone)" in text
