"""One module a command: `mmbnft NAME`, and in a checkout also `python tools/NAME.py`.

Each has a `main` that parses first and imports what is heavy then; the first line of its docstring is its entry in
`mmbnft --help`. A module put here is a command; nothing lists them a second time.
"""

import ast
import importlib
from collections.abc import Sequence
from pathlib import Path

from mmbnft.utils.command import run_command

__all__ = ["run", "summaries"]


def summaries() -> dict[str, str]:
    """What each command is for, by name; none of them is imported."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[path.stem.replace("_", "-")] = text.partition("\n")[0]
    return found


def run(name: str, argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Args:
        name: One of `summaries()`.
        argv: Its arguments, by default those of the process.
    """

    def main() -> int:
        return int(importlib.import_module(f"mmbnft.commands.{name.replace('-', '_')}").main(argv))

    return run_command(main)
