"""Decisions of a race, and whole simulated races with known truth."""

import numpy as np
import pytest
from flat import add, flat_prior, seen_of

from mmbnft.select.belief import Belief, Seen, Verdict, lag
from mmbnft.select.past import Prior
from mmbnft.select.race import SHARES, Race, Rules

NOISE = 0.3


def race_of(checkpoints: int) -> Race:
    return Race(Rules(), np.ones((1, checkpoints), dtype=bool))


def run(prior: Prior, truth: np.ndarray, budget: float, seed: int = 0) -> tuple[Race, Seen, Verdict]:
    """A race to its end: its state, its trainings, what is believed."""
    rng, race, seen = np.random.default_rng(seed), race_of(len(truth)), Seen.nothing(1, len(truth), 4)
    while True:
        belief = Belief(prior, SHARES, seen)
        (verdict,) = race.judge(belief)
        options = race.ranked(belief, NOISE, budget - float((seen.count * SHARES).sum()))
        if not options or race.is_over(verdict, belief):
            return race, seen, verdict
        best = options[0]
        walk = 2 * np.sqrt(0.1 * lag(np.array(best.share))) * rng.standard_normal()
        value = truth[best.checkpoint] - 4 * (1 - best.share) + walk + NOISE * rng.standard_normal()
        add(seen, best.checkpoint, best.length, value)


def test_everyone_is_met_once_before_anyone_leaves() -> None:
    prior = Prior(np.array([3.0, -3.0, -3.0, 2.9]), np.full(4, 0.1), (0.7, 0.1))
    race, belief = race_of(4), Belief(prior, SHARES, seen_of(4, [(0, 1 / 27, 70.0)]))
    race.judge(belief)
    assert race.racing.all()
    assert not race.all_met(belief)
    ranked = race.ranked(belief, NOISE)
    assert {(one.checkpoint, one.share) for one in ranked} == {(1, 1 / 27), (2, 1 / 27), (3, 1 / 27)}


def test_who_has_no_chance_leaves_and_never_returns() -> None:
    prior = Prior(np.array([1.0, -1.0, -1.0, 0.9]), np.full(4, 0.1), (0.7, 0.1))
    race, seen = race_of(4), seen_of(4, [(n, 1.0, value) for n, value in enumerate((74.0, 60.0, 61.0, 73.9))])
    race.judge(Belief(prior, SHARES, seen))
    assert race.racing.tolist() == [[True, False, False, True]]
    ranked = race.ranked(Belief(prior, SHARES, seen), NOISE)
    assert {one.checkpoint for one in ranked} == {0, 3}
    assert all(one.share == 1.0 and one.seed == 1 for one in ranked)
    for seed in (1, 2):
        assert {one.seed for one in race.ranked(Belief(prior, SHARES, seen), NOISE)} == {seed}
        for one in (0, 3):
            add(seen, one, 3, 74.0)
    assert race.ranked(Belief(prior, SHARES, seen), NOISE) == []


def test_no_training_is_longer_than_the_budget() -> None:
    belief = Belief(flat_prior(4), SHARES, seen_of(4, [(n, 1 / 27, 70.0 + n) for n in range(4)]))
    race = race_of(4)
    assert {one.share for one in race.ranked(belief, NOISE, 0.4)} == {1 / 9, 1 / 3}
    assert race.ranked(belief, NOISE, 0.1) == []


def test_what_is_paid_already_makes_a_training_cheaper() -> None:
    belief = Belief(flat_prior(4), SHARES, seen_of(4, [(n, 1 / 3, 70.0 + n) for n in range(4)]))
    everyone, budget = np.ones((1, 4), dtype=bool), np.array([0.7])
    _, anew = Rules().ratios(belief, everyone, NOISE, budget)
    _, continued = Rules().ratios(belief, everyone, NOISE, budget, np.full((1, 4, 4), 1 / 3))
    assert np.isneginf(anew).all()
    assert np.isfinite(continued[..., -1]).all()


def test_races_with_known_truth_end_near_the_best_for_a_third_of_the_cost() -> None:
    lost = []
    for seed in range(12):
        truth = 80 + 2 * np.random.default_rng(seed).standard_normal(10)
        _, seen, verdict = run(flat_prior(10), truth, 3.3, seed)
        lost.append(truth.max() - truth[verdict.pick])
        assert (seen.count * SHARES).sum() <= 3.3
        assert seen.count.any(axis=2).all()
    assert np.mean(lost) < 0.8  # the race stops at an expected 0.5; a random pick loses 3 points


def test_a_race_stops_when_it_expects_to_lose_less_than_asked() -> None:
    truth = np.array([80.0, 70.0, 71.0, 69.0, 72.0])
    race, seen, verdict = run(flat_prior(5), truth, 100.0)
    assert verdict.pick == 0
    assert not race.racing[0, 1]
    assert (seen.count * SHARES).sum() < 3


@pytest.mark.parametrize("worth_of", [0, 3])
def test_trainings_are_ranked_by_their_worth_over_the_root_of_their_length(worth_of: int) -> None:
    prior = Prior(np.zeros(4), np.array([0.05, 0.05, 0.05, 0.05]), (0.7, 0.1))
    prior.variance[worth_of] = 1.0  # of the others all is known
    ranked = race_of(4).ranked(Belief(prior, SHARES, seen_of(4, [(n, 1 / 27, 70.0) for n in range(4)])), NOISE)
    assert ranked[0].checkpoint == worth_of
    ratios = [one.worth / one.share ** Rules().thrift for one in ranked]
    assert ratios == sorted(ratios, reverse=True)
