import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from torch import nn

from mmbnft.evaluation.training.distributed import global_batch_statistics, local_device, open_group
from mmbnft.result_files import read_results
from mmbnft.utils.errors import UserError
from mmbnft.utils.processes import Processes


def _one_of_two(rank, folder, inputs, state):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    layer = nn.BatchNorm2d(3).double()
    layer.load_state_dict(state)
    share = inputs[rank * 3 : rank * 3 + 3].clone().requires_grad_()
    with global_batch_statistics(nn.Sequential(layer), Processes.current()):
        output = layer(share)
    weights = torch.arange(output.numel(), dtype=torch.float64).reshape(output.shape) * (1 + rank)
    (output * weights).sum().backward()
    torch.save((output.detach(), share.grad, layer.weight.grad, layer.state_dict()), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_batch_norm_over_two_processes_is_batch_norm_of_the_global_batch(tmp_path):
    torch.manual_seed(0)
    inputs = torch.randn(6, 3, 4, 4, dtype=torch.float64) * 3 + 1
    layer = nn.BatchNorm2d(3).double()
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.uniform_(-1, 1)
    mp.spawn(_one_of_two, (str(tmp_path), inputs, layer.state_dict()), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    whole = inputs.clone().requires_grad_()
    output = layer(whole)
    block = torch.arange(output.numel() // 2, dtype=torch.float64).reshape(3, 3, 4, 4)
    (output * torch.cat([block, 2 * block])).sum().backward()
    assert torch.allclose(torch.cat([parts[0][0], parts[1][0]]), output, atol=1e-12)
    assert torch.allclose(torch.cat([parts[0][1], parts[1][1]]), whole.grad, atol=1e-10)
    assert torch.allclose(parts[0][2] + parts[1][2], layer.weight.grad, atol=1e-10)
    for name, expected in layer.state_dict().items():
        for part in parts:
            assert torch.allclose(part[3][name], expected, atol=1e-12), name


def run_train(work_dir, launcher, protocol):
    options = ["--work-dir", str(work_dir), "--wandb", "off", "--device", "cpu", "--protocol", protocol]
    sizes = ["task.train_size=70", "task.val_size=30", "task.test_size=51"]
    recipe = ["recipe.epochs=2", "recipe.batch_size=16", "recipe.search.lr=[0.01,0.05]"]
    command = [*launcher, "tools/train.py", "configs/digits/tiny18.py", *options, "--cfg-options", *sizes, *recipe]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    (result,) = read_results(work_dir / "results")
    return result


@pytest.mark.parametrize("protocol", ["bn"])
def test_two_processes_give_the_result_of_one(tmp_path, protocol):
    one = run_train(tmp_path / "one", [sys.executable], protocol)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29533"]
    script_launcher = tmp_path / "launch.py"
    script_launcher.write_text(
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:] + ['--launcher', 'pytorch']\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    two = run_train(tmp_path / "two", [*torchrun, str(script_launcher)], protocol)
    assert two.key == one.key
    assert two.details["processes"] == 2
    assert two.cost["images"] == one.cost["images"]
    losses = [[entry["loss"] for entry in result.details["curve"]] for result in (one, two)]
    # float32 sums in another order; measured differences are below 1e-5
    assert losses[1] == pytest.approx(losses[0], abs=1e-3)
    assert two.value == pytest.approx(one.value, abs=100 * 1 / 51 + 1e-9)
    assert json.loads(next((tmp_path / "two" / "results").glob("*.json")).read_text())["status"] == "ok"


def test_wrong_launchers_and_devices_are_one_sentence(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="unknown launcher 'ray'; allowed: none, pytorch, slurm"):
        open_group("ray", "cpu")
    with pytest.raises(UserError, match="launcher 'pytorch' did not prepare this process .*torchrun"):
        open_group("pytorch", "cpu")
    with pytest.raises(UserError, match="unknown device 'gpu'; allowed: auto, cpu, cuda, cuda:N"):
        local_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="device 'cuda' does not exist: there are 0 CUDA devices.*use --device cpu"):
            local_device("cuda")
        assert local_device("auto").type == "cpu"
    assert Path("tools/train.py").exists()
