import subprocess
import sys
import types

import pytest
import torch

from mmbnft import compat


@pytest.mark.parametrize("version", ["2.0.0", "2.2.0", "1.6.2"])
def test_wrong_mmcv_is_refused_in_one_sentence(version):
    with pytest.raises(compat.StackError, match=rf"needs mmcv .* 1\.7\.2, found {version}; install"):
        compat.check_mmcv(version)


def test_old_torch_is_refused():
    with pytest.raises(compat.StackError, match=r"needs torch 2\.6 or newer, found 1\.13\.1"):
        compat.check_torch("1.13.1")
    compat.check_torch("2.13.0+cpu")


def test_missing_package_is_named(monkeypatch):
    with pytest.raises(compat.StackError, match="needs no_such_package, which cannot be imported"):
        compat._imported("no_such_package")


def test_package_that_breaks_at_import_is_named(tmp_path, monkeypatch):
    (tmp_path / "broken_ops.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(compat.StackError, match="broken_ops does not fit the packages installed beside it"):
        compat._imported("broken_ops")


def test_mmcv_2_gives_one_sentence_at_import_mmbnft(tmp_path):
    (tmp_path / "mmcv.py").write_text("__version__ = '2.1.0'")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import mmbnft.plugin"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0
    assert last.startswith("mmbnft.compat.StackError: mmbnft is a plugin of the mmcv 1.x stack")
    assert "found 2.1.0" in last


def test_torchvision_works_after_declaration():
    from torchvision.transforms import functional

    image = torch.arange(3 * 4 * 4, dtype=torch.float32).reshape(3, 4, 4)
    assert functional.hflip(image)[0, 0, 0] == image[0, 0, 3]
    assert hasattr(torch.ops.torchvision, "nms")


def test_operators_are_declared_once():
    assert compat.declare_torchvision_operators() is False


def test_healthy_torchvision_is_left_alone(monkeypatch):
    monkeypatch.setattr(compat, "_TORCHVISION_SCHEMAS", [])
    monkeypatch.setattr(compat, "_torchvision_library_loads", lambda: True)
    assert compat.declare_torchvision_operators() is False
    assert compat._TORCHVISION_SCHEMAS == []


def test_cuda_calls_stay_on_the_cpu_inside_the_context_only():
    tensor, module = torch.ones(2), torch.nn.Linear(2, 2)
    with compat.pretraining_without_cuda():
        assert torch.distributed.get_world_size() == 1
        if not torch.cuda.is_available():
            assert tensor.cuda() is tensor
            assert module.cuda() is module
    assert not torch.distributed.is_initialized()
    if not torch.cuda.is_available():
        with pytest.raises((AssertionError, RuntimeError)):
            tensor.cuda()


def test_no_epoch_pause_replaces_only_the_runners_sleep():
    import time

    from mmcv.runner import epoch_based_runner

    with compat.no_epoch_pause():
        started = time.perf_counter()
        epoch_based_runner.time.sleep(5)
        assert time.perf_counter() - started < 1
        assert isinstance(epoch_based_runner.time, types.SimpleNamespace)
        assert time.sleep.__module__ == "time"
    assert epoch_based_runner.time is time


def test_versions_name_the_packages_that_matter():
    found = compat.versions()
    assert found["mmcv"].startswith("1.")
    assert set(found) >= {"torch", "mmcls", "mmselfsup", "numpy"}
    assert "absent" not in found.values()


OPTIMISED = """
import mmbnft.host, sys, torch
layer = torch.nn.Linear(2, 1, bias=False)
torch.nn.init.ones_(layer.weight)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.5)
loss = lambda: layer(torch.ones(1, 2)).sum()
loss().backward()
optimizer.step()
assert torch.is_grad_enabled()
torch.testing.assert_close(layer.weight, torch.full((1, 2), 0.9))
assert "torch._dynamo" not in sys.modules
optimizer.zero_grad()
torch.compile(loss, backend="eager")().backward()  # who compiles gets the compiler, and trains on
optimizer.step()
torch.testing.assert_close(layer.weight, torch.full((1, 2), 0.9 - 0.1 * 1.5))
"""


def test_optimisers_step_without_the_compiler_and_beside_it():
    """Two steps with a gradient of one: 0.1, then 0.1 * (1 + 0.5)."""
    done = subprocess.run([sys.executable, "-c", OPTIMISED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("differentiable", [True, False])
def test_a_step_runs_with_the_gradients_that_its_optimiser_states(differentiable):
    optimizer = types.SimpleNamespace(defaults={"differentiable": differentiable})
    step = compat._with_stated_gradients(lambda self, closure=None: (torch.is_grad_enabled(), closure))
    assert step(optimizer, closure=3) == (differentiable, 3)
    assert torch.is_grad_enabled()
