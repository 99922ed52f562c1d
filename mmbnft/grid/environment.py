"""What a machine must have for a grid, looked at once before hours are spent on its runs."""

from collections.abc import Iterable
from pathlib import Path

from mmbnft.evaluation.training.distributed import local_device
from mmbnft.grid.job import Job
from mmbnft.grid.store import storing
from mmbnft.utils.errors import MachineError, UserError
from mmbnft.utils.files import atomic_file

ROOM = 1 << 16  # bytes; less would not even hold a few results


def check_device(device: str, jobs: Iterable[Job] = ()) -> None:
    """Make sure that this machine has a device, and that the device has the precision that jobs ask for.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        jobs: What is to be executed, as far as it is known.

    Raises:
        MachineError: The device is not there, or a job computes in bfloat16 and it is a CPU.
    """
    try:
        chosen = local_device(device)
    except UserError as error:
        raise MachineError(str(error)) from error
    for job in jobs:
        if job.precision != "float32" and chosen.type == "cpu":
            raise MachineError(
                f"{job.label} uses {job.precision}, which needs a GPU, but the device is cpu; set "
                "recipe.precision=float32, or use --device cuda on a machine with a GPU"
            )


def check_room(folder: Path) -> None:
    """Make sure that results can be written to a folder, which is made if needed, and that the disk has room.

    Raises:
        MachineError: They cannot, or it has not.
    """
    probe = folder / ".room"
    with storing(folder):
        try:
            with atomic_file(probe) as stream:
                stream.write(b"\0" * ROOM)
        finally:
            probe.unlink(missing_ok=True)
