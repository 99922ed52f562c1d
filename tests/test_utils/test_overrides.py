import argparse

import pytest
from mmcv import DictAction as HostAction

from mmbnft.utils.overrides import DictAction, parse_value

TEXTS = [
    "5", "-3", "0.1", "1e-3", "true", "False", "None", "none", "swav", "a,b", "1,2.5,x", "[1]", "[0.01,0.05]", "(1,2)",
    "[(1,2),(3,4)]", "[(1, 2, 3), [a, b], c]", "'quoted'", "[]", "()", "runs/a=b.pth", "1,", "[[1],[2,(3,)]]", "",
    "dict(x)",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_values_are_those_of_the_hosts_action(text):
    assert parse_value(text) == HostAction._parse_iterable(text)


def parser(action):
    made = argparse.ArgumentParser()
    made.add_argument("--cfg-options", nargs="+", action=action, default={})
    return made


def test_arguments_make_a_dictionary():
    given = ["--cfg-options", "recipe.epochs=5", "load_from=a=b.pth", "recipe.search.lr=[1,2]"]
    expected = {"recipe.epochs": 5, "load_from": "a=b.pth", "recipe.search.lr": [1, 2]}
    assert parser(DictAction).parse_args(given).cfg_options == expected
    assert parser(HostAction).parse_args(given).cfg_options == expected


def test_options_given_twice_add_up_and_names_keep_their_spaces():
    given = ["--cfg-options", "a=1", "--cfg-options", "load_from=my weights.pth"]
    assert parser(DictAction).parse_args(given).cfg_options == {"a": 1, "load_from": "my weights.pth"}
    assert parser(DictAction).parse_args([]).cfg_options == {}


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [("recipe.epochs", "is not KEY=VALUE"), ("a=[1,2", "do not match"), ("a=(1]", "do not match")],
)
def test_mistakes_are_one_sentence(argument, sentence, capsys):
    with pytest.raises(SystemExit, match="2"):
        parser(DictAction).parse_args(["--cfg-options", argument])
    assert sentence in capsys.readouterr().err
