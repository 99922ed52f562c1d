import errno

import pytest
import torch

from mmbnft.utils.errors import DivergedError, MachineError, UserError, failure_kind


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
