"""The Slurm scripts hand on what they should; `echo` stands for Python and Slurm's own commands are stand-ins."""

import os
import subprocess
from pathlib import Path

import pytest

SLURM = Path(__file__).parents[2] / "tools/slurm"


@pytest.fixture
def submit(tmp_path):
    for name, body in (("srun", 'exec "$@"'), ("scontrol", "printf 'node7\\nnode8\\n'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)

    def run(script, *arguments, **variables):
        given = {f"SLURM_{name}": value for name, value in variables.items()}
        environment = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}", PYTHON="echo", **given)
        command = ["bash", str(SLURM / script), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()

    return run


def test_an_array_task_takes_its_share(submit):
    said = submit("benchmark.sbatch", "c.py", ARRAY_TASK_ID="2", ARRAY_TASK_COUNT="8", CPUS_PER_TASK="4")
    assert said == ["tools/benchmark.py", "c.py", "--shard", "2/8", "--workers", "4"]


def test_one_large_run_is_started_by_torchrun_on_every_node(submit):
    said = submit("run.sbatch", "c.py", JOB_NODELIST="node[7-8]", JOB_NUM_NODES="2", JOB_ID="5", GPUS_ON_NODE="4")
    assert said[:6] == ["-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "4"]
    assert "node7:29500" in said
    assert said[-5:] == ["tools/train.py", "c.py", "--launcher", "pytorch", "--resume"]
