"""Help of every command: an example, a word on every option, defaults, and the names that there are."""

import argparse
import importlib

import pytest

from mmbnft.commands import _options, summaries
from mmbnft.evaluation.proxies import SCORES
from mmbnft.protocols import PRESETS
from mmbnft.recipes import NAMED


class Parsed(Exception):
    """Carries the parser that a command made."""


def parser_of(name, monkeypatch):
    def caught(self, *_arguments):
        raise Parsed(self)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", caught)
    with pytest.raises(Parsed) as found:
        importlib.import_module(f"mmbnft.commands.{name.replace('-', '_')}").main([])
    return found.value.args[0]


def with_parts(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                yield from with_parts(part)


@pytest.mark.parametrize("name", summaries())
def test_every_command_has_an_example_and_a_word_on_every_option(name, monkeypatch):
    parser = parser_of(name, monkeypatch)
    assert "\nExample" in parser.description
    assert f"mmbnft {name}" in parser.description
    for part in with_parts(parser):
        assert part.description
        silent = [action.dest for action in part._actions if not action.help and action.nargs != argparse.PARSER]
        assert not silent


@pytest.mark.parametrize("name", ["train", "benchmark", "few-shot", "select", "rank", "pretrain"])
def test_every_default_is_shown(name, monkeypatch):
    parser = parser_of(name, monkeypatch)
    text = " ".join(parser.format_help().split())
    for action in parser._actions:
        plain = isinstance(action.default, (int, float, str)) and not isinstance(action.default, bool)
        if plain and action.default not in ("", argparse.SUPPRESS) and action.help != argparse.SUPPRESS:
            own = text.partition(f" {action.option_strings[-1]} ")[2]
            assert str(action.default) in own.partition("default")[2][:60], action.dest


def test_options_are_in_groups(monkeypatch):
    for name in ("train", "benchmark", "few-shot"):
        titles = [group.title for group in parser_of(name, monkeypatch)._action_groups if group._group_actions]
        assert len(titles) > 4


def test_names_that_help_lists_are_those_there_are():
    assert {*_options.PROTOCOLS.split(", ")} - {"partial:K"} == {*PRESETS} - {"partial"}
    assert {*_options.SCORES.split(", ")} == set(SCORES)
    assert {*_options.RECIPES.split(", ")} == set(NAMED)
