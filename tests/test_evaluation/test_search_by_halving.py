import pytest

from mmbnft.evaluation.arms.trained import TrainedArm
from mmbnft.evaluation.run import execute
from mmbnft.recipes.halving import Ladder, Rung, TrialRun
from mmbnft.utils.errors import UserError


def play(ladder, scores_of):
    """Every training of a search in which `scores_of(trial, length)` is what val says."""
    turns, scores = [], []
    while (due := ladder.next(scores)) is not None:
        turns.append((due.trial, due.length))
        scores.append(scores_of(due.trial, due.length))
    return turns, scores


def test_nine_trials_are_thirded_twice_by_hand():
    ladder = Ladder.build(trials=9, length=27, factor=3, rungs=3)
    # The third rung would have one trial, so the second decides.
    assert ladder.rungs == (Rung(9, 3), Rung(3, 9))
    assert ladder.budget == 9 * 3 + 3 * 9
    turns, scores = play(ladder, lambda trial, length: {2: 50, 5: 70, 8: 60}.get(trial, 10) + length)
    assert turns == [(trial, 3) for trial in range(9)] + [(2, 9), (5, 9), (8, 9)]
    assert ladder.winner(scores) == 5


def test_the_last_rung_decides_and_is_as_long_as_a_plain_training():
    ladder = Ladder.build(trials=12, length=10, factor=2, rungs=3)
    assert ladder.rungs == (Rung(12, 2), Rung(6, 5), Rung(3, 10))
    # Early on low numbers look best; of the three that stay (0, 1, 2) the last is best in the end.
    turns, scores = play(ladder, lambda trial, length: trial if length == 10 else -trial)
    assert turns[-3:] == [(0, 10), (1, 10), (2, 10)]
    assert ladder.winner(scores) == 2


def test_a_plain_search_is_one_rung_and_takes_the_first_of_equals():
    ladder = Ladder.build(trials=4, length=6)
    turns, scores = play(ladder, lambda trial, length: [1.0, 7.0, 7.0, 3.0][trial])
    assert turns == [(trial, 6) for trial in range(4)]
    assert ladder.winner(scores) == 1
    assert ladder.budget == 24


def test_diverged_trials_never_stay():
    ladder = Ladder.build(trials=4, length=4, factor=2, rungs=2)
    turns, scores = play(ladder, lambda trial, length: None if trial != 3 else 5.0)
    assert turns == [(0, 2), (1, 2), (2, 2), (3, 2), (3, 4)]
    assert ladder.winner(scores) == 3
    assert Ladder.build(2, 3).winner([None, None]) is None


def test_a_broken_off_search_continues_where_it_was():
    ladder = Ladder.build(trials=4, length=4, factor=2, rungs=2)
    assert ladder.next([1.0, 4.0, 2.0]) == TrialRun(3, 2)
    assert ladder.next([1.0, 4.0, 2.0, 3.0]) == TrialRun(1, 4)
    assert ladder.next([1.0, 4.0, 2.0, 3.0, 9.0]) == TrialRun(3, 4)
    assert ladder.next([1.0, 4.0, 2.0, 3.0, 9.0, 9.0]) is None


@pytest.mark.parametrize("halving", [dict(factor=1, rungs=2), dict(factor=3), dict(factor=2.5, rungs=2), 3])
def test_wrong_settings_are_refused(make_recipe, halving):
    with pytest.raises(UserError, match="halving of recipe 'test' needs exactly factor, rungs, whole numbers from 2"):
        make_recipe(halving=halving)


def test_a_run_halves_accounts_for_it_and_reads_test_once_at_the_end(make_spec, make_recipe, options, monkeypatch):
    recipe = make_recipe(epochs=4, search=dict(lr=[0.01, 0.02, 0.05, 0.1]), halving=dict(factor=2, rungs=2))
    seen = []
    dataset = TrainedArm._dataset

    def watched(self, split, training=False):
        seen.append(split)
        return dataset(self, split, training)

    monkeypatch.setattr(TrainedArm, "_dataset", watched)
    result = execute(make_spec("bn", recipe), options)
    search = result.details["search"]
    assert [entry["length"] for entry in search] == [2, 2, 2, 2, 4, 4]
    best = sorted(range(4), key=lambda trial: (-search[trial]["val"], search[trial]["val_loss"]))[:2]
    assert sorted(entry["trial"] for entry in search[4:]) == sorted(best)
    budget = result.details["search_budget"]
    assert budget["allowed"] == 4 * 2 + 2 * 4
    assert budget["whole_grid"] == 16
    assert budget["images"] == 64 * 16
    assert seen.count("test") == 1
    assert seen[-1] == "test"
    assert "test" not in seen[: seen.index("trainval")]
