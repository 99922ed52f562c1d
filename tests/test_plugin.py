"""Proof that mmbnft is a plugin: MMSelfSup's own train.py, unmodified, trains with it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmbnft.models import ProtocolBackbone
from mmbnft.result_files import read_results

CONFIG = "configs/digits/mmselfsup_bn.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Work dir and output of one epoch (23 steps) of the host's script."""
    work_dir = tmp_path_factory.mktemp("host")
    host = Path(importlib.util.find_spec("mmselfsup").submodule_search_locations[0]) / ".mim" / "tools" / "train.py"
    command = [sys.executable, "-m", "mmbnft", str(host), CONFIG, "--work-dir", str(work_dir), "--seed", "0"]
    command += ["--cfg-options", f"custom_hooks.3.out={work_dir}/results"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return work_dir, done.stdout + done.stderr


def test_it_trains_with_wrapper_and_hooks(trained):
    _, output = trained
    assert "Epoch [1][20/23]" in output
    for hook in ("ProtocolHook", "ProtocolAuditHook", "ResultHook", "BnftWandbHook"):
        assert hook in output


def test_its_checkpoint_has_the_plain_backbones_keys_and_kept_the_protocol(trained):
    work_dir, _ = trained
    state = torch.load(work_dir / "epoch_1.pth", weights_only=True)["state_dict"]
    keys = [key.removeprefix("backbone.") for key in state if key.startswith("backbone.")]
    inner = dict(type="ResNet", depth=18, base_channels=16, stem_channels=16, norm_cfg=dict(type="BN"))
    assert keys == list(ProtocolBackbone(inner, "bn").state_dict())
    assert state["backbone.bn1.num_batches_tracked"] == 23


def test_its_result_is_recorded(trained):
    work_dir, _ = trained
    (result,) = read_results(work_dir / "results")
    assert (result.task, result.protocol, result.seed, result.status) == ("digits", "bn", 0, "ok")
    assert list(work_dir.glob("wandb/offline-run-*"))


def test_entry_refuses_a_missing_script():
    done = subprocess.run([sys.executable, "-m", "mmbnft", "no/such.py"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: there is no script no/such.py; usage")
