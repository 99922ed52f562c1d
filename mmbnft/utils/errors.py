"""The exceptions that reach a user, each a single sentence, and what kind of failure any exception is."""

import difflib
from collections.abc import Iterable
from pathlib import Path

# What was asked for is wrong; training left the finite numbers; the machine lacks a device, a right or room; it lacks
# memory; or this code is wrong. Those of the machine may be gone the next time.
FAILURE_KINDS = ("input", "diverged", "environment", "memory", "bug")
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
_NO_MACHINE = ("CUDA error", "NCCL error", "cuDNN error", "No CUDA GPUs", "DataLoader worker", "unable to mmap",
               "unable to open shared memory", "received 0 items of ancdata", "Too many open files")  # fmt: skip


class UserError(ValueError):
    """A mistake in what the caller handed over.

    The message is one sentence that says what was wrong, the value received, what is allowed and what to do next.

    Attributes:
        kind: One of `FAILURE_KINDS`.
    """

    kind = "input"

    def __init__(self, message: str) -> None:
        # A data loader re-raises a worker's exception with the worker's whole traceback as its message; what the user
        # needs is the sentence at its end.
        super().__init__(message.rpartition("UserError: ")[2].strip())


class DivergedError(UserError):
    """Training left the finite numbers: this learning rate is too high, another may do."""

    kind = "diverged"


class MachineError(UserError):
    """The machine lacks something, such as a device, a right, or room on the disk; what was asked for may be right."""

    kind = "environment"


def failure_kind(error: BaseException) -> str:
    """Which of `FAILURE_KINDS` an exception is.

    Args:
        error: Any exception that ended a run.
    """
    if isinstance(error, UserError):
        return error.kind
    text = str(error)
    # torch's own exception, by its name, so that nothing has to be imported to tell.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "memory"
    if isinstance(error, RuntimeError | OSError) and any(sign in text.lower() for sign in _NO_MEMORY):
        return "memory"
    if isinstance(error, RuntimeError) and any(sign in text for sign in _NO_MACHINE):
        return "environment"
    return "environment" if isinstance(error, OSError) else "bug"


def choices(names: Iterable[str]) -> str:
    """Format allowed names for an error message, sorted and comma-separated."""
    return ", ".join(sorted(names))


def meant(names: str | Iterable[str], allowed: Iterable[str]) -> str:
    """`; did you mean 'bn'?` for names that are near an allowed one, as part of an error message; else "".

    Args:
        names: What was given and is unknown.
        allowed: What there is.
    """
    known = {name.lower(): name for name in allowed}
    given = [names] if isinstance(names, str) else sorted(names)
    near = [known[match] for name in given for match in difflib.get_close_matches(name.lower(), known, 1)]
    return f"; did you mean {' and '.join(repr(name) for name in near)}?" if near else ""


def meant_path(path: Path | str) -> str:
    """`meant` for a path that does not exist: what its nearest existing folder has instead."""
    path = Path(path)
    for folder, name in zip(path.parents, path.parts[::-1], strict=False):
        if folder.is_dir():
            near = difflib.get_close_matches(name, [entry.name for entry in folder.iterdir()], 1)
            return f"; did you mean {str(folder / near[0])!r}?" if near else ""
    return ""
