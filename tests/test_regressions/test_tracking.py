"""Nothing is uploaded unasked, and no run dies of its tracker."""

import types
from pathlib import Path

import pytest

from mmbnft.evaluation.tracking import Tracking
from mmbnft.hooks import BnftWandbHook
from mmbnft.utils.errors import UserError

RUNNER = types.SimpleNamespace(work_dir="unused", iter=3, hooks=[])


@pytest.fixture(autouse=True)
def account(monkeypatch, tmp_path):
    """A key in the environment; nothing else of this machine's."""
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)


@pytest.fixture
def opened(monkeypatch):
    """The modes W&B is opened in; it cannot reach the network."""
    modes = []

    def init(mode, **_options):
        modes.append(mode)
        if mode == "online":
            raise ConnectionError("no route to host")
        return types.SimpleNamespace(summary={}, finish=lambda: None)

    monkeypatch.setattr("wandb.init", init)
    return modes


def test_a_key_alone_uploads_nothing(opened, tmp_path, capsys):
    hook = BnftWandbHook(folder=str(tmp_path))
    hook.before_run(RUNNER)
    assert opened == ["offline"]
    assert capsys.readouterr().err == ""


def test_online_without_the_network_goes_on_offline(opened, tmp_path, capsys):
    hook = BnftWandbHook(mode="online", folder=str(tmp_path))
    hook.before_run(RUNNER)
    assert opened == ["online", "offline"]
    assert capsys.readouterr().err == (
        "warning: W&B did not start online (no route to host); this run is kept offline, `wandb sync` sends it later\n"
    )
    hook.before_run(RUNNER)  # the next phase does not try again
    assert opened == ["online", "offline"]


def test_online_without_a_key_is_one_sentence_before_training(monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(UserError, match="no account is set up here; run `wandb login`"):
        Tracking(wandb="online").hooks(Path("unused"), {})


def test_a_tracker_that_cannot_start_is_left_away(monkeypatch, tmp_path, capsys):
    def init(**_options):
        raise RuntimeError("service is not running\nmore")

    monkeypatch.setattr("wandb.init", init)
    hook = BnftWandbHook(folder=str(tmp_path))
    hook.before_run(RUNNER)
    hook.after_run(RUNNER)
    hook.close({"value": 1.0})
    said = capsys.readouterr().err
    assert said == "warning: W&B did not start (service is not running); this run continues without it\n"


@pytest.mark.parametrize("fails", ["update", "finish"])
def test_a_tracker_that_cannot_close_costs_nothing(fails, capsys):
    def fail(*_arguments):
        raise BrokenPipeError("the service is gone")

    hook = BnftWandbHook()
    summary = types.SimpleNamespace(update=fail if fails == "update" else dict)
    hook._run = types.SimpleNamespace(summary=summary, finish=fail)
    hook.close({"value": 1.0})
    hook.close({})
    assert capsys.readouterr().err == "warning: W&B did not close (the service is gone)\n"


def test_a_finished_bar_names_no_remaining_time(monkeypatch):
    import io

    from rich.console import Console

    from mmbnft.hooks import progress_bar

    bar = progress_bar()
    task = bar.add_task("training", total=2, completed=1, note="")
    texts = []
    for completed in (1, 2):
        bar.update(task, completed=completed)
        console = Console(file=io.StringIO(), width=120)
        console.print(bar.get_renderable())
        texts.append(console.file.getvalue())
    assert "left" in texts[0]
    assert "left" not in texts[1]
