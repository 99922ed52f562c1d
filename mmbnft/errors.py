"""The one exception that reaches a user: a single sentence, never a traceback."""


class UserError(ValueError):
    """A mistake in what the caller handed over.

    The message is one sentence that says what was wrong, the value received, what is allowed and what to do next.
    """


def choices(names: "list[str] | tuple[str, ...] | set[str]") -> str:
    """Format allowed names for an error message, sorted and comma-separated."""
    return ", ".join(sorted(names))
