"""Stand-ins for what a checkpoint refers to besides tensors and plain values: nothing foreign is imported or called."""

from typing import Any

# Nothing that belongs to training refers to these; a file that does wants to run something.
_NEVER = frozenset(
    (
        "__builtin__", "_posixsubprocess", "builtins", "code", "codeop", "commands", "ctypes", "dill", "functools",
        "importlib", "io", "marshal", "multiprocessing", "nt", "operator", "os", "pdb", "pickle", "pip", "posix",
        "profile", "pty", "pydoc", "runpy", "shutil", "signal", "socket", "subprocess", "sys", "tempfile", "threading",
        "timeit", "types", "urllib", "webbrowser", "zipimport",
    )
)  # fmt: skip
# Harmless values of Python's own that weights_only does not know, and containers that a file fills later.
_HARMLESS = frozenset(f"{module}.{name}" for module in ("__builtin__", "builtins")
                      for name in ("bytearray", "bytes", "complex", "frozenset", "object", "slice"))  # fmt: skip


def _mapping(*args: Any) -> dict[Any, Any]:
    return {}


def _sequence(*args: Any) -> list[Any]:
    return []


_FILLED = {"collections.defaultdict": _mapping, "collections.deque": _sequence}


class Inert:
    """An object of a foreign class or the outcome of a foreign function: keeps nothing and does nothing.

    Attributes:
        origin: Dotted name of the class or function.
    """

    origin = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> "Inert":
        """Take whatever the file hands over, and drop it."""
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take whatever the file hands over, and drop it."""

    def __setstate__(self, state: Any) -> None:
        """Drop the state."""


def may_stand_in(name: str) -> bool:
    """Whether an inert object may take the place of the dotted `name`, rather than the file being refused."""
    return name in _HARMLESS or name.partition(".")[0] not in _NEVER


def stand_in(name: str) -> Any:
    """What takes the place of the dotted `name` of a class or function: inert, or an empty plain container."""
    return _FILLED.get(name) or type("Inert", (Inert,), {"origin": name})


def origin_of(value: Any) -> str:
    """Dotted name of what an inert object stands for; empty for anything else."""
    if isinstance(value, Inert) or (isinstance(value, type) and issubclass(value, Inert)):
        return value.origin
    return ""
