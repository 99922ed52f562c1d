"""The console command, the scripts of tools/ and the commands of the package are one thing."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmbnft import __version__
from mmbnft.__main__ import main
from mmbnft.commands import summaries

TOOLS = Path(__file__).parents[1] / "tools"
RENAMED = {"describe_protocol": "describe"}


@pytest.fixture(autouse=True)
def _arguments_of_the_process(monkeypatch):
    monkeypatch.setattr(sys, "argv", sys.argv)


def test_every_script_of_tools_is_a_command_and_the_other_way_round():
    scripts = {path.stem: path.read_text(encoding="utf-8") for path in TOOLS.glob("*.py")}
    named = {script: RENAMED.get(script, script).replace("_", "-") for script in scripts}
    assert set(named.values()) == set(summaries())
    for script, text in scripts.items():
        assert f'sys.exit(run("{named[script]}"))' in text, script


def test_a_script_and_its_command_have_the_same_options(capsys):
    with pytest.raises(SystemExit):
        main(["few-shot", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: mmbnft few-shot ")
    script = [sys.executable, str(TOOLS / "few_shot.py"), "--help"]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: few_shot.py ")
    assert done.stdout.partition("\n\n")[2] == said.partition("\n\n")[2]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_says_what_each_command_is_for(arguments, capsys):
    assert main(arguments) == 0
    said = capsys.readouterr().out
    for name, summary in summaries().items():
        assert f"  {name} " in said
        assert summary.endswith("."), name
        assert summary in said


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mmbnft {__version__}\n"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("benchmrk", "there is no command 'benchmrk'; did you mean 'benchmark'"),
        ("zzz", "there is no command 'zzz'; the commands are analyze, benchmark, "),
        ("few_shot", "there is no command 'few_shot'; did you mean 'few-shot'"),
        ("none.py", "there is no script none.py; usage: mmbnft COMMAND"),
    ],
)
def test_an_unknown_command_is_one_sentence(name, sentence, capsys):
    assert main([name]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {sentence}")
    assert said.count("\n") == 1


def test_the_status_of_a_command_is_that_of_the_process(tmp_path, capsys):
    assert main(["rank", str(tmp_path / "none.csv")]) == 2
    assert "there is no source" in capsys.readouterr().err
