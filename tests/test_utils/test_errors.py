import errno

import pytest
import torch

from mmbnft.utils.errors import DivergedError, MachineError, UserError, failure_kind, meant, meant_path


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UserError("a wrong setting"), "input"),
        (DivergedError("the loss is nan"), "diverged"),
        (MachineError("no device"), "environment"),
        (OSError(errno.EROFS, "Read-only file system"), "environment"),
        (RuntimeError("DataLoader worker (pid 1) is killed by signal: Bus error. It is possible that dataloader's "
                      "workers are out of shared memory."), "environment"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "environment"),
        (RuntimeError("CUDA error: out of memory"), "memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "memory"),
        (MemoryError(), "memory"),
        (OSError(errno.ENOMEM, "Out of memory"), "memory"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "bug"),
        (KeyError("x"), "bug"),
    ],
)  # fmt: skip
def test_every_exception_has_a_kind(error, kind):
    assert failure_kind(error) == kind


def test_torch_s_own_error_is_recognised():
    with pytest.raises(RuntimeError) as error:
        torch.empty(10**15)
    assert failure_kind(error.value) == "memory"


def test_near_names_are_offered_and_far_ones_are_not(tmp_path):
    assert meant("bnn", ["bn", "linear"]) == "; did you mean 'bn'?"
    assert meant({"epoch", "lrr"}, ["epochs", "lr"]) == "; did you mean 'epochs' and 'lr'?"
    assert meant("VPULAB", ["vpulab"]) == "; did you mean 'vpulab'?"
    assert meant("quite_else", ["bn", "linear"]) == ""
    (tmp_path / "tiny18.py").touch()
    assert meant_path(tmp_path / "tiny8.py") == f"; did you mean '{tmp_path / 'tiny18.py'}'?"
    assert meant_path(tmp_path / "absent" / "x.py") == ""
