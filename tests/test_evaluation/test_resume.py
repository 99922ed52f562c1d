import dataclasses

import pytest
import torch

from mmbnft.evaluation import session
from mmbnft.evaluation.run import execute
from mmbnft.evaluation.session import Session, discard_state
from mmbnft.evaluation.training.epochs import Position
from mmbnft.utils.errors import UserError

WORK = ("images", "multiply_adds")


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def state_file(options):
    """The state of the one run in the work dir."""
    (path,) = options.work_dir.glob("resume-*.pth")
    return path


def run_and_kill(spec, options, monkeypatch, states, method="_write"):
    """Execute until the session's `method` has been called `states` times, then die.

    With `_write` every state handed on is written, so that a run can be killed at each of them; with `save` only those
    that are due.
    """
    real, count = getattr(Session, method), [0]

    def counted(self, *args):
        real(self, *args)
        if method == "_write":
            self._due = 0.0
        count[0] += 1
        if count[0] == states:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Session, method, counted)
        with pytest.raises(Killed):
            execute(spec, options)


def test_resumed_run_equals_the_uninterrupted_one(make_spec, make_recipe, options, monkeypatch):
    recipe = make_recipe(
        epochs=2,
        search=dict(lr=[0.01, 0.1]),
        lr_config=dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False),
        train_pipeline=[dict(type="RandomResizedCrop", size=32), dict(type="RandomHorizontalFlip")],
    )
    spec = make_spec("bn", recipe)
    whole = execute(spec, options)
    # States are written inside the first trial, after it, inside the second, after it, and inside the refit.
    for states in (1, 2, 3, 4, 5):
        run_and_kill(spec, options, monkeypatch, states)
        assert state_file(options).exists()
        resumed = execute(spec, dataclasses.replace(options, resume=True))
        assert resumed.value == whole.value
        assert [e["loss"] for e in resumed.details["curve"]] == [e["loss"] for e in whole.details["curve"]]
        assert resumed.details["search"] == whole.details["search"]
        assert {name: resumed.cost[name] for name in WORK} == {name: whole.cost[name] for name in WORK}
        discard_state(options.work_dir, resumed.key)
        assert not list(options.work_dir.glob("resume-*.pth"))


@pytest.mark.parametrize("states", [1, 2])
def test_resume_of_a_phase_counted_in_steps(make_spec, make_recipe, options, monkeypatch, states):
    cosine = dict(policy="CosineAnnealing", min_lr=0.0, by_epoch=False)
    spec = make_spec("bn", make_recipe(epochs=None, steps=15, lr_config=cosine))
    whole = execute(spec, options)
    run_and_kill(spec, options, monkeypatch, states)
    resumed = execute(spec, dataclasses.replace(options, resume=True))
    assert resumed.value == whole.value
    curves = [[(e["loss"], e["lr"]) for e in result.details["curve"]] for result in (resumed, whole)]
    assert curves[0] == curves[1]
    assert resumed.cost["images"] == whole.cost["images"] == 15 * 16  # two epochs of six steps, and three


@pytest.mark.parametrize("states", [1, 2])
def test_resume_within_a_protocol_of_two_phases(make_spec, make_recipe, options, monkeypatch, states):
    spec = make_spec("bn_then_finetune", make_recipe(epochs=2))
    whole = execute(spec, options)
    run_and_kill(spec, options, monkeypatch, states)
    resumed = execute(spec, dataclasses.replace(options, resume=True))
    assert resumed.value == whole.value
    assert [e["loss"] for e in resumed.details["curve"]] == [e["loss"] for e in whole.details["curve"]]


def test_every_run_has_a_state_of_its_own(make_spec, options, monkeypatch):
    specs = [make_spec("bn"), make_spec("bn", seed=1)]
    whole = [execute(spec, options).value for spec in specs]
    for spec in specs:
        run_and_kill(spec, options, monkeypatch, 1)
    assert len(list(options.work_dir.glob("resume-*.pth"))) == 2
    resuming = dataclasses.replace(options, resume=True)
    assert [execute(spec, resuming).value for spec in specs] == whole


def test_damaged_state_is_refused_by_name(make_spec, options, monkeypatch):
    run_and_kill(make_spec("bn"), options, monkeypatch, 1)
    path = state_file(options)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"resume-.*\.pth cannot be read .* delete it"):
        execute(make_spec("bn"), dataclasses.replace(options, resume=True))


def test_state_is_readable_without_pickle_code(make_spec, options, monkeypatch):
    run_and_kill(make_spec("bn"), options, monkeypatch, 1)
    state = torch.load(state_file(options), weights_only=True)
    assert state["position"]["epoch"] == 1


def test_unwritable_work_dir_is_refused_before_training(make_spec, options, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*choose a folder"):
        execute(make_spec(), dataclasses.replace(options, work_dir=tmp_path / "file" / "x"))


@pytest.mark.parametrize("epochs", [2, 5])
def test_a_run_killed_between_two_states_continues_from_the_last(make_spec, make_recipe, options, monkeypatch, epochs):
    """Epochs here are shorter than what writing their states may take, so most of them are not written."""
    spec = make_spec("bn", make_recipe(epochs=6))
    whole = execute(spec, options)
    run_and_kill(spec, options, monkeypatch, epochs, "save")
    assert 1 <= torch.load(state_file(options), weights_only=True)["position"]["epoch"] <= epochs
    resumed = execute(spec, dataclasses.replace(options, resume=True))
    assert resumed.value == whole.value
    assert [e["loss"] for e in resumed.details["curve"]] == [e["loss"] for e in whole.details["curve"]]
    assert {name: resumed.cost[name] for name in WORK} == {name: whole.cost[name] for name in WORK}


def test_writing_states_takes_a_twentieth_of_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(session.time, "perf_counter", lambda: clock[0])
    run = Session.open(tmp_path, "0" * 64, resume=False, keep=True)
    written = []

    def write_with(path, write):
        clock[0] += 1.0
        written.append(clock[0])

    monkeypatch.setattr(session.files, "write_with", write_with)
    while clock[0] < 600:
        clock[0] += 2.0  # an epoch takes twice as long as writing a state
        run.save("trial", Position())
    assert 25 <= len(written) <= 30
    assert written[0] == 3.0  # the first epoch's at once
    run.finish_trial({})
    assert len(written) <= 31
    assert written[-1] == clock[0]  # a finished trial's always
