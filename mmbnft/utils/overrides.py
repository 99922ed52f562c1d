"""Settings given on the command line as KEY=VALUE, in the syntax of mmcv's DictAction."""

import argparse
import itertools
from collections.abc import Sequence
from typing import Any

_WORDS = {"true": True, "false": False}
_BRACKETS = {"(": ")", "[": "]"}


class DictAction(argparse.Action):
    """Collects KEY=VALUE arguments in a dictionary; see `parse_value` for the values."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the arguments to those collected before."""
        found = dict(getattr(namespace, self.dest) or {})
        for text in values or ():
            key, separator, value = str(text).partition("=")
            if not separator or not key:
                parser.error(f"argument {option_string}: {text!r} is not KEY=VALUE, e.g. recipe.epochs=5")
            try:
                found[key] = parse_value(value)
            except ValueError as error:
                parser.error(f"argument {option_string}: {error}")
        setattr(namespace, self.dest, found)


def parse_value(text: str) -> Any:
    """What a value of the command line means.

    Args:
        text: A whole number, a number, `true`, `false`, `None`, or else text; several of them, separated by commas or
            in brackets, make a list, in parentheses a tuple. Both may be nested: `[(1,2),(3,4)]`.

    Raises:
        ValueError: Brackets do not match.
    """
    stripped = text.strip().strip("'\"").strip()
    commas = _commas(stripped)
    if commas:
        return _parse_parts(stripped, commas)
    closing = _BRACKETS.get(stripped[:1])
    if closing is None or not stripped.endswith(closing):
        return _parse_word(stripped)
    inner = stripped[1:-1].strip()
    values = _parse_parts(inner, _commas(inner))
    return tuple(values) if closing == ")" else values


def _parse_parts(text: str, commas: list[int]) -> list[Any]:
    """The values between commas at these positions; after the last one there may be none."""
    bounds = [-1, *commas, len(text)]
    parts = [text[start + 1 : end] for start, end in itertools.pairwise(bounds)]
    return [parse_value(part) for part in (parts if parts[-1].strip() else parts[:-1])]


def _commas(text: str) -> list[int]:
    """Where the commas outside of brackets are."""
    found, expected = list[int](), list[str]()
    for position, character in enumerate(text):
        if character in _BRACKETS:
            expected.append(_BRACKETS[character])
        elif character in _BRACKETS.values() and (not expected or expected.pop() != character):
            raise ValueError(f"the brackets in {text!r} do not match")
        elif character == "," and not expected:
            found.append(position)
    if expected:
        raise ValueError(f"the brackets in {text!r} do not match")
    return found


def _parse_word(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None if text == "None" else _WORDS.get(text.lower(), text)
