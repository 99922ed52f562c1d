"""Writes docs/reference/: every command and option, as the code that reads them has them.

python docs/make_reference.py
"""

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from mmbnft.commands import summaries

FOLDER = Path(__file__).resolve().parent / "reference"
USUAL = ("options", "positional arguments")
INTRODUCTION = "Made by `python docs/make_reference.py` from the code that reads the options."


class CapturedError(Exception):
    """Carries a command's parser out of its `main`."""


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser that a command parses with."""

    def capture(parser: argparse.ArgumentParser, *_: Any) -> None:
        raise CapturedError(parser)

    module = importlib.import_module(f"mmbnft.commands.{command.replace('-', '_')}")
    with mock.patch.object(argparse.ArgumentParser, "parse_args", capture):
        try:
            module.main([])
        except CapturedError as captured:
            found: argparse.ArgumentParser = captured.args[0]
            return found
    raise AssertionError(f"{command} parses nothing")


def page(command: str) -> str:
    """The page of a command, its sub-commands included."""
    parser = parser_of(command)
    lines = [f"# mmbnft {command}", "", "```", *(parser.description or "").strip().splitlines(), "```", ""]
    lines += _tables(parser)
    same: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for name, what, sub in _sub_commands(parser):
        same.setdefault(tuple(_tables(sub)), []).append((name, what))
    for tables, names in same.items():
        lines += [f"## {', '.join(name for name, _ in names)}", ""]
        lines += [f"- `{name}`: {what}" for name, what in names] + ["", *tables]
    return "\n".join(lines).rstrip() + "\n"


def _sub_commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            yield from ((name, told.get(name, ""), sub) for name, sub in action.choices.items())


def _tables(parser: argparse.ArgumentParser) -> list[str]:
    lines: list[str] = []
    formatter = parser._get_formatter()
    for group in parser._action_groups:
        rows = [_row(action, formatter) for action in group._group_actions if _is_shown(action)]
        if rows:
            told = f": {group.description}" if group.description else ""
            lines += [] if group.title in USUAL else [f"**{group.title}**{told}", ""]
            lines += ["| | |", "| --- | --- |", *rows, ""]
    return lines


def _is_shown(action: argparse.Action) -> bool:
    return not (
        action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
    )


def _row(action: argparse.Action, formatter: argparse.HelpFormatter) -> str:
    names = [name for name in action.option_strings if "_" not in name] or [str(action.metavar or action.dest)]
    takes = formatter._format_args(action, str(action.metavar or action.dest.upper())) if action.option_strings else ""
    takes = "{" + ", ".join(map(str, action.choices)) + "}" if action.choices and action.option_strings else takes
    text = " ".join(formatter._expand_help(action).split()) if action.help else ""
    if action.dest == "workers" and action.default:  # differs from machine to machine
        text = text.replace(f", here {action.default}", "")
    return f"| `{', '.join(names)}{' ' + takes if takes else ''}` | {text} |".replace("|-", "\\|-")


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    found = {f"{command}.md": page(command) for command in summaries()}
    index = ["# Reference of commands", "", INTRODUCTION, ""]
    index += [f"- [{command}]({command}.md): {what}" for command, what in summaries().items()]
    return found | {"README.md": "\n".join(index) + "\n"}


def main() -> None:
    """Write what differs, and remove the pages of commands that are gone."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        if old.name not in pages():
            old.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
