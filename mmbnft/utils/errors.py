"""The one exception that reaches a user: a single sentence, never a traceback."""

from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in what the caller handed over.

    The message is one sentence that says what was wrong, the value received, what is allowed and what to do next.
    """

    def __init__(self, message: str) -> None:
        # A data loader re-raises a worker's exception with the worker's whole traceback as its message; what the user
        # needs is the sentence at its end.
        super().__init__(message.rpartition("UserError: ")[2].strip())


class DivergedError(UserError):
    """Training left the finite numbers: this rate is too high, another may do."""


def choices(names: Iterable[str]) -> str:
    """Format allowed names for an error message, sorted and comma-separated."""
    return ", ".join(sorted(names))
